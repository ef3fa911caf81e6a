/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/cmd_watch.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOCAL_BY_VM = 1 << 0,
	GROUP_WHICH = 1,
};

static const struct cli_choice by_what[] = {{"vm", 0}, {NULL, 0}};

static const struct cli_arg show_args[] = {
	{"port", "NAME", CLI_WORD, CLI_MAY, VS_ATTR_PORT, .group = GROUP_WHICH,
	 .help = "only this port, with all of it"},
	{"by", "vm", CLI_CHOICE, CLI_MAY, .choices = by_what, .local = LOCAL_BY_VM,
	 .group = GROUP_WHICH, .help = "sums over the ports of each virtual machine"},
	{0},
};

/* The counters: one row each, for text, JSON and sums. */
static const struct {
	enum vs_attr attr;
	enum out_where where;
	const char *key;
	const char *label;
} counters[] = {
	{VS_ATTR_RECEIVED, OUT_EVERYWHERE, "received", "RECEIVED"},
	{VS_ATTR_RECEIVED_BYTES, OUT_EVERYWHERE, "received_bytes", "RECEIVED-BYTES"},
	{VS_ATTR_FORWARDED, OUT_IN_BLOCKS, "forwarded", "FORWARDED"},
	{VS_ATTR_FLOODED, OUT_IN_BLOCKS, "flooded", "FLOODED"},
	{VS_ATTR_CONSUMED, OUT_IN_BLOCKS, "consumed", "CONSUMED"},
	{VS_ATTR_DROPPED_IN, OUT_EVERYWHERE, "dropped_in", "DROPPED-IN"},
	{VS_ATTR_ATTEMPTS, OUT_IN_BLOCKS, "attempts", "ATTEMPTS"},
	{VS_ATTR_SENT, OUT_EVERYWHERE, "sent", "SENT"},
	{VS_ATTR_SENT_BYTES, OUT_EVERYWHERE, "sent_bytes", "SENT-BYTES"},
	{VS_ATTR_DROPPED_OUT, OUT_EVERYWHERE, "dropped_out", "DROPPED-OUT"},
};

enum {
	N_COUNTERS = sizeof(counters) / sizeof(counters[0]),
};

static void put_counters(struct out *o, const uint64_t *value)
{
	unsigned int i;

	for (i = 0; i < N_COUNTERS; i++)
		out_num(o, counters[i].where, counters[i].key, counters[i].label, value[i]);
}

static void read_counters(const struct nlattr *const *tb, uint64_t *ret_value)
{
	unsigned int i;

	for (i = 0; i < N_COUNTERS; i++)
		ret_value[i] = cli_num(tb, counters[i].attr);
}

static int show_record(const struct nlattr *const *tb, void *ctx)
{
	struct out *o = &((struct cli *)ctx)->out;
	uint64_t value[N_COUNTERS];

	read_counters(tb, value);
	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "port", "PORT", cli_str(tb, VS_ATTR_PORT));
	out_str(o, OUT_EVERYWHERE, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_str(o, OUT_EVERYWHERE, "vm", "VM", cli_str(tb, VS_ATTR_VM));
	put_counters(o, value);
	out_row_end(o);
	return 0;
}

/* ---- sums per VM ---- */

struct vm {
	char name[VS_PROTO_NAME_SIZE];
	uint64_t ports;
	uint64_t value[N_COUNTERS];
};

struct vms {
	struct vm *vm;
	size_t n;
	bool failed;
};

static struct vm *find_vm(struct vms *vms, const char *name)
{
	struct vm *vm;
	size_t i;

	for (i = 0; i < vms->n; i++) {
		if (strcmp(vms->vm[i].name, name) == 0)
			return &vms->vm[i];
	}
	vm = realloc(vms->vm, (vms->n + 1) * sizeof(*vm));
	if (!vm)
		return NULL;
	vms->vm = vm;
	vm += vms->n++;
	*vm = (struct vm){.ports = 0};
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	return vm;
}

static int sum_record(const struct nlattr *const *tb, void *ctx)
{
	const char *name = cli_str(tb, VS_ATTR_VM);
	uint64_t value[N_COUNTERS];
	struct vms *vms = ctx;
	struct vm *vm = find_vm(vms, name ? name : "");
	unsigned int i;

	if (!vm) {
		vms->failed = true;
		return 1;
	}
	read_counters(tb, value);
	vm->ports++;
	for (i = 0; i < N_COUNTERS; i++)
		vm->value[i] += value[i];
	return 0;
}

static void sum_again(void *ctx)
{
	((struct vms *)ctx)->n = 0;
}

static int show_by_vm(struct cli *cli)
{
	struct vs_client_fail fail;
	struct vms vms = {0};
	const struct cli_collect to = {sum_record, sum_again, &vms};
	int status = CLI_OK;
	size_t i;
	int ret;

	ret = cli_dump(cli, &cli->msg, &to, &fail);
	if (ret) {
		status = cli_complain("%s", vms.failed ? "out of memory" : fail.text);
		goto out_free;
	}
	status = cli_check_whole(cli);
	if (status != CLI_OK)
		goto out_free;
	out_open(&cli->out, stdout, cli->format, OUT_TABLE);
	for (i = 0; i < vms.n; i++) {
		out_row_begin(&cli->out);
		out_str(&cli->out, OUT_EVERYWHERE, "vm", "VM", vms.vm[i].name);
		out_num(&cli->out, OUT_EVERYWHERE, "ports", "PORTS", vms.vm[i].ports);
		put_counters(&cli->out, vms.vm[i].value);
		out_row_end(&cli->out);
	}
	status = cli_close(cli, status);
out_free:
	free(vms.vm);
	return status;
}

static int show(struct cli *cli)
{
	if (cli->local & LOCAL_BY_VM)
		return show_by_vm(cli);
	return cli_show(cli, cli->given ? OUT_BLOCKS : OUT_TABLE, show_record);
}

/* ---- the audit ---- */

static int audit_record(const struct nlattr *const *tb, void *ctx)
{
	uint64_t right = cli_num(tb, VS_ATTR_RIGHT);
	uint64_t left = cli_num(tb, VS_ATTR_LEFT);
	struct cli *cli = ctx;
	struct out *o = &cli->out;
	bool ok = tb[VS_ATTR_LEFT] && tb[VS_ATTR_RIGHT] && left == right;

	out_row_begin(o);
	out_str(o, OUT_EVERYWHERE, "sum", "SUM", cli_str(tb, VS_ATTR_SUM));
	out_str(o, OUT_EVERYWHERE, "name", "NAME", cli_str(tb, VS_ATTR_NAME));
	out_str(o, OUT_ONLY_JSON, "switch", "SWITCH", cli_str(tb, VS_ATTR_SWITCH));
	out_num(o, OUT_EVERYWHERE, "left", "LEFT", left);
	out_num(o, OUT_EVERYWHERE, "right", "RIGHT", right);
	out_value(o, OUT_EVERYWHERE, "ok", "HOLDS", json_boolean(ok), ok ? "ok" : "BROKEN");
	out_str(o, OUT_EVERYWHERE, "terms", "TERMS", cli_str(tb, VS_ATTR_TERMS));
	out_row_end(o);
	if (!ok)
		cli->local++;
	return 0;
}

static int audit(struct cli *cli)
{
	int status;

	cli->local = 0; /* counts the sums that do not hold */
	status = cli_show(cli, OUT_TABLE, audit_record);
	if (status == CLI_OK && cli->local)
		return cli_complain("%u of the sums do not hold", cli->local);
	return status;
}

const struct cli_verb cli_stats_verbs[] = {
	{"show", VS_CMD_STATS_GET, show_args, show, "counters of ports: frames and bytes, no FCS",
	 "stats show by vm"},
	{"watch", VS_CMD_STATS_GET, watch_args, watch,
	 "frames and bits per second, and drops, again and again; from and to the guest, no FCS",
	 "stats watch switch lan interval 0.5"},
	{"audit", VS_CMD_AUDIT_GET, cli_no_args, audit,
	 "check that every frame is accounted for; exit status 1 if a sum does not hold",
	 "stats audit"},
	{0},
};
