/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/rcu.h"

#include "dataplane/core/limits.h"

#include <rte_malloc.h>

#include <errno.h>

int vs_rcu_init(struct vs_rcu *rcu)
{
	size_t size = rte_rcu_qsbr_get_memsize(VS_WORKERS_MAX);
	struct rte_rcu_qsbr *qsbr;
	unsigned int i;

	qsbr = rte_zmalloc("vs_rcu", size, RTE_CACHE_LINE_SIZE);
	if (!qsbr)
		return -ENOMEM;

	/* Cannot fail: the size is the one asked for, the thread ids are below the maximum. */
	(void)rte_rcu_qsbr_init(qsbr, VS_WORKERS_MAX);
	for (i = 0; i < VS_WORKERS_MAX; i++)
		(void)rte_rcu_qsbr_thread_register(qsbr, i);

	rcu->qsbr = qsbr;
	return 0;
}

void vs_rcu_fini(struct vs_rcu *rcu)
{
	rte_free(rcu->qsbr);
	rcu->qsbr = NULL;
}

void vs_rcu_synchronize(const struct vs_rcu *rcu)
{
	rte_rcu_qsbr_synchronize(rcu->qsbr, RTE_QSBR_THRID_INVALID);
}
