/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user device without a socket, for tests of the message handler: fixture, messages that
 * must be taken or refused, and the steps that start a ring. Included after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_VHOST_DEVICE_H
#define VS_TESTS_UNIT_VHOST_DEVICE_H

#include "tests/unit/vhost_peer.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#define BIT(n) (UINT64_C(1) << (n))
#define NEW_DRIVER (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF))
#define PROTOCOL BIT(VS_VHOST_F_PROTOCOL_FEATURES)

/** A device, and the VMM's own view of its guest's memory. */
struct fixture {
	struct vs_vhost dev;
	struct vs_rcu rcu;
	struct vs_vhost_msg reply;
	unsigned int fds; /* open before */
	int file;
	uint8_t *guest;
};

static inline int setup(void **state)
{
	struct fixture *f = aligned_alloc(_Alignof(struct fixture), sizeof(*f));

	memset(f, 0, sizeof(*f));
	vs_log_set_level(VS_LOG_ERROR);
	peer_rcu(&f->rcu);
	peer_warm_up();
	f->fds = peer_count_fds();
	f->file = peer_memfd(PEER_MEMORY);
	f->guest = mmap(NULL, PEER_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, f->file, 0);
	vs_vhost_init(&f->dev, &f->rcu, "test", 3);
	*state = f;
	return f->guest == MAP_FAILED;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	int leaked;

	vs_vhost_reset(&f->dev);
	munmap(f->guest, PEER_MEMORY);
	close(f->file);
	leaked = peer_count_fds() != f->fds;
	free(f->rcu.qsbr);
	free(f);
	return leaked;
}

static inline enum vs_vhost_result send_fds(struct fixture *f, struct vs_vhost_msg msg, uint32_t n,
					    int fd)
{
	struct vs_vhost_fds fds = {.n = n};
	enum vs_vhost_result result;
	uint32_t i;

	for (i = 0; i < n; i++)
		fds.fd[i] = dup(fd);
	result = vs_vhost_handle(&f->dev, &msg, &fds, &f->reply);
	assert_int_equal(fds.n, 0);
	return result;
}

static inline enum vs_vhost_result send_msg(struct fixture *f, struct vs_vhost_msg msg)
{
	return send_fds(f, msg, 0, -1);
}

/* A message that must be taken, or refused. */
static inline void accepted(struct fixture *f, struct vs_vhost_msg msg, uint32_t n, int fd)
{
	uint64_t before = f->dev.refused;

	(void)send_fds(f, msg, n, fd);
	if (f->dev.refused != before)
		fail_msg("%s", f->dev.problem);
}

static inline void refused(struct fixture *f, struct vs_vhost_msg msg, uint32_t n, int fd)
{
	uint64_t before = f->dev.refused;
	unsigned int open = peer_count_fds();

	(void)send_fds(f, msg, n, fd);
	if (f->dev.refused != before + 1)
		fail_msg("request %u was not refused", msg.request);
	assert_int_equal(peer_count_fds(), open);
}

enum {
	STEP_FEATURES,
	STEP_TABLE,
	STEP_NUM,
	STEP_ADDR,
	STEP_BASE,
	STEP_KICK,
	STEP_ENABLE,
	STEPS,
};

static inline void take_step(struct fixture *f, uint32_t ring, int step)
{
	int fd;

	switch (step) {
	case STEP_FEATURES:
		accepted(f, peer_u64(VS_VHOST_SET_FEATURES, NEW_DRIVER | PROTOCOL), 0, -1);
		break;
	case STEP_TABLE:
		accepted(f, peer_table(1), 1, f->file);
		break;
	case STEP_NUM:
		accepted(f, peer_state(VS_VHOST_SET_VRING_NUM, ring, PEER_RING), 0, -1);
		break;
	case STEP_ADDR:
		accepted(f, peer_addr(ring), 0, -1);
		break;
	case STEP_BASE:
		accepted(f, peer_state(VS_VHOST_SET_VRING_BASE, ring, 0), 0, -1);
		break;
	case STEP_KICK:
		fd = peer_eventfd();
		accepted(f, peer_u64(VS_VHOST_SET_VRING_KICK, ring), 1, fd);
		close(fd);
		break;
	default:
		accepted(f, peer_state(VS_VHOST_SET_VRING_ENABLE, ring, 1), 0, -1);
		break;
	}
}

static inline void start_ring(struct fixture *f, uint32_t ring)
{
	int step;

	for (step = f->dev.mem ? STEP_NUM : STEP_FEATURES; step < STEPS; step++)
		take_step(f, ring, step);
	assert_true(vs_vring_runs(&f->dev.vring[ring]));
}

#endif
