/* SPDX-License-Identifier: BSD-3-Clause */
/* The xdp uplink's object, shared by xdp.c (control), xdp_share.c and xdp_ops.c (workers). */
#ifndef VS_UPLINK_XDP_OBJ_H
#define VS_UPLINK_XDP_OBJ_H

#include "dataplane/core/log.h"
#include "dataplane/core/vmq.h"
#include "dataplane/uplink/link.h"
#include "dataplane/uplink/saved.h"
#include "dataplane/uplink/uplink.h"
#include "dataplane/uplink/xdp_prog.h"
#include "dataplane/uplink/xdp_queue.h"
#include "dataplane/uplink/xdp_tap.h"

/**
 * struct vs_xdp_queue - a queue that frames are sorted into (xdp_sort.c); its number is one more
 * than its index
 * @in:		a socket on each hw queue; NULL: none was made yet
 * @port:	its owner, or VS_VMQ_DEFAULT: nobody
 */
struct vs_xdp_queue {
	struct vs_xq_in *in;
	uint16_t port;
};

/**
 * struct vs_xdp - one xdp uplink
 * @set:	hw queues
 * @n_queues:	of @queue, that have sockets
 * @queue:	for guests' ports
 * @tap:	helper TAP, while shared
 * @mac:	address of the interface, as the first six bytes in memory
 * @mtu:	of the interface
 * @wire:	frames can leave: the interface is up and has a carrier
 * @port:	id, written into the packets
 */
struct vs_xdp {
	/* What workers see; control writes the words one by one. */
	struct vs_xq_set set;
	struct vs_xtap tap;
	uint64_t mac;
	uint32_t mtu;
	uint32_t wire;
	uint32_t n_queues;
	uint16_t port;
	struct vs_xdp_queue queue[VS_BPF_QUEUES_MAX - 1];

	/* Control only. */
	struct vs_xdp_env env;
	char name[VS_NAME_MAX];
	struct vs_log_limit limit;
	void (*changed)(void *ctx);
	void *ctx;
	enum vs_xdp_share share;
	struct vs_link link; /* as it was told last */
	struct vs_saved saved;
	struct vs_xprog prog;
	struct vs_link_watch *watch;
	int promisc_fd;
	bool gone;
	struct vs_bpf_filter *filter; /* that the programs have, n_filters of them */
	unsigned int n_filters;
	uint16_t vid;            /* of frames without a tag */
	bool sorting;            /* workers poll the sockets of queues */
	uint32_t features_wrong; /* bit per enum vs_nic_feature that somebody turned on again */
};

/** struct vs_bpf_filter - a row of the programs' table */
struct vs_bpf_filter {
	struct vs_bpf_station key;
	uint32_t queue;
};

/** vs_xdp_queues_free() - give back what sorting took; no worker may use the uplink any more. */
void vs_xdp_queues_free(struct vs_xdp *x);

/**
 * vs_xdp_socket_of() - the socket that queue pair @pair receives from
 * Return: it, or NULL: the pair is the host's, or none.
 */
static inline struct vs_xq_in *vs_xdp_socket_of(struct vs_xdp *x, unsigned int pair)
{
	unsigned int hw = x->set.n;

	if (pair < hw)
		return &x->set.queue[pair].in;
	/* Pair n is the host's, whether it shares the interface or not. */
	pair -= hw + 1;
	if ((int)pair < 0 || pair / hw >= __atomic_load_n(&x->n_queues, __ATOMIC_ACQUIRE))
		return NULL;
	return &x->queue[pair / hw].in[pair % hw];
}

/** vs_xdp_tell_programs() - bring their configuration up to date. Return: 0, or -errno. */
int vs_xdp_tell_programs(const struct vs_xdp *x);

/**
 * vs_xdp_claim() - find the interface, see that it may be taken, write down what it is like, and
 * change what must be changed
 *
 * Return: 0, or -errno and a sentence in *@why; ->saved then says what there is to put back.
 */
int vs_xdp_claim(struct vs_xdp *x, const struct vs_xdp_config *config, struct vs_xdp_why *why);

/** vs_xdp_restore() - make an interface again what it was; it may be gone. */
void vs_xdp_restore(const struct vs_saved *saved);

/** vs_xdp_state_of() - its state now. */
enum vs_xdp_state vs_xdp_state_of(const struct vs_xdp *x);

/** vs_xdp_share_begin() - join host and switch. Return: 0, or -errno and a sentence in *@why. */
int vs_xdp_share_begin(struct vs_xdp *x, struct vs_xdp_why *why);

/** vs_xdp_share_end() - part them; waits a grace period. */
void vs_xdp_share_end(struct vs_xdp *x);

#endif
