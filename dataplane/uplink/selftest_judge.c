/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What came back, byte by byte.
 *
 * DOC: theory of operation
 *
 * A frame is right if it is equal to one of those that its packet was to become, but for zeros
 * behind its end, where Ethernet's shortest frame is longer. Which one is not asked of its
 * sequence number, which may be what is wrong: it is compared with each. One that is equal to none
 * is taken for the first that is still missing, and the field that differs is named.
 */
#include "dataplane/uplink/selftest.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
	L3 = RTE_ETHER_HDR_LEN,
	FRAME_MIN = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN,
};

/* A field of a header; the last one of a table has no bytes, and stands for all that is left. */
struct field {
	const char *name;
	uint16_t at;
	uint16_t len;
};

static const struct field in_ether[] = {
	{"Ethernet header", 0, L3},
	{NULL, 0, 0},
};

static const struct field in_ipv4[] = {
	{"IPv4 total length", offsetof(struct rte_ipv4_hdr, total_length), 2},
	{"IPv4 id", offsetof(struct rte_ipv4_hdr, packet_id), 2},
	{"rest of the IPv4 header", 0, offsetof(struct rte_ipv4_hdr, hdr_checksum)},
	{"IPv4 addresses", offsetof(struct rte_ipv4_hdr, src_addr), 8},
	{"IPv4 header checksum", offsetof(struct rte_ipv4_hdr, hdr_checksum), 2},
	{NULL, 0, 0},
};

static const struct field in_ipv6[] = {
	{"IPv6 payload length", offsetof(struct rte_ipv6_hdr, payload_len), 2},
	{"IPv6 header", 0, sizeof(struct rte_ipv6_hdr)},
	{NULL, 0, 0},
};

static const struct field in_tcp[] = {
	{"TCP sequence number", offsetof(struct rte_tcp_hdr, sent_seq), 4},
	{"TCP flags", offsetof(struct rte_tcp_hdr, tcp_flags), 1},
	{"rest of the TCP header", 0, offsetof(struct rte_tcp_hdr, cksum)},
	{NULL, 0, 0},
};

static const struct field in_udp[] = {
	{"UDP length", offsetof(struct rte_udp_hdr, dgram_len), 2},
	{"UDP ports", 0, 4},
	{NULL, 0, 0},
};

static uint16_t l4_of(const struct vs_selftest_packet *p)
{
	return (uint16_t)(L3 + (p->spec.ip == 4 ? sizeof(struct rte_ipv4_hdr)
						: sizeof(struct rte_ipv6_hdr)));
}

/* May a frame of @want bytes have come as @len? */
static bool length_fits(uint32_t want, uint32_t len)
{
	return len == want || (want < FRAME_MIN && len == FRAME_MIN);
}

static bool is_equal(const struct vs_selftest_got *got, const uint8_t *want, uint32_t len)
{
	return length_fits(len, got->len) && len <= sizeof(got->bytes) &&
	       memcmp(got->bytes, want, len) == 0;
}

static const struct field *first_wrong(const struct field *fields, const uint8_t *got,
				       const uint8_t *want)
{
	for (; fields->name; fields++) {
		if (memcmp(got + fields->at, want + fields->at, fields->len) != 0)
			return fields;
	}
	return NULL;
}

/* "is 0012, not 0013": bytes as they stand in the frame. */
static void put_hex(const uint8_t *at, uint16_t len, char *text, size_t size)
{
	size_t used = 0;
	uint16_t i;

	text[0] = '\0';
	for (i = 0; i < len && used + 3 < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%02x", at[i]);
}

static void put_field(const struct field *field, const uint8_t *got, const uint8_t *want, char *why,
		      size_t size)
{
	char is[16];
	char should[16];

	if (field->len > 4) {
		(void)snprintf(why, size, "%s is not as it was sent", field->name);
		return;
	}
	put_hex(got + field->at, field->len, is, sizeof(is));
	put_hex(want + field->at, field->len, should, sizeof(should));
	(void)snprintf(why, size, "%s is %s, not %s", field->name, is, should);
}

/* All of a frame of the right length is compared, the checksum behind what it is computed of. */
static void explain(const struct vs_selftest_packet *p, const uint8_t *got, const uint8_t *want,
		    uint32_t len, char *why, size_t size)
{
	const bool tcp = p->spec.proto == IPPROTO_TCP;
	const struct field csum = {
		tcp ? "TCP checksum" : "UDP checksum",
		tcp ? offsetof(struct rte_tcp_hdr, cksum)
		    : offsetof(struct rte_udp_hdr, dgram_cksum),
		2,
	};
	const uint16_t l4 = l4_of(p);
	const uint16_t payload =
		(uint16_t)(l4 + (tcp ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr)));
	const struct {
		const struct field *fields;
		uint16_t at;
	} layers[] = {
		{in_ether, 0},
		{p->spec.ip == 4 ? in_ipv4 : in_ipv6, L3},
		{tcp ? in_tcp : in_udp, l4},
	};
	const struct field *wrong;
	unsigned int i;

	for (i = 0; i < RTE_DIM(layers); i++) {
		wrong = first_wrong(layers[i].fields, got + layers[i].at, want + layers[i].at);
		if (wrong) {
			put_field(wrong, got + layers[i].at, want + layers[i].at, why, size);
			return;
		}
	}
	if (memcmp(got + payload, want + payload, len - payload) != 0) {
		(void)snprintf(why, size, "payload or TCP options are not as they were sent");
		return;
	}
	put_field(&csum, got + l4, want + l4, why, size);
}

static void diagnose(const struct vs_selftest_packet *p, unsigned int i,
		     const struct vs_selftest_got *got, const uint8_t *want, uint32_t len,
		     char *why, size_t size)
{
	char what[128];

	if (length_fits(len, got->len) && len <= sizeof(got->bytes))
		explain(p, got->bytes, want, len, what, sizeof(what));
	else
		(void)snprintf(what, sizeof(what), "it has %u bytes, not %u", got->len, len);
	if (p->spec.mss)
		(void)snprintf(why, size, "%s, segment %u of %u: %s", p->spec.what, i + 1, p->n,
			       what);
	else
		(void)snprintf(why, size, "%s: %s", p->spec.what, what);
}

bool vs_selftest_judge(struct vs_selftest_packet *p, const struct vs_selftest_addrs *addrs,
		       const struct vs_selftest_got *got, uint8_t *scratch, char *why, size_t size)
{
	unsigned int missing = p->n;
	bool again = false;
	unsigned int i;
	uint32_t len;

	for (i = 0; i < p->n; i++) {
		const bool seen = p->seen & UINT64_C(1) << i;

		len = vs_selftest_want(p, addrs, i, scratch);
		if (is_equal(got, scratch, len)) {
			if (!seen) {
				p->seen |= UINT64_C(1) << i;
				return true;
			}
			again = true;
		}
		if (!seen && missing == p->n)
			missing = i;
	}
	if (again) {
		p->twice++;
		return true;
	}
	if (missing == p->n)
		missing = p->n - 1u;
	len = vs_selftest_want(p, addrs, missing, scratch);
	diagnose(p, missing, got, scratch, len, why, size);
	return false;
}
