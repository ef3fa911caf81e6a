/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/cli/mac.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The notations: a separator after every so many digits. */
static const struct {
	char separator;
	unsigned int group;
} notations[] = {
	{':', 2},
	{'-', 2},
	{'.', 4},
	{'\0', 12},
};

static unsigned int hex_value(char c)
{
	return isdigit((unsigned char)c) ? (unsigned int)(c - '0')
					 : (unsigned int)(tolower((unsigned char)c) - 'a') + 10;
}

static int parse_notation(const char *text, char separator, unsigned int group,
			  uint8_t ret_mac[MAC_BYTES])
{
	uint8_t mac[MAC_BYTES] = {0};
	unsigned int digit;

	for (digit = 0; digit < 2 * MAC_BYTES; digit++) {
		if (digit && digit % group == 0 && *text++ != separator)
			return -EINVAL;
		if (!isxdigit((unsigned char)*text))
			return -EINVAL;
		mac[digit / 2] = (uint8_t)(mac[digit / 2] << 4 | hex_value(*text++));
	}
	if (*text)
		return -EINVAL;
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

int mac_parse(const char *text, uint8_t ret_mac[MAC_BYTES])
{
	size_t i;

	for (i = 0; i < sizeof(notations) / sizeof(notations[0]); i++) {
		if (!parse_notation(text, notations[i].separator, notations[i].group, ret_mac))
			return 0;
	}
	return -EINVAL;
}

void mac_format(const uint8_t mac[MAC_BYTES], char text[MAC_TEXT_SIZE])
{
	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}
