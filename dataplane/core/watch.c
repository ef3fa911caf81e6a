/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/watch.h"

#include "dataplane/core/sleeper.h"

uint64_t vs_watch_epoch;

void vs_watch_changed(void)
{
	__atomic_fetch_add(&vs_watch_epoch, 1, __ATOMIC_SEQ_CST);
	vs_sleepers_poke();
}
