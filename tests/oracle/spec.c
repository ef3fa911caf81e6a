/* SPDX-License-Identifier: BSD-3-Clause */
/* A random world: switches, ports, VLANs, addresses, drivers. */
#include "tests/oracle/oracle.h"

#include <string.h>

const uint16_t or_vids[OR_VLANS] = {0, 1, 10, 64, 4094};

bool or_spec_is_on(const struct or_port_spec *p, unsigned int vlan)
{
	return p->own == vlan || (p->mode == OR_TRUNK && p->list[vlan]);
}

/* "Each VLAN of a switch that a port other than an uplink names is a broadcast domain." */
uint16_t or_spec_fid(const struct or_spec *spec, unsigned int sw, unsigned int vlan)
{
	unsigned int i;

	for (i = 0; i < spec->n_ports; i++)
		if (spec->port[i].sw == sw && !spec->port[i].uplink &&
		    or_spec_is_on(&spec->port[i], vlan))
			return (uint16_t)(1 + sw * OR_VLANS + vlan);
	return 0;
}

static void choose_vlans(struct or_rng *r, struct or_port_spec *p, bool vlans)
{
	unsigned int i;

	p->mode = vlans ? (uint8_t)or_below(r, 3) : OR_UNTAGGED;
	p->own = 0;
	memset(p->list, 0, sizeof(p->list));
	if (p->mode == OR_ACCESS)
		p->own = (uint8_t)(1 + or_below(r, OR_VLANS - 1));
	if (p->mode != OR_TRUNK)
		return;
	p->own = (uint8_t)or_below(r, OR_VLANS);
	for (i = 1; i < OR_VLANS; i++)
		p->list[i] = or_chance(r, 50);
}

static uint32_t choose_mtu(struct or_rng *r)
{
	static const uint32_t mtu[] = {68, 200, 1500, 1500, 1500, 9000, 65535};

	return mtu[or_below(r, 7)];
}

static void choose_driver(struct or_rng *r, struct or_port_spec *p)
{
	static const uint32_t buffer[] = {13, 64, 300, 1538, 2048, 2048, 9100, 65600};

	p->ring_flags = (uint8_t)or_below(r, 8);
	p->hdr_len = !(p->ring_flags & VS_RING_MERGEABLE) && or_chance(r, 30) ? 10 : 12;
	p->ring_size = (uint16_t)(1u << (1 + or_below(r, 8)));
	if (or_chance(r, 70))
		p->ring_size = OR_RING_MAX;
	p->rx_buffer = buffer[or_below(r, 8)];
	if (!(p->ring_flags & VS_RING_MERGEABLE) && or_chance(r, 80))
		p->rx_buffer = 2048;
	p->pairs = (uint8_t)(1 + or_below(r, OR_PAIRS));
}

static void choose_port(struct or_rng *r, const struct or_spec *spec, unsigned int i, bool vlans,
			struct or_port_spec *p)
{
	*p = (struct or_port_spec){
		.sw = (uint8_t)or_below(r, spec->n_switches),
		.uplink = or_chance(r, 10),
		.admin_up = or_chance(r, 97),
		.up = or_chance(r, 95),
		.guard = or_chance(r, 15),
		.priority = or_chance(r, 40),
		.mtu = choose_mtu(r),
		.storm = or_chance(r, 10) ? 1 + or_below(r, 200) : 0,
		.max_macs = or_chance(r, 20) ? 1 + or_below(r, 4) : 1024,
		.mac = spec->mac[i],
	};
	if (!p->admin_up)
		p->up = false;
	if (spec->long_frames)
		p->mtu = 65535;
	choose_vlans(r, p, vlans);
	choose_driver(r, p);
}

static void choose_cluster(struct or_rng *r, const struct or_spec *spec, unsigned int i,
			   struct or_cluster *c)
{
	unsigned int p;

	*c = (struct or_cluster){
		.used = or_chance(r, 40),
		.sw = (uint8_t)or_below(r, spec->n_switches),
		.vlan = (uint8_t)or_below(r, OR_VLANS),
		.mac = spec->mac[OR_MACS - 1 - i],
	};
	for (p = 0; p < spec->n_ports; p++)
		c->port[p] = spec->port[p].sw == c->sw && or_spec_is_on(&spec->port[p], c->vlan) &&
			     or_chance(r, 50);
	c->used = c->used && or_spec_fid(spec, c->sw, c->vlan);
}

void or_spec_new(struct or_rng *r, struct or_spec *ret_spec)
{
	struct or_spec *s = ret_spec;
	bool vlans = or_chance(r, 70);
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->n_ports = 2 + or_below(r, or_chance(r, 30) ? OR_PORTS - 1 : 4);
	s->n_switches = 1 + or_chance(r, 20);
	s->fdb_size = or_chance(r, 20) ? 2 + or_below(r, 12) : 256;
	s->hostile = or_chance(r, 40) ? 2 : 0;
	s->odd = or_below(r, 3) * 25;
	s->strange = or_chance(r, 50) ? 10 : 2;
	s->long_frames = or_chance(r, 10) ? 40 : 0;
	if (s->long_frames) {
		/* Nobody is known, and many are there: the budget of floods is for these. */
		s->fdb_size = 2;
		s->n_ports = OR_PORTS;
		vlans = false;
	}
	for (i = 0; i < OR_SWITCHES; i++)
		s->unknown[i] = s->long_frames || or_chance(r, 60) ? OR_FLOOD
								   : (uint8_t)or_below(r, 3);
	for (i = 0; i < OR_MACS; i++) {
		uint64_t n = or_rand(r);

		memcpy(s->mac[i].b, &n, 6);
		s->mac[i].b[0] &= 0xfe;
		s->mac[i].b[5] |= 1;
	}
	for (i = 0; i < s->n_ports; i++)
		choose_port(r, s, i, vlans, &s->port[i]);
	for (i = 0; i < OR_CLUSTERS; i++)
		choose_cluster(r, s, i, &s->cluster[i]);
}

void or_spec_change(struct or_rng *r, struct or_spec *spec, unsigned int port)
{
	struct or_port_spec *p = &spec->port[port];

	switch (or_below(r, 8)) {
	case 0:
		p->admin_up = !p->admin_up;
		p->up = p->admin_up;
		break;
	case 1:
		p->up = p->admin_up && !p->up;
		break;
	case 2:
		p->guard = !p->guard;
		break;
	case 3:
		p->priority = !p->priority;
		break;
	case 4:
		p->mtu = choose_mtu(r);
		break;
	case 5:
		choose_vlans(r, p, true);
		break;
	case 6:
		spec->unknown[p->sw] = (uint8_t)or_below(r, 3);
		break;
	default:
		p->storm = p->storm ? 0 : 1 + or_below(r, 200);
		break;
	}
}
