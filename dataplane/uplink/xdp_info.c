/* SPDX-License-Identifier: BSD-3-Clause */
/* What an xdp uplink tells of itself. */
#include "dataplane/uplink/nic.h"
#include "dataplane/uplink/xdp_obj.h"

#include <stdio.h>
#include <string.h>

const char *vs_xdp_state_name(enum vs_xdp_state state)
{
	switch (state) {
	case VS_XDP_RUNNING:
		return "running";
	case VS_XDP_NO_CARRIER:
		return "no-carrier";
	case VS_XDP_DOWN:
		return "down";
	case VS_XDP_GONE:
		return "gone";
	}
	return "unknown";
}

const char *vs_xdp_counter_name(unsigned int which)
{
	static const char *const name[] = {
#define X(id, name, text) name,
		VS_BPF_COUNTERS(X)
#undef X
	};

	return which < VS_BPF_COUNTER_COUNT ? name[which] : "unknown";
}

enum vs_xdp_state vs_xdp_state_of(const struct vs_xdp *x)
{
	if (x->gone)
		return VS_XDP_GONE;
	if (!(x->link.flags & IFF_UP))
		return VS_XDP_DOWN;
	return x->wire ? VS_XDP_RUNNING : VS_XDP_NO_CARRIER;
}

static void describe_running(const struct vs_xdp *x, uint32_t mtu_max, char *text, size_t size)
{
	int queues = vs_nic_queues(x->link.index);
	const char *ifname = x->link.name;
	int f;

	if (x->link.prog_id != x->prog.id)
		(void)snprintf(text, size,
			       "somebody put another XDP program (id %u) in the place of the "
			       "switch's: add the uplink again",
			       x->link.prog_id);
	else if (x->link.mtu > mtu_max)
		(void)snprintf(text, size,
			       "MTU %u was set, longer frames than that of MTU %u do not pass "
			       "(ip link set dev %s mtu %u)",
			       x->link.mtu, mtu_max, ifname, mtu_max);
	else if (queues > 0 && (uint32_t)queues != x->set.n)
		(void)snprintf(text, size,
			       "the number of queues was changed from %u to %d (ethtool -L): add the "
			       "uplink again, so that all are served",
			       x->set.n, queues);
	for (f = 0; !text[0] && f < VS_NIC_FEATURE_COUNT; f++) {
		if (x->features_wrong & (1u << f))
			(void)snprintf(text, size, "somebody turned %s on again, which %s",
				       vs_nic_feature_name((enum vs_nic_feature)f),
				       vs_nic_feature_text((enum vs_nic_feature)f));
	}
}

static void describe(const struct vs_xdp *x, enum vs_xdp_state state, uint32_t mtu_max, char *text,
		     size_t size)
{
	text[0] = '\0';
	switch (state) {
	case VS_XDP_GONE:
		(void)snprintf(text, size,
			       "interface %s was removed: when it is back, add the uplink again",
			       x->link.name);
		break;
	case VS_XDP_DOWN:
		(void)snprintf(text, size, "interface %s was set down (ip link set dev %s up)",
			       x->link.name, x->link.name);
		break;
	case VS_XDP_NO_CARRIER:
		(void)snprintf(text, size,
			       "interface %s has no carrier: is the cable in, and the other end up?",
			       x->link.name);
		break;
	case VS_XDP_RUNNING:
		describe_running(x, mtu_max, text, size);
		break;
	}
}

static uint64_t missed(const struct vs_xdp *x)
{
	uint64_t n = vs_xq_set_missed(&x->set);
	uint32_t i;

	for (i = 0; i < x->n_queues * x->set.n; i++)
		n += vs_xq_in_missed(&x->queue[i / x->set.n].in[i % x->set.n]);
	return n;
}

void vs_xdp_info(const struct vs_xdp *x, struct vs_xdp_info *ret_info)
{
	*ret_info = (struct vs_xdp_info){
		.state = vs_xdp_state_of(x),
		.share = x->share,
		.mac = x->link.mac,
		.ifindex = x->link.index,
		.mtu = x->link.mtu,
		.mtu_max = vs_xq_frame_max(&x->set) - RTE_ETHER_HDR_LEN - RTE_VLAN_HLEN,
		.queues = x->set.n,
		.prog_id = x->prog.id,
		.native = x->prog.native,
		.zero_copy = x->set.zero_copy,
		.multi_buffer = x->set.multi_buffer,
		.taken_over = x->prog.taken_over,
		.carrier = !x->gone && x->link.carrier,
		.missed = missed(x),
	};
	(void)snprintf(ret_info->ifname, sizeof(ret_info->ifname), "%s", x->link.name);
	describe(x, ret_info->state, ret_info->mtu_max, ret_info->problem,
		 sizeof(ret_info->problem));
	vs_xprog_read_counters(&x->prog, ret_info->counters);
}
