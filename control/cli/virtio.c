/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/virtio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <stdio.h>
#include <string.h>

/* vhost's own; the number is from the vhost-user specification. */
#define VHOST_LOG_ALL 26
#define VHOST_PROTOCOL_FEATURES 30

/* virtio 1.1, sections 5.1.3 and 6, in their spelling without the prefix. */
static const char *const names[64] = {
	[VIRTIO_NET_F_CSUM] = "csum",
	[VIRTIO_NET_F_GUEST_CSUM] = "guest_csum",
	[VIRTIO_NET_F_MTU] = "mtu",
	[VIRTIO_NET_F_MAC] = "mac",
	[VIRTIO_NET_F_GUEST_TSO4] = "guest_tso4",
	[VIRTIO_NET_F_GUEST_TSO6] = "guest_tso6",
	[VIRTIO_NET_F_GUEST_ECN] = "guest_ecn",
	[VIRTIO_NET_F_GUEST_UFO] = "guest_ufo",
	[VIRTIO_NET_F_HOST_TSO4] = "host_tso4",
	[VIRTIO_NET_F_HOST_TSO6] = "host_tso6",
	[VIRTIO_NET_F_HOST_ECN] = "host_ecn",
	[VIRTIO_NET_F_HOST_UFO] = "host_ufo",
	[VIRTIO_NET_F_MRG_RXBUF] = "mrg_rxbuf",
	[VIRTIO_NET_F_STATUS] = "status",
	[VIRTIO_NET_F_CTRL_VQ] = "ctrl_vq",
	[VIRTIO_NET_F_CTRL_RX] = "ctrl_rx",
	[VIRTIO_NET_F_CTRL_VLAN] = "ctrl_vlan",
	[VIRTIO_NET_F_GUEST_ANNOUNCE] = "guest_announce",
	[VIRTIO_NET_F_MQ] = "mq",
	[VIRTIO_NET_F_CTRL_MAC_ADDR] = "ctrl_mac_addr",
	[VIRTIO_F_NOTIFY_ON_EMPTY] = "notify_on_empty",
	[VHOST_LOG_ALL] = "log_all",
	[VIRTIO_F_ANY_LAYOUT] = "any_layout",
	[VIRTIO_RING_F_INDIRECT_DESC] = "indirect_desc",
	[VIRTIO_RING_F_EVENT_IDX] = "event_idx",
	[VHOST_PROTOCOL_FEATURES] = "protocol_features",
	[VIRTIO_F_VERSION_1] = "version_1",
	[33] = "iommu_platform",
	[VIRTIO_F_RING_PACKED] = "ring_packed",
	[VIRTIO_F_ORDER_PLATFORM] = "order_platform",
	/* virtio 1.2; older headers do not name them */
	[54] = "guest_uso4",
	[55] = "guest_uso6",
	[56] = "host_uso",
};

static void name_of(unsigned int bit, char *text, size_t size)
{
	if (names[bit])
		snprintf(text, size, "%s", names[bit]);
	else
		snprintf(text, size, "bit%u", bit);
}

void features_format(uint64_t bits, char *text, size_t size)
{
	unsigned int bit;
	size_t len = 0;

	snprintf(text, size, "-");
	for (bit = 0; bit < 64; bit++) {
		char name[32];

		if (!(bits >> bit & 1))
			continue;
		name_of(bit, name, sizeof(name));
		if (len + strlen(name) + 2 > size)
			return;
		len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " " : "", name);
	}
}

json_t *features_json(uint64_t bits)
{
	json_t *array = json_array();
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		char name[32];

		if (!(bits >> bit & 1))
			continue;
		name_of(bit, name, sizeof(name));
		if (json_array_append_new(array, json_string(name)))
			break;
	}
	return array;
}
