# SPDX-License-Identifier: BSD-3-Clause
"""Guests, the host and a station outside, on one network card."""

import json
import subprocess
import threading

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.utils import wrpcap

import streams
from netlab import NIC, WIRE, ping, reach
from netns import Station

HOST, OUT, STATION = "10.0.0.253", "10.0.0.252", "10.0.0.99"


def external(net, share):
    """The wire with an address at either end, and its near end the uplink of `ext`."""
    net.wire()
    net.address(net.host, NIC, 253)
    net.address(net.out, WIRE, 252)
    ping(net.host, OUT)
    net.daemon.configure("switch", "add", "ext", "type", "external", "uplink", f"xdp:{NIC}",
                         "share-host", share)
    net.wait_up("ext.uplink")


def ping_all(net, vm1):
    """Everybody reaches everybody, with IPv4 and IPv6."""
    for prefix in ("10.0.0.", "fd00::"):
        for sender, targets in ((vm1, (252, 253)), (net.host, (1, 252)), (net.out, (1, 253))):
            for number in targets:
                ping(sender, f"{prefix}{number}")
    for sender, number in ((vm1, 252), (vm1, 253), (net.host, 1), (net.out, 1)):
        ping(sender, f"10.0.0.{number}", size=1472)


def test_host_guest_and_outside_on_one_card(net):
    """The host's connection goes on while its card becomes an uplink and guests use it."""
    net.wire()
    net.address(net.host, NIC, 253)
    net.address(net.out, WIRE, 252)
    own, sink = streams.between(net.host, net.out, OUT, 5000, pause=0.02)
    own.wait_sent(streams.MIB)
    net.daemon.configure("switch", "add", "ext", "type", "external", "uplink", f"xdp:{NIC}",
                         "share-host", "on")
    vm1 = net.plug("vm1", 1, "ext")
    reach(vm1, OUT)
    ping_all(net, vm1)
    own.wait_sent(streams.MIB)
    streams.exchange(net.out, OUT, vm1, "10.0.0.1", 5010)
    streams.exchange(net.host, HOST, vm1, "10.0.0.1", 5020)
    assert own.finish() == sink.finish()
    net.daemon.check("switch", "del", "ext", "force")
    ping(net.host, OUT)


def test_kill_the_switch_while_the_host_uses_the_card(net):
    """Without the switch the host goes on as if nothing were; with it, the guest is back."""
    external(net, "on")
    vm1 = net.plug("vm1", 1, "ext")
    reach(vm1, OUT)
    ping_all(net, vm1)
    own, sink = streams.between(net.host, net.out, OUT, 5030, pause=0.02)
    guests, job = streams.to_guest(net.out, vm1, "10.0.0.1", 5031, pause=0.02)
    own.wait_sent(streams.MIB)
    guests.wait_sent(streams.MIB)
    net.daemon.kill()
    own.wait_sent(2 * streams.MIB)
    ping(net.host, OUT)
    ping(net.out, HOST)
    net.daemon.start()
    net.daemon.reconfigure()
    reach(vm1, OUT)
    ping_all(net, vm1)
    assert guests.finish() == streams.digest_of(job)
    assert own.finish() == sink.finish()


def test_card_without_the_host(net):
    """share-host off: guest and outside reach each other, the host reaches nobody."""
    external(net, "off")
    vm1 = net.plug("vm1", 1, "ext")
    reach(vm1, OUT)
    for address in (OUT, "fd00::252"):
        ping(vm1, address)
    ping(net.out, "10.0.0.1")
    streams.exchange(net.out, OUT, vm1, "10.0.0.1", 5040)
    assert not net.out.ping(HOST, seconds=1, check=False)
    assert vm1.run(f"ping -c 1 -W 1 {HOST}")[0] != 0
    net.daemon.configure("switch", "set", "ext", "share-host", "on")
    reach(vm1, HOST)
    ping_all(net, vm1)


class Trunk(threading.Thread):
    """A station that has the address 10.0.0.99 on every VLAN, with another MAC on each. It answers
    ARP and ping on the VLAN that the question came on, and keeps all frames of the wire."""

    def __init__(self, ns):
        super().__init__(daemon=True)
        self.station, self.ended = Station(ns, WIRE), threading.Event()
        self.frames = []
        self.arrival = threading.Condition()
        self.start()

    @staticmethod
    def mac(vid):
        """Its address on a VLAN."""
        return f"02:00:00:00:99:{vid:02x}"

    @staticmethod
    def vid(frame):
        """VLAN of a frame on the wire; 0: untagged."""
        return frame[Dot1Q].vlan if Dot1Q in frame else 0

    def header(self, vid, dst="ff:ff:ff:ff:ff:ff"):
        """Ethernet header of a frame that it sends."""
        eth = Ether(src=self.mac(vid), dst=dst)
        return eth / Dot1Q(vlan=vid) if vid else eth

    def send(self, frame):
        """Send and keep a frame."""
        self.station.send(bytes(frame))
        self.frames.append(bytes(frame))

    def ask(self, vid, address):
        """Ask on a VLAN who has an address."""
        self.send(self.header(vid) / ARP(op=1, hwsrc=self.mac(vid), psrc=STATION, pdst=address))

    def run(self):
        """Serve until the end."""
        while not self.ended.is_set():
            data = self.station.recv(0.1)
            if data is None:
                continue
            with self.arrival:
                self.frames.append(data)
                self.arrival.notify_all()
            self.answer(Ether(data))

    def answer(self, frame):
        """Answer what is meant for it."""
        vid = self.vid(frame)
        head = self.header(vid, frame.src)
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == STATION:
            self.send(head / ARP(op=2, hwsrc=self.mac(vid), psrc=STATION, hwdst=frame.src,
                                 pdst=frame[ARP].psrc))
        elif ICMP in frame and frame[ICMP].type == 8 and frame.dst == self.mac(vid):
            echo = frame[ICMP]
            self.send(head / IP(src=STATION, dst=frame[IP].src)
                      / ICMP(type=0, id=echo.id, seq=echo.seq) / bytes(echo.payload))

    def answers(self, address):
        """The VLANs on which @address has said who it is."""
        parsed = [Ether(data) for data in list(self.frames)]
        return {self.vid(one) for one in parsed
                if ARP in one and one[ARP].op == 2 and one[ARP].psrc == address}

    def wait_answer(self, address, vid):
        """Wait until @address has said on VLAN @vid who it is."""
        with self.arrival:
            assert self.arrival.wait_for(lambda: vid in self.answers(address), 30), \
                f"{address} does not answer on VLAN {vid}"

    def close(self):
        """End it."""
        self.ended.set()
        self.join(10)
        self.station.close()


@pytest.fixture
def trunk(net):
    """The station at the far end of the wire, which is the uplink of `ext`."""
    net.wire()
    net.daemon.configure("switch", "add", "ext", "type", "external", "uplink", f"xdp:{NIC}",
                         "share-host", "off")
    net.wait_up("ext.uplink")
    one = Trunk(net.out)
    yield one
    one.close()


def dissect(frames, path):
    """What tshark sees in frames: a dict each."""
    names = ("eth.src", "eth.dst", "vlan.id", "vlan.priority", "vlan.etype", "frame.protocols")
    wrpcap(str(path), [Ether(data) for data in frames])
    lines = subprocess.run(
        ["tshark", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-T", "fields",
         *[word for name in names for word in ("-e", name)]],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    bad = subprocess.run(
        ["tshark", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-Y",
         "ip.checksum.status == 0 || icmp.checksum.status == 0 || _ws.malformed"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    assert not bad, bad
    return [dict(zip(names, line.split("\t"))) for line in lines.splitlines()]


@pytest.mark.parametrize("queues", ["off", "on"])
def test_two_vlans_behind_one_uplink(net, trunk, queues):
    """Each guest talks on its VLAN, and on that one only; tags are on the wire, not in guests. The
    same with queues, which the kernel sorts frames into by address and VLAN."""
    net.daemon.configure("vmq", "set", "ext", queues)
    vm1 = net.plug("vm1", 1, "ext", "vlan", "access", 10)
    vm2 = net.plug("vm2", 2, "ext", "vlan", "access", 20)
    for number in (1, 2):
        net.daemon.configure("port", "set", f"vm{number}", "mac", f"52:54:00:00:01:{number:02x}")
    for guest in (vm1, vm2):
        guest.check("ip neigh flush dev eth0")
        reach(guest, STATION)
        ping(guest, STATION)
        ping(guest, STATION, size=1472)

    # They share the address 10.0.0.99, and yet each has asked its own station.
    for guest, vid in ((vm1, 10), (vm2, 20)):
        assert trunk.mac(vid) in guest.check("cat /proc/net/arp")

    # Neither reaches the other, in spite of what the station tries on the wrong VLAN.
    assert vm1.run("ping -c 2 -i 0.2 -W 1 10.0.0.2")[0] != 0
    assert vm2.run("ping -c 2 -i 0.2 -W 1 10.0.0.1")[0] != 0
    for asked, other, wrong in (("10.0.0.2", "10.0.0.1", 10), ("10.0.0.1", "10.0.0.2", 20)):
        trunk.ask(wrong, asked)
        trunk.ask(wrong, other)
        trunk.wait_answer(other, wrong)
        assert wrong not in trunk.answers(asked)

    rows = dissect(trunk.frames, net.dir / "vlan.pcap")
    for number, vid in ((1, "10"), (2, "20")):
        mac = f"52:54:00:00:01:{number:02x}"
        sent = [row for row in rows if row["eth.src"] == mac]
        assert len(sent) > 10
        assert {(row["vlan.id"], row["vlan.priority"]) for row in sent} == {(vid, "0")}, sent
        assert {row["vlan.id"] for row in rows if row["eth.dst"] == mac} == {vid}
    print(json.dumps(rows[0]))
    queue = {row["port"]: row for row in net.daemon.json("vmq", "show", "ext")}
    for name, vid in (("vm1", 10), ("vm2", 20)):
        row = queue[name]
        if queues == "on":
            assert (row["engine"], row["state"]) == ("xdp", "running") and row["frames"] > 5, row
            assert row["filters"].endswith(f" vlan {vid}"), row
        else:
            assert row["queue"] is None and row["frames"] == 0, row


def test_guest_changes_its_vlan(net, trunk):
    """Under traffic, from VLAN 20 to the untagged one, and then to its neighbour's."""
    vm1 = net.plug("vm1", 1, "ext", "vlan", "access", 10)
    vm2 = net.plug("vm2", 2, "ext", "vlan", "access", 20)
    reach(vm2, STATION)
    net.daemon.configure("port", "set", "vm2", "vlan", "untagged")
    vm2.check("ip neigh flush dev eth0")
    reach(vm2, STATION)
    begin = len(trunk.frames)
    ping(vm2, STATION)
    sent = [row for row in dissect(trunk.frames[begin:], net.dir / "native.pcap")
            if row["eth.src"] == "52:54:00:00:01:02"]
    assert sent and {row["vlan.id"] for row in sent} == {""}
    net.daemon.configure("port", "set", "vm2", "vlan", "access", 10)
    for guest in (vm1, vm2):
        guest.check("ip neigh flush dev eth0")
    reach(vm2, "10.0.0.1")
    ping(vm1, "10.0.0.2")
    reach(vm2, STATION)
    assert trunk.mac(10) in vm2.check("cat /proc/net/arp")
