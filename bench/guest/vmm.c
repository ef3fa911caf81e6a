/* SPDX-License-Identifier: BSD-3-Clause */
/* The requests of a VMM, one function each; source: QEMU's docs/interop/vhost-user.rst. */
#include "bench/guest/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/guest/layout.h"

/* Send one request as one message. */
static int send_request(struct vsg_guest *guest, uint32_t request, uint32_t flags,
			const void *payload, uint32_t size, const int *fds, uint32_t n_fds)
{
	uint8_t buf[sizeof(struct vsg_wire_hdr) + VSG_MAX_PAYLOAD];
	struct vsg_wire_hdr hdr = {
		.request = request,
		.flags = flags | VSG_MSG_VERSION,
		.size = size,
	};

	if (size > VSG_MAX_PAYLOAD)
		return -EMSGSIZE;
	memcpy(buf, &hdr, sizeof(hdr));
	if (size > 0)
		memcpy(buf + sizeof(hdr), payload, size);
	return vsg_chan_send(&guest->chan, buf, sizeof(hdr) + size, fds, n_fds,
			     guest->cfg.timeout_ms);
}

/* Receive the reply to a request; descriptors in it are closed. */
static int recv_reply(struct vsg_guest *guest, uint32_t request, void *payload, uint32_t size)
{
	struct vsg_msg msg;
	int err;

	err = vsg_chan_recv(&guest->chan, &msg, guest->cfg.timeout_ms);
	if (err)
		return err;
	vsg_msg_close_fds(&msg);
	if (msg.hdr.request != request || !(msg.hdr.flags & VSG_MSG_REPLY) ||
	    (msg.hdr.flags & VSG_MSG_VERSION_MASK) != VSG_MSG_VERSION)
		return -EBADMSG;
	if (payload && msg.hdr.size != size)
		return -EBADMSG;
	if (payload)
		memcpy(payload, msg.payload, size);
	return 0;
}

static bool wants_ack(const struct vsg_guest *guest, uint32_t request)
{
	if (!(guest->proto_features & VSG_PF_REPLY_ACK))
		return false;
	if (guest->cfg.reply_mode == VSG_REPLY_ALL)
		return true;
	return guest->cfg.reply_mode == VSG_REPLY_MEM &&
	       (request == VSG_REQ_SET_MEM_TABLE || request == VSG_REQ_ADD_MEM_REG);
}

/**
 * vsg_guest_request() - send a request that has no reply of its own
 * @guest: connected guest
 * @request: enum vsg_request
 * @payload: its payload
 * @size: bytes of it, VSG_MAX_PAYLOAD at most
 * @fds: descriptors; they stay the caller's
 * @n_fds: their number
 *
 * Asks for an acknowledgement and waits for it where the reply mode says so.
 *
 * Return: 0, -EREMOTEIO if the back end said no, -EBADMSG for a reply that makes no sense, or
 * -errno.
 */
int vsg_guest_request(struct vsg_guest *guest, uint32_t request, const void *payload, uint32_t size,
		      const int *fds, uint32_t n_fds)
{
	bool ack = wants_ack(guest, request);
	uint64_t verdict = 0;
	int err;

	err = send_request(guest, request, ack ? VSG_MSG_NEED_REPLY : 0, payload, size, fds, n_fds);
	if (!err && ack)
		err = recv_reply(guest, request, &verdict, sizeof(verdict));
	if (!err && verdict != 0)
		err = -EREMOTEIO;
	return err;
}

/**
 * vsg_guest_query() - send a request without payload whose reply is one number
 * @guest: connected guest
 * @request: enum vsg_request
 * @ret_value: the number
 *
 * Return: 0 or -errno.
 */
int vsg_guest_query(struct vsg_guest *guest, uint32_t request, uint64_t *ret_value)
{
	uint64_t value;
	int err;

	err = send_request(guest, request, 0, NULL, 0, NULL, 0);
	if (!err)
		err = recv_reply(guest, request, &value, sizeof(value));
	if (!err)
		*ret_value = value;
	return err;
}

static int negotiate_protocol(struct vsg_guest *guest)
{
	int err;

	err = vsg_guest_query(guest, VSG_REQ_GET_PROTOCOL_FEATURES, &guest->proto_offered);
	if (err)
		return err;
	guest->proto_features = guest->proto_offered & guest->cfg.proto_features;
	/* Acknowledgements begin after this request. */
	err = send_request(guest, VSG_REQ_SET_PROTOCOL_FEATURES, 0, &guest->proto_features, 8, NULL,
			   0);
	if (err)
		return err;
	guest->queue_num = 1;
	if (guest->proto_features & VSG_PF_MQ)
		err = vsg_guest_query(guest, VSG_REQ_GET_QUEUE_NUM, &guest->queue_num);
	if (!err && guest->queue_num < guest->cfg.queue_pairs &&
	    !(guest->cfg.flags & VSG_F_PARTIAL_OK))
		err = -ENOTSUP;
	return err;
}

/**
 * vsg_guest_negotiate() - from GET_FEATURES to SET_OWNER
 * @guest: guest with a fresh connection
 *
 * A guest whose rings are built insists on the features it had: its driver has not changed.
 *
 * Return: 0, -ENOTSUP if a needed feature is missing, or -errno.
 */
int vsg_guest_negotiate(struct vsg_guest *guest)
{
	uint64_t want = guest->cfg.features | VSG_F_PROTOCOL_FEATURES;
	uint64_t need = guest->cfg.features_need;
	int err;

	if (guest->built) {
		want = guest->features;
		need = guest->features & ~VSG_F_PROTOCOL_FEATURES;
	}
	if (guest->cfg.queue_pairs == 1)
		want &= ~(1ull << VIRTIO_NET_F_MQ);
	if (guest->cfg.proto_features == 0)
		want &= ~VSG_F_PROTOCOL_FEATURES;
	guest->proto_features = 0;
	err = vsg_guest_query(guest, VSG_REQ_GET_FEATURES, &guest->offered);
	if (err)
		return err;
	if (need & ~guest->offered && !(guest->cfg.flags & VSG_F_PARTIAL_OK))
		return -ENOTSUP;
	guest->features = want & guest->offered;
	if (guest->features & VSG_F_PROTOCOL_FEATURES) {
		err = negotiate_protocol(guest);
		if (err)
			return err;
	}
	return vsg_guest_request(guest, VSG_REQ_SET_OWNER, NULL, 0, NULL, 0);
}

/**
 * vsg_guest_set_mem_table() - describe the guest's memory to the back end
 * @guest: connected guest
 *
 * Return: 0 or -errno.
 */
int vsg_guest_set_mem_table(struct vsg_guest *guest)
{
	struct {
		uint32_t n;
		uint32_t pad;
		struct vsg_wire_region region[VSG_MAX_REGIONS];
	} table = {.n = guest->mem.n};
	const struct vsg_region *r;
	int fds[VSG_MAX_REGIONS];
	uint32_t i;

	for (i = 0; i < guest->mem.n; i++) {
		r = &guest->mem.region[i];
		table.region[i].gpa = r->cfg.gpa;
		table.region[i].size = r->cfg.size;
		table.region[i].uva = r->cfg.uva;
		table.region[i].mmap_offset = r->cfg.mmap_offset;
		fds[i] = r->fd;
	}
	return vsg_guest_request(guest, VSG_REQ_SET_MEM_TABLE, &table,
				 (uint32_t)(8 + guest->mem.n * sizeof(table.region[0])), fds,
				 guest->mem.n);
}

static int set_state(struct vsg_guest *guest, uint32_t request, uint32_t index, uint32_t num)
{
	struct vsg_wire_vring_state state = {.index = index, .num = num};

	return vsg_guest_request(guest, request, &state, sizeof(state), NULL, 0);
}

static int set_event(struct vsg_guest *guest, uint32_t request, uint32_t index, int fd)
{
	uint64_t value = index | (fd < 0 ? VSG_VRING_NOFD : 0);

	return vsg_guest_request(guest, request, &value, sizeof(value), &fd, fd < 0 ? 0 : 1);
}

static int set_addr(struct vsg_guest *guest, const struct vsg_ring *ring, uint32_t flags)
{
	struct vsg_wire_vring_addr addr = {
		.index = ring->index,
		.flags = flags,
		.desc = vsg_mem_uva(&guest->mem, ring->desc_gpa),
		.used = vsg_mem_uva(&guest->mem, ring->used_gpa),
		.avail = vsg_mem_uva(&guest->mem, ring->avail_gpa),
		.log = ring->used_gpa,
	};

	return vsg_guest_request(guest, VSG_REQ_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
}

/**
 * vsg_guest_ring_start() - all that a ring needs before it is enabled
 * @guest: connected and built guest
 * @ring: number of the ring
 * @base: available index the back end begins at
 *
 * A negative descriptor in the ring stands for "none": the message then says so.
 *
 * Return: 0 or -errno.
 */
int vsg_guest_ring_start(struct vsg_guest *guest, uint32_t ring, uint16_t base)
{
	const struct vsg_ring *r = vsg_guest_ring(guest, ring);
	uint32_t log = guest->features & VSG_F_LOG_ALL ? VSG_VRING_F_LOG : 0;
	int err;

	if (!r || !guest->built)
		return -EINVAL;
	err = set_state(guest, VSG_REQ_SET_VRING_NUM, ring, r->size);
	if (!err)
		err = set_state(guest, VSG_REQ_SET_VRING_BASE, ring, base);
	if (!err)
		err = set_addr(guest, r, log);
	if (!err && r->err_fd >= 0)
		err = set_event(guest, VSG_REQ_SET_VRING_ERR, ring, r->err_fd);
	if (!err)
		err = set_event(guest, VSG_REQ_SET_VRING_CALL, ring, r->call_fd);
	if (!err)
		err = set_event(guest, VSG_REQ_SET_VRING_KICK, ring, r->kick_fd);
	return err;
}

/**
 * vsg_guest_ring_enable() - enable or disable a ring, if the protocol knows of that
 * @guest: connected guest
 * @ring: number of the ring
 * @on: 1 or 0
 *
 * Return: 0 or -errno.
 */
int vsg_guest_ring_enable(struct vsg_guest *guest, uint32_t ring, uint32_t on)
{
	if (!(guest->features & VSG_F_PROTOCOL_FEATURES))
		return 0;
	return set_state(guest, VSG_REQ_SET_VRING_ENABLE, ring, on);
}

/**
 * vsg_guest_ring_stop() - stop a ring and learn where it stands
 * @guest: connected guest
 * @ring: number of the ring
 * @ret_base: available index of the next chain the back end would have taken
 *
 * Return: 0 or -errno.
 */
int vsg_guest_ring_stop(struct vsg_guest *guest, uint32_t ring, uint32_t *ret_base)
{
	struct vsg_wire_vring_state state = {.index = ring};
	int err;

	err = send_request(guest, VSG_REQ_GET_VRING_BASE, 0, &state, sizeof(state), NULL, 0);
	if (!err)
		err = recv_reply(guest, VSG_REQ_GET_VRING_BASE, &state, sizeof(state));
	if (!err && state.index != ring)
		err = -EBADMSG;
	if (!err)
		*ret_base = state.num;
	return err;
}

static int open_log(struct vsg_guest *guest)
{
	const struct vsg_region_cfg *cfg;
	uint64_t end = 0;
	uint32_t i;
	void *map;
	int err;

	for (i = 0; i < guest->mem.n; i++) {
		cfg = &guest->mem.region[i].cfg;
		if (cfg->gpa + cfg->size > end)
			end = cfg->gpa + cfg->size;
	}
	/* One bit for each page of 4096 bytes, whole pages of it. */
	guest->log_size = ((end + 32767) / 32768 + 4095) & ~4095ull;
	guest->log_fd = memfd_create("vsguest-log", MFD_CLOEXEC);
	if (guest->log_fd < 0)
		return -errno;
	if (ftruncate(guest->log_fd, (off_t)guest->log_size) < 0)
		goto err_free;
	map = mmap(NULL, guest->log_size, PROT_READ | PROT_WRITE, MAP_SHARED, guest->log_fd, 0);
	if (map == MAP_FAILED)
		goto err_free;
	guest->log = map;
	return 0;

err_free:
	err = -errno;
	vsg_guest_log_free(guest);
	return err;
}

/* Release the dirty log. */
void vsg_guest_log_free(struct vsg_guest *guest)
{
	if (guest->log)
		munmap(guest->log, guest->log_size);
	if (guest->log_fd >= 0)
		close(guest->log_fd);
	guest->log = NULL;
	guest->log_fd = -1;
}

static int set_logging(struct vsg_guest *guest)
{
	uint32_t flags = guest->features & VSG_F_LOG_ALL ? VSG_VRING_F_LOG : 0;
	uint32_t i;
	int err;

	err = vsg_guest_request(guest, VSG_REQ_SET_FEATURES, &guest->features, 8, NULL, 0);
	for (i = 0; i < 2 * guest->cfg.queue_pairs && !err; i++)
		err = set_addr(guest, vsg_guest_ring(guest, i), flags);
	/* Without acknowledgements a query shows that all of it has been done. */
	if (!err)
		err = vsg_guest_query(guest, VSG_REQ_GET_FEATURES, &guest->offered);
	return err;
}

/**
 * vsg_guest_log_start() - have the back end log the pages it writes, as a migration does
 * @guest: started guest
 *
 * The log is @guest->log, one bit per 4096 bytes of guest-physical address space.
 *
 * Return: 0, -ENOTSUP, or -errno.
 */
int vsg_guest_log_start(struct vsg_guest *guest)
{
	struct vsg_wire_log wire;
	int err;

	if (!(guest->offered & VSG_F_LOG_ALL) || !(guest->proto_features & VSG_PF_LOG_SHMFD))
		return -ENOTSUP;
	if (guest->log_fd < 0) {
		err = open_log(guest);
		if (err)
			return err;
	}
	wire.size = guest->log_size;
	wire.offset = 0;
	err = send_request(guest, VSG_REQ_SET_LOG_BASE, 0, &wire, sizeof(wire), &guest->log_fd, 1);
	/* The size of this reply's payload is not specified. */
	if (!err)
		err = recv_reply(guest, VSG_REQ_SET_LOG_BASE, NULL, 0);
	if (err)
		return err;
	guest->features |= VSG_F_LOG_ALL;
	return set_logging(guest);
}

/**
 * vsg_guest_log_stop() - end the logging
 * @guest: guest
 *
 * Return: 0 or -errno.
 */
int vsg_guest_log_stop(struct vsg_guest *guest)
{
	guest->features &= ~VSG_F_LOG_ALL;
	return set_logging(guest);
}
