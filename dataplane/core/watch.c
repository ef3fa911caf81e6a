/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/watch.h"

uint64_t vs_watch_epoch;
