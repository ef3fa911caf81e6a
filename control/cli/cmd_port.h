/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What port show prints for the VMM's side (cmd_port_vmm.c).
 */
#ifndef VS_CONTROL_CLI_CMD_PORT_H
#define VS_CONTROL_CLI_CMD_PORT_H

#include "control/cli/cli.h"

/** port_print_qemu() - arguments for QEMU that connect it to the port. */
int port_print_qemu(const struct nlattr *const *tb, void *ctx);

/** port_print_libvirt() - elements for the domain XML of libvirt. */
int port_print_libvirt(const struct nlattr *const *tb, void *ctx);

#endif
