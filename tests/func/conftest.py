# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the functional tests: one switch daemon for the session, guests made on demand, an
audit after every test."""

import pathlib
import shutil
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]

from lan import DAEMON, Lan, Switch  # noqa: E402
from victim import Victim  # noqa: E402
from vmswitchd import give  # noqa: E402
from watch import Monitor  # noqa: E402


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
    give(path)
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
