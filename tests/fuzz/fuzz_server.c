/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole server on a model without a dataplane: the input is a row of datagrams that one client
 * sends, each behind its length (two bytes), with a turn of the event loop behind each. nlmsg_len
 * and the message type are set right for datagrams with an even first byte, so that most of them
 * get further than the first check.
 */
#include "control/obj.h"
#include "control/session.h"
#include "tests/unit/fake_model.h"

#include <event2/event.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DATAGRAM_MAX = 4096,
	/** Room for a name of an audit or a model's text on top of what a slice holds. */
	BACKLOG_MAX = VS_SLICE_BYTES + 2 * VS_ANSWER_MAX + 64 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(int fd)
{
	static uint8_t answer[VS_ANSWER_MAX];

	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

static void send_one(int fd, const uint8_t *data, size_t len)
{
	static uint32_t buf[DATAGRAM_MAX / 4];
	struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

	memcpy(buf, data, len);
	if (len >= NLMSG_HDRLEN && data[0] % 2 == 0) {
		nlh->nlmsg_len = (uint32_t)len;
		nlh->nlmsg_type = VS_MSG_TYPE;
		nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	}
	(void)send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void play(struct vs_hub *hub, int fd, const uint8_t *data, size_t size)
{
	struct vs_session *s;

	while (size >= 2) {
		size_t len = (size_t)(data[0] | data[1] << 8) % DATAGRAM_MAX;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		send_one(fd, data, len);
		data += len;
		size -= len;
		event_base_loop(hub->base, EVLOOP_NONBLOCK);
		TAILQ_FOREACH(s, &hub->sessions, link) {
			if (s->out_bytes > BACKLOG_MAX)
				abort();
		}
		drain(fd);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vs_cred peer = {.pid = 1, .rank = VS_RANK_ROOT};
	static struct vs_hub hub = {.version = "1"};
	static struct vs_model model;
	struct vs_session *s;
	int fd[2];

	if (!hub.base) {
		hub.base = event_base_new();
		hub.model = &model;
		TAILQ_INIT(&hub.sessions);
	}
	memset(&model, 0, sizeof(model));
	model.addresses = 3;
	vs_model_on_notice(&model, vs_monitor_notice, &hub);
	if (!hub.base || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fd))
		return 0;
	if (vs_session_open(&hub, fd[0], &peer)) {
		close(fd[0]);
		close(fd[1]);
		return 0;
	}
	play(&hub, fd[1], data, size);
	while ((s = TAILQ_FIRST(&hub.sessions)) != NULL)
		vs_session_close(s);
	close(fd[1]);
	return 0;
}
