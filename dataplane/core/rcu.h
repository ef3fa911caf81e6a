/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grace periods (quiescent-state based, DPDK's rte_rcu_qsbr).
 *
 * Control publishes an immutable thing with vs_rcu_publish(), workers pick it up with
 * vs_rcu_read() between two rounds and hold it until they report a quiescent point. After
 * vs_rcu_synchronize() no worker holds anything that was replaced before the call.
 */
#ifndef VS_CORE_RCU_H
#define VS_CORE_RCU_H

#include <rte_rcu_qsbr.h>

/**
 * struct vs_rcu - one per daemon
 * @qsbr:	DPDK's state; worker N is thread id N
 */
struct vs_rcu {
	struct rte_rcu_qsbr *qsbr;
};

/**
 * vs_rcu_init() - make the state, with every worker offline
 * Return: 0, or -ENOMEM.
 */
int vs_rcu_init(struct vs_rcu *rcu);

/** vs_rcu_fini() - free the state; no worker may be online. */
void vs_rcu_fini(struct vs_rcu *rcu);

/**
 * vs_rcu_synchronize() - wait until every online worker has passed a quiescent point
 *
 * Control thread only. Takes one round of the slowest worker (microseconds, milliseconds when
 * the host preempts it).
 */
void vs_rcu_synchronize(const struct vs_rcu *rcu);

/** Worker: from now on this thread holds references. */
static inline void vs_rcu_online(const struct vs_rcu *rcu, unsigned int worker)
{
	rte_rcu_qsbr_thread_online(rcu->qsbr, worker);
}

/** Worker: this thread holds no reference, and sleeps or ends. */
static inline void vs_rcu_offline(const struct vs_rcu *rcu, unsigned int worker)
{
	rte_rcu_qsbr_thread_offline(rcu->qsbr, worker);
}

/**
 * vs_rcu_token() - worker, between two rounds: what control has begun to wait for by now
 *
 * What it published before can be read from now on.
 */
static inline uint64_t vs_rcu_token(const struct vs_rcu *rcu)
{
	return __atomic_load_n(&rcu->qsbr->token, __ATOMIC_ACQUIRE);
}

/**
 * vs_rcu_report() - worker: all references to what was replaced before @token are dropped
 * @token:	of vs_rcu_token()
 *
 * Together they are rte_rcu_qsbr_quiescent(); in between the worker reads what was published, and
 * lets go of what is no longer in it.
 */
static inline void vs_rcu_report(const struct vs_rcu *rcu, unsigned int worker, uint64_t token)
{
	struct rte_rcu_qsbr_cnt *own = &rcu->qsbr->qsbr_cnt[worker];

	if (__atomic_load_n(&own->cnt, __ATOMIC_RELAXED) != token)
		__atomic_store_n(&own->cnt, token, __ATOMIC_RELEASE);
}

/** Control: make @new visible in *@slot, with everything written to it before. */
#define vs_rcu_publish(slot, new) __atomic_store_n((slot), (new), __ATOMIC_RELEASE)

/** Worker: take what *@slot holds now. */
#define vs_rcu_read(slot) __atomic_load_n((slot), __ATOMIC_ACQUIRE)

#endif
