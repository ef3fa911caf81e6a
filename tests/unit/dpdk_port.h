/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A dpdk uplink, an event loop and frames for it. Included after cmocka.h.
 */
#ifndef VS_TESTS_UNIT_DPDK_PORT_H
#define VS_TESTS_UNIT_DPDK_PORT_H

#include "dataplane/core/log.h"
#include "dataplane/core/memfault.h"
#include "dataplane/uplink/dpdk_obj.h"
#include "tests/unit/eal.h"
#include "tests/unit/netns.h"

#include <event2/event.h>

#include <rte_malloc.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <time.h>

enum {
	PORT_ID = 7,
	FRAME_ROOM = 65600,
	TIMEOUT_MS = 20000,
};

struct fixture {
	struct event_base *base;
	struct event *tick;
	struct vs_rcu rcu;
	struct vs_dpdk_env env;
	struct vs_dpdk *dpdk;
	struct vs_dpdk *other;
	struct vs_dpdk_why why;
	unsigned int changes;
	unsigned int fds;
	bool netns; /* the process has a network namespace of its own */
};

static bool in_netns;

static inline uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Turn the event loop until @condition holds. */
#define until(f, condition)                                        \
	do {                                                       \
		uint64_t deadline = now_ms() + TIMEOUT_MS;         \
		while (!(condition)) {                             \
			if (now_ms() > deadline)                   \
				fail_msg("never: %s", #condition); \
			event_base_loop((f)->base, EVLOOP_ONCE);   \
		}                                                  \
	} while (0)

static inline void on_fixture_tick(evutil_socket_t fd, short what, void *arg)
{
}

static inline void on_changed(void *ctx)
{
	struct fixture *f = ctx;

	f->changes++;
}

static inline unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline size_t heap_used(void)
{
	struct rte_malloc_socket_stats stats;
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < rte_socket_count(); i++) {
		rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats);
		used += stats.heap_allocsz_bytes;
	}
	return used;
}

static inline int setup(void **state)
{
	const struct timeval tick = {0, 5000};
	struct fixture *f = calloc(1, sizeof(*f));

	vs_log_set_level(VS_LOG_ERROR);
	f->netns = in_netns;
	f->fds = count_fds();
	f->base = event_base_new();
	f->tick = event_new(f->base, -1, EV_PERSIST, on_fixture_tick, NULL);
	event_add(f->tick, &tick);
	if (vs_rcu_init(&f->rcu) != 0)
		return -1;
	f->env = (struct vs_dpdk_env){.base = f->base, .rcu = &f->rcu};
	vs_mem_begin();
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	unsigned int left;

	if (f->dpdk)
		vs_dpdk_del(f->dpdk);
	if (f->other)
		vs_dpdk_del(f->other);
	vs_rcu_fini(&f->rcu);
	event_free(f->tick);
	event_base_free(f->base);
	left = count_fds() - f->fds + rte_eth_dev_count_total() + vs_dpdk_pools_waiting();
	if (left)
		print_error("left: %u descriptors, %u devices, %u pools\n", count_fds() - f->fds,
			    rte_eth_dev_count_total(), vs_dpdk_pools_waiting());
	free(f);
	return left ? -1 : 0;
}

/* The whole test stands in a namespace of its own, so that no interface of the host is in it. */
static inline int group_setup(void **state)
{
	in_netns = netns_enter();
	if (in_netns)
		netns_run("for i in all default; do "
			  "echo 1 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done");
	return eal_up();
}

#define needs_netns(f)           \
	do {                     \
		if (!(f)->netns) \
			skip();  \
	} while (0)

static inline struct vs_dpdk_config config_of(struct fixture *f, const char *devargs)
{
	return (struct vs_dpdk_config){
		.name = "up",
		.devargs = devargs,
		.port = PORT_ID,
		.changed = on_changed,
		.ctx = f,
	};
}

/* Make an uplink that must be made. */
static inline struct vs_dpdk *make(struct fixture *f, const char *devargs, uint32_t mtu)
{
	struct vs_dpdk_config config = config_of(f, devargs);
	struct vs_dpdk *dpdk = NULL;

	config.mtu = mtu;
	if (vs_dpdk_new(&f->env, &config, &dpdk, &f->why) != 0)
		fail_msg("%s: %s", devargs, f->why.text);
	return dpdk;
}

/* Make one that must be refused with @err and a sentence that has @words in it. */
static inline void refuse(struct fixture *f, const char *devargs, int err, const char *words)
{
	const struct vs_dpdk_config config = config_of(f, devargs);
	unsigned int devices = rte_eth_dev_count_total();
	struct vs_dpdk *dpdk = NULL;
	int ret;

	f->why.text[0] = '\0';
	ret = vs_dpdk_new(&f->env, &config, &dpdk, &f->why);
	if (ret != err || !strstr(f->why.text, words))
		fail_msg("%s: %d, %s", devargs, ret, f->why.text);
	assert_null(dpdk);
	assert_int_equal(rte_eth_dev_count_total(), devices);
}

static inline struct vs_dpdk_info info_of(const struct vs_dpdk *dpdk)
{
	struct vs_dpdk_info info;

	vs_dpdk_info(dpdk, &info);
	return info;
}

/* ---- frames */

/* A frame of @len bytes, from private header bytes and @pieces extents of different lengths. */
struct frame {
	uint8_t bytes[FRAME_ROOM];
	struct vs_extent ext[VS_CHAIN_DESCS_MAX];
	struct vs_pkt pkt;
};

static inline void fill(struct frame *fr, uint32_t len, unsigned int pieces, uint8_t seed)
{
	uint32_t hdr = len < VS_HDR_BYTES ? len : VS_HDR_BYTES;
	uint32_t at = hdr;
	unsigned int i;
	uint32_t n;

	for (n = 0; n < len; n++)
		fr->bytes[n] = (uint8_t)(n * 7 + n / 256 + seed);
	fr->bytes[0] = 0x02;
	fr->bytes[12] = 0x88;
	fr->bytes[13] = 0xb5;
	fr->pkt = (struct vs_pkt){.hdr = fr->bytes,
				  .len = len,
				  .hdr_len = (uint16_t)hdr,
				  .ext = fr->ext};
	for (i = 0; i < pieces && at < len; i++) {
		n = i + 1 == pieces ? len - at : RTE_MIN(len - at, 1 + (len / pieces) * (i % 3));
		fr->ext[fr->pkt.n_ext++] = (struct vs_extent){.data = fr->bytes + at, .len = n};
		at += n;
	}
	assert_int_equal(at, len);
}

static inline uint8_t send_one(struct vs_dpdk *dpdk, struct vs_pkt *pkt)
{
	uint8_t fate = 0xff;

	vs_dpdk_ops.tx(dpdk, 0, &pkt, 1, &fate);
	return fate;
}

static inline unsigned int receive(struct vs_dpdk *dpdk, struct vs_burst *burst,
				   unsigned int fanout)
{
	burst->n = 0;
	burst->n_ext = 0;
	vs_dpdk_ops.rx(dpdk, 0, fanout, burst);
	return burst->n;
}

static inline void done(struct vs_dpdk *dpdk)
{
	vs_dpdk_ops.rx_done(dpdk, 0);
}

/* What every received packet has to be. */
static inline void check_form(const struct vs_pkt *pkt)
{
	static const struct virtio_net_hdr_mrg_rxbuf none;
	uint64_t sum = pkt->hdr_len;
	unsigned int i;

	for (i = 0; i < pkt->n_ext; i++) {
		assert_true(pkt->ext[i].len > 0);
		sum += pkt->ext[i].len;
	}
	assert_int_equal(sum, pkt->len);
	assert_int_equal(pkt->hdr_len, RTE_MIN(pkt->len, (uint32_t)VS_HDR_BYTES));
	assert_int_equal(pkt->in_port, PORT_ID);
	assert_int_equal(pkt->drop, VS_DROP_NONE);
	assert_memory_equal(&pkt->vnet, &none, sizeof(none));
	/* There is room in front, and it may be written. */
	memset(pkt->hdr - VS_HDR_ROOM, 0xa5, VS_HDR_ROOM);
}

/* Is @pkt these @len bytes, filled up with zeros to the shortest frame? */
static inline void check_bytes(const struct vs_pkt *pkt, const uint8_t *bytes, uint32_t len)
{
	static uint8_t got[FRAME_ROOM];
	uint32_t at = pkt->hdr_len;
	unsigned int i;

	check_form(pkt);
	assert_int_equal(pkt->len, RTE_MAX(len, 60u));
	memcpy(got, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(got + at, pkt->ext[i].data, pkt->ext[i].len);
		at += pkt->ext[i].len;
	}
	assert_memory_equal(got, bytes, len);
	for (; len < pkt->len; len++)
		assert_int_equal(got[len], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
