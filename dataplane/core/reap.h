/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Closing descriptors that somebody hostile sent us.
 *
 * DOC: theory of operation
 *
 * close() can wait, for as long as its sender likes: the last descriptor of a TCP socket with
 * SO_LINGER waits for a peer that reads nothing, one of a FUSE file for its server to answer, and
 * closing a Unix socket does the same for every descriptor that was sent over it and not received.
 * No such close() is made by control itself.
 *
 * What cannot wait (eventfds, and files in memory, which is all that an honest VMM sends) is
 * closed at once. Anything else gets a thread of its own. Control waits PATIENCE_MS for it, so
 * that nearly everything is closed when the call returns; what is not counts as a debt of the one
 * that sent it. The caller serves nobody who is in debt: that bounds the threads to a few per
 * port.
 */
#ifndef VS_CORE_REAP_H
#define VS_CORE_REAP_H

#include <stdbool.h>

struct vs_reap;

/** vs_reap_new() - an account for one source of descriptors. Return: it, or NULL. */
struct vs_reap *vs_reap_new(void);

/** vs_reap_put() - the source is gone; the account ends with its last debt. NULL is fine. */
void vs_reap_put(struct vs_reap *reap);

/** vs_reap_in_debt() - is a descriptor of this source still being closed? false for NULL. */
bool vs_reap_in_debt(const struct vs_reap *reap);

/**
 * vs_reap_close() - close descriptors of any kind, without waiting for long
 * @reap:	whose they are, or NULL
 * @fd:		@n descriptors; negative ones are left out
 * @n:		at most VS_REAP_MAX
 *
 * One thread calls this (control); vs_reap_*() of one account must not race.
 */
void vs_reap_close(struct vs_reap *reap, const int *fd, unsigned int n);

struct msghdr;

/**
 * vs_reap_received() - close the descriptors that came with a message
 * @mh:		as recvmsg() left it, with room for VS_REAP_MAX descriptors: what does not fit is
 *		closed by the kernel, at once
 */
void vs_reap_received(struct vs_reap *reap, struct msghdr *mh);

/** vs_reap_socket() - close a connected Unix socket, whatever was sent over it and not read. */
void vs_reap_socket(struct vs_reap *reap, int fd);

enum {
	/** Descriptors that can come with one sendmsg() (SCM_MAX_FD of the kernel). */
	VS_REAP_MAX = 253,
};

#endif
