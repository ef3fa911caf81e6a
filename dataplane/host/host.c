/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What both kinds of port share: life, state, and changes of the interface.
 *
 * DOC: theory of operation
 *
 *	             carrier and set up                set down
 *	WAITING <------------------------> RUNNING <------------> DOWN
 *	(PACKET)                              |  deleted
 *	                                      +-----------------> GONE
 *
 * A host port has carrier as long as the switch holds its descriptors. What the user or a program
 * of the host does to the interface is followed, not fought: down is down until somebody sets it
 * up, and a deleted interface is made again only with a new port. An interface that is moved into
 * another network namespace goes on to work (its descriptors do), but can no longer be looked at.
 */
#include "dataplane/host/host_obj.h"

#include <rte_cycles.h>

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int vs_host_why_set(struct vs_host_why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return err;
}

const char *vs_host_kernel_said(const struct vs_host_env *env, int err)
{
	return env->rtnl.said[0] ? env->rtnl.said : strerror(-err);
}

const char *vs_host_state_name(enum vs_host_state state)
{
	switch (state) {
	case VS_HOST_RUNNING:
		return "running";
	case VS_HOST_WAITING:
		return "waiting";
	case VS_HOST_DOWN:
		return "down";
	case VS_HOST_GONE:
		return "gone";
	}
	return "unknown";
}

bool vs_host_ifname_is_valid(const char *ifname)
{
	size_t len = strlen(ifname);
	size_t i;

	if (len == 0 || len >= IFNAMSIZ || strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0)
		return false;
	for (i = 0; i < len; i++)
		if (strchr("/:%", ifname[i]) || isspace((unsigned char)ifname[i]))
			return false;
	return true;
}

static enum vs_host_state state_of(const struct vs_host *host)
{
	if (host->presence == VS_HOST_DELETED)
		return VS_HOST_GONE;
	if (host->presence == VS_HOST_MOVED)
		return VS_HOST_RUNNING;
	if (!(host->link.flags & VS_LINK_UP))
		return VS_HOST_DOWN;
	if (host->kind == VS_HOST_PACKET && !(host->link.flags & VS_LINK_CARRIER))
		return VS_HOST_WAITING;
	return VS_HOST_RUNNING;
}

bool vs_host_is_up(const struct vs_host *host)
{
	return state_of(host) == VS_HOST_RUNNING;
}

unsigned int vs_host_pairs(const struct vs_host *host)
{
	return host->presence == VS_HOST_DELETED ? 0 : host->n_queues;
}

static void describe(const struct vs_host *host, enum vs_host_state state, char *text, size_t size)
{
	const char *ifname = host->link.name;

	text[0] = '\0';
	if (state == VS_HOST_GONE)
		(void)snprintf(text, size,
			       "interface %s was deleted in the host: delete the port and add it "
			       "again",
			       ifname);
	else if (state == VS_HOST_DOWN)
		(void)snprintf(text, size,
			       "the interface was set down in the host: ip link set dev %s up",
			       ifname);
	else if (state == VS_HOST_WAITING)
		(void)snprintf(text, size,
			       "no VMM has opened interface %s "
			       "('port show NAME --qemu' prints how)",
			       ifname);
	else if (host->presence == VS_HOST_MOVED)
		(void)snprintf(text, size,
			       "interface %s was moved to another network namespace: it works, but "
			       "its state there is not known here",
			       ifname);
	else if (strcmp(ifname, host->wanted) != 0)
		(void)snprintf(text, size,
			       "interface %s was renamed to %s in the host: the next start of the "
			       "switch will look for %s",
			       host->wanted, ifname, host->wanted);
}

static struct vs_host_told what_is(const struct vs_host *host)
{
	struct vs_host_told now = {
		.state = state_of(host),
		.presence = host->presence,
		.mac = host->link.mac,
		.mtu = host->link.mtu,
	};

	(void)snprintf(now.ifname, sizeof(now.ifname), "%s", host->link.name);
	return now;
}

static bool is_told(const struct vs_host_told *told, const struct vs_host_told *now)
{
	return now->state == told->state && now->presence == told->presence &&
	       now->mtu == told->mtu && rte_is_same_ether_addr(&now->mac, &told->mac) &&
	       strcmp(now->ifname, told->ifname) == 0;
}

static void settle(struct vs_host *host)
{
	struct vs_host_told now = what_is(host);
	struct vs_host_info info;

	if (is_told(&host->told, &now))
		return;
	describe(host, now.state, info.problem, sizeof(info.problem));
	if (now.state != host->told.state || now.presence != host->told.presence)
		vs_log_limited(&host->limit, VS_LOG_INFO, "port %s: %s%s%s", host->name,
			       vs_host_state_name(now.state), info.problem[0] ? ": " : "",
			       info.problem);
	host->told = now;
	if (host->changed)
		host->changed(host->ctx);
}

/* It is not where it was. */
static void look_for_lost(struct vs_host *host)
{
	bool works = host->kind == VS_HOST_TAP && vs_tap_is_attached(host);

	host->presence = works ? VS_HOST_MOVED : VS_HOST_DELETED;
	host->link.flags &= VS_LINK_OURS;
}

void vs_host_look(struct vs_host *host)
{
	struct vs_link link;
	int err;

	host->stale = false;
	/* An index is used once only, so what is gone does not come back but by another move. */
	err = vs_rtnl_link_get(&host->env->rtnl, host->link.ifindex, NULL, &link);
	if (!err && host->presence != VS_HOST_DELETED) {
		host->presence = VS_HOST_PRESENT;
		host->link = link;
	} else if (err == -ENODEV && host->presence != VS_HOST_DELETED) {
		look_for_lost(host);
	} else if (err && err != -ENODEV) {
		vs_log_limited(&host->limit, VS_LOG_ERROR, "port %s: cannot look at %s: %s",
			       host->name, host->link.name, vs_host_kernel_said(host->env, err));
	}
	settle(host);
}

void vs_host_check(struct vs_host *host)
{
	vs_host_look(host);
}

void vs_host_info(struct vs_host *host, struct vs_host_info *ret_info)
{
	memset(ret_info, 0, sizeof(*ret_info));
	ret_info->state = state_of(host);
	describe(host, ret_info->state, ret_info->problem, sizeof(ret_info->problem));
	(void)snprintf(ret_info->ifname, sizeof(ret_info->ifname), "%s", host->link.name);
	ret_info->mac = host->link.mac;
	ret_info->mtu = host->link.mtu;
	ret_info->made = host->made || (host->link.flags & VS_LINK_OURS);
	ret_info->queues = host->n_queues;
	if (host->kind == VS_HOST_PACKET)
		vs_packet_missed(host);
	ret_info->missed = host->missed;
	if (host->presence != VS_HOST_PRESENT)
		return;
	ret_info->ifindex = host->link.ifindex;
	ret_info->carrier = host->link.flags & VS_LINK_CARRIER;
	if (host->kind == VS_HOST_TAP &&
	    vs_rtnl_addr_list(&host->env->rtnl, host->link.ifindex, ret_info->addrs,
			      VS_HOST_ADDRS_MAX, &ret_info->n_addrs))
		ret_info->n_addrs = 0;
}

void vs_host_set_name(struct vs_host *host, const char *name)
{
	(void)snprintf(host->name, sizeof(host->name), "%s", name);
}

/* Can the interface be changed at all? */
static int check_present(const struct vs_host *host, struct vs_host_why *why)
{
	if (host->presence == VS_HOST_PRESENT)
		return 0;
	return vs_host_why_set(why, -ENODEV, "interface %s was %s", host->link.name,
			       host->presence == VS_HOST_MOVED
				       ? "moved to another network namespace"
				       : "deleted in the host");
}

static int check_mtu(uint32_t mtu, struct vs_host_why *why)
{
	if (mtu >= VS_MTU_MIN && mtu <= VS_HOST_MTU_MAX)
		return 0;
	return vs_host_why_set(why, -EINVAL, "a TAP interface can have an MTU of %d to %d, not %u",
			       VS_MTU_MIN, VS_HOST_MTU_MAX, mtu);
}

static int change_link(struct vs_host *host, const struct vs_link_change *change, const char *what,
		       struct vs_host_why *why)
{
	int err = check_present(host, why);

	if (err)
		return err;
	err = vs_rtnl_link_set(&host->env->rtnl, host->link.ifindex, change);
	if (err)
		return vs_host_why_set(why, err, "cannot set the %s of interface %s: %s", what,
				       host->link.name, vs_host_kernel_said(host->env, err));
	/* The caller knows: `changed` is not called for it. */
	if (change->what & VS_LINK_SET_MTU)
		host->link.mtu = host->told.mtu = change->mtu;
	if (change->what & VS_LINK_SET_MAC)
		host->link.mac = host->told.mac = change->mac;
	return 0;
}

int vs_host_set_mtu(struct vs_host *host, uint32_t mtu, struct vs_host_why *ret_why)
{
	struct vs_link_change change = {.what = VS_LINK_SET_MTU, .mtu = mtu};
	int err = check_mtu(mtu, ret_why);

	return err ? err : change_link(host, &change, "MTU", ret_why);
}

int vs_host_set_mac(struct vs_host *host, const struct rte_ether_addr *mac,
		    struct vs_host_why *ret_why)
{
	struct vs_link_change change = {.what = VS_LINK_SET_MAC, .mac = *mac};

	if (host->kind != VS_HOST_TAP)
		return vs_host_why_set(ret_why, -EOPNOTSUPP,
				       "the VMM gives the guest its address, not interface %s",
				       host->link.name);
	return change_link(host, &change, "address", ret_why);
}

static int check_addr(const struct vs_host *host, struct vs_host_why *why)
{
	if (host->kind == VS_HOST_TAP)
		return check_present(host, why);
	return vs_host_why_set(why, -EOPNOTSUPP,
			       "interface %s belongs to a guest: the host gets no address on it",
			       host->link.name);
}

int vs_host_add_addr(struct vs_host *host, const struct vs_host_addr *addr,
		     struct vs_host_why *ret_why)
{
	char text[VS_HOST_ADDR_TEXT];
	int err = check_addr(host, ret_why);

	if (err)
		return err;
	err = vs_rtnl_addr_add(&host->env->rtnl, host->link.ifindex, addr);
	if (err && err != -EEXIST)
		return vs_host_why_set(ret_why, err, "cannot give %s to interface %s: %s",
				       vs_host_addr_format(addr, text), host->link.name,
				       vs_host_kernel_said(host->env, err));
	return 0;
}

int vs_host_del_addr(struct vs_host *host, const struct vs_host_addr *addr,
		     struct vs_host_why *ret_why)
{
	char text[VS_HOST_ADDR_TEXT];
	int err = check_addr(host, ret_why);

	if (err)
		return err;
	err = vs_rtnl_addr_del(&host->env->rtnl, host->link.ifindex, addr);
	if (err && err != -EADDRNOTAVAIL)
		return vs_host_why_set(ret_why, err, "cannot take %s off interface %s: %s",
				       vs_host_addr_format(addr, text), host->link.name,
				       vs_host_kernel_said(host->env, err));
	return 0;
}

static int check_config(const struct vs_host_config *config, struct vs_host_why *why)
{
	unsigned int most = config->kind == VS_HOST_TAP ? VS_HOST_PAIRS_MAX : 1;

	if (!vs_host_ifname_is_valid(config->ifname))
		return vs_host_why_set(why, -EINVAL,
				       "\"%s\" cannot be an interface's name: 1 to %d characters, "
				       "no / : %% or space",
				       config->ifname, IFNAMSIZ - 1);
	if (config->queues < 1 || config->queues > most)
		return vs_host_why_set(why, -EINVAL, "interface %s can have 1 to %u queues, not %u",
				       config->ifname, most, config->queues);
	if (config->n_addrs > VS_HOST_ADDRS_MAX)
		return vs_host_why_set(why, -EINVAL, "more than %d addresses for interface %s",
				       VS_HOST_ADDRS_MAX, config->ifname);
	return check_mtu(config->mtu, why);
}

static struct vs_host *allocate(struct vs_host_env *env, const struct vs_host_config *config)
{
	struct vs_host *host = aligned_alloc(_Alignof(struct vs_host), sizeof(*host));
	unsigned int i;

	if (!host)
		return NULL;
	memset(host, 0, sizeof(*host));
	host->env = env;
	host->kind = config->kind;
	host->in_port = config->port;
	host->n_queues = config->queues;
	host->limit = (struct vs_log_limit){.burst = 8, .interval_s = 10};
	host->dry_tsc = rte_get_tsc_hz() / 1000000 * VS_HOST_DRY_US;
	host->changed = config->changed;
	host->ctx = config->ctx;
	(void)snprintf(host->wanted, sizeof(host->wanted), "%s", config->ifname);
	vs_host_set_name(host, config->name);
	for (i = 0; i < VS_HOST_PAIRS_MAX; i++)
		host->queue[i].fd = -1;
	return host;
}

static void release(struct vs_host *host, enum vs_host_fate fate)
{
	if (host->kind == VS_HOST_TAP)
		vs_tap_close(host, fate);
	else
		vs_packet_close(host, fate);
	free(host);
}

int vs_host_new(struct vs_host_env *env, const struct vs_host_config *config,
		struct vs_host **ret_host, struct vs_host_why *ret_why)
{
	struct vs_host *host;
	int err = check_config(config, ret_why);

	if (err)
		return err;
	host = allocate(env, config);
	if (!host)
		return vs_host_why_set(ret_why, -ENOMEM, "no memory left");
	err = config->kind == VS_HOST_TAP ? vs_tap_open(host, config, ret_why)
					  : vs_packet_open(host, config, ret_why);
	if (!err)
		err = vs_rtnl_link_get(&env->rtnl, host->link.ifindex, NULL, &host->link);
	if (err) {
		release(host, host->made ? VS_HOST_REMOVE : VS_HOST_KEEP);
		return err;
	}
	host->told = what_is(host);
	vs_host_env_watch(env, host);
	*ret_host = host;
	return 0;
}

static void end(struct vs_host *host, enum vs_host_fate fate)
{
	vs_host_env_unwatch(host->env, host);
	/* A worker in the middle of its round may still use the descriptors. */
	vs_rcu_synchronize(host->env->rcu);
	release(host, fate);
}

void vs_host_del(struct vs_host *host)
{
	end(host, VS_HOST_REMOVE);
}

void vs_host_detach(struct vs_host *host)
{
	end(host, VS_HOST_KEEP);
}

void vs_host_undo(struct vs_host *host)
{
	end(host, host->made ? VS_HOST_REMOVE : VS_HOST_KEEP);
}
