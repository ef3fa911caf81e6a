/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of system calls: what is refused, how it is said, and that threads may still be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/seccomp.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	TEXT = 4096,
};

/* Run @child behind the filter, in a process of its own. Return: its exit status; its stderr. */
static int behind(int (*child)(void), enum vs_seccomp_mount mount, char text[TEXT])
{
	size_t used = 0;
	int status = -1;
	int said[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(said), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(said[1], STDERR_FILENO);
		_exit(vs_seccomp_install(mount) ? 99 : child());
	}
	(void)close(said[1]);
	while ((n = read(said[0], text + used, TEXT - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	(void)close(said[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int refused(long result)
{
	return result == -1 && errno == EPERM;
}

/* Each test is one number: which step failed. */
static int make_forbidden_calls(void)
{
	if (!refused(syscall(SYS_chroot, "/")))
		return 1;
	if (!refused(syscall(SYS_chroot, "/")))
		return 2;
	if (!refused(syscall(SYS_setns, -1, 0)))
		return 3;
	if (!refused(syscall(SYS_execve, "/bin/true", NULL, NULL)))
		return 4;
	if (!refused(socket(AF_BLUETOOTH, SOCK_RAW, 0)))
		return 5;
	/* A process, that is clone() without CLONE_THREAD. */
	if (!refused(fork()))
		return 6;
	return 0;
}

static unsigned int lines_with(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static void test_refused_and_told_once(void **state)
{
	char chroot_line[64];
	char text[TEXT];

	(void)state;
	assert_int_equal(behind(make_forbidden_calls, VS_SECCOMP_NO_MOUNT, text), 0);
	(void)snprintf(chroot_line, sizeof(chroot_line), "system call %d is", (int)SYS_chroot);
	assert_int_equal(lines_with(text, chroot_line), 1);
	assert_int_equal(lines_with(text, "is not on the list and was refused\n"), 5);
}

static void *thread_main(void *arg)
{
	*(int *)arg = refused(syscall(SYS_chroot, "/"));
	return NULL;
}

static int make_thread(void)
{
	pthread_t thread;
	int good = 0;

	if (pthread_create(&thread, NULL, thread_main, &good) != 0)
		return 1;
	if (pthread_join(thread, NULL) != 0)
		return 2;
	return good ? 0 : 3;
}

static void test_threads(void **state)
{
	char text[TEXT];

	(void)state;
	assert_int_equal(behind(make_thread, VS_SECCOMP_NO_MOUNT, text), 0);
}

/* Not for want of a privilege, but because such a folder is not there. */
static int mount_nowhere(void)
{
	int result = mount("none", "/there/is/no/such/folder", "tmpfs", 0, NULL);

	return result == -1 ? errno : 0;
}

static void test_mount(void **state)
{
	char text[TEXT];

	(void)state;
	assert_int_equal(behind(mount_nowhere, VS_SECCOMP_NO_MOUNT, text), EPERM);
	assert_string_equal(text, "");
	if (geteuid() == 0)
		assert_int_equal(behind(mount_nowhere, VS_SECCOMP_MOUNT, text), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_and_told_once),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_mount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
