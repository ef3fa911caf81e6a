# SPDX-License-Identifier: BSD-3-Clause
"""Changes under traffic: type and name of a switch, name, link and switch of a port. Pairs of other
guests, on both switches concerned, must not lose, repeat or reorder one frame by it."""

import threading

import pytest

import net
from frames import BROADCAST, STRANGER, cross, frame, mac, teach, text
from lan import Lan
from victim import Victim, number_of, numbered
from watch import wait_for

pytestmark = pytest.mark.once

host, session_daemon = net.host, net.session_daemon
IPV6 = False

ROUNDS = 8
UPLINK = "dpdk:net_tap0,iface=vswire"
X = mac(1, 0x0255)
SLOW = 5.0              # seconds that a round of a pair may take at most on a busy machine


class Worlds:
    """Two switches, `left` and `right`, each with a pair that talks all the time and a guest that
    listens; and one guest that is moved about."""

    def __init__(self, daemon, rundir):
        self.daemon = daemon
        self.lans = [Lan(daemon, rundir, name) for name in ("left", "right")]
        left, right = self.lans
        self.pairs = [Victim(left, ("la", "lb")), Victim(right, ("ra", "rb"))]
        self.listeners = [left.add("ll", mac=mac(0xc1)), right.add("rl", mac=mac(0xc2))]
        self.mover = left.add("m", mac=mac(0xd1))
        self.seed = 0

    def fresh(self, dst, src):
        """A frame that was not there before."""
        self.seed += 1
        return frame(dst, src, 100, self.seed)

    def works(self, here):
        """What the moved guest sends and gets, at this moment: all of the one switch, and nothing
        of the other."""
        there = self.listeners[1 - here]
        hello = self.fresh(BROADCAST, self.mover.mac)
        near, far = cross(self.mover, hello, self.listeners[here], there)
        assert hello in near and hello not in far
        answer = self.fresh(self.mover.mac, self.listeners[here].mac)
        assert answer in cross(self.listeners[here], answer, self.mover)[0]
        for sender, comes in ((self.listeners[here], True), (there, False)):
            call = self.fresh(BROADCAST, sender.mac)
            assert (call in cross(sender, call, self.mover)[0]) == comes

    def close(self):
        """Hang up."""
        for one in self.lans:
            one.close()

    def __enter__(self):
        for one in self.pairs:
            one.__enter__()
        return self

    def __exit__(self, *exc):
        try:
            for one in self.pairs:
                if exc[0] is None:
                    one.check(SLOW)
        finally:
            for one in self.pairs:
                one.stop()


@pytest.fixture
def worlds(vmswitchd, rundir):
    """Both switches, with traffic; checked afterwards."""
    both = Worlds(vmswitchd, rundir)
    try:
        with both:
            yield both
    finally:
        both.close()


def progress(worlds):
    """Each pair gets on."""
    for pair in worlds.pairs:
        pair.progress(3)


def test_change_the_type(worlds, vmswitchd):
    """private, internal and back."""
    for n in range(ROUNDS):
        vmswitchd.check("switch", "set", "left", "type", ("internal", "private")[n % 2])
        worlds.works(0)
        progress(worlds)


def test_gain_and_lose_an_uplink(worlds, vmswitchd, host):
    """Internal, external and back: the uplink comes and goes beside the guests' traffic."""
    for _ in range(3):
        vmswitchd.check("switch", "set", "left", "type", "external", "uplink", UPLINK)
        progress(worlds)
        worlds.works(0)
        vmswitchd.check("switch", "set", "left", "share-host", "off")
        vmswitchd.check("switch", "set", "left", "type", "internal")
        progress(worlds)
        worlds.works(0)
        assert "vswire" not in host.links()


def test_rename(worlds, vmswitchd):
    """Switch and port."""
    names = ["left", "l-2", "l-3", "l-2", "left"]
    for old, new in zip(names, names[1:]):
        vmswitchd.check("switch", "set", old, "name", new)
        vmswitchd.check("port", "set", f"{old}.m" if old != "left" else "m", "name",
                        f"{new}.m" if new != "left" else "m")
        worlds.works(0)
        progress(worlds)


def test_move(worlds, vmswitchd):
    """A port to and fro: the very next frame is in its new switch."""
    for n in range(ROUNDS):
        there = (n + 1) % 2
        vmswitchd.check("port", "set", "m", "switch", worlds.lans[there].name)
        worlds.works(there)
        progress(worlds)


def test_move_while_it_talks(worlds, vmswitchd):
    """The moved port sends all the time, to an address that is there on both sides: each frame
    comes out once, in order, and on the side where the port was."""
    mover, sent = worlds.mover, 0
    got = [[], []]
    for lan, name in zip(worlds.lans, ("ll", "rl")):
        vmswitchd.check("fdb", "add", text(X), "switch", lan.name, "port", name)
    for n in range(ROUNDS):
        there = worlds.lans[(n + 1) % 2].name
        command = threading.Thread(target=vmswitchd.check,
                                   args=("port", "set", "m", "switch", there))
        command.start()
        while command.is_alive():
            for _ in range(16):
                mover.send(numbered(X, mover.mac, sent), timeout=5.0)
                sent += 1
            mover.flush(timeout=5.0)
            for side, guest in zip(got, worlds.listeners):
                side += [number_of(one) for one in guest.recv_all(0) if one[:6] == X]
        command.join()
    assert all(side == sorted(set(side)) for side in got)
    assert sorted(got[0] + got[1]) == list(range(sent))
    assert got[0] and got[1]


def test_link_down_and_up(worlds, vmswitchd):
    """Down stops that port alone, and at once; up is at once, too."""
    listener = worlds.listeners[0]
    for n in range(ROUNDS):
        vmswitchd.check("port", "set", "m", "link", "down")
        lost = worlds.fresh(BROADCAST, worlds.mover.mac)
        assert lost not in cross(worlds.mover, lost, listener)[0]
        lost = worlds.fresh(BROADCAST, listener.mac)
        assert lost not in cross(listener, lost, worlds.mover)[0]
        assert vmswitchd.drops("m")["link_down"] == n + 1
        vmswitchd.check("port", "set", "m", "link", "up")
        worlds.works(0)
        progress(worlds)
    assert set(vmswitchd.drops("m")) <= {"link_down", "port_down"}


def test_ports_come_and_go(worlds, vmswitchd, rundir):
    """New ports, and their end."""
    for n in range(ROUNDS):
        vmswitchd.check("port", "add", f"n{n}", "switch", "left", "type", "guest", "socket",
                        rundir / f"n{n}.sock", "mac", mac(n, 0x0277).hex(":"))
        progress(worlds)
    for n in range(ROUNDS):
        vmswitchd.check("port", "del", f"n{n}")
        progress(worlds)
    worlds.works(0)


# ---- what goes along with a port, and what does not ----

@pytest.fixture
def two(trio, vmswitchd, rundir):
    """The switch lan with guests a, b and c, and the switch other with guest d."""
    other = Lan(vmswitchd, rundir, "other")
    other.add("d", mac=mac(0xd))
    yield trio, other
    other.close()


def test_addresses_stay_behind(two, vmswitchd):
    """What was learnt of a port is forgotten where it leaves, and learnt anew where it comes."""
    lan, other = two
    a, b, c = lan.guests.values()
    d = other.guests["d"]
    teach(lan, "a", "b")
    vmswitchd.check("port", "set", "a", "switch", "other")
    assert lan.fdb() == {text(b.mac): "b"} and other.fdb() == {}
    assert lan.port("a")["switch"] == "other" and lan.port("a")["macs"] == 0
    assert (lan.show()["ports"], other.show()["ports"]) == (2, 2)
    one = frame(a.mac, c.mac)
    assert cross(c, one, a, b, d) == [[], [one], []]        # unknown, so flooded
    hello = frame(BROADCAST, a.mac)
    assert cross(a, hello, b, c, d) == [[], [], [hello]]
    wait_for(other.fdb, lambda fdb: fdb == {text(a.mac): "a"})
    back = frame(a.mac, d.mac)
    assert cross(d, back, a, b, c) == [[back], [], []]


def test_counters_begin_anew(two, vmswitchd):
    """The old switch keeps what was counted, so both add up."""
    lan, _ = two
    a = lan.guests["a"]
    cross(a, [frame(BROADCAST, a.mac)] * 5 + [frame(a.mac, mac(1))])
    assert lan.stats("a")["received"] == 6
    vmswitchd.check("port", "set", "a", "switch", "other")
    stats = lan.stats("a")
    assert (stats["switch"], stats["received"], stats["attempts"]) == ("other", 0, 0)
    assert vmswitchd.drops("a") == {}
    vmswitchd.audit()
    cross(a, frame(BROADCAST, a.mac))
    assert lan.stats("a")["received"] == 1
    vmswitchd.audit()


def test_settings_go_along(two, vmswitchd):
    """Own address, static addresses, cluster, VLANs, limits, link and VM."""
    lan, other = two
    words = ["mac", text(mac(0xe)), "mtu", 1400, "storm", 5, "max-macs", 6, "vm", "v", "cluster",
             text(mac(0xee)), "vlan", "access", 7, "priority", "on"]
    vmswitchd.check("port", "set", "a", *words)
    vmswitchd.check("fdb", "add", text(mac(0xef)), "switch", "lan", "port", "a", "vlan", 7)
    before = lan.port("a")
    vmswitchd.check("port", "set", "a", "switch", "other")
    after = lan.port("a")
    for key in ("mac", "mtu", "storm", "max_macs", "vm", "cluster", "vlan", "priority", "socket",
                "link"):
        assert after[key] == before[key], key
    rows = {(one["mac"], one["vlan"], one["origin"], one["switch"])
            for one in vmswitchd.json("fdb", "show")}
    assert rows == {(text(mac(0xe)), 7, "given", "other"), (text(mac(0xee)), 7, "cluster", "other"),
                    (text(mac(0xef)), 7, "static", "other")}
    assert lan.fdb() == {} and len(other.fdb()) == 3


@pytest.mark.parametrize("there,said", [
    (("port", "set", "d", "mac", text(mac(1))), "port 'd'"),
    (("port", "set", "d", "cluster", text(mac(1))), "port 'd'"),
    (("fdb", "add", text(mac(1)), "switch", "other", "port", "d"), "port 'd'"),
    (("port", "set", "d", "mac", text(mac(2))), "port 'd'"),
    (("port", "set", "d", "mac", text(mac(3))), "port 'd'"),
    (("switch", "del", "other", "force"), "'other'"),
])
def test_move_refused(two, vmswitchd, there, said):
    """An address that is somebody's there already; the port stays and works where it is."""
    lan, other = two
    a, b, _ = lan.guests.values()
    vmswitchd.check("port", "set", "a", "mac", text(mac(1)), "cluster", text(mac(2)))
    vmswitchd.check("fdb", "add", text(mac(3)), "switch", "lan", "port", "a")
    vmswitchd.check(*there)
    vmswitchd.refuses(said, "port", "set", "a", "switch", "other")
    one = frame(STRANGER, b.mac)
    assert cross(b, one, a) == [[one]]
    own = frame(b.mac, mac(1))
    assert cross(a, own, b) == [[own]]
    assert {text(mac(n)) for n in (1, 2, 3)} <= set(lan.fdb())


def test_move_to_a_full_table(two, vmswitchd):
    """No room for the port's own address there: it stays."""
    lan, other = two
    vmswitchd.check("port", "set", "a", "mac", text(mac(1)))
    vmswitchd.check("switch", "set", "other", "fdb-size", 1)
    vmswitchd.check("fdb", "add", text(mac(2)), "switch", "other", "port", "d")
    vmswitchd.refuses("the address table of switch 'other' is full",
                      "port", "set", "a", "switch", "other")
    assert lan.port("a")["switch"] == "lan" and lan.fdb() == {text(mac(1)): "a"}
    vmswitchd.check("switch", "set", "other", "fdb-size", 2)
    vmswitchd.check("port", "set", "a", "switch", "other")
    assert len(other.fdb()) == 2


def test_move_with_a_new_name(two, vmswitchd):
    """Several changes at once: all of them, or none."""
    lan, _ = two
    vmswitchd.refuses("'b' is there already", "port", "set", "a", "switch", "other", "name", "b",
                      "mtu", 1000)
    assert lan.port("a")["switch"] == "lan" and lan.port("a")["mtu"] != 1000
    vmswitchd.check("port", "set", "a", "switch", "other", "name", "z", "mtu", 1000)
    assert lan.port("z")["switch"] == "other" and lan.port("z")["mtu"] == 1000


def test_move_to_the_same_switch(two, vmswitchd):
    """Changes nothing."""
    lan, _ = two
    teach(lan, "a")
    before = lan.stats("a")
    vmswitchd.check("port", "set", "a", "switch", "lan")
    assert lan.stats("a") == before and len(lan.fdb()) == 1
