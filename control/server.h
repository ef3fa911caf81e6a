/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's side of the control protocol (control/proto.h): the listening socket and its
 * clients. Control thread only.
 */
#ifndef VS_CONTROL_SERVER_H
#define VS_CONTROL_SERVER_H

#include "control/cred.h"

#include <stdint.h>

struct event_base;
struct vs_model;
struct vs_store;
struct vs_server;

/**
 * struct vs_server_config - how to make a server
 * @base:	event loop that everything runs on
 * @path:	of the socket
 * @model:	what the handlers work on; the server becomes the receiver of its notices
 * @store:	what keeps it; NULL: nothing does
 * @version:	of the daemon, told to clients; stays valid as long as the server
 * @others:	what those may do who are neither root nor of the socket's group
 */
struct vs_server_config {
	struct event_base *base;
	const char *path;
	struct vs_model *model;
	const struct vs_store *store;
	const char *version;
	enum vs_others others;
};

/**
 * struct vs_server_counts - clients there are, and what happened to others so far
 * @clients_all, @clients_read: connected, by what they may do
 * @refused_clients: turned away when they connected
 * @refused_requests: for want of rights
 * @displaced:	disconnected for one that came later
 */
struct vs_server_counts {
	unsigned int clients_all;
	unsigned int clients_read;
	uint64_t refused_clients;
	uint64_t refused_requests;
	uint64_t displaced;
};

/**
 * vs_server_new() - listen
 *
 * A socket file that nobody answers on is replaced; anything else at @path is left alone. Logs
 * the reason when it fails.
 *
 * Return: 0 and the server (owned by the caller); -EADDRINUSE another daemon answers there;
 * -ENOTSOCK something else is there; -EINVAL or -ENAMETOOLONG the path; -ENOMEM; what the system
 * said.
 */
int vs_server_new(const struct vs_server_config *config, struct vs_server **ret_server);

/** vs_server_counts() - fill in *@ret_counts. */
void vs_server_counts(const struct vs_server *server, struct vs_server_counts *ret_counts);

/** vs_server_free() - disconnect all clients, stop listening and remove the socket file. */
void vs_server_free(struct vs_server *server);

#endif
