/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary frames through offload ingress and admit, and the same by a plain reference over the
 * whole frame in one piece. Verdict, frame and counters must agree.
 *
 * The input: flags (1 byte), the port's MTU (2), its address (6), the virtio-net header's first
 * two bytes, then the frame.
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
	FID = 9,
	FRAME_MAX = 4096,
};

static struct vs_ctx ctx;
static struct vs_conf conf;
static struct vs_port_stats stats;
static struct vs_burst burst;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static void set_port(const uint8_t *setup)
{
	struct vs_port_hot *port = &conf.port[PORT];

	memset(port, 0, sizeof(*port));
	port->id = PORT;
	port->fid = FID;
	port->max_frame = 14u + (setup[1] | (uint32_t)setup[2] << 8) % FRAME_MAX;
	if (setup[0] & 1)
		port->flags |= VS_PORT_GUARD;
	if (!(setup[0] & 2))
		port->flags |= VS_PORT_ADMIN_UP;
	memcpy(&port->mac, setup + 3, 6);
}

/* What should become of @frame, which is changed in place. */
static enum vs_drop reference(const uint8_t *setup, uint8_t *frame, uint32_t *len)
{
	const struct vs_port_hot *port = &conf.port[PORT];
	static const uint8_t zero[6];
	unsigned int type;

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
	type = (unsigned int)frame[12] << 8 | frame[13];
	if (type == 0x8100 || type == 0x88a8) {
		unsigned int inner;

		if (*len < 18)
			return VS_DROP_VLAN_SHORT;
		inner = (unsigned int)frame[16] << 8 | frame[17];
		if (type == 0x88a8 || (frame[14] & 0x0f) || frame[15] || inner == 0x8100 ||
		    inner == 0x88a8)
			return VS_DROP_VLAN_TAGGED;
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

static void check_same(const struct vs_pkt *pkt, const uint8_t *want, uint32_t len)
{
	CHECK(pkt->fid == FID && pkt->len == len);
	CHECK(pkt->hdr_len >= 14 && pkt->hdr_len <= len);
	CHECK(memcmp(pkt->hdr, want, pkt->hdr_len) == 0);
	CHECK(pkt->hdr_len + (pkt->n_ext ? pkt->ext[0].len : 0) == len);
	if (pkt->n_ext)
		CHECK(memcmp(pkt->ext[0].data, want + pkt->hdr_len, pkt->ext[0].len) == 0);
	CHECK(vs_l2_tags(pkt) == VS_L2_UNTAGGED || pkt->hdr_len < 18);
	CHECK(memcmp(vs_l2_eth(pkt), want, 14) == 0);
	CHECK(!vs_l2_is_reserved(&vs_l2_eth(pkt)->dst_addr) ==
	      !(memcmp(want, "\x01\x80\xc2\x00\x00", 5) == 0 && want[5] < 16));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)(size - SETUP);
	uint8_t want[FRAME_MAX];
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
	ctx.conf = &conf;
	ctx.port_stats[PORT] = &stats;
	set_port(data);
	drop = VS_DROP_NONE;

	make_burst(room, data, frame, len);
	vs_offload_ingress(&ctx, &burst);
	vs_admit(&ctx, &burst);
	drop = reference(data, want, &len);
	CHECK(burst.pkt[0].drop == drop);
	CHECK(stats.drops[drop] == (drop != VS_DROP_NONE));
	if (drop == VS_DROP_NONE)
		check_same(&burst.pkt[0], want, len);
	else
		CHECK(stats.samples[drop].have <= VS_SAMPLE_BYTES);
	free(frame);
	free(room);
	return 0;
}
