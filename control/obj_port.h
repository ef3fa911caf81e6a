/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of the port object. */
#ifndef VS_CONTROL_OBJ_PORT_H
#define VS_CONTROL_OBJ_PORT_H

#include "control/obj.h"

/** port_put() - a port as a record of the answer; @ctx is the struct vs_call. */
int port_put(const struct vs_port_view *view, void *ctx);

/** port_number_of() - the kind of a port as clients know it (enum vs_kind). */
uint32_t port_number_of(enum vs_port_kind kind);

#endif
