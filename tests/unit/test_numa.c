/* SPDX-License-Identifier: BSD-3-Clause */
/* NUMA nodes, read from a copy of sysfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/numa.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char sys[64];

/* A folder in the copy with all those above it, or a file if there is @text. */
static void put(const char *name, const char *text)
{
	char path[256];
	char *slash;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", sys, name);
	for (slash = strchr(path + strlen(sys) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	if (!text) {
		(void)mkdir(path, 0700);
		return;
	}
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)snprintf(sys, sizeof(sys), "/tmp/test_numa.XXXXXX");
	return mkdtemp(sys) ? 0 : -1;
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	return nftw(sys, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_cpu(void **state)
{
	put("devices/system/cpu/cpu3/topology", NULL);
	assert_int_equal(vs_numa_of_cpu(sys, 3), VS_NUMA_NONE);
	put("devices/system/cpu/cpu3/node1", NULL);
	put("devices/system/cpu/cpu12/node0", NULL);
	assert_int_equal(vs_numa_of_cpu(sys, 3), 1);
	assert_int_equal(vs_numa_of_cpu(sys, 12), 0);
	assert_int_equal(vs_numa_of_cpu(sys, 4), VS_NUMA_NONE);
	assert_int_equal(vs_numa_of_cpu(sys, -1), VS_NUMA_NONE);
}

static void test_interface(void **state)
{
	put("class/net/eth0/device/numa_node", "2\n");
	put("class/net/eth1/device/numa_node", "-1\n");
	put("class/net/eth2/device/numa_node", "what?\n");
	put("class/net/veth0", NULL);
	assert_int_equal(vs_numa_of_interface(sys, "eth0"), 2);
	assert_int_equal(vs_numa_of_interface(sys, "eth1"), VS_NUMA_NONE);
	assert_int_equal(vs_numa_of_interface(sys, "eth2"), VS_NUMA_NONE);
	assert_int_equal(vs_numa_of_interface(sys, "veth0"), VS_NUMA_NONE);
	assert_int_equal(vs_numa_of_interface(sys, "nobody"), VS_NUMA_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_interface),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
