/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of filters: built by control, read by workers (dataplane/core/vmq.h). */
#include "vmq/vmq.h"

#include <errno.h>
#include <stdlib.h>

/* Any number to one whose bits all depend on all of its bits (splitmix64). */
static uint64_t scatter(uint64_t z)
{
	z += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

struct vs_vmq *vs_vmq_new(uint32_t filters, uint64_t seed)
{
	/* At least two bits, so that the shift is one that C has. */
	uint8_t bits = 2;
	struct vs_vmq *vmq;
	unsigned int i;

	while (UINT32_C(1) << bits < 2 * filters + 1)
		bits++;
	vmq = calloc(1, sizeof(*vmq) + (sizeof(vmq->slot[0]) << bits));
	if (!vmq)
		return NULL;
	for (i = 0; i < VS_VMQ_PAIRS_MAX; i++)
		vmq->owner[i] = VS_VMQ_DEFAULT;
	vmq->factor = scatter(seed) | 1;
	vmq->mask = (UINT32_C(1) << bits) - 1;
	vmq->shift = (uint8_t)(64 - bits);
	return vmq;
}

void vs_vmq_free(struct vs_vmq *vmq)
{
	free(vmq);
}

int vs_vmq_add(struct vs_vmq *vmq, const struct rte_ether_addr *mac, uint16_t vid, uint16_t port)
{
	const uint64_t key = vs_vmq_key(mac, vid);
	uint32_t at = (uint32_t)(key * vmq->factor >> vmq->shift);

	if (!rte_is_valid_assigned_ether_addr(mac))
		return -EINVAL;
	for (; vmq->slot[at & vmq->mask].key; at++) {
		const struct vs_vmq_slot *slot = &vmq->slot[at & vmq->mask];

		if (slot->key == key)
			return slot->port == port ? 0 : -EEXIST;
	}
	if (vmq->n_filters >= (vmq->mask + 1) / 2)
		return -ENOSPC;
	vmq->slot[at & vmq->mask] = (struct vs_vmq_slot){.key = key, .port = port};
	vmq->n_filters++;
	return 0;
}
