/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/relay.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	HEAD = 4,
};

/* ---- writing ---- */

static int write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_frame(int fd, const void *bytes, size_t len)
{
	const uint8_t head[HEAD] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
				    (uint8_t)len};
	int err = write_all(fd, head, sizeof(head));

	return err ? err : write_all(fd, bytes, len);
}

int relay_welcome(struct relay *relay, const char *word, const char *text)
{
	char line[1024];
	int err;

	snprintf(line, sizeof(line), "%s%s", word, text);
	err = write_all(relay->out, RELAY_BANNER, strlen(RELAY_BANNER));
	return err ? err : write_frame(relay->out, line, strlen(line));
}

/* ---- one direction and the other ---- */

/* Return: 1, 0 at the end, or -errno. */
static int take_packet(struct relay *relay)
{
	uint8_t packet[RELAY_FRAME_MAX];
	ssize_t n;

	do {
		n = recv(relay->packets, packet, sizeof(packet), MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 0;
	if (n < 0)
		return -errno;
	if ((size_t)n > sizeof(packet))
		return -EMSGSIZE;
	n = write_frame(relay->out, packet, (size_t)n);
	return n ? (int)n : 1;
}

static int send_packet(const struct relay *relay, const uint8_t *bytes, size_t len)
{
	ssize_t n;

	do {
		n = send(relay->packets, bytes, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Hand on the frames that are complete, and keep the rest. */
static int take_frames(struct relay *relay)
{
	size_t at = 0;
	int err = 0;

	while (!err && relay->used - at >= HEAD) {
		const uint8_t *head = relay->buf + at;
		size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 |
			     head[3];

		if (len == 0 || len > RELAY_FRAME_MAX)
			return -EBADMSG;
		if (relay->used - at - HEAD < len)
			break;
		err = send_packet(relay, head + HEAD, len);
		at += HEAD + len;
	}
	relay->used -= at;
	memmove(relay->buf, relay->buf + at, relay->used);
	return err;
}

/* Return: 1, 0 at the end, or -errno. */
static int take_bytes(struct relay *relay)
{
	ssize_t n;
	int err;

	do {
		n = read(relay->in, relay->buf + relay->used, sizeof(relay->buf) - relay->used);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : 0;
	relay->used += (size_t)n;
	err = take_frames(relay);
	return err ? err : 1;
}

int relay_run(struct relay *relay)
{
	struct pollfd fds[] = {
		{.fd = relay->packets, .events = POLLIN},
		{.fd = relay->in, .events = POLLIN},
	};
	int ret = take_frames(relay); /* what came with the banner */

	ret = ret ? ret : 1;
	while (ret > 0) {
		if (poll(fds, 2, -1) < 0) {
			ret = errno == EINTR ? 1 : -errno;
			continue;
		}
		if (fds[0].revents)
			ret = take_packet(relay);
		if (ret > 0 && fds[1].revents)
			ret = take_bytes(relay);
	}
	return ret;
}

/* ---- the beginning ---- */

static __attribute__((format(printf, 2, 3))) void say_no(const struct relay *relay, const char *fmt,
							 ...)
{
	char text[512] = RELAY_NO;
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
	(void)send_packet(relay, (const uint8_t *)text, strlen(text));
}

/* What another program said, as far as it fits and can be shown. */
static void say_noise(const struct relay *relay)
{
	char text[64];
	size_t i;

	for (i = 0; i < relay->used && i < sizeof(text) - 1; i++)
		text[i] = isprint(relay->buf[i]) ? (char)relay->buf[i] : '.';
	text[i] = '\0';
	say_no(relay, "'%s' came instead of the greeting of vmswitch", text);
}

static void say_ended(const struct relay *relay, pid_t ssh)
{
	siginfo_t info = {0};

	/* it is still there to be waited for by whoever has started it */
	while (waitid(P_PID, (id_t)ssh, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	if (info.si_code != CLD_EXITED)
		say_no(relay, "ssh was killed");
	else if (info.si_status == RELAY_NO_COMMAND)
		say_no(relay, "there is no command vmswitch there");
	else
		say_no(relay, "ssh ended with status %d before a connection was there",
		       info.si_status);
}

void relay_ssh(struct relay *relay, pid_t ssh)
{
	const size_t want = strlen(RELAY_BANNER);

	while (relay->used < want) {
		ssize_t n =
			read(relay->in, relay->buf + relay->used, sizeof(relay->buf) - relay->used);
		size_t have;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say_ended(relay, ssh);
			return;
		}
		relay->used += (size_t)n;
		have = relay->used < want ? relay->used : want;
		if (memcmp(relay->buf, RELAY_BANNER, have) != 0) {
			say_noise(relay);
			return;
		}
	}
	relay->used -= want;
	memmove(relay->buf, relay->buf + want, relay->used);
	(void)relay_run(relay);
}
