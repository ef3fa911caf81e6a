# SPDX-License-Identifier: BSD-3-Clause
"""Three external switches beside two network cards that nobody named: a management card with the
default route, and one for storage. Both stay as they were, and no frame crosses."""

import pytest

import net
from frames import BROADCAST, frame, mac, text
from netns import Namespace, Station, veth
from stream import Stream
from uplinks import External, exchange, said_by, same_again, settings, stat, traces
from watch import wait_for

session_daemon = net.session_daemon

OTHERS = ("mgmt0", "stor0")
UPLINKS = {"one": "xdp:nic1", "two": "xdp:nic2", "three": "dpdk:net_af_packet0,iface=nic3"}


@pytest.fixture(scope="module")
def host():
    """The host with five cards; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture(scope="module")
def out(host):
    """The other ends of the five wires."""
    with Namespace("out", ipv6=False) as one:
        for name in ("mgmt0", "stor0", "nic1", "nic2", "nic3"):
            veth(host, name, one, f"w-{name}", 9000 if name == "stor0" else 1500)
        host.ip("addr", "add", "192.0.2.1/24", "dev", "mgmt0")
        one.ip("addr", "add", "192.0.2.9/24", "dev", "w-mgmt0")
        host.ip("route", "add", "default", "via", "192.0.2.9")
        host.ip("addr", "add", "198.51.100.1/24", "dev", "stor0")
        one.ip("addr", "add", "198.51.100.9/24", "dev", "w-stor0")
        # Nobody asks for addresses by himself, at whatever moment.
        for ns, ifname, other, peer, four in (
                (host, "mgmt0", one, "w-mgmt0", "192.0.2.9"),
                (one, "w-mgmt0", host, "mgmt0", "192.0.2.1"),
                (host, "stor0", one, "w-stor0", "198.51.100.9"),
                (one, "w-stor0", host, "stor0", "198.51.100.1")):
            ns.ip("neigh", "replace", four, "lladdr", other.link(peer)["address"], "dev", ifname,
                  "nud", "permanent")
        yield one
        for name in ("mgmt0", "stor0", "nic1", "nic2", "nic3"):
            host.ip("link", "del", name)


class Wire:
    """A wire that stays whatever the switch does."""

    def __init__(self, out, words):
        self.words, self.nic = words, words[-4:]
        self.station = Station(out, f"w-{self.nic}")

    def plug(self, lan):
        """The switch has the uplink."""
        lan.wait(lan.uplink, lambda row: row["up"])


def state(host):
    """All about the two cards that can be asked for, and the routes."""
    return {name: (settings(host, name), said_by(host, "ip", "addr", "show", "dev", name),
                   said_by(host, "ethtool", "-g", name), said_by(host, "ethtool", "-c", name),
                   said_by(host, "ip", "maddr", "show", "dev", name))
            for name in OTHERS} | {"routes": said_by(host, "ip", "route")}


@pytest.fixture
def switches(vmswitchd, rundir, host, out):
    """{name: External}, each with a guest that has the name of its switch."""
    before = traces(host, vmswitchd)
    all_ = {}
    for n, (name, words) in enumerate(UPLINKS.items()):
        share = ("share-host", "on" if name == "two" else "off")
        all_[name] = External(vmswitchd, rundir, Wire(out, words), *share, name=name)
        all_[name].add(f"g-{name}", mac=mac(n))
    yield all_
    for one in all_.values():
        one.wire.station.close()
        one.close()
    vmswitchd.clear()
    same_again(lambda: traces(host, vmswitchd), before)


def guest_of(lan):
    """The one guest of a switch."""
    return lan.guests[f"g-{lan.name}"]


def test_other_cards_stay_as_they_were(vmswitchd, rundir, host, out):
    """Flags, programs, queueing disciplines, filters, offloads, MTU, promiscuous mode, addresses,
    groups and routes, from the first uplink that comes to the last that goes, and while somebody
    talks over both cards. What they do not do is counted: no frame but those."""
    before = state(host)
    with Stream(host, out, "192.0.2.9") as mgmt, Stream(out, host, "198.51.100.1") as storage:
        for turn in range(2):
            for name, words in UPLINKS.items():
                vmswitchd.check("switch", "add", name, "type", "external", "uplink", words,
                                "share-host", "on" if name == "two" else "off")
                assert state(host) == before, name
            mgmt.progress(1 << 19)
            storage.progress(1 << 19)
            assert {row["up"] for row in vmswitchd.json("port", "show")} == {True}
            for name in UPLINKS:
                vmswitchd.check("switch", "del", name)
                assert state(host) == before, (turn, name)
    assert state(host) == before


def test_no_frame_crosses(switches, host, out):
    """Frames of every kind into each wire and from each guest: each stays on its switch, and the
    two other cards see nothing of it, neither here nor at their other ends."""
    watched = [Station(ns, name) for name in OTHERS for ns, name in ((host, name),
                                                                      (out, f"w-{name}"))]
    quiet = {name: (stat(host, name), stat(host, name, "tx")) for name in OTHERS}
    groups = [BROADCAST, bytes.fromhex("01005e000001"), bytes.fromhex("0180c2000000"),
              bytes.fromhex("02ff00000001")]
    for lan in switches.values():
        guest, station = guest_of(lan), lan.station
        others = [member for one in switches.values() if one is not lan
                  for member in (guest_of(one), one.station)]
        for sender, receiver in ((guest, station), (station, guest)):
            mine = [frame(dst, sender.mac, 120, seed=f"{lan.name}{dst}") for dst in groups]
            # Group frames of a shared wire go another way than unicast ones.
            got, = exchange(sender, mine, receiver)
            missing = [one for one in mine if one not in got]
            for one in missing:
                if one[:6] != groups[2]:
                    assert wait_for(lambda: receiver.recv(0.1), lambda seen: seen == one)
        lan.settled()
        for member in others:
            assert member.recv_all(0.0) == [], lan.name
    for name in OTHERS:
        assert (stat(host, name), stat(host, name, "tx")) == quiet[name]
    for one in watched:
        assert one.recv_all(0.05) == []
        one.close()


def test_the_address_of_one_is_nobody_elsewhere(switches):
    """The same address on three switches is three stations."""
    same = mac(0x99)
    for lan in switches.values():
        exchange(lan.station, [frame(BROADCAST, same)], guest_of(lan))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(same)) == f"{lan.name}.uplink")
    one, two = switches["one"], switches["two"]
    one.settled()
    mine = [frame(same, guest_of(one).mac)]
    assert exchange(guest_of(one), mine, one.station) == [mine]
    assert not [got for got in two.station.recv_all(0.0) if got == mine[0]]
    assert not [got for got in guest_of(two).recv_all(0.0) if got == mine[0]]


def test_the_uplink_of_the_default_route_is_not_taken(vmswitchd, host, out):
    """Nor anything else that was not named: a refusal touches neither card."""
    before = state(host)
    for words in ("xdp:mgmt0", "dpdk:net_af_packet0,iface=mgmt0", "xdp:nic9", "xdp:stor"):
        done = vmswitchd.run("switch", "add", "four", "type", "external", "uplink", words)
        assert done.returncode == 1 and done.stderr
        assert state(host) == before, words
