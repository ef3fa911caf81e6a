# SPDX-License-Identifier: BSD-3-Clause
"""The audit can fail: a daemon that was built to forget one count is found out.

VMSWITCH_FORGET names such builds, "TERM=FOLDER TERM=FOLDER ..."; a folder was configured with
-Dforget_term=TERM. See dataplane/core/stats.h.
"""

import os
import pathlib

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from frames import BROADCAST, cross, frame, mac, teach, text
from lan import Lan, Switch
from offloads import GSO_TCP4, SENDS, partial

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
    "VS_TERM_EXTRA_SEGMENTS": {"switch"},
}


def some_of_everything(lan):
    """Frames forwarded, flooded, cut into segments, dropped on either side."""
    a, b = lan.add("a", mac=mac(1), add=SENDS), lan.add("b", mac=mac(2))
    cross(a, frame(BROADCAST, a.mac), b)
    cross(b, frame(BROADCAST, b.mac), a)
    teach(lan, "a", "b")
    long, hdr = partial(Ether(src=text(a.mac), dst=text(b.mac)) / IP(src="10.0.0.1",
                        dst="10.0.0.2") / TCP() / Raw(bytes(3000)), gso_type=GSO_TCP4,
                        gso_size=1000)
    a.send(long, hdr=hdr)
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
