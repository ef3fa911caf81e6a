/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A switch and its guests in one process. While the drivers connect, they have a thread of their
 * own, because they wait for answers that the event loop gives; afterwards there is one thread.
 */
#include "bench/stage/stage.h"

#include "dataplane/core/log.h"

#include <event2/event.h>
#include <rte_malloc.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	RX_BUFFER = 1536,
	VNET_HDR = 12,
	FDB_SIZE = 1024,
	FDB_OTHERS = 512, /* addresses that no frame of a burst is about */
	EVENTS = 64,
	START_MS = 60000, /* valgrind is slow */
	TICK_US = 2000,
};

static int complain(const char *what, int err)
{
	(void)fprintf(stderr, "vsstage: %s: %s\n", what, strerror(-err));
	return err;
}

/* ---- the drivers' side */

static const uint64_t takes_tso = 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM |
				  1ull << VIRTIO_NET_F_GUEST_TSO4;

static int new_driver(struct vss_world *w, unsigned int i, const char *path)
{
	struct vsg_cfg cfg;
	int err;

	err = vsg_cfg_profile(&cfg, VSG_PROFILE_LINUX);
	if (err)
		return err;
	cfg.flags |= VSG_F_CLIENT | VSG_F_POLL;
	cfg.queue_pairs = 1;
	cfg.ring_size = VSS_RING;
	cfg.indirect_max = 2;
	cfg.tx_buf_len = w->kind->len + VNET_HDR;
	cfg.rx_shape[cfg.n_rx_shape - 1] = RX_BUFFER;
	if (w->kind->stream)
		cfg.features |= takes_tso;
	(void)snprintf(cfg.path, sizeof(cfg.path), "%s", path);
	return vsg_guest_new(&cfg, &w->driver[i]);
}

static int start_driver(struct vsg_guest *driver)
{
	uint64_t features;
	int err;

	err = vsg_guest_start(driver, START_MS);
	/* An answer shows that everything before it has been done. */
	if (!err)
		err = vsg_guest_query(driver, VSG_REQ_GET_FEATURES, &features);
	return err;
}

static void *start_drivers(void *arg)
{
	struct vss_world *w = arg;
	unsigned int i;
	int err;

	for (i = 0; i < VSS_PORTS; i++) {
		err = start_driver(w->driver[i]);
		__atomic_store_n(&w->starting, err ? err : (int)(VSS_PORTS - 1 - i),
				 __ATOMIC_RELEASE);
		if (err)
			break;
	}
	return NULL;
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
}

static bool all_up(const struct vss_world *w)
{
	unsigned int i;

	for (i = 0; i < VSS_PORTS; i++)
		if (!vs_guest_is_up(w->port[i]))
			return false;
	return true;
}

/* Turn the event loop until all drivers are up. They give up by themselves. */
static int connect_drivers(struct vss_world *w)
{
	const struct timeval period = {.tv_usec = TICK_US};
	uint64_t deadline = vs_clock_ms() + START_MS;
	pthread_t thread;
	int left;

	w->tick = event_new(w->base, -1, EV_PERSIST, on_tick, NULL);
	if (!w->tick || event_add(w->tick, &period) != 0)
		return -ENOMEM;
	w->starting = VSS_PORTS;
	left = pthread_create(&thread, NULL, start_drivers, w);
	if (left)
		return -left;
	do {
		(void)event_base_loop(w->base, EVLOOP_ONCE);
		left = __atomic_load_n(&w->starting, __ATOMIC_ACQUIRE);
	} while (left > 0 || (left == 0 && !all_up(w) && vs_clock_ms() < deadline));
	(void)pthread_join(thread, NULL);
	if (left < 0)
		return left;
	return all_up(w) ? 0 : -ETIMEDOUT;
}

/* ---- the switch's side */

static void on_changed(void *ctx)
{
	(void)ctx;
}

static int new_port(struct vss_world *w, unsigned int i, const char *path)
{
	const struct vs_guest_env env = {.base = w->base, .rcu = &w->rcu};
	char name[VS_NAME_MAX];
	const struct vs_guest_config config = {
		.name = name,
		.path = path,
		.mode = VS_GUEST_SERVER,
		.port = (uint16_t)i,
		.changed = on_changed,
	};

	(void)snprintf(name, sizeof(name), "p%u", i);
	return vs_guest_new(&env, &config, &w->port[i]);
}

static int new_ports(struct vss_world *w)
{
	char path[sizeof(w->dir) + 16];
	unsigned int i;
	int err;

	for (i = 0; i < VSS_PORTS; i++) {
		(void)snprintf(path, sizeof(path), "%s/p%u", w->dir, i);
		err = new_port(w, i, path);
		if (!err)
			err = new_driver(w, i, path);
		if (err)
			return err;
	}
	return 0;
}

static void learn(struct vss_world *w, struct rte_ether_addr mac, unsigned int port)
{
	uint16_t old;

	(void)vs_fdb_learn(w->fdb, VSS_FID, &mac, (uint16_t)port, VS_FDB_LEARNT, w->ctx->now_s,
			   &old);
}

static int fill_fdb(struct vss_world *w)
{
	unsigned int i;
	int err;

	err = vs_fdb_new(&w->rcu, FDB_SIZE, &w->fdb);
	if (!err)
		err = vs_fdb_new(&w->rcu, FDB_SIZE, &w->scratch);
	if (err)
		return err;
	w->vmq = vs_vmq_new(VSS_PORTS, 1);
	if (!w->vmq)
		return -ENOMEM;
	for (i = 0; i < VSS_PORTS; i++) {
		const struct rte_ether_addr mac = vss_mac(i);

		learn(w, mac, i);
		if (i > 0)
			(void)vs_vmq_add(w->vmq, &mac, 0, (uint16_t)i);
	}
	for (i = 0; i < FDB_OTHERS; i++)
		learn(w, vss_mac_new(VSS_FRAMES + i), 1 + i % VSS_RECEIVERS);
	return 0;
}

/*
 * More ports, of which the receivers are the devices, in turn: these never send. Their own rings
 * are theirs; what hundreds of guests take of the caches is not seen here.
 */
static void fill_idle(struct vss_world *w)
{
	unsigned int i;

	for (i = 0; i < VSS_IDLE; i++) {
		uint16_t id = (uint16_t)(VSS_PORTS + i);

		w->conf->port[id] = w->conf->port[1 + i % VSS_RECEIVERS];
		w->conf->port[id].id = id;
		w->ctx->port_stats[id] = &w->stats[1 + i % VSS_RECEIVERS];
		w->polls[1 + i] = (struct vs_poll){.port = id, .pair = 0};
	}
	w->polls[0] = (struct vs_poll){.port = 0, .pair = 0};
	w->conf->work[VSS_WORKER_IDLE] = (struct vs_poll_list){w->polls + 1, VSS_IDLE};
	w->conf->work[VSS_WORKER_ALONE] = (struct vs_poll_list){w->polls, 1};
	w->conf->work[VSS_WORKER_BUSY] = (struct vs_poll_list){w->polls, 1 + VSS_IDLE};
}

/*
 * Rounds of workers that have gathered what they watch; they do that anew every second, and not
 * within what is measured. Whoever serves the sender found frames in the round before.
 */
static void ready_schedules(struct vss_world *w)
{
	const uint64_t margin = rte_get_tsc_hz() / 20;
	const uint64_t now_tsc = w->ctx->now_tsc;
	const uint32_t now_s = w->ctx->now_s;
	uint64_t now = rte_rdtsc();
	unsigned int i;

	while (vs_clock_seconds(now) != vs_clock_seconds(now + margin))
		now = rte_rdtsc();
	for (i = 0; i < VSS_WORKERS; i++) {
		w->ctx->worker = (uint16_t)i;
		(void)vs_schedule_round(w->schedule[i], w->ctx);
		w->schedule[i]->dry = i == VSS_WORKER_IDLE;
	}
	w->ctx->worker = 0;
	w->ctx->now_tsc = now_tsc;
	w->ctx->now_s = now_s;
}

/* As an uplink: what comes from there may be merged. */
static unsigned int rights_of_wire(void *dev)
{
	(void)dev;
	return VS_OFFLOAD_MERGE;
}

static void set_streams(struct vss_world *w)
{
	unsigned int i;

	w->wire = vs_guest_ops;
	w->wire.rights = rights_of_wire;
	w->conf->port[0].ops = &w->wire;
	for (i = 1; i < VSS_PORTS && w->kind->stream == VSS_APART; i++)
		w->conf->port[i].offload_off = VS_OFFLOAD_MERGE;
}

/* The snapshot that control would publish for these ports. */
static void fill_conf(struct vss_world *w)
{
	unsigned int i;

	for (i = 0; i < VSS_PORTS; i++) {
		w->ctx->port_stats[i] = &w->stats[i];
		w->members[i] = (uint16_t)i;
		w->conf->ids[w->conf->n_ports++] = (uint16_t)i;
		w->conf->port[i] = (struct vs_port_hot){
			.ops = &vs_guest_ops,
			.dev = w->port[i],
			.fdb = w->fdb,
			.max_frame = VS_MTU_DEFAULT + sizeof(struct rte_ether_hdr),
			.id = (uint16_t)i,
			.sw = VSS_SWITCH,
			.fid = VSS_FID,
			.flags = VS_PORT_ADMIN_UP | VS_PORT_UP,
			.pairs = 1,
			.mac = vss_mac(i),
		};
	}
	w->conf->members = w->members;
	w->conf->domain[VSS_FID] = (struct vs_domain){
		.members = w->members,
		.n = VSS_PORTS,
		.n_unknown = VSS_PORTS,
	};
	w->conf->vmq = &w->vmq;
	w->conf->n_vmqs = 1;
	if (w->kind->stream)
		set_streams(w);
	fill_idle(w);
	w->ctx->conf = w->conf;
	w->from = &w->conf->port[0];
}

static int new_worker(struct vss_world *w)
{
	unsigned int i;
	int err;

	w->ctx = rte_zmalloc("vss_ctx", sizeof(*w->ctx), RTE_CACHE_LINE_SIZE);
	w->burst = rte_zmalloc("vss_burst", sizeof(*w->burst), RTE_CACHE_LINE_SIZE);
	for (i = 0; i < VSS_WORKERS; i++) {
		w->schedule[i] =
			rte_zmalloc("vss_schedule", sizeof(*w->schedule[i]), RTE_CACHE_LINE_SIZE);
		if (!w->schedule[i])
			return -ENOMEM;
	}
	w->conf = rte_zmalloc("vss_conf", sizeof(*w->conf), RTE_CACHE_LINE_SIZE);
	w->base = event_base_new();
	if (w->conf) {
		w->conf->n_fids = VSS_FID + 1;
		w->conf->domain = rte_zmalloc("vss_domain",
					      w->conf->n_fids * sizeof(*w->conf->domain),
					      RTE_CACHE_LINE_SIZE);
	}
	if (!w->ctx || !w->burst || !w->conf || !w->conf->domain || !w->base)
		return -ENOMEM;
	err = vs_event_ring_init(&w->ctx->events, 0);
	if (err)
		return err;
	/* Any time will do, as long as it stands still. */
	w->ctx->now_tsc = 1000 * rte_get_tsc_hz();
	w->ctx->now_s = vs_clock_seconds(w->ctx->now_tsc);
	return vs_rcu_init(&w->rcu);
}

static int build(struct vss_world *w)
{
	int err;

	(void)strcpy(w->dir, "/tmp/vsstage-XXXXXX");
	if (!mkdtemp(w->dir)) {
		w->dir[0] = '\0';
		return complain("a folder in /tmp", -errno);
	}
	err = new_worker(w);
	if (!err)
		err = vs_sigbus_install();
	if (!err)
		err = fill_fdb(w);
	if (!err)
		err = new_ports(w);
	if (err)
		return complain("cannot build the switch", err);
	fill_conf(w);
	err = vss_tenants_new(w);
	if (err)
		return complain("cannot build the tenants' tables", err);
	err = connect_drivers(w);
	if (!err)
		err = vss_case_prefill(w->kind, w->driver[0]);
	return err ? complain("cannot start the guests", err) : 0;
}

int vss_world_new(const struct vss_case *kind, struct vss_world **ret_world)
{
	struct vss_world *w;
	int err;

	vs_log_set_level(VS_LOG_ERROR);
	err = vss_eal_start();
	if (err)
		return complain("DPDK does not start", err);
	w = calloc(1, sizeof(*w));
	if (!w)
		return complain("no memory", -ENOMEM);
	w->kind = kind;
	err = build(w);
	if (err) {
		vss_world_free(w);
		return err;
	}
	*ret_world = w;
	return 0;
}

void vss_world_free(struct vss_world *w)
{
	unsigned int i;

	if (!w)
		return;
	for (i = 0; i < VSS_PORTS; i++) {
		vsg_guest_free(w->driver[i]);
		if (w->port[i])
			vs_guest_del(w->port[i]);
	}
	if (w->tick)
		event_free(w->tick);
	if (w->base)
		event_base_free(w->base);
	vs_fdb_free(w->fdb);
	vs_fdb_free(w->scratch);
	vs_vmq_free(w->vmq);
	vss_tenants_free(w->tenants);
	if (w->rcu.qsbr)
		vs_rcu_fini(&w->rcu);
	if (w->ctx && w->ctx->events.ring)
		vs_event_ring_fini(&w->ctx->events);
	rte_free(w->ctx);
	rte_free(w->burst);
	for (i = 0; i < VSS_WORKERS; i++)
		rte_free(w->schedule[i]);
	if (w->conf)
		rte_free(w->conf->domain);
	rte_free(w->conf);
	if (w->dir[0])
		(void)rmdir(w->dir);
	free(w);
}

/* ---- one burst */

/*
 * Returned frames are taken last in, first out. Here all of the ring come in its order, from @first
 * on: each is one descriptor, whose number is that of the frame.
 */
static int put_in_order(struct vsg_guest *driver, unsigned int first)
{
	struct vsg_pair *p = &driver->pair[0];
	int n = vsg_net_tx_repost(driver, 0, 0); /* takes back what was sent */
	unsigned int i;

	if (n < 0 || p->n_stock != VSS_RING)
		return n < 0 ? n : -ENOBUFS;
	for (i = 0; i < VSS_RING; i++)
		p->stock[VSS_RING - 1 - i] = (uint16_t)((first + i) % VSS_RING);
	return 0;
}

/* The sender posts the frames of visit @visit, which an uplink would have in one hw queue. */
static int post(struct vss_world *w, unsigned int visit)
{
	const unsigned int frames = VSS_FRAMES / w->kind->visits;
	const bool sorted = w->kind->target == VSS_SORTED;
	const unsigned int first = sorted ? (w->turn + visit) * frames % VSS_RING : 0;
	int n = 0;

	if (sorted)
		w->vmq->owner[0] = (uint16_t)vss_case_port(w->kind, first);
	if (sorted || w->kind->stream)
		n = put_in_order(w->driver[0], first);
	if (n < 0)
		return complain("the sender's frames", n);
	n = vsg_net_tx_repost(w->driver[0], 0, frames);
	if (n >= 0 && (unsigned int)n != frames)
		n = -ENOBUFS;
	return n < 0 ? complain("the sender has no frames", n) : 0;
}

int vss_world_offer(struct vss_world *w, unsigned int visit)
{
	struct vs_event event[EVENTS];

	w->burst->n = 0;
	w->burst->n_ext = 0;
	vss_tenants_offer(w->tenants);
	if (w->kind->parts)
		ready_schedules(w);
	w->ctx->pair = 0;
	w->ctx->flooded_bytes = 0;
	w->ctx->n_made = 0;
	/* New addresses are new again, and may be reported. */
	memset(w->ctx->reported, 0, sizeof(w->ctx->reported));
	w->ctx->pace[0] = (struct vs_port_pace){0};
	while (vs_event_pop(&w->ctx->events, event, EVENTS) > 0)
		;
	if (vs_fdb_used(w->scratch) > 0) {
		const struct vs_fdb_filter all = {.what = VS_FDB_ALL_LEARNT};

		(void)vs_fdb_remove(w->scratch, &all, NULL, NULL);
	}
	if (visit == 0)
		w->bursts++;
	return post(w, visit);
}

int vss_world_collect(struct vss_world *w)
{
	unsigned int copies = vss_case_copies(w->kind);
	uint64_t sent = 0;
	uint64_t bytes = 0;
	unsigned int i;
	int n;

	for (i = 1; i < VSS_PORTS; i++) {
		n = vsg_net_rx_drain(w->driver[i], 0, VSS_RING, &bytes);
		if (n < 0)
			return complain("a receiver", n);
		sent += w->stats[i].sent;
	}
	if (sent != w->bursts * copies || bytes < (uint64_t)copies * w->kind->len)
		return complain("frames were lost", -EPROTO);
	if (!vss_tenants_done(w->tenants))
		return complain("a tenant's frames were lost", -EPROTO);
	return 0;
}
