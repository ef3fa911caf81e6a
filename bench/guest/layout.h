/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_GUEST_LAYOUT_H
#define BENCH_GUEST_LAYOUT_H

/* Private to the library: how buffers lie in guest memory. */

#include "bench/guest/guest.h"

#define VSG_CANARY 0xa5 /* byte between receive buffers */
#define VSG_GAP 64u     /* bytes of it behind each descriptor's buffer */

int vsg_layout_shape(struct vsg_guest *guest);
int vsg_layout_pair(struct vsg_guest *guest, struct vsg_pair *pair);
void vsg_layout_free(struct vsg_pair *pair);
uint64_t vsg_layout_need(const struct vsg_cfg *cfg);
void vsg_guest_log_free(struct vsg_guest *guest);

#endif /* BENCH_GUEST_LAYOUT_H */
