/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel sorts frames of an xdp uplink into queues: which, in which order, and at what cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/xdp_fixture.h"

#include "dataplane/core/vmq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define A "02:00:00:00:00:0a"
#define B "02:00:00:00:00:0b"
#define C "02:00:00:00:00:0c"
#define STATION "02:00:00:00:00:99"
#define EVERYBODY "ff:ff:ff:ff:ff:ff"

enum {
	PORT_1 = 11,
	PORT_2 = 12,
	PORT_3 = 13,
	NO_TAG = -1,
};

static uint8_t sent[FRAME_MAX + 8];
static uint8_t got[FRAME_MAX + 8];

static struct vs_xdp_filter filter(const char *mac, uint16_t vid, uint16_t port)
{
	struct vs_xdp_filter f = {.vid = vid, .port = port};

	assert_int_equal(rte_ether_unformat_addr(mac, &f.mac), 0);
	return f;
}

static void sort(struct wire *w, uint16_t vid, const struct vs_xdp_filter *f, unsigned int n)
{
	const struct vs_xdp_wish wish = {.sorting = VS_XDP_SORT_ON, .vid = vid, .filter = f, .n = n};
	bool changed;

	if (vs_xdp_sort(w->x, &wish, &changed, &w->why) != 0)
		fail_msg("%s", w->why.text);
}

static void sort_nothing(struct wire *w)
{
	const struct vs_xdp_wish wish = {.sorting = VS_XDP_SORT_OFF};
	bool changed;

	assert_int_equal(vs_xdp_sort(w->x, &wish, &changed, &w->why), 0);
}

/* A tag in front of the type. Return: bytes of the frame now. */
static uint32_t put_tag(uint32_t len, uint16_t type, uint16_t tci)
{
	const uint16_t be[2] = {htons(type), htons(tci)};

	memmove(sent + 16, sent + 12, len - 12);
	memcpy(sent + 12, be, sizeof(be));
	return len + 4;
}

static uint32_t flatten(const struct vs_pkt *pkt)
{
	uint32_t len = pkt->hdr_len;
	uint16_t i;

	memcpy(got, pkt->hdr, pkt->hdr_len);
	for (i = 0; i < pkt->n_ext; i++) {
		memcpy(got + len, pkt->ext[i].data, pkt->ext[i].len);
		len += pkt->ext[i].len;
	}
	return len;
}

/* Everything that is there, to @visit, until there was nothing for @quiet_ms. */
static void read_all(struct wire *w, int quiet_ms,
		     void (*visit)(struct wire *w, unsigned int pair, uint32_t len, void *ctx),
		     void *ctx)
{
	static struct vs_burst burst;
	uint64_t deadline = now_ms() + (uint64_t)quiet_ms;
	unsigned int pair;
	uint16_t i;

	do {
		for (pair = 0; pair < vs_xdp_pairs(w->x); pair++) {
			burst.n = 0;
			burst.n_ext = 0;
			vs_xdp_ops.rx(w->x, pair, 1, &burst);
			for (i = 0; i < burst.n; i++)
				visit(w, pair, flatten(&burst.pkt[i]), ctx);
			vs_xdp_ops.rx_done(w->x, pair);
			if (burst.n)
				deadline = now_ms() + (uint64_t)quiet_ms;
		}
	} while (now_ms() < deadline);
}

/** struct seen - whose queue the frame in `sent` came by */
struct seen {
	uint32_t len;
	uint16_t owner;
	unsigned int times;
};

static void look(struct wire *w, unsigned int pair, uint32_t len, void *ctx)
{
	struct seen *seen = ctx;

	if (len != seen->len || memcmp(sent, got, len) != 0)
		return;
	seen->times++;
	seen->owner = vs_xdp_owner(w->x, pair);
}

static uint16_t owner_of(struct wire *w, uint32_t len)
{
	uint64_t deadline = now_ms() + 5000;
	struct seen seen = {.len = len};

	station_send(w, sent, len);
	while (!seen.times && now_ms() < deadline)
		read_all(w, 0, look, &seen);
	read_all(w, 1, look, &seen);
	assert_int_equal(seen.times, 1);
	return seen.owner;
}

/* What a frame looks like. @inner: a second tag; @cut: bytes that it ends after */
struct shape {
	int tci;
	int inner;
	uint16_t type;
	uint16_t cut;
};

static const struct shape shapes[] = {
	{NO_TAG, NO_TAG, 0, 0},
	{0, NO_TAG, 0x8100, 0},
	{5 << 13, NO_TAG, 0x8100, 0},
	{10, NO_TAG, 0x8100, 0},
	{3 << 13 | 10, NO_TAG, 0x8100, 0},
	{1 << 12 | 20, NO_TAG, 0x8100, 0},
	{30, NO_TAG, 0x8100, 0},
	{4095, NO_TAG, 0x8100, 0},
	{10, 20, 0x8100, 0},
	{0, 10, 0x8100, 0},
	{10, NO_TAG, 0x88a8, 0},
	{10, NO_TAG, 0x8100, 14},
	{10, NO_TAG, 0x8100, 15},
	{10, NO_TAG, 0x8100, 17},
	{10, NO_TAG, 0x8100, 18},
};

/* Written from doc/vmq.md: the port of the filter that matches. */
static uint16_t expected(const struct vs_xdp_filter *f, unsigned int n, uint16_t native,
			 const char *dst, const struct shape *shape)
{
	uint16_t vid = native;
	struct rte_ether_addr mac;
	unsigned int i;

	assert_int_equal(rte_ether_unformat_addr(dst, &mac), 0);
	if (shape->type == 0x88a8 || (shape->cut && shape->cut < 18))
		return VS_VMQ_DEFAULT;
	if (shape->tci != NO_TAG && (shape->tci & 0xfff))
		vid = shape->tci & 0xfff;
	for (i = 0; i < n; i++) {
		if (f[i].vid == vid && rte_is_same_ether_addr(&f[i].mac, &mac))
			return f[i].port;
	}
	return VS_VMQ_DEFAULT;
}

static void check_shapes(struct wire *w, const struct vs_xdp_filter *f, unsigned int n,
			 uint16_t native)
{
	static const char *const to[] = {A, B, C, EVERYBODY};
	static uint32_t seed;
	size_t i;

	for (i = 0; i < RTE_DIM(to) * RTE_DIM(shapes); i++) {
		const char *dst = to[i % RTE_DIM(to)];
		const struct shape *shape = &shapes[i / RTE_DIM(to)];
		uint32_t len = seed % 3 == 2 ? 9000 : 100;

		make_frame(sent, len, dst, STATION, seed++);
		if (shape->inner != NO_TAG)
			len = put_tag(len, 0x8100, (uint16_t)shape->inner);
		if (shape->tci != NO_TAG)
			len = put_tag(len, shape->type, (uint16_t)shape->tci);
		if (shape->cut)
			len = shape->cut;
		if (owner_of(w, len) != expected(f, n, native, dst, shape))
			fail_msg("to %s, shape %zu, %u filters, native VLAN %u", dst,
				 i / RTE_DIM(to), n, native);
	}
}

/* Each subset of the filters, each frame. */
static void test_all_filters(void **state)
{
	const struct vs_xdp_filter all[] = {
		filter(A, 0, PORT_1),  filter(B, 10, PORT_1), filter(A, 10, PORT_2),
		filter(A, 20, PORT_3), filter(C, 20, PORT_3),
	};
	struct vs_xdp_filter some[RTE_DIM(all)];
	struct wire *w = *state;
	unsigned int mask;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	for (mask = 0; mask < 1u << RTE_DIM(all); mask += mask < 8 ? 1 : 5) {
		unsigned int n = 0;
		size_t i;

		for (i = 0; i < RTE_DIM(all); i++) {
			if (mask >> i & 1)
				some[n++] = all[i];
		}
		sort(w, 0, some, n);
		check_shapes(w, some, n, 0);
	}
	/* The uplink has a native VLAN: no tag is that one. */
	sort(w, 10, all, RTE_DIM(all));
	check_shapes(w, all, RTE_DIM(all), 10);
	sort_nothing(w);
	check_shapes(w, NULL, 0, 0);
}

/* More ports than queues: those in front have them, and one that ends is another's. */
static void test_more_ports_than_queues(void **state)
{
	struct vs_xdp_filter f[VS_BPF_QUEUES_MAX + 3];
	struct wire *w = *state;
	unsigned int max;
	uint16_t i;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	max = vs_xdp_queues_max(w->x);
	assert_int_equal(max, VS_BPF_QUEUES_MAX - 1);
	for (i = 0; i < RTE_DIM(f); i++) {
		char mac[RTE_ETHER_ADDR_FMT_SIZE];

		(void)snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x", i);
		f[i] = filter(mac, 0, i);
	}
	sort(w, 0, f, RTE_DIM(f));
	assert_int_equal(vs_xdp_pairs(w->x), QUEUES + 1 + max * QUEUES);
	for (i = 0; i < RTE_DIM(f); i++) {
		make_frame(sent, 60, "02:00:00:00:01:00", STATION, i);
		sent[5] = (uint8_t)i;
		assert_int_equal(owner_of(w, 60), i < max ? i : VS_VMQ_DEFAULT);
	}
	/* Without the first two, two others have one, and nobody else changes. */
	sort(w, 0, f + 2, RTE_DIM(f) - 2);
	for (i = 0; i < RTE_DIM(f); i++) {
		bool has = i >= 2 && i < max + 2;

		make_frame(sent, 60, "02:00:00:00:01:00", STATION, 100u + i);
		sent[5] = (uint8_t)i;
		assert_int_equal(owner_of(w, 60), has ? i : VS_VMQ_DEFAULT);
	}
	sort_nothing(w);
	assert_int_equal(vs_xdp_pairs(w->x), QUEUES);
	assert_int_equal(owner_of(w, 60), VS_VMQ_DEFAULT);
}

/** struct row - numbered frames as they come, each behind the one before */
struct row {
	uint32_t next;
	unsigned int owned;
};

static void take_next(struct wire *w, unsigned int pair, uint32_t len, void *ctx)
{
	struct row *row = ctx;
	uint32_t number;

	if (len != 64 || got[12] != TEST_TYPE >> 8)
		return;
	memcpy(&number, got + 14, sizeof(number));
	assert_int_equal(number, row->next);
	row->next++;
	row->owned += vs_xdp_owner(w->x, pair) != VS_VMQ_DEFAULT;
}

static void send_row(struct wire *w, uint32_t from, uint32_t n)
{
	uint32_t i;

	for (i = from; i < from + n; i++) {
		make_frame(sent, 64, A, STATION, 0);
		memcpy(sent + 14, &i, sizeof(i));
		station_send(w, sent, 64);
	}
}

/* Nobody reads while a queue begins, and ends: then all is there, in order. */
static void test_order(void **state)
{
	const struct vs_xdp_filter f[] = {filter(A, 0, PORT_1), filter(B, 0, PORT_2)};
	struct vs_xdp_info info;
	struct wire *w = *state;
	struct row row = {0};
	uint32_t at;

	if (wire_missing)
		skip();
	/* One hw queue: the kernel keeps no order over several. */
	assert_int_equal(outside("ethtool -L w0 rx 1 tx 1"), 0);
	assert_int_equal(sh("ethtool -L nic rx 1 tx 1"), 0);
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	for (at = 0; at < 600; at += 200) {
		sort(w, 0, f, 1);
		send_row(w, at, 50);
		/* Another queue begins. */
		sort(w, 0, f, 2);
		send_row(w, at + 50, 50);
		/* The queue ends while it has frames; what comes then is in the default one. */
		sort(w, 0, f + 1, 1);
		send_row(w, at + 100, 50);
		read_all(w, 20, take_next, &row);
		assert_int_equal(row.next, at + 150);
		/* It begins while the default one has frames. */
		send_row(w, at + 150, 25);
		sort(w, 0, f, 2);
		send_row(w, at + 175, 25);
		read_all(w, 20, take_next, &row);
		assert_int_equal(row.next, at + 200);
	}
	/* Of a queue that has ended the owner is not known any more. */
	assert_int_equal(row.owned, 3 * 25);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.counters[VS_BPF_TO_QUEUE], 3 * (100 + 25));
}

static void count(struct wire *w, unsigned int pair, uint32_t len, void *ctx)
{
	unsigned int *n = ctx;

	(void)w;
	(void)pair;
	*n += len == 60 && got[12] == TEST_TYPE >> 8;
}

static uint32_t chunks_given(const struct wire *w, uint32_t hw)
{
	const struct vs_xdp *x = w->x;
	uint32_t n = x->set.queue[hw].fill.cached_prod - x->set.queue[hw].in.rx.cached_cons;
	uint32_t i;

	for (i = 0; i < x->n_queues; i++)
		n -= x->queue[i].in[hw].rx.cached_cons;
	return n;
}

/* A queue that nobody reads takes nothing from others, and gives back all that it had. */
static void test_chunks_are_kept(void **state)
{
	const struct vs_xdp_filter f[] = {filter(A, 0, PORT_1), filter(B, 0, PORT_2)};
	struct vs_xdp_info info;
	struct wire *w = *state;
	struct vs_xdp *x;
	unsigned int n = 0;
	uint32_t hw;
	uint32_t i;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	x = w->x;
	sort(w, 0, f, 2);
	make_frame(sent, 60, A, STATION, 0);
	for (i = 0; i < 10000; i++)
		station_send(w, sent, 60);
	vs_xdp_info(x, &info);
	assert_true(info.missed > 0);
	/* It is full; the other's come, and the default one's. */
	make_frame(sent, 60, B, STATION, 1);
	station_send(w, sent, 60);
	make_frame(sent, 60, C, STATION, 2);
	station_send(w, sent, 60);
	for (hw = 0; hw < QUEUES; hw++)
		x->queue[0].in[hw].gate = VS_XQ_SHUT;
	read_all(w, 20, count, &n);
	assert_int_equal(n, 2);
	/* Its port goes, with frames in the queue, and these are not lost. */
	n = 0;
	sort(w, 0, f + 1, 1);
	read_all(w, 20, count, &n);
	assert_int_equal(n + info.missed, 10000);
	for (hw = 0; hw < QUEUES; hw++)
		assert_int_equal(chunks_given(w, hw),
				 x->set.queue[hw].n_rx + x->n_queues * x->set.queue_size);
	for (hw = 0; hw < QUEUES; hw++)
		assert_int_equal(x->set.queue[hw].draining, 0);
}

/* The interface goes away under it. */
static void test_gone(void **state)
{
	const struct vs_xdp_filter f[] = {filter(A, 0, PORT_1), filter(B, 0, PORT_2)};
	struct wire *w = *state;
	bool changed;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	sort(w, 0, f, 1);
	sh("ip link del nic");
	until(w, !vs_xdp_is_up(w->x));
	/* With another queue or without: it comes to an end, whatever it says. */
	(void)vs_xdp_sort(w->x,
			  &(struct vs_xdp_wish){.sorting = VS_XDP_SORT_ON, .filter = f, .n = 2},
			  &changed, &w->why);
	sort_nothing(w);
}

/* Shared with the host: own address and groups are never sorted. */
static void test_shared(void **state)
{
	struct vs_xdp_info info;
	struct wire *w = *state;
	struct vs_xdp_filter f[2];
	uint64_t before;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_SHARED), 0);
	f[0] = filter(A, 0, PORT_1);
	f[1] = (struct vs_xdp_filter){.mac = w->nic_mac, .port = PORT_2};
	sort(w, 0, f, 2);
	make_frame(sent, 100, A, STATION, 1);
	assert_int_equal(owner_of(w, 100), PORT_1);
	make_frame(sent, 100, EVERYBODY, STATION, 2);
	assert_int_equal(owner_of(w, 100), VS_VMQ_DEFAULT);
	vs_xdp_info(w->x, &info);
	before = info.counters[VS_BPF_TO_HOST];
	memcpy(sent, &w->nic_mac, sizeof(w->nic_mac));
	station_send(w, sent, 100);
	vs_xdp_info(w->x, &info);
	assert_int_equal(info.counters[VS_BPF_TO_HOST], before + 1);
	assert_int_equal(info.counters[VS_BPF_TO_QUEUE], 1);
}

/* What limits the process to so many more descriptors, wherever those are that it has. */
static rlim_t limit_for(unsigned int more)
{
	int fd;

	for (fd = 0;; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (more-- == 0)
			return (rlim_t)fd;
	}
}

/* No more descriptors: it says so, and leaves nothing that is half there. */
static void test_refused(void **state)
{
	const struct vs_xdp_filter f[] = {filter(A, 0, PORT_1), filter(B, 0, PORT_2)};
	const struct vs_xdp_wish wish = {.sorting = VS_XDP_SORT_ON, .filter = f, .n = 2};
	struct wire *w = *state;
	struct rlimit limit;
	unsigned int more;
	bool changed;
	int wanted;

	if (wire_missing)
		skip();
	assert_int_equal(take(w, VS_XDP_ALONE), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* None of four sockets, some of them, and all. */
	for (more = 0; more <= 2 * QUEUES; more++) {
		struct rlimit less = limit;

		less.rlim_cur = limit_for(more);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
		w->why.text[0] = '\0';
		wanted = more < 2 * QUEUES - w->x->n_queues * QUEUES ? -EMFILE : 0;
		assert_int_equal(vs_xdp_sort(w->x, &wish, &changed, &w->why), wanted);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		make_frame(sent, 100, A, STATION, more);
		if (!w->why.text[0])
			break;
		assert_non_null(strstr(w->why.text, "Too many open files"));
		assert_int_equal(vs_xdp_pairs(w->x), QUEUES);
		assert_int_equal(owner_of(w, 100), VS_VMQ_DEFAULT);
	}
	assert_int_equal(owner_of(w, 100), PORT_1);
	assert_int_equal(vs_xdp_pairs(w->x), QUEUES + 1 + 2 * QUEUES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wire_setup, wire_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_filters), TEST(test_more_ports_than_queues),
		TEST(test_order),       TEST(test_chunks_are_kept),
		TEST(test_gone),        TEST(test_shared),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, wire_group_setup, NULL);
}
