/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest port: a vhost-user back end of our own. This header is all that other folders see
 * of dataplane/guest.
 *
 * Everything here but vs_guest_ops runs on the control thread.
 */
#ifndef VS_GUEST_GUEST_H
#define VS_GUEST_GUEST_H

#include "dataplane/core/conf.h"
#include "dataplane/core/rcu.h"

#include <stdbool.h>
#include <sys/types.h>

struct event_base;
struct vs_guest;

enum {
	VS_GUEST_PAIRS_MAX = 8,
	VS_GUEST_RINGS_MAX = 2 * VS_GUEST_PAIRS_MAX,
};

/** Who creates the socket. */
enum vs_guest_mode {
	VS_GUEST_CLIENT, /* QEMU listens (server=on), we connect and reconnect */
	VS_GUEST_SERVER, /* we listen, QEMU connects */
};

/** How long interrupts to the guest may wait for more frames. */
enum vs_guest_mod {
	VS_GUEST_MOD_OFF,      /* not at all */
	VS_GUEST_MOD_LOW,      /* 8 frames or 50 us */
	VS_GUEST_MOD_MEDIUM,   /* 16 frames or 100 us */
	VS_GUEST_MOD_HIGH,     /* 32 frames or 200 us */
	VS_GUEST_MOD_ADAPTIVE, /* as one of these, by the frames that come */
	VS_GUEST_MOD_COUNT,
};

/** What keeps a port from carrying traffic, or that nothing does. */
enum vs_guest_state {
	VS_GUEST_WAITING,   /* no VMM on the socket */
	VS_GUEST_CONNECTED, /* VMM there, guest driver has not started the device */
	VS_GUEST_NO_MEMORY, /* driver started, but the VMM shares no memory with us */
	VS_GUEST_RUNNING,   /* at least one receive ring is usable */
	VS_GUEST_BROKEN,    /* detached: a ring or the VMM broke the rules */
};

/** struct vs_guest_env - what every guest port of the daemon shares */
struct vs_guest_env {
	struct event_base *base;
	const struct vs_rcu *rcu;
};

/**
 * struct vs_guest_config - how to make one
 * @name:	of the port, for log lines
 * @path:	socket, shorter than sizeof(sockaddr_un.sun_path)
 * @mode:	who listens
 * @group:	of the socket's file if we listen; NULL: that of the process
 * @port:	port id, written into the packets
 * @changed:	called on the control thread whenever the state, the usable queue pairs or the
 *		fault changed; may publish a new configuration, must not delete the guest
 * @ctx:	given to @changed
 */
struct vs_guest_config {
	const char *name;
	const char *path;
	enum vs_guest_mode mode;
	const gid_t *group;
	uint16_t port;
	void (*changed)(void *ctx);
	void *ctx;
};

/** struct vs_guest_info - everything `port show` tells about the guest side */
struct vs_guest_info {
	enum vs_guest_state state;
	char problem[160];      /* a sentence on what is wrong and what to do, or empty */
	pid_t vmm_pid;          /* SO_PEERCRED of the connection, or 0 */
	uint64_t features;      /* negotiated virtio feature bits */
	uint64_t offered;       /* offered virtio feature bits */
	uint32_t mtu;           /* that the VMM has told the guest; 0: it did not say */
	uint32_t pairs;         /* queue pairs that are usable */
	uint32_t ring_size;     /* of the first receive ring */
	uint32_t regions;       /* memory regions mapped */
	uint64_t memory;        /* bytes mapped */
	uint64_t connects;      /* connections since the port was made */
	uint64_t refused;       /* messages refused */
	uint64_t faults;        /* rings detached */
	const char *last_fault; /* name of the last ring fault, or NULL */
	uint64_t calls;         /* interrupts sent to the guest */
	uint32_t n_pairs;       /* queue pairs up to the last that works, or worked: those below */
	uint8_t pairs_on;       /* bit per queue pair: it gets frames */
	uint64_t pair_sent[VS_GUEST_PAIRS_MAX];     /* frames to the guest */
	uint64_t pair_received[VS_GUEST_PAIRS_MAX]; /* and from it */
};

/** The worker's side of a guest port; `dev` is a struct vs_guest. */
extern const struct vs_port_ops vs_guest_ops;

/**
 * vs_sigbus_install() - let the process survive the loss of guest memory (guest/sigbus.h)
 *
 * Once, before the first guest port. Under AddressSanitizer it needs handle_sigbus=0.
 *
 * Return: 0, or -errno.
 */
int vs_sigbus_install(void);

/**
 * vs_guest_new() - make the port and start to connect, or listen
 *
 * In server mode the socket is created with mode 0660; a stale socket file (nobody listens on
 * it) is replaced, anything else in its place is an error and is left alone.
 *
 * Return: 0 and the guest in *@ret_guest (owned by the caller), or -errno: -EADDRINUSE somebody
 * listens there, -ENOTSOCK something else is there, -ENAMETOOLONG or -EINVAL the path, -ENOMEM, or
 * what bind() said.
 */
int vs_guest_new(const struct vs_guest_env *env, const struct vs_guest_config *config,
		 struct vs_guest **ret_guest);

/**
 * vs_guest_del() - close, unmap and free; no published configuration may name it any more
 *
 * Waits one grace period. In server mode the socket file is removed.
 */
void vs_guest_del(struct vs_guest *guest);

/** vs_guest_moderate() - set the level, at any time. */
void vs_guest_moderate(struct vs_guest *guest, enum vs_guest_mod level);

/** vs_guest_is_up() - at least one receive ring is usable. */
bool vs_guest_is_up(const struct vs_guest *guest);

/** vs_guest_pairs() - how many queue pairs a worker must poll (up to the highest usable one). */
unsigned int vs_guest_pairs(const struct vs_guest *guest);

/** vs_guest_check() - a worker reported a fault (VS_EVENT_FAULT): count it, report it, detach. */
void vs_guest_check(struct vs_guest *guest);

/** vs_guest_info() - fill in *@ret_info. */
void vs_guest_info(const struct vs_guest *guest, struct vs_guest_info *ret_info);

/** vs_guest_state_name() - "waiting", "connected", "no-memory", "running" or "broken". */
const char *vs_guest_state_name(enum vs_guest_state state);

#endif
