/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/sleeper.h"

#include "dataplane/core/limits.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct vs_sleeper *sleepers[VS_WORKERS_MAX];

/* Return: 0, or -ENOSPC. */
static int enter(struct vs_sleeper *s)
{
	unsigned int i;

	for (i = 0; i < VS_WORKERS_MAX; i++) {
		struct vs_sleeper *expected = NULL;

		if (__atomic_compare_exchange_n(&sleepers[i], &expected, s, 0, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			return 0;
	}
	return -ENOSPC;
}

int vs_sleeper_init(struct vs_sleeper *s)
{
	int err;

	*s = (struct vs_sleeper){.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	if (s->bell < 0)
		return -errno;
	err = enter(s);
	if (err) {
		(void)close(s->bell);
		s->bell = -1;
	}
	return err;
}

void vs_sleeper_fini(struct vs_sleeper *s)
{
	unsigned int i;

	for (i = 0; i < VS_WORKERS_MAX; i++) {
		struct vs_sleeper *expected = s;

		(void)__atomic_compare_exchange_n(&sleepers[i], &expected, NULL, 0,
						  __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	if (s->bell >= 0)
		(void)close(s->bell);
	s->bell = -1;
}

void vs_sleeper_poke(struct vs_sleeper *s)
{
	const uint64_t one = 1;

	__atomic_fetch_add(&s->pokes, 1, __ATOMIC_SEQ_CST);
	/* EAGAIN: it is ringing already. */
	if (__atomic_load_n(&s->asleep, __ATOMIC_SEQ_CST) && write(s->bell, &one, sizeof(one)) < 0)
		return;
}

void vs_sleepers_poke(void)
{
	unsigned int i;

	for (i = 0; i < VS_WORKERS_MAX; i++) {
		struct vs_sleeper *s = __atomic_load_n(&sleepers[i], __ATOMIC_SEQ_CST);

		if (s)
			vs_sleeper_poke(s);
	}
}

int vs_sleeper_lie_down(struct vs_sleeper *s, uint32_t pokes)
{
	__atomic_store_n(&s->asleep, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->pokes, __ATOMIC_SEQ_CST) == pokes)
		return 1;
	vs_sleeper_get_up(s);
	return 0;
}

void vs_sleeper_get_up(struct vs_sleeper *s)
{
	uint64_t rung;

	__atomic_store_n(&s->asleep, 0, __ATOMIC_SEQ_CST);
	/* EAGAIN: nobody rang. */
	if (read(s->bell, &rung, sizeof(rung)) < 0)
		return;
}
