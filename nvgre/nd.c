/* SPDX-License-Identifier: BSD-3-Clause */
#include "nvgre/nd.h"

#include "nvgre/sum.h"

#include <stddef.h>

enum {
	/* Only who is on the link can send it (RFC 4861, 3.1). */
	HOP_LIMIT = 255,
	/* What guests put into their packets (RFC 1700's default). */
	CUR_HOP_LIMIT = 64,
	LIFETIME_MAX = 65535,
	/* Units of an option's length. */
	OPTION_UNIT = 8,
	/* Addresses are made of prefixes of so many bits (RFC 4862, 5.5.3; RFC 2464, 4). */
	AUTO_BITS = 64,
	/* What links of IPv6 have at least (RFC 8200, 5); less would be ignored. */
	MTU_MIN = 1280,
	/* Route information (RFC 4191, 2.3), which no header of the C library names. */
	OPTION_ROUTE = 24,
};

static const struct vs_ip unspecified;
static const struct vs_ip all_nodes = {.b = {0xff, 0x02, [15] = 1}};

/* struct option_link - source or target link-layer address (RFC 4861, 4.6.1) */
struct option_link {
	uint8_t type;
	uint8_t units;
	struct rte_ether_addr mac;
};

/* struct option_route - without a prefix: the default route (RFC 4191, 2.3) */
struct option_route {
	uint8_t type;
	uint8_t units;
	uint8_t prefix_len;
	uint8_t flags;
	rte_be32_t lifetime;
};

_Static_assert(sizeof(struct option_link) == OPTION_UNIT, "one unit");
_Static_assert(sizeof(struct option_route) == OPTION_UNIT, "one unit");
_Static_assert(VS_INNER_L3 + sizeof(struct rte_ipv6_hdr) + sizeof(struct nd_router_advert) +
			       sizeof(struct option_link) + sizeof(struct nd_opt_mtu) +
			       sizeof(struct nd_opt_prefix_info) + sizeof(struct option_route) <=
		       VS_HDR_BYTES,
	       "a router advertisement is a header");

uint8_t vs_nd_type(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	return pkt->hdr[in->l4];
}

bool vs_nd_is(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	if (in->version != 6 || in->proto != IPPROTO_ICMPV6 || in->fragment == VS_FRAGMENT_LATER ||
	    in->l4 >= pkt->hdr_len || in->l4 >= in->end)
		return false;
	return vs_nd_type(pkt, in) >= ND_ROUTER_SOLICIT && vs_nd_type(pkt, in) <= ND_REDIRECT;
}

/* Is the checksum right, or owed? */
static bool is_summed(const struct vs_pkt *pkt, const struct vs_inner *in)
{
	if (vs_debt_owes(&pkt->debt))
		return pkt->debt.csum_start == in->l4 &&
		       pkt->debt.csum_offset == offsetof(struct icmp6_hdr, icmp6_cksum);
	return vs_sum_icmp6((const void *)(pkt->hdr + VS_INNER_L3), pkt->hdr + in->l4,
			    in->end - in->l4) == UINT16_MAX;
}

static uint16_t fixed_part(uint8_t type)
{
	static const uint8_t bytes[] = {
		[ND_ROUTER_SOLICIT] = sizeof(struct nd_router_solicit),
		[ND_ROUTER_ADVERT] = sizeof(struct nd_router_advert),
		[ND_NEIGHBOR_SOLICIT] = sizeof(struct nd_neighbor_solicit),
		[ND_NEIGHBOR_ADVERT] = sizeof(struct nd_neighbor_advert),
		[ND_REDIRECT] = sizeof(struct nd_redirect),
	};

	return bytes[type];
}

/*
 * Walk over the options; each takes 8 bytes at least. Return: false: one is empty or too long.
 * @ret_source: whether there is a source link-layer address
 */
static bool walk_options(struct vs_cursor *c, bool *ret_source)
{
	bool source = false;

	while (c->left) {
		const uint8_t *option = vs_cursor_take(c, OPTION_UNIT);

		if (!option || option[1] == 0 || !vs_cursor_take(c, (option[1] - 1u) * OPTION_UNIT))
			return false;
		source |= option[0] == ND_OPT_SOURCE_LINKADDR;
	}
	*ret_source = source;
	return true;
}

/* The solicited-node address of @target (RFC 4291, 2.7.1)? */
static bool is_solicited_node(const struct vs_ip *dst, const struct vs_ip *target)
{
	static const uint8_t prefix[13] = {0xff, 0x02, [11] = 1, [12] = 0xff};

	return memcmp(dst->b, prefix, sizeof(prefix)) == 0 &&
	       memcmp(dst->b + sizeof(prefix), target->b + sizeof(prefix), 3) == 0;
}

/* What is said of single fields; @source: there is a source link-layer address. */
static bool is_sane(const struct vs_inner *in, const struct vs_nd *nd, bool source)
{
	if (nd->type == ND_ROUTER_SOLICIT)
		return !(vs_nd_is_probe(nd) && source);
	if (nd->type == ND_NEIGHBOR_SOLICIT)
		return nd->target.b[0] != 0xff &&
		       (!vs_nd_is_probe(nd) ||
			(!source && is_solicited_node(&in->dst, &nd->target)));
	return nd->target.b[0] != 0xff;
}

bool vs_nd_read(const struct vs_pkt *pkt, const struct vs_inner *in, struct vs_nd *ret)
{
	struct vs_cursor c = {.at = pkt->hdr + in->l4};
	struct vs_nd nd = {.src = in->src};
	const uint8_t *message;
	bool source;

	if (in->end > pkt->hdr_len || in->ttl != HOP_LIMIT || in->fragment)
		return false;
	nd.type = vs_nd_type(pkt, in);
	c.left = in->end - in->l4;
	message = vs_cursor_take(&c, fixed_part(nd.type));
	if (!message || message[1] != 0 || in->src.b[0] == 0xff || !is_summed(pkt, in))
		return false;
	if (nd.type == ND_NEIGHBOR_SOLICIT || nd.type == ND_NEIGHBOR_ADVERT)
		nd.target =
			vs_ip_make6(message + offsetof(struct nd_neighbor_solicit, nd_ns_target));
	if (!walk_options(&c, &source) || !is_sane(in, &nd, source))
		return false;
	*ret = nd;
	return true;
}

bool vs_nd_is_probe(const struct vs_nd *nd)
{
	return vs_ip_equal(&nd->src, &unspecified);
}

struct vs_ip vs_nd_link_local(const struct rte_ether_addr *mac)
{
	const uint8_t *b = mac->addr_bytes;

	return (struct vs_ip){.b = {0xfe, 0x80, [8] = b[0] ^ RTE_ETHER_LOCAL_ADMIN_ADDR, b[1], b[2],
				    0xff, 0xfe, b[3], b[4], b[5]}};
}

const struct vs_prefix *vs_nd_gateway(const struct vs_subnet *subnet)
{
	unsigned int i;

	for (i = 0; i < subnet->n_gateways; i++) {
		if (!vs_ip_is4(&subnet->gateway[i].ip))
			return &subnet->gateway[i];
	}
	return NULL;
}

/* Ethernet and IPv6 headers of an answer to @asked, for a message of @len bytes. */
static void begin(struct vs_answer *answer, const struct vs_pkt *pkt, const struct vs_nd *asked,
		  const struct vs_ip *src, const struct rte_ether_addr *mac, uint16_t len)
{
	static const struct rte_ether_addr all = {{0x33, 0x33, 0, 0, 0, 1}};
	bool probe = vs_nd_is_probe(asked);

	vs_answer_ether(answer, probe ? &all : &vs_l2_eth(pkt)->src_addr, mac, RTE_ETHER_TYPE_IPV6);
	vs_answer_ip6(answer, src, probe ? &all_nodes : &asked->src, HOP_LIMIT, len);
}

static void add_link(struct vs_answer *answer, uint8_t type, const struct rte_ether_addr *mac)
{
	struct option_link *link = vs_answer_add(answer, sizeof(*link));

	*link = (struct option_link){.type = type, .units = 1, .mac = *mac};
}

void vs_nd_answer(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_nd *asked,
		  const struct rte_ether_addr *mac, enum vs_nd_role role)
{
	struct nd_neighbor_advert *na;
	struct vs_answer answer;
	uint32_t flags = ND_NA_FLAG_OVERRIDE;

	if (role == VS_ND_IS_ROUTER)
		flags |= ND_NA_FLAG_ROUTER;
	if (!vs_nd_is_probe(asked))
		flags |= ND_NA_FLAG_SOLICITED;
	begin(&answer, pkt, asked, &asked->target, mac, sizeof(*na) + sizeof(struct option_link));
	na = vs_answer_add(&answer, sizeof(*na));
	na->nd_na_type = ND_NEIGHBOR_ADVERT;
	na->nd_na_flags_reserved = flags;
	memcpy(&na->nd_na_target, asked->target.b, sizeof(na->nd_na_target));
	add_link(&answer, ND_OPT_TARGET_LINKADDR, mac);
	vs_answer_sum6(&answer);
	vs_answer_place(&answer, pkt, slot);
}

static void add_mtu(struct vs_answer *answer, uint16_t bytes)
{
	struct nd_opt_mtu *mtu = vs_answer_add(answer, sizeof(*mtu));

	mtu->nd_opt_mtu_type = ND_OPT_MTU;
	mtu->nd_opt_mtu_len = 1;
	mtu->nd_opt_mtu_mtu = rte_cpu_to_be_32(bytes);
}

static void add_prefix(struct vs_answer *answer, const struct vs_prefix *gateway)
{
	struct nd_opt_prefix_info *info = vs_answer_add(answer, sizeof(*info));
	uint8_t *bytes = (uint8_t *)&info->nd_opt_pi_prefix;
	unsigned int i;

	info->nd_opt_pi_type = ND_OPT_PREFIX_INFORMATION;
	info->nd_opt_pi_len = sizeof(*info) / OPTION_UNIT;
	info->nd_opt_pi_prefix_len = gateway->len;
	info->nd_opt_pi_flags_reserved = ND_OPT_PI_FLAG_ONLINK;
	if (gateway->len == AUTO_BITS)
		info->nd_opt_pi_flags_reserved |= ND_OPT_PI_FLAG_AUTO;
	info->nd_opt_pi_valid_time = UINT32_MAX;
	info->nd_opt_pi_preferred_time = UINT32_MAX;
	for (i = 0; i < gateway->len; i++)
		bytes[i / 8] |= (uint8_t)(gateway->ip.b[i / 8] & (0x80 >> i % 8));
}

static void add_default_route(struct vs_answer *answer)
{
	struct option_route *route = vs_answer_add(answer, sizeof(*route));

	*route = (struct option_route){.type = OPTION_ROUTE, .units = 1, .lifetime = UINT32_MAX};
}

void vs_nd_answer_router(struct vs_pkt *pkt, struct vs_hdr_slot *slot, const struct vs_nd *asked,
			 const struct vs_subnet *subnet)
{
	const struct vs_ip src = vs_nd_link_local(&subnet->router);
	uint16_t len = sizeof(struct nd_router_advert) + sizeof(struct option_link) +
		       sizeof(struct nd_opt_prefix_info) + sizeof(struct option_route);
	bool say_mtu = subnet->ca_mtu >= MTU_MIN;
	struct nd_router_advert *ra;
	struct vs_answer answer;

	if (say_mtu)
		len = (uint16_t)(len + sizeof(struct nd_opt_mtu));
	begin(&answer, pkt, asked, &src, &subnet->router, len);
	ra = vs_answer_add(&answer, sizeof(*ra));
	ra->nd_ra_type = ND_ROUTER_ADVERT;
	ra->nd_ra_curhoplimit = CUR_HOP_LIMIT;
	ra->nd_ra_router_lifetime = rte_cpu_to_be_16(LIFETIME_MAX);
	add_link(&answer, ND_OPT_SOURCE_LINKADDR, &subnet->router);
	if (say_mtu)
		add_mtu(&answer, subnet->ca_mtu);
	add_prefix(&answer, vs_nd_gateway(subnet));
	add_default_route(&answer);
	vs_answer_sum6(&answer);
	vs_answer_place(&answer, pkt, slot);
}
