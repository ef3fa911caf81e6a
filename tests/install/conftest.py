# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the tests of what is installed."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "common")]

from bare import PREFIX, bare_root  # noqa: E402
from unit import Service, UnitFile  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def need_root():
    """Namespaces, users and devices."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="module")
def root():
    """What `meson install` makes, in a root of its own."""
    with bare_root() as one:
        yield one


@pytest.fixture(scope="module")
def unit(root):
    """The unit as it is installed."""
    return UnitFile(root.path / PREFIX / "lib/systemd/system/vmswitchd.service")


@pytest.fixture
def service(root, unit):
    """The service, running."""
    one = Service(root, unit)
    try:
        yield one.start()
        if one.process.poll() is None:
            assert one.stop() == 0, one.log_text()
        assert "is not on the list" not in one.log_text()
    finally:
        one.close()
