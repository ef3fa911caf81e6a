# SPDX-License-Identifier: BSD-3-Clause
"""Uplinks of every kind: guests and a station outside, through a veth pair that the switch has by
AF_XDP, a TAP and a shared memory that it has by DPDK. The wire's own side is judged as it comes:
raw frames, tags in them."""

import struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

import net
import uplinks
from frames import BROADCAST, KIND, STRANGER, frame, mac, noise, text
from netns import Namespace
from uplinks import drain, exchange, meet, program_on, refused, traces, wait_through
from victim import Victim
from watch import Monitor, wait_for

session_daemon, wire, lan = net.session_daemon, uplinks.wire, uplinks.lan

SIZES = (60, 61, 63, 64, 65, 127, 128, 129, 255, 256, 512, 1024, 1499, 1500, 1513, 1514)
GROUP = bytes.fromhex("01005e000105")


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


# What is the switch's doing, whatever wire there is; memif takes a second for each.
QUICK = pytest.mark.parametrize("wire", ["xdp", "tap"], indirect=True)


def tag(vid, priority=0, tpid=0x8100):
    """An 802.1Q tag, to stand in front of an EtherType."""
    return struct.pack("!HH", tpid, priority << 13 | vid)


def sent(lan, name):
    """Frames delivered to a port."""
    return lan.stats(name)["sent"]


# ---- frames

def test_sizes_both_ways(lan):
    """Whole frames of every length, in order, not one more."""
    a = lan.trio().guests["a"]
    meet(lan, a)
    out = [frame(lan.station.mac, a.mac, size, seed=1) for size in SIZES]
    back = [frame(a.mac, lan.station.mac, size, seed=2) for size in SIZES]
    before = lan.stats(lan.uplink)
    assert exchange(a, out, lan.station) == [out]
    assert exchange(lan.station, back, a) == [back]
    assert [len(got) for got in lan.rest("b")] == [2], "unicast was flooded"
    after = lan.stats(lan.uplink)
    for name in ("sent", "received"):
        assert after[name] - before[name] == len(SIZES) + 1
    assert not lan.drops("a") and not lan.drops(lan.uplink)


def test_short_frames_lose_nothing(lan):
    """Frames that are too short for Ethernet come whole, perhaps filled up with zeros."""
    a = lan.trio().guests["a"]
    meet(lan, a)
    short = [frame(lan.station.mac, a.mac, size, seed=3) for size in (14, 15, 33, 42, 59)]
    got, = exchange(a, short, lan.station)
    assert len(got) == len(short)
    for had, came in zip(short, got):
        assert came[:len(had)] == had and not came[len(had):].strip(b"\0")


@pytest.mark.parametrize("dst", [BROADCAST, GROUP, bytes.fromhex("333300000001")],
                         ids=["broadcast", "multicast", "multicast6"])
def test_groups_reach_everybody_once(lan, dst):
    lan.trio()
    everybody = [*lan.guests.values(), lan.station]
    for sender in everybody:
        others = [one for one in everybody if one is not sender]
        mine = [frame(dst, sender.mac, 100 + n, seed=n) for n in range(3)]
        assert exchange(sender, mine, *others) == [mine] * len(others)
        assert sender.recv_all(0.0) == []


@QUICK
@pytest.mark.parametrize("policy, reach", [
    (None, {"b"}), ("uplink", {"b"}), ("flood", {"b", "c"}), ("drop", set())])
def test_unknown_addresses(lan, policy, reach):
    """uplink, the default: out, and to guests that may have any address; c may not."""
    lan.trio()
    guests = lan.guests
    if policy:
        lan.daemon.check("switch", "set", "lan", "unknown", policy)
    meet(lan, *guests.values())
    mine = [frame(STRANGER, guests["a"].mac, 90)]
    got = exchange(guests["a"], mine, guests["b"], guests["c"], lan.station)
    assert got == [mine if "b" in reach else [], mine if "c" in reach else [],
                   mine if policy != "drop" else []]
    assert lan.drops("a") == ({"unknown_unicast": 1} if policy == "drop" else {})
    mine = [frame(STRANGER, lan.station.mac, 90)]
    got = exchange(lan.station, mine, *guests.values())
    expected = reach | ({"a"} if reach else set())
    assert got == [mine if name in expected else [] for name in guests]
    assert lan.drops(lan.uplink) == ({"unknown_unicast": 1} if policy == "drop" else {})


def test_a_station_that_moves_in(lan):
    """An address that was outside is a guest's now, and goes out again."""
    lan.trio()
    a, b, mover = lan.guests["a"], lan.guests["b"], mac(0x77)
    meet(lan, a, b)
    exchange(lan.station, [frame(BROADCAST, mover)], a)
    wait_for(lan.fdb, lambda fdb: fdb.get(text(mover)) == lan.uplink)
    to = [frame(mover, a.mac, 99)]
    drain(lan)
    assert exchange(a, to, lan.station, b) == [to, []]
    exchange(b, [frame(BROADCAST, mover)], a)
    wait_for(lan.fdb, lambda fdb: fdb.get(text(mover)) == "b")
    drain(lan)
    assert exchange(a, to, lan.station, b) == [[], to]
    exchange(lan.station, [frame(BROADCAST, mover)], a)
    wait_for(lan.fdb, lambda fdb: fdb.get(text(mover)) == lan.uplink)
    drain(lan)
    assert exchange(a, to, lan.station, b) == [to, []]


# ---- VLANs

def packets(dst, src):
    """An IPv4 and an IPv6 packet with all their checksums, without tag."""
    load = Raw(noise(200))
    return [bytes(Ether(dst=text(dst), src=text(src)) / one / UDP(sport=7, dport=9) / load)
            for one in (IP(src="192.0.2.1", dst="192.0.2.9"), IPv6(src="fd00::1", dst="fd00::9"))]


def tagged(one, vid, priority=0):
    """The same frame with a tag."""
    return one[:12] + tag(vid, priority) + one[12:]


def check_sums(one):
    """Lengths and checksums are those that scapy finds, with the tag it finds; returns the tag."""
    seen = Ether(one)
    again = seen.copy()
    for layer in (IP, IPv6, UDP):
        if layer in again:
            for name in ("len", "plen", "chksum"):
                if name in again[layer].fields:
                    delattr(again[layer], name)
    assert bytes(again) == one
    return seen[Dot1Q].vlan if Dot1Q in seen else 0


def test_access_adds_and_removes_the_tag(lan):
    """An access port is untagged, the wire is tagged; a guest elsewhere sees nothing of it."""
    lan.trio()
    a = lan.guests["a"]
    lan.daemon.check("port", "set", "a", "vlan", "access", 10)
    plain = packets(lan.station.mac, a.mac)
    got, = exchange(a, plain, lan.station)
    assert got == [tagged(one, 10) for one in plain]
    assert [check_sums(one) for one in got] == [10, 10]
    plain = packets(a.mac, lan.station.mac)
    got, = exchange(lan.station, [tagged(one, 10) for one in plain], a, tag=tag(10))
    assert got == plain and not [one for one in got if check_sums(one)]
    assert lan.rest("b", "c") == [[], []]


def test_trunks_pass_tags(lan):
    """A guest that tags by itself: its tags stand on the wire, its native VLAN's does not stand in
    the guest. What it may not use is dropped by name."""
    a = lan.trio().guests["a"]
    lan.daemon.check("port", "set", "a", "vlan", "trunk", "10,20-22", "native", 20)
    plain = packets(lan.station.mac, a.mac)[0]
    mine = [tagged(plain, 10), tagged(plain, 22), plain, tagged(plain, 30)]
    got, = exchange(a, mine, lan.station)
    assert got == [tagged(plain, 10), tagged(plain, 22), tagged(plain, 20)]
    assert [check_sums(one) for one in got] == [10, 22, 20]
    assert lan.drops("a") == {"vlan_denied": 1}
    back = packets(a.mac, lan.station.mac)[0]
    mine = [tagged(back, 10), tagged(back, 22), tagged(back, 20), tagged(back, 30), back]
    got, = exchange(lan.station, mine, a, tag=tag(10))
    assert got == [tagged(back, 10), tagged(back, 22), back]


def test_priority_on_the_wire(lan):
    """Priorities are 0 unless the port says otherwise; a priority tag is no VLAN."""
    a = lan.trio().guests["a"]
    lan.daemon.check("port", "set", "a", "vlan", "trunk", "10")
    plain = packets(lan.station.mac, a.mac)[0]
    mine = [tagged(plain, 10, 5), tagged(plain, 0, 5)]
    assert exchange(a, mine, lan.station) == [[tagged(plain, 10, 0), plain]]
    lan.daemon.check("port", "set", "a", "priority", "on")
    assert exchange(a, mine[:1], lan.station) == [[tagged(plain, 10, 5)]]


def test_vlans_are_apart(lan):
    """Three guests on VLANs of their own behind one uplink: each hears its own."""
    lan.trio()
    for n, name in enumerate("abc"):
        lan.daemon.check("port", "set", name, "vlan", "access", 10 + n)
    guests = list(lan.guests.values())
    mine = [[frame(BROADCAST, lan.station.mac, 100, seed=n)] for n in range(3)]
    for n, guest in enumerate(guests):
        mixed = [tagged(one[0], 10 + m) for m, one in enumerate(mine)]
        assert exchange(lan.station, mixed, guest, tag=tag(10 + n)) == [mine[n]]
        drain(lan)
    unused = [tagged(mine[0][0], 99), mine[0][0]]
    exchange(lan.station, unused, guests[0], tag=tag(10))
    assert lan.drops(lan.uplink)["vlan_unused"] == 1
    assert lan.rest("a", "b", "c") == [[], [], []]
    for n, guest in enumerate(guests):
        out = [frame(BROADCAST, guest.mac, 100, seed=n)]
        assert exchange(guest, out, lan.station) == [[tagged(out[0], 10 + n)]]


def test_the_uplink_on_some_vlans(lan):
    """`port set lan.uplink vlan`: what is not on it does not leave, and does not come in."""
    lan.trio()
    a, b = lan.guests["a"], lan.guests["b"]
    lan.daemon.check("port", "set", "a", "vlan", "access", 10)
    lan.daemon.check("port", "set", "b", "vlan", "access", 20)
    lan.daemon.check("port", "set", lan.uplink, "vlan", "trunk", 20, "native", 10)
    mine = [frame(BROADCAST, a.mac, 70, seed=4)]
    assert exchange(a, mine, lan.station) == [mine]
    mine = [frame(BROADCAST, b.mac, 70, seed=5)]
    assert exchange(b, mine, lan.station) == [[tagged(mine[0], 20)]]
    mine = [frame(BROADCAST, lan.station.mac, 70, seed=6)]
    exchange(lan.station, [tagged(mine[0], 30)], a)
    assert lan.drops(lan.uplink) == {"vlan_denied": 1}
    assert exchange(lan.station, mine, a) == [mine]


def test_a_full_frame_with_a_tag(lan):
    """A tag does not count as part of the MTU, in either direction."""
    a = lan.trio().guests["a"]
    lan.daemon.check("port", "set", "a", "vlan", "access", 10)
    out = [frame(lan.station.mac, a.mac, size) for size in (1510, 1511, 1514)]
    assert exchange(a, out, lan.station) == [[tagged(one, 10) for one in out]]
    back = [frame(a.mac, lan.station.mac, size) for size in (1510, 1511, 1514)]
    assert exchange(lan.station, [tagged(one, 10) for one in back], a, tag=tag(10)) == [back]


# ---- limits and changes

def test_longer_than_the_mtu(lan):
    """Such frames do not leave, by name; guests send them to each other all the same."""
    lan.trio()
    a, b = lan.guests["a"], lan.guests["b"]
    meet(lan, a, b)
    exchange(a, [frame(lan.station.mac, a.mac, size) for size in (1515, 4000, 9230)], lan.station)
    assert lan.drops(lan.uplink) == {"mtu_out": 3}
    drain(lan)
    long = [frame(b.mac, a.mac, 9000)]
    assert exchange(a, long, b) == [long]


def test_the_mtu_changes(lan):
    """dpdk: by `port set`, within the device's limits, which are named. xdp: by the
    interface, which the port follows."""
    a = lan.trio().guests["a"]
    meet(lan, a)
    if lan.wire.kind == "xdp":
        refused(lan.daemon, "mtu", "port", "set", lan.uplink, "mtu", 1400)
        lan.wire.host.ip("link", "set", "nic0", "mtu", 1400)
    else:
        said = refused(lan.daemon, "takes an MTU from", "port", "set", lan.uplink, "mtu", 9000)
        assert "net_" in said
        lan.daemon.check("port", "set", lan.uplink, "mtu", 1400)
    lan.wait(lan.uplink, lambda row: row["mtu"] == 1400)
    lan.wire.settle(lan)
    wait_through(lan, a)
    meet(lan, a)
    mine = [frame(lan.station.mac, a.mac, size) for size in (1414, 1415)]
    assert exchange(a, mine, lan.station) == [mine[:1]]
    assert lan.drops(lan.uplink) == {"mtu_out": 1}
    if lan.wire.kind == "xdp":
        lan.wire.host.ip("link", "set", "nic0", "mtu", 1500)
    else:
        lan.daemon.check("port", "set", lan.uplink, "mtu", 1500)
    lan.wait(lan.uplink, lambda row: row["mtu"] == 1500)
    lan.wire.settle(lan)
    wait_through(lan, a)
    meet(lan, a)
    assert exchange(a, mine, lan.station) == [mine]


def test_the_wire_is_cut(lan, monitor):
    """The port says so, with a reason; guests go on; what is for the wire is dropped by name."""
    lan.trio()
    a, b = lan.guests["a"], lan.guests["b"]
    meet(lan, a, b)
    outside = lan.station.mac
    lan.wire.cut()
    row = lan.wait(lan.uplink, lambda row: not row["up"])
    assert row["state"] == "no-carrier" and "carrier" in row["problem"]
    assert monitor.wait("port-down", port=lan.uplink)["text"] == row["problem"]
    mine = [frame(BROADCAST, a.mac, 77)]
    assert exchange(a, mine, b) == [mine]
    exchange(a, [frame(outside, a.mac, 77)], b)
    assert set(lan.drops(lan.uplink)) <= {"port_down", "uplink_down"} and lan.drops(lan.uplink)
    monitor.clear()
    lan.wire.mend()
    lan.wire.plug(lan)
    monitor.wait("port-up", port=lan.uplink)
    meet(lan, a, b)
    mine = [frame(lan.station.mac, a.mac, 77)]
    assert exchange(a, mine, lan.station) == [mine]


@QUICK
def test_link_down_by_command(lan):
    """`port set lan.uplink link down`: nothing passes; up: all is as before."""
    a = lan.trio().guests["a"]
    meet(lan, a)
    lan.daemon.check("port", "set", lan.uplink, "link", "down")
    lan.wait(lan.uplink, lambda row: not row["up"] and row["link"] == "down")
    a.send(frame(BROADCAST, a.mac))
    a.flush(timeout=5.0)
    before = lan.stats(lan.uplink)["received"]
    lan.station.send(frame(BROADCAST, lan.station.mac))
    wait_for(lambda: lan.stats(lan.uplink)["received"], lambda n: n > before)
    assert lan.drops(lan.uplink) == {"link_down": 1}
    lan.daemon.check("port", "set", lan.uplink, "link", "up")
    lan.wait(lan.uplink, lambda row: row["up"])
    assert lan.rest("a") == [[]] and lan.station.recv_all(0.0) == []
    mine = [frame(lan.station.mac, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]


def test_removed_and_added_again(lan, host):
    """Nothing is left of it, and it works as well as the first time."""
    a = lan.trio().guests["a"]
    for n in range(3):
        mine = [frame(BROADCAST, a.mac, 200, seed=n)]
        assert exchange(a, mine, lan.station) == [mine]
        lan.wire.unplug()
        lan.daemon.check("switch", "set", "lan", "type", "internal")
        assert lan.show()["type"] == "internal" and not lan.show()["uplink"]
        assert lan.uplink not in {row["name"] for row in lan.daemon.json("port", "show")}
        if lan.wire.kind == "xdp":
            assert program_on(host, "nic0") is None and host.link("nic0")["promiscuity"] == 0
        lan.daemon.check("switch", "set", "lan", "type", "external", "uplink", lan.wire.words,
                         "share-host", "off")
        lan.wire.plug(lan)


def test_the_kind_changes_under_traffic(lan):
    """external, internal, private, external: guests that talk to each other lose nothing."""
    with Victim(lan) as pair:
        for kind in ("internal", "private", "external", "internal", "external"):
            pair.progress()
            if kind == "external":
                lan.daemon.check("switch", "set", "lan", "type", kind, "uplink", lan.wire.words,
                                 "share-host", "off")
                lan.wire.plug(lan)
            else:
                lan.wire.unplug()
                lan.daemon.check("switch", "set", "lan", "type", kind)
        pair.progress()
        pair.stop()
        for way in pair.ways:
            assert not way.report(), way.report()
        for name in ("va", "vb"):
            assert not lan.drops(name)
    a = lan.trio().guests["a"]
    meet(lan, a)
    mine = [frame(lan.station.mac, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]


@QUICK
def test_a_switch_with_an_uplink_is_renamed(lan):
    """The uplink's port goes with it, and so does the traffic."""
    a = lan.trio().guests["a"]
    meet(lan, a)
    lan.daemon.check("switch", "set", "lan", "name", "wan")
    lan.name = "wan"
    assert lan.port("wan.uplink")["switch"] == "wan"
    mine = [frame(lan.station.mac, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]


def test_an_uplink_belongs_to_one_switch(lan):
    """A second switch does not get it, and the first one does not notice."""
    a = lan.trio().guests["a"]
    meet(lan, a)
    name = lan.wire.words.split(":")[1].split(",")[0]
    refused(lan.daemon, [name, lan.uplink], "switch", "add", "second", "type", "external", "uplink",
            lan.wire.words)
    lan.daemon.check("switch", "add", "second", "type", "private")
    refused(lan.daemon, [name, lan.uplink], "switch", "set", "second", "type", "external", "uplink",
            lan.wire.words)
    assert lan.daemon.json("switch", "show", "second")[0]["type"] == "private"
    mine = [frame(lan.station.mac, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]


def test_a_better_uplink_that_fails(lan):
    """The old one is there again, with what was set on it."""
    a = lan.trio().guests["a"]
    lan.daemon.check("port", "set", lan.uplink, "vlan", "trunk", "20", "native", 20)
    lan.daemon.check("port", "set", "a", "vlan", "access", 20)
    before = lan.port(lan.uplink)["vlan"]
    lan.wire.unplug()
    refused(lan.daemon, "nope", "switch", "set", "lan", "type", "external", "uplink", "xdp:nope")
    assert lan.show()["uplink"] == lan.wire.words
    assert lan.port(lan.uplink)["vlan"] == before and "20" in before
    lan.wire.plug(lan)
    mine = [frame(BROADCAST, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]


# ---- a wire with both ends in one card

def test_a_ring_that_comes_back(vmswitchd, rundir):
    """dpdk:net_ring0: what leaves comes in again. Each frame comes once, to the other guests, and
    does not go round."""
    one = uplinks.External(vmswitchd, rundir, Loop())
    try:
        for name, n in (("a", 0xa), ("b", 0xb)):
            one.add(name, "mac", text(mac(n)), mac=mac(n))
        a, b = one.guests.values()
        mine = [frame(BROADCAST, a.mac, size) for size in SIZES]
        for each in mine:
            a.send(each)
        a.flush(timeout=5.0)
        wait_for(lambda: one.stats(one.uplink)["received"], lambda n: n == len(mine))
        got = [b.recv(5.0) for _ in range(2 * len(mine))]
        assert sorted(got) == sorted(mine * 2) and b.recv(0.0) is None
        assert sent(one, one.uplink) == len(mine)
    finally:
        one.close()


class Loop:
    """net_ring0, which has nobody outside."""

    kind, words, station = "ring", "dpdk:net_ring0", None

    def plug(self, lan):
        """The switch has the uplink."""
        lan.wait(lan.uplink, lambda row: row["up"])


# ---- what is refused

@pytest.fixture(scope="module")
def spares(host):
    """The host with interfaces that are nobody's, some of no use."""
    host.ip("link", "add", "spare0", "type", "veth", "peer", "name", "x0")
    host.ip("link", "add", "bridge0", "type", "bridge")
    host.ip("link", "set", "x0", "master", "bridge0")
    yield host
    for name in ("bridge0", "spare0"):
        host.ip("link", "del", name)


BAD = [
    ("xdp:nope", ["'nope'", "ip link"]),
    ("xdp:spare", ["'spare'", "there is: spare0"]),
    ("xdp:spaer0", ["'spaer0'", "there is: spare0"]),
    ("xdp:lo", ["lo", "loopback"]),
    ("xdp:abcdefghijklmnop", ["abcdefghijklmnop", "too long"]),
    ("xdp:x0", ["x0", "bridge0", "nomaster"]),
    ("dpdk:net_foo", ["net_foo", "librte-net-"]),
    ("dpdk:net_tap0,ifcae=x", ["ifcae", "iface"]),
    ("dpdk:net_ring0,internal=0x1000", ["internal"]),
    ("dpdk:net_memif0,zero-copy=yes", ["zero-copy"]),
    ("dpdk:net_memif0,role=boss", ["net_memif0,role=boss"]),
    ("dpdk:0000:01:00.0", ["--pci 0000:01:00.0"]),
    ("dpdk:net_failsafe0,dev(0000:01:00.0)", ["--pci 0000:01:00.0"]),
    ("dpdk:net_tap0, iface=x", ["blank"]),
    ("dpdk:", ["xdp:IFNAME or dpdk:DEVARGS"]),
    ("eth0", ["'eth0'", "xdp:IFNAME or dpdk:DEVARGS"]),
    ("xdp:", ["xdp:IFNAME or dpdk:DEVARGS"]),
    ("dpdk:net_tap0,iface=" + "x" * 250, ["255"]),
]


@pytest.mark.parametrize("words, says", BAD, ids=[one[0][:40] for one in BAD])
def test_what_is_no_uplink(spares, vmswitchd, words, says):
    """It is named, and nothing is left behind."""
    before, fds = traces(spares, vmswitchd), vmswitchd.fds()
    refused(vmswitchd, says, "switch", "add", "lan", "type", "external", "uplink", words)
    assert vmswitchd.json("switch", "show") == [] == vmswitchd.json("port", "show")
    assert traces(spares, vmswitchd) == before
    wait_for(vmswitchd.fds, lambda n: n <= fds)


@pytest.mark.parametrize("words, says", [
    (("type", "external"), "xdp:IFNAME or dpdk:DEVARGS"),
    (("type", "private", "uplink", "xdp:lo"), "only an external switch"),
    (("type", "internal", "uplink", "xdp:lo"), "only an external switch"),
    (("type", "internal", "share-host", "on"), "only an external switch"),
])
def test_kinds_and_uplinks_that_do_not_go_together(vmswitchd, words, says):
    refused(vmswitchd, says, "switch", "add", "lan", *words)
    assert vmswitchd.json("switch", "show") == []


@QUICK
def test_what_an_uplink_port_does_not_do(lan):
    """It goes with its switch: no deletion, no move, no name of its own."""
    port = lan.uplink
    lan.daemon.check("switch", "add", "other", "type", "internal")
    with Monitor(lan.daemon) as news:
        for says, words in (("goes with its switch", ("port", "del", port)),
                            ("belongs to its switch", ("port", "set", port, "switch", "other")),
                            ("named after its switch", ("port", "set", port, "name", "x")),
                            ("only a host port", ("port", "set", port, "addr", "192.0.2.1/24"))):
            refused(lan.daemon, says, *words)
        a = lan.trio().guests["a"]
        mine = [frame(BROADCAST, a.mac, kind=KIND)]
        assert exchange(a, mine, lan.station) == [mine]
        assert not [one for one in news.sync() if one.get("port") == port]
