/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/model_fixture.h"

#define EAL_CORES "0@0,1@0"

#include "dataplane/core/log.h"
#include "tests/unit/eal.h"

#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- memory that runs out ---- */

int mf_alloc_fails = -1;

void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);

static bool runs_out(void)
{
	return mf_alloc_fails >= 0 && mf_alloc_fails-- == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return runs_out() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return runs_out() ? NULL : __real_aligned_alloc(align, size);
}

/* ---- life ---- */

int mf_group(void **state)
{
	vs_log_set_level(VS_LOG_ERROR);
	return eal_up();
}

static void on_notice(const struct vs_notice *n, void *ctx)
{
	struct mf *f = ctx;
	struct mf_notice *to;

	if (f->notices == MF_NOTICES)
		return;
	to = &f->notice[f->notices++];
	to->type = n->type;
	to->mac = n->mac;
	snprintf(to->sw, sizeof(to->sw), "%s", n->sw);
	snprintf(to->port, sizeof(to->port), "%s", n->port);
	snprintf(to->text, sizeof(to->text), "%s", n->text);
}

int mf_setup(void **state)
{
	struct vs_worker_config config = {.lcore = 1, .nap_us = 50};
	struct mf *f = calloc(1, sizeof(*f));
	struct vs_model_env env = {.n_workers = 1};

	mf_alloc_fails = -1;
	f->base = event_base_new();
	if (vs_rcu_init(&f->rcu))
		return -1;
	config.rcu = env.rcu = &f->rcu;
	if (vs_worker_new(&config, &f->worker))
		return -1;
	env.base = f->base;
	env.workers = &f->worker;
	if (vs_model_new(&env, &f->m))
		return -1;
	vs_model_on_notice(f->m, on_notice, f);
	strcpy(f->dir, "/tmp/vs-model-XXXXXX");
	*state = f;
	return mkdtemp(f->dir) ? 0 : -1;
}

int mf_teardown(void **state)
{
	struct mf *f = *state;

	mf_alloc_fails = -1;
	vs_worker_stop(f->worker);
	vs_model_free(f->m);
	vs_worker_free(f->worker);
	vs_rcu_fini(&f->rcu);
	event_base_free(f->base);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* ---- calls ---- */

void mf_refused(struct mf *f, int got, int error, uint16_t attr, const char *says)
{
	assert_int_equal(got, error);
	assert_int_equal(f->fail.attr, attr);
	if (!strstr(f->fail.text, says))
		fail_msg("'%s' does not say '%s'", f->fail.text, says);
	memset(&f->fail, 0, sizeof(f->fail));
}

void mf_switch(struct mf *f, const char *name)
{
	const struct vs_switch_spec spec = {.name = name, .kind = VS_SWITCH_PRIVATE};

	assert_int_equal(vs_switch_add(f->m, &spec, &f->fail), 0);
}

struct vs_port_spec mf_spec(struct mf *f, const char *name, const char *sw)
{
	static char path[2][108];
	static unsigned int turn;
	char *socket = path[turn++ % 2];

	snprintf(socket, sizeof(path[0]), "%s/%s", f->dir, name);
	return (struct vs_port_spec){
		.name = name,
		.sw = sw,
		.kind = VS_PORT_GUEST,
		.socket = socket,
		.mode = VS_GUEST_CLIENT,
	};
}

struct vs_port *mf_port(struct mf *f, const char *name, const char *sw)
{
	const struct vs_port_spec spec = mf_spec(f, name, sw);

	assert_int_equal(vs_port_add(f->m, &spec, &f->fail), 0);
	return model_find_port(f->m, name);
}

void mf_set(struct mf *f, const char *name, struct vs_port_change change)
{
	assert_int_equal(vs_port_set(f->m, name, &change, &f->fail), 0);
}

struct rte_ether_addr mf_mac(unsigned int n)
{
	return (struct rte_ether_addr){
		{0x02, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

/* ---- the worker ---- */

static void push(struct mf *f, const struct vs_event *ev)
{
	vs_event_push(&vs_worker_ctx(f->worker)->events, ev);
}

void mf_sees(struct mf *f, uint16_t port, uint16_t fid, unsigned int first, unsigned int n)
{
	struct vs_event ev = {.type = VS_EVENT_LEARN, .port = port, .fid = fid};

	for (; n > 0; n--) {
		ev.mac = mf_mac(first++);
		push(f, &ev);
	}
}

void mf_event(struct mf *f, enum vs_event_type type, uint16_t port)
{
	const struct vs_event ev = {.type = (uint8_t)type, .port = port};

	push(f, &ev);
}

void mf_turn(struct mf *f)
{
	vs_event_ring_bell(&vs_worker_ctx(f->worker)->events);
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

/* ---- notices ---- */

const struct mf_notice *mf_next(struct mf *f, enum vs_notice_type type, const char *sw,
				const char *port)
{
	static struct mf_notice n;

	if (f->notices == 0)
		fail_msg("no notice, %d is expected", (int)type);
	n = f->notice[0];
	memmove(f->notice, f->notice + 1, --f->notices * sizeof(f->notice[0]));
	assert_int_equal(n.type, type);
	assert_string_equal(n.sw, sw);
	assert_string_equal(n.port, port);
	return &n;
}

void mf_no_more(struct mf *f)
{
	if (f->notices)
		fail_msg("notice %d of '%s' '%s' '%s' is too much", (int)f->notice[0].type,
			 f->notice[0].sw, f->notice[0].port, f->notice[0].text);
}

void mf_forget(struct mf *f)
{
	f->notices = 0;
}

/* ---- showing ---- */

static int show_switch(const struct vs_switch_view *v, void *ctx)
{
	fprintf(ctx, "switch %s %d uplink '%s' share %d unknown %d ports %u up %u fdb %u/%u ",
		v->name, (int)v->kind, v->uplink, (int)v->share, (int)v->unknown, v->ports,
		v->ports_up, v->fdb_used, v->fdb_size);
	fprintf(ctx, "ageing %u full %ju\n", v->fdb_ageing_s, (uintmax_t)v->fdb_full);
	return 0;
}

static void show_vlans(const struct vs_vlans *v, FILE *out)
{
	unsigned int i;

	fprintf(out, " vlan %d %u", (int)v->mode, v->vid);
	for (i = 0; i < VS_VIDS_MAX / 64; i++) {
		if (v->allowed[i] == UINT64_MAX)
			fputc('*', out);
		else if (v->allowed[i])
			fprintf(out, " %u:%jx", i, (uintmax_t)v->allowed[i]);
	}
}

static int show_port(const struct vs_port_view *v, void *ctx)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	char cluster[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(mac, sizeof(mac), &v->mac);
	rte_ether_format_addr(cluster, sizeof(cluster), &v->cluster);
	fprintf(ctx, "port %s %s vm %s socket %s %d %d id %u link %d up %d mac %s mtu %u ", v->name,
		v->sw, v->vm, v->guest.socket ? v->guest.socket : "", (int)v->kind,
		(int)v->guest.mode, v->id, v->link_up, v->up, mac, v->mtu);
	fprintf(ctx, "storm %u max-macs %u macs %u priority %d cluster %s state %s", v->storm_pps,
		v->max_macs, v->macs, v->priority, cluster, v->state);
	show_vlans(v->vlans, ctx);
	fputc('\n', ctx);
	return 0;
}

/* Lines of addresses, which are shown in no order. */
struct lines {
	char **line;
	size_t n;
};

static int show_address(const struct vs_fdb_view *v, void *ctx)
{
	struct lines *to = ctx;
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(mac, sizeof(mac), &v->mac);
	to->line = realloc(to->line, (to->n + 1) * sizeof(*to->line));
	assert_non_null(to->line);
	assert_true(asprintf(&to->line[to->n++], "fdb %s %s vlan %u '%s' origin %d\n", v->sw, mac,
			     v->vlan, v->port, (int)v->origin) > 0);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_addresses(struct mf *f, FILE *out)
{
	struct lines lines = {0};
	struct vs_fail fail;
	size_t i;

	assert_int_equal(vs_fdb_each(f->m, NULL, show_address, &lines, &fail), 0);
	if (lines.n)
		qsort(lines.line, lines.n, sizeof(*lines.line), by_text);
	for (i = 0; i < lines.n; i++) {
		fputs(lines.line[i], out);
		free(lines.line[i]);
	}
	free(lines.line);
}

static int show_stats(const struct vs_stats_view *v, void *ctx)
{
	fprintf(ctx, "stats %s %s %s %ju %ju\n", v->port, v->sw, v->vm,
		(uintmax_t)v->counters.received, (uintmax_t)v->counters.attempts);
	return 0;
}

/* Forwarding ids and clusters that are taken. */
static void show_numbers(const struct vs_model *m, FILE *out)
{
	unsigned int i;

	for (i = 0; i < VS_FIDS_MAX; i++) {
		if (m->fid[i].sw)
			fprintf(out, "fid %u %s %u\n", i, m->fid[i].sw->name, m->fid[i].vid);
	}
	for (i = 0; i < VS_GROUPS_MAX; i++) {
		if (m->cluster[i].sw)
			fprintf(out, "cluster %u %s %u\n", i, m->cluster[i].sw->name,
				m->cluster[i].fid);
	}
}

char *mf_show(struct mf *f)
{
	struct vs_fail fail;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(vs_switch_each(f->m, NULL, show_switch, out, &fail), 0);
	assert_int_equal(vs_port_each(f->m, NULL, show_port, out, &fail), 0);
	show_addresses(f, out);
	assert_int_equal(vs_stats_each(f->m, NULL, show_stats, out, &fail), 0);
	show_numbers(f->m, out);
	fclose(out);
	return text;
}

struct vs_fdb_entry *mf_entry_on(struct mf *f, const char *sw, uint16_t vlan, unsigned int n)
{
	const struct vs_switch *s = model_find_switch(f->m, sw);
	const struct rte_ether_addr mac = mf_mac(n);

	return vs_fdb_find(s->fdb, s->fid_of_vid[vlan], &mac);
}

struct vs_fdb_entry *mf_entry(struct mf *f, const char *sw, unsigned int n)
{
	return mf_entry_on(f, sw, 0, n);
}
