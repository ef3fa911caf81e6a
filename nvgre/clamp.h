/* SPDX-License-Identifier: BSD-3-Clause */
/* The MSS of TCP, lowered to what fits into the tunnel, for guests that ignore their MTU. */
#ifndef VS_NVGRE_CLAMP_H
#define VS_NVGRE_CLAMP_H

#include "dataplane/core/pkt.h"

/**
 * vs_clamp_mss() - lower the MSS that a SYN offers (RFC 9293, 3.7.1) to what fits into @mtu
 * @pkt:	any frame without a tag; what is not a SYN, or offers no MSS, stays as it is
 * @mtu:	bytes of an IP packet
 *
 * The checksum is mended, unless it is still owed: then it is added up later. An option list
 * that is wrong is left alone from there on.
 */
void vs_clamp_mss(struct vs_pkt *pkt, uint16_t mtu);

#endif
