# SPDX-License-Identifier: BSD-3-Clause
"""Ports and their guests: who connects, link down and up, queue pairs, and what is shown."""

import os
import socket
import time

import pytest

from frames import BROADCAST, cross, frame, mac, noise, teach, text
from lan import Switch
from vsguest import F_MQ, F_MRG_RXBUF, F_VERSION_1, Guest, Req, region
from watch import wait_for

RECONNECT_SECONDS = 1.0     # 0.1 is promised; the rest is for a loaded machine


def test_link_down(trio, monitor):
    """A port that is set down sends nothing and gets nothing; set up again, all is as before."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    trio.daemon.check("port", "set", "b", "link", "down")
    row = trio.port("b")
    assert (row["link"], row["up"], row["state"]) == ("down", False, "running")
    assert trio.show()["ports_up"] == 2
    assert "down" in monitor.wait("port-down", port="b")["text"]
    group = frame(BROADCAST, a.mac)
    assert cross(a, [frame(b.mac, a.mac), group], b, c) == [[], [group]]
    assert cross(b, [frame(a.mac, b.mac), frame(BROADCAST, b.mac)], a, c) == [[], []]
    assert trio.daemon.drops("b") == {"port_down": 1, "link_down": 2}
    assert trio.daemon.drops("a") == trio.daemon.drops("c") == {}

    trio.daemon.check("port", "set", "b", "link", "up")
    monitor.wait("port-up", port="b")
    row = trio.port("b")
    assert (row["link"], row["up"]) == ("up", True)
    one, back = frame(b.mac, a.mac), frame(a.mac, b.mac)
    assert cross(a, one, b, c) == [[one], []]
    assert cross(b, back, a, c) == [[back], []]


def test_nobody_there(lan):
    """A flood that reaches nobody is named so."""
    a = lan.add("a", mac=mac(1))
    lan.add("b", start=False)
    assert cross(a, [frame(BROADCAST, a.mac), frame(mac(9), a.mac)], a) == [[]]
    assert lan.daemon.drops("a") == {"no_receiver": 2}
    assert lan.daemon.drops("b") == {}


def test_gone_guest(trio):
    """Frames to a guest that has gone are dropped under its name; the others see no difference."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    b.hangup()
    trio.wait("b", lambda row: not row["up"])
    to_c = frame(c.mac, a.mac)
    assert cross(a, [frame(b.mac, a.mac), to_c], c) == [[to_c]]
    assert trio.daemon.drops("b") == {"port_down": 1}


@pytest.mark.parametrize("mode", ["client", "server"])
def test_mode(lan, mode):
    """Either side may make the socket; the guest may come, go and come again."""
    a = lan.add("a", mac=mac(1))
    b = lan.add("b", "mode", mode, server=mode == "client", mac=mac(2))
    assert lan.port("b")["mode"] == mode
    teach(lan, "a", "b")
    for turn in range(3):
        one, back = frame(b.mac, a.mac, seed=turn), frame(a.mac, b.mac, seed=turn)
        assert cross(a, one, b) == [[one]]
        assert cross(b, back, a) == [[back]]
        b.hangup()
        lan.wait("b", lambda row: not row["up"])
        b.start()
        row = lan.wait("b", lambda row: row["up"])
        assert row["connects"] == turn + 2


def test_socket_file(lan, rundir):
    """In server mode the socket is the daemon's: there with the port, for the group, gone with
    it."""
    path = rundir / "own.sock"
    lan.daemon.check("port", "add", "p", "switch", "lan", "type", "guest", "socket", path, "mode",
                     "server")
    assert path.is_socket() and path.stat().st_mode & 0o777 == 0o660
    lan.daemon.check("port", "del", "p")
    assert not path.exists()

    # One that a crash left behind is replaced, one that is in use is not, nor is a file.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()
        words = ["port", "add", "p", "switch", "lan", "type", "guest", "socket", path, "mode",
                 "server"]
        done = lan.daemon.run(*words)
        assert done.returncode and "listens" in done.stderr
    lan.daemon.check(*words)
    lan.daemon.check("port", "del", "p")
    path.write_text("precious")
    done = lan.daemon.run(*words)
    assert done.returncode and "left alone" in done.stderr
    assert path.read_text() == "precious"
    assert lan.daemon.json("port", "show") == []


def test_reconnect(lan):
    """In client mode the switch is back soon after the guest listens again, and nothing that was
    posted is lost."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    teach(lan, "a", "b")
    for turn in range(3):
        b.hangup()
        begin = time.monotonic()
        b.step_connect(timeout=RECONNECT_SECONDS)
        took = time.monotonic() - begin
        assert took < RECONNECT_SECONDS
        one = frame(a.mac, b.mac, seed=turn)
        b.send(one, kick=False)     # before the rings are up
        b.reconnect()
        b.flush()
        assert a.recv(1.0) == one
        lan.wait("b", lambda row: row["up"])
    a.expect_nothing(0)


def test_switch_killed(rundir, tmp_path):
    """A switch that is killed and started again goes on where it stopped: what a guest has posted
    meanwhile arrives, in order and once."""
    daemon = Switch(tmp_path)
    daemon.start()
    daemon.configure("switch", "add", "lan", "type", "private")
    a, b = (Guest(rundir / f"{name}.sock", mac=mac(n)) for n, name in enumerate("ab", 1))
    try:
        for name, guest in (("b", b), ("a", a)):
            daemon.configure("port", "add", name, "switch", "lan", "type", "guest", "socket",
                             guest.path)
        a.start(), b.start()
        for turn in range(3):
            wait_for(lambda: daemon.json("switch", "show", "lan")[0],
                     lambda row: row["ports_up"] == 2)
            sent = [frame(b.mac, a.mac, 100 + turn, seed=n) for n in range(130)]
            assert cross(a, sent, b) == [sent]
            daemon.kill()
            assert a.wait_closed(5) and b.wait_closed(5)
            meanwhile = [frame(b.mac, a.mac, 200 + turn, seed=n) for n in range(100)]
            for one in meanwhile:
                a.send(one, kick=False)
            daemon.start()
            begin = time.monotonic()
            daemon.reconfigure()
            b.reconnect()
            wait_for(lambda: daemon.json("port", "show", "b")[0], lambda row: row["up"])
            a.reconnect()
            a.flush()
            assert time.monotonic() - begin < 2 * RECONNECT_SECONDS
            assert b.recv_all(0) == meanwhile
            daemon.audit()
    finally:
        a.close(), b.close()
        assert daemon.stop() == 0


def test_late_guest(lan):
    """The order of switch and guest does not matter: a socket that appears later is found."""
    lan.daemon.check("port", "add", "late", "switch", "lan", "type", "guest", "socket",
                     lan.rundir / "late.sock")
    row = lan.port("late")
    assert (row["state"], row["up"], row["peer_pid"]) == ("waiting", False, None)
    assert "server=on" in row["problem"]
    with Guest(lan.rundir / "late.sock") as guest:
        begin = time.monotonic()
        guest.step_connect(timeout=RECONNECT_SECONDS)
        assert time.monotonic() - begin < RECONNECT_SECONDS
        row = lan.wait("late", lambda row: row["state"] == "connected")
        assert not row["up"]


def test_queue_pairs(lan):
    """A guest with eight queue pairs sends on each of them. Frames of one flow are on one queue of
    the receiver, in order, wherever they come from (more of that: test_vrss.py)."""
    a = lan.add("a", mac=mac(1), queue_pairs=8)
    b = lan.add("b", mac=mac(2), queue_pairs=8)
    assert a.features & F_MQ and a.raw.queue_num == 8
    assert lan.wait("a", lambda row: row["pairs"] == 8)["up"]
    lan.wait("b", lambda row: row["pairs"] == 8)
    teach(lan, "a", "b")
    for pair in range(8):
        b.recv_all(0, pair)
    used = set()
    for pair in range(8):
        sent = [frame(b.mac, a.mac, 100 + pair, seed=n) for n in range(50)]
        for one in sent:
            a.send(one, pair=pair)
        a.flush(pair)
        got = [b.recv_all(0, n) for n in range(8)]
        assert sorted(map(len, got)) == [0] * 7 + [50]
        used.add(next(n for n in range(8) if got[n]))
        assert sum(got, []) == sent
    assert len(used) == 1
    assert lan.stats("b")["sent"] == 8 * 50 + 1


@pytest.mark.parametrize("enabled", [1, 3])
def test_few_pairs(lan, enabled):
    """A guest that has eight queue pairs and enables some of them works with those."""
    a = lan.add("a", mac=mac(1), queue_pairs=8)
    b = lan.add("b", mac=mac(2), queue_pairs=8, enable_pairs=enabled)
    assert lan.wait("b", lambda row: row["up"])["pairs"] == enabled
    lan.wait("a", lambda row: row["pairs"] == 8)
    teach(lan, "a", "b")
    for pair in range(8):
        one = frame(b.mac, a.mac, seed=pair)
        a.send(one, pair=pair)
        a.flush(pair)
        assert sum((b.recv_all(0, n) for n in range(enabled)), []) == [one]
    back = [frame(a.mac, b.mac, seed=n) for n in range(enabled)]
    for pair, one in enumerate(back):
        b.send(one, pair=pair)
        b.flush(pair)
    assert sorted(sum((a.recv_all(0, n) for n in range(8)), [])) == sorted(back)
    # The others are enabled later, as ethtool -L does it.
    for ring in range(2 * enabled, 16):
        b.step_ring_enable(ring)
    lan.wait("b", lambda row: row["pairs"] == 8)
    one = frame(b.mac, a.mac, seed="late")
    a.send(one, pair=7)
    a.flush(7)
    assert sum((b.recv_all(0, n) for n in range(8)), []) == [one]
    for ring in range(2, 16):
        b.step_ring_enable(ring, 0)
    lan.wait("b", lambda row: row["pairs"] == 1)
    a.send(one, pair=7)
    a.flush(7)
    assert b.recv_all(0, 0) == [one]


def test_one_way(lan):
    """A guest whose receive ring alone is off sends, and gets nothing."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    teach(lan, "a", "b")
    b.step_ring_enable(0, 0)
    wait_for(lambda: lan.port("b"), lambda row: not row["up"])
    out = frame(a.mac, b.mac)
    assert cross(b, out, a) == [[out]]
    assert cross(a, frame(b.mac, a.mac), b) == [[]]
    assert lan.daemon.drops("b") == {"port_down": 1}
    b.step_ring_enable(0, 1)
    lan.wait("b", lambda row: row["up"])
    back = frame(b.mac, a.mac)
    assert cross(a, back, b) == [[back]]


def test_offered(lan):
    """What is offered is what is complete, and nothing else."""
    guest = lan.add("a", start=False)
    guest.step_connect()
    offered = guest.call(Req.GET_FEATURES).u64
    names = {0: "CSUM", 1: "GUEST_CSUM", 3: "MTU", 7: "GUEST_TSO4", 8: "GUEST_TSO6",
             9: "GUEST_ECN",
             11: "HOST_TSO4", 12: "HOST_TSO6", 13: "HOST_ECN", 15: "MRG_RXBUF",
             21: "GUEST_ANNOUNCE", 22: "MQ", 28: "INDIRECT_DESC", 29: "EVENT_IDX",
             30: "PROTOCOL_FEATURES", 32: "VERSION_1", 54: "GUEST_USO4", 55: "GUEST_USO6",
             56: "HOST_USO"}
    assert {bit for bit in range(64) if offered >> bit & 1} == set(names)
    protocol = guest.call(Req.GET_PROTOCOL_FEATURES).u64
    assert {bit for bit in range(64) if protocol >> bit & 1} == {0, 3, 4}   # MQ, REPLY_ACK, NET_MTU


def test_port_show(lan):
    """Every field of `port show` says what is so."""
    guest = lan.add("p1", "vm", "web", ring_size=512, mac=mac(1))
    teach(lan, "p1")
    row = lan.port("p1")
    assert guest.features & F_MRG_RXBUF and guest.features & F_VERSION_1
    expected = {
        "name": "p1", "switch": "lan", "type": "guest", "vm": "web", "up": True,
        "state": "running", "problem": None, "link": "up", "mac": None, "mtu": 9216, "macs": 1,
        "max_macs": 1024, "storm": 10000, "socket": guest.path, "mode": "client",
        "peer_pid": os.getpid(), "pairs": 1, "ring_size": 512, "regions": 1,
        "memory": guest.raw.mem.region[0].cfg.size, "connects": 1, "refused": 0, "faults": 0,
        "last_fault": None}
    assert {key: row[key] for key in expected} == expected
    assert {"version_1", "mrg_rxbuf"} <= set(row["features"])
    assert set(row["features"]) <= set(row["offered"])
    assert lan.port("p1")["calls"] == row["calls"]

    before = row["calls"]
    other = lan.add("p2", mac=mac(2))
    assert lan.port("p2")["vm"] == "p2"
    # A driver that waits asks for a call; this one asks without waiting, so that nothing is left
    # to who is faster.
    guest.rx.used_event = guest.rx.used_idx
    other.send(frame(guest.mac, other.mac))
    assert guest.recv(1.0) is not None
    wait_for(lambda: lan.port("p1"), lambda row: row["calls"] > before)
    lan.daemon.check("port", "set", "p1", "vm", "db", "mtu", 1500, "storm", 5, "max-macs", 7)
    row = lan.port("p1")
    assert [row[key] for key in ("vm", "mtu", "storm", "max_macs")] == ["db", 1500, 5, 7]
    text_shown = lan.daemon.check("port", "show", "p1")
    for word in ("p1", "running", "db", "1500", guest.path):
        assert word in text_shown


def test_unknown_names(lan):
    """What is not there is named."""
    for words in (("port", "show", "nix"), ("port", "del", "nix"), ("switch", "show", "nix"),
                  ("port", "set", "nix", "link", "up"), ("stats", "show", "port", "nix"),
                  ("drops", "show", "port", "nix"), ("fdb", "show", "switch", "nix"),
                  ("fdb", "flush", "switch", "nix"), ("switch", "del", "nix")):
        done = lan.daemon.run(*words)
        assert done.returncode and "nix" in done.stderr, words


def test_two_regions(lan):
    """A guest whose memory lies in two places, frames across both."""
    mib = 1 << 20
    a = lan.add("a", mac=mac(1), spread=True,
                regions=[region(0, 16 * mib), region(1 << 32, 16 * mib)])
    b = lan.add("b", mac=mac(2), spread=True,
                regions=[region(0, 16 * mib), region(1 << 32, 16 * mib)])
    teach(lan, "a", "b")
    row = lan.port("a")
    assert (row["regions"], row["memory"]) == (2, 32 * mib)
    sent = [b.mac + a.mac + noise(n, "regions") for n in (48, 1502, 9000)]
    assert cross(a, sent, b) == [sent]
    assert text(a.mac) in lan.fdb()
