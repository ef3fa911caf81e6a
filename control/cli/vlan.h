/* SPDX-License-Identifier: BSD-3-Clause */
/* VLANs of a port on the command line: untagged, access N, trunk LIST [native N]. */
#ifndef VS_CONTROL_CLI_VLAN_H
#define VS_CONTROL_CLI_VLAN_H

#include "control/cli/cli.h"

enum {
	/** Bytes of the longest list there can be, and of what stands around it, with the NUL. */
	VLAN_TEXT_MAX = 6144,
	/** Bytes for people, who can do without the rest of a long list. */
	VLAN_TEXT_SHORT = 64,
};

/**
 * vlan_put() - read what follows "vlan" into the request
 * @words:	from the word behind "vlan" on, @n of them, at least one
 *
 * Return: how many words it took; -EINVAL with a complaint.
 */
int vlan_put(struct cli *cli, char *const *words, int n);

/**
 * vlan_format() - the VLANs of a record, as the command line has them
 * @text:	room for @size bytes, VLAN_TEXT_SHORT at least; in a list that is too long for it,
 *		"..." stands for the rest, and with VLAN_TEXT_MAX nothing is left out
 */
void vlan_format(const struct nlattr *const *tb, char *text, size_t size);

#endif
