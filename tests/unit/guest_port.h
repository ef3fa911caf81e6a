/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest port on an event loop, and the VMM at the other end of its socket. Included after
 * cmocka.h.
 */
#ifndef VS_TESTS_UNIT_GUEST_PORT_H
#define VS_TESTS_UNIT_GUEST_PORT_H

#include "dataplane/core/sock.h"
#include "tests/unit/vhost_peer.h"

#include <event2/event.h>

#include <sys/socket.h>
#include <time.h>

struct fixture {
	struct event_base *base;
	struct event *tick;
	struct vs_rcu rcu;
	struct vs_guest *guest;
	struct vs_sock listener; /* of the VMM, in client mode */
	int vmm;
	int file;
	unsigned int fds;
	uint32_t changes;
	char dir[32];
	char path[64];
};

static inline void on_changed(void *ctx)
{
	struct fixture *f = ctx;

	assert_non_null(f->guest); /* not before vs_guest_new() returned */
	f->changes++;
}

static inline void on_tick(evutil_socket_t fd, short what, void *arg)
{
}

static inline int setup(void **state)
{
	const struct timeval tick = {0, 5000};
	struct fixture *f = calloc(1, sizeof(*f));

	vs_log_set_level(VS_LOG_ERROR);
	peer_rcu(&f->rcu);
	peer_warm_up();
	f->base = event_base_new();
	f->tick = event_new(f->base, -1, EV_PERSIST, on_tick, NULL);
	event_add(f->tick, &tick);
	strcpy(f->dir, "/tmp/vs-guest-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/vm", f->dir);
	f->fds = peer_count_fds();
	f->file = peer_memfd(PEER_MEMORY);
	f->listener.fd = -1;
	f->vmm = -1;
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int leaked;

	if (f->guest)
		vs_guest_del(f->guest);
	vs_sock_close(f->path, &f->listener);
	if (f->vmm >= 0)
		close(f->vmm);
	close(f->file);
	leaked = peer_count_fds() != f->fds;
	event_free(f->tick);
	event_base_free(f->base);
	free(f->rcu.qsbr);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return leaked;
}

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Turn the event loop until @condition holds; fail after 10 s. The tick wakes the loop. */
#define until(f, condition)                                        \
	do {                                                       \
		uint64_t deadline = now_ms() + 10000;              \
		while (!(condition)) {                             \
			if (now_ms() > deadline)                   \
				fail_msg("never: %s", #condition); \
			event_base_loop((f)->base, EVLOOP_ONCE);   \
		}                                                  \
	} while (0)

static inline int make(struct fixture *f, enum vs_guest_mode mode)
{
	const struct vs_guest_env env = {.base = f->base, .rcu = &f->rcu};
	const struct vs_guest_config config = {
		.name = "p",
		.path = f->path,
		.mode = mode,
		.port = 5,
		.changed = on_changed,
		.ctx = f,
	};

	return vs_guest_new(&env, &config, &f->guest);
}

static inline struct vs_guest_info info(const struct fixture *f)
{
	struct vs_guest_info i;

	vs_guest_info(f->guest, &i);
	return i;
}

static inline enum vs_guest_state state_of(const struct fixture *f)
{
	return info(f).state;
}

/* Client mode: listen as the VMM does, and take the port's connection. */
static inline void accept_port(struct fixture *f)
{
	if (f->listener.fd < 0)
		assert_int_equal(vs_sock_listen(f->path, &f->listener), 0);
	until(f, (f->vmm = accept4(f->listener.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0);
	until(f, state_of(f) == VS_GUEST_CONNECTED);
}

static inline void hang_up(struct fixture *f)
{
	close(f->vmm);
	f->vmm = -1;
}

static inline void send_msg(struct fixture *f, const struct vs_vhost_msg *msg, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct vs_vhost_msg copy = *msg;
	struct iovec iov = {.iov_base = &copy, .iov_len = VS_VHOST_HDR_BYTES + msg->size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(f->vmm, &mh, MSG_NOSIGNAL), iov.iov_len);
}

/* Set ring @ring up; its kick descriptor carries one kick when @kicks is 1. */
static inline void send_ring(struct fixture *f, uint32_t ring, unsigned int kicks)
{
	struct vs_vhost_msg msg = peer_state(VS_VHOST_SET_VRING_NUM, ring, PEER_RING);
	int fd = eventfd(kicks, EFD_CLOEXEC | EFD_NONBLOCK);

	send_msg(f, &msg, -1);
	msg = peer_state(VS_VHOST_SET_VRING_BASE, ring, 0);
	send_msg(f, &msg, -1);
	msg = peer_addr(ring);
	send_msg(f, &msg, -1);
	msg = peer_u64(VS_VHOST_SET_VRING_KICK, ring);
	send_msg(f, &msg, fd);
	close(fd);
}

static inline void start_pair(struct fixture *f, unsigned int kicks)
{
	struct vs_vhost_msg msg = peer_u64(VS_VHOST_SET_FEATURES, UINT64_C(1) << 32);

	send_msg(f, &msg, -1);
	msg = peer_table(1);
	send_msg(f, &msg, f->file);
	send_ring(f, 0, kicks);
	send_ring(f, 1, kicks);
	until(f, state_of(f) == VS_GUEST_RUNNING && vs_guest_pairs(f->guest) == 1);
}

/* Write to the guest's memory, where ring @ring has @part (0, PEER_AVAIL or PEER_USED). */
static inline void guest_writes(struct fixture *f, uint32_t ring, uint32_t part, const void *data,
				size_t len)
{
	assert_int_equal(pwrite(f->file, data, len, ring * PEER_RING_BYTES + part), len);
}

/* Make one buffer of @len bytes at @gpa available as entry 0. */
static inline void guest_offers(struct fixture *f, uint32_t ring, uint64_t gpa, uint32_t len,
				uint16_t flags, uint16_t index)
{
	const struct vring_desc desc = {.addr = gpa, .len = len, .flags = flags};
	const uint16_t avail[3] = {0, index, 0};

	guest_writes(f, ring, 0, &desc, sizeof(desc));
	guest_writes(f, ring, PEER_AVAIL, avail, sizeof(avail));
}

#endif
