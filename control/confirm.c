/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/confirm.h"

#include "control/rollback.h"
#include "control/session.h"
#include "dataplane/core/log.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void tell(struct vs_hub *hub, enum vs_notice_type type, const char *text)
{
	const struct vs_notice notice = {.type = type, .sw = "", .port = "", .text = text};

	vs_monitor_notice(&notice, hub);
}

static int go_back(struct vs_hub *hub, const char *why, struct vs_fail *fail)
{
	char text[512];
	int err;

	event_del(hub->confirm.timer);
	err = vs_rollback(hub->model, fail);
	if (err)
		(void)snprintf(text, sizeof(text), "%s; not all of it came back: %s", why,
			       fail->text);
	else
		(void)snprintf(text, sizeof(text), "%s", why);
	vs_log(err ? VS_LOG_ERROR : VS_LOG_WARNING, "control: went back to what was before: %s",
	       text);
	tell(hub, VS_NOTICE_ROLLED_BACK, text);
	return err;
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_hub *hub = ctx;
	struct vs_fail fail = {0};
	char why[100];

	(void)fd;
	(void)what;
	if (!vs_txn_is_provisional(hub->model))
		return;
	(void)snprintf(why, sizeof(why), "the batch of process %d was not confirmed in time",
		       (int)hub->confirm.pid);
	(void)go_back(hub, why, &fail);
}

int vs_confirm_open(struct vs_hub *hub)
{
	hub->confirm.timer = evtimer_new(hub->base, on_end, hub);
	return hub->confirm.timer ? 0 : -ENOMEM;
}

void vs_confirm_close(struct vs_hub *hub)
{
	if (vs_txn_is_provisional(hub->model))
		vs_log(VS_LOG_WARNING, "control: the batch of process %d was not confirmed",
		       (int)hub->confirm.pid);
	event_free(hub->confirm.timer);
}

void vs_confirm_start(struct vs_hub *hub, uint32_t seconds, pid_t pid)
{
	const struct timeval wait = {.tv_sec = seconds};
	struct vs_fail fail = {0};
	char text[100];

	hub->confirm.end_ms = now_ms() + (uint64_t)seconds * 1000;
	hub->confirm.pid = pid;
	if (event_add(hub->confirm.timer, &wait) != 0) {
		(void)go_back(hub, "no timer could be set", &fail);
		return;
	}
	(void)snprintf(text, sizeof(text), "the batch of process %d has %u s to be confirmed",
		       (int)pid, seconds);
	vs_log(VS_LOG_INFO, "control: %s", text);
	tell(hub, VS_NOTICE_UNCONFIRMED, text);
}

int vs_confirm_check(const struct vs_hub *hub, struct vs_fail *fail)
{
	uint64_t now = now_ms();
	uint64_t left = hub->confirm.end_ms > now ? hub->confirm.end_ms - now : 0;

	if (!vs_txn_is_provisional(hub->model))
		return 0;
	return vs_fail_set(fail, -EBUSY, 0,
			   "a batch of process %d waits to be confirmed for another %llu s; until "
			   "then nothing else is changed ('vmswitch confirm' keeps it, 'vmswitch "
			   "rollback' undoes it)",
			   (int)hub->confirm.pid, (unsigned long long)((left + 999) / 1000));
}

int vs_confirm_run(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_hub *hub = call->session->hub;
	char text[100];
	int err;

	err = vs_txn_confirm(hub->model, fail);
	if (err)
		return err;
	event_del(hub->confirm.timer);
	(void)snprintf(text, sizeof(text), "by process %d", (int)call->session->peer.pid);
	tell(hub, VS_NOTICE_CONFIRMED, text);
	return 0;
}

int vs_confirm_rollback(struct vs_call *call, struct vs_fail *fail)
{
	struct vs_hub *hub = call->session->hub;
	char why[100];

	if (!vs_txn_is_provisional(hub->model))
		return vs_fail_set(fail, -ENOENT, 0, "nothing waits to be confirmed");
	(void)snprintf(why, sizeof(why), "process %d asked for it", (int)call->session->peer.pid);
	return go_back(hub, why, fail);
}
