/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/memfault.h"

_Thread_local volatile uint32_t vs_mem_faults;
_Thread_local const uint32_t *vs_mem_source;
