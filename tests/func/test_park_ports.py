# SPDX-License-Identifier: BSD-3-Clause
"""What wakes a worker that has ports other than guests: the first frame from a host port, from an
interface that the switch has by AF_XDP, and what becomes of one that has a device of DPDK."""

import time

import pytest

import net
import uplinks
from frames import BROADCAST, frame, mac
from lan import Lan
from netns import Station, Namespace
from test_park import SLACK, wait_parked, worker
from uplinks import External, meet
from watch import wait_for

session_daemon = net.session_daemon

NAP_US, LONG_NAP_US = 50, 500       # doc/datapath.md
TIMES = 5


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture
def add_wire(request, host, vmswitchd, rundir):
    """External switches on wires of a kind: (switch, station's side)."""
    made = []

    def add(kind, *words):
        wire = uplinks.WIRES[kind](host, vmswitchd, rundir)
        made.append(wire)
        lan = External(vmswitchd, rundir, wire, *words)
        made.append(lan)
        return lan
    yield add
    for one in reversed(made):
        if isinstance(one, Lan):
            one.close()
    for one in made:
        if not isinstance(one, Lan):
            one.unplug()
            vmswitchd.clear()
            one.close()


def wakes_it(lan, sender, receiver):
    """Frames from a sender to a sleeping worker: each wakes it, by its own bell, and arrives."""
    for seed in range(TIMES):
        before = wait_parked(lan.daemon)
        one = frame(receiver.mac, sender.mac, 100, seed=seed)
        sender.send(one)
        assert receiver.recv(5.0) == one
        after = worker(lan.daemon)
        assert after["wakes"] > before["wakes"] and after["awake_for"] is None
        # Found after the bell, not by the look every 100 ms.
        assert after["idle_wakes"] == before["idle_wakes"]


def test_host_port(vmswitchd, rundir, host):
    """The host sends on its interface, and gets what the guest sends while the worker sleeps."""
    lan = Lan(vmswitchd, rundir, "lan", ("internal",))
    try:
        a = lan.add("a", mac=mac(0xa))
        vmswitchd.check("port", "add", "h", "switch", "lan", "type", "host", "ifname", "vsh")
        lan.wait("h", lambda row: row["up"])
        with Station(host, "vsh") as station:
            a.send(frame(BROADCAST, a.mac, 60))
            assert station.recv(5.0) is not None
            wakes_it(lan, station, a)
            wakes_it(lan, a, station)
    finally:
        lan.close()


def test_host_port_with_queues(vmswitchd, rundir, host):
    """Each queue of the interface has a descriptor of its own."""
    lan = Lan(vmswitchd, rundir, "lan", ("internal",))
    try:
        a = lan.add("a", mac=mac(0xa))
        vmswitchd.check("port", "add", "h", "switch", "lan", "type", "host", "ifname", "vsh",
                        "queues", 2)
        lan.wait("h", lambda row: row["up"])
        with Station(host, "vsh") as station:
            a.send(frame(BROADCAST, a.mac, 60))
            assert station.recv(5.0) is not None
            # The kernel spreads by source and EtherType, too: more than one queue is met.
            for kind in range(0x9000, 0x9010):
                before = wait_parked(vmswitchd)
                one = frame(a.mac, station.mac, 100, kind=kind.to_bytes(2, "big"))
                station.send(one)
                assert a.recv(5.0) == one
                assert worker(vmswitchd)["wakes"] > before["wakes"]
    finally:
        lan.close()


def test_tap_guest(vmswitchd, rundir, host):
    """A guest on a TAP: the packet socket wakes the worker."""
    lan = Lan(vmswitchd, rundir)
    try:
        a = lan.add("a", mac=mac(0xa))
        with net.Tap(host, "vst") as tap:
            tap.mac = mac(0xb)
            vmswitchd.check("port", "add", "b", "switch", "lan", "type", "guest", "tap", "vst")
            lan.wait("b", lambda row: row["up"])
            tap.send(frame(BROADCAST, tap.mac, 60))
            assert a.recv(5.0) is not None
            wakes_it(lan, tap, a)
            vmswitchd.check("port", "del", "b")
    finally:
        lan.close()


@pytest.mark.parametrize("share", ["off", "on"])
def test_xdp_uplink(add_wire, share):
    """A frame from the wire rings an AF_XDP socket, or the helper TAP of a card that is shared."""
    lan = add_wire("xdp", "share-host", share)
    a = lan.add("a", mac=mac(0xa))
    meet(lan, a)
    wakes_it(lan, lan.station, a)
    wakes_it(lan, a, lan.station)
    before = wait_parked(lan.daemon)
    one = frame(BROADCAST, lan.station.mac, 90)
    lan.station.send(one)
    assert a.recv(5.0) == one
    assert worker(lan.daemon)["wakes"] > before["wakes"]


@pytest.mark.parametrize("kind", ["tap", pytest.param("memif", marks=pytest.mark.once)])
def test_dpdk_uplink(add_wire, kind):
    """A device of DPDK has nothing to sleep on. The worker naps, says for whom, and takes frames
    when it looks; how often that is is bounded, by 50 us, and by 500 us when all was quiet for a
    second. When the uplink is gone it parks."""
    lan = add_wire(kind)
    a = lan.add("a", mac=mac(0xa))
    meet(lan, a)
    row = wait_for(lambda: worker(lan.daemon), lambda row: row["state"] == "napping")
    assert row["awake_for"] == f"port {lan.uplink} has no descriptor to sleep on"
    for seed in range(TIMES):
        before = wait_for(lambda: worker(lan.daemon), lambda row: row["state"] == "napping")
        assert before["parks"] == row["parks"]
        one = frame(a.mac, lan.station.mac, 100, seed=seed)
        lan.station.send(one)
        assert a.recv(5.0) == one
    # Quiet for long: it still looks, so often.
    begin = time.monotonic()
    wait_for(time.monotonic, lambda now: now > begin + 1.2)
    first = worker(lan.daemon)
    wait_for(time.monotonic, lambda now: now > begin + 1.7)
    last = worker(lan.daemon)
    seconds = (last["total_cycles"] - first["total_cycles"]) / last["tsc_hz"]
    between = seconds * 1e6 / (last["rounds"] - first["rounds"])
    print(f"\n{kind}: a look every {between:.0f} us, aimed at {LONG_NAP_US} us")
    assert between < SLACK * LONG_NAP_US
    assert last["naps"] - first["naps"] >= (last["rounds"] - first["rounds"]) - 1
    lan.wire.unplug()
    lan.daemon.check("switch", "del", "lan", "force")
    assert wait_parked(lan.daemon)["awake_for"] is None
