/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 2, classify: frames from an uplink are sorted into the queues of its ports.
 *
 * Accepts: packets with an Ethernet header in their private bytes; those of a burst are of one
 *	port, which has queues.
 * Guarantees: each packet is counted in one queue; the port of that queue stands in burst->queue[],
 *	its bit in burst->sorted; without a bit it belongs to the default queue.
 * Drops: nothing.
 *
 * It says whose a frame is, not whether it may pass: admit and lookup come after it, and drop what
 * they would drop in any case.
 *
 * DOC: theory of operation
 *
 * The table of filters has the last word, whoever sorted before: a hw queue that is a port's own
 * (vs_vmq.owner) only promises what the frames in it are. So a card that delivers wrongly costs
 * nobody a frame; what came by another port's queue is counted at that port as astray, and goes
 * where its filter, or the default queue, says.
 *
 * Frames with the same destination and the same tag that stand one behind the other (a run) are in
 * the same queue: only the first of them is searched for. In a hw queue that is a port's own the
 * others are as a rule all that there is, and one comparison is what a frame costs.
 */
#include "vmq/vmq.h"

#include "dataplane/core/hdr.h"

#include <rte_branch_prediction.h>

enum {
	/* What is compared: addresses, EtherType, and as much behind it as a tag has. */
	HEAD = sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr),
	TYPE_AT = 2 * RTE_ETHER_ADDR_LEN,
};

/**
 * struct run - frames with one head, one behind the other
 * @dst, @type:	their head, as words of it are loaded
 * @mask:	which bits of @type: all if it is a tag, else those of the EtherType
 * @port:	whose queue they belong to
 * @has_key:	a filter might have matched them
 */
struct run {
	uint64_t dst;
	uint32_t type;
	uint32_t mask;
	uint16_t port;
	bool has_key;
	uint64_t frames;
	uint64_t bytes;
};

static inline uint64_t dst_of(const struct vs_pkt *pkt)
{
	uint64_t first;

	memcpy(&first, pkt->hdr, sizeof(first));
	return first << 16;
}

static inline uint32_t type_of(const struct vs_pkt *pkt)
{
	uint32_t type;

	memcpy(&type, pkt->hdr + TYPE_AT, sizeof(type));
	return type;
}

static inline bool is_like(const struct vs_pkt *pkt, const struct run *run)
{
	return pkt->hdr_len >= HEAD && !pkt->drop && dst_of(pkt) == run->dst &&
	       (type_of(pkt) & run->mask) == run->type;
}

/* What the filters are asked for; 0: a frame that none of them can match. */
static uint64_t key_of(const struct vs_pkt *pkt, uint16_t native)
{
	struct vs_l2_tag tag = vs_l2_tag(pkt);

	switch (tag.kind) {
	case VS_L2_UNTAGGED:
	case VS_L2_PRIORITY:
		return vs_vmq_key(&vs_l2_eth(pkt)->dst_addr, native);
	case VS_L2_TAGGED:
		return vs_vmq_key(&vs_l2_eth(pkt)->dst_addr, tag.tci & VS_TCI_VID);
	default:
		return 0;
	}
}

/* The run that begins with @pkt, which is not yet in it. */
static struct run begin(const struct vs_vmq *vmq, const struct vs_pkt *pkt, uint16_t native)
{
	struct run run = {.port = VS_VMQ_DEFAULT};
	uint64_t key = pkt->drop ? 0 : key_of(pkt, native);

	run.has_key = key;
	if (key)
		run.port = vs_vmq_find(vmq, key);
	if (unlikely(pkt->drop || pkt->hdr_len < HEAD)) {
		run.type = 1; /* no frame is like it: this bit is not in the mask */
		return run;
	}
	run.mask = vs_l2_is_tag(vs_l2_eth(pkt)->ether_type) ? UINT32_MAX
							    : rte_cpu_to_le_32(UINT16_MAX);
	run.dst = dst_of(pkt);
	run.type = type_of(pkt) & run.mask;
	return run;
}

/* @owner: whose hw queue the frames came by */
static void count(struct vs_ctx *ctx, const struct run *run, uint16_t uplink, uint16_t owner)
{
	uint16_t port = run->port == VS_VMQ_DEFAULT ? uplink : run->port;
	struct vs_port_stats *stats = ctx->port_stats[port];

	vs_stats_bump(&stats->vmq_frames, run->frames);
	vs_stats_bump(&stats->vmq_bytes, run->bytes);
	/* Cards differ in what a strange tag is: such frames must not discredit one. */
	if (unlikely(owner != VS_VMQ_DEFAULT && owner != run->port && run->has_key))
		vs_stats_bump(&ctx->port_stats[owner]->vmq_astray, run->frames);
}

void vs_vmq_classify(struct vs_ctx *ctx, struct vs_burst *burst)
{
	const struct vs_port_hot *uplink = &ctx->conf->port[burst->pkt[0].in_port];
	const struct vs_vmq *vmq = ctx->conf->vmq[uplink->vmq - 1];
	const uint16_t owner = vmq->owner[ctx->pair % VS_VMQ_PAIRS_MAX];
	const unsigned int n = burst->n;
	unsigned int i = 0;

	burst->sorted = 0;
	while (i < n) {
		struct run run = begin(vmq, &burst->pkt[i], uplink->vid);
		unsigned int first = i;

		do {
			run.bytes += burst->pkt[i].len;
			burst->queue[i++] = run.port;
		} while (i < n && is_like(&burst->pkt[i], &run));
		run.frames = i - first;
		if (run.port != VS_VMQ_DEFAULT)
			burst->sorted |= UINT64_MAX >> (64 - run.frames) << first;
		count(ctx, &run, uplink->id, owner);
	}
}
