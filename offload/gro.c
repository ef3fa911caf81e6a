/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A guest takes one frame of 64 KiB with less work than 45 of 1.5 KiB, and so does the switch on
 * the way to it. What is merged is what a sender's own segmentation would make of one frame, so
 * that segmenting the merged frame gives the packets back, bit for bit, and nobody who looks at
 * them later can tell. The rules are those of the Linux kernel's GRO, which every TCP has met:
 *
 * | a segment joins the frame of its flow if                                          |
 * |-----------------------------------------------------------------------------------|
 * | Ethernet header, tag, addresses and ports are the same: that is a flow            |
 * | it is plain data (see gro_seg.h), and its sequence number is the next             |
 * | it has no more payload than the first; one that has less is the last              |
 * | the last had no PSH; one with PSH is the last                                     |
 * | it has no CWR; the first may have, if the receiver takes that (VS_OFFLOAD_ECN)    |
 * | all else in the headers is the same (see vs_gro_seg_alike()): TCP options, too    |
 * | IPv4: the id counts up by one; with DF it may stay the same in all (RFC 6864)     |
 * | its checksums and those of the first are right: a wrong one is never mended       |
 * | nothing is owed on it                                                             |
 * | IP and payload together stay below 64 KiB, and there is room for the extents      |
 *
 * (Stricter than Linux: no FIN joins. With ids that stay the same, segmenting gives ids that count
 * up instead: the only difference.)
 *
 * Order: a merged frame stands at the place of its first segment, so segments of a flow move in
 * front of packets of other flows, and never past one of their own. A packet of the flow that does
 * not join, or must be left alone, ends the frame, and data begins a new one. A packet that may be
 * of any flow (a fragment, IP options or extension headers) ends all frames.
 *
 * First it is decided which packets join which, by chains through the row; then the frames are
 * made. Checksums come last of all tests, and are not computed for a packet that has no partner.
 * Few flows fill a burst: OPEN_MAX frames are open at a time, the oldest is closed for a new one,
 * so no burst makes more than OPEN_MAX comparisons per packet.
 */
#include "offload/gro.h"

#include "offload/gro_seg.h"

#include <rte_ip.h>
#include <rte_tcp.h>

enum {
	OPEN_MAX = 8,
	/* IP header and all behind it; what Linux makes at the most, and what a guest takes. */
	IP_MAX = 65535,
};

_Static_assert(RTE_ETHER_HDR_LEN + VS_TAG_BYTES + sizeof(struct rte_ipv6_hdr) + 60 <= VS_HDR_BYTES,
	       "the headers of a segment fit into the private bytes");

/* A frame that may be joined, or was; that of the packet at this place of the row. */
struct merge {
	struct vs_gro_seg head; /* headers of the first segment */
	uint32_t next_seq;
	uint32_t payload;
	uint8_t last; /* place of its last segment */
	uint8_t segs;
	uint8_t id_stays; /* IPv4: the id is the same in all */
	uint8_t is_sound; /* the checksums of the first are right */
	uint8_t flags;    /* of TCP, of all segments */
};

/* One call. */
struct work {
	struct vs_gro_row *row;
	unsigned int takes;
	unsigned int frames;    /* that will be made */
	unsigned int extents;   /* that they may need */
	uint8_t open[OPEN_MAX]; /* places of the first segments, oldest first */
	unsigned int n_open;
	uint8_t next[VS_BURST_MAX];    /* place of the next segment of the frame */
	uint64_t joined;               /* these packets joined another */
	uint64_t heads;                /* these are joined by others */
	struct merge at[VS_BURST_MAX]; /* set where a frame was begun */
};

/* ---- which packets join which */

static void close_at(struct work *w, unsigned int i)
{
	w->n_open--;
	for (; i < w->n_open; i++)
		w->open[i] = w->open[i + 1];
}

/* Where in the list of open frames is the one of this flow? Return: n_open if there is none. */
static unsigned int find_open(const struct work *w, const struct vs_gro_seg *seg)
{
	unsigned int i;

	for (i = 0; i < w->n_open; i++) {
		if (vs_gro_seg_same_flow(&w->at[w->open[i]].head, seg))
			break;
	}
	return i;
}

/* Data that nothing open takes begins a frame, if another may join it. */
static void begin(struct work *w, unsigned int i, const struct vs_gro_seg *seg)
{
	unsigned int needs = seg->is_v6 ? VS_OFFLOAD_TSO6 : VS_OFFLOAD_TSO4;

	if (seg->flags & RTE_TCP_CWR_FLAG)
		needs |= VS_OFFLOAD_ECN;
	if ((seg->flags & RTE_TCP_PSH_FLAG) || (w->takes & needs) != needs)
		return;
	if (w->n_open == OPEN_MAX)
		close_at(w, 0);
	w->open[w->n_open++] = (uint8_t)i;
	w->at[i] = (struct merge){
		.head = *seg,
		.next_seq = seg->seq + seg->payload,
		.payload = seg->payload,
		.last = (uint8_t)i,
		.segs = 1,
		.flags = seg->flags,
	};
}

/* Does the id go on as it did? */
static bool id_follows(const struct merge *m, const struct vs_gro_seg *seg)
{
	uint16_t step = (uint16_t)(seg->ip_id - m->head.ip_id);

	if (seg->is_v6)
		return true;
	if (m->segs == 1)
		return step == 1 || (step == 0 && vs_gro_seg_has_df(seg));
	return step == (m->id_stays ? 0 : m->segs);
}

/* At most one for the private bytes of a packet and each extent that it has. */
static unsigned int extents_of(const struct vs_pkt *pkt)
{
	return 1u + pkt->n_ext;
}

static bool has_room(const struct work *w, const struct merge *m, const struct vs_pkt *pkt)
{
	unsigned int needs = extents_of(pkt);

	if (m->segs == 1)
		needs += extents_of(w->row->pkt[m->last]);
	return w->row->n_ext + w->extents + needs <= w->row->max_ext;
}

static bool fits(const struct work *w, const struct merge *m, const struct vs_pkt *pkt,
		 const struct vs_gro_seg *seg)
{
	uint32_t headers = (uint32_t)m->head.hdr_end - m->head.l3_at;

	return seg->seq == m->next_seq && seg->payload <= m->head.payload &&
	       !(seg->flags & RTE_TCP_CWR_FLAG) && vs_gro_seg_alike(&m->head, seg) &&
	       id_follows(m, seg) && headers + m->payload + seg->payload <= IP_MAX &&
	       has_room(w, m, pkt);
}

static bool is_sound(const struct vs_gro_row *row, unsigned int i, const struct vs_gro_seg *seg)
{
	return vs_gro_seg_is_sound(row->pkt[i], seg);
}

static void join(struct work *w, unsigned int head, unsigned int i, const struct vs_gro_seg *seg)
{
	struct merge *m = &w->at[head];

	w->extents += extents_of(w->row->pkt[i]);
	if (m->segs == 1) {
		w->extents += extents_of(w->row->pkt[head]);
		w->heads |= UINT64_C(1) << head;
		m->id_stays = seg->ip_id == m->head.ip_id;
	}
	w->joined |= UINT64_C(1) << i;
	w->next[m->last] = (uint8_t)i;
	m->last = (uint8_t)i;
	m->next_seq += seg->payload;
	m->payload += seg->payload;
	m->flags |= seg->flags;
	m->segs++;
}

/* Data, of the flow of the open frame @slot. */
static void follow(struct work *w, unsigned int slot, unsigned int i, const struct vs_gro_seg *seg)
{
	unsigned int head = w->open[slot];
	struct merge *m = &w->at[head];

	if (fits(w, m, w->row->pkt[i], seg)) {
		/* A packet that is damaged goes on alone, and nothing is built upon it. */
		if (!is_sound(w->row, i, seg)) {
			close_at(w, slot);
			return;
		}
		m->is_sound = m->is_sound || is_sound(w->row, head, &m->head);
		if (m->is_sound) {
			join(w, head, i, seg);
			if (seg->payload < m->head.payload || (seg->flags & RTE_TCP_PSH_FLAG))
				close_at(w, slot);
			return;
		}
	}
	close_at(w, slot);
	begin(w, i, seg);
}

static void sort(struct work *w, unsigned int i)
{
	struct vs_gro_seg seg;
	unsigned int slot;

	vs_gro_seg_read(w->row->pkt[i], &seg);
	if (seg.kind == VS_GRO_DATA && (w->row->skip >> i & 1))
		seg.kind = VS_GRO_FLOW;
	if (seg.kind == VS_GRO_OPAQUE)
		w->n_open = 0;
	if (seg.kind != VS_GRO_FLOW && seg.kind != VS_GRO_DATA)
		return;
	slot = find_open(w, &seg);
	if (slot == w->n_open) {
		if (seg.kind == VS_GRO_DATA)
			begin(w, i, &seg);
	} else if (seg.kind == VS_GRO_DATA) {
		follow(w, slot, i, &seg);
	} else {
		close_at(w, slot);
	}
}

/* ---- the merged packets */

/* One more extent, or more of the last one where both are one piece of memory. */
static void add_extent(struct vs_gro_row *row, struct vs_pkt *pkt, const uint8_t *data,
		       uint32_t len)
{
	struct vs_extent *ext = &row->ext[row->n_ext];

	if (len == 0)
		return;
	if (pkt->n_ext && ext[-1].data + ext[-1].len == data) {
		ext[-1].len += len;
		return;
	}
	*ext = (struct vs_extent){.data = data, .len = len};
	row->n_ext++;
	pkt->n_ext++;
}

static void add_payload(struct vs_gro_row *row, struct vs_pkt *to, const struct vs_pkt *from,
			uint32_t hdr_end)
{
	unsigned int i;

	add_extent(row, to, from->hdr + hdr_end, from->hdr_len - hdr_end);
	for (i = 0; i < from->n_ext; i++)
		add_extent(row, to, from->ext[i].data, from->ext[i].len);
}

static struct vs_debt debt_of(const struct vs_gro_seg *head)
{
	return (struct vs_debt){
		.csum = VS_CSUM_PARTIAL,
		.gso = head->is_v6 ? VS_GSO_TCP6 : VS_GSO_TCP4,
		.ecn = (head->flags & RTE_TCP_CWR_FLAG) != 0,
		.l3 = head->l3_at,
		.csum_start = head->l4_at,
		.csum_offset = offsetof(struct rte_tcp_hdr, cksum),
		.hdrs = head->hdr_end,
		.gso_size = (uint16_t)head->payload,
	};
}

/* The packet that begins at place @head of the row becomes the merged one. */
static void make(struct work *w, unsigned int head)
{
	const struct merge *m = &w->at[head];
	struct vs_gro_row *row = w->row;
	struct vs_pkt *pkt = row->pkt[head];
	const struct vs_pkt first = *pkt;
	unsigned int i = head;

	pkt->ext = &row->ext[row->n_ext];
	pkt->n_ext = 0;
	pkt->hdr_len = m->head.hdr_end;
	pkt->len = m->head.hdr_end + m->payload;
	pkt->debt = debt_of(&m->head);
	vs_gro_seg_patch(pkt->hdr, &m->head, m->payload, m->flags);
	add_payload(row, pkt, &first, m->head.hdr_end);
	while (i != m->last) {
		i = w->next[i];
		add_payload(row, pkt, row->pkt[i], m->head.hdr_end);
	}
}

/* Return: packets that are gone from the row. */
static unsigned int rebuild(struct work *w)
{
	struct vs_gro_row *row = w->row;
	const unsigned int before = row->n;
	unsigned int n = 0;
	unsigned int i;

	for (i = 0; i < before; i++) {
		if (w->heads >> i & 1)
			make(w, i);
	}
	for (i = 0; i < before; i++) {
		if (w->joined >> i & 1)
			continue;
		row->pkt[n] = row->pkt[i];
		row->from[n++] = (uint8_t)i;
	}
	row->n = (uint16_t)n;
	return before - n;
}

unsigned int vs_gro_merge(unsigned int takes, struct vs_gro_row *row)
{
	struct work w;
	unsigned int i;

	/* What is not set here is set before it is read. */
	w.row = row;
	w.takes = takes;
	w.extents = 0;
	w.n_open = 0;
	w.joined = 0;
	w.heads = 0;
	if (takes & (VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6)) {
		for (i = 0; i < row->n; i++)
			sort(&w, i);
	}
	return rebuild(&w);
}
