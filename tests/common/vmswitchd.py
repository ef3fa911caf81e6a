# SPDX-License-Identifier: BSD-3-Clause
"""Runs vmswitchd for tests, and talks to it with the command vmswitch."""

import json
import os
import pathlib
import pwd
import shlex
import signal
import stat
import subprocess
import time

from child import die_with_parent

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VMSWITCH_BUILD", TOP / "build"))
READY_SECONDS = 30
# More words of each daemon's command line: VMSWITCH_OPTIONS="--user vmswitch --seccomp" has all
# tests run against a daemon as the service runs it.
OPTIONS = shlex.split(os.environ.get("VMSWITCH_OPTIONS", ""))
USER = OPTIONS[OPTIONS.index("--user") + 1] if "--user" in OPTIONS else None
if USER:
    os.umask(0)         # it must be able to use what the tests make


def give(folder):
    """Let the daemon use a folder that a test has made."""
    if not USER:
        return
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    for parent in pathlib.Path(folder).resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


class DaemonError(Exception):
    """vmswitchd or vmswitch did not do what it must."""


class Daemon:
    """One vmswitchd with a private control socket; it remembers how it was configured."""

    options = ()        # more words of its command line
    service = OPTIONS   # () for one that root starts plainly, whatever the others are

    def __init__(self, rundir, build=BUILD):
        self.rundir, self.build = pathlib.Path(rundir), build
        self.control = self.rundir / "control.sock"
        self.log = self.rundir / "vmswitchd.log"
        self.process = None
        self.commands = []

    def start(self):
        """Start it and wait until it serves; returns the seconds that took."""
        begin = time.monotonic()
        if self.service:
            give(self.rundir)
        with open(self.log, "a") as log:
            offset = log.tell()
            self.process = subprocess.Popen(
                [str(self.build / "control" / "vmswitchd"), "--socket", str(self.control),
                 "--log-level", "info", *self.service, *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent)
        while "ready: version" not in self.log_text()[offset:]:
            if self.process.poll() is not None:
                raise DaemonError(f"vmswitchd ended with {self.process.returncode}:\n"
                                  f"{self.log_text()[-2000:]}")
            if time.monotonic() > begin + READY_SECONDS:
                raise DaemonError(f"vmswitchd was not ready within {READY_SECONDS} s")
            time.sleep(0.01)
        return time.monotonic() - begin

    def alive(self):
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """End it with SIGTERM; returns its exit status."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=10)
            if "is not on the list" in self.log_text():
                raise DaemonError(f"a system call was refused:\n{self.log_text()[-2000:]}")
            if os.path.ismount(self.rundir / "bpf"):
                # Only root can, and this daemon is not root any more.
                subprocess.run(["umount", str(self.rundir / "bpf")], check=True)
            return status
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise DaemonError("vmswitchd did not end within 10 s of SIGTERM") from error

    @property
    def pid(self):
        """Process id of the daemon."""
        return self.process.pid

    def run(self, *words):
        """Run the command vmswitch; returns the finished process."""
        return subprocess.run([str(self.build / "control" / "vmswitch"), *map(str, words)],
                              env={**os.environ, "VMSWITCH_SOCKET": str(self.control)},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=30)

    def check(self, *words):
        """Run the command vmswitch, which must succeed; returns what it printed."""
        done = self.run(*words)
        if done.returncode:
            raise DaemonError(f"vmswitch {' '.join(map(str, words))} ended with "
                              f"{done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def json(self, *words):
        """The JSON of a show command."""
        return json.loads(self.check("-j", *words))

    def audit(self):
        """The sums must hold; returns what `stats audit` printed."""
        done = self.run("stats", "audit")
        assert done.returncode == 0, f"stats audit: {done.stdout}{done.stderr}"
        return done.stdout

    def configure(self, *words):
        """Run a command that changes the configuration, and remember it for reconfigure()."""
        self.check(*words)
        self.commands.append(words)

    def reconfigure(self):
        """Issue all remembered commands again, after a restart."""
        for words in self.commands:
            self.check(*words)

    def log_text(self):
        """Everything it has logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""
