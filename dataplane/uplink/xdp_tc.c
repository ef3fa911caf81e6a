/* SPDX-License-Identifier: BSD-3-Clause */
/* The filters that join host and switch at an interface they share. */
#include "dataplane/uplink/xdp_prog.h"

#include <bpf/libbpf.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Ours among the filters of an interface: "vs" in both numbers. */
	HANDLE = 0x7673,
	PRIORITY = 0x7673,
};

/* Where each program goes. */
enum place {
	NIC,
	TAP,
};

struct filter {
	const char *program;
	enum place place;
	enum bpf_tc_attach_point point;
};

/* What leads frames to the switch comes last, when the rest of the way is there. */
static const struct filter filters[] = {
	{"vs_tap_out", TAP, BPF_TC_EGRESS},
	{"vs_tap_in", TAP, BPF_TC_INGRESS},
	{"vs_nic_in", NIC, BPF_TC_INGRESS},
	{"vs_nic_out", NIC, BPF_TC_EGRESS},
};

static int attach_one(const struct vs_xprog *prog, const struct filter *filter, uint32_t ifindex,
		      bool replace)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = filter->point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY,
		    .flags = replace ? BPF_TC_F_REPLACE : 0);
	const struct bpf_program *p;
	int err;

	p = bpf_object__find_program_by_name(prog->obj, filter->program);
	if (!p)
		return -ENOENT;
	opts.prog_fd = bpf_program__fd(p);
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	return bpf_tc_attach(&hook, &opts);
}

static void detach_one(uint32_t ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);

	(void)bpf_tc_detach(&hook, &opts);
}

int vs_xprog_attach_tc(struct vs_xprog *prog, uint32_t tap, bool leftover, struct vs_xdp_why *why)
{
	size_t i;

	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const struct filter *filter = &filters[i];
		bool replace = filter->place == NIC && leftover;
		int err = attach_one(prog, filter, filter->place == TAP ? tap : prog->ifindex,
				     replace);

		if (!err)
			continue;
		(void)snprintf(why->text, sizeof(why->text),
			       "cannot attach the filter %s that joins host and switch: %s%s",
			       filter->program, strerror(-err),
			       err == -EEXIST ? " (somebody else's has its place)" : "");
		/* Take back those on the interface; the others go with the TAP. */
		while (i-- > 0) {
			if (filters[i].place == NIC)
				detach_one(prog->ifindex, filters[i].point);
		}
		return err;
	}
	prog->tc = true;
	return 0;
}

void vs_xprog_detach_tc(uint32_t ifindex, bool clsact)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = (enum bpf_tc_attach_point)(BPF_TC_INGRESS | BPF_TC_EGRESS));

	/* Nothing is led to the switch any more, then nothing comes from it. */
	detach_one(ifindex, BPF_TC_EGRESS);
	detach_one(ifindex, BPF_TC_INGRESS);
	if (!clsact && vs_link_has_filters(ifindex) == 0)
		(void)bpf_tc_hook_destroy(&hook);
}
