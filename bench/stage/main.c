/* SPDX-License-Identifier: BSD-3-Clause */
/* vsstage: time or mark the stages of the pipeline; see stage.h. */
#include "bench/stage/stage.h"

#include <gnu/libc-version.h>
#include <jansson.h>
#include <rte_cpuflags.h>
#include <rte_version.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	EXIT_USAGE = 2,
	COUNT_MAX = 10000000,
	REPEATS = 4000,
	BURSTS = 4 * VSS_RING / VSS_FRAMES,
};

static const char usage[] =
	"usage: vsstage --list | --time | --count STAGE|all  [--case CASE] [--repeats N] [--bursts N]\n"
	"  --list         stages and cases\n"
	"  --time         time of each stage of the case, in ns and ticks of the time stamp counter\n"
	"                 per frame\n"
	"  --count STAGE  run the stage, or all, N times inside of vss_mark_*(), for\n"
	"                 valgrind --tool=callgrind --toggle-collect='vss_mark_*'\n"
	"  --case CASE    the burst (unicast-64)\n"
	"  --repeats N    bursts to time (4000)\n"
	"  --bursts N     bursts to count (32)\n"
	"Results go out on standard output, one JSON object per line.\n";

enum mode {
	MODE_NONE,
	MODE_LIST,
	MODE_TIME,
	MODE_COUNT,
	MODE_HELP,
};

struct options {
	enum mode mode;
	const struct vss_stage *only; /* NULL: all */
	const struct vss_case *kind;
	unsigned int repeats;
	unsigned int bursts;
};

static int bad(const char *what, const char *value)
{
	(void)fprintf(stderr, "vsstage: %s '%s'\n%s", what, value, usage);
	return -EINVAL;
}

static int parse_number(const char *text, unsigned int *ret_n)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n == 0 || n > COUNT_MAX)
		return bad("a number from 1 to 10000000 is wanted, not", text);
	*ret_n = (unsigned int)n;
	return 0;
}

static int parse_stage(const char *name, struct options *o)
{
	o->mode = MODE_COUNT;
	if (strcmp(name, "all") == 0)
		return 0;
	o->only = vss_stage_find(name);
	return o->only ? 0 : bad("there is no stage", name);
}

static int parse_case(const char *name, struct options *o)
{
	o->kind = vss_case_find(name);
	return o->kind ? 0 : bad("there is no case", name);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"list", no_argument, NULL, 'l'},          {"time", no_argument, NULL, 't'},
		{"count", required_argument, NULL, 'c'},   {"case", required_argument, NULL, 'k'},
		{"repeats", required_argument, NULL, 'r'}, {"bursts", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},          {0},
	};
	int err = 0;
	int c;

	while (!err && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 'l')
			o->mode = MODE_LIST;
		else if (c == 't')
			o->mode = MODE_TIME;
		else if (c == 'h')
			o->mode = MODE_HELP;
		else if (c == 'c')
			err = parse_stage(optarg, o);
		else if (c == 'k')
			err = parse_case(optarg, o);
		else if (c == 'r')
			err = parse_number(optarg, &o->repeats);
		else if (c == 'b')
			err = parse_number(optarg, &o->bursts);
		else
			err = -EINVAL;
	}
	if (!err && optind < argc)
		err = bad("what is", argv[optind]);
	if (!err && o->mode == MODE_NONE)
		err = bad("one of --list, --time and --count is wanted, not", "nothing");
	if (!err && o->only && !vss_stage_in(o->only, o->kind))
		err = bad("not measured in this case:", o->only->name);
	return err;
}

static int print(json_t *line)
{
	int err = line && json_dumpf(line, stdout, 0) == 0 && putchar('\n') != EOF ? 0 : -EIO;

	json_decref(line);
	return err;
}

/* What instruction counts depend on. Under valgrind, `isa` is that of its processor. */
static int print_build(void)
{
	return print(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "event", "build",
			       "compiler", VSS_COMPILER, "buildtype", VSS_BUILDTYPE, "optimization",
			       VSS_OPTIMIZATION, "sanitize", VSS_SANITIZE, "dpdk", rte_version(),
			       "libc", gnu_get_libc_version(), "isa",
			       rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0 ? "avx2" : "sse"));
}

static int print_list(void)
{
	size_t i;
	int err = 0;

	for (i = 0; i < vss_n_stages && !err; i++)
		err = print(json_pack("{s:s, s:s, s:s, s:s, s:s}", "event", "stage", "name",
				      vss_stages[i].name, "kind", vss_kind_name(vss_stages[i].kind),
				      "function", vss_stages[i].function, "marker",
				      vss_stages[i].marker));
	for (i = 0; i < vss_n_cases && !err; i++)
		err = print(json_pack("{s:s, s:s, s:s}", "event", "case", "name", vss_cases[i].name,
				      "text", vss_cases[i].text));
	return err;
}

static int run(const struct options *o)
{
	struct vss_world *w;
	int err;

	err = print_build();
	if (err || o->mode == MODE_LIST)
		return err ? err : print_list();
	err = vss_world_new(o->kind, &w);
	if (err)
		return err;
	if (o->mode == MODE_TIME)
		err = vss_time(w, o->repeats);
	else
		err = vss_count(w, o->only, o->bursts);
	vss_world_free(w);
	return err;
}

int main(int argc, char **argv)
{
	struct options o = {
		.kind = &vss_cases[0],
		.repeats = REPEATS,
		.bursts = BURSTS,
	};

	if (parse(argc, argv, &o))
		return EXIT_USAGE;
	if (o.mode == MODE_HELP)
		return fputs(usage, stdout) == EOF;
	(void)signal(SIGPIPE, SIG_IGN);
	return run(&o) ? EXIT_FAILURE : EXIT_SUCCESS;
}
