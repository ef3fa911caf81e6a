/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segmentation in software: a packet that owes it becomes the frames that it stands for.
 *
 *	struct vs_segments segs;
 *
 *	if (vs_segment_begin(&segs, pkt, 0) != 0)
 *		drop (gso_failed)
 *	while ((got = vs_segment_next(&segs, VS_SEGMENT_CSUM_FULL, made, slot, ext, n_free)) > 0)
 *		made is a frame of its own; ext + made->n_ext are free
 *	if (got == -ENOBUFS)
 *		hand over what there is, and go on with as many free extents as there are in all
 *
 * What a segment holds, and why, stands in segment.c.
 */
#ifndef VS_OFFLOAD_SEGMENT_H
#define VS_OFFLOAD_SEGMENT_H

#include "dataplane/core/pkt.h"
#include "dataplane/core/segments.h"

/** What becomes of the transport checksum of each segment. */
enum vs_segment_csum {
	VS_SEGMENT_CSUM_FULL,    /* it is computed; the segment owes nothing */
	VS_SEGMENT_CSUM_PARTIAL, /* the segment owes it: its port takes partial checksums */
};

/**
 * vs_segment_begin() - get ready to cut a packet
 * @segs:	is set up; holds @pkt, which must stay as it is until the last segment was made
 * @pkt:	with debt.gso not NONE. Its numbers are checked against each other and against the
 *		private header once more: whatever they are, nothing is read or written beyond it
 * @outer_l3:	offset of the IP header of an NVGRE tunnel around it (RFC 7637: GRE with a key and
 *		without a checksum, so that nothing but this header changes from segment to
 *		segment); 0: none. The offsets of @pkt's debt are those of the inner headers then
 *
 * Return: 0; -EINVAL: the headers do not agree with the debt; -E2BIG: more than VS_SEGMENTS_MAX
 * segments; -EMSGSIZE: a segment would be longer than IP can say.
 */
int vs_segment_begin(struct vs_segments *segs, const struct vs_pkt *pkt, uint16_t outer_l3);

/**
 * vs_segment_next() - make the next segment
 * @segs:	begun
 * @csum:	who computes its transport checksum
 * @made:	becomes the segment: as the packet, but for hdr, ext, len and debt
 * @slot:	gets its headers (up to VS_HDR_ROOM + VS_HDR_BYTES, at the end)
 * @ext:	gets its payload: views of the packet's private header and of its extents, good as
 *		long as they are
 * @n_ext:	how many of @ext are free. A segment takes pkt->n_ext + 1 at the very most, and
 *		never more than it has bytes
 *
 * Return: 1; 0: there are no more; -ENOBUFS: @n_ext are too few, nothing was made, and the next
 * call may have more.
 */
int vs_segment_next(struct vs_segments *segs, enum vs_segment_csum csum, struct vs_pkt *made,
		    struct vs_hdr_slot *slot, struct vs_extent *ext, unsigned int n_ext);

#endif
