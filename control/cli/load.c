/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/load.h"

#include "control/cli/cli.h"
#include "control/cli/rates.h"

#include <string.h>

static int take(const struct nlattr *const *tb, void *ctx)
{
	struct load *load = ctx;

	load->hz = cli_num(tb, VS_ATTR_TSC_HZ);
	if (load->n == LOAD_WORKERS_MAX)
		return 0;
	load->now[load->n++] = (struct load_worker){
		.id = cli_num(tb, VS_ATTR_ID),
		.cpu = tb[VS_ATTR_CPU] ? (int)cli_num(tb, VS_ATTR_CPU) : -1,
		.total = cli_num(tb, VS_ATTR_TOTAL_CYCLES),
		.busy = cli_num(tb, VS_ATTR_BUSY_CYCLES),
		.frames = cli_num(tb, VS_ATTR_FRAMES),
		.events_lost = cli_num(tb, VS_ATTR_EVENTS_LOST),
	};
	return 0;
}

int load_read(struct load *load, struct vs_client *client, struct vs_client_fail *fail)
{
	uint32_t buf[64];
	struct vs_msg msg;

	memcpy(load->before, load->now, sizeof(load->before));
	load->n_before = load->n;
	load->n = 0;
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_WORKER_GET);
	return vs_client_call(client, &msg, take, load, fail);
}

double load_share(const struct load *load, uint64_t cycles, uint64_t elapsed_ns)
{
	return load->hz ? rates_per_second(cycles, elapsed_ns) / (double)load->hz : 0;
}

/* What was before has the same place, unless the daemon is another one. */
static struct load_worker grown(const struct load *load, size_t i)
{
	struct load_worker w = load->now[i];
	const struct load_worker *old = i < load->n_before ? &load->before[i] : NULL;

	if (!old || old->total > w.total || old->frames > w.frames)
		return (struct load_worker){0};
	w.total -= old->total;
	w.busy -= old->busy;
	w.frames -= old->frames;
	return w;
}

/* @part of @whole with @unit behind it; null and "-" when there is no whole. */
static void put_ratio(struct out *o, const char *key, const char *label, double part, double whole,
		      const char *unit)
{
	char text[32];

	if (whole <= 0) {
		out_value(o, OUT_EVERYWHERE, key, label, NULL, "-");
		return;
	}
	snprintf(text, sizeof(text), "%.1f%s", part / whole, unit);
	out_value(o, OUT_EVERYWHERE, key, label, json_real(part / whole), text);
}

void load_put(struct out *o, const struct load *load)
{
	size_t i;

	for (i = 0; i < load->n; i++) {
		const struct load_worker *now = &load->now[i];
		struct load_worker w = grown(load, i);
		double seconds = load->hz ? (double)w.total / (double)load->hz : 0;
		char text[RATES_TEXT_SIZE], cpu[16] = "any";

		rates_text(seconds > 0 ? (double)w.frames / seconds : 0, text);
		if (now->cpu >= 0)
			snprintf(cpu, sizeof(cpu), "%d", now->cpu);
		out_row_begin(o);
		out_num(o, OUT_EVERYWHERE, "id", "WORKER", now->id);
		out_value(o, OUT_EVERYWHERE, "cpu", "CPU",
			  now->cpu >= 0 ? json_integer(now->cpu) : NULL, cpu);
		put_ratio(o, "busy_percent", "BUSY", 100 * (double)w.busy, (double)w.total, " %");
		out_value(o, OUT_EVERYWHERE, "pps", "FRAMES/S",
			  json_real(seconds > 0 ? (double)w.frames / seconds : 0), text);
		put_ratio(o, "cycles_per_frame", "CYCLES/FRAME", (double)w.busy, (double)w.frames,
			  "");
		out_num(o, OUT_EVERYWHERE, "events_lost", "EVENTS LOST", now->events_lost);
		out_row_end(o);
	}
}
