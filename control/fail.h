/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the daemon says why a command failed: from the model through the handlers to the answer.
 */
#ifndef VS_CONTROL_FAIL_H
#define VS_CONTROL_FAIL_H

#include "control/proto.h"

/**
 * struct vs_fail - why a call failed, for the user
 * @attr:	number of the offending attribute (control/proto.h), 0 if it is none in particular
 * @text:	one sentence that names the offender and says what would be right
 */
struct vs_fail {
	uint16_t attr;
	char text[320];
};

/** vs_fail_set() - fill in @fail and return @err, so that a refusal is one statement. */
int vs_fail_set(struct vs_fail *fail, int err, enum vs_attr attr, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
