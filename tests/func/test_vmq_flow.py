# SPDX-License-Identifier: BSD-3-Clause
"""Cards without flow rules: the switch sorts by itself, and says why."""

import pytest

import net
import uplinks
from frames import frame
from netns import Namespace

session_daemon, wire, lan = net.session_daemon, uplinks.wire, uplinks.lan


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.mark.parametrize("wire", ["tap", "memif"], indirect=True)
def test_no_flow_rules(lan, wire):
    """On, what was asked of the card is shown, and frames come as they did; off and on again."""
    guest = lan.add("a", "mac", "02:00:00:00:00:01", mac=bytes([2, 0, 0, 0, 0, 1]))
    for turn, (engine, word) in enumerate((("on", "soft"), ("off", "off"), ("on", "soft"))):
        lan.daemon.check("vmq", "set", "lan", engine)
        rows = {row["port"]: row for row in lan.daemon.json("vmq", "show", "lan")}
        assert {row["engine"] for row in rows.values()} == {word}
        if engine == "on":
            assert "the switch sorts by itself: this card has no flow rules" in rows["a"]["reason"]
            assert f"net_{wire.kind}" in rows["a"]["reason"]
        sent = frame(guest.mac, lan.station.mac, 80, seed=turn)
        lan.station.send(sent)
        assert guest.recv(5.0) == sent
