# SPDX-License-Identifier: BSD-3-Clause
"""Types of switches: what each of them takes, how one becomes another, names, and that no frame
crosses from one switch to another."""

import pytest

import net
import netns
from frames import BROADCAST, STRANGER, cross, frame, mac, teach, text
from lan import Lan
from watch import wait_for

pytestmark = pytest.mark.once

host, session_daemon = net.host, net.session_daemon
IPV6 = False                # nothing on the wire but what the tests send

WIRE = "vswire"             # the interface behind the uplink
UPLINK = f"dpdk:net_tap0,iface={WIRE}"


@pytest.fixture
def ext(vmswitchd, rundir):
    """The external switch `ext`, with guests a and b."""
    one = Lan(vmswitchd, rundir, "ext", ("external", "uplink", UPLINK))
    for n, name in enumerate("ab", 0xa):
        one.add(name, mac=mac(n))
    yield one
    one.close()


@pytest.fixture
def wire(ext, host):
    """A station on the wire behind the uplink of `ext`."""
    host.ip("link", "set", WIRE, "up")
    ext.wait("ext.uplink", lambda one: one["up"])
    with netns.Station(host, WIRE) as station:
        yield station


def row(daemon, what, name):
    """The row of a show command."""
    return daemon.json(what, "show", name)[0]


def kind_of(daemon, name="lan"):
    """Type, uplink and share-host of a switch."""
    one = row(daemon, "switch", name)
    return one["type"], one.get("uplink"), one.get("share_host")


def test_add_each_type(vmswitchd, host):
    """What is added is what is shown; the uplink comes and goes with its switch."""
    for kind in ("private", "internal"):
        vmswitchd.check("switch", "add", kind, "type", kind)
        assert kind_of(vmswitchd, kind) == (kind, None, None)
    assert vmswitchd.json("port", "show") == []
    for share in ("on", "off"):
        vmswitchd.check("switch", "add", "ext", "type", "external", "uplink", UPLINK,
                        "share-host", share)
        assert kind_of(vmswitchd, "ext") == ("external", UPLINK, share == "on")
        one = row(vmswitchd, "port", "ext.uplink")
        assert (one["type"], one["switch"], one["uplink"]) == ("uplink", "ext", UPLINK)
        assert one["vlan"] == "trunk 1-4094"
        assert WIRE in host.links()
        vmswitchd.check("switch", "del", "ext")
        assert vmswitchd.json("port", "show") == [] and WIRE not in host.links()
    table = vmswitchd.check("switch", "show").split()
    assert "private" in table and "internal" in table


def test_set_each_type(vmswitchd, host):
    """Every type becomes every other one, again and again."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    order = ["internal", "private", "external", "private", "internal", "external", "internal",
             "private", "private"]
    for kind in order:
        more = ("uplink", UPLINK) if kind == "external" else ()
        vmswitchd.check("switch", "set", "lan", "type", kind, *more)
        external = kind == "external"
        assert kind_of(vmswitchd) == (kind, UPLINK if external else None,
                                      True if external else None)
        assert (WIRE in host.links()) == external
        names = [one["name"] for one in vmswitchd.json("port", "show")]
        assert names == (["lan.uplink"] if external else [])


def test_set_external_again(vmswitchd, host):
    """On an external switch only what is named changes; another uplink replaces the first."""
    vmswitchd.check("switch", "add", "lan", "type", "external", "uplink", UPLINK, "share-host",
                    "off")
    vmswitchd.check("switch", "set", "lan", "type", "external")
    assert kind_of(vmswitchd) == ("external", UPLINK, False)
    vmswitchd.check("port", "set", "lan.uplink", "vlan", "trunk", "10,20-29", "storm", 77)
    vmswitchd.check("switch", "set", "lan", "share-host", "on")
    assert kind_of(vmswitchd) == ("external", UPLINK, True)
    other = "dpdk:net_tap1,iface=vswire2,mac=02:00:00:00:00:57"
    vmswitchd.check("switch", "set", "lan", "uplink", other)
    assert kind_of(vmswitchd) == ("external", other, True)
    assert {"vswire2"} == host.links() & {WIRE, "vswire2"}
    one = row(vmswitchd, "port", "lan.uplink")
    assert (one["storm"], one["vlan"]) == (77, "trunk 10,20-29")
    # An uplink that cannot be made leaves the one that is there.
    vmswitchd.refuses("vsnone", "switch", "set", "lan", "uplink", "xdp:vsnone")
    assert "vswire2" in host.links()


@pytest.mark.parametrize("words,status,said", [
    ("switch add x", 2, "type private|internal|external is missing"),
    ("switch add x type bridge", 2, "accepted here: private, internal, external"),
    ("switch add x type external", 1, "xdp:IFNAME or dpdk:DEVARGS"),
    ("switch add x type private uplink xdp:vswire", 1, "only an external switch has an uplink"),
    ("switch add x type internal uplink xdp:vswire", 1, "only an external switch has an uplink"),
    ("switch add x type internal share-host on", 1, "only an external switch shares"),
    ("switch add x type external uplink vswire", 1, "'vswire' is no uplink"),
    ("switch add x type external uplink xdp:", 1, "'xdp:' is no uplink"),
    ("switch add x type external uplink vmq:vswire", 1, "'vmq:vswire' is no uplink"),
    ("switch add x type external uplink xdp:vsnone", 1, "vsnone"),
    ("switch add x type external uplink dpdk:net_nonsense0", 1, "net_nonsense0"),
    ("switch add x type external uplink dpdk:net_tap0,ifcae=vswire", 1, "'ifcae'"),
    ("switch add " + 25 * "x" + " type external uplink dpdk:net_ring0", 1, "24 characters"),
    ("switch add pri type internal", 1, "'pri' is there already"),
    ("switch set pri type external", 1, "xdp:IFNAME or dpdk:DEVARGS"),
    ("switch set pri type external uplink xdp:vsnone", 1, "vsnone"),
    ("switch set pri share-host on", 1, "only an external switch shares"),
    ("switch set pri uplink xdp:vswire", 1, "only an external switch has an uplink"),
    ("switch set none type internal", 1, "'none'"),
    ("switch set pri name int", 1, "'int' is there already"),
    ("switch set pri name a/b", 1, "'a/b' is no name"),
    ("switch set pri name -x", 1, "'-x' is no name"),
    ("switch set int type private", 1, "host port 'h' stands in the way"),
    ("switch set ext share-host off", 1, "host port 'eh' stands in the way"),
    ("switch set ext type private", 1, "host port 'eh' stands in the way"),
    ("switch set ext name " + 25 * "x", 1, "24 characters"),
    ("uplink offload test pri", 1, "switch 'pri' has no uplink"),
    ("port add x switch pri type host", 1, "a private switch has no host ports"),
    ("port add x switch int type uplink", 2, "accepted here: guest, host\n"),
    ("port add x switch int type wire", 2, "accepted here: "),
    ("port set h switch pri", 1, "a private switch has no host ports"),
    ("port set h switch none", 1, "'none'"),
    ("port set g name h", 1, "'h' is there already"),
    ("port set g name a,b", 1, "'a,b' is no name"),
    ("port set ext.uplink switch int", 1, "an uplink belongs to its switch"),
    ("port set ext.uplink name x", 1, "named after its switch"),
    ("port set ext.uplink addr 192.0.2.1/24", 1, "only a host port has addresses"),
    ("port set g addr 192.0.2.1/24", 1, "only a host port has addresses"),
    ("port del ext.uplink", 1, "the uplink goes with its switch"),
    ("switch add y type external uplink " + UPLINK, 1, "ext.uplink"),
    ("switch add y type external uplink dpdk:net_tap0,iface=vsother", 1, "net_tap0"),
])
def test_refused(vmswitchd, rundir, words, status, said):
    """Each names what is wrong, and changes nothing."""
    check = vmswitchd.check
    check("switch", "add", "pri", "type", "private")
    check("switch", "add", "int", "type", "internal")
    check("switch", "add", "ext", "type", "external", "uplink", UPLINK)
    check("port", "add", "g", "switch", "pri", "type", "guest", "socket", rundir / "g.sock")
    check("port", "add", "h", "switch", "int", "type", "host")
    check("port", "add", "eh", "switch", "ext", "type", "host")
    vmswitchd.refuses(said, *words.split(), status=status)


def test_share_off_has_no_host_ports(vmswitchd):
    """An external switch that does not share its uplink is none of the host's."""
    vmswitchd.check("switch", "add", "ext", "type", "external", "uplink", UPLINK, "share-host",
                    "off")
    vmswitchd.refuses("share-host on", "port", "add", "h", "switch", "ext", "type", "host")
    vmswitchd.check("switch", "set", "ext", "share-host", "on")
    vmswitchd.check("port", "add", "h", "switch", "ext", "type", "host")
    vmswitchd.check("port", "del", "h")
    vmswitchd.check("switch", "set", "ext", "share-host", "off")


def test_delete_with_an_uplink(vmswitchd, rundir):
    """The uplink does not count as a port that is in the way, a guest's does."""
    vmswitchd.check("switch", "add", "ext", "type", "external", "uplink", UPLINK)
    vmswitchd.check("port", "add", "g", "switch", "ext", "type", "guest", "socket",
                    rundir / "g.sock")
    vmswitchd.refuses("has 1 port;", "switch", "del", "ext")
    vmswitchd.check("port", "del", "g")
    vmswitchd.check("switch", "del", "ext")
    assert vmswitchd.json("port", "show") == []


# ---- names ----

def test_rename_switch(trio, vmswitchd, monitor):
    """Everything but the name goes on; the old name is free."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b")
    before = trio.stats("a")
    vmswitchd.check("switch", "set", "lan", "name", "wan.2")
    trio.name = "wan.2"
    monitor.wait("switch-changed", switch="wan.2")
    vmswitchd.refuses("'lan'", "switch", "show", "lan")
    assert {one["switch"] for one in vmswitchd.json("port", "show")} == {"wan.2"}
    assert set(trio.fdb()) == {text(a.mac), text(b.mac)}
    assert trio.stats("a") == {**before, "switch": "wan.2"}
    one = frame(b.mac, a.mac)
    assert cross(a, one, b, c) == [[one], []]
    vmswitchd.check("switch", "set", "wan.2", "name", "wan.2")
    vmswitchd.check("switch", "add", "lan", "type", "private")
    assert row(vmswitchd, "switch", "lan")["ports"] == 0


def test_rename_switch_with_uplink(ext, vmswitchd, wire):
    """The uplink is called after its switch, whatever that is called, and goes on."""
    vmswitchd.check("switch", "add", "new", "type", "internal")
    vmswitchd.check("port", "add", "net.uplink", "switch", "new", "type", "host", "ifname", "nu")
    vmswitchd.refuses("port 'net.uplink' is there already", "switch", "set", "ext", "name", "net")
    vmswitchd.check("switch", "set", "ext", "name", "out")
    names = {one["name"] for one in vmswitchd.json("port", "show")}
    assert names == {"a", "b", "out.uplink", "net.uplink"}
    one = frame(BROADCAST, ext.guests["a"].mac)
    ext.guests["a"].send(one)
    wire.expect(one)


def test_rename_port(trio, vmswitchd, monitor):
    """Addresses, counters and drops go with it; the VM it belongs to is another matter."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b")
    cross(a, frame(a.mac, b.mac))
    before, drops = trio.stats("a"), vmswitchd.drops("a")
    assert drops == {"hairpin": 1}
    vmswitchd.check("port", "set", "a", "name", "alpha")
    monitor.wait("port-changed", port="alpha")
    vmswitchd.refuses("'a'", "port", "show", "a")
    assert trio.stats("alpha") == {**before, "port": "alpha"}
    assert vmswitchd.drops("alpha") == drops
    assert trio.fdb()[text(a.mac)] == "alpha"
    assert trio.port("alpha")["vm"] == "a" and trio.port("alpha")["up"]
    one = frame(a.mac, b.mac)
    assert cross(b, one, a, c) == [[one], []]
    vmswitchd.check("port", "set", "b", "name", "a")
    assert trio.fdb()[text(b.mac)] == "a"
    vmswitchd.check("port", "set", "a", "name", "a")


# ---- frames ----

def test_nothing_crosses(vmswitchd, rundir):
    """Two switches with guests of the same addresses: each is a world of its own."""
    lans = []
    try:
        for name in ("one", "two"):
            lans.append(Lan(vmswitchd, rundir, name))
            for n, guest in enumerate("ab", 0xa):
                lans[-1].add(f"{name}-{guest}", mac=mac(n))
        (a1, b1), (a2, b2) = (list(one.guests.values()) for one in lans)
        for dst in (BROADCAST, mac(0xb), STRANGER, mac(1, 0x0100)):
            sent = frame(dst, mac(0xa), 100)
            assert cross(a1, sent, a1, b1, a2, b2) == [[], [sent], [], []]
        wait_for(lans[0].fdb, lambda fdb: fdb == {text(mac(0xa)): "one-a"})
        assert lans[1].fdb() == {}
        sent = frame(mac(0xa), mac(0xb))
        assert cross(b2, sent, a1, b1, a2, b2) == [[], [], [sent], []]
        wait_for(lans[1].fdb, lambda fdb: fdb == {text(mac(0xb)): "two-b"})
    finally:
        for one in lans:
            one.close()


def test_nothing_crosses_by_the_host(vmswitchd, host, rundir):
    """Host ports of two internal switches are two networks: the switch itself joins nothing, and
    the host does not forward unless it was told to."""
    lans = []
    try:
        for n, name in enumerate(("one", "two")):
            lans.append(Lan(vmswitchd, rundir, name, ("internal",)))
            vmswitchd.check("port", "add", f"h{n}", "switch", name, "type", "host", "addr",
                            f"10.9.{n}.1/24")
            lans[-1].add(f"g{n}", mac=mac(n + 1))
        g0, g1 = lans[0].guests["g0"], lans[1].guests["g1"]
        with netns.Station(host, "h0") as h0, netns.Station(host, "h1") as h1:
            hello = frame(BROADCAST, g0.mac)
            assert cross(g0, hello, g1) == [[]]
            h0.expect(hello)
            back = frame(BROADCAST, g1.mac)
            assert cross(g1, back, g0) == [[]]
            # What was sent to h1 lies in front of this, so nothing of g0 came there.
            assert h1.expect(lambda one: one[6:12] in (g0.mac, g1.mac)) == back
    finally:
        for one in lans:
            one.close()


def test_guest_and_wire(ext, wire, vmswitchd, host):
    """An external switch joins its guests and the wire, lets go of the wire when it becomes
    internal, while guests go on, and joins them again when it is external once more."""
    a, b = ext.guests.values()
    station = b"\x02\x57" + bytes(3) + b"\x01"
    hello = frame(BROADCAST, station, 100)
    wire.send(hello)
    assert a.recv(5) == hello and b.recv(5) == hello
    wait_for(ext.fdb, lambda fdb: fdb.get(text(station)) == "ext.uplink")
    answer = frame(station, a.mac, 300)
    assert cross(a, answer, b) == [[]]
    wire.expect(answer)
    vmswitchd.check("switch", "set", "ext", "type", "internal")
    lost = frame(station, a.mac, 301)
    assert cross(a, lost, b) == [[lost]]            # the address is not known any more
    vmswitchd.check("switch", "set", "ext", "type", "external", "uplink", UPLINK)
    host.ip("link", "set", WIRE, "up")              # DPDK made it anew
    ext.wait("ext.uplink", lambda one: one["up"])
    with netns.Station(host, WIRE) as again:
        hello = frame(BROADCAST, station, 102)
        again.send(hello)
        assert a.recv(5) == hello and b.recv(5) == hello
        wait_for(ext.fdb, lambda fdb: fdb.get(text(station)) == "ext.uplink")
        answer = frame(station, a.mac, 302)
        assert cross(a, answer, b) == [[]]
        again.expect(answer)
