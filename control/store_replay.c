/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making what the file says: all of it when the daemon starts, and later what could not be made
 * then.
 *
 * DOC: theory of operation
 *
 * Every record is a message, run as if a client had sent it, in an order in which they can be made:
 * switches, ports, static addresses. One that is refused (its network card or the folder of its
 * socket is not there, another program has its interface) waits with the reason, and with it what
 * depends on it. It stays in the image and so in the file. What is made gets its serial number
 * back, which is its place in the order of creation.
 */
#include "control/store_priv.h"

#include <rte_string_fns.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The reason is told once, not at every try. */
static void note_why(struct vs_image_obj *obj, const char *what, const char *why)
{
	char text[VS_IMAGE_WHY_SIZE];

	(void)rte_strscpy(text, why, sizeof(text));
	if (strcmp(text, obj->why) == 0)
		return;
	(void)rte_strscpy(obj->why, text, sizeof(obj->why));
	vs_log(VS_LOG_WARNING, "%s %s is kept, and waits: %s", what, obj->name, text);
}

static const char *word_of(const struct vs_image_obj *obj)
{
	return obj->object == VS_CONFIG_SWITCH ? "switch" : "port";
}

static int run(struct vs_store *store, struct vs_image_obj *obj, const struct nlmsghdr *nlh)
{
	const struct vs_config_key key = store_key(obj);
	struct vs_fail fail = {0};
	int err;

	err = store->link.apply(store->link.model, nlh, &fail);
	if (err) {
		note_why(obj, word_of(obj), fail.text[0] ? fail.text : strerror(-err));
		return err;
	}
	if (obj->why[0])
		vs_log(VS_LOG_INFO, "%s %s waits no more: it is there", word_of(obj), obj->name);
	obj->why[0] = '\0';
	obj->waiting = false;
	return vs_config_set_serial(store->link.model, &key, obj->serial);
}

static int make_port(struct vs_store *store, struct vs_image_obj *obj)
{
	const struct vs_image_obj *sw = vs_image_find(&store->image, obj->parent);
	char text[VS_NAME_MAX + 64];
	struct store_message m;
	int err;

	if (!sw || sw->waiting) {
		(void)snprintf(text, sizeof(text), "its switch %s is not there",
			       sw ? sw->name : "");
		note_why(obj, "port", text);
		return -ENOENT;
	}
	err = run(store, obj, store_record(obj, sw->name, &m));
	if (err)
		return err;
	/* Now they can be tried; nobody has them yet. */
	vs_image_list_free(&obj->late);
	err = vs_image_list_reserve(&obj->late, obj->statics.n);
	obj->late.asked = 0;
	if (err) {
		note_why(obj, "addresses of port", "there is no memory for them");
		return 0;
	}
	if (obj->statics.n)
		memcpy(obj->late.at, obj->statics.at, obj->statics.n * sizeof(*obj->late.at));
	obj->late.n = obj->statics.n;
	return 0;
}

/* ---- static addresses ---- */

static int make_static(struct vs_store *store, const struct vs_image_obj *port, const char *sw,
		       uint64_t packed, struct vs_fail *fail)
{
	struct store_message m;

	return store->link.apply(store->link.model, store_static(port, sw, packed, &m), fail);
}

/* All of them at once, which is how it nearly always goes. */
static int make_all(struct vs_store *store, struct vs_image_obj *port, const char *sw)
{
	struct vs_model *model = store->link.model;
	struct vs_fail fail = {0};
	uint32_t i;
	int err;

	err = vs_txn_begin(model, VS_TXN_REAL);
	if (err)
		return err;
	for (i = 0; i < port->late.n && err == 0; i++)
		err = make_static(store, port, sw, port->late.at[i], &fail);
	if (err) {
		vs_txn_abort(model);
		return err;
	}
	err = vs_txn_commit(model, &fail);
	if (!err)
		vs_image_list_free(&port->late);
	return err;
}

/* Is it behind that port already, as the user has entered it again? */
static bool is_there(struct vs_store *store, const struct vs_image_obj *port, const char *sw,
		     uint64_t packed)
{
	struct vs_config_key key = {.object = VS_CONFIG_FDB};
	struct vs_config_place place;

	(void)rte_strscpy(key.name, sw, sizeof(key.name));
	vs_image_unpack(packed, &key.mac, &key.vlan);
	return vs_config_find(store->link.model, &key, &place) && place.parent == port->serial;
}

/* One after the other: those that cannot be made go on waiting. Return: how many were made. */
static uint32_t make_some(struct vs_store *store, struct vs_image_obj *port, const char *sw)
{
	struct vs_fail fail = {0};
	uint32_t left = 0;
	uint32_t n = port->late.n;
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint64_t packed = port->late.at[i];

		if (is_there(store, port, sw, packed) ||
		    make_static(store, port, sw, packed, &fail) == 0)
			continue;
		if (left == 0)
			note_why(port, "a static address of port", fail.text);
		port->late.at[left++] = packed;
	}
	port->late.n = left;
	if (left == 0 && n)
		port->why[0] = '\0';
	return n - left;
}

static uint32_t make_statics(struct vs_store *store, struct vs_image_obj *port)
{
	const struct vs_image_obj *sw = vs_image_find(&store->image, port->parent);
	uint32_t n = port->late.n;

	if (!sw || n == 0)
		return 0;
	/* Those that have waited for long wait one by one. */
	if (port->why[0] == '\0' && make_all(store, port, sw->name) == 0)
		return n;
	return make_some(store, port, sw->name);
}

/* ---- all of it ---- */

static uint32_t make_objects(struct vs_store *store, enum vs_config_object object)
{
	uint32_t made = 0;
	uint32_t i;

	for (i = 0; i < store->image.n; i++) {
		struct vs_image_obj *obj = store->image.obj[i];

		if (obj->object != object || !obj->waiting)
			continue;
		if (object == VS_CONFIG_SWITCH)
			made += run(store, obj, obj->record) == 0;
		else
			made += make_port(store, obj) == 0;
	}
	return made;
}

uint32_t store_replay(struct vs_store *store)
{
	uint32_t made;
	uint32_t i;

	store->busy = true;
	made = make_objects(store, VS_CONFIG_SWITCH);
	made += make_objects(store, VS_CONFIG_PORT);
	for (i = 0; i < store->image.n; i++) {
		if (store->image.obj[i]->late.n)
			made += make_statics(store, store->image.obj[i]);
	}
	store->busy = false;
	return made;
}
