/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmswitchd: start in order, run until told to stop, unwind in reverse order.
 */
#include "control/dispatch.h"
#include "control/eal.h"
#include "control/metrics.h"
#include "control/model.h"
#include "control/options.h"
#include "control/notify.h"
#include "control/numa.h"
#include "control/privilege.h"
#include "control/rundir.h"
#include "control/seccomp.h"
#include "control/server.h"
#include "control/store.h"
#include "control/version.h"
#include "dataplane/core/flow.h"
#include "dataplane/core/log.h"
#include "dataplane/core/rcu.h"
#include "dataplane/guest/guest.h"
#include "dataplane/uplink/uplink.h"
#include "dataplane/worker.h"

#include <event2/event.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Open files: at most about 60 for a guest with 8 queue pairs, 16 for one with one. */
enum {
	DESCRIPTORS_WANTED = 65536,
	DESCRIPTORS_ENOUGH = 16384,
	DESCRIPTORS_PER_GUEST = 16,
};

/* Neither is mended by starting again: the service's unit knows them. */
enum {
	EXIT_USAGE = 2,
	EXIT_STATE = 3,
};

struct daemon {
	struct vs_options options;
	struct event_base *base;
	struct event *sigterm;
	struct event *sigint;
	struct vs_rcu rcu;
	struct vs_worker *worker[VS_WORKERS_MAX];
	struct vs_store *store; /* NULL: nothing is kept */
	struct vs_model *model;
	struct vs_server *server;
	struct vs_metrics *metrics;
	struct vs_notify *notify;
	struct vs_identity who;
	char *run_dir;
};

static void raise_descriptor_limit(void)
{
	const struct rlimit wanted = {.rlim_cur = DESCRIPTORS_WANTED,
				      .rlim_max = DESCRIPTORS_WANTED};
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
		return;
	/* Raising the hard limit takes a privilege; without it the hard limit has to do. */
	if (limit.rlim_max < DESCRIPTORS_WANTED && setrlimit(RLIMIT_NOFILE, &wanted) == 0)
		return;
	if (limit.rlim_max > DESCRIPTORS_WANTED)
		limit.rlim_max = DESCRIPTORS_WANTED;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= DESCRIPTORS_ENOUGH)
		return;
	vs_log(VS_LOG_WARNING,
	       "at most %llu open files: enough for about %llu guests (ulimit -Hn gives more)",
	       (unsigned long long)limit.rlim_cur,
	       (unsigned long long)limit.rlim_cur / DESCRIPTORS_PER_GUEST);
}

static void on_signal(evutil_socket_t signal, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)what;
	vs_log(VS_LOG_INFO, "stopping (%s)", strsignal((int)signal));
	(void)event_base_loopbreak(d->base);
}

static int watch_signals(struct daemon *d)
{
	(void)signal(SIGPIPE, SIG_IGN);
	/* A state file that may not grow is an error of write(), not our end. */
	(void)signal(SIGXFSZ, SIG_IGN);
	d->sigterm = evsignal_new(d->base, SIGTERM, on_signal, d);
	d->sigint = evsignal_new(d->base, SIGINT, on_signal, d);
	if (!d->sigterm || !d->sigint || event_add(d->sigterm, NULL) != 0 ||
	    event_add(d->sigint, NULL) != 0)
		return -ENOMEM;
	return 0;
}

static int start_loop(struct daemon *d)
{
	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	return watch_signals(d);
}

static void stop_loop(struct daemon *d)
{
	if (d->sigterm)
		event_free(d->sigterm);
	if (d->sigint)
		event_free(d->sigint);
	if (d->base)
		event_base_free(d->base);
}

static int make_workers(struct daemon *d)
{
	struct vs_worker_config config = {
		.rcu = &d->rcu,
		.company = d->options.n_workers > 1 ? VS_WORKER_ONE_OF_MANY : VS_WORKER_ALONE,
		.nap_us = d->options.nap_us,
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < d->options.n_workers && err == 0; i++) {
		config.index = i;
		config.lcore = VS_LCORE_WORKER + i;
		config.idle = (d->options.poll >> i) & 1 ? VS_WORKER_POLLS : VS_WORKER_PARKS;
		config.cpu = d->options.cpu[i];
		config.node = vs_numa_of_cpu(VS_NUMA_SYS, config.cpu);
		err = vs_worker_new(&config, &d->worker[i]);
	}
	return err;
}

static void free_workers(struct daemon *d)
{
	unsigned int i;

	for (i = 0; i < d->options.n_workers; i++)
		vs_worker_free(d->worker[i]);
}

static void stop_workers(struct daemon *d)
{
	unsigned int i;

	for (i = 0; i < d->options.n_workers; i++)
		vs_worker_stop(d->worker[i]);
}

/* Return: 0, or -errno with none of them running. */
static int start_workers(struct daemon *d)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < d->options.n_workers && err == 0; i++)
		err = vs_worker_start(d->worker[i]);
	if (err)
		stop_workers(d);
	return err;
}

/* Where the control socket is, there is room for what must be found after a crash. */
static int find_run_dir(struct daemon *d)
{
	d->run_dir = vs_rundir_of(d->options.socket);
	return d->run_dir ? 0 : -ENOMEM;
}

static int start_model(struct daemon *d)
{
	const struct vs_model_env env = {
		.base = d->base,
		.rcu = &d->rcu,
		.workers = d->worker,
		.n_workers = d->options.n_workers,
		.run_dir = d->run_dir,
		.pci = d->options.pci,
		.n_pci = d->options.n_pci,
		.virtio_user = d->options.virtio_user,
		.test_uplinks = d->options.test_uplinks,
		.pool = d->options.pool,
		.vm_group = d->options.vm_group ? &d->who.vm_group : NULL,
		.placement = d->options.placement,
		.control_cpu = d->options.control_cpu,
	};

	return vs_model_new(&env, &d->model);
}

static int open_store(struct daemon *d)
{
	const struct vs_store_config config = {.path = d->options.state};

	if (config.path)
		return vs_store_open(&config, &d->store);
	vs_log(VS_LOG_INFO, "the configuration is not kept (--state FILE does that)");
	return 0;
}

/* Only what the file is like stays so: a disk mends, another daemon ends. Return: exit status. */
static int status_of_store(int err)
{
	switch (err) {
	case -EBADMSG:
	case -EPROTONOSUPPORT:
	case -ENOTSUP:
		return EXIT_STATE;
	default:
		return EXIT_FAILURE;
	}
}

static int start_store(struct daemon *d)
{
	const struct vs_store_link link = {
		.base = d->base,
		.model = d->model,
		.apply = vs_dispatch_apply,
	};

	return d->store ? vs_store_start(d->store, &link) : 0;
}

static int start_server(struct daemon *d)
{
	const struct vs_server_config config = {
		.base = d->base,
		.path = d->options.socket,
		.model = d->model,
		.store = d->store,
		.version = VS_VERSION,
		.others = d->options.others,
	};

	return vs_server_new(&config, &d->server);
}

/* On request only. */
static int start_metrics(struct daemon *d)
{
	const struct vs_metrics_config config = {
		.base = d->base,
		.place = d->options.metrics,
		.model = d->model,
		.server = d->server,
		.version = VS_VERSION,
	};

	return config.place ? vs_metrics_new(&config, &d->metrics) : 0;
}

/* Say that a part does not start. Return: @err. */
static int complain(int err, const char *part)
{
	if (err)
		vs_log(VS_LOG_ERROR, "cannot start the %s: %s", part, strerror(-err));
	return err;
}

static int run(struct daemon *d)
{
	int err;

	err = complain(start_loop(d), "event loop");
	if (err)
		goto err_loop;
	err = complain(vs_rcu_init(&d->rcu), "grace periods");
	if (err)
		goto err_loop;
	err = complain(make_workers(d), "workers");
	if (err)
		goto err_worker;
	err = complain(start_model(d), "model");
	if (err)
		goto err_model;
	err = complain(start_workers(d), "workers' threads");
	if (err)
		goto err_start;
	err = complain(start_store(d), "state file");
	if (err)
		goto err_server;
	/* Says itself what is wrong. */
	err = start_server(d);
	if (err)
		goto err_server;
	err = start_metrics(d);
	if (err)
		goto err_metrics;

	/* Only named: adding its switch again takes an uplink over without a gap. */
	(void)vs_uplink_leftovers(d->run_dir, VS_UPLINK_TELL);
	vs_log(VS_LOG_INFO, "ready: version %s, %u worker%s, control socket %s", VS_VERSION,
	       d->options.n_workers, d->options.n_workers > 1 ? "s" : "", d->options.socket);
	err = complain(vs_notify_ready(d->base, d->worker, d->options.n_workers, &d->notify),
		       "watchdog");
	if (!err)
		(void)event_base_dispatch(d->base);

	vs_notify_end(d->notify);
	vs_metrics_free(d->metrics);
err_metrics:
	vs_server_free(d->server);
err_server:
	/* What ends now is not removed: it is there again next time. */
	vs_store_free(d->store);
	d->store = NULL;
	stop_workers(d);
err_start:
	vs_model_free(d->model);
err_model:
err_worker:
	free_workers(d);
	vs_rcu_fini(&d->rcu);
err_loop:
	stop_loop(d);
	return err;
}

static int start_eal(const struct vs_options *options, const char *run_dir)
{
	const struct vs_eal_config config = {
		.memory_mib = options->memory_mib,
		.cpu = options->cpu,
		.n_workers = options->n_workers,
		.control_cpu = options->control_cpu,
		.pci = options->pci,
		.n_pci = options->n_pci,
		.run_dir = run_dir,
	};

	_Static_assert((int)VS_OPTIONS_PCI_MAX <= (int)VS_EAL_PCI_MAX, "each may be named");
	return vs_eal_start(&config);
}

/* What only root can do comes first, and before there is a second thread the rest is given up. */
static int give_up_privileges(struct daemon *d)
{
	const struct vs_options *o = &d->options;
	int err;

	err = vs_rundir_make(o->socket);
	if (!err && o->user && geteuid() == 0)
		err = vs_rundir_give(o->socket, &d->who);
	if (!err && o->state && strcmp(o->state, VS_STATE_DEFAULT) == 0)
		err = vs_rundir_make_state(VS_STATE_FOLDER, o->user ? &d->who : NULL);
	if (err || o->prepare)
		return err;
	if (o->user)
		err = vs_privilege_drop(&d->who);
	if (!err && o->seccomp)
		err = vs_seccomp_install(vs_privilege_may_mount() ? VS_SECCOMP_MOUNT
								  : VS_SECCOMP_NO_MOUNT);
	return err;
}

/* Return: the exit status. */
static int start(struct daemon *d)
{
	int err;

	raise_descriptor_limit();
	err = give_up_privileges(d);
	if (err || d->options.prepare)
		return err ? EXIT_FAILURE : EXIT_SUCCESS;
	err = open_store(d);
	if (err)
		return status_of_store(err);
	err = complain(vs_sigbus_install(), "SIGBUS handler");
	if (!err)
		err = complain(vs_flow_init(), "random numbers");
	if (!err)
		err = start_eal(&d->options, d->run_dir);
	if (!err) {
		err = run(d);
		vs_eal_stop();
	}
	vs_store_free(d->store);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --release-uplinks. Return: the exit status. */
static int release_uplinks(struct daemon *d)
{
	int n = vs_uplink_leftovers(d->run_dir, VS_UPLINK_RELEASE);

	if (n == 0)
		vs_log(VS_LOG_INFO, "nothing was left in %s", d->run_dir);
	return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon d = {0};
	int status;
	int err;

	switch (vs_options_parse(argc, argv, &d.options)) {
	case VS_OPTIONS_DONE:
		return EXIT_SUCCESS;
	case VS_OPTIONS_WRONG:
		return EXIT_USAGE;
	case VS_OPTIONS_RUN:
		break;
	}
	vs_log_set_level(d.options.log_level);
	err = vs_identity_find(d.options.user, d.options.group, d.options.vm_group, &d.who);
	if (!err)
		err = find_run_dir(&d);
	if (err)
		return EXIT_FAILURE;
	status = d.options.release_uplinks ? release_uplinks(&d) : start(&d);
	free(d.run_dir);
	return status;
}
