/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's side of an xdp uplink.
 *
 * Queue pairs 0 to n - 1 are the hw queues; pair n is the host, while it shares the interface; the
 * pairs behind it are the queues of guests' ports, n for each: what fell into it on each hw queue.
 * A frame for the uplink goes to the wire, or to the host if it has the interface's address, or
 * to both if it is for a group; that is one delivery, which counts as done if the wire took it (or
 * the host, where there is no wire).
 */
#include "dataplane/uplink/xdp_obj.h"

#include "dataplane/core/memfault.h"

#include <rte_bitops.h>
#include <rte_branch_prediction.h>

#include <string.h>

enum {
	TO_WIRE = 1,
	TO_HOST = 2,
};

/* Is everything taken that has to go before the frames of the default socket? */
static bool is_drained(const struct vs_xdp *x, uint32_t hw)
{
	uint32_t *draining = &x->set.queue[hw].draining;
	uint32_t left = __atomic_load_n(draining, __ATOMIC_ACQUIRE);

	while (left) {
		uint32_t queue = (uint32_t)rte_bsf32(left);
		const struct vs_xq_in *in = &x->queue[queue - 1].in[hw];
		/* Before the ring: with LAST it can only become emptier. */
		uint32_t gate = __atomic_load_n(&in->gate, __ATOMIC_ACQUIRE);

		if (!vs_xq_in_is_empty(in))
			return false;
		if (gate == VS_XQ_LAST)
			__atomic_fetch_and(draining, ~(1u << queue), __ATOMIC_RELAXED);
		left &= left - 1;
	}
	return true;
}

/* May frames be taken from the socket of a queue, or does the default one come first? */
static bool is_its_turn(struct vs_xq_in *in)
{
	uint32_t gate = __atomic_load_n(&in->gate, __ATOMIC_ACQUIRE);
	uint32_t at;

	if (gate == VS_XQ_SHUT)
		return false;
	if (gate != VS_XQ_MARKED)
		return true;
	at = __atomic_load_n(in->q->in.rx.consumer, __ATOMIC_ACQUIRE);
	if ((int32_t)(at - in->mark) < 0)
		return false;
	/* Control may have shut it, or said that nothing more comes: that stands. */
	(void)__atomic_compare_exchange_n(&in->gate, &gate, VS_XQ_OPEN, false, __ATOMIC_RELAXED,
					  __ATOMIC_RELAXED);
	return true;
}

static void rx_hw_queue(struct vs_xdp *x, unsigned int hw, unsigned int fanout,
			struct vs_burst *burst)
{
	struct vs_xq *q = &x->set.queue[hw];

	vs_xq_flush(q);
	if (unlikely(__atomic_load_n(&q->draining, __ATOMIC_RELAXED)) && !is_drained(x, hw))
		return;
	vs_xq_rx(&q->in, fanout, burst);
}

static void xdp_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct vs_xdp *x = dev;
	struct vs_xq_in *in;
	unsigned int i;

	if (pair < x->set.n) {
		rx_hw_queue(x, pair, fanout, burst);
	} else if (pair == x->set.n) {
		vs_xtap_rx(&x->tap, fanout, burst);
	} else {
		in = vs_xdp_socket_of(x, pair);
		if (in && is_its_turn(in))
			vs_xq_rx(in, fanout, burst);
	}
	for (i = 0; i < burst->n; i++)
		burst->pkt[i].in_port = x->port;
}

static void xdp_rx_done(void *dev, unsigned int pair)
{
	struct vs_xq_in *in = vs_xdp_socket_of(dev, pair);

	if (in)
		vs_xq_rx_done(in);
}

/* Where a frame goes. @mac: the interface's address, as the first six bytes. */
static unsigned int where(const struct vs_pkt *pkt, uint64_t mac)
{
	if (pkt->hdr_len < sizeof(struct rte_ether_hdr))
		return TO_WIRE;
	if (pkt->hdr[0] & 1)
		return TO_WIRE | TO_HOST;
	return memcmp(pkt->hdr, &mac, RTE_ETHER_ADDR_LEN) == 0 ? TO_HOST : TO_WIRE;
}

/* Is a frame, with its tag if it has one, longer than the interface takes? */
static bool is_long(const struct vs_pkt *pkt, uint32_t mtu)
{
	const struct rte_ether_hdr *eth = (const void *)pkt->hdr;
	uint32_t max = mtu + RTE_ETHER_HDR_LEN;

	if (pkt->hdr_len >= sizeof(*eth) && eth->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN))
		max += RTE_VLAN_HLEN;
	return pkt->len > max;
}

/* What goes where, of one call. */
struct sorted {
	struct vs_pkt *to_wire[VS_BURST_MAX];
	uint8_t which[VS_BURST_MAX];
	unsigned int n_wire;
};

/* Give the host what is for it, and note what is for the wire. */
static void sort(const struct vs_xdp *x, struct vs_pkt *const *pkt, unsigned int n, uint8_t *fate,
		 struct sorted *s)
{
	int tap = __atomic_load_n(&x->tap.fd, __ATOMIC_ACQUIRE);
	uint64_t mac = __atomic_load_n(&x->mac, __ATOMIC_RELAXED);
	uint32_t mtu = __atomic_load_n(&x->mtu, __ATOMIC_RELAXED);
	bool wire = __atomic_load_n(&x->wire, __ATOMIC_RELAXED);
	unsigned int i;

	s->n_wire = 0;
	for (i = 0; i < n; i++) {
		unsigned int to = tap < 0 ? TO_WIRE : where(pkt[i], mac);

		fate[i] = VS_DROP_UPLINK_DOWN;
		/* All frames of a burst have one sender: what it has lost, they all miss. */
		if (vs_mem_is_lost()) {
			fate[i] = VS_DROP_MEM_LOST;
			continue;
		}
		if (is_long(pkt[i], mtu)) {
			fate[i] = VS_DROP_UPLINK_SIZE;
			continue;
		}
		if (to & TO_HOST)
			fate[i] = (uint8_t)vs_xtap_tx(tap, pkt[i]);
		if (!(to & TO_WIRE) || !wire)
			continue;
		s->which[s->n_wire] = (uint8_t)i;
		s->to_wire[s->n_wire++] = pkt[i];
	}
}

static void xdp_tx(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		   uint8_t *fate)
{
	struct vs_xdp *x = dev;
	uint8_t wire_fate[VS_BURST_MAX];
	struct sorted s;
	struct vs_xq *q;
	unsigned int i;

	q = &x->set.queue[pair % x->set.n];
	/* Before the host gets anything: it must not get the same frames again. */
	if (!vs_trylock(&q->lock)) {
		memset(fate, VS_DROP_TX_BUSY, n);
		return;
	}
	sort(x, pkt, n, fate, &s);
	if (s.n_wire)
		vs_xq_tx(q, s.to_wire, s.n_wire, wire_fate);
	vs_tryunlock(&q->lock);
	for (i = 0; i < s.n_wire; i++)
		fate[s.which[i]] = wire_fate[i];
}

static bool xdp_fault_pending(void *dev)
{
	(void)dev;
	return false;
}

static struct vs_bell xdp_bell(void *dev, unsigned int pair)
{
	struct vs_xdp *x = dev;
	const struct vs_xq_in *in = vs_xdp_socket_of(x, pair);
	int fd = -1;

	if (in)
		fd = in->fd;
	else if (pair == x->set.n)
		fd = __atomic_load_n(&x->tap.fd, __ATOMIC_ACQUIRE);
	return (struct vs_bell){.kind = fd < 0 ? VS_BELL_SILENT : VS_BELL_WHILE_FRAMES, .fd = fd};
}

/*
 * What the kernel did not take is offered again at each visit, and chunks that another worker kept
 * from being given back are, too.
 */
static bool xdp_wish(void *dev, unsigned int pair, enum vs_bell_wish wish)
{
	struct vs_xdp *x = dev;
	const struct vs_xq_in *in = vs_xdp_socket_of(x, pair);

	/* What is in a burst that is open wakes nobody; it is not on its way to the card either. */
	if (wish == VS_BELL_RING && in && in->taken)
		return false;
	return pair >= x->set.n || !__atomic_load_n(&x->set.queue[pair].unsent, __ATOMIC_SEQ_CST);
}

/* A received frame is in memory that nobody else writes to until the burst is done. */
static unsigned int xdp_rights(void *dev)
{
	(void)dev;
	return VS_OFFLOAD_MERGE;
}

const struct vs_port_ops vs_xdp_ops = {
	.rx = xdp_rx,
	.rx_done = xdp_rx_done,
	.tx = xdp_tx,
	.fault_pending = xdp_fault_pending,
	.bell = xdp_bell,
	.wish = xdp_wish,
	.rights = xdp_rights,
};
