/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/core/drop.h"

/* clang-format off */
static const struct {
	const char *name;
	enum vs_drop_side side;
	const char *text;
} reasons[VS_DROP_COUNT] = {
	[VS_DROP_NONE] = {"none", VS_DROP_SIDE_IN, "not dropped"},
#define X(id, n, s, t) [VS_DROP_##id] = {n, VS_DROP_SIDE_##s, t},
	VS_DROP_REASONS(X)
#undef X
};
/* clang-format on */

const char *vs_drop_name(enum vs_drop reason)
{
	return (unsigned int)reason < VS_DROP_COUNT ? reasons[reason].name : "unknown";
}

const char *vs_drop_text(enum vs_drop reason)
{
	return (unsigned int)reason < VS_DROP_COUNT ? reasons[reason].text : "unknown";
}

enum vs_drop_side vs_drop_side(enum vs_drop reason)
{
	return (unsigned int)reason < VS_DROP_COUNT ? reasons[reason].side : VS_DROP_SIDE_IN;
}
