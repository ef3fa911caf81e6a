/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker without work goes to sleep: dataplane/park.c. Ports, the worker's loop, the clock and
 * sleep itself are the test's: whatever the worker does next can be preceded by what somebody else
 * does, and nobody waits for anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/park.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	PORTS = 3,
	FD_PORT = 2,      /* has a descriptor that is readable while it has frames */
	IDLE_RINGS = 64,  /* of park.c */
	STEPS_MAX = 1000, /* of a worker on its way to sleep: far more than there are */
	NOBODY = UINT32_MAX,
};

/** A port: a guest that kicks when it is asked to, or a descriptor. */
struct dev {
	int fd;
	bool wished;
	bool busy; /* wish() says: something is to be done first */
	uint32_t frames;
	enum vs_bell_kind kind;
	unsigned int rings, mutes;
};

/** What happens before step @at of the worker. */
enum deed {
	DEED_FRAME,
	DEED_POKE,
};

static struct {
	struct vs_rcu rcu;
	struct vs_park park;
	struct vs_ctx *ctx;
	struct vs_conf *conf;
	struct vs_poll poll[PORTS + 1];
	struct dev dev[PORTS];
	uint32_t work; /* of control's */
	enum deed deed;
	unsigned int by; /* port */
	uint32_t at;
	uint32_t step;
	bool done;              /* the deed */
	unsigned int slept;     /* calls of epoll_wait() */
	unsigned int overslept; /* of these, those that nothing ended although there was work */
} t;

int __wrap_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout);
int __real_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout);
int __wrap_vs_sleeper_lie_down(struct vs_sleeper *s, uint32_t pokes);
int __real_vs_sleeper_lie_down(struct vs_sleeper *s, uint32_t pokes);

/* A frame comes, as virtio's driver does it: first the frame, then a look whether to kick. */
static void add_frame(struct dev *dev)
{
	const uint64_t one = 1;

	dev->frames++;
	if (dev->kind == VS_BELL_WHILE_FRAMES || dev->wished)
		assert_int_equal(write(dev->fd, &one, sizeof(one)), sizeof(one));
}

/* Between any two things that the worker does. */
static void meanwhile(void)
{
	if (t.step++ != t.at)
		return;
	t.done = true;
	if (t.deed == DEED_FRAME) {
		add_frame(&t.dev[t.by]);
	} else {
		t.work = 1;
		vs_sleeper_poke(&t.park.sleeper);
	}
}

static bool is_work(void)
{
	unsigned int i;

	for (i = 0; i < PORTS; i++)
		if (t.dev[i].frames)
			return true;
	return t.work;
}

/* Sleep takes no time here: who would have slept until the time is up is caught. */
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	int n;

	/* The test's time limit is what tells that nobody could wait for this worker. */
	vs_rcu_synchronize(&t.rcu);
	assert_in_range(timeout, 1, 1000);
	meanwhile();
	t.slept++;
	n = __real_epoll_wait(epfd, events, max, 0);
	if (n == 0 && is_work())
		t.overslept++;
	return n;
}

int __wrap_vs_sleeper_lie_down(struct vs_sleeper *s, uint32_t pokes)
{
	int may;

	meanwhile();
	may = __real_vs_sleeper_lie_down(s, pokes);
	meanwhile();
	return may;
}

/* ---- ports ---- */

static struct vs_bell dev_bell(void *arg, unsigned int pair)
{
	struct dev *dev = arg;

	meanwhile();
	return (struct vs_bell){.kind = dev->kind, .fd = dev->fd};
}

static bool dev_wish(void *arg, unsigned int pair, enum vs_bell_wish wish)
{
	struct dev *dev = arg;

	meanwhile();
	dev->wished = wish == VS_BELL_RING;
	if (dev->wished)
		dev->rings++;
	else
		dev->mutes++;
	meanwhile();
	return !dev->busy;
}

static const struct vs_port_ops guest_ops = {.bell = dev_bell, .wish = dev_wish};
static const struct vs_port_ops tap_ops = {.bell = dev_bell};
static const struct vs_port_ops card_ops = {.bell = NULL};

/* As vs_rcu_init() does it, without DPDK's environment. */
static int new_rcu(struct vs_rcu *rcu)
{
	size_t size = rte_rcu_qsbr_get_memsize(1);

	rcu->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (!rcu->qsbr || rte_rcu_qsbr_init(rcu->qsbr, 1))
		return -1;
	return rte_rcu_qsbr_thread_register(rcu->qsbr, 0);
}

static int begin(void **state)
{
	unsigned int i;

	memset(&t, 0, sizeof(t));
	t.at = NOBODY;
	t.ctx = calloc(1, sizeof(*t.ctx));
	t.conf = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*t.conf));
	memset(t.conf, 0, sizeof(*t.conf));
	t.ctx->conf = t.conf;
	t.ctx->now_s = 100;
	for (i = 0; i < PORTS; i++) {
		t.dev[i].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		t.dev[i].kind = i == FD_PORT ? VS_BELL_WHILE_FRAMES : VS_BELL_STROKE;
		t.conf->port[i] = (struct vs_port_hot){
			.ops = i == FD_PORT ? &tap_ops : &guest_ops,
			.dev = &t.dev[i],
			.id = (uint16_t)i,
		};
		t.poll[i] = (struct vs_poll){.port = (uint16_t)i};
	}
	/* One that is only asked whether it is at fault. */
	t.poll[PORTS] = (struct vs_poll){.port = 0, .pair = VS_PAIR_NONE};
	t.conf->work[0] = (struct vs_poll_list){.poll = t.poll, .n = PORTS + 1};
	if (new_rcu(&t.rcu) || vs_park_init(&t.park, &t.rcu))
		return -1;
	vs_rcu_online(&t.rcu, 0);
	return 0;
}

static int end(void **state)
{
	unsigned int i;

	vs_rcu_offline(&t.rcu, 0);
	vs_park_fini(&t.park);
	free(t.rcu.qsbr);
	for (i = 0; i < PORTS; i++)
		close(t.dev[i].fd);
	free(t.conf);
	free(t.ctx);
	return 0;
}

/* ---- the worker's loop (worker.c) ---- */

/* A round. Return: were there frames, or a call of control? */
static bool look(void)
{
	bool found = false;
	unsigned int i;

	meanwhile();
	for (i = 0; i < PORTS; i++) {
		struct dev *dev = &t.dev[i];
		uint64_t count;

		found = found || dev->frames;
		/* A TAP is not readable any more then; an eventfd is nobody's to read. */
		if (dev->frames && dev->kind == VS_BELL_WHILE_FRAMES)
			assert_int_equal(read(dev->fd, &count, sizeof(count)), sizeof(count));
		dev->frames = 0;
		meanwhile();
	}
	found = found || t.work;
	t.work = 0;
	if (found && t.park.armed)
		vs_park_end(&t.park, t.ctx);
	return found;
}

/* Rounds until it has found something, or slept often enough. Return: found. */
static bool go_to_sleep(unsigned int sleeps)
{
	unsigned int rounds;

	for (rounds = 0; t.slept < sleeps; rounds++) {
		assert_true(rounds < STEPS_MAX);
		if (look())
			return true;
		assert_int_not_equal(vs_park_try(&t.park, t.ctx), VS_PARK_CANNOT);
	}
	/* What comes from here on is another time's. */
	t.at = NOBODY;
	return look();
}

/* Asleep, it is woken by a frame of @port. */
static void wake(unsigned int port)
{
	uint64_t wakes = t.park.stats.wakes;

	assert_true(t.park.armed);
	add_frame(&t.dev[port]);
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_SLEPT);
	assert_int_equal(t.park.stats.wakes, wakes + 1);
	assert_true(look());
}

/* A worker that goes to sleep without a second look. */
static void go_to_sleep_at_once(void)
{
	if (look())
		return;
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_LOOK_AGAIN);
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_SLEPT);
}

/* ---- tests ---- */

static void test_steps(void **state)
{
	unsigned int i;

	/* First the ports are told, and nobody sleeps. */
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_LOOK_AGAIN);
	assert_int_equal(t.slept, 0);
	for (i = 0; i < PORTS; i++)
		assert_int_equal(t.dev[i].wished, i != FD_PORT);
	/* After the second look. */
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_SLEPT);
	assert_int_equal(t.slept, 1);
	/* Nothing came in 100 ms: it sleeps on, and tells nobody again. */
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_SLEPT);
	assert_int_equal(t.slept, 2);
	assert_int_equal(t.dev[0].rings, 1);
	assert_int_equal(t.park.stats.parks, 1);
	assert_int_equal(t.park.stats.wakes, 0);
	/* Frames: ports are told to be quiet. */
	vs_park_end(&t.park, t.ctx);
	assert_false(t.dev[0].wished || t.dev[1].wished);
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_LOOK_AGAIN);
	assert_int_equal(t.dev[0].rings, 2);
}

/*
 * A frame, or something of control's, comes before each single thing that the worker does on its
 * way to sleep. It never sleeps until its time is up while there is work.
 */
static void race(enum deed deed, unsigned int by)
{
	bool found = true;
	uint32_t at;

	for (at = 0; found; at++) {
		void *state = NULL;

		assert_int_equal(begin(&state), 0);
		t.deed = deed;
		t.by = by;
		t.at = at;
		found = go_to_sleep(2);
		/* If it was too late for that, all places have been. */
		if (found != t.done)
			fail_msg("step %u: not seen", at);
		assert_int_equal(t.overslept, 0);
		end(&state);
	}
	print_message("%u places\n", at - 1);
	assert_true(at > 10);
}

static void test_no_frame_is_slept_over(void **state)
{
	unsigned int by;

	for (by = 0; by < PORTS; by++)
		race(DEED_FRAME, by);
}

static void test_no_poke_is_slept_over(void **state)
{
	race(DEED_POKE, 0);
}

/* The same worker without the second look does oversleep; so the test above can fail. */
static void test_without_the_second_look(void **state)
{
	unsigned int overslept = 0;
	uint32_t at;

	for (at = 0; at < 40; at++) {
		void *own = NULL;

		assert_int_equal(begin(&own), 0);
		t.deed = DEED_FRAME;
		t.at = at;
		go_to_sleep_at_once();
		overslept += t.overslept;
		end(&own);
	}
	assert_true(overslept > 0);
}

/* Who has something for a worker that is about to sleep keeps it awake. */
static void test_poked_before_sleep(void **state)
{
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_LOOK_AGAIN);
	vs_sleeper_poke(&t.park.sleeper);
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_SLEPT);
	assert_int_equal(t.slept, 0);
	/* And the ports are told anew: whoever poked may have changed them. */
	assert_false(t.park.armed);
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_LOOK_AGAIN);
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_SLEPT);
	assert_int_equal(t.slept, 1);
}

/* A new epoch: other descriptors may be there. */
static void test_new_epoch(void **state)
{
	int old;

	assert_false(go_to_sleep(1));
	wake(FD_PORT);
	assert_false(go_to_sleep(t.slept + 1));
	old = t.dev[1].fd;
	t.dev[1].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	vs_watch_changed();
	assert_false(go_to_sleep(t.slept + 1));
	wake(1);
	close(old);
}

/* A port without a bell: no sleep, and it is said whose fault that is. Gone, all is well. */
static void test_no_bell(void **state)
{
	struct vs_park_stats stats;

	t.conf->port[1].ops = &card_ops;
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_CANNOT);
	vs_park_stats(&t.park, &stats);
	assert_int_equal(stats.why, VS_PARK_NO_BELL);
	assert_int_equal(stats.why_port, 1);
	assert_int_equal(t.dev[0].rings, 0);
	t.conf->port[1].ops = &guest_ops;
	vs_watch_changed();
	assert_false(go_to_sleep(1));
	assert_int_equal(t.park.stats.why, VS_PARK_NOTHING);
}

/* A port has something to do that no bell tells of: no sleep now, and the others kick no more. */
static void test_undone(void **state)
{
	t.dev[1].busy = true;
	assert_int_equal(vs_park_try(&t.park, t.ctx), VS_PARK_CANNOT);
	assert_int_equal(t.park.stats.why, VS_PARK_UNDONE);
	assert_int_equal(t.park.stats.why_port, 1);
	assert_false(t.dev[0].wished || t.dev[1].wished);
	t.dev[1].busy = false;
	assert_false(go_to_sleep(1));
	assert_int_equal(t.park.stats.why, VS_PARK_NOTHING);
}

static void ring(unsigned int port)
{
	const uint64_t one = 1;

	assert_int_equal(write(t.dev[port].fd, &one, sizeof(one)), sizeof(one));
}

/* Who rings for nothing is heard so often in a second, and heard again in the next. */
static void test_muted(void **state)
{
	unsigned int i;

	for (i = 0; i < IDLE_RINGS; i++) {
		ring(0);
		assert_false(go_to_sleep(t.slept + 1));
		assert_int_equal(t.park.stats.wakes, i + 1);
	}
	/* That the last ring was for nothing is known after the round behind it. */
	assert_false(go_to_sleep(t.slept + 1));
	assert_int_equal(t.park.stats.why, VS_PARK_MUTED);
	assert_int_equal(t.park.stats.why_port, 0);
	ring(0);
	assert_false(go_to_sleep(t.slept + 1));
	assert_int_equal(t.park.stats.wakes, IDLE_RINGS);
	/* Others are heard as before. */
	wake(1);
	t.ctx->now_s++;
	assert_false(go_to_sleep(t.slept + 1));
	assert_int_equal(t.park.stats.why, VS_PARK_NOTHING);
	wake(0);
}

/* The count begins anew with each second, and with frames. */
static void test_not_muted(void **state)
{
	unsigned int i;

	for (i = 0; i < 4 * IDLE_RINGS; i++) {
		if (i % (IDLE_RINGS / 2) == 0)
			t.ctx->now_s++;
		ring(0);
		assert_false(go_to_sleep(t.slept + 1));
	}
	assert_int_equal(t.park.stats.why, VS_PARK_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_steps, begin, end),
		cmocka_unit_test(test_no_frame_is_slept_over),
		cmocka_unit_test(test_no_poke_is_slept_over),
		cmocka_unit_test(test_without_the_second_look),
		cmocka_unit_test_setup_teardown(test_poked_before_sleep, begin, end),
		cmocka_unit_test_setup_teardown(test_new_epoch, begin, end),
		cmocka_unit_test_setup_teardown(test_no_bell, begin, end),
		cmocka_unit_test_setup_teardown(test_undone, begin, end),
		cmocka_unit_test_setup_teardown(test_muted, begin, end),
		cmocka_unit_test_setup_teardown(test_not_muted, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
