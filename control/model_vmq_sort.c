/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues that something before the switch sorts frames into.
 *
 * DOC: theory of operation
 *
 * The workers' table has the last word (vmq/classify.c), so whatever sorts before them need not
 * change in the same moment: it is told when they have the new table. What is told may change the
 * queue pairs of the uplink, or whose they are; then a second snapshot says so. An uplink that
 * refuses is sorted by the switch itself, and asked again at the next change.
 *
 * Frames that it sorted into the queue of another port are counted, and once a second it is shown
 * how many there were.
 */
#include "control/model_priv.h"
#include "control/port_kind.h"
#include "dataplane/core/log.h"

#include <rte_string_fns.h>

#include <string.h>

bool model_vmq_is_sorted(const struct vs_switch *sw)
{
	const struct vs_port *uplink = model_uplink(sw);

	return sw->vmq == VS_VMQ_ON && uplink && uplink->kind->sort && uplink->dev &&
	       !sw->vmq_refused[0];
}

/* Return: is there something new that the workers must know? */
static bool sort(struct vs_switch *sw, struct vs_port *uplink)
{
	bool was_refused = sw->vmq_refused[0];
	struct vs_fail fail = {0};
	bool changed = false;

	sw->vmq_refused[0] = '\0';
	if (uplink->kind->sort(uplink, &changed, &fail) == 0)
		return changed || was_refused;
	(void)rte_strscpy(sw->vmq_refused, fail.text, sizeof(sw->vmq_refused));
	if (!was_refused)
		vs_log(VS_LOG_WARNING, "switch %s sorts by itself: %s", sw->name, fail.text);
	return changed || !was_refused;
}

void model_vmq_sort(struct vs_model *m)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		struct vs_switch *sw = m->sw[i];
		struct vs_port *uplink = sw ? model_uplink(sw) : NULL;

		/* Pairs on the way are visited by nobody and would not drain. Their hand-over is
		 * published, and comes here again. */
		if (uplink && uplink->kind->sort && uplink->dev && uplink->place_of.open == 0)
			changed |= sort(sw, uplink);
	}
	/* Out of memory: the workers go on with what they have, as in model_port_changed(). */
	if (changed)
		(void)model_publish(m);
}

/* Frames that came by a queue of one of its ports, and were not for it. */
static uint64_t count_astray(const struct vs_switch *sw)
{
	struct vs_port_stats sum;
	uint64_t astray = 0;
	unsigned int i;

	for (i = 0; i < VS_PORTS_MAX; i++) {
		const struct vs_port *port = sw->m->port[i];

		if (!port || port->sw != sw || port->kind->role != VS_ROLE_GUEST)
			continue;
		model_stats_sum(sw->m, port->id, &sum);
		astray += sum.vmq_astray;
	}
	return astray;
}

void model_vmq_watch(struct vs_model *m)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; i < VS_SWITCHES_MAX; i++) {
		struct vs_switch *sw = m->sw[i];
		struct vs_port *uplink = sw ? model_uplink(sw) : NULL;

		if (!uplink || !model_vmq_is_sorted(sw) || !uplink->kind->judge)
			continue;
		if (!uplink->kind->judge(uplink, count_astray(sw)))
			continue;
		/* Publishing asks it once more, and it says why it does not sort. */
		model_tell(m, VS_NOTICE_PORT_CHANGED, sw, uplink, NULL,
			   "the card sorts wrongly: the switch sorts by itself");
		changed = true;
	}
	if (changed)
		(void)model_publish(m);
}
