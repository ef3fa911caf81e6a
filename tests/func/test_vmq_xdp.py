# SPDX-License-Identifier: BSD-3-Clause
"""Queues of an xdp uplink that the kernel sorts into: who has one, what it holds when it ends, and
that nothing is left of them. That everybody gets the same with them is in test_vmq.py."""

import tempfile

import pytest

import net
import uplinks
from frames import BROADCAST, frame
from lan import DAEMON
from netns import Namespace
from uplinks import External, at_once, counters, exchange, meet
from watch import wait_for

wire, lan = uplinks.wire, uplinks.lan

QUEUES = 16
pytestmark = pytest.mark.parametrize("wire", ["xdp"], indirect=True)


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def session_daemon(host, request):
    """A daemon of its own: with two workers, queues of one hw queue are visited by both."""
    before = request.config.stash.get(DAEMON, None)
    with tempfile.TemporaryDirectory(prefix="vsn-", dir="/tmp") as rundir:
        with net.daemon_in(host, rundir, ("--workers", str(request.param))) as daemon:
            request.config.stash[DAEMON] = daemon
            yield daemon
        request.config.stash[DAEMON] = before


def address(n):
    """An address of a guest, as text and as bytes."""
    raw = bytes([2, 0, 0, 0, 1, n])
    return raw.hex(":"), raw


def add(lan, n, **more):
    """A guest with an address of its own."""
    return lan.add(f"g{n}", "mac", address(n)[0], mac=address(n)[1], **more)


def rows(lan):
    """{port: row} of vmq show."""
    return {row["port"]: row for row in lan.daemon.json("vmq", "show", "lan")}


def sort(lan, mode="on"):
    """Let the kernel sort, or what else."""
    lan.daemon.check("vmq", "set", "lan", mode)


def to_queue(lan):
    """How many frames the kernel gave to queues of guests."""
    return counters(lan).get("to_queue", 0)


def test_shown(lan):
    """What sorts, why, and by how many queue pairs; the counters of both sides agree."""
    a, b = add(lan, 1), add(lan, 2)
    pairs = lan.port(lan.uplink)["pairs"]
    assert rows(lan)["g1"]["engine"] == "off" and not to_queue(lan)
    sort(lan)
    shown = rows(lan)
    assert {row["engine"] for row in shown.values()} == {"xdp"}
    assert "eBPF" in shown[lan.uplink]["reason"]
    assert lan.port(lan.uplink)["pairs"] == pairs + 1 + 2
    for k in range(30):
        for dst in (a.mac, a.mac, b.mac, BROADCAST):
            lan.station.send(frame(dst, lan.station.mac, 100, seed=k))
    wait_for(lambda: lan.stats(lan.uplink)["received"], lambda n: n == 120)
    shown = rows(lan)
    assert [shown[name]["frames"] for name in ("g1", "g2", lan.uplink)] == [60, 30, 30]
    assert to_queue(lan) == 90 and [shown[name]["astray"] for name in ("g1", "g2")] == [0, 0]
    sort(lan, "soft")
    assert rows(lan)["g1"]["engine"] == "soft" and "asked for" in rows(lan)["g1"]["reason"]
    assert lan.port(lan.uplink)["pairs"] == pairs
    lan.station.send(frame(a.mac, lan.station.mac, 100))
    wait_for(lambda: rows(lan)["g1"]["frames"], lambda n: n == 61)
    assert to_queue(lan) == 90


def test_more_guests_than_queues(lan):
    """Those that weigh more have one, the others share the default one; all get their frames."""
    guests = [add(lan, n) for n in range(QUEUES + 3)]
    sort(lan)
    for n in (QUEUES + 1, QUEUES + 2):
        lan.daemon.check("port", "set", "g0", "vmq-weight", 100 - n)
    shown = rows(lan)
    with_queue = {name for name, row in shown.items() if row["queue"]}
    assert with_queue == {f"g{n}" for n in range(1, QUEUES + 1)}
    assert "more ports than queues" in shown["g0"]["text"]
    sent = [[frame(one.mac, lan.station.mac, 100, seed=k) for k in range(5)] for one in guests]
    for k in range(5):
        for frames in sent:
            lan.station.send(frames[k])
    got = [[one.recv(5.0) for _ in range(5)] for one in guests]
    assert got == sent and not any(lan.rest(*lan.guests))
    assert to_queue(lan) == 5 * QUEUES
    # A queue becomes free, and the next one has it.
    lan.daemon.check("port", "del", "g3")
    with_queue = {name for name, row in rows(lan).items() if row["queue"]}
    assert with_queue == {f"g{n}" for n in range(1, QUEUES + 2) if n != 3}
    lan.station.send(sent[QUEUES + 1][0])
    assert guests[QUEUES + 1].recv(5.0) == sent[QUEUES + 1][0]
    assert to_queue(lan) == 5 * QUEUES + 1


def test_filter_removed_with_frames_in_the_queue(lan):
    """Its address is another's now: the frames take the full way, to where they belong."""
    a, b = add(lan, 1), add(lan, 2)
    sort(lan)
    lan.daemon.check("port", "set", "g1", "mac", address(9)[0])
    before = to_queue(lan)
    sent = [frame(address(9)[1], lan.station.mac, 100, seed=k) for k in range(40)]
    at_once(lan, sent)
    # No matter how many of them the switch has seen when this comes.
    lan.daemon.check("port", "set", "g1", "vmq-weight", 0)
    got = [a.recv(5.0) for _ in sent]
    assert got == sent and lan.rest("g1", "g2") == [[], []]
    assert to_queue(lan) == before + 40
    at_once(lan, sent)
    assert [a.recv(5.0) for _ in sent] == sent and to_queue(lan) == before + 40
    assert rows(lan)["g1"]["state"] == "default" and b.mac


def test_ports_come_and_go_with_frames(lan):
    """A guest's port is removed with frames in its queue, again and again: whoever stays loses
    none and gets them in order, and all buffers come back."""
    stay = add(lan, 1)
    sort(lan)
    sent = [frame(stay.mac, lan.station.mac, 100, seed=k) for k in range(240)]
    for k in range(12):
        other = add(lan, 2)
        at_once(lan, [one for k, mine in enumerate(sent[20 * k:20 * k + 20])
                      for one in (mine, frame(other.mac, lan.station.mac, 100, seed=k))])
        lan.daemon.check("port", "del", "g2")
        lan.guests.pop("g2").close()
    assert [stay.recv(5.0) for _ in sent] == sent and lan.rest("g1") == [[]]
    assert lan.drops("g1") == {}
    # More than all buffers of the interface, one after the other.
    for k in range(2200):
        lan.station.send(sent[k % 240])
        if k % 20 == 19:
            for _ in range(20):
                assert stay.recv(5.0)
    assert counters(lan)["missed"] == 0
    lan.daemon.check("stats", "audit")


def test_a_flood_for_one_leaves_room_for_others(lan):
    """Each queue has buffers of its own: one that overflows takes none from another."""
    a, b = add(lan, 1), add(lan, 2)
    meet(lan, a, b)
    sort(lan)
    wanted = frame(b.mac, lan.station.mac, 100, seed="wanted")
    other = frame(BROADCAST, lan.station.mac, 100, seed="other")
    at_once(lan, [frame(a.mac, lan.station.mac, 100)] * 6000 + [wanted, other])
    assert sorted(b.recv(5.0) for _ in range(2)) == sorted([wanted, other])
    assert counters(lan)["missed"] > 3000
    lan.rest("g1", "g2")
    lan.daemon.check("stats", "audit")


def test_killed(lan, vmswitchd, rundir, wire):
    """A switch that is killed leaves no redirect behind: the next one begins without, and what the
    kernel has for nobody's queue falls into the default one."""
    add(lan, 1)
    sort(lan)
    lan.station.send(frame(address(1)[1], lan.station.mac, 100))
    wait_for(lambda: to_queue(lan), lambda n: n == 1)
    lan.close()
    vmswitchd.kill()
    vmswitchd.start()
    again = External(vmswitchd, rundir, wire, "share-host", "off")
    try:
        assert "taken over" in again.port(again.uplink)["driver"]
        assert rows(again) and {row["engine"] for row in rows(again).values()} == {"off"}
        before = to_queue(again)
        one = add(again, 1)
        sent = frame(one.mac, again.station.mac, 100)
        again.station.send(sent)
        assert one.recv(5.0) == sent and to_queue(again) == before
        sort(again)
        again.station.send(sent)
        assert one.recv(5.0) == sent and to_queue(again) == before + 1
    finally:
        again.close()


def test_shared_with_the_host(vmswitchd, rundir, wire, host):
    """The host keeps its frames: its address and groups are in no queue."""
    host.ip("addr", "add", "192.0.2.1/24", "dev", "nic0")
    wire.out.ip("addr", "add", "192.0.2.9/24", "dev", "w0")
    lan = External(vmswitchd, rundir, wire, "share-host", "on")
    try:
        one = add(lan, 1)
        exchange(one, [], lan.station)
        sort(lan)
        assert rows(lan)["g1"]["engine"] == "xdp"
        sent = frame(one.mac, lan.station.mac, 100)
        lan.station.send(sent)
        wait_for(lambda: one.recv(0.1), lambda got: got == sent)
        wire.out.exec("ping", "-c", 2, "-W", 5, "192.0.2.1")
        assert to_queue(lan) == 1 and counters(lan)["to_host"] >= 2
    finally:
        lan.close()
