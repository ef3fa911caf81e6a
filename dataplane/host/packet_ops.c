/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's side of a guest port on a TAP that a VMM holds: a packet socket on the interface.
 *
 * Accepts (tx): frames whose private header is final.
 * Guarantees (rx): as tap_ops.c; a tag that the kernel took off stands in its place again.
 * Drops: frame_cut, offload_denied; host_full, host_down, mtu_out, mem_lost.
 *
 * DOC: theory of operation
 *
 * One call fetches up to a burst of frames into slots. A visit takes them until its budget is
 * spent; what is left over stays in the slots for the next visit, and only empty slots are filled
 * again. So no visit makes more than one call to receive, and the budget holds however many
 * copies a frame makes.
 */
#include "dataplane/host/host_obj.h"

#include "dataplane/core/frame.h"
#include "dataplane/core/hdr.h"
#include "dataplane/core/memfault.h"

#include <rte_cycles.h>
#include <rte_ether.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <netinet/in.h>

enum {
	TAG_BYTES = sizeof(struct rte_vlan_hdr),
	MACS_BYTES = 2 * RTE_ETHER_ADDR_LEN,
	/*
	 * Pieces of one frame, and of all of a burst: virtio-net header, private header, extents.
	 */
	SEND_IOV_ONE = 1 + VS_FRAME_IOV,
	SEND_IOV = 2 * VS_BURST_MAX + VS_BURST_EXTENTS,
};

/* The tag that the kernel took off a frame, or NULL with the frame as it was. */
static const struct tpacket_auxdata *tag_of(struct msghdr *mh)
{
	const struct tpacket_auxdata *aux;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(*aux)))
			continue;
		aux = (const void *)CMSG_DATA(c);
		return aux->tp_status & TP_STATUS_VLAN_VALID ? aux : NULL;
	}
	return NULL;
}

/* Put the tag back between the addresses and the type, into the room in front. */
static void put_tag(struct vs_pkt *pkt, const struct tpacket_auxdata *aux)
{
	bool has_tpid = aux->tp_status & TP_STATUS_VLAN_TPID_VALID;
	uint16_t tag[2] = {
		htons(has_tpid ? aux->tp_vlan_tpid : RTE_ETHER_TYPE_VLAN),
		htons(aux->tp_vlan_tci),
	};

	memmove(pkt->hdr - TAG_BYTES, pkt->hdr, MACS_BYTES);
	pkt->hdr -= TAG_BYTES;
	memcpy(pkt->hdr + MACS_BYTES, tag, sizeof(tag));
	pkt->len += TAG_BYTES;
	/* The kernel counted without it. */
	pkt->vnet.hdr.csum_start =
		htole16((uint16_t)(le16toh(pkt->vnet.hdr.csum_start) + TAG_BYTES));
}

/* Slot @i becomes the next packet of the burst. */
static void take_slot(struct vs_host *host, struct vs_packet_slots *slots, unsigned int i,
		      struct vs_burst *burst)
{
	struct mmsghdr *m = &slots->msg[i];
	struct vs_pkt *pkt = &burst->pkt[burst->n++];
	struct vs_extent *ext = &burst->ext[burst->n_ext];
	uint32_t vnet_len = sizeof(slots->vnet[i]);
	const struct tpacket_auxdata *aux;

	*pkt = (struct vs_pkt){
		.hdr = slots->frame[i].bytes,
		.ext = ext,
		.len = m->msg_len > vnet_len ? m->msg_len - vnet_len : 0,
		.in_port = host->in_port,
	};
	pkt->vnet.hdr = slots->vnet[i];
	aux = pkt->len >= MACS_BYTES ? tag_of(&m->msg_hdr) : NULL;
	if (aux)
		put_tag(pkt, aux);
	pkt->hdr_len = (uint16_t)RTE_MIN(pkt->len, (uint32_t)VS_HDR_BYTES);
	if (m->msg_hdr.msg_flags & MSG_TRUNC) {
		pkt->drop = VS_DROP_FRAME_CUT;
	} else if (pkt->len > VS_HDR_BYTES) {
		*ext = (struct vs_extent){
			.data = pkt->hdr + VS_HDR_BYTES,
			.len = pkt->len - VS_HDR_BYTES,
		};
		pkt->n_ext = 1;
		burst->n_ext++;
	}
}

/* A frame that the kernel could not describe (EINVAL): segments of a kind it has no name for. */
static void take_unknown(const struct vs_host *host, struct vs_burst *burst)
{
	struct vs_pkt *pkt = &burst->pkt[burst->n];

	*pkt = (struct vs_pkt){
		.hdr = burst->hdr[burst->n].bytes,
		.ext = &burst->ext[burst->n_ext],
		.in_port = host->in_port,
		.drop = VS_DROP_OFFLOAD_DENIED,
	};
	burst->n++;
}

/* Fill the slots, which are empty. Return: 0, or -errno. */
static int fill_slots(int fd, struct vs_packet_slots *slots)
{
	unsigned int i;
	int n;

	for (i = 0; i < VS_BURST_MAX; i++) {
		/* What the last call changed. */
		slots->msg[i].msg_hdr.msg_controllen = sizeof(slots->control[i]);
		slots->msg[i].msg_hdr.msg_flags = 0;
	}
	slots->next = 0;
	slots->n = 0;
	n = recvmmsg(fd, slots->msg, VS_BURST_MAX, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	slots->n = (unsigned int)n;
	return 0;
}

static void packet_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct vs_host *host = dev;
	struct vs_packet_slots *slots;
	struct vs_host_queue *q;
	uint64_t cost = 0;
	int err;

	if (pair >= host->n_queues)
		return;
	q = &host->queue[pair];
	slots = q->slots;
	if (slots->next == slots->n) {
		if (rte_rdtsc() < q->next_tsc)
			return;
		err = fill_slots(q->fd, slots);
		if (err == -EINVAL)
			take_unknown(host, burst);
		else if (err == -ENODEV || err == -ENXIO)
			vs_host_note_fault(host);
		if (slots->n < VS_BURST_MAX)
			q->next_tsc = rte_rdtsc() + host->dry_tsc;
	}
	while (slots->next < slots->n && burst->n < VS_BURST_MAX && cost < VS_VISIT_BYTES) {
		take_slot(host, slots, slots->next++, burst);
		cost += vs_l2_cost(&burst->pkt[burst->n - 1], fanout);
	}
}

static void packet_rx_done(void *dev, unsigned int pair)
{
	(void)dev;
	(void)pair;
}

/* What one call to sendmmsg() sends. */
struct shipment {
	unsigned int n;
	unsigned int n_iov;
	struct mmsghdr msg[VS_BURST_MAX];
	struct iovec iov[SEND_IOV];
	struct virtio_net_hdr vnet[VS_BURST_MAX];
};

static void load_frame(struct shipment *s, const struct vs_pkt *pkt)
{
	struct iovec *iov = &s->iov[s->n_iov];
	unsigned int n_iov;

	iov[0] = vs_frame_vnet_iov(pkt, &s->vnet[s->n]);
	n_iov = 1 + vs_frame_iov(pkt, iov + 1);
	s->msg[s->n++] = (struct mmsghdr){.msg_hdr = {.msg_iov = iov, .msg_iovlen = n_iov}};
	s->n_iov += n_iov;
}

/* The kernel refused frame @pkt. Return: why, as a drop reason. */
static enum vs_drop refused(struct vs_host *host, const struct vs_pkt *pkt, int err)
{
	if (err == EFAULT)
		vs_frame_touch(pkt);
	else if (err == ENODEV || err == ENXIO)
		vs_host_note_fault(host);
	return vs_frame_fate(err);
}

/* Send what was loaded, frames @pkt; everything gets its fate. */
static void ship(struct vs_host *host, int fd, struct shipment *s, struct vs_pkt *const *pkt,
		 uint8_t *fate)
{
	unsigned int done = 0;

	while (done < s->n) {
		enum vs_drop drop;
		int err;
		int n = sendmmsg(fd, s->msg + done, s->n - done, MSG_DONTWAIT);

		if (n > 0) {
			memset(fate + done, VS_DROP_NONE, (size_t)n);
			done += (unsigned int)n;
			continue;
		}
		err = errno;
		drop = refused(host, pkt[done], err);
		fate[done++] = (uint8_t)drop;
		if (!vs_frame_is_alone(err)) {
			memset(fate + done, (int)drop, s->n - done);
			done = s->n;
		}
	}
	s->n = 0;
	s->n_iov = 0;
}

/* Send a frame of very many pieces as one. */
static enum vs_drop send_scattered(struct vs_host *host, int fd, const struct vs_pkt *pkt)
{
	uint8_t frame[VS_FRAME_BYTES];
	struct virtio_net_hdr vnet;
	struct iovec iov[2] = {
		vs_frame_vnet_iov(pkt, &vnet),
		{.iov_base = frame, .iov_len = vs_frame_gather(pkt, frame)},
	};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};

	/* Zeros in place of memory that went meanwhile are not the frame. */
	if (vs_mem_is_lost())
		return VS_DROP_MEM_LOST;
	if (sendmsg(fd, &mh, MSG_DONTWAIT) < 0)
		return refused(host, pkt, errno);
	return VS_DROP_NONE;
}

static void packet_tx(void *dev, unsigned int pair, struct vs_pkt *const *pkt, unsigned int n,
		      uint8_t *fate)
{
	struct vs_host *host = dev;
	int fd = host->queue[pair % host->n_queues].fd;
	unsigned int first = 0;
	struct shipment s;
	unsigned int i;

	/* All frames of a burst have one sender: what it has lost, they all miss. */
	if (vs_mem_is_lost()) {
		memset(fate, VS_DROP_MEM_LOST, n);
		return;
	}
	s.n = 0;
	s.n_iov = 0;
	for (i = 0; i < n; i++) {
		bool scattered = vs_frame_is_scattered(pkt[i]);

		if (scattered || s.n == VS_BURST_MAX || s.n_iov + SEND_IOV_ONE > SEND_IOV) {
			ship(host, fd, &s, pkt + first, fate + first);
			first = i;
		}
		if (scattered) {
			fate[i] = (uint8_t)send_scattered(host, fd, pkt[i]);
			first = i + 1;
		} else {
			load_frame(&s, pkt[i]);
		}
	}
	ship(host, fd, &s, pkt + first, fate + first);
}

/* What a VMM says of a checksum reaches the switch as if the kernel had said it. */
static unsigned int packet_rights(void *dev)
{
	return vs_host_rights(dev) & ~(unsigned int)VS_OFFLOAD_VERIFY;
}

/*
 * The kernel computes checksums for a VMM that does not, but drops what it would have to cut: with
 * PACKET_QDISC_BYPASS a frame must leave as one (dev_direct_xmit()).
 */
static unsigned int packet_caps(void *dev)
{
	(void)dev;
	return VS_OFFLOAD_CSUM | VS_OFFLOAD_VERIFY;
}

const struct vs_port_ops vs_packet_ops = {
	.rx = packet_rx,
	.rx_done = packet_rx_done,
	.tx = packet_tx,
	.fault_pending = vs_host_fault_pending,
	.bell = vs_host_bell,
	.rights = packet_rights,
	.caps = packet_caps,
};
