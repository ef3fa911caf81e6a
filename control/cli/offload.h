/* SPDX-License-Identifier: BSD-3-Clause */
/* Offloads of a port on the command line: all, none, LIST on, LIST off. */
#ifndef VS_CONTROL_CLI_OFFLOAD_H
#define VS_CONTROL_CLI_OFFLOAD_H

#include "control/cli/cli.h"

enum {
	/** Bytes of the longest text there is, with the NUL. */
	OFFLOAD_TEXT_MAX = 64,
};

/**
 * offload_put() - read what follows "offload" into the request
 * @words:	from the word behind "offload" on, @n of them, at least one
 *
 * Return: how many words it took; -EINVAL with a complaint.
 */
int offload_put(struct cli *cli, char *const *words, int n);

/** offload_can_format() - can it be said in one list: on, off, or one of them and all others? */
bool offload_can_format(const struct nlattr *const *tb);

/** offload_format() - what a request switches on or off, as the command line has it */
void offload_format(const struct nlattr *const *tb, char *text, size_t size);

/** offload_list() - "csum,tso4": bits of enum vs_offload_part. @text: OFFLOAD_TEXT_MAX bytes. */
void offload_list(uint32_t parts, char *text, size_t size);

/** offload_json() - the same as an array of words. */
json_t *offload_json(uint32_t parts);

#endif
