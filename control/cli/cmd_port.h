/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What port show prints for the VMM's side (cmd_port_vmm.c).
 */
#ifndef VS_CONTROL_CLI_CMD_PORT_H
#define VS_CONTROL_CLI_CMD_PORT_H

#include "control/cli/cli.h"

enum {
	/** Set in cli->local by the two below: a port was left out, as it is not a guest's. */
	PORT_WITHOUT_VMM = 1 << 30,
};

/** port_print_qemu() - arguments for QEMU that connect it to the port. */
int port_print_qemu(const struct nlattr *const *tb, void *ctx);

/** port_print_libvirt() - elements for the domain XML of libvirt. */
int port_print_libvirt(const struct nlattr *const *tb, void *ctx);

#endif
