/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line. */
#include "bench/gen/gen.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <unistd.h>

static const char usage[] =
	"usage: vsgen --socket PATH-WITH-%u --guests N [options], or vsgen --null [options]\n"
	"  --guests N          0..384 (2)\n"
	"  --interface NAME    one more station, on an interface; up to 16 times\n"
	"  --connect           connect to the switch's sockets instead of listening\n"
	"  --flow KIND         pairs | all-to-one | one-to-all | null (= --null)\n"
	"  --one-way           pairs: only from even to odd guests\n"
	"  --size BYTES        64..9000 without FCS | imix | tso | tso:1515..65549 |\n"
	"                      stream | stream:128..9000 (64)\n"
	"  --take-tso          take frames that are still to be cut up, whatever is sent\n"
	"  --streams N         flows between two guests and queue pairs, 1..1024 (1)\n"
	"  --turn N            closed loop: frames of a flow sent at a time, 1..64 (32)\n"
	"  --profile NAME      linux | netkvm | legacy\n"
	"  --no-mergeable --no-indirect --no-event-idx\n"
	"  --ring N            entries, a power of two 64..32768 (1024; legacy 256)\n"
	"  --pairs Q           queue pairs of each guest, 1..64 (1)\n"
	"  --macs M            addresses of each guest, 1..1048576 (1)\n"
	"  --touch WHAT        all | header | none: bytes written and read\n"
	"  --check N           check every byte of every N-th frame; 0: none (0)\n"
	"  --cpu C             pin the generator to a CPU\n"
	"  --quiet-guests K    the last K of the guests only connect\n"
	"  --null              measure the generator alone against a back end that copies nothing\n"
	"  --null-cpu C        CPU of that back end\n"
	"  --no-huge           no huge pages, even if there are some\n"
	"  --timeout SECONDS   for the switch to connect (60)\n"
	"Commands come in on stdin and results go out on stdout, one JSON object per line.\n";

enum id {
	OPT_SOCKET = 256,
	OPT_GUESTS,
	OPT_INTERFACE,
	OPT_CONNECT,
	OPT_FLOW,
	OPT_ONE_WAY,
	OPT_SIZE,
	OPT_TAKE_TSO,
	OPT_STREAMS,
	OPT_TURN,
	OPT_PROFILE,
	OPT_NO_MERGEABLE,
	OPT_NO_INDIRECT,
	OPT_NO_EVENT_IDX,
	OPT_RING,
	OPT_PAIRS,
	OPT_MACS,
	OPT_TOUCH,
	OPT_CHECK,
	OPT_CPU,
	OPT_QUIET,
	OPT_NULL,
	OPT_NULL_CPU,
	OPT_NO_HUGE,
	OPT_TIMEOUT,
	OPT_HELP,
};

static const struct option longs[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"guests", required_argument, NULL, OPT_GUESTS},
	{"interface", required_argument, NULL, OPT_INTERFACE},
	{"connect", no_argument, NULL, OPT_CONNECT},
	{"flow", required_argument, NULL, OPT_FLOW},
	{"one-way", no_argument, NULL, OPT_ONE_WAY},
	{"size", required_argument, NULL, OPT_SIZE},
	{"take-tso", no_argument, NULL, OPT_TAKE_TSO},
	{"streams", required_argument, NULL, OPT_STREAMS},
	{"turn", required_argument, NULL, OPT_TURN},
	{"profile", required_argument, NULL, OPT_PROFILE},
	{"no-mergeable", no_argument, NULL, OPT_NO_MERGEABLE},
	{"no-indirect", no_argument, NULL, OPT_NO_INDIRECT},
	{"no-event-idx", no_argument, NULL, OPT_NO_EVENT_IDX},
	{"ring", required_argument, NULL, OPT_RING},
	{"pairs", required_argument, NULL, OPT_PAIRS},
	{"macs", required_argument, NULL, OPT_MACS},
	{"touch", required_argument, NULL, OPT_TOUCH},
	{"check", required_argument, NULL, OPT_CHECK},
	{"cpu", required_argument, NULL, OPT_CPU},
	{"quiet-guests", required_argument, NULL, OPT_QUIET},
	{"null", no_argument, NULL, OPT_NULL},
	{"null-cpu", required_argument, NULL, OPT_NULL_CPU},
	{"no-huge", no_argument, NULL, OPT_NO_HUGE},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int complain(const char *what, const char *value, const char *wanted)
{
	fprintf(stderr, "vsgen: %s: '%s': %s\n", what, value, wanted);
	return -EINVAL;
}

static int number(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	char wanted[64], *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || v < min || v > max) {
		snprintf(wanted, sizeof(wanted), "a number %u..%u is wanted", min, max);
		return complain(name, text, wanted);
	}
	*ret = (uint32_t)v;
	return 0;
}

static int cpu_number(const char *name, const char *text, int32_t *ret)
{
	uint32_t v, max = (uint32_t)sysconf(_SC_NPROCESSORS_CONF) - 1;
	int err = number(name, text, 0, max, &v);

	if (!err)
		*ret = (int32_t)v;
	return err;
}

/* Index of a word in a list that ends with NULL, or -EINVAL after a complaint. */
static int word(const char *name, const char *text, const char *const *list, const char *wanted)
{
	int i;

	for (i = 0; list[i]; i++) {
		if (strcmp(text, list[i]) == 0)
			return i;
	}
	return complain(name, text, wanted);
}

static int set_flow(struct gen_opt *opt, const char *text)
{
	static const char *const list[] = {"pairs", "all-to-one", "one-to-all", "null", NULL};
	int i = word("--flow", text, list, "pairs, all-to-one, one-to-all or null is wanted");

	if (i < 0)
		return i;
	opt->null = opt->null || i == 3;
	opt->flow = i == 3 ? GEN_FLOW_PAIRS : (enum gen_flow_kind)i;
	return 0;
}

static int set_profile(struct gen_opt *opt, const char *text)
{
	static const char *const list[] = {"linux", "legacy", "netkvm", NULL};
	int i = word("--profile", text, list, "linux, netkvm or legacy is wanted");

	if (i < 0)
		return i;
	opt->profile = (enum vsg_profile)i;
	return 0;
}

static int set_touch(struct gen_opt *opt, const char *text)
{
	static const char *const list[] = {"all", "header", "none", NULL};
	int i = word("--touch", text, list, "all, header or none is wanted");

	if (i < 0)
		return i;
	opt->touch = (enum gen_touch)i;
	return 0;
}

static int set_stream(struct gen_opt *opt, const char *text)
{
	opt->size_kind = GEN_SIZE_STREAM;
	opt->size = GEN_STREAM_FRAME;
	if (*text == 0)
		return 0;
	if (*text != ':')
		return complain("--size stream", text, "stream or stream:BYTES is wanted");
	return number("--size stream", text + 1, GEN_MIN_STREAM, GEN_MAX_FRAME, &opt->size);
}

static int set_size(struct gen_opt *opt, const char *text)
{
	opt->size = GEN_MIN_FRAME;
	if (strcmp(text, "imix") == 0)
		opt->size_kind = GEN_SIZE_IMIX;
	else if (strncmp(text, "tso", 3) == 0)
		opt->size_kind = GEN_SIZE_TSO;
	else if (strncmp(text, "stream", 6) == 0)
		return set_stream(opt, text + 6);
	else
		opt->size_kind = GEN_SIZE_FIXED;
	if (opt->size_kind == GEN_SIZE_IMIX)
		return 0;
	if (opt->size_kind == GEN_SIZE_FIXED)
		return number("--size (or imix, tso, stream)", text, GEN_MIN_FRAME, GEN_MAX_FRAME,
			      &opt->size);
	opt->size = GEN_TSO_FRAME;
	if (text[3] == 0)
		return 0;
	if (text[3] != ':')
		return complain("--size", text, "tso or tso:BYTES is wanted");
	return number("--size tso", text + 4, GEN_MIN_TSO, GEN_MAX_TSO, &opt->size);
}

/* Options without a value. */
static int set_switch(struct gen_opt *opt, int id)
{
	switch (id) {
	case OPT_CONNECT:
		opt->connect = true;
		return 0;
	case OPT_ONE_WAY:
		opt->one_way = true;
		return 0;
	case OPT_TAKE_TSO:
		opt->take_tso = true;
		return 0;
	case OPT_NO_MERGEABLE:
		opt->no_mergeable = true;
		return 0;
	case OPT_NO_INDIRECT:
		opt->no_indirect = true;
		return 0;
	case OPT_NO_EVENT_IDX:
		opt->no_event_idx = true;
		return 0;
	case OPT_NO_HUGE:
		opt->no_huge = true;
		return 0;
	case OPT_NULL:
		opt->null = true;
		return 0;
	case OPT_HELP:
		fputs(usage, stderr);
		return -ECANCELED;
	}
	fputs("vsgen: --help shows the options\n", stderr);
	return -EINVAL;
}

static int add_interface(struct gen_opt *opt, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ)
		return complain("--interface", name, "a name of 1..15 characters is wanted");
	if (opt->n_ifs == GEN_MAX_IFS)
		return complain("--interface", name, "there are 16 already");
	opt->interface[opt->n_ifs++] = name;
	return 0;
}

static int set_value(struct gen_opt *opt, int id, const char *v)
{
	switch (id) {
	case OPT_SOCKET:
		opt->socket = v;
		return 0;
	case OPT_GUESTS:
		return number("--guests", v, 0, GEN_MAX_GUESTS, &opt->guests);
	case OPT_INTERFACE:
		return add_interface(opt, v);
	case OPT_FLOW:
		return set_flow(opt, v);
	case OPT_SIZE:
		return set_size(opt, v);
	case OPT_STREAMS:
		return number("--streams", v, 1, GEN_MAX_STREAMS, &opt->streams);
	case OPT_TURN:
		return number("--turn", v, 1, GEN_BURST, &opt->turn);
	case OPT_PROFILE:
		return set_profile(opt, v);
	case OPT_RING:
		return number("--ring", v, 64, 32768, &opt->ring);
	case OPT_PAIRS:
		return number("--pairs", v, 1, VSG_MAX_PAIRS, &opt->pairs);
	case OPT_MACS:
		return number("--macs", v, 1, GEN_MAX_MACS, &opt->macs);
	case OPT_TOUCH:
		return set_touch(opt, v);
	case OPT_CHECK:
		return number("--check", v, 0, 1u << 30, &opt->check);
	case OPT_CPU:
		return cpu_number("--cpu", v, &opt->cpu);
	case OPT_NULL_CPU:
		return cpu_number("--null-cpu", v, &opt->null_cpu);
	case OPT_QUIET:
		return number("--quiet-guests", v, 0, GEN_MAX_GUESTS, &opt->quiet);
	case OPT_TIMEOUT:
		return number("--timeout", v, 1, 3600, &opt->timeout_s);
	}
	return -EINVAL;
}

/* The path's one conversion is %u, as it goes to snprintf(). */
static bool is_path_good(const char *path)
{
	const char *p = strchr(path, '%');

	return p && p[1] == 'u' && !strchr(p + 1, '%');
}

/* What stations on interfaces cannot do, or NULL. */
static const char *judge_interfaces(const struct gen_opt *opt)
{
	if (opt->n_ifs == 0)
		return opt->guests == 0 ? "without --interface, --guests is 1..384" : NULL;
	if (opt->guests > GEN_MAX_GUESTS)
		return "there are more than 384 guests and interfaces";
	if (opt->null || opt->quiet || opt->pairs > 1)
		return "--interface goes without --null, --quiet-guests and --pairs";
	if (opt->touch == GEN_TOUCH_NONE || gen_opt_tso(opt))
		return "--interface goes without --touch none and --size tso, stream";
	if (opt->streams > 1)
		return "--interface goes without --streams";
	return NULL;
}

/* What else does not go together, or NULL. */
static const char *judge_load(const struct gen_opt *opt)
{
	uint32_t active = opt->guests - opt->quiet;

	if (opt->quiet > opt->guests)
		return "--quiet-guests is more than --guests";
	if (opt->ring & (opt->ring - 1))
		return "--ring is no power of two";
	if (!opt->null && gen_opt_vms(opt) && (!opt->socket || !is_path_good(opt->socket)))
		return "--socket needs a path with %u in it, once, for the number of the guest";
	if (opt->flow == GEN_FLOW_PAIRS && active % 2 && active > 1)
		return "--flow pairs needs an even number of guests that are not quiet";
	if (opt->null && opt->flow != GEN_FLOW_PAIRS)
		return "--null goes with --flow pairs";
	if (opt->null && (opt->check || active < 2))
		return "--null goes with two guests or more, and without --check";
	if (opt->guests * opt->pairs * opt->streams > GEN_MAX_FLOWS)
		return "there are more than 65535 flows";
	if (opt->touch == GEN_TOUCH_NONE && (opt->size_kind == GEN_SIZE_STREAM || opt->streams > 1))
		return "--touch none goes without --size stream and --streams";
	if (opt->null && opt->streams > 1)
		return "--null goes without --streams";
	if (opt->touch == GEN_TOUCH_NONE && opt->check)
		return "--touch none reads nothing, so it has nothing to --check";
	if (opt->touch == GEN_TOUCH_NONE && opt->flow == GEN_FLOW_ONE_TO_ALL)
		return "--touch none cannot tell the receivers of --flow one-to-all apart";
	return NULL;
}

static int judge(struct gen_opt *opt)
{
	const char *why;

	opt->guests += opt->n_ifs;
	if (!opt->ring)
		opt->ring = opt->profile == VSG_PROFILE_LEGACY ? 256 : 1024;
	why = judge_interfaces(opt);
	if (!why)
		why = judge_load(opt);
	if (!why)
		return 0;
	fprintf(stderr, "vsgen: %s\n", why);
	return -EINVAL;
}

/**
 * gen_opt_parse() - read the command line
 * @opt: filled in
 * @argc: of main()
 * @argv: of main()
 *
 * Complaints go to stderr.
 *
 * Return: 0, -ECANCELED after --help, or -EINVAL.
 */
int gen_opt_parse(struct gen_opt *opt, int argc, char **argv)
{
	int err, id;

	*opt = (struct gen_opt){
		.guests = 2,
		.pairs = 1,
		.streams = 1,
		.turn = GEN_TURN,
		.macs = 1,
		.size = GEN_MIN_FRAME,
		.timeout_s = 60,
		.cpu = -1,
		.null_cpu = -1,
	};
	while ((id = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		err = optarg ? set_value(opt, id, optarg) : set_switch(opt, id);
		if (err)
			return err;
	}
	if (optind < argc)
		return complain("argument", argv[optind], "only options are known");
	return judge(opt);
}

/**
 * gen_opt_size() - the frame size as it is written on the command line
 * @opt: options
 * @buf: room for a number
 * @cap: its size
 *
 * Return: text.
 */
const char *gen_opt_size(const struct gen_opt *opt, char *buf, size_t cap)
{
	static const char *const prefix[] = {
		[GEN_SIZE_FIXED] = "",
		[GEN_SIZE_TSO] = "tso:",
		[GEN_SIZE_STREAM] = "stream:",
	};

	if (opt->size_kind == GEN_SIZE_IMIX)
		return "imix";
	if (opt->size_kind == GEN_SIZE_TSO && opt->size == GEN_TSO_FRAME)
		return "tso";
	if (opt->size_kind == GEN_SIZE_STREAM && opt->size == GEN_STREAM_FRAME)
		return "stream";
	snprintf(buf, cap, "%s%u", prefix[opt->size_kind], opt->size);
	return buf;
}
