/* SPDX-License-Identifier: BSD-3-Clause */
/* Uplinks whose cards may claim what they do not do: tests, by command and at start. */
#include "control/model_priv.h"
#include "control/port_kind.h"

#include "dataplane/core/debt.h"
#include "dataplane/core/log.h"
#include "dataplane/uplink/uplink.h"

#include <errno.h>
#include <stdio.h>

_Static_assert((int)VS_SELFTEST_NOT_CLAIMED == VS_TEST_NOT_CLAIMED &&
		       (int)VS_SELFTEST_NOT_TESTED == VS_TEST_NOT_TESTED &&
		       (int)VS_SELFTEST_GOOD == VS_TEST_GOOD && (int)VS_SELFTEST_BAD == VS_TEST_BAD,
	       "the same numbers");

static unsigned int quarantine_of(const struct vs_port *port)
{
	char why[VS_QUARANTINE_WHY_MAX];

	return port->kind->quarantined ? port->kind->quarantined(port, why, sizeof(why)) : 0;
}

static const char *name_of(unsigned int offload)
{
	switch (offload) {
	case VS_OFFLOAD_CSUM:
		return "csum";
	case VS_OFFLOAD_TSO4:
		return "tso4";
	case VS_OFFLOAD_TSO6:
		return "tso6";
	default:
		return "verify";
	}
}

/* Notices of what is in quarantine now and was not before, and the other way round. */
static void tell(struct vs_port *port, unsigned int before, const struct vs_selftest_report *report)
{
	const unsigned int after = quarantine_of(port);
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		const struct vs_selftest_row *row = &report->row[i];
		char text[sizeof(row->why) + 64];

		if (!((before ^ after) & row->offload))
			continue;
		if (after & row->offload) {
			(void)snprintf(text, sizeof(text), "%s, which the switch does now: %s",
				       name_of(row->offload), row->why);
			model_tell(port->m, VS_NOTICE_QUARANTINED, port->sw, port, NULL, text);
		} else {
			(void)snprintf(text, sizeof(text), "%s is left to the card again",
				       name_of(row->offload));
			model_tell(port->m, VS_NOTICE_RELEASED, port->sw, port, NULL, text);
		}
	}
}

static int test(struct vs_port *port, const struct rte_ether_addr *partner,
		struct vs_selftest_report *ret_report)
{
	const unsigned int before = quarantine_of(port);
	int err;

	port->tested = true;
	if (!port->kind->test) {
		vs_selftest_begin(0, "", ret_report);
		return 0;
	}
	err = port->kind->test(port, partner, ret_report);
	if (!err)
		tell(port, before, ret_report);
	return err;
}

static int show(const struct vs_port *port, const struct vs_selftest_report *report,
		int (*visit)(const struct vs_uplink_test_view *view, void *ctx), void *ctx)
{
	const unsigned int quarantine = quarantine_of(port);
	unsigned int i;
	int err = 0;

	for (i = 0; i < VS_SELFTEST_ROWS && err == 0; i++) {
		const struct vs_selftest_row *row = &report->row[i];
		const struct vs_uplink_test_view view = {
			.sw = port->sw->name,
			.port = port->name,
			.offload = row->offload,
			.verdict = (enum vs_test_verdict)row->verdict,
			.sent = row->sent,
			.back = row->back,
			.quarantined = quarantine & row->offload,
			.why = row->why,
		};

		err = visit(&view, ctx);
	}
	return err;
}

int vs_uplink_test(struct vs_model *m, const char *sw, const struct rte_ether_addr *partner,
		   int (*visit)(const struct vs_uplink_test_view *view, void *ctx), void *ctx,
		   struct vs_fail *fail)
{
	const struct vs_switch *found = model_find_switch(m, sw);
	struct vs_selftest_report report;
	struct vs_port *port;
	int err;

	if (!found)
		return vs_fail_set(fail, -ENOENT, VS_ATTR_SWITCH, "there is no switch '%s'", sw);
	port = model_uplink(found);
	if (!port || !port->dev)
		return vs_fail_set(fail, -EINVAL, VS_ATTR_SWITCH,
				   "switch '%s' has no uplink to test", sw);
	err = test(port, partner, &report);
	if (err)
		return vs_fail_set(fail, err, VS_ATTR_UNSPEC, "no memory for a test");
	return show(port, &report, visit, ctx);
}

/* Nobody has asked for the report: it goes to the log; what is bad is there already. */
static void log_report(const struct vs_port *port, const struct vs_selftest_report *report)
{
	const char *untested = NULL;
	unsigned int good = 0;
	unsigned int i;

	for (i = 0; i < VS_SELFTEST_ROWS; i++) {
		const struct vs_selftest_row *row = &report->row[i];

		good += row->verdict == VS_SELFTEST_GOOD;
		if (row->verdict == VS_SELFTEST_NOT_TESTED)
			untested = row->why;
	}
	if (untested)
		vs_log(VS_LOG_WARNING, "%s: offloads not tested: %s", port->name, untested);
	vs_log(VS_LOG_INFO, "%s: offloads tested: %u found good", port->name, good);
}

void model_uplinks_test(struct vs_model *m)
{
	static const struct rte_ether_addr nobody;
	struct vs_selftest_report report;
	unsigned int i;

	for (i = 0; m->env.test_uplinks && i < VS_PORTS_MAX; i++) {
		struct vs_port *port = m->port[i];

		if (!port || port->tested || port->kind->role != VS_ROLE_UPLINK || !port->dev ||
		    !model_is_up(port))
			continue;
		if (test(port, &nobody, &report) == 0)
			log_report(port, &report);
		else
			port->tested = false; /* no memory: with the next tick */
		return;
	}
}
