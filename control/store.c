/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file as a whole: opening it, adding a transaction, writing it anew. */
#include "control/store_priv.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	/** A file that has grown by less is left alone. */
	GROWTH_MIN = 64 * 1024,
	/** After compaction has failed, so much more is added before it is tried again. */
	GROWTH_AGAIN = 1024 * 1024,
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void print_time(uint64_t time_ns, char *text, size_t size)
{
	time_t when = (time_t)(time_ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&when, &tm) || strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		(void)snprintf(text, size, "a time unknown");
}

/* ---- opening ---- */

/* The file before the last compaction: what became of it, for who has lost the newer one. */
static void say_where_old(const char *path)
{
	struct vs_store_report report;
	struct vs_image image = {0};
	struct vs_image_sum sum;
	char old[4096];
	char when[40];
	size_t len;
	void *data;

	(void)snprintf(old, sizeof(old), "%s.old", path);
	if (vs_store_file_read(old, &data, &len) != 0) {
		vs_log(VS_LOG_ERROR, "%s: there is no older copy (%s)", path, old);
		return;
	}
	if (vs_store_load(data, len, &image, &report) == 0) {
		sum = vs_image_sum(&image);
		print_time(report.time_ns, when, sizeof(when));
		vs_log(VS_LOG_ERROR,
		       "%s: the last good copy is %s, of %s: %" PRIu32 " switches, %" PRIu32
		       " ports, %" PRIu32 " static addresses",
		       path, old, when, sum.switches, sum.ports, sum.statics);
	} else {
		vs_log(VS_LOG_ERROR, "%s: the older copy %s %s (offset %" PRIu64 ")", path, old,
		       report.text, report.offset);
	}
	vs_image_clear(&image);
	free(data);
}

static void say_what_is_wrong(const char *path, int err, const struct vs_store_report *report)
{
	char when[40];

	vs_log(VS_LOG_ERROR, "%s %s (offset %" PRIu64 "); nothing was started and nothing changed",
	       path, report->text, report->offset);
	if (err == -ENOMEM || err == -ENOTSUP)
		return;
	if (report->blocks) {
		print_time(report->time_ns, when, sizeof(when));
		vs_log(VS_LOG_ERROR,
		       "%s: up to offset %" PRIu64 " it is whole, which was the state of %s "
		       "('truncate -s %" PRIu64 " FILE' on a copy goes back to it)",
		       path, report->good, when, report->good);
	}
	say_where_old(path);
}

static int cut_tail(struct vs_store *store, size_t len, const struct vs_store_report *report)
{
	int err;

	if (report->good == len)
		return 0;
	vs_log(VS_LOG_WARNING,
	       "%s: %" PRIu64 " bytes at offset %" PRIu64
	       " are an unfinished transaction that nobody was told of; they were cut off",
	       store->file.path, (uint64_t)len - report->good, report->good);
	err = vs_store_file_cut(&store->file, report->good);
	if (err)
		vs_log(VS_LOG_ERROR, "%s: cannot be cut: %s", store->file.path, strerror(-err));
	return err;
}

static int load(struct vs_store *store, const void *data, size_t len)
{
	struct vs_store_report report;
	int err;

	if (!data)
		return 0;
	err = vs_store_load(data, len, &store->image, &report);
	if (err) {
		say_what_is_wrong(store->file.path, err, &report);
		return err;
	}
	store->seq = report.seq;
	store->base = report.base;
	return cut_tail(store, len, &report);
}

int vs_store_open(const struct vs_store_config *config, struct vs_store **ret_store)
{
	struct vs_store *store = calloc(1, sizeof(*store));
	char text[VS_IMAGE_WHY_SIZE];
	void *data = NULL;
	size_t len;
	int err;

	if (!store)
		return -ENOMEM;
	store->watch = -1;
	err = vs_store_file_open(&store->file, config->path, &data, &len, text, sizeof(text));
	if (err) {
		vs_log(VS_LOG_ERROR, "state file %s %s", config->path, text);
		free(store);
		return err;
	}
	err = load(store, data, len);
	free(data);
	if (err) {
		vs_store_free(store);
		return err;
	}
	*ret_store = store;
	return 0;
}

/* ---- writing ---- */

/* What the image says, and then @more (or NULL), as a new file. */
static int write_anew(struct vs_store *store, const struct vs_block *more)
{
	const struct vs_store_head head = vs_store_head_make();
	struct vs_block whole = {0};
	struct vs_store_bytes part[3] = {{.data = &head, .len = sizeof(head)}};
	int err;

	vs_block_image(&whole, &store->image);
	err = vs_block_end(&whole, VS_STORE_WHOLE, store->seq + 1, now_ns(CLOCK_REALTIME));
	if (err)
		goto end;
	part[1] = (struct vs_store_bytes){.data = whole.data, .len = whole.len};
	if (more)
		part[2] = (struct vs_store_bytes){.data = more->data, .len = more->len};
	err = vs_store_file_replace(&store->file, part, more ? 3 : 2);
	if (err && !store->file.suspect)
		goto end;
	/* It is there, and perhaps not for sure: what is refused must not be in it. */
	store->seq++;
	store->base = sizeof(head) + whole.len;
	if (err && more)
		(void)vs_store_file_cut(&store->file, store->base);
	if (err)
		store->file.suspect = true;
	store->rewrites++;
	store->not_before = 0;
end:
	vs_block_free(&whole);
	return err;
}

static void on_rewrite(evutil_socket_t fd, short what, void *ctx)
{
	struct vs_store *store = ctx;
	int err = write_anew(store, NULL);

	(void)fd;
	(void)what;
	if (!err)
		return;
	store->not_before = store->file.size + GROWTH_AGAIN;
	vs_log(VS_LOG_WARNING, "%s: cannot be written anew, and goes on growing: %s",
	       store->file.path, strerror(-err));
}

/* After the transaction, as nobody has to wait for it then. */
static void plan_rewrite(struct vs_store *store)
{
	uint64_t grown = store->file.size - store->base;

	if (store->rewrite && grown > GROWTH_MIN && grown > store->base &&
	    store->file.size >= store->not_before)
		event_active(store->rewrite, EV_TIMEOUT, 1);
}

/* A new block: into the file, or with everything else into a new one. */
static int write_block(struct vs_store *store, struct vs_block *block)
{
	bool anew = store->file.fd < 0 || store->file.suspect;
	uint64_t seq = store->seq + (anew ? 2 : 1);
	int err;

	err = vs_block_end(block, 0, seq, now_ns(CLOCK_REALTIME));
	if (err)
		return err;
	if (anew)
		err = write_anew(store, block);
	else
		err = vs_store_file_append(&store->file, block->data, block->len);
	if (!err)
		store->seq = seq;
	return err;
}

static int refuse(struct vs_store *store, int err, struct vs_fail *fail)
{
	/* Of the system's many words for it, one. */
	if (err == -EFBIG || err == -EDQUOT)
		err = -ENOSPC;
	(void)snprintf(store->problem, sizeof(store->problem), "it cannot be written: %s",
		       strerror(-err));
	vs_log(VS_LOG_ERROR, "%s: %s; a change was refused", store->file.path, store->problem);
	return vs_fail_set(fail, err, VS_ATTR_UNSPEC,
			   "the state file %.150s cannot be written (%s); nothing was changed",
			   store->file.path, strerror(-err));
}

int store_write(struct vs_store *store, struct vs_block *block, struct vs_fail *fail)
{
	uint64_t begin = now_ns(CLOCK_MONOTONIC);
	int err;

	/* What can fail without the disk, first: the image must follow what is written. */
	err = vs_block_end(block, 0, 0, 0);
	if (!err)
		err = vs_image_reserve(&store->image, block);
	if (!err)
		err = write_block(store, block);
	if (err) {
		vs_image_unreserve(&store->image);
		return refuse(store, err, fail);
	}
	vs_image_take(&store->image, block);
	store->sync_us = (now_ns(CLOCK_MONOTONIC) - begin) / 1000;
	if (store->problem[0])
		vs_log(VS_LOG_INFO, "%s: it can be written again", store->file.path);
	store->problem[0] = '\0';
	plan_rewrite(store);
	return 0;
}

/* ---- with a model ---- */

static void say_what_is_there(const struct vs_store *store)
{
	struct vs_image_sum sum = vs_image_sum(&store->image);

	if (store->file.fd < 0) {
		vs_log(VS_LOG_INFO, "state file %s: none yet; the first change makes it",
		       store->file.path);
		return;
	}
	vs_log(VS_LOG_INFO,
	       "state file %s: %" PRIu32 " switches, %" PRIu32 " ports, %" PRIu32
	       " static addresses; %" PRIu32 " of them wait",
	       store->file.path, sum.switches, sum.ports, sum.statics, sum.waiting);
}

int vs_store_start(struct vs_store *store, const struct vs_store_link *link)
{
	uint32_t i;

	store->link = *link;
	store->rewrite = event_new(link->base, -1, 0, on_rewrite, store);
	if (!store->rewrite || store_watch_start(store) != 0)
		return -ENOMEM;
	vs_config_set_last(link->model, vs_image_last(&store->image));
	for (i = 0; i < store->image.n; i++)
		store->image.obj[i]->waiting = true;
	(void)store_replay(store);
	vs_model_on_commit(link->model, store_on_commit, store);
	vs_model_on_waiting(link->model, store_each_waiting, store);
	say_what_is_there(store);
	store_retry_soon(store);
	return 0;
}

void vs_store_free(struct vs_store *store)
{
	if (!store)
		return;
	if (store->link.model) {
		vs_model_on_commit(store->link.model, NULL, NULL);
		vs_model_on_waiting(store->link.model, NULL, NULL);
	}
	store_watch_stop(store);
	if (store->rewrite)
		event_free(store->rewrite);
	vs_store_file_close(&store->file);
	vs_image_clear(&store->image);
	free(store);
}

void vs_store_info(const struct vs_store *store, struct vs_store_info *ret_info)
{
	*ret_info = (struct vs_store_info){
		.path = store->file.path,
		.bytes = store->file.size,
		.base = store->base,
		.transactions = store->seq,
		.rewrites = store->rewrites,
		.sync_us = store->sync_us,
		.waiting = vs_image_sum(&store->image).waiting,
		.problem = store->problem,
	};
}
