/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's side of the control protocol (control/proto.h): the listening socket and its
 * clients. Control thread only.
 */
#ifndef VS_CONTROL_SERVER_H
#define VS_CONTROL_SERVER_H

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
 */
struct vs_server_config {
	struct event_base *base;
	const char *path;
	struct vs_model *model;
	const struct vs_store *store;
	const char *version;
};

/**
 * vs_server_new() - listen
 *
 * A socket file that nobody answers on is replaced; anything else at @path is left alone. Logs
 * the reason when it fails.
 *
 * Return: 0 and the server (owned by the caller); -EADDRINUSE another daemon answers there;
 * -ENOTSOCK something else is there; -ENAMETOOLONG; -ENOMEM; what the system said.
 */
int vs_server_new(const struct vs_server_config *config, struct vs_server **ret_server);

/** vs_server_free() - disconnect all clients, stop listening and remove the socket file. */
void vs_server_free(struct vs_server *server);

#endif
