/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as commands, and the state file that keeps it. */
#include "control/obj.h"

#include "control/config.h"
#include "control/session.h"
#include "control/store.h"

/**
 * struct dump - the configuration being shown
 * @done:	objects up to this kind have been shown, those that wait included
 */
struct dump {
	struct vs_call *call;
	unsigned int done;
};

static void put_attributes(struct vs_msg *msg, const struct nlmsghdr *record)
{
	const size_t headers = NLMSG_HDRLEN + sizeof(struct vs_msghdr);
	struct nlattr *nest = vs_msg_nest_begin(msg, VS_ATTR_RECORD);

	vs_msg_put_attrs(msg, (const char *)record + headers, record->nlmsg_len - headers);
	vs_msg_nest_end(msg, nest);
}

/* One that says nothing is counted, too, so that a later slice skips it without a look at it. */
static int put_record(struct vs_call *call, const struct nlmsghdr *record, const char *why)
{
	uint32_t buf[VS_CONFIG_RECORD_MAX / 4];
	struct vs_msg *msg;
	int ret;

	if (call->pos < call->skip) {
		call->pos++;
		return 0;
	}
	ret = vs_config_brief(record, buf, sizeof(buf));
	if (ret <= 0) {
		call->pos++;
		return ret;
	}
	msg = vs_call_begin(call);
	if (!msg)
		return 0;
	vs_msg_put_u32(msg, VS_ATTR_COMMAND, vs_msg_cmd(record));
	put_attributes(msg, (const struct nlmsghdr *)buf);
	if (why)
		vs_msg_put_str(msg, VS_ATTR_PROBLEM, why);
	return vs_call_end(call);
}

static int put_waiting(const struct vs_config_key *key, const struct nlmsghdr *record,
		       const char *why, void *ctx)
{
	const struct dump *dump = ctx;

	(void)key;
	return put_record(dump->call, record, why);
}

/* What waits comes behind what is there of the same kind. */
static int finish_kinds(struct dump *dump, unsigned int up_to)
{
	const struct vs_store *store = dump->call->session->hub->store;
	int ret = 0;

	while (dump->done < up_to && ret == 0)
		ret = vs_store_waiting(store, (enum vs_config_object)++ dump->done, put_waiting,
				       dump);
	return ret;
}

static int put_made(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx)
{
	struct dump *dump = ctx;
	int ret = finish_kinds(dump, (unsigned int)key->object - 1);

	return ret ? ret : put_record(dump->call, record, NULL);
}

static int get_config(struct vs_call *call, struct vs_fail *fail)
{
	struct dump dump = {.call = call};
	int ret = vs_config_each(call->model, put_made, &dump);

	(void)fail;
	return ret ? ret : finish_kinds(&dump, VS_CONFIG_FDB);
}

static int get_state(struct vs_call *call, struct vs_fail *fail)
{
	const struct vs_store *store = call->session->hub->store;
	struct vs_store_info info;
	struct vs_msg *msg;

	(void)fail;
	msg = store ? vs_call_begin(call) : NULL;
	if (!msg)
		return 0;
	vs_store_info(store, &info);
	vs_msg_put_str(msg, VS_ATTR_STATE_FILE, info.path);
	vs_msg_put_u64(msg, VS_ATTR_STATE_BYTES, info.bytes);
	vs_msg_put_u64(msg, VS_ATTR_STATE_BASE, info.base);
	vs_msg_put_u64(msg, VS_ATTR_TRANSACTIONS, info.transactions);
	vs_msg_put_u64(msg, VS_ATTR_REWRITES, info.rewrites);
	vs_msg_put_u64(msg, VS_ATTR_SYNC_US, info.sync_us);
	vs_msg_put_u32(msg, VS_ATTR_WAITING, info.waiting);
	if (info.problem[0])
		vs_msg_put_str(msg, VS_ATTR_PROBLEM, info.problem);
	return vs_call_end(call);
}

const struct vs_handler vs_obj_state[] = {
	{VS_CMD_CONFIG_GET, get_config},
	{VS_CMD_STATE_GET, get_state},
	{0, NULL},
};
