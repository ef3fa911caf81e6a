/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completion of command lines by the shell. The script asks this program what could stand at the
 * cursor (completion words), so that there is one grammar: the tables, of which the script knows
 * nothing.
 */
#include "control/cli/complete.h"

enum {
	ARG_LINE,
};

static const struct cli_arg words_args[] = {
	[ARG_LINE] = {NULL, "LINE", CLI_WORD, CLI_MUST,
		      .help = "the command line up to the cursor"},
	{0},
};

static const char bash_script[] =
	"# bash completion for vmswitch; made by: vmswitch completion bash\n"
	"_vmswitch()\n"
	"{\n"
	"	local line=${COMP_LINE:0:COMP_POINT} cur before word\n"
	"	local -a files\n"
	"\n"
	"	# bash divides words at some characters, and replaces what is behind the last one\n"
	"	cur=${line##*[[:space:]]}\n"
	"	before=${cur%\"${cur##*[:=]}\"}\n"
	"	COMPREPLY=()\n"
	"	while IFS= read -r word; do\n"
	"		case $word in\n"
	"		:files)\n"
	"			mapfile -t files < <(compgen -f -- \"$cur\")\n"
	"			COMPREPLY+=(\"${files[@]}\")\n"
	"			compopt -o filenames 2>/dev/null\n"
	"			;;\n"
	"		:nospace)\n"
	"			compopt -o nospace 2>/dev/null\n"
	"			;;\n"
	"		*)\n"
	"			COMPREPLY+=(\"$word\")\n"
	"			;;\n"
	"		esac\n"
	"	done < <(\"${1:-vmswitch}\" completion words \"$line\" 2>/dev/null)\n"
	"	COMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
	"}\n"
	"complete -F _vmswitch vmswitch\n";

static int bash(struct cli *cli)
{
	if (fputs(bash_script, stdout) == EOF || fflush(stdout))
		return cli_complain("the output is not complete");
	return CLI_OK;
}

static int words(struct cli *cli)
{
	int err = complete_line(cli, cli->value[ARG_LINE].word, stdout);

	if (fflush(stdout) || err)
		return cli_complain("the output is not complete");
	return CLI_OK;
}

const struct cli_verb cli_completion_verbs[] = {
	{"bash", CLI_NO_COMMAND, cli_no_args, bash,
	 "print what makes bash complete command lines of vmswitch", "completion bash"},
	{"words", CLI_NO_COMMAND, words_args, words,
	 "print the words that could stand at the end of a command line; the script asks so",
	 "completion words 'vmswitch switch '"},
	{0},
};
