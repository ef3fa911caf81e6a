/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest sends: mostly sensible frames, some that are wrong in one way or another. */
#include "tests/oracle/oracle.h"

#include <string.h>

enum {
	ETHERNET = 14,
	TAG = 4,
	CHAIN_BYTES = 65562,
};

static void fill(struct or_rng *r, uint8_t *to, uint32_t len)
{
	uint32_t at;

	for (at = 0; at < len; at += 8) {
		uint64_t n = or_rand(r);

		memcpy(to + at, &n, len - at < 8 ? len - at : 8);
	}
}

static void choose_destination(struct or_rng *r, const struct or_spec *spec, uint8_t *to)
{
	static const uint8_t reserved[6] = {0x01, 0x80, 0xc2};
	uint32_t kind = or_below(r, 100);

	if (kind < 70) {
		/* That of a port, mostly; the last ones are those of clusters. */
		memcpy(to, spec->mac[or_below(r, or_chance(r, 80) ? spec->n_ports : OR_MACS)].b, 6);
	} else if (kind < 80) {
		memset(to, 0xff, 6);
	} else if (kind < 88) {
		fill(r, to, 6);
		to[0] |= 1;
	} else if (kind < 91) {
		memcpy(to, reserved, 6);
		to[5] = (uint8_t)or_below(r, 20);
	} else if (kind < 92) {
		memset(to, 0, 6);
	} else {
		memcpy(to, spec->mac[OR_MACS - 1 - or_below(r, OR_CLUSTERS)].b, 6);
	}
}

static void choose_source(struct or_rng *r, const struct or_spec *spec, unsigned int port,
			  uint8_t *to)
{
	uint32_t kind = or_below(r, 100);

	if (kind < 85)
		memcpy(to, spec->mac[port].b, 6);
	else if (kind < 97)
		memcpy(to, spec->mac[or_below(r, OR_MACS)].b, 6);
	else if (kind < 98)
		memset(to, 0, 6);
	else
		fill(r, to, 6);
}

static void put16(uint8_t *to, unsigned int v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

/* A tag, of a VLAN of the port or of another one. Return: bytes. */
static uint32_t put_tag(struct or_rng *r, uint32_t service_percent, uint8_t *to)
{
	unsigned int vid = or_vids[or_below(r, OR_VLANS)];
	uint32_t kind = or_below(r, 100);

	if (kind < 5)
		vid = 4095;
	else if (kind < 10)
		vid = 1 + or_below(r, 4094);
	put16(to, or_chance(r, service_percent) ? 0x88a8 : 0x8100);
	put16(to + 2, vid | or_below(r, 16) << 12);
	return TAG;
}

/* The beginning of a header of IPv4, with little that differs: so a flow has several frames. */
static void put_ip(struct or_rng *r, uint8_t *to)
{
	static const uint8_t proto[] = {6, 6, 6, 17, 17, 17, 132, 1, 47, 4};
	unsigned int i;

	to[0] = or_chance(r, 90) ? 0x45 : (uint8_t)or_below(r, 256);
	put16(to + 6, or_chance(r, 90) ? 0x4000 : 0x2001);
	to[9] = proto[or_below(r, sizeof(proto))];
	for (i = 0; i < 2; i++)
		put16(to + 12 + 4 * i, or_below(r, 4));
	for (i = 0; i < 2; i++)
		put16(to + 14 + 4 * i, or_below(r, 4));
	put16(to + 20, or_chance(r, 80) ? or_below(r, 4) : 0x2000);
	put16(to + 22, or_chance(r, 80) ? or_below(r, 4) : 0x0800);
	if (or_chance(r, 50))
		to[24] = 0x45;
}

static uint32_t choose_length(struct or_rng *r, const struct or_spec *spec, unsigned int port)
{
	uint32_t mtu = spec->port[or_chance(r, 60) ? port : or_below(r, spec->n_ports)].mtu;
	uint32_t kind = or_below(r, 1000);

	if (or_chance(r, spec->long_frames))
		return 8000 + or_below(r, or_chance(r, 30) ? 57000 : 1200);
	if (kind < 450)
		return 60 + or_below(r, 8);
	if (kind < 700)
		return ETHERNET + or_below(r, 300);
	if (kind < 850)
		return 1500 + or_below(r, 30);
	if (kind < 930)
		return ETHERNET + (mtu > 9000 && or_chance(r, 80) ? 1500 : mtu) + or_below(r, 11) -
		       5;
	if (kind < 990)
		return ETHERNET + or_below(r, 2200);
	if (kind < 997)
		return ETHERNET + or_below(r, 9200);
	return ETHERNET + or_below(r, 65540);
}

/* The header of the driver: fields that mean nothing without their flags may hold anything. */
static void put_vnet(struct or_rng *r, bool strange, uint8_t *to, uint32_t len)
{
	memset(to, 0, len);
	if (or_chance(r, 20))
		fill(r, to + 2, len - 2);
	if (strange && or_chance(r, 20))
		to[or_below(r, 2)] = (uint8_t)(1 + or_below(r, 255));
}

/* Bytes of the chain when it is to be of a wrong length. */
static uint32_t choose_wrong_length(struct or_rng *r, uint32_t vnet)
{
	switch (or_below(r, 10)) {
	case 0:
		return CHAIN_BYTES - 2 + or_below(r, 5);
	case 1:
	case 2:
	case 3:
		return 1 + or_below(r, vnet + 1);
	default:
		return vnet + or_below(r, 24);
	}
}

uint32_t or_frame_make(struct or_rng *r, const struct or_spec *spec, unsigned int port, uint8_t *to)
{
	const struct or_port_spec *p = &spec->port[port];
	bool strange = or_chance(r, spec->strange);
	uint8_t *frame = to + p->hdr_len;
	uint32_t len = choose_length(r, spec, port);
	uint32_t at = 12;

	fill(r, frame, len);
	put_vnet(r, strange, to, p->hdr_len);
	choose_destination(r, spec, frame);
	choose_source(r, spec, port, frame + 6);
	if (or_chance(r, p->mode == OR_TRUNK ? 70 : 8)) {
		at += put_tag(r, 4, frame + at);
		if (or_chance(r, 15))
			at += put_tag(r, 40, frame + at);
	}
	put16(frame + at, or_chance(r, 97) ? 0x0800 : or_below(r, 0x10000));
	if (or_chance(r, 60))
		put_ip(r, frame + at + 2);
	if (len < at + 2 && !strange)
		len = at + 2;
	if (strange && or_chance(r, 40)) {
		uint32_t total = choose_wrong_length(r, p->hdr_len);

		if (total > p->hdr_len + len)
			fill(r, frame + len, total - p->hdr_len - len);
		return total;
	}
	return p->hdr_len + len;
}
