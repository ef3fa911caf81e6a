/* SPDX-License-Identifier: BSD-3-Clause */
/* A random row of steps, and how it is shown. */
#include "tests/oracle/oracle.h"

#include <stdio.h>

enum {
	ROUNDS = 36,
	BURST = 80, /* frames sent between two visits, at most: more than one visit takes */
};

struct row {
	struct or_rng *r;
	struct or_step *step;
	unsigned int n;
};

static void add(struct row *row, enum or_action action, unsigned int port, unsigned int pair)
{
	if (row->n == OR_STEPS_MAX)
		return;
	row->step[row->n++] = (struct or_step){
		.action = (uint8_t)action,
		.port = (uint8_t)port,
		.pair = (uint8_t)pair,
		.number = or_rand(row->r),
	};
}

static void add_posts(struct row *row, const struct or_spec *spec, uint32_t percent)
{
	unsigned int port;
	unsigned int pair;

	for (port = 0; port < spec->n_ports; port++)
		for (pair = 0; pair < spec->port[port].pairs; pair++)
			if (or_chance(row->r, percent))
				add(row, OR_POST, port, pair);
}

/* Now and then something happens to the world. */
static void add_event(struct row *row, const struct or_spec *spec)
{
	static const struct {
		uint8_t action;
		uint8_t percent;
	} event[] = {
		{OR_LEARN, 60}, {OR_TIME, 40},   {OR_FORGET, 15},
		{OR_ENTER, 6},  {OR_CHANGE, 15}, {OR_RESTART, 10},
	};
	unsigned int i;

	for (i = 0; i < sizeof(event) / sizeof(event[0]); i++)
		if (or_chance(row->r, event[i].percent))
			add(row, event[i].action, or_below(row->r, spec->n_ports), 0);
}

unsigned int or_row_new(struct or_rng *r, const struct or_spec *spec, struct or_step *row)
{
	struct row to = {.r = r, .step = row};
	const uint32_t generous = or_chance(r, 80) ? 70 : 15;
	unsigned int round;

	add_posts(&to, spec, 95);
	for (round = 0; round < ROUNDS; round++) {
		unsigned int port = or_below(r, spec->n_ports);
		unsigned int pair = or_below(r, spec->port[port].pairs);
		unsigned int n = or_chance(r, 70) ? or_below(r, 64) : or_below(r, BURST);

		while (n--)
			add(&to, OR_SEND, port, pair);
		add(&to, OR_VISIT, port, pair);
		add_posts(&to, spec, generous);
		add_event(&to, spec);
	}
	return to.n;
}

void or_print(const struct or_spec *spec, const struct or_step *row, unsigned int n)
{
	static const char *const action[OR_ACTIONS] = {
		"send", "post", "visit", "learn", "time", "forget", "enter", "change", "restart",
	};
	static const char *const mode[] = {"untagged", "access", "trunk"};
	static const char *const unknown[] = {"flood", "uplink", "drop"};
	unsigned int i;
	unsigned int v;

	for (i = 0; i < spec->n_ports; i++) {
		const struct or_port_spec *p = &spec->port[i];

		printf("port %u: switch %u (unknown %s)%s%s%s%s%s, mtu %u, storm %u, %s %u", i,
		       p->sw, unknown[spec->unknown[p->sw]], p->uplink ? ", uplink" : "",
		       p->admin_up ? "" : ", set down", p->up ? "" : ", down",
		       p->guard ? ", guard" : "", p->priority ? ", priority" : "", p->mtu, p->storm,
		       mode[p->mode], or_vids[p->own]);
		for (v = 0; v < OR_VLANS; v++)
			if (p->mode == OR_TRUNK && p->list[v])
				printf("+%u", or_vids[v]);
		printf("; ring %u, flags %x, header %u, buffers %u\n", p->ring_size, p->ring_flags,
		       p->hdr_len, p->rx_buffer);
	}
	for (i = 0; i < n; i++)
		printf("step %u: %s port %u pair %u (%016llx)\n", i, action[row[i].action],
		       row[i].port, row[i].pair, (unsigned long long)row[i].number);
}
