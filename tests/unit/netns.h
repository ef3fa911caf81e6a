/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network namespace of the test's own. Included after cmocka.h. Tests that need one are skipped
 * where the machine gives none (no root).
 */
#ifndef TESTS_UNIT_NETNS_H
#define TESTS_UNIT_NETNS_H

#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/** netns_enter() - leave the machine's network for an empty one. Return: is that so now? */
static inline bool netns_enter(void)
{
	return unshare(CLONE_NEWNET) == 0;
}

/** netns_need() - skip the test whose setup could not enter one: it left *state as it was, NULL */
#define netns_need(state)       \
	do {                    \
		if (!*(state))  \
			skip(); \
	} while (0)

/** netns_run() - run a shell command, printf style; it must end well. */
static inline void __attribute__((format(printf, 1, 2))) netns_run(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	/* NOLINTNEXTLINE(cert-env33-c): a command of the test itself */
	if (system(command) != 0)
		fail_msg("%s", command);
}

#endif
