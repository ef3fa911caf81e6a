/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tunnel port of a switch: a port without a device.
 *
 * DOC: theory of operation
 *
 * What lookup sends to it is packed by encap and goes to the uplink, so its tx is never reached.
 * What comes from it are outer frames that control made, or kept until a next hop was known: one
 * writer, control, one reader, the worker that visits the port. Decap sends them on to the uplink.
 * Frames that decap unpacks come from this port, too, but by the uplink's visits.
 */
#include "nvgre/nvgre.h"

#include "dataplane/core/punt.h"

#include <rte_common.h>
#include <rte_ether.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

_Static_assert((VS_TUNNEL_SLOTS & (VS_TUNNEL_SLOTS - 1)) == 0, "numbers wrap around");
_Static_assert((int)VS_TUNNEL_SLOTS <= (int)VS_BURST_MAX, "a visit takes all");

struct slot {
	uint32_t len;
	uint8_t bytes[VS_PUNT_BYTES];
};

struct vs_tunnel {
	uint16_t id;
	int bell; /* eventfd; read by nobody */
	uint32_t rights;
	uint16_t head __rte_cache_aligned; /* frames put in; control's */
	uint16_t tail __rte_cache_aligned; /* frames taken; the worker's */
	uint16_t taken;                    /* and those that are still in use */
	struct slot slot[VS_TUNNEL_SLOTS] __rte_cache_aligned;
};

int vs_tunnel_new(uint16_t id, struct vs_tunnel **ret_tunnel)
{
	struct vs_tunnel *t = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	t->id = id;
	t->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (t->bell < 0) {
		err = -errno;
		free(t);
		return err;
	}
	*ret_tunnel = t;
	return 0;
}

void vs_tunnel_free(struct vs_tunnel *tunnel)
{
	if (!tunnel)
		return;
	(void)close(tunnel->bell);
	free(tunnel);
}

void vs_tunnel_set_rights(struct vs_tunnel *tunnel, unsigned int rights)
{
	__atomic_store_n(&tunnel->rights, rights, __ATOMIC_RELAXED);
}

int vs_tunnel_inject(struct vs_tunnel *tunnel, const uint8_t *bytes, uint32_t len)
{
	const uint64_t one = 1;
	struct slot *slot;

	if (len < sizeof(struct rte_ether_hdr) || len > sizeof(slot->bytes))
		return -EMSGSIZE;
	if ((uint16_t)(tunnel->head - __atomic_load_n(&tunnel->tail, __ATOMIC_ACQUIRE)) ==
	    VS_TUNNEL_SLOTS)
		return -ENOBUFS;
	slot = &tunnel->slot[tunnel->head % VS_TUNNEL_SLOTS];
	slot->len = len;
	memcpy(slot->bytes, bytes, len);
	__atomic_store_n(&tunnel->head, (uint16_t)(tunnel->head + 1), __ATOMIC_RELEASE);
	/* Fails only if nobody heard it 2^64 times. */
	if (write(tunnel->bell, &one, sizeof(one)) < 0)
		return 0;
	return 0;
}

static void take(struct vs_tunnel *t, const struct slot *slot, struct vs_burst *burst)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n];
	struct vs_extent *ext = &burst->ext[burst->n_ext];

	*pkt = (struct vs_pkt){
		.hdr = burst->hdr[burst->n].bytes,
		.ext = ext,
		.len = slot->len,
		.hdr_len = (uint16_t)RTE_MIN(slot->len, (uint32_t)VS_HDR_BYTES),
		.in_port = t->id,
	};
	memcpy(pkt->hdr, slot->bytes, pkt->hdr_len);
	if (slot->len > pkt->hdr_len) {
		*ext = (struct vs_extent){slot->bytes + pkt->hdr_len, slot->len - pkt->hdr_len};
		pkt->n_ext = 1;
		burst->n_ext++;
	}
	burst->n++;
}

static void tunnel_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct vs_tunnel *t = dev;
	const uint16_t head = __atomic_load_n(&t->head, __ATOMIC_ACQUIRE);

	(void)pair;
	(void)fanout;
	t->taken = t->tail;
	while (t->taken != head && burst->n < VS_BURST_MAX) {
		take(t, &t->slot[t->taken % VS_TUNNEL_SLOTS], burst);
		t->taken++;
	}
}

static void tunnel_rx_done(void *dev, unsigned int pair)
{
	struct vs_tunnel *t = dev;

	(void)pair;
	__atomic_store_n(&t->tail, t->taken, __ATOMIC_RELEASE);
}

/* What gets here was not packed. */
static void tunnel_tx(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		      uint8_t *fate)
{
	(void)dev;
	(void)pair;
	(void)pkt;
	memset(fate, VS_DROP_NO_PEER, n);
}

static bool tunnel_fault_pending(void *dev)
{
	(void)dev;
	return false;
}

static struct vs_watch tunnel_watch(void *dev, unsigned int pair)
{
	struct vs_tunnel *t = dev;

	(void)pair;
	return (struct vs_watch){.word = &t->head, .seen = t->tail};
}

static struct vs_bell tunnel_bell(void *dev, unsigned int pair)
{
	const struct vs_tunnel *t = dev;

	(void)pair;
	return (struct vs_bell){.kind = VS_BELL_STROKE, .fd = t->bell};
}

static unsigned int tunnel_rights(void *dev)
{
	return __atomic_load_n(&((struct vs_tunnel *)dev)->rights, __ATOMIC_RELAXED);
}

const struct vs_port_ops vs_tunnel_ops = {
	.rx = tunnel_rx,
	.rx_done = tunnel_rx_done,
	.tx = tunnel_tx,
	.fault_pending = tunnel_fault_pending,
	.watch = tunnel_watch,
	.bell = tunnel_bell,
	.rights = tunnel_rights,
};
