/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtio feature bits of a network device by name.
 */
#ifndef VS_CONTROL_CLI_VIRTIO_H
#define VS_CONTROL_CLI_VIRTIO_H

#include <jansson.h>

#include <stddef.h>
#include <stdint.h>

/** features_format() - names with spaces between them; "-" for none; cut off if too long. */
void features_format(uint64_t bits, char *text, size_t size);

/** features_json() - array of names; owned by the caller, NULL without memory. */
json_t *features_json(uint64_t bits);

#endif
