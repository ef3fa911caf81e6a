/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The other end of a port, ready to paste: what QEMU or libvirt must be told. In both, the guest's
 * memory must be shared with the switch, which is what people forget.
 */
#include "control/cli/cmd_port.h"

#include "control/cli/mac.h"

#include <stdarg.h>
#include <string.h>

enum {
	/** A path of the longest, each byte of it written as an XML reference or quoted. */
	PATH_TEXT = 6 * VS_PROTO_PATH_SIZE,
	ARG_TEXT = PATH_TEXT + 128,
	USUAL_MTU = 1500,
};

static bool is_server(const struct nlattr *const *tb)
{
	return cli_num(tb, VS_ATTR_MODE) == VS_MODE_SERVER;
}

/** with_mac() - ",mac=..." or the like for a port that was given one, else "". */
static void with_mac(const struct nlattr *const *tb, const char *before, const char *behind,
		     char *text, size_t size)
{
	const uint8_t *mac = cli_mac(tb, VS_ATTR_MAC);
	char digits[MAC_TEXT_SIZE];

	text[0] = '\0';
	if (!mac)
		return;
	mac_format(mac, digits);
	snprintf(text, size, "%s%s%s", before, digits, behind);
}

/** with_mtu() - "...mtu..." where the network carries something else than every guest assumes. */
static void with_mtu(const struct nlattr *const *tb, const char *before, const char *behind,
		     char *text, size_t size)
{
	uint64_t mtu = cli_num(tb, VS_ATTR_MTU_NET);

	text[0] = '\0';
	if (mtu && mtu != USUAL_MTU)
		snprintf(text, size, "%s%llu%s", before, (unsigned long long)mtu, behind);
}

/* ---- QEMU ---- */

/** qemu_path() - a path or name inside of an option of QEMU, where a comma is doubled. */
static void qemu_path(const char *path, char *text)
{
	for (; *path; path++) {
		if (*path == ',')
			*text++ = ',';
		*text++ = *path;
	}
	*text = '\0';
}

/** print_word() - @word for a shell. */
static void print_word(FILE *file, const char *word)
{
	if (word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			      "0123456789_.,:/=@%+-")] == '\0') {
		fputs(word, file);
		return;
	}
	fputc('\'', file);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", file);
		else
			fputc(*word, file);
	}
	fputc('\'', file);
}

/** struct qemu - the arguments, in pairs of option and value */
struct qemu {
	const char *option[8];
	char value[8][ARG_TEXT];
	size_t n;
};

static __attribute__((format(printf, 3, 4))) void add(struct qemu *q, const char *option,
						      const char *fmt, ...)
{
	va_list ap;

	q->option[q->n] = option;
	va_start(ap, fmt);
	vsnprintf(q->value[q->n++], ARG_TEXT, fmt, ap);
	va_end(ap);
}

static void fill_qemu(struct qemu *q, const struct nlattr *const *tb)
{
	const char *name = cli_str(tb, VS_ATTR_NAME);
	char path[PATH_TEXT], mac[32], mtu[32];

	qemu_path(cli_str(tb, VS_ATTR_SOCKET), path);
	with_mac(tb, ",mac=", "", mac, sizeof(mac));
	with_mtu(tb, ",host_mtu=", "", mtu, sizeof(mtu));
	add(q, "-m", "512M");
	add(q, "-object", "memory-backend-memfd,id=mem0,size=512M,share=on");
	add(q, "-machine", "memory-backend=mem0");
	/* a name may begin with a digit, an id of QEMU may not */
	add(q, "-chardev", "socket,id=chr-%s,path=%s,%s", name, path,
	    is_server(tb) ? "reconnect=1" : "server=on,wait=off");
	add(q, "-netdev", "vhost-user,id=net-%s,chardev=chr-%s", name, name);
	add(q, "-device", "virtio-net-pci,netdev=net-%s%s%s", name, mac, mtu);
}

/* An emulated network card on a TAP interface, which needs no shared memory. */
static void fill_qemu_tap(struct qemu *q, const struct nlattr *const *tb)
{
	const char *name = cli_str(tb, VS_ATTR_NAME);
	char ifname[PATH_TEXT], mac[32];

	qemu_path(cli_str(tb, VS_ATTR_IFNAME), ifname);
	with_mac(tb, ",mac=", "", mac, sizeof(mac));
	add(q, "-netdev", "tap,id=net-%s,ifname=%s,script=no,downscript=no,vhost=off", name,
	    ifname);
	add(q, "-device", "e1000,netdev=net-%s%s", name, mac);
}

/* Ports of hosts and uplinks have no VMM. */
static bool has_vmm(struct cli *cli, const struct nlattr *const *tb)
{
	bool has = tb[VS_ATTR_NAME] && cli_num(tb, VS_ATTR_KIND) == VS_KIND_GUEST &&
		   (tb[VS_ATTR_SOCKET] || tb[VS_ATTR_IFNAME]);

	if (!has)
		cli->local |= PORT_WITHOUT_VMM;
	return has;
}

/*
 * Remarks go to standard error, so that what is on standard output can be used as it is:
 * eval "qemu-system-x86_64 ... $(vmswitch port show NAME --qemu)"
 */
static void qemu_comments(FILE *file, const struct nlattr *const *tb)
{
	fprintf(file, "# port %s: %s; 512M is the guest's memory, the same in -m and size=\n",
		cli_str(tb, VS_ATTR_NAME),
		is_server(tb) ? "vmswitchd makes the socket, QEMU connects"
			      : "QEMU makes the socket, vmswitchd connects");
	fputs("# a second port of the same guest needs the last three arguments only\n"
	      "# without KVM add ,vectors=0 to -device: QEMU 7.2 crashes with MSI-X then\n",
	      file);
	if (!tb[VS_ATTR_MAC])
		fputs("# no MAC was given to the port: add ,mac=... to -device, another one for "
		      "each guest,\n"
		      "# or QEMU gives all of them 52:54:00:12:34:56\n",
		      file);
}

int port_print_qemu(const struct nlattr *const *tb, void *ctx)
{
	struct cli *cli = ctx;
	struct qemu q = {.n = 0};
	json_t *words;
	size_t i;

	if (!has_vmm(cli, tb))
		return 0;
	if (tb[VS_ATTR_SOCKET])
		fill_qemu(&q, tb);
	else
		fill_qemu_tap(&q, tb);
	if (cli->format == OUT_TEXT) {
		if (tb[VS_ATTR_SOCKET])
			qemu_comments(stderr, tb);
		for (i = 0; i < q.n; i++) {
			fprintf(cli->out.file, "%s%s ", i ? " " : "", q.option[i]);
			print_word(cli->out.file, q.value[i]);
		}
		fputc('\n', cli->out.file);
		return 0;
	}
	words = json_array();
	for (i = 0; i < q.n; i++) {
		json_array_append_new(words, json_string(q.option[i]));
		json_array_append_new(words, out_string(q.value[i]));
	}
	out_row_begin(&cli->out);
	out_str(&cli->out, OUT_ONLY_JSON, "name", "", cli_str(tb, VS_ATTR_NAME));
	out_value(&cli->out, OUT_ONLY_JSON, "qemu", "", words, "");
	out_row_end(&cli->out);
	return 0;
}

/* ---- libvirt ---- */

/** xml_text() - @s inside of a quoted XML attribute. */
static void xml_text(const char *s, char *text)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			text = stpcpy(text, "&amp;");
			break;
		case '<':
			text = stpcpy(text, "&lt;");
			break;
		case '>':
			text = stpcpy(text, "&gt;");
			break;
		case '\'':
			text = stpcpy(text, "&apos;");
			break;
		case '"':
			text = stpcpy(text, "&quot;");
			break;
		default:
			*text++ = *s;
		}
	}
	*text = '\0';
}

/* The element of a network interface. */
static void fill_interface(char *text, size_t size, const struct nlattr *const *tb)
{
	char path[PATH_TEXT], mac[64], mtu[64];

	with_mac(tb, "  <mac address='", "'/>\n", mac, sizeof(mac));
	with_mtu(tb, "  <mtu size='", "'/>\n", mtu, sizeof(mtu));
	if (!tb[VS_ATTR_SOCKET]) {
		xml_text(cli_str(tb, VS_ATTR_IFNAME), path);
		snprintf(text, size,
			 "<interface type='ethernet'>\n%s"
			 "  <target dev='%s' managed='no'/>\n"
			 "  <model type='e1000'/>\n"
			 "</interface>\n",
			 mac, path);
		return;
	}
	xml_text(cli_str(tb, VS_ATTR_SOCKET), path);
	/* seen from libvirt: where we are the client, QEMU is the server */
	snprintf(text, size,
		 "<interface type='vhostuser'>\n%s"
		 "  <source type='unix' path='%s' mode='%s'%s"
		 "  <model type='virtio'/>\n%s"
		 "</interface>\n",
		 mac, path, is_server(tb) ? "client" : "server",
		 is_server(tb) ? ">\n    <reconnect enabled='yes' timeout='1'/>\n  </source>\n"
			       : "/>\n",
		 mtu);
}

int port_print_libvirt(const struct nlattr *const *tb, void *ctx)
{
	static const char shared[] = "<memoryBacking>\n"
				     "  <source type='memfd'/>\n"
				     "  <access mode='shared'/>\n"
				     "</memoryBacking>\n";
	const char *memory = tb[VS_ATTR_SOCKET] ? shared : "";
	char interface[PATH_TEXT + 512];
	struct cli *cli = ctx;

	if (!has_vmm(cli, tb))
		return 0;
	fill_interface(interface, sizeof(interface), tb);
	if (cli->format == OUT_TEXT) {
		if (memory[0])
			fprintf(cli->out.file, "<!-- port %s: this belongs into <domain> -->\n%s",
				cli_str(tb, VS_ATTR_NAME), memory);
		fprintf(cli->out.file, "<!-- %sthis into <devices> -->\n%s",
			memory[0] ? "and " : "", interface);
		return 0;
	}
	out_row_begin(&cli->out);
	out_str(&cli->out, OUT_ONLY_JSON, "name", "", cli_str(tb, VS_ATTR_NAME));
	out_str(&cli->out, OUT_ONLY_JSON, "memory_backing", "", memory);
	out_str(&cli->out, OUT_ONLY_JSON, "interface", "", interface);
	out_row_end(&cli->out);
	return 0;
}
