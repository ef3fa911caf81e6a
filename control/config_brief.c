/* SPDX-License-Identifier: BSD-3-Clause */
/* Records without what a command would do anyway: as a user would write them. */
#include "control/config.h"

#include "control/port_kind.h"
#include "control/tlv.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <string.h>

/** struct usual - what a command does where nothing is said */
struct usual {
	const struct vs_kind_ops *kind; /* of a port */
	enum vs_vlan vlan_mode;
	const char *name;
};

static bool is_zero(const struct nlattr *attr)
{
	static const struct rte_ether_addr zero;

	return mnl_attr_get_payload_len(attr) == sizeof(zero) &&
	       memcmp(mnl_attr_get_payload(attr), &zero, sizeof(zero)) == 0;
}

static bool is_all_vlans(const struct nlattr *attr)
{
	struct vs_range range;

	return mnl_attr_get_payload_len(attr) == sizeof(range) && vs_tlv_range(attr, 0, &range) &&
	       range.first == 1 && range.last == VS_VIDS_MAX - 2;
}

static bool is_usual_number(enum vs_attr type, uint32_t number, const struct usual *u)
{
	switch (type) {
	case VS_ATTR_SHARE:
	case VS_ATTR_LINK:
	case VS_ATTR_QUEUES:
		return number == 1;
	case VS_ATTR_MODE:
		return number == VS_MODE_CLIENT;
	case VS_ATTR_MODERATION:
		return number == VS_MODERATION_OFF;
	case VS_ATTR_FDB_SIZE:
		return number == VS_FDB_SIZE_DEFAULT;
	case VS_ATTR_FDB_AGEING:
		return number == VS_FDB_AGEING_DEFAULT_S;
	case VS_ATTR_MTU:
		return number == (u->kind ? u->kind->mtu : 0);
	case VS_ATTR_STORM_PPS:
		return u->kind && number == u->kind->storm_pps;
	case VS_ATTR_MAX_MACS:
		return u->kind && number == u->kind->max_macs;
	case VS_ATTR_VMQ_WEIGHT:
		return number == VS_VMQ_WEIGHT_DEFAULT;
	case VS_ATTR_VMQ:
	case VS_ATTR_VMQ_QUEUES:
	case VS_ATTR_PRIORITY:
	case VS_ATTR_VLAN:
	case VS_ATTR_OFFLOAD_OFF:
		return number == 0;
	default:
		return false;
	}
}

static bool is_usual(const struct nlattr *attr, const struct usual *u)
{
	enum vs_attr type = (enum vs_attr)mnl_attr_get_type(attr);

	switch (type) {
	case VS_ATTR_FORCE:
		return true;
	case VS_ATTR_VM:
	case VS_ATTR_IFNAME:
		/* The interface of a guest is always named. */
		return strcmp(vs_tlv_str(attr), u->name) == 0 &&
		       (type == VS_ATTR_VM || (u->kind && u->kind->role == VS_ROLE_HOST));
	case VS_ATTR_PLACE:
		return strcmp(vs_tlv_str(attr), "auto") == 0;
	case VS_ATTR_ADDRS:
		return vs_tlv_str(attr)[0] == '\0';
	case VS_ATTR_MAC:
		return is_zero(attr) && u->kind && !u->kind->needs_mac;
	case VS_ATTR_CLUSTER:
		return is_zero(attr);
	default:
		return vs_attr_spec(type)->type == VS_TLV_U32 &&
		       is_usual_number(type, vs_tlv_u32(attr), u);
	}
}

/* VLANs are said as a whole or not at all. */
static bool has_usual_vlans(const struct nlattr *const *tb, const struct usual *u)
{
	if (!tb[VS_ATTR_VLAN_MODE] || vs_tlv_u32(tb[VS_ATTR_VLAN_MODE]) != u->vlan_mode ||
	    tb[VS_ATTR_VLAN])
		return false;
	if (u->vlan_mode == VS_VLAN_MODE_TRUNK)
		return tb[VS_ATTR_VLANS] && is_all_vlans(tb[VS_ATTR_VLANS]);
	return true;
}

static struct usual usual_of(const struct nlmsghdr *record, const struct nlattr *const *tb)
{
	struct usual u = {
		.vlan_mode = VS_VLAN_MODE_UNTAGGED,
		.name = tb[VS_ATTR_NAME] ? vs_tlv_str(tb[VS_ATTR_NAME]) : "",
	};
	enum vs_port_kind kind = VS_PORT_GUEST;

	switch (vs_msg_cmd(record)) {
	case VS_CMD_PORT_SET:
		/* Only of the one kind, an MTU is in the record (control/config.c). */
		kind = tb[VS_ATTR_MTU] ? VS_PORT_DPDK : VS_PORT_XDP;
		u.vlan_mode = VS_VLAN_MODE_TRUNK;
		break;
	case VS_CMD_PORT_NEW:
		if (tb[VS_ATTR_KIND] && vs_tlv_u32(tb[VS_ATTR_KIND]) == VS_KIND_HOST)
			kind = VS_PORT_HOST;
		else if (tb[VS_ATTR_IFNAME])
			kind = VS_PORT_PACKET;
		break;
	default:
		return u;
	}
	u.kind = vs_kind_of(kind);
	return u;
}

static bool is_of_vlans(unsigned int type)
{
	return type == VS_ATTR_VLAN_MODE || type == VS_ATTR_VLAN || type == VS_ATTR_VLANS;
}

int vs_config_brief(const struct nlmsghdr *record, void *buf, size_t size)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	unsigned int said = 0;
	bool usual_vlans;
	struct usual u;
	struct vs_msg msg;
	unsigned int i;

	if (vs_answer_parse(record, tb) != 0)
		return -EBADMSG;
	u = usual_of(record, tb);
	usual_vlans = has_usual_vlans(tb, &u);
	vs_msg_init(&msg, buf, size, (enum vs_cmd)vs_msg_cmd(record));
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		if (!tb[i])
			continue;
		/* Of a static address, the VLAN stands for itself. */
		if (is_of_vlans(i) && tb[VS_ATTR_VLAN_MODE] ? usual_vlans : is_usual(tb[i], &u))
			continue;
		vs_msg_put_bytes(&msg, (enum vs_attr)i, mnl_attr_get_payload(tb[i]),
				 mnl_attr_get_payload_len(tb[i]));
		said++;
	}
	if (msg.error)
		return msg.error;
	return vs_msg_cmd(record) != VS_CMD_PORT_SET || said > 1;
}
