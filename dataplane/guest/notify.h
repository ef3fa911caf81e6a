/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signalling an eventfd that somebody hostile holds as well.
 */
#ifndef VS_GUEST_NOTIFY_H
#define VS_GUEST_NOTIFY_H

/**
 * vs_notify() - add one to the counter of an eventfd, without ever waiting
 * @fd:		an eventfd, blocking or not, full or not
 *
 * Any thread. A counter that is full stays full: whoever reads it is woken all the same.
 *
 * Return: 0, or -errno (-EINVAL, -EBADF: no eventfd).
 */
int vs_notify(int fd);

#endif
