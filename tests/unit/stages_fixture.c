/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include "dataplane/core/frame.h"
#include "tests/unit/eal.h"

#include <stdlib.h>
#include <string.h>

int sf_setup(void **state)
{
	return eal_up();
}

static void fake_rx(void *arg, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct sf_dev *dev = arg;
	unsigned int i;

	dev->fanout = fanout;
	dev->given_back = false;
	dev->burst = burst;
	for (i = 0; i < dev->n_send; i++) {
		struct vs_pkt *pkt = &burst->pkt[i];

		*pkt = dev->send[i];
		pkt->hdr = burst->hdr[i].bytes;
		memcpy(pkt->hdr, dev->send[i].hdr, pkt->hdr_len);
	}
	burst->n = (uint16_t)dev->n_send;
	dev->n_send = 0;
}

static void fake_rx_done(void *arg, unsigned int pair)
{
	struct sf_dev *dev = arg;

	dev->rx_done++;
	dev->given_back = true;
}

/* Bytes of a frame, as many as fit. */
static void gather(struct sf_dev *dev, const struct vs_pkt *pkt)
{
	uint32_t at = pkt->hdr_len;
	unsigned int i;

	memcpy(dev->last, pkt->hdr, at);
	for (i = 0; i < pkt->n_ext && at + pkt->ext[i].len <= sizeof(dev->last); i++) {
		memcpy(dev->last + at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
}

/* Would the port take this frame for one of a VLAN that it is not on, or of another one? */
static bool is_foreign(const struct vs_port_hot *hot, const struct vs_pkt *pkt)
{
	const uint8_t *b = pkt->hdr;
	uint16_t vid;

	if (b[12] == 0x88 && b[13] == 0xa8)
		return true;
	if (b[12] != 0x81 || b[13] != 0x00)
		return pkt->vid != hot->vid;
	vid = (uint16_t)((b[14] & 0x0f) << 8 | b[15]);
	return !hot->trunk || vid != pkt->vid || vid == hot->vid || vid == 0 ||
	       !vs_trunk_allows(hot->trunk, vid) || (b[14] & 0x10);
}

/*
 * Has the sender its descriptors back already? Killed now, the switch would lose the frame. One
 * that waited for another worker is a copy, and not of the burst any more.
 */
static bool is_too_late(const struct sf_dev *dev, const struct vs_pkt *pkt)
{
	const struct sf_dev *from = dev - dev->id + pkt->in_port;

	return pkt->in_port < SF_PORTS && from->given_back && pkt >= from->burst->pkt &&
	       pkt < from->burst->tagged + VS_BURST_MAX;
}

static void fake_tx(void *arg, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		    uint8_t *fate)
{
	struct sf_dev *dev = arg;
	unsigned int i;

	dev->pair = pair;
	if (dev->mem_lost)
		dev->was_lost = dev->mem_lost();
	for (i = 0; i < n; i++) {
		fate[i] = dev->fate[i];
		if (vs_debt_needs(&pkt[i]->debt) & ~dev->caps)
			dev->wrong++;
		if (pkt[i]->drop || dev->id == pkt[i]->in_port || is_foreign(dev->hot, pkt[i]) ||
		    is_too_late(dev, pkt[i]))
			dev->wrong++;
		if (fate[i]) {
			dev->refused++;
			continue;
		}
		dev->order[i] = pkt[i]->hdr[14];
		dev->got++;
		dev->got_bytes += pkt[i]->len;
		dev->last_len = pkt[i]->len;
		dev->last_pkt = pkt[i];
		gather(dev, pkt[i]);
		if (dev->whole)
			(void)vs_frame_gather(pkt[i], dev->whole);
	}
}

static bool fake_fault(void *arg)
{
	return false;
}

static unsigned int fake_rights(void *arg)
{
	const struct sf_dev *dev = arg;

	return dev->rights;
}

static unsigned int fake_caps(void *arg)
{
	const struct sf_dev *dev = arg;

	return dev->caps;
}

static const struct vs_port_ops fake_ops = {
	.rx = fake_rx,
	.rx_done = fake_rx_done,
	.tx = fake_tx,
	.fault_pending = fake_fault,
	.rights = fake_rights,
	.caps = fake_caps,
};

struct rte_ether_addr sf_mac(unsigned int port)
{
	return (struct rte_ether_addr){{0x02, 0, 0, 0, 0, (uint8_t)port}};
}

struct rte_ether_addr sf_broadcast(void)
{
	return (struct rte_ether_addr){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}

struct sf *sf_new(void)
{
	struct sf *s = calloc(1, sizeof(*s));
	unsigned int i;

	assert_non_null(s);
	s->ctx = calloc(1, sizeof(*s->ctx));
	s->conf = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*s->conf));
	s->burst = calloc(1, sizeof(*s->burst));
	assert_true(s->ctx && s->conf && s->burst);
	memset(s->conf, 0, sizeof(*s->conf));
	s->conf->n_fids = SF_FIDS;
	s->conf->domain = calloc(s->conf->n_fids, sizeof(*s->conf->domain));
	assert_non_null(s->conf->domain);
	assert_int_equal(vs_rcu_init(&s->rcu), 0);
	assert_int_equal(vs_fdb_new(&s->rcu, 2 * VS_HINT_SLOTS, &s->fdb), 0);
	assert_int_equal(vs_event_ring_init(&s->ctx->events, 0), 0);
	for (i = 0; i < SF_PORTS; i++) {
		s->dev[i].id = i;
		s->dev[i].hot = &s->conf->port[i];
		s->ctx->port_stats[i] = &s->stats[i];
		s->conf->ids[s->conf->n_ports++] = (uint16_t)i;
		s->conf->port[i] = (struct vs_port_hot){
			.ops = &fake_ops,
			.dev = &s->dev[i],
			.fdb = s->fdb,
			.max_frame = 1514,
			.id = (uint16_t)i,
			.sw = SF_SWITCH,
			.fid = SF_FID,
			.flags = VS_PORT_ADMIN_UP | VS_PORT_UP,
			.pairs = 1,
		};
	}
	for (i = 0; i < VS_VIDS_MAX; i++)
		s->fid_of_vid[i] = sf_fid((uint16_t)i);
	s->ctx->conf = s->conf;
	s->ctx->now_tsc = rte_rdtsc();
	s->ctx->now_s = vs_clock_seconds(s->ctx->now_tsc);
	sf_members(s, (1u << SF_PORTS) - 1);
	sf_begin(s);
	return s;
}

void sf_free(struct sf *s)
{
	vs_event_ring_fini(&s->ctx->events);
	vs_fdb_free(s->fdb);
	vs_rcu_fini(&s->rcu);
	free(s->ctx);
	free(s->conf->domain);
	free(s->conf);
	free(s->burst);
	free(s);
}

void sf_members(struct sf *s, unsigned int mask)
{
	struct vs_domain *d = &s->conf->domain[SF_FID];
	unsigned int i;

	d->n = 0;
	d->members = s->members[0];
	for (i = 0; i < SF_PORTS; i++)
		if (mask & (1u << i))
			s->members[0][d->n++] = (uint16_t)i;
	d->n_unknown = d->n;
	for (i = 0; i < SF_PORTS; i++)
		s->conf->port[i].fanout = d->n;
}

uint16_t sf_fid(uint16_t vid)
{
	return vid % 10 == 0 && vid / 10 < SF_VLANS ? (uint16_t)(SF_FID + vid / 10) : 0;
}

void sf_access(struct sf *s, uint16_t port, uint16_t vid)
{
	struct vs_port_hot *hot = &s->conf->port[port];

	hot->vid = vid;
	hot->fid = sf_fid(vid);
	hot->trunk = NULL;
}

void sf_trunk(struct sf *s, uint16_t port, const uint16_t *list, uint16_t native)
{
	struct vs_trunk *trunk = &s->trunk[port];

	sf_access(s, port, native);
	memset(trunk, 0, sizeof(*trunk));
	trunk->fid_of_vid = s->fid_of_vid;
	for (; *list; list++)
		trunk->allowed[*list / 64] |= UINT64_C(1) << *list % 64;
	s->conf->port[port].trunk = trunk;
}

void sf_domains(struct sf *s)
{
	unsigned int vlan;
	unsigned int p;

	for (vlan = 0; vlan < SF_VLANS; vlan++) {
		struct vs_domain *d = &s->conf->domain[SF_FID + vlan];
		uint16_t vid = (uint16_t)(10 * vlan);

		*d = (struct vs_domain){.members = s->members[vlan]};
		for (p = 0; p < SF_PORTS; p++) {
			const struct vs_port_hot *hot = &s->conf->port[p];

			if (hot->vid == vid || (hot->trunk && vs_trunk_allows(hot->trunk, vid)))
				s->members[vlan][d->n++] = (uint16_t)p;
		}
		d->n_unknown = d->n;
	}
}

void sf_visit(struct sf *s, uint16_t port, uint16_t pair)
{
	static struct vs_burst scratch;
	static struct vs_pkt send[VS_BURST_MAX];

	memcpy(send, s->burst->pkt, sizeof(send));
	s->dev[port].send = send;
	s->dev[port].n_send = s->burst->n;
	(void)vs_pipeline_visit(s->ctx, &s->conf->port[port], pair, &scratch);
	s->burst->n = 0;
}

void sf_learn(struct sf *s, struct rte_ether_addr mac, uint16_t port, enum vs_fdb_kind kind)
{
	uint16_t old;

	(void)vs_fdb_learn(s->fdb, SF_FID, &mac, port, kind, s->ctx->now_s, &old);
}

void sf_begin(struct sf *s)
{
	s->burst->n = s->burst->n_ext = 0;
	s->ctx->flooded_bytes = 0;
	s->ctx->n_made = 0;
	s->ctx->n_touched = 0;
	memset(s->ctx->out, 0, sizeof(s->ctx->out));
}

struct vs_pkt *sf_frame(struct sf *s, uint16_t port, struct rte_ether_addr dst,
			struct rte_ether_addr src, uint32_t len)
{
	struct vs_pkt *pkt = &s->burst->pkt[s->burst->n];
	uint8_t *hdr = s->burst->hdr[s->burst->n++].bytes;

	memset(hdr, 0, VS_HDR_BYTES);
	memcpy(hdr, &dst, 6);
	memcpy(hdr + 6, &src, 6);
	hdr[12] = 0x08;
	hdr[14] = (uint8_t)s->burst->n;
	*pkt = (struct vs_pkt){
		.hdr = hdr,
		.len = len,
		.hdr_len = (uint16_t)(len < VS_HDR_BYTES ? len : VS_HDR_BYTES),
		.in_port = port,
		.fid = SF_FID,
	};
	return pkt;
}

unsigned int sf_events(struct sf *s, struct vs_event *ret_last)
{
	unsigned int n = 0;
	struct vs_event ev;

	while (vs_event_pop(&s->ctx->events, &ev, 1)) {
		n++;
		if (ret_last)
			*ret_last = ev;
	}
	return n;
}

uint64_t sf_drops(const struct sf *s, unsigned int port, enum vs_drop reason)
{
	return s->stats[port].drops[reason];
}

uint64_t sf_all_drops(const struct sf *s, unsigned int port, enum vs_drop_side side)
{
	uint64_t sum = 0;
	unsigned int r;

	for (r = 1; r < VS_DROP_COUNT; r++)
		if (vs_drop_side(r) == side)
			sum += s->stats[port].drops[r];
	return sum;
}

void sf_audit(const struct sf *s)
{
	const struct vs_switch_stats *sw = &s->ctx->switch_stats[SF_SWITCH];
	uint64_t attempts = 0;
	uint64_t forwarded = 0;
	unsigned int p;

	for (p = 0; p < SF_PORTS; p++) {
		const struct vs_port_stats *st = &s->stats[p];

		assert_int_equal(st->received, st->forwarded + st->flooded + st->consumed +
						       sf_all_drops(s, p, VS_DROP_SIDE_IN));
		assert_int_equal(st->attempts,
				 st->sent + st->held + sf_all_drops(s, p, VS_DROP_SIDE_OUT));
		assert_int_equal(st->drops[VS_DROP_NONE], 0);
		attempts += st->attempts;
		forwarded += st->forwarded;
	}
	assert_int_equal(attempts, forwarded + sw->flood_copies + sw->extra_segments - sw->merged +
					   sw->generated + sw->encapsulated);
}
