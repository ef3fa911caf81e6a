/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines on standard error, one per event, for control code only: a stage never logs
 * (tests/lint holds that). Lines that a guest, a VMM or a client can provoke go through
 * vs_log_limited().
 */
#ifndef VS_CORE_LOG_H
#define VS_CORE_LOG_H

#include <stdint.h>

enum vs_log_level {
	VS_LOG_ERROR,
	VS_LOG_WARNING,
	VS_LOG_INFO,
	VS_LOG_DEBUG,
};

/** vs_log_set_level() - drop lines less important than @level (default VS_LOG_INFO). */
void vs_log_set_level(enum vs_log_level level);

/**
 * vs_log_parse_level() - "error", "warning", "info" or "debug" to a level
 * Return: 0, or -EINVAL.
 */
int vs_log_parse_level(const char *text, enum vs_log_level *ret_level);

/** vs_log() - one line, printf style, without a newline at the end. */
void vs_log(enum vs_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** struct vs_log_limit - at most @burst lines in any @interval_s seconds; zero-initialised state */
struct vs_log_limit {
	uint32_t burst;
	uint32_t interval_s;
	uint64_t window_s;
	uint32_t in_window;
	uint32_t suppressed;
};

/** vs_log_limited() - like vs_log(), but silent beyond the limit; says how many it suppressed. */
void vs_log_limited(struct vs_log_limit *limit, enum vs_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
