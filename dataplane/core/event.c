/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/event.h"

#include <rte_errno.h>
#include <rte_ring_elem.h>

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	EVENTS = 4096, /* one ring's entries */
};

int vs_event_ring_init(struct vs_event_ring *er, unsigned int worker)
{
	char name[RTE_RING_NAMESIZE];
	int err;

	_Static_assert(sizeof(struct vs_event) % 4 == 0, "a ring element is a number of words");
	snprintf(name, sizeof(name), "vs_event_%u", worker);

	*er = (struct vs_event_ring){.bell = -1};
	er->ring = rte_ring_create_elem(name, sizeof(struct vs_event), EVENTS, SOCKET_ID_ANY,
					RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (!er->ring)
		return -rte_errno;
	er->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (er->bell < 0) {
		err = -errno;
		rte_ring_free(er->ring);
		er->ring = NULL;
		return err;
	}
	return 0;
}

void vs_event_ring_fini(struct vs_event_ring *er)
{
	if (er->bell >= 0)
		close(er->bell);
	er->bell = -1;
	rte_ring_free(er->ring);
	er->ring = NULL;
}

void vs_event_push(struct vs_event_ring *er, const struct vs_event *ev)
{
	struct vs_event copy = *ev;

	er->unrung = 1;
	if (rte_ring_sp_enqueue_elem(er->ring, &copy, sizeof(copy)) != 0)
		__atomic_store_n(&er->lost, er->lost + 1, __ATOMIC_RELAXED);
}

void vs_event_ring_bell(struct vs_event_ring *er)
{
	uint64_t one = 1;

	if (!er->unrung)
		return;
	er->unrung = 0;
	/* EAGAIN: it is ringing already. */
	if (write(er->bell, &one, sizeof(one)) < 0)
		return;
}

unsigned int vs_event_pop(struct vs_event_ring *er, struct vs_event *ev, unsigned int max)
{
	return rte_ring_sc_dequeue_burst_elem(er->ring, ev, sizeof(*ev), max, NULL);
}
