/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both directions of a ring share: start, stop, publishing and calling the guest.
 *
 * DOC: theory of operation: notifications
 *
 * While the switch polls it wants no kicks: without the event index it sets NO_NOTIFY in the used
 * ring, with it the wanted index (avail_event) is put half the index space away, which costs the
 * guest one kick in 65,536 entries. Before a worker sleeps (park.c) it takes NO_NOTIFY away, or
 * names the next index.
 *
 * The guest is called when it asked for it: with the event index, when the used index passes the
 * index it named (used_event, 2.6.7.2); otherwise, unless it set NO_INTERRUPT. The fence between
 * publishing and looking is the other half of the guest's fence between naming an index and
 * looking at the used index; without it both could miss each other.
 */
#include "dataplane/guest/ring_chain.h"

#include "dataplane/core/watch.h"
#include "dataplane/guest/notify.h"

#include <rte_branch_prediction.h>

/* clang-format off */
static const struct {
	const char *name;
	const char *text;
} faults[VS_RING_FAULT_COUNT] = {
	[VS_RING_OK] = {"ok", "no fault"},
#define X(id, n, t) [VS_RING_##id] = {n, t},
	VS_RING_FAULTS(X)
#undef X
};
/* clang-format on */

const char *vs_ring_fault_name(enum vs_ring_fault fault)
{
	return (unsigned int)fault < VS_RING_FAULT_COUNT ? faults[fault].name : "unknown";
}

const char *vs_ring_fault_text(enum vs_ring_fault fault)
{
	return (unsigned int)fault < VS_RING_FAULT_COUNT ? faults[fault].text : "unknown";
}

/* used_event lies behind the available ring, avail_event behind the used ring. */
static __virtio16 *used_event(const struct vs_ring *ring)
{
	return &ring->avail->ring[ring->size];
}

static __virtio16 *avail_event(const struct vs_ring *ring)
{
	return (__virtio16 *)&ring->used->ring[ring->size];
}

void vs_ring_call(struct vs_ring *ring)
{
	int fd = __atomic_load_n(&ring->call_fd, __ATOMIC_RELAXED);

	if (fd >= 0 && !vs_notify(fd))
		ring->calls++;
}

bool vs_ring_wants_call(const struct vs_ring *ring, uint16_t before)
{
	if (ring->flags & VS_RING_EVENT_IDX)
		return vring_need_event(vs_shared_load16(used_event(ring)), ring->next_used,
					before);
	return !(vs_shared_load16(&ring->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

void vs_ring_publish(struct vs_ring *ring, uint16_t n)
{
	uint16_t before = ring->signalled;
	bool wants;

	if (n == 0)
		return;
	ring->next_used = (uint16_t)(ring->next_used + n);
	vs_shared_store16_release(&ring->used->idx, ring->next_used);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->signalled = ring->next_used;
	wants = vs_ring_wants_call(ring, before);
	if (unlikely(__atomic_load_n(&ring->moderation, __ATOMIC_RELAXED)))
		vs_ring_moderate(ring, n, before, wants);
	else if (wants)
		vs_ring_call(ring);
}

void vs_ring_want_kicks(struct vs_ring *ring, enum vs_bell_wish wish)
{
	bool ring_it = wish == VS_BELL_RING;

	if (ring->flags & VS_RING_EVENT_IDX)
		vs_shared_store16(avail_event(ring),
				  (uint16_t)(ring->next_avail + (ring_it ? 0 : 0x8000)));
	else
		vs_shared_store16(&ring->used->flags, ring_it ? 0 : VRING_USED_F_NO_NOTIFY);
}

void vs_ring_start(struct vs_ring *ring, uint16_t base)
{
	ring->next_avail = base;
	ring->next_used = vs_shared_load16(&ring->used->idx);
	ring->signalled = ring->next_used;
	ring->taken = 0;
	ring->owed = 0;
	ring->fault = VS_RING_OK;

	vs_shared_store16(&ring->used->flags, 0);
	vs_ring_want_kicks(ring, VS_BELL_MUTE);
	__atomic_store_n(&ring->run, 1, __ATOMIC_RELEASE);
	vs_watch_changed();

	/* A switch that crashed may have published a burst without calling the guest. */
	vs_ring_call(ring);
}

void vs_ring_stop(struct vs_ring *ring)
{
	__atomic_store_n(&ring->run, 0, __ATOMIC_RELEASE);
	vs_watch_changed();
}
