/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage: vsoracle [--frames N] [--seed N] [--world N] [--raw] [--verbose]
 *
 * Random worlds until N frames were taken by the switch, all of them judged by the reference.
 * World i of seed S is always the same; --world i runs that one alone, which is how a failure is
 * looked at again. --raw: do not make the row of a failure shorter.
 */
#include "tests/oracle/oracle.h"

#include "tests/unit/eal.h"

#include <rte_cycles.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
	uint64_t frames;
	uint64_t seed;
	uint64_t world; /* UINT64_MAX: from 0 on */
	bool raw;
	bool verbose;
};

static struct or_world world;
static struct or_step row[OR_STEPS_MAX];

static int usage(void)
{
	(void)fprintf(stderr,
		      "usage: vsoracle [--frames N] [--seed N] [--world N] [--raw] [--verbose]\n");
	return 2;
}

static bool parse_number(const char *text, uint64_t *ret_number)
{
	char *end;

	*ret_number = strtoull(text, &end, 0);
	return *text && !*end;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"frames", required_argument, NULL, 'f'}, {"seed", required_argument, NULL, 's'},
		{"world", required_argument, NULL, 'w'},  {"raw", no_argument, NULL, 'r'},
		{"verbose", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0},
	};
	bool fine = true;
	int c;

	while (fine && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'f':
			fine = parse_number(optarg, &o->frames);
			break;
		case 's':
			fine = parse_number(optarg, &o->seed);
			break;
		case 'w':
			fine = parse_number(optarg, &o->world);
			break;
		case 'r':
			o->raw = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			fine = false;
		}
	}
	return fine && optind == argc;
}

static void prepare(void)
{
	unsigned int port;
	unsigned int pair;

	world.hz = rte_get_tsc_hz();
	world.fast = or_fast_new();
	for (port = 0; port < OR_PORTS; port++) {
		for (pair = 0; pair < OR_PAIRS; pair++) {
			or_driver_new(&world.ring[port][pair][0]);
			or_driver_new(&world.ring[port][pair][1]);
		}
	}
}

/* Return: false: the two differ, and it was said how. */
static bool run_world(const struct options *o, uint64_t number)
{
	struct or_rng r = {.state = o->seed * UINT64_C(0x2545f4914f6cdd1d) + number};
	struct or_spec spec;
	unsigned int done;
	unsigned int n;

	/* Neighbours begin far apart. */
	r.state = or_rand(&r);
	or_spec_new(&r, &spec);
	n = or_row_new(&r, &spec, row);
	done = or_run(&world, &spec, row, n);
	if (!world.why[0])
		return true;
	printf("seed %llu, world %llu, step %u of %u: %s\n", (unsigned long long)o->seed,
	       (unsigned long long)number, done, n, world.why);
	if (o->raw)
		return false;
	n = or_shrink(&world, &spec, row, done + 1);
	printf("shorter: %s\n", world.why);
	or_print(&spec, row, n);
	printf("again: vsoracle --seed %llu --world %llu\n", (unsigned long long)o->seed,
	       (unsigned long long)number);
	return false;
}

static void report(const struct options *o, uint64_t worlds, uint64_t tsc)
{
	unsigned int r;

	printf("seed %llu: %llu worlds, %llu frames, %llu delivered, %.1f s: no difference\n",
	       (unsigned long long)o->seed, (unsigned long long)worlds,
	       (unsigned long long)world.frames, (unsigned long long)world.delivered,
	       (double)tsc / (double)world.hz);
	for (r = 1; r < VS_DROP_COUNT && o->verbose; r++)
		printf("%12llu %s\n", (unsigned long long)world.by_reason[r],
		       vs_drop_name((enum vs_drop)r));
}

int main(int argc, char **argv)
{
	struct options o = {.frames = 200000, .seed = 1, .world = UINT64_MAX};
	uint64_t number = 0;
	uint64_t begin;

	if (!parse_options(argc, argv, &o))
		return usage();
	if (eal_up())
		return 2;
	prepare();
	begin = rte_rdtsc();
	if (o.world != UINT64_MAX)
		return run_world(&o, o.world) ? 0 : 1;
	while (world.frames < o.frames)
		if (!run_world(&o, number++))
			return 1;
	report(&o, number, rte_rdtsc() - begin);
	return 0;
}
