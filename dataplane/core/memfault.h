/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that goes away while it is read or written: a VMM may truncate the file behind its
 * guest's memory at any time, and the access then raises SIGBUS. The handler of the port kind
 * that owns the memory (dataplane/guest/sigbus.c) puts zeros in its place and counts here.
 */
#ifndef VS_CORE_MEMFAULT_H
#define VS_CORE_MEMFAULT_H

#include <stdint.h>

/**
 * vs_mem_faults - SIGBUS signals this thread survived since it last set this to 0
 *
 * A worker sets it to 0 at the start of each visit. Not 0: bytes read or written in this visit
 * may be zeros of a replaced region, and nothing may be published.
 */
extern _Thread_local volatile uint32_t vs_mem_faults;

#endif
