/* SPDX-License-Identifier: BSD-3-Clause */
/* Where metrics are served: what `--metrics` takes. */
#ifndef VS_CONTROL_METRICS_PLACE_H
#define VS_CONTROL_METRICS_PLACE_H

#include <sys/socket.h>

enum {
	VS_METRICS_WHY_SIZE = 256,
};

/**
 * struct vs_metrics_place - a Unix socket, or a loopback address with a port
 * @path:	of the Unix socket, in the text that was parsed; NULL: @addr, @len bytes of it
 */
struct vs_metrics_place {
	const char *path;
	struct sockaddr_storage addr;
	socklen_t len;
};

/**
 * vs_metrics_place_parse() - "unix:PATH", "127.0.0.1:PORT" or "[::1]:PORT"
 * @why:	filled in when it is none of them
 *
 * Any address of 127.0.0.0/8 will do. Return: 0, or -EINVAL.
 */
int vs_metrics_place_parse(const char *text, struct vs_metrics_place *ret_place,
			   char why[VS_METRICS_WHY_SIZE]);

#endif
