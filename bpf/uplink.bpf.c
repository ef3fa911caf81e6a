/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's half of an xdp uplink.
 *
 * DOC: theory of operation
 *
 * Without sharing there is one program, vs_sort, and all it does is to hand each frame to an
 * AF_XDP socket of its hw queue. With no socket there (the switch is dead) the frame is dropped:
 * the interface is not the host's.
 *
 * A hw queue has one socket for each queue that frames are sorted into (doc/vmq.md), and one, the
 * default, for everything that no filter matches. The VLAN of a frame is read from its tag, for XDP
 * is not told of tags that a driver has taken out: such drivers are kept from doing so
 * (dataplane/uplink/nic.h).
 *
 * With sharing, the host keeps its address on the interface, and host and switch are two stations
 * on the same wire. XDP can give a frame to one side only, so the other ways lead through a
 * helper TAP, whose other end the switch holds:
 *
 *	     wire
 *	      |
 *	   vs_sort --- unicast to others -------------------> AF_XDP sockets --> switch
 *	      | own address, group
 *	  vs_nic_in --- copy of group -------> TAP (vs_tap_out) ---------------> switch
 *	      |
 *	     host's stack  <--- vs_tap_in <--- TAP <---------------------------- switch
 *	      |
 *	  vs_nic_out --- copy of group, unicast to a station behind ---> TAP --> switch
 *	      |
 *	     wire
 *
 * Who is behind the switch is learnt from what the switch sends to the host, and forgotten when
 * the wire says otherwise. What the switch sends to the wire passes none of these programs.
 *
 * VS_BPF_MARK keeps a frame from going round: vs_tap_in marks what it gives to the interface, so
 * that vs_nic_in does not copy it back, and vs_tap_out lets marked frames through and no others
 * (a daemon that talks on every interface it finds must not be heard as the wire).
 */
#include "bpf/uplink.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	VID_MASK = 0x0fff,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vs_bpf_config);
} vs_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VS_BPF_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} vs_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, VS_BPF_BEHIND_MAX);
	__type(key, struct vs_bpf_station);
	__type(value, __u8);
} vs_behind SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, VS_BPF_QUEUES_MAX *VS_BPF_HW_QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} vs_sockets SEC(".maps");

/* Queue by {destination, VLAN}. Not pinned: redirects end with the switch that made them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VS_BPF_FILTERS_MAX);
	__type(key, struct vs_bpf_station);
	__type(value, __u32);
} vs_filters SEC(".maps");

static __always_inline void count(enum vs_bpf_counter which)
{
	__u32 key = which;
	__u64 *value = bpf_map_lookup_elem(&vs_counters, &key);

	if (value)
		(*value)++;
}

static __always_inline const struct vs_bpf_config *config(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&vs_config, &key);
}

static __always_inline int is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline int is_own(const __u8 *mac, const struct vs_bpf_config *cfg)
{
	__u8 differ = 0;
	int i;

	for (i = 0; i < ETH_ALEN; i++)
		differ |= mac[i] ^ cfg->mac[i];
	return !differ;
}

static __always_inline void learn(const struct vs_bpf_station *station)
{
	__u8 one = 1;

	if (is_group(station->mac) || bpf_map_lookup_elem(&vs_behind, station))
		return;
	if (bpf_map_update_elem(&vs_behind, station, &one, BPF_ANY) == 0)
		count(VS_BPF_LEARNT);
}

static __always_inline void forget(const struct vs_bpf_station *station)
{
	if (!bpf_map_lookup_elem(&vs_behind, station))
		return;
	if (bpf_map_delete_elem(&vs_behind, station) == 0)
		count(VS_BPF_FORGOTTEN);
}

/*
 * The queue that a frame for the switch falls into: as vmq/classify.c has it, which has the last
 * word. A tag without a VLAN is no tag; what has another kind of tag matches no filter.
 */
static __always_inline __u32 sort(const struct vs_bpf_config *cfg, const struct ethhdr *eth,
				  const void *end)
{
	const __be16 *tci = (const void *)(eth + 1);
	struct vs_bpf_station key = {.vid = cfg->vid};
	const __u32 *queue;

	if (eth->h_proto == bpf_htons(ETH_P_8021AD))
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_8021Q)) {
		__u16 vid;

		/* With the type behind the tag: one that ends before it has none. */
		if ((const void *)(tci + 2) > end)
			return 0;
		vid = bpf_ntohs(*tci) & VID_MASK;
		if (vid)
			key.vid = vid;
	}
	__builtin_memcpy(key.mac, eth->h_dest, ETH_ALEN);
	queue = bpf_map_lookup_elem(&vs_filters, &key);
	return queue ? *queue : 0;
}

/*
 * Give a frame to the switch: by the queue that it falls into, or by the default one, where that
 * has no socket on this hw queue. @nobody: verdict if the switch is not there.
 */
static __always_inline int give(const struct xdp_md *xdp, __u32 queue, enum xdp_action nobody)
{
	int verdict = XDP_ABORTED;

	if (queue)
		verdict = bpf_redirect_map(&vs_sockets, vs_bpf_socket(queue, xdp->rx_queue_index),
					   XDP_ABORTED);
	if (verdict == XDP_REDIRECT)
		count(VS_BPF_TO_QUEUE);
	else
		verdict = bpf_redirect_map(&vs_sockets, vs_bpf_socket(0, xdp->rx_queue_index),
					   nobody);
	count(verdict == XDP_REDIRECT ? VS_BPF_TO_SWITCH : VS_BPF_NO_SWITCH);
	return verdict;
}

/* The source of a frame from the wire, its tag still in front. */
static __always_inline struct vs_bpf_station source(const struct ethhdr *eth, const void *end)
{
	const __be16 *tci = (const void *)(eth + 1);
	struct vs_bpf_station station = {};

	__builtin_memcpy(station.mac, eth->h_source, ETH_ALEN);
	if (eth->h_proto == bpf_htons(ETH_P_8021Q) && (const void *)(tci + 1) <= end)
		station.vid = bpf_ntohs(*tci) & VID_MASK;
	return station;
}

SEC("xdp")
int vs_sort(struct xdp_md *xdp)
{
	const struct vs_bpf_config *cfg = config();
	const void *end = (const void *)(long)xdp->data_end;
	const struct ethhdr *eth = (const void *)(long)xdp->data;

	if (!cfg)
		return XDP_PASS;
	if ((const void *)(eth + 1) > end) {
		count(VS_BPF_RUNT);
		return XDP_DROP;
	}
	if (cfg->share) {
		struct vs_bpf_station station;

		if (is_group(eth->h_dest))
			return XDP_PASS;
		if (is_own(eth->h_dest, cfg)) {
			count(VS_BPF_TO_HOST);
			return XDP_PASS;
		}
		station = source(eth, end);
		forget(&station);
	}
	return give(xdp, cfg->sort ? sort(cfg, eth, end) : 0, cfg->share ? XDP_PASS : XDP_DROP);
}

/* VLAN of a frame in the stack, whose tag is beside it, or in it still, or not there. */
static __always_inline __u16 vid_of(struct __sk_buff *skb)
{
	__be16 tag[2];

	if (skb->vlan_present)
		return skb->vlan_tci & VID_MASK;
	if (skb->protocol != bpf_htons(ETH_P_8021Q) ||
	    bpf_skb_load_bytes_relative(skb, 2 * ETH_ALEN, tag, sizeof(tag), BPF_HDR_START_MAC) ||
	    tag[0] != bpf_htons(ETH_P_8021Q))
		return 0;
	return bpf_ntohs(tag[1]) & VID_MASK;
}

/* Addresses of a frame in the stack. Return: 0, or less: it has none. */
static __always_inline int addresses(struct __sk_buff *skb, __u8 *dst, struct vs_bpf_station *src)
{
	if (bpf_skb_load_bytes_relative(skb, 0, dst, ETH_ALEN, BPF_HDR_START_MAC) ||
	    bpf_skb_load_bytes_relative(skb, ETH_ALEN, src->mac, ETH_ALEN, BPF_HDR_START_MAC))
		return -1;
	src->vid = vid_of(skb);
	return 0;
}

/* An Ethernet header as words of skb->cb. */
union header {
	struct ethhdr eth;
	__u32 word[4];
};

/*
 * Where the stack runs vs_sort it may make a frame anew, and forgets how long its Ethernet header
 * is (skb->mac_len, kernels from 6.8 on): a copy then begins behind it. Such a copy carries its
 * header beside it, and vs_tap_out puts it back. Return: the mark for a copy of this frame.
 */
static __always_inline __u32 mark_for_copy(struct __sk_buff *skb)
{
	union header mac = {};
	union header data = {};
	__u32 differ = 0;
	int i;

	if (bpf_skb_load_bytes_relative(skb, 0, &mac.eth, ETH_HLEN, BPF_HDR_START_MAC))
		return VS_BPF_MARK;
	/* A frame that is all header has no data there: bare, too. */
	(void)bpf_skb_load_bytes(skb, 0, &data.eth, ETH_HLEN);
	for (i = 0; i < 4; i++)
		differ |= mac.word[i] ^ data.word[i];
	if (!differ)
		return VS_BPF_MARK;
	skb->cb[0] = mac.word[0];
	skb->cb[1] = mac.word[1];
	skb->cb[2] = mac.word[2];
	skb->cb[3] = mac.word[3];
	return VS_BPF_MARK_BARE;
}

/* Copy a frame to the helper TAP. */
static __always_inline int copy(struct __sk_buff *skb, const struct vs_bpf_config *cfg)
{
	__u32 mark = skb->mark;
	long err;

	skb->mark = mark_for_copy(skb);
	err = bpf_clone_redirect(skb, cfg->tap, 0);
	skb->mark = mark;
	return err ? -1 : 0;
}

SEC("tc")
int vs_nic_in(struct __sk_buff *skb)
{
	const struct vs_bpf_config *cfg = config();
	struct vs_bpf_station src = {};
	__u8 dst[ETH_ALEN];

	if (skb->mark == VS_BPF_MARK) {
		skb->mark = 0;
		return TC_ACT_UNSPEC;
	}
	if (!cfg || !cfg->share || addresses(skb, dst, &src))
		return TC_ACT_UNSPEC;
	forget(&src);
	if (!is_group(dst))
		return TC_ACT_UNSPEC;
	count(VS_BPF_GROUP);
	if (copy(skb, cfg))
		count(VS_BPF_GROUP_LOST);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int vs_nic_out(struct __sk_buff *skb)
{
	const struct vs_bpf_config *cfg = config();
	struct vs_bpf_station src = {};
	struct vs_bpf_station to = {};

	if (!cfg || !cfg->share || addresses(skb, to.mac, &src))
		return TC_ACT_UNSPEC;
	if (is_group(to.mac)) {
		count(VS_BPF_HOST_GROUP);
		if (copy(skb, cfg))
			count(VS_BPF_GROUP_LOST);
		return TC_ACT_UNSPEC;
	}
	to.vid = src.vid;
	if (!bpf_map_lookup_elem(&vs_behind, &to))
		return TC_ACT_UNSPEC;
	count(VS_BPF_HOST_TO_SWITCH);
	skb->mark = VS_BPF_MARK;
	return bpf_redirect(cfg->tap, 0);
}

SEC("tc")
int vs_tap_in(struct __sk_buff *skb)
{
	const struct vs_bpf_config *cfg = config();
	struct vs_bpf_station src = {};
	__u8 dst[ETH_ALEN];

	if (!cfg || addresses(skb, dst, &src))
		return TC_ACT_SHOT;
	learn(&src);
	count(VS_BPF_SWITCH_TO_HOST);
	skb->mark = VS_BPF_MARK;
	return bpf_redirect(cfg->nic, BPF_F_INGRESS);
}

SEC("tc")
int vs_tap_out(struct __sk_buff *skb)
{
	union header mac = {};

	if (skb->mark == VS_BPF_MARK)
		return TC_ACT_OK;
	if (skb->mark != VS_BPF_MARK_BARE) {
		count(VS_BPF_STRAY);
		return TC_ACT_SHOT;
	}
	mac.word[0] = skb->cb[0];
	mac.word[1] = skb->cb[1];
	mac.word[2] = skb->cb[2];
	mac.word[3] = skb->cb[3];
	if (bpf_skb_change_head(skb, ETH_HLEN, 0) ||
	    bpf_skb_store_bytes(skb, 0, &mac.eth, ETH_HLEN, 0)) {
		count(VS_BPF_GROUP_LOST);
		return TC_ACT_SHOT;
	}
	return TC_ACT_OK;
}

/* The kernel lends its helpers to programs whose licence says so in these words. */
char vs_license[] SEC("license") = "Dual BSD/GPL";
