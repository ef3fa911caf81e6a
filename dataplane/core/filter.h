/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filters of captures: classic BPF programs as libpcap compiles them (linux/filter.h), given by a
 * client, checked by control and run by workers. No extension of a kernel is known.
 */
#ifndef VS_CORE_FILTER_H
#define VS_CORE_FILTER_H

#include <linux/filter.h>

#include <stdint.h>

enum {
	/** Instructions of one filter; each runs at most once per frame. */
	VS_FILTER_MAX = 512,
};

/**
 * vs_filter_check() - may workers run this program?
 * @prog:	@n instructions from a client
 * @ret_at:	the instruction that is wrong, when it is one
 *
 * A program that passes ends, whatever the frame is: its jumps go forward and stay inside, and
 * its last instruction returns.
 *
 * Return: NULL if so, otherwise what is wrong: a static string.
 */
const char *vs_filter_check(const struct sock_filter *prog, unsigned int n, unsigned int *ret_at);

/**
 * vs_filter_run() - what a checked program says of a frame
 * @bytes:	@have bytes of the frame, private
 * @len:	bytes of the whole frame
 *
 * A load beyond @have ends the program with 0, as does a division by 0.
 *
 * Return: 0: it does not match.
 */
uint32_t vs_filter_run(const struct sock_filter *prog, const uint8_t *bytes, uint32_t have,
		       uint32_t len);

#endif
