/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a transaction of the model to a block of the state file.
 *
 * DOC: theory of operation
 *
 * The model names what it has changed by name. A switch or port is known in the file by its serial
 * number, so that a rename is one record, whatever else names the object. So an object that is
 * there now is put under the number that it has in the model; one that is gone is found in the
 * image by the name that it had. A static address is a line in the list of its port.
 */
#include "control/store_priv.h"

#include "control/tlv.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <string.h>

/** struct commit - a transaction being written down */
struct commit {
	struct vs_store *store;
	struct vs_model *m;
	struct vs_block *block;
	struct vs_fail *fail;
	uint64_t port; /* whose static addresses are being added */
};

static struct vs_config_key key_of(enum vs_config_object object, const char *name)
{
	struct vs_config_key key = {.object = object};

	(void)rte_strscpy(key.name, name, sizeof(key.name));
	return key;
}

/* The port that a record of a static address names. */
static const char *port_in(const struct nlmsghdr *record)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];

	if (vs_answer_parse(record, tb) || !tb[VS_ATTR_PORT])
		return "";
	return vs_tlv_str(tb[VS_ATTR_PORT]);
}

static uint64_t serial_of(struct commit *c, const char *port)
{
	const struct vs_config_key key = key_of(VS_CONFIG_PORT, port);
	struct vs_config_place place;

	return vs_config_find(c->m, &key, &place) ? place.serial : 0;
}

/* What waits keeps its name: it could not come back otherwise. */
static int check_name(struct commit *c, const struct vs_config_key *now, uint64_t serial)
{
	const struct vs_image_obj *obj;

	obj = vs_image_find_name(&c->store->image, now->object, now->name);
	if (!obj || !obj->waiting || obj->going || obj->serial == serial)
		return 0;
	return vs_fail_set(c->fail, -EEXIST, VS_ATTR_NAME,
			   "%s '%s' is in the state file and waits to be made (%.150s); '%s del %s' "
			   "drops it",
			   now->object == VS_CONFIG_SWITCH ? "switch" : "port", now->name, obj->why,
			   now->object == VS_CONFIG_SWITCH ? "switch" : "port", now->name);
}

static int add_static(const struct rte_ether_addr *mac, uint16_t vlan, void *ctx)
{
	struct commit *c = ctx;

	vs_block_static(c->block, VS_STORE_ADD, c->port, vs_image_pack(mac, vlan));
	return 0;
}

/* A port that is new in the file brings all its static addresses: an uplink may have had some. */
static int put_statics(struct commit *c, const char *port, uint64_t serial)
{
	c->port = serial;
	return vs_config_statics(c->m, port, add_static, c);
}

static int take_object(struct commit *c, const struct vs_txn_change *change)
{
	struct vs_config_place place;
	struct vs_image_obj *obj;
	int err;

	if (!change->after || !vs_config_find(c->m, change->now, &place)) {
		obj = vs_image_find_name(&c->store->image, change->key->object, change->key->name);
		if (!obj || !change->before)
			return 0;
		obj->going = true;
		vs_block_op(c->block, VS_STORE_DEL, obj->serial);
		return 0;
	}
	err = check_name(c, change->now, place.serial);
	if (err)
		return err;
	obj = vs_image_find(&c->store->image, place.serial);
	vs_block_put(c->block, change->now->object, place.serial, place.parent, change->after);
	if (!obj && change->now->object == VS_CONFIG_PORT)
		return put_statics(c, change->now->name, place.serial);
	return 0;
}

static int take_static(struct commit *c, const struct vs_txn_change *change)
{
	const uint64_t packed = vs_image_pack(&change->key->mac, change->key->vlan);
	uint64_t to = change->after ? serial_of(c, port_in(change->after)) : 0;
	struct vs_image *image = &c->store->image;
	struct vs_image_obj *obj = NULL;

	if (change->before)
		obj = vs_image_find_name(image, VS_CONFIG_PORT, port_in(change->before));
	/* Only its name is another one. */
	if (obj && obj->serial == to)
		return 0;
	/* A port takes them with it. */
	if (obj && !obj->going)
		vs_block_static(c->block, VS_STORE_REMOVE, obj->serial, packed);
	/* A port that is new in the file has it already. */
	obj = to ? vs_image_find(image, to) : NULL;
	if (!obj)
		return 0;
	/* One that waited, and that the user has made meanwhile: the file has it. */
	if (obj->late.n && vs_image_list_has(&obj->late, packed))
		return 0;
	vs_block_static(c->block, VS_STORE_ADD, to, packed);
	return 0;
}

static int take_objects(const struct vs_txn_change *change, void *ctx)
{
	return change->key->object == VS_CONFIG_FDB ? 0 : take_object(ctx, change);
}

static int take_statics(const struct vs_txn_change *change, void *ctx)
{
	return change->key->object == VS_CONFIG_FDB ? take_static(ctx, change) : 0;
}

/* What was removed and made again by going back has its place again. */
static int put_back(const struct vs_txn_change *change, void *ctx)
{
	struct commit *c = ctx;
	const struct vs_image_obj *obj;

	if (change->key->object == VS_CONFIG_FDB || !change->after)
		return 0;
	obj = vs_image_find_name(&c->store->image, change->now->object, change->now->name);
	return obj ? vs_config_set_serial(c->m, change->now, obj->serial) : 0;
}

int store_on_commit(struct vs_model *m, void *ctx, struct vs_fail *fail)
{
	struct vs_block block = {0};
	struct commit c = {.store = ctx, .m = m, .block = &block, .fail = fail};
	int err;

	if (c.store->busy)
		return 0;
	if (vs_txn_stage(m) == VS_TXN_ROLLBACK)
		return vs_txn_each(m, put_back, &c);
	err = vs_txn_each(m, take_objects, &c);
	if (!err)
		err = vs_txn_each(m, take_statics, &c);
	/* Until it is confirmed, a restart leads back to what was before. */
	if (!err && vs_txn_stage(m) != VS_TXN_PROVISIONAL && !vs_block_is_empty(&block))
		err = store_write(c.store, &block, fail);
	vs_block_free(&block);
	vs_image_unreserve(&c.store->image);
	if (!err)
		store_retry_soon(c.store);
	return err;
}
