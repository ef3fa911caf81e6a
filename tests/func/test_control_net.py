# SPDX-License-Identifier: BSD-3-Clause
"""The commands and attributes of switch types, host ports, guests on a TAP, addresses and uplinks:
what they take, how it is shown, and what is refused. The daemon is in a namespace, the host."""

import errno
import shlex
import xml.etree.ElementTree

import pytest

import net
import wire
from test_control import refused
from watch import wait_for

pytestmark = pytest.mark.once

host, session_daemon = net.host, net.session_daemon

(UPLINK, SHARE, UNKNOWN, NEW_NAME, IFNAME, ADDRS, QUEUES, MAC_AUTO, VLAN_MODE, VLANS, PRIORITY,
 CLUSTER, DRIVER, DEVICE_MAC, SPEED, DETAIL) = range(76, 92)
VLAN, AGE = 41, 42
FDB_GET, FDB_NEW, FDB_DEL = 0x30, 0x32, 0x33
INTERNAL, EXTERNAL, HOST, UPLINK_PORT = 2, 3, 18, 19
MAC = "00:15:5d:01:32:11"


@pytest.fixture
def ports(vmswitchd, host, rundir):
    """Switch lan with guest p, and the internal switch int with host port h0."""
    assert "h0" not in host.links()
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("switch", "add", "int", "type", "internal")
    vmswitchd.check("port", "add", "p", "switch", "lan", "type", "guest", "socket",
                    rundir / "p.sock")
    vmswitchd.check("port", "add", "h0", "switch", "int", "type", "host")
    wait_for(lambda: vmswitchd.json("port", "show", "h0")[0], lambda row: row["up"])
    return vmswitchd


@pytest.fixture
def client(vmswitchd):
    """A connection that speaks the bare protocol."""
    with wire.Wire(vmswitchd.socket) as one:
        yield one


# ---- what there is ----

def test_switch_types(vmswitchd):
    """add and set, and how they are shown."""
    vmswitchd.check("switch", "add", "a", "type", "internal")
    row = vmswitchd.json("switch", "show", "a")[0]
    assert (row["type"], row["uplink"], row["unknown"]) == ("internal", None, "flood")
    assert "share_host" not in row
    for kind in ("private", "internal"):
        vmswitchd.check("switch", "set", "a", "type", kind)
        assert vmswitchd.json("switch", "show", "a")[0]["type"] == kind
    for policy in ("drop", "uplink", "flood"):
        vmswitchd.check("switch", "set", "a", "unknown", policy)
        assert vmswitchd.json("switch", "show", "a")[0]["unknown"] == policy
    lines = vmswitchd.check("switch", "show", "a").splitlines()
    assert ["UNKNOWN", "flood"] in [line.split() for line in lines]


def test_switch_name(ports, monitor):
    """Another name: ports, addresses and everybody who asks know it."""
    ports.check("fdb", "add", MAC, "switch", "lan", "port", "p")
    ports.check("switch", "set", "lan", "name", "wan")
    monitor.wait("switch-changed", switch="wan")
    assert [row["name"] for row in ports.json("switch", "show")] == ["wan", "int"]
    assert ports.json("port", "show", "p")[0]["switch"] == "wan"
    assert [row["switch"] for row in ports.json("fdb", "show", "switch", "wan")] == ["wan"]
    refused(ports, 1, "'lan'", "switch", "show", "lan")
    ports.check("switch", "set", "wan", "name", "wan")
    ports.check("switch", "add", "lan", "type", "private")
    refused(ports, 1, "'lan' is there already", "switch", "set", "wan", "name", "lan")


def test_uplink_port(vmswitchd):
    """The uplink of an external switch is a port of its own, but comes and goes with the switch."""
    done = vmswitchd.run("switch", "add", "out", "type", "external", "uplink", "dpdk:net_null0")
    if done.returncode:
        pytest.skip(f"no net_null here: {done.stderr}")
    row = vmswitchd.json("switch", "show", "out")[0]
    assert (row["type"], row["uplink"], row["unknown"], row["ports"], row["share_host"]) == (
        "external", "dpdk:net_null0", "uplink", 1, True)
    lines = [line.split() for line in vmswitchd.check("switch", "show", "out").splitlines()]
    assert ["SHARE-HOST", "on"] in lines and ["UPLINK", "dpdk:net_null0"] in lines
    row = vmswitchd.json("port", "show", "out.uplink")[0]
    assert (row["type"], row["uplink"], row["vlan"], row["mac"]) == (
        "uplink", "dpdk:net_null0", "trunk 1-4094", None)
    assert "null" in row["driver"] and "socket" not in row and "ifname" not in row
    for said, words in (
            ("the uplink goes with its switch", "port del out.uplink"),
            ("an uplink is named after its switch", "port set out.uplink name x"),
            ("only a host port has addresses", "port set out.uplink addr 192.0.2.1/24"),
            ("belongs to port 'out.uplink' already",
             "switch add two type external uplink dpdk:net_null0"),
            ("only an external switch", "switch set out type private share-host on"),
            ("only an external switch", "switch set out type private uplink dpdk:net_null0")):
        refused(vmswitchd, 1, said, *words.split())
    for what in ("--qemu", "--libvirt"):
        refused(vmswitchd, 1, "has no VMM", "port", "show", "out.uplink", what)
    vmswitchd.check("switch", "set", "out", "share-host", "off")
    assert vmswitchd.json("switch", "show", "out")[0]["share_host"] is False
    refused(vmswitchd, 1, "does not share its uplink",
            *"port add h0 switch out type host".split())
    vmswitchd.check("port", "set", "out.uplink", "vlan", "trunk", "10", "native", 20, "link",
                    "down")
    vmswitchd.check("switch", "set", "out", "name", "far")
    row = vmswitchd.json("port", "show", "far.uplink")[0]
    assert (row["vlan"], row["link"], row["switch"]) == ("trunk 10 native 20", "down", "far")
    vmswitchd.check("switch", "set", "far", "type", "internal")
    assert vmswitchd.json("port", "show") == []
    assert "share_host" not in vmswitchd.json("switch", "show", "far")[0]
    vmswitchd.check("switch", "set", "far", "type", "external", "uplink", "dpdk:net_null0")
    assert vmswitchd.json("switch", "show", "far")[0]["share_host"] is True
    vmswitchd.check("switch", "del", "far")


def test_host_port(ports, host):
    """Everything of it can be given, is in the host, and is shown."""
    ports.check("port", "add", "mgmt", "switch", "int", "type", "host", "ifname", "vs0", "mac", MAC,
                "mtu", 4000, "addr", "192.0.2.1/24,2001:db8::1/64", "queues", 2, "vm", "us",
                "vlan", "access", 7)
    row = wait_for(lambda: ports.json("port", "show", "mgmt")[0], lambda row: row["up"])
    assert (row["type"], row["switch"], row["state"], row["mac"], row["mtu"], row["pairs"],
            row["vm"], row["vlan"], row["ifname"]) == (
                "host", "int", "running", MAC, 4000, 2, "us", "access 7", "vs0")
    assert set(row["addr"].split(",")) == {"192.0.2.1/24", "2001:db8::1/64"}
    for key in ("socket", "mode", "features", "peer_pid", "uplink", "driver"):
        assert key not in row
    link = host.link("vs0")
    assert (link["address"], link["mtu"]) == (MAC, 4000)
    assert host.addrs("vs0") == {"192.0.2.1/24", "2001:db8::1/64"}
    text = ports.check("port", "show", "mgmt")
    assert "192.0.2.1/24" in text and "FEATURES" not in text
    assert " vs0" in ports.check("port", "show").splitlines()[-1]

    ports.check("port", "set", "mgmt", "addr", "198.51.100.1/24", "mtu", 1500)
    wait_for(lambda: ports.json("port", "show", "mgmt")[0],
             lambda row: (row["addr"], row["mtu"]) == ("198.51.100.1/24", 1500))
    assert host.addrs("vs0") == {"198.51.100.1/24"}
    ports.check("port", "set", "mgmt", "addr", "none")
    assert host.addrs("vs0") == set()
    ports.check("port", "set", "mgmt", "name", "other")
    assert ports.json("port", "show", "other")[0]["ifname"] == "vs0"
    ports.check("port", "del", "other")
    assert "vs0" not in host.links()


def test_host_port_defaults(ports, host):
    """The name of the port, an address of the pool, 1500, untagged."""
    row = ports.json("port", "show", "h0")[0]
    assert (row["ifname"], row["mtu"], row["vlan"], row["priority"], row["pairs"], row["addr"]) == (
        "h0", 1500, "untagged", False, 1, "")
    assert row["mac"].startswith("00:15:5d:") and host.link("h0")["address"] == row["mac"]
    ports.check("port", "set", "h0", "mac", "auto")
    assert ports.json("port", "show", "h0")[0]["mac"] == row["mac"]


def test_only_guests_have_a_vmm(ports):
    """What its VMM must be told of a port of another type is an error; among all ports, those
    without one are left out."""
    for what in ("--qemu", "--libvirt"):
        refused(ports, 1, "has no VMM", "port", "show", "h0", what)
        done = ports.run("-j", "port", "show", "h0", what)
        assert done.returncode == 1 and "has no VMM" in done.stderr
        assert ports.check("port", "show", what) == ports.check("port", "show", "p", what) != ""
        assert [row["name"] for row in ports.json("port", "show", what)] == ["p"]


def test_mac_auto(ports, rundir):
    """Different ones, the same again for the same name."""
    def add(name):
        ports.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                    rundir / f"{name}.sock", "mac", "auto")
        return ports.json("port", "show", name)[0]["mac"]
    first = {f"g{n}": add(f"g{n}") for n in range(20)}
    assert len(set(first.values())) == 20
    for name in first:
        ports.check("port", "del", name)
    assert {name: add(name) for name in first} == first
    ports.check("port", "set", "g3", "mac", "any")
    assert ports.json("port", "show", "g3")[0]["mac"] is None
    ports.check("port", "set", "g3", "mac", "auto")
    assert ports.json("port", "show", "g3")[0]["mac"] == first["g3"]


@pytest.mark.parametrize("ifname", ["tap7", "a,b'c", "-x&<\"", "é"])
def test_guest_on_a_tap(ports, host, ifname):
    """Its interface is shown, and what its VMM must be told."""
    ports.check("port", "add", "g", "switch", "lan", "type", "guest", "tap", ifname, "mac", MAC)
    row = ports.json("port", "show", "g")[0]
    assert (row["type"], row["ifname"], row["mac"], row["mtu"], row["up"]) == (
        "guest", ifname, MAC, 1500, False)
    assert row["problem"] and "socket" not in row and "addr" not in row
    assert ifname in host.links()
    words = shlex.split(ports.check("port", "show", "g", "--qemu"))
    assert words == [
        "-netdev", f"tap,id=net-g,ifname={ifname.replace(',', ',,')},script=no,downscript=no,"
        "vhost=off", "-device", f"e1000,netdev=net-g,mac={MAC}"]
    assert ports.json("port", "show", "g", "--qemu")[0]["qemu"] == words
    text = ports.check("port", "show", "g", "--libvirt")
    top = xml.etree.ElementTree.fromstring(f"<domain>{text}</domain>")
    assert top.find("interface[@type='ethernet']/target").attrib == {
        "dev": ifname, "managed": "no"}
    assert top.find("interface/mac").get("address") == MAC
    ports.check("port", "del", "g")
    assert ifname not in host.links()


def test_move_and_cluster(ports, rundir):
    """A port on another switch, and an address of several ports."""
    ports.check("port", "set", "p", "switch", "int")
    assert ports.json("port", "show", "p")[0]["switch"] == "int"
    ports.check("port", "add", "q", "switch", "int", "type", "guest", "socket", rundir / "q.sock")
    shared = "02:bf:00:00:00:01"
    for name in "pq":
        ports.check("port", "set", name, "cluster", shared)
        assert ports.json("port", "show", name)[0]["cluster"] == shared
    rows = ports.json("fdb", "show", "switch", "int")
    assert [row["origin"] for row in rows if row["mac"] == shared] == ["cluster"]
    assert f"CLUSTER {shared}" in " ".join(ports.check("port", "show", "p").split())
    ports.check("port", "set", "p", "cluster", "03:bf:00:00:00:01")
    ports.check("port", "set", "q", "cluster", "none")
    assert ports.json("port", "show", "q")[0]["cluster"] is None
    assert shared not in {row["mac"] for row in ports.json("fdb", "show")}


# ---- commands that are refused ----

LONG = 300 * "a"


@pytest.mark.parametrize("words,status,said", [
    ("switch add x type public", 2, "accepted here: private, internal, external"),
    ("switch add x type external", 1, "an external switch has an uplink"),
    ("switch add x type external uplink", 2, "'uplink' is followed by nothing"),
    ("switch add x type external uplink eth0", 1, "'eth0' is no uplink: xdp:IFNAME or"),
    ("switch add x type external uplink xdp:", 1, "is no uplink"),
    ("switch add x type external uplink dpdk:", 1, "is no uplink"),
    ("switch add x type external uplink XDP:lo", 1, "is no uplink"),
    ("switch add x type external uplink xdp:nowhere", 1, "nowhere"),
    ("switch add x type external uplink xdp:" + 16 * "a", 1, 16 * "a"),
    ("switch add x type external uplink xdp:a/b", 1, "a/b"),
    ("switch add x type external uplink xdp:lo", 1, "lo"),
    ("switch add x type external uplink dpdk:net_nothing0", 1, "net_nothing0"),
    ("switch add x type external uplink dpdk:" + LONG, 1, "uplink has more than 255 bytes"),
    ("switch add x type external uplink dpdk:a\nb", 1, "is a control character"),
    ("switch add x type external uplink dpdk:\x1b[2J", 1, "is a control character"),
    ("switch add x type external uplink xdp:lo share-host maybe", 2, "accepted here: off, on"),
    ("switch add x type external uplink xdp:lo uplink xdp:lo", 2, "'uplink' is there twice"),
    ("switch add x type private uplink xdp:lo", 1, "only an external switch has an uplink"),
    ("switch add x type internal uplink xdp:lo", 1, "only an external switch has an uplink"),
    ("switch add x type private share-host on", 1, "only an external switch shares its uplink"),
    ("switch add " + 25 * "x" + " type external uplink dpdk:net_null0", 1, "at most 24 characters"),
    ("switch set lan type external", 1, "an external switch has an uplink"),
    ("switch set lan share-host on", 1, "only an external switch shares its uplink"),
    ("switch set lan uplink xdp:lo", 1, "only an external switch has an uplink"),
    ("switch set lan unknown all", 2, "accepted here: flood, uplink, drop"),
    ("switch set lan name int", 1, "switch 'int' is there already"),
    ("switch set lan name -x", 1, "'-x' is no name"),
    ("switch set lan name " + 32 * "a", 1, "is no name"),
    ("switch set lan name a name b", 2, "'name' is there twice"),
    ("switch set lan force", 1, "nothing to change"),
    ("switch set int type private", 1, "host port 'h0' stands in the way"),
    ("switch set nowhere type internal", 1, "'nowhere'"),
    ("port add q switch lan type host", 1, "a private switch has no host ports"),
    ("port add q switch int type router", 2, "accepted here: guest, host\n"),
    ("port add q switch int type uplink", 2, "accepted here: guest, host\n"),
    ("port add q switch int type host socket /tmp/q", 1, "a host port has an interface, no socket"),
    ("port add q switch int type host mode server", 1, "only a port with a socket has a mode"),
    ("port add q switch lan type guest", 1, "a guest port needs one of: socket PATH | tap IFNAME"),
    ("port add q switch lan type guest socket /q tap t0", 2, "'socket' and 'tap' exclude"),
    ("port add q switch int type host ifname a tap b", 2, "'ifname' and 'tap' exclude"),
    ("port add q switch lan type guest tap t0 mode client", 1, "only a port with a socket"),
    ("port add q switch lan type guest tap t0 addr 192.0.2.1/24", 1, "only a host port has addr"),
    ("port add q switch lan type guest socket /q addr 192.0.2.1/24", 1, "only a host port has a"),
    ("port add q switch lan type guest socket /q queues 2", 1, "only a host port has queues"),
    ("port add q switch lan type guest tap t0 queues 2", 1, "only a host port has queues"),
    ("port add q switch lan type guest tap h0", 1, "belongs to port 'h0' already"),
    ("port add q switch lan type guest tap lo", 1, "lo"),
    ("port add q switch int type host ifname h0", 1, "belongs to port 'h0' already"),
    ("port add q switch int type host ifname lo", 1, "lo"),
    ("port add q switch int type host ifname " + 16 * "a", 1, "is no name of an interface"),
    ("port add q switch int type host ifname a/b", 1, "is no name of an interface"),
    ("port add q switch int type host ifname a:b", 1, "is no name of an interface"),
    ("port add q switch int type host ifname vs%d", 1, "is no name of an interface"),
    ("port add q switch int type host ifname .", 1, "is no name of an interface"),
    ("port add q switch int type host ifname ..", 1, "is no name of an interface"),
    ("port add q switch int type host ifname ''", 1, "is no name of an interface"),
    ("port add q switch int type host ifname a\tb", 1, "is a control character"),
    ("port add " + 16 * "q" + " switch int type host", 1, "cannot be the name of an interface"),
    ("port add q switch int type host queues 0", 1, "queues 0 is out of range: 1 to 8"),
    ("port add q switch int type host queues 9", 1, "queues 9 is out of range: 1 to 8"),
    ("port add q switch int type host queues x", 2, "'x' after 'queues' is not a number"),
    ("port add q switch int type host mtu 67", 1, "mtu 67 is out of range"),
    ("port add q switch int type host mtu 65535", 1, "65521"),
    ("port add q switch int type host addr 192.0.2.1", 1, "is no address of a host with its pref"),
    ("port add q switch int type host addr 192.0.2.1/33", 1, "'192.0.2.1/33' is no address"),
    ("port add q switch int type host addr 192.0.2.1/0", 1, "is no address"),
    ("port add q switch int type host addr 192.0.2.1/-1", 1, "is no address"),
    ("port add q switch int type host addr 192.0.2.1/24x", 1, "is no address"),
    ("port add q switch int type host addr 192.0.2.256/24", 1, "is no address"),
    ("port add q switch int type host addr 192.0.2/24", 1, "is no address"),
    ("port add q switch int type host addr 2001:db8::1/129", 1, "is no address"),
    ("port add q switch int type host addr 2001:db8::g/64", 1, "is no address"),
    ("port add q switch int type host addr 224.0.0.1/24", 1, "is no address"),
    ("port add q switch int type host addr ff02::1/64", 1, "is no address"),
    ("port add q switch int type host addr 0.0.0.0/8", 1, "is no address"),
    ("port add q switch int type host addr x,192.0.2.1/24", 1, "'x' is no address"),
    ("port add q switch int type host addr 192.0.2.1/24,x", 1, "'x' is no address"),
    ("port add q switch int type host addr " + ",".join(f"10.0.{n}.1/24" for n in range(17)), 1,
     "at most 16 addresses"),
    ("port add q switch int type host addr " + LONG, 1, "addr has more than 255 bytes"),
    ("port add q switch int type host addr 192.0.2.1/24\n", 1, "is a control character"),
    ("port add q switch int type host mac 01:00:5e:00:00:01", 1, "group address"),
    ("port add q switch int type host mac all", 2, "and not 'any' or 'auto'"),
    ("port add q switch nowhere type host", 1, "'nowhere'"),
    ("port set p addr 192.0.2.1/24", 1, "only a host port has addresses; 'p' is of type guest"),
    ("port set h0 addr 300.0.0.1/8", 1, "is no address"),
    ("port set h0 addr 192.0.2.1/24,x", 1, "'x' is no address"),
    ("port set h0 mtu 65535", 1, "65521"),
    ("port set p cluster x", 2, "is not a MAC address such as 00:15:5d:01:32:11, and not 'none'"),
    ("port set p cluster auto", 2, "is not a MAC address"),
    ("port set p mac none", 2, "and not 'any' or 'auto'"),
    ("port set p mac any mac auto", 2, "'mac' is there twice"),
    ("port set p name h0", 1, "port 'h0' is there already"),
    ("port set p name a,b", 1, "is no name"),
    ("port set p switch nowhere", 1, "'nowhere'"),
    ("port set h0 switch lan", 1, "a private switch has no host ports"),
    ("port set p tap t0", 2, "unknown word 'tap'"),
    ("port set h0 ifname x", 2, "unknown word 'ifname'"),
    ("port set h0 queues 2", 2, "unknown word 'queues'"),
    ("port set h0 type guest", 2, "unknown word 'type'"),
])
def test_bad_commands(ports, host, words, status, said):
    """Each names what is wrong, and changes nothing, in the host neither."""
    before = host.links(), host.addrs("h0"), host.link("h0")["mtu"]
    refused(ports, status, said,
            *("" if word == "''" else word for word in words.split(" ")))
    assert before == (host.links(), host.addrs("h0"), host.link("h0")["mtu"])


# ---- attributes ----

def strings(limit):
    """Payloads that are no string of up to so many bytes, and what is said of them."""
    return [(b"", "does not end with its only NUL"), (b"x", "does not end with its only NUL"),
            (b"a\0b\0", "does not end with its only NUL"), (b"\0\0", "does not end with its only"),
            (b"a\x01b\0", "control character"), (b"\x7f\0", "control character"),
            (b"a\n\0", "control character"), (limit * b"a" + b"a\0", ""),
            (4000 * b"a" + b"\0", "")]


def numbers(low, high):
    """Payloads that are no number of a range."""
    return [(high + 1, "is out of range"), (0xffffffff, "is out of range"), (b"", "4 are right"),
            (b"\1", "4 are right"), (b"\1\0\0\0\0\0\0\0", "4 are right"),
            *([(low - 1, "is out of range")] if low else [])]


def sized(size):
    """Payloads of the wrong length."""
    return [(bytes(n), f"{size} are right") for n in (0, 1, size - 1, size + 1, 64) if n != size]


NAMES = [(b"", "NUL"), (b"a", "NUL"), ("", "is no name"), ("-a", "is no name"),
         ("a b", "is no name"), ("a/b", "is no name"), (32 * "a", "is no name"),
         ("\x01", "is no name"), (b"\xff\xfe\0", "is no name")]
IFNAMES = [("", "no name of an interface"), (16 * "a", "no name of an interface"),
           ("a b", "no name of an interface"), ("a/b", "no name of an interface"),
           ("a:b", "no name of an interface"), ("..", "no name of an interface")]
BAD = {
    (wire.SWITCH_NEW, UPLINK): strings(255),
    (wire.SWITCH_SET, UPLINK): strings(255),
    (wire.SWITCH_NEW, SHARE): numbers(0, 1),
    (wire.SWITCH_SET, SHARE): numbers(0, 1),
    (wire.SWITCH_SET, UNKNOWN): numbers(0, 3),
    (wire.SWITCH_SET, NEW_NAME): NAMES,
    (wire.SWITCH_NEW, wire.FORCE): [(b"\0", "0 are right"), (1, "0 are right")],
    (wire.PORT_NEW, IFNAME): strings(255) + IFNAMES,
    (wire.PORT_NEW, ADDRS): strings(255),
    (wire.PORT_SET, ADDRS): strings(255),
    (wire.PORT_NEW, QUEUES): numbers(1, 8),
    (wire.PORT_NEW, MAC_AUTO): [(b"\0", "0 are right"), (1, "0 are right")],
    (wire.PORT_SET, MAC_AUTO): [(b"\0", "0 are right"), (1, "0 are right")],
    (wire.PORT_SET, PRIORITY): numbers(0, 1),
    (wire.PORT_SET, NEW_NAME): NAMES,
    (wire.PORT_SET, wire.SWITCH): NAMES,
    (wire.PORT_SET, CLUSTER): sized(6),
    (FDB_NEW, wire.MAC): sized(6) + [(b"\1\0\0\0\0\0", "is a group address")],
    (FDB_NEW, wire.PORT): NAMES,
    (FDB_NEW, VLAN): numbers(0, 4094),
    (FDB_DEL, wire.MAC): sized(6),
    (FDB_DEL, VLAN): numbers(0, 4094),
}


def state(client):
    """What could have changed; addresses grow older by themselves."""
    rows = [client.call(cmd) for cmd in (wire.SWITCH_GET, wire.PORT_GET, FDB_GET)]
    for row in rows[2]:
        del row[AGE]
    return rows


@pytest.mark.parametrize("command,number", BAD, ids=lambda one: f"{one:#x}")
def test_bad_values(ports, client, command, number):
    """Said in words, pointed at by the offset, and nothing has changed."""
    before = [len(rows) for rows in state(client)]
    for value, said in BAD[command, number]:
        with pytest.raises(wire.Refused) as refusal:
            client.call(command, (number, value), (wire.NAME, "p"))
        assert said in refusal.value.text and refusal.value.offset == 20, (value, refusal.value)
        assert refusal.value.errno in (errno.EINVAL, errno.ERANGE)
    assert [len(rows) for rows in state(client)] == before
    assert ports.json("port", "show", "p")[0]["name"] == "p"


SWITCH = [(wire.NAME, "x"), (wire.KIND, INTERNAL)]
PORT = [(wire.NAME, "x"), (wire.SWITCH, "int"), (wire.KIND, HOST)]
GUEST = [(wire.NAME, "x"), (wire.SWITCH, "int"), (wire.KIND, wire.GUEST)]


@pytest.mark.parametrize("command,attrs,said", [
    (wire.SWITCH_NEW, [*SWITCH, (NEW_NAME, "y")], "does not take attribute 'name'"),
    (wire.SWITCH_NEW, [*SWITCH, (NEW_NAME, "y")], "does not take attribute 'name'"),
    (wire.SWITCH_NEW, [*SWITCH, (IFNAME, "y")], "does not take attribute 'interface'"),
    (wire.SWITCH_NEW, [*SWITCH, (VLANS, b"\1\0\1\0")], "does not take attribute 'vlan'"),
    (wire.SWITCH_NEW, [*SWITCH, (UPLINK, "dpdk:x"), (UPLINK, "dpdk:x")], "is there twice"),
    (wire.SWITCH_NEW, [(wire.NAME, "x"), (wire.KIND, 0)], "type 0 is out of range"),
    (wire.SWITCH_NEW, [(wire.NAME, "x"), (wire.KIND, 4)], "type 4 is no type of switch"),
    (wire.SWITCH_NEW, [(wire.NAME, "x"), (wire.KIND, HOST)], "type 18 is no type of switch"),
    (wire.SWITCH_SET, [(wire.NAME, "lan"), (wire.KIND, wire.GUEST)], "type 17 is no type of"),
    (wire.SWITCH_SET, [(wire.NAME, "lan")], "nothing to change was named"),
    (wire.SWITCH_SET, [(wire.NAME, "lan"), (wire.FORCE, b"")], "nothing to change was named"),
    (wire.SWITCH_DEL, [(wire.NAME, "lan"), (SHARE, 1)], "does not take attribute 'share-host'"),
    (wire.PORT_NEW, [(wire.NAME, "x"), (wire.SWITCH, "int"), (wire.KIND, 1)], "is no type of port"),
    (wire.PORT_NEW, [(wire.NAME, "x"), (wire.SWITCH, "int"), (wire.KIND, UPLINK_PORT)],
     "an uplink comes with its switch"),
    (wire.PORT_NEW, [*PORT, (wire.SOCKET, "/tmp/x")], "a host port has an interface, no socket"),
    (wire.PORT_NEW, [*PORT, (wire.MODE, 1)], "only a port with a socket has a mode"),
    (wire.PORT_NEW, [*PORT, (wire.MAC, bytes.fromhex(MAC.replace(":", ""))), (MAC_AUTO, b"")],
     "given or taken from the pool, not both"),
    (wire.PORT_NEW, [*PORT, (NEW_NAME, "y")], "does not take attribute 'name'"),
    (wire.PORT_NEW, [*PORT, (UPLINK, "xdp:lo")], "does not take attribute 'uplink'"),
    (wire.PORT_NEW, [*GUEST], "a guest port needs one of: socket PATH | tap IFNAME"),
    (wire.PORT_NEW, [*GUEST, (wire.SOCKET, "/tmp/x"), (IFNAME, "x")], "a guest port needs one of"),
    (wire.PORT_NEW, [*GUEST, (IFNAME, "x"), (QUEUES, 1)], "only a host port has queues"),
    (wire.PORT_NEW, [*GUEST, (wire.SOCKET, "/tmp/x"), (ADDRS, "")], "only a host port has addr"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (IFNAME, "x")], "does not take attribute 'interface'"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (QUEUES, 1)], "does not take attribute 'queues'"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (wire.MAC, bytes(6)), (MAC_AUTO, b"")], "not both"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (DRIVER, "x")], "does not take attribute 'driver'"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (DEVICE_MAC, bytes(6))], "does not take attribute 'device"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (SPEED, 1)], "does not take attribute 'speed'"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (DETAIL, "x")], "does not take attribute 'detail'"),
    (wire.PORT_SET, [(wire.NAME, "h0"), (999, 1)], "attribute number 999 is not known"),
    (FDB_NEW, [(wire.SWITCH, "lan"), (wire.MAC, bytes(6))], "'port' is missing"),
    (FDB_NEW, [(wire.SWITCH, "lan"), (wire.PORT, "p")], "'mac' is missing"),
    (FDB_NEW, [(wire.SWITCH, "lan"), (wire.PORT, "p"), (wire.MAC, bytes(6))], "not zero"),
    (FDB_NEW, [(wire.SWITCH, "int"), (wire.PORT, "p"), (wire.MAC, b"\2\0\0\0\0\1")],
     "switch 'int' has no port 'p'"),
    (FDB_DEL, [(wire.MAC, bytes(6))], "'switch' is missing"),
    (FDB_DEL, [(wire.SWITCH, "lan"), (wire.MAC, b"\2\0\0\0\0\1"), (wire.PORT, "p")],
     "does not take attribute 'port'"),
])
def test_bad_requests(ports, client, host, command, attrs, said):
    """Attributes that do not belong there, or not together."""
    before = state(client), host.links()
    with pytest.raises(wire.Refused) as refusal:
        client.call(command, *attrs)
    assert said in refusal.value.text
    assert (state(client), host.links()) == before
    assert ports.alive()


def test_host_port_of_the_protocol(ports, client, host):
    """All attributes of a host port, as sent and as answered."""
    client.call(wire.PORT_NEW, (wire.NAME, "x"), (wire.SWITCH, "int"), (wire.KIND, HOST),
                (IFNAME, "vs1"), (ADDRS, "192.0.2.9/24"), (QUEUES, 2), (MAC_AUTO, b""),
                (wire.MTU, 1400), (VLAN_MODE, 2), (VLAN, 3))
    row = client.call(wire.PORT_GET, (wire.NAME, "x"))[0]
    assert row[IFNAME] == b"vs1\0" and row[ADDRS] == b"192.0.2.9/24\0"
    assert wire.SOCKET not in row and UPLINK not in row
    assert int.from_bytes(row[wire.KIND], "little") == HOST
    assert host.addrs("vs1") == {"192.0.2.9/24"}
    client.call(wire.PORT_SET, (wire.NAME, "x"), (ADDRS, ""))
    assert client.call(wire.PORT_GET, (wire.NAME, "x"))[0][ADDRS] == b"\0"
    assert host.addrs("vs1") == set()
    client.call(wire.PORT_DEL, (wire.NAME, "x"))
    assert "vs1" not in host.links()
    assert ports.alive()
