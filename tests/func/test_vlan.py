# SPDX-License-Identifier: BSD-3-Clause
"""VLANs between guests: each kind of port and frame against a model, learning per VLAN, changes
under traffic, how they are shown, and what is refused."""

import collections
import errno
import struct

import pytest

import wire
from frames import BROADCAST, STRANGER, cross, mac, text
from test_control import refused
from vlans import ALL, KINDS, MODES, USED, enter, leave, mode, tag, vlan_frame
from watch import wait_for

pytestmark = pytest.mark.once

VLAN, VLAN_MODE, VLANS, PRIORITY = 41, 84, 85, 86
UNTAGGED, ACCESS, TRUNK = 1, 2, 3
GROUP = bytes.fromhex("01005e000001")


def table(lan):
    """{(VLAN, address): port} of the switch."""
    rows = lan.daemon.json("fdb", "show", "switch", lan.name)
    return {(row["vlan"], row["mac"]): row["port"] for row in rows}


def set_vlan(lan, name, words, *more):
    """`port set NAME vlan WORDS`."""
    lan.daemon.check("port", "set", name, "vlan", *words.split(), *more)


class Plan:
    """A switch with a port per mode, and what the model says of it."""

    def __init__(self, lan, modes):
        self.lan = lan
        self.modes = {f"p{n}": one for n, one in enumerate(modes)}
        self.drops = {name: collections.Counter() for name in self.modes}
        for n, (name, one) in enumerate(self.modes.items()):
            lan.add(name, "vlan", *one.words.split(), mac=mac(n + 1))
            lan.daemon.check("port", "set", name, "storm", 0, "priority",
                             "on" if one.priority else "off")

    def expect(self, sender, frames, known=()):
        """{receiver: frames}; known: {(VLAN, address): port}. Drops are noted."""
        get = {name: [] for name in self.modes}
        for one in frames:
            reason, inside = enter(self.modes[sender], one)
            if reason is None:
                reason = self.deliver(sender, inside, dict(known).get(
                    (inside.vid, text(one[:6]))), get)
            if reason is not None:
                self.drops[sender][reason] += 1
        return get

    def deliver(self, sender, inside, at, get):
        """A frame inside of the switch, whose destination is known `at` a port or not."""
        to = [at] if at else [name for name, one in self.modes.items()
                              if name != sender and one.has(inside.vid)]
        for name in to:
            got = leave(self.modes[name], inside)
            if got is None:
                self.drops[name]["vlan_out"] += 1
            else:
                get[name].append(got)
        return None if to else "no_receiver"

    def run(self, sender, frames, known=()):
        """Send them and compare."""
        wanted = self.expect(sender, frames, known)
        got = cross(self.lan.guests[sender], frames,
                    *(self.lan.guests[name] for name in wanted))
        for (name, want), have in zip(wanted.items(), got):
            assert have == want, (self.modes[sender], self.modes[name], len(have), len(want))

    def check_drops(self):
        """Each drop by its name, at the right port."""
        for name, want in self.drops.items():
            assert self.lan.daemon.drops(name) == dict(want), (name, self.modes[name])


@pytest.fixture
def plan(lan):
    """A port per mode."""
    return Plan(lan, MODES)


# ---- who gets what, in which form ----

@pytest.mark.parametrize("dst", [BROADCAST, GROUP, STRANGER], ids=["broadcast", "group", "unknown"])
def test_flood(plan, dst):
    """Each kind of frame from each kind of port, to all others: only members of its VLAN get it."""
    for n, name in enumerate(plan.modes):
        plan.run(name, [vlan_frame(dst, plan.lan.guests[name].mac, tags, 100, n * 100 + k)
                        for k, tags in enumerate(KINDS.values())])
    plan.check_drops()


def test_known(plan):
    """The same with destinations that the switch knows, in some VLANs and not in others."""
    known = {}
    for name, one in plan.modes.items():
        for vid in (vid for vid in USED if one.has(vid)):
            source = plan.lan.guests[name].mac
            cross(plan.lan.guests[name],
                  vlan_frame(BROADCAST, source, b"" if vid == one.own else tag(vid)))
            known[vid, text(source)] = name
    wait_for(lambda: table(plan.lan), lambda seen: seen == known)
    for name in plan.modes:
        plan.drops[name].update(plan.lan.daemon.drops(name))
        plan.lan.guests[name].recv_all(0)
    for sender in plan.modes:
        for name in plan.modes:
            if name != sender:
                dst, src = plan.lan.guests[name].mac, plan.lan.guests[sender].mac
                plan.run(sender, [vlan_frame(dst, src, tags) for tags in KINDS.values()], known)
    plan.check_drops()
    assert table(plan.lan) == known


LENGTHS = [14, 15, 16, 17, 18, 19, 22, 60, 64, 124, 127, 128, 129, 131, 132, 133, 136, 1513, 1514,
           1515, 1517, 1518, 1519, 4000, 9000, 9234, 9235]


@pytest.mark.parametrize("mtu", [1500, 9216])
def test_lengths(lan, mtu):
    """Frames of all lengths, tagged and not; the MTU counts without the tag, on both sides."""
    plan = Plan(lan, [mode("trunk 10,20"), mode("access 10"), mode("trunk 10 native 20"),
                      mode("untagged")])
    for name in plan.modes:
        lan.daemon.check("port", "set", name, "mtu", mtu)
    for sender in plan.modes:
        source = lan.guests[sender].mac
        for tags in (b"", tag(0), tag(10), tag(20), tag(10) + tag(20)):
            frames = [vlan_frame(BROADCAST, source, tags, size) for size in LENGTHS]
            fits = [one for one in frames
                    if (inside := enter(plan.modes[sender], one)[1]) is None
                    or len(inside.data) <= mtu + 14]
            plan.drops[sender]["mtu_in"] += len(frames) - len(fits)
            wanted = plan.expect(sender, fits)
            got = cross(lan.guests[sender], frames, *(lan.guests[name] for name in wanted))
            assert got == list(wanted.values()), (sender, tags)
    for counter in plan.drops.values():
        counter += collections.Counter()    # takes the zeros out
    plan.check_drops()


def test_mtu_of_the_receiver(lan):
    """A tagged copy may be four bytes longer than an untagged one."""
    a = lan.add("a", "vlan", "trunk", "10,20", mac=mac(1))
    b, c = lan.add("b", "vlan", "trunk", "10", mac=mac(2)), lan.add("c", "vlan", "access", 10)
    for name in ("b", "c"):
        lan.daemon.check("port", "set", name, "mtu", 1500)
    longest = vlan_frame(BROADCAST, a.mac, tag(10), 1518)
    assert cross(a, [longest, longest + b"x"], b, c) == [
        [longest], [longest[:12] + longest[16:]]]
    assert lan.daemon.drops("b") == lan.daemon.drops("c") == {"mtu_out": 1}


def test_no_hopping(lan):
    """Nobody gets into a VLAN that is none of its own by a second tag, whoever takes the first off
    on the way; where the first stays, the second is payload."""
    a = lan.add("a", "vlan", "trunk", "10", mac=mac(1))
    native = lan.add("native", "vlan", "trunk", "20", "native", 10)
    access = lan.add("access", "vlan", "access", 10)
    trunk = lan.add("trunk", "vlan", "trunk", "10,20")
    other = lan.add("other", "vlan", "access", 20)
    hop = vlan_frame(BROADCAST, a.mac, tag(10) + tag(20))
    assert cross(a, hop, native, access, trunk, other) == [[], [], [hop], []]
    assert lan.daemon.drops("native") == lan.daemon.drops("access") == {"vlan_out": 1}
    for words in ("access 10", "untagged", "trunk 10 native 10"):
        set_vlan(lan, "a", words)
        for tags in (tag(10) + tag(20), tag(0) + tag(20), tag(20), tag(20) + tag(10)):
            cross(a, vlan_frame(BROADCAST, a.mac, tags))
            assert other.recv_all(0) == []
    for guest in (native, access, trunk):
        assert not any(one[12:16] == tag(20) for one in guest.recv_all(0))


def test_priority(lan):
    """802.1p is 0 unless the sender's port may set it; the drop eligible bit never passes."""
    a, b = (lan.add(name, "vlan", "trunk", "10", mac=mac(n)) for n, name in enumerate("ab", 1))
    for priority, wanted in (("off", 0), ("on", 5), ("off", 0)):
        lan.daemon.check("port", "set", "a", "priority", priority)
        assert lan.port("a")["priority"] is (priority == "on")
        one = vlan_frame(BROADCAST, a.mac, tag(10, 5, 1))
        assert cross(a, one, b) == [[one[:12] + tag(10, wanted) + one[16:]]]
    lan.daemon.check("port", "set", "a", "priority", "on", "vlan", "access", 10)
    one = vlan_frame(BROADCAST, a.mac, tag(0, 7))
    assert cross(a, one, b) == [[one[:12] + tag(10, 7) + one[16:]]]


# ---- what is learnt ----

def test_same_address_in_two_vlans(lan):
    """It may be behind one port here and behind another there, and neither moves."""
    a, b = lan.add("a", "vlan", "access", 10), lan.add("b", "vlan", "access", 20)
    c = lan.add("c", "vlan", "trunk", "10,20", mac=mac(3))
    d, e = lan.add("d", "vlan", "access", 10), lan.add("e", "vlan", "access", 20)
    twin = mac(1)
    for guest in (a, b):
        cross(guest, vlan_frame(BROADCAST, twin))
    wanted = {(10, text(twin)): "a", (20, text(twin)): "b"}
    wait_for(lambda: table(lan), lambda seen: seen == wanted)
    for guest in (c, d, e):
        guest.recv_all(0)
    for vid, here in ((10, a), (20, b)):
        one = vlan_frame(twin, c.mac, tag(vid))
        plain = one[:12] + one[16:]
        assert cross(c, one, a, b, d, e) == [[plain] if g is here else [] for g in (a, b, d, e)]
    wanted.update({(vid, text(c.mac)): "c" for vid in (10, 20)})
    wait_for(lambda: table(lan), lambda seen: seen == wanted)
    assert lan.port("c")["macs"] == 2 and lan.show()["fdb_used"] == 4
    lines = lan.daemon.check("fdb", "show").splitlines()
    assert sorted(line.split()[2] for line in lines[1:]) == ["10", "10", "20", "20"]


def test_learning_is_not_shared(lan):
    """What is known in one VLAN is unknown in another."""
    a = lan.add("a", "vlan", "trunk", "10,20", mac=mac(1))
    b, c = lan.add("b", "vlan", "trunk", "10,20", mac=mac(2)), lan.add("c", "vlan", "trunk", "20")
    cross(b, vlan_frame(BROADCAST, b.mac, tag(10)))
    wait_for(lambda: table(lan), lambda seen: seen == {(10, text(b.mac)): "b"})
    a.recv_all(0)
    one = vlan_frame(b.mac, a.mac, tag(20))
    assert cross(a, one, b, c) == [[one], [one]]
    assert lan.stats("a")["flooded"] == 1


def test_given_address(lan):
    """The address of a port is known in each VLAN it is on, and guarded in all of them."""
    a = lan.add("a", "mac", text(mac(1)), "vlan", "trunk", "10,20", "native", 30, mac=mac(1))
    b = lan.add("b", "vlan", "trunk", "10,20,30", mac=mac(2))
    c = lan.add("c", "vlan", "trunk", "10,20,30")
    assert {vid for vid, _ in table(lan)} == {10, 20, 30} and set(table(lan).values()) == {"a"}
    for vid in (10, 20, 30):
        one = vlan_frame(a.mac, b.mac, tag(vid))
        assert cross(b, one, a, c) == [[one if vid != 30 else one[:12] + one[16:]], []]
        lie = vlan_frame(b.mac, mac(7), tag(vid))
        assert cross(a, lie, b, c) == [[], []]
    assert lan.daemon.drops("a") == {"spoof": 3}
    set_vlan(lan, "a", "access 20")
    assert {vid for vid, _ in table(lan) if table(lan)[vid, _] == "a"} == {20}


def test_static(lan):
    """fdb add and del, with a VLAN and without."""
    a = lan.add("a", "vlan", "trunk", "10,20", mac=mac(1))
    b, c = lan.add("b", "vlan", "access", 10, mac=mac(2)), lan.add("c", "vlan", "access", 10)
    still = text(mac(9))
    fdb = lan.daemon.check
    fdb("fdb", "add", still, "switch", "lan", "port", "b", "vlan", 10)
    fdb("fdb", "add", still, "switch", "lan", "port", "a", "vlan", 20)
    fdb("fdb", "add", still, "switch", "lan", "port", "a")
    assert table(lan) == {(10, still): "b", (20, still): "a", (0, still): "a"}
    rows = lan.daemon.json("fdb", "show")
    assert {row["origin"] for row in rows} == {"static"}
    one = vlan_frame(mac(9), a.mac, tag(10))
    assert cross(a, one, b, c) == [[one[:12] + one[16:]], []]
    cross(c, vlan_frame(b.mac, mac(9)))     # says it is elsewhere: nobody believes it
    b.recv_all(0)
    assert cross(a, one, b, c) == [[one[:12] + one[16:]], []]
    fdb("fdb", "flush", "switch", "lan")
    assert table(lan) == {(10, still): "b", (20, still): "a", (0, still): "a"}
    for words, status, said in (
            (f"add {still} switch lan port b vlan 10", 1, "static"),
            (f"add {still} switch lan port b vlan 20", 1, "'b' is not on VLAN 20"),
            (f"add {still} switch lan port b", 1, "'b' is not on VLAN 0"),
            (f"add {still} switch lan port b vlan 4095", 1, "vlan 4095 is out of range"),
            (f"add {still} switch lan port z vlan 10", 1, "'z'"),
            (f"add {still} switch nowhere port b vlan 10", 1, "'nowhere'"),
            ("add 01:00:5e:00:00:01 switch lan port b vlan 10", 1, "group address"),
            ("add 00:00:00:00:00:00 switch lan port b vlan 10", 1, "not zero"),
            (f"add {still} switch lan port b vlan x", 2, "not a number"),
            (f"add {still} switch lan", 2, "port PORT is missing"),
            ("add switch lan port b", 2, "not a MAC address"),
            (f"del {still} switch lan vlan 30", 1, "no such static address"),
            (f"del {text(mac(8))} switch lan vlan 10", 1, "no such static address"),
            (f"del {still} switch nowhere", 1, "'nowhere'")):
        refused(lan.daemon, status, said, "fdb", *words.split())
    refused(lan.daemon, 1, "static addresses on VLAN 10", *"port set b vlan access 20".split())
    fdb("fdb", "del", still, "switch", "lan", "vlan", 10)
    assert table(lan) == {(20, still): "a", (0, still): "a"}
    fdb("port", "del", "a")
    assert table(lan) == {}


def test_leaving_a_vlan_forgets(lan):
    """What was learnt at a port in a VLAN is void when it leaves; others keep theirs."""
    a = lan.add("a", "vlan", "trunk", "10,20", mac=mac(1))
    b = lan.add("b", "vlan", "trunk", "10,20", mac=mac(2))
    for guest in (a, b):
        for vid in (10, 20):
            cross(guest, vlan_frame(BROADCAST, guest.mac, tag(vid)))
    wait_for(lambda: table(lan), lambda seen: len(seen) == 4)
    set_vlan(lan, "a", "trunk 20")
    assert {key for key, port in table(lan).items() if port == "b"} == {
        (10, text(b.mac)), (20, text(b.mac))}
    assert (10, text(a.mac)) not in table(lan)
    set_vlan(lan, "b", "untagged")
    assert (10, text(b.mac)) not in table(lan) and (20, text(b.mac)) not in table(lan)


# ---- many VLANs, and changes ----

def test_all_vlans(lan):
    """A trunk of 4,094 VLANs: each frame comes with its tag, and on three of them also without."""
    a = lan.add("a", "vlan", "trunk", "1-4094", mac=mac(1))
    b = lan.add("b", "vlan", "trunk", "1-4094")
    bare = {vid: lan.add(f"v{vid}", "vlan", "access", vid) for vid in (1, 2048, 4094)}
    lan.daemon.check("port", "set", "a", "storm", 0)
    vids = sorted(ALL)
    got = collections.defaultdict(list)
    for at in range(0, len(vids), 128):
        sent = [vlan_frame(BROADCAST, a.mac, tag(vid), 64) for vid in vids[at:at + 128]]
        (back,) = cross(a, sent, b)
        assert back == sent
        for vid, guest in bare.items():
            got[vid] += guest.recv_all(0)
    for vid in bare:
        one = vlan_frame(BROADCAST, a.mac, tag(vid), 64)
        assert got[vid] == [one[:12] + one[16:]]
    assert lan.port("a")["vlan"] == "trunk 1-4094"


def test_vlans_are_given_back(lan):
    """4,094 VLANs come and go on more switches than there is room for at the same time, and more
    often on one."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b")
    for n in range(20):
        lan.daemon.check("switch", "add", f"s{n}", "type", "private")
        lan.daemon.check("port", "add", f"p{n}", "switch", f"s{n}", "type", "guest", "socket",
                         lan.rundir / f"p{n}.sock", "vlan", "trunk", "1-4094")
        set_vlan(lan, "a", "trunk 1-4094")
        set_vlan(lan, "a", f"access {n + 1}")
        away = ("del", f"p{n}") if n % 2 else ("set", f"p{n}", "vlan", "untagged")
        lan.daemon.check("port", *away)
    set_vlan(lan, "b", "access 20")
    one = vlan_frame(BROADCAST, a.mac)
    assert cross(a, one, b) == [[one]]


def test_too_many_vlans(vmswitchd, rundir):
    """65,535 VLANs of all switches: one more is refused by name, and nothing has changed."""
    def add(n):
        vmswitchd.check("switch", "add", f"s{n}", "type", "private")
        vmswitchd.check("port", "add", f"p{n}", "switch", f"s{n}", "type", "guest", "socket",
                        rundir / f"{n}.sock")
    for n in range(17):
        add(n)
    for n in range(16):
        vmswitchd.check("port", "set", f"p{n}", "vlan", "trunk", "1-4094")
    said = "there are 65535 VLANs of all switches already"
    refused(vmswitchd, 1, said, *"port set p16 vlan trunk 1-4094".split())
    vmswitchd.check("port", "set", "p16", "vlan", "trunk", "1-14")
    refused(vmswitchd, 1, said, *"port set p16 vlan trunk 1-15".split())
    refused(vmswitchd, 1, said, *"switch add s17 type private".split())
    refused(vmswitchd, 1, said, "port", "add", "q", "switch", "s16", "type", "guest", "socket",
            rundir / "q.sock", "vlan", "access", 15)
    vmswitchd.check("port", "del", "p3")
    vmswitchd.check("port", "set", "p16", "vlan", "trunk", "1-4094")


def test_changes_under_traffic(lan, victim):
    """A port changes its VLANs again and again beside a talking pair, then one of the pair does,
    in ways that leave the pair's own VLAN alone: not one frame is lost."""
    c = lan.add("c", mac=mac(3))
    changes = ["access 10", "trunk 1-4094", "untagged", "trunk 10,20-29 native 10",
               "trunk 4094 native 4094", "access 4094", "trunk 1-4094 native 7"]
    for n in range(10 * len(changes)):
        set_vlan(lan, "c", changes[n % len(changes)], "priority", "on" if n % 2 else "off")
        cross(c, [vlan_frame(BROADCAST, c.mac, tags) for tags in (b"", tag(10), tag(4094))])
        if n % len(changes) == 0:
            victim.progress(2)
    set_vlan(lan, "c", "access 4000")
    for words in 10 * ("trunk 5", "untagged", "trunk 1-4094", "trunk 4094"):
        set_vlan(lan, "va", words)
        victim.progress(2)
    set_vlan(lan, "va", "untagged")


def test_pair_changes_together(lan):
    """A pair that goes from VLAN to VLAN talks in each, and is heard nowhere else."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    listeners = {vid: lan.add(f"l{vid}", "vlan", "access", vid) for vid in (10, 20)}
    everything = lan.add("everything", "vlan", "trunk", "1-4094")
    for words in ("access 10", "access 20", "trunk 10 native 20", "untagged", "access 4094"):
        set_vlan(lan, "a", words)
        set_vlan(lan, "b", words)
        own = mode(words).own
        there, back = vlan_frame(b.mac, a.mac), vlan_frame(a.mac, b.mac)
        assert cross(a, there, b) == [[there]]
        assert cross(b, back, a) == [[back]]
        for vid, guest in listeners.items():
            assert (guest.recv_all(0) != []) == (vid == own)
        heard = everything.recv_all(0)
        assert heard and {one[12:16] for one in heard} == (
            {tag(own)} if own else {there[12:16], back[12:16]})


# ---- how they are shown ----

@pytest.mark.parametrize("words,shown", [
    ("untagged", "untagged"), ("access 1", "access 1"), ("access 4094", "access 4094"),
    ("trunk 7", "trunk 7"), ("trunk 10,20-29", "trunk 10,20-29"),
    ("trunk 29,20-28,10,10-11 native 4", "trunk 10-11,20-29 native 4"),
    ("trunk 1-4094 native 0", "trunk 1-4094"), ("trunk 4094 native 4094", "trunk 4094 native 4094"),
    ("trunk 1,2,3,4094", "trunk 1-3,4094"), ("trunk 01,0002-003", "trunk 1-3")])
def test_show(lan, words, shown):
    """As they would be typed, in the shortest form."""
    lan.add("p", "vlan", *words.split(), start=False)
    assert lan.port("p")["vlan"] == shown
    lines = lan.daemon.check("port", "show", "p").splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines if line.split()[0] == "VLAN"] == [shown]
    assert f" {shown} " in lan.daemon.check("port", "show").splitlines()[1]
    lan.daemon.check("port", "set", "p", "mtu", 1500)
    assert lan.port("p")["vlan"] == shown
    set_vlan(lan, "p", "untagged")
    set_vlan(lan, "p", shown)
    assert lan.port("p")["vlan"] == shown


def test_show_long(lan):
    """JSON has the whole of a long list; text says that there is more."""
    lan.add("p", start=False)
    most = ",".join(str(2 * n + 1) for n in range(512))
    set_vlan(lan, "p", f"trunk {most} native 4000")
    assert lan.port("p")["vlan"] == f"trunk {most} native 4000"
    line = lan.daemon.check("port", "show").splitlines()[1]
    assert ",... native 4000 " in line and len(line) < 300
    refused(lan.daemon, 2, "more than 512 ranges",
            *f"port set p vlan trunk {most},1025".split())
    set_vlan(lan, "p", "trunk " + ",".join(str(n) for n in range(1, 1000)))
    assert lan.port("p")["vlan"] == "trunk 1-999"


# ---- bad input ----

@pytest.mark.parametrize("words,status,said", [
    ("vlan", 2, "'vlan' is followed by nothing"),
    ("vlan access", 2, "'access' is followed by nothing"),
    ("vlan access 0", 2, "'0' after 'access' is no VLAN (1 to 4094)"),
    ("vlan access 4095", 2, "'4095' after 'access' is no VLAN"),
    ("vlan access -1", 2, "'-1' after 'access' is no VLAN"),
    ("vlan access 1-2", 2, "'1-2' after 'access' is no VLAN"),
    ("vlan access x", 2, "'x' after 'access' is no VLAN"),
    ("vlan access 18446744073709551617", 2, "is no VLAN"),
    ("vlan access 10 native 5", 2, "unknown word 'native'"),
    ("vlan access 10 10", 2, "unknown word '10'"),
    ("vlan trunk", 2, "'trunk' is followed by nothing"),
    ("vlan trunk ''", 2, "'' after 'trunk' is no list of VLANs"),
    ("vlan trunk 0", 2, "is no list of VLANs"),
    ("vlan trunk 4095", 2, "is no list of VLANs"),
    ("vlan trunk 1-", 2, "is no list of VLANs"),
    ("vlan trunk -5", 2, "is no list of VLANs"),
    ("vlan trunk 5-2", 2, "is no list of VLANs"),
    ("vlan trunk 1-4095", 2, "is no list of VLANs"),
    ("vlan trunk 1--2", 2, "is no list of VLANs"),
    ("vlan trunk 1-2-3", 2, "is no list of VLANs"),
    ("vlan trunk 1,,2", 2, "is no list of VLANs"),
    ("vlan trunk 1,", 2, "is no list of VLANs"),
    ("vlan trunk ,1", 2, "is no list of VLANs"),
    ("vlan trunk 1;2", 2, "is no list of VLANs"),
    ("vlan trunk x", 2, "is no list of VLANs"),
    ("vlan trunk +1", 2, "is no list of VLANs"),
    ("vlan trunk 0x10", 2, "is no list of VLANs"),
    ("vlan trunk 99999999999999999999", 2, "is no list of VLANs"),
    ("vlan trunk all", 2, "is no list of VLANs"),
    ("vlan trunk 10 native", 2, "'native' is followed by nothing"),
    ("vlan trunk 10 native x", 2, "'x' after 'native' is no VLAN (0 to 4094)"),
    ("vlan trunk 10 native 4095", 2, "'4095' after 'native' is no VLAN"),
    ("vlan trunk 10 native 1,2", 2, "is no VLAN"),
    ("vlan trunk 10 natve 1", 2, "unknown word 'natve'"),
    ("vlan trunk 10 native 1 native 2", 2, "unknown word 'native'"),
    ("vlan native 1", 2, "unknown word 'native' after 'vlan'"),
    ("vlan acess 1", 2, "unknown word 'acess' after 'vlan'"),
    ("vlan 10", 2, "unknown word '10' after 'vlan'"),
    ("vlan untagged 10", 2, "unknown word '10'"),
    ("vlan access 10 vlan access 20", 2, "'vlan' is there twice"),
    ("vlan untagged vlan untagged", 2, "'vlan' is there twice"),
    ("priority", 2, "'priority' is followed by nothing"),
    ("priority 5", 2, "accepted here: off, on"),
    ("priority on priority off", 2, "'priority' is there twice"),
])
def test_bad_words(lan, words, status, said):
    """Each names what is wrong, and changes nothing, with port set and with port add."""
    lan.add("p", start=False)
    given = ["" if word == "''" else word for word in words.split()]
    refused(lan.daemon, status, said, "port", "set", "p", *given)
    if "priority" not in words:
        refused(lan.daemon, status, said, "port", "add", "q", "switch", "lan", "type", "guest",
                "socket", "/tmp/q", *given)


def ranges(*pairs):
    """Payload of the attribute VLANS."""
    return b"".join(struct.pack("=HH", *pair) for pair in pairs)


@pytest.mark.parametrize("attrs,said,error", [
    ([(VLAN_MODE, 0)], "vlan 0 is out of range", errno.ERANGE),
    ([(VLAN_MODE, 4)], "vlan 4 is out of range", errno.ERANGE),
    ([(VLAN_MODE, b"\1")], "has 1 bytes, 4 are right", errno.EINVAL),
    ([(VLAN_MODE, ACCESS)], "an access VLAN is 1..4094", errno.EINVAL),
    ([(VLAN_MODE, ACCESS), (VLAN, 0)], "an access VLAN is 1..4094", errno.EINVAL),
    ([(VLAN_MODE, ACCESS), (VLAN, 4095)], "vlan 4095 is out of range", errno.ERANGE),
    ([(VLAN_MODE, ACCESS), (VLAN, 0xffffffff)], "is out of range", errno.ERANGE),
    ([(VLAN_MODE, ACCESS), (VLAN, 5), (VLANS, ranges((1, 2)))], "only a trunk", errno.EINVAL),
    ([(VLAN_MODE, UNTAGGED), (VLAN, 5)], "an untagged port has no VLAN", errno.EINVAL),
    ([(VLAN_MODE, UNTAGGED), (VLANS, ranges((1, 2)))], "only a trunk", errno.EINVAL),
    ([(VLAN_MODE, TRUNK)], "a trunk has a list of VLANs", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLAN, 5)], "a trunk has a list of VLANs", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, b"")], "1 to 512 ranges", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, b"\1\0")], "1 to 512 ranges", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((1, 2)) + b"\0")], "1 to 512 ranges", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((1, 2)) + b"\3\0")], "1 to 512 ranges", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges(*[(1, 1)] * 513))], "1 to 512 ranges", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges(*[(1, 1)] * 15000))], "1 to 512 ranges", errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((5, 2)))], "5-2 is no range", errno.ERANGE),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((0, 2)))], "0-2 is no range", errno.ERANGE),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((1, 4095)))], "1-4095 is no range", errno.ERANGE),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((1, 2), (0xffff, 0xffff)))], "is no range", errno.ERANGE),
    ([(VLAN_MODE, TRUNK), (VLANS, ranges((1, 2))), (VLANS, ranges((3, 4)))], "there twice",
     errno.EINVAL),
    ([(VLAN_MODE, TRUNK), (VLAN_MODE, TRUNK), (VLANS, ranges((1, 2)))], "there twice",
     errno.EINVAL),
])
def test_bad_attributes(vmswitchd, lan, rundir, attrs, said, error):
    """On the bare protocol, with PORT_SET and with PORT_NEW."""
    lan.add("p", "vlan", "access", 10, start=False)
    before = lan.port("p")
    new = [(wire.NAME, "q"), (wire.SWITCH, "lan"), (wire.KIND, wire.GUEST),
           (wire.SOCKET, f"{rundir}/q.sock")]
    with wire.Wire(vmswitchd.socket) as client:
        for command, head in ((wire.PORT_SET, [(wire.NAME, "p")]), (wire.PORT_NEW, new)):
            with pytest.raises(wire.Refused) as refusal:
                client.call(command, *head, *attrs)
            assert said in refusal.value.text and refusal.value.errno == error
    assert lan.port("p") == before and len(vmswitchd.json("port", "show")) == 1


@pytest.mark.parametrize("attrs,said", [
    ([(VLAN, 5)], "nothing to change"), ([(VLANS, ranges((1, 2)))], "nothing to change"),
    ([(wire.MTU, 1500), (VLAN, 5)], "a VLAN needs a mode"),
    ([(wire.MTU, 1500), (VLANS, ranges((1, 2)))], "a VLAN needs a mode"),
    ([(PRIORITY, 2)], "priority 2 is out of range"),
    ([(PRIORITY, b"")], "has 0 bytes, 4 are right")])
def test_bad_attributes_of_set(vmswitchd, lan, attrs, said):
    """VLANs without a mode, and priorities that are none."""
    lan.add("p", "vlan", "access", 10, start=False)
    before = lan.port("p")
    with wire.Wire(vmswitchd.socket) as client, pytest.raises(wire.Refused) as refusal:
        client.call(wire.PORT_SET, (wire.NAME, "p"), *attrs)
    assert said in refusal.value.text
    assert lan.port("p") == before


def test_good_attributes(vmswitchd, lan):
    """512 ranges, in any order and overlapping; the answer has them in order, and together."""
    lan.add("p", start=False)
    most = [(4094 - n % 300, 4094) for n in range(512)]
    with wire.Wire(vmswitchd.socket) as client:
        client.call(wire.PORT_SET, (wire.NAME, "p"), (VLAN_MODE, TRUNK), (VLANS, ranges(*most)),
                    (VLAN, 7))
        row = client.call(wire.PORT_GET, (wire.NAME, "p"))[0]
        assert row[VLANS] == ranges((3795, 4094))
        assert row[VLAN] == struct.pack("=I", 7) and row[VLAN_MODE] == struct.pack("=I", TRUNK)
        client.call(wire.PORT_SET, (wire.NAME, "p"), (VLAN_MODE, UNTAGGED))
        row = client.call(wire.PORT_GET, (wire.NAME, "p"))[0]
        assert VLANS not in row and VLAN not in row
