/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest port's object, shared by guest.c (state), guest_link.c (socket) and guest_ops.c
 * (workers).
 */
#ifndef VS_GUEST_GUEST_OBJ_H
#define VS_GUEST_GUEST_OBJ_H

#include "dataplane/core/sock.h"
#include "dataplane/guest/conn.h"
#include "dataplane/guest/guest.h"
#include "dataplane/guest/vhost.h"

#include <stdbool.h>
#include <sys/un.h>

struct event;

/** What `changed` was last called for. */
struct vs_guest_told {
	enum vs_guest_state state;
	uint32_t pairs;
	uint32_t mtu;
	uint64_t faults;
};

/**
 * struct vs_guest - one guest port
 * @dev:	the device; the only part that workers see
 * @conn:	connection to the VMM, or NULL
 * @listener:	server mode: the listening socket
 * @listen_event: server mode: a VMM knocks
 * @timer:	client mode: next attempt; server mode: listen again
 * @reap:	account of the descriptors that VMMs sent; while in debt, no VMM is served
 * @probe:	periodic look for memory that is not shared, while connected
 * @backoff_ms: wait after the next violation
 * @up_ms:	when the connection was made
 * @connects, @refused_conns: counters
 * @busy:	inside of a callback that goes on to use @conn: it must not be freed
 * @check_later: vs_guest_check() was called while @busy
 * @violated:	the last connection was closed for a violation
 * @unshared:	probes in a row that found nothing but zeros
 * @connect_error: why the last attempt failed (errno), for `port show`
 * @closed_for:	why the last connection was closed, or empty
 */
struct vs_guest {
	struct vs_vhost dev;
	struct vs_guest_env env;
	void (*changed)(void *ctx);
	void *ctx;
	enum vs_guest_mode mode;
	char name[VS_NAME_MAX];
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	struct vs_conn *conn;
	struct vs_sock listener;
	struct event *listen_event;
	struct event *timer;
	struct event *probe;
	struct vs_reap *reap;
	uint32_t backoff_ms;
	uint64_t up_ms;
	pid_t vmm_pid;
	uint64_t connects;
	uint64_t refused_conns;
	bool busy;
	bool check_later;
	bool violated;
	uint32_t unshared;
	int connect_error;
	char closed_for[132];
	struct vs_guest_told told;
};

/** vs_guest_settle() - call `changed` if state, pairs or faults are not what was told. */
void vs_guest_settle(struct vs_guest *guest);

/**
 * vs_guest_link_open() - make the events, and listen (server mode)
 * @group:	of the socket's file, or NULL: that of the process
 *
 * Return: 0, or -errno with nothing left behind.
 */
int vs_guest_link_open(struct vs_guest *guest, const gid_t *group);

/** vs_guest_link_close() - drop the connection, close and remove the socket, free the events. */
void vs_guest_link_close(struct vs_guest *guest);

/** vs_guest_link_drop() - end the connection for what dev.problem says, with back-off. */
void vs_guest_link_drop(struct vs_guest *guest);

/** vs_guest_tx() - worker: deliver frames, see guest_tx.c and struct vs_port_ops */
void vs_guest_tx(void *dev, unsigned int from, struct vs_pkt *const *pkt, unsigned int n,
		 uint8_t *fate);

/**
 * vs_guest_note_fault() - worker: has the ring faulted, or its memory gone? Then control is told
 *
 * Once per start of the ring: two workers may deliver to the same one, hence the exchange. Not
 * "running and not usable": control may stop the ring between the two looks, which is no fault.
 */
static inline void vs_guest_note_fault(struct vs_guest *guest, struct vs_vring *vr)
{
	const struct vs_ring *ring = &vr->ring;

	if (!__atomic_load_n(&ring->run, __ATOMIC_ACQUIRE))
		return;
	if (ring->fault == VS_RING_OK && !__atomic_load_n(&ring->mem->lost, __ATOMIC_RELAXED))
		return;
	if (!__atomic_exchange_n(&vr->reported, 1, __ATOMIC_RELAXED))
		__atomic_store_n(&guest->dev.fault_pending, 1, __ATOMIC_RELEASE);
}

#endif
