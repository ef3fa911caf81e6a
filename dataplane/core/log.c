/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static enum vs_log_level threshold = VS_LOG_INFO;

static const char *const names[] = {
	[VS_LOG_ERROR] = "error",
	[VS_LOG_WARNING] = "warning",
	[VS_LOG_INFO] = "info",
	[VS_LOG_DEBUG] = "debug",
};

void vs_log_set_level(enum vs_log_level level)
{
	threshold = level;
}

int vs_log_parse_level(const char *text, enum vs_log_level *ret_level)
{
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_level = (enum vs_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* One write per line, so that lines of two threads never mix. */
static void emit(enum vs_log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	size_t used;
	int n;

	n = snprintf(line, sizeof(line), "vmswitchd: %s: ", names[level]);
	used = (size_t)n;
	n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	if (n < 0)
		return;
	used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
	line[used++] = '\n';
	(void)fwrite(line, 1, used, stderr);
}

void vs_log(enum vs_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > threshold)
		return;
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}

/* Count the line into its window. Return: lines suppressed before it, or -1 to be silent. */
static int64_t admit_line(struct vs_log_limit *limit)
{
	struct timespec now;
	uint32_t suppressed;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if ((uint64_t)now.tv_sec >= limit->window_s + limit->interval_s) {
		suppressed = limit->suppressed;
		limit->window_s = (uint64_t)now.tv_sec;
		limit->in_window = 1;
		limit->suppressed = 0;
		return suppressed;
	}
	if (limit->in_window >= limit->burst) {
		limit->suppressed++;
		return -1;
	}
	limit->in_window++;
	return 0;
}

void vs_log_limited(struct vs_log_limit *limit, enum vs_log_level level, const char *fmt, ...)
{
	int64_t suppressed;
	va_list ap;

	if (level > threshold)
		return;
	suppressed = admit_line(limit);
	if (suppressed < 0)
		return;
	if (suppressed > 0)
		vs_log(level, "(%lld lines like the next one were left out)",
		       (long long)suppressed);
	va_start(ap, fmt);
	emit(level, fmt, ap);
	va_end(ap);
}
