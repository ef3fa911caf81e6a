/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the client share: the connection, and an answer while it is being read. */
#ifndef VS_CONTROL_CLIENT_PRIV_H
#define VS_CONTROL_CLIENT_PRIV_H

#include "control/client.h"

enum {
	/** A daemon that says nothing for so long is taken for dead. */
	CLIENT_ANSWER_SECONDS = 30,
};

/**
 * struct vs_client - a connection
 * @seq:	of the request under way; notices have 0
 * @interrupted: a message of the last answer had NLM_F_DUMP_INTR
 * @buf:	one datagram
 */
struct vs_client {
	int fd;
	uint32_t seq;
	bool interrupted;
	char path[VS_PROTO_PATH_SIZE];
	char version[64];
	uint32_t buf[VS_ANSWER_MAX / 4];
};

/**
 * struct answer - what is known of the answer being read
 * @take_member: is this message about one request of a batch? Then it has been dealt with.
 *		NULL: there is no batch
 * @stopped:	what @record returned that was not 0
 */
struct answer {
	const struct nlmsghdr *request;
	vs_client_record *record;
	void *ctx;
	bool (*take_member)(const struct nlmsghdr *nlh, struct answer *answer);
	int stopped;
	bool complete;
};

/** client_send() - send a request. Return: 0, also if the daemon has gone, or negative errno. */
int client_send(struct vs_client *client, const struct nlmsghdr *nlh, struct vs_client_fail *fail);

/** client_read_datagram() - wait for one datagram and take what is in it. Return: as below. */
int client_read_datagram(struct vs_client *client, struct answer *answer,
			 struct vs_client_fail *fail);

/** client_read_answer() - read until @answer is complete. Return: 0 or negative errno. */
int client_read_answer(struct vs_client *client, struct answer *answer,
		       struct vs_client_fail *fail);

/** client_take_error() - an NLMSG_ERROR. Return: 0 (an ACK: complete) or the error it tells. */
int client_take_error(const struct nlmsghdr *nlh, struct answer *answer,
		      struct vs_client_fail *fail);

#endif
