/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that keeps rewriting one word of guest memory while the back end works on it: the
 * hostile guest that changes a descriptor between the back end's check and its use.
 */
#include "bench/guest/guest.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define RACE_VALUES 16

struct vsg_race {
	pthread_t thread;
	void *addr;
	uint32_t width;
	uint32_t n;
	uint32_t stop;
	uint64_t writes;
	uint64_t value[RACE_VALUES];
};

static void store(void *addr, uint32_t width, uint64_t value)
{
	if (width == 8)
		__atomic_store_n((uint64_t *)addr, value, __ATOMIC_RELAXED);
	else if (width == 4)
		__atomic_store_n((uint32_t *)addr, (uint32_t)value, __ATOMIC_RELAXED);
	else if (width == 2)
		__atomic_store_n((uint16_t *)addr, (uint16_t)value, __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint8_t *)addr, (uint8_t)value, __ATOMIC_RELAXED);
}

static void *run(void *arg)
{
	struct vsg_race *race = arg;
	uint32_t i = 0;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		store(race->addr, race->width, race->value[i]);
		i = i + 1 < race->n ? i + 1 : 0;
		__atomic_store_n(&race->writes, race->writes + 1, __ATOMIC_RELAXED);
	}
	/* The first value stays. */
	store(race->addr, race->width, race->value[0]);
	return NULL;
}

/**
 * vsg_race_start() - begin to write values in turn, as fast as one core can
 * @addr: place in guest memory, aligned to @width; it outlives the race
 * @width: 1, 2, 4 or 8 bytes
 * @value: values; the first one is there in the end
 * @n: their number, 1 to 16
 * @ret_race: handle for vsg_race_stop()
 *
 * Returns when the first value was written: on a busy machine the thread may come late.
 *
 * Return: 0 or -errno.
 */
int vsg_race_start(void *addr, uint32_t width, const uint64_t *value, uint32_t n,
		   struct vsg_race **ret_race)
{
	struct vsg_race *race;
	int err;

	if ((width != 1 && width != 2 && width != 4 && width != 8) || n == 0 || n > RACE_VALUES)
		return -EINVAL;
	race = calloc(1, sizeof(*race));
	if (!race)
		return -ENOMEM;
	race->addr = addr;
	race->width = width;
	race->n = n;
	memcpy(race->value, value, n * sizeof(*value));
	err = pthread_create(&race->thread, NULL, run, race);
	if (err) {
		free(race);
		return -err;
	}
	while (!__atomic_load_n(&race->writes, __ATOMIC_RELAXED))
		sched_yield();
	*ret_race = race;
	return 0;
}

/**
 * vsg_race_stop() - end a race and free it
 * @race: handle
 *
 * Return: number of writes.
 */
uint64_t vsg_race_stop(struct vsg_race *race)
{
	uint64_t writes;

	__atomic_store_n(&race->stop, 1, __ATOMIC_RELAXED);
	pthread_join(race->thread, NULL);
	writes = race->writes;
	free(race);
	return writes;
}
