/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/guest/vhost.h"

#include "dataplane/core/clock.h"

#include <rte_bitops.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Offloads: what fixup settles towards any port (doc/offload.md). */
const uint64_t vs_vhost_features =
	RTE_BIT64(VIRTIO_NET_F_CSUM) | RTE_BIT64(VIRTIO_NET_F_GUEST_CSUM) |
	RTE_BIT64(VIRTIO_NET_F_HOST_TSO4) | RTE_BIT64(VIRTIO_NET_F_HOST_TSO6) |
	RTE_BIT64(VIRTIO_NET_F_HOST_ECN) | RTE_BIT64(VIRTIO_NET_F_HOST_USO) |
	RTE_BIT64(VIRTIO_NET_F_GUEST_TSO4) | RTE_BIT64(VIRTIO_NET_F_GUEST_TSO6) |
	RTE_BIT64(VIRTIO_NET_F_GUEST_ECN) | RTE_BIT64(VIRTIO_NET_F_GUEST_USO4) |
	RTE_BIT64(VIRTIO_NET_F_GUEST_USO6) | RTE_BIT64(VIRTIO_NET_F_GUEST_ANNOUNCE) |
	RTE_BIT64(VIRTIO_F_VERSION_1) | RTE_BIT64(VIRTIO_NET_F_MRG_RXBUF) |
	RTE_BIT64(VIRTIO_RING_F_INDIRECT_DESC) | RTE_BIT64(VIRTIO_RING_F_EVENT_IDX) |
	RTE_BIT64(VIRTIO_NET_F_MQ) | RTE_BIT64(VIRTIO_NET_F_MTU) |
	RTE_BIT64(VS_VHOST_F_PROTOCOL_FEATURES);

const uint64_t vs_vhost_protocol = RTE_BIT64(VS_VHOST_PROTOCOL_F_MQ) |
				   RTE_BIT64(VS_VHOST_PROTOCOL_F_REPLY_ACK) |
				   RTE_BIT64(VS_VHOST_PROTOCOL_F_NET_MTU);

/** How a message is answered. */
enum answer {
	ANSWER_ACK,  /* only when NEED_REPLY asks for it */
	ANSWER_OWN,  /* always, with a payload of its own */
	ANSWER_LOST, /* refused, and its sender would wait for an answer of its own */
};

typedef int (*handler)(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
		       struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);

enum {
	SIZE_ANY = UINT16_MAX, /* the handler checks it */
	FDS_ANY = UINT8_MAX,
};

/** One row of the allow-list; a message without a row, or without a handler, is refused. */
struct rule {
	handler handle;
	uint16_t size; /* bytes of payload, exactly */
	uint8_t fds;   /* descriptors, exactly */
	uint8_t answer;
};

static const char *const names[VS_VHOST_REQUEST_COUNT] = {
#define X(name, number) [number] = #name,
	VS_VHOST_REQUESTS(X)
#undef X
};

void vs_vhost_fd_close(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void vs_vhost_fds_close(struct vs_vhost_fds *fds)
{
	vs_reap_close(fds->reap, fds->fd, fds->n);
	fds->n = 0;
}

int vs_vhost_refuse(struct vs_vhost *dev, const char *why)
{
	(void)snprintf(dev->problem, sizeof(dev->problem), "%s", why);
	return -EINVAL;
}

static void reply_u64(struct vs_vhost_msg *reply, uint64_t value)
{
	reply->size = sizeof(value);
	reply->payload.u64 = value;
}

static int get_features(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	reply_u64(reply, vs_vhost_features);
	return 0;
}

static int set_features(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	uint64_t features = msg->payload.u64;
	uint32_t i;

	if (features & ~vs_vhost_features)
		return vs_vhost_refuse(dev, "a feature bit that was not offered");
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++)
		if (vs_vring_runs(&dev->vring[i]) && features != dev->features)
			return vs_vhost_refuse(dev, "other feature bits while a ring runs");
	dev->features = features;
	dev->features_ms = vs_clock_ms();
	dev->has_features = true;
	return 0;
}

/* SET_OWNER has nothing to say to a device with one socket; RESET_OWNER is deprecated. */
static int ignore(struct vs_vhost *dev, const struct vs_vhost_msg *msg, struct vs_vhost_fds *fds,
		  struct vs_vhost_msg *reply)
{
	return 0;
}

static int get_protocol_features(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
				 struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	reply_u64(reply, vs_vhost_protocol);
	return 0;
}

static int set_protocol_features(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
				 struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	if (msg->payload.u64 & ~vs_vhost_protocol)
		return vs_vhost_refuse(dev, "a protocol feature bit that was not offered");
	dev->protocol = msg->payload.u64;
	return 0;
}

static int get_queue_num(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			 struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	reply_u64(reply, VS_GUEST_PAIRS_MAX);
	return 0;
}

/* What the VMM tells its guest (host_mtu). Taken as it is: the port's own MTU is what holds. */
static int net_set_mtu(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
		       struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	uint64_t mtu = msg->payload.u64;

	if (!(dev->protocol & RTE_BIT64(VS_VHOST_PROTOCOL_F_NET_MTU)))
		return vs_vhost_refuse(dev, "NET_MTU was not negotiated");
	if (mtu < VS_MTU_MIN || mtu > VS_MTU_MAX)
		return vs_vhost_refuse(dev, "no MTU: 68 to 65535");
	/* Control makes as much of a change as of a ring that stops. */
	dev->graces += dev->mtu != mtu;
	dev->mtu = (uint32_t)mtu;
	return 0;
}

static const struct rule rules[VS_VHOST_REQUEST_COUNT] = {
	[VS_VHOST_GET_FEATURES] = {get_features, 0, 0, ANSWER_OWN},
	[VS_VHOST_SET_FEATURES] = {set_features, 8, 0, ANSWER_ACK},
	[VS_VHOST_SET_OWNER] = {ignore, 0, 0, ANSWER_ACK},
	[VS_VHOST_RESET_OWNER] = {ignore, 0, 0, ANSWER_ACK},
	[VS_VHOST_SET_MEM_TABLE] = {vs_vhost_set_mem_table, SIZE_ANY, FDS_ANY, ANSWER_ACK},
	[VS_VHOST_SET_VRING_NUM] = {vs_vhost_set_vring_num, 8, 0, ANSWER_ACK},
	[VS_VHOST_SET_VRING_ADDR] = {vs_vhost_set_vring_addr, 40, 0, ANSWER_ACK},
	[VS_VHOST_SET_VRING_BASE] = {vs_vhost_set_vring_base, 8, 0, ANSWER_ACK},
	[VS_VHOST_GET_VRING_BASE] = {vs_vhost_get_vring_base, 8, 0, ANSWER_OWN},
	[VS_VHOST_SET_VRING_KICK] = {vs_vhost_set_vring_fd, 8, FDS_ANY, ANSWER_ACK},
	[VS_VHOST_SET_VRING_CALL] = {vs_vhost_set_vring_fd, 8, FDS_ANY, ANSWER_ACK},
	[VS_VHOST_SET_VRING_ERR] = {vs_vhost_set_vring_fd, 8, FDS_ANY, ANSWER_ACK},
	[VS_VHOST_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, 0, ANSWER_OWN},
	[VS_VHOST_SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, 0, ANSWER_ACK},
	[VS_VHOST_GET_QUEUE_NUM] = {get_queue_num, 0, 0, ANSWER_OWN},
	[VS_VHOST_SET_VRING_ENABLE] = {vs_vhost_set_vring_enable, 8, 0, ANSWER_ACK},
	[VS_VHOST_NET_SET_MTU] = {net_set_mtu, 8, 0, ANSWER_ACK},
	[VS_VHOST_GET_CONFIG] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_CREATE_CRYPTO_SESSION] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_POSTCOPY_ADVISE] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_POSTCOPY_END] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_GET_INFLIGHT_FD] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_GET_MAX_MEM_SLOTS] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_GET_STATUS] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_GET_SHARED_OBJECT] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_SET_DEVICE_STATE_FD] = {NULL, 0, 0, ANSWER_LOST},
	[VS_VHOST_CHECK_DEVICE_STATE] = {NULL, 0, 0, ANSWER_LOST},
};

static const struct rule unknown = {NULL, 0, 0, ANSWER_ACK};

/* Shape first, then the handler. Return: 0, or -errno with dev->problem set. */
static int apply(struct vs_vhost *dev, const struct rule *rule, const struct vs_vhost_msg *msg,
		 struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	if (!rule->handle)
		return vs_vhost_refuse(dev, "not supported, and not offered");
	if (rule->size != SIZE_ANY && msg->size != rule->size)
		return vs_vhost_refuse(dev, "a payload of the wrong size");
	if (rule->fds != FDS_ANY && fds->n != rule->fds)
		return vs_vhost_refuse(dev, "descriptors that do not belong to it");
	return rule->handle(dev, msg, fds, reply);
}

/* Count and tell; puts the name of the message in front of dev->problem. */
static void note_refusal(struct vs_vhost *dev, uint32_t request)
{
	const char *name = request < VS_VHOST_REQUEST_COUNT ? names[request] : NULL;
	char why[sizeof(dev->problem)];
	char number[24];

	(void)snprintf(why, sizeof(why), "%s", dev->problem);
	(void)snprintf(number, sizeof(number), "message %u", request);
	(void)snprintf(dev->problem, sizeof(dev->problem), "%s refused: %.80s",
		       name ? name : number, why);
	dev->refused++;
	vs_log_limited(&dev->limit, VS_LOG_WARNING, "port %s: %s", dev->name, dev->problem);
}

enum vs_vhost_result vs_vhost_handle(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
				     struct vs_vhost_fds *fds, struct vs_vhost_msg *reply)
{
	const struct rule *rule = &unknown;
	enum vs_vhost_result result;
	bool acked;
	int err;

	if (msg->request < VS_VHOST_REQUEST_COUNT)
		rule = &rules[msg->request];

	reply->request = msg->request;
	reply->flags = VS_VHOST_VERSION | VS_VHOST_IS_REPLY;
	reply->size = 0;

	err = apply(dev, rule, msg, fds, reply);
	vs_vhost_fds_close(fds);
	if (err)
		note_refusal(dev, msg->request);
	else
		vs_vhost_rings_start(dev);

	acked = (msg->flags & VS_VHOST_NEED_REPLY) &&
		(dev->protocol & RTE_BIT64(VS_VHOST_PROTOCOL_F_REPLY_ACK));
	if (rule->answer == ANSWER_OWN) {
		result = err ? VS_VHOST_CLOSE : VS_VHOST_REPLY;
	} else if (acked) {
		reply_u64(reply, err ? 1 : 0);
		result = VS_VHOST_REPLY;
	} else {
		result = rule->answer == ANSWER_LOST ? VS_VHOST_CLOSE : VS_VHOST_DONE;
	}
	return result;
}

static void vring_clear(struct vs_vring *vr)
{
	uint16_t port = vr->ring.in_port;
	uint64_t calls = vr->ring.calls;

	memset(vr, 0, sizeof(*vr));
	vr->ring.in_port = port;
	vr->ring.calls = calls;
	vr->ring.call_fd = -1;
	vr->kick_fd = -1;
	vr->err_fd = -1;
}

void vs_vhost_init(struct vs_vhost *dev, const struct vs_rcu *rcu, const char *name, uint16_t port)
{
	uint32_t i;

	memset(dev, 0, sizeof(*dev));
	dev->rcu = rcu;
	dev->name = name;
	dev->limit.burst = 8;
	dev->limit.interval_s = 10;
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		dev->vring[i].ring.in_port = port;
		vring_clear(&dev->vring[i]);
	}
}

void vs_vhost_reset(struct vs_vhost *dev)
{
	uint32_t i;

	vs_vhost_rings_stop(dev, UINT32_MAX);
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		struct vs_vring *vr = &dev->vring[i];

		vs_vhost_fd_close(vr->ring.call_fd);
		vs_vhost_fd_close(vr->kick_fd);
		vs_vhost_fd_close(vr->err_fd);
		vring_clear(vr);
	}
	if (dev->mem)
		vs_mem_unmap(dev->mem);
	dev->mem = NULL;
	dev->features = 0;
	dev->protocol = 0;
	dev->mtu = 0;
	dev->has_features = false;
	dev->empty_table = false;
	dev->proven = false;
	dev->problem[0] = '\0';
	__atomic_store_n(&dev->broken, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&dev->fault_pending, 0, __ATOMIC_RELAXED);
}
