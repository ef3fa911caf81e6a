# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the VM tests: one lab for the session, an audit after every test."""

import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]

import accel  # noqa: E402
from lab import Lab  # noqa: E402

LAB = pytest.StashKey()
FAILED = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Put the ends of the logs into the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    lab = item.config.stash.get(LAB, None)
    if report.failed and lab is not None:
        item.config.stash[FAILED] = True
        report.sections.append(("logs of switch and guests", lab.logs()))


@pytest.fixture(scope="session")
def session_lab(request):
    """The daemon and guests of the session; their folder is kept if a test failed."""
    print(accel.detect()[1])
    lab = Lab()
    request.config.stash[LAB] = lab
    try:
        lab.ensure_daemon()
        yield lab
    finally:
        status = lab.close()
        del request.config.stash[LAB]
        if request.config.stash.get(FAILED, False):
            print(f"logs are kept in {lab.dir}")
        else:
            shutil.rmtree(lab.dir)
    assert status == 0, f"vmswitchd ended with {status} on SIGTERM"


@pytest.fixture
def lab(session_lab):
    """The lab with a running daemon; after the test its sums must hold."""
    session_lab.ensure_daemon()
    yield session_lab
    assert session_lab.daemon.alive(), "vmswitchd ended during the test"
    session_lab.audit()


@pytest.fixture
def pair(lab):
    """Two booted guests, vm1 and vm2."""
    return lab.pair()
