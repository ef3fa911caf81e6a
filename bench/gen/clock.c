/* SPDX-License-Identifier: BSD-3-Clause */
/* Time and CPUs. */
#include "bench/gen/gen.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/** Set by a signal: leave as soon as possible. */
volatile int gen_stop;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/**
 * gen_clock_calibrate() - measure the TSC against the system's clock for 50 ms
 *
 * Return: cycles per second.
 */
double gen_clock_calibrate(void)
{
	uint64_t t0, t1, n0, n1;

	n0 = now_ns();
	t0 = gen_tsc();
	do {
		n1 = now_ns();
		t1 = gen_tsc();
	} while (n1 - n0 < 50000000);
	return (double)(t1 - t0) * 1e9 / (double)(n1 - n0);
}

/**
 * gen_clock_pin() - bind the calling thread to a CPU
 * @cpu: its number, negative for none
 *
 * Return: 0 or -errno.
 */
int gen_clock_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/**
 * gen_clock_spawn() - start a thread on a CPU of its own, whatever the caller runs as
 * @ret_thread: thread
 * @cpu: its CPU, negative for any
 * @priority: of SCHED_FIFO, 0 for an ordinary thread
 * @work: what it does
 * @arg: for @work
 *
 * CPU and priority hold from the thread's first instruction on: a thread that had to get them by
 * itself would never come to that while a busy one of real-time priority has its first CPU.
 *
 * Return: 0 or -errno, -EPERM if the priority is not for us.
 */
int gen_clock_spawn(pthread_t *ret_thread, int cpu, int priority, void *(*work)(void *), void *arg)
{
	struct sched_param param = {.sched_priority = priority};
	pthread_attr_t attr;
	cpu_set_t set;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET((unsigned int)cpu, &set);
		err = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	if (!err)
		err = pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	if (!err)
		err = pthread_attr_setschedpolicy(&attr, priority ? SCHED_FIFO : SCHED_OTHER);
	if (!err)
		err = pthread_attr_setschedparam(&attr, &param);
	if (!err)
		err = pthread_create(ret_thread, &attr, work, arg);
	pthread_attr_destroy(&attr);
	return -err;
}

/**
 * gen_clock_steal() - what the host has taken from this machine since it started
 *
 * Return: ticks of all CPUs together, 0 if the system does not say.
 */
uint64_t gen_clock_steal(void)
{
	unsigned long long v[8];
	static int fd = -1;
	char buf[256];
	ssize_t n;

	if (fd < 0)
		fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	if (sscanf(buf, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
		   &v[4], &v[5], &v[6], &v[7]) != 8)
		return 0;
	return v[7];
}

/**
 * gen_clock_steal_share() - ticks as a share of the machine's time
 * @ticks: ticks of all CPUs together
 * @seconds: time they came in
 *
 * Return: 0 ... 1.
 */
double gen_clock_steal_share(uint64_t ticks, double seconds)
{
	double all = seconds * (double)sysconf(_SC_CLK_TCK) * (double)sysconf(_SC_NPROCESSORS_ONLN);

	return all > 0 ? (double)ticks / all : 0;
}
