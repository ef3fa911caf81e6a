# SPDX-License-Identifier: BSD-3-Clause
"""Several workers: who visits what, frames of two workers for one port, and changes meanwhile."""

import os
import time

import pytest

from frames import BROADCAST, Traffic, cross, frame, mac, teach
from lan import own_daemon
from test_vsgen import start as vsgen_start
from vsgen import compare, port_sums

start = vsgen_start

CPUS = sorted(os.sched_getaffinity(0))
LISTS = {"two processors": f"{CPUS[0]},{CPUS[-1]}", "one processor": f"{CPUS[0]},{CPUS[0]}"}


@pytest.fixture(scope="module", params=LISTS)
def session_daemon(request):
    """A daemon with two workers, on a processor each, or both on one."""
    with own_daemon("--cpu", LISTS[request.param], config=request.config) as daemon:
        yield daemon


def workers(daemon):
    """The rows of `worker show`."""
    return daemon.json("worker", "show")


def test_shown(lan, request):
    """Two workers share the ports, each port and its pairs among them; nothing moves later."""
    rows = workers(lan.daemon)
    param = request.node.callspec.params["session_daemon"]
    assert [row["cpu"] for row in rows] == [int(cpu) for cpu in LISTS[param].split(",")]
    assert [(row["ports"], row["pairs"]) for row in rows] == [(0, 0), (0, 0)]
    for i in range(4):
        lan.add(f"p{i}", mac=mac(i))
    homes = {f"p{i}": lan.port(f"p{i}")["worker"] for i in range(4)}
    assert sorted(homes.values()) == [0, 0, 1, 1]
    assert [(row["ports"], row["pairs"]) for row in workers(lan.daemon)] == [(2, 2), (2, 2)]
    # The queue pairs of one port are visited in turn.
    lan.add("wide", mac=mac(9), queue_pairs=4)
    lan.wait("wide", lambda row: row["pairs"] == 4)
    assert [(row["ports"], row["pairs"]) for row in workers(lan.daemon)] == [(3, 4), (3, 4)]
    # The next port goes where a gap is, and those that were there stay where they are.
    gone = next(name for name in homes if homes[name] == 1)
    lan.daemon.check("port", "del", gone)
    lan.add("new", mac=mac(8))
    assert lan.port("new")["worker"] == 1
    assert all(lan.port(name)["worker"] == homes[name] for name in homes if name != gone)


def test_everybody_talks_to_everybody(lan):
    """Frames pass between ports of the same worker and of different ones."""
    names = [f"p{i}" for i in range(4)]
    guests = [lan.add(name, mac=mac(i + 1)) for i, name in enumerate(names)]
    teach(lan, *names)
    for one in guests:
        for other in guests:
            if one is not other:
                sent = frame(other.mac, one.mac, 300)
                assert cross(one, sent, other) == [[sent]]
        others = [other for other in guests if other is not one]
        sent = frame(BROADCAST, one.mac)
        assert cross(one, sent, *others) == [[sent]] * 3
    assert all(row["frames"] for row in workers(lan.daemon))


def in_order(totals):
    """Nothing came twice, changed, or before what was sent earlier. (With a rate as the load: in a
    closed loop what comes after its sender has given it up counts as reordered.)"""
    assert totals["received"] > 0
    assert [totals[k] for k in ("reordered", "duplicates", "bad")] == [0] * 3


def test_all_to_one(start, vmswitchd):
    """Seven guests of two workers send to one: no flow overtakes itself, every frame is counted."""
    gen = start(8, "--flow", "all-to-one", "--size", 64, "--check", 1)
    before = port_sums(vmswitchd)
    _, totals = gen.trial({"rate": 3000000}, windows=8)
    in_order(totals)
    compare(vmswitchd, before, totals)
    assert all(row["frames"] for row in workers(vmswitchd))
    vmswitchd.audit()
    # As fast as the two get, whatever is lost on the way.
    before = port_sums(vmswitchd)
    _, totals = gen.trial({"closed": 256}, windows=4)
    compare(vmswitchd, before, totals)


def test_long_frames_to_one(start, vmswitchd):
    """The same with frames that take several buffers to hold."""
    gen = start(4, "--flow", "all-to-one", "--size", 9000, "--check", 1)
    before = port_sums(vmswitchd)
    _, totals = gen.trial({"rate": 60000}, windows=4)
    in_order(totals)
    compare(vmswitchd, before, totals)


def test_audit_under_load(start, vmswitchd):
    """The sums hold at any instant, frames that wait included."""
    gen = start(8, "--flow", "all-to-one", "--size", 64)
    gen.send('{"cmd":"trial","load":{"rate":3000000},"warmup_ms":0,"windows":10,"window_ms":100}')
    events = [gen.event()]
    audits = 0
    while events[-1]["event"] == "window":
        vmswitchd.audit()
        audits += 1
        events.append(gen.event())
    assert audits >= 5
    in_order(events[-1])


def test_changes_under_load(start, vmswitchd):
    """Link, VLAN and MTU of the port that everybody sends to change while frames wait for it."""
    gen = start(6, "--flow", "all-to-one", "--size", 64)
    gen.send('{"cmd":"trial","load":{"rate":400000},"warmup_ms":0,"windows":12,"window_ms":100}')
    events = [gen.event()]
    changes = [("link", "down"), ("link", "up"), ("vlan", "access", 7), ("vlan", "untagged"),
               ("mtu", 1000), ("mtu", 9000)]
    vmswitchd.check("port", "set", "g0", "link", "down")
    end = time.monotonic() + 10
    while not vmswitchd.drops("g0").get("port_down"):
        assert time.monotonic() < end, "no frame met the port while its link was down"
    while events[-1]["event"] == "window":
        for words in changes:
            vmswitchd.check("port", "set", "g0", *words)
        vmswitchd.audit()
        events.append(gen.event())
    assert events[-1]["duplicates"] == events[-1]["bad"] == 0


def test_port_del_under_load(lan):
    """A port that two workers send to goes, and comes back, again and again."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    c = lan.add("c", "mac", "02:00:00:00:00:03", mac=mac(3))
    assert lan.port("a")["worker"] != lan.port("b")["worker"]
    path = lan.rundir / "c.sock"
    with Traffic({a: [frame(c.mac, a.mac)] * 64, b: [frame(c.mac, b.mac)] * 64}):
        for _ in range(4):
            lan.daemon.check("port", "del", "c")
            lan.daemon.audit()
            lan.daemon.check("port", "add", "c", "switch", "lan", "type", "guest", "socket", path,
                             "mac", "02:00:00:00:00:03")
            c.reconnect()
            lan.wait("c", lambda row: row["up"])
            # A few only: they come without end.
            for _ in range(64):
                assert c.recv(timeout=10) is not None
            lan.daemon.audit()


def test_a_storm_limit_is_shared(lan):
    """A guest that sends through two pairs, of two workers, gets no more than its limit."""
    a = lan.add("a", "storm", 100, mac=mac(1), queue_pairs=2)
    b = lan.add("b", mac=mac(2))
    lan.wait("a", lambda row: row["pairs"] == 2)
    for pair in (0, 1):
        for seed in range(200):
            a.send(frame(BROADCAST, a.mac, 64, seed=seed), pair=pair)
        a.flush(pair=pair)
    flooded = lan.stats("a")["flooded"]
    # A second's worth at once, and what a slow machine adds in the seconds it takes.
    assert 100 <= flooded < 300
    assert lan.daemon.drops("a")["storm"] == 400 - flooded
    b.recv_all(timeout=0.05)
