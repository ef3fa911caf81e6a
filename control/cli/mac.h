/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC addresses as people write them.
 */
#ifndef VS_CONTROL_CLI_MAC_H
#define VS_CONTROL_CLI_MAC_H

#include <stdint.h>

enum {
	MAC_BYTES = 6,
	MAC_TEXT_SIZE = 18,
};

/**
 * mac_parse() - read 00:15:5d:01:32:11, 00-15-5D-01-32-11, 00155D013211 or 0015.5d01.3211
 * @text:	any case; nothing before or behind the address
 *
 * Return: 0, or -EINVAL.
 */
int mac_parse(const char *text, uint8_t ret_mac[MAC_BYTES]);

/** mac_format() - write 00:15:5d:01:32:11, and a NUL, to @text. */
void mac_format(const uint8_t mac[MAC_BYTES], char text[MAC_TEXT_SIZE]);

#endif
