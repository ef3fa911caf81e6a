/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/reap.h"

#include "dataplane/core/fdkind.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 20,
	STACK_BYTES = 128 * 1024,
	/* Reads from a socket before the rest of it is left to a thread. */
	DRAIN_MAX = 256,
};

/**
 * struct vs_reap - an account
 * @refs:	one of the owner, and one for each batch that is not closed yet
 */
struct vs_reap {
	unsigned int refs;
};

/**
 * struct batch - descriptors on their way to a thread
 * @abandoned:	control waits no more: the thread frees it
 */
struct batch {
	struct vs_reap *reap;
	pthread_mutex_t lock;
	pthread_cond_t closed;
	bool done;
	bool abandoned;
	unsigned int n;
	int fd[VS_REAP_MAX];
};

struct vs_reap *vs_reap_new(void)
{
	struct vs_reap *reap = calloc(1, sizeof(*reap));

	if (reap)
		reap->refs = 1;
	return reap;
}

void vs_reap_put(struct vs_reap *reap)
{
	if (reap && __atomic_sub_fetch(&reap->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(reap);
}

bool vs_reap_in_debt(const struct vs_reap *reap)
{
	return reap && __atomic_load_n(&reap->refs, __ATOMIC_ACQUIRE) > 1;
}

static void batch_free(struct batch *b)
{
	(void)pthread_cond_destroy(&b->closed);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}

static void close_all(const struct batch *b)
{
	unsigned int i;

	for (i = 0; i < b->n; i++)
		(void)close(b->fd[i]);
}

static void *reap_main(void *arg)
{
	struct batch *b = arg;
	bool abandoned;

	close_all(b);
	vs_reap_put(b->reap);
	(void)pthread_mutex_lock(&b->lock);
	b->done = true;
	abandoned = b->abandoned;
	(void)pthread_cond_signal(&b->closed);
	(void)pthread_mutex_unlock(&b->lock);
	if (abandoned)
		batch_free(b);
	return NULL;
}

/* A detached thread that takes no signals: those are the event loop's. Return: 0 or an errno. */
static int start_thread(struct batch *b)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return err;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, reap_main, b);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return err;
}

/* Wait until the batch is closed, or leave it to its thread. */
static void wait_for(struct batch *b)
{
	struct timespec end;
	bool done;

	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += 1000000L * PATIENCE_MS;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	(void)pthread_mutex_lock(&b->lock);
	while (!b->done && !pthread_cond_timedwait(&b->closed, &b->lock, &end))
		;
	done = b->done;
	b->abandoned = !done;
	(void)pthread_mutex_unlock(&b->lock);
	if (done)
		batch_free(b);
}

void vs_reap_close(struct vs_reap *reap, const int *fd, unsigned int n)
{
	struct batch *b = NULL;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (fd[i] < 0)
			continue;
		if (!b && !vs_fd_is_memory_file(fd[i]) && !vs_fd_is_eventfd(fd[i]))
			b = calloc(1, sizeof(*b));
		/* No memory for it: nothing better is left. */
		if (b && b->n < VS_REAP_MAX)
			b->fd[b->n++] = fd[i];
		else
			(void)close(fd[i]);
	}
	if (!b)
		return;
	(void)pthread_mutex_init(&b->lock, NULL);
	(void)pthread_cond_init(&b->closed, NULL);
	b->reap = reap;
	if (reap)
		(void)__atomic_add_fetch(&reap->refs, 1, __ATOMIC_RELAXED);
	if (start_thread(b)) {
		close_all(b);
		vs_reap_put(reap);
		batch_free(b);
		return;
	}
	wait_for(b);
}

void vs_reap_received(struct vs_reap *reap, struct msghdr *mh)
{
	struct cmsghdr *cmsg;

	for (cmsg = CMSG_FIRSTHDR(mh); cmsg; cmsg = CMSG_NXTHDR(mh, cmsg)) {
		int fd[VS_REAP_MAX];
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd[0]);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
		    n > VS_REAP_MAX)
			continue;
		memcpy(fd, CMSG_DATA(cmsg), n * sizeof(fd[0]));
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the owner still holds its reference. */
		vs_reap_close(reap, fd, (unsigned int)n);
	}
}

void vs_reap_socket(struct vs_reap *reap, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VS_REAP_MAX * sizeof(int))];
	} control;
	char bytes[4096];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr mh;
	int i;

	/* From here on nothing can be sent to it any more; what is in it may hold descriptors. */
	(void)shutdown(fd, SHUT_RDWR);
	for (i = 0; i < DRAIN_MAX; i++) {
		mh = (struct msghdr){
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes),
		};
		if (recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			break;
		vs_reap_received(reap, &mh);
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the owner's reference is still held. */
		if (vs_reap_in_debt(reap))
			break;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the owner's reference is still held. */
	if (vs_reap_in_debt(reap) || i == DRAIN_MAX)
		vs_reap_close(reap, &fd, 1);
	else
		(void)close(fd);
}
