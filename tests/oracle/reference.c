/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a frame goes and why not, from doc/datapath.md: one frame at a time, byte by byte, without
 * any of the path's structures.
 */
#include "tests/oracle/oracle.h"

#include <endian.h>
#include <string.h>

/* As documented: doc/datapath.md, doc/drops.md; the extents of a burst: core/limits.h. */
enum documented {
	BURST = 64,
	VISIT_BYTES = 512 * 1024,
	FLOOD_BYTES = 512 * 1024,
	CHAIN_BYTES = 65562,
	CHAIN_DESCS = 64,
	PRIVATE_BYTES = 128,
	EXTENTS = 1024,
	ETHERNET = 14,
	TAG = 4,
	C_TAG = 0x8100,
	S_TAG = 0x88a8,
};

/* A frame inside of the switch. */
struct frame {
	const uint8_t *macs;
	const uint8_t *rest; /* behind the addresses, without the tag of its VLAN */
	uint32_t rest_len;
	uint32_t judged;   /* of these, at the most */
	unsigned int vlan; /* an index into or_vids */
	uint8_t pcp;
	bool must_tag; /* a tag follows: it never leaves without that of its VLAN */
};

/* A visit: which frames leave where, in order. */
struct visit {
	struct or_world *w;
	unsigned int port;
	uint64_t flooded;
	struct or_out out[OR_PORTS][BURST];
	unsigned int n_out[OR_PORTS];
};

static unsigned int get16(const uint8_t *b)
{
	return (unsigned int)b[0] << 8 | b[1];
}

static uint32_t frame_len(const struct frame *f)
{
	return 12 + f->rest_len;
}

/* ---- in */

static bool is_vlan_used(const struct or_world *w, unsigned int sw, unsigned int vlan)
{
	return or_spec_fid(&w->spec, sw, vlan) != 0;
}

/* An index into or_vids, or OR_VLANS: no port is ever on it. */
static unsigned int vlan_of(unsigned int vid)
{
	unsigned int i;

	for (i = 0; i < OR_VLANS; i++)
		if (or_vids[i] == vid)
			return i;
	return OR_VLANS;
}

/* The table of doc/datapath.md, "VLANs". @f is of no VLAN yet, its first bytes are its type. */
static enum vs_drop sort_into_vlan(const struct or_port_spec *p, struct frame *f)
{
	const unsigned int type = get16(f->rest);
	unsigned int vid;
	bool second;

	f->vlan = p->own;
	if (type != C_TAG && type != S_TAG)
		return VS_DROP_NONE;
	if (f->rest_len < 2 + TAG)
		return VS_DROP_VLAN_SHORT;
	vid = get16(f->rest + 2) & 0xfff;
	second = get16(f->rest + 4) == C_TAG || get16(f->rest + 4) == S_TAG;
	if (type == S_TAG)
		return p->mode == OR_TRUNK ? VS_DROP_VLAN_SERVICE : VS_DROP_VLAN_TAGGED;
	if (p->mode != OR_TRUNK && (vid != 0 || second))
		return VS_DROP_VLAN_TAGGED;
	if (vid != 0 && (vlan_of(vid) == OR_VLANS || !or_spec_is_on(p, vlan_of(vid))))
		return VS_DROP_VLAN_DENIED;
	if (vid != 0)
		f->vlan = vlan_of(vid);
	f->pcp = p->priority ? f->rest[2] >> 5 : 0;
	f->must_tag = second;
	f->rest += TAG;
	f->rest_len -= TAG;
	f->judged -= TAG;
	return VS_DROP_NONE;
}

static enum vs_drop take_in(const struct or_world *w, unsigned int port, const uint8_t *bytes,
			    uint32_t len, struct frame *f)
{
	static const uint8_t zero[6];
	const struct or_port_spec *p = &w->spec.port[port];
	const uint8_t *source = bytes + p->hdr_len + 6;
	enum vs_drop drop;

	/* flags and gso_type: nothing was negotiated */
	if (bytes[0] || bytes[1])
		return VS_DROP_OFFLOAD_DENIED;
	if (len < p->hdr_len + (uint32_t)ETHERNET)
		return VS_DROP_RUNT;
	if (!p->admin_up)
		return VS_DROP_LINK_DOWN;
	if ((source[0] & 1) || memcmp(source, zero, 6) == 0)
		return VS_DROP_SRC_INVALID;
	if (p->guard && memcmp(source, p->mac.b, 6) != 0)
		return VS_DROP_SPOOF;
	*f = (struct frame){
		.macs = bytes + p->hdr_len,
		.rest = bytes + p->hdr_len + 12,
		.rest_len = len - p->hdr_len - 12,
		.judged = PRIVATE_BYTES - 12,
	};
	drop = sort_into_vlan(p, f);
	if (!drop && !is_vlan_used(w, p->sw, f->vlan))
		drop = VS_DROP_VLAN_UNUSED;
	if (!drop && frame_len(f) > p->mtu + ETHERNET)
		drop = VS_DROP_MTU_IN;
	return drop;
}

/* ---- out */

/* Why the frame may not leave at @to; if it may, it does. */
static enum vs_drop release(struct visit *v, unsigned int to, const struct frame *f)
{
	const struct or_port_spec *p = &v->w->spec.port[to];
	bool tagged;

	if (!p->up)
		return VS_DROP_PORT_DOWN;
	tagged = p->own != f->vlan;
	if (tagged && !or_spec_is_on(p, f->vlan))
		return VS_DROP_VLAN_OUT;
	if (!tagged && f->must_tag)
		return VS_DROP_VLAN_OUT;
	if (frame_len(f) > p->mtu + ETHERNET)
		return VS_DROP_MTU_OUT;
	v->out[to][v->n_out[to]++] = (struct or_out){
		.macs = f->macs,
		.rest = f->rest,
		.len = f->rest_len,
		.judged = f->rest_len < f->judged ? f->rest_len : f->judged,
		.vid = or_vids[f->vlan],
		.pcp = f->pcp,
		.tagged = tagged,
	};
	return VS_DROP_NONE;
}

static void send_to(struct visit *v, unsigned int to, const struct frame *f)
{
	enum vs_drop drop = release(v, to, f);

	v->w->counts[to].attempts++;
	if (!drop)
		return;
	v->w->counts[to].drops[drop]++;
	v->w->by_reason[drop]++;
}

/* Copies to the ports of @to but the sender. */
static enum vs_drop copy(struct visit *v, const struct frame *f, const bool *to)
{
	const unsigned int sw = v->w->spec.port[v->port].sw;
	unsigned int i;

	for (i = 0; i < v->w->spec.n_ports; i++) {
		if (!to[i] || i == v->port)
			continue;
		send_to(v, i, f);
		v->flooded += frame_len(f);
		v->w->copies[sw]++;
	}
	v->w->counts[v->port].flooded++;
	return VS_DROP_NONE;
}

static bool has_others(const struct visit *v, const bool *to)
{
	unsigned int i;

	for (i = 0; i < v->w->spec.n_ports; i++)
		if (to[i] && i != v->port)
			return true;
	return false;
}

/* "10,000 frames/s; a second's worth may come at once" */
static bool is_storm(struct or_world *w, unsigned int port)
{
	const double limit = w->spec.port[port].storm;
	double gone;

	if (limit == 0)
		return false;
	gone = (double)(w->now - w->storm_when[port]) / (double)w->hz;
	w->storm_when[port] = w->now;
	/* In seconds of the limit, as this may be changed. */
	w->storm_debt[port] = w->storm_debt[port] > gone ? w->storm_debt[port] - gone : 0;
	if (w->storm_debt[port] + 1 / limit > 1 + 1e-6)
		return true;
	w->storm_debt[port] += 1 / limit;
	return false;
}

static enum vs_drop flood(struct visit *v, const struct frame *f, bool unknown)
{
	const struct or_spec *spec = &v->w->spec;
	const unsigned int sw = spec->port[v->port].sw;
	bool to[OR_PORTS] = {false};
	bool left_out = false;
	unsigned int i;

	for (i = 0; i < spec->n_ports; i++) {
		const struct or_port_spec *p = &spec->port[i];

		if (p->sw != sw || !p->up || !or_spec_is_on(p, f->vlan))
			continue;
		to[i] = !unknown || spec->unknown[sw] == OR_FLOOD ||
			(spec->unknown[sw] == OR_UPLINK && (p->uplink || !p->guard));
		left_out = left_out || !to[i];
	}
	if (!has_others(v, to))
		return left_out ? VS_DROP_UNKNOWN_UNICAST : VS_DROP_NO_RECEIVER;
	if (v->flooded >= FLOOD_BYTES)
		return VS_DROP_FLOOD_BUDGET;
	if (is_storm(v->w, v->port))
		return VS_DROP_STORM;
	return copy(v, f, to);
}

static enum vs_drop copy_to_cluster(struct visit *v, const struct frame *f, unsigned int cluster)
{
	const struct or_spec *spec = &v->w->spec;
	bool to[OR_PORTS];
	unsigned int i;

	for (i = 0; i < OR_PORTS; i++)
		to[i] = i < spec->n_ports && spec->cluster[cluster].port[i] && spec->port[i].up;
	if (!has_others(v, to))
		return VS_DROP_HAIRPIN;
	if (v->flooded >= FLOOD_BYTES)
		return VS_DROP_FLOOD_BUDGET;
	return copy(v, f, to);
}

/* The table of doc/datapath.md, "Who gets a frame". */
static enum vs_drop forward(struct visit *v, const struct frame *f)
{
	static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	struct or_mac destination;
	struct or_address *a;

	memcpy(destination.b, f->macs, 6);
	if (memcmp(f->macs, reserved, 5) == 0 && f->macs[5] < 0x10)
		return VS_DROP_RESERVED_MAC;
	if (f->macs[0] & 1)
		return flood(v, f, false);
	a = or_address_find(v->w, v->w->spec.port[v->port].sw, f->vlan, &destination);
	if (!a)
		return flood(v, f, true);
	if (a->port >= OR_CLUSTER_BASE)
		return copy_to_cluster(v, f, a->port - OR_CLUSTER_BASE);
	if (a->port == v->port)
		return VS_DROP_HAIRPIN;
	send_to(v, a->port, f);
	v->w->counts[v->port].forwarded++;
	return VS_DROP_NONE;
}

/* ---- the ring of the sender */

/* Why a chain is no frame, if it is none: what comes first in it decides. */
static enum vs_drop judge_chain(const struct or_chain *c, unsigned int hdr_len)
{
	uint64_t total = 0;
	uint32_t i;

	for (i = 0; i < c->n_bufs; i++) {
		if (i == CHAIN_DESCS)
			return VS_DROP_CHAIN_DESCS;
		total += c->buf[i].len;
		if (total > CHAIN_BYTES)
			return VS_DROP_CHAIN_BYTES;
	}
	return total < hdr_len ? VS_DROP_VNET_SHORT : VS_DROP_NONE;
}

static uint8_t fault_of(const struct or_chain *c)
{
	if (c->bad_head)
		return VS_RING_HEAD_RANGE;
	return c->buf[c->n_bufs - 1].fault;
}

/* Pieces of a frame that stay where they are: all that is beyond the private bytes. */
static uint32_t count_extents(const struct or_chain *c, unsigned int hdr_len)
{
	uint64_t end = 0;
	uint32_t n = 0;
	uint32_t i;

	for (i = 0; i < c->n_bufs; i++) {
		end += c->buf[i].len;
		n += c->buf[i].len != 0 && end > hdr_len + PRIVATE_BYTES;
	}
	return n;
}

/* Members of the largest broadcast domain that the port can send to. */
static uint32_t fanout_of(const struct or_spec *spec, unsigned int port)
{
	uint32_t most = 1;
	unsigned int vlan;
	unsigned int i;

	for (vlan = 0; vlan < OR_VLANS; vlan++) {
		uint32_t n = 0;

		if (!or_spec_is_on(&spec->port[port], vlan))
			continue;
		for (i = 0; i < spec->n_ports; i++)
			n += spec->port[i].sw == spec->port[port].sw && spec->port[i].up &&
			     or_spec_is_on(&spec->port[i], vlan);
		if (n > most && or_spec_fid(spec, spec->port[port].sw, vlan))
			most = n;
	}
	return most;
}

/* How many frames must the visit take? What breaks the ring is found out on the way. */
static unsigned int count_taken(struct or_world *w, unsigned int port, struct or_ring *d)
{
	const unsigned int hdr_len = w->spec.port[port].hdr_len;
	const uint32_t fanout = fanout_of(&w->spec, port);
	const struct or_chain *c;
	uint64_t cost = 0;
	uint32_t extents = 0;
	unsigned int n = 0;

	if (d->jumped && !d->dead)
		d->dead = VS_RING_AVAIL_JUMP;
	while (!d->dead && n < BURST && cost < VISIT_BYTES && extents + CHAIN_DESCS <= EXTENTS &&
	       (c = or_driver_oldest(d, n))) {
		enum vs_drop drop;

		d->dead = fault_of(c);
		if (d->dead)
			break;
		n++;
		drop = judge_chain(c, hdr_len);
		if (drop == VS_DROP_CHAIN_DESCS || drop == VS_DROP_CHAIN_BYTES)
			break;
		if (drop)
			continue;
		extents += count_extents(c, hdr_len);
		cost += (uint64_t)(c->total - hdr_len) *
			(c->total > hdr_len && (c->bytes[hdr_len] & 1) ? fanout : 1);
	}
	return n;
}

static void take_frame(struct visit *v, const struct or_chain *c)
{
	struct or_world *w = v->w;
	const unsigned int hdr_len = w->spec.port[v->port].hdr_len;
	struct or_counts *counts = &w->counts[v->port];
	enum vs_drop drop = judge_chain(c, hdr_len);
	struct or_mac source;
	struct frame f;

	counts->received++;
	if (drop)
		counts->untaken++;
	else
		counts->received_bytes += c->total - hdr_len;
	if (!drop)
		drop = take_in(w, v->port, c->bytes, c->total, &f);
	if (!drop) {
		memcpy(source.b, f.macs + 6, 6);
		or_address_seen(w, v->port, f.vlan, &source);
		drop = forward(v, &f);
	}
	if (drop) {
		counts->drops[drop]++;
		w->by_reason[drop]++;
	}
}

/* The sender has its chains back, unread and unwritten. */
static void give_back(struct or_world *w, unsigned int port, struct or_ring *d, unsigned int n)
{
	while (n--) {
		const struct or_chain *c = or_driver_oldest(d, 0);
		const struct vring_used_elem *used =
			&d->ring->used->ring[d->seen++ % d->ring->size];
		const uint8_t *bytes = c->bytes;
		uint32_t i;

		if (le32toh(used->id) != c->head || le32toh(used->len) != 0)
			or_differ(w,
				  "port %u: used entry of its transmit ring is (%u, %u), not "
				  "(%u, 0)",
				  port, le32toh(used->id), le32toh(used->len), c->head);
		for (i = 0; i < c->n_bufs; i++) {
			if (memcmp(c->buf[i].at, bytes, c->buf[i].len) != 0 ||
			    !or_driver_is_guarded(&c->buf[i]))
				or_differ(w, "port %u: what it sends was written to", port);
			bytes += c->buf[i].len;
		}
		or_driver_retire(d);
	}
}

void or_reference_visit(struct or_world *w, unsigned int port, unsigned int pair, unsigned int n)
{
	static struct visit v;
	struct or_ring *d = &w->ring[port][pair][1];
	unsigned int expected = count_taken(w, port, d);
	unsigned int i;

	v.w = w;
	v.port = port;
	v.flooded = 0;
	memset(v.n_out, 0, sizeof(v.n_out));
	if (n != expected) {
		or_differ(w, "port %u: a visit took %u frames, not %u", port, n, expected);
		return;
	}
	for (i = 0; i < n; i++)
		take_frame(&v, or_driver_oldest(d, i));
	for (i = 0; i < w->spec.n_ports; i++)
		or_deliver(w, i, v.out[i], v.n_out[i]);
	give_back(w, port, d, n);
	w->frames += n;
}
