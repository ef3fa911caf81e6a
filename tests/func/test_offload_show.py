# SPDX-License-Identifier: BSD-3-Clause
"""`offload show`: each cell of the table in doc/offload.md has a counter, and it counts."""

import os
import signal

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from frames import cross, frame, noise, teach, text
from offloads import (GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP, OFFERED, SENDS, TAKES, partial)

pytestmark = pytest.mark.once

MSS = 1000
KINDS = {   # what is owed: (IP version, transport header, gso type)
    "csum": (4, UDP(sport=5, dport=6), 0),
    "tso4": (4, TCP(flags="PA"), GSO_TCP4),
    "tso6": (6, TCP(flags="PA"), GSO_TCP6),
    "ecn": (4, TCP(flags="PAC"), GSO_TCP4 | GSO_ECN),
    "uso4": (4, UDP(sport=5, dport=6), GSO_UDP),
    "uso6": (6, UDP(sport=5, dport=6), GSO_UDP),
}
ROWS = tuple(KINDS)
FATES = ("passed", "hardware", "cut", "software")
SEGMENTS = 5
WHOLE = {"none": (), "csum": ("csum",), "csum+tso": ("csum", "tso4", "tso6"), "all": ROWS}


@pytest.fixture
def world(lan):
    """Make guests a, which may send what the test says, and b, which takes what it says."""
    def make(takes, sends=SENDS):
        lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64, add=sends,
                without=OFFERED & ~sends)
        lan.add("b", mac=bytes([2, 0, 0, 0, 0, 0xb]), rx_shape=[4096], ring_size=1024,
                add=takes, without=OFFERED & ~takes)
        teach(lan, "a", "b")
        return lan.guests["a"], lan.guests["b"]
    return make


def shown(lan, port):
    """The row of a port."""
    (row,) = lan.daemon.json("offload", "show", port)
    return row


def cells(row):
    """{(owed, fate): n} of the cells that are not 0."""
    return {(owed, fate): row[f"owed_{owed}"][fate] for owed in ROWS for fate in FATES
            if row[f"owed_{owed}"][fate]}


def put(lan, owed, size=MSS * SEGMENTS, mss=MSS):
    """Give the switch one frame from a to b that owes this."""
    a, b = lan.guests["a"], lan.guests["b"]
    version, l4, gso = KINDS[owed]
    ip = (IP(src="10.0.0.1", dst="10.0.0.2") if version == 4
          else IPv6(src="fd00::1", dst="fd00::2"))
    pkt = Ether(bytes(Ether(src=text(a.mac), dst=text(b.mac)) / ip / l4.copy() /
                      Raw(noise(size if gso else MSS))))
    more = {"gso_type": gso, "gso_size": mss} if gso else {}
    sent, hdr = partial(pkt, **more)
    a.send(sent, hdr=hdr)


def send(lan, owed, **how):
    """The same, and what b gets."""
    put(lan, owed, **how)
    lan.guests["a"].flush()
    return lan.guests["b"].recv_all(0)


@pytest.mark.parametrize("takes", TAKES)
def test_each_cell(world, lan, takes):
    """What is owed and what the receiver can do decide on the cell, and on nothing else."""
    a, b = world(TAKES[takes])
    before = shown(lan, "b")
    want, segments, checksums = {}, 0, 0
    for n, owed in enumerate(ROWS):
        for _ in range(n + 1):
            got = send(lan, owed)
            whole = owed in WHOLE[takes]
            assert len(got) == (1 if whole or owed == "csum" else SEGMENTS)
        fate = "passed" if whole else "cut" if takes != "none" and owed != "csum" else "software"
        want[owed, fate] = n + 1
        if owed == "ecn":
            want["tso4", fate] = want.get(("tso4", fate), 0) + n + 1
        if fate != "passed":
            segments += (n + 1) * (SEGMENTS if owed != "csum" else 0)
        if fate == "software":
            checksums += (n + 1) * (SEGMENTS if owed != "csum" else 1)
    row = shown(lan, "b")
    assert cells(row) == want
    assert (row["segments"], row["checksums"], row["merged"]) == (segments, checksums, 0)
    assert row["owed_nothing"] == before["owed_nothing"]
    assert cross(a, frame(b.mac, a.mac, 100), b) == [[frame(b.mac, a.mac, 100)]]
    assert shown(lan, "b")["owed_nothing"] == before["owed_nothing"] + 1
    # Between guests that can do all, the switch computes and cuts nothing.
    if takes == "all":
        assert row["segments"] == row["checksums"] == 0
    assert not cells(shown(lan, "a"))


def test_in_one_burst(world, lan):
    """Beside a frame that must be cut stand those that pass, and one that is cut in many pieces."""
    a, b = world(TAKES["csum"])
    os.kill(lan.daemon.pid, signal.SIGSTOP)
    try:
        for owed in ("csum", "tso4", "csum"):
            put(lan, owed)
        put(lan, "tso6", size=60000, mss=250)
        a.send(frame(b.mac, a.mac, 100))
    finally:
        os.kill(lan.daemon.pid, signal.SIGCONT)
    before = shown(lan, "b")["owed_nothing"]
    a.flush()
    assert len(b.recv_all(0)) == 2 + SEGMENTS + 240 + 1
    row = shown(lan, "b")
    assert cells(row) == {("csum", "passed"): 2, ("tso4", "cut"): 1, ("tso6", "cut"): 1}
    assert (row["segments"], row["checksums"]) == (SEGMENTS + 240, 0)
    assert row["owed_nothing"] <= before + 1
    assert row["owed_nothing"] == lan.stats("b")["attempts"] - 2 - SEGMENTS - 240


def test_a_flood(world, lan):
    """Each copy is counted at the port that it is for."""
    a, _ = world(TAKES["all"])
    lan.add("c", mac=bytes([2, 0, 0, 0, 0, 0xc]), rx_shape=[4096], ring_size=1024,
            without=OFFERED)
    pkt = Ether(bytes(Ether(src=text(a.mac), dst="ff:ff:ff:ff:ff:ff") / IP(dst="10.0.0.255") /
                      TCP(flags="A") / Raw(noise(MSS * SEGMENTS))))
    sent, hdr = partial(pkt, gso_type=GSO_TCP4, gso_size=MSS)
    a.send(sent, hdr=hdr)
    a.flush()
    assert cells(shown(lan, "b")) == {("tso4", "passed"): 1}
    row = shown(lan, "c")
    assert cells(row) == {("tso4", "software"): 1}
    assert (row["segments"], row["checksums"]) == (SEGMENTS, SEGMENTS)


def test_switched_off(world, lan):
    """What the user switched off is the switch's work, and stands in its column."""
    world(TAKES["all"])
    row = shown(lan, "b")
    assert (row["off"], row["used"]) == ([], row["to"]) and "tso4" in row["to"]
    lan.daemon.check("port", "set", "b", "offload", "tso4", "off")
    send(lan, "tso4")
    send(lan, "tso6")
    lan.daemon.check("port", "set", "b", "offload", "none")
    send(lan, "tso4")
    send(lan, "csum")
    row = shown(lan, "b")
    assert cells(row) == {("tso4", "cut"): 1, ("tso6", "passed"): 1, ("tso4", "software"): 1,
                          ("csum", "software"): 1}
    assert row["checksums"] == SEGMENTS + 1
    assert (row["off"], row["used"]) == (["csum", "tso4", "tso6", "uso", "gro"], ["verify"])
    assert "tso4" in row["to"] and "guest_tso4" in row["features"]


def test_refused(world, lan):
    """What a guest has no right to is refused, and counted where it came from."""
    world(TAKES["all"], sends=0)
    assert send(lan, "tso4") == []
    assert send(lan, "csum") == []
    assert (shown(lan, "a")["refused"], shown(lan, "b")["refused"]) == (2, 0)
    assert not cells(shown(lan, "b"))
    assert shown(lan, "a")["from"] == []


def test_what_a_port_can(world, lan):
    """Features and capabilities of each port, the chimney, and the same for all in a table."""
    world(TAKES["csum+tso"])
    a, b = shown(lan, "a"), shown(lan, "b")
    assert a["from"] == ["csum", "tso4", "tso6", "ecn", "uso4", "uso6"]
    assert b["to"] == ["csum", "tso4", "tso6", "verify", "merge"]
    assert "host_tso4" in a["features"] and "guest_tso6" in b["features"]
    for row in lan.daemon.json("offload", "show"):
        assert row["chimney"] == "unsupported"
        assert "64 KiB" in row["chimney_why"] and "DPDK" in row["chimney_why"]
    assert [r["port"] for r in lan.daemon.json("offload", "show")] == ["a", "b"]
    table = lan.daemon.check("offload", "show").splitlines()
    assert len(table) == 3 and "CHIMNEY" in table[0] and "unsupported" in table[1]
    send(lan, "tso6")
    block = lan.daemon.check("offload", "show", "b")
    assert "passed 1, hardware 0, cut 0, software 0" in block and "64 KiB" in block
    done = lan.daemon.run("offload", "show", "nix")
    assert done.returncode == 1 and "there is no port 'nix'" in done.stderr
