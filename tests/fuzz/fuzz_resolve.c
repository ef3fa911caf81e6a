/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What anybody on the provider network may say to the resolver: ARP, Neighbor Discovery, ICMP
 * errors, in any order and at any time, between frames that wait.
 *
 * The input is a list of events: kind (1 byte), time that passes (2), length (1), bytes. Checked:
 * frames go only to a peer that a neighbour was found for, what a worker is told fits that, an MTU
 * never leaves its bounds, and what waits is bounded.
 */
#include "control/resolver.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PEERS = 4,
	EVENT = 4,
};

static struct vs_peer peer[PEERS];
static unsigned int questions;

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

static bool count_sent(void *ctx, unsigned int sw, const struct vs_pa *pa, const uint8_t *frame,
		       uint32_t len)
{
	const uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);

	CHECK(sw == 0 && len >= 42);
	questions += type != 0x0800;
	/* To a neighbour, or to those who are asked: never to nobody. */
	CHECK(memcmp(frame, "\0\0\0\0\0\0", 6) != 0);
	/* A frame that waited never goes to a group. */
	CHECK(type != 0x0800 || (frame[0] & 1) == 0);
	/* There is not always room. */
	return len % 3 != 0;
}

static void ignore(void *ctx, const struct vs_resolver_news *news)
{
}

static bool any_vsid(uint32_t vsid, void *ctx)
{
	return vsid >= VS_VSID_MIN;
}

static int check_view(const struct vs_peer_view *view, void *ctx)
{
	const uint64_t word = view->peer->next_hop;

	CHECK(view->held <= VS_WAIT_FRAMES);
	CHECK(view->waited == view->sent + view->lost + view->held);
	CHECK(view->mtu >= VS_PMTU_MIN4 && view->mtu <= 1500 && view->mtu == view->peer->mtu);
	CHECK(view->state == VS_HOP_FAILED ? word == VS_NEXT_HOP_FAILED
					   : !(word & VS_NEXT_HOP_FAILED));
	CHECK(!(word & VS_NEXT_HOP_KNOWN) || view->held == 0);
	return 0;
}

static struct vs_resolver *begin(uint64_t now)
{
	static const struct vs_resolver_ops ops = {.send = count_sent, .tell = ignore};
	const uint8_t us[4] = {192, 168, 2, 22};
	const struct vs_pa pa = {
		.prefix = {.ip = vs_ip_make4(us), .len = 96 + 24},
		.mac = {{0x02, 0, 0, 0, 0, 0x01}},
	};
	struct vs_resolver *r = vs_resolver_new(&ops, NULL);
	uint32_t i;

	CHECK(r && vs_resolver_config(r, 0, &pa, 1, NULL, 0, now) == 0);
	for (i = 0; i < PEERS; i++) {
		const uint8_t them[4] = {192, 168, 2, (uint8_t)(50 + i)};

		peer[i] = (struct vs_peer){
			.ip = vs_ip_make4(them),
			.local = pa.prefix.ip,
			.index = i,
			.is4 = true,
			.l3 = 14,
			.outer_len = 42,
		};
		CHECK(vs_resolver_add(r, 0, &peer[i], 1500, now) == 0);
	}
	return r;
}

/* A frame that a worker had no next hop for. */
static void hold(struct vs_resolver *r, uint32_t i, uint64_t now)
{
	uint8_t frame[64] = {[12] = 0x08};

	memcpy(frame + 14 + 16, peer[i].ip.b + 12, 4);
	vs_resolver_hold(r, i, frame, sizeof(frame), now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t start = 1000;
	uint64_t now = start;
	struct vs_resolver *r = begin(now);

	questions = 0;
	while (size >= EVENT) {
		uint32_t len = data[3];

		now += (uint64_t)(data[1] << 8 | data[2]);
		len = len < size - EVENT ? len : (uint32_t)(size - EVENT);
		switch (data[0] % 4) {
		case 0:
			vs_resolver_neighbour(r, 0, data + EVENT, len, now);
			break;
		case 1:
			vs_resolver_error(r, 0, data + EVENT, len, any_vsid, now);
			break;
		case 2:
			hold(r, data[0] / 4 % PEERS, now);
			break;
		default:
			vs_resolver_tick(r, now);
			break;
		}
		(void)vs_resolver_each(r, now, check_view, NULL);
		data += EVENT + len;
		size -= EVENT + len;
	}
	CHECK(questions <= 8 + VS_RESOLVER_BURST + VS_RESOLVER_ASKS * (now - start) / 1000);
	vs_resolver_free(r);
	return 0;
}
