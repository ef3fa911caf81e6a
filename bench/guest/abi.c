/* SPDX-License-Identifier: BSD-3-Clause */
/* Sizes of the open structures, so that a binding which mirrors them can tell it is out of date. */
#include "bench/guest/guest.h"

const uint32_t vsg_abi[] = {
	sizeof(struct vsg_chan),   sizeof(struct vsg_region_cfg),
	sizeof(struct vsg_region), sizeof(struct vsg_mem),
	sizeof(struct vsg_ring),   sizeof(struct vsg_cfg),
	sizeof(struct vsg_pair),   sizeof(struct vsg_guest),
	sizeof(struct vsg_msg),    0,
};
