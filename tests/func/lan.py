# SPDX-License-Identifier: BSD-3-Clause
"""The daemon as the functional tests see it, and a switch with guests on it."""

import contextlib
import os
import pathlib
import tempfile

import pytest

from vmswitchd import Daemon, give
from vsguest import Guest
from watch import wait_for

DAEMON = pytest.StashKey()      # the daemon whose log belongs to a failure


class Switch(Daemon):
    """A running vmswitchd with what the functional tests ask of it."""

    @property
    def socket(self):
        """Path of the control socket."""
        return str(self.control)

    def files(self):
        """{descriptor: file} that the daemon has open, sets of epoll left out: a worker makes
        one of its own when it parks, whenever that is."""
        files = {}
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                files[int(fd)] = os.readlink(f"/proc/{self.pid}/fd/{fd}")
        return {fd: file for fd, file in files.items() if file != "anon_inode:[eventpoll]"}

    def fds(self):
        """The number of these."""
        return len(self.files())

    def drops(self, port):
        """{reason: count} of a port."""
        return {row["reason"]: row["count"] for row in self.json("drops", "show", "port", port)}

    def clear(self):
        """Remove all switches and ports."""
        for row in self.json("switch", "show"):
            self.check("switch", "del", row["name"], "force")


@contextlib.contextmanager
def own_daemon(*options, config=None):
    """A daemon with more options, in a folder of its own; it must end well. config (pytest's): it
    is the one under test, whose log belongs to a failure."""
    before = config.stash.get(DAEMON, None) if config else None
    with tempfile.TemporaryDirectory(prefix="vsw-", dir="/tmp") as folder:
        give(folder)
        daemon = Switch(pathlib.Path(folder))
        daemon.options = options
        if config:
            config.stash[DAEMON] = daemon
        daemon.start()
        yield daemon
        if daemon.alive():
            assert daemon.stop() == 0, "vmswitchd did not end well on SIGTERM"
        if config:
            config.stash[DAEMON] = before


class Lan:
    """A switch with guests on it, a private one unless kind (words of `switch add`) says more."""

    def __init__(self, daemon, rundir, name="lan", kind=("private",)):
        self.daemon, self.rundir, self.name = daemon, rundir, name
        self.guests = {}
        daemon.check("switch", "add", name, "type", *kind)

    def add(self, name, *words, start=True, wait_up=True, **guest):
        """A port (words: more of `port add`) and its guest, started."""
        path = self.rundir / f"{name}.sock"
        one = Guest(path, **guest)
        self.guests[name] = one
        self.daemon.check("port", "add", name, "switch", self.name, "type", "guest", "socket",
                          path, *words)
        if start:
            one.start()
        if start and wait_up:
            self.wait(name, lambda row: row["up"])
        return one

    def port(self, name):
        """The row of `port show`."""
        return self.daemon.json("port", "show", name)[0]

    def stats(self, name):
        """The row of `stats show port NAME`."""
        return self.daemon.json("stats", "show", "port", name)[0]

    def show(self):
        """The row of `switch show`."""
        return self.daemon.json("switch", "show", self.name)[0]

    def fdb(self):
        """{address: port} of `fdb show`."""
        rows = self.daemon.json("fdb", "show", "switch", self.name)
        return {row["mac"]: row["port"] for row in rows}

    def wait(self, name, condition, timeout=10.0):
        """Wait until the row of `port show` satisfies the condition; returns it."""
        return wait_for(lambda: self.port(name), condition, timeout)

    def close(self):
        """Hang up all guests."""
        for one in self.guests.values():
            one.close()
