/* SPDX-License-Identifier: BSD-3-Clause */
/* The text that Prometheus reads: its exposition format, version 0.0.4. */
#ifndef VS_CONTROL_METRICS_TEXT_H
#define VS_CONTROL_METRICS_TEXT_H

#include <stddef.h>

struct evbuffer;
struct vs_model;
struct vs_server;

/** struct vs_metrics_source - what it tells about */
struct vs_metrics_source {
	struct vs_model *model;
	const struct vs_server *server;
	const char *version;
};

/**
 * vs_metrics_text() - append all metrics
 *
 * Switches, ports and workers are looked at once, within this call.
 *
 * Return: 0, or -ENOMEM.
 */
int vs_metrics_text(const struct vs_metrics_source *source, struct evbuffer *out);

/**
 * vs_metrics_escape() - a string as it stands between the quotes of a label
 * @text:	any bytes; each that is not printable ASCII becomes '?', so that it is UTF-8
 * @out:	@size bytes; what does not fit is cut off
 *
 * Return: @out.
 */
char *vs_metrics_escape(const char *text, char *out, size_t size);

#endif
