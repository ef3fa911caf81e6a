/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that goes away while it is read or written: a VMM may truncate the file behind its
 * guest's memory at any time, and the access then raises SIGBUS. The handler of the port kind
 * that owns the memory (dataplane/guest/sigbus.c) puts zeros in its place and counts here.
 */
#ifndef VS_CORE_MEMFAULT_H
#define VS_CORE_MEMFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * vs_mem_faults - SIGBUS signals this thread survived since it last set this to 0
 *
 * A worker sets it to 0 at the start of each visit. Not 0: bytes read or written in this visit
 * may be zeros of a replaced region, and nothing may be published.
 */
extern _Thread_local volatile uint32_t vs_mem_faults;

/**
 * vs_mem_source - tells whether the memory that the visit's frames lie in was lost; NULL: it is
 * ours
 *
 * Another worker may be writing to the same guest and meet the loss: then the signal is its, and
 * this thread reads zeros without one. Not 0 behind the pointer: it was lost.
 */
extern _Thread_local const uint32_t *vs_mem_source;

/** vs_mem_begin() - worker: a visit begins. */
static inline void vs_mem_begin(void)
{
	vs_mem_faults = 0;
	vs_mem_source = NULL;
}

/**
 * vs_mem_is_lost() - may bytes that were read or written since vs_mem_begin() be zeros?
 *
 * Asked after the last access and before anything is published.
 */
static inline bool vs_mem_is_lost(void)
{
	return vs_mem_faults || (vs_mem_source && __atomic_load_n(vs_mem_source, __ATOMIC_SEQ_CST));
}

/** struct vs_mem_state - of a visit that is left for a while */
struct vs_mem_state {
	uint32_t faults;
	const uint32_t *source;
};

/** vs_mem_leave() - what comes now has nothing to do with the memory of the open visit. */
static inline void vs_mem_leave(struct vs_mem_state *ret_state)
{
	*ret_state = (struct vs_mem_state){.faults = vs_mem_faults, .source = vs_mem_source};
	vs_mem_begin();
}

/** vs_mem_return() - go on with the visit. */
static inline void vs_mem_return(const struct vs_mem_state *state)
{
	vs_mem_faults = state->faults;
	vs_mem_source = state->source;
}

#endif
