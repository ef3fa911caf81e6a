/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for the back end to return chains, by its calls or by looking.
 *
 * Theory of operation. Calls are off as a rule. Who waits asks for one (by the event index or the
 * flag, as negotiated), looks at the used index once more behind a full fence, and only then
 * sleeps: a back end that returned the chain before it saw the wish is caught by that look.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "bench/guest/deadline.h"
#include "bench/guest/ringops.h"

/* Ask for a call once the used index passes @upto - 1, or ask for none. */
static void arm(struct vsg_ring *ring, uint16_t upto)
{
	if (ring->event_idx)
		__atomic_store_n(&ring->avail->ring[ring->size], (uint16_t)(upto - 1),
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->avail->flags, 0, __ATOMIC_RELAXED);
	/* The wish must be visible before the last look at the used index. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void disarm(struct vsg_ring *ring)
{
	if (ring->event_idx)
		__atomic_store_n(&ring->avail->ring[ring->size], (uint16_t)(ring->last_used - 1),
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->avail->flags, VRING_AVAIL_F_NO_INTERRUPT, __ATOMIC_RELAXED);
}

/* Sleep until a call or the peer's hang-up. */
static int sleep_on_call(struct vsg_ring *ring, int peer_fd, const struct timespec *end)
{
	struct pollfd p[2] = {
		{.fd = ring->call_fd, .events = POLLIN},
		{.fd = peer_fd, .events = POLLRDHUP},
	};
	uint64_t count;
	int n;

	n = poll(p, 2, vsg_deadline_left(end));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ETIMEDOUT;
	if (p[0].revents & POLLIN) {
		if (read(ring->call_fd, &count, sizeof(count)) == sizeof(count))
			ring->calls++;
		return 0;
	}
	return p[1].revents ? -ENOTCONN : -EIO;
}

/**
 * vsg_ring_wait() - wait until the back end has returned chains
 * @ring: ring
 * @want: how many have to be there, beginning with those not taken yet
 * @peer_fd: connection to watch besides, or -1
 * @timeout_ms: time limit
 *
 * Return: 0, -ETIMEDOUT, -ENOTCONN when the peer hung up, or -errno.
 */
int vsg_ring_wait(struct vsg_ring *ring, uint32_t want, int peer_fd, int timeout_ms)
{
	struct timespec end;
	int err = 0;

	if (ring_pending(ring) >= want)
		return 0;
	if (timeout_ms == 0)
		return -ETIMEDOUT;
	vsg_deadline_set(&end, timeout_ms);
	if (ring->wait == VSG_WAIT_CALL)
		arm(ring, (uint16_t)(ring->last_used + want));
	while (ring_pending(ring) < want) {
		if (ring->wait == VSG_WAIT_CALL) {
			err = sleep_on_call(ring, peer_fd, &end);
		} else {
			sched_yield();
			err = vsg_deadline_left(&end) == 0 ? -ETIMEDOUT : 0;
		}
		if (err)
			break;
	}
	if (ring->wait == VSG_WAIT_CALL)
		disarm(ring);
	/* What came together with the end of the time or of the peer still counts. */
	return ring_pending(ring) >= want ? 0 : err;
}
