/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/fail.h"

#include <stdarg.h>
#include <stdio.h>

int vs_fail_set(struct vs_fail *fail, int err, enum vs_attr attr, const char *fmt, ...)
{
	va_list ap;

	fail->attr = (uint16_t)attr;
	va_start(ap, fmt);
	(void)vsnprintf(fail->text, sizeof(fail->text), fmt, ap);
	va_end(ap);
	return err;
}
