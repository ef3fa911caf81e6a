# SPDX-License-Identifier: BSD-3-Clause
"""Programs that the benchmark starts. Each is ended by its number, none outlives the benchmark."""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
TICK = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something the benchmark needs does not do what it must; the text says what."""


@contextlib.contextmanager
def interrupts_wait():
    """Ctrl-C and SIGTERM have their effect after the body: a program that was begun is then on the
    list of those to stop."""
    heard = []
    former = {one: signal.signal(one, lambda *what: heard.append(what))
              for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in former.items():
            signal.signal(one, handler)
    for what in heard:
        signal.raise_signal(what[0])


def _prepare(cpu):
    """For a child about to become a program: it ends with its parent, and stays on one CPU."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


class Programs:
    """All programs that were started and have not been stopped."""

    def __init__(self):
        self.running = []

    def start(self, argv, log, cpu=None, pipes=False, own_net=False, env=None):
        """Start a program with its messages in the file log. With pipes, its standard input and
        output are ours; with own_net it is alone in a network of its own (root only)."""
        argv = [str(word) for word in argv]
        if shutil.which(argv[0]) is None:
            raise BenchError(f"{argv[0]} is not there")
        if own_net and os.geteuid() == 0:
            argv = ["unshare", "--net", "--", *argv]
        with open(log, "ab") as err, interrupts_wait():
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else err, stderr=err, start_new_session=True,
                env={**os.environ, **(env or {})}, preexec_fn=lambda: _prepare(cpu))
            self.running.append(process)
        return process

    def stop(self, process, timeout=10):
        """SIGTERM, and SIGKILL if that is not heard; returns the exit status."""
        if process is None:
            return None
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass
        if process in self.running:
            self.running.remove(process)
        return process.returncode

    def kill(self, process):
        """SIGKILL, as if it had crashed."""
        if process.poll() is None:
            process.kill()
            process.wait()
        self.stop(process)

    def stop_all(self):
        """End whatever is left, the youngest first."""
        for process in list(reversed(self.running)):
            self.stop(process, 5)


def command(argv, timeout=30, env=None, check=True):
    """Run a command to its end; returns what it printed."""
    argv = [str(word) for word in argv]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
    except FileNotFoundError as error:
        raise BenchError(f"{argv[0]} is not there") from error
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"'{' '.join(argv)}' took more than {timeout} s") from error
    if check and done.returncode:
        raise BenchError(f"'{' '.join(argv)}' ended with {done.returncode}: "
                         f"{(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def wait_until(condition, timeout, what, process=None, pause=0.02):
    """Poll until condition() is true; BenchError after timeout seconds or when process ended."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if process is not None and process.poll() is not None:
            raise BenchError(f"{what}: the program ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {timeout} s")
        time.sleep(pause)


def cpu_seconds(process):
    """Processor time a running process has used, 0 once it is gone."""
    try:
        with open(f"/proc/{process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def tail(path, lines=8):
    """The last lines of a log, for an error message."""
    try:
        with open(path, errors="replace") as log:
            return "\n".join(log.read().splitlines()[-lines:])
    except OSError:
        return ""
