/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of ports this daemon has. */
#include "control/port_kind.h"

static const struct vs_kind_ops *const kinds[VS_PORT_KINDS] = {
	[VS_PORT_GUEST] = &vs_kind_guest, [VS_PORT_PACKET] = &vs_kind_packet,
	[VS_PORT_HOST] = &vs_kind_host,   [VS_PORT_XDP] = &vs_kind_xdp,
	[VS_PORT_DPDK] = &vs_kind_dpdk,
};

const struct vs_kind_ops *vs_kind_of(enum vs_port_kind id)
{
	return (unsigned int)id < VS_PORT_KINDS ? kinds[id] : NULL;
}
