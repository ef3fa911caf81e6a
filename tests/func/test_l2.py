# SPDX-License-Identifier: BSD-3-Clause
"""Layer 2: who gets a frame, what is learnt, and what guards that."""

import pytest

from frames import BROADCAST, STRANGER, cross, frame, mac, teach, text
from watch import wait_for

pytestmark = pytest.mark.once

GROUPS = {
    "broadcast": BROADCAST,
    "IPv4 multicast": bytes.fromhex("01005e000001"),
    "IPv6 multicast": bytes.fromhex("333300000001"),
    "the first address behind the reserved ones": bytes.fromhex("0180c2000010"),
}


def test_learn(trio):
    """After one frame from it, a guest's frames come to it alone."""
    a, b, c = trio.guests.values()
    assert trio.fdb() == {}
    hello = frame(BROADCAST, a.mac)
    assert cross(a, hello, a, b, c) == [[], [hello], [hello]]
    wait_for(trio.fdb, lambda fdb: fdb == {text(a.mac): "a"})
    row = trio.daemon.json("fdb", "show")[0]
    assert (row["switch"], row["port"], row["vlan"]) == ("lan", "a", 0) and row["age"] <= 5

    answer = frame(a.mac, b.mac, 100)
    assert cross(b, answer, a, b, c) == [[answer], [], []]
    assert trio.stats("b")["forwarded"] == 1 and trio.stats("b")["flooded"] == 0
    wait_for(trio.fdb, lambda fdb: fdb == {text(a.mac): "a", text(b.mac): "b"})
    assert trio.port("a")["macs"] == trio.port("b")["macs"] == 1
    assert trio.port("c")["macs"] == 0
    assert trio.show()["fdb_used"] == 2


def test_learn_from_every_packet(trio):
    """A unicast to a known address teaches as well as a broadcast."""
    a, b, c = trio.guests.values()
    teach(trio, "a")
    cross(b, frame(a.mac, b.mac), a, b, c)
    wait_for(trio.fdb, lambda fdb: fdb.get(text(b.mac)) == "b")
    reply = frame(b.mac, a.mac)
    assert cross(a, reply, b, c) == [[reply], []]


def test_move(trio, monitor):
    """An address that shows up at another port moves there at once."""
    a, b, c = trio.guests.values()
    roamer = mac(1)
    cross(a, frame(BROADCAST, roamer), b, c)
    wait_for(trio.fdb, lambda fdb: fdb == {text(roamer): "a"})
    cross(b, frame(BROADCAST, roamer), a, c)
    wait_for(trio.fdb, lambda fdb: fdb == {text(roamer): "b"})
    one = frame(roamer, c.mac)
    assert cross(c, one, a, b) == [[], [one]]
    assert trio.port("a")["macs"] == 0 and trio.port("b")["macs"] == 1
    event = monitor.wait("mac-moved", mac=text(roamer))
    assert event["port"] == "b" and "port a" in event["text"]


def test_unknown_unicast(trio):
    """A frame to an unknown address goes to everybody but its sender."""
    a, b, c = trio.guests.values()
    one = frame(STRANGER, a.mac)
    assert cross(a, one, a, b, c) == [[], [one], [one]]
    stats = trio.stats("a")
    assert (stats["flooded"], stats["forwarded"], stats["attempts"]) == (1, 0, 0)
    assert trio.stats("b")["attempts"] == trio.stats("b")["sent"] == 1


@pytest.mark.parametrize("kind", GROUPS)
def test_group(trio, kind):
    """Group addresses go to everybody but the sender, and are never learnt."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    for sender in (a, b, c):
        one = frame(GROUPS[kind], sender.mac, 200)
        others = [g for g in (a, b, c) if g is not sender]
        assert cross(sender, one, sender, *others) == [[], [one], [one]]
    assert set(trio.fdb()) == {text(g.mac) for g in (a, b, c)}


def test_hairpin(trio):
    """A frame never goes back where it came from, known destination or not."""
    a, b, c = trio.guests.values()
    inner = mac(1)
    cross(a, [frame(BROADCAST, a.mac), frame(BROADCAST, inner)])
    wait_for(trio.fdb, lambda fdb: set(fdb) == {text(a.mac), text(inner)})
    b.recv_all(0), c.recv_all(0)
    assert cross(a, [frame(inner, a.mac), frame(a.mac, inner), frame(a.mac, a.mac)],
                 a, b, c) == [[], [], []]
    assert trio.daemon.drops("a") == {"hairpin": 3}
    one = frame(STRANGER, a.mac)
    assert cross(a, one, a, b, c) == [[], [one], [one]]


def test_reserved(trio):
    """01-80-C2-00-00-00 to 0F are for the next bridge only, and we pass none of them on."""
    a, b, c = trio.guests.values()
    sent = [frame(bytes.fromhex("0180c20000") + bytes([n]), a.mac) for n in range(16)]
    assert cross(a, sent, a, b, c) == [[], [], []]
    assert trio.daemon.drops("a") == {"reserved_mac": 16}
    near = [bytes.fromhex(h) for h in ("0180c2000010", "0180c2000100", "0180c3000000")]
    sent = [frame(dst, a.mac) for dst in near]
    assert cross(a, sent, b, c) == [sent, sent]


@pytest.mark.parametrize("source", ["000000000000", "ffffffffffff", "01005e000001"])
def test_source_invalid(trio, source):
    """Nobody's source address is zero or a group."""
    a, b, c = trio.guests.values()
    assert cross(a, frame(b.mac, bytes.fromhex(source)), a, b, c) == [[], [], []]
    assert trio.daemon.drops("a") == {"src_invalid": 1}
    assert trio.fdb() == {}


def test_spoof(trio):
    """A port with an address of its own sends nothing under another one, and a frame that is
    refused for it teaches the switch nothing."""
    a, b, c = trio.guests.values()
    trio.daemon.check("port", "set", "b", "mac", text(b.mac))
    teach(trio, "a")
    before = trio.fdb()
    assert before == {text(a.mac): "a", text(b.mac): "b"}
    lies = [frame(c.mac, a.mac), frame(BROADCAST, a.mac), frame(a.mac, mac(1)),
            frame(BROADCAST, b.mac[:5] + bytes([b.mac[5] ^ 1]))]
    assert cross(b, lies, a, c) == [[], []]
    assert trio.daemon.drops("b") == {"spoof": len(lies)}
    assert trio.fdb() == before

    truth, to_a = frame(a.mac, b.mac), frame(a.mac, c.mac)
    assert cross(b, truth, a, c) == [[truth], []]
    assert cross(c, to_a, a, b) == [[to_a], []]
    trio.daemon.check("port", "set", "b", "mac", "any")
    free = frame(a.mac, mac(1))
    assert cross(b, free, a, c) == [[free], []]
    assert trio.daemon.drops("b") == {"spoof": len(lies)}


def test_static(lan):
    """An address given to a port is known without a frame, and nobody can take it away."""
    a = lan.add("a", "mac", text(mac(0xa)), mac=mac(0xa))
    b, c = lan.add("b", mac=mac(0xb)), lan.add("c", mac=mac(0xc))
    assert lan.fdb() == {text(a.mac): "a"}
    one = frame(a.mac, c.mac)
    assert cross(c, one, a, b) == [[one], []]
    teach(lan, "b", "c")
    theft = frame(BROADCAST, a.mac)
    assert cross(b, [theft, frame(c.mac, a.mac)], a, c) == [[theft], [theft, frame(c.mac, a.mac)]]
    teach(lan, "b")     # behind this, control has seen everything b said before
    assert lan.fdb()[text(a.mac)] == "a"
    assert cross(c, one, a, b) == [[one], []]
    lan.daemon.check("fdb", "flush", "switch", "lan")
    assert lan.fdb() == {text(a.mac): "a"}
    assert lan.port("a")["mac"] == text(a.mac)


def test_static_replaces(trio):
    """An address learnt somewhere moves to the port it is given to; one address, one port."""
    a, b, c = trio.guests.values()
    guest = mac(1)
    cross(b, frame(BROADCAST, guest))
    wait_for(trio.fdb, lambda fdb: fdb.get(text(guest)) == "b")
    trio.daemon.check("port", "set", "a", "mac", text(guest))
    assert trio.fdb()[text(guest)] == "a"
    assert trio.port("b")["macs"] == 0
    done = trio.daemon.run("port", "set", "b", "mac", text(guest))
    assert done.returncode and "'a'" in done.stderr
    assert trio.port("b")["mac"] is None
    trio.daemon.check("port", "set", "a", "mac", text(mac(2)))
    assert trio.fdb() == {text(mac(2)): "a"}


def test_set_mac_forgets(trio):
    """What was learnt at a port is void when it is given an address."""
    a, b, c = trio.guests.values()
    cross(a, [frame(BROADCAST, mac(n)) for n in range(1, 4)])
    wait_for(trio.fdb, lambda fdb: len(fdb) == 3)
    trio.daemon.check("port", "set", "a", "mac", text(a.mac))
    assert trio.fdb() == {text(a.mac): "a"}
    assert trio.port("a")["macs"] == 0


def test_flush(trio, monitor):
    """Flushed addresses are unknown again."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b")
    trio.daemon.check("fdb", "flush", "switch", "lan")
    assert trio.fdb() == {}
    assert trio.port("a")["macs"] == 0 and trio.show()["fdb_used"] == 0
    monitor.wait("fdb-flushed", switch="lan")
    one = frame(a.mac, b.mac)
    assert cross(b, one, a, c) == [[one], [one]]
    wait_for(trio.fdb, lambda fdb: fdb == {text(b.mac): "b"})


def test_port_del(trio):
    """A port takes its addresses with it; those of others stay."""
    a, b, c = trio.guests.values()
    trio.daemon.check("port", "set", "a", "mac", text(a.mac))
    teach(trio, "b", "c")
    trio.daemon.check("port", "del", "a")
    trio.daemon.check("port", "del", "b")
    assert trio.fdb() == {text(c.mac): "c"}
    trio.guests.pop("a").close(), trio.guests.pop("b").close()
    # Ports that come after them, in their places, have not inherited anything.
    d, e = trio.add("d", mac=mac(1)), trio.add("e", mac=mac(2))
    one = frame(b.mac, c.mac)
    assert cross(c, one, d, e) == [[one], [one]]
    assert trio.port("d")["macs"] == 0


def test_isolation(lan, vmswitchd, rundir):
    """Two switches have nothing in common, not even with the same addresses on both."""
    other = type(lan)(vmswitchd, rundir, "other")
    try:
        a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
        x, y = other.add("x", mac=mac(1)), other.add("y", mac=mac(2))
        z = other.add("z", mac=mac(3))
        teach(lan, "a")
        assert [g.recv_all(0) for g in (x, y, z)] == [[], [], []]
        assert other.fdb() == {} and lan.fdb() == {text(mac(1)): "a"}
        teach(other, "x", "y", "z")
        to = {name: frame(dst, b.mac) for name, dst in
              (("group", BROADCAST), ("same", mac(1)), ("there", mac(3)))}
        assert cross(b, list(to.values()), a) == [list(to.values())]
        assert [g.recv_all(0) for g in (x, y, z)] == [[], [], []]
        assert cross(y, [to["same"], to["group"]], x, z) == [
            [to["same"], to["group"]], [to["group"]]]
        assert [g.recv_all(0) for g in (a, b)] == [[], []]
        vmswitchd.check("fdb", "flush", "switch", "other")
        assert lan.fdb() and not other.fdb()
    finally:
        other.close()
