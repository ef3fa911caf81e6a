# SPDX-License-Identifier: BSD-3-Clause
"""An xdp uplink that the host shares with the switch, and one that it does not.

Three machines with TCP/IP stacks of their own: the host, whose card is the uplink, one outside on
the wire, and a guest. Its part is played by a host port that was moved into a namespace, or, where
raw frames are looked at, by a guest of our own.
"""

import pytest

import net
from frames import BROADCAST, frame, mac, text
from netns import Namespace, Station
from stream import Stream, transfer
from uplinks import (External, Veth, counters, drain, exchange, give_back, meet, program_on,
                     refused, release, traces)
from watch import wait_for

pytestmark = pytest.mark.once

session_daemon, host = net.session_daemon, net.host

ADDRESSES = {"host": ("192.0.2.1", "fd00::1"), "guest": ("192.0.2.5", "fd00::5"),
             "out": ("192.0.2.9", "fd00::9")}
GUEST_MAC = bytes.fromhex("020000000005")
WAYS = [(a, b) for a in ADDRESSES for b in ADDRESSES if a != b]
MULTICAST = bytes.fromhex("01005e7f0001")


def address(ns, ifname, name):
    """Give a machine its addresses."""
    four, six = ADDRESSES[name]
    ns.ip("addr", "add", f"{four}/24", "dev", ifname)
    ns.ip("-6", "addr", "add", f"{six}/64", "dev", ifname, "nodad")


@pytest.fixture
def wire(host, vmswitchd, rundir):
    """A veth pair between host and outside, both with addresses; given back in the end."""
    one = Veth(host, vmswitchd, rundir)
    one.out.sysctl("ipv6/conf/all/disable_ipv6", 0)
    address(host, "nic0", "host")
    address(one.out, "w0", "out")
    before = traces(host, vmswitchd)
    yield one
    give_back(one, host, vmswitchd, before)


@pytest.fixture
def lan(vmswitchd, rundir, wire):
    """The switch on the wire, shared; its guests are raw."""
    one = External(vmswitchd, rundir, wire, "share-host", "on")
    yield one
    one.close()


def add_guest(lan, mtu=1500):
    """A guest with a stack: its namespace. Closing that takes the guest's card away."""
    ns = Namespace("guest")
    lan.daemon.check("port", "add", "g", "switch", "lan", "type", "host", "mac", text(GUEST_MAC),
                     "mtu", mtu)
    lan.wire.host.ip("link", "set", "g", "netns", ns.name)
    ns.ip("link", "set", "g", "mtu", mtu, "up")
    address(ns, "g", "guest")
    return ns


@pytest.fixture
def machines(lan, host):
    """{name: namespace} of the three."""
    guest = add_guest(lan)
    yield {"host": host, "guest": guest, "out": lan.wire.out}
    if lan.daemon.alive() and "g" in {row["name"] for row in lan.daemon.json("port", "show")}:
        lan.daemon.check("port", "del", "g")
    guest.close()


def forget(machines):
    """Nobody knows anybody's hardware address."""
    for ns in machines.values():
        ns.ip("neigh", "flush", "all")


# ---- resolve and reach each other

@pytest.mark.parametrize("source, sink", WAYS)
def test_all_reach_each_other(machines, source, sink):
    """Each of the six ways, with ARP and with ND, nobody knowing anybody before."""
    for one in ADDRESSES[sink]:
        forget(machines)
        assert machines[source].ping(one)


def test_long_and_short_pings(machines):
    """Payloads from nothing to more than a frame takes (fragments)."""
    for source, sink in WAYS:
        for size in (0, 1, 1400, 1472, 1473, 4000):
            machines[source].exec("ping", "-n", "-q", "-c", 1, "-w", 10, "-s", size,
                                  ADDRESSES[sink][0], timeout=20)


@pytest.mark.parametrize("source, sink", WAYS)
def test_bulk(machines, source, sink):
    """TCP with all that the stacks do to it, IPv4 and IPv6: every byte comes."""
    for one in ADDRESSES[sink]:
        transfer(machines[source], machines[sink], one, 4 << 20)


def test_all_at_once(machines):
    """Six connections at the same time."""
    streams = [Stream(machines[a], machines[b], ADDRESSES[b][0], 2 << 20) for a, b in WAYS]
    for one in streams:
        one.__enter__()
    for one in streams:
        one.finish()
        one.__exit__(None, None, None)


def test_bulk_with_jumbo_frames(vmswitchd, rundir, wire, host):
    """The same with an MTU of 9000 all the way."""
    host.ip("link", "set", "nic0", "mtu", 9000)
    wire.out.ip("link", "set", "w0", "mtu", 9000)
    lan = External(vmswitchd, rundir, wire, "share-host", "on")
    guest = add_guest(lan, 9000)
    try:
        machines = {"host": host, "guest": guest, "out": wire.out}
        for source, sink in WAYS:
            machines[source].exec("ping", "-n", "-q", "-c", 1, "-w", 10, "-M", "do", "-s", 8972,
                                  ADDRESSES[sink][0], timeout=20)
            transfer(machines[source], machines[sink], ADDRESSES[sink][0], 4 << 20)
    finally:
        vmswitchd.check("port", "del", "g")
        guest.close()
        lan.close()
        vmswitchd.check("switch", "del", "lan")
        host.ip("link", "set", "nic0", "mtu", 1500)


# ---- broadcast and multicast: each of the other two, once

def only(frames, *wanted):
    """How often each of these is among the frames."""
    return [frames.count(one) for one in wanted]


def counts(receiver, wanted, quiet=0.05):
    """How often each of these came, when all of them have come and nothing follows. What the
    stacks say beside that does not matter."""
    got = []
    while not all(only(got, *wanted)):
        one = receiver.recv(5.0)
        assert one is not None, only(got, *wanted)
        got.append(one)
    return only(got + receiver.recv_all(quiet), *wanted)


@pytest.mark.parametrize("dst", [BROADCAST, MULTICAST], ids=["broadcast", "multicast"])
@pytest.mark.parametrize("vid", [None, 10])
def test_groups_come_once(lan, host, dst, vid):
    """Host, guest and outside each send; the other two have each frame once, the sender has it
    not at all. With a tag, too."""
    a = lan.add("a", *(("vlan", "trunk", "10") if vid else ()), mac=mac(1))
    tag = b"\x81\x00\x00\x0a" if vid else b""
    with Station(host, "nic0") as inside:
        members = {"guest": a, "host": inside, "out": lan.station}
        for name, sender in members.items():
            mine = [frame(dst, sender.mac, 200 + n, seed=f"{name}{n}", kind=tag + b"\x88\xb5")
                    for n in range(5)]
            for one in mine:
                sender.send(one)
            for other, receiver in members.items():
                if other == name:
                    continue
                assert counts(receiver, mine) == [1] * 5, f"{name} to {other}"
            assert only(sender.recv_all(0.05), *mine) == [0] * 5, f"{name} hears itself"


def test_unicast_is_for_one(lan, host):
    """Frames to the host do not come to guests, those to guests not to the host."""
    a = lan.add("a", mac=mac(1))
    b = lan.add("b", "mac", text(mac(2)), mac=mac(2))
    meet(lan, a, b)
    with Station(host, "nic0") as inside:
        pairs = [(lan.station, a), (lan.station, inside), (a, lan.station), (a, inside),
                 (inside, lan.station), (inside, a)]
        everybody = {a, b, inside, lan.station}
        for n, (source, sink) in enumerate(pairs):
            one = frame(sink.mac, source.mac, 300, seed=f"pair {n}")
            source.send(one)
            seen = wait_for(lambda: sink.recv(0.1), lambda got: got == one)
            assert seen == one
            for other in everybody - {source, sink}:
                assert one not in other.recv_all(0.02), f"pair {n}"
    assert counters(lan)["host_to_switch"] == 1


def test_a_station_is_one_of_its_vlan(lan, host):
    """A guest that the host knows on VLAN 10 is reached there, and not without a tag."""
    a = lan.add("a", "vlan", "access", 10, mac=mac(1))
    tag = b"\x81\x00\x00\x0a"
    with Station(host, "nic0") as inside:
        a.send(frame(BROADCAST, a.mac))
        inside.expect(frame(BROADCAST, a.mac, 64, kind=tag + b"\x88\xb5"))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(a.mac)) == "a")
        with_tag = frame(a.mac, inside.mac, 204, seed=1, kind=tag + b"\x88\xb5")
        without = frame(a.mac, inside.mac, 204, seed=2)
        inside.send(with_tag)
        assert counts(a, [with_tag[:12] + with_tag[16:]]) == [1]
        inside.send(without)
        lan.station.expect(without)
        assert with_tag not in lan.station.recv_all(0.02)
        lan.settled()
        assert without not in a.recv_all(0.0)


# ---- who is where

def test_a_guest_moves_away(lan, host, machines):
    """The guest's address appears on the wire, as after a migration: the host's frames go there at
    once, while it believes that nothing happened."""
    four = ADDRESSES["guest"][0]
    assert host.ping(four)
    before = counters(lan).get("forgotten", 0)
    lan.daemon.check("port", "del", "g")
    with Namespace("moved") as moved:
        lan.wire.out.ip("link", "add", "mv0", "link", "w0", "address", text(GUEST_MAC), "netns",
                        moved.name, "type", "macvlan", "mode", "bridge")
        moved.ip("link", "set", "mv0", "up")
        address(moved, "mv0", "guest")
        with Station(moved, "mv0") as there:
            there.send(frame(BROADCAST, GUEST_MAC))
        wait_for(lambda: counters(lan).get("forgotten", 0), lambda n: n > before)
        assert text(GUEST_MAC) in host.ip("neigh", "show", four)
        assert host.ping(four)
        assert machines["out"].ping(ADDRESSES["host"][0])


def test_a_guest_moves_in(lan, host):
    """The other way round: a station of the wire is behind the switch from now on."""
    mover = mac(0x33)
    a = lan.add("a", mac=mover)
    with Station(host, "nic0") as inside:
        out = [frame(mover, inside.mac, 200, seed=n) for n in range(3)]
        lan.station.send(frame(BROADCAST, mover))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(mover)) == lan.uplink)
        inside.send(out[0])
        lan.station.expect(out[0])
        a.send(frame(BROADCAST, mover, seed=1))
        inside.expect(frame(BROADCAST, mover, seed=1))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(mover)) == "a")
        drain(lan)
        inside.send(out[1])
        wait_for(lambda: a.recv(0.1), lambda got: got == out[1])
        assert out[1] not in lan.station.recv_all(0.02)
        lan.station.send(frame(inside.mac, mover))
        inside.expect(frame(inside.mac, mover))
        lan.station.send(frame(BROADCAST, mover))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(mover)) == lan.uplink)
        inside.send(out[2])
        lan.station.expect(out[2])


def test_the_hosts_address_changes(lan, host, machines):
    """`ip link set nic0 address`: frames to the new one are the host's."""
    old = host.link("nic0")["address"]
    try:
        host.ip("link", "set", "nic0", "address", "02:00:00:00:00:77")
        lan.wait(lan.uplink, lambda row: row["device_mac"] == "02:00:00:00:00:77")
        forget(machines)
        for name in ("guest", "out"):
            for one in ADDRESSES["host"]:
                assert machines[name].ping(one)
    finally:
        host.ip("link", "set", "nic0", "address", old)
        lan.wait(lan.uplink, lambda row: row["device_mac"] == old)
        host.exec("ip", "-6", "addr", "add", "fd00::1/64", "dev", "nic0", "nodad", check=False)


def test_without_a_wire(lan, host, machines):
    """The cable is out: host and guest go on; it is in again: so does everybody."""
    lan.wire.cut()
    lan.wait(lan.uplink, lambda row: row["state"] == "no-carrier")
    assert lan.port(lan.uplink)["up"]
    assert host.ping(ADDRESSES["guest"][0]) and machines["guest"].ping(ADDRESSES["host"][0])
    lan.wire.mend()
    lan.wire.out.exec("ip", "-6", "addr", "add", "fd00::9/64", "dev", "w0", "nodad", check=False)
    lan.wait(lan.uplink, lambda row: row["state"] == "running")
    for source, sink in WAYS:
        assert machines[source].ping(ADDRESSES[sink][0])


# ---- on and off

def quiet(inside, frames):
    """None of the frames came to the host."""
    assert only(inside.recv_all(0.1), *frames) == [0] * len(frames)


def for_the_host(lan, inside):
    """Frames that a host would take: to itself, to all, to a group, and ARP."""
    arp = bytes.fromhex("0001080006040001") + lan.station.mac + bytes([192, 0, 2, 9]) + \
        bytes(6) + bytes([192, 0, 2, 1])
    return [frame(dst, lan.station.mac, 100, seed=dst) for dst in
            (inside.mac, BROADCAST, MULTICAST)] + \
        [BROADCAST + lan.station.mac + b"\x08\x06" + arp]


def test_off_means_nothing(vmswitchd, rundir, wire, host):
    """share-host off: the kernel gets nothing at all, and guest and outside have each other."""
    lan = External(vmswitchd, rundir, wire, "share-host", "off")
    try:
        a = lan.add("a", mac=mac(1))
        meet(lan, a)
        with Station(host, "nic0") as inside:
            mine = for_the_host(lan, inside)
            for one in mine:
                lan.station.send(one)
            assert counts(a, mine) == [1] * len(mine)
            mine = [frame(inside.mac, a.mac, 100)]
            a.send(mine[0])
            assert counts(lan.station, mine) == [1]
            assert not wire.out.ping(ADDRESSES["host"][0], seconds=1, check=False)
            quiet(inside, for_the_host(lan, inside) + mine)
        refused(vmswitchd, "share-host on", "port", "add", "h", "switch", "lan", "type", "host")
        assert not [one for one in host.links() if one.startswith("vsu")]
    finally:
        lan.close()


def test_switched_at_run_time(lan, host):
    """off and on again, guest and outside talking all the while, and nothing of that is lost."""
    a = lan.add("a", mac=mac(1))
    meet(lan, a)
    number = 0
    for share in ("off", "on", "off", "on"):
        mine = [frame(a.mac, lan.station.mac, 100 + n, seed=n) for n in range(20)]
        for one in mine[:10]:
            lan.station.send(one)
        lan.daemon.check("switch", "set", "lan", "share-host", share)
        for one in mine[10:]:
            lan.station.send(one)
        assert counts(a, mine) == [1] * 20
        assert lan.show()["share_host"] == (share == "on")
        assert host.ping(ADDRESSES["out"][0], seconds=1 if share == "off" else 5,
                         check=share == "on") == (share == "on")
        with Station(host, "nic0") as inside:
            number += 1
            one = frame(BROADCAST, lan.station.mac, 90, seed=f"at {number}")
            lan.station.send(one)
            wait_for(lambda: a.recv(0.1), lambda got: got == one)
            if share == "on":
                inside.expect(one)
            else:
                quiet(inside, [one])


def test_off_is_refused_beside_a_host_port(lan, machines):
    """A host port is there only with sharing; it is named."""
    refused(lan.daemon, "host port 'g' stands in the way", "switch", "set", "lan", "share-host",
            "off")
    assert machines["host"].ping(ADDRESSES["out"][0])


@pytest.mark.parametrize("share", ["on", "off"])
def test_while_the_switch_is_dead(vmswitchd, rundir, wire, host, share):
    """on: the host has the whole wire, broadcasts included. off: it has nothing, not now either."""
    lan = External(vmswitchd, rundir, wire, "share-host", share)
    lan.close()
    vmswitchd.kill()
    assert program_on(host, "nic0")
    with Station(host, "nic0") as inside:
        mine = for_the_host(lan, inside)
        for one in mine:
            lan.station.send(one)
        if share == "off":
            quiet(inside, mine)
            assert not host.ping(ADDRESSES["out"][0], seconds=1, check=False)
        else:
            assert counts(inside, mine) == [1] * len(mine)
            for name in ADDRESSES["out"]:
                host.ip("neigh", "flush", "all")
                assert host.ping(name)
            transfer(host, wire.out, ADDRESSES["out"][0], 1 << 20)
    assert release(vmswitchd)
    assert host.ping(ADDRESSES["out"][0])
    vmswitchd.start()


def test_the_hosts_connection_outlives_the_switch(vmswitchd, rundir, wire, host):
    """Host and guest talk, host and outside talk, the switch is killed and comes back: the one
    with the wire never stops, the one with the guest goes on."""
    lan = External(vmswitchd, rundir, wire, "share-host", "on")
    guest = add_guest(lan)
    with Stream(host, wire.out, ADDRESSES["out"][0]) as outside, \
            Stream(host, guest, ADDRESSES["guest"][0]) as inside:
        outside.progress(1 << 20)
        inside.progress(1 << 20)
        vmswitchd.kill()
        outside.progress(2 << 20)
        vmswitchd.start()
        lan = External(vmswitchd, rundir, wire, "share-host", "on")
        outside.progress(2 << 20)
        # The guest's card is taken over by its name, which takes it to be here.
        guest.ip("link", "set", "g", "netns", host.name)
        vmswitchd.check("port", "add", "g", "switch", "lan", "type", "host", "mac",
                        text(GUEST_MAC))
        host.ip("link", "set", "g", "netns", guest.name)
        guest.ip("link", "set", "g", "up")
        guest.exec("ip", "addr", "add", "192.0.2.5/24", "dev", "g", check=False)
        inside.progress(1 << 20)
        outside.progress(1 << 20)
    vmswitchd.check("port", "del", "g")
    guest.close()


def test_nobody_draws_the_hosts_frames_away(lan, host, machines):
    """A guest that sends from the host's address is not learnt with it: the address is known from
    the first moment, follows the card's, and goes when the card is not shared."""
    old = host.link("nic0")["address"]

    def given():
        return [row["mac"] for row in lan.daemon.json("fdb", "show", "switch", "lan")
                if row["port"] == lan.uplink and row["origin"] == "given"]

    assert given() == [old]
    thief = lan.add("thief", mac=mac(0x44))
    exchange(thief, [frame(BROADCAST, bytes.fromhex(old.replace(":", "")), seed=n)
                     for n in range(20)], lan.station)
    assert given() == [old]
    assert machines["guest"].ping(ADDRESSES["host"][0])
    refused(lan.daemon, lan.uplink, "port", "set", "thief", "mac", old)
    try:
        host.ip("link", "set", "nic0", "address", "02:00:00:00:00:77")
        wait_for(given, lambda rows: rows == ["02:00:00:00:00:77"])
    finally:
        host.ip("link", "set", "nic0", "address", old)
        wait_for(given, lambda rows: rows == [old])
    lan.daemon.check("port", "del", "g")
    lan.daemon.check("switch", "set", "lan", "share-host", "off")
    assert given() == []
