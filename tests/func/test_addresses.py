# SPDX-License-Identifier: BSD-3-Clause
"""Addresses beyond plain learning: the pool, static entries, moves, addresses that ports share, and
who gets frames to nobody's address."""

import time

import pytest

import net
import netns
from frames import BROADCAST, STRANGER, cross, frame, mac, teach, text
from lan import Lan
from vmswitchd import BUILD
from watch import wait_for

host, session_daemon = net.host, net.session_daemon
IPV6 = False

PORTS = 500             # more than the 384 guests that one host is meant for
X, Y, Z = mac(1, 0x0255), mac(2, 0x0255), mac(3, 0x0255)
GROUP = bytes.fromhex("03bf0a090001")       # a cluster's multicast address
WIRE = "vswire"


def add(daemon, name, *words, switch="lan"):
    """A port that nobody is connected to."""
    daemon.check("port", "add", name, "switch", switch, "type", "guest", "socket",
                 f"/tmp/vs-none/{name}", *words)


def rows(daemon, switch="lan"):
    """{(address, VLAN): (port, origin)} of a switch."""
    return {(one["mac"], one["vlan"]): (one["port"], one["origin"])
            for one in daemon.json("fdb", "show", "switch", switch)}


def mac_of(daemon, name):
    """The own address of a port."""
    return daemon.json("port", "show", name)[0]["mac"]


@pytest.fixture
def empty(vmswitchd):
    """A switch without ports; returns the daemon."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    return vmswitchd


@pytest.fixture
def four(trio):
    """Guests a, b, c and d."""
    trio.add("d", mac=bytes([2, 0, 0, 0, 0, 0xd]))
    return trio


# ---- the pool ----

@pytest.mark.once
def test_many_automatic_addresses(empty):
    """Each port has another one, all are of the pool, and a switch that is started again with the
    same commands gives out the same ones."""
    begin = time.monotonic()
    for n in range(PORTS):
        add(empty, f"p{n}", "mac", "auto")
    took = time.monotonic() - begin
    first = {one["name"]: one["mac"] for one in empty.json("port", "show")}
    assert len(first) == len(set(first.values())) == PORTS
    assert len({one[:13] for one in first.values()}) == 1
    assert all(one.startswith("00:15:5d:") for one in first.values())
    assert set(first.values()) == {address for address, _ in rows(empty)}
    empty.stop()
    empty.start()
    empty.check("switch", "add", "lan", "type", "private")
    for n in range(40):
        add(empty, f"p{n}", "mac", "auto")
    again = {one["name"]: one["mac"] for one in empty.json("port", "show")}
    assert again == {f"p{n}": first[f"p{n}"] for n in range(40)}
    print(f"{PORTS} ports in {took:.1f} s")


@pytest.mark.parametrize("how", ["own", "cluster", "static", "elsewhere"])
def test_taken_address_is_skipped(empty, how):
    """Whatever somebody has already, on whichever switch, is not given out."""
    add(empty, "p", "mac", "auto")
    wanted = mac_of(empty, "p")
    empty.check("port", "del", "p")
    switch = "lan"
    if how == "elsewhere":
        switch = "other"
        empty.check("switch", "add", "other", "type", "private")
    add(empty, "q", switch=switch)
    if how == "static":
        empty.check("fdb", "add", wanted, "switch", "lan", "port", "q")
    else:
        empty.check("port", "set", "q", "cluster" if how == "cluster" else "mac", wanted)
    add(empty, "p", "mac", "auto")
    got = mac_of(empty, "p")
    assert got != wanted and got[:13] == wanted[:13]
    # Asked again, it keeps what it has.
    empty.check("port", "set", "p", "mac", "auto")
    assert mac_of(empty, "p") == got


def test_auto_later(trio, vmswitchd):
    """A port may be given one at run time, and is guarded by it."""
    a, b, _ = trio.guests.values()
    vmswitchd.check("port", "set", "a", "mac", "auto")
    own = mac_of(vmswitchd, "a")
    good = frame(BROADCAST, bytes.fromhex(own.replace(":", "")))
    assert cross(a, [frame(BROADCAST, a.mac), good], b) == [[good]]
    assert vmswitchd.drops("a") == {"spoof": 1}
    vmswitchd.refuses(own, "port", "set", "b", "mac", own)
    vmswitchd.check("port", "set", "a", "mac", "any")
    assert mac_of(vmswitchd, "a") is None and rows(vmswitchd) == {}


def test_pool_of_ones_own(host, tmp_path):
    """--mac-pool says which addresses are given out."""
    with net.daemon_in(host, tmp_path, ["--mac-pool", "02:AB:cd:ef:10:00"]) as daemon:
        daemon.check("switch", "add", "lan", "type", "private")
        for n in range(20):
            add(daemon, f"p{n}", "mac", "auto")
        macs = {one["mac"] for one in daemon.json("port", "show")}
        assert len(macs) == 20 and all(one.startswith("02:ab:cd:ef:1") for one in macs)
        daemon.audit()


@pytest.mark.parametrize("pool", ["02:ab:cd:ef:10:01", "02:ab:cd:ef:11:00", "03:ab:cd:ef:10:00",
                                  "00:00:00:00:00:00", "02:ab:cd:ef:10", "nonsense", ""])
def test_pool_refused(host, tmp_path, pool):
    """What is no pool is named, and the daemon does not start."""
    done = host.exec(BUILD / "control" / "vmswitchd", "--socket", tmp_path / "s",
                     "--mac-pool", pool, check=False)
    assert done.returncode == 2
    assert f"--mac-pool: '{pool}' is no unicast address that ends in 000" in done.stderr


# ---- static entries ----

def test_static(trio, vmswitchd):
    """Frames to the address go to its port alone, before anything was heard of it."""
    a, b, c = trio.guests.values()
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "b")
    assert rows(vmswitchd) == {(text(X), 0): ("b", "static")}
    assert "static" in vmswitchd.check("fdb", "show")
    one = frame(X, a.mac)
    assert cross(a, one, b, c) == [[one], []]
    assert trio.port("b")["macs"] == 0
    vmswitchd.check("fdb", "del", text(X), "switch", "lan")
    wait_for(trio.fdb, lambda fdb: fdb == {text(a.mac): "a"})
    assert cross(a, one, b, c) == [[one], [one]]


def test_static_wins_over_learning(trio, vmswitchd, monitor):
    """The address stays where it was put, whoever else sends from it, and nobody is told that it
    moved; the frames themselves are not refused."""
    a, b, c = trio.guests.values()
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "b")
    stolen = frame(BROADCAST, X)
    assert cross(a, stolen, b, c) == [[stolen], [stolen]]
    cross(a, frame(BROADCAST, a.mac))
    wait_for(trio.fdb, lambda fdb: text(a.mac) in fdb)       # learnt after it, if it ever were
    assert rows(vmswitchd)[text(X), 0] == ("b", "static")
    b.recv_all(0), c.recv_all(0)
    one = frame(X, c.mac)
    assert cross(c, one, a, b) == [[], [one]]
    assert monitor.count("mac-moved") == 0 and trio.port("a")["macs"] == 1


def test_static_replaces_learnt(trio, vmswitchd):
    """What was learnt elsewhere is put where the user says."""
    a, b, c = trio.guests.values()
    cross(a, frame(BROADCAST, X), b, c)
    wait_for(lambda: rows(vmswitchd), lambda now: now == {(text(X), 0): ("a", "learnt")})
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "b")
    assert rows(vmswitchd) == {(text(X), 0): ("b", "static")}
    assert trio.port("a")["macs"] == 0 and trio.show()["fdb_used"] == 1
    one = frame(X, c.mac)
    assert cross(c, one, a, b) == [[], [one]]


def test_static_survives(trio, vmswitchd):
    """A flush, a rename and a larger table, but not its port."""
    a = trio.guests["a"]
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "b")
    teach(trio, "a")
    vmswitchd.check("fdb", "flush", "switch", "lan")
    assert rows(vmswitchd) == {(text(X), 0): ("b", "static")}
    vmswitchd.check("switch", "set", "lan", "fdb-size", 100)
    vmswitchd.check("port", "set", "b", "name", "beta")
    assert rows(vmswitchd) == {(text(X), 0): ("beta", "static")}
    one = frame(X, a.mac)
    assert cross(a, one, trio.guests["b"], trio.guests["c"]) == [[one], []]
    vmswitchd.check("port", "del", "beta")
    assert text(X) not in trio.fdb()


@pytest.mark.long
def test_ageing_takes_only_what_was_learnt(four, vmswitchd):
    """Static, given and shared addresses stay when all others have gone."""
    vmswitchd.check("switch", "set", "lan", "fdb-ageing", 10)
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "a")
    vmswitchd.check("port", "set", "b", "mac", text(Y))
    vmswitchd.check("port", "set", "c", "cluster", text(Z))
    teach(four, "d")
    assert len(four.fdb()) == 4
    left = wait_for(lambda: rows(vmswitchd), lambda now: len(now) < 4, 60.0)
    assert left == {(text(X), 0): ("a", "static"), (text(Y), 0): ("b", "given"),
                    (text(Z), 0): (None, "cluster")}


def test_static_by_vlan(four, vmswitchd):
    """One address may be static behind different ports on different VLANs."""
    a, b, c, d = four.guests.values()
    for name, vlan in (("a", "access 10"), ("b", "access 20"), ("c", "trunk 10,20")):
        vmswitchd.check("port", "set", name, "vlan", *vlan.split())
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "a", "vlan", 10)
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "b", "vlan", 20)
    assert rows(vmswitchd) == {(text(X), 10): ("a", "static"), (text(X), 20): ("b", "static")}
    for vid, there, other in ((10, a, b), (20, b, a)):
        plain = frame(X, c.mac)
        sent = plain[:12] + b"\x81\x00" + vid.to_bytes(2, "big") + plain[12:]
        assert cross(c, sent, there, other, d) == [[plain], [], []]
    vmswitchd.refuses("static addresses on VLAN 10", "port", "set", "a", "vlan", "access", 30)
    vmswitchd.check("fdb", "del", text(X), "switch", "lan", "vlan", 10)
    vmswitchd.check("port", "set", "a", "vlan", "access", 30)
    vmswitchd.refuses("on VLAN 10", "fdb", "del", text(X), "switch", "lan", "vlan", 10)
    assert (text(X), 20) in rows(vmswitchd)


@pytest.mark.parametrize("words,said,status", [
    (f"add {text(X)} switch none port a", "'none'", 1),
    (f"add {text(X)} switch lan port none", "no port 'none'", 1),
    (f"add {text(X)} switch lan port z", "no port 'z'", 1),
    (f"add {text(X)} switch lan port a vlan 5", "'a' is not on VLAN 5", 1),
    (f"add {text(X)} switch lan port a vlan 4095", "vlan", 1),
    (f"add {text(X)} switch lan port a vlan 70000", "vlan", 1),
    ("add 01:00:5e:00:00:01 switch lan port a", "group address", 1),
    ("add ff:ff:ff:ff:ff:ff switch lan port a", "group address", 1),
    ("add 00:00:00:00:00:00 switch lan port a", "", 1),
    ("add 02:00 switch lan port a", "is not a MAC address", 2),
    (f"add {text(X)} switch lan", "port PORT is missing", 2),
    (f"add {text(Y)} switch lan port a", "static", 1),
    (f"add {text(Y)} switch lan port b", "static", 1),
    (f"add {text(Z)} switch lan port a", "port 'b'", 1),
    (f"add {text(mac(9))} switch lan port a", "port 'c'", 1),
    (f"del {text(X)} switch lan", "no such static address", 1),
    (f"del {text(Z)} switch lan", "no such static address", 1),
    (f"del {text(Y)} switch lan vlan 7", "VLAN 7", 1),
    (f"del {text(Y)} switch none", "'none'", 1),
])
def test_static_refused(trio, vmswitchd, words, said, status):
    """Each names what is wrong, and the table stays as it is."""
    vmswitchd.check("switch", "add", "other", "type", "private")
    add(vmswitchd, "z", switch="other")
    vmswitchd.check("fdb", "add", text(Y), "switch", "lan", "port", "b")
    vmswitchd.check("port", "set", "b", "mac", text(Z))
    vmswitchd.check("port", "set", "c", "cluster", text(mac(9)))
    before = rows(vmswitchd)
    vmswitchd.refuses(said, "fdb", *words.split(), status=status)
    assert rows(vmswitchd) == before


def test_static_table_full(trio, vmswitchd):
    """No room is said, and what was learnt is not pushed out."""
    vmswitchd.check("switch", "set", "lan", "fdb-size", 2)
    teach(trio, "a")
    vmswitchd.check("fdb", "add", text(X), "switch", "lan", "port", "b")
    vmswitchd.refuses("is full", "fdb", "add", text(Y), "switch", "lan", "port", "b")
    assert len(trio.fdb()) == 2


# ---- moves ----

def test_moves_are_told(trio, vmswitchd, monitor):
    """Each move, with the address, the new port, and the old one by the name it has now."""
    a, b, c = trio.guests.values()
    vmswitchd.check("port", "set", "a", "name", "alpha")
    cross(a, frame(BROADCAST, X))
    wait_for(trio.fdb, lambda fdb: fdb == {text(X): "alpha"})
    assert monitor.count("mac-moved") == 0
    for guest, old, new in ((b, "alpha", "b"), (c, "b", "c"), (a, "c", "alpha")):
        monitor.clear()
        cross(guest, frame(BROADCAST, X))
        event = monitor.wait("mac-moved", mac=text(X), port=new, switch="lan")
        assert event["text"] == f"from port {old}"
        wait_for(trio.fdb, lambda fdb, new=new: fdb == {text(X): new})
    assert [trio.port(name)["macs"] for name in ("alpha", "b", "c")] == [1, 0, 0]


def test_another_vlan_is_no_move(four, vmswitchd, monitor):
    """Each VLAN learns for itself."""
    a, b, _, _ = four.guests.values()
    for name, vid in (("a", 10), ("c", 10), ("b", 20), ("d", 20)):
        vmswitchd.check("port", "set", name, "vlan", "access", vid)
    cross(a, frame(BROADCAST, X))
    cross(b, frame(BROADCAST, X))
    wait_for(lambda: rows(vmswitchd), lambda now: now == {
        (text(X), 10): ("a", "learnt"), (text(X), 20): ("b", "learnt")})
    assert monitor.count("mac-moved") == 0


# ---- shared addresses ----

def test_cluster(four, vmswitchd, monitor):
    """Every node has each frame once; nobody else has it, and nobody moves it."""
    a, b, c, d = four.guests.values()
    for name in "ab":
        vmswitchd.check("port", "set", name, "cluster", text(X))
        assert four.port(name)["cluster"] == text(X)
    assert rows(vmswitchd) == {(text(X), 0): (None, "cluster")}
    one = frame(X, c.mac, 300)
    assert cross(c, one, a, b, c, d) == [[one], [one], [], []]
    stats = four.stats("c")
    assert (stats["flooded"], stats["forwarded"]) == (1, 0)
    one = frame(X, a.mac, 301)
    assert cross(a, one, a, b, c, d) == [[], [one], [], []]
    # From the address itself, by a node and by a stranger.
    for guest in (a, d):
        sent = frame(BROADCAST, X, seed=guest.mac[5])
        assert cross(guest, sent, c) == [[sent]]
    b.recv_all(0), a.recv_all(0), d.recv_all(0)
    wait_for(four.fdb, lambda fdb: set(fdb) == {text(X), text(a.mac), text(c.mac)})
    assert rows(vmswitchd)[text(X), 0] == (None, "cluster") and monitor.count("mac-moved") == 0
    vmswitchd.check("fdb", "flush", "switch", "lan")
    one = frame(X, d.mac, 302)
    assert cross(d, one, a, b, c) == [[one], [one], []]
    # A node that is down gets none, and the others still do.
    vmswitchd.check("port", "set", "a", "link", "down")
    assert cross(d, one, a, b, c) == [[], [one], []]
    vmswitchd.check("port", "set", "a", "link", "up")


def test_cluster_ends(four, vmswitchd):
    """Nodes leave one by one; behind the last one the address is nobody's."""
    a, b, c, d = four.guests.values()
    for name in "abc":
        vmswitchd.check("port", "set", name, "cluster", text(X))
    one = frame(X, d.mac)
    assert cross(d, one, a, b, c) == [[one]] * 3
    vmswitchd.check("port", "set", "a", "cluster", "none")
    assert four.port("a")["cluster"] is None
    assert cross(d, one, a, b, c) == [[], [one], [one]]
    vmswitchd.check("port", "del", "b")
    assert cross(d, one, a, c) == [[], [one]]
    back = frame(X, c.mac)
    assert cross(c, back, a, d) == [[], []] and vmswitchd.drops("c") == {"hairpin": 1}
    vmswitchd.check("port", "set", "c", "cluster", text(Y))
    assert (text(X), 0) not in rows(vmswitchd)
    assert cross(d, one, a, c) == [[one], [one]]        # unknown, so flooded


def test_cluster_by_vlan(four, vmswitchd):
    """Nodes on another VLAN are another cluster."""
    a, b, c, d = four.guests.values()
    for name, vid in zip("abcd", (10, 20, 10, 10)):
        vmswitchd.check("port", "set", name, "vlan", "access", vid)
    for name in "abc":
        vmswitchd.check("port", "set", name, "cluster", text(X))
    one = frame(X, d.mac)
    assert cross(d, one, a, b, c) == [[one], [], [one]]
    vmswitchd.check("port", "set", "b", "vlan", "access", 10)
    assert cross(d, one, a, b, c) == [[one], [one], [one]]


def test_cluster_group_address(four, vmswitchd):
    """A multicast one reaches every port in any case, each once; it may still be named."""
    a, b, c, d = four.guests.values()
    for name in "ab":
        vmswitchd.check("port", "set", name, "cluster", text(GROUP))
    one = frame(GROUP, c.mac)
    assert cross(c, one, a, b, c, d) == [[one], [one], [], [one]]
    assert four.port("a")["cluster"] == text(GROUP)
    assert (text(GROUP), 0) not in rows(vmswitchd)


def test_cluster_clashes(four, vmswitchd):
    """What several ports share is nobody's own, and static nowhere."""
    vmswitchd.check("port", "set", "a", "cluster", text(X))
    vmswitchd.refuses("port 'a'", "port", "set", "b", "mac", text(X))
    vmswitchd.refuses("port 'a'", "port", "set", "a", "mac", text(X))
    vmswitchd.refuses("port 'a'", "fdb", "add", text(X), "switch", "lan", "port", "a")
    vmswitchd.check("port", "set", "c", "mac", text(Y))
    vmswitchd.check("fdb", "add", text(Z), "switch", "lan", "port", "d")
    vmswitchd.refuses("port 'c'", "port", "set", "b", "cluster", text(Y))
    vmswitchd.refuses("port 'd'", "port", "set", "b", "cluster", text(Z))
    vmswitchd.refuses("is not a MAC address", "port", "set", "b", "cluster", "any", status=2)
    vmswitchd.check("port", "set", "b", "cluster", text(X))


# ---- frames to nobody's address ----

def test_unknown_flood_and_drop(trio, vmswitchd):
    """The policy of a switch without uplink is flood; drop is counted at the sender."""
    a, b, c = trio.guests.values()
    assert trio.show()["unknown"] == "flood"
    one = frame(STRANGER, a.mac)
    assert cross(a, one, b, c) == [[one], [one]]
    vmswitchd.check("switch", "set", "lan", "unknown", "drop")
    assert trio.show()["unknown"] == "drop"
    hello = frame(BROADCAST, a.mac)
    assert cross(a, [one, hello], b, c) == [[hello], [hello]]
    assert vmswitchd.drops("a") == {"unknown_unicast": 1}
    wait_for(trio.fdb, lambda fdb: text(a.mac) in fdb)
    answer = frame(a.mac, b.mac)
    assert cross(b, answer, a, c) == [[answer], []]          # known addresses as ever
    vmswitchd.check("switch", "set", "lan", "unknown", "flood")
    assert cross(a, one, b, c) == [[one], [one]]
    vmswitchd.refuses("accepted here: flood, uplink, drop", "switch", "set", "lan", "unknown",
                      "some", status=2)


def test_unknown_uplink_without_one(trio, vmswitchd):
    """Only those get such frames who may have addresses that the switch does not know."""
    a, b, c = trio.guests.values()
    vmswitchd.check("port", "set", "b", "mac", text(b.mac))
    vmswitchd.check("switch", "set", "lan", "unknown", "uplink")
    one = frame(STRANGER, a.mac)
    assert cross(a, one, b, c) == [[], [one]]
    vmswitchd.check("port", "set", "c", "mac", text(c.mac))
    assert cross(a, one, b, c) == [[], []]
    assert vmswitchd.drops("a") == {"unknown_unicast": 1}


@pytest.fixture
def ext(vmswitchd, rundir, host):
    """An external switch with guests a and g, the latter with an address of its own."""
    one = Lan(vmswitchd, rundir, "ext", ("external", "uplink", f"dpdk:net_tap0,iface={WIRE}"))
    for n, name in enumerate("ag", 0xa):
        one.add(name, mac=mac(n))
    one.daemon.check("port", "set", "g", "mac", text(mac(0xb)))
    host.ip("link", "set", WIRE, "up")
    one.wait("ext.uplink", lambda row: row["up"])
    yield one
    one.close()


def test_unknown_on_the_wire(ext, vmswitchd, host):
    """uplink, the default there: the wire, and guests that may send from any address; flood:
    everybody; drop: nobody, wherever the frame came from."""
    a, g = ext.guests.values()
    with netns.Station(host, WIRE) as wire:
        station = mac(0x57, 0x0257)
        for n, (policy, wire_gets, a_gets, g_gets) in enumerate((
                ("uplink", True, True, False), ("flood", True, True, True),
                ("drop", False, False, False))):
            if n:
                vmswitchd.check("switch", "set", "ext", "unknown", policy)
            assert ext.show()["unknown"] == policy
            out = frame(STRANGER, g.mac, 100, n)
            end = frame(BROADCAST, g.mac, 100, n)
            assert cross(g, [out, end], a) == [[out, end] if a_gets else [end]]
            got = [wire.expect(lambda one: one[6:12] == g.mac)]
            if wire_gets:
                got.append(wire.expect(lambda one: one[6:12] == g.mac))
            assert got == ([out, end] if wire_gets else [end])
            into = frame(STRANGER, station, 100, n)
            call = frame(BROADCAST, station, 100, n)
            wire.send(into)
            wire.send(call)
            for guest, gets in ((a, a_gets), (g, g_gets)):
                got = []
                while call not in got:
                    got.append(guest.recv(10))
                    assert got[-1] is not None
                assert got == ([into, call] if gets else [call])
    assert vmswitchd.drops("g") == {"unknown_unicast": 1}
    assert vmswitchd.drops("ext.uplink") == {"unknown_unicast": 1}


def test_unknown_follows_the_type(vmswitchd):
    """What was not set is the default of the type; what was set stays."""
    vmswitchd.check("switch", "add", "lan", "type", "internal")

    def policy():
        return vmswitchd.json("switch", "show", "lan")[0]["unknown"]

    assert policy() == "flood"
    vmswitchd.check("switch", "set", "lan", "type", "external", "uplink", "dpdk:net_ring0")
    assert policy() == "uplink"
    vmswitchd.check("switch", "set", "lan", "unknown", "drop")
    vmswitchd.check("switch", "set", "lan", "type", "internal")
    assert policy() == "drop"
