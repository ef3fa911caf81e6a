/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as records: what they hold, their order, and what is no part of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/config.h"
#include "control/tlv.h"
#include "tests/unit/fake_kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a record as text: "SWITCH_NEW name=lan type=1" ---- */

static void print_value(FILE *out, unsigned int attr, const struct nlattr *a)
{
	const uint8_t *b = (const uint8_t *)a + NLA_HDRLEN;
	struct vs_range range;
	unsigned int i;

	switch (vs_attr_spec(attr)->type) {
	case VS_TLV_U32:
		fprintf(out, "%u", vs_tlv_u32(a));
		break;
	case VS_TLV_MAC:
	case VS_TLV_GMAC:
		fprintf(out, "%02x%02x%02x", b[3], b[4], b[5]);
		break;
	case VS_TLV_RANGES:
		for (i = 0; vs_tlv_range(a, i, &range); i++)
			fprintf(out, "%s%u-%u", i ? "," : "", range.first, range.last);
		break;
	case VS_TLV_FLAG:
		fputs("!", out);
		break;
	default:
		fputs(vs_tlv_str(a), out);
	}
}

static void print_record(FILE *out, const struct nlmsghdr *nlh)
{
	const struct nlattr *tb[VS_ATTR_COUNT_];
	unsigned int i;

	assert_int_equal(nlh->nlmsg_flags, NLM_F_REQUEST);
	assert_int_equal(vs_answer_parse(nlh, tb), 0);
	fputs(vs_policy_find(vs_msg_cmd(nlh))->name, out);
	for (i = 0; i < VS_ATTR_COUNT_; i++) {
		if (!tb[i])
			continue;
		fprintf(out, " %u=", i);
		print_value(out, i, tb[i]);
	}
}

static void assert_record(struct mf *f, enum vs_config_object object, const char *name,
			  const char *wanted)
{
	struct vs_config_key key = {.object = object};
	struct nlmsghdr *nlh = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	snprintf(key.name, sizeof(key.name), "%s", name);
	assert_int_equal(vs_config_record(f->m, &key, &nlh), 0);
	if (nlh)
		print_record(out, nlh);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
	free(nlh);
}

/* ---- what they hold ---- */

static void test_switches(void **state)
{
	const struct vs_switch_change change = {.set = VS_SWITCH_SET_UNKNOWN |
						       VS_SWITCH_SET_FDB_SIZE |
						       VS_SWITCH_SET_FDB_AGEING |
						       VS_SWITCH_SET_VMQ | VS_SWITCH_SET_VMQ_QUEUES,
						.unknown = VS_UNKNOWN_DROP,
						.fdb_size = 1000,
						.vmq = VS_VMQ_SOFT,
						.vmq_queues = 7,
						.fdb_ageing_s = 0};
	struct mf *f = *state;

	fk_switch(f, "lan", VS_SWITCH_PRIVATE, NULL);
	fk_switch(f, "net", VS_SWITCH_EXTERNAL, "xdp:eth7");
	assert_record(f, VS_CONFIG_SWITCH, "lan", "SWITCH_NEW 1=lan 3=1 8=0 12=8192 13=300");
	assert_record(f, VS_CONFIG_SWITCH, "net",
		      "SWITCH_NEW 1=net 3=3 8=0 12=8192 13=300 14=! 76=xdp:eth7 77=1 190=0 191=0");
	assert_int_equal(vs_switch_set(f->m, "net", &change, &f->fail), 0);
	assert_record(f, VS_CONFIG_SWITCH, "net",
		      "SWITCH_NEW 1=net 3=3 8=0 12=1000 13=0 14=! 76=xdp:eth7 77=1 78=3 "
		      "190=2 191=7");
	assert_record(f, VS_CONFIG_SWITCH, "none", "");
}

static void test_ports(void **state)
{
	const struct vs_port_change change = {
		.set = VS_PORT_SET_MAC | VS_PORT_SET_MTU | VS_PORT_SET_LINK | VS_PORT_SET_STORM |
		       VS_PORT_SET_MAX_MACS | VS_PORT_SET_VM | VS_PORT_SET_VLANS |
		       VS_PORT_SET_PRIORITY | VS_PORT_SET_CLUSTER | VS_PORT_SET_OFFLOAD |
		       VS_PORT_SET_MODERATION | VS_PORT_SET_VMQ_WEIGHT,
		.mac = mf_mac(7),
		.mtu = 1400,
		.link = VS_LINK_DOWN,
		.storm_pps = 5,
		.max_macs = 6,
		.vm = "v",
		.vlans = fk_trunk(10, 12, 5),
		.priority = true,
		.cluster = mf_mac(9),
		.offload_off = VS_PART_CSUM | VS_PART_TSO6,
		.moderation = VS_GUEST_MOD_HIGH,
		.vmq_weight = 3,
	};
	struct mf *f = *state;

	fk_switch(f, "lan", VS_SWITCH_EXTERNAL, "xdp:eth7");
	fk_guest(f, "g", "lan", NULL);
	fk_port(f, "h", "lan", VS_PORT_HOST);
	fk_port(f, "t", "lan", VS_PORT_PACKET);
	assert_record(f, VS_CONFIG_PORT, "g",
		      "PORT_NEW 1=g 2=lan 3=17 4=g 5=1 6=000000 7=g 8=0 9=1 10=10000 11=1024 "
		      "84=1 86=0 87=000000 171=0 185=1 192=100 206=auto");
	assert_record(f, VS_CONFIG_PORT, "h",
		      "PORT_NEW 1=h 2=lan 3=18 6=000000 7=h 8=9216 9=1 10=10000 11=1024 80=h 81= "
		      "82=1 84=1 86=0 87=000000 171=0 206=auto");
	assert_record(f, VS_CONFIG_PORT, "t",
		      "PORT_NEW 1=t 2=lan 3=17 6=000000 7=t 8=1400 9=1 10=10000 11=1024 80=t 84=1 "
		      "86=0 87=000000 171=0 192=100 206=auto");
	assert_record(f, VS_CONFIG_PORT, "lan.uplink",
		      "PORT_SET 1=lan.uplink 7=lan.uplink 9=1 10=10000 11=1024 84=3 85=1-4094 86=0 "
		      "87=000000 171=0 206=auto");
	mf_set(f, "g", change);
	assert_record(f, VS_CONFIG_PORT, "g",
		      "PORT_NEW 1=g 2=lan 3=17 4=g 5=1 6=000007 7=v 8=1400 9=0 10=5 11=6 41=5 84=3 "
		      "85=10-12 86=1 87=000009 171=5 185=4 192=3 206=auto");
}

static void test_statics(void **state)
{
	struct vs_config_key key = {.object = VS_CONFIG_FDB,
				    .name = "s",
				    .mac = mf_mac(1),
				    .vlan = 10};
	struct vs_config_place place;
	struct mf *f = *state;
	struct nlmsghdr *nlh;
	char *text = NULL;
	size_t size;
	FILE *out;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", fk_access(10));
	assert_int_equal(fk_static(f, "s", "a", 1, 10), 0);
	assert_int_equal(vs_config_record(f->m, &key, &nlh), 0);
	out = open_memstream(&text, &size);
	print_record(out, nlh);
	fclose(out);
	free(nlh);
	assert_string_equal(text, "FDB_NEW 2=s 6=000001 15=a 41=10");
	free(text);
	assert_true(vs_config_find(f->m, &key, &place));
	assert_int_equal(place.parent, model_find_port(f->m, "a")->serial);

	/* Neither the port's own address nor one that was learnt is a record. */
	fk_guest(f, "b", "s", fk_access(10));
	mf_sees(f, 1, model_find_switch(f->m, "s")->fid_of_vid[10], 2, 1);
	mf_turn(f);
	assert_non_null(mf_entry_on(f, "s", 10, 2));
	key.mac = mf_mac(2);
	assert_int_equal(vs_config_record(f->m, &key, &nlh), 0);
	assert_null(nlh);
	mf_set(f, "b", (struct vs_port_change){.set = VS_PORT_SET_MAC, .mac = mf_mac(3)});
	key.mac = mf_mac(3);
	assert_int_equal(vs_config_record(f->m, &key, &nlh), 0);
	assert_null(nlh);
	assert_false(vs_config_find(f->m, &key, &place));
}

/* ---- order ---- */

static int list(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx)
{
	fprintf(ctx, "%d:%s ", (int)key->object, key->name);
	return 0;
}

static void assert_order(struct mf *f, const char *wanted)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(vs_config_each(f->m, list, out), 0);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static uint64_t serial_of(struct mf *f, const char *port)
{
	return model_find_port(f->m, port)->serial;
}

static void test_order(void **state)
{
	struct vs_config_key key = {.object = VS_CONFIG_PORT, .name = "b"};
	struct mf *f = *state;

	fk_switch(f, "s2", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "b", "s2", NULL);
	fk_switch(f, "s1", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s1", NULL);
	assert_int_equal(fk_static(f, "s1", "a", 1, 0), 0);
	assert_int_equal(fk_static(f, "s2", "b", 2, 0), 0);
	assert_order(f, "1:s2 1:s1 2:b 2:a 3:s2 3:s1 ");
	/* On a switch that is younger than the port. */
	assert_int_equal(fk_move(f, "b", "s1"), 0);
	assert_order(f, "1:s2 1:s1 2:b 2:a 3:s1 3:s1 ");
	assert_int_equal(vs_config_set_serial(f->m, &key, serial_of(f, "a") + 1), 0);
	assert_order(f, "1:s2 1:s1 2:a 2:b 3:s1 3:s1 ");
	/* What comes now comes behind it. */
	fk_guest(f, "c", "s1", NULL);
	assert_order(f, "1:s2 1:s1 2:a 2:b 2:c 3:s1 3:s1 ");
	assert_true(serial_of(f, "c") > serial_of(f, "b"));
	snprintf(key.name, sizeof(key.name), "nobody");
	assert_int_equal(vs_config_set_serial(f->m, &key, 77), -ENOENT);
}

static int stop(const struct vs_config_key *key, const struct nlmsghdr *record, void *ctx)
{
	unsigned int *left = ctx;

	return --*left == 0 ? -EXDEV : 0;
}

static void test_each_stops(void **state)
{
	struct mf *f = *state;
	unsigned int left;
	unsigned int n;

	fk_switch(f, "s", VS_SWITCH_INTERNAL, NULL);
	fk_guest(f, "a", "s", NULL);
	assert_int_equal(fk_static(f, "s", "a", 1, 0), 0);
	for (n = 1; n <= 3; n++) {
		left = n;
		assert_int_equal(vs_config_each(f->m, stop, &left), -EXDEV);
		assert_int_equal(left, 0);
	}
	left = 4;
	assert_int_equal(vs_config_each(f->m, stop, &left), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FK_TEST(test_switches), FK_TEST(test_ports),      FK_TEST(test_statics),
		FK_TEST(test_order),    FK_TEST(test_each_stops),
	};

	return cmocka_run_group_tests(tests, mf_group, NULL);
}
