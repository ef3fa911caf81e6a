/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/client.h"

#include "control/client_priv.h"
#include "control/tlv.h"

#include <libmnl/libmnl.h>

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static __attribute__((format(printf, 3, 4))) int fail_with(struct vs_client_fail *fail, int error,
							   const char *fmt, ...)
{
	va_list ap;

	fail->error = error;
	fail->attr = 0;
	fail->index = 0;
	va_start(ap, fmt);
	vsnprintf(fail->text, sizeof(fail->text), fmt, ap);
	va_end(ap);
	return error;
}

/* ---- connecting ---- */

static int fail_access(const char *path, int error, struct vs_client_fail *fail)
{
	const struct group *group;
	struct stat st;

	if (stat(path, &st))
		return fail_with(fail, error,
				 "no permission to look at %s: be root, or get access to its folder",
				 path);
	group = getgrgid(st.st_gid);
	if (group)
		return fail_with(fail, error,
				 "no permission to use %s: be root or a member of group '%s'", path,
				 group->gr_name);
	return fail_with(fail, error, "no permission to use %s: be root or a member of group %u",
			 path, st.st_gid);
}

static int fail_connect(const char *path, int error, struct vs_client_fail *fail)
{
	struct stat st;

	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		/* a file that is no socket refuses connections, too */
		if (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
			return fail_with(fail, -ENOTSOCK, "%s is not the socket of vmswitchd",
					 path);
		return fail_with(fail, error,
				 "vmswitchd is not running: no answer on %s; start it with: "
				 "vmswitchd --socket %s",
				 path, path);
	case -EACCES:
	case -EPERM:
		return fail_access(path, error, fail);
	case -ENOTSOCK:
	case -EPROTOTYPE:
		return fail_with(fail, error, "%s is not the socket of vmswitchd", path);
	default:
		return fail_with(fail, error, "cannot connect to %s: %s", path, strerror(-error));
	}
}

static int set_timeouts(int fd)
{
	const struct timeval timeout = {.tv_sec = CLIENT_ANSWER_SECONDS};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	return 0;
}

static int connect_to(struct vs_client *client, const char *path, struct vs_client_fail *fail)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int error;

	if (strlen(path) >= sizeof(addr.sun_path) || !path[0])
		return fail_with(fail, -ENAMETOOLONG,
				 "the path of the control socket must have 1 to %zu bytes",
				 sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	memcpy(client->path, path, strlen(path) + 1);
	client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return fail_with(fail, -errno, "cannot make a socket: %s", strerror(errno));
	error = set_timeouts(client->fd);
	if (!error && connect(client->fd, (const struct sockaddr *)&addr, sizeof(addr)))
		error = -errno;
	if (error) {
		close(client->fd);
		return fail_connect(path, error, fail);
	}
	return 0;
}

/* ---- sending and receiving ---- */

static int fail_gone(const struct vs_client *client, struct vs_client_fail *fail)
{
	return fail_with(fail, -ECONNRESET, "vmswitchd closed the connection (%s)", client->path);
}

/** receive() - one datagram. Return: its length, or -errno. */
static ssize_t receive(struct vs_client *client, struct vs_client_fail *fail)
{
	bool reset = false;

	for (;;) {
		ssize_t n = recv(client->fd, client->buf, sizeof(client->buf), MSG_TRUNC);

		if (n > (ssize_t)sizeof(client->buf))
			return fail_with(fail, -EBADMSG, "vmswitchd sent a datagram of %zd bytes",
					 n);
		if (n > 0)
			return n;
		if (n < 0 && errno == EINTR)
			continue;
		/*
		 * A daemon that turned us away closed before it read our request: that is told
		 * first, its last words lie behind it.
		 */
		if (n < 0 && errno == ECONNRESET && !reset) {
			reset = true;
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return fail_with(fail, -ETIMEDOUT, "vmswitchd gave no answer for %d s (%s)",
					 CLIENT_ANSWER_SECONDS, client->path);
		return fail_gone(client, fail);
	}
}

int client_send(struct vs_client *client, const struct nlmsghdr *nlh, struct vs_client_fail *fail)
{
	ssize_t n;

	do {
		n = send(client->fd, nlh, nlh->nlmsg_len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0 || errno == EPIPE || errno == ECONNRESET)
		return 0; /* gone: what receive() finds may say why */
	return fail_with(fail, -errno, "cannot send to vmswitchd: %s", strerror(errno));
}

/* ---- answers ---- */

/** offending() - number of the attribute at @offset of our own request, 0 if there is none. */
static uint16_t offending(const struct nlmsghdr *request, uint32_t offset)
{
	struct nlattr *attr;

	if (!request)
		return 0;
	mnl_attr_for_each(attr, request, sizeof(struct vs_msghdr)) {
		if ((const char *)attr - (const char *)request == (ptrdiff_t)offset)
			return mnl_attr_get_type(attr);
	}
	return 0;
}

int client_take_error(const struct nlmsghdr *nlh, struct answer *answer,
		      struct vs_client_fail *fail)
{
	struct vs_refusal refusal;

	if (vs_error_parse(nlh, &refusal))
		return fail_with(fail, -EBADMSG, "vmswitchd sent an error that makes no sense");
	if (refusal.error >= 0) {
		answer->complete = true;
		return 0;
	}
	fail_with(fail, refusal.error, "%s", refusal.text);
	fail->attr = refusal.missing;
	if (refusal.offset)
		fail->attr = offending(answer->request, refusal.offset);
	return fail->error;
}

static int take_record(const struct nlmsghdr *nlh, struct answer *answer,
		       struct vs_client_fail *fail)
{
	const struct nlattr *tb[VS_ATTR_TABLE];

	if (vs_answer_sort(nlh, tb, VS_ATTR_TABLE))
		return fail_with(fail, -EBADMSG, "vmswitchd sent a message that makes no sense");
	if (answer->record && !answer->stopped)
		answer->stopped = answer->record(tb, answer->ctx);
	return 0;
}

/**
 * is_whole() - mnl_nlmsg_ok(), which takes lengths from 2 GiB on for negative ones, is no check.
 */
static bool is_whole(const struct nlmsghdr *nlh, int left)
{
	return left >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (unsigned int)left;
}

static int take_datagram(struct vs_client *client, size_t len, struct answer *answer,
			 struct vs_client_fail *fail)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)client->buf;
	int left = (int)len;
	int ret;

	for (; left > 0 && !answer->complete; nlh = mnl_nlmsg_next(nlh, &left)) {
		if (!is_whole(nlh, left))
			return fail_with(fail, -EBADMSG, "vmswitchd sent a broken message");
		/* sequence number 0: a notice between answers, or why the connection ends */
		if (nlh->nlmsg_seq != client->seq && nlh->nlmsg_type != NLMSG_ERROR)
			continue;
		if (nlh->nlmsg_type != NLMSG_ERROR && nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			client->interrupted = true;
		ret = 0;
		if (answer->take_member && answer->take_member(nlh, answer))
			continue;
		if (nlh->nlmsg_type == NLMSG_ERROR &&
		    (nlh->nlmsg_seq == client->seq || nlh->nlmsg_seq == 0))
			ret = client_take_error(nlh, answer, fail);
		else if (nlh->nlmsg_type == NLMSG_DONE)
			answer->complete = true;
		else if (nlh->nlmsg_type == VS_MSG_TYPE)
			ret = take_record(nlh, answer, fail);
		if (ret)
			return ret;
	}
	return 0;
}

int client_read_datagram(struct vs_client *client, struct answer *answer,
			 struct vs_client_fail *fail)
{
	ssize_t n = receive(client, fail);

	return n < 0 ? (int)n : take_datagram(client, (size_t)n, answer, fail);
}

int client_read_answer(struct vs_client *client, struct answer *answer, struct vs_client_fail *fail)
{
	int ret = 0;

	while (!ret && !answer->complete)
		ret = client_read_datagram(client, answer, fail);
	return ret;
}

int vs_client_call(struct vs_client *client, struct vs_msg *msg, vs_client_record *record,
		   void *ctx, struct vs_client_fail *ret_fail)
{
	struct answer answer = {.request = msg->nlh, .record = record, .ctx = ctx};
	int ret;

	if (msg->error)
		return fail_with(ret_fail, msg->error, "the request is too long");
	if (++client->seq == 0)
		client->seq = 1;
	client->interrupted = false;
	msg->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	msg->nlh->nlmsg_seq = client->seq;
	ret = client_send(client, msg->nlh, ret_fail);
	if (!ret)
		ret = client_read_answer(client, &answer, ret_fail);
	return ret ? ret : answer.stopped;
}

bool vs_client_interrupted(const struct vs_client *client)
{
	return client->interrupted;
}

int vs_client_fd(const struct vs_client *client)
{
	return client->fd;
}

int vs_client_listen(struct vs_client *client, vs_client_record *record, void *ctx,
		     struct vs_client_fail *ret_fail)
{
	const struct timeval forever = {0};
	struct answer answer = {.record = record, .ctx = ctx};
	int ret = 0;

	if (setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever)))
		return fail_with(ret_fail, -errno, "cannot wait: %s", strerror(errno));
	client->seq = 0;
	while (!ret && !answer.stopped) {
		ssize_t n = receive(client, ret_fail);

		answer.complete = false; /* no answer is under way, so none ends */
		if (n < 0)
			return (int)n;
		ret = take_datagram(client, (size_t)n, &answer, ret_fail);
	}
	return ret ? ret : answer.stopped;
}

/* ---- life ---- */

static int keep_hello(const struct nlattr *const *tb, void *ctx)
{
	struct vs_client *client = ctx;

	if (tb[VS_ATTR_DAEMON])
		snprintf(client->version, sizeof(client->version), "%s",
			 vs_tlv_str(tb[VS_ATTR_DAEMON]));
	if (!tb[VS_ATTR_VERSION_MIN] || !tb[VS_ATTR_VERSION_MAX])
		return -EBADMSG;
	if (vs_tlv_u32(tb[VS_ATTR_VERSION_MIN]) > VS_PROTO_VERSION_MAX ||
	    vs_tlv_u32(tb[VS_ATTR_VERSION_MAX]) < VS_PROTO_VERSION_MIN)
		return -EPROTONOSUPPORT;
	return 0;
}

static int say_hello(struct vs_client *client, struct vs_client_fail *fail)
{
	uint32_t buf[64];
	struct vs_msg msg;
	int ret;

	fail->error = 0;
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_HELLO);
	ret = vs_client_call(client, &msg, keep_hello, client, fail);
	if (ret && !fail->error)
		return fail_with(fail, ret,
				 "vmswitchd %s speaks no version of the control protocol that this "
				 "program speaks (%d to %d)",
				 client->version, VS_PROTO_VERSION_MIN, VS_PROTO_VERSION_MAX);
	return ret;
}

int vs_client_open(const char *path, struct vs_client **ret_client, struct vs_client_fail *ret_fail)
{
	struct vs_client *client = calloc(1, sizeof(*client));
	int ret;

	if (!client)
		return fail_with(ret_fail, -ENOMEM, "out of memory");
	ret = connect_to(client, path, ret_fail);
	if (ret)
		goto err_free;
	ret = say_hello(client, ret_fail);
	if (ret)
		goto err_close;
	*ret_client = client;
	return 0;

err_close:
	close(client->fd);
err_free:
	free(client);
	return ret;
}

int vs_client_open_fd(int fd, const char *name, struct vs_client **ret_client,
		      struct vs_client_fail *ret_fail)
{
	struct vs_client *client = calloc(1, sizeof(*client));
	int ret;

	if (!client)
		return fail_with(ret_fail, -ENOMEM, "out of memory");
	client->fd = fd;
	snprintf(client->path, sizeof(client->path), "%s", name);
	ret = set_timeouts(fd);
	if (ret)
		ret = fail_with(ret_fail, ret, "cannot use the connection to %s: %s", name,
				strerror(-ret));
	else
		ret = say_hello(client, ret_fail);
	if (ret) {
		free(client);
		return ret;
	}
	*ret_client = client;
	return 0;
}

void vs_client_close(struct vs_client *client)
{
	close(client->fd);
	free(client);
}
