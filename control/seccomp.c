/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DOC: theory of operation
 *
 * A call that is not on the list raises SIGSYS in the thread that made it. The handler writes one
 * line for each number and makes the call return -EPERM: the daemon goes on, with whatever was
 * asked for refused, and the log says which call is missing from the list. A filter that returns
 * EPERM by itself would say nothing, one that kills would end all traffic because of a call that a
 * new C library makes.
 *
 * Two kinds of calls are refused silently: those for which libraries have another way (clone3,
 * whose flags a filter cannot see, becomes clone), and those that the daemon tries although it has
 * no privilege for them.
 *
 * Most rules look at the number only. The kernel then answers from a bitmap and runs no filter, so
 * that the calls of the packet path (read, write, sendto, io_submit ...) cost what they did before.
 */
#include "control/seccomp.h"

#include "dataplane/core/log.h"

#include <linux/filter.h>
#include <seccomp.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	NUMBERS = 1024,
	LINE_MAX_BYTES = 160,
};

/*
 * doc/security.md has the reason for each group; tests/lint/test_calls.py holds the two together.
 */
static const char *const memory[] = {"brk",           "madvise",       "mbind",       "membarrier",
				     "mlock",         "mmap",          "mprotect",    "mremap",
				     "munmap",        "munlock",       "msync",       "mincore",
				     "get_mempolicy", "set_mempolicy", "memfd_create"};
static const char *const threads[] = {"exit",
				      "exit_group",
				      "futex",
				      "get_robust_list",
				      "getcpu",
				      "gettid",
				      "rseq",
				      "sched_getaffinity",
				      "sched_getparam",
				      "sched_getscheduler",
				      "sched_setaffinity",
				      "sched_yield",
				      "set_robust_list",
				      "set_tid_address"};
static const char *const signals[] = {"pause",         "restart_syscall", "rt_sigaction",
				      "rt_sigpending", "rt_sigprocmask",  "rt_sigreturn",
				      "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
				      "sigaltstack",   "signalfd4",       "tgkill"};
static const char *const clocks[] = {"clock_getres",    "clock_gettime",   "clock_nanosleep",
				     "gettimeofday",    "nanosleep",       "timer_create",
				     "timer_delete",    "timer_settime",   "timerfd_create",
				     "timerfd_gettime", "timerfd_settime", "times"};
static const char *const waiting[] = {"epoll_create",  "epoll_create1",
				      "epoll_ctl",     "epoll_pwait",
				      "epoll_pwait2",  "epoll_wait",
				      "eventfd2",      "poll",
				      "ppoll",         "pselect6",
				      "select",        "pipe",
				      "pipe2",         "inotify_add_watch",
				      "inotify_init1", "inotify_rm_watch"};
static const char *const descriptors[] = {"close",   "close_range", "dup",        "dup2",
					  "dup3",    "fcntl",       "flock",      "fstat",
					  "fstatfs", "lseek",       "newfstatat", "pread64",
					  "preadv",  "pwrite64",    "pwritev",    "read",
					  "readv",   "statx",       "write",      "writev"};
static const char *const files[] = {"access",    "chdir",           "faccessat",  "faccessat2",
				    "fchmod",    "fchmodat",        "fchown",     "fchownat",
				    "fallocate", "fdatasync",       "fsync",      "ftruncate",
				    "getcwd",    "getdents64",      "link",       "linkat",
				    "lstat",     "mkdir",           "mkdirat",    "open",
				    "openat",    "readlink",        "readlinkat", "rename",
				    "renameat",  "renameat2",       "rmdir",      "stat",
				    "statfs",    "sync_file_range", "umask",      "unlink",
				    "unlinkat",  "utimensat"};
static const char *const sockets[] = {"accept",      "accept4",     "bind",       "connect",
				      "getpeername", "getsockname", "getsockopt", "listen",
				      "recvfrom",    "recvmmsg",    "recvmsg",    "sendmmsg",
				      "sendmsg",     "sendto",      "setsockopt", "shutdown",
				      "socketpair"};
static const char *const completions[] = {"io_cancel",     "io_destroy", "io_getevents",
					  "io_pgetevents", "io_setup",   "io_submit"};
static const char *const ourselves[] = {"arch_prctl", "capget",    "capset",      "getegid",
					"geteuid",    "getgid",    "getgroups",   "getpgrp",
					"getpid",     "getppid",   "getpriority", "getrandom",
					"getresgid",  "getresuid", "getrlimit",   "getrusage",
					"getuid",     "prctl",     "prlimit64",   "sysinfo",
					"uname"};
static const char *const devices[] = {"bpf", "ioctl"};
static const char *const mounts[] = {"mount", "umount2"};
static const char *const unprivileged[] = {"iopl", "ioperm"};

struct group {
	const char *const *name;
	size_t n;
};

#define GROUP(list)                                    \
	{                                              \
		list, sizeof(list) / sizeof((list)[0]) \
	}

static const struct group allowed[] = {
	GROUP(memory),      GROUP(threads),     GROUP(signals), GROUP(clocks),
	GROUP(waiting),     GROUP(descriptors), GROUP(files),   GROUP(sockets),
	GROUP(completions), GROUP(ourselves),   GROUP(devices),
};

/* Address families of socket(): guests and control; interfaces; addresses, metrics; frames. */
static const int families[] = {AF_UNIX, AF_NETLINK, AF_INET, AF_INET6, AF_PACKET, AF_XDP};

static uint8_t told[NUMBERS];

/* Make the call return -EPERM. Return: false where we do not know how. */
static bool refuse(ucontext_t *uc)
{
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
	return true;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (uint64_t)-EPERM;
	return true;
#else
	(void)uc;
	return false;
#endif
}

/* Only what is safe in a signal handler: no printf, no allocation. */
static void tell(unsigned int number)
{
	static const char before[] = "vmswitchd: warning: system call ";
	static const char after[] = " is not on the list and was refused\n";
	char line[LINE_MAX_BYTES];
	char digits[16];
	size_t used = sizeof(before) - 1;
	size_t n = 0;

	memcpy(line, before, used);
	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (n)
		line[used++] = digits[--n];
	memcpy(line + used, after, sizeof(after) - 1);
	used += sizeof(after) - 1;
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	unsigned int number = (unsigned int)info->si_syscall;
	int saved = errno;

	(void)sig;
	if (!refuse(context)) {
		(void)signal(SIGSYS, SIG_DFL);
		(void)raise(SIGSYS);
	}
	if (number < NUMBERS && !__atomic_exchange_n(&told[number], 1, __ATOMIC_RELAXED))
		tell(number);
	errno = saved;
}

static int install_handler(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};

	(void)sigemptyset(&sa.sa_mask);
	return sigaction(SIGSYS, &sa, NULL) == 0 ? 0 : -errno;
}

/* A rule for each name that this machine's kernel interface has. Return: 0, or -errno. */
static int add_group(scmp_filter_ctx ctx, const struct group *group, uint32_t action)
{
	size_t i;

	for (i = 0; i < group->n; i++) {
		int number = seccomp_syscall_resolve_name(group->name[i]);
		int err;

		if (number < 0)
			continue;
		err = seccomp_rule_add(ctx, action, number, 0);
		if (err)
			return err;
	}
	return 0;
}

/* New threads, but no processes and no namespaces. */
static int add_threads(scmp_filter_ctx ctx)
{
	const uint64_t thread = CLONE_VM | CLONE_THREAD;
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0_64(SCMP_CMP_MASKED_EQ, thread, thread));

	/* Its flags are in memory, where a filter cannot look: the C library then takes clone. */
	return err ? err : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int add_families(scmp_filter_ctx ctx)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < sizeof(families) / sizeof(families[0]); i++) {
		const struct scmp_arg_cmp is_family = {
			.arg = 0,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = UINT32_MAX, /* the kernel looks at these bits */
			.datum_b = (uint32_t)families[i],
		};

		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, is_family);
	}
	return err;
}

static int add_rules(scmp_filter_ctx ctx, enum vs_seccomp_mount mount)
{
	const struct group mounting = GROUP(mounts);
	const struct group silent = GROUP(unprivileged);
	size_t i;
	int err;

	err = add_threads(ctx);
	if (!err)
		err = add_families(ctx);
	if (!err)
		err = add_group(ctx, &silent, SCMP_ACT_ERRNO(EPERM));
	if (!err)
		err = add_group(ctx, &mounting,
				mount == VS_SECCOMP_MOUNT ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	for (i = 0; !err && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		err = add_group(ctx, &allowed[i], SCMP_ACT_ALLOW);
	return err;
}

/*
 * The daemon runs no code of guests, so the filter need not turn speculative store bypass off, as
 * kernels before 5.16 do for whoever has one: it would slow the packet path down.
 */
static int set_attributes(scmp_filter_ctx ctx)
{
	int err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);

	if (err == -EOPNOTSUPP)
		err = 0;
	return err ? err : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

int vs_seccomp_install(enum vs_seccomp_mount mount)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int err = ctx ? 0 : -ENOMEM;

	if (!err)
		err = set_attributes(ctx);
	if (!err)
		err = add_rules(ctx, mount);
	if (!err)
		err = install_handler();
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	if (err)
		vs_log(VS_LOG_ERROR, "cannot install the list of system calls: %s", strerror(-err));
	return err;
}
