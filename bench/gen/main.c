/* SPDX-License-Identifier: BSD-3-Clause */
/* vsgen: load of many guests for a vhost-user switch; see gen.h. */
#include "bench/gen/gen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static void on_signal(int number)
{
	gen_stop = number;
}

static void set_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	/* No SA_RESTART: reading a command ends, too. */
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Each guest holds a socket, its memory and three descriptors of each ring. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static struct gen g;
	int err;

	err = gen_opt_parse(&g.opt, argc, argv);
	if (err)
		return err == -ECANCELED ? 0 : 2;
	set_signals();
	raise_limit();
	err = gen_clock_pin(g.opt.cpu);
	if (err) {
		fprintf(stderr, "vsgen: --cpu %d: %s\n", g.opt.cpu, strerror(-err));
		return 2;
	}
	g.hz = gen_clock_calibrate();
	err = gen_setup_open(&g);
	if (!err)
		err = gen_setup_start(&g);
	if (!err) {
		gen_report_ready(&g, "ready");
		err = gen_command_loop(&g);
	}
	gen_setup_close(&g);
	return err ? 1 : 0;
}
