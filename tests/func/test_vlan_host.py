# SPDX-License-Identifier: BSD-3-Clause
"""VLANs between guests and host ports, in a namespace that is the host: each kind of port and frame
against the model, and the host's own stack behind a host port."""

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

import net
import netns
from frames import BROADCAST, mac, text
from test_control import refused
from vlans import KINDS, enter, leave, mode, tag, vlan_frame
from watch import wait_for

# The daemon of these tests is in a namespace, which is the host.
host, session_daemon = net.host, net.session_daemon

GUESTS = [mode("untagged"), mode("access 10"), mode("trunk 10,20", priority=True),
          mode("trunk 1-4094 native 20")]
HOSTS = [mode("untagged"), mode("access 20"), mode("trunk 10,20 native 30", priority=True),
         mode("trunk 1-4094")]


class HostEnd:
    """The host's side of a host port: what its stack sends and gets there, played by us."""

    def __init__(self, lan, host_ns, name):
        self.lan, self.name = lan, name
        self.station = netns.Station(host_ns, name)
        self.mac = self.station.mac

    def send_all(self, frames):
        """Send, and wait until the switch has taken all."""
        before = self.lan.stats(self.name)["received"]
        for one in frames:
            self.station.send(one)
        wait_for(lambda: self.lan.stats(self.name)["received"],
                 lambda now: now >= before + len(frames))

    def recv_all(self):
        """What it got."""
        return self.station.recv_all()


class GuestEnd:
    """The same of a guest."""

    def __init__(self, guest):
        self.guest, self.mac = guest, guest.mac

    def send_all(self, frames):
        """Send, and wait until the switch has taken all."""
        for one in frames:
            self.guest.send(one)
        self.guest.flush()

    def recv_all(self):
        """What it got."""
        return self.guest.recv_all(0)


@pytest.fixture
def internal(lan):
    """The switch `lan`, with the host."""
    lan.daemon.check("switch", "set", "lan", "type", "internal")
    return lan


def add_host(lan, host_ns, name, *words):
    """A host port that is up, and silent by itself."""
    host_ns.sysctl("ipv6/conf/default/disable_ipv6", 1)
    lan.daemon.check("port", "add", name, "switch", "lan", "type", "host", *words)
    lan.wait(name, lambda row: row["up"])
    return HostEnd(lan, host_ns, name)


def test_matrix(internal, host):
    """Each kind of frame from each kind of port, guests' and host's, to all others."""
    modes = {f"g{n}": one for n, one in enumerate(GUESTS)}
    modes |= {f"h{n}": one for n, one in enumerate(HOSTS)}
    ends = {}
    for n, (name, one) in enumerate(modes.items()):
        words = ["vlan", *one.words.split()]
        if name[0] == "g":
            ends[name] = GuestEnd(internal.add(name, *words, mac=mac(n + 1)))
        else:
            ends[name] = add_host(internal, host, name, *words)
        internal.daemon.check("port", "set", name, "storm", 0, "priority",
                              "on" if one.priority else "off")
    for name, end in ends.items():
        frames = [vlan_frame(BROADCAST, end.mac, tags, 100, k)
                  for k, tags in enumerate(KINDS.values())]
        inside = [one for frame in frames if (one := enter(modes[name], frame)[1])]
        end.send_all(frames)
        for other, one in modes.items():
            wanted = [] if other == name else [
                got for each in inside if one.has(each.vid) and (got := leave(one, each))]
            assert ends[other].recv_all() == wanted, (modes[name], one)
    for name, one in modes.items():
        reasons = [enter(one, vlan_frame(BROADCAST, ends[name].mac, tags))[0]
                   for tags in KINDS.values()]
        drops = internal.daemon.drops(name)
        for reason in set(reasons) - {None}:
            assert drops[reason] == reasons.count(reason), (name, one)


@pytest.mark.parametrize("words", ["access 10", "trunk 20,30 native 10"])
def test_host_answers(internal, host, words):
    """The host's own stack is asked for its address, and pinged, from its VLAN, tagged there or
    not; from other VLANs it is not even heard."""
    internal.daemon.check("port", "add", "h0", "switch", "lan", "type", "host", "addr",
                          "192.0.2.1/24", "vlan", *words.split())
    address = internal.wait("h0", lambda row: row["up"])["mac"]
    there = {"access 10": b"", "trunk 5,10": tag(10), "trunk 5 native 10": b""}
    away = {"untagged": b"", "access 20": b"", "trunk 20": tag(20)}
    for n, (each, tags) in enumerate({**away, **there}.items()):
        guest = internal.add(f"g{n}", "vlan", *each.split(), mac=mac(n + 1))
        own = f"192.0.2.{n + 2}"
        ask = Ether(src=text(guest.mac), dst="ff:ff:ff:ff:ff:ff") / ARP(
            op=1, hwsrc=text(guest.mac), psrc=own, pdst="192.0.2.1")
        ping = Ether(src=text(guest.mac), dst=address) / IP(src=own, dst="192.0.2.1") / ICMP(id=n)
        for packet in (ask, ping):
            guest.send(tagged(packet, tags))
        guest.flush()
        if each in away:
            continue
        reply = wait_for(lambda: find(guest, ARP, tags), bool)
        assert (reply[ARP].hwsrc, reply[ARP].psrc) == (address, "192.0.2.1")
        guest.send(tagged(ping, tags))
        reply = wait_for(lambda: find(guest, ICMP, tags), bool)
        assert (reply[ICMP].type, reply[ICMP].id, reply[IP].src) == (0, n, "192.0.2.1")
    for n in range(len(away)):
        heard = internal.guests[f"g{n}"].recv_all(0)
        assert not [one for one in heard if text(one[6:12]) == address]


def tagged(packet, tags):
    """A packet of scapy's with tags."""
    data = bytes(packet)
    return data[:12] + tags + data[12:]


def find(guest, layer, tags):
    """The first frame with these tags and that layer of what has come."""
    size = 12 + len(tags)
    return next((packet for one in guest.recv_all(0) if one[12:size] == tags
                 if layer in (packet := Ether(one[:12] + one[size:]))), None)


def test_change(internal, host):
    """A host port changes its VLANs like any other; its interface stays as it is."""
    guest = internal.add("g", "vlan", "trunk", "10,20", mac=mac(1))
    end = add_host(internal, host, "h0", "addr", "192.0.2.1/24")
    before = host.link("h0")
    for words, tags, comes in (("access 10", tag(10), ""), ("access 10", tag(20), None),
                               ("trunk 20 native 10", tag(10), ""),
                               ("trunk 20 native 10", tag(20), tag(20)),
                               ("trunk 5", tag(20), None), ("untagged", b"", "")):
        internal.daemon.check("port", "set", "h0", "vlan", *words.split())
        one = vlan_frame(BROADCAST, guest.mac, tags)
        GuestEnd(guest).send_all([one])
        bare = one[:12] + one[12 + len(tags):]
        assert end.recv_all() == ([] if comes is None else [one if comes else bare])
    assert host.addrs("h0") == {"192.0.2.1/24"}
    after = host.link("h0")
    assert (after["address"], after["mtu"], after["ifindex"]) == (
        before["address"], before["mtu"], before["ifindex"])


def test_bad(internal, host):
    """A host port that is refused for its VLANs leaves no interface behind."""
    before = host.links()
    for words in ("vlan access 0", "vlan trunk x", "vlan trunk 1-4095"):
        refused(internal.daemon, 2, "VLAN", "port", "add", "h9", "switch", "lan", "type", "host",
                *words.split())
    assert host.links() == before
