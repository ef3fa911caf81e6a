/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/uplink/xdp_prog.h"

#include "bpf/embedded.h"
#include "dataplane/core/log.h"
#include "dataplane/uplink/xdp_pin.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* linux/bpf.h of Debian 12 has it, that of older machines not. */
#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

static const char link_pin[] = "link";
/* Maps that outlive a process. */
static const char *const kept[] = {"vs_config", "vs_counters", "vs_behind"};

/* libbpf's own lines: they say more than an errno, to those who look. */
static int print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char text[512];
	size_t n;

	if (level == LIBBPF_DEBUG)
		return 0;
	(void)vsnprintf(text, sizeof(text), fmt, args);
	n = strlen(text);
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	vs_log(VS_LOG_DEBUG, "%s", text);
	return 0;
}

static void forget_pins(const char *dir)
{
	if (dir[0])
		vs_xpin_remove(dir);
}

/* The link that a switch pinned, if it is still on the interface. Return: descriptor, or -errno. */
static int open_pinned(const char *dir, uint32_t ifindex, uint32_t *ret_prog_id)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	char path[PATH_MAX];
	int err = vs_xpin_path(dir, link_pin, path);
	int fd;

	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0 || info.type != BPF_LINK_TYPE_XDP ||
	    info.xdp.ifindex != ifindex) {
		(void)close(fd);
		return -ENOENT;
	}
	*ret_prog_id = info.prog_id;
	return fd;
}

static void name_program(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	/* Only root may look; then the number has to do. */
	(void)snprintf(name, BPF_OBJ_NAME_LEN, "?");
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.name[0])
		(void)snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
	(void)close(fd);
}

int vs_xprog_check_foreign(const char *rundir, const struct vs_link *link, struct vs_xdp_why *why)
{
	char name[BPF_OBJ_NAME_LEN];
	char dir[PATH_MAX];
	uint32_t ours = 0;
	int fd;

	if (!link->prog_id)
		return 0;
	if (vs_xpin_find(rundir, link->index, dir) == 0) {
		fd = open_pinned(dir, link->index, &ours);
		if (fd >= 0)
			(void)close(fd);
	}
	if (ours == link->prog_id)
		return 0;
	name_program(link->prog_id, name);
	(void)snprintf(why->text, sizeof(why->text),
		       "interface %s has an XDP program of somebody else: id %u, name %s "
		       "('bpftool net show dev %s' tells more); it was left alone",
		       link->name, link->prog_id, name, link->name);
	return -EBUSY;
}

/* Use the maps that are pinned, or pin the new ones. */
static int pin_maps(struct vs_xprog *prog)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; prog->dir[0] && i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(prog->obj, kept[i]);
		int err = vs_xpin_path(prog->dir, kept[i], path);

		if (!map)
			return -ENOENT;
		if (!err)
			err = bpf_map__set_pin_path(map, path);
		if (err)
			return err;
	}
	return 0;
}

static int load_once(struct vs_xprog *prog, enum vs_xprog_frags frags)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "vmswitch");
	struct bpf_program *sort;
	int err;

	prog->obj = bpf_object__open_mem(vs_bpf_uplink, vs_bpf_uplink_size, &opts);
	if (!prog->obj)
		return -errno;
	sort = bpf_object__find_program_by_name(prog->obj, "vs_sort");
	err = sort ? 0 : -ENOENT;
	if (!err && frags == VS_XPROG_FRAGS)
		err = bpf_program__set_flags(sort, BPF_F_XDP_HAS_FRAGS);
	if (!err)
		err = pin_maps(prog);
	if (!err)
		err = bpf_object__load(prog->obj);
	if (err) {
		bpf_object__close(prog->obj);
		prog->obj = NULL;
	}
	return err;
}

static int program_fd(const struct vs_xprog *prog, const char *name)
{
	const struct bpf_program *p = bpf_object__find_program_by_name(prog->obj, name);

	return p ? bpf_program__fd(p) : -ENOENT;
}

static int find_parts(struct vs_xprog *prog)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	prog->config_fd = bpf_object__find_map_fd_by_name(prog->obj, "vs_config");
	prog->counters_fd = bpf_object__find_map_fd_by_name(prog->obj, "vs_counters");
	prog->sockets_fd = bpf_object__find_map_fd_by_name(prog->obj, "vs_sockets");
	prog->filters_fd = bpf_object__find_map_fd_by_name(prog->obj, "vs_filters");
	if (prog->config_fd < 0 || prog->counters_fd < 0 || prog->sockets_fd < 0 ||
	    prog->filters_fd < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(program_fd(prog, "vs_sort"), &info, &size) != 0)
		return -errno;
	prog->id = info.id;
	return 0;
}

/* Maps of another version do not fit. The link keeps the old program in place. */
static void forget_maps(const char *dir)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		if (vs_xpin_path(dir, kept[i], path) == 0)
			(void)unlink(path);
	}
}

int vs_xprog_load(const char *rundir, const struct vs_link *link, enum vs_xprog_frags frags,
		  struct vs_xprog *prog, struct vs_xdp_why *why)
{
	int err;

	*prog = VS_XPROG_NONE;
	prog->ifindex = link->index;
	(void)libbpf_set_print(print);
	err = vs_xpin_make(rundir, link->index, prog->dir);
	if (err) {
		vs_log(VS_LOG_WARNING,
		       "interface %s: no bpffs (%s): a restart of the switch will interrupt it",
		       link->name, strerror(-err));
		prog->dir[0] = '\0';
	}
	err = load_once(prog, frags);
	if (err && prog->dir[0]) {
		forget_maps(prog->dir);
		err = load_once(prog, frags);
	}
	if (!err)
		err = find_parts(prog);
	if (!err)
		return 0;
	(void)snprintf(why->text, sizeof(why->text), "the kernel refuses the eBPF programs: %s",
		       strerror(-err));
	vs_xprog_unload(prog);
	return err;
}

int vs_xprog_set_config(const struct vs_xprog *prog, const struct vs_bpf_config *config)
{
	uint32_t key = 0;

	return bpf_map_update_elem(prog->config_fd, &key, config, BPF_ANY) ? -errno : 0;
}

int vs_xprog_set_socket(const struct vs_xprog *prog, uint32_t index, int fd)
{
	return bpf_map_update_elem(prog->sockets_fd, &index, &fd, BPF_ANY) ? -errno : 0;
}

int vs_xprog_add_filter(const struct vs_xprog *prog, const struct vs_bpf_station *station,
			uint32_t queue)
{
	return bpf_map_update_elem(prog->filters_fd, station, &queue, BPF_ANY) ? -errno : 0;
}

void vs_xprog_del_filter(const struct vs_xprog *prog, const struct vs_bpf_station *station)
{
	(void)bpf_map_delete_elem(prog->filters_fd, station);
}

/* Exchange the program of the link that a killed switch left. Return: 0, or -errno. */
static int take_over(struct vs_xprog *prog, const struct vs_link *link)
{
	uint32_t before;
	int fd = open_pinned(prog->dir, prog->ifindex, &before);

	if (fd < 0)
		return fd;
	if (bpf_link_update(fd, program_fd(prog, "vs_sort"), NULL) != 0) {
		int err = -errno;

		(void)close(fd);
		return err;
	}
	prog->link_fd = fd;
	prog->native = link->prog_native;
	prog->taken_over = true;
	return 0;
}

static int attach_new(struct vs_xprog *prog, uint32_t mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode);
	int fd = bpf_link_create(program_fd(prog, "vs_sort"), (int)prog->ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return -errno;
	prog->link_fd = fd;
	prog->native = mode == XDP_FLAGS_DRV_MODE;
	return 0;
}

int vs_xprog_attach(struct vs_xprog *prog, const struct vs_link *link, struct vs_xdp_why *why)
{
	char path[PATH_MAX];
	int native_err;
	int err;

	if (prog->dir[0]) {
		if (take_over(prog, link) == 0)
			return 0;
		/* None, or one that cannot be used: the interface is free after this. */
		if (vs_xpin_path(prog->dir, link_pin, path) == 0)
			(void)unlink(path);
	}
	native_err = attach_new(prog, XDP_FLAGS_DRV_MODE);
	err = native_err ? attach_new(prog, XDP_FLAGS_SKB_MODE) : 0;
	if (err) {
		(void)snprintf(why->text, sizeof(why->text),
			       "interface %s takes no XDP program at MTU %u: %s by its driver, %s by "
			       "the stack; a lower MTU may help (ip link set dev %s mtu 1500)",
			       link->name, link->mtu, strerror(-native_err), strerror(-err),
			       link->name);
		return err;
	}
	if (prog->dir[0] && vs_xpin_path(prog->dir, link_pin, path) == 0 &&
	    bpf_obj_pin(prog->link_fd, path) != 0) {
		err = -errno;
		(void)snprintf(why->text, sizeof(why->text),
			       "cannot pin the XDP program in %.200s: %s", prog->dir,
			       strerror(-err));
		return err;
	}
	return 0;
}

void vs_xprog_read_counters(const struct vs_xprog *prog,
			    uint64_t ret_counters[VS_BPF_COUNTER_COUNT])
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *value;
	uint32_t which;
	int c;

	memset(ret_counters, 0, VS_BPF_COUNTER_COUNT * sizeof(ret_counters[0]));
	value = cpus > 0 ? calloc((size_t)cpus, sizeof(*value)) : NULL;
	if (!value)
		return;
	for (which = 0; which < VS_BPF_COUNTER_COUNT; which++) {
		if (bpf_map_lookup_elem(prog->counters_fd, &which, value) != 0)
			continue;
		for (c = 0; c < cpus; c++)
			ret_counters[which] += value[c];
	}
	free(value);
}

void vs_xprog_unload(struct vs_xprog *prog)
{
	/* The link ends with its last reference: the pin, or this one. */
	forget_pins(prog->dir);
	if (prog->link_fd >= 0)
		(void)close(prog->link_fd);
	if (prog->obj)
		bpf_object__close(prog->obj);
	*prog = VS_XPROG_NONE;
}

void vs_xprog_remove_pins(const char *rundir, uint32_t ifindex)
{
	char dir[PATH_MAX];

	if (vs_xpin_find(rundir, ifindex, dir) == 0)
		vs_xpin_remove(dir);
}
