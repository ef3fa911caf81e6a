/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix sockets: connect to a VMM, or listen for one, or for clients.
 */
#ifndef VS_CORE_SOCK_H
#define VS_CORE_SOCK_H

#include <stdbool.h>
#include <sys/types.h>

/** A listening socket and the file it made. */
struct vs_sock {
	int fd; /* -1: none */
	dev_t dev;
	ino_t ino;
	gid_t gid;
};

/** May two processes want to listen on the same path at the same time? */
enum vs_sock_rivals {
	VS_SOCK_ALONE,
	VS_SOCK_RIVALS, /* hold .NAME.lock beside it while it is made; may wait a second */
};

/** May those who connect send descriptors? Kernels before 6.16 let them in any case. */
enum vs_sock_fds {
	VS_SOCK_FDS_TAKEN,
	VS_SOCK_FDS_REFUSED,
};

/**
 * struct vs_sock_spec - what to listen on
 * @type:	SOCK_STREAM or SOCK_SEQPACKET
 * @mode:	permissions of the file
 */
struct vs_sock_spec {
	const char *path;
	int type;
	mode_t mode;
	int backlog;
	enum vs_sock_rivals rivals;
	enum vs_sock_fds fds;
};

/**
 * vs_sock_connect() - connect without waiting to a stream socket
 * Return: a non-blocking descriptor, or -errno (-ENOENT, -ECONNREFUSED: nobody there).
 */
int vs_sock_connect(const char *path);

/**
 * vs_sock_listen_as() - listen as @spec says
 *
 * A socket file that nobody listens on is replaced. Anything else is left alone: -EADDRINUSE
 * when somebody listens there, -ENOTSOCK when it is no socket, -EACCES when we may not look. With
 * rivals -EADDRINUSE also when one of them keeps the lock for a second, -EEXIST when a file of
 * somebody's has the lock's name.
 *
 * Return: 0, or -errno with nothing left behind; -EINVAL no path, -ENAMETOOLONG.
 */
int vs_sock_listen_as(const struct vs_sock_spec *spec, struct vs_sock *ret_sock);

/** vs_sock_listen() - listen for one VMM on @path: a stream socket, mode 0660. */
int vs_sock_listen(const char *path, struct vs_sock *ret_sock);

/**
 * vs_sock_give() - give the file of a listening socket to a group
 *
 * The file must still be the one that was made. Return: 0, -ESTALE it is another one, or -errno:
 * -EPERM the process is not in @group.
 */
int vs_sock_give(const char *path, const struct vs_sock *sock, gid_t group);

/** vs_sock_close() - stop to listen; removes the file if it is still the one that was made. */
void vs_sock_close(const char *path, struct vs_sock *sock);

/** vs_sock_peer_pid() - process at the other end when it connected or listened, or 0. */
pid_t vs_sock_peer_pid(int fd);

/** vs_sock_is_dead() - has the other end closed, though we may have bytes left to read? */
bool vs_sock_is_dead(int fd);

#endif
