/* SPDX-License-Identifier: BSD-3-Clause */
/* dataplane/core: paces, the header cursor, tags, drop reasons, events, samples, log limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/core/clock.h"
#include "dataplane/core/ctx.h"
#include "dataplane/core/drop.h"
#include "dataplane/core/event.h"
#include "dataplane/core/hdr.h"
#include "dataplane/core/log.h"
#include "dataplane/core/rcu.h"
#include "tests/unit/eal.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int setup(void **state)
{
	return eal_up();
}

/* Of @n asked for at @now, how many does a pace admit? */
static unsigned int admitted(struct vs_pace *pace, uint64_t now, uint32_t rate, unsigned int n)
{
	unsigned int sum = 0;

	while (n--)
		sum += (unsigned int)vs_pace_admit(pace, now, rate);
	return sum;
}

static void test_pace(void **state)
{
	static const uint32_t rates[] = {1, 2, 3, 10, 1000, 10000, 123457};
	uint64_t hz = rte_get_tsc_hz();
	unsigned int i;

	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint32_t rate = rates[i];
		struct vs_pace pace = {0};
		uint64_t now = hz * 1000;
		unsigned int sum;
		unsigned int k;

		/* A second's worth at once, no more. */
		assert_in_range(admitted(&pace, now, rate, 2 * rate), rate, rate + rate / 1000);
		assert_int_equal(admitted(&pace, now, rate, 10), 0);
		/* One more as soon as one is due. */
		now += hz / rate;
		assert_int_equal(admitted(&pace, now, rate, 2), 1);
		/* The rate over ten seconds, asked for ten times as often. */
		for (sum = k = 0; k < 100 && rate <= 1000; k++) {
			now += hz / 10;
			sum += admitted(&pace, now, rate, rate + 1);
		}
		if (rate <= 1000)
			assert_in_range(sum, 10 * rate - 1, 10 * rate + 1);
		/* However long nothing came: a second's worth. */
		now += 1000 * hz;
		assert_in_range(admitted(&pace, now, rate, 3 * rate), rate, rate + rate / 1000);
	}
}

static void test_clock(void **state)
{
	uint64_t hz = rte_get_tsc_hz();

	assert_int_equal(vs_clock_seconds(0), 0);
	assert_int_equal(vs_clock_seconds(hz - 1), 0);
	assert_int_equal(vs_clock_seconds(hz), 1);
	assert_int_equal(vs_clock_seconds(hz * 1000000), 1000000);
}

static void test_cursor(void **state)
{
	uint8_t bytes[20] = {1, 2, 3};
	const struct vs_pkt pkt = {.hdr = bytes, .hdr_len = 20, .len = 500};
	struct vs_cursor c = vs_cursor_begin(&pkt);

	assert_int_equal(c.left, 20);
	assert_null(vs_cursor_take(&c, 21));
	assert_null(vs_cursor_take(&c, UINT32_MAX));
	assert_ptr_equal(vs_cursor_take(&c, 14), bytes);
	assert_null(vs_cursor_take(&c, 7));
	assert_int_equal(c.left, 6);
	assert_ptr_equal(vs_cursor_take(&c, 6), bytes + 14);
	assert_ptr_equal(vs_cursor_take(&c, 0), bytes + 20);
	assert_null(vs_cursor_take(&c, 1));
}

static struct vs_l2_tag tag_of(const char *tags, size_t n, uint16_t hdr_len)
{
	struct vs_l2_tag tag;
	struct vs_pkt pkt;

	/* As long as it says, so that a step beyond is seen. */
	pkt = (struct vs_pkt){.hdr = calloc(1, hdr_len), .hdr_len = hdr_len, .len = hdr_len};
	assert_non_null(pkt.hdr);
	if (hdr_len > 12)
		memcpy(pkt.hdr + 12, tags, n < hdr_len - 12u ? n : hdr_len - 12u);
	tag = vs_l2_tag(&pkt);
	free(pkt.hdr);
	return tag;
}

static void expect_tag(const char *tags, size_t n, uint16_t hdr_len, enum vs_l2_kind kind,
		       unsigned int inner, unsigned int tci)
{
	struct vs_l2_tag tag = tag_of(tags, n, hdr_len);

	assert_int_equal(tag.kind, kind);
	assert_int_equal(tag.inner, inner);
	assert_int_equal(tag.tci, tci);
}

static void test_tags(void **state)
{
	uint16_t len;

	expect_tag("\x08\x00", 2, 14, VS_L2_UNTAGGED, 0, 0);
	expect_tag("\x00\x40", 2, 60, VS_L2_UNTAGGED, 0, 0);         /* a length, 802.3 */
	expect_tag("\x91\x00\x00\x05", 4, 60, VS_L2_UNTAGGED, 0, 0); /* not a standard tag */
	expect_tag("\x81\x00\x00\x00\x08\x00", 6, 18, VS_L2_PRIORITY, 0, 0);
	expect_tag("\x81\x00\xf0\x00\x08\x00", 6, 18, VS_L2_PRIORITY, 0, 0xf000);
	expect_tag("\x81\x00\x00\x01\x08\x00", 6, 18, VS_L2_TAGGED, 0, 1);
	expect_tag("\x81\x00\x0f\x00\x08\x00", 6, 18, VS_L2_TAGGED, 0, 0xf00);
	expect_tag("\x81\x00\xff\xff\x08\x00", 6, 18, VS_L2_TAGGED, 0, 0xffff);
	expect_tag("\x88\xa8\x00\x00\x08\x00", 6, 18, VS_L2_SERVICE, 0, 0);
	expect_tag("\x88\xa8\x20\x05\x81\x00", 6, 18, VS_L2_SERVICE, 1, 0x2005);
	expect_tag("\x81\x00\x00\x00\x81\x00", 6, 18, VS_L2_PRIORITY, 1, 0);
	expect_tag("\x81\x00\x00\x00\x88\xa8", 6, 60, VS_L2_PRIORITY, 1, 0);
	expect_tag("\x81\x00\x00\x07\x81\x00", 6, 18, VS_L2_TAGGED, 1, 7);
	for (len = 14; len < 18; len++)
		expect_tag("\x81\x00\x00\x01\x08\x00", 6, len, VS_L2_CUT, 0, 0);
	for (len = 1; len < 14; len++)
		expect_tag("\x08\x00", 2, len, VS_L2_CUT, 0, 0);
}

/* Every length, and not a byte more. */
static void test_hdr_copy(void **state)
{
	uint8_t from[VS_HDR_BYTES + VS_TAG_BYTES];
	uint8_t to[sizeof(from) + 1];
	uint32_t n;
	uint32_t i;

	for (i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i + 1);
	for (n = 0; n <= sizeof(from); n++) {
		memset(to, 0, sizeof(to));
		vs_hdr_copy(to, from, n);
		assert_memory_equal(to, from, n);
		for (i = n; i < sizeof(to); i++)
			assert_int_equal(to[i], 0);
	}
}

/* A frame of @hdr_len private bytes, and its twin with tag @tci. */
static void twin_of(uint16_t hdr_len, uint8_t pcp, uint16_t vid, const char *want)
{
	const struct vs_extent ext = {(const uint8_t *)"x", 1};
	struct vs_hdr_slot from;
	struct vs_hdr_slot slot;
	struct vs_pkt twin;
	struct vs_pkt pkt = {
		.hdr = from.bytes,
		.hdr_len = hdr_len,
		.len = hdr_len + 1u,
		.ext = &ext,
		.n_ext = 1,
		.in_port = 3,
		.fid = 9,
		.vid = vid,
		.pcp = pcp,
	};
	unsigned int i;

	for (i = 0; i < sizeof(from.bytes); i++)
		from.bytes[i] = (uint8_t)(i + 1);
	memset(&slot, 0xee, sizeof(slot));
	vs_l2_make_twin(&pkt, &twin, &slot);
	assert_int_equal(twin.hdr_len, hdr_len + VS_TAG_BYTES);
	assert_int_equal(twin.len, pkt.len + VS_TAG_BYTES);
	assert_ptr_equal(twin.ext, &ext);
	assert_int_equal(twin.n_ext, 1);
	assert_int_equal(twin.in_port, 3);
	assert_int_equal(twin.drop, VS_DROP_NONE);
	assert_memory_equal(twin.hdr, from.bytes, 12);
	assert_memory_equal(twin.hdr + 12, want, 4);
	assert_memory_equal(twin.hdr + 16, from.bytes + 12, hdr_len - 12u);
	/* It lies inside its slot, and nothing around it was touched. */
	assert_true(twin.hdr >= slot.room && twin.hdr + twin.hdr_len <= slot.bytes + VS_HDR_BYTES);
	assert_int_equal(twin.hdr[-1], 0xee);
	if (hdr_len < VS_HDR_BYTES)
		assert_int_equal(twin.hdr[twin.hdr_len], 0xee);
	for (i = 0; i < sizeof(from.bytes); i++)
		assert_int_equal(from.bytes[i], (uint8_t)(i + 1));
}

static void test_twin(void **state)
{
	twin_of(14, 0, 1, "\x81\x00\x00\x01");
	twin_of(60, 7, 4094, "\x81\x00\xef\xfe");
	twin_of(124, 3, 256, "\x81\x00\x61\x00");
	twin_of(128, 0, 10, "\x81\x00\x00\x0a");
}

static void test_strip(void **state)
{
	static const uint8_t frame[] = {1,  2,  3,    4, 5, 6, 7,    8,    9,   10,
					11, 12, 0x81, 0, 0, 0, 0x86, 0xdd, 0xab};
	struct vs_hdr_slot slot;
	struct vs_pkt pkt = {.hdr = slot.bytes, .hdr_len = sizeof(frame), .len = 700};

	memset(&slot, 0xee, sizeof(slot));
	memcpy(slot.bytes, frame, sizeof(frame));
	vs_l2_strip_tag(&pkt);
	assert_ptr_equal(pkt.hdr, slot.bytes + 4);
	assert_int_equal(pkt.hdr_len, sizeof(frame) - 4);
	assert_int_equal(pkt.len, 696);
	assert_memory_equal(pkt.hdr, frame, 12);
	assert_memory_equal(pkt.hdr + 12, frame + 16, 3);
	assert_int_equal(slot.room[VS_HDR_ROOM - 1], 0xee);
	assert_int_equal(slot.bytes[sizeof(frame)], 0xee);
}

static void test_reserved(void **state)
{
	struct rte_ether_addr mac = {{0x01, 0x80, 0xc2, 0, 0, 0}};
	unsigned int i;
	unsigned int b;

	for (i = 0; i < 256; i++) {
		mac.addr_bytes[5] = (uint8_t)i;
		assert_int_equal(!!vs_l2_is_reserved(&mac), i < 16);
	}
	mac.addr_bytes[5] = 0;
	for (b = 0; b < 5; b++) {
		mac.addr_bytes[b] ^= 1;
		assert_false(vs_l2_is_reserved(&mac));
		mac.addr_bytes[b] ^= 1;
	}
}

static void test_drop_table(void **state)
{
	unsigned int r;
	unsigned int o;

	for (r = 0; r < VS_DROP_COUNT; r++) {
		const char *name = vs_drop_name(r);
		const char *p;

		assert_true(strlen(name) > 0 && strlen(name) < 32);
		for (p = name; *p; p++)
			assert_true(islower((unsigned char)*p) || *p == '_');
		assert_true(strlen(vs_drop_text(r)) >= 10);
		for (o = 0; o < r; o++) {
			assert_string_not_equal(name, vs_drop_name(o));
			assert_string_not_equal(vs_drop_text(r), vs_drop_text(o));
		}
	}
	assert_string_equal(vs_drop_name(VS_DROP_NONE), "none");
	assert_string_equal(vs_drop_name(VS_DROP_COUNT), "unknown");
	assert_string_equal(vs_drop_name((enum vs_drop) - 1), "unknown");
	assert_string_equal(vs_drop_text(VS_DROP_COUNT), "unknown");
	assert_int_equal(vs_drop_side(VS_DROP_COUNT), VS_DROP_SIDE_IN);
}

/* Side by name, written down once more: a reason counted at the wrong port breaks the audit. */
static void test_drop_sides(void **state)
{
	static const char *const out[] = {"port_down",   "mtu_out",     "rx_full",
					  "rx_small",    "rx_pieces",   "ring_broken",
					  "mem_lost",    "vlan_out",    "host_full",
					  "host_down",   "uplink_full", "uplink_size",
					  "uplink_down", "tx_busy",     "gso_failed",
					  "cut_budget",  "no_peer",     "pa_unresolved",
					  "copy_budget"};
	unsigned int found = 0;
	unsigned int r;
	unsigned int i;

	for (r = 1; r < VS_DROP_COUNT; r++) {
		enum vs_drop_side side = VS_DROP_SIDE_IN;

		for (i = 0; i < sizeof(out) / sizeof(out[0]); i++)
			if (strcmp(out[i], vs_drop_name(r)) == 0)
				side = VS_DROP_SIDE_OUT;
		found += side == VS_DROP_SIDE_OUT;
		assert_int_equal(vs_drop_side(r), side);
	}
	assert_int_equal(found, sizeof(out) / sizeof(out[0]));
}

static int rung(const struct vs_event_ring *er)
{
	struct pollfd p = {.fd = er->bell, .events = POLLIN};
	uint64_t n;

	if (poll(&p, 1, 0) != 1)
		return 0;
	assert_int_equal(read(er->bell, &n, sizeof(n)), sizeof(n));
	return 1;
}

static void test_events(void **state)
{
	struct vs_event_ring er;
	struct vs_event_ring twin;
	struct vs_event got[8];
	struct vs_event ev = {.type = VS_EVENT_LEARN, .port = 5, .fid = 9};
	unsigned int n;

	assert_int_equal(vs_event_ring_init(&er, 3), 0);
	/* The name is taken: an error, and nothing left behind. */
	assert_int_equal(vs_event_ring_init(&twin, 3), -EEXIST);
	assert_int_equal(vs_event_pop(&er, got, 8), 0);
	vs_event_ring_bell(&er);
	assert_false(rung(&er));
	for (n = 0; n < 5; n++) {
		ev.port = (uint16_t)n;
		vs_event_push(&er, &ev);
	}
	assert_false(rung(&er)); /* not before the end of the round */
	vs_event_ring_bell(&er);
	assert_true(rung(&er));
	vs_event_ring_bell(&er);
	assert_false(rung(&er));
	assert_int_equal(vs_event_pop(&er, got, 3), 3);
	assert_int_equal(vs_event_pop(&er, got + 3, 5), 2);
	for (n = 0; n < 5; n++) {
		assert_int_equal(got[n].port, n);
		assert_int_equal(got[n].fid, 9);
	}
	assert_int_equal(er.lost, 0);
	for (n = 0; n < 5000; n++)
		vs_event_push(&er, &ev);
	assert_int_equal(er.lost, 5000 - 4095);
	for (n = 0; vs_event_pop(&er, got, 1); n++)
		;
	assert_int_equal(n, 4095);
	vs_event_ring_fini(&er);
	assert_int_equal(vs_event_ring_init(&er, 3), 0);
	vs_event_ring_fini(&er);
	vs_event_ring_fini(&er);
}

static void test_rcu(void **state)
{
	struct vs_rcu rcu;
	unsigned int i;

	assert_int_equal(vs_rcu_init(&rcu), 0);
	vs_rcu_synchronize(&rcu); /* nobody online: at once */
	for (i = 0; i < VS_WORKERS_MAX; i++) {
		vs_rcu_online(&rcu, i);
		vs_rcu_report(&rcu, i, vs_rcu_token(&rcu));
		vs_rcu_offline(&rcu, i);
	}
	vs_rcu_synchronize(&rcu);
	vs_rcu_fini(&rcu);
}

/* Standard error of @fn in @text. */
static void capture(void (*fn)(void), char *text, size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	fflush(stderr);
	assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
	fn();
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

static void log_some(void)
{
	char longer[3000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	vs_log_set_level(VS_LOG_WARNING);
	vs_log(VS_LOG_ERROR, "one %d", 1);
	vs_log(VS_LOG_INFO, "not this");
	vs_log(VS_LOG_WARNING, "%s", longer);
	vs_log_set_level(VS_LOG_INFO);
}

static void test_log(void **state)
{
	char text[4096];
	const char *second;

	capture(log_some, text, sizeof(text));
	assert_true(strncmp(text, "vmswitchd: error: one 1\n", 24) == 0);
	assert_null(strstr(text, "not this"));
	/* A line too long is cut, and is a line all the same. */
	second = text + 24;
	assert_true(strncmp(second, "vmswitchd: warning: xxx", 23) == 0);
	assert_in_range(strlen(second), 900, 1024);
	assert_ptr_equal(strchr(second, '\n'), second + strlen(second) - 1);
}

static struct vs_log_limit limit = {.burst = 3, .interval_s = 3600};

static void log_ten(void)
{
	int i;

	for (i = 0; i < 10; i++)
		vs_log_limited(&limit, VS_LOG_WARNING, "again");
	vs_log_limited(&limit, VS_LOG_DEBUG, "too fine to count");
	/* The window ends. */
	limit.window_s = 0;
	limit.interval_s = 0;
	vs_log_limited(&limit, VS_LOG_WARNING, "later");
}

static void test_log_limit(void **state)
{
	char text[4096];
	const char *p;
	int n = 0;

	capture(log_ten, text, sizeof(text));
	for (p = text; (p = strstr(p, "again")); p++)
		n++;
	assert_int_equal(n, 3);
	assert_non_null(strstr(text, "(7 lines like the next one were left out)\n"));
	assert_non_null(strstr(text, "warning: later\n"));
	assert_int_equal(limit.suppressed, 0);
}

static void test_log_level(void **state)
{
	enum vs_log_level level = VS_LOG_ERROR;

	assert_int_equal(vs_log_parse_level("debug", &level), 0);
	assert_int_equal(level, VS_LOG_DEBUG);
	assert_int_equal(vs_log_parse_level("error", &level), 0);
	assert_int_equal(level, VS_LOG_ERROR);
	assert_int_equal(vs_log_parse_level("Error", &level), -EINVAL);
	assert_int_equal(vs_log_parse_level("", &level), -EINVAL);
	assert_int_equal(level, VS_LOG_ERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace),       cmocka_unit_test(test_clock),
		cmocka_unit_test(test_cursor),     cmocka_unit_test(test_tags),
		cmocka_unit_test(test_hdr_copy),   cmocka_unit_test(test_strip),
		cmocka_unit_test(test_twin),       cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_drop_table), cmocka_unit_test(test_drop_sides),
		cmocka_unit_test(test_events),     cmocka_unit_test(test_rcu),
		cmocka_unit_test(test_log),        cmocka_unit_test(test_log_limit),
		cmocka_unit_test(test_log_level),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
