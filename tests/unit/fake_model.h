/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model without a dataplane (control/model.h), for tests of what stands above it: switches and
 * ports are remembered, addresses and counters are made up. It tells its receiver about every
 * change, as the real one does.
 *
 * It defines the functions of the model: one file of a program includes it.
 */
#ifndef VS_TESTS_FAKE_MODEL_H
#define VS_TESTS_FAKE_MODEL_H

#include "control/config.h"
#include "control/model.h"
#include "control/model_show.h"
#include "control/model_capture.h"
#include "control/proto.h"
#include "control/store.h"
#include "control/tlv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	FAKE_SWITCHES_MAX = 8,
	FAKE_PORTS_MAX = 16,
};

struct fake_name {
	char text[VS_NAME_MAX];
};

/**
 * struct vs_model - the fake
 * @addresses:	how many there are, all behind the first port of the first switch
 * @in_txn:	between vs_txn_begin() and its end
 * @broken_sums: audit reports one sum that does not hold
 */
struct vs_model {
	struct fake_name switches[FAKE_SWITCHES_MAX];
	unsigned int n_switches;
	struct {
		struct fake_name name;
		struct fake_name sw;
		char socket[VS_PROTO_PATH_SIZE];
	} ports[FAKE_PORTS_MAX];
	unsigned int n_ports;
	unsigned int addresses;
	bool broken_sums;
	bool in_txn;
	void (*notice)(const struct vs_notice *n, void *ctx);
	void *notice_ctx;
};

/** fake_notice() - tell the receiver that something happened to @port. */
static void fake_notice(struct vs_model *m, enum vs_notice_type type, const char *sw,
			const char *port)
{
	const struct vs_notice n = {.type = type, .sw = sw, .port = port, .text = "because"};

	if (m->notice)
		m->notice(&n, m->notice_ctx);
}

void vs_model_on_notice(struct vs_model *m, void (*notice)(const struct vs_notice *n, void *ctx),
			void *ctx)
{
	m->notice = notice;
	m->notice_ctx = ctx;
}

static int find_switch(const struct vs_model *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < m->n_switches; i++) {
		if (strcmp(m->switches[i].text, name) == 0)
			return (int)i;
	}
	return -1;
}

static int find_port(const struct vs_model *m, const char *name)
{
	unsigned int i;

	for (i = 0; i < m->n_ports; i++) {
		if (strcmp(m->ports[i].name.text, name) == 0)
			return (int)i;
	}
	return -1;
}

int vs_switch_add(struct vs_model *m, const struct vs_switch_spec *spec, struct vs_fail *fail)
{
	const char *name = spec->name;

	if (find_switch(m, name) >= 0)
		return vs_fail_set(fail, -EEXIST, VS_ATTR_NAME, "switch is there already");
	if (m->n_switches == FAKE_SWITCHES_MAX)
		return vs_fail_set(fail, -ENOSPC, VS_ATTR_UNSPEC, "too many switches");
	snprintf(m->switches[m->n_switches++].text, VS_NAME_MAX, "%s", name);
	fake_notice(m, VS_NOTICE_SWITCH_ADDED, name, "");
	return 0;
}

static void remove_port(struct vs_model *m, unsigned int i)
{
	struct fake_name name = m->ports[i].name;

	m->ports[i] = m->ports[--m->n_ports];
	fake_notice(m, VS_NOTICE_PORT_REMOVED, "", name.text);
}

int vs_switch_del(struct vs_model *m, const char *name, enum vs_del_mode mode, struct vs_fail *fail)
{
	int sw = find_switch(m, name);
	unsigned int i;

	if (sw < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no such switch");
	for (i = m->n_ports; i-- > 0;) {
		if (strcmp(m->ports[i].sw.text, name) != 0)
			continue;
		if (mode == VS_DEL_REFUSE_PORTS)
			return vs_fail_set(fail, -EBUSY, VS_ATTR_NAME, "switch has ports");
		remove_port(m, i);
	}
	m->switches[sw] = m->switches[--m->n_switches];
	fake_notice(m, VS_NOTICE_SWITCH_REMOVED, name, "");
	return 0;
}

int vs_switch_set(struct vs_model *m, const char *name, const struct vs_switch_change *change,
		  struct vs_fail *fail)
{
	if (find_switch(m, name) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no such switch");
	fake_notice(m, VS_NOTICE_SWITCH_CHANGED, name, "");
	return 0;
}

int vs_switch_each(struct vs_model *m, const char *name,
		   int (*visit)(const struct vs_switch_view *view, void *ctx), void *ctx,
		   struct vs_fail *fail)
{
	unsigned int i;
	int ret = 0;

	if (name && find_switch(m, name) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no such switch");
	for (i = 0; i < m->n_switches && !ret; i++) {
		const struct vs_switch_view view = {
			.name = m->switches[i].text,
			.kind = VS_SWITCH_PRIVATE,
			.fdb_size = VS_FDB_SIZE_DEFAULT,
			.fdb_full = UINT64_C(1) << 40,
			.uplink = "",
			.unknown = VS_UNKNOWN_FLOOD,
		};

		if (!name || strcmp(name, view.name) == 0)
			ret = visit(&view, ctx);
	}
	return ret;
}

int vs_port_add(struct vs_model *m, const struct vs_port_spec *spec, struct vs_fail *fail)
{
	if (find_port(m, spec->name) >= 0)
		return vs_fail_set(fail, -EEXIST, VS_ATTR_NAME, "port is there already");
	if (find_switch(m, spec->sw) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no such switch");
	if (m->n_ports == FAKE_PORTS_MAX)
		return vs_fail_set(fail, -ENOSPC, VS_ATTR_UNSPEC, "too many ports");
	snprintf(m->ports[m->n_ports].name.text, VS_NAME_MAX, "%s", spec->name);
	snprintf(m->ports[m->n_ports].sw.text, VS_NAME_MAX, "%s", spec->sw);
	snprintf(m->ports[m->n_ports].socket, sizeof(m->ports[0].socket), "%s",
		 spec->socket ? spec->socket : "");
	m->n_ports++;
	fake_notice(m, VS_NOTICE_PORT_ADDED, spec->sw, spec->name);
	return 0;
}

int vs_port_del(struct vs_model *m, const char *name, struct vs_fail *fail)
{
	int port = find_port(m, name);

	if (port < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no such port");
	remove_port(m, (unsigned int)port);
	return 0;
}

int vs_port_set(struct vs_model *m, const char *name, const struct vs_port_change *change,
		struct vs_fail *fail)
{
	if (find_port(m, name) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no such port");
	fake_notice(m, VS_NOTICE_PORT_CHANGED, "", name);
	return 0;
}

int vs_port_each(struct vs_model *m, const char *name,
		 int (*visit)(const struct vs_port_view *view, void *ctx), void *ctx,
		 struct vs_fail *fail)
{
	unsigned int i;
	int ret = 0;

	if (name && find_port(m, name) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_NAME, "there is no such port");
	for (i = 0; i < m->n_ports && !ret; i++) {
		static const struct vs_vlans untagged = {.mode = VS_VLAN_UNTAGGED};
		const struct vs_port_view view = {
			.name = m->ports[i].name.text,
			.sw = m->ports[i].sw.text,
			.vm = m->ports[i].name.text,
			.kind = VS_PORT_GUEST,
			.id = (uint16_t)i,
			.vlans = &untagged,
			.state = "waiting",
			.problem = "no VMM",
			.guest = {.socket = m->ports[i].socket,
				  .mode = VS_GUEST_CLIENT,
				  .info = {.last_fault = "loop"}},
		};

		if (!name || strcmp(name, view.name) == 0)
			ret = visit(&view, ctx);
	}
	return ret;
}

int vs_fdb_each(struct vs_model *m, const char *sw,
		int (*visit)(const struct vs_fdb_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	unsigned int i;
	int ret = 0;

	if (sw && find_switch(m, sw) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no such switch");
	for (i = 0; i < m->addresses && !ret; i++) {
		const struct vs_fdb_view view = {
			.sw = "lan",
			.port = "p",
			.mac = {{2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}},
		};

		ret = visit(&view, ctx);
	}
	return ret;
}

int vs_fdb_add_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	if (find_switch(m, spec->sw) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no such switch");
	if (find_port(m, spec->port) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "there is no such port");
	m->addresses++;
	return 0;
}

int vs_fdb_del_static(struct vs_model *m, const struct vs_fdb_spec *spec, struct vs_fail *fail)
{
	if (find_switch(m, spec->sw) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no such switch");
	if (m->addresses == 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_MAC, "there is no such address");
	m->addresses--;
	return 0;
}

int vs_fdb_flush_switch(struct vs_model *m, const char *sw, struct vs_fail *fail)
{
	if (find_switch(m, sw) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no such switch");
	m->addresses = 0;
	fake_notice(m, VS_NOTICE_FDB_FLUSHED, sw, "");
	return 0;
}

int vs_stats_each(struct vs_model *m, const char *port,
		  int (*visit)(const struct vs_stats_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail)
{
	static struct vs_stats_view view;
	unsigned int i;
	int ret = 0;

	if (port && find_port(m, port) < 0)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_PORT, "there is no such port");
	for (i = 0; i < m->n_ports && !ret; i++) {
		view.port = m->ports[i].name.text;
		view.sw = m->ports[i].sw.text;
		view.vm = view.port;
		view.counters.received = 10;
		view.counters.drops[VS_DROP_SPOOF] = 3;
		view.counters.drops[VS_DROP_RX_FULL] = 4;
		view.counters.samples[VS_DROP_SPOOF] =
			(struct vs_sample){.when_tsc = 1, .len = 1514, .have = VS_SAMPLE_BYTES};
		if (!port || strcmp(port, view.port) == 0)
			ret = visit(&view, ctx);
	}
	return ret;
}

uint64_t vs_stats_tsc_age_ms(uint64_t when_tsc)
{
	return when_tsc;
}

int vs_worker_each(struct vs_model *m, int (*visit)(const struct vs_worker_view *view, void *ctx),
		   void *ctx)
{
	const struct vs_worker_view view = {
		.cpu = -1,
		.total_cycles = 1000,
		.busy_cycles = 400,
		.frames = 4,
		.tsc_hz = 100,
		.state = "parked",
		.awake_for = "",
	};

	return visit(&view, ctx);
}

int vs_queue_each(struct vs_model *m, const char *port,
		  int (*visit)(const struct vs_queue_view *view, void *ctx), void *ctx,
		  struct vs_fail *fail)
{
	static const struct vs_queue_view view = {.port = "a", .sw = "lan", .vm = "a"};

	return visit(&view, ctx);
}

int vs_uplink_test(struct vs_model *m, const char *sw, const struct rte_ether_addr *partner,
		   int (*visit)(const struct vs_uplink_test_view *view, void *ctx), void *ctx,
		   struct vs_fail *fail)
{
	return 0;
}

int vs_offload_each(struct vs_model *m, const char *port,
		    int (*visit)(const struct vs_offload_view *view, void *ctx), void *ctx,
		    struct vs_fail *fail)
{
	static const struct vs_offload_view view = {
		.port = "a",
		.sw = "lan",
		.vm = "a",
		.kind = VS_PORT_GUEST,
	};

	return visit(&view, ctx);
}

int vs_mtu_each(struct vs_model *m, const char *sw, uint64_t place,
		int (*visit)(const struct vs_mtu_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	const struct vs_mtu_view view = {
		.sw = "lan",
		.net = 1500,
		.port = "a",
		.kind = VS_PORT_GUEST,
		.limits = true,
		.mtu = 1500,
		.from = VS_MTU_FROM_SET,
	};

	return visit(&view, ctx);
}

int vs_vmq_each(struct vs_model *m, const char *name,
		int (*visit)(const struct vs_vmq_view *view, void *ctx), void *ctx,
		struct vs_fail *fail)
{
	static const struct vs_vmq_view view = {
		.sw = "lan",
		.port = "up",
		.is_default = true,
		.engine = "off",
		.reason = "",
		.state = "running",
	};

	return visit(&view, ctx);
}

int vs_audit_each(struct vs_model *m, int (*visit)(const struct vs_audit_view *view, void *ctx),
		  void *ctx, struct vs_fail *fail)
{
	const struct vs_audit_view view = {
		.sum = VS_AUDIT_SWITCH,
		.name = "lan",
		.left = 5,
		.right = m->broken_sums ? 4 : 5,
		.terms = "attempts 5 = forwarded 5",
	};

	return visit(&view, ctx);
}

/* ---- the configuration and the state file: one record per switch, one of which waits ---- */

int vs_config_each(struct vs_model *m,
		   int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				void *ctx),
		   void *ctx)
{
	const struct vs_config_key key = {.object = VS_CONFIG_SWITCH};
	uint32_t buf[64];
	struct vs_msg msg;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->n_switches && !ret; i++) {
		vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
		vs_msg_put_str(&msg, VS_ATTR_NAME, m->switches[i].text);
		vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
		ret = visit(&key, msg.nlh, ctx);
	}
	return ret;
}

void vs_config_put_vlans(struct vs_msg *msg, const struct vs_vlans *vlans)
{
	/* All fake ports are untagged. */
	vs_msg_put_u32(msg, VS_ATTR_VLAN_MODE, (uint32_t)vlans->mode);
}

bool vs_config_find(struct vs_model *m, const struct vs_config_key *key,
		    struct vs_config_place *ret_place)
{
	(void)m;
	(void)key;
	(void)ret_place;
	return false;
}

int vs_config_brief(const struct nlmsghdr *record, void *buf, size_t size)
{
	if (record->nlmsg_len > size)
		return -EBADMSG;
	memcpy(buf, record, record->nlmsg_len);
	return 1;
}

int vs_store_waiting(const struct vs_store *store, enum vs_config_object object,
		     int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				  const char *why, void *ctx),
		     void *ctx)
{
	const struct vs_config_key key = {.object = VS_CONFIG_SWITCH};
	uint32_t buf[64];
	struct vs_msg msg;

	if (!store || object != VS_CONFIG_SWITCH)
		return 0;
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, "absent");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	return visit(&key, msg.nlh, "its card is not there", ctx);
}

void vs_store_info(const struct vs_store *store, struct vs_store_info *ret_info)
{
	*ret_info = (struct vs_store_info){
		.path = "/nowhere/state",
		.bytes = 100,
		.base = 50,
		.transactions = 7,
		.waiting = 1,
		.problem = "it cannot be written: No space left on device",
	};
}

/* ---- captures: there is none ---- */

int vs_capture_add(struct vs_model *m, const struct vs_capture_spec *spec,
		   struct vs_capture **ret_capture, struct vs_fail *fail)
{
	return vs_fail_set(fail, -ENOSPC, 0, "a fake captures nothing");
}

int vs_capture_end(struct vs_capture *c)
{
	return 0;
}

void vs_capture_del(struct vs_capture *c)
{
}

bool vs_capture_is_over(const struct vs_capture *c)
{
	return true;
}

const char *vs_capture_port(const struct vs_capture *c)
{
	return "";
}

bool vs_capture_next(struct vs_capture *c, struct vs_capture_view *ret_view)
{
	return false;
}

void vs_capture_take(struct vs_capture *c, const struct vs_capture_view *view)
{
}

uint64_t vs_capture_lost(const struct vs_capture *c)
{
	return 0;
}

/* ---- transactions: what is done stays done ---- */

int vs_txn_begin(struct vs_model *m, enum vs_txn_mode mode)
{
	(void)mode;
	m->in_txn = true;
	return 0;
}

void vs_txn_set_stage(struct vs_model *m, enum vs_txn_stage stage)
{
	(void)m;
	(void)stage;
}

int vs_txn_commit(struct vs_model *m, struct vs_fail *fail)
{
	(void)fail;
	m->in_txn = false;
	return 0;
}

void vs_txn_abort(struct vs_model *m)
{
	m->in_txn = false;
}

int vs_txn_each(struct vs_model *m, int (*visit)(const struct vs_txn_change *change, void *ctx),
		void *ctx)
{
	(void)m;
	(void)visit;
	(void)ctx;
	return 0;
}

int vs_txn_confirm(struct vs_model *m, struct vs_fail *fail)
{
	(void)m;
	return vs_fail_set(fail, -ENOENT, 0, "nothing waits to be confirmed");
}

void vs_txn_forget(struct vs_model *m)
{
	(void)m;
}

bool vs_txn_is_provisional(const struct vs_model *m)
{
	(void)m;
	return false;
}

#endif
