/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What wakes a worker that sleeps when frames come to a queue pair (dataplane/park.c).
 */
#ifndef VS_CORE_BELL_H
#define VS_CORE_BELL_H

#include <stdint.h>

/** How a bell rings. */
enum vs_bell_kind {
	VS_BELL_MISSING, /* there is none: only a visit tells */
	VS_BELL_SILENT,  /* nothing can come in this epoch (core/watch.h) */
	/* each ring makes the descriptor readable anew; it is never read: others hold it, too */
	VS_BELL_STROKE,
	VS_BELL_WHILE_FRAMES, /* readable as long as frames wait */
};

/** struct vs_bell - a descriptor for epoll, good for one epoch; @fd is its port's */
struct vs_bell {
	enum vs_bell_kind kind;
	int fd;
};

/** Is the other side to ring when frames come? */
enum vs_bell_wish {
	VS_BELL_MUTE,
	VS_BELL_RING,
};

#endif
