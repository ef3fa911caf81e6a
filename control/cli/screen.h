/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where something is shown that changes: a terminal is drawn over in place, anything else gets one
 * text behind the other. There is one of it, as there is one standard output and one set of
 * signals.
 */
#ifndef VS_CONTROL_CLI_SCREEN_H
#define VS_CONTROL_CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What screen_wait() waited for. */
enum screen_event {
	SCREEN_TIME,   /* it is as late as it was to be */
	SCREEN_REDRAW, /* the terminal has another size, or we were stopped and go on */
	SCREEN_GONE,   /* nobody reads our output any more */
};

/** How standard output is written to. */
enum screen_mode {
	SCREEN_APPEND,
	SCREEN_IN_PLACE, /* if it is a terminal that can do it, otherwise appended, too */
};

/**
 * screen_open() - begin
 *
 * From here on SIGPIPE is ignored: writing fails with -EPIPE instead. In place, the cursor is
 * hidden; whatever ends the program (SIGINT, SIGTERM, SIGHUP, SIGQUIT) or stops it (SIGTSTP)
 * shows it again first.
 */
void screen_open(enum screen_mode mode);

/** screen_close() - show the cursor again; what was drawn last stays. */
void screen_close(void);

/** screen_in_place() - is a terminal drawn over? */
bool screen_in_place(void);

/** screen_lines() - how many lines fit; 0: any number. */
size_t screen_lines(void);

/**
 * screen_put() - show @text, lines that end with a newline
 *
 * On a terminal it replaces what was there; lines and columns that do not fit are left out.
 *
 * Return: 0 or -errno of the write.
 */
int screen_put(const char *text, size_t len);

/** screen_wait() - wait until @until_ns of the monotonic clock, or until something happens. */
enum screen_event screen_wait(uint64_t until_ns);

/** screen_now_ns() - the monotonic clock. */
uint64_t screen_now_ns(void);

#endif
