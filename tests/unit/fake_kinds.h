/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kinds of ports that make nothing: the program has its own vs_kind_of() and leads the model to
 * these. A test sees what the model asked of them, and lets them fail.
 */
#ifndef TESTS_UNIT_FAKE_KINDS_H
#define TESTS_UNIT_FAKE_KINDS_H

#include "control/port_kind.h"
#include "tests/unit/model_fixture.h"

/**
 * struct fk_kind - one kind: what was asked of it, and what it answers
 * @made, @deleted, @left:	calls of make() that worked, of del(), of leave()
 * @set, @shared:	calls of set() and share() that worked
 * @change:	of the last set(); what it points to may be gone
 * @force:	of the last make()
 * @share:	of the last share(), or that of the switch at make()
 * @make_fails, @set_fails, @share_fails: what the call returns; 0: it works
 * @sorted, @wishes: calls of sort(), and filters at the last one
 * @sort_fails:	what sort() returns; 0: it works
 * @node1:	NUMA node of its devices and 1; 0: they have none
 * @bad_place:	make() fails only there; NULL: everywhere, if @make_fails
 */
struct fk_kind {
	unsigned int made;
	unsigned int deleted;
	unsigned int left;
	unsigned int set;
	unsigned int shared;
	struct vs_port_change change;
	bool force;
	enum vs_share share;
	int make_fails;
	int set_fails;
	int share_fails;
	unsigned int sorted;
	unsigned int wishes;
	int sort_fails;
	unsigned int node1;
	const char *bad_place;
};

/** fk - by kind of port (enum vs_port_kind) */
extern struct fk_kind fk[VS_PORT_KINDS];

/** fk_missing - a kind that this program does not have; 0: it has all */
extern enum vs_port_kind fk_missing;

/** fk_setup() - mf_setup() with fake kinds that nobody has asked anything; for FK_TEST. */
int fk_setup(void **state);

/** fk_switch() - make a switch; @uplink NULL unless it is external. */
struct vs_switch *fk_switch(struct mf *f, const char *name, enum vs_switch_kind kind,
			    const char *uplink);

/** fk_spec() - a port of a fake kind, whose place is named after it. */
struct vs_port_spec fk_spec(const char *name, const char *sw, enum vs_port_kind kind);

/** fk_port() - make a port, which is up. */
struct vs_port *fk_port(struct mf *f, const char *name, const char *sw, enum vs_port_kind kind);

/** fk_guest() - make a guest port in VLANs @vlans (NULL: untagged), which is up. */
struct vs_port *fk_guest(struct mf *f, const char *name, const char *sw,
			 const struct vs_vlans *vlans);

/** fk_access() - VLANs of an access port. */
const struct vs_vlans *fk_access(uint16_t vid);

/** fk_trunk() - VLANs @first to @last, native @native. */
const struct vs_vlans *fk_trunk(uint16_t first, uint16_t last, uint16_t native);

/** fk_link() - the other side of the port comes or goes. */
void fk_link(struct vs_port *port, bool up);

/** fk_move() - move a port to another switch. Return: what vs_port_set() said. */
int fk_move(struct mf *f, const char *port, const char *sw);

/** fk_vlans() - change the VLANs of a port. Return: what vs_port_set() said. */
int fk_vlans(struct mf *f, const char *port, const struct vs_vlans *vlans);

/** fk_cluster() - change the cluster address of a port; @n 0: none. Return: as fk_vlans(). */
int fk_cluster(struct mf *f, const char *port, unsigned int n);

/** fk_static() - add a static address. Return: what vs_fdb_add_static() said. */
int fk_static(struct mf *f, const char *sw, const char *port, unsigned int n, uint16_t vlan);

/** fk_unstatic() - remove a static address. Return: what vs_fdb_del_static() said. */
int fk_unstatic(struct mf *f, const char *sw, unsigned int n, uint16_t vlan);

/**
 * fk_domain() - members of a broadcast domain, "a b | c": those behind | get no unknown unicast.
 */
const char *fk_domain(struct mf *f, const char *sw, uint16_t vlan);

/** fk_group() - members of the cluster of address @n, "a b"; "none" if there is no such entry. */
const char *fk_group(struct mf *f, const char *sw, uint16_t vlan, unsigned int n);

#define FK_TEST(name) cmocka_unit_test_setup_teardown(name, fk_setup, mf_teardown)

/* Run @call, which is refused, and see that nothing changed and nobody was told. */
#define fk_refused(f, call, error, attr, says)                    \
	do {                                                      \
		char *before_ = mf_show(f);                       \
		char *after_;                                     \
		mf_forget(f);                                     \
		mf_refused((f), (call), (error), (attr), (says)); \
		after_ = mf_show(f);                              \
		assert_string_equal(after_, before_);             \
		free(before_);                                    \
		free(after_);                                     \
		mf_no_more(f);                                    \
	} while (0)

/*
 * Let each allocation of @call fail in turn: it is refused and nothing changes, or it copes. With
 * memory it works.
 */
#define fk_without_memory(f, call)                                                \
	do {                                                                      \
		int n_, left_, got_;                                              \
		mf_forget(f);                                                     \
		for (n_ = 0;; n_++) {                                             \
			char *before_ = mf_show(f), *after_;                      \
			memset(&(f)->fail, 0, sizeof((f)->fail));                 \
			mf_alloc_fails = n_;                                      \
			got_ = (call);                                            \
			left_ = mf_alloc_fails;                                   \
			mf_alloc_fails = -1;                                      \
			after_ = mf_show(f);                                      \
			if (left_ < 0) {                                          \
				assert_int_equal(got_, -ENOMEM);                  \
				assert_non_null(strstr((f)->fail.text, "emory")); \
				assert_string_equal(after_, before_);             \
				mf_no_more(f);                                    \
			}                                                         \
			free(before_);                                            \
			free(after_);                                             \
			if (left_ >= 0)                                           \
				break;                                            \
		}                                                                 \
		assert_int_equal(got_, 0);                                        \
		assert_true(n_ >= 1);                                             \
		mf_forget(f);                                                     \
	} while (0)

#endif
