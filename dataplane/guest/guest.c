/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/guest/guest_obj.h"

#include "dataplane/core/clock.h"
#include "dataplane/core/stats.h"

#include <rte_common.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* After SET_FEATURES a VMM that shares memory sends its table within milliseconds. */
	TABLE_WAIT_MS = 1000,
	/* Probes in a row, half a second apart, that saw a kick and nothing but zeros. */
	UNSHARED_PROBES = 3,
};

/*
 * QEMU 7.2 whose RAM has no file descriptor sends SET_FEATURES and then no SET_MEM_TABLE (it
 * falls back to a device without a network); so do newer ones for RAM that is not shared, while
 * 7.2 sends a table of private mappings for that, in which the rings stay empty.
 */
static const char not_shared[] =
	"guest memory is not shared: QEMU needs -object memory-backend-memfd,id=mem,size=SIZE,"
	"share=on -numa node,memdev=mem (libvirt: memoryBacking, access shared)";

static_assert(sizeof(not_shared) <= sizeof(((struct vs_guest_info *)NULL)->problem), "cut off");

const char *vs_guest_state_name(enum vs_guest_state state)
{
	switch (state) {
	case VS_GUEST_WAITING:
		return "waiting";
	case VS_GUEST_CONNECTED:
		return "connected";
	case VS_GUEST_NO_MEMORY:
		return "no-memory";
	case VS_GUEST_RUNNING:
		return "running";
	case VS_GUEST_BROKEN:
		return "broken";
	}
	return "unknown";
}

static bool memory_is_missing(const struct vs_guest *guest)
{
	const struct vs_vhost *dev = &guest->dev;

	if (dev->mem)
		return guest->unshared >= UNSHARED_PROBES;
	if (dev->empty_table)
		return true;
	return dev->has_features && vs_clock_ms() - dev->features_ms >= TABLE_WAIT_MS;
}

static enum vs_guest_state state_of(const struct vs_guest *guest)
{
	if (!guest->conn)
		return guest->violated ? VS_GUEST_BROKEN : VS_GUEST_WAITING;
	if (guest->dev.broken)
		return VS_GUEST_BROKEN;
	if (memory_is_missing(guest))
		return VS_GUEST_NO_MEMORY;
	return guest->dev.tx_pairs ? VS_GUEST_RUNNING : VS_GUEST_CONNECTED;
}

void vs_guest_moderate(struct vs_guest *guest, enum vs_guest_mod level)
{
	vs_vhost_moderate(&guest->dev, level);
}

bool vs_guest_is_up(const struct vs_guest *guest)
{
	return state_of(guest) == VS_GUEST_RUNNING;
}

unsigned int vs_guest_pairs(const struct vs_guest *guest)
{
	unsigned int pairs = guest->dev.rx_pairs | guest->dev.tx_pairs;

	return pairs ? 32 - (unsigned int)__builtin_clz(pairs) : 0;
}

void vs_guest_settle(struct vs_guest *guest)
{
	struct vs_guest_told now = {
		.state = state_of(guest),
		.pairs = vs_guest_pairs(guest),
		.mtu = guest->dev.mtu,
		.faults = guest->dev.faults,
	};

	if (now.state == guest->told.state && now.pairs == guest->told.pairs &&
	    now.mtu == guest->told.mtu && now.faults == guest->told.faults)
		return;
	if (now.state != guest->told.state)
		vs_log_limited(&guest->dev.limit, VS_LOG_INFO, "port %s: %s", guest->name,
			       vs_guest_state_name(now.state));
	guest->told = now;
	if (guest->changed)
		guest->changed(guest->ctx);
}

void vs_guest_check(struct vs_guest *guest)
{
	if (guest->busy) {
		guest->check_later = true;
		return;
	}
	if (guest->conn && vs_vhost_check(&guest->dev)) {
		vs_guest_link_drop(guest);
		return;
	}
	vs_guest_settle(guest);
}

static void waiting_for(const struct vs_guest *guest, char *text, size_t size)
{
	if (guest->mode == VS_GUEST_SERVER) {
		(void)snprintf(text, size,
			       "no VMM has connected to the socket "
			       "('port show NAME --qemu' prints how)");
	} else if (!guest->connect_error || guest->connect_error == ENOENT ||
		   guest->connect_error == ECONNREFUSED) {
		(void)snprintf(text, size,
			       "nobody listens on the socket: start QEMU with server=on "
			       "('port show NAME --qemu' prints how)");
	} else {
		(void)snprintf(text, size, "cannot connect to the socket: %s",
			       strerror(guest->connect_error));
	}
}

static void describe(const struct vs_guest *guest, enum vs_guest_state state, char *text,
		     size_t size)
{
	text[0] = '\0';
	if (state == VS_GUEST_NO_MEMORY)
		(void)snprintf(text, size, "%s", not_shared);
	else if (state == VS_GUEST_WAITING)
		waiting_for(guest, text, size);
	else if (!guest->conn)
		(void)snprintf(text, size, "connection closed: %s", guest->closed_for);
	else if (guest->dev.problem[0])
		(void)snprintf(text, size, "%s", guest->dev.problem);
	else if (state == VS_GUEST_CONNECTED && guest->closed_for[0])
		(void)snprintf(text, size, "last connection closed: %s", guest->closed_for);
	else if (state == VS_GUEST_CONNECTED)
		(void)snprintf(text, size, "the guest has not started its network driver");
}

static void count_pairs(const struct vs_guest *guest, struct vs_guest_info *info)
{
	const struct vs_vring *vring = guest->dev.vring;
	uint32_t i;

	info->pairs_on = guest->dev.tx_pairs;
	info->n_pairs = vs_guest_pairs(guest);
	for (i = 0; i < VS_GUEST_PAIRS_MAX; i++) {
		info->pair_sent[i] = vs_stats_read(&vring[(size_t)2 * i].ring.frames);
		info->pair_received[i] = vs_stats_read(&vring[(size_t)2 * i + 1].ring.frames);
		if (info->pair_sent[i] || info->pair_received[i])
			info->n_pairs = RTE_MAX(info->n_pairs, i + 1);
	}
}

void vs_guest_info(const struct vs_guest *guest, struct vs_guest_info *ret_info)
{
	const struct vs_vhost *dev = &guest->dev;
	uint32_t i;

	memset(ret_info, 0, sizeof(*ret_info));
	ret_info->state = state_of(guest);
	describe(guest, ret_info->state, ret_info->problem, sizeof(ret_info->problem));
	ret_info->vmm_pid = guest->vmm_pid;
	ret_info->features = dev->features;
	ret_info->offered = vs_vhost_features;
	ret_info->mtu = dev->mtu;
	ret_info->pairs = (uint32_t)__builtin_popcount(dev->tx_pairs);
	ret_info->ring_size = dev->vring[0].num;
	for (i = 0; dev->mem && i < dev->mem->n; i++) {
		ret_info->regions++;
		ret_info->memory += dev->mem->region[i].size;
	}
	ret_info->connects = guest->connects;
	ret_info->refused = dev->refused + guest->refused_conns;
	ret_info->faults = dev->faults;
	ret_info->last_fault = dev->last_fault;
	for (i = 0; i < VS_GUEST_RINGS_MAX; i++)
		ret_info->calls += __atomic_load_n(&dev->vring[i].ring.calls, __ATOMIC_RELAXED);
	count_pairs(guest, ret_info);
}

int vs_guest_new(const struct vs_guest_env *env, const struct vs_guest_config *config,
		 struct vs_guest **ret_guest)
{
	struct vs_guest *guest;
	int err;

	if (!config->path[0])
		return -EINVAL;
	if (strlen(config->path) >= sizeof(guest->path))
		return -ENAMETOOLONG;
	guest = aligned_alloc(_Alignof(struct vs_guest), sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	memset(guest, 0, sizeof(*guest));
	guest->env = *env;
	guest->mode = config->mode;
	guest->changed = config->changed;
	guest->ctx = config->ctx;
	(void)snprintf(guest->path, sizeof(guest->path), "%s", config->path);
	(void)snprintf(guest->name, sizeof(guest->name), "%s", config->name);
	vs_vhost_init(&guest->dev, env->rcu, guest->name, config->port);
	guest->told.state = state_of(guest);

	err = vs_guest_link_open(guest, config->group);
	if (err) {
		free(guest);
		return err;
	}
	*ret_guest = guest;
	return 0;
}

void vs_guest_del(struct vs_guest *guest)
{
	vs_guest_link_close(guest);
	/* A worker in the middle of its round may still hold the port. */
	vs_rcu_synchronize(guest->env.rcu);
	free(guest);
}
