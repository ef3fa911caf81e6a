/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The worker's side of a guest port.
 *
 * Ring 2p is what the guest receives from in queue pair p, ring 2p + 1 what it transmits with.
 * Workers may hold an older configuration than the one in force, so every ring is looked at
 * before it is used; a ring that control stopped meanwhile is simply not usable any more.
 */
#include "dataplane/guest/guest_obj.h"

#include "dataplane/core/memfault.h"
#include "dataplane/core/owed.h"

#include <endian.h>

static void guest_rx(void *dev, unsigned int pair, unsigned int fanout, struct vs_burst *burst)
{
	struct vs_guest *guest = dev;
	struct vs_vring *vr;

	if (pair >= VS_GUEST_PAIRS_MAX)
		return;
	vr = &guest->dev.vring[2 * pair + 1];
	if (vs_ring_usable(&vr->ring)) {
		vs_mem_source = &vr->ring.mem->lost;
		vs_ring_pull(&vr->ring, burst, fanout);
	}
	vs_guest_note_fault(guest, vr);
}

/*
 * Not tied to vs_ring_usable(): when control stops the ring within a round, it waits for the
 * end of this round, and what was taken in it is given back now.
 */
static void guest_rx_done(void *dev, unsigned int pair)
{
	struct vs_guest *guest = dev;
	struct vs_vring *vr;

	if (pair >= VS_GUEST_PAIRS_MAX)
		return;
	vr = &guest->dev.vring[2 * pair + 1];
	if (vr->ring.taken)
		vs_ring_pull_done(&vr->ring);
	vs_guest_note_fault(guest, vr);
}

static bool guest_fault_pending(void *dev)
{
	struct vs_guest *guest = dev;

	/* The load alone in the usual case: an exchange would take the line from everybody. */
	return __atomic_load_n(&guest->dev.fault_pending, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&guest->dev.fault_pending, 0, __ATOMIC_ACQ_REL);
}

/* A ring that cannot be used brings nothing until it is started anew. */
static struct vs_watch guest_watch(void *dev, unsigned int pair)
{
	struct vs_guest *guest = dev;
	struct vs_watch watch = {0};
	struct vs_vring *vr;

	if (pair >= VS_GUEST_PAIRS_MAX)
		return watch;
	vr = &guest->dev.vring[2 * pair + 1];
	if (vs_ring_usable(&vr->ring)) {
		watch.word = &vr->ring.avail->idx;
		watch.seen = htole16(vr->ring.next_avail);
	}
	vs_guest_note_fault(guest, vr);
	return watch;
}

/* What the guest kicks with. */
static struct vs_bell guest_bell(void *dev, unsigned int pair)
{
	struct vs_guest *guest = dev;
	const struct vs_vring *vr;
	int fd;

	if (pair >= VS_GUEST_PAIRS_MAX)
		return (struct vs_bell){.kind = VS_BELL_SILENT};
	vr = &guest->dev.vring[2 * pair + 1];
	if (!vs_ring_usable(&vr->ring))
		return (struct vs_bell){.kind = VS_BELL_SILENT};
	fd = __atomic_load_n(&vr->kick_fd, __ATOMIC_ACQUIRE);
	return (struct vs_bell){.kind = fd < 0 ? VS_BELL_MISSING : VS_BELL_STROKE, .fd = fd};
}

static bool guest_wish(void *dev, unsigned int pair, enum vs_bell_wish wish)
{
	struct vs_guest *guest = dev;
	struct vs_vring *vr;

	if (pair >= VS_GUEST_PAIRS_MAX)
		return true;
	vr = &guest->dev.vring[2 * pair + 1];
	if (vs_ring_usable(&vr->ring))
		vs_ring_want_kicks(&vr->ring, wish);
	vs_guest_note_fault(guest, vr);
	return true;
}

/* Interrupts that moderation holds back. What another worker is delivering to comes next time. */
static uint64_t guest_remind(void *dev, uint64_t now)
{
	struct vs_guest *guest = dev;
	uint64_t next = VS_OWED_NEVER;
	unsigned int i;

	for (i = 0; i < VS_GUEST_RINGS_MAX; i += 2) {
		struct vs_ring *ring = &guest->dev.vring[i].ring;

		if (!__atomic_load_n(&ring->owed, __ATOMIC_RELAXED))
			continue;
		if (!vs_trylock(&ring->lock)) {
			next = RTE_MIN(next, now);
			continue;
		}
		if (vs_ring_usable(ring) && ring->owed) {
			if (ring->owed_due <= now)
				vs_ring_remind(ring);
			else
				next = RTE_MIN(next, ring->owed_due);
		}
		vs_tryunlock(&ring->lock);
	}
	return next;
}

static unsigned int guest_rights(void *dev)
{
	struct vs_guest *guest = dev;

	return __atomic_load_n(&guest->dev.rights, __ATOMIC_RELAXED);
}

static unsigned int guest_caps(void *dev)
{
	struct vs_guest *guest = dev;

	return __atomic_load_n(&guest->dev.caps, __ATOMIC_ACQUIRE);
}

const struct vs_port_ops vs_guest_ops = {
	.rx = guest_rx,
	.rx_done = guest_rx_done,
	.tx = vs_guest_tx,
	.fault_pending = guest_fault_pending,
	.watch = guest_watch,
	.bell = guest_bell,
	.wish = guest_wish,
	.remind = guest_remind,
	.rights = guest_rights,
	.caps = guest_caps,
};
