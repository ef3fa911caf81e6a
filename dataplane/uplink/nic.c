/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/uplink/nic.h"

#include "dataplane/uplink/link.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	WORD_BITS = 32,
	STRINGS_MAX = 1024,
};

const char *vs_nic_feature_name(enum vs_nic_feature feature)
{
	static const char *const name[] = {
#define X(id, name, text) name,
		VS_NIC_FEATURES(X)
#undef X
	};

	return name[feature];
}

const char *vs_nic_feature_text(enum vs_nic_feature feature)
{
	static const char *const text[] = {
#define X(id, name, text) text,
		VS_NIC_FEATURES(X)
#undef X
	};

	return text[feature];
}

/* One ethtool call; @data begins with the command. Return: 0, or -errno. */
static int call(uint32_t ifindex, void *data)
{
	struct ifreq ifr = {.ifr_data = data};
	int fd;
	int err;

	err = vs_link_name(ifindex, ifr.ifr_name);
	if (err)
		return err;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A driver may answer more than 0. */
	err = ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	(void)close(fd);
	return err;
}

/* How many features the kernel knows. Return: it, or -errno. */
static int count_features(uint32_t ifindex)
{
	struct ethtool_sset_info *ask = calloc(1, sizeof(*ask) + sizeof(ask->data[0]));
	int result;

	if (!ask)
		return -ENOMEM;
	ask->cmd = ETHTOOL_GSSET_INFO;
	ask->sset_mask = 1ull << ETH_SS_FEATURES;
	result = call(ifindex, ask);
	if (!result && (!ask->sset_mask || ask->data[0] == 0 || ask->data[0] > STRINGS_MAX))
		result = -EOPNOTSUPP;
	if (!result)
		result = (int)ask->data[0];
	free(ask);
	return result;
}

/* Number of each of our features among the kernel's @n, or -1. */
static int number_features(uint32_t ifindex, uint32_t n, int number[VS_NIC_FEATURE_COUNT])
{
	struct ethtool_gstrings *strings;
	uint32_t i;
	int err;
	int f;

	strings = calloc(1, sizeof(*strings) + (size_t)n * ETH_GSTRING_LEN);
	if (!strings)
		return -ENOMEM;
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = n;
	err = call(ifindex, strings);
	for (f = 0; f < VS_NIC_FEATURE_COUNT; f++)
		number[f] = -1;
	for (i = 0; !err && i < n * VS_NIC_FEATURE_COUNT; i++) {
		const char *name = (const char *)strings->data +
				   (size_t)(i / VS_NIC_FEATURE_COUNT) * ETH_GSTRING_LEN;

		f = (int)(i % VS_NIC_FEATURE_COUNT);
		if (strncmp(name, vs_nic_feature_name((enum vs_nic_feature)f), ETH_GSTRING_LEN) ==
		    0)
			number[f] = (int)(i / VS_NIC_FEATURE_COUNT);
	}
	free(strings);
	return err;
}

static int get_blocks(uint32_t ifindex, uint32_t n, int number[VS_NIC_FEATURE_COUNT],
		      struct vs_nic_features *ret)
{
	uint32_t words = (n + WORD_BITS - 1) / WORD_BITS;
	struct ethtool_gfeatures *get;
	int err;
	int f;

	get = calloc(1, sizeof(*get) + words * sizeof(get->features[0]));
	if (!get)
		return -ENOMEM;
	get->cmd = ETHTOOL_GFEATURES;
	get->size = words;
	err = call(ifindex, get);
	for (f = 0; !err && f < VS_NIC_FEATURE_COUNT; f++) {
		const struct ethtool_get_features_block *block;
		uint32_t bit;

		if (number[f] < 0)
			continue;
		block = &get->features[number[f] / WORD_BITS];
		bit = 1u << (number[f] % WORD_BITS);
		if (block->active & bit)
			ret->on |= 1u << f;
		if ((block->available & bit) && !(block->never_changed & bit))
			ret->changeable |= 1u << f;
	}
	free(get);
	return err;
}

int vs_nic_get_features(uint32_t ifindex, struct vs_nic_features *ret_features)
{
	struct vs_nic_features features = {0};
	int number[VS_NIC_FEATURE_COUNT];
	int n = count_features(ifindex);
	int err;

	if (n < 0)
		return n;
	err = number_features(ifindex, (uint32_t)n, number);
	if (!err)
		err = get_blocks(ifindex, (uint32_t)n, number, &features);
	if (!err)
		*ret_features = features;
	return err;
}

int vs_nic_set_features(uint32_t ifindex, uint32_t mask, uint32_t on)
{
	int number[VS_NIC_FEATURE_COUNT];
	struct ethtool_sfeatures *set;
	int n = count_features(ifindex);
	uint32_t words;
	int err;
	int f;

	if (n < 0)
		return n;
	err = number_features(ifindex, (uint32_t)n, number);
	if (err)
		return err;
	words = ((uint32_t)n + WORD_BITS - 1) / WORD_BITS;
	set = calloc(1, sizeof(*set) + words * sizeof(set->features[0]));
	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = words;
	for (f = 0; f < VS_NIC_FEATURE_COUNT; f++) {
		struct ethtool_set_features_block *block;
		uint32_t bit;

		if (number[f] < 0 || !(mask & (1u << f)))
			continue;
		block = &set->features[number[f] / WORD_BITS];
		bit = 1u << (number[f] % WORD_BITS);
		block->valid |= bit;
		if (on & (1u << f))
			block->requested |= bit;
	}
	err = call(ifindex, set);
	free(set);
	return err;
}

int vs_nic_queues(uint32_t ifindex)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int err = call(ifindex, &channels);

	if (err == -EOPNOTSUPP)
		return 0;
	return err ? err : (int)(channels.combined_count + channels.rx_count);
}

int vs_nic_open_promisc(uint32_t ifindex)
{
	const struct packet_mreq wish = {.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};
	/* Protocol 0: it receives nothing itself. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wish, sizeof(wish)) != 0) {
		err = -errno;
		(void)close(fd);
		return err;
	}
	return fd;
}
