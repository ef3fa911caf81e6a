/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: vsfdb [ADDRESSES]
 *
 * Cycles of the time stamp counter that a look-up in the table of addresses takes: of addresses
 * that are there and of others, in tables of 1,000 to 1,000,000 (or of ADDRESSES alone).
 *
 *	many     one after the other, in random order: what a burst of many addresses does
 *	chained  each one's address follows from what the last one found
 *	cold     as many as a burst has, after all caches were filled with something else
 *
 * Each figure is the median of rounds.
 */
#include "dataplane/fdb.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	ROUNDS = 61,
	LOOKUPS = 4096,
	BURST = 32,
	SPOIL_BYTES = 96 * 1024 * 1024,
	PORTS = 256,
};

enum how {
	MANY,
	CHAINED,
	COLD,
	HOWS,
};

struct bench {
	struct vs_rcu rcu;
	struct vs_fdb *fdb;
	uint32_t n;
	uint64_t state;
	uint64_t *spoil;
	uint64_t sink;
	struct rte_ether_addr mac[LOOKUPS];
};

static uint32_t below(struct bench *b, uint32_t n)
{
	b->state = b->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((b->state >> 32) * n >> 32);
}

static struct rte_ether_addr mac_of(uint32_t n)
{
	return (struct rte_ether_addr){
		{2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void spoil(struct bench *b)
{
	uint32_t i;

	for (i = 0; i < SPOIL_BYTES / sizeof(*b->spoil); i += 8)
		b->sink += b->spoil[i]++;
}

/* Return: time of @n look-ups. */
static uint64_t look_up(struct bench *b, uint32_t n, enum how how)
{
	uint64_t begin = rte_rdtsc_precise();
	uint64_t found = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		/* Nothing is at a port beyond the last: the sum is never more than i. */
		uint32_t next = how == CHAINED && found > i ? 0 : i;
		const struct vs_fdb_entry *e = vs_fdb_find(b->fdb, 1, &b->mac[next]);

		found += e && vs_fdb_entry_port(e) < PORTS;
		if (how == CHAINED)
			__asm__ volatile("lfence" ::: "memory");
	}
	b->sink += found;
	return rte_rdtsc_precise() - begin;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double measure(struct bench *b, enum how how, uint32_t from)
{
	const uint32_t n = how == COLD ? BURST : LOOKUPS;
	double cycles[ROUNDS];
	unsigned int round;
	uint32_t i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < n; i++)
			b->mac[i] = mac_of(from + below(b, b->n));
		if (how == COLD)
			spoil(b);
		cycles[round] = (double)look_up(b, n, how) / n;
	}
	qsort(cycles, ROUNDS, sizeof(*cycles), compare);
	return cycles[ROUNDS / 2];
}

static int run(struct bench *b, uint32_t n)
{
	static const char *const name[HOWS] = {"many", "chained", "cold"};
	uint64_t begin;
	unsigned int how;
	uint32_t i;
	uint16_t old;

	b->n = n;
	if (vs_fdb_new(&b->rcu, n, &b->fdb))
		return 1;
	begin = rte_rdtsc();
	for (i = 0; i < n; i++) {
		struct rte_ether_addr mac = mac_of(i);

		if (vs_fdb_learn(b->fdb, 1, &mac, (uint16_t)(i % PORTS), VS_FDB_LEARNT, 1, &old) !=
		    VS_FDB_NEW)
			return 1;
	}
	printf("%8u addresses: learn %6.1f", n, (double)(rte_rdtsc() - begin) / n);
	for (how = 0; how < HOWS; how++) {
		double hit = measure(b, how, 0);

		printf("; %s %6.1f, unknown %6.1f", name[how], hit, measure(b, how, n));
	}
	printf("\n");
	vs_fdb_free(b->fdb);
	return 0;
}

static int start_eal(void)
{
	/* clang-format off */
	static char word[][24] = {
		"vsfdb", "--no-pci", "--no-huge", "--no-shconf", "--no-telemetry", "--log-level=3",
		"-m", "256", "--lcores=0@0",
	};
	/* clang-format on */
	char *argv[RTE_DIM(word) + 1] = {NULL};
	size_t i;

	for (i = 0; i < RTE_DIM(word); i++)
		argv[i] = word[i];
	return rte_eal_init((int)RTE_DIM(word), argv) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1000, 10000, 100000, 1000000};
	static struct bench bench = {.state = 1};
	unsigned int i;

	bench.spoil = calloc(1, SPOIL_BYTES);
	if (!bench.spoil || start_eal() || vs_rcu_init(&bench.rcu))
		return 1;
	if (argc > 1)
		return run(&bench, (uint32_t)strtoul(argv[1], NULL, 0));
	for (i = 0; i < RTE_DIM(sizes); i++)
		if (run(&bench, sizes[i]))
			return 1;
	return 0;
}
