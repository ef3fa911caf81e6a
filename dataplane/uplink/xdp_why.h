/* SPDX-License-Identifier: BSD-3-Clause */
/* How a refusal is said. */
#ifndef VS_UPLINK_XDP_WHY_H
#define VS_UPLINK_XDP_WHY_H

#include "dataplane/uplink/uplink.h"

#include <stdarg.h>
#include <stdio.h>

/** vs_xdp_refuse() - put a sentence for the user into *@why. Return: @err. */
static inline int __attribute__((format(printf, 3, 4)))
vs_xdp_refuse(int err, struct vs_xdp_why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return err;
}

#endif
