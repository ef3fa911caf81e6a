/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a request back to the command line that makes it: the inverse of cli_parse(), read from
 * the same tables. The configuration is shown this way, and the difference that a batch makes.
 */
#ifndef VS_CONTROL_CLI_RENDER_H
#define VS_CONTROL_CLI_RENDER_H

#include "control/cli/cli.h"

#include <jansson.h>

#include <stdio.h>

/**
 * struct render - a request to be shown
 * @cmd:	enum vs_cmd
 * @tb:		its attributes by number; they point into the message
 * @stranger:	it has an attribute that this program does not know
 */
struct render {
	unsigned int cmd;
	const struct nlattr *tb[VS_ATTR_COUNT_];
	bool stranger;
};

/**
 * render_open() - a request that is a message
 * @record:	whole, of type VS_MSG_TYPE
 *
 * Return: 0, or -EBADMSG.
 */
int render_open(struct render *r, const struct nlmsghdr *record);

/**
 * render_open_nest() - a request whose attributes lie inside of another one
 * @cmd:	of which command they are
 *
 * Return: 0, or -EBADMSG.
 */
int render_open_nest(struct render *r, unsigned int cmd, const struct nlattr *nest);

/**
 * render_text() - print the command line, without "vmswitch" in front and a newline behind it
 *
 * Words are quoted where a shell, or cli/lex.c, needs it; arguments stand in the order of their
 * table. Nothing is printed in case of an error.
 *
 * Return: 0; -EOPNOTSUPP if no command line says all that the request says; -EINVAL if something
 * is missing from the request, a number stands for no word, or a word has control characters.
 */
int render_text(const struct render *r, FILE *out);

/**
 * render_json() - the same as JSON
 *
 * {"command": the line, "object": "port", "verb": "add", "arguments": {"name": ..., ...}}; numbers
 * are numbers, flags and on and off are booleans.
 *
 * Return: the object, owned by the caller; NULL where render_text() fails, or without memory.
 */
json_t *render_json(const struct render *r);

/** cli_render() - render_open() and render_text(). Return: 0 or an error of theirs. */
int cli_render(const struct nlmsghdr *record, FILE *out);

/** render_word() - print one word, quoted if need be. */
void render_word(const char *word, FILE *out);

#endif
