/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading state files: whole ones, torn ones, damaged ones, and those of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/tlv.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const shown[] = {
	"",
	"1 switch lan; 2 port p of 1; ",
	"1 switch lan; 2 port p of 1, 2 addresses; ",
	"1 switch wan; 2 port p of 1, 1 addresses; 5 port q of 1, 1 addresses; 7 switch new; ",
	"1 switch wan; 5 port q of 1; 7 switch new; ",
};

static void assert_loads(const struct sf *f, size_t len, const char *wanted, size_t good)
{
	struct vs_store_report report;
	struct vs_image image;
	char *text;

	if (sf_load(f, len, &image, &report) != 0)
		fail_msg("%zu bytes: %s", len, report.text);
	text = sf_show(&image);
	assert_string_equal(text, wanted);
	assert_int_equal(report.good, good);
	free(text);
	vs_image_clear(&image);
}

static void assert_refused(const struct sf *f, size_t len, int err, size_t offset, const char *says)
{
	struct vs_store_report report;
	struct vs_image image;

	assert_int_equal(sf_load(f, len, &image, &report), err);
	assert_int_equal(image.n, 0);
	assert_int_equal(report.offset, offset);
	if (!strstr(report.text, says))
		fail_msg("'%s' does not say '%s'", report.text, says);
}

/* A file that ends anywhere is what the transactions that are whole say. */
static void test_every_length(void **state)
{
	static struct sf f;
	size_t end[8];
	unsigned int n = sf_sample(&f, end);
	unsigned int i = 0;
	size_t len;

	assert_int_equal(n, 5);
	for (len = end[0]; len <= f.len; len++) {
		if (i + 1 < n && len == end[i + 1])
			i++;
		assert_loads(&f, len, shown[i], end[i]);
	}
	assert_int_equal(i, 4);
	assert_refused(&f, 0, -EBADMSG, 0, "empty");
	for (len = 1; len < end[0]; len++)
		assert_refused(&f, len, -ENOTSUP, 0, "no state file");
}

/* Whichever bit is another one: it is seen. */
static void test_every_bit(void **state)
{
	static struct sf f;
	struct vs_store_report report;
	struct vs_image image;
	size_t end[8];
	size_t bit;

	(void)sf_sample(&f, end);
	for (bit = 0; bit < 8 * f.len; bit++) {
		uint8_t *byte = (uint8_t *)f.data + bit / 8;

		*byte ^= (uint8_t)(1 << (bit % 8));
		if (sf_load(&f, f.len, &image, &report) == 0)
			fail_msg("bit %zu is not missed", bit);
		*byte ^= (uint8_t)(1 << (bit % 8));
	}
	assert_loads(&f, f.len, shown[4], f.len);
}

static void test_report(void **state)
{
	static struct sf f;
	struct vs_store_report report;
	struct vs_image image;
	size_t end[8];

	(void)sf_sample(&f, end);
	assert_int_equal(sf_load(&f, f.len, &image, &report), 0);
	assert_int_equal(report.blocks, 4);
	assert_int_equal(report.seq, 4);
	assert_int_equal(report.time_ns, 4000000000);
	assert_int_equal(report.base, end[1]);
	vs_image_clear(&image);

	/* Damaged in the third of four: what is before it is known. */
	((uint8_t *)f.data)[end[2] + 100] ^= 1;
	assert_refused(&f, f.len, -EBADMSG, end[2], "one follows");
	(void)sf_load(&f, f.len, &image, &report);
	assert_int_equal(report.good, end[2]);
	assert_int_equal(report.blocks, 2);
}

/* The file system may have made the file longer before it wrote what is in it. */
static void test_zeros_at_the_end(void **state)
{
	static struct sf f;
	size_t end[8];
	size_t i;

	(void)sf_sample(&f, end);
	memset((char *)f.data + end[3], 0, 2000);
	assert_loads(&f, end[3] + 2000, shown[3], end[3]);
	/* A block of two sectors, of which one was not written. */
	(void)sf_sample(&f, end);
	for (i = 0; i < 200; i++) {
		struct vs_block block = {0};

		if (f.len % 512 > 300)
			break;
		sf_switch(&block, 20 + i, "x");
		sf_end(&f, &block, 0);
	}
	i = f.len;
	{
		struct vs_block block = {0};
		unsigned int k;

		for (k = 0; k < 100; k++)
			vs_block_static(&block, VS_STORE_ADD, 5, 0x0000030000000002 + (k << 24));
		sf_end(&f, &block, 0);
	}
	((uint8_t *)f.data)[i + 50] ^= 1;
	assert_refused(&f, f.len, -EBADMSG, i, "sum of a transaction is wrong");
	((uint8_t *)f.data)[i + 50] ^= 1;
	memset((char *)f.data + (i / 512 + 1) * 512, 0, 512);
	{
		struct vs_store_report report;
		struct vs_image image;

		assert_int_equal(sf_load(&f, f.len, &image, &report), 0);
		assert_int_equal(report.good, i);
		vs_image_clear(&image);
	}
}

/* A head of a block with a wrong sum, whose bytes are all that follows. */
static void add_head(struct sf *f, size_t end)
{
	struct vs_store_block *b = (struct vs_store_block *)((char *)f->data + f->len);

	f->len += sizeof(*b);
	*b = (struct vs_store_block){.magic = VS_STORE_BLOCK_MAGIC,
				     .seq = 99,
				     .len = (uint32_t)(end - f->len)};
	b->head_crc = vs_store_crc(0, b, offsetof(struct vs_store_block, head_crc));
}

/*
 * Heads whose blocks overlap, and a good block behind them. It is found behind a few; behind many
 * it is not looked for: the bytes to sum would be the square of the file's.
 */
static void test_many_heads(void **state)
{
	static const struct {
		unsigned int heads;
		const char *says;
	} cases[] = {{3, "one follows"}, {100, "too many beginnings"}};
	unsigned int i;
	unsigned int k;

	for (i = 0; i < 2; i++) {
		static struct sf f;
		struct vs_block block = {0};
		size_t end[8];

		(void)sf_sample(&f, end);
		for (k = 0; k < cases[i].heads; k++)
			add_head(&f, end[4] + cases[i].heads * sizeof(struct vs_store_block));
		sf_switch(&block, 20, "x");
		sf_end(&f, &block, 0);
		assert_refused(&f, f.len, -EBADMSG, end[4], cases[i].says);
	}
}

static void seal(struct sf *f)
{
	struct vs_store_head *head = (struct vs_store_head *)f->data;

	head->crc = vs_store_crc(0, head, offsetof(struct vs_store_head, crc));
}

static void test_of_others(void **state)
{
	static struct sf f;
	struct vs_store_head *head = (struct vs_store_head *)f.data;
	size_t end[8];

	(void)sf_sample(&f, end);
	head->version = 2;
	assert_refused(&f, f.len, -EPROTONOSUPPORT, 0, "newer vmswitchd (format 2");
	seal(&f);
	assert_refused(&f, f.len, -EPROTONOSUPPORT, 0, "this one reads format 1");
	(void)sf_sample(&f, end);
	head->needs = 4;
	seal(&f);
	assert_refused(&f, f.len, -EPROTONOSUPPORT, 0, "features 0x4");
	/* What it may pass over, it does. */
	(void)sf_sample(&f, end);
	head->knows = 4;
	seal(&f);
	assert_loads(&f, f.len, shown[4], f.len);
	(void)sf_sample(&f, end);
	head->order = __builtin_bswap32(head->order);
	seal(&f);
	assert_refused(&f, f.len, -ENOTSUP, 0, "byte order");
	(void)sf_sample(&f, end);
	head->magic[0] = 'V';
	seal(&f);
	assert_refused(&f, f.len, -ENOTSUP, 0, "no state file");
	(void)sf_sample(&f, end);
	head->version = 0;
	seal(&f);
	assert_refused(&f, f.len, -EBADMSG, 0, "head");
}

/* Sums that are right, around something that is not. */
static void test_contents(void **state)
{
	static struct sf f;
	struct vs_block block = {0};
	uint32_t buf[64];
	struct vs_msg msg;

	sf_begin(&f);
	vs_block_op(&block, (enum vs_store_op_type)9, 1);
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EPROTONOSUPPORT, 32 + 40, "operation (9)");

	sf_begin(&f);
	sf_switch(&block, 1, "s");
	sf_end(&f, &block, 2);
	assert_refused(&f, f.len, -EPROTONOSUPPORT, 32, "flags 0x2");

	sf_begin(&f);
	vs_block_static(&block, VS_STORE_ADD, 1, 1);
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EBADMSG, 32 + 40, "not there");

	sf_begin(&f);
	sf_switch(&block, 1, "s");
	vs_block_static(&block, VS_STORE_ADD, 1, 1);
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EBADMSG, 32 + 40 + 72, "not there");

	sf_begin(&f);
	sf_switch(&block, 1, "s");
	sf_end(&f, &block, 0);
	sf_port(&block, 1, 1, "p", "s");
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EBADMSG, 32 + 40 + 72 + 40, "one number");

	sf_begin(&f);
	sf_switch(&block, 1, "s");
	f.seq = 4;
	sf_end(&f, &block, 0);
	sf_switch(&block, 2, "t");
	f.seq = 6;
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EBADMSG, 32 + 40 + 72, "7 follows number 5");

	/* A record of another command, one with an attribute that there is not, and none. */
	sf_begin(&f);
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_DEL);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	vs_msg_put_str(&msg, VS_ATTR_NAME, "s");
	vs_block_put(&block, VS_CONFIG_SWITCH, 1, 0, msg.nlh);
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EBADMSG, 32 + 40, "SWITCH_DEL is no switch");
	sf_begin(&f);
	vs_msg_init(&msg, buf, sizeof(buf), VS_CMD_SWITCH_NEW);
	msg.nlh->nlmsg_flags = NLM_F_REQUEST;
	vs_msg_put_str(&msg, VS_ATTR_NAME, "s");
	vs_msg_put_u32(&msg, VS_ATTR_KIND, VS_KIND_PRIVATE);
	vs_msg_put_u32(&msg, (enum vs_attr)500, 1);
	vs_block_put(&block, VS_CONFIG_SWITCH, 1, 0, msg.nlh);
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EPROTONOSUPPORT, 32 + 40, "does not understand");
	sf_begin(&f);
	msg.nlh->nlmsg_len = 17;
	vs_block_put(&block, VS_CONFIG_SWITCH, 1, 0, msg.nlh);
	sf_end(&f, &block, 0);
	assert_refused(&f, f.len, -EBADMSG, 32 + 40, "no message");
}

/* An address that is there twice is there once. */
static void test_twice(void **state)
{
	static struct sf f;
	struct vs_store_report report;
	struct vs_block block = {0};
	struct vs_image image;

	sf_begin(&f);
	sf_switch(&block, 1, "s");
	sf_port(&block, 2, 1, "p", "s");
	vs_block_static(&block, VS_STORE_ADD, 2, 5);
	vs_block_static(&block, VS_STORE_ADD, 2, 4);
	vs_block_static(&block, VS_STORE_ADD, 2, 5);
	sf_end(&f, &block, 0);
	assert_int_equal(sf_load(&f, f.len, &image, &report), 0);
	assert_int_equal(image.obj[1]->statics.n, 2);
	vs_image_clear(&image);
}

/* What was reserved is taken without memory, or forgotten. */
static void test_reserve(void **state)
{
	static struct sf f;
	struct vs_store_report report;
	struct vs_block block = {0};
	struct vs_image image;
	size_t end[8];
	unsigned int i;
	char *text;

	(void)sf_sample(&f, end);
	assert_int_equal(sf_load(&f, end[2], &image, &report), 0);
	sf_switch(&block, 1, "wan");
	sf_switch(&block, 3, "new");
	vs_block_op(&block, VS_STORE_CLEAR, 2);
	for (i = 0; i < 1000; i++)
		vs_block_static(&block, VS_STORE_ADD, 2, i);
	sf_port(&block, 9, 3, "q", "new");
	vs_block_static(&block, VS_STORE_ADD, 9, 1);
	assert_int_equal(vs_block_end(&block, 0, 0, 0), 0);
	assert_int_equal(vs_image_reserve(&image, &block), 0);
	vs_image_unreserve(&image);
	text = sf_show(&image);
	assert_string_equal(text, shown[2]);
	free(text);
	assert_int_equal(vs_image_reserve(&image, &block), 0);
	vs_image_take(&image, &block);
	text = sf_show(&image);
	assert_string_equal(text, "1 switch wan; 2 port p of 1, 1000 addresses; 3 switch new; "
				  "9 port q of 3, 1 addresses; ");
	free(text);
	vs_block_free(&block);
	vs_image_clear(&image);
}

static void test_lists(void **state)
{
	struct vs_image_list list = {0};
	struct rte_ether_addr mac = {{2, 3, 4, 5, 6, 7}};
	struct rte_ether_addr back;
	uint16_t vlan;
	uint64_t i;

	vs_image_unpack(vs_image_pack(&mac, 4094), &back, &vlan);
	assert_memory_equal(&mac, &back, sizeof(mac));
	assert_int_equal(vlan, 4094);
	for (i = 0; i < 100; i++)
		assert_int_equal(vs_image_list_add(&list, i), 0);
	for (i = 10; i < 90; i++)
		assert_true(vs_image_list_remove(&list, i));
	for (i = 0; i < 101; i++)
		assert_int_equal(vs_image_list_has(&list, i), i < 10 || (i >= 90 && i < 100));
	assert_false(vs_image_list_remove(&list, 50));
	for (i = 100; i > 0; i--)
		(void)vs_image_list_remove(&list, i - 1);
	assert_int_equal(list.n, 0);
	assert_false(vs_image_list_has(&list, 1));
	vs_image_list_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_length), cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_report),       cmocka_unit_test(test_zeros_at_the_end),
		cmocka_unit_test(test_of_others),    cmocka_unit_test(test_contents),
		cmocka_unit_test(test_twice),        cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_lists),        cmocka_unit_test(test_many_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
