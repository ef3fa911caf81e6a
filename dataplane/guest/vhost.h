/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One vhost-user device: the meaning of the messages, without the socket they come from.
 *
 * DOC: theory of operation
 *
 * A message with its descriptors goes in, at most one reply comes out; nothing here waits for
 * the VMM. The device begins empty with each connection and is emptied when it ends.
 *
 * What is legal when: any allowed message, at any time. There is no order to break, because
 * nothing but one predicate decides what a message leads to. A ring *runs* exactly while
 *
 *	features were set, and a memory table is in force and not lost
 *	and its size, its addresses, its base and its kick descriptor (or NOFD) are known
 *	and the addresses translate: all three parts in one region each, aligned
 *	and it is enabled: by SET_VRING_ENABLE, or never told and PROTOCOL_FEATURES not acked
 *	and it has no fault
 *
 *	            the predicate becomes true
 *	  STOPPED ------------------------------> RUNNING ---- a worker finds it broken
 *	     ^   <------------------------------     |                     |
 *	     |      it becomes false; a grace        | vs_vhost_check()    |
 *	     |      period passes before anything    v                     v
 *	     +---------------------------------- FAULTY <------------------+
 *	         GET_VRING_BASE, or the connection ends
 *
 * | message            | running ring                                                       |
 * |--------------------|--------------------------------------------------------------------|
 * | SET_FEATURES       | other bits than before: refused                                    |
 * | SET_VRING_NUM/BASE | refused                                                            |
 * | SET_VRING_ADDR     | stopped, moved, started at its position                            |
 * | SET_VRING_CALL     | swapped under the worker, old one closed after a grace period      |
 * | SET_VRING_KICK     | the same                                                           |
 * | SET_VRING_ERR      | swapped                                                            |
 * | SET_VRING_ENABLE 0 | stopped (frames of a disabled pair stay in its ring)               |
 * | GET_VRING_BASE     | stopped; kick and call closed                                      |
 * | SET_MEM_TABLE      | new table mapped; stopped; translated; started; old table unmapped |
 * | RESET_OWNER        | nothing: deprecated, and the specification recommends to ignore it |
 *
 * Refused messages change nothing. With REPLY_ACK negotiated and NEED_REPLY set they are
 * answered with 1. Without, the connection goes on, the refusal is counted, logged and shown by
 * `port show`, and the ring concerned simply does not run; the exception is a message that
 * expects an answer of its own, which cannot be given: its sender would wait for ever, so the
 * connection is closed.
 *
 * Descriptors: those that come with a message belong to its struct vs_vhost_fds from recvmsg()
 * on. A handler takes what it keeps out of it; vs_vhost_handle() closes the rest whatever the
 * outcome. Memory descriptors are closed once mapped. The device owns kick_fd, err_fd and
 * ring.call_fd of each ring.
 */
#ifndef VS_GUEST_VHOST_H
#define VS_GUEST_VHOST_H

#include "dataplane/core/log.h"
#include "dataplane/core/rcu.h"
#include "dataplane/core/reap.h"
#include "dataplane/guest/guest.h"
#include "dataplane/guest/mem.h"
#include "dataplane/guest/ring.h"
#include "dataplane/guest/vhost_msg.h"

#include <stdbool.h>
#include <stdint.h>

/** Descriptors that came with a message; -1: taken. @reap: whose they are, or NULL. */
struct vs_vhost_fds {
	int fd[VS_VHOST_FDS_MAX];
	uint32_t n;
	struct vs_reap *reap;
};

/** What is to be done after a message. */
enum vs_vhost_result {
	VS_VHOST_DONE,  /* nothing to send */
	VS_VHOST_REPLY, /* send the reply */
	VS_VHOST_CLOSE, /* close the connection; vs_vhost.problem says why */
};

/** Bits of vs_vring.have: what the VMM has said of a ring. */
enum {
	VS_VRING_HAVE_ADDR = 1 << 0,
	VS_VRING_HAVE_BASE = 1 << 1,
	VS_VRING_HAVE_KICK = 1 << 2,
};

enum vs_vring_enable {
	VS_VRING_UNTOLD,
	VS_VRING_ENABLED,
	VS_VRING_DISABLED,
};

/**
 * struct vs_vring - one ring, with what only control needs
 * @ring:	the worker's part
 * @reported:	worker: control was told of the fault; control clears it before a start
 * @faulty:	control: the fault was counted; the ring stays stopped
 * @have:	VS_VRING_HAVE_*
 * @enable:	enum vs_vring_enable
 * @base:	next available index to start with
 * @num:	ring size, or 0 when it was not set
 * @kick_fd:	owned, or -1; of a transmit ring read by workers, swapped as ring.call_fd is
 * @err_fd:	owned, or -1
 */
struct vs_vring {
	struct vs_ring ring;
	uint8_t reported;
	uint8_t faulty;
	uint8_t have;
	uint8_t enable;
	uint16_t base;
	uint32_t num;
	int kick_fd;
	int err_fd;
	uint64_t desc;
	uint64_t avail;
	uint64_t used;
} __attribute__((aligned(64)));

/**
 * struct vs_vhost - the device
 * @rx_pairs:	pairs whose transmit ring of the guest runs, as bits
 * @tx_pairs:	the same for its receive ring; read by workers
 * @broken:	a ring was detached; read by workers
 * @rights:	what the guest may leave to the switch (enum vs_offload); set before a ring starts
 * @caps:	what may be left to it; set after a ring started, 0 before the grace period in
 *		which the last one stops, so that a worker that finds any in a round has the ring
 *		that they belong to
 * @fault_pending: a worker found a fault that it has not yet told control about
 * @name:	for log lines; belongs to the caller of vs_vhost_init()
 * @mem:	table in force, or NULL
 * @proven:	something other than zeros was seen in a ring: the memory is really shared
 * @has_features: SET_FEATURES was accepted on this connection
 * @empty_table: a memory table without regions was refused
 * @features, @protocol: accepted bits
 * @mtu:	that the VMM has told the guest (NET_SET_MTU); 0: it did not say
 * @moderation:	enum vs_guest_mod of the receive rings
 * @features_ms: when SET_FEATURES came (monotonic)
 * @graces:	grace periods waited for, ever: they are what a message costs
 * @refused, @faults, @last_fault: see struct vs_guest_info
 * @problem:	the last refusal on this connection, or what the connection was closed for
 */
struct vs_vhost {
	uint8_t rx_pairs;
	uint8_t tx_pairs;
	uint8_t broken;
	uint8_t fault_pending;
	uint8_t rights;
	uint8_t caps;

	const struct vs_rcu *rcu;
	const char *name;
	struct vs_mem *mem;
	uint64_t features;
	uint64_t protocol;
	uint64_t features_ms;
	uint32_t mtu;
	uint8_t moderation;
	bool has_features;
	bool empty_table;
	bool proven;
	uint64_t graces;
	uint64_t refused;
	uint64_t faults;
	const char *last_fault;
	struct vs_log_limit limit;
	char problem[132];

	struct vs_vring vring[VS_GUEST_RINGS_MAX];
} __attribute__((aligned(64)));

/** Virtio features offered, an allow-list of what is complete. */
extern const uint64_t vs_vhost_features;

/** Protocol features offered. */
extern const uint64_t vs_vhost_protocol;

/** vs_vhost_init() - an empty device; @port goes into the packets. */
void vs_vhost_init(struct vs_vhost *dev, const struct vs_rcu *rcu, const char *name, uint16_t port);

/**
 * vs_vhost_reset() - the connection ended: stop, wait, unmap, close
 *
 * Counters stay. Waits for a grace period when a ring ran.
 */
void vs_vhost_reset(struct vs_vhost *dev);

/**
 * vs_vhost_handle() - one message
 * @msg:	complete; its payload has msg->size bytes, at most VS_VHOST_PAYLOAD_MAX
 * @fds:	its descriptors; all closed or taken on return
 * @reply:	filled in when the result is VS_VHOST_REPLY
 */
enum vs_vhost_result vs_vhost_handle(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
				     struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);

/** vs_vhost_fds_close() - close what was not taken. */
void vs_vhost_fds_close(struct vs_vhost_fds *fds);

/** vs_vhost_moderate() - level of all receive rings, those that run and those to come. */
void vs_vhost_moderate(struct vs_vhost *dev, enum vs_guest_mod level);

/**
 * vs_vhost_check() - look for faults that workers left behind: count, log, signal, detach
 *
 * Return: 0, or -EFAULT when the memory table is lost and the connection must be closed.
 */
int vs_vhost_check(struct vs_vhost *dev);

/**
 * vs_vhost_probe() - is the memory really shared with us?
 *
 * A VMM whose guest memory is a private mapping of the file it sends writes to pages of its own,
 * and the file stays empty. A ring that was kicked and holds nothing but zeros says so; the
 * caller should ask several times over a second or so before it believes it.
 *
 * Return: false when a kicked ring shows nothing but zeros; sets @dev->proven otherwise, once
 * something was seen.
 */
bool vs_vhost_probe(struct vs_vhost *dev);

/* Below: shared among vhost*.c. */

/**
 * vs_vhost_refuse() - say why a message is refused
 * Return: always -EINVAL.
 */
int vs_vhost_refuse(struct vs_vhost *dev, const char *why);

/** vs_vhost_fd_close() - close a descriptor; -1 is none. */
void vs_vhost_fd_close(int fd);

/** vs_vhost_rings_stop() - stop those of @mask (bit per ring) that run; one grace period. */
void vs_vhost_rings_stop(struct vs_vhost *dev, uint32_t mask);

/** vs_vhost_rings_start() - start every ring whose predicate is true and that does not run. */
void vs_vhost_rings_start(struct vs_vhost *dev);

/** The parts of a ring as pointers. */
struct vs_vring_parts {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

/**
 * vs_vring_translate() - the VMM's addresses of a ring of @num entries to pointers
 *
 * Sizes and alignments are those of virtio 1.1, section 2.6, the event words included.
 *
 * Return: 0, or -EFAULT when a part is outside of one region or misaligned.
 */
int vs_vring_translate(const struct vs_mem *mem, uint32_t num,
		       const struct vs_vhost_vring_addr *addr, struct vs_vring_parts *ret_parts);

/** vs_vhost_grace() - wait for a grace period, and count it. */
void vs_vhost_grace(struct vs_vhost *dev);

/** vs_vring_runs() - control: is the ring running? */
static inline bool vs_vring_runs(const struct vs_vring *vr)
{
	return __atomic_load_n(&vr->ring.run, __ATOMIC_RELAXED);
}

/**
 * vs_vhost_set_*(), vs_vhost_get_vring_base() - what one message does, see the table above
 * @msg:	the message; its payload was not looked at yet
 * @fds:	its descriptors; what is kept is taken out
 * @reply:	payload of the answer, for the one that has one
 *
 * Return: 0, or -errno after vs_vhost_refuse(); then nothing has changed.
 */
int vs_vhost_set_mem_table(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			   struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);
int vs_vhost_set_vring_num(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			   struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);
int vs_vhost_set_vring_addr(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			    struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);
int vs_vhost_set_vring_base(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			    struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);
int vs_vhost_get_vring_base(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			    struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);
int vs_vhost_set_vring_enable(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			      struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);
int vs_vhost_set_vring_fd(struct vs_vhost *dev, const struct vs_vhost_msg *msg,
			  struct vs_vhost_fds *fds, struct vs_vhost_msg *reply);

#endif
