/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive merging (GRO): the TCP segments of one flow that stand in one burst become one packet
 * that owes segmentation, for a receiver that takes such packets.
 *
 * A leaf: packets in, packets out. It knows no ports; the caller says what the receiver takes and
 * which packets are for it alone. What is merged and what is not, and why, stands in gro.c.
 */
#ifndef VS_OFFLOAD_GRO_H
#define VS_OFFLOAD_GRO_H

#include "dataplane/core/pkt.h"

/**
 * struct vs_gro_row - packets to one receiver, in the order in which it gets them
 * @pkt:	@n of them
 * @skip:	bit i: packet i must stay as it is, for it goes to others, too. Its flow keeps its
 *		order
 * @ext:	free room for the extents of merged packets, @max_ext of them
 * @n_ext:	how many of them are used
 * @from:	set by vs_gro_merge(): which place packet i had in the row as it came
 */
struct vs_gro_row {
	uint16_t n;
	uint16_t n_ext;
	uint16_t max_ext;
	uint64_t skip;
	struct vs_extent *ext;
	struct vs_pkt *pkt[VS_BURST_MAX];
	uint8_t from[VS_BURST_MAX];
};

/**
 * vs_gro_merge() - merge what can be merged in a row
 * @takes:	what the receiver takes (VS_OFFLOAD_TSO4, VS_OFFLOAD_TSO6, VS_OFFLOAD_ECN; others
 *		are ignored)
 * @row:	packets with an Ethernet header, at most one tag in front of the IP header. Becomes
 *		the row that the receiver gets: @n falls by those that joined another; @skip is
 *		still that of the row as it came
 *
 * The first of the packets that are merged becomes the merged one: its private header ends behind
 * the TCP header and says the new length, its extents (in @row->ext) are the payload of all,
 * borrowed as it was, and its debt says that it is to be cut. The packets that joined it are as
 * they were; what it borrows of them are their private bytes, too. All others are not touched.
 *
 * Payload is read, for checksums, unless the debt says that they are good: it must not be that of
 * a guest, which may change it afterwards. Whatever the packets hold, nothing is read beyond their
 * bytes.
 *
 * Return: packets that joined another (what @row->n fell by).
 */
unsigned int vs_gro_merge(unsigned int takes, struct vs_gro_row *row);

#endif
