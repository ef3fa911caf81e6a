/* SPDX-License-Identifier: BSD-3-Clause */
/* State files made of the store's own parts, and an image as text. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include "control/store_block.h"
#include "control/store_image.h"

/** struct sf - a file being made */
struct sf {
	uint64_t data[4096];
	size_t len;
	uint64_t seq;
};

/** sf_begin() - the head. */
void sf_begin(struct sf *f);

/** sf_end() - add @block, and free it. */
void sf_end(struct sf *f, struct vs_block *block, uint32_t flags);

/** sf_switch() - a private switch. */
void sf_switch(struct vs_block *block, uint64_t serial, const char *name);

/** sf_port() - a guest port of switch number @parent, whose name the record says is @sw. */
void sf_port(struct vs_block *block, uint64_t serial, uint64_t parent, const char *name,
	     const char *sw);

/** sf_sample() - some transactions; their ends in @ret_end. Return: how many. */
unsigned int sf_sample(struct sf *f, size_t ret_end[8]);

/** sf_load() - as vs_store_load(), of the first @len bytes in memory of exactly that size. */
int sf_load(const struct sf *f, size_t len, struct vs_image *image, struct vs_store_report *report);

/** sf_show() - "1 switch lan; 2 port p of 1, 3 addresses; "; the caller frees it. */
char *sf_show(const struct vs_image *image);

#endif
