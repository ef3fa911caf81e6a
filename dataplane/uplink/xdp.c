/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * Taking an interface goes in this order, so that at each point a dead switch leaves something that
 * can be put back, and the interface always has a program that knows what to do:
 *
 *	1. look: is it of use, and free?
 *	2. write down what it is like (saved.c), then change it
 *	3. sockets on all its queues; nothing comes yet
 *	4. load the programs, enter the sockets, tell the programs
 *	5. with sharing, the TAP and its filters
 *	6. attach the program, or exchange the one a killed switch left
 *
 * Giving it back is the same in reverse, and release() does it from any point: what was not made
 * yet has its "none" value.
 */
#include "dataplane/uplink/xdp_obj.h"

#include "dataplane/core/log.h"
#include "dataplane/uplink/nic.h"
#include "dataplane/uplink/xdp_pin.h"
#include "dataplane/uplink/xdp_why.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_queues(struct vs_xdp *x, struct vs_xdp_why *why)
{
	int n = vs_nic_queues(x->link.index);
	uint32_t mtu_max;
	int err;

	if (n <= 0)
		n = (int)x->link.rx_queues;
	if (n < 1)
		n = 1;
	if (n > VS_BPF_HW_QUEUES_MAX)
		return vs_xdp_refuse(
			-E2BIG, why,
			"interface %s has %d queues, an uplink at most %d (ethtool -L %s "
			"combined %d)",
			x->link.name, n, VS_BPF_HW_QUEUES_MAX, x->link.name, VS_BPF_HW_QUEUES_MAX);
	err = vs_xq_set_open(x->link.name, (uint32_t)n, &x->set, why);
	if (err)
		return err;
	mtu_max = vs_xq_frame_max(&x->set) - RTE_ETHER_HDR_LEN - RTE_VLAN_HLEN;
	if (x->link.mtu > mtu_max)
		return vs_xdp_refuse(
			-EMSGSIZE, why,
			"interface %s has MTU %u, an uplink here at most %u%s (ip link set dev %s "
			"mtu %u)",
			x->link.name, x->link.mtu, mtu_max,
			x->set.multi_buffer
				? ""
				: ": frames of several buffers take kernel 6.6 or later",
			x->link.name, RTE_MIN(mtu_max, (uint32_t)RTE_ETHER_MTU));
	return 0;
}

static int enter_sockets(struct vs_xdp *x)
{
	uint32_t i;
	int err = 0;

	for (i = 0; !err && i < x->set.n; i++)
		err = vs_xprog_set_socket(&x->prog, vs_bpf_socket(0, i), x->set.queue[i].fd);
	return err;
}

static int start_programs(struct vs_xdp *x, enum vs_xdp_share share, struct vs_xdp_why *why)
{
	int err;

	err = vs_xprog_load(x->env.rundir, &x->link,
			    x->set.multi_buffer ? VS_XPROG_FRAGS : VS_XPROG_ONE_BUFFER, &x->prog,
			    why);
	if (err)
		return err;
	err = enter_sockets(x);
	if (err)
		return vs_xdp_refuse(err, why, "cannot enter the sockets of interface %s: %s",
				     x->link.name, strerror(-err));
	if (share == VS_XDP_SHARED) {
		err = vs_xdp_share_begin(x, why);
		if (err)
			return err;
	} else {
		if (x->saved.leftover)
			vs_xprog_detach_tc(x->link.index, x->saved.clsact);
		err = vs_xdp_tell_programs(x);
		if (err)
			return vs_xdp_refuse(err, why, "cannot tell the programs: %s",
					     strerror(-err));
	}
	return vs_xprog_attach(&x->prog, &x->link, why);
}

/* Give back whatever there is; no worker knows @x any more. */
static void release(struct vs_xdp *x)
{
	vs_link_watch_del(x->watch);
	if (x->share == VS_XDP_SHARED)
		vs_xdp_share_end(x);
	vs_xprog_unload(&x->prog);
	vs_xdp_queues_free(x);
	vs_xq_set_close(&x->set);
	if (x->promisc_fd >= 0)
		(void)close(x->promisc_fd);
	if (x->saved.fd >= 0) {
		/* Also pins that were not taken over, if it did not come to that. */
		vs_xprog_remove_pins(x->env.rundir, x->saved.ifindex);
		if (!x->gone)
			vs_xdp_restore(&x->saved);
		vs_saved_remove(&x->saved);
		vs_xpin_leave(x->env.rundir);
	}
	free(x);
}

/* Words for workers. */
static void show_workers(struct vs_xdp *x)
{
	bool wire = !x->gone && (x->link.flags & IFF_UP) && x->link.carrier;
	uint64_t mac = 0;

	memcpy(&mac, &x->link.mac, sizeof(x->link.mac));
	__atomic_store_n(&x->mac, mac, __ATOMIC_RELAXED);
	__atomic_store_n(&x->mtu, x->link.mtu, __ATOMIC_RELAXED);
	__atomic_store_n(&x->wire, wire, __ATOMIC_RELAXED);
}

static uint32_t wrong_features(const struct vs_xdp *x)
{
	struct vs_nic_features now = {0};

	return vs_nic_get_features(x->link.index, &now) == 0 ? now.on : 0;
}

/* The file says by its name which interface it is about: it must go by the new one. */
static void follow_name(struct vs_xdp *x)
{
	int err;

	if (strcmp(x->saved.ifname, x->link.name) == 0)
		return;
	vs_log(VS_LOG_INFO, "port %s: interface %s is called %s now", x->name, x->saved.ifname,
	       x->link.name);
	memcpy(x->saved.ifname, x->link.name, sizeof(x->saved.ifname));
	err = vs_saved_write(&x->saved);
	if (err)
		vs_log(VS_LOG_WARNING, "port %s: cannot write %s: %s", x->name, x->saved.path,
		       strerror(-err));
}

static bool differs(const struct vs_link *a, const struct vs_link *b)
{
	return (a->flags & IFF_UP) != (b->flags & IFF_UP) || a->carrier != b->carrier ||
	       a->mtu != b->mtu || a->prog_id != b->prog_id ||
	       !rte_is_same_ether_addr(&a->mac, &b->mac);
}

/* The interface may have changed. */
static void on_link(void *ctx)
{
	struct vs_xdp *x = ctx;
	struct vs_link before = x->link;
	uint32_t wrong_before = x->features_wrong;
	bool was_gone = x->gone;
	struct vs_link now;
	int err = vs_link_get(NULL, x->link.index, &now);

	if (err && err != -ENODEV)
		return;
	x->gone = was_gone || err;
	if (!err) {
		x->link = now;
		x->features_wrong = wrong_features(x);
		follow_name(x);
	}
	show_workers(x);
	if (!x->gone && !rte_is_same_ether_addr(&before.mac, &x->link.mac))
		(void)vs_xdp_tell_programs(x);
	if (!x->gone && x->tap.index && before.mtu != x->link.mtu)
		(void)vs_link_set_mtu(x->tap.index,
				      RTE_MIN(x->link.mtu, (uint32_t)VS_XTAP_MTU_MAX));
	if (!differs(&before, &x->link) && wrong_before == x->features_wrong && was_gone == x->gone)
		return;
	vs_log_limited(&x->limit, VS_LOG_INFO, "port %s: interface %s is %s", x->name, x->link.name,
		       vs_xdp_state_name(vs_xdp_state_of(x)));
	if (x->changed)
		x->changed(x->ctx);
}

static int start(struct vs_xdp *x, const struct vs_xdp_config *config, struct vs_xdp_why *why)
{
	int err;

	err = vs_xdp_claim(x, config, why);
	if (err)
		return err;
	show_workers(x);
	err = open_queues(x, why);
	if (!err)
		err = start_programs(x, config->share, why);
	if (err)
		return err;
	err = vs_link_watch_new(x->env.base, x->link.index, on_link, x, &x->watch);
	if (err)
		return vs_xdp_refuse(err, why, "cannot watch interface %s: %s", x->link.name,
				     strerror(-err));
	/* What happened before the watch began, and the program's own id. */
	err = vs_link_get(NULL, x->link.index, &x->link);
	if (err)
		return vs_xdp_refuse(err, why, "interface %s went away", config->ifname);
	show_workers(x);
	return 0;
}

int vs_xdp_new(const struct vs_xdp_env *env, const struct vs_xdp_config *config,
	       struct vs_xdp **ret_xdp, struct vs_xdp_why *ret_why)
{
	struct vs_xdp *x = calloc(1, sizeof(*x));
	unsigned int i;
	int err;

	ret_why->text[0] = '\0';
	if (!x)
		return vs_xdp_refuse(-ENOMEM, ret_why, "no memory for an uplink");
	x->env = *env;
	x->port = config->port;
	x->changed = config->changed;
	x->ctx = config->ctx;
	x->share = VS_XDP_ALONE;
	x->limit = (struct vs_log_limit){.burst = 8, .interval_s = 10};
	x->tap = VS_XTAP_NONE;
	x->prog = VS_XPROG_NONE;
	x->promisc_fd = -1;
	x->saved.fd = -1;
	for (i = 0; i < RTE_DIM(x->queue); i++)
		x->queue[i].port = VS_VMQ_DEFAULT;
	(void)snprintf(x->name, sizeof(x->name), "%s", config->name);
	err = start(x, config, ret_why);
	if (err) {
		release(x);
		return err;
	}
	vs_log(VS_LOG_INFO, "port %s: interface %s taken, %u queue%s, %s XDP, %s%s%s", x->name,
	       x->link.name, x->set.n, x->set.n == 1 ? "" : "s",
	       x->prog.native ? "native" : "generic", x->set.zero_copy ? "zero copy" : "copying",
	       x->share == VS_XDP_SHARED ? ", shared with the host" : "",
	       x->prog.taken_over ? ", taken over from a switch that was killed" : "");
	*ret_xdp = x;
	return 0;
}

void vs_xdp_del(struct vs_xdp *x)
{
	vs_rcu_synchronize(x->env.rcu);
	release(x);
}

bool vs_xdp_is_up(const struct vs_xdp *x)
{
	if (x->gone || !(x->link.flags & IFF_UP))
		return false;
	return x->share == VS_XDP_SHARED || x->wire;
}

unsigned int vs_xdp_pairs(const struct vs_xdp *x)
{
	if (x->sorting)
		return x->set.n + 1 + x->n_queues * x->set.n;
	return x->set.n + (x->share == VS_XDP_SHARED ? 1 : 0);
}

uint32_t vs_xdp_mtu(const struct vs_xdp *x)
{
	return x->link.mtu;
}

void vs_xdp_mac(const struct vs_xdp *x, struct rte_ether_addr *ret_mac)
{
	*ret_mac = x->link.mac;
}

int vs_xdp_set_share(struct vs_xdp *x, enum vs_xdp_share share, struct vs_xdp_why *ret_why)
{
	int err = 0;

	ret_why->text[0] = '\0';
	if (share == x->share)
		return 0;
	if (x->gone)
		return vs_xdp_refuse(-ENODEV, ret_why, "interface %s was removed", x->link.name);
	if (share == VS_XDP_SHARED)
		err = vs_xdp_share_begin(x, ret_why);
	else
		vs_xdp_share_end(x);
	return err;
}
