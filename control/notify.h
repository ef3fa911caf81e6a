/* SPDX-License-Identifier: BSD-3-Clause */
/* What a service manager (systemd) is told: ready, stopping, and that all workers move. */
#ifndef VS_CONTROL_NOTIFY_H
#define VS_CONTROL_NOTIFY_H

struct event_base;
struct vs_notify;
struct vs_worker;

/**
 * vs_notify_ready() - say that the daemon serves, and keep the watchdog fed from now on
 * @workers:	all that must move; they stay valid
 *
 * Does nothing where no service manager listens (NOTIFY_SOCKET), or none wants a watchdog
 * (WATCHDOG_USEC). Return: 0 and what vs_notify_end() takes, or -ENOMEM, -EINVAL too many workers.
 */
int vs_notify_ready(struct event_base *base, struct vs_worker *const *workers,
		    unsigned int n_workers, struct vs_notify **ret_notify);

/** vs_notify_end() - say that the daemon stops. NULL is fine. */
void vs_notify_end(struct vs_notify *notify);

#endif
