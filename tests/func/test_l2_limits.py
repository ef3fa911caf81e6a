# SPDX-License-Identifier: BSD-3-Clause
"""What bounds a port and a table: size, ageing, addresses per port, learning rate, storms."""

import time

import pytest

from frames import BROADCAST, STRANGER, cross, frame, mac, many, teach, text
from watch import wait_for

# Teaches as any frame does, and goes to nobody.
RESERVED = bytes.fromhex("0180c200000e")
LEARN_RATE = 1000
STORM_DEFAULT = 10000
BUDGET = 512 * 1024


def test_fdb_size(trio, monitor):
    """A full table keeps what it has; the rest is flooded, and said once."""
    a, b, c = trio.guests.values()
    trio.daemon.check("switch", "set", "lan", "fdb-size", 4)
    for n in range(4):
        cross(a, frame(RESERVED, mac(n)))
    wait_for(trio.fdb, lambda fdb: len(fdb) == 4)
    monitor.clear()
    for n in range(4, 10):
        cross(a, frame(RESERVED, mac(n)))
        wait_for(trio.show, lambda row: row["fdb_full"] >= n - 3)
    assert trio.fdb() == {text(mac(n)): "a" for n in range(4)}
    assert trio.port("a")["macs"] == 4 and trio.show()["fdb_used"] == 4
    known, late = frame(mac(0), b.mac), frame(mac(9), b.mac)
    assert cross(b, [known, late], a, c) == [[known, late], [late]]
    assert monitor.count("fdb-full") == 1
    assert monitor.wait("fdb-full")["switch"] == "lan"

    # When there was room again, it is said again.
    trio.daemon.check("fdb", "flush", "switch", "lan")
    for n in range(6):
        cross(a, frame(RESERVED, mac(n)))
    assert monitor.wait("fdb-full", switch="lan") and len(wait_for(
        trio.fdb, lambda fdb: len(fdb) == 4)) == 4
    assert monitor.count("fdb-full") == 2


def test_fdb_resize(trio):
    """A table grows with what it knows, and does not shrink below it."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    known = trio.fdb()
    done = trio.daemon.run("switch", "set", "lan", "fdb-size", 2)
    assert done.returncode and "3 addresses" in done.stderr
    assert trio.show()["fdb_size"] == 8192
    for size in (3, 100000, 8):
        trio.daemon.check("switch", "set", "lan", "fdb-size", size)
        assert trio.show()["fdb_size"] == size
        assert trio.fdb() == known
        one = frame(b.mac, a.mac, seed=size)
        assert cross(a, one, b, c) == [[one], []]


def test_fdb_full_static(trio):
    """An address that does not fit into the table is not given to a port; nothing has changed."""
    a, b, c = trio.guests.values()
    trio.daemon.check("switch", "set", "lan", "fdb-size", 2)
    cross(a, [frame(RESERVED, mac(n)) for n in range(2)])
    full = wait_for(trio.fdb, lambda fdb: len(fdb) == 2)
    before = trio.port("b")
    done = trio.daemon.run("port", "set", "b", "mac", text(b.mac))
    assert done.returncode and "full" in done.stderr
    assert trio.fdb() == full and trio.port("b") == before
    done = trio.daemon.run("port", "add", "x", "switch", "lan", "type", "guest", "socket",
                           trio.rundir / "x.sock", "mac", text(b.mac))
    assert done.returncode and "full" in done.stderr
    assert len(trio.daemon.json("port", "show")) == 3
    # One that is in the table already needs no room, nor does one in place of the port's own.
    trio.daemon.check("port", "set", "b", "mac", text(mac(0)))
    assert trio.fdb() == {text(mac(0)): "b", text(mac(1)): "a"}
    for address in (mac(7), mac(8)):
        trio.daemon.check("port", "set", "b", "mac", text(address))
        assert trio.fdb() == {text(address): "b", text(mac(1)): "a"}
    trio.daemon.check("port", "set", "a", "mac", text(mac(9)))
    assert trio.fdb() == {text(mac(8)): "b", text(mac(9)): "a"}


def test_max_macs(trio, monitor):
    """A port has so many addresses learnt and no more; others' are not affected."""
    a, b, c = trio.guests.values()
    trio.daemon.check("port", "set", "a", "max-macs", 2)
    for n in range(5):
        cross(a, frame(RESERVED, mac(n)))
    monitor.wait("mac-limit", port="a")
    teach(trio, "b")
    assert trio.fdb() == {text(mac(0)): "a", text(mac(1)): "a", text(b.mac): "b"}
    row = trio.port("a")
    assert (row["macs"], row["max_macs"]) == (2, 2)
    known, late = frame(mac(1), b.mac), frame(mac(4), b.mac)
    assert cross(b, [known, late], a, c) == [[known, late], [late]]
    assert monitor.count("mac-limit") == 1

    # An address that is somebody else's does not move to a port that has enough.
    cross(a, frame(RESERVED, b.mac))
    teach(trio, "c")
    assert trio.fdb()[text(b.mac)] == "b"
    trio.daemon.check("port", "set", "a", "max-macs", 0)
    cross(a, [frame(RESERVED, mac(n)) for n in range(3)])
    teach(trio, "c")
    assert set(trio.fdb().values()) == {"b", "c"}


def test_learn_rate(lan):
    """One port may have a thousand new addresses a second learnt, a second's worth at once; what
    is beyond that is learnt later, and another port's learning is not held up."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    lan.daemon.check("port", "set", "a", "max-macs", 8000)
    begin = time.monotonic()
    many(a, [frame(RESERVED, mac(n, 0x0622)) for n in range(3000)])
    teach(lan, "b")
    learnt = lan.port("a")["macs"]
    took = time.monotonic() - begin
    assert LEARN_RATE <= learnt <= LEARN_RATE * (1 + took) + 1
    assert learnt < 3000, f"too slow to see a limit: {took} s"
    last = frame(RESERVED, mac(2999, 0x0622))

    def again():
        cross(a, last)
        return lan.fdb()
    wait_for(again, lambda fdb: text(mac(2999, 0x0622)) in fdb)
    assert b.recv(0) is None


def flood(lan, pps, count, dst=BROADCAST):
    """Set a storm limit, send so many frames at once; returns how many were flooded, how many
    were dropped, and the seconds that all took."""
    a = lan.guests["a"]
    before = lan.stats("a")["flooded"], lan.daemon.drops("a").get("storm", 0)
    begin = time.monotonic()
    if pps is not None:
        lan.daemon.check("port", "set", "a", "storm", pps)
    many(a, [frame(dst, a.mac)] * count)
    after = lan.stats("a")["flooded"], lan.daemon.drops("a").get("storm", 0)
    took = time.monotonic() - begin
    for guest in lan.guests.values():
        guest.recv_all(0)
    return after[0] - before[0], after[1] - before[1], took


@pytest.mark.parametrize("what", ["broadcast", "multicast", "unknown"])
def test_storm(trio, what, monitor):
    """So many flooded frames a second, a second's worth at once, the rest is dropped by name."""
    dst = {"broadcast": BROADCAST, "multicast": mac(1, 0x0100), "unknown": STRANGER}[what]
    flooded, dropped, took = flood(trio, 100, 1000, dst)
    assert flooded + dropped == 1000
    assert 100 <= flooded <= 100 * (1 + took) + 1
    assert trio.port("a")["storm"] == 100
    event = monitor.wait("storm", port="a")
    assert event["switch"] == "lan"
    assert monitor.count("storm") <= 2 + took


def test_storm_default(trio):
    """Without a word from anybody there is a limit of 10,000."""
    assert trio.port("a")["storm"] == STORM_DEFAULT
    flooded, dropped, took = flood(trio, None, 40000)
    assert flooded + dropped == 40000
    assert STORM_DEFAULT <= flooded <= STORM_DEFAULT * (1 + took) + 1
    assert dropped > 0, f"too slow to see a limit: {took} s"


def test_storm_off(trio, monitor):
    """0 is no limit."""
    flooded, dropped, took = flood(trio, 0, 20000)
    assert (flooded, dropped) == (20000, 0)
    assert took < 20, "a limit would not have been seen"
    assert trio.port("a")["storm"] == 0
    assert monitor.count("storm") == 0


def test_storm_spares_unicast(trio):
    """Frames to known addresses are no storm, and another port's limit is its own."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    flooded, dropped, _ = flood(trio, 1, 50)
    assert dropped > 0 and flooded + dropped == 50
    sent = [frame(b.mac, a.mac, seed=n) for n in range(200)]
    assert cross(a, sent, b) == [sent]
    other = frame(BROADCAST, b.mac)
    assert cross(b, other, a, c) == [[other], [other]]


def test_flood_budget(lan):
    """One visit to a port writes 512 KiB of flood copies, and what is left of the last frame; of a
    burst of long frames to unknown addresses the rest is dropped by name. Group addresses are known
    for what they are when they are taken, and none is lost."""
    a = lan.add("a", mac=mac(0xa), tx_buf_len=70000, mem_mib=64)
    others = [lan.add(f"p{i}", mac=mac(0x20 + i), rx_shape=[8192]) for i in range(10)]
    for name in ("a", *(f"p{i}" for i in range(10))):
        lan.daemon.check("port", "set", name, "mtu", 65535)
    size = 60000    # nine of them are a visit of half a MiB, and need 5.4 MB of copies
    sent = [frame(STRANGER, a.mac, size, seed=n) for n in range(9)]
    many(a, sent)
    fits = -(-BUDGET // (len(others) * size))
    assert fits < len(sent)
    for one in others:
        assert one.recv_all(0) == sent[:fits]
    assert lan.daemon.drops("a") == {"flood_budget": len(sent) - fits}
    sent = [frame(BROADCAST, a.mac, size, seed=n) for n in range(9)]
    many(a, sent)
    for one in others:
        assert one.recv_all(0) == sent
    assert lan.daemon.drops("a") == {"flood_budget": 9 - fits}


def refused(daemon, *words):
    """A command that must be refused; returns its complaint."""
    done = daemon.run(*words)
    assert done.returncode != 0, words
    return done.stderr


def test_ranges(trio):
    """Numbers out of range are refused, and nothing has changed."""
    before = trio.show(), trio.port("a")
    for number in (1, 9, 1000001):
        assert "fdb-ageing" in refused(trio.daemon, "switch", "set", "lan", "fdb-ageing", number)
    for number in (0, 1048577):
        assert "fdb-size" in refused(trio.daemon, "switch", "set", "lan", "fdb-size", number)
    for number in (67, 65536):
        assert "mtu" in refused(trio.daemon, "port", "set", "a", "mtu", number)
    for wrong in ("01:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"):
        refused(trio.daemon, "port", "set", "a", "mac", wrong)
    assert (trio.show(), trio.port("a")) == before
    for number in (0, 10, 1000000):
        trio.daemon.check("switch", "set", "lan", "fdb-ageing", number)
        assert trio.show()["fdb_ageing"] == number


@pytest.mark.long
def test_ageing(trio):
    """What was not seen for so long is forgotten, what is seen is kept, and what was given to a
    port stays. With 0 nothing is forgotten."""
    a, b, c = trio.guests.values()
    quiet, loud, given = text(a.mac), text(b.mac), text(mac(1))
    trio.daemon.check("port", "set", "c", "mac", given)
    trio.daemon.check("switch", "set", "lan", "fdb-ageing", 10)
    begin = time.monotonic()
    teach(trio, "a")

    def look():
        cross(b, frame(RESERVED, b.mac))
        return trio.fdb()
    wait_for(look, lambda fdb: loud in fdb)
    left = wait_for(look, lambda fdb: quiet not in fdb, 100)
    # Seconds are counted whole: not before nine are over, however slow the machine is.
    assert time.monotonic() - begin >= 9
    assert left == {loud: "b", given: "c"}
    one = frame(a.mac, b.mac)
    assert cross(b, one, a, c) == [[one], [one]]
    ages = {row["mac"]: row["age"] for row in trio.daemon.json("fdb", "show")}
    assert ages[loud] <= 1

    trio.daemon.check("switch", "set", "lan", "fdb-ageing", 0)
    teach(trio, "a")
    end = time.monotonic() + 13
    wait_for(trio.fdb, lambda fdb: quiet not in fdb or time.monotonic() > end, 20)
    assert set(trio.fdb()) == {quiet, loud, given}
