/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix stream sockets: connect to a VMM, or listen for one.
 */
#ifndef VS_GUEST_SOCK_H
#define VS_GUEST_SOCK_H

#include <stdbool.h>
#include <sys/types.h>

/** A listening socket and the file it made. */
struct vs_sock {
	int fd; /* -1: none */
	dev_t dev;
	ino_t ino;
};

/**
 * vs_sock_connect() - connect without waiting
 * Return: a non-blocking descriptor, or -errno (-ENOENT, -ECONNREFUSED: nobody there).
 */
int vs_sock_connect(const char *path);

/**
 * vs_sock_listen() - listen on @path, mode 0660
 *
 * A socket file that nobody listens on is replaced. Anything else is left alone: -EADDRINUSE
 * when somebody listens there, -ENOTSOCK when it is no socket.
 *
 * Return: 0, or -errno with nothing left behind.
 */
int vs_sock_listen(const char *path, struct vs_sock *ret_sock);

/** vs_sock_close() - stop to listen; removes the file if it is still the one that was made. */
void vs_sock_close(const char *path, struct vs_sock *sock);

/** vs_sock_peer_pid() - process at the other end when it connected or listened, or 0. */
pid_t vs_sock_peer_pid(int fd);

/** vs_sock_is_dead() - has the other end closed, though we may have bytes left to read? */
bool vs_sock_is_dead(int fd);

#endif
