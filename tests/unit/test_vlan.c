/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLANs through the whole pipeline: each kind of frame from each kind of port to each kind of
 * port, against a plain reference over the whole frame in one piece; and what twins share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stages_fixture.h"

#include <rte_ip.h>
#include <rte_udp.h>

#include <string.h>

enum {
	IN = 1,
	OUT = 2,
	MTU_FRAME = 1514,
};

/* How a port is set: @own is its access VLAN or, with a @list (0 ends it), the native one. */
struct mode {
	bool trunk;
	uint16_t own;
	uint16_t list[4];
	bool priority;
};

/* 40 and 50 have no domain; 4095 and 0 are no VLANs of tags, whatever a list says. */
static const struct mode modes[] = {
	{false, 0, {0}, false},       {false, 0, {0}, true},          {false, 10, {0}, false},
	{false, 20, {0}, true},       {true, 0, {10, 20}, false},     {true, 0, {10, 20, 40}, true},
	{true, 10, {10, 20}, true},   {true, 30, {10, 20}, false},    {true, 20, {0}, false},
	{true, 50, {30, 4095}, true}, {true, 0, {10, 20, 30}, false},
};

#define KIND(bytes)                       \
	{                                 \
		bytes, sizeof(bytes) - 1, \
	}

/* What stands behind the addresses. */
static const struct {
	char bytes[20];
	uint32_t n;
} kinds[] = {
	KIND("\x08\x00"),
	KIND("\x91\x00\x00\x0a\x08\x00"),
	KIND("\x81\x00\x00\x00\x08\x00"),
	KIND("\x81\x00\xa0\x00\x08\x00"),
	KIND("\x81\x00\x00\x0a\x08\x00"),
	KIND("\x81\x00\xf0\x0a\x86\xdd"),
	KIND("\x81\x00\x60\x14\x08\x00"),
	KIND("\x81\x00\x00\x1e\x08\x00"),
	KIND("\x81\x00\x00\x28\x08\x00"),
	KIND("\x81\x00\x00\x32\x08\x00"),
	KIND("\x81\x00\x0f\xff\x08\x00"),
	KIND("\x88\xa8\x00\x0a\x08\x00"),
	KIND("\x88\xa8\x00\x00\x08\x00"),
	KIND("\x81\x00\x20\x0a\x81\x00\x00\x14\x08\x00"),
	KIND("\x81\x00\x00\x14\x81\x00\x00\x00\x08\x00"),
	KIND("\x81\x00\xe0\x00\x81\x00\x00\x14\x08\x00"),
	KIND("\x81\x00\x00\x0a\x88\xa8\x00\x14\x08\x00"),
	KIND("\x81\x00\x00\x0a\x81\x00\x00\x0a\x81\x00\x00\x14\x08\x00"),
};

static const uint32_t lens[] = {14,  17,  18,  60,   127,  128,  129, 131,
				132, 133, 136, 1514, 1515, 1518, 1519};

/* A frame in one piece, and what is known of it. */
struct flat {
	uint8_t b[2048];
	uint32_t len;
	uint16_t vid;
	uint8_t pcp;
};

static void set_mode(struct sf *s, uint16_t port, const struct mode *m)
{
	struct vs_port_hot *hot = &s->conf->port[port];

	if (m->trunk)
		sf_trunk(s, port, m->list, m->own);
	else
		sf_access(s, port, m->own);
	hot->flags = VS_PORT_ADMIN_UP | VS_PORT_UP | (m->priority ? VS_PORT_PRIORITY : 0u);
}

static void make_flat(struct flat *f, unsigned int kind, uint32_t len)
{
	const struct rte_ether_addr dst = sf_mac(OUT);
	const struct rte_ether_addr src = sf_mac(IN);
	uint32_t i;

	*f = (struct flat){.len = len};
	for (i = 0; i < len; i++)
		f->b[i] = (uint8_t)(i * 7 + 1);
	memcpy(f->b, &dst, 6);
	memcpy(f->b + 6, &src, 6);
	memcpy(f->b + 12, kinds[kind].bytes, len - 12 < kinds[kind].n ? len - 12 : kinds[kind].n);
}

/* The frame as rx would hand it over: private header, and the rest in two pieces. */
static void put(struct sf *s, uint16_t port, const struct flat *f)
{
	struct vs_burst *burst = s->burst;
	struct vs_pkt *pkt = sf_frame(s, port, sf_mac(0), sf_mac(0), f->len);
	struct vs_extent *ext = &burst->ext[burst->n_ext];
	uint32_t rest = f->len - pkt->hdr_len;

	memcpy(pkt->hdr, f->b, pkt->hdr_len);
	pkt->ext = ext;
	if (rest == 0)
		return;
	ext[0] = (struct vs_extent){f->b + pkt->hdr_len, rest / 3};
	ext[1] = (struct vs_extent){f->b + pkt->hdr_len + rest / 3, rest - rest / 3};
	pkt->n_ext = 2;
	burst->n_ext = (uint16_t)(burst->n_ext + 2);
}

/* The reference */

static unsigned int word(const struct flat *f, uint32_t at)
{
	return (unsigned int)f->b[at] << 8 | f->b[at + 1];
}

static bool is_tag(unsigned int type)
{
	return type == 0x8100 || type == 0x88a8;
}

static bool lists(const struct mode *m, unsigned int vid)
{
	unsigned int i;

	for (i = 0; m->trunk && i < 4 && m->list[i]; i++)
		if (m->list[i] == vid)
			return true;
	return false;
}

static enum vs_drop ref_in(const struct mode *m, struct flat *f)
{
	unsigned int tci;

	f->vid = m->own;
	if (!is_tag(word(f, 12)))
		return sf_fid(f->vid) ? VS_DROP_NONE : VS_DROP_VLAN_UNUSED;
	if (f->len < 18)
		return VS_DROP_VLAN_SHORT;
	tci = word(f, 14);
	if (!m->trunk && (word(f, 12) == 0x88a8 || tci % 4096 || is_tag(word(f, 16))))
		return VS_DROP_VLAN_TAGGED;
	if (word(f, 12) == 0x88a8)
		return VS_DROP_VLAN_SERVICE;
	if (tci % 4096)
		f->vid = tci % 4096;
	if (f->vid == 4095 || (f->vid != m->own && !lists(m, f->vid)))
		return VS_DROP_VLAN_DENIED;
	if (sf_fid(f->vid) == 0)
		return VS_DROP_VLAN_UNUSED;
	f->pcp = m->priority ? (uint8_t)(tci / 8192) : 0;
	f->len -= 4;
	memmove(f->b + 12, f->b + 16, f->len - 12);
	return VS_DROP_NONE;
}

static enum vs_drop ref_out(const struct mode *m, struct flat *f, uint32_t max)
{
	if (f->vid == m->own && is_tag(word(f, 12)))
		return VS_DROP_VLAN_OUT;
	if (f->vid != m->own && (f->vid == 0 || !lists(m, f->vid)))
		return VS_DROP_VLAN_OUT;
	if (f->len > max)
		return VS_DROP_MTU_OUT;
	if (f->vid == m->own)
		return VS_DROP_NONE;
	memmove(f->b + 16, f->b + 12, f->len - 12);
	f->len += 4;
	f->b[12] = 0x81;
	f->b[13] = 0;
	f->b[14] = (uint8_t)(f->pcp * 32 + f->vid / 256);
	f->b[15] = (uint8_t)f->vid;
	return VS_DROP_NONE;
}

static void reset(struct sf *s)
{
	memset(s->stats, 0, sizeof(s->stats));
	memset(s->ctx->switch_stats, 0, sizeof(s->ctx->switch_stats));
	s->dev[OUT].got = 0;
	s->dev[OUT].got_bytes = 0;
	sf_begin(s);
}

/* One frame from a port to another, and the same by the reference. Return: what became of it. */
static enum vs_drop compare(struct sf *s, const struct mode *from, const struct mode *to,
			    unsigned int kind, uint32_t len, uint32_t max)
{
	static struct flat sent;
	static struct flat want;
	enum vs_drop in;
	enum vs_drop out = VS_DROP_NONE;

	make_flat(&sent, kind, len);
	want = sent;
	in = ref_in(from, &want);
	if (!in && want.len > MTU_FRAME)
		in = VS_DROP_MTU_IN;
	if (!in)
		out = ref_out(to, &want, max);

	reset(s);
	put(s, IN, &sent);
	sf_visit(s, IN, 0);
	if (sf_all_drops(s, IN, VS_DROP_SIDE_IN) != (in != 0) || (in && !sf_drops(s, IN, in)))
		fail_msg("kind %u, length %u: not %s", kind, len, vs_drop_name(in));
	if (sf_all_drops(s, OUT, VS_DROP_SIDE_OUT) != (out != 0) || (out && !sf_drops(s, OUT, out)))
		fail_msg("kind %u, length %u: not %s", kind, len, vs_drop_name(out));
	assert_int_equal(s->dev[OUT].got, !in && !out);
	assert_int_equal(s->stats[IN].received_bytes, sent.len);
	assert_int_equal(s->stats[OUT].sent_bytes, !in && !out ? want.len : 0);
	sf_audit(s);
	if (in || out)
		return in ? in : out;
	assert_int_equal(s->dev[OUT].last_len, want.len);
	assert_memory_equal(s->dev[OUT].last, want.b, want.len);
	return VS_DROP_NONE;
}

static void test_every_mode(void **state)
{
	static const enum vs_drop can[] = {VS_DROP_NONE,        VS_DROP_MTU_IN,
					   VS_DROP_VLAN_SHORT,  VS_DROP_VLAN_TAGGED,
					   VS_DROP_VLAN_DENIED, VS_DROP_VLAN_SERVICE,
					   VS_DROP_VLAN_UNUSED, VS_DROP_MTU_OUT,
					   VS_DROP_VLAN_OUT};
	unsigned int seen[VS_DROP_COUNT] = {0};
	struct sf *s = sf_new();
	unsigned int from;
	unsigned int to;
	unsigned int k;
	unsigned int i;

	for (i = 0; i < SF_VLANS; i++) {
		const struct rte_ether_addr mac = sf_mac(OUT);
		uint16_t old;

		(void)vs_fdb_learn(s->fdb, (uint16_t)(SF_FID + i), &mac, OUT, VS_FDB_STATIC, 0,
				   &old);
	}
	for (from = 0; from < RTE_DIM(modes); from++) {
		set_mode(s, IN, &modes[from]);
		for (to = 0; to < RTE_DIM(modes); to++) {
			set_mode(s, OUT, &modes[to]);
			s->conf->port[OUT].max_frame = to % 2 ? MTU_FRAME : 131;
			for (k = 0; k < RTE_DIM(kinds); k++)
				for (i = 0; i < RTE_DIM(lens); i++)
					seen[compare(s, &modes[from], &modes[to], k, lens[i],
						     s->conf->port[OUT].max_frame)]++;
		}
		(void)sf_events(s, NULL);
	}
	assert_int_equal(s->dev[OUT].wrong, 0);
	for (i = 0; i < RTE_DIM(can); i++)
		if (seen[can[i]] == 0)
			fail_msg("%s did not occur", vs_drop_name(can[i]));
	sf_free(s);
}

/* A flood to access and trunk ports: the trunks that want a tag share one twin. */
static void test_mixed_flood(void **state)
{
	static const uint16_t both[] = {10, 20, 0};
	static const uint16_t other[] = {20, 0};
	struct sf *s = sf_new();
	struct rte_ether_addr dst = sf_broadcast();
	struct flat f;

	sf_access(s, 0, 10);
	sf_access(s, 1, 20);
	sf_trunk(s, 2, both, 0);
	sf_trunk(s, 3, both, 10);
	sf_trunk(s, 4, both, 30);
	sf_trunk(s, 5, other, 0);
	sf_domains(s);
	make_flat(&f, 0, 300);
	memcpy(f.b, &dst, 6);
	put(s, 0, &f);
	sf_visit(s, 0, 0);
	/* Port 1 is on another VLAN, and so is 5. */
	assert_int_equal(s->dev[1].got + s->dev[5].got, 0);
	assert_int_equal(s->dev[2].got + s->dev[3].got + s->dev[4].got, 3);
	assert_ptr_equal(s->dev[2].last_pkt, s->dev[4].last_pkt);
	assert_ptr_not_equal(s->dev[2].last_pkt, s->dev[3].last_pkt);
	assert_int_equal(s->stats[2].sent_bytes, 304);
	assert_int_equal(s->stats[3].sent_bytes, 300);
	assert_memory_equal(s->dev[3].last, f.b, 300);
	assert_memory_equal(s->dev[4].last, f.b, 12);
	assert_memory_equal(s->dev[4].last + 12, "\x81\x00\x00\x0a", 4);
	assert_memory_equal(s->dev[4].last + 16, f.b + 12, 288);
	assert_int_equal(s->ctx->switch_stats[SF_SWITCH].flood_copies, 3);
	sf_audit(s);
	sf_free(s);
}

/* Twins are made anew in each burst, and each frame has its own. */
static void test_twins_do_not_stay(void **state)
{
	static const uint16_t both[] = {10, 20, 0};
	struct sf *s = sf_new();
	unsigned int round;
	unsigned int i;
	struct flat f;

	sf_access(s, IN, 10);
	sf_trunk(s, OUT, both, 0);
	sf_domains(s);
	for (round = 0; round < 3; round++) {
		sf_access(s, IN, round == 1 ? 20 : 10);
		for (i = 0; i < VS_BURST_MAX; i++) {
			make_flat(&f, 0, 60);
			f.b[0] |= 1;
			f.b[14] = (uint8_t)(i + round);
			put(s, IN, &f);
		}
		sf_visit(s, IN, 0);
		assert_int_equal(s->dev[OUT].got, VS_BURST_MAX * (round + 1));
		assert_int_equal(s->dev[OUT].last[18], VS_BURST_MAX - 1 + round);
		assert_int_equal(s->dev[OUT].last[15], round == 1 ? 20 : 10);
	}
	assert_int_equal(s->dev[OUT].wrong, 0);
	sf_audit(s);
	sf_free(s);
}

/* A twin that is there is not made again. */
static void test_twin_is_made_once(void **state)
{
	static const uint16_t list[] = {10, 0};
	struct sf *s = sf_new();

	sf_trunk(s, 2, list, 0);
	sf_trunk(s, 3, list, 0);
	s->burst->has_tagged = 0;
	sf_frame(s, IN, sf_mac(9), sf_mac(IN), 60);
	s->burst->pkt[0].vid = s->burst->pkt[0].bare_vid = 10;
	vs_out_add(s->ctx, 2, 0);
	vs_release(s->ctx, s->burst);
	assert_int_equal(s->burst->has_tagged, 1);
	s->burst->tagged[0].hdr[20] = 0x5a;
	vs_out_add(s->ctx, 3, 0);
	vs_release(s->ctx, s->burst);
	vs_tx(s->ctx, s->burst);
	assert_int_equal(s->dev[3].last[20], 0x5a);
	assert_ptr_equal(s->dev[3].last_pkt, s->dev[2].last_pkt);
	sf_free(s);
}

/* VLAN 0 has no tag, even if a trunk's list had it. */
static void test_untagged_domain_gets_no_tag(void **state)
{
	static const uint16_t list[] = {10, 0};
	struct sf *s = sf_new();

	sf_trunk(s, OUT, list, 20);
	s->trunk[OUT].allowed[0] |= 1;
	sf_learn(s, sf_mac(OUT), OUT, VS_FDB_STATIC);
	sf_frame(s, IN, sf_mac(OUT), sf_mac(IN), 60);
	sf_visit(s, IN, 0);
	assert_int_equal(sf_drops(s, OUT, VS_DROP_VLAN_OUT), 1);
	assert_int_equal(s->dev[OUT].got, 0);
	sf_audit(s);
	sf_free(s);
}

/* A port that is down is named before its VLANs are looked at. */
static void test_down_before_vlan(void **state)
{
	struct sf *s = sf_new();

	sf_access(s, OUT, 10);
	s->conf->port[OUT].flags = VS_PORT_ADMIN_UP;
	sf_learn(s, sf_mac(OUT), OUT, VS_FDB_STATIC);
	sf_frame(s, IN, sf_mac(OUT), sf_mac(IN), 60);
	sf_visit(s, IN, 0);
	assert_int_equal(sf_drops(s, OUT, VS_DROP_PORT_DOWN), 1);
	sf_free(s);
}

/* Samples show the frame as it came, or as it would have left. */
static void test_samples(void **state)
{
	static const uint16_t list[] = {10, 40, 0};
	static const enum vs_drop reason[] = {VS_DROP_VLAN_DENIED, VS_DROP_VLAN_UNUSED,
					      VS_DROP_VLAN_SERVICE};
	static const unsigned int kind[] = {9, 8, 11};
	const struct vs_sample *sample;
	struct sf *s = sf_new();
	unsigned int i;
	struct flat f;

	sf_trunk(s, IN, list, 0);
	sf_trunk(s, OUT, list, 0);
	sf_domains(s);
	for (i = 0; i < RTE_DIM(kind); i++) {
		make_flat(&f, kind[i], 300);
		put(s, IN, &f);
		sf_visit(s, IN, 0);
		sample = &s->stats[IN].samples[reason[i]];
		assert_int_equal(sample->len, 300);
		assert_memory_equal(sample->bytes, f.b, VS_SAMPLE_BYTES);
	}
	make_flat(&f, 4, 300);
	s->dev[OUT].fate[0] = VS_DROP_RX_FULL;
	put(s, IN, &f);
	sf_visit(s, IN, 0);
	sample = &s->stats[OUT].samples[VS_DROP_RX_FULL];
	assert_int_equal(sample->len, 300);
	assert_memory_equal(sample->bytes, f.b, VS_SAMPLE_BYTES);
	assert_int_equal(s->stats[OUT].sent_bytes, 0);
	sf_audit(s);
	sf_free(s);
}

/* Are both checksums of an IPv4 datagram right? */
static bool sums_are_right(uint8_t *at)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(void *)at;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	uint16_t sum = udp->dgram_cksum;

	udp->dgram_cksum = 0;
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	return rte_raw_cksum(ip, sizeof(*ip)) == 0xffff && udp->dgram_cksum == sum;
}

/* The checksums of what is inside are as they were. */
static void test_checksums(void **state)
{
	static const uint16_t list[] = {20, 0};
	struct sf *s = sf_new();
	struct rte_ipv4_hdr *ip;
	struct rte_udp_hdr *udp;
	struct flat f;

	sf_trunk(s, IN, list, 0);
	sf_access(s, OUT, 20);
	sf_domains(s);
	make_flat(&f, 6, 518);
	ip = (struct rte_ipv4_hdr *)(void *)(f.b + 18);
	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.total_length = rte_cpu_to_be_16(500),
		.time_to_live = 64,
		.next_proto_id = 17,
		.src_addr = 0x0100000a,
		.dst_addr = 0x0200000a,
	};
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	udp = (struct rte_udp_hdr *)(ip + 1);
	udp->dgram_len = rte_cpu_to_be_16(480);
	udp->dgram_cksum = 0;
	udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
	put(s, IN, &f);
	sf_visit(s, IN, 0);
	assert_int_equal(s->dev[OUT].last_len, 514);
	assert_memory_equal(s->dev[OUT].last + 12, "\x08\x00", 2);
	assert_true(sums_are_right(s->dev[OUT].last + 14));
	/* And back, with a tag. */
	memcpy(f.b, s->dev[OUT].last, f.len = 514);
	f.b[0] |= 1;
	put(s, OUT, &f);
	sf_visit(s, OUT, 0);
	assert_int_equal(s->dev[IN].last_len, 518);
	assert_true(sums_are_right(s->dev[IN].last + 18));
	sf_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_mode),
		cmocka_unit_test(test_mixed_flood),
		cmocka_unit_test(test_twins_do_not_stay),
		cmocka_unit_test(test_twin_is_made_once),
		cmocka_unit_test(test_untagged_domain_gets_no_tag),
		cmocka_unit_test(test_down_before_vlan),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_checksums),
	};

	return cmocka_run_group_tests(tests, sf_setup, NULL);
}
