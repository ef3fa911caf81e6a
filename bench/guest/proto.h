/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GUEST_PROTO_H
#define BENCH_GUEST_PROTO_H

/*
 * Wire form of the vhost-user protocol, front end's view.
 *
 * Source: QEMU's docs/interop/vhost-user.rst. All numbers are in the byte order of the machine;
 * structures have no padding of their own, and the assertions below hold that fast.
 */

#include <assert.h>
#include <stdint.h>

/** Requests a front end sends; the numbers are those of the specification. */
enum vsg_request {
	VSG_REQ_GET_FEATURES = 1,
	VSG_REQ_SET_FEATURES = 2,
	VSG_REQ_SET_OWNER = 3,
	VSG_REQ_RESET_OWNER = 4,
	VSG_REQ_SET_MEM_TABLE = 5,
	VSG_REQ_SET_LOG_BASE = 6,
	VSG_REQ_SET_LOG_FD = 7,
	VSG_REQ_SET_VRING_NUM = 8,
	VSG_REQ_SET_VRING_ADDR = 9,
	VSG_REQ_SET_VRING_BASE = 10,
	VSG_REQ_GET_VRING_BASE = 11,
	VSG_REQ_SET_VRING_KICK = 12,
	VSG_REQ_SET_VRING_CALL = 13,
	VSG_REQ_SET_VRING_ERR = 14,
	VSG_REQ_GET_PROTOCOL_FEATURES = 15,
	VSG_REQ_SET_PROTOCOL_FEATURES = 16,
	VSG_REQ_GET_QUEUE_NUM = 17,
	VSG_REQ_SET_VRING_ENABLE = 18,
	VSG_REQ_SEND_RARP = 19,
	VSG_REQ_NET_SET_MTU = 20,
	VSG_REQ_SET_BACKEND_REQ_FD = 21,
	VSG_REQ_GET_CONFIG = 24,
	VSG_REQ_SET_CONFIG = 25,
	VSG_REQ_GET_INFLIGHT_FD = 31,
	VSG_REQ_SET_INFLIGHT_FD = 32,
	VSG_REQ_RESET_DEVICE = 34,
	VSG_REQ_GET_MAX_MEM_SLOTS = 36,
	VSG_REQ_ADD_MEM_REG = 37,
	VSG_REQ_REM_MEM_REG = 38,
};

/** Bits of the header's flags word. */
#define VSG_MSG_VERSION 0x1u
#define VSG_MSG_VERSION_MASK 0x3u
#define VSG_MSG_REPLY (1u << 2)
#define VSG_MSG_NEED_REPLY (1u << 3)

/** Bit of the virtio feature word that announces protocol features. */
#define VSG_F_PROTOCOL_FEATURES (1ull << 30)
/** Dirty-page logging, a feature bit of vhost. */
#define VSG_F_LOG_ALL (1ull << 26)

/** Protocol features. */
#define VSG_PF_MQ (1ull << 0)
#define VSG_PF_LOG_SHMFD (1ull << 1)
#define VSG_PF_RARP (1ull << 2)
#define VSG_PF_REPLY_ACK (1ull << 3)
#define VSG_PF_NET_MTU (1ull << 4)
#define VSG_PF_MEM_SLOTS (1ull << 15)

/** In the u64 of SET_VRING_{KICK,CALL,ERR}: no descriptor comes with the message. */
#define VSG_VRING_NOFD (1ull << 8)
/** Flag of a ring address: log writes to the used ring. */
#define VSG_VRING_F_LOG 1u

struct vsg_wire_hdr {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};
static_assert(sizeof(struct vsg_wire_hdr) == 12, "vhost-user header");

struct vsg_wire_vring_state {
	uint32_t index;
	uint32_t num;
};
static_assert(sizeof(struct vsg_wire_vring_state) == 8, "vring state");

struct vsg_wire_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};
static_assert(sizeof(struct vsg_wire_vring_addr) == 40, "vring address");

struct vsg_wire_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;
	uint64_t mmap_offset;
};
static_assert(sizeof(struct vsg_wire_region) == 32, "memory region");

struct vsg_wire_log {
	uint64_t size;
	uint64_t offset;
};
static_assert(sizeof(struct vsg_wire_log) == 16, "log description");

#endif /* BENCH_GUEST_PROTO_H */
