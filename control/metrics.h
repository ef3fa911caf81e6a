/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics for Prometheus over HTTP, on a Unix socket or a loopback address. Control thread only.
 * What there is to see stands in doc/metrics.md.
 */
#ifndef VS_CONTROL_METRICS_H
#define VS_CONTROL_METRICS_H

struct event_base;
struct vs_metrics;
struct vs_model;
struct vs_server;

/**
 * struct vs_metrics_config - how to serve metrics
 * @place:	where, as vs_metrics_place_parse() takes it; stays valid
 * @version:	of the daemon; stays valid
 */
struct vs_metrics_config {
	struct event_base *base;
	const char *place;
	struct vs_model *model;
	const struct vs_server *server;
	const char *version;
};

/**
 * vs_metrics_new() - listen
 *
 * The file of a Unix socket has mode 0660; a stale one is replaced. Logs the reason when it fails.
 *
 * Return: 0 and the metrics (owned by the caller), or -errno.
 */
int vs_metrics_new(const struct vs_metrics_config *config, struct vs_metrics **ret_metrics);

/** vs_metrics_free() - disconnect everybody and stop to listen; NULL is fine. */
void vs_metrics_free(struct vs_metrics *m);

#endif
