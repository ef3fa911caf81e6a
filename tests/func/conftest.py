# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the functional tests: a switch daemon per test module, guests made on demand, and an
audit after every test."""

import json
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "vm"))

from vmdaemon import Daemon  # noqa: E402
from victim import Victim  # noqa: E402
from vsguest import Guest  # noqa: E402
from watch import Monitor, wait_for  # noqa: E402

DAEMON = pytest.StashKey()


class Switch(Daemon):
    """A running vmswitchd with what the functional tests ask of it."""

    def run(self, *words):
        """Run the command vmswitch; returns the finished process."""
        return self.vmswitch(*words)

    def json(self, *words):
        """The JSON of a show command."""
        return json.loads(self.check("-j", *words))

    @property
    def socket(self):
        """Path of the control socket."""
        return str(self.control)

    @property
    def pid(self):
        """Process id of the daemon."""
        return self.process.pid

    def fds(self):
        """Descriptors the daemon has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def drops(self, port):
        """{reason: count} of a port."""
        return {row["reason"]: row["count"] for row in self.json("drops", "show", "port", port)}

    def audit(self):
        """The sums must hold; returns what `stats audit` printed."""
        done = self.vmswitch("stats", "audit")
        assert done.returncode == 0, f"stats audit: {done.stdout}{done.stderr}"
        return done.stdout

    def clear(self):
        """Remove all switches and ports."""
        for row in self.json("switch", "show"):
            self.check("switch", "del", row["name"], "force")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Put the daemon's log into the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    daemon = item.config.stash.get(DAEMON, None)
    if report.failed and daemon is not None:
        report.sections.append(("vmswitchd", daemon.log_text()[-8000:]))


@pytest.fixture(scope="session")
def rundir():
    """A folder with a short path: sockets live in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="vsw-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def session_daemon(rundir, request):
    """One daemon for the session; it must end well."""
    daemon = Switch(rundir)
    request.config.stash[DAEMON] = daemon
    daemon.start()
    yield daemon
    if daemon.alive():
        assert daemon.stop() == 0, "vmswitchd did not end well on SIGTERM"


@pytest.fixture
def vmswitchd(session_daemon):
    """The running daemon, empty; after the test it must still run, and its sums must hold."""
    if not session_daemon.alive():
        session_daemon.start()
    session_daemon.clear()
    yield session_daemon
    assert session_daemon.alive(), "vmswitchd ended during the test"
    session_daemon.audit()
    session_daemon.clear()


class Lan:
    """A private switch with guests on it."""

    def __init__(self, daemon, rundir, name="lan"):
        self.daemon, self.rundir, self.name = daemon, rundir, name
        self.guests = {}
        daemon.check("switch", "add", name, "type", "private")

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


@pytest.fixture
def lan(vmswitchd, rundir):
    """A private switch named lan; see Lan."""
    one = Lan(vmswitchd, rundir)
    yield one
    one.close()


@pytest.fixture
def trio(lan):
    """Three guests a, b and c on the switch lan, none of them known to it."""
    for n, name in enumerate("abc", 0xa):
        lan.add(name, mac=bytes([2, 0, 0, 0, 0, n]))
    return lan


@pytest.fixture
def monitor(vmswitchd):
    """What `vmswitch monitor` prints from here on."""
    with Monitor(vmswitchd) as one:
        yield one


@pytest.fixture
def victim(lan):
    """A good pair on the switch `lan`, talking all the time; it must come through unharmed."""
    with Victim(lan) as one:
        yield one
        one.check()
