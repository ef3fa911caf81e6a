/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settings of a network card, asked and changed with the kernel's ethtool calls.
 */
#ifndef VS_UPLINK_NIC_H
#define VS_UPLINK_NIC_H

#include <stdint.h>

/*
 * Offloads that must be off on an uplink: what they take out of a frame, or put together, is gone
 * before XDP sees it. The names are the kernel's.
 */
/* clang-format off */
#define VS_NIC_FEATURES(X) \
	X(RXVLAN,     "rx-vlan-hw-parse",      "takes the VLAN tag out of frames (ethtool -K IFNAME rxvlan off)") \
	X(RXVLAN_STAG, "rx-vlan-stag-hw-parse", "takes service tags out of frames") \
	X(LRO,        "rx-lro",                "puts frames together (ethtool -K IFNAME lro off)") \
	X(GRO_HW,     "rx-gro-hw",             "puts frames together (ethtool -K IFNAME rx-gro-hw off)")
/* clang-format on */

enum vs_nic_feature {
#define X(id, name, text) VS_NIC_##id,
	VS_NIC_FEATURES(X) VS_NIC_FEATURE_COUNT,
#undef X
};

/** struct vs_nic_features - which of them an interface has on, and which can be changed */
struct vs_nic_features {
	uint32_t on;         /* bit per enum vs_nic_feature */
	uint32_t changeable; /* bit per enum vs_nic_feature */
};

/** vs_nic_feature_name() - the kernel's name of a feature. */
const char *vs_nic_feature_name(enum vs_nic_feature feature);

/** vs_nic_feature_text() - what it does to frames, and how to turn it off. */
const char *vs_nic_feature_text(enum vs_nic_feature feature);

/**
 * vs_nic_get_features() - read them; a driver that has none of them gives none
 * Return: 0, or -errno.
 */
int vs_nic_get_features(uint32_t ifindex, struct vs_nic_features *ret_features);

/**
 * vs_nic_set_features() - turn those in @mask on or off as @on says
 *
 * What a driver cannot do it leaves as it is, without an error: read them back.
 *
 * Return: 0, or -errno.
 */
int vs_nic_set_features(uint32_t ifindex, uint32_t mask, uint32_t on);

/**
 * vs_nic_queues() - receive queues in use, as the driver says.
 * Return: it, 0: not told, or -errno.
 */
int vs_nic_queues(uint32_t ifindex);

/**
 * vs_nic_open_promisc() - let the card pass frames to any address
 *
 * The kernel counts who wants that, and takes this one's wish back when the descriptor is closed,
 * by whatever end of the process.
 *
 * Return: descriptor, or -errno.
 */
int vs_nic_open_promisc(uint32_t ifindex);

#endif
