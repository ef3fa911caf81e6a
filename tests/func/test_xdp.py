# SPDX-License-Identifier: BSD-3-Clause
"""xdp uplinks: long frames, several hw queues, what is changed on the interface and put back by
whatever end of the switch, the restart that nobody on the host notices, and what is refused."""

import os
import re
import struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

import net
from frames import BROADCAST, frame, text
from netns import Namespace, Station, finish_checksums, veth
from stream import Stream
from uplinks import (FLAG_NATIVE, FLAG_SKB, External, Veth, counters, drain, exchange, give_back,
                     link_info, meet, pins, program_on, put_program, queue_stats, refused, release,
                     same_again, settings, traces)
from vmswitchd import USER
from watch import wait_for

session_daemon = net.session_daemon
LEFT = "interface nic0 is as a killed switch left it"


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture
def wire(host, vmswitchd, rundir):
    """A veth pair between host and outside, given back in the end."""
    one = Veth(host, vmswitchd, rundir)
    before = traces(host, vmswitchd)
    yield one
    give_back(one, host, vmswitchd, before)


def external(vmswitchd, rundir, wire, *words):
    """The switch on the wire, its own alone unless words say otherwise."""
    return External(vmswitchd, rundir, wire, *(words or ("share-host", "off")))


@pytest.fixture
def hosts(wire, host):
    """Addresses for host and outside: (of the host, of the outside station)."""
    host.ip("addr", "add", "192.0.2.1/24", "dev", "nic0")
    wire.out.ip("addr", "add", "192.0.2.9/24", "dev", "w0")
    return "192.0.2.1", "192.0.2.9"


# ---- frames

def test_jumbo_frames(vmswitchd, rundir, wire, host):
    """MTU 9000: frames of several buffers come whole, both ways, and one byte more does not."""
    for ns, ifname in ((host, "nic0"), (wire.out, "w0")):
        ns.ip("link", "set", ifname, "mtu", 9000)
    lan = external(vmswitchd, rundir, wire)
    try:
        row = lan.port(lan.uplink)
        assert row["mtu"] == 9000 and "multi-buffer" in row["driver"]
        a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
        meet(lan, a)
        sizes = (1514, 1515, 3500, 3822, 3836, 3837, 4000, 4096, 4097, 8000, 8192, 8193, 9013, 9014)
        out = [frame(lan.station.mac, a.mac, size) for size in sizes]
        assert exchange(a, [*out, frame(lan.station.mac, a.mac, 9015)], lan.station) == [out]
        assert lan.drops(lan.uplink) == {"mtu_out": 1}
        back = [frame(a.mac, lan.station.mac, size) for size in sizes]
        assert exchange(lan.station, back, a) == [back]
    finally:
        lan.close()
        host.ip("link", "set", "nic0", "mtu", 1500)


def test_the_mtu_grows_under_it(vmswitchd, rundir, wire, host):
    """The interface gets another MTU: the port follows, without being added again."""
    lan = external(vmswitchd, rundir, wire)
    try:
        a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
        meet(lan, a)
        for mtu in (9000, 1300, 4000):
            for ns, ifname in ((host, "nic0"), (wire.out, "w0")):
                ns.ip("link", "set", ifname, "mtu", mtu)
            lan.wait(lan.uplink, lambda row: row["mtu"] == mtu)
            out = [frame(lan.station.mac, a.mac, size) for size in (1000, mtu + 14, mtu + 15)]
            assert exchange(a, out, lan.station) == [out[:2]]
            back = [frame(a.mac, lan.station.mac, mtu + 14)]
            assert exchange(lan.station, back, a) == [back]
    finally:
        lan.close()
        host.ip("link", "set", "nic0", "mtu", 1500)


def test_an_mtu_that_is_too_high(vmswitchd, rundir, wire, host):
    """It is refused with the limit named, one at the limit is taken; set later, the port says what
    does not pass, until it is lowered again."""
    def mtu(n):
        host.ip("link", "set", "nic0", "mtu", n)

    words = ("switch", "add", "lan", "type", "external", "uplink", "xdp:nic0", "share-host", "off")
    try:
        mtu(65535)
        before = traces(host, vmswitchd)
        said = refused(vmswitchd, ["interface nic0 has MTU 65535", "ip link set dev nic0 mtu 1500"],
                       *words)
        limit = int(re.search(r"an uplink here at most (\d+)", said)[1])
        assert 1500 < limit < 65535
        assert vmswitchd.json("switch", "show") == [] and traces(host, vmswitchd) == before
        mtu(limit + 1)
        refused(vmswitchd, [f"MTU {limit + 1}", f"at most {limit}"], *words)
        mtu(limit)
        lan = external(vmswitchd, rundir, wire)
        row = lan.port(lan.uplink)
        assert row["mtu"] == limit and not row["problem"]
        mtu(65535)
        row = lan.wait(lan.uplink, lambda row: row["problem"])
        assert row["up"] and "MTU 65535 was set" in row["problem"], row
        assert f"longer frames than that of MTU {limit} do not pass" in row["problem"], row
        a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
        meet(lan, a)
        mine = [frame(lan.station.mac, a.mac)]
        assert exchange(a, mine, lan.station) == [mine]
        mtu(1500)
        lan.wait(lan.uplink, lambda row: row["mtu"] == 1500 and not row["problem"])
        lan.close()
        vmswitchd.check("switch", "del", "lan", "force")
    finally:
        mtu(1500)


def flows(dst, src, count):
    """UDP packets of so many flows."""
    return [bytes(Ether(dst=text(dst), src=text(src)) /
                  IP(src="192.0.2.9", dst=f"192.0.2.{20 + n % 100}") /
                  UDP(sport=1000 + n, dport=2000 + 7 * n) / (b"%08d" % n))
            for n in range(count)]


def test_all_hw_queues_are_served(vmswitchd, rundir, wire, host):
    """Four queues: frames come on each of them, and none is left lying."""
    host.ip("link", "add", "nic4", "numtxqueues", 4, "numrxqueues", 4, "type", "veth",
            "peer", "name", "w4", "numtxqueues", 4, "numrxqueues", 4, "netns", wire.out.name)
    for ns, ifname in ((host, "nic4"), (wire.out, "w4")):
        finish_checksums(ns, ifname)
        ns.ip("link", "set", ifname, "up")
    vmswitchd.check("switch", "add", "four", "type", "external", "uplink", "xdp:nic4",
                    "share-host", "off")
    lan = External.__new__(External)
    lan.daemon, lan.rundir, lan.name, lan.guests, lan.wire = vmswitchd, rundir, "four", {}, wire
    try:
        lan.wait("four.uplink", lambda row: row["up"])
        row = lan.port("four.uplink")
        assert row["pairs"] == 4 and counters(lan)["hw-queues"] == 4
        a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
        with Station(wire.out, "w4") as station:
            mine = flows(a.mac, station.mac, 256)
            for one in mine:
                station.send(one)
            got = [a.recv(5.0) for _ in mine]
            assert sorted(got) == sorted(mine) and a.recv(0.05) is None
            seen = queue_stats(host, "nic4")
            for n in range(4):
                assert seen[f"rx_queue_{n}_xdp_packets"] > 0, seen
            assert counters(lan)["to_switch"] == len(mine)
            mine = flows(station.mac, a.mac, 64)
            for one in mine:
                a.send(one)
            assert sorted(station.recv(5.0) for _ in mine) == sorted(mine)
    finally:
        lan.close()
        vmswitchd.clear()
        host.ip("link", "del", "nic4")


# ---- what is changed, and put back

def features(ns, *names):
    """{name: "on", "off" or "off [fixed]"} of an interface's offloads."""
    rows = (line.split(":", 1) for line in settings(ns, "nic0")["features"].splitlines()[1:])
    return {name.strip(): value.strip() for name, value in rows if name.strip() in names}


@pytest.mark.parametrize("end", ["removed", "SIGTERM", "kill -9"])
@pytest.mark.parametrize("share", ["on", "off"])
@pytest.mark.parametrize("was", ["up", "down"])
def test_settings_are_put_back(vmswitchd, rundir, wire, host, end, share, was):
    """Tags are taken out by the interface at first, and it may be down; in the end it is so again,
    by whatever way the switch went."""
    host.ip("link", "set", "nic0", was)
    before = traces(host, vmswitchd)
    assert features(host, "rx-vlan-offload") == {"rx-vlan-offload": "on"}
    assert before["links"]["nic0"]["link"]["promiscuity"] == 0
    vmswitchd.check("switch", "add", "lan", "type", "external", "uplink", "xdp:nic0", "share-host",
                    share)
    row = host.link("nic0")
    assert row["promiscuity"] == 1 and "UP" in row["flags"] and program_on(host, "nic0")
    assert features(host, "rx-vlan-offload", "large-receive-offload") == {
        "rx-vlan-offload": "off", "large-receive-offload": "off [fixed]"}
    assert len(host.links() - set(before["links"]) - {"lo"}) == (share == "on")
    assert ("clsact" in settings(host, "nic0")["qdisc"]) == (share == "on")
    if end == "removed":
        vmswitchd.check("switch", "del", "lan")
    elif end == "SIGTERM":
        assert vmswitchd.stop() == 0
        vmswitchd.start()
    else:
        vmswitchd.kill()
        row = host.link("nic0")
        assert row["promiscuity"] == 0 and program_on(host, "nic0"), row
        assert features(host, "rx-vlan-offload") == {"rx-vlan-offload": "off"}
        assert "nic0: given back" in release(vmswitchd)
        assert "nothing was left" in release(vmswitchd)
        vmswitchd.start()
        assert LEFT not in vmswitchd.log_text().rsplit("ready: version", 1)[1]
    same_again(lambda: traces(host, vmswitchd), before)
    host.ip("link", "set", "nic0", "up")


def test_offloads_that_come_back(vmswitchd, rundir, wire, host):
    """Somebody turns one on under the switch's hands: the port says so, by name."""
    lan = external(vmswitchd, rundir, wire)
    assert not lan.port(lan.uplink)["problem"]
    host.exec("ethtool", "-K", "nic0", "rxvlan", "on")
    host.ip("link", "set", "nic0", "mtu", 1400)      # so that it is looked at
    lan.wait(lan.uplink, lambda row: "rx-vlan-hw-parse" in (row["problem"] or ""))
    host.exec("ethtool", "-K", "nic0", "rxvlan", "off")
    host.ip("link", "set", "nic0", "mtu", 1500)
    lan.wait(lan.uplink, lambda row: not row["problem"])


def test_an_old_clsact_stays(vmswitchd, rundir, wire, host):
    """A queueing discipline and a filter of somebody else are there before, during and after."""
    host.exec("tc", "qdisc", "add", "dev", "nic0", "clsact")
    host.exec("tc", "filter", "add", "dev", "nic0", "ingress", "prio", 7, "bpf", "bytecode",
              "1,6 0 0 0")
    before = settings(host, "nic0")
    external(vmswitchd, rundir, wire, "share-host", "on")
    assert "pref 7 " in settings(host, "nic0")["ingress"]
    vmswitchd.check("switch", "set", "lan", "share-host", "off")
    assert settings(host, "nic0")["ingress"] == before["ingress"]
    vmswitchd.check("switch", "del", "lan")
    assert settings(host, "nic0") == before
    host.exec("tc", "qdisc", "del", "dev", "nic0", "clsact")


# ---- the end of the switch, and its next beginning

def test_killed_and_started_again(vmswitchd, rundir, wire, host, hosts):
    """The host talks over the card all the time. The switch dies, is away for a while, comes back
    and takes over: the same link has a new program, and the connection never stopped."""
    lan = external(vmswitchd, rundir, wire, "share-host", "on")
    link, program = link_info(vmswitchd, host, "nic0")
    assert program_on(host, "nic0") == program
    with Stream(host, wire.out, hosts[1]) as there, Stream(wire.out, host, hosts[0]) as here:
        there.progress(1 << 20)
        here.progress(1 << 20)
        vmswitchd.kill()
        assert link_info(vmswitchd, host, "nic0") == (link, program)
        there.progress(4 << 20)
        here.progress(4 << 20)
        vmswitchd.start()
        assert LEFT in vmswitchd.log_text()
        there.progress(1 << 20)
        lan.close()
        lan = external(vmswitchd, rundir, wire, "share-host", "on")
        assert "taken over" in lan.port(lan.uplink)["driver"]
        again = link_info(vmswitchd, host, "nic0")
        assert again[0] == link and again[1] != program
        assert program_on(host, "nic0") == again[1]
        there.progress(4 << 20)
        here.progress(4 << 20)
    drain(lan)
    a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
    a.send(frame(BROADCAST, a.mac, 500))
    lan.station.expect(frame(BROADCAST, a.mac, 500))
    lan.station.send(frame(a.mac, lan.station.mac, 300))
    wait_for(lambda: a.recv(0.1), lambda one: one == frame(a.mac, lan.station.mac, 300))
    lan.close()


def test_killed_twice_and_restored(vmswitchd, rundir, wire, host):
    """What the interface was like at the very first is what it becomes in the end."""
    before = traces(host, vmswitchd)
    for _ in range(2):
        lan = external(vmswitchd, rundir, wire)
        lan.close()
        vmswitchd.kill()
        vmswitchd.start()
    lan = external(vmswitchd, rundir, wire)
    lan.close()
    vmswitchd.check("switch", "del", "lan")
    same_again(lambda: traces(host, vmswitchd), before)


def test_killed_and_taken_in_the_other_setting(vmswitchd, rundir, wire, host):
    """share-host on, killed, share-host off, killed, on again: nothing stays of the one before."""
    before = traces(host, vmswitchd)
    for share in ("on", "off", "on", "off"):
        lan = external(vmswitchd, rundir, wire, "share-host", share)
        lan.close()
        seen = settings(host, "nic0")
        assert ("vs_nic_in" in seen["ingress"]) == (share == "on"), seen
        assert ("vs_nic_out" in seen["egress"]) == (share == "on"), seen
        assert len([one for one in host.links() if one.startswith("vsu")]) == (share == "on")
        vmswitchd.kill()
        vmswitchd.start()
    assert release(vmswitchd)
    same_again(lambda: traces(host, vmswitchd), before)


def test_release_leaves_a_living_switch_alone(vmswitchd, rundir, wire, host):
    """--release-uplinks beside a daemon that runs: nothing of its own is touched."""
    lan = external(vmswitchd, rundir, wire)
    a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
    meet(lan, a)
    before = settings(host, "nic0"), pins(vmswitchd.rundir), link_info(vmswitchd, host, "nic0")
    assert "given back" not in release(vmswitchd)
    now = settings(host, "nic0"), pins(vmswitchd.rundir), link_info(vmswitchd, host, "nic0")
    assert now == before
    mine = [frame(lan.station.mac, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]
    lan.close()


# ---- what others do

@pytest.mark.parametrize("mode", [FLAG_SKB, FLAG_NATIVE], ids=["generic", "native"])
def test_a_foreign_program_stays(vmswitchd, wire, host, mode):
    """Named with its number and name, and left alone."""
    number = put_program(host, "nic0", mode)
    try:
        before = traces(host, vmswitchd)
        # Which name a program has the kernel tells root only.
        name = "name ?" if USER else "stranger"
        refused(vmswitchd, ["nic0", f"id {number}", name, "left alone"], "switch", "add",
                "lan", "type", "external", "uplink", "xdp:nic0")
        assert traces(host, vmswitchd) == before and program_on(host, "nic0") == number
    finally:
        host.ip("link", "set", "nic0", "xdpgeneric" if mode == FLAG_SKB else "xdpdrv", "off")


def test_two_daemons(vmswitchd, rundir, wire, host, tmp_path):
    """The interface of one daemon is not another daemon's, in whatever setting; the first one goes
    on."""
    lan = external(vmswitchd, rundir, wire)
    a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
    meet(lan, a)
    before = settings(host, "nic0"), link_info(vmswitchd, host, "nic0")
    with net.daemon_in(host, tmp_path) as second:
        for share in ("on", "off"):
            refused(second, ["nic0", "left alone"], "switch", "add", "lan", "type", "external",
                    "uplink", "xdp:nic0", "share-host", share)
        assert "nothing was left" in release(second)
    assert (settings(host, "nic0"), link_info(vmswitchd, host, "nic0")) == before
    mine = [frame(lan.station.mac, a.mac)]
    assert exchange(a, mine, lan.station) == [mine]
    lan.close()


def test_the_interface_goes_down_and_away(vmswitchd, rundir, host):
    """Set down, and removed: the port says which; the switch can be removed, and an interface of
    that name can be taken again."""
    one = Veth(host, vmswitchd, rundir, nic="nic7")
    try:
        lan = external(vmswitchd, rundir, one)
        host.ip("link", "set", "nic7", "down")
        row = lan.wait(lan.uplink, lambda row: not row["up"])
        assert row["state"] == "down" and "ip link set dev nic7 up" in row["problem"]
        host.ip("link", "set", "nic7", "up")
        lan.wait(lan.uplink, lambda row: row["up"])
        one.unplug()
        host.ip("link", "del", "nic7")
        row = lan.wait(lan.uplink, lambda row: row["state"] == "gone")
        assert "nic7 was removed" in row["problem"]
        vmswitchd.check("switch", "del", "lan")
        mounts, others = pins(vmswitchd.rundir)
        assert others == [] and len(mounts) == (1 if USER else 0), mounts
        assert not [name for name in os.listdir(vmswitchd.rundir) if name.startswith("uplink-")]
        veth(host, "nic7", one.out, "w0")
        lan = external(vmswitchd, rundir, one)
        a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
        mine = [frame(BROADCAST, a.mac)]
        assert exchange(a, mine, lan.station) == [mine]
        lan.close()
        vmswitchd.check("switch", "del", "lan", "force")
    finally:
        one.close()


@pytest.mark.parametrize("end", ["removed", "kill -9"])
def test_the_interface_is_renamed(vmswitchd, rundir, wire, host, end):
    """It stays the uplink, and is put back under its new name."""
    before = traces(host, vmswitchd)
    lan = external(vmswitchd, rundir, wire, "share-host", "on")
    a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
    host.ip("link", "set", "nic0", "down")
    host.ip("link", "set", "nic0", "name", "new0")
    host.ip("link", "set", "new0", "up")
    lan.wait(lan.uplink, lambda row: row["state"] == "running")
    a.send(frame(BROADCAST, a.mac))
    lan.station.expect(frame(BROADCAST, a.mac))
    lan.close()
    if end == "removed":
        vmswitchd.check("switch", "del", "lan", "force")
    else:
        wait_for(vmswitchd.log_text, lambda text: "nic0 is called new0 now" in text)
        vmswitchd.kill()
        assert "new0: given back" in release(vmswitchd)
        vmswitchd.start()
    host.ip("link", "set", "new0", "down")
    host.ip("link", "set", "new0", "name", "nic0")
    host.ip("link", "set", "nic0", "up")
    same_again(lambda: traces(host, vmswitchd), before)


# ---- the default route

WAYS = {
    "IPv4": [("route", "add", "default", "via", "192.0.2.9")],
    "IPv6": [("-6", "addr", "add", "fd00::1/64", "dev", "nic0", "nodad"),
             ("-6", "route", "add", "default", "via", "fd00::9")],
    "on a macvlan": [("link", "add", "mv5", "link", "nic0", "type", "macvlan"),
                     ("addr", "add", "198.51.100.1/24", "dev", "mv5"),
                     ("link", "set", "mv5", "up"),
                     ("route", "add", "default", "via", "198.51.100.9")],
}


@pytest.mark.parametrize("way", WAYS)
def test_the_default_route(vmswitchd, rundir, wire, host, hosts, way):
    """Refused without force, with a word about the route; taken with it, and the log has a
    warning. The route is still there."""
    host.sysctl("ipv6/conf/nic0/disable_ipv6", 0)
    for words in WAYS[way]:
        host.ip(*words)
    try:
        before = traces(host, vmswitchd)
        routes = host.ip("route"), host.ip("-6", "route", "show", "default")
        refused(vmswitchd, ["nic0", "default route", "force"], "switch", "add", "lan", "type",
                "external", "uplink", "xdp:nic0")
        vmswitchd.check("switch", "add", "lan", "type", "private")
        refused(vmswitchd, ["nic0", "default route", "force"], "switch", "set", "lan", "type",
                "external", "uplink", "xdp:nic0")
        vmswitchd.check("switch", "del", "lan")
        assert traces(host, vmswitchd) == before
        offset = len(vmswitchd.log_text())
        vmswitchd.check("switch", "add", "lan", "type", "external", "uplink", "xdp:nic0", "force")
        said = vmswitchd.log_text()[offset:]
        assert "nic0 carries the host's default route and becomes an uplink" in said
        assert (host.ip("route"), host.ip("-6", "route", "show", "default")) == routes
        vmswitchd.check("switch", "del", "lan")
    finally:
        host.exec("ip", "link", "del", "mv5", check=False)
        host.sysctl("ipv6/conf/nic0/disable_ipv6", 1)
        host.exec("ip", "route", "del", "default", check=False)


def test_the_default_route_of_dpdk(vmswitchd, wire, host, hosts):
    """The same for drivers of DPDK that work on an interface."""
    host.ip("route", "add", "default", "via", hosts[1])
    for words in ("dpdk:net_af_packet0,iface=nic0", "dpdk:net_tap0,iface=t0,remote=nic0"):
        before = traces(host, vmswitchd)
        refused(vmswitchd, ["nic0", "default route", "force"], "switch", "add", "lan", "type",
                "external", "uplink", words)
        assert traces(host, vmswitchd) == before
    host.ip("route", "del", "default")


def test_the_default_route_of_dpdk_by_force(vmswitchd, wire, host, hosts):
    """Taken, and the log has a warning that names the interface, but only where the route is."""
    def warnings(*force):
        offset = len(vmswitchd.log_text())
        vmswitchd.check("switch", "add", "lan", "type", "external", "uplink",
                        "dpdk:net_af_packet0,iface=nic0", *force)
        wait_for(lambda: vmswitchd.json("port", "show", "lan.uplink")[0], lambda row: row["up"])
        vmswitchd.check("switch", "del", "lan")
        return [line for line in vmswitchd.log_text()[offset:].splitlines()
                if "default route" in line]

    host.ip("route", "add", "default", "via", hosts[1])
    try:
        routes = host.ip("route")
        said = warnings("force")
        assert len(said) == 1 and "warning" in said[0] and "nic0" in said[0], said
        assert re.search("carries the (host's )?default route", said[0]), said
        assert host.ip("route") == routes
    finally:
        host.ip("route", "del", "default")
    assert warnings() == [] == warnings("force")


def test_a_service_tag_is_dropped(vmswitchd, rundir, wire, host):
    """A service tag is nobody's business here: it is dropped by name, not taken for a payload."""
    lan = external(vmswitchd, rundir, wire)
    a = lan.add("a", mac=b"\x02\0\0\0\0\x0a")
    meet(lan, a)
    one = frame(a.mac, lan.station.mac, 100)
    lan.station.send(one[:12] + struct.pack("!HH", 0x88a8, 5) + one[12:])
    assert exchange(lan.station, [one], a) == [[one]]
    assert lan.drops(lan.uplink) == {"vlan_service": 1}
    drain(lan)
    lan.close()
