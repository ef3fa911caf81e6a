/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames through an xdp uplink that is the switch's alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/xdp_fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define GUEST "02:00:00:00:00:01"
#define STATION "02:00:00:00:00:99"
#define SOMEBODY "02:00:00:00:00:33"

static const uint32_t sizes[] = {
	14,   15,   16,   59,   60,   64,   127,  128,  129,  255,  1514, 1518, 3839,
	3840, 3841, 4095, 4096, 4097, 7679, 7680, 7681, 8191, 8192, 8193, 9013, 9014,
};

static uint8_t sent[FRAME_MAX];
static uint8_t got[FRAME_MAX];

static void test_sizes_in(void **state)
{
	struct wire *w = *state;
	unsigned int pair;
	size_t i;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	for (i = 0; i < RTE_DIM(sizes); i++) {
		make_frame(sent, sizes[i], GUEST, STATION, (uint32_t)i);
		station_send(w, sent, sizes[i]);
		assert_int_equal(switch_get(w, got, &pair, 5000), sizes[i]);
		assert_true(pair < QUEUES);
		assert_memory_equal(got, sent, sizes[i]);
	}
}

static void test_sizes_out(void **state)
{
	struct wire *w = *state;
	size_t i;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	for (i = 0; i < RTE_DIM(sizes); i++) {
		make_frame(sent, sizes[i], STATION, GUEST, (uint32_t)i);
		assert_int_equal(switch_send(w, sent, sizes[i]), VS_DROP_NONE);
		assert_int_equal(station_get(w, got, 5000), sizes[i]);
		assert_memory_equal(got, sent, sizes[i]);
	}
	/* One byte more than the MTU allows; 65,551 bytes are more than the rings take, too. */
	make_frame(sent, 9015, STATION, GUEST, 0);
	assert_int_equal(switch_send(w, sent, 9015), VS_DROP_UPLINK_SIZE);
}

static void put_tag(uint8_t *frame, uint32_t len, uint16_t type, uint16_t tci)
{
	uint16_t be[2] = {htons(type), htons(tci)};

	memmove(frame + 16, frame + 12, len - 12);
	memcpy(frame + 12, be, sizeof(be));
}

static void test_tags(void **state)
{
	static const uint32_t lens[] = {60, 1514, 9014};
	struct wire *w = *state;
	unsigned int pair;
	size_t i;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	for (i = 0; i < RTE_DIM(lens); i++) {
		make_frame(sent, lens[i], GUEST, STATION, 5);
		put_tag(sent, lens[i], RTE_ETHER_TYPE_VLAN, 3 << 13 | 100);
		station_send(w, sent, lens[i] + 4);
		assert_int_equal(switch_get(w, got, &pair, 5000), lens[i] + 4);
		assert_memory_equal(got, sent, lens[i] + 4);

		make_frame(sent, lens[i], STATION, GUEST, 6);
		put_tag(sent, lens[i], RTE_ETHER_TYPE_VLAN, 100);
		assert_int_equal(switch_send(w, sent, lens[i] + 4), VS_DROP_NONE);
		assert_int_equal(station_get(w, got, 5000), lens[i] + 4);
		assert_memory_equal(got, sent, lens[i] + 4);
	}
}

/* Alone, the switch gets everything, and the host nothing. */
static void test_all_to_switch(void **state)
{
	static const char *const to[] = {GUEST,
					 SOMEBODY,
					 "ff:ff:ff:ff:ff:ff",
					 "01:00:5e:00:00:01",
					 "33:33:00:00:00:01",
					 NULL};
	char own[RTE_ETHER_ADDR_FMT_SIZE];
	struct vs_xdp_info info;
	struct wire *w = *state;
	unsigned int pair;
	size_t i;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	rte_ether_format_addr(own, sizeof(own), &w->nic_mac);
	for (i = 0; i < RTE_DIM(to); i++) {
		make_frame(sent, 100, to[i] ? to[i] : own, STATION, (uint32_t)i);
		station_send(w, sent, 100);
		assert_int_equal(switch_get(w, got, &pair, 5000), 100);
		assert_memory_equal(got, sent, 100);
	}
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.counters[VS_BPF_TO_SWITCH], RTE_DIM(to));
	assert_int_equal(info.counters[VS_BPF_TO_HOST], 0);
	assert_int_equal(info.counters[VS_BPF_NO_SWITCH], 0);
	assert_int_equal(info.missed, 0);
	/* The host has an address there, and is not heard. */
	sh("ip addr add 10.9.0.1/24 dev nic; ip -n wire addr add 10.9.0.2/24 dev w0");
	assert_false(outside("ping -c 1 -W 1 10.9.0.1 > /dev/null") == 0);
}

/* Chunks that the switch has given to the kernel, of both halves. */
static uint32_t chunks_given(const struct vs_xq *q)
{
	return q->fill.cached_prod - q->in.rx.cached_cons;
}

static uint32_t chunks_out(const struct vs_xq *q)
{
	return q->tx.cached_prod - q->comp.cached_cons;
}

/* Thousands of frames both ways, more than there are chunks: none of those is lost. */
static void test_chunks_are_kept(void **state)
{
	struct wire *w = *state;
	uint32_t back = 0;
	unsigned int pair;
	uint32_t i;
	int q;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	srandom(1);
	for (i = 0; i < 10000; i++) {
		uint32_t len = 14 + (uint32_t)random() % 9001;

		make_frame(sent, len, GUEST, STATION, i);
		station_send(w, sent, len);
		assert_int_equal(switch_get(w, got, &pair, 5000), len);
		assert_memory_equal(got, sent, len);
		make_frame(sent, len, STATION, GUEST, i);
		if (switch_send(w, sent, len) != VS_DROP_NONE)
			continue;
		assert_int_equal(station_get(w, got, 5000), len);
		assert_memory_equal(got, sent, len);
		back++;
	}
	assert_int_equal(back, 10000);
	/* A burst that nobody takes is missed, and counted by the kernel. */
	make_frame(sent, 9014, GUEST, STATION, 0);
	for (i = 0; i < 2000; i++)
		station_send(w, sent, 9014);
	for (i = 0; switch_get(w, got, &pair, 200); i++)
		assert_memory_equal(got, sent, 9014);
	assert_true(i > 100);
	for (q = 0; q < QUEUES; q++) {
		struct vs_xq *xq = &w->x->set.queue[q];

		assert_int_equal(chunks_given(xq), xq->n_rx);
		/* What the kernel sent comes back with the next look. */
		xq->unsent = 1;
		until(w, (vs_xq_flush(xq), xq->unsent = 1, xq->n_free == xq->n_tx));
		assert_int_equal(chunks_out(xq), 0);
	}
	/* And it still goes. */
	make_frame(sent, 1514, GUEST, STATION, 1);
	station_send(w, sent, 1514);
	assert_int_equal(switch_get(w, got, &pair, 5000), 1514);
}

/* A full burst of long frames at once, and more than the rings hold. */
static void test_full_rings_out(void **state)
{
	static struct vs_pkt pkts[VS_BURST_MAX];
	struct vs_pkt *list[VS_BURST_MAX];
	uint8_t fate[VS_BURST_MAX];
	struct vs_extent ext = {.data = sent + VS_HDR_BYTES, .len = 9014 - VS_HDR_BYTES};
	struct wire *w = *state;
	unsigned int delivered = 0;
	unsigned int full = 0;
	unsigned int i;
	int round;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	make_frame(sent, 9014, STATION, GUEST, 7);
	for (i = 0; i < VS_BURST_MAX; i++) {
		pkts[i] = (struct vs_pkt){.hdr = sent,
					  .hdr_len = VS_HDR_BYTES,
					  .len = 9014,
					  .ext = &ext,
					  .n_ext = 1};
		list[i] = &pkts[i];
	}
	for (round = 0; round < 4; round++) {
		vs_xdp_ops.tx(w->x, 0, list, VS_BURST_MAX, fate);
		for (i = 0; i < VS_BURST_MAX; i++) {
			delivered += fate[i] == VS_DROP_NONE;
			full += fate[i] == VS_DROP_UPLINK_FULL;
		}
	}
	assert_int_equal(delivered + full, 4 * VS_BURST_MAX);
	assert_true(delivered >= VS_BURST_MAX);
	for (i = 0; i < delivered; i++) {
		assert_int_equal(station_get(w, got, 5000), 9014);
		assert_memory_equal(got, sent, 9014);
	}
	assert_int_equal(station_get(w, got, 50), 0);
}

/* State, carrier and MTU follow the interface. */
static void test_follows_the_interface(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;
	unsigned int changes;
	unsigned int pair;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	assert_true(vs_xdp_is_up(w->x));
	assert_int_equal(vs_xdp_mtu(w->x), 9000);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.state, VS_XDP_RUNNING);
	assert_string_equal(info.problem, "");
	assert_true(info.native);
	assert_true(info.multi_buffer);
	assert_int_equal(info.queues, QUEUES);

	sh("ip -n wire link set w0 down");
	until(w, !vs_xdp_is_up(w->x));
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.state, VS_XDP_NO_CARRIER);
	assert_non_null(strstr(info.problem, "no carrier"));
	make_frame(sent, 60, STATION, GUEST, 7);
	assert_int_equal(switch_send(w, sent, 60), VS_DROP_UPLINK_DOWN);
	assert_true(w->changes > 0);
	sh("ip -n wire link set w0 up");
	until(w, vs_xdp_is_up(w->x));

	sh("ip link set nic mtu 1500");
	until(w, vs_xdp_mtu(w->x) == 1500);
	make_frame(sent, 1515, STATION, GUEST, 7);
	assert_int_equal(switch_send(w, sent, 1515), VS_DROP_UPLINK_SIZE);
	assert_int_equal(switch_send(w, sent, 1514), VS_DROP_NONE);
	assert_int_equal(station_get(w, got, 5000), 1514);

	sh("ip link set nic down");
	until(w, !vs_xdp_is_up(w->x));
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.state, VS_XDP_DOWN);
	sh("ip link set nic up");
	until(w, vs_xdp_is_up(w->x));
	assert_int_equal(switch_send(w, sent, 1514), VS_DROP_NONE);
	assert_int_equal(station_get(w, got, 5000), 1514);
	make_frame(sent, 1514, GUEST, STATION, 8);
	station_send(w, sent, 1514);
	assert_int_equal(switch_get(w, got, &pair, 5000), 1514);

	changes = w->changes;
	sh("ethtool -K nic rxvlan on > /dev/null");
	until(w, w->changes > changes);
	vs_xdp_info(w->x, &info);
	assert_non_null(strstr(info.problem, "rxvlan off"));

	sh("ip link del nic");
	until(w, !vs_xdp_is_up(w->x));
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.state, VS_XDP_GONE);
	assert_int_equal(switch_send(w, sent, 60), VS_DROP_UPLINK_DOWN);
	assert_int_equal(vs_xdp_set_share(w->x, VS_XDP_SHARED, &w->why), -ENODEV);
}

/* A queue that nobody serves is said. */
static void test_more_queues(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;

	if (wire_missing)
		skip();
	assert_int_equal(outside("ethtool -L w0 rx 1 tx 1"), 0);
	assert_int_equal(sh("ethtool -L nic rx 1 tx 1"), 0);
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.queues, 1);
	assert_string_equal(info.problem, "");
	assert_int_equal(sh("ethtool -L nic rx 2 tx 2"), 0);
	vs_xdp_info(w->x, &info);
	assert_non_null(strstr(info.problem, "from 1 to 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes_in, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_sizes_out, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_tags, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_all_to_switch, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_chunks_are_kept, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_more_queues, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_full_rings_out, wire_setup, wire_teardown),
		cmocka_unit_test_setup_teardown(test_follows_the_interface, wire_setup,
						wire_teardown),
	};

	return cmocka_run_group_tests(tests, wire_group_setup, NULL);
}
