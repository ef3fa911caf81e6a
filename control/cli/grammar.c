/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The objects, words that several of them use, and help made from the tables.
 */
#include "control/cli/cli.h"

#include <string.h>

const struct cli_object cli_objects[] = {
	{"switch", cli_switch_verbs, "virtual switches"},
	{"port", cli_port_verbs, "ports of switches"},
	{"fdb", cli_fdb_verbs, "addresses and where they are (forwarding database)"},
	{"stats", cli_stats_verbs, "counters, and the audit that they add up"},
	{"vmq", cli_vmq_verbs, "queues of uplinks, one for each virtual machine"},
	{"mtu", cli_mtu_verbs, "how long frames may be, and who limits them"},
	{"offload", cli_offload_verbs, "who computes checksums and cuts long frames"},
	{"uplink", cli_uplink_verbs,
	 "cards of external switches, and whether they do what they claim"},
	{"worker", cli_worker_verbs, "polling threads"},
	{"queue", cli_queue_verbs, "queue pairs, and the workers that visit them"},
	{"drops", cli_drops_verbs, "dropped frames, by port and reason"},
	{"config", cli_config_verbs, "the configuration as commands"},
	{"state", cli_state_verbs, "the file that keeps the configuration"},
	{"top", cli_top_verbs, "what is going on, by virtual machine"},
	{"capture", cli_capture_verbs, "copies of a port's frames"},
	{"monitor", cli_monitor_verbs, "print what happens, as it happens"},
	{"confirm", cli_confirm_verbs, "keep a change that waits to be confirmed"},
	{"rollback", cli_rollback_verbs, "take a change back that waits to be confirmed"},
	{"completion", cli_completion_verbs, "completion of command lines by the shell"},
	{NULL, NULL, NULL},
};

const struct cli_arg cli_no_args[] = {{0}};

const struct cli_choice cli_switch_kinds[] = {
	{"private", VS_KIND_PRIVATE},
	{"internal", VS_KIND_INTERNAL},
	{"external", VS_KIND_EXTERNAL},
	{NULL, 0},
};
const struct cli_choice cli_port_kinds[] = {
	{"guest", VS_KIND_GUEST},
	{"host", VS_KIND_HOST},
	{"uplink", VS_KIND_UPLINK},
	{NULL, 0},
};
const struct cli_choice cli_off_on[] = {{"off", 0}, {"on", 1}, {NULL, 0}};
const struct cli_choice cli_vmq_modes[] = {{"off", 0}, {"on", 1}, {"soft", 2}, {NULL, 0}};
const struct cli_choice cli_vmq_queues[] = {{"all", 0}, {NULL, 0}};
const struct cli_choice cli_modes[] = {
	{"client", VS_MODE_CLIENT},
	{"server", VS_MODE_SERVER},
	{NULL, 0},
};

const char *cli_choice_word(const struct cli_choice *choices, uint32_t value)
{
	for (; choices->word; choices++) {
		if (choices->value == value)
			return choices->word;
	}
	return "unknown";
}

static void print_arg(FILE *file, const struct cli_arg *arg)
{
	if (arg->word)
		fprintf(file, "%s", arg->word);
	if (arg->value)
		fprintf(file, "%s%s", arg->word ? " " : "", arg->value);
}

static void print_usage(FILE *file, const struct cli_object *object, const struct cli_verb *verb)
{
	const struct cli_arg *arg;

	fprintf(file, "vmswitch %s", object->word);
	if (verb->word[0])
		fprintf(file, " %s", verb->word);
	for (arg = verb->args; arg->word || arg->value; arg++) {
		bool first = !arg->group || arg == verb->args || arg[-1].group != arg->group;
		bool last = !arg->group || arg[1].group != arg->group;

		if (arg->need == CLI_MUST) {
			fputc(' ', file);
			print_arg(file, arg);
			continue;
		}
		fputs(first ? " [" : " | ", file);
		print_arg(file, arg);
		fputs(last ? "]" : "", file);
	}
	fputc('\n', file);
}

static void help_verb(FILE *file, const struct cli_object *object, const struct cli_verb *verb)
{
	const struct cli_arg *arg;

	print_usage(file, object, verb);
	fprintf(file, "    %s\n", verb->help);
	for (arg = verb->args; arg->word || arg->value; arg++) {
		fputs("      ", file);
		print_arg(file, arg);
		fprintf(file, ": %s\n", arg->help);
	}
	fprintf(file, "    example: vmswitch %s\n", verb->example);
}

static void help_object(FILE *file, const struct cli_object *object)
{
	const struct cli_verb *verb;

	fprintf(file, "%s: %s\n", object->word, object->help);
	for (verb = object->verbs; verb->run; verb++)
		help_verb(file, object, verb);
}

static const char options_text[] =
	"usage: vmswitch [OPTIONS] OBJECT VERB ...\n"
	"       vmswitch [OPTIONS] -f FILE\n"
	"  -f, --file FILE       commands from a file (-: standard input), applied all or none\n"
	"  -n, --dry-run         only print what would change\n"
	"      --confirm SECONDS take the change back unless 'vmswitch confirm' comes in time\n"
	"  -H, --host HOST       the switch of another host, through ssh: [USER@]HOST\n"
	"  -s, --socket SOCKET   control socket of vmswitchd (default: $VMSWITCH_SOCKET, else\n"
	"                        " VS_SOCKET_DEFAULT ")\n"
	"  -j, --json            JSON instead of text\n"
	"  -p, --pretty          JSON with line breaks\n"
	"  -V, --version         print the version\n"
	"  -h, --help            print this\n\n";

static void help_all(FILE *file)
{
	const struct cli_object *object;
	const struct cli_verb *verb;

	fputs(options_text, file);
	for (object = cli_objects; object->word; object++) {
		for (verb = object->verbs; verb->run; verb++)
			print_usage(file, object, verb);
	}
	fputs("\nvmswitch help OBJECT [VERB]: more about it\n", file);
}

void cli_help(FILE *file, const struct cli_object *object, const struct cli_verb *verb)
{
	if (verb)
		help_verb(file, object, verb);
	else if (object)
		help_object(file, object);
	else
		help_all(file);
}
