# SPDX-License-Identifier: BSD-3-Clause
"""Queues of uplinks: whatever sorts the frames, everybody gets the same; and what is shown."""

import struct

import pytest

import net
import uplinks
from frames import BROADCAST, frame, mac
from netns import Namespace
from capture import Capture
from uplinks import at_once, meet
from watch import wait_for

session_daemon, wire, lan = net.session_daemon, uplinks.wire, uplinks.lan

SAME = "02:00:00:00:0f:0f"
SHARED = "02:bf:00:00:00:05"
ENGINES = ["off", "soft", "xdp"]
SEEN = {}  # what the first engine delivered: all others must do the same


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


pytestmark = pytest.mark.parametrize("wire", ["xdp"], indirect=True)


def tag(vid, priority=0):
    """An 802.1Q tag, to stand in front of an EtherType."""
    return struct.pack("!HH", 0x8100, priority << 13 | vid)


def turn(lan, engine):
    """Let this engine sort, and see that it does."""
    lan.daemon.check("vmq", "set", "lan", engine if engine in ("off", "soft") else "on")
    assert {row["engine"] for row in rows(lan).values()} == {engine}


def rows(lan):
    """{port: row} of vmq show."""
    return {row["port"]: row for row in lan.daemon.json("vmq", "show", "lan")}


def queues(lan):
    """Ports that have a queue of their own."""
    return {name for name, row in rows(lan).items() if row["queue"]}


def raw(text):
    """Bytes of an address."""
    return bytes.fromhex(text.replace(":", ""))


def busy_lan(lan):
    """Guests of all kinds: without a VLAN, on one, on two; one address on two VLANs, and one that
    two guests share."""
    lan.add("plain", "mac", "02:00:00:00:00:01", mac=raw("02:00:00:00:00:01"))
    lan.add("trunk", "mac", "02:00:00:00:00:04", "vlan", "trunk", "10,20",
            mac=raw("02:00:00:00:00:04"))
    for name, vid in (("ten", 10), ("twenty", 20)):
        lan.add(name, "vlan", "access", vid, mac=mac(vid))
        lan.daemon.check("fdb", "add", SAME, "switch", "lan", "port", name, "vlan", vid)
    for name in ("left", "right"):
        lan.add(name, "vlan", "access", 20, "cluster", SHARED, mac=mac(5))


def arrived(lan, name, n):
    """The frames that a guest got, at least n. What is in another queue may be late or early, so
    no frame to everybody tells that these have come."""
    first = [lan.guests[name].recv(5.0) for _ in range(n)]
    return first + lan.rest(name)[0]


def sendable(station):
    """{key: frame}: each destination without a tag, and with each."""
    sent = {}
    for dst in (raw("02:00:00:00:00:01"), raw("02:00:00:00:00:04"), raw(SAME), raw(SHARED),
                raw("02:00:00:00:00:99"), raw("01:80:c2:00:00:02"), BROADCAST):
        for head in (b"", tag(0), tag(0, 5), tag(10), tag(10, 3), tag(20), tag(30), tag(4095),
                     b"\x88\xa8\x00\x0a", tag(10) + tag(20)):
            one = frame(dst, station.mac, 100, seed=len(sent))
            sent[len(sent)] = one[:12] + head + one[12:]
    return sent


@pytest.mark.parametrize("engine", ENGINES)
def test_everybody_gets_the_same(lan, engine):
    """Tags of all kinds, an address on two VLANs, one that is shared, none: the same frames arrive
    and the same are dropped for the same reasons, whatever sorts."""
    busy_lan(lan)
    turn(lan, engine)
    sent = sendable(lan.station)
    for one in sent.values():
        lan.station.send(one)
    wait_for(lambda: lan.stats(lan.uplink)["received"], lambda n: n == len(sent))
    # The address of the station, the same in all of them, is another one each time.
    # In any order: what is in different queues has none.
    got = {name: sorted(one[:6] + one[12:] for one in frames)
           for name, frames in zip(lan.guests, lan.rest(*lan.guests))}
    got["drops"] = [lan.drops(name) for name in (lan.uplink, *lan.guests)]
    assert all(got.values()) and got == SEEN.setdefault("got", got)
    shown = rows(lan)
    assert ("to_queue" in lan.port(lan.uplink)["detail"]) == (engine == "xdp")
    if engine == "off":
        assert not queues(lan) and not any(row["frames"] for row in shown.values())
        return
    assert sum(row["frames"] for row in shown.values()) == len(sent)
    assert queues(lan) == {"plain", "ten", "twenty", "trunk"}
    # A tag behind the first one is nobody's business.
    assert {name: row["frames"] for name, row in shown.items() if row["frames"]} == {
        "plain": 3, "ten": 3, "twenty": 1, "trunk": 7,
        lan.uplink: len(sent) - 3 - 3 - 1 - 7}
    assert shown["ten"]["filters"] == f"{SAME} vlan 10"
    assert shown["plain"]["state"] == "running" and shown["trunk"]["filters_wanted"] == 3
    assert "no address" in shown["left"]["text"]


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_static_addresses_are_filters(lan, engine):
    """Those that come and go while the queues are in use, too; the row says why there is none."""
    turn(lan, engine)
    lan.add("bare", mac=mac(0xb))
    assert "has no address" in rows(lan)["bare"]["text"]
    lan.daemon.check("fdb", "add", SAME, "switch", "lan", "port", "bare")
    row = rows(lan)["bare"]
    assert row["queue"] and row["state"] == "running" and SAME in row["filters"]
    one = frame(raw(SAME), lan.station.mac, 100)
    lan.station.send(one)
    assert arrived(lan, "bare", 1) == [one]
    wait_for(lambda: rows(lan)["bare"]["frames"], lambda n: n == 1)
    lan.daemon.check("fdb", "del", SAME, "switch", "lan")
    row = rows(lan)["bare"]
    assert row["queue"] is None and "has no address" in row["text"]


def test_weight_decides(lan):
    """More guests than queues: the heavier ones have them, the others share the default one."""
    lan.trio()
    for name, n in (("a", 0xa), ("b", 0xb)):
        lan.daemon.check("port", "set", name, "mac", f"02:00:00:00:00:{n:02x}")
    lan.daemon.check("vmq", "set", "lan", "on", "queues", 2)
    assert queues(lan) == {"a", "b"}
    assert "others weigh more" in rows(lan)["c"]["text"]
    lan.daemon.check("port", "set", "a", "vmq-weight", 10)
    assert queues(lan) == {"b", "c"}
    lan.daemon.check("port", "set", "b", "vmq-weight", 0)
    assert queues(lan) == {"a", "c"} and "weight is 0" in rows(lan)["b"]["text"]
    sent = [frame(lan.guests[name].mac, lan.station.mac, 80, seed=name) for name in "abc"]
    for one in sent:
        lan.station.send(one)
    assert [arrived(lan, name, 1) for name in "abc"] == [[one] for one in sent]
    assert "vmq on" in lan.daemon.check("config", "show")
    assert "vmq-weight 10" in lan.daemon.check("config", "show")


def test_under_traffic(lan):
    """Queues come and go with frames in them; none is lost, none comes twice or late."""
    lan.trio()
    c = lan.guests["c"]
    meet(lan, c)
    sent = [frame(c.mac, lan.station.mac, 80, seed=k) for k in range(200)]
    for k, one in enumerate(sent):
        if k % 20 == 0:
            turn(lan, ENGINES[k // 20 % 2])
        lan.station.send(one)
    assert arrived(lan, "c", len(sent)) == sent
    assert lan.drops("c") == {}
    lan.station.send(sent[0])
    lan.daemon.check("port", "del", "c")
    assert "c" not in rows(lan)
    lan.daemon.check("stats", "audit")


@pytest.mark.parametrize("engine", ENGINES)
def test_gone(lan, engine):
    """A guest that goes away with frames in its queue loses them, by name, and nobody else does."""
    lan.trio()
    b, c = lan.guests["b"], lan.guests["c"]
    lan.daemon.check("port", "set", "b", "mac", "02:00:00:00:00:0b")
    turn(lan, engine)
    meet(lan, b, c)
    before = lan.stats("c")["sent"]
    at_once(lan, [frame(c.mac, lan.station.mac, 80, seed=k) for k in range(20)])
    c.close()
    lan.wait("c", lambda row: not row["up"])
    sent = [frame(n.mac, lan.station.mac, 80, seed=k) for k in range(20) for n in (c, b)]
    for one in sent:
        lan.station.send(one)
    assert arrived(lan, "b", 20) == sent[1::2]
    # Its frames came before it was gone, or they had no receiver: of those behind, none had one.
    delivered = lan.stats("c")["sent"] - before
    assert delivered <= 20 and lan.drops("c") == {"port_down": 40 - delivered}
    assert lan.drops("b") == {} and lan.drops(lan.uplink) == {}
    lan.daemon.check("stats", "audit")
    lan.daemon.check("port", "del", "c")
    assert queues(lan) == ({"b"} if engine != "off" else set())


@pytest.mark.parametrize("engine", ENGINES)
def test_captured(lan, engine):
    """A capture sees what is in queues as it sees all else."""
    lan.trio()
    c = lan.guests["c"]
    turn(lan, engine)
    meet(lan, c)
    sent = [frame(dst, lan.station.mac, 80, seed=k) for k, dst in enumerate((c.mac, BROADCAST) * 3)]
    with Capture(lan.daemon, lan.uplink, "--direction", "from") as capture:
        for one in sent:
            lan.station.send(one)
        seen = [(row["verdict"], row["port"]) for row in capture.frames(len(sent))]
    assert sorted(verdict for verdict, _ in seen) == ["flooded"] * 3 + ["forwarded"] * 3
    assert len(set(seen)) == 2


def test_not_straight_into_guests(lan):
    """No card writes into the memory of a guest, and why is said, once for each uplink."""
    lan.add("one", "mac", "02:00:00:00:00:01", mac=raw("02:00:00:00:00:01"))
    for mode in ("off", "soft"):
        lan.daemon.check("vmq", "set", "lan", mode)
        told = {port: row.get("direct") for port, row in rows(lan).items()}
        assert told.pop(lan.uplink).startswith("refused: ") and told == {"one": None}
        text = lan.daemon.check("vmq", "show", "lan")
        assert text.count("straight into guests: refused: ") == 1 and "copied once" in text


def test_refused(lan):
    """What has no queues says so, and nothing changes."""
    lan.daemon.check("switch", "add", "inside", "type", "private")
    try:
        assert "only an external switch" in lan.daemon.run("vmq", "set", "inside", "on").stderr
        assert "only a guest" in lan.daemon.run("port", "set", lan.uplink, "vmq-weight",
                                                5).stderr
    finally:
        lan.daemon.check("switch", "del", "inside")
