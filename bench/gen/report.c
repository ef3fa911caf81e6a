/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes to stdout: JSON, one object per line. */
#include "bench/gen/gen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/**
 * gen_report() - write one line
 * @line: object, given away; NULL (no memory) becomes an error line
 */
void gen_report(json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;

	puts(text ? text : "{\"event\":\"error\",\"error\":\"out of memory\"}");
	fflush(stdout);
	free(text);
	json_decref(line);
}

/**
 * gen_report_error() - write an error line
 * @fmt: as for printf()
 */
void gen_report_error(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gen_report(json_pack("{s:s, s:s}", "event", "error", "error", text));
}

static json_t *features_of(const struct gen *g)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} bits[] = {
		{VIRTIO_F_VERSION_1, "version_1"},
		{VIRTIO_NET_F_MRG_RXBUF, "mergeable"},
		{VIRTIO_RING_F_INDIRECT_DESC, "indirect"},
		{VIRTIO_RING_F_EVENT_IDX, "event_idx"},
		{VIRTIO_NET_F_MQ, "mq"},
		{VIRTIO_NET_F_CSUM, "csum"},
		{VIRTIO_NET_F_GUEST_CSUM, "guest_csum"},
		{VIRTIO_NET_F_HOST_TSO4, "host_tso4"},
		{VIRTIO_NET_F_GUEST_TSO4, "guest_tso4"},
	};
	json_t *list = json_array();
	size_t i;

	for (i = 0; g->guest[0] && i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (g->guest[0]->features >> bits[i].bit & 1)
			json_array_append_new(list, json_string(bits[i].name));
	}
	return list;
}

static json_t *macs_of(const struct gen *g)
{
	json_t *list = json_array();
	char text[18];
	uint8_t m[6];
	uint32_t i;

	for (i = 0; i < g->opt.guests; i++) {
		gen_frame_mac(i, 0, m);
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
			 m[3], m[4], m[5]);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/**
 * gen_report_ready() - say that all guests are up, and what was set
 * @g: generator
 * @event: name of the event
 */
void gen_report_ready(const struct gen *g, const char *event)
{
	static const char *const flows[] = {"pairs", "all-to-one", "one-to-all"};
	static const char *const profiles[] = {"linux", "legacy", "netkvm"};
	static const char *const touches[] = {"all", "header", "none"};
	const struct gen_opt *o = &g->opt;
	json_t *line, *ifs = json_array();
	char buf[16];
	uint32_t i;

	for (i = 0; i < o->n_ifs; i++)
		json_array_append_new(ifs, json_string(o->interface[i]));
	line = json_pack("{s:s, s:i, s:i, s:i, s:s, s:b, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:b,"
			 " s:b, s:f, s:o, s:o, s:o}",
			 "event", event, "guests", (int)o->guests, "quiet", (int)o->quiet, "flows",
			 (int)g->n_flows, "flow", flows[o->flow], "one_way", (int)o->one_way,
			 "size", gen_opt_size(o, buf, sizeof(buf)), "profile", profiles[o->profile],
			 "touch", touches[o->touch], "ring", (int)o->ring, "pairs", (int)o->pairs,
			 "macs_per_guest", (int)o->macs, "cpu", (int)o->cpu, "null", (int)o->null,
			 "hugepages", (int)g->huge, "tsc_hz", g->hz, "features", features_of(g),
			 "macs", macs_of(g), "interfaces", ifs);
	gen_report(line);
}

/**
 * gen_report_counts() - what happened between two counts
 * @a: first one
 * @b: second one
 * @hz: of the TSC
 *
 * Return: new object.
 */
json_t *gen_report_counts(const struct gen_count *a, const struct gen_count *b, double hz)
{
	uint64_t received = b->received - a->received;
	double seconds = (double)(b->tsc - a->tsc) / hz;
	uint64_t busy = b->busy - a->busy;

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}",
		"sent", (json_int_t)(b->sent - a->sent), "received", (json_int_t)received, "lost",
		(json_int_t)(b->lost - a->lost), "reordered",
		(json_int_t)(b->reordered - a->reordered), "duplicates",
		(json_int_t)(b->duplicates - a->duplicates), "bad", (json_int_t)(b->bad - a->bad),
		"not_sent", (json_int_t)(b->not_sent - a->not_sent), "late",
		(json_int_t)(b->late - a->late), "strays", (json_int_t)(b->strays - a->strays),
		"overruns", (json_int_t)(b->overruns - a->overruns), "bytes",
		(json_int_t)(b->bytes - a->bytes), "seconds", seconds, "gen_busy",
		seconds > 0 ? (double)busy / (seconds * hz) : 0.0, "rx_busy",
		seconds > 0 ? (double)(b->rx_busy - a->rx_busy) / (seconds * hz) : 0.0,
		"cycles_per_frame", received ? (double)busy / (double)received : 0.0, "steal",
		gen_clock_steal_share(b->steal_ticks - a->steal_ticks, seconds));
}

/**
 * gen_report_received() - frames that each guest received
 * @g: generator
 * @before: the same at the start
 *
 * Return: new object {"received": [...]}.
 */
json_t *gen_report_received(const struct gen *g, const uint64_t *before)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < g->opt.guests; i++)
		json_array_append_new(list, json_integer((json_int_t)(g->received[i] - before[i])));
	return json_pack("{s:o}", "received", list);
}
