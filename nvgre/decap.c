/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stage 3, decap: what an uplink brings for our provider addresses.
 *
 * Accepts: packets with an Ethernet header in their private bytes and extents in burst->ext; those
 *	of a burst are of one port: a tenant's guest, a tunnel port, or an uplink of a switch with
 *	provider addresses, whose memory no guest can write.
 * Guarantees: a tenant's frame stands where its tunnel packet stood, bit i of burst->inner is set,
 *	it comes from the tunnel port now, in the fid of its virtual subnet; of other frames for a
 *	provider address none goes on: it is answered (bit i of burst->placed), told to control, or
 *	dropped. What is for none is as it was. Frames from a tunnel port, which control made, are
 *	placed at the uplink.
 * Drops: offload_denied, nvgre_header, nvgre_options, nvgre_csum, nvgre_fragment, nvgre_short,
 *	nvgre_local, nvgre_flags, nvgre_proto, nvgre_vsid, nvgre_unknown_vsid, nvgre_tagged,
 *	nvgre_ecn, pa_proto, pa_address: at the uplink; pa_mismatch: at the tunnel port.
 *
 * DOC: theory of operation
 *
 * | frame in the VLAN of a provider address          | what becomes of it                         |
 * |--------------------------------------------------|--------------------------------------------|
 * | to its MAC: GRE                                  | judged, unpacked                           |
 * | to its MAC: ARP, ND or echo request for it       | the answer, back to where it came from     |
 * | to its MAC: ARP reply, ND advertisement, ICMP    | control gets a copy, the frame ends here   |
 * | to its MAC: anything else                        | dropped                                    |
 * | to a group: ARP or ND for it                     | the answer                                 |
 * | to a group: an announcement                      | control gets a copy, the frame goes on     |
 * | any other                                        | nothing: admit comes next                  |
 *
 * What admit would refuse in any case (port down, source address, MTU) is left to it.
 *
 * A tunnel packet is unpacked where it lies: the header moves forward, and the private bytes, of
 * which 128 with the outer header may be 58 without, are filled up from the extents. Where these
 * are the bytes that follow, nothing is copied.
 *
 * A frame never goes back into the tunnel: it comes from the tunnel port, and no frame goes to the
 * port that it came from. Nor is one unpacked that we sent ourselves (nvgre_local).
 *
 * The source of a frame is held against its lookup record (source.c).
 */
#include "nvgre/nvgre.h"

#include "dataplane/core/hdr.h"
#include "dataplane/core/punt.h"
#include "nvgre/answer.h"
#include "nvgre/source.h"
#include "nvgre/unpack.h"

#include <rte_branch_prediction.h>
#include <rte_ip.h>

#include <netinet/in.h>
#include <string.h>

enum {
	/* Where IP or ARP begins. */
	L3_BARE = sizeof(struct rte_ether_hdr),
	L3_TAGGED = L3_BARE + VS_TAG_BYTES,
};

/**
 * struct visit - the frames of one burst
 * @tunnel:	the switch's tunnel port, that @n frames of @bytes came out of so far
 * @head, @outer, @subnet: of the last tunnel packet over IPv4 without a tag that was for us;
 *		@subnet NULL: there was none
 * @source:	of the last frame
 */
struct visit {
	struct vs_ctx *ctx;
	struct vs_burst *burst;
	const struct vs_nvgre *nv;
	const struct vs_port_hot *port;
	uint16_t tunnel;
	uint32_t n;
	uint64_t bytes;
	uint8_t head[VS_OUTER_USUAL];
	struct vs_outer outer;
	const struct vs_subnet *subnet;
	struct vs_source source;
};

static const struct vs_pa *first_pa(const struct visit *v)
{
	return &v->nv->pa[v->nv->first_pa[v->port->sw]];
}

static const struct vs_pa *end_pa(const struct visit *v)
{
	return &v->nv->pa[v->nv->first_pa[v->port->sw + 1]];
}

/* Is it one of the switch's own addresses? @mac: with this MAC; NULL: with any */
static bool is_ours(const struct visit *v, const struct vs_ip *ip, const struct rte_ether_addr *mac)
{
	const struct vs_pa *pa;

	for (pa = first_pa(v); pa < end_pa(v); pa++) {
		if (vs_ip_equal(&pa->prefix.ip, ip) &&
		    (!mac || rte_is_same_ether_addr(&pa->mac, mac)))
			return true;
	}
	return false;
}

/* Do frames for @pa come by this port, in VLAN @vid, to address @mac? */
static bool is_at(const struct visit *v, const struct vs_pa *pa, const struct rte_ether_addr *mac,
		  uint16_t vid)
{
	return rte_is_same_ether_addr(&pa->mac, mac) && pa->vid == vid && pa->uplink == v->port->id;
}

static bool has_pa(const struct visit *v, const struct rte_ether_addr *mac, uint16_t vid)
{
	const struct vs_pa *pa;

	for (pa = first_pa(v); pa < end_pa(v); pa++) {
		if (is_at(v, pa, mac, vid))
			return true;
	}
	return false;
}

/* The VLAN of a frame, or VS_BARE_NEVER: of none that the port is on. */
static uint16_t vid_of(const struct vs_port_hot *port, struct vs_l2_tag tag)
{
	const uint16_t vid = tag.tci & VS_TCI_VID;

	switch (tag.kind) {
	case VS_L2_UNTAGGED:
	case VS_L2_PRIORITY:
		return port->vid;
	case VS_L2_TAGGED:
		if (vid == port->vid || (port->trunk && vs_trunk_allows(port->trunk, vid)))
			return vid;
		return VS_BARE_NEVER;
	default:
		return VS_BARE_NEVER;
	}
}

/* Would admit drop it, whatever it is? */
static bool admit_refuses(const struct vs_port_hot *port, const struct vs_pkt *pkt)
{
	const uint32_t tag = vs_l2_is_tag(vs_l2_eth(pkt)->ether_type) ? VS_TAG_BYTES : 0;

	return !(port->flags & VS_PORT_ADMIN_UP) || pkt->len > port->max_frame + tag ||
	       !rte_is_valid_assigned_ether_addr(&vs_l2_eth(pkt)->src_addr);
}

/* ---- a tenant's frame */

/* From here on it is the tunnel port's. */
static void enter(struct visit *v, unsigned int i, const struct vs_subnet *subnet)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];

	pkt->in_port = v->tunnel;
	pkt->fid = subnet->fid;
	pkt->vid = VS_VID_TENANT;
	pkt->bare_vid = VS_VID_TENANT;
	pkt->pcp = 0;
	v->burst->inner |= UINT64_C(1) << i;
	v->burst->sorted &= ~(UINT64_C(1) << i);
	v->n++;
	v->bytes += pkt->len;
}

static const struct vs_subnet *find_subnet(const struct visit *v, uint32_t vsid)
{
	const struct vs_subnet *subnet = vs_subnet_of_vsid(v->nv, vsid);

	return subnet && subnet->sw == v->port->sw ? subnet : NULL;
}

/* The frame in a packet whose outer header is right, and that is for us. */
static enum vs_drop unpack(struct visit *v, unsigned int i, const struct vs_outer *outer,
			   const struct vs_subnet *subnet)
{
	enum vs_drop drop = vs_unpack(v->burst, i, outer);

	if (unlikely(drop))
		return drop;
	enter(v, i, subnet);
	drop = vs_source_check(v->ctx, &v->source, subnet, &v->burst->pkt[i], &outer->src);
	v->burst->via[i] = v->source.via;
	return drop;
}

static enum vs_drop take_tunnel(struct visit *v, unsigned int i, const struct rte_ether_addr *mac)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];
	const struct vs_subnet *subnet;
	struct vs_outer outer;
	enum vs_drop drop;

	drop = vs_outer_take(pkt, &outer);
	if (drop)
		return drop;
	if (!is_ours(v, &outer.dst, mac))
		return VS_DROP_PA_ADDRESS;
	if (is_ours(v, &outer.src, NULL))
		return VS_DROP_NVGRE_LOCAL;
	subnet = find_subnet(v, outer.vsid);
	if (!subnet)
		return VS_DROP_NVGRE_UNKNOWN_VSID;
	if (outer.inner_at == VS_OUTER_USUAL) {
		memcpy(v->head, pkt->hdr, sizeof(v->head));
		v->outer = outer;
		v->subnet = subnet;
	}
	return unpack(v, i, &outer, subnet);
}

/*
 * Packets from the same host for the same subnet, the usual ones, are compared with one that was
 * judged. Return: was it such a one? If not it is untouched, and may be anything.
 */
static bool take_again(struct visit *v, unsigned int i)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];
	enum vs_drop drop;

	if (!v->subnet || vs_debt_owes(&pkt->debt) || pkt->len > v->port->max_frame ||
	    (pkt->n_ext && pkt->hdr_len < VS_HDR_BYTES) || !vs_outer_again(pkt, v->head, &v->outer))
		return false;
	drop = unpack(v, i, &v->outer, v->subnet);
	if (unlikely(drop))
		vs_pkt_drop(v->ctx, pkt, drop);
	return true;
}

/* ---- the rest that is for a provider address */

/* The answer goes back by the same port, in the VLAN that the question came in. */
static void send_back(struct visit *v, unsigned int i, const struct vs_pa *pa)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];

	pkt->fid = pa->fid;
	pkt->vid = pa->vid;
	pkt->bare_vid = pa->vid;
	pkt->pcp = 0;
	vs_pkt_place(v->ctx, v->burst, i, v->port->id);
}

/* Does it want something of a host, and not of a tunnel's end? IP tells by its protocol. */
static bool is_for_host(const struct vs_pkt *pkt, struct vs_l2_tag tag)
{
	const uint32_t l3 = tag.kind == VS_L2_UNTAGGED ? L3_BARE : L3_TAGGED;
	const uint8_t *ip = pkt->hdr + l3;
	rte_be16_t type;

	memcpy(&type, ip - sizeof(type), sizeof(type));
	if (type == RTE_BE16(RTE_ETHER_TYPE_ARP))
		return true;
	if (type == RTE_BE16(RTE_ETHER_TYPE_IPV4))
		return pkt->hdr_len >= l3 + sizeof(struct rte_ipv4_hdr) && ip[9] == IPPROTO_ICMP;
	return type == RTE_BE16(RTE_ETHER_TYPE_IPV6) &&
	       pkt->hdr_len >= l3 + sizeof(struct rte_ipv6_hdr) && ip[6] == IPPROTO_ICMPV6;
}

/* What it wants of the host with address @pa. */
static enum vs_asked ask_host(struct visit *v, unsigned int i, const struct vs_pa *pa)
{
	return vs_answer_host(&v->burst->pkt[i], &v->burst->hdr[i], &pa->prefix.ip, &pa->mac);
}

static void tell_frame(struct visit *v, enum vs_punt_kind kind, const struct vs_pkt *pkt)
{
	struct vs_punt *punt = vs_punt_begin(v->ctx->punt, kind, v->ctx->now_tsc);

	if (!punt || !vs_punt_put_frame(punt, pkt))
		return;
	punt->port = v->port->id;
	vs_punt_end(v->ctx->punt);
	v->ctx->events.unrung = 1;
}

/* Control gets it, and for the switch it ends here. */
static void swallow(struct visit *v, unsigned int i, enum vs_punt_kind kind)
{
	tell_frame(v, kind, &v->burst->pkt[i]);
	v->burst->placed |= UINT64_C(1) << i;
	vs_stats_add(VS_TERM_CONSUMED, &v->ctx->port_stats[v->port->id]->consumed, 1);
}

/* A frame to everybody that may ask for one of ours. If it does not, it goes on as it is. */
static void take_group(struct visit *v, unsigned int i, struct vs_l2_tag tag, uint16_t vid)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];
	const struct vs_pkt was = *pkt;
	const struct vs_pa *pa;
	uint8_t head[L3_TAGGED];
	enum vs_asked asked;

	if (tag.kind != VS_L2_UNTAGGED) {
		memcpy(head, pkt->hdr, sizeof(head));
		vs_l2_strip_tag(pkt);
	}
	for (pa = first_pa(v); pa < end_pa(v); pa++) {
		if (pa->vid != vid || pa->uplink != v->port->id)
			continue;
		asked = ask_host(v, i, pa);
		if (asked == VS_ASKED_ANSWERED) {
			send_back(v, i, pa);
			return;
		}
		if (asked == VS_ASKED_NEIGHBOUR) {
			tell_frame(v, VS_PUNT_NEIGH, pkt);
			break;
		}
	}
	*pkt = was;
	if (tag.kind != VS_L2_UNTAGGED)
		memcpy(pkt->hdr, head, sizeof(head));
}

static enum vs_drop take_own(struct visit *v, unsigned int i, struct vs_l2_tag tag, uint16_t vid)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];
	const struct rte_ether_addr mac = vs_l2_eth(pkt)->dst_addr;
	const struct vs_pa *pa;

	if (tag.kind != VS_L2_UNTAGGED)
		vs_l2_strip_tag(pkt);
	for (pa = first_pa(v); pa < end_pa(v); pa++) {
		if (!is_at(v, pa, &mac, vid))
			continue;
		switch (ask_host(v, i, pa)) {
		case VS_ASKED_ANSWERED:
			send_back(v, i, pa);
			return VS_DROP_NONE;
		case VS_ASKED_NEIGHBOUR:
			swallow(v, i, VS_PUNT_NEIGH);
			return VS_DROP_NONE;
		case VS_ASKED_ERROR:
			swallow(v, i, VS_PUNT_ICMP);
			return VS_DROP_NONE;
		case VS_ASKED_NOTHING:
			break;
		}
	}
	return VS_DROP_PA_PROTO;
}

/* ---- one frame */

static void look(struct visit *v, unsigned int i)
{
	struct vs_pkt *pkt = &v->burst->pkt[i];
	const struct rte_ether_addr mac = vs_l2_eth(pkt)->dst_addr;
	const struct vs_l2_tag tag = vs_l2_tag(pkt);
	const uint16_t vid = vid_of(v->port, tag);
	enum vs_drop drop = VS_DROP_OFFLOAD_DENIED;

	if (vid == VS_BARE_NEVER || admit_refuses(v->port, pkt))
		return;
	if (rte_is_multicast_ether_addr(&mac)) {
		if (is_for_host(pkt, tag))
			take_group(v, i, tag, vid);
		return;
	}
	if (!has_pa(v, &mac, vid))
		return;
	/* No uplink leaves us anything to be done: a debt would be in the way. */
	if (likely(!vs_debt_owes(&pkt->debt))) {
		vs_unpack_fill(v->burst, i);
		drop = is_for_host(pkt, tag) ? take_own(v, i, tag, vid) : take_tunnel(v, i, &mac);
	}
	if (unlikely(drop))
		vs_pkt_drop(v->ctx, pkt, drop);
}

static void count(const struct visit *v)
{
	struct vs_port_stats *uplink = v->ctx->port_stats[v->port->id];
	struct vs_port_stats *tunnel = v->ctx->port_stats[v->tunnel];

	vs_stats_add(VS_TERM_CONSUMED, &uplink->consumed, v->n);
	vs_stats_add(VS_TERM_RECEIVED, &tunnel->received, v->n);
	vs_stats_add(VS_TERM_RECEIVED, &tunnel->received_bytes, v->bytes);
}

/* Frames that control made are complete, with a tag if they need one. */
static void send_on(struct vs_ctx *ctx, struct vs_burst *burst, const struct vs_port_hot *tunnel)
{
	const struct vs_nvgre *nv = ctx->conf->nvgre;
	const struct vs_port_hot *uplink =
		&ctx->conf->port[nv->pa[nv->first_pa[tunnel->sw]].uplink];
	unsigned int i;

	for (i = 0; i < burst->n; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];

		if (pkt->drop)
			continue;
		pkt->fid = uplink->fid;
		pkt->vid = uplink->vid;
		pkt->bare_vid = uplink->vid;
		pkt->pcp = 0;
		vs_pkt_place(ctx, burst, i, uplink->id);
	}
}

static void look_at_all(struct vs_ctx *ctx, struct vs_burst *burst, const struct vs_port_hot *port)
{
	struct visit v = {.ctx = ctx, .burst = burst, .nv = ctx->conf->nvgre, .port = port};
	unsigned int i;

	v.tunnel = v.nv->tunnel[port->sw];
	for (i = 0; i < burst->n; i++) {
		if (!burst->pkt[i].drop && !take_again(&v, i))
			look(&v, i);
	}
	if (v.n)
		count(&v);
}

void vs_nvgre_decap(struct vs_ctx *ctx, struct vs_burst *burst)
{
	const struct vs_port_hot *port = &ctx->conf->port[burst->pkt[0].in_port];
	const struct vs_nvgre *nv = ctx->conf->nvgre;

	if (port->flags & VS_PORT_TUNNEL)
		send_on(ctx, burst, port);
	else if ((port->flags & VS_PORT_MANY) && nv->tunnel[port->sw] < VS_PORTS_MAX)
		look_at_all(ctx, burst, port);
}
