/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmswitch-capture: frames from standard input (control/cli/pcapng.h) to standard output, as
 * pcapng. Linked with Wireshark's libwiretap, so the program as a whole is under its license.
 */
#include "control/cli/pcapng.h"

#include <wireshark.h>

#include <wiretap/wtap.h>
#include <wsutil/wslog.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	NS_PER_S = 1000000000,
	NS_DIGITS = 9,
	/* read_all() */
	GOT_ALL = 1,
	GOT_NOTHING = 0,
};

static int complain(const char *what, int err, gchar *info)
{
	(void)fprintf(stderr, "vmswitch-capture: %s: %s%s%s\n", what,
		      err > 0 ? strerror(err) : wtap_strerror(err), info ? ": " : "",
		      info ? info : "");
	g_free(info);
	return -1;
}

/** read_all() - Return: GOT_ALL; GOT_NOTHING at the end; -1 it ended in the middle, or an error. */
static int read_all(void *buf, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(STDIN_FILENO, (char *)buf + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && have == 0 ? GOT_NOTHING : -1;
		have += (size_t)n;
	}
	return GOT_ALL;
}

/* The interface block, which names the port, and the filter if there is one. */
static wtapng_iface_descriptions_t *describe(const struct pcapng_head *head)
{
	wtapng_iface_descriptions_t *all = g_new0(wtapng_iface_descriptions_t, 1);
	wtap_block_t block = wtap_block_create(WTAP_BLOCK_IF_ID_AND_INFO);
	wtapng_if_descr_mandatory_t *must = wtap_block_get_mandatory_data(block);

	must->wtap_encap = WTAP_ENCAP_ETHERNET;
	must->time_units_per_second = NS_PER_S;
	must->tsprecision = WTAP_TSPREC_NSEC;
	must->snap_len = head->snaplen;
	wtap_block_add_string_option(block, OPT_IDB_NAME, head->port, strlen(head->port));
	wtap_block_add_uint8_option(block, OPT_IDB_TSRESOL, NS_DIGITS);
	if (head->filter[0]) {
		if_filter_opt_t filter = {.type = if_filter_pcap};
		char *text = g_strdup(head->filter);

		filter.data.filter_str = text;
		wtap_block_add_if_filter_option(block, OPT_IDB_FILTER, &filter);
		g_free(text);
	}
	all->interface_data = g_array_new(FALSE, FALSE, sizeof(block));
	g_array_append_val(all->interface_data, block);
	return all;
}

static GArray *section(const struct pcapng_head *head)
{
	wtap_block_t block = wtap_block_create(WTAP_BLOCK_SECTION);
	GArray *all = g_array_new(FALSE, FALSE, sizeof(block));

	wtap_block_add_string_option(block, OPT_SHB_USERAPPL, head->program, strlen(head->program));
	g_array_append_val(all, block);
	return all;
}

/* @params stay in use as long as the output. */
static wtap_dumper *open_output(const struct pcapng_head *head, wtap_dump_params *params)
{
	wtap_dumper *dumper;
	gchar *info = NULL;
	int err = 0;

	params->encap = WTAP_ENCAP_ETHERNET;
	params->snaplen = (int)head->snaplen;
	params->tsprec = WTAP_TSPREC_NSEC;
	params->idb_inf = describe(head);
	params->shb_hdrs = section(head);
	dumper = wtap_dump_open_stdout(wtap_pcapng_file_type_subtype(), WTAP_UNCOMPRESSED, params,
				       &err, &info);
	if (!dumper)
		(void)complain("cannot begin a capture file", err, info);
	return dumper;
}

static int write_frame(wtap_dumper *dumper, wtap_rec *rec, const struct pcapng_frame *frame,
		       const char *comment, const guint8 *bytes)
{
	gchar *info = NULL;
	int err = 0;

	rec->rec_type = REC_TYPE_PACKET;
	rec->presence_flags = WTAP_HAS_TS | WTAP_HAS_CAP_LEN | WTAP_HAS_INTERFACE_ID;
	rec->ts.secs = (time_t)(frame->time_ns / NS_PER_S);
	rec->ts.nsecs = (int)(frame->time_ns % NS_PER_S);
	rec->rec_header.packet_header.caplen = frame->have;
	rec->rec_header.packet_header.len = frame->len;
	rec->rec_header.packet_header.interface_id = 0;
	rec->rec_header.packet_header.pkt_encap = WTAP_ENCAP_ETHERNET;
	rec->block = wtap_block_create(WTAP_BLOCK_PACKET);
	rec->block_was_modified = TRUE;
	wtap_block_add_string_option(rec->block, OPT_COMMENT, comment, frame->comment);
	wtap_block_add_uint32_option(rec->block, OPT_PKT_FLAGS, frame->direction);
	if (frame->lost)
		wtap_block_add_uint64_option(rec->block, OPT_PKT_DROPCOUNT, frame->lost);
	if (!wtap_dump(dumper, rec, bytes, &err, &info))
		return complain("cannot write", err, info);
	wtap_block_unref(rec->block);
	rec->block = NULL;
	return 0;
}

static bool is_sane(const struct pcapng_frame *frame)
{
	return frame->have <= PCAPNG_BYTES_MAX && frame->have <= frame->len &&
	       frame->comment <= PCAPNG_COMMENT_MAX;
}

/* Somebody may be reading along: what is written is not kept back when nothing more waits. */
static int flush_if_idle(wtap_dumper *dumper)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	int err = 0;

	if (poll(&in, 1, 0) != 0 || wtap_dump_flush(dumper, &err))
		return 0;
	return complain("cannot write", err, NULL);
}

static int copy_frames(wtap_dumper *dumper)
{
	static char comment[PCAPNG_COMMENT_MAX + 1];
	static guint8 bytes[PCAPNG_BYTES_MAX];
	struct pcapng_frame frame;
	wtap_rec rec;
	int got, ret = 0;

	wtap_rec_init(&rec);
	while (!ret) {
		got = read_all(&frame, sizeof(frame));
		if (got == GOT_NOTHING)
			break;
		if (got < 0 || !is_sane(&frame) ||
		    (frame.comment && read_all(comment, frame.comment) <= 0) ||
		    (frame.have && read_all(bytes, frame.have) <= 0))
			ret = complain("standard input", EBADMSG, NULL);
		else
			ret = write_frame(dumper, &rec, &frame, comment, bytes);
		if (!ret)
			ret = flush_if_idle(dumper);
	}
	wtap_rec_cleanup(&rec);
	return ret;
}

/* From the head to the end. Return: exit status. */
static int run(const struct pcapng_head *head)
{
	wtap_dump_params params = WTAP_DUMP_PARAMS_INIT;
	wtap_dumper *dumper = open_output(head, &params);
	gchar *info = NULL;
	int err = 0;
	int ret = -1;

	if (dumper)
		ret = flush_if_idle(dumper) ? -1 : copy_frames(dumper);
	if (dumper && !wtap_dump_close(dumper, NULL, &err, &info) && !ret)
		ret = complain("cannot write", err, info);
	wtap_block_array_free(params.shb_hdrs);
	wtap_free_idb_info(params.idb_inf);
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct pcapng_head head;
	int status;

	(void)argc;
	ws_log_init(argv[0], NULL);
	wtap_init(FALSE);
	if (read_all(&head, sizeof(head)) != GOT_ALL || head.magic != PCAPNG_MAGIC) {
		(void)fprintf(stderr, "vmswitch-capture: started by 'vmswitch capture PORT -w "
				      "FILE', and of no use otherwise\n");
		return 2;
	}
	head.port[sizeof(head.port) - 1] = '\0';
	head.filter[sizeof(head.filter) - 1] = '\0';
	head.program[sizeof(head.program) - 1] = '\0';
	status = run(&head);
	wtap_cleanup();
	return status;
}
