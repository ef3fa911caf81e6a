/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 5, lookup: the source is learnt, the destination found.
 *
 * Accepts: admitted packets (fid set, source address valid for its port).
 * Guarantees: the packet stands in the output list of each port it goes to, never in that of the
 *	port it came from.
 * Drops: reserved_mac, hairpin, storm, flood_budget, no_receiver, unknown_unicast,
 *	no_lookup_record.
 *
 * DOC: theory of operation: receivers
 *
 * | destination                    | goes to (but the sender)       | if there is none        |
 * |--------------------------------|--------------------------------|-------------------------|
 * | unicast, known at a port       | that port                      | hairpin                 |
 * | unicast, known at a group      | members of the group           | hairpin                 |
 * | unicast, unknown               | first n_unknown of the members | unknown_unicast, or     |
 * |                                | of its fid                     | no_receiver if all are  |
 * | the same, in a virtual subnet  | nobody                         | no_lookup_record        |
 * | that does not learn            |                                |                         |
 * | broadcast, multicast           | all members of its fid         | no_receiver             |
 *
 * Members are ports that are up. All but the first row are floods: copies, under the byte budget
 * of the visit. The storm limit is for frames of the last two rows that go somewhere; a cluster's
 * traffic is meant for each of its members. A frame that is to be cut counts as its segments in
 * both, whoever takes it whole.
 *
 * DOC: theory of operation: learning
 *
 * Every packet's source is looked up. An address that is known at this port costs one store a
 * second. A new or moved one is reported to control, which owns the table; until control has
 * entered it (some ten microseconds), more frames from it come by, so a small cache keeps an
 * address from being reported again within REPORT_AGAIN_MS (unless entries were removed or moved
 * meanwhile: it may have been one of them), and VS_LEARN_RATE_PPS limits what
 * one port may have learnt. A static address (one given to a port) and one that a group of ports
 * shares are never reported from elsewhere.
 *
 * DOC: theory of operation: hints
 *
 * Bursts ask for the same few addresses again and again, and a look-up in the table costs some 200
 * instructions. So a worker keeps, by a hash of fid and address, where it found an address last.
 * A hint is good as long as the table's generation is the same: that changes before the grace
 * period after which an entry's place is used for another address. Guests whose addresses share
 * a slot throw each other out of it, and pay for a look-up as they would without.
 *
 * Where there are tenants, sources are learnt by a step of its own: route, which stands between it
 * and the rest, gives packets other addresses.
 *
 * And a frame with the addresses of the frame before it goes where that went, if its source was
 * known and its destination one port: there is nothing to learn and nothing to look up.
 */
#include "dataplane/stages.h"

#include "dataplane/core/hdr.h"
#include "dataplane/fdb.h"

#include <rte_branch_prediction.h>

#include <string.h>

enum {
	REPORT_AGAIN_MS = 10,
};

/* A fid (or a port) and an address in one word. */
static uint64_t make_key(uint16_t id, const struct rte_ether_addr *mac)
{
	uint32_t low;
	uint16_t high;

	/* Two loads: one word put together in memory would have to wait for its parts. */
	memcpy(&low, mac->addr_bytes, sizeof(low));
	memcpy(&high, mac->addr_bytes + sizeof(low), sizeof(high));
	return (uint64_t)id << 48 | (uint64_t)high << 32 | low;
}

static uint64_t scramble(uint64_t key)
{
	return key * UINT64_C(0x9e3779b97f4a7c15);
}

/* vs_fdb_find(), and a hint for the next time. */
static __rte_noinline struct vs_fdb_entry *find_anew(const struct vs_fdb *fdb, struct vs_hint *hint,
						     uint64_t key, uint16_t fid,
						     const struct rte_ether_addr *mac)
{
	/* Before the look-up: what is found may be out of date right after. */
	uint64_t generation = vs_fdb_generation(fdb);
	struct vs_fdb_entry *e = vs_fdb_find(fdb, fid, mac);

	if (e)
		*hint = (struct vs_hint){.key = key, .generation = generation, .entry = e};
	return e;
}

/* The keys of a frame's two addresses: all that its look-up depends on, but for its port. */
struct pair_key {
	uint64_t dst;
	uint64_t src;
};

/* make_key() of both, from two loads. */
static struct pair_key make_pair_key(const struct vs_pkt *pkt)
{
	uint64_t fid = (uint64_t)pkt->fid << 48;
	uint64_t first;
	uint32_t last;

	memcpy(&first, pkt->hdr, sizeof(first));
	memcpy(&last, pkt->hdr + sizeof(first), sizeof(last));
	return (struct pair_key){
		.dst = fid | first << 16 >> 16,
		.src = fid | (uint64_t)last << 16 | first >> 48,
	};
}

/* vs_fdb_find(), by a hint where there is one. @key: of @fid and @mac */
static __rte_always_inline struct vs_fdb_entry *look_up(struct vs_ctx *ctx,
							const struct vs_fdb *fdb, uint64_t key,
							uint16_t fid,
							const struct rte_ether_addr *mac)
{
	struct vs_hint *hint = &ctx->hint[scramble(key) >> (64 - VS_HINT_BITS)];

	if (likely(hint->key == key && hint->generation == vs_fdb_generation(fdb)))
		return hint->entry;
	return find_anew(fdb, hint, key, fid, mac);
}

/* Workers that share a port share what it may have learnt. */
static uint32_t learn_rate(const struct vs_port_hot *port)
{
	return port->workers > 1 ? VS_LEARN_RATE_PPS / port->workers : VS_LEARN_RATE_PPS;
}

/* Was this very fact reported a moment ago? If not, it is now. */
static bool reported_lately(struct vs_ctx *ctx, const struct vs_event *ev, uint64_t generation)
{
	struct vs_reported *slot;
	uint64_t key = make_key(ev->port, &ev->mac);
	uint64_t hash = scramble(key + ((uint64_t)ev->fid << 24));

	slot = &ctx->reported[hash >> (64 - VS_REPORTED_BITS)];
	if (slot->key == key && slot->fid == ev->fid && slot->generation == generation &&
	    ctx->now_tsc - slot->when_tsc < rte_get_tsc_hz() / 1000 * REPORT_AGAIN_MS)
		return true;
	slot->key = key;
	slot->fid = ev->fid;
	slot->generation = generation;
	slot->when_tsc = ctx->now_tsc;
	return false;
}

/* Does an entry's port name a group? */
static bool is_group(uint16_t port)
{
	return port >= VS_FDB_GROUP_BASE && port < VS_FDB_GROUP_BASE + VS_GROUPS_MAX;
}

/* Control is told that the packet's source is at @port. */
static __rte_noinline void report(struct vs_ctx *ctx, const struct vs_port_hot *port,
				  const struct vs_pkt *pkt)
{
	struct vs_event ev = {
		.type = VS_EVENT_LEARN,
		.port = port->id,
		.fid = pkt->fid,
		.mac = vs_l2_eth(pkt)->src_addr,
	};

	if (reported_lately(ctx, &ev, vs_fdb_generation(port->fdb)))
		return;
	if (vs_pace_admit(&ctx->pace[port->id].learn, ctx->now_tsc, learn_rate(port)))
		vs_event_push(&ctx->events, &ev);
}

/* Return: whether the packet's source is known at @port. */
static __rte_always_inline bool learn(struct vs_ctx *ctx, const struct vs_port_hot *port,
				      const struct vs_pkt *pkt, uint64_t key)
{
	struct vs_fdb_entry *e = look_up(ctx, port->fdb, key, pkt->fid, &vs_l2_eth(pkt)->src_addr);

	if (likely(e && vs_fdb_entry_port(e) == port->id)) {
		vs_fdb_entry_touch(e, ctx->now_s);
		return true;
	}
	if (!e || (e->kind != VS_FDB_STATIC && !is_group(vs_fdb_entry_port(e))))
		report(ctx, port, pkt);
	return false;
}

/* May this port flood one more frame? One that is to be cut counts as its segments. */
static bool storm_admits(struct vs_ctx *ctx, const struct vs_port_hot *port,
			 const struct vs_pkt *pkt)
{
	struct vs_port_pace *pace = &ctx->pace[port->id];

	if (port->storm_pps == 0 ||
	    vs_pace_admit_many(&pace->storm, ctx->now_tsc, port->storm_pps, vs_pkt_segments(pkt)))
		return true;
	if (pace->storm_told_s != ctx->now_s) {
		struct vs_event ev = {.type = VS_EVENT_STORM, .port = port->id};

		pace->storm_told_s = ctx->now_s;
		vs_event_push(&ctx->events, &ev);
	}
	return false;
}

/* Is there no port but @self among these? */
static bool is_alone(uint16_t self, const uint16_t *members, unsigned int n)
{
	return n == 0 || (n == 1 && members[0] == self);
}

/* A copy to each of these ports but the sender; there is one. */
static void copy(struct vs_ctx *ctx, const struct vs_port_hot *port, const struct vs_pkt *pkt,
		 uint8_t index, const uint16_t *members, unsigned int n)
{
	uint64_t copies = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (members[i] == port->id)
			continue;
		vs_out_add(ctx, members[i], index);
		copies++;
	}
	ctx->flooded_bytes += copies * vs_pkt_written(pkt);
	vs_stats_add(VS_TERM_FLOODED, &ctx->port_stats[port->id]->flooded, 1);
	vs_stats_add(VS_TERM_FLOOD_COPIES, &ctx->switch_stats[port->sw].flood_copies, copies);
}

static const struct vs_domain *domain_of(const struct vs_ctx *ctx, const struct vs_pkt *pkt)
{
	return &ctx->conf->domain[pkt->fid];
}

/* May @n copies of the frame be made in this visit? */
static bool budget_admits(const struct vs_ctx *ctx, const struct vs_pkt *pkt, unsigned int n)
{
	return ctx->flooded_bytes < VS_FLOOD_BYTES &&
	       vs_pkt_written(pkt) * n <= VS_FLOOD_FRAME_BYTES;
}

/* To the first @n members of the frame's broadcast domain. */
static enum vs_drop flood(struct vs_ctx *ctx, const struct vs_port_hot *port,
			  const struct vs_pkt *pkt, uint8_t index, unsigned int n)
{
	const struct vs_domain *domain = domain_of(ctx, pkt);

	if (is_alone(port->id, domain->members, n))
		return n < domain->n ? VS_DROP_UNKNOWN_UNICAST : VS_DROP_NO_RECEIVER;
	if (!budget_admits(ctx, pkt, n))
		return VS_DROP_FLOOD_BUDGET;
	if (!storm_admits(ctx, port, pkt))
		return VS_DROP_STORM;
	copy(ctx, port, pkt, index, domain->members, n);
	return VS_DROP_NONE;
}

/* To the ports that share the destination address. */
static enum vs_drop copy_to_group(struct vs_ctx *ctx, const struct vs_port_hot *port,
				  const struct vs_pkt *pkt, uint8_t index,
				  const struct vs_group *group)
{
	if (group->fid != pkt->fid || is_alone(port->id, group->members, group->n))
		return VS_DROP_HAIRPIN;
	if (!budget_admits(ctx, pkt, group->n))
		return VS_DROP_FLOOD_BUDGET;
	copy(ctx, port, pkt, index, group->members, group->n);
	return VS_DROP_NONE;
}

/* A tenant's frame that no record is for: may it go to everybody? */
static bool floods_unknown(const struct vs_ctx *ctx, const struct vs_pkt *pkt)
{
	const struct vs_subnet *subnet = NULL;

	if (ctx->conf->nvgre)
		subnet = vs_subnet_of_fid(ctx->conf->nvgre, pkt->fid);
	return subnet && (subnet->flags & VS_SUBNET_LEARN);
}

/* To one port, which its address is known at. */
static void forward(struct vs_ctx *ctx, uint16_t in_port, uint16_t out, uint8_t index)
{
	vs_out_add(ctx, out, index);
	vs_stats_add(VS_TERM_FORWARDED, &ctx->port_stats[in_port]->forwarded, 1);
}

/* @key: of the destination; @ret_out: the port that it goes to, not written if that is not one */
static __rte_always_inline enum vs_drop find(struct vs_ctx *ctx, const struct vs_port_hot *port,
					     const struct vs_pkt *pkt, uint8_t index, uint64_t key,
					     uint16_t *ret_out)
{
	const struct rte_ether_addr *dst = &vs_l2_eth(pkt)->dst_addr;
	const struct vs_fdb_entry *e;
	uint16_t out;

	if (rte_is_multicast_ether_addr(dst)) {
		if (vs_l2_is_reserved(dst))
			return VS_DROP_RESERVED_MAC;
		return flood(ctx, port, pkt, index, domain_of(ctx, pkt)->n);
	}
	e = look_up(ctx, port->fdb, key, pkt->fid, dst);
	out = e ? vs_fdb_entry_port(e) : VS_FDB_NO_PORT;
	if (unlikely(out >= VS_PORTS_MAX)) {
		const struct vs_group *group = ctx->conf->group;

		if (is_group(out))
			return copy_to_group(ctx, port, pkt, index,
					     &group[out - VS_FDB_GROUP_BASE]);
		if (pkt->vid == VS_VID_TENANT && !floods_unknown(ctx, pkt))
			return VS_DROP_NO_LOOKUP_RECORD;
		return flood(ctx, port, pkt, index, domain_of(ctx, pkt)->n_unknown);
	}
	if (out == port->id)
		return VS_DROP_HAIRPIN;

	forward(ctx, port->id, out, index);
	*ret_out = out;
	return VS_DROP_NONE;
}

/* From the same sender to the same receiver? */
static bool is_same_flow(const struct vs_pkt *a, const struct vs_pkt *b)
{
	return memcmp(a->hdr, b->hdr, 2 * sizeof(struct rte_ether_addr)) == 0 && a->fid == b->fid &&
	       a->in_port == b->in_port;
}

/* Have packets' sources been learnt already? */
enum learning {
	LEARN_NOW,
	LEARNT_BEFORE,
};

/*
 * The whole stage; @sorted: packets that are in queues; @placed: packets that are where they
 * belong. Made once for each of the three.
 */
static __rte_always_inline void look_up_burst(struct vs_ctx *ctx, struct vs_burst *burst,
					      uint64_t sorted, uint64_t placed,
					      enum learning learning)
{
	const struct vs_pkt *before = NULL; /* its source is known, and it went to @to alone */
	uint16_t to = VS_FDB_NO_PORT;
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];
		const struct vs_port_hot *port = &ctx->conf->port[pkt->in_port];
		struct pair_key key;
		enum vs_drop drop;

		if (pkt->drop || placed >> i & 1)
			continue;
		if (before && is_same_flow(pkt, before)) {
			forward(ctx, port->id, to, (uint8_t)i);
			continue;
		}
		key = make_pair_key(pkt);
		before = learning == LEARNT_BEFORE || learn(ctx, port, pkt, key.src) ? pkt : NULL;
		to = VS_FDB_NO_PORT;
		if (sorted >> i & 1) {
			/* Whose it is was found when it was sorted (vmq/classify.c). */
			to = burst->queue[i];
			forward(ctx, port->id, to, (uint8_t)i);
			continue;
		}
		drop = find(ctx, port, pkt, (uint8_t)i, key.dst, &to);
		if (drop)
			vs_pkt_drop(ctx, pkt, drop);
		if (to == VS_FDB_NO_PORT)
			before = NULL;
	}
}

void vs_lookup(struct vs_ctx *ctx, struct vs_burst *burst)
{
	look_up_burst(ctx, burst, 0, 0, LEARN_NOW);
}

void vs_lookup_queues(struct vs_ctx *ctx, struct vs_burst *burst)
{
	look_up_burst(ctx, burst, burst->sorted, 0, LEARN_NOW);
}

/* Is the source the tenants' router, which is on every host, and behind no port? */
static bool is_from_router(const struct vs_nvgre *nv, const struct vs_pkt *pkt)
{
	const struct vs_subnet *subnet = nv ? vs_subnet_of_fid(nv, pkt->fid) : NULL;

	return subnet && rte_is_same_ether_addr(&vs_l2_eth(pkt)->src_addr, &subnet->router);
}

void vs_learn_tenants(struct vs_ctx *ctx, struct vs_burst *burst)
{
	const struct vs_pkt *before = NULL; /* its source is known */
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		const struct vs_pkt *pkt = &burst->pkt[i];
		const struct vs_port_hot *port = &ctx->conf->port[pkt->in_port];

		if (pkt->drop || burst->placed >> i & 1)
			continue;
		if (before && is_same_flow(pkt, before))
			continue;
		before = NULL;
		if (unlikely(is_from_router(ctx->conf->nvgre, pkt)))
			continue;
		if (learn(ctx, port, pkt, make_pair_key(pkt).src))
			before = pkt;
	}
}

void vs_lookup_tenants(struct vs_ctx *ctx, struct vs_burst *burst)
{
	look_up_burst(ctx, burst, burst->sorted, burst->placed, LEARNT_BEFORE);
}
