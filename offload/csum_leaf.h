/* SPDX-License-Identifier: BSD-3-Clause */
/* The leaves that need a processor of a certain kind; only csum.c knows which may run. */
#ifndef VS_OFFLOAD_CSUM_LEAF_H
#define VS_OFFLOAD_CSUM_LEAF_H

#include "offload/csum.h"

extern const struct vs_csum_leaf vs_csum_avx2;
extern const struct vs_csum_leaf vs_csum_avx512;

#endif
