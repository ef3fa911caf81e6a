/* SPDX-License-Identifier: BSD-3-Clause */
/* Waking workers that sleep: no poke is missed, whenever it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/limits.h"
#include "dataplane/core/sleeper.h"

#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum {
	TURNS = 20000,
};

static int rings(const struct vs_sleeper *s)
{
	struct pollfd pfd = {.fd = s->bell, .events = POLLIN};

	return poll(&pfd, 1, 0);
}

static void test_steps(void **state)
{
	struct vs_sleeper s;
	uint32_t pokes;

	assert_int_equal(vs_sleeper_init(&s), 0);
	pokes = vs_sleeper_note(&s);
	/* Awake: it is noted, and nobody makes a system call. */
	vs_sleeper_poke(&s);
	assert_int_equal(rings(&s), 0);
	assert_int_equal(vs_sleeper_lie_down(&s, pokes), 0);
	assert_int_equal(s.asleep, 0);

	pokes = vs_sleeper_note(&s);
	assert_int_equal(vs_sleeper_lie_down(&s, pokes), 1);
	assert_int_equal(rings(&s), 0);
	vs_sleepers_poke();
	vs_sleepers_poke();
	assert_int_equal(rings(&s), 1);
	vs_sleeper_get_up(&s);
	assert_int_equal(rings(&s), 0);
	vs_sleeper_fini(&s);
	vs_sleepers_poke();
}

static void test_there_are_so_many(void **state)
{
	struct vs_sleeper s[VS_WORKERS_MAX];
	struct vs_sleeper other;
	unsigned int i;

	for (i = 0; i < VS_WORKERS_MAX; i++)
		assert_int_equal(vs_sleeper_init(&s[i]), 0);
	assert_int_not_equal(vs_sleeper_init(&other), 0);
	for (i = 0; i < VS_WORKERS_MAX; i++)
		vs_sleeper_fini(&s[i]);
	assert_int_equal(vs_sleeper_init(&other), 0);
	vs_sleeper_fini(&other);
}

struct race {
	struct vs_sleeper s;
	uint32_t said;
	uint32_t heard;
};

/* Sleeps whenever there is nothing; a poke that is missed leaves it asleep for 30 s. */
static void *listen_to(void *arg)
{
	struct race *r = arg;

	while (r->heard < TURNS) {
		uint32_t pokes = vs_sleeper_note(&r->s);
		uint32_t said = __atomic_load_n(&r->said, __ATOMIC_RELAXED);
		struct pollfd pfd = {.fd = r->s.bell, .events = POLLIN};

		if (said != r->heard) {
			__atomic_store_n(&r->heard, said, __ATOMIC_RELEASE);
			continue;
		}
		if (!vs_sleeper_lie_down(&r->s, pokes))
			continue;
		if (poll(&pfd, 1, 30000) != 1)
			return arg;
		vs_sleeper_get_up(&r->s);
	}
	return NULL;
}

static void test_no_poke_is_missed(void **state)
{
	struct race r = {0};
	pthread_t thread;
	void *missed;
	uint32_t i;

	assert_int_equal(vs_sleeper_init(&r.s), 0);
	assert_int_equal(pthread_create(&thread, NULL, listen_to, &r), 0);
	for (i = 1; i <= TURNS; i++) {
		__atomic_store_n(&r.said, i, __ATOMIC_RELAXED);
		vs_sleeper_poke(&r.s);
		/* Half of the time wait until it has heard: it is about to sleep then. */
		while (i % 2 && __atomic_load_n(&r.heard, __ATOMIC_ACQUIRE) != i) {
			const struct timespec now = {0};

			if (pthread_tryjoin_np(thread, &missed) == 0 && missed)
				fail_msg("poke %u was missed", i);
			nanosleep(&now, NULL);
			if (i == TURNS)
				break;
		}
	}
	assert_int_equal(pthread_join(thread, &missed), 0);
	assert_null(missed);
	vs_sleeper_fini(&r.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_there_are_so_many),
		cmocka_unit_test(test_no_poke_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
