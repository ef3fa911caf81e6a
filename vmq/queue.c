/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a queue.
 *
 * DOC: theory of operation
 *
 *	FREE -> ALLOCATED -> FILTER_SET -> RUNNING -> CLEARED -> STOPPED -> RETURNED -> FREE
 *
 * One way round, so that a frame never meets a queue that is half there: filters go first, and with
 * them the frames that are still coming belong to the default queue; then no worker has any left;
 * then their buffers are back; and only then the number is another's. A queue that never ran is
 * spared the middle: ALLOCATED may be released, FILTER_SET may be cleared.
 */
#include "vmq/vmq.h"

#include <errno.h>

int vs_vmq_step(enum vs_vmq_state state, enum vs_vmq_event event)
{
	/* One more than the state, so that what is not named is nothing. */
	static const uint8_t next[VS_VMQ_STATES][VS_VMQ_EVENTS] = {
		[VS_VMQ_FREE][VS_VMQ_ALLOCATE] = 1 + VS_VMQ_ALLOCATED,
		[VS_VMQ_ALLOCATED][VS_VMQ_SET_FILTER] = 1 + VS_VMQ_FILTER_SET,
		[VS_VMQ_ALLOCATED][VS_VMQ_RELEASE] = 1 + VS_VMQ_FREE,
		[VS_VMQ_FILTER_SET][VS_VMQ_SET_FILTER] = 1 + VS_VMQ_FILTER_SET,
		[VS_VMQ_FILTER_SET][VS_VMQ_RUN] = 1 + VS_VMQ_RUNNING,
		[VS_VMQ_FILTER_SET][VS_VMQ_CLEAR] = 1 + VS_VMQ_CLEARED,
		[VS_VMQ_RUNNING][VS_VMQ_SET_FILTER] = 1 + VS_VMQ_RUNNING,
		[VS_VMQ_RUNNING][VS_VMQ_RUN] = 1 + VS_VMQ_RUNNING,
		[VS_VMQ_RUNNING][VS_VMQ_CLEAR] = 1 + VS_VMQ_CLEARED,
		[VS_VMQ_CLEARED][VS_VMQ_STOP] = 1 + VS_VMQ_STOPPED,
		[VS_VMQ_STOPPED][VS_VMQ_RETURN] = 1 + VS_VMQ_RETURNED,
		[VS_VMQ_RETURNED][VS_VMQ_RELEASE] = 1 + VS_VMQ_FREE,
	};

	if ((unsigned int)state >= VS_VMQ_STATES || (unsigned int)event >= VS_VMQ_EVENTS)
		return -EINVAL;
	return next[state][event] ? next[state][event] - 1 : -EINVAL;
}

const char *vs_vmq_state_name(enum vs_vmq_state state)
{
	static const char *const names[] = {
		[VS_VMQ_FREE] = "free",
		[VS_VMQ_ALLOCATED] = "allocated",
		[VS_VMQ_FILTER_SET] = "filter-set",
		[VS_VMQ_RUNNING] = "running",
		[VS_VMQ_CLEARED] = "filter-cleared",
		[VS_VMQ_STOPPED] = "stopped",
		[VS_VMQ_RETURNED] = "buffers-returned",
	};

	_Static_assert(RTE_DIM(names) == VS_VMQ_STATES, "a name for each state");
	return (unsigned int)state < VS_VMQ_STATES ? names[state] : "unknown";
}
