/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VLANs of ports, and the forwarding ids that stand for them.
 *
 * DOC: theory of operation
 *
 * A forwarding id is taken for (switch, VLAN) when the first port is put on the VLAN, and given
 * back when the last one leaves; VLAN 0, the untagged one, always has its id. An uplink is on
 * whatever VLANs the others use, so its trunk takes none (its native VLAN does). Ids are claimed
 * before the snapshot that needs them is built, and released after the one that does not is in
 * force: a worker never sees an id that stands for something else.
 */
#include "control/port_kind.h"

#include "control/proto.h"

#include <errno.h>
#include <string.h>

int model_vlan_check(const struct vs_vlans *v, struct vs_fail *fail)
{
	uint64_t any = 0;
	unsigned int i;

	for (i = 0; i < VS_VIDS_MAX / 64; i++)
		any |= v->allowed[i];
	if (v->mode != VS_VLAN_TRUNK && any)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLANS,
				   "only a trunk has a list of VLANs");
	switch (v->mode) {
	case VS_VLAN_UNTAGGED:
		if (v->vid == 0)
			return 0;
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN,
				   "an untagged port has no VLAN ('vlan access %u' gives it one)",
				   v->vid);
	case VS_VLAN_ACCESS:
		if (v->vid >= 1 && v->vid < VS_VIDS_MAX - 1)
			return 0;
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN, "an access VLAN is 1..4094");
	case VS_VLAN_TRUNK:
		if (!any || (v->allowed[0] & 1) || v->allowed[VS_VIDS_MAX / 64 - 1] >> 63)
			return vs_fail_set(fail, -EINVAL, VS_ATTR_VLANS,
					   "a trunk has a list of VLANs, such as 10,20-29, each "
					   "1..4094");
		if (v->vid < VS_VIDS_MAX - 1)
			return 0;
		return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN,
				   "a native VLAN is 1..4094, or 0 for none");
	}
	return vs_fail_set(fail, -EINVAL, VS_ATTR_VLAN_MODE, "a port is untagged, access or trunk");
}

static bool allows(const struct vs_vlans *v, unsigned int vid)
{
	return (v->allowed[vid / 64] >> (vid % 64)) & 1;
}

bool model_vlan_has(const struct vs_port *port, uint16_t vid)
{
	return port->vlans.vid == vid || allows(&port->vlans, vid);
}

/* Bit per VLAN that needs a forwarding id. */
struct vids {
	uint64_t bit[VS_VIDS_MAX / 64];
};

static bool has(const struct vids *vids, unsigned int vid)
{
	return (vids->bit[vid / 64] >> (vid % 64)) & 1;
}

static void add_vids(struct vids *vids, const struct vs_vlans *v, enum vs_role role)
{
	unsigned int i;

	vids->bit[v->vid / 64] |= UINT64_C(1) << (v->vid % 64);
	for (i = 0; role != VS_ROLE_UPLINK && i < VS_VIDS_MAX / 64; i++)
		vids->bit[i] |= v->allowed[i];
}

static struct vids wanted(const struct vs_switch *sw, struct vs_port *const *port)
{
	struct vids vids = {{1}};
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		if (port[i] && port[i]->sw == sw)
			add_vids(&vids, &port[i]->vlans, port[i]->kind->role);
	}
	return vids;
}

void model_vlan_wanted(const struct vs_switch *sw, uint64_t bit[VS_VIDS_MAX / 64])
{
	const struct vids vids = wanted(sw, sw->m->port);

	memcpy(bit, vids.bit, sizeof(vids.bit));
}

static uint32_t free_fid(const struct vs_model *m, uint32_t from)
{
	while (from < VS_FIDS_MAX && m->fid[from].sw)
		from++;
	return from;
}

/* Give back the ids of these VLANs; first all that is known on them is forgotten, in one walk. */
static void take_back(struct vs_switch *sw, const struct vids *gone)
{
	uint64_t fids[VS_FIDS_MAX / 64] = {0};
	const struct vs_fdb_filter filter = {.what = VS_FDB_OF_FIDS, .fids = fids};
	bool any = false;
	unsigned int vid;

	for (vid = 0; vid < VS_VIDS_MAX; vid++) {
		uint16_t fid = sw->fid_of_vid[vid];

		if (!fid || !has(gone, vid))
			continue;
		fids[fid / 64] |= UINT64_C(1) << (fid % 64);
		any = true;
	}
	if (!any)
		return;
	(void)model_fdb_remove(sw, &filter);
	for (vid = 0; vid < VS_VIDS_MAX; vid++) {
		if (!sw->fid_of_vid[vid] || !has(gone, vid))
			continue;
		sw->m->fid[sw->fid_of_vid[vid]] = (struct vs_fid){0};
		sw->fid_of_vid[vid] = 0;
	}
}

/* The uplink is on the new VLANs by itself, and so are addresses behind it. */
static int learn_behind_uplink(struct vs_switch *sw, const struct vids *claimed)
{
	static const struct vids none;
	struct vs_port *uplink;

	if (memcmp(claimed, &none, sizeof(none)) == 0)
		return 0;
	uplink = model_uplink(sw);
	return uplink ? model_learn_static(uplink) : 0;
}

int model_fids_claim(struct vs_switch *sw, const struct vs_port *extra, struct vs_fail *fail)
{
	struct vs_model *m = sw->m;
	struct vids vids = wanted(sw, m->port);
	struct vids claimed = {{0}};
	uint32_t fid = 1;
	unsigned int vid;
	int err;

	if (extra)
		add_vids(&vids, &extra->vlans, extra->kind->role);
	for (vid = 0; vid < VS_VIDS_MAX; vid++) {
		if (!has(&vids, vid) || sw->fid_of_vid[vid])
			continue;
		fid = free_fid(m, fid);
		if (fid == VS_FIDS_MAX)
			return vs_fail_set(fail, -ENOSPC, VS_ATTR_VLANS,
					   "there are %d VLANs of all switches already, the most "
					   "there can be",
					   VS_FIDS_MAX - 1);
		m->fid[fid] = (struct vs_fid){.sw = sw, .vid = (uint16_t)vid};
		sw->fid_of_vid[vid] = (uint16_t)fid;
		claimed.bit[vid / 64] |= UINT64_C(1) << (vid % 64);
	}
	err = learn_behind_uplink(sw, &claimed);
	if (!err)
		return 0;
	if (err == -ENOMEM)
		return vs_fail_set(fail, err, 0, "no memory for a change");
	return vs_fail_set(fail, err, VS_ATTR_VLANS,
			   "the address table of switch '%s' has no room for the static addresses "
			   "behind its uplink on these VLANs",
			   sw->name);
}

void model_fids_release(struct vs_switch *sw)
{
	struct vids gone = wanted(sw, sw->m->port);
	unsigned int i;

	for (i = 0; i < VS_VIDS_MAX / 64; i++)
		gone.bit[i] = ~gone.bit[i];
	take_back(sw, &gone);
}

void model_fids_drop(struct vs_switch *sw)
{
	struct vids all;

	memset(&all, 0xff, sizeof(all));
	take_back(sw, &all);
}
