/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes from stdin: JSON, one object per line. */
#include "bench/gen/gen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A member that must be a whole number within bounds; the default if it is absent. */
static int whole(const json_t *o, const char *name, long long min, long long max, uint32_t *ret)
{
	const json_t *v = json_object_get(o, name);
	long long n;

	if (!v)
		return 0;
	n = json_is_integer(v) ? (long long)json_integer_value(v) : min - 1;
	if (n < min || n > max) {
		gen_report_error("'%s' must be a whole number %lld..%lld", name, min, max);
		return -EINVAL;
	}
	*ret = (uint32_t)n;
	return 0;
}

static int get_load(const struct gen *g, const json_t *cmd, struct gen_trial *t)
{
	const json_t *load = json_object_get(cmd, "load");
	const json_t *rate = json_object_get(load, "rate");

	if (!json_is_object(load) || !json_object_get(load, "closed") == !rate) {
		gen_report_error("'load' must be {\"closed\": frames} or {\"rate\": frames/s}");
		return -EINVAL;
	}
	if (!rate)
		return whole(load, "closed", 1, 1 << 20, &t->closed);
	t->rate = json_number_value(rate);
	if (!json_is_number(rate) || t->rate < 1 || t->rate > 1e9) {
		gen_report_error("'rate' must be a number 1..1e9, frames/s of all flows");
		return -EINVAL;
	}
	return 0;
}

static int get_probe(const json_t *cmd, struct gen_trial *t)
{
	long n, max = sysconf(_SC_NPROCESSORS_CONF);
	const json_t *v, *probe = json_object_get(cmd, "probe");
	size_t i;

	if (!probe || json_is_null(probe))
		return 0;
	for (i = 0; i < 2; i++) {
		v = json_array_get(probe, i);
		n = json_is_integer(v) ? (long)json_integer_value(v) : -1;
		if (n < 0 || n >= max)
			break;
		t->probe[i] = (int)n;
	}
	if (i == 2 && json_array_size(probe) == 2 && t->probe[0] != t->probe[1])
		return 0;
	gen_report_error("'probe' must be null or two different CPUs 0..%ld", max - 1);
	return -EINVAL;
}

static int get_flag(const json_t *cmd, const char *name, bool *ret)
{
	const json_t *v = json_object_get(cmd, name);

	if (v && !json_is_boolean(v)) {
		gen_report_error("'%s' must be true or false", name);
		return -EINVAL;
	}
	*ret = json_is_true(v);
	return 0;
}

static int get_latency(const struct gen *g, const json_t *cmd, struct gen_trial *t)
{
	int err = get_flag(cmd, "latency", &t->latency);

	if (err)
		return err;
	if (t->latency && (g->opt.touch == GEN_TOUCH_NONE || g->opt.null)) {
		gen_report_error("'latency' needs frames with a time in them: no --touch none, no "
				 "--null");
		return -EINVAL;
	}
	return 0;
}

static void do_trial(struct gen *g, const json_t *cmd)
{
	struct gen_trial t = {
		.warmup_ms = 1000,
		.windows = 12,
		.window_ms = 500,
		.probe = {-1, -1},
	};
	int err;

	err = get_load(g, cmd, &t);
	if (!err)
		err = whole(cmd, "warmup_ms", 0, 600000, &t.warmup_ms);
	if (!err)
		err = whole(cmd, "windows", 1, GEN_MAX_WINDOWS, &t.windows);
	if (!err)
		err = whole(cmd, "window_ms", 1, 60000, &t.window_ms);
	if (!err)
		err = get_latency(g, cmd, &t);
	if (!err)
		err = get_flag(cmd, "reconnect", &t.revive);
	if (!err && t.revive && g->opt.null) {
		gen_report_error("'reconnect': there is no switch");
		err = -EINVAL;
	}
	if (!err)
		err = get_probe(cmd, &t);
	if (err)
		return;
	err = gen_trial_run(g, &t);
	if (err == -EPROTO)
		gen_report_error("trial: the switch returned a chain that it was not given");
	else if (err && err != -EINTR)
		gen_report_error("trial: %s", strerror(-err));
}

static void do_learn(struct gen *g, const json_t *cmd)
{
	uint64_t frames = 0;
	uint32_t rate = 0;
	int err = whole(cmd, "rate", 1, 1000000, &rate);

	if (err)
		return;
	if (!g->opt.null)
		err = gen_load_learn(g, rate, &frames);
	if (err)
		gen_report_error("learn: %s", strerror(-err));
	else
		gen_report(
			json_pack("{s:s, s:I}", "event", "learnt", "frames", (json_int_t)frames));
}

static int do_command(struct gen *g, const json_t *cmd)
{
	const char *name = json_string_value(json_object_get(cmd, "cmd"));

	if (!name) {
		gen_report_error("a command is an object with the member 'cmd'");
	} else if (strcmp(name, "trial") == 0) {
		do_trial(g, cmd);
	} else if (strcmp(name, "learn") == 0) {
		do_learn(g, cmd);
	} else if (strcmp(name, "reconnect") == 0 && g->opt.null) {
		gen_report_error("reconnect: there is no switch");
	} else if (strcmp(name, "reconnect") == 0) {
		if (gen_setup_reconnect(g) == 0)
			gen_report_ready(g, "reconnected");
	} else if (strcmp(name, "quit") == 0) {
		return -ECANCELED;
	} else {
		gen_report_error("unknown command '%s': trial, learn, reconnect or quit", name);
	}
	return 0;
}

/**
 * gen_command_loop() - do what stdin says until its end
 * @g: generator that is up
 *
 * Return: 0.
 */
int gen_command_loop(struct gen *g)
{
	json_error_t why;
	char *line = NULL;
	size_t cap = 0;
	json_t *cmd;
	int err = 0;

	while (!err && !gen_stop && getline(&line, &cap, stdin) > 0) {
		if (line[strspn(line, " \t\r\n")] == 0)
			continue;
		cmd = json_loads(line, 0, &why);
		if (cmd)
			err = do_command(g, cmd);
		else
			gen_report_error("no JSON: %s", why.text);
		json_decref(cmd);
	}
	free(line);
	return 0;
}
