/* SPDX-License-Identifier: BSD-3-Clause */
/* The object file of the eBPF programs (bpf/uplink.bpf.c), as the build put it into the daemon. */
#ifndef VS_BPF_EMBEDDED_H
#define VS_BPF_EMBEDDED_H

extern const unsigned char vs_bpf_uplink[];
extern const unsigned long vs_bpf_uplink_size;

#endif
