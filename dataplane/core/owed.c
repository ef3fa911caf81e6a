/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/owed.h"

_Thread_local struct vs_owed vs_owed = {.due = VS_OWED_NEVER};
