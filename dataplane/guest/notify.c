/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A write() to an eventfd waits while its counter is full. O_NONBLOCK is no protection: it is a
 * property of the open file, which the VMM shares with us, and it may clear the flag at any
 * time, fill the counter up, and so hold a worker, or control, for as long as it likes. poll()
 * before the write leaves a gap that can be hit.
 *
 * The kernel's own way of signalling an eventfd (eventfd_signal()) never waits. Asynchronous
 * I/O makes it available: an operation may name an eventfd that is signalled when it is
 * complete (IOCB_FLAG_RESFD). The operation here is a read from /dev/null, which is complete
 * before io_submit() returns. Its completions hold no news; they are taken out of their ring
 * when it is half full.
 *
 * Where there is no asynchronous I/O (no kernel support, or fs.aio-max-nr used up) what is left
 * is poll() and write().
 */
#include "dataplane/guest/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	EVENTS = 64,
};

enum aio_state {
	AIO_UNTRIED,
	AIO_READY,
	AIO_MISSING,
};

/* A thread's own; lives as long as the process. */
static _Thread_local struct {
	enum aio_state state;
	int null_fd;
	unsigned int unread; /* completions not yet taken out */
	aio_context_t ctx;
} aio;

static void set_up(void)
{
	aio.state = AIO_MISSING;
	aio.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (aio.null_fd < 0)
		return;
	if (syscall(SYS_io_setup, EVENTS, &aio.ctx)) {
		(void)close(aio.null_fd);
		return;
	}
	aio.state = AIO_READY;
}

static void take_completions(void)
{
	const struct timespec now = {0, 0};
	struct io_event event[EVENTS];

	(void)syscall(SYS_io_getevents, aio.ctx, 0L, (long)EVENTS, event, &now);
	aio.unread = 0;
}

static int signal_by_aio(int fd)
{
	char byte;
	struct iocb op = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)aio.null_fd,
		.aio_buf = (uintptr_t)&byte,
		.aio_nbytes = sizeof(byte),
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *ops[] = {&op};

	if (aio.unread >= EVENTS / 2)
		take_completions();
	if (syscall(SYS_io_submit, aio.ctx, 1L, ops) != 1)
		return -errno;
	aio.unread++;
	return 0;
}

static int signal_by_write(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	const uint64_t one = 1;

	/* Full: one is pending already. */
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return 0;
	if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one) && errno != EAGAIN)
		return -errno;
	return 0;
}

int vs_notify(int fd)
{
	if (aio.state == AIO_UNTRIED)
		set_up();
	return aio.state == AIO_READY ? signal_by_aio(fd) : signal_by_write(fd);
}
