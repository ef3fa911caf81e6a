/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The self-test: what is sent, what has to come back, and what is concluded from it.
 *
 * DOC: theory of operation
 *
 * A device can only be judged by what leaves it, so something has to bring that back: the wire
 * itself (a loopback plug, a port that returns its frames) or a partner that exchanges the two
 * Ethernet addresses and sends the frame back. Whether there is such a loop is found out first, and
 * with frames that owe nothing, which the device has nothing to do to:
 *
 *	round 1 (loop):	finished frames, right ones and some with a wrong checksum.
 *			None comes back, some are missing, come twice or come changed: this loop is
 *			no witness, and nothing is concluded.
 *	round 2 (csum):	frames that owe their checksum
 *	round 3, 4:	packets that owe segmentation, of TCP over IPv4, over IPv6
 *
 * A loop may be lost on the way, and a link may lose a frame. So each round begins and ends with a
 * finished frame (a *fence*), and behind each packet there are as many finished frames, and as
 * long, as it is to become (its *twins*). Loops keep the order: when the last fence is back, what
 * has not come is missing. A try in which a finished frame is missing says nothing. One in which
 * none is, and frames of other packets are, or came twice, is repeated. What is so of the same
 * packets each time is the device's doing.
 *
 * A wrong byte needs no second look: Ethernet's own checksum keeps wires from changing frames, and
 * round 1 has shown that neither wire nor partner does.
 *
 * Received checksums (VERIFY) are judged in round 1: a device that calls one of the damaged frames
 * good is lying. One that says nothing of a good frame is not, and one that calls it bad does no
 * harm: such a word is not used (rule 5 of doc/offload.md).
 *
 * Every packet has a serial, and every try new ones, so that a frame that comes late is not taken
 * for one of this try.
 */
#include "dataplane/uplink/selftest.h"

#include <rte_common.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TRIES = 3,
	/* For the last fence; a loop takes microseconds, unless its processor is taken away. */
	WAIT_US = 100 * 1000,
	/* For what comes behind the last fence: the copies of what came twice, mostly. */
	LINGER_US = 2 * 1000,
	SERIAL_FIRST = 0x5600,
	LONG_PAYLOAD = 16000,
	LONG_MSS = 1448,
	ROOM = 72, /* of an MTU, for IPv6, TCP and time stamps */
};

/* What a round has shown of the loop. */
enum outcome {
	LOOP_HOLDS,
	LOOP_NONE,   /* not a single frame came back */
	LOOP_TORN,   /* some did, not all fences */
	LOOP_CLOSED, /* the device was not reached */
};

struct test {
	const struct vs_selftest_config *config;
	struct vs_selftest_addrs out;
	struct vs_selftest_addrs back;
	uint16_t next_serial;
	uint32_t sent;
	uint32_t came;
	uint64_t missing; /* packets of which frames were missing each time, a bit each */
	uint64_t twice;

	/* Of the round under way. */
	unsigned int n;
	struct vs_selftest_packet packet[VS_SELFTEST_PACKETS];
	enum vs_selftest_said said[VS_SELFTEST_PACKETS];
	struct vs_pkt pkt[VS_SELFTEST_PACKETS];
	struct vs_extent ext[VS_SELFTEST_PACKETS];
	char wrong[160]; /* a frame that is not as it should be; "": there was none */

	uint8_t bytes[VS_SELFTEST_PACKETS][VS_SELFTEST_BYTES];
	uint8_t scratch[VS_SELFTEST_BYTES];
	struct vs_selftest_got got;
};

static const unsigned int offloads[VS_SELFTEST_ROWS] = {
	VS_OFFLOAD_CSUM,
	VS_OFFLOAD_TSO4,
	VS_OFFLOAD_TSO6,
	VS_OFFLOAD_VERIFY,
};

void vs_selftest_begin(unsigned int claims, const char *why, struct vs_selftest_report *ret_report)
{
	unsigned int i;

	*ret_report = (struct vs_selftest_report){0};
	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		struct vs_selftest_row *row = &ret_report->row[i];

		row->offload = offloads[i];
		row->verdict = VS_SELFTEST_NOT_CLAIMED;
		if (!(claims & offloads[i]))
			continue;
		row->verdict = VS_SELFTEST_NOT_TESTED;
		(void)snprintf(row->why, sizeof(row->why), "%s", why);
	}
}

static struct vs_selftest_row *row_of(struct vs_selftest_report *report, unsigned int offload)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS - 1 && report->row[i].offload != offload; i++)
		;
	return &report->row[i];
}

/* ---- what is sent */

static const struct vs_selftest_spec fence = {.what = "fence",
					      .kind = VS_SELFTEST_WHOLE,
					      .ip = 4,
					      .proto = IPPROTO_UDP,
					      .payload = 32};

/* The four kinds of transport checksums. */
static const struct {
	const char *whole;
	const char *damaged;
	const char *owes;
	uint8_t ip;
	uint8_t proto;
} kinds[] = {
	{"finished TCP over IPv4", "TCP over IPv4 with a wrong checksum", "TCP over IPv4", 4,
	 IPPROTO_TCP},
	{"finished UDP over IPv4", "UDP over IPv4 with a wrong checksum", "UDP over IPv4", 4,
	 IPPROTO_UDP},
	{"finished TCP over IPv6", "TCP over IPv6 with a wrong checksum", "TCP over IPv6", 6,
	 IPPROTO_TCP},
	{"finished UDP over IPv6", "UDP over IPv6 with a wrong checksum", "UDP over IPv6", 6,
	 IPPROTO_UDP},
};

static void put(struct test *t, const struct vs_selftest_spec *spec)
{
	struct vs_selftest_packet *p = &t->packet[t->n];

	*p = (struct vs_selftest_packet){.spec = *spec, .n = vs_selftest_frames(spec)};
	t->n++;
}

/* A packet that owes something, and its twins. */
static void put_owing(struct test *t, const struct vs_selftest_spec *spec)
{
	struct vs_selftest_spec twin = fence;
	unsigned int n = vs_selftest_frames(spec);

	twin.what = "twin";
	twin.payload = spec->mss ? spec->mss : spec->payload;
	put(t, spec);
	while (n--)
		put(t, &twin);
}

static void put_loop(struct test *t)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(kinds); i++) {
		struct vs_selftest_spec spec = {
			.what = kinds[i].whole,
			.kind = VS_SELFTEST_WHOLE,
			.ip = kinds[i].ip,
			.proto = kinds[i].proto,
			.payload = 101,
		};

		put(t, &spec);
		spec.kind = VS_SELFTEST_DAMAGED;
		spec.what = kinds[i].damaged;
		put(t, &spec);
	}
}

static void put_csum(struct test *t)
{
	static const uint16_t sizes[] = {1, 64, 301};
	unsigned int i;
	unsigned int j;

	for (i = 0; i < RTE_DIM(kinds); i++) {
		struct vs_selftest_spec spec = {
			.what = kinds[i].owes,
			.kind = VS_SELFTEST_OWES,
			.ip = kinds[i].ip,
			.proto = kinds[i].proto,
		};

		for (j = 0; j < RTE_DIM(sizes); j++) {
			spec.payload = sizes[j];
			put_owing(t, &spec);
		}
		if (spec.proto != IPPROTO_UDP)
			continue;
		spec.what = spec.ip == 4 ? "UDP over IPv4 whose sum is zero"
					 : "UDP over IPv6 whose sum is zero";
		spec.payload = 64;
		spec.zero = true;
		put_owing(t, &spec);
	}
}

static void put_tso(struct test *t, uint8_t ip)
{
	const uint16_t most = (uint16_t)RTE_MIN((uint32_t)LONG_MSS, t->config->mtu - ROOM);
	struct vs_selftest_spec spec = {
		.kind = VS_SELFTEST_OWES,
		.ip = ip,
		.proto = IPPROTO_TCP,
		.mss = 256,
		.payload = 3 * 256 + 101,
		.what = ip == 4 ? "TCP over IPv4" : "TCP over IPv6",
	};

	put_owing(t, &spec);
	spec.payload = 2 * 256;
	put_owing(t, &spec);
	spec.stamps = true;
	spec.mss = 300;
	spec.payload = 2 * 300 + 1;
	spec.what = ip == 4 ? "TCP over IPv4 with time stamps" : "TCP over IPv6 with time stamps";
	put_owing(t, &spec);
	spec.stamps = false;
	spec.mss = most;
	spec.payload = (uint16_t)RTE_MIN((uint32_t)LONG_PAYLOAD, 40u * most);
	spec.what = ip == 4 ? "a long packet of TCP over IPv4" : "a long packet of TCP over IPv6";
	put_owing(t, &spec);
}

static void put_round(struct test *t, unsigned int offload)
{
	t->n = 0;
	put(t, &fence);
	switch (offload) {
	case VS_OFFLOAD_CSUM:
		put_csum(t);
		break;
	case VS_OFFLOAD_TSO4:
		put_tso(t, 4);
		break;
	case VS_OFFLOAD_TSO6:
		put_tso(t, 6);
		break;
	default:
		put_loop(t);
	}
	put(t, &fence);
}

/* ---- one try */

static bool is_back(const struct vs_selftest_packet *p)
{
	return p->seen == (UINT64_C(1) << p->n) - 1;
}

static void enter(struct test *t)
{
	const struct vs_selftest_got *got = &t->got;
	const uint16_t serial = vs_selftest_serial(got);
	const uint16_t first = t->packet[0].serial;
	char why[sizeof(t->wrong)];
	unsigned int i;

	/* Of a try before this one, and late; or of somebody else. */
	i = (unsigned int)serial - first;
	if (serial < first || i >= t->n)
		return;
	t->came++;
	if (got->said == VS_SELFTEST_SAID_GOOD)
		t->said[i] = got->said;
	if (vs_selftest_judge(&t->packet[i], &t->back, got, t->scratch, why, sizeof(why)))
		return;
	if (!t->wrong[0])
		memcpy(t->wrong, why, sizeof(why));
}

/* Take what comes until @until, or until the last fence is back. Return: is it? */
static bool collect(struct test *t, uint64_t until, bool to_the_fence)
{
	const struct vs_selftest_ops *ops = t->config->ops;
	const struct vs_selftest_packet *last = &t->packet[t->n - 1];

	for (;;) {
		const bool got = ops->receive(t->config->dev, &t->got);

		if (got)
			enter(t);
		if (to_the_fence && is_back(last))
			return true;
		/* However many frames somebody sends to the test. */
		if (ops->now_us(t->config->dev) >= until)
			return is_back(last);
		if (!got)
			ops->pause(t->config->dev);
	}
}

static enum outcome try_once(struct test *t, unsigned int offload)
{
	const struct vs_selftest_ops *ops = t->config->ops;
	void *dev = t->config->dev;
	uint32_t before = t->came;
	unsigned int i;

	put_round(t, offload);
	t->wrong[0] = '\0';
	for (i = 0; i < t->n; i++) {
		t->packet[i].serial = t->next_serial++;
		t->said[i] = VS_SELFTEST_SAID_NOTHING;
		vs_selftest_make(&t->packet[i], &t->out, t->bytes[i], &t->ext[i], &t->pkt[i]);
	}
	if (ops->send(dev, t->pkt, t->n) != 0)
		return LOOP_CLOSED;
	t->sent += t->n;
	if (!collect(t, ops->now_us(dev) + WAIT_US, true))
		return t->came == before ? LOOP_NONE : LOOP_TORN;
	(void)collect(t, ops->now_us(dev) + LINGER_US, false);
	for (i = 0; i < t->n; i++) {
		if (t->packet[i].spec.kind == VS_SELFTEST_WHOLE && !is_back(&t->packet[i]))
			return LOOP_TORN;
	}
	return LOOP_HOLDS;
}

/* Packets of which frames are missing; damaged ones are not counted. */
static uint64_t missing_of(const struct test *t)
{
	uint64_t bits = 0;
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		if (t->packet[i].spec.kind != VS_SELFTEST_DAMAGED && !is_back(&t->packet[i]))
			bits |= UINT64_C(1) << i;
	}
	return bits;
}

static uint64_t twice_of(const struct test *t)
{
	uint64_t bits = 0;
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		if (t->packet[i].twice)
			bits |= UINT64_C(1) << i;
	}
	return bits;
}

/*
 * A round, tried again while frames are missing or come twice.
 * Return: LOOP_HOLDS: a try was without fault, or each had the faults in @t->missing and @t->twice.
 */
static enum outcome try_often(struct test *t, unsigned int offload)
{
	enum outcome outcome;
	bool torn = false;
	unsigned int i;

	t->missing = UINT64_MAX;
	t->twice = UINT64_MAX;
	for (i = 0; i < TRIES; i++) {
		outcome = try_once(t, offload);
		if (t->wrong[0] || outcome == LOOP_CLOSED)
			return outcome;
		torn |= outcome == LOOP_TORN;
		if (outcome != LOOP_HOLDS)
			continue;
		t->missing &= missing_of(t);
		t->twice &= twice_of(t);
		if (!missing_of(t) && !twice_of(t))
			return LOOP_HOLDS;
	}
	/* Faults that were another packet's each time are the link's. */
	if (torn || (outcome == LOOP_HOLDS && !t->missing && !t->twice))
		return LOOP_TORN;
	return outcome;
}

/* ---- conclusions */

static const char *outcome_text(enum outcome outcome)
{
	switch (outcome) {
	case LOOP_NONE:
		return "nothing came back: plug in a loop, or name a partner that returns frames "
		       "with their addresses exchanged (partner MAC)";
	case LOOP_TORN:
		return "the loop loses frames that owe nothing, too: test again when it is quiet";
	case LOOP_CLOSED:
		return "no worker came by to send: is the port up?";
	case LOOP_HOLDS:
		break;
	}
	return "";
}

/* What keeps the loop from being a witness, in @why; "": nothing. */
static void check_loop(struct test *t, char *why, size_t size)
{
	enum outcome outcome = try_often(t, 0);

	why[0] = '\0';
	if (t->wrong[0])
		(void)snprintf(why, size, "the loop changes frames that owe nothing: %s", t->wrong);
	else if (outcome != LOOP_HOLDS)
		(void)snprintf(why, size, "%s", outcome_text(outcome));
	else if (t->twice)
		(void)snprintf(why, size,
			       "frames that owe nothing come back twice: this loop is no witness");
}

static void refuse_all(struct vs_selftest_report *report, const char *why)
{
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		struct vs_selftest_row *row = &report->row[i];

		if (row->verdict == VS_SELFTEST_NOT_TESTED)
			(void)snprintf(row->why, sizeof(row->why), "%s", why);
	}
}

static void judge(struct vs_selftest_row *row, enum vs_selftest_verdict verdict)
{
	row->verdict = verdict;
	if (verdict == VS_SELFTEST_GOOD)
		row->why[0] = '\0';
}

/* Of the round of the loop, which held. */
static void judge_verify(const struct test *t, struct vs_selftest_row *row)
{
	unsigned int came = 0;
	unsigned int i;

	if (row->verdict == VS_SELFTEST_NOT_CLAIMED)
		return;
	row->sent = t->sent;
	row->back = t->came;
	for (i = 0; i < t->n; i++) {
		const struct vs_selftest_packet *p = &t->packet[i];

		if (p->spec.kind != VS_SELFTEST_DAMAGED)
			continue;
		came += is_back(p);
		if (t->said[i] != VS_SELFTEST_SAID_GOOD)
			continue;
		judge(row, VS_SELFTEST_BAD);
		(void)snprintf(row->why, sizeof(row->why), "it calls %s good", p->spec.what);
		return;
	}
	judge(row, came == RTE_DIM(kinds) ? VS_SELFTEST_GOOD : VS_SELFTEST_NOT_TESTED);
	if (came < RTE_DIM(kinds))
		(void)snprintf(row->why, sizeof(row->why),
			       "the loop returns no frames with a wrong checksum, so none could be "
			       "shown to the device");
}

static void judge_round(const struct test *t, enum outcome outcome, struct vs_selftest_row *row)
{
	const int missing = __builtin_popcountll(t->missing);
	const int twice = __builtin_popcountll(t->twice);

	if (t->wrong[0]) {
		judge(row, VS_SELFTEST_BAD);
		(void)snprintf(row->why, sizeof(row->why), "%s", t->wrong);
	} else if (outcome != LOOP_HOLDS) {
		(void)snprintf(row->why, sizeof(row->why), "%s", outcome_text(outcome));
	} else if (missing) {
		judge(row, VS_SELFTEST_BAD);
		(void)snprintf(row->why, sizeof(row->why),
			       "of %d packets nothing came back, or not all, in %u tries, while "
			       "frames that owe nothing did",
			       missing, TRIES);
	} else if (twice) {
		judge(row, VS_SELFTEST_BAD);
		(void)snprintf(row->why, sizeof(row->why),
			       "%d packets came back twice, or a part of them, in %u tries, while "
			       "frames that owe nothing did not",
			       twice, TRIES);
	} else {
		judge(row, VS_SELFTEST_GOOD);
	}
}

static void run(struct test *t, struct vs_selftest_report *report)
{
	static const unsigned int rounds[] = {VS_OFFLOAD_CSUM, VS_OFFLOAD_TSO4, VS_OFFLOAD_TSO6};
	char why[sizeof(report->row[0].why)];
	unsigned int i;

	check_loop(t, why, sizeof(why));
	if (why[0]) {
		refuse_all(report, why);
		return;
	}
	judge_verify(t, row_of(report, VS_OFFLOAD_VERIFY));
	for (i = 0; i < RTE_DIM(rounds); i++) {
		struct vs_selftest_row *row = row_of(report, rounds[i]);

		if (row->verdict == VS_SELFTEST_NOT_CLAIMED)
			continue;
		t->sent = 0;
		t->came = 0;
		judge_round(t, try_often(t, rounds[i]), row);
		row->sent = t->sent;
		row->back = t->came;
	}
}

int vs_selftest_run(const struct vs_selftest_config *config, struct vs_selftest_report *ret_report)
{
	const bool partner = !rte_is_zero_ether_addr(&config->partner);
	struct test *t;

	vs_selftest_begin(config->claims, "", ret_report);
	if (!(config->claims &
	      (VS_OFFLOAD_CSUM | VS_OFFLOAD_TSO4 | VS_OFFLOAD_TSO6 | VS_OFFLOAD_VERIFY)))
		return 0;
	if (config->mtu < VS_SELFTEST_MTU_MIN) {
		refuse_all(ret_report, "the MTU is below 400: the frames of the test do not fit");
		return 0;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->config = config;
	t->next_serial = SERIAL_FIRST;
	t->out.from = config->own;
	t->out.to = partner ? config->partner : config->own;
	t->back.from = t->out.to;
	t->back.to = config->own;
	run(t, ret_report);
	free(t);
	return 0;
}
