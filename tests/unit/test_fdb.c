/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarding table: learning, removing, ageing, and a reader beside the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/limits.h"
#include "dataplane/fdb.h"
#include "tests/unit/eal.h"

#include <rte_random.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static struct vs_rcu rcu;

static int setup(void **state)
{
	return eal_up() || vs_rcu_init(&rcu);
}

static int teardown(void **state)
{
	vs_rcu_fini(&rcu);
	return 0;
}

static struct vs_fdb *make(uint32_t size)
{
	struct vs_fdb *fdb = NULL;

	assert_int_equal(vs_fdb_new(&rcu, size, &fdb), 0);
	return fdb;
}

static struct rte_ether_addr mac_of(uint32_t n)
{
	return (struct rte_ether_addr){
		{2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static enum vs_fdb_learnt learn(struct vs_fdb *fdb, uint32_t n, uint16_t port, uint32_t now)
{
	struct rte_ether_addr mac = mac_of(n);
	uint16_t old;

	return vs_fdb_learn(fdb, 1, &mac, port, VS_FDB_LEARNT, now, &old);
}

static enum vs_fdb_learnt fix(struct vs_fdb *fdb, uint32_t n, uint16_t port, uint16_t *ret_old)
{
	struct rte_ether_addr mac = mac_of(n);

	return vs_fdb_learn(fdb, 1, &mac, port, VS_FDB_STATIC, 0, ret_old);
}

static struct vs_fdb_entry *find(const struct vs_fdb *fdb, uint32_t n)
{
	struct rte_ether_addr mac = mac_of(n);

	return vs_fdb_find(fdb, 1, &mac);
}

static void test_sizes(void **state)
{
	struct vs_fdb *fdb = (struct vs_fdb *)&rcu;
	static const uint32_t good[] = {1, 7, 8, 9, 1000, 8192};
	unsigned int i;
	uint32_t n;

	assert_int_equal(vs_fdb_new(&rcu, 0, &fdb), -EINVAL);
	assert_int_equal(vs_fdb_new(&rcu, VS_FDB_SIZE_MAX + 1, &fdb), -EINVAL);
	assert_int_equal(vs_fdb_new(&rcu, UINT32_MAX, &fdb), -EINVAL);
	assert_ptr_equal(fdb, &rcu);
	vs_fdb_free(NULL);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		fdb = make(good[i]);
		assert_int_equal(vs_fdb_size(fdb), good[i]);
		for (n = 0; n < good[i]; n++)
			assert_int_equal(learn(fdb, n * 7919, (uint16_t)(n % 100), 1), VS_FDB_NEW);
		assert_int_equal(vs_fdb_used(fdb), good[i]);
		assert_int_equal(learn(fdb, 0xffffffff, 1, 1), VS_FDB_FULL);
		assert_null(find(fdb, 0xffffffff));
		/* What is there is still known, and may move. */
		assert_int_equal(learn(fdb, 0, 0, 1), VS_FDB_KNOWN);
		assert_int_equal(learn(fdb, 0, 5, 1), VS_FDB_MOVED);
		for (n = 1; n < good[i]; n++)
			assert_int_equal(vs_fdb_entry_port(find(fdb, n * 7919)), n % 100);
		vs_fdb_free(fdb);
	}
}

static void test_learn(void **state)
{
	struct vs_fdb *fdb = make(16);
	struct rte_ether_addr mac = mac_of(5);
	uint16_t old = 99;

	assert_null(find(fdb, 5));
	assert_int_equal(vs_fdb_learn(fdb, 1, &mac, 3, VS_FDB_LEARNT, 10, &old), VS_FDB_NEW);
	assert_int_equal(old, 99);
	assert_int_equal(find(fdb, 5)->port, 3);
	assert_int_equal(find(fdb, 5)->seen, 10);
	assert_int_equal(find(fdb, 5)->kind, VS_FDB_LEARNT);
	assert_int_equal(vs_fdb_learn(fdb, 1, &mac, 3, VS_FDB_LEARNT, 20, &old), VS_FDB_KNOWN);
	assert_int_equal(old, 99);
	assert_int_equal(find(fdb, 5)->seen, 20);
	assert_int_equal(vs_fdb_learn(fdb, 1, &mac, 4, VS_FDB_LEARNT, 30, &old), VS_FDB_MOVED);
	assert_int_equal(old, 3);
	assert_int_equal(vs_fdb_entry_port(find(fdb, 5)), 4);
	/* Another domain is another key. */
	assert_null(vs_fdb_find(fdb, 2, &mac));
	assert_int_equal(vs_fdb_learn(fdb, 2, &mac, 7, VS_FDB_LEARNT, 30, &old), VS_FDB_NEW);
	assert_int_equal(vs_fdb_entry_port(find(fdb, 5)), 4);
	assert_int_equal(vs_fdb_entry_port(vs_fdb_find(fdb, 2, &mac)), 7);
	assert_int_equal(vs_fdb_used(fdb), 2);
	vs_fdb_entry_touch(find(fdb, 5), 77);
	assert_int_equal(find(fdb, 5)->seen, 77);
	vs_fdb_free(fdb);
}

/* The key of a free place is no address, and nothing is found, learnt or removed by it. */
static void test_no_address(void **state)
{
	struct vs_fdb_filter filter = {.what = VS_FDB_ADDRESS, .fid = UINT16_MAX};
	const struct rte_ether_addr mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct vs_fdb *fdb = make(16);
	uint16_t old = 99;

	filter.mac = mac;
	assert_null(vs_fdb_find(fdb, UINT16_MAX, &mac));
	assert_int_equal(vs_fdb_learn(fdb, UINT16_MAX, &mac, 3, VS_FDB_LEARNT, 1, &old),
			 VS_FDB_FULL);
	assert_int_equal(vs_fdb_remove(fdb, &filter, NULL, NULL), 0);
	assert_int_equal(vs_fdb_used(fdb), 0);
	assert_int_equal(old, 99);
	vs_fdb_free(fdb);
}

static void test_static(void **state)
{
	struct vs_fdb *fdb = make(16);
	struct rte_ether_addr mac = mac_of(5);
	uint16_t old = 99;

	assert_int_equal(fix(fdb, 5, 3, &old), VS_FDB_NEW);
	assert_int_equal(vs_fdb_learn(fdb, 1, &mac, 4, VS_FDB_LEARNT, 9, &old), VS_FDB_HELD);
	assert_int_equal(old, 3);
	assert_int_equal(find(fdb, 5)->port, 3);
	assert_int_equal(find(fdb, 5)->seen, 0);
	assert_int_equal(vs_fdb_learn(fdb, 1, &mac, 3, VS_FDB_LEARNT, 9, &old), VS_FDB_KNOWN);
	assert_int_equal(find(fdb, 5)->kind, VS_FDB_STATIC);
	/* A static address takes the place of a learnt one. */
	assert_int_equal(learn(fdb, 6, 8, 1), VS_FDB_NEW);
	assert_int_equal(fix(fdb, 6, 2, &old), VS_FDB_MOVED);
	assert_int_equal(old, 8);
	assert_int_equal(find(fdb, 6)->kind, VS_FDB_STATIC);
	assert_int_equal(fix(fdb, 6, 2, &old), VS_FDB_KNOWN);
	vs_fdb_free(fdb);
}

struct tally {
	unsigned int n;
	unsigned int ports;
};

static void tally(const struct vs_fdb_entry *e, void *ctx)
{
	struct tally *t = ctx;

	t->n++;
	t->ports += e->port;
}

static uint32_t remove_by(struct vs_fdb *fdb, struct vs_fdb_filter filter)
{
	struct tally t = {0};
	uint32_t n = vs_fdb_remove(fdb, &filter, tally, &t);

	assert_int_equal(n, t.n);
	return n;
}

/* Learnt at ports 1..4, twenty each, last seen in second 100 + n; one static each. */
static struct vs_fdb *populated(void)
{
	struct vs_fdb *fdb = make(200);
	uint16_t old;
	uint32_t n;

	for (n = 0; n < 80; n++)
		assert_int_equal(learn(fdb, n, (uint16_t)(1 + n % 4), 100 + n), VS_FDB_NEW);
	for (n = 0; n < 4; n++)
		assert_int_equal(fix(fdb, 1000 + n, (uint16_t)(1 + n), &old), VS_FDB_NEW);
	return fdb;
}

static void test_filters(void **state)
{
	struct vs_fdb_filter filter = {.what = VS_FDB_OF_PORT, .port = 9};
	struct vs_fdb *fdb = populated();
	uint32_t n;

	assert_int_equal(remove_by(fdb, filter), 0);
	filter = (struct vs_fdb_filter){.what = VS_FDB_LEARNT_OF_PORT, .port = 2};
	assert_int_equal(remove_by(fdb, filter), 20);
	assert_int_equal(vs_fdb_used(fdb), 64);
	assert_null(find(fdb, 1));
	assert_non_null(find(fdb, 1001));
	filter = (struct vs_fdb_filter){.what = VS_FDB_OF_PORT, .port = 3};
	assert_int_equal(remove_by(fdb, filter), 21);
	assert_null(find(fdb, 2));
	assert_null(find(fdb, 1002));
	filter = (struct vs_fdb_filter){.what = VS_FDB_SEEN_BEFORE, .before = 140};
	assert_int_equal(remove_by(fdb, filter), 20);
	for (n = 0; n < 80; n++)
		assert_int_equal(find(fdb, n) != NULL, n >= 40 && (n % 4 == 0 || n % 4 == 3));
	assert_int_equal(vs_fdb_remove(fdb, &(struct vs_fdb_filter){.what = VS_FDB_ALL_LEARNT},
				       NULL, NULL),
			 20);
	assert_int_equal(vs_fdb_used(fdb), 3);
	/* Found no more, and learnt again as new. */
	assert_int_equal(learn(fdb, 2, 9, 1), VS_FDB_NEW);
	assert_int_equal(find(fdb, 2)->port, 9);
	vs_fdb_free(fdb);
}

static bool is_odd(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		   void *ctx)
{
	return e->port % 2 && fid == *(const uint16_t *)ctx && mac->addr_bytes[5] == 5;
}

/* What each filter names, asked without a table. */
static void test_matches(void **state)
{
	const struct vs_fdb_entry learnt = {.port = 3, .kind = VS_FDB_LEARNT, .seen = 100};
	const struct vs_fdb_entry fixed = {.port = 3, .kind = VS_FDB_STATIC, .seen = 100};
	const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 5}};
	uint64_t fids[VS_FIDS_MAX / 64] = {0, 2};
	uint16_t fid = 65;
	const struct {
		struct vs_fdb_filter filter;
		bool learnt, fixed;
	} cases[] = {
		{{.what = VS_FDB_ALL_LEARNT}, true, false},
		{{.what = VS_FDB_OF_PORT, .port = 3}, true, true},
		{{.what = VS_FDB_OF_PORT, .port = 4}, false, false},
		{{.what = VS_FDB_LEARNT_OF_PORT, .port = 3}, true, false},
		{{.what = VS_FDB_LEARNT_OF_PORT, .port = 4}, false, false},
		{{.what = VS_FDB_SEEN_BEFORE, .before = 101}, true, false},
		{{.what = VS_FDB_SEEN_BEFORE, .before = 100}, false, false},
		{{.what = VS_FDB_OF_FIDS, .fids = fids}, true, true},
		{{.what = VS_FDB_ADDRESS, .fid = 65, .mac = mac}, true, true},
		{{.what = VS_FDB_ADDRESS, .fid = 64, .mac = mac}, false, false},
		{{.what = VS_FDB_ADDRESS, .fid = 65}, false, false},
		{{.what = VS_FDB_JUDGED, .judge = is_odd, .ctx = &fid}, true, true},
	};
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		assert_int_equal(vs_fdb_matches(&cases[i].filter, fid, &mac, &learnt),
				 cases[i].learnt);
		assert_int_equal(vs_fdb_matches(&cases[i].filter, fid, &mac, &fixed),
				 cases[i].fixed);
	}
	assert_false(vs_fdb_matches(&cases[7].filter, 64, &mac, &learnt));
}

static void test_ageing_with_wrap(void **state)
{
	const uint32_t now = 100; /* seconds after the clock wrapped around */
	const uint32_t ages[] = {0, 50, 299, 300, 301, 5000};
	const struct vs_fdb_filter old = {.what = VS_FDB_SEEN_BEFORE, .before = now - 300};
	struct vs_fdb *fdb = make(16);
	unsigned int i;

	for (i = 0; i < 6; i++)
		assert_int_equal(learn(fdb, i, 1, now - ages[i]), VS_FDB_NEW);
	assert_int_equal(vs_fdb_remove(fdb, &old, NULL, NULL), 2);
	for (i = 0; i < 6; i++)
		assert_int_equal(find(fdb, i) != NULL, ages[i] <= 300);
	vs_fdb_free(fdb);
}

static int count_visit(uint16_t fid, const struct rte_ether_addr *mac, const struct vs_fdb_entry *e,
		       void *ctx)
{
	struct tally *t = ctx;

	assert_int_equal(fid, 1);
	assert_int_equal(mac->addr_bytes[0], 2);
	t->ports += e->port;
	return ++t->n == 10 && t->ports > 1000 ? 42 : 0;
}

static void test_walk(void **state)
{
	struct vs_fdb *fdb = populated();
	struct tally t = {0};

	assert_int_equal(vs_fdb_walk(fdb, count_visit, &t), 0);
	assert_int_equal(t.n, 84);
	assert_int_equal(t.ports, 21 * 10);
	t = (struct tally){.ports = 2000};
	assert_int_equal(vs_fdb_walk(fdb, count_visit, &t), 42);
	assert_int_equal(t.n, 10);
	vs_fdb_free(fdb);
}

/*
 * A table filled to the brim has keys that do not lie in their home line: a flush must find all of
 * them all the same, and give back every place.
 */
static void test_full_table_is_flushed_whole(void **state)
{
	const struct vs_fdb_filter learnt = {.what = VS_FDB_ALL_LEARNT};
	const struct vs_fdb_filter port = {.what = VS_FDB_OF_PORT, .port = 1};
	unsigned int round;
	uint32_t n;

	for (round = 0; round < 20; round++) {
		struct vs_fdb *fdb = make(1024);
		unsigned int again;

		for (again = 0; again < 3; again++) {
			for (n = 0; n < 1024; n++)
				assert_int_equal(learn(fdb, n * 31 + round, (uint16_t)(n & 1), 1),
						 VS_FDB_NEW);
			assert_int_equal(vs_fdb_remove(fdb, &port, NULL, NULL), 512);
			for (n = 0; n < 1024; n++)
				assert_int_equal(find(fdb, n * 31 + round) != NULL, !(n & 1));
			assert_int_equal(vs_fdb_remove(fdb, &learnt, NULL, NULL), 512);
			assert_int_equal(vs_fdb_used(fdb), 0);
		}
		vs_fdb_free(fdb);
	}
}

/*
 * Addresses in a row, as guests have them, or choose them: they must not lie in clusters, whatever
 * the random numbers of the table are. (One multiplication less, and 1 table of 400 is found that
 * does not take them all.)
 */
static void test_rows_of_addresses(void **state)
{
	enum { TABLES = 1500, SIZE = 1024 };
	struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 1}};
	uint16_t old;
	uint32_t n;
	unsigned int i;

	for (i = 0; i < TABLES; i++) {
		struct vs_fdb *fdb;

		rte_srand(i);
		fdb = make(SIZE);
		for (n = 0; n < SIZE; n++) {
			mac.addr_bytes[1 + i % 4] = (uint8_t)(n >> 8);
			mac.addr_bytes[2 + i % 4] = (uint8_t)n;
			assert_int_equal(vs_fdb_learn(fdb, 1, &mac, 1, VS_FDB_LEARNT, 1, &old),
					 VS_FDB_NEW);
		}
		vs_fdb_free(fdb);
	}
}

/* Addresses come and go at random: the table has what a list of them has. */
static void test_churn(void **state)
{
	enum { ADDRESSES = 300, SIZE = 128, TURNS = 60000 };
	struct vs_fdb_filter filter = {.what = VS_FDB_ADDRESS, .fid = 1};
	bool there[ADDRESSES] = {false};
	struct vs_fdb *fdb = make(SIZE);
	uint32_t used = 0;
	uint32_t seed = 3;
	uint32_t turn;
	uint32_t n;

	for (turn = 0; turn < TURNS; turn++) {
		seed = seed * 1664525 + 1013904223;
		n = (seed >> 8) % ADDRESSES;
		if (seed >> 31) {
			filter.mac = mac_of(n);
			assert_int_equal(remove_by(fdb, filter), there[n]);
			used -= there[n];
			there[n] = false;
		} else if (there[n] || used < SIZE) {
			assert_int_equal(learn(fdb, n, (uint16_t)n, 1),
					 there[n] ? VS_FDB_KNOWN : VS_FDB_NEW);
			used += !there[n];
			there[n] = true;
		} else {
			assert_int_equal(learn(fdb, n, (uint16_t)n, 1), VS_FDB_FULL);
		}
		n = (n + turn) % ADDRESSES;
		assert_int_equal(find(fdb, n) != NULL, there[n]);
		assert_int_equal(vs_fdb_used(fdb), used);
	}
	for (n = 0; n < ADDRESSES; n++) {
		struct vs_fdb_entry *e = find(fdb, n);

		assert_int_equal(e != NULL, there[n]);
		assert_true(!e || vs_fdb_entry_port(e) == n);
	}
	vs_fdb_free(fdb);
}

/*
 * One reader beside the writer: the port of address n is a function of n, so that a wrong
 * answer is seen. KEPT addresses are always there; the others come and go.
 */
enum {
	KEPT = 100,
	ROUNDS = 100,
	BATCH = 1000,
};

struct reader {
	const struct vs_fdb *fdb;
	int stop;
	uint64_t looked;
	uint64_t found;
	uint64_t wrong;
	uint64_t missed;
};

static uint16_t port_of(uint32_t n)
{
	return (uint16_t)(n * 2654435761u >> 23);
}

static void *read_table(void *arg)
{
	struct reader *r = arg;
	uint32_t n = 0;

	vs_rcu_online(&rcu, 1);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		unsigned int i;

		for (i = 0; i < 64; i++) {
			const struct vs_fdb_entry *e;
			uint16_t port;

			n = n * 1664525 + 1013904223;
			e = find(r->fdb, (n >> 8) % (KEPT + 4 * BATCH));
			port = e ? vs_fdb_entry_port(e) : VS_FDB_NO_PORT;
			__atomic_store_n(&r->looked, r->looked + 1, __ATOMIC_RELAXED);
			r->found += e != NULL;
			r->missed += !e && (n >> 8) % (KEPT + 4 * BATCH) < KEPT;
			r->wrong += port != VS_FDB_NO_PORT &&
				    port != port_of((n >> 8) % (KEPT + 4 * BATCH));
		}
		vs_rcu_report(&rcu, 1, vs_rcu_token(&rcu));
	}
	vs_rcu_offline(&rcu, 1);
	return NULL;
}

static void test_reader_beside_writer(void **state)
{
	struct vs_fdb *fdb = make(KEPT + BATCH);
	const struct vs_fdb_filter old = {.what = VS_FDB_SEEN_BEFORE, .before = 2};
	struct reader r = {.fdb = fdb};
	pthread_t thread;
	uint32_t seed = 7;
	unsigned int i;
	uint32_t n;

	for (n = 0; n < KEPT; n++)
		assert_int_equal(learn(fdb, n, port_of(n), 3), VS_FDB_NEW);
	assert_int_equal(pthread_create(&thread, NULL, read_table, &r), 0);
	/* Busy processors may let it begin late. */
	while (__atomic_load_n(&r.looked, __ATOMIC_RELAXED) == 0)
		(void)sched_yield();
	for (i = 0; i < ROUNDS; i++) {
		uint32_t added = 0;

		for (n = 0; n < BATCH; n++) {
			uint32_t m;

			seed = seed * 1664525 + 1013904223;
			m = KEPT + (seed >> 8) % (4 * BATCH);
			added += learn(fdb, m, port_of(m), 1) == VS_FDB_NEW;
		}
		assert_int_equal(vs_fdb_remove(fdb, &old, NULL, NULL), added);
		assert_int_equal(vs_fdb_used(fdb), KEPT);
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(r.looked > 0 && r.found > 0);
	assert_int_equal(r.wrong, 0);
	assert_int_equal(r.missed, 0);
	vs_fdb_free(fdb);
}

struct remover {
	struct vs_fdb *fdb;
	int done;
};

static void *remove_all(void *arg)
{
	const struct vs_fdb_filter all = {.what = VS_FDB_ALL_LEARNT};
	struct remover *r = arg;

	(void)vs_fdb_remove(r->fdb, &all, NULL, NULL);
	__atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* A worker that holds an entry sees it unchanged until its next quiescent point. */
static void test_removal_waits_for_workers(void **state)
{
	uint64_t before = __atomic_load_n(&rcu.qsbr->token, __ATOMIC_ACQUIRE);
	struct remover r = {.fdb = make(16)};
	struct vs_fdb_entry *e;
	pthread_t thread;

	assert_int_equal(learn(r.fdb, 5, 3, 1), VS_FDB_NEW);
	vs_rcu_online(&rcu, 2);
	e = find(r.fdb, 5);
	assert_int_equal(pthread_create(&thread, NULL, remove_all, &r), 0);
	/* Until the grace period has begun, or the removal is over without one. */
	while (__atomic_load_n(&rcu.qsbr->token, __ATOMIC_ACQUIRE) == before &&
	       !__atomic_load_n(&r.done, __ATOMIC_ACQUIRE))
		;
	assert_false(__atomic_load_n(&r.done, __ATOMIC_ACQUIRE));
	assert_null(find(r.fdb, 5));
	assert_int_equal(vs_fdb_entry_port(e), 3);
	vs_rcu_report(&rcu, 2, vs_rcu_token(&rcu));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(vs_fdb_entry_port(e), VS_FDB_NO_PORT);
	vs_rcu_offline(&rcu, 2);
	vs_fdb_free(r.fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_ageing_with_wrap),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_full_table_is_flushed_whole),
		cmocka_unit_test(test_rows_of_addresses),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_reader_beside_writer),
		cmocka_unit_test(test_removal_waits_for_workers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
