/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/store_fixture.h"

#include "control/tlv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sf_begin(struct sf *f)
{
	const struct vs_store_head head = vs_store_head_make();

	memset(f, 0, sizeof(*f));
	memcpy(f->data, &head, sizeof(head));
	f->len = sizeof(head);
}

void sf_end(struct sf *f, struct vs_block *block, uint32_t flags)
{
	f->seq++;
	assert_int_equal(vs_block_end(block, flags, f->seq, f->seq * 1000000000), 0);
	assert_true(f->len + block->len <= sizeof(f->data));
	memcpy((char *)f->data + f->len, block->data, block->len);
	f->len += block->len;
	vs_block_free(block);
}

void sf_switch(struct vs_block *block, uint64_t serial, const char *name)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	vs_msg_put_str(&msg, VS_ATTR_NAME, name);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	vs_block_put(block, VS_CONFIG_SWITCH, serial, 0, msg.nlh);
}

void sf_port(struct vs_block *block, uint64_t serial, uint64_t parent, const char *name,
	     const char *sw)
{
	uint32_t buf[64];
	struct vs_msg msg;

	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_PORT_NEW);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	vs_msg_put_str(&msg, VS_ATTR_NAME, name);
	vs_msg_put_str(&msg, VS_ATTR_SWITCH, sw);
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_GUEST);
	vs_msg_put_str(&msg, VS_ATTR_SOCKET, "/run/p.sock");
	vs_block_put(block, VS_CONFIG_PORT, serial, parent, msg.nlh);
}

unsigned int sf_sample(struct sf *f, size_t ret_end[8])
{
	struct vs_block block = {0};
	unsigned int n = 0;

	sf_begin(f);
	ret_end[n++] = f->len;
	sf_switch(&block, 1, "lan");
	sf_port(&block, 2, 1, "p", "lan");
	sf_end(f, &block, VS_STORE_WHOLE);
	ret_end[n++] = f->len;
	vs_block_static(&block, VS_STORE_ADD, 2, 0x0000010000000002);
	vs_block_static(&block, VS_STORE_ADD, 2, 0x0001010000000002);
	sf_end(f, &block, 0);
	ret_end[n++] = f->len;
	sf_switch(&block, 1, "wan");
	sf_switch(&block, 7, "new");
	sf_port(&block, 5, 1, "q", "wan");
	vs_block_static(&block, VS_STORE_ADD, 5, 0x0000020000000002);
	vs_block_static(&block, VS_STORE_REMOVE, 2, 0x0001010000000002);
	sf_end(f, &block, 0);
	ret_end[n++] = f->len;
	vs_block_op(&block, VS_STORE_CLEAR, 5);
	vs_block_op(&block, VS_STORE_DEL, 2);
	sf_end(f, &block, 0);
	ret_end[n++] = f->len;
	return n;
}

int sf_load(const struct sf *f, size_t len, struct vs_image *image, struct vs_store_report *report)
{
	void *exact = malloc(len + !len);
	int err;

	assert_non_null(exact);
	memcpy(exact, f->data, len);
	memset(image, 0, sizeof(*image));
	err = vs_store_load(exact, len, image, report);
	free(exact);
	return err;
}

char *sf_show(const struct vs_image *image)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	uint32_t i;

	assert_non_null(out);
	for (i = 0; i < image->n; i++) {
		const struct vs_image_obj *obj = image->obj[i];

		fprintf(out, "%" PRIu64 " %s %s", obj->serial,
			obj->object == VS_CONFIG_SWITCH ? "switch" : "port", obj->name);
		if (obj->parent)
			fprintf(out, " of %" PRIu64, obj->parent);
		if (obj->statics.n)
			fprintf(out, ", %u addresses", obj->statics.n);
		fputs("; ", out);
	}
	fclose(out);
	return text;
}
