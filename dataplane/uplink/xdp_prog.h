/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The eBPF programs of an xdp uplink: load, pin, attach, take over, detach.
 *
 * DOC: theory of operation
 *
 * The program that sorts is attached by a link, and the link is pinned in a bpffs together with the
 * maps that must outlive a process (RUNDIR/bpf/ifINDEX/...): so it stays when the switch is killed,
 * and the next one finds the link and exchanges the program in it, with no moment without one. The
 * maps of sockets and filters are not pinned: sockets end with their process, the entries with the
 * sockets, and the program then does what vs_bpf_config.share says; filters end with the program.
 *
 * The run folder gets a bpffs of its own (mounted by the first uplink, unmounted by the last).
 * Where mounting is refused, a folder in /sys/fs/bpf serves, if that is one. Without either the
 * uplink works, and the program goes with the process.
 */
#ifndef VS_UPLINK_XDP_PROG_H
#define VS_UPLINK_XDP_PROG_H

#include "bpf/uplink.h"
#include "dataplane/uplink/link.h"
#include "dataplane/uplink/uplink.h"

#include <limits.h>

struct bpf_object;

/** What happens to frames that are longer than one buffer. */
enum vs_xprog_frags {
	VS_XPROG_ONE_BUFFER,
	VS_XPROG_FRAGS,
};

/**
 * struct vs_xprog - the programs of one interface
 * @dir:	folder of the pins, or empty: nothing is pinned
 */
struct vs_xprog {
	struct bpf_object *obj;
	char dir[PATH_MAX];
	uint32_t ifindex;
	int link_fd;
	int config_fd;
	int counters_fd;
	int sockets_fd;
	int filters_fd;
	uint32_t id;
	bool native;
	bool taken_over;
	bool tc; /* the four filters are there */
};

/** VS_XPROG_NONE - nothing loaded; vs_xprog_unload() can be called on it. */
#define VS_XPROG_NONE                         \
	((struct vs_xprog){.link_fd = -1,     \
			   .config_fd = -1,   \
			   .counters_fd = -1, \
			   .sockets_fd = -1,  \
			   .filters_fd = -1})

/**
 * vs_xprog_check_foreign() - has the interface an XDP program that is not a switch's leftover?
 * Return: 0, -EBUSY with a sentence in *@why, or -errno.
 */
int vs_xprog_check_foreign(const char *rundir, const struct vs_link *link, struct vs_xdp_why *why);

/**
 * vs_xprog_load() - load programs and maps; nothing is attached
 *
 * Pinned maps of a killed switch are used again.
 *
 * Return: 0 with *@prog filled in, or -errno with a sentence in *@why.
 */
int vs_xprog_load(const char *rundir, const struct vs_link *link, enum vs_xprog_frags frags,
		  struct vs_xprog *prog, struct vs_xdp_why *why);

/** vs_xprog_set_config() - tell the programs. Return: 0, or -errno. */
int vs_xprog_set_config(const struct vs_xprog *prog, const struct vs_bpf_config *config);

/**
 * vs_xprog_set_socket() - enter AF_XDP socket @fd
 * @index:	vs_bpf_socket() of its queue and hw queue
 *
 * Return: 0, or -errno.
 */
int vs_xprog_set_socket(const struct vs_xprog *prog, uint32_t index, int fd);

/**
 * vs_xprog_add_filter() - frames to this station fall into @queue; replaces one that is there
 * Return: 0, or -errno: -E2BIG there are too many.
 */
int vs_xprog_add_filter(const struct vs_xprog *prog, const struct vs_bpf_station *station,
			uint32_t queue);

/** vs_xprog_del_filter() - they do no more; none is fine. */
void vs_xprog_del_filter(const struct vs_xprog *prog, const struct vs_bpf_station *station);

/**
 * vs_xprog_attach() - attach the program that sorts, or exchange the one that is attached
 * Return: 0, or -errno with a sentence in *@why.
 */
int vs_xprog_attach(struct vs_xprog *prog, const struct vs_link *link, struct vs_xdp_why *why);

/**
 * vs_xprog_attach_tc() - attach the filters that join host and switch
 * @tap:	index of the helper TAP
 *
 * Filters that a killed switch left are replaced.
 *
 * Return: 0, or -errno with a sentence in *@why and none attached.
 */
int vs_xprog_attach_tc(struct vs_xprog *prog, uint32_t tap, bool leftover, struct vs_xdp_why *why);

/**
 * vs_xprog_detach_tc() - take our filters off the interface
 * @clsact:	the queueing discipline for filters was there before us: leave it
 */
void vs_xprog_detach_tc(uint32_t ifindex, bool clsact);

/** vs_xprog_read_counters() - sums over CPUs. */
void vs_xprog_read_counters(const struct vs_xprog *prog,
			    uint64_t ret_counters[VS_BPF_COUNTER_COUNT]);

/** vs_xprog_unload() - detach the program, remove the pins, unload. */
void vs_xprog_unload(struct vs_xprog *prog);

/** vs_xprog_remove_pins() - remove the pins of an interface: without an owner, its program goes. */
void vs_xprog_remove_pins(const char *rundir, uint32_t ifindex);

#endif
