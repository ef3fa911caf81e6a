/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keeping the host's network stack off an interface.
 *
 * DOC: theory of operation
 *
 * An interface without an address is not yet out of the host's reach: Linux answers ARP for any
 * of its addresses on any interface, takes broadcasts, and a guest could so talk to the host past
 * the switch. So a filter drops whatever comes in on the interface (hook of the clsact queueing
 * discipline, tc-bpf(8)), and a second one whatever the host sends out on it:
 *
 *	VMM writes -> interface -> packet sockets (the switch) -> ingress filter: dropped
 *	host sends -> egress filter: dropped;  switch sends (PACKET_QDISC_BYPASS) -> VMM reads
 *
 * Packet sockets stand before the ingress hook, and a socket that bypasses queueing disciplines
 * does not meet the egress one. The filters belong to the interface: they hold while the switch
 * is away, too.
 *
 * The program is one instruction of classic BPF, "return TC_ACT_SHOT", in direct-action mode.
 */
#include "dataplane/host/rtnl.h"

#include <libmnl/libmnl.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

enum {
	/* Of our two filters, so that they are found again: priority (any that nobody else is
	 * likely to pick, and low enough to come first) and handle. */
	FILTER_PRIORITY = 1,
	FILTER_HANDLE = 0x7673,
};

static struct nlmsghdr *tc_message(char *buf, uint16_t type, int ifindex, struct tcmsg **ret_tc)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	*ret_tc = mnl_nlmsg_put_extra_header(nlh, sizeof(**ret_tc));
	(*ret_tc)->tcm_family = AF_UNSPEC;
	(*ret_tc)->tcm_ifindex = ifindex;
	return nlh;
}

static int add_clsact(struct vs_rtnl *rtnl, int ifindex)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct tcmsg *tc;
	struct nlmsghdr *nlh = tc_message(buf, RTM_NEWQDISC, ifindex, &tc);

	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	tc->tcm_parent = TC_H_CLSACT;
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
	return vs_rtnl_call(rtnl, nlh, NULL, NULL);
}

static int filter_call(struct vs_rtnl *rtnl, uint16_t type, int ifindex, uint32_t hook)
{
	const struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT);
	_Alignas(struct nlmsghdr) char buf[512];
	struct nlattr *options;
	struct tcmsg *tc;
	struct nlmsghdr *nlh = tc_message(buf, type, ifindex, &tc);

	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, hook);
	tc->tcm_info = TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL));
	tc->tcm_handle = FILTER_HANDLE;
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	if (type == RTM_NEWTFILTER) {
		nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
		options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
		mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
		mnl_attr_put_u16(nlh, TCA_BPF_OPS_LEN, 1);
		mnl_attr_put(nlh, TCA_BPF_OPS, sizeof(drop), &drop);
		mnl_attr_nest_end(nlh, options);
	}
	return vs_rtnl_call(rtnl, nlh, NULL, NULL);
}

int vs_rtnl_block(struct vs_rtnl *rtnl, int ifindex)
{
	int err = add_clsact(rtnl, ifindex);

	if (err && err != -EEXIST)
		return err;
	err = filter_call(rtnl, RTM_NEWTFILTER, ifindex, TC_H_MIN_INGRESS);
	if (err && err != -EEXIST)
		return err;
	err = filter_call(rtnl, RTM_NEWTFILTER, ifindex, TC_H_MIN_EGRESS);
	return err == -EEXIST ? 0 : err;
}

int vs_rtnl_unblock(struct vs_rtnl *rtnl, int ifindex)
{
	int err = filter_call(rtnl, RTM_DELTFILTER, ifindex, TC_H_MIN_INGRESS);
	int err2 = filter_call(rtnl, RTM_DELTFILTER, ifindex, TC_H_MIN_EGRESS);

	return err ? err : err2;
}
