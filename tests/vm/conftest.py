# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the VM tests: labs for the session, an audit after every test."""

import contextlib
import pathlib
import shutil
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]

import accel  # noqa: E402
from lab import Lab  # noqa: E402
from netlab import NetLab  # noqa: E402

LABS = pytest.StashKey()
FAILED = pytest.StashKey()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Put the ends of the logs into the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        item.config.stash[FAILED] = True
        for lab in item.config.stash.get(LABS, ()):
            report.sections.append((f"logs of switch and guests in {lab.dir}", lab.logs()))


@contextlib.contextmanager
def running(lab, config):
    """A lab with its daemon and guests; the folder is kept if a test failed."""
    print(accel.detect()[1])
    labs = config.stash.setdefault(LABS, [])
    labs.append(lab)
    try:
        lab.ensure_daemon()
        yield lab
    finally:
        status = lab.close()
        labs.remove(lab)
        if config.stash.get(FAILED, False):
            print(f"logs are kept in {lab.dir}")
        else:
            shutil.rmtree(lab.dir)
    assert status == 0, f"vmswitchd ended with {status} on SIGTERM"


@pytest.fixture(scope="session")
def session_lab(request):
    """The daemon and guests of the session."""
    with running(Lab(), request.config) as lab:
        yield lab


@pytest.fixture(scope="session")
def session_net(request):
    """The daemon in a namespace of its own, and its guests."""
    with running(NetLab(), request.config) as net:
        yield net


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


@pytest.fixture
def net(session_net):
    """The lab in namespaces, without a switch; after the test its sums must hold."""
    session_net.clear()
    yield session_net
    assert session_net.daemon.alive(), "vmswitchd ended during the test"
    session_net.audit()
    session_net.clear()
