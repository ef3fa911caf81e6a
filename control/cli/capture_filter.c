/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/capture.h"

#include <pcap/pcap.h>

#include <errno.h>

enum {
	/** The whole frame: what matches is cut by SNAPLEN, not by the filter. */
	WHOLE_FRAME = 262144,
};

static int wrong(struct cli *cli, const char *text, const char *why)
{
	snprintf(cli->error, sizeof(cli->error), "filter '%.200s': %s", text, why);
	return -EINVAL;
}

int capture_filter(struct cli *cli, const char *text)
{
	struct bpf_program program;
	char why[128];
	pcap_t *pcap;
	int ret = 0;

	_Static_assert(sizeof(*program.bf_insns) == 8, "as it is sent");
	pcap = pcap_open_dead(DLT_EN10MB, WHOLE_FRAME);
	if (!pcap)
		return wrong(cli, text, "out of memory");
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN)) {
		ret = wrong(cli, text, pcap_geterr(pcap));
		goto out_close;
	}
	if (program.bf_len > VS_PROTO_FILTER_MAX) {
		snprintf(why, sizeof(why), "it needs %u instructions, and %d are the most",
			 program.bf_len, VS_PROTO_FILTER_MAX);
		ret = wrong(cli, text, why);
	} else {
		vs_msg_put_bytes(&cli->msg, VS_ATTR_FILTER, program.bf_insns,
				 program.bf_len * sizeof(*program.bf_insns));
	}
	pcap_freecode(&program);
out_close:
	pcap_close(pcap);
	return ret;
}
