/* SPDX-License-Identifier: BSD-3-Clause */
/* What the file says and the model could not make: shown, and removed. */
#include "control/store_priv.h"

#include <libmnl/libmnl.h>
#include <rte_string_fns.h>

#include <string.h>

/* ---- messages ---- */

struct vs_config_key store_key(const struct vs_image_obj *obj)
{
	struct vs_config_key key = {.object = obj->object};

	(void)rte_strscpy(key.name, obj->name, sizeof(key.name));
	return key;
}

const struct nlmsghdr *store_record(const struct vs_image_obj *obj, const char *sw,
				    struct store_message *m)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	unsigned int i;

	/* It was checked when it was read. */
	if (vs_answer_parse(obj->record, tb) != 0)
		return obj->record;
	vs_msg_init(&m->msg, m->buf, sizeof(m->buf), (enum vs_cmd)vs_msg_cmd(obj->record));
	m->msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		if (tb[i] && i == VS_ATTR_SWITCH)
			vs_msg_put_str(&m->msg, VS_ATTR_SWITCH, sw);
		else if (tb[i])
			vs_msg_put_bytes(&m->msg, (enum vs_attr)i, mnl_attr_get_payload(tb[i]),
					 mnl_attr_get_payload_len(tb[i]));
	}
	return m->msg.error ? obj->record : m->msg.nlh;
}

const struct nlmsghdr *store_static(const struct vs_image_obj *port, const char *sw,
				    uint64_t packed, struct store_message *m)
{
	struct rte_ether_addr mac;
	uint16_t vlan;

	vs_image_unpack(packed, &mac, &vlan);
	/* There may be very many of them: only a part of the buffer is cleared. */
	vs_msg_init(&m->msg, m->buf, STATIC_MAX, VS_CMD_FDB_NEW);
	m->msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	vs_msg_put_str(&m->msg, VS_ATTR_SWITCH, sw);
	vs_msg_put_str(&m->msg, VS_ATTR_PORT, port->name);
	vs_msg_put_bytes(&m->msg, VS_ATTR_MAC, &mac, sizeof(mac));
	vs_msg_put_u32(&m->msg, VS_ATTR_VLAN, vlan);
	return m->msg.nlh;
}

/* ---- shown ---- */

/** struct walk - of vs_store_waiting() */
struct walk {
	const struct vs_store *store;
	int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
		     const char *why, void *ctx);
	void *ctx;
};

static const char *switch_of(const struct vs_store *store, const struct vs_image_obj *port)
{
	const struct vs_image_obj *sw = vs_image_find(&store->image, port->parent);

	return sw ? sw->name : "";
}

static int show_object(const struct walk *walk, const struct vs_image_obj *obj)
{
	const struct vs_config_key key = store_key(obj);
	const struct nlmsghdr *record = obj->record;
	struct store_message m;

	if (obj->object == VS_CONFIG_PORT)
		record = store_record(obj, switch_of(walk->store, obj), &m);
	return walk->visit(&key, record, obj->why, walk->ctx);
}

static int show_statics(const struct walk *walk, const struct vs_image_obj *port)
{
	const struct vs_image_list *list = port->waiting ? &port->statics : &port->late;
	struct vs_config_key key = {.object = VS_CONFIG_FDB};
	const char *sw = switch_of(walk->store, port);
	struct store_message m;
	uint32_t i;
	int err = 0;

	(void)rte_strscpy(key.name, sw, sizeof(key.name));
	for (i = 0; i < list->n && err == 0; i++) {
		vs_image_unpack(list->at[i], &key.mac, &key.vlan);
		err = walk->visit(&key, store_static(port, sw, list->at[i], &m),
				  port->waiting ? "its port waits" : port->why, walk->ctx);
	}
	return err;
}

int vs_store_waiting(const struct vs_store *store, enum vs_config_object object,
		     int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				  const char *why, void *ctx),
		     void *ctx)
{
	const struct walk walk = {.store = store, .visit = visit, .ctx = ctx};
	int err = 0;
	uint32_t i;

	for (i = 0; store && i < store->image.n && err == 0; i++) {
		const struct vs_image_obj *obj = store->image.obj[i];

		if (object == VS_CONFIG_FDB)
			err = show_statics(&walk, obj);
		else if (obj->object == object && obj->waiting)
			err = show_object(&walk, obj);
	}
	return err;
}

/* ---- removed ---- */

/** struct hunt - of store_each_waiting() */
struct hunt {
	const struct vs_store *store;
	const struct vs_config_key *key;
	int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx);
	void *ctx;
};

static int found(const struct hunt *hunt, const struct vs_image_obj *obj)
{
	const struct vs_config_key key = store_key(obj);

	return hunt->visit(&key, obj->record, hunt->ctx);
}

static int find_ports(const struct hunt *hunt, const struct vs_image_obj *sw)
{
	const struct vs_image *image = &hunt->store->image;
	int err = 0;
	uint32_t i;

	for (i = 0; i < image->n && err == 0; i++) {
		const struct vs_image_obj *obj = image->obj[i];

		/* That of the uplink comes and goes with its switch. */
		if (obj->object == VS_CONFIG_PORT && obj->parent == sw->serial && obj->waiting)
			err = found(hunt, obj);
	}
	return err;
}

static int find_static(const struct hunt *hunt)
{
	uint64_t packed = vs_image_pack(&hunt->key->mac, hunt->key->vlan);
	const struct vs_image *image = &hunt->store->image;
	struct store_message m;
	uint32_t i;

	for (i = 0; i < image->n; i++) {
		struct vs_image_obj *obj = image->obj[i];
		struct vs_image_list *list = obj->waiting ? &obj->statics : &obj->late;

		if (list->n && strcmp(switch_of(hunt->store, obj), hunt->key->name) == 0 &&
		    vs_image_list_has(list, packed))
			return hunt->visit(hunt->key,
					   store_static(obj, hunt->key->name, packed, &m),
					   hunt->ctx);
	}
	return 0;
}

int store_each_waiting(const struct vs_config_key *key,
		       int (*visit)(const struct vs_config_key *key, const struct nlmsghdr *record,
				    void *ctx),
		       void *visit_ctx, void *ctx)
{
	const struct vs_store *store = ctx;
	const struct hunt hunt = {.store = store, .key = key, .visit = visit, .ctx = visit_ctx};
	const struct vs_image_obj *obj;
	int err = 0;

	if (key->object == VS_CONFIG_FDB)
		return find_static(&hunt);
	obj = vs_image_find_name(&store->image, key->object, key->name);
	if (!obj)
		return 0;
	if (key->object == VS_CONFIG_SWITCH)
		err = find_ports(&hunt, obj);
	if (!err && obj->waiting)
		err = found(&hunt, obj);
	return err;
}
