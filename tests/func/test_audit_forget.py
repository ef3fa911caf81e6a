# SPDX-License-Identifier: BSD-3-Clause
"""The audit can fail: a daemon that was built to forget one count is found out.

VMSWITCH_FORGET names such builds, "TERM=FOLDER TERM=FOLDER ..."; a folder was configured with
-Dforget_term=TERM. See dataplane/core/stats.h.
"""

import os
import pathlib

import pytest

from frames import BROADCAST, cross, frame, mac, teach
from lan import Lan, Switch

BUILDS = dict(word.split("=", 1) for word in os.environ.get("VMSWITCH_FORGET", "").split())

# Which sums a term stands in.
SUMS = {
    "VS_TERM_RECEIVED": {"ingress"},
    "VS_TERM_FORWARDED": {"ingress", "switch"},
    "VS_TERM_FLOODED": {"ingress"},
    "VS_TERM_ATTEMPTS": {"egress", "switch"},
    "VS_TERM_SENT": {"egress"},
    "VS_TERM_DROPS": {"ingress", "egress"},
    "VS_TERM_FLOOD_COPIES": {"switch"},
}


def some_of_everything(lan):
    """Frames forwarded, flooded, dropped on either side."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    cross(a, frame(BROADCAST, a.mac), b)
    cross(b, frame(BROADCAST, b.mac), a)
    teach(lan, "a", "b")
    lan.daemon.check("port", "set", "b", "mtu", 100)
    cross(a, [frame(b.mac, a.mac), frame(b.mac, a.mac, 200), frame(a.mac, a.mac)], b)


@pytest.mark.parametrize("term", BUILDS or [pytest.param("", marks=pytest.mark.skip(
    reason="VMSWITCH_FORGET names no build that forgets a count"))])
def test_forgotten(term, tmp_path, rundir):
    """The audit names the sums the forgotten term stands in, and its exit status says so."""
    daemon = Switch(tmp_path, pathlib.Path(BUILDS[term]))
    daemon.start()
    try:
        lan = Lan(daemon, rundir)
        daemon.audit()      # nothing has happened, so nothing was forgotten
        some_of_everything(lan)
        done = daemon.run("stats", "audit")
        assert done.returncode == 1
        assert "do not hold" in done.stderr
        broken = [line.split() for line in done.stdout.splitlines() if "BROKEN" in line]
        assert {words[0] for words in broken} == SUMS[term]
        done = daemon.run("-j", "stats", "audit")
        assert done.returncode == 1
        lan.close()
    finally:
        assert daemon.stop() == 0


def test_honest(lan):
    """With the same frames, a daemon that forgets nothing passes."""
    some_of_everything(lan)
    table = lan.daemon.audit()
    assert "BROKEN" not in table
    assert {line.split()[0] for line in table.splitlines()[1:]} == {"ingress", "egress", "switch"}
    drops = lan.daemon.drops("a"), lan.daemon.drops("b")
    assert drops == ({"hairpin": 1}, {"mtu_out": 1})
