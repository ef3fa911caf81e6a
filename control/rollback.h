/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From what a provisional transaction changed to the messages that undo it.
 *
 * DOC: theory of operation
 *
 * The records before and after are all there is: what is gone has been freed. So the way back is a
 * transaction of its own, made of the same messages that a client sends, in an order in which each
 * of them can be carried out whatever the order of the changes was:
 *
 *	 1. static addresses that are new go
 *	 2. ports that are new go
 *	 3. what has another name now, or a name that is needed, steps aside
 *	 4. switches that are gone are made
 *	 5. types and settings of switches come back, of those that will take more kinds of ports
 *	 6. ports give up addresses that others may have had
 *	 7. ports come back to their switch, name and settings
 *	 8. ports that are gone are made
 *	 9. types and settings of the other switches come back
 *	10. settings of uplinks, which came with their switches
 *	11. static addresses that are gone are made
 *	12. switches that are new go
 *
 * If that fails (an interface may be gone that was there), each message is carried out by itself,
 * so that as much comes back as can.
 */
#ifndef VS_CONTROL_ROLLBACK_H
#define VS_CONTROL_ROLLBACK_H

#include "control/fail.h"

struct vs_model;

/**
 * vs_rollback() - undo the provisional transaction
 *
 * It is over in any case. Return: 0, or the first error, with @fail: the rest has come back.
 */
int vs_rollback(struct vs_model *m, struct vs_fail *fail);

#endif
