/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the vhost-user message handler, with a worker's visits and the loss of memory in
 * between.
 *
 * The input is a sequence of records:
 *
 *	u8 what	 a request number, or one of the actions below
 *	u8 how	 bits 0-3: descriptors (0..8), 4-5: which, 6: NEED_REPLY, 7: payload from a template
 *	u8 size	 of the payload, in bytes; with a template: the ring index
 *	...	 payload; none with a template
 *
 * After each input the device is emptied, and the number of descriptors must be what it was.
 */
#include "dataplane/guest/sigbus.h"
#include "tests/unit/vhost_peer.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	ACT_VISIT = 0xf0,    /* a worker polls every ring */
	ACT_WRITE = 0xf1,    /* the guest writes the payload to its ring's memory */
	ACT_TRUNCATE = 0xf2, /* the VMM truncates the file */
	ACT_CHECK = 0xf3,    /* control looks for faults */
	ACT_PROBE = 0xf4,
	ACT_RESET = 0xf5, /* connection lost */
	RECORDS_MAX = 200,
};

static struct {
	struct vs_vhost dev;
	struct vs_rcu rcu;
	struct vs_burst burst;
	int event;
	int zero;
	int pipe[2];
	int file;
} fuzz;

static void once(void)
{
	if (fuzz.rcu.qsbr)
		return;
	vs_log_set_level(VS_LOG_ERROR);
	peer_rcu(&fuzz.rcu);
	peer_warm_up();
	fuzz.event = peer_eventfd();
	fuzz.zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (vs_sigbus_install() || fuzz.event < 0 || fuzz.zero < 0 || pipe(fuzz.pipe))
		abort();
}

/* The lowest free descriptor: the same before and after, or something leaked. */
static int lowest_free(void)
{
	int fd = dup(fuzz.event);

	close(fd);
	return fd;
}

static struct vs_vhost_msg from_template(uint8_t request, uint8_t arg)
{
	uint32_t ring = arg & 15;

	switch (request) {
	case VS_VHOST_SET_FEATURES:
		return peer_u64(request, vs_vhost_features & ~(uint64_t)arg << 25);
	case VS_VHOST_SET_PROTOCOL_FEATURES:
		return peer_u64(request, vs_vhost_protocol);
	case VS_VHOST_SET_MEM_TABLE:
		return peer_table(1 + arg % 8);
	case VS_VHOST_SET_VRING_NUM:
		return peer_state(request, ring, 1u << (arg >> 4));
	case VS_VHOST_SET_VRING_ADDR:
		return peer_addr(ring);
	case VS_VHOST_SET_VRING_ENABLE:
		return peer_state(request, ring, !(arg >> 7));
	case VS_VHOST_SET_VRING_BASE:
	case VS_VHOST_GET_VRING_BASE:
		return peer_state(request, ring, arg >> 4);
	case VS_VHOST_SET_VRING_KICK:
	case VS_VHOST_SET_VRING_CALL:
	case VS_VHOST_SET_VRING_ERR:
		return peer_u64(request, ring | (arg & 0x80 ? VS_VHOST_VRING_NOFD : 0));
	default:
		return peer_msg(request, 0);
	}
}

static void message(struct vs_vhost_msg *msg, uint8_t how)
{
	const int kinds[4] = {fuzz.file, fuzz.event, fuzz.zero, fuzz.pipe[1]};
	struct vs_vhost_fds fds = {.n = (how & 15) % (VS_VHOST_FDS_MAX + 1)};
	struct vs_vhost_msg reply;
	uint32_t i;

	for (i = 0; i < fds.n; i++)
		fds.fd[i] = dup(kinds[(how >> 4) & 3]);
	if (how & 0x40)
		msg->flags |= VS_VHOST_NEED_REPLY;
	if (vs_vhost_handle(&fuzz.dev, msg, &fds, &reply) == VS_VHOST_REPLY && reply.size != 8)
		abort();
	if (fds.n)
		abort();
}

static void visit(void)
{
	static uint8_t fate[VS_BURST_MAX];
	static uint8_t frame[60];
	struct vs_pkt pkt = {.hdr = frame, .len = sizeof(frame), .hdr_len = sizeof(frame)};
	struct vs_pkt *one = &pkt;
	uint32_t i;

	for (i = 0; i < VS_GUEST_RINGS_MAX; i++) {
		struct vs_ring *ring = &fuzz.dev.vring[i].ring;

		vs_mem_faults = 0;
		if (!vs_ring_usable(ring))
			continue;
		if (!(i & 1)) {
			vs_ring_push(ring, &one, 1, fate);
			continue;
		}
		fuzz.burst.n = 0;
		fuzz.burst.n_ext = 0;
		vs_ring_pull(ring, &fuzz.burst, 1);
		vs_ring_pull_done(ring);
	}
}

/* One record at @data. Return: bytes used. */
static size_t record(const uint8_t *data, size_t size)
{
	struct vs_vhost_msg msg;
	size_t len = data[2];

	if (data[1] & 0x80 && data[0] < ACT_VISIT) {
		msg = from_template(data[0], data[2]);
		message(&msg, data[1] & 0x7f);
		return 3;
	}
	if (len > size - 3)
		len = size - 3;
	switch (data[0]) {
	case ACT_VISIT:
		visit();
		return 3;
	case ACT_WRITE:
		if (pwrite(fuzz.file, data + 3, len, (off_t)data[1] * 4096) < 0)
			abort();
		return 3 + len;
	case ACT_TRUNCATE:
		if (ftruncate(fuzz.file, (off_t)data[1] * 4096))
			abort();
		return 3;
	case ACT_CHECK:
		if (vs_vhost_check(&fuzz.dev))
			vs_vhost_reset(&fuzz.dev);
		return 3;
	case ACT_PROBE:
		(void)vs_vhost_probe(&fuzz.dev);
		return 3;
	case ACT_RESET:
		vs_vhost_reset(&fuzz.dev);
		return 3;
	default:
		msg = peer_msg(data[0], (uint32_t)len);
		memcpy(msg.payload.bytes, data + 3, len);
		message(&msg, data[1]);
		return 3 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int records = 0;
	int before;

	once();
	before = lowest_free();
	fuzz.file = peer_memfd(PEER_MEMORY);
	vs_vhost_init(&fuzz.dev, &fuzz.rcu, "fuzz", 1);
	while (size >= 3 && records++ < RECORDS_MAX) {
		size_t used = record(data, size);

		data += used;
		size -= used;
	}
	vs_vhost_reset(&fuzz.dev);
	close(fuzz.file);
	if (lowest_free() != before)
		abort();
	return 0;
}
