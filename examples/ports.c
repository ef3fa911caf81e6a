/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An example of libvmswitch: make a private switch, and list the ports of all switches.
 *
 *	cc ports.c -o ports $(pkg-config --cflags --libs vmswitch)
 *	./ports [-s SOCKET] [SWITCH]
 *
 * SWITCH is made unless it is there already. Each port is printed on a line of its own: its name,
 * its switch, its state, and its MAC address if it has one.
 */
#include <vmswitch/client.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	/** So often a list is read again that changed while it was read. */
	ATTEMPTS = 5,
};

/* What was listed so far, in memory: a list that changed while it was read is thrown away. */
struct list {
	char *text;
	size_t len;
	FILE *file;
};

static void make_switch(struct vs_client *client, const char *name)
{
	struct vs_client_fail fail;
	uint32_t buf[VS_MESSAGE_MAX / 4];
	struct vs_msg msg;
	int ret;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	vs_msg_put_str(&msg, VS_ATTR_NAME, name);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	ret = vs_client_call(client, &msg, NULL, NULL, &fail);
	if (ret == -EEXIST)
		return;
	if (ret && fail.attr)
		errx(EXIT_FAILURE, "%s (attribute '%s')", fail.text, vs_attr_name(fail.attr));
	if (ret)
		errx(EXIT_FAILURE, "%s", fail.text);
}

/* One record of the answer: attributes that a daemon of another version lacks are NULL. */
static int list_port(const struct nlattr *const *tb, void *ctx)
{
	struct list *list = ctx;
	const uint8_t *mac;
	size_t len;

	if (!tb[VS_ATTR_NAME] || !tb[VS_ATTR_SWITCH] || !tb[VS_ATTR_STATE])
		return -EBADMSG;
	fprintf(list->file, "%s %s %s", vs_tlv_str(tb[VS_ATTR_NAME]),
		vs_tlv_str(tb[VS_ATTR_SWITCH]), vs_tlv_str(tb[VS_ATTR_STATE]));
	mac = vs_tlv_bytes(tb[VS_ATTR_MAC], &len);
	if (mac && len == 6)
		fprintf(list->file, " %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
			mac[3], mac[4], mac[5]);
	fputc('\n', list->file);
	return 0;
}

static void list_ports(struct vs_client *client)
{
	struct vs_client_fail fail = {0};
	uint32_t buf[VS_MESSAGE_MAX / 4];
	struct vs_msg msg;
	int attempt = 0;

	do {
		struct list list = {0};
		int ret;

		list.file = open_memstream(&list.text, &list.len);
		if (!list.file)
			err(EXIT_FAILURE, "list of ports");
		vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_PORT_GET);
		ret = vs_client_call(client, &msg, list_port, &list, &fail);
		if (fclose(list.file))
			err(EXIT_FAILURE, "list of ports");
		if (ret)
			errx(EXIT_FAILURE, "%s",
			     fail.error ? fail.text : "vmswitchd left something out");
		/* thousands of ports, and some came or went meanwhile: ask again */
		if (!vs_client_interrupted(client) || ++attempt == ATTEMPTS)
			fputs(list.text, stdout);
		free(list.text);
	} while (vs_client_interrupted(client) && attempt < ATTEMPTS);
}

int main(int argc, char **argv)
{
	const char *socket = VS_SOCKET_DEFAULT;
	struct vs_client_fail fail;
	struct vs_client *client;
	int option;

	while ((option = getopt(argc, argv, "s:")) != -1) {
		if (option != 's') {
			fprintf(stderr, "usage: %s [-s SOCKET] [SWITCH]\n", argv[0]);
			return 2;
		}
		socket = optarg;
	}
	if (vs_client_open(socket, &client, &fail))
		errx(EXIT_FAILURE, "%s", fail.text);
	if (optind < argc)
		make_switch(client, argv[optind]);
	list_ports(client);
	vs_client_close(client);
	return EXIT_SUCCESS;
}
