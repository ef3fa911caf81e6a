/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary frames through offload ingress, admit and release, and the same by a plain reference
 * over the whole frame in one piece. Verdict, frame, VLAN, counters and the form in which the
 * frame leaves must agree.
 *
 * The input: flags (1 byte), MTU and VLAN of the port (2), its address (6), the virtio-net
 * header's first two bytes, then the frame. Flags: 1 guard, 2 down, 4 trunk, 8 priority; the upper
 * four choose the VLANs of the trunk and the native VLAN of the port where the frame leaves.
 */
#include "dataplane/core/hdr.h"
#include "dataplane/stages.h"
#include "offload/offload.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SETUP = 11,
	PORT = 5,
	OUT = 6,
	FRAME_MAX = 4096,
};

static struct vs_ctx ctx;
static struct vs_conf conf;
static struct vs_port_stats stats;
static struct vs_port_stats out_stats;
static struct vs_trunk trunk;
static struct vs_trunk out_trunk;
static uint16_t fid_of_vid[VS_VIDS_MAX];
static struct vs_burst burst;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

/* Every fifth VLAN has no domain. */
static uint16_t fid_of(unsigned int vid)
{
	return vid && vid % 5 == 0 ? 0 : (uint16_t)(vid + 100);
}

/* Every fourth VLAN is the trunk's. */
static bool is_allowed(const uint8_t *setup, unsigned int vid)
{
	return vid % 4 == (setup[0] >> 4) % 4u;
}

static unsigned int own_vid(const uint8_t *setup)
{
	return setup[2] >> 4;
}

static void set_trunks(const uint8_t *setup)
{
	unsigned int i;

	for (i = 0; i < VS_VIDS_MAX; i++)
		fid_of_vid[i] = fid_of(i);
	for (i = 0; i < RTE_DIM(trunk.allowed); i++)
		trunk.allowed[i] = UINT64_C(0x1111111111111111) << (setup[0] >> 4) % 4;
	trunk.fid_of_vid = fid_of_vid;
	memset(&out_trunk, 0xff, sizeof(out_trunk));
	out_trunk.fid_of_vid = fid_of_vid;
}

static void set_ports(const uint8_t *setup)
{
	struct vs_port_hot *port = &conf.port[PORT];

	set_trunks(setup);
	memset(port, 0, sizeof(*port));
	port->id = PORT;
	port->vid = (uint16_t)own_vid(setup);
	port->fid = fid_of(port->vid);
	port->max_frame = 14u + (setup[1] | (uint32_t)setup[2] << 8) % FRAME_MAX;
	if (setup[0] & 1)
		port->flags |= VS_PORT_GUARD;
	if (!(setup[0] & 2))
		port->flags |= VS_PORT_ADMIN_UP;
	if (setup[0] & 4)
		port->trunk = &trunk;
	if (setup[0] & 8)
		port->flags |= VS_PORT_PRIORITY;
	memcpy(&port->mac, setup + 3, 6);

	conf.port[OUT] = (struct vs_port_hot){
		.id = OUT,
		.flags = VS_PORT_UP,
		.max_frame = FRAME_MAX,
		.vid = setup[0] >> 4,
		.trunk = &out_trunk,
	};
}

static unsigned int word(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static bool is_tag(unsigned int type)
{
	return type == 0x8100 || type == 0x88a8;
}

/* What the reference found out about a frame that passes. */
struct fact {
	unsigned int vid;
	unsigned int pcp;
};

/* The part of it that is about a tag, which is there. */
static enum vs_drop reference_tag(const uint8_t *setup, const uint8_t *frame, struct fact *fact)
{
	unsigned int tci = word(frame + 14);

	if (!(setup[0] & 4)) {
		if (word(frame + 12) != 0x8100 || tci % 4096 || is_tag(word(frame + 16)))
			return VS_DROP_VLAN_TAGGED;
	} else if (word(frame + 12) != 0x8100) {
		return VS_DROP_VLAN_SERVICE;
	} else if (tci % 4096) {
		fact->vid = tci % 4096;
		if (fact->vid != own_vid(setup) &&
		    (fact->vid == 4095 || !is_allowed(setup, fact->vid)))
			return VS_DROP_VLAN_DENIED;
	}
	if (setup[0] & 8)
		fact->pcp = tci / 8192;
	return VS_DROP_NONE;
}

/* What should become of @frame, which is changed in place. */
static enum vs_drop reference(const uint8_t *setup, uint8_t *frame, uint32_t *len,
			      struct fact *fact)
{
	const struct vs_port_hot *port = &conf.port[PORT];
	static const uint8_t zero[6];
	bool tagged;

	if (setup[9] || setup[10])
		return VS_DROP_OFFLOAD_DENIED;
	if (*len < 14)
		return VS_DROP_RUNT;
	if (setup[0] & 2)
		return VS_DROP_LINK_DOWN;
	if (memcmp(frame + 6, zero, 6) == 0 || (frame[6] & 1))
		return VS_DROP_SRC_INVALID;
	if ((setup[0] & 1) && memcmp(frame + 6, setup + 3, 6) != 0)
		return VS_DROP_SPOOF;
	*fact = (struct fact){.vid = own_vid(setup)};
	tagged = is_tag(word(frame + 12));
	if (tagged) {
		enum vs_drop drop = *len < 18 ? VS_DROP_VLAN_SHORT
					      : reference_tag(setup, frame, fact);

		if (drop)
			return drop;
	}
	if (fid_of(fact->vid) == 0)
		return VS_DROP_VLAN_UNUSED;
	if (tagged) {
		memmove(frame + 12, frame + 16, *len - 16);
		*len -= 4;
	}
	return *len > port->max_frame ? VS_DROP_MTU_IN : VS_DROP_NONE;
}

/* The frame as rx would hand it over; @room is exactly as large as its private part. */
static void make_burst(uint8_t *room, const uint8_t *setup, const uint8_t *frame, uint32_t len)
{
	uint16_t hdr = (uint16_t)(len < VS_HDR_BYTES ? len : VS_HDR_BYTES);

	memcpy(room + VS_HDR_ROOM, frame, hdr);
	burst.n = 1;
	burst.ext[0] = (struct vs_extent){frame + hdr, len - hdr};
	burst.pkt[0] = (struct vs_pkt){
		.hdr = room + VS_HDR_ROOM,
		.hdr_len = hdr,
		.len = len,
		.ext = burst.ext,
		.n_ext = len > hdr,
		.in_port = PORT,
	};
	burst.pkt[0].vnet.hdr.flags = setup[9];
	burst.pkt[0].vnet.hdr.gso_type = setup[10];
}

static void check_bytes(const struct vs_pkt *pkt, const uint8_t *want, uint32_t len)
{
	CHECK(pkt->len == len);
	CHECK(pkt->hdr_len >= 14 && pkt->hdr_len <= len);
	CHECK(memcmp(pkt->hdr, want, pkt->hdr_len) == 0);
	CHECK(pkt->hdr_len + (pkt->n_ext ? pkt->ext[0].len : 0) == len);
	if (pkt->n_ext)
		CHECK(memcmp(pkt->ext[0].data, want + pkt->hdr_len, pkt->ext[0].len) == 0);
}

static void check_same(const struct vs_pkt *pkt, const uint8_t *want, uint32_t len,
		       const struct fact *fact)
{
	check_bytes(pkt, want, len);
	CHECK(pkt->fid == fid_of(fact->vid) && pkt->vid == fact->vid && pkt->pcp == fact->pcp);
	CHECK(pkt->bare_vid == (is_tag(word(want + 12)) ? VS_BARE_NEVER : fact->vid));
	CHECK(memcmp(vs_l2_eth(pkt), want, 14) == 0);
	CHECK(!vs_l2_is_reserved(&vs_l2_eth(pkt)->dst_addr) ==
	      !(memcmp(want, "\x01\x80\xc2\x00\x00", 5) == 0 && want[5] < 16));
}

/* It goes to a port with all VLANs, one of them untagged. */
static void check_release(const uint8_t *setup, uint8_t *want, uint32_t len,
			  const struct fact *fact)
{
	bool own = fact->vid == setup[0] >> 4;
	bool leaves = own ? !is_tag(word(want + 12)) : fact->vid != 0;

	vs_out_add(&ctx, OUT, 0);
	vs_release(&ctx, &burst);
	CHECK(ctx.out[OUT].n == leaves);
	CHECK(out_stats.drops[VS_DROP_VLAN_OUT] == !leaves);
	CHECK(burst.has_tagged == (leaves && !own));
	if (!burst.has_tagged)
		return;
	memmove(want + 16, want + 12, len - 12);
	want[12] = 0x81;
	want[13] = 0;
	want[14] = (uint8_t)(fact->pcp * 32 + fact->vid / 256);
	want[15] = (uint8_t)fact->vid;
	check_bytes(&burst.tagged[0], want, len + 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)(size - SETUP);
	uint8_t want[FRAME_MAX + VS_TAG_BYTES];
	struct fact fact = {0};
	enum vs_drop drop;
	uint8_t *frame;
	uint8_t *room;
	uint16_t hdr;

	if (size < SETUP || len > FRAME_MAX)
		return 0;
	hdr = (uint16_t)(len < VS_HDR_BYTES ? len : VS_HDR_BYTES);
	room = malloc((size_t)VS_HDR_ROOM + hdr);
	frame = malloc(len + !len);
	CHECK(room && frame);
	memcpy(frame, data + SETUP, len);
	memcpy(want, frame, len);
	memset(&stats, 0, sizeof(stats));
	memset(&out_stats, 0, sizeof(out_stats));
	ctx.conf = &conf;
	ctx.port_stats[PORT] = &stats;
	ctx.port_stats[OUT] = &out_stats;
	ctx.n_touched = 0;
	ctx.out[OUT].n = 0;
	burst.has_tagged = 0;
	set_ports(data);
	drop = VS_DROP_NONE;

	make_burst(room, data, frame, len);
	vs_offload_ingress(&ctx, &burst);
	vs_admit(&ctx, &burst);
	drop = reference(data, want, &len, &fact);
	CHECK(burst.pkt[0].drop == drop);
	CHECK(stats.drops[drop] == (drop != VS_DROP_NONE));
	if (drop == VS_DROP_NONE) {
		check_same(&burst.pkt[0], want, len, &fact);
		check_release(data, want, len, &fact);
	} else {
		CHECK(stats.samples[drop].have <= VS_SAMPLE_BYTES);
	}
	free(frame);
	free(room);
	return 0;
}
