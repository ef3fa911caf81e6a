/* SPDX-License-Identifier: BSD-3-Clause */
/* Which interface may become an uplink, what it is changed to, and how it is put back. */
#include "dataplane/core/log.h"
#include "dataplane/uplink/nic.h"
#include "dataplane/uplink/route.h"
#include "dataplane/uplink/xdp_obj.h"
#include "dataplane/uplink/xdp_pin.h"
#include "dataplane/uplink/xdp_why.h"

#include <errno.h>
#include <net/if_arp.h>
#include <string.h>

static int find(const char *ifname, struct vs_link *link, struct vs_xdp_why *why)
{
	char near[128];
	int err = vs_link_get(ifname, 0, link);

	if (err == -ENODEV) {
		vs_link_near(ifname, near, sizeof(near));
		if (near[0])
			return vs_xdp_refuse(err, why, "there is no interface '%s'; there is: %s",
					     ifname, near);
		return vs_xdp_refuse(err, why, "there is no interface '%s' ('ip link' lists them)",
				     ifname);
	}
	if (err)
		return vs_xdp_refuse(err, why, "cannot ask for interface '%s': %s", ifname,
				     strerror(-err));
	return 0;
}

static int check_use(const struct vs_link *link, struct vs_xdp_why *why)
{
	char master[IFNAMSIZ] = "?";

	if (link->flags & IFF_LOOPBACK)
		return vs_xdp_refuse(-EINVAL, why, "interface %s is the loopback; it leads nowhere",
				     link->name);
	if (link->type != ARPHRD_ETHER || !link->has_mac)
		return vs_xdp_refuse(-EINVAL, why, "interface %s is not an Ethernet interface",
				     link->name);
	if (link->master) {
		(void)vs_link_name(link->master, master);
		return vs_xdp_refuse(
			-EINVAL, why,
			"interface %s is a port of %s; take it out first (ip link set dev %s "
			"nomaster), or use %s",
			link->name, master, link->name, master);
	}
	return 0;
}

static int check_route(const struct vs_link *link, enum vs_xdp_force force, struct vs_xdp_why *why)
{
	int is_default = vs_route_is_default(link->name);

	if (is_default < 0)
		return vs_xdp_refuse(is_default, why, "cannot read the routes: %s",
				     strerror(-is_default));
	if (!is_default)
		return 0;
	if (force == VS_XDP_CAREFUL)
		return vs_xdp_refuse(
			-EPERM, why,
			"interface %s carries the host's default route: without share-host "
			"on, and by any mistake, this host would be cut off; say 'force' if "
			"that is what you want",
			link->name);
	vs_log(VS_LOG_WARNING,
	       "interface %s carries the host's default route and becomes an uplink (force)",
	       link->name);
	return 0;
}

static int claim(struct vs_xdp *x, struct vs_xdp_why *why)
{
	int err =
		vs_saved_open(x->env.rundir, x->link.name, x->link.index, VS_SAVED_MAKE, &x->saved);

	if (err == -EBUSY)
		return vs_xdp_refuse(err, why, "interface %s is the uplink of another switch",
				     x->link.name);
	if (err)
		return vs_xdp_refuse(err, why, "cannot write to the run folder %s: %s",
				     x->env.rundir, strerror(-err));
	return 0;
}

/* Turn the offloads off that take something from frames, and see that they are. */
static int settle_features(struct vs_xdp *x, struct vs_xdp_why *why)
{
	struct vs_nic_features now = {0};
	uint32_t index = x->link.index;
	int err;
	int f;

	err = vs_nic_set_features(index, x->saved.changed, 0);
	if (!err)
		err = vs_nic_get_features(index, &now);
	if (err && err != -EOPNOTSUPP)
		return vs_xdp_refuse(err, why, "cannot change the offloads of interface %s: %s",
				     x->link.name, strerror(-err));
	for (f = 0; f < VS_NIC_FEATURE_COUNT; f++) {
		if (now.on & (1u << f))
			return vs_xdp_refuse(
				-EOPNOTSUPP, why,
				"the driver of interface %s does not turn %s off, which %s",
				x->link.name, vs_nic_feature_name((enum vs_nic_feature)f),
				vs_nic_feature_text((enum vs_nic_feature)f));
	}
	return 0;
}

/* Write down what the interface is like. A leftover file says what it was like at first. */
static int save(struct vs_xdp *x, struct vs_xdp_why *why)
{
	struct vs_nic_features now = {0};
	int err;

	/* First what cannot fail: whoever unwinds puts this back. */
	if (!x->saved.leftover) {
		x->saved.up = x->link.flags & IFF_UP;
		x->saved.clsact = vs_link_has_clsact(x->link.index) != 0;
	}
	err = vs_nic_get_features(x->link.index, &now);
	if (err && err != -EOPNOTSUPP)
		return vs_xdp_refuse(err, why, "cannot read the offloads of interface %s: %s",
				     x->link.name, strerror(-err));
	if (!x->saved.leftover) {
		x->saved.features_on = now.on;
		x->saved.changed = 0;
	}
	x->saved.changed |= now.on;
	err = vs_saved_write(&x->saved);
	if (err)
		return vs_xdp_refuse(err, why, "cannot write %s: %s", x->saved.path,
				     strerror(-err));
	return 0;
}

static int prepare(struct vs_xdp *x, struct vs_xdp_why *why)
{
	int err;

	err = save(x, why);
	if (!err)
		err = settle_features(x, why);
	if (err)
		return err;
	if (!(x->link.flags & IFF_UP)) {
		err = vs_link_set_flags(x->link.index, IFF_UP, 0);
		if (err)
			return vs_xdp_refuse(err, why, "cannot set interface %s up: %s",
					     x->link.name, strerror(-err));
	}
	x->promisc_fd = vs_nic_open_promisc(x->link.index);
	if (x->promisc_fd < 0)
		return vs_xdp_refuse(x->promisc_fd, why, "cannot make interface %s promiscuous: %s",
				     x->link.name, strerror(-x->promisc_fd));
	err = vs_link_get(NULL, x->link.index, &x->link);
	if (err)
		return vs_xdp_refuse(err, why, "interface %s went away", x->saved.ifname);
	if (!x->link.promiscuity)
		return vs_xdp_refuse(
			-EOPNOTSUPP, why,
			"interface %s does not become promiscuous: frames to guests would "
			"not come in",
			x->link.name);
	return 0;
}

int vs_xdp_claim(struct vs_xdp *x, const struct vs_xdp_config *config, struct vs_xdp_why *why)
{
	int err;

	err = find(config->ifname, &x->link, why);
	if (!err)
		err = check_use(&x->link, why);
	if (!err)
		err = check_route(&x->link, config->force, why);
	if (!err)
		err = claim(x, why);
	if (err)
		return err;
	err = vs_xprog_check_foreign(x->env.rundir, &x->link, why);
	if (err) {
		/* Nothing was changed, and what a killed switch left is not ours to judge now. */
		if (x->saved.leftover)
			vs_saved_close(&x->saved);
		else
			vs_saved_remove(&x->saved);
		return err;
	}
	return prepare(x, why);
}

void vs_xdp_restore(const struct vs_saved *saved)
{
	int err;

	vs_xprog_detach_tc(saved->ifindex, saved->clsact);
	err = saved->changed
		      ? vs_nic_set_features(saved->ifindex, saved->changed, saved->features_on)
		      : 0;
	if (!saved->up) {
		int down_err = vs_link_set_flags(saved->ifindex, 0, IFF_UP);

		err = err ? err : down_err;
	}
	if (err && err != -ENODEV)
		vs_log(VS_LOG_WARNING, "interface %s: cannot put its settings back: %s",
		       saved->ifname, strerror(-err));
}

/* What a killed switch left of one interface, to be named, or given back. */
struct care {
	const char *rundir;
	enum vs_uplink_leftovers what;
};

static int look_after(struct vs_saved *saved, void *ctx)
{
	const struct care *care = ctx;
	struct vs_link link;
	bool there = saved->leftover && vs_link_get(NULL, saved->ifindex, &link) == 0 &&
		     strcmp(link.name, saved->ifname) == 0;

	if (care->what == VS_UPLINK_TELL) {
		if (there)
			vs_log(VS_LOG_WARNING,
			       "interface %s is as a killed switch left it: its program and "
			       "settings stay until it becomes an uplink again, or 'vmswitchd "
			       "--release-uplinks' gives it back",
			       saved->ifname);
		return 0;
	}
	vs_xprog_remove_pins(care->rundir, saved->ifindex);
	if (there)
		vs_xdp_restore(saved);
	vs_saved_remove(saved);
	if (there)
		vs_log(VS_LOG_INFO, "interface %s: given back", saved->ifname);
	return 0;
}

int vs_uplink_leftovers(const char *rundir, enum vs_uplink_leftovers what)
{
	struct care care = {.rundir = rundir, .what = what};
	int n = vs_saved_each(rundir, look_after, &care);

	if (what == VS_UPLINK_RELEASE)
		vs_xpin_leave(rundir);
	return n;
}
