# SPDX-License-Identifier: BSD-3-Clause
"""Batches that make and change interfaces, and batches beside the traffic of others."""

import errno

import pytest

import net
import wire
from batch import (CONFIRM_S, HOST, IFNAME, NEW_NAME, ROLLBACK, VLAN, VLAN_MODE, Batch, mac)
from lan import Lan
from victim import Victim

host, session_daemon = net.host, net.session_daemon
IPV6 = False
ADDRS, UPLINK, KIND = 81, 76, wire.KIND
SLOW = 10.0             # seconds that a round of a pair may take at most on a busy machine
TAP = "dpdk:net_tap{0},iface=vswire{0}"


@pytest.fixture
def client(vmswitchd):
    """A connection that speaks the bare protocol."""
    with wire.Wire(vmswitchd.socket, timeout=60) as one:
        yield one


@pytest.fixture
def victims(vmswitchd, rundir):
    """The switch lan, with a pair on it that talks all the time and must not lose a frame."""
    lan = Lan(vmswitchd, rundir, "lan", ("internal",))
    try:
        with Victim(lan) as pair:
            yield pair
            pair.check(SLOW)
    finally:
        lan.close()


def host_port(batch, name, ifname, *attrs):
    """PORT_NEW of a host port on the switch lan."""
    batch.add(wire.PORT_NEW, (wire.NAME, name), (wire.SWITCH, "lan"), (KIND, HOST),
              (IFNAME, ifname), *attrs)


def test_traffic(victims, vmswitchd, client, rundir):
    """Ports come, change and go in batches, some of which fail, beside frames of others."""
    for fails in (True, False, True):
        batch = Batch(client)
        for n in range(100):
            batch.port(f"p{n}", "lan", rundir / f"{n}.sock", (wire.MODE, 2),
                       (wire.MAC, mac(1000 + n)), (VLAN_MODE, 2), (VLAN, 1 + n))
            batch.add(wire.PORT_SET, (wire.NAME, f"p{n}"), (NEW_NAME, f"q{n}"))
        if fails:
            batch.add(wire.PORT_DEL, (wire.NAME, "none"))
            batch.bad(201, errno.ENOENT)
        else:
            batch.good()
        victims.progress(3)
        assert vmswitchd.json("switch", "show")[0]["ports"] == 2 if fails else 102
        if fails:
            continue
        batch = Batch(client)
        for n in range(100):
            batch.add(wire.PORT_DEL, (wire.NAME, f"q{n}"))
        batch.good()
        victims.progress(3)


def test_interfaces(victims, vmswitchd, client, host):
    """A batch that fails leaves no interface, takes none away, and puts back what it changed."""
    host.exec("ip", "tuntap", "add", "dev", "vsold", "mode", "tap")
    batch = Batch(client)
    host_port(batch, "h", "vsh", (ADDRS, "192.0.2.1/24"), (wire.MTU, 1400))
    batch.good()
    links, addrs = host.links(), host.addrs("vsh")
    row = vmswitchd.json("port", "show", "h")[0]
    batch = Batch(client)
    batch.add(wire.PORT_SET, (wire.NAME, "h"), (ADDRS, "192.0.2.2/24,192.0.2.3/32"),
              (wire.MTU, 1300), (wire.MAC, mac(9)))
    host_port(batch, "old", "vsold")
    host_port(batch, "new", "vsnew")
    host_port(batch, "again", "vsh")
    batch.bad(4, errno.EEXIST)
    assert host.links() == links
    assert host.addrs("vsh") == addrs == {"192.0.2.1/24"}
    assert vmswitchd.json("port", "show", "h")[0] == row
    # removed for good only when it is confirmed: it comes back with its addresses
    batch = Batch(client, (CONFIRM_S, 60))
    batch.add(wire.PORT_DEL, (wire.NAME, "h"))
    host_port(batch, "new", "vsnew")
    batch.good()
    assert host.links() == links - {"vsh"} | {"vsnew"}
    client.call(ROLLBACK)
    assert (host.links(), host.addrs("vsh")) == (links, addrs)
    again = vmswitchd.json("port", "show", "h")[0]
    assert (again["mac"], again["mtu"]) == (row["mac"], row["mtu"])
    host.exec("ip", "link", "del", "dev", "vsold")


def test_uplinks(victims, vmswitchd, client, host):
    """A new uplink takes the place of the old one, or the old one has never been away."""
    vmswitchd.check("switch", "set", "lan", "type", "external", "uplink", TAP.format(0))
    vmswitchd.check("port", "set", "lan.uplink", "storm", 77)
    row = vmswitchd.json("port", "show", "lan.uplink")[0]
    vmswitchd.refuses("no DPDK driver", "switch", "set", "lan", "uplink", "dpdk:net_nonsense0")
    assert vmswitchd.json("port", "show", "lan.uplink")[0]["id"] == row["id"]
    batch = Batch(client, (CONFIRM_S, 60))
    batch.add(wire.SWITCH_SET, (wire.NAME, "lan"), (UPLINK, TAP.format(1)), (NEW_NAME, "wan"))
    batch.good()
    assert {"vswire0", "vswire1"} & host.links() == {"vswire1"}
    assert vmswitchd.json("port", "show", "wan.uplink")[0]["storm"] == 77
    victims.progress(3)
    client.call(ROLLBACK)
    assert {"vswire0", "vswire1"} & host.links() == {"vswire0"}
    again = vmswitchd.json("port", "show", "lan.uplink")[0]
    assert (again["uplink"], again["storm"]) == (row["uplink"], 77)
    batch = Batch(client)
    batch.add(wire.SWITCH_SET, (wire.NAME, "lan"), (KIND, 2))
    batch.add(wire.SWITCH_SET, (wire.NAME, "lan"), (KIND, 3), (UPLINK, TAP.format(0)))
    batch.bad(2, errno.EBUSY, "remove that port first")
    vmswitchd.check("switch", "set", "lan", "type", "internal")
    assert not {"vswire0", "vswire1"} & host.links()
