/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/vlan.h"

#include "control/cli/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	VID_MAX = 4094,
};

/* A number from @min to VID_MAX at the beginning of @text. Return: what is behind it, or NULL. */
static const char *read_vid(const char *text, unsigned int min, uint16_t *ret_vid)
{
	unsigned long vid;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	vid = strtoul(text, &end, 10);
	if (vid < min || vid > VID_MAX)
		return NULL;
	*ret_vid = (uint16_t)vid;
	return end;
}

/* "10,20-29". Return: false if @text is anything else. */
static bool read_list(const char *text, uint64_t *vids)
{
	const char *at = text;
	uint16_t first = 0;
	uint16_t last;

	for (;; at++) {
		at = read_vid(at, 1, &first);
		last = first;
		if (at && *at == '-')
			at = read_vid(at + 1, first, &last);
		if (!at)
			return false;
		for (; first <= last; first++)
			vids[first / 64] |= UINT64_C(1) << (first % 64);
		if (*at != ',')
			return *at == '\0';
	}
}

/* The bits of @vids as ranges. Return: how many; VS_RANGES_MAX + 1 if there are more. */
static size_t make_ranges(const uint64_t *vids, struct vs_range *range)
{
	bool before = false;
	unsigned int vid;
	size_t n = 0;

	for (vid = 1; vid <= VID_MAX; vid++) {
		bool is = (vids[vid / 64] >> (vid % 64)) & 1;

		if (is && !before && n++ == VS_RANGES_MAX)
			return n;
		if (is && !before)
			range[n - 1].first = (uint16_t)vid;
		if (is)
			range[n - 1].last = (uint16_t)vid;
		before = is;
	}
	return n;
}

static int put_list(struct cli *cli, const char *text)
{
	struct vs_range range[VS_RANGES_MAX];
	uint64_t vids[VID_MAX / 64 + 1] = {0};
	size_t n;

	if (!read_list(text, vids)) {
		words_complain(
			cli,
			"'%.60s' after 'trunk' is no list of VLANs such as 10,20-29, each 1 to %d",
			text, VID_MAX);
		return -EINVAL;
	}
	n = make_ranges(vids, range);
	if (n > VS_RANGES_MAX) {
		words_complain(cli, "the list after 'trunk' has more than %d ranges",
			       VS_RANGES_MAX);
		return -EINVAL;
	}
	vs_msg_put_bytes(&cli->msg, VS_ATTR_VLANS, range, n * sizeof(range[0]));
	return 0;
}

static int put_vid(struct cli *cli, const char *after, const char *text, unsigned int min)
{
	const char *end;
	uint16_t vid;

	end = read_vid(text, min, &vid);
	if (!end || *end) {
		words_complain(cli, "'%s' after '%s' is no VLAN (%u to %d)", text, after, min,
			       VID_MAX);
		return -EINVAL;
	}
	vs_msg_put_u32(&cli->msg, VS_ATTR_VLAN, vid);
	return 0;
}

static int missing(struct cli *cli, const char *after, const char *what)
{
	words_complain(cli, "'%s' is followed by nothing: %s is wanted", after, what);
	return -EINVAL;
}

static int put_access(struct cli *cli, char *const *words, int n)
{
	if (n < 2)
		return missing(cli, "access", "a VLAN (1 to 4094)");
	vs_msg_put_u32(&cli->msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_ACCESS);
	return put_vid(cli, "access", words[1], 1) ? -EINVAL : 2;
}

static int put_trunk(struct cli *cli, char *const *words, int n)
{
	if (n < 2)
		return missing(cli, "trunk", "a list of VLANs such as 10,20-29");
	vs_msg_put_u32(&cli->msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_TRUNK);
	if (put_list(cli, words[1]))
		return -EINVAL;
	if (n < 3 || strcmp(words[2], "native") != 0)
		return 2;
	if (n < 4)
		return missing(cli, "native", "a VLAN (0 to 4094)");
	return put_vid(cli, "native", words[3], 0) ? -EINVAL : 4;
}

int vlan_put(struct cli *cli, char *const *words, int n)
{
	if (strcmp(words[0], "untagged") == 0) {
		vs_msg_put_u32(&cli->msg, VS_ATTR_VLAN_MODE, VS_VLAN_MODE_UNTAGGED);
		return 1;
	}
	if (strcmp(words[0], "access") == 0)
		return put_access(cli, words, n);
	if (strcmp(words[0], "trunk") == 0)
		return put_trunk(cli, words, n);
	words_complain(cli,
		       "unknown word '%s' after 'vlan'; accepted here: untagged, access N, "
		       "trunk LIST [native N]",
		       words[0]);
	return -EINVAL;
}

/* The list of a trunk, as much of it as fits into @size bytes; "..." stands for the rest. */
static void list_format(const struct nlattr *vlans, char *text, size_t size)
{
	struct vs_range range;
	char part[16];
	size_t used = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; vs_tlv_range(vlans, i, &range); i++) {
		int len = snprintf(part, sizeof(part),
				   range.first == range.last ? "%s%u" : "%s%u-%u", i ? "," : "",
				   range.first, range.last);

		/* room for this one, and for ",..." behind it */
		if (used + (size_t)len + sizeof(",...") > size) {
			snprintf(text + used, size - used, ",...");
			return;
		}
		memcpy(text + used, part, (size_t)len + 1);
		used += (size_t)len;
	}
}

void vlan_format(const struct nlattr *const *tb, char *text, size_t size)
{
	unsigned int vid = (unsigned int)cli_num(tb, VS_ATTR_VLAN);
	char list[VLAN_TEXT_MAX];
	char native[24] = "";

	switch (cli_num(tb, VS_ATTR_VLAN_MODE)) {
	case VS_VLAN_MODE_ACCESS:
		snprintf(text, size, "access %u", vid);
		return;
	case VS_VLAN_MODE_TRUNK:
		break;
	default:
		snprintf(text, size, "untagged");
		return;
	}
	if (vid)
		snprintf(native, sizeof(native), " native %u", vid);
	list_format(tb[VS_ATTR_VLANS], list,
		    size < sizeof(list) ? size - strlen("trunk ") - strlen(native) : sizeof(list));
	snprintf(text, size, "trunk %s%s", list, native);
}
