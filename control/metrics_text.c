/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/metrics_text.h"

#include "control/model.h"
#include "control/model_show.h"
#include "control/server.h"

#include <event2/buffer.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/*
 * DOC: families
 *
 * The format wants all samples of a metric in one piece, under its HELP and TYPE; the model shows
 * one object at a time, with all that belongs to it. So each metric has a buffer of its own while
 * the objects are looked at once, and the buffers are joined at the end.
 *
 * A metric is a line here, what puts its samples there, and a row in doc/metrics.md.
 */
/* clang-format off */
#define METRICS(X) \
	X(INFO, "vmswitch_info", "gauge", "Version of the daemon") \
	X(CLIENTS, "vmswitch_control_clients", "gauge", "Clients on the control socket, by what they may do") \
	X(CLIENTS_REFUSED, "vmswitch_control_clients_refused_total", "counter", "Clients turned away when they connected") \
	X(CLIENTS_DISPLACED, "vmswitch_control_clients_displaced_total", "counter", "Clients disconnected for one that came later") \
	X(REQUESTS_REFUSED, "vmswitch_control_requests_refused_total", "counter", "Requests refused for want of rights") \
	X(WORKER_SECONDS, "vmswitch_worker_seconds_total", "counter", "Time since the worker was started") \
	X(WORKER_BUSY, "vmswitch_worker_busy_seconds_total", "counter", "Time in rounds in which frames came") \
	X(WORKER_FRAMES, "vmswitch_worker_frames_total", "counter", "Frames received") \
	X(WORKER_ROUNDS, "vmswitch_worker_rounds_total", "counter", "Times the worker went round") \
	X(WORKER_NAPS, "vmswitch_worker_naps_total", "counter", "Times the worker slept for a set time") \
	X(WORKER_PARKS, "vmswitch_worker_parks_total", "counter", "Times the worker went to sleep until something came") \
	X(WORKER_WAKES, "vmswitch_worker_wakes_total", "counter", "Times a port woke the worker") \
	X(WORKER_PARKED, "vmswitch_worker_parked_seconds_total", "counter", "Time in that sleep") \
	X(SWITCH_INFO, "vmswitch_switch_info", "gauge", "A switch, its type and its uplink") \
	X(SWITCH_PORTS, "vmswitch_switch_ports", "gauge", "Ports of the switch") \
	X(SWITCH_PORTS_UP, "vmswitch_switch_ports_up", "gauge", "Ports of the switch that frames are delivered to") \
	X(SWITCH_ADDRESSES, "vmswitch_switch_addresses", "gauge", "Addresses in the table of the switch") \
	X(SWITCH_ADDRESSES_MAX, "vmswitch_switch_addresses_max", "gauge", "Addresses that the table of the switch has room for") \
	X(SWITCH_ADDRESSES_LOST, "vmswitch_switch_addresses_lost_total", "counter", "Addresses not learnt because the table was full") \
	X(PORT_INFO, "vmswitch_port_info", "gauge", "A port and its type") \
	X(PORT_UP, "vmswitch_port_up", "gauge", "1 when frames are delivered to the port") \
	X(PORT_BROKEN, "vmswitch_port_broken", "gauge", "1 when the port broke the rules, and carries no traffic for that reason") \
	X(PORT_ADDRESSES, "vmswitch_port_addresses", "gauge", "Addresses learnt behind the port") \
	X(PORT_RECEIVED, "vmswitch_port_received_frames_total", "counter", "Frames taken from the port") \
	X(PORT_RECEIVED_BYTES, "vmswitch_port_received_bytes_total", "counter", "Bytes taken from the port, without FCS") \
	X(PORT_FORWARDED, "vmswitch_port_forwarded_frames_total", "counter", "Frames taken from the port that went to one port") \
	X(PORT_FLOODED, "vmswitch_port_flooded_frames_total", "counter", "Frames taken from the port that went to all others") \
	X(PORT_CONSUMED, "vmswitch_port_consumed_frames_total", "counter", "Frames taken from the port that were for the switch itself") \
	X(PORT_ATTEMPTS, "vmswitch_port_attempted_frames_total", "counter", "Frames meant for the port") \
	X(PORT_SENT, "vmswitch_port_sent_frames_total", "counter", "Frames delivered to the port") \
	X(PORT_SENT_BYTES, "vmswitch_port_sent_bytes_total", "counter", "Bytes delivered to the port, without FCS") \
	X(PORT_DROPPED, "vmswitch_port_dropped_frames_total", "counter", "Frames dropped, by side: taken from the port (in), meant for it (out)") \
	X(PORT_DROPS, "vmswitch_port_drops_total", "counter", "Frames dropped, by reason; reasons that never occurred are left out") \
	X(PORT_OWED, "vmswitch_port_owed_frames_total", "counter", "Frames that owed something when they got to the port, by what and by how it was settled; but for csum, what never occurred is left out") \
	X(PORT_SEGMENTS, "vmswitch_port_segments_total", "counter", "Segments that the switch cut long frames into") \
	X(PORT_CHECKSUMS, "vmswitch_port_checksums_total", "counter", "Checksums that the switch computed") \
	X(PORT_MERGED, "vmswitch_port_merged_segments_total", "counter", "Segments from a wire that joined another one") \
	X(GUEST_CONNECTS, "vmswitch_guest_connects_total", "counter", "Connections to the VMM since the port was made") \
	X(GUEST_REFUSED, "vmswitch_guest_refused_messages_total", "counter", "Messages of the VMM that were refused") \
	X(GUEST_FAULTS, "vmswitch_guest_faults_total", "counter", "Rings detached because they broke the rules") \
	X(GUEST_CALLS, "vmswitch_guest_interrupts_total", "counter", "Interrupts sent to the guest")
/* clang-format on */

enum metric {
#define X(id, name, type, help) METRIC_##id,
	METRICS(X) METRIC_COUNT,
#undef X
};

static const struct {
	const char *name;
	const char *type;
	const char *help;
} metrics[METRIC_COUNT] = {
#define X(id, n, t, h) [METRIC_##id] = {n, t, h},
	METRICS(X)
#undef X
};

enum {
	/** Names, and three labels with their quotes. */
	LABELS_SIZE = 3 * VS_NAME_MAX + 64,
	/** An uplink, each byte of it escaped. */
	UPLINK_SIZE = 2 * VS_PROTO_UPLINK_SIZE,
};

/** struct text - what is being written: samples by metric; @error once there was no memory */
struct text {
	struct evbuffer *samples[METRIC_COUNT];
	int error;
};

char *vs_metrics_escape(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		size_t need = c == '"' || c == '\\' || c == '\n' ? 2 : 1;

		if (n + need >= size)
			break;
		if (need == 2)
			out[n++] = '\\';
		if (c == '\n')
			out[n++] = 'n';
		else
			out[n++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	out[n] = '\0';
	return out;
}

static void put(struct text *t, enum metric metric, const char *labels, uint64_t value)
{
	if (evbuffer_add_printf(t->samples[metric], "%s{%s} %" PRIu64 "\n", metrics[metric].name,
				labels, value) < 0)
		t->error = -ENOMEM;
}

/* A metric of the daemon as a whole. */
static void put_plain(struct text *t, enum metric metric, uint64_t value)
{
	if (evbuffer_add_printf(t->samples[metric], "%s %" PRIu64 "\n", metrics[metric].name,
				value) < 0)
		t->error = -ENOMEM;
}

static void put_seconds(struct text *t, enum metric metric, const char *labels, uint64_t cycles,
			uint64_t hz)
{
	if (evbuffer_add_printf(t->samples[metric], "%s{%s} %.6f\n", metrics[metric].name, labels,
				hz ? (double)cycles / (double)hz : 0.0) < 0)
		t->error = -ENOMEM;
}

/* ---- the daemon ---- */

static void put_control(struct text *t, const struct vs_metrics_source *source)
{
	struct vs_server_counts counts;
	char version[64];
	char labels[80];

	(void)snprintf(labels, sizeof(labels), "version=\"%s\"",
		       vs_metrics_escape(source->version, version, sizeof(version)));
	put(t, METRIC_INFO, labels, 1);
	vs_server_counts(source->server, &counts);
	put(t, METRIC_CLIENTS, "rights=\"all\"", counts.clients_all);
	put(t, METRIC_CLIENTS, "rights=\"read\"", counts.clients_read);
	put_plain(t, METRIC_CLIENTS_REFUSED, counts.refused_clients);
	put_plain(t, METRIC_CLIENTS_DISPLACED, counts.displaced);
	put_plain(t, METRIC_REQUESTS_REFUSED, counts.refused_requests);
}

static int put_worker(const struct vs_worker_view *view, void *ctx)
{
	struct text *t = ctx;
	char labels[32];

	(void)snprintf(labels, sizeof(labels), "worker=\"%u\"", view->id);
	put_seconds(t, METRIC_WORKER_SECONDS, labels, view->total_cycles, view->tsc_hz);
	put_seconds(t, METRIC_WORKER_BUSY, labels, view->busy_cycles, view->tsc_hz);
	put(t, METRIC_WORKER_FRAMES, labels, view->frames);
	put(t, METRIC_WORKER_ROUNDS, labels, view->rounds);
	put(t, METRIC_WORKER_NAPS, labels, view->naps);
	put(t, METRIC_WORKER_PARKS, labels, view->parks);
	put(t, METRIC_WORKER_WAKES, labels, view->wakes);
	put_seconds(t, METRIC_WORKER_PARKED, labels, view->asleep_cycles, view->tsc_hz);
	return t->error;
}

/* ---- switches ---- */

static const char *switch_type(enum vs_switch_kind kind)
{
	switch (kind) {
	case VS_SWITCH_PRIVATE:
		return "private";
	case VS_SWITCH_INTERNAL:
		return "internal";
	case VS_SWITCH_EXTERNAL:
		return "external";
	}
	return "unknown";
}

static int put_switch(const struct vs_switch_view *view, void *ctx)
{
	char info[LABELS_SIZE + UPLINK_SIZE];
	char labels[LABELS_SIZE];
	char uplink[UPLINK_SIZE];
	struct text *t = ctx;

	(void)snprintf(labels, sizeof(labels), "switch=\"%s\"", view->name);
	(void)snprintf(info, sizeof(info), "%s,type=\"%s\",uplink=\"%s\"", labels,
		       switch_type(view->kind),
		       vs_metrics_escape(view->uplink, uplink, sizeof(uplink)));
	put(t, METRIC_SWITCH_INFO, info, 1);
	put(t, METRIC_SWITCH_PORTS, labels, view->ports);
	put(t, METRIC_SWITCH_PORTS_UP, labels, view->ports_up);
	put(t, METRIC_SWITCH_ADDRESSES, labels, view->fdb_used);
	put(t, METRIC_SWITCH_ADDRESSES_MAX, labels, view->fdb_size);
	put(t, METRIC_SWITCH_ADDRESSES_LOST, labels, view->fdb_full);
	return t->error;
}

/* ---- ports ---- */

/* Names need no escaping: vs_name_ok() lets nothing through that would. */
static void port_labels(char labels[LABELS_SIZE], const char *port, const char *sw, const char *vm)
{
	(void)snprintf(labels, LABELS_SIZE, "port=\"%s\",switch=\"%s\",vm=\"%s\"", port, sw, vm);
}

static const char *port_type(enum vs_port_kind kind)
{
	switch (kind) {
	case VS_PORT_GUEST:
	case VS_PORT_PACKET:
		return "guest";
	case VS_PORT_HOST:
		return "host";
	case VS_PORT_XDP:
	case VS_PORT_DPDK:
		return "uplink";
	case VS_PORT_KINDS:
		break;
	}
	return "unknown";
}

static int put_port(const struct vs_port_view *view, void *ctx)
{
	const struct vs_guest_info *guest = &view->guest.info;
	char info[LABELS_SIZE + 32];
	char labels[LABELS_SIZE];
	struct text *t = ctx;

	port_labels(labels, view->name, view->sw, view->vm);
	(void)snprintf(info, sizeof(info), "%s,type=\"%s\"", labels, port_type(view->kind));
	put(t, METRIC_PORT_INFO, info, 1);
	put(t, METRIC_PORT_UP, labels, view->up);
	put(t, METRIC_PORT_BROKEN, labels, view->broken);
	put(t, METRIC_PORT_ADDRESSES, labels, view->macs);
	if (view->kind != VS_PORT_GUEST)
		return t->error;
	put(t, METRIC_GUEST_CONNECTS, labels, guest->connects);
	put(t, METRIC_GUEST_REFUSED, labels, guest->refused);
	put(t, METRIC_GUEST_FAULTS, labels, guest->faults);
	put(t, METRIC_GUEST_CALLS, labels, guest->calls);
	return t->error;
}

static void put_drops(struct text *t, const char *labels, const struct vs_port_stats *c)
{
	char more[LABELS_SIZE + 64];
	int reason;

	(void)snprintf(more, sizeof(more), "%s,side=\"in\"", labels);
	put(t, METRIC_PORT_DROPPED, more, vs_stats_drops(c, VS_DROP_SIDE_IN));
	(void)snprintf(more, sizeof(more), "%s,side=\"out\"", labels);
	put(t, METRIC_PORT_DROPPED, more, vs_stats_drops(c, VS_DROP_SIDE_OUT));
	for (reason = VS_DROP_NONE + 1; reason < VS_DROP_COUNT; reason++) {
		enum vs_drop r = (enum vs_drop)reason;

		if (!c->drops[r])
			continue;
		(void)snprintf(more, sizeof(more), "%s,side=\"%s\",reason=\"%s\"", labels,
			       vs_drop_side(r) == VS_DROP_SIDE_IN ? "in" : "out", vs_drop_name(r));
		put(t, METRIC_PORT_DROPS, more, c->drops[r]);
	}
}

static void put_owed(struct text *t, const char *labels, const struct vs_offload_stats *o)
{
	static const char *const owed[VS_OWED_COUNT] = {
		[VS_OWED_CSUM] = "csum", [VS_OWED_TSO4] = "tso4", [VS_OWED_TSO6] = "tso6",
		[VS_OWED_USO4] = "uso4", [VS_OWED_USO6] = "uso6", [VS_OWED_ECN] = "ecn",
	};
	static const char *const settled[VS_SETTLED_COUNT] = {
		[VS_SETTLED_PASSED] = "passed",
		[VS_SETTLED_CUT] = "cut",
		[VS_SETTLED_SOFTWARE] = "software",
	};
	char more[LABELS_SIZE + 64];
	int i;

	for (i = 0; i < VS_OWED_COUNT * VS_SETTLED_COUNT; i++) {
		const int row = i / VS_SETTLED_COUNT;
		const int how = i % VS_SETTLED_COUNT;

		/* What owes a checksum alone is not cut; the usual debt always has a sample. */
		if (!o->cell[row][how] && (row != VS_OWED_CSUM || how == VS_SETTLED_CUT))
			continue;
		(void)snprintf(more, sizeof(more), "%s,owed=\"%s\",settled=\"%s\"", labels,
			       owed[row], settled[how]);
		put(t, METRIC_PORT_OWED, more, o->cell[row][how]);
	}
	put(t, METRIC_PORT_SEGMENTS, labels, o->segments);
	put(t, METRIC_PORT_CHECKSUMS, labels, o->checksums);
	put(t, METRIC_PORT_MERGED, labels, o->merged);
}

static int put_stats(const struct vs_stats_view *view, void *ctx)
{
	const struct vs_port_stats *c = &view->counters;
	char labels[LABELS_SIZE];
	struct text *t = ctx;

	port_labels(labels, view->port, view->sw, view->vm);
	put(t, METRIC_PORT_RECEIVED, labels, c->received);
	put(t, METRIC_PORT_RECEIVED_BYTES, labels, c->received_bytes);
	put(t, METRIC_PORT_FORWARDED, labels, c->forwarded);
	put(t, METRIC_PORT_FLOODED, labels, c->flooded);
	put(t, METRIC_PORT_CONSUMED, labels, c->consumed);
	put(t, METRIC_PORT_ATTEMPTS, labels, c->attempts);
	put(t, METRIC_PORT_SENT, labels, c->sent);
	put(t, METRIC_PORT_SENT_BYTES, labels, c->sent_bytes);
	put_drops(t, labels, c);
	put_owed(t, labels, &c->offload);
	return t->error;
}

/* ---- the whole ---- */

static int join(struct text *t, struct evbuffer *out)
{
	int i;

	for (i = 0; i < METRIC_COUNT; i++) {
		if (evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name,
					metrics[i].help, metrics[i].name, metrics[i].type) < 0 ||
		    evbuffer_add_buffer(out, t->samples[i]))
			return -ENOMEM;
	}
	return 0;
}

static void free_samples(struct text *t)
{
	int i;

	for (i = 0; i < METRIC_COUNT; i++) {
		if (t->samples[i])
			evbuffer_free(t->samples[i]);
	}
}

int vs_metrics_text(const struct vs_metrics_source *source, struct evbuffer *out)
{
	struct text t = {.error = 0};
	struct vs_fail fail = {0};
	int i, err;

	for (i = 0; i < METRIC_COUNT && !t.error; i++) {
		t.samples[i] = evbuffer_new();
		if (!t.samples[i])
			t.error = -ENOMEM;
	}
	err = t.error;
	if (err)
		goto out;
	put_control(&t, source);
	err = vs_worker_each(source->model, put_worker, &t);
	if (!err)
		err = vs_switch_each(source->model, NULL, put_switch, &t, &fail);
	if (!err)
		err = vs_port_each(source->model, NULL, put_port, &t, &fail);
	if (!err)
		err = vs_stats_each(source->model, NULL, put_stats, &t, &fail);
	if (!err)
		err = t.error ? t.error : join(&t, out);
out:
	free_samples(&t);
	return err;
}
