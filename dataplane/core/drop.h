/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reasons for which a frame is dropped. There is no other way to lose a frame: whoever
 * drops one names its reason here, and the name, the side and the sentence below are what
 * `vmswitch drops show` prints. A new reason is one line.
 *
 * Side IN is counted at the port the frame came from, side OUT at the port it was meant for
 * (one count per copy of a flood).
 */
#ifndef VS_CORE_DROP_H
#define VS_CORE_DROP_H

#include <stdint.h>

/* clang-format off */
#define VS_DROP_REASONS(X) \
	X(VNET_SHORT,     "vnet_short",     IN,  "buffer chain shorter than the virtio-net header") \
	X(CHAIN_BYTES,    "chain_bytes",    IN,  "buffer chain longer than a 64 KiB frame with its headers") \
	X(CHAIN_DESCS,    "chain_descs",    IN,  "frame scattered over too many descriptors") \
	X(RUNT,           "runt",           IN,  "frame shorter than an Ethernet header") \
	X(OFFLOAD_DENIED, "offload_denied", IN,  "virtio-net header asks for an offload that was not negotiated") \
	X(CSUM_RANGE,     "csum_range",     IN,  "virtio-net header wants a checksum outside of the frame's headers") \
	X(GSO_HEADER,     "gso_header",     IN,  "virtio-net header wants segments of a kind that the frame's headers are not") \
	X(GSO_SIZE,       "gso_size",       IN,  "virtio-net header wants segments of less than 48 bytes, or too many of them") \
	X(LINK_DOWN,      "link_down",      IN,  "the sending port is set down (port set NAME link up)") \
	X(MTU_IN,         "mtu_in",         IN,  "frame longer than the MTU of the port that sent it (port set NAME mtu N)") \
	X(VLAN_SHORT,     "vlan_short",     IN,  "frame ends inside its VLAN tag") \
	X(VLAN_TAGGED,    "vlan_tagged",    IN,  "tagged frame from a port that may only send untagged ones") \
	X(VLAN_DENIED,    "vlan_denied",    IN,  "tagged frame of a VLAN that the port may not send to (port set NAME vlan trunk LIST)") \
	X(VLAN_SERVICE,   "vlan_service",   IN,  "frame with an 802.1ad service tag: the switch sorts by 802.1Q tags only") \
	X(VLAN_UNUSED,    "vlan_unused",    IN,  "frame of a VLAN that no other port of the switch is on") \
	X(FRAME_CUT,      "frame_cut",      IN,  "frame longer than the switch's receive buffer for this interface") \
	X(SRC_INVALID,    "src_invalid",    IN,  "source address is zero or a group address") \
	X(SPOOF,          "spoof",          IN,  "source address is not the one given to this port (port set NAME mac MAC|any)") \
	X(RESERVED_MAC,   "reserved_mac",   IN,  "link-local destination 01-80-C2-00-00-0x, which no switch forwards") \
	X(HAIRPIN,        "hairpin",        IN,  "destination is behind the port the frame came from") \
	X(STORM,          "storm",          IN,  "broadcast, multicast and unknown unicast beyond the storm limit (port set NAME storm PPS)") \
	X(FLOOD_BUDGET,   "flood_budget",   IN,  "flood copies beyond the byte budget of one visit to this port") \
	X(NO_RECEIVER,    "no_receiver",    IN,  "flooded, but no other port of the switch is up") \
	X(UNKNOWN_UNICAST, "unknown_unicast", IN, "destination unknown, and the switch floods no such frames there (switch set NAME unknown flood)") \
	X(NVGRE_HEADER,   "nvgre_header",   IN,  "packet for a provider address whose IP header is none: wrong version, or of less than 20 bytes") \
	X(NVGRE_OPTIONS,  "nvgre_options",  IN,  "packet for a provider address with IPv4 options or IPv6 extension headers") \
	X(NVGRE_CSUM,     "nvgre_csum",     IN,  "packet for a provider address whose IPv4 header has a wrong checksum") \
	X(NVGRE_FRAGMENT, "nvgre_fragment", IN,  "fragment of a tunnel packet: the underlay's MTU is too small (mtu show)") \
	X(NVGRE_SHORT,    "nvgre_short",    IN,  "tunnel packet that ends inside its headers, or is shorter than its IP header says") \
	X(NVGRE_LOCAL,    "nvgre_local",    IN,  "tunnel packet that says it comes from a provider address of this host, or from one that no host has") \
	X(NVGRE_FLAGS,    "nvgre_flags",    IN,  "GRE header with other flags than a key, or another version: not NVGRE") \
	X(NVGRE_PROTO,    "nvgre_proto",    IN,  "GRE header whose protocol type is not 6558, Ethernet: not NVGRE") \
	X(NVGRE_VSID,     "nvgre_vsid",     IN,  "tunnel packet with a reserved virtual subnet (0 to 4095, 16777215)") \
	X(NVGRE_UNKNOWN_VSID, "nvgre_unknown_vsid", IN, "tunnel packet of a virtual subnet that this switch does not have (subnet add)") \
	X(NVGRE_TAGGED,   "nvgre_tagged",   IN,  "tunnel packet whose inner frame has a VLAN tag, which RFC 7637 forbids") \
	X(NVGRE_ECN,      "nvgre_ecn",      IN,  "congestion on the way to a tenant's packet that cannot be told of it but by its loss (RFC 6040)") \
	X(PA_PROTO,       "pa_proto",       IN,  "packet for a provider address that is no NVGRE, ARP, neighbour discovery or ICMP") \
	X(PA_ADDRESS,     "pa_address",     IN,  "packet for a provider address's MAC, but not for that address") \
	X(PA_MISMATCH,    "pa_mismatch",    IN,  "tenant's frame from another provider address than the source's lookup record says (subnet set VSID strict off)") \
	X(ARP_BAD,        "arp_bad",        IN,  "tenant's ARP packet that is cut, or not of Ethernet and IPv4") \
	X(ND_BAD,         "nd_bad",         IN,  "tenant's neighbour discovery that RFC 4861 tells receivers to ignore, or IPv6 that may hide such") \
	X(ROUTER_SPOOF,   "router_spoof",   IN,  "source address is that of the tenants' router") \
	X(GATEWAY_SPOOF,  "gateway_spoof",  IN,  "ARP or neighbour discovery by which somebody else than the router claims to be a gateway") \
	X(ROUTER_HEADER,  "router_header",  IN,  "frame for the tenants' router that is no IP packet, or one with a wrong header") \
	X(MARTIAN,        "martian",        IN,  "packet for the tenants' router with an address that is not routed (RFC 1812, 5.3.7)") \
	X(TO_ROUTER,      "to_router",      IN,  "packet for a gateway's address that is no echo request: nothing else is there") \
	X(TTL_EXCEEDED,   "ttl_exceeded",   IN,  "time to live of a tenant's packet was over, and no error could be sent about it") \
	X(NO_ROUTE,       "no_route",       IN,  "no customer route to the destination (route add), and no error could be sent about it") \
	X(NO_LOOKUP_RECORD, "no_lookup_record", IN, "nobody is known to have the customer's address (record add), and no error could be sent about it") \
	X(MTU_TUNNEL,     "mtu_tunnel",     IN,  "tenant's frame too long for the tunnel, and no error could be sent about it (mtu show)") \
	X(PORT_DOWN,      "port_down",      OUT, "the destination port is down (port show NAME says why)") \
	X(MTU_OUT,        "mtu_out",        OUT, "frame longer than the MTU of the destination port (port set NAME mtu N)") \
	X(VLAN_OUT,       "vlan_out",       OUT, "the destination port is not on the frame's VLAN, or would get it without the first of its two tags (port set NAME vlan)") \
	X(NO_PEER,        "no_peer",        OUT, "tenant's frame for the tunnel, but no lookup record says to which host (record add)") \
	X(PA_UNRESOLVED,  "pa_unresolved",  OUT, "the provider address's next hop does not answer, or enough frames wait for it (nvgre peers)") \
	X(COPY_BUDGET,    "copy_budget",    OUT, "more copies for other hosts than one visit to the sending port may have made of its frames") \
	X(GSO_FAILED,     "gso_failed",     OUT, "what the frame owes could not be settled for a port that cannot take it as it is") \
	X(CUT_BUDGET,     "cut_budget",     OUT, "more segments than one visit to the sending port may have made of its frames") \
	X(RX_FULL,        "rx_full",        OUT, "the guest has no free receive buffer: it is too slow, or its ring too short (rx_queue_size=1024)") \
	X(RX_SMALL,       "rx_small",       OUT, "the guest's receive buffer is too small for the frame: lower the sender's MTU to the receiver's") \
	X(RX_PIECES,      "rx_pieces",      OUT, "the guest's receive buffers are tiny: too many of them for one frame or burst") \
	X(RING_BROKEN,    "ring_broken",    OUT, "the guest's receive ring broke the rules and is detached (port show NAME says which)") \
	X(TX_BUSY,        "tx_busy",        OUT, "other workers were writing to the destination port for so long that no buffer was left to wait in") \
	X(MEM_LOST,       "mem_lost",       OUT, "guest memory went away while the frame was copied: its file was truncated, or no hugepage is left") \
	X(HOST_FULL,      "host_full",      OUT, "the host, or the VMM behind the interface, takes frames too slowly") \
	X(HOST_DOWN,      "host_down",      OUT, "the interface in the host is down or gone (ip link set dev IFNAME up)") \
	X(UPLINK_FULL,    "uplink_full",    OUT, "the network card takes frames too slowly") \
	X(UPLINK_SIZE,    "uplink_size",    OUT, "frame longer than the uplink can send (port show NAME gives its MTU)") \
	X(UPLINK_DOWN,    "uplink_down",    OUT, "the uplink has no carrier, or its interface is down")
/* clang-format on */

/** Reasons; VS_DROP_NONE is "not dropped" and is never counted. */
enum vs_drop {
	VS_DROP_NONE,
#define X(id, name, side, text) VS_DROP_##id,
	VS_DROP_REASONS(X) VS_DROP_COUNT,
#undef X
};

/** At which port a reason is counted. */
enum vs_drop_side {
	VS_DROP_SIDE_IN,
	VS_DROP_SIDE_OUT,
};

/**
 * vs_drop_name() - the name of a reason as the user sees it
 * @reason:	any value; an unknown one gives "unknown"
 *
 * Return: a static string, never NULL.
 */
const char *vs_drop_name(enum vs_drop reason);

/**
 * vs_drop_text() - one sentence that says what happened and what to do about it
 * @reason:	any value
 *
 * Return: a static string, never NULL.
 */
const char *vs_drop_text(enum vs_drop reason);

/**
 * vs_drop_side() - at which port a reason is counted
 * @reason:	a reason other than VS_DROP_NONE
 */
enum vs_drop_side vs_drop_side(enum vs_drop reason);

#endif
