/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real model on an event loop, with one worker that does not run unless a test starts it. The
 * test plays the worker: it pushes events and counts.
 */
#ifndef TESTS_UNIT_MODEL_FIXTURE_H
#define TESTS_UNIT_MODEL_FIXTURE_H

#include "control/model_priv.h"
#include "control/proto.h"

enum {
	MF_NOTICES = 64,
	MF_ANY_ATTR = 0xffff,
};

/** struct mf_notice - a notice that came */
struct mf_notice {
	enum vs_notice_type type;
	char sw[VS_NAME_MAX];
	char port[VS_NAME_MAX];
	struct rte_ether_addr mac;
	char text[256];
};

/**
 * struct mf - the fixture
 * @notice:	what came since it was last looked at, the first MF_NOTICES of it
 */
struct mf {
	struct event_base *base;
	struct vs_rcu rcu;
	struct vs_worker *worker;
	struct vs_model *m;
	struct vs_fail fail;
	struct mf_notice notice[MF_NOTICES];
	unsigned int notices;
	char dir[32];
};

/** mf_alloc_fails - the call of calloc or aligned_alloc after that many more fails; -1: none */
extern int mf_alloc_fails;

/** mf_group() - EAL, for cmocka's group. */
int mf_group(void **state);

/** mf_setup(), mf_teardown() - one test's model. */
int mf_setup(void **state);
int mf_teardown(void **state);

/** mf_refused() - the call gave @error, blames @attr, and says @says. */
void mf_refused(struct mf *f, int got, int error, uint16_t attr, const char *says);

/** mf_switch() - make a switch. */
void mf_switch(struct mf *f, const char *name);

/** mf_spec() - a guest port @name of @sw, a client of a socket of the same name. */
struct vs_port_spec mf_spec(struct mf *f, const char *name, const char *sw);

/** mf_port() - make a port. */
struct vs_port *mf_port(struct mf *f, const char *name, const char *sw);

/** mf_set() - change a port, which works. */
void mf_set(struct mf *f, const char *name, struct vs_port_change change);

/** mf_mac() - address number @n. */
struct rte_ether_addr mf_mac(unsigned int n);

/** mf_sees() - as the worker: @n addresses from number @first on were seen at @port. */
void mf_sees(struct mf *f, uint16_t port, uint16_t fid, unsigned int first, unsigned int n);

/** mf_event() - as the worker: push an event. */
void mf_event(struct mf *f, enum vs_event_type type, uint16_t port);

/** mf_turn() - as the worker, ring the bell; then let the model take its events. */
void mf_turn(struct mf *f);

/** mf_next() - the next notice is of @type, about @sw and @port. Return: it. */
const struct mf_notice *mf_next(struct mf *f, enum vs_notice_type type, const char *sw,
				const char *port);

/** mf_no_more() - there is no notice that was not looked at. */
void mf_no_more(struct mf *f);

/** mf_forget() - let notices that came so far be. */
void mf_forget(struct mf *f);

/** mf_show() - everything that can be shown, as text; the caller frees it. */
char *mf_show(struct mf *f);

/** mf_entry_on() - the entry of address @n on VLAN @vlan of switch @sw, or NULL. */
struct vs_fdb_entry *mf_entry_on(struct mf *f, const char *sw, uint16_t vlan, unsigned int n);

/** mf_entry() - the same on the untagged VLAN. */
struct vs_fdb_entry *mf_entry(struct mf *f, const char *sw, unsigned int n);

#define MF_TEST(name) cmocka_unit_test_setup_teardown(name, mf_setup, mf_teardown)

#endif
