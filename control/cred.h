/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who is at the other end of a control connection, and what they may do. Private to the server.
 */
#ifndef VS_CONTROL_CRED_H
#define VS_CONTROL_CRED_H

#include "control/tlv.h"

#include <stdbool.h>
#include <sys/types.h>

/** Who somebody is to the daemon; those further down go before those further up. */
enum vs_rank {
	VS_RANK_OTHER, /* anybody */
	VS_RANK_GROUP, /* a member of the group of the socket's file */
	VS_RANK_ROOT,  /* root, or the daemon's own user */
};

/** What those may do who are neither root nor of the group (--others). */
enum vs_others {
	VS_OTHERS_REFUSE, /* nothing */
	VS_OTHERS_READ,   /* see what is there, change nothing */
};

/**
 * struct vs_cred - the client of a connection, as it was when it connected
 * @pid:	0 if the kernel does not say
 * @gid:	group that would let it do everything
 */
struct vs_cred {
	uid_t uid;
	pid_t pid;
	gid_t gid;
	enum vs_rank rank;
};

/**
 * vs_cred_find() - who has connected
 * @fd:		connection; its credentials are the kernel's (SO_PEERCRED, SO_PEERGROUPS)
 * @gid:	group of the socket's file
 *
 * Somebody of whom nothing can be learnt is VS_RANK_OTHER with user (uid_t)-1.
 */
void vs_cred_find(int fd, gid_t gid, struct vs_cred *ret_peer);

/** vs_cred_rights() - what the peer may do, as HELLO tells it. */
enum vs_rights vs_cred_rights(const struct vs_cred *peer);

/**
 * vs_cred_may() - may the peer send this command?
 * @cmd:	a command that is not known to be harmless is one that changes something
 */
bool vs_cred_may(const struct vs_cred *peer, unsigned int cmd);

/** vs_cred_refuse() - fill in the refusal of a command (its @name) that the peer may not send. */
void vs_cred_refuse(const struct vs_cred *peer, const char *name, struct vs_refusal *ret_refusal);

#endif
