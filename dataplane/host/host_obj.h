/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port's object: host.c has what both kinds share, tap.c and packet.c how each kind is made
 * and removed, *_ops.c the workers' side.
 */
#ifndef VS_HOST_HOST_OBJ_H
#define VS_HOST_HOST_OBJ_H

#include "dataplane/core/log.h"
#include "dataplane/host/host.h"
#include "dataplane/host/rtnl.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct event;
struct mnl_socket;

enum {
	/** Bytes taken of one frame: the largest MTU, an Ethernet header and two tags. */
	VS_HOST_FRAME_MAX = VS_MTU_MAX + 14 + 8,
	/** A descriptor that came up dry is not asked again for so long. */
	VS_HOST_DRY_US = 10,
};

struct vs_packet_slots;

/**
 * struct vs_host_queue - one descriptor that frames are read from and written to
 * @fd:		non-blocking; -1 before it is opened
 * @next_tsc:	worker: not asked before this time
 * @buf:	TAP: what the frames of a visit are read into (VS_TAP_BUF_BYTES)
 * @slots:	PACKET: the same
 */
struct vs_host_queue {
	int fd;
	uint64_t next_tsc;
	uint8_t *buf;
	struct vs_packet_slots *slots;
} __rte_cache_aligned;

/** Where the interface is. */
enum vs_host_presence {
	VS_HOST_PRESENT,
	VS_HOST_MOVED, /* into another network namespace: it works, but cannot be looked at */
	VS_HOST_DELETED,
};

/**
 * struct vs_host_env - see vs_host_env_new()
 * @monitor:	hears what happens to interfaces
 * @first:	all ports
 */
struct vs_host_env {
	const struct vs_rcu *rcu;
	struct vs_rtnl rtnl;
	struct mnl_socket *monitor;
	struct event *heard;
	struct vs_host *first;
};

/** What `changed` was last called for. */
struct vs_host_told {
	enum vs_host_state state;
	enum vs_host_presence presence;
	char ifname[IFNAMSIZ];
	struct rte_ether_addr mac;
	uint32_t mtu;
};

/**
 * struct vs_host - one port
 * @queue .. @fault_pending: what workers see; only the last two change after vs_host_new()
 * @lost:	the kernel says that the interface is gone
 * @next:	in the list of @env
 * @wanted:	the interface's name as configured
 * @link:	the interface as it was when last looked at
 * @stale:	the monitor heard something about it
 * @made:	it was not there before
 * @missed:	PACKET: see vs_host_info
 */
struct vs_host {
	struct vs_host_queue queue[VS_HOST_PAIRS_MAX];
	unsigned int n_queues;
	uint64_t dry_tsc;
	uint16_t in_port;
	int lost;
	int fault_pending;

	struct vs_host_env *env;
	struct vs_host *next;
	enum vs_host_kind kind;
	enum vs_host_presence presence;
	struct vs_link link;
	bool stale;
	bool made;
	uint64_t missed;
	void (*changed)(void *ctx);
	void *ctx;
	struct vs_host_told told;
	struct vs_log_limit limit;
	char name[VS_NAME_MAX];
	char wanted[IFNAMSIZ];
};

/** vs_host_why_set() - fill in @why and return @err, so that a refusal is one statement. */
int vs_host_why_set(struct vs_host_why *why, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** vs_host_kernel_said() - what the last refused request was refused for, as text. */
const char *vs_host_kernel_said(const struct vs_host_env *env, int err);

/** vs_host_env_watch() - enter @host, whose link.ifindex is known, into the list. */
void vs_host_env_watch(struct vs_host_env *env, struct vs_host *host);

/** vs_host_env_unwatch() - take it out; it may not be in it. */
void vs_host_env_unwatch(struct vs_host_env *env, const struct vs_host *host);

/** vs_host_env_holder() - the port that is attached to interface @ifindex, or NULL. */
const struct vs_host *vs_host_env_holder(const struct vs_host_env *env, int ifindex);

/** vs_host_look() - look at the interface again, and call `changed` if something changed. */
void vs_host_look(struct vs_host *host);

/** vs_host_note_fault() - worker: the interface is gone; told to control once. */
void vs_host_note_fault(struct vs_host *host);

/** vs_host_fault_pending() - member of both ops tables. */
bool vs_host_fault_pending(void *dev);

/** vs_host_bell() - member of both ops tables. */
struct vs_bell vs_host_bell(void *dev, unsigned int pair);

/** vs_host_rights() - member of the ops tables: what the kernel may leave to the switch */
unsigned int vs_host_rights(void *dev);

/**
 * vs_tap_open() - make the interface, or find it, and open its queues
 *
 * @host is filled in from @config, its queues are closed.
 *
 * Return: 0, or -errno with a sentence in @why; the caller releases.
 */
int vs_tap_open(struct vs_host *host, const struct vs_host_config *config, struct vs_host_why *why);

/** What becomes of the interface when its port is released. */
enum vs_host_fate {
	VS_HOST_KEEP,
	VS_HOST_REMOVE,
};

/** vs_tap_close() - close what vs_tap_open() opened, however far it came. */
void vs_tap_close(struct vs_host *host, enum vs_host_fate fate);

/** vs_tap_is_attached() - is there still an interface behind the queues' descriptors? */
bool vs_tap_is_attached(const struct vs_host *host);

/**
 * vs_tap_attach() - open a queue of TAP interface @ifname
 * @more:	flags beside those that every TAP gets: IFF_VNET_HDR, or 0
 *
 * Return: descriptor, or -errno.
 */
int vs_tap_attach(const char *ifname, unsigned int queues, short more);

/** vs_packet_open() - like vs_tap_open() */
int vs_packet_open(struct vs_host *host, const struct vs_host_config *config,
		   struct vs_host_why *why);

/** vs_packet_close() - like vs_tap_close() */
void vs_packet_close(struct vs_host *host, enum vs_host_fate fate);

/** vs_packet_missed() - add what the kernel counted since the last call to @host->missed. */
void vs_packet_missed(struct vs_host *host);

enum {
	/**
	 * What one visit can need: frames up to the byte budget and one more, each with its room
	 * in front and an end aligned to a cache line, and one byte to see that a frame was cut.
	 */
	VS_TAP_BUF_BYTES = VS_VISIT_BYTES + VS_BURST_MAX * (VS_HDR_ROOM + RTE_CACHE_LINE_SIZE) +
			   VS_HOST_FRAME_MAX + 1,
};

/**
 * struct vs_packet_slots - what one call to recvmmsg() fills
 * @n:		slots filled
 * @next:	first of them that no visit has taken yet
 * @msg, @iov, @control: the call's arguments
 * @vnet:	virtio-net header of each frame, as the kernel wrote it
 * @frame:	the frame, with room in front
 *
 * A few megabytes of address space, of which only the pages that frames touched are real.
 */
struct vs_packet_slots {
	unsigned int n;
	unsigned int next;
	struct mmsghdr msg[VS_BURST_MAX];
	struct iovec iov[VS_BURST_MAX][2];
	union {
		struct cmsghdr align;
		char bytes[64];
	} control[VS_BURST_MAX];
	struct virtio_net_hdr vnet[VS_BURST_MAX];
	struct {
		uint8_t room[VS_HDR_ROOM + 32]; /* a tag that is put back needs some */
		uint8_t bytes[VS_HOST_FRAME_MAX];
	} __rte_cache_aligned frame[VS_BURST_MAX];
};

#endif
