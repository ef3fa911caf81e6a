/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol on the wire, as far as this back end speaks or refuses it by name.
 *
 * Source: QEMU, docs/interop/vhost-user.rst ("Message Specification", "Front-end message
 * types"). Integers are in host byte order: both ends run on one machine.
 */
#ifndef VS_GUEST_VHOST_MSG_H
#define VS_GUEST_VHOST_MSG_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VS_VHOST_HDR_BYTES = 12,
	/** Larger than every message of the specification; only the first 264 are ever used. */
	VS_VHOST_PAYLOAD_MAX = 1024,
	/** Descriptors that may come with one message (SET_MEM_TABLE needs one per region). */
	VS_VHOST_FDS_MAX = 8,
};

/** Bits of the header's flags. */
enum {
	VS_VHOST_VERSION_MASK = 0x3,
	VS_VHOST_VERSION = 0x1,
	VS_VHOST_IS_REPLY = 1 << 2,
	VS_VHOST_NEED_REPLY = 1 << 3,
};

/** In the u64 of SET_VRING_KICK, CALL and ERR: the index, and "no descriptor comes with this". */
enum {
	VS_VHOST_VRING_IDX_MASK = 0xff,
	VS_VHOST_VRING_NOFD = 1 << 8,
};

/** Protocol feature bits. */
enum {
	VS_VHOST_PROTOCOL_F_MQ = 0,
	VS_VHOST_PROTOCOL_F_REPLY_ACK = 3,
	VS_VHOST_PROTOCOL_F_NET_MTU = 4,
};

/** Virtio feature bit that announces protocol features. */
enum {
	VS_VHOST_F_PROTOCOL_FEATURES = 30,
};

/* clang-format off */
#define VS_VHOST_REQUESTS(X) \
	X(GET_FEATURES, 1)           X(SET_FEATURES, 2)           X(SET_OWNER, 3) \
	X(RESET_OWNER, 4)            X(SET_MEM_TABLE, 5)          X(SET_LOG_BASE, 6) \
	X(SET_LOG_FD, 7)             X(SET_VRING_NUM, 8)          X(SET_VRING_ADDR, 9) \
	X(SET_VRING_BASE, 10)        X(GET_VRING_BASE, 11)        X(SET_VRING_KICK, 12) \
	X(SET_VRING_CALL, 13)        X(SET_VRING_ERR, 14)         X(GET_PROTOCOL_FEATURES, 15) \
	X(SET_PROTOCOL_FEATURES, 16) X(GET_QUEUE_NUM, 17)         X(SET_VRING_ENABLE, 18) \
	X(SEND_RARP, 19)             X(NET_SET_MTU, 20)           X(SET_BACKEND_REQ_FD, 21) \
	X(IOTLB_MSG, 22)             X(SET_VRING_ENDIAN, 23)      X(GET_CONFIG, 24) \
	X(SET_CONFIG, 25)            X(CREATE_CRYPTO_SESSION, 26) X(CLOSE_CRYPTO_SESSION, 27) \
	X(POSTCOPY_ADVISE, 28)       X(POSTCOPY_LISTEN, 29)       X(POSTCOPY_END, 30) \
	X(GET_INFLIGHT_FD, 31)       X(SET_INFLIGHT_FD, 32)       X(GPU_SET_SOCKET, 33) \
	X(RESET_DEVICE, 34)          X(VRING_KICK, 35)            X(GET_MAX_MEM_SLOTS, 36) \
	X(ADD_MEM_REG, 37)           X(REM_MEM_REG, 38)           X(SET_STATUS, 39) \
	X(GET_STATUS, 40)            X(GET_SHARED_OBJECT, 41)     X(SET_DEVICE_STATE_FD, 42) \
	X(CHECK_DEVICE_STATE, 43)

enum vs_vhost_request {
#define X(name, number) VS_VHOST_##name = (number),
	VS_VHOST_REQUESTS(X)
#undef X
	VS_VHOST_REQUEST_COUNT,
};
/* clang-format on */

/** GET/SET_VRING_BASE, SET_VRING_NUM, SET_VRING_ENABLE */
struct vs_vhost_vring_state {
	uint32_t index;
	uint32_t num;
};

/** SET_VRING_ADDR; the addresses are the VMM's own virtual ones */
struct vs_vhost_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct vs_vhost_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t uva;
	uint64_t offset;
};

/** SET_MEM_TABLE; only the first @n regions are sent */
struct vs_vhost_mem_table {
	uint32_t n;
	uint32_t pad;
	struct vs_vhost_region region[VS_VHOST_FDS_MAX];
};

/** struct vs_vhost_msg - one message: the header as on the wire, and room for every payload */
struct vs_vhost_msg {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* bytes of payload */
	union {
		uint64_t u64;
		struct vs_vhost_vring_state state;
		struct vs_vhost_vring_addr addr;
		struct vs_vhost_mem_table mem;
		uint8_t bytes[VS_VHOST_PAYLOAD_MAX];
	} __attribute__((packed, aligned(4))) payload;
};

static_assert(offsetof(struct vs_vhost_msg, payload) == VS_VHOST_HDR_BYTES, "no gap");
static_assert(sizeof(struct vs_vhost_vring_addr) == 40, "wire size");
static_assert(sizeof(struct vs_vhost_region) == 32, "wire size");
static_assert(offsetof(struct vs_vhost_mem_table, region) == 8, "wire size");

#endif
