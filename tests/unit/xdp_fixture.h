/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An xdp uplink in network namespaces of its own: "nic" is the interface that becomes the uplink,
 * "w0", in another namespace, the other end of its wire, where the test is a station of its own.
 * Included after cmocka.h.
 */
#ifndef TESTS_UNIT_XDP_FIXTURE_H
#define TESTS_UNIT_XDP_FIXTURE_H

#include "dataplane/uplink/uplink.h"
#include "dataplane/uplink/xdp_obj.h"

#include <event2/event.h>

enum {
	/* Local experimental EtherType (IEEE 802.1Q, 9.2.3): nobody else's frames have it. */
	TEST_TYPE = 0x88b5,
	FRAME_MAX = 9018,
	QUEUES = 2,
};

/** struct wire - what a test has, see above */
struct wire {
	struct event_base *base;
	struct vs_rcu rcu;
	struct vs_xdp_env env;
	struct vs_xdp *x;
	struct vs_xdp_why why;
	struct rte_ether_addr nic_mac;
	int home; /* namespaces */
	int outside;
	int station; /* packet socket on w0 */
	unsigned int changes;
	unsigned int n_fds;
	char rundir[64];
};

/** What a test is skipped for, or NULL. */
extern const char *wire_missing;

/** wire_group_setup() - namespaces for all tests of a program. */
int wire_group_setup(void **state);

/** wire_setup() - a new pair of interfaces. */
int wire_setup(void **state);

/** wire_teardown() - remove them; fails if anything is left. */
int wire_teardown(void **state);

/** sh() - run a shell command. Return: its result. */
int sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** sh_says() - does a shell command succeed? For conditions. */
#define sh_says(...) (sh(__VA_ARGS__) == 0)

/** outside() - run a shell command where the other end of the wire is. */
#define outside(fmt, ...) sh("ip netns exec wire " fmt, ##__VA_ARGS__)

/** take() - make the uplink. Return: what vs_xdp_new() says. */
int take(struct wire *w, enum vs_xdp_share share);

/** give_back() - delete it. */
void give_back(struct wire *w);

/** Turn the event loop once, for at most 5 ms. */
void turn(struct wire *w);

uint64_t now_ms(void);

/** Turn the event loop until @condition holds; fail after 10 s. */
#define until(w, condition)                                        \
	do {                                                       \
		uint64_t deadline = now_ms() + 10000;              \
		while (!(condition)) {                             \
			if (now_ms() > deadline)                   \
				fail_msg("never: %s", #condition); \
			turn(w);                                   \
		}                                                  \
	} while (0)

/** make_frame() - @len bytes to @dst from @src, of the test's type, that @seed decides. */
void make_frame(uint8_t *frame, uint32_t len, const char *dst, const char *src, uint32_t seed);

/** station_send() - from the other end of the wire. */
void station_send(struct wire *w, const uint8_t *frame, uint32_t len);

/**
 * station_get() - the next frame of the test's type (tagged or not).
 * Return: bytes, 0 after @ms.
 */
uint32_t station_get(struct wire *w, uint8_t frame[FRAME_MAX], int ms);

/**
 * switch_get() - what the next frame of the test's type is that the uplink receives
 * Return: bytes, or 0 after @ms. *@ret_pair is where it came from.
 */
uint32_t switch_get(struct wire *w, uint8_t frame[FRAME_MAX], unsigned int *ret_pair, int ms);

/** switch_send() - one frame through the uplink. Return: its fate. */
enum vs_drop switch_send(struct wire *w, const uint8_t *frame, uint32_t len);

#endif
