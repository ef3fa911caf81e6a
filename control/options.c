/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/options.h"

#include "control/metrics_place.h"
#include "control/proto.h"
#include "control/store.h"
#include "control/version.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MEMORY_MIN_MIB = 32,
	MEMORY_MAX_MIB = 16384,
	MEMORY_DEFAULT_MIB = 128,
	NAP_MAX_US = 10000,
	NAP_DEFAULT_US = 50,
};

static void help(void)
{
	printf("usage: vmswitchd [OPTION ...]\n"
	       "\n"
	       "The host switch beside a VMM. Runs in the foreground until SIGTERM or SIGINT; set it up\n"
	       "with the command vmswitch.\n"
	       "\n"
	       "  --socket PATH      control socket (default %s)\n"
	       "  --state FILE       keep the configuration there (default: %s\n"
	       "                     with the default socket, otherwise nothing is kept)\n"
	       "  --no-state         keep nothing: start empty, forget everything at the end\n"
	       "  --others WHAT      what they may do who are neither root nor in the group of the control\n"
	       "                     socket: refuse (default; nothing), read (look, change nothing)\n"
	       "  --metrics PLACE    counters for Prometheus, at unix:PATH or at 127.0.0.1:PORT or\n"
	       "                     [::1]:PORT, as http://PLACE/metrics (default: nowhere)\n"
	       "  --log-level LEVEL  error, warning, info (default) or debug\n"
	       "  --memory MIB       memory for tables, %d..%d (default %d); no hugepages are needed\n"
	       "  --cpu LIST         one worker on each processor of the list (2 or 1,3-5; 1,1 is two\n"
	       "                     workers on one processor), at most %d\n"
	       "  --workers N        N workers on any processor (default 1)\n"
	       "  --placement WHO    static (default): queue pairs stay at the worker where they begin, or\n"
	       "                     are put by hand; auto: they follow the load\n"
	       "  --control-cpu N    processor of the control thread (default: any); automatic placement\n"
	       "                     puts nothing on a worker there while there is another one\n"
	       "  --poll LIST        these workers (0,2-3, or all) never sleep: lowest latency, a whole\n"
	       "                     processor each; others sleep until something comes\n"
	       "  --nap USEC         an idle worker that has a port without a descriptor to sleep on\n"
	       "                     sleeps this long at a time, ten times as long after a second\n"
	       "                     without traffic, 0..%d (default %d); 0: no worker ever sleeps\n"
	       "  --mac-pool MAC     addresses for 'mac auto': the 4096 from this one on, which ends in\n"
	       "                     000 (default 00:15:5d:XX:X0:00, by this machine's id)\n"
	       "  --pci ADDRESS      let an uplink take this PCI device (DDDD:BB:DD.F, bound to vfio-pci);\n"
	       "                     may be given %d times; without it no PCI device is looked at\n"
	       "  --virtio-user      let an uplink be dpdk:net_virtio_user: whoever is at its other side\n"
	       "                     sees all memory of the switch\n"
	       "  --test-uplinks     test the offloads of each uplink once, when it is up, over a wire\n"
	       "                     that returns what is sent\n"
	       "  --user USER        become this user, with the few privileges that ports need\n"
	       "  --group GROUP      and this group, that of the control socket (default: the user's)\n"
	       "  --vm-group GROUP   group of the sockets that guest ports listen on: the VMMs'\n"
	       "  --seccomp          refuse system calls that the switch does not need\n"
	       "  --prepare          make what --user needs and only root can make, and end\n"
	       "  --release-uplinks  put back what a killed daemon left changed on network cards, and end\n"
	       "  --version          print the version\n"
	       "  --help             print this\n",
	       VS_SOCKET_DEFAULT, VS_STATE_DEFAULT, MEMORY_MIN_MIB, MEMORY_MAX_MIB,
	       MEMORY_DEFAULT_MIB, VS_WORKERS_MAX, NAP_MAX_US, NAP_DEFAULT_US, VS_OPTIONS_PCI_MAX);
}

static enum vs_options_verdict wrong_number(const char *option, const char *text, long min,
					    long max)
{
	fprintf(stderr, "vmswitchd: --%s: '%s' is not a number from %ld to %ld\n", option, text,
		min, max);
	return VS_OPTIONS_WRONG;
}

static enum vs_options_verdict wrong_word(const char *option, const char *text, const char *words)
{
	fprintf(stderr, "vmswitchd: --%s: '%s' is none of %s\n", option, text, words);
	return VS_OPTIONS_WRONG;
}

/* Return: true, and the number in *@ret_number, when @text is one from @min to @max. */
static bool parse_number(const char *text, long min, long max, long *ret_number)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end != '\0' || n < min || n > max)
		return false;
	*ret_number = n;
	return true;
}

static enum vs_options_verdict take_pool(const char *arg, struct vs_options *o)
{
	const uint8_t *b = o->pool.addr_bytes;

	if (rte_ether_unformat_addr(arg, &o->pool) == 0 &&
	    rte_is_valid_assigned_ether_addr(&o->pool) && (b[4] & 0x0f) == 0 && b[5] == 0)
		return VS_OPTIONS_RUN;
	fprintf(stderr,
		"vmswitchd: --mac-pool: '%s' is no unicast address that ends in 000, such as "
		"00:15:5d:01:20:00\n",
		arg);
	return VS_OPTIONS_WRONG;
}

static enum vs_options_verdict take_others(const char *arg, struct vs_options *o)
{
	if (strcmp(arg, "refuse") == 0)
		o->others = VS_OTHERS_REFUSE;
	else if (strcmp(arg, "read") == 0)
		o->others = VS_OTHERS_READ;
	else
		return wrong_word("others", arg, "refuse, read");
	return VS_OPTIONS_RUN;
}

static enum vs_options_verdict take_metrics(const char *arg, struct vs_options *o)
{
	char why[VS_METRICS_WHY_SIZE];
	struct vs_metrics_place place;

	if (vs_metrics_place_parse(arg, &place, why) == 0) {
		o->metrics = arg;
		return VS_OPTIONS_RUN;
	}
	fprintf(stderr, "vmswitchd: --metrics: %s\n", why);
	return VS_OPTIONS_WRONG;
}

/* Take "N" or "N-M", below @limit, at *@at. Return: false: that is not what stands there. */
static bool take_range(const char **at, unsigned long limit, unsigned long *ret_first,
		       unsigned long *ret_last)
{
	unsigned long first;
	unsigned long last;
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	first = last = strtoul(*at, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		last = strtoul(end + 1, &end, 10);
	if (last >= limit || first > last)
		return false;
	*ret_first = first;
	*ret_last = last;
	*at = end;
	return true;
}

/* Give the numbers of a list "N,N-M,..." below @limit to @take. Return: false: it is none. */
static bool take_list(const char *at, unsigned long limit,
		      bool (*take)(struct vs_options *o, unsigned long first, unsigned long last),
		      struct vs_options *o)
{
	unsigned long first;
	unsigned long last;

	while (take_range(&at, limit, &first, &last) && take(o, first, last)) {
		if (*at == '\0')
			return true;
		if (*at++ != ',')
			break;
	}
	return false;
}

static bool add_cpus(struct vs_options *o, unsigned long first, unsigned long last)
{
	if (last - first >= VS_WORKERS_MAX - o->n_workers)
		return false;
	while (first <= last)
		o->cpu[o->n_workers++] = (int)first++;
	return true;
}

static bool add_pollers(struct vs_options *o, unsigned long first, unsigned long last)
{
	while (first <= last)
		o->poll |= 1u << first++;
	return true;
}

/* The last --cpu counts. */
static enum vs_options_verdict take_cpus(const char *arg, struct vs_options *o)
{
	o->n_workers = 0;
	if (take_list(arg, CPU_SETSIZE, add_cpus, o))
		return VS_OPTIONS_RUN;
	fprintf(stderr,
		"vmswitchd: --cpu: '%s' is no list of at most %d processors from 0 to %d, such as "
		"2 or 1,3-5\n",
		arg, VS_WORKERS_MAX, CPU_SETSIZE - 1);
	return VS_OPTIONS_WRONG;
}

/* The last --poll counts. */
static enum vs_options_verdict take_poll(const char *arg, struct vs_options *o)
{
	o->poll = strcmp(arg, "all") == 0 ? UINT32_MAX : 0;
	if (o->poll || take_list(arg, VS_WORKERS_MAX, add_pollers, o))
		return VS_OPTIONS_RUN;
	fprintf(stderr,
		"vmswitchd: --poll: '%s' is no list of workers from 0 to %d, such as 0,2-3, nor all\n",
		arg, VS_WORKERS_MAX - 1);
	return VS_OPTIONS_WRONG;
}

/* Return: false: --poll names a worker that there is not. */
static bool settle_pollers(const struct vs_options *o)
{
	uint32_t others = o->poll & ~(uint32_t)((1ul << o->n_workers) - 1);

	if (o->poll == UINT32_MAX || !others)
		return true;
	fprintf(stderr, "vmswitchd: --poll: there is no worker %d; the last one is %u\n",
		__builtin_ctz(others), o->n_workers - 1);
	return false;
}

static enum vs_options_verdict take_placement(const char *arg, struct vs_options *o)
{
	if (strcmp(arg, "static") == 0)
		o->placement = VS_PLACEMENT_STATIC;
	else if (strcmp(arg, "auto") == 0)
		o->placement = VS_PLACEMENT_AUTO;
	else
		return wrong_word("placement", arg, "static, auto");
	return VS_OPTIONS_RUN;
}

/* What a service says. */
static enum vs_options_verdict take_service(int option, const char *arg, struct vs_options *o)
{
	switch (option) {
	case 'u':
		o->user = arg;
		break;
	case 'g':
		o->group = arg;
		break;
	case 'G':
		o->vm_group = arg;
		break;
	case 'S':
		o->seccomp = true;
		break;
	default:
		o->prepare = true;
		break;
	}
	return VS_OPTIONS_RUN;
}

static enum vs_options_verdict take_option(int option, const char *arg, struct vs_options *o)
{
	long n;

	if (strchr("ugGSP", option))
		return take_service(option, arg, o);
	switch (option) {
	case 's':
		o->socket = arg;
		return VS_OPTIONS_RUN;
	case 'f':
		o->state = arg;
		return VS_OPTIONS_RUN;
	case 'N':
		o->no_state = true;
		return VS_OPTIONS_RUN;
	case 'l':
		if (vs_log_parse_level(arg, &o->log_level) == 0)
			return VS_OPTIONS_RUN;
		return wrong_word("log-level", arg, "error, warning, info, debug");
	case 'o':
		return take_others(arg, o);
	case 'M':
		return take_metrics(arg, o);
	case 'm':
		if (!parse_number(arg, MEMORY_MIN_MIB, MEMORY_MAX_MIB, &n))
			return wrong_number("memory", arg, MEMORY_MIN_MIB, MEMORY_MAX_MIB);
		o->memory_mib = (unsigned int)n;
		return VS_OPTIONS_RUN;
	case 'c':
		return take_cpus(arg, o);
	case 'w':
		if (!parse_number(arg, 1, VS_WORKERS_MAX, &n))
			return wrong_number("workers", arg, 1, VS_WORKERS_MAX);
		o->workers = (unsigned int)n;
		return VS_OPTIONS_RUN;
	case 'i':
		return take_poll(arg, o);
	case 'L':
		return take_placement(arg, o);
	case 'C':
		if (!parse_number(arg, 0, CPU_SETSIZE - 1, &n))
			return wrong_number("control-cpu", arg, 0, CPU_SETSIZE - 1);
		o->control_cpu = (int)n;
		return VS_OPTIONS_RUN;
	case 'n':
		if (!parse_number(arg, 0, NAP_MAX_US, &n))
			return wrong_number("nap", arg, 0, NAP_MAX_US);
		o->nap_us = (unsigned int)n;
		return VS_OPTIONS_RUN;
	case 'p':
		if (o->n_pci == VS_OPTIONS_PCI_MAX) {
			fprintf(stderr, "vmswitchd: --pci: at most %d devices\n",
				VS_OPTIONS_PCI_MAX);
			return VS_OPTIONS_WRONG;
		}
		o->pci[o->n_pci++] = arg;
		return VS_OPTIONS_RUN;
	case 'V':
		o->virtio_user = true;
		return VS_OPTIONS_RUN;
	case 'T':
		o->test_uplinks = true;
		return VS_OPTIONS_RUN;
	case 'a':
		return take_pool(arg, o);
	case 'r':
		o->release_uplinks = true;
		return VS_OPTIONS_RUN;
	case 'v':
		printf("vmswitchd %s\n", VS_VERSION);
		return VS_OPTIONS_DONE;
	case 'h':
		help();
		return VS_OPTIONS_DONE;
	default:
		/* getopt has named the word already. */
		fprintf(stderr, "vmswitchd: 'vmswitchd --help' lists the options\n");
		return VS_OPTIONS_WRONG;
	}
}

/* Without --cpu workers run anywhere. Return: false: the two options contradict each other. */
static bool settle_workers(struct vs_options *o)
{
	unsigned int wanted = o->workers ? o->workers : 1;

	if (o->n_workers == 0) {
		while (o->n_workers < wanted)
			o->cpu[o->n_workers++] = -1;
		return true;
	}
	if (o->workers == 0 || o->workers == o->n_workers)
		return true;
	fprintf(stderr, "vmswitchd: --workers %u, but --cpu names processors for %u\n", o->workers,
		o->n_workers);
	return false;
}

enum vs_options_verdict vs_options_parse(int argc, char **argv, struct vs_options *ret_options)
{
	static const struct option table[] = {
		{"socket", required_argument, NULL, 's'},
		{"state", required_argument, NULL, 'f'},
		{"no-state", no_argument, NULL, 'N'},
		{"others", required_argument, NULL, 'o'},
		{"metrics", required_argument, NULL, 'M'},
		{"log-level", required_argument, NULL, 'l'},
		{"memory", required_argument, NULL, 'm'},
		{"cpu", required_argument, NULL, 'c'},
		{"workers", required_argument, NULL, 'w'},
		{"poll", required_argument, NULL, 'i'},
		{"placement", required_argument, NULL, 'L'},
		{"control-cpu", required_argument, NULL, 'C'},
		{"nap", required_argument, NULL, 'n'},
		{"mac-pool", required_argument, NULL, 'a'},
		{"pci", required_argument, NULL, 'p'},
		{"virtio-user", no_argument, NULL, 'V'},
		{"test-uplinks", no_argument, NULL, 'T'},
		{"user", required_argument, NULL, 'u'},
		{"group", required_argument, NULL, 'g'},
		{"vm-group", required_argument, NULL, 'G'},
		{"seccomp", no_argument, NULL, 'S'},
		{"prepare", no_argument, NULL, 'P'},
		{"release-uplinks", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct vs_options o = {
		.socket = VS_SOCKET_DEFAULT,
		.log_level = VS_LOG_INFO,
		.memory_mib = MEMORY_DEFAULT_MIB,
		.nap_us = NAP_DEFAULT_US,
		.control_cpu = -1,
	};
	int option;

	while ((option = getopt_long(argc, argv, "s:h", table, NULL)) != -1) {
		enum vs_options_verdict verdict = take_option(option, optarg, &o);

		if (verdict != VS_OPTIONS_RUN)
			return verdict;
	}
	if (optind < argc) {
		fprintf(stderr,
			"vmswitchd: '%s' is not an option; switches and ports are set up with "
			"the command vmswitch\n",
			argv[optind]);
		return VS_OPTIONS_WRONG;
	}
	if (o.no_state)
		o.state = NULL;
	else if (!o.state && o.socket && strcmp(o.socket, VS_SOCKET_DEFAULT) == 0)
		o.state = VS_STATE_DEFAULT;
	if ((o.group || o.prepare) && !o.user) {
		fprintf(stderr, "vmswitchd: --%s needs --user\n", o.prepare ? "prepare" : "group");
		return VS_OPTIONS_WRONG;
	}
	if (!settle_workers(&o) || !settle_pollers(&o))
		return VS_OPTIONS_WRONG;
	*ret_options = o;
	return VS_OPTIONS_RUN;
}
