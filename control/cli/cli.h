/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line as tables: objects have verbs, verbs have arguments, and an argument says
 * which attribute of the request it fills. Parsing, help and "did you mean" all read the same
 * rows. A new object is a file cmd_<object>.c with its table, and a row in cli/grammar.c.
 */
#ifndef VS_CONTROL_CLI_CLI_H
#define VS_CONTROL_CLI_CLI_H

#include "control/cli/out.h"
#include "control/client.h"
#include "control/tlv.h"

enum {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the daemon said no, or is not there */
	CLI_USAGE = 2,

	/** Rows of an argument table, at most. */
	CLI_ARGS_MAX = 32,

	/** In place of an enum vs_cmd: the daemon is not asked. */
	CLI_NO_COMMAND = 0,
};

/** What stands on the command line. */
enum cli_type {
	CLI_WORD,    /* sent as it is; the daemon checks it */
	CLI_PATH,    /* sent as an absolute one: the daemon's current directory is another; if it
		      * is not sent, it is left as it is */
	CLI_NUMBER,  /* u32; or one of @choices */
	CLI_SECONDS, /* with up to three decimals; never sent */
	CLI_MAC,     /* or one of @choices: its value 0 is all zero, another one a flag to send */
	CLI_VLAN,    /* untagged, access N, trunk LIST [native N] */
	CLI_OFFLOAD, /* all, none, LIST on, LIST off */
	CLI_CHOICE,  /* one of @choices, its value sent as u32 */
	CLI_FLAG,    /* no value */
};

enum cli_need {
	CLI_MAY = 1,
	CLI_MUST,
};

struct cli_choice {
	const char *word; /* NULL: end of the table */
	uint32_t value;
};

/**
 * struct cli_arg - an argument; a table of them ends with @value and @word NULL
 * @word:	keyword in front of the value, or the flag itself; NULL: by position
 * @value:	what help calls the value, NULL for a flag
 * @attr:	that it fills, 0: none
 * @local:	bit set in struct cli.local, for what the daemon is not told
 * @group:	not 0: arguments of one group exclude each other
 * @min, @max:	of a number that the daemon is not told and so cannot judge; seconds: in ms
 * @kind:	not 0: of several arguments that fill @attr, the one for objects of this kind
 */
struct cli_arg {
	const char *word;
	const char *value;
	enum cli_type type;
	enum cli_need need;
	enum vs_attr attr;
	const struct cli_choice *choices;
	unsigned int local;
	unsigned int group;
	uint32_t min;
	uint32_t max;
	uint32_t kind;
	const char *help;
};

/**
 * struct cli_value - what was given for an argument that the verb itself looks at: words, and
 * numbers, seconds and choices that are not sent
 * @word:	as it was typed; NULL: nothing was given
 * @number:	of CLI_NUMBER; of CLI_CHOICE its value; of CLI_SECONDS milliseconds
 */
struct cli_value {
	const char *word;
	uint32_t number;
};

struct cli;
struct remote;

/**
 * struct cli_verb - a command; a table of them ends with @run NULL
 * @word:	"": the object alone is the command
 * @run:	cli_do for what changes something and has no other answer
 * @example:	a command line, without "vmswitch"
 */
struct cli_verb {
	const char *word;
	unsigned int cmd; /* enum vs_cmd, or CLI_NO_COMMAND */
	const struct cli_arg *args;
	int (*run)(struct cli *cli);
	const char *help;
	const char *example;
};

/** struct cli_object - a table of them ends with @word NULL */
struct cli_object {
	const char *word;
	const struct cli_verb *verbs;
	const char *help;
};

/**
 * struct cli - one run of the program
 * @remote:	host on which the daemon is, as ssh calls it; NULL: this one
 * @remote_socket: the daemon's there; NULL: the usual one
 * @far:	the connection to @remote (control/cli/remote.c)
 * @dry_run:	only say what would change
 * @confirm_s:	not 0: the change is taken back after so many seconds unless it is confirmed
 * @file:	the command is a line of this one: no word of it asks for help; NULL: it is not
 * @line:	which line; 0: none of them
 * @local:	bits of arguments that are not sent
 * @given:	bit per row of the verb's argument table
 * @value:	per row, too
 * @msg:	the request as parsed
 * @error:	what is wrong with the command line
 */
struct cli {
	const char *socket;
	const char *remote;
	const char *remote_socket;
	struct remote *far;
	bool dry_run;
	uint32_t confirm_s;
	const char *file;
	unsigned int line;
	enum out_format format;
	const struct cli_object *object;
	const struct cli_verb *verb;
	unsigned int local;
	uint32_t given;
	struct cli_value value[CLI_ARGS_MAX];
	struct vs_client *client;
	struct out out;
	struct vs_msg msg;
	uint32_t buf[VS_MESSAGE_MAX / 4];
	char error[512];
};

extern const struct cli_verb cli_switch_verbs[];
extern const struct cli_verb cli_port_verbs[];
extern const struct cli_verb cli_fdb_verbs[];
extern const struct cli_verb cli_mtu_verbs[];
extern const struct cli_verb cli_offload_verbs[];
extern const struct cli_verb cli_vmq_verbs[];
extern const struct cli_verb cli_queue_verbs[];
extern const struct cli_verb cli_uplink_verbs[];
extern const struct cli_verb cli_worker_verbs[];
extern const struct cli_verb cli_stats_verbs[];
extern const struct cli_verb cli_drops_verbs[];
extern const struct cli_verb cli_monitor_verbs[];
extern const struct cli_verb cli_config_verbs[];
extern const struct cli_verb cli_state_verbs[];
extern const struct cli_verb cli_confirm_verbs[];
extern const struct cli_verb cli_rollback_verbs[];
extern const struct cli_verb cli_completion_verbs[];
extern const struct cli_verb cli_capture_verbs[];
extern const struct cli_verb cli_top_verbs[];

/** All objects. */
extern const struct cli_object cli_objects[];

/** An argument table with nothing in it. */
extern const struct cli_arg cli_no_args[];

/** Words for numbers of the protocol. */
extern const struct cli_choice cli_switch_kinds[];
extern const struct cli_choice cli_port_kinds[];
extern const struct cli_choice cli_modes[];
extern const struct cli_choice cli_off_on[];
extern const struct cli_choice cli_vmq_modes[];
extern const struct cli_choice cli_vmq_queues[];
extern const struct cli_choice cli_cans[];

/** cli_choice_word() - word for @value, or "unknown". */
const char *cli_choice_word(const struct cli_choice *choices, uint32_t value);

/** What a command line turned out to be. */
enum cli_parsed {
	CLI_PARSED,
	CLI_WANTS_HELP, /* for cli->object and cli->verb, as far as they are set */
	CLI_WRONG,      /* cli->error says why */
};

/**
 * cli_parse() - find object and verb, and build the request
 * @argc, @argv: words behind the options
 */
enum cli_parsed cli_parse(struct cli *cli, int argc, char **argv);

/** cli_help() - print what there is, for all of it, an object or a verb (NULL: all). */
void cli_help(FILE *file, const struct cli_object *object, const struct cli_verb *verb);

/** cli_run() - open cli->client and run the verb, which may set it to NULL. Return: exit status. */
int cli_run(struct cli *cli);

/**
 * cli_do() - send the request; for verbs that only change something
 * Return: exit status; an error has been printed.
 */
int cli_do(struct cli *cli);

/**
 * struct cli_collect - what becomes of the records of a dump
 * @record:	collects one
 * @restart:	throws away what was collected
 * @ctx:	for both
 */
struct cli_collect {
	vs_client_record *record;
	void (*restart)(void *ctx);
	void *ctx;
};

/**
 * cli_dump() - send a request and read its answer, a few times if something changes meanwhile
 *
 * cli->local is before each attempt what it is now. After the last one vs_client_interrupted()
 * says whether the answer is still torn; see cli_check_whole().
 *
 * Return: as vs_client_call().
 */
int cli_dump(struct cli *cli, struct vs_msg *msg, const struct cli_collect *to,
	     struct vs_client_fail *ret_fail);

/**
 * cli_check_whole() - is what cli_dump() read last of one instant?
 *
 * If not, there is a warning on standard error; a configuration must be, and this is an error.
 *
 * Return: CLI_OK if it may be printed, or CLI_FAILED.
 */
int cli_check_whole(const struct cli *cli);

/**
 * cli_show() - send the request and print its records in one @layout
 * @record:	turns a record into a row of cli->out, or prints to its file; @ctx is the cli. It
 *		may be called for the same records again; see cli_dump().
 *
 * Return: exit status; an error has been printed, and then nothing else.
 */
int cli_show(struct cli *cli, enum out_layout layout, vs_client_record *record);

/** cli_complain_in() - from now on errors are printed in this format. */
void cli_complain_in(enum out_format format);

/**
 * cli_complain() - "vmswitch: ..." on standard error, or {"error": "..."}
 * Return: CLI_FAILED.
 */
int cli_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** cli_complain_at() - the same with the line that cli->file and cli->line name. */
int cli_complain_at(const struct cli *cli, const char *text);

/**
 * cli_fail() - the same for what the daemon or the connection to it said
 *
 * JSON has "errno", and "attribute" if one offends, too.
 */
int cli_fail(const struct cli *cli, const struct vs_client_fail *fail);

/** cli_changes() - does the command change something, so that it can be part of a batch? */
bool cli_changes(const struct cli_verb *verb);

/** cli_close() - end the output. Return: @status, or CLI_FAILED if it could not be written. */
int cli_close(struct cli *cli, int status);

/* Values of a record; what is not there is NULL or 0. */
const char *cli_str(const struct nlattr *const *tb, enum vs_attr attr);
uint64_t cli_num(const struct nlattr *const *tb, enum vs_attr attr);
const uint8_t *cli_mac(const struct nlattr *const *tb, enum vs_attr attr);

#endif
