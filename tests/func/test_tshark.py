# SPDX-License-Identifier: BSD-3-Clause
"""Others' eyes on what was delivered: scapy writes it to a file, tshark reads it."""

import shutil
import subprocess

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap

from frames import cross, noise, teach, text

TSHARK = shutil.which("tshark")
pytestmark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")

FIELDS = ["frame.len", "eth.src", "eth.dst", "vlan.id", "frame.protocols", "_ws.malformed",
          "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
          "icmp.checksum.status", "icmpv6.checksum.status"]
GOOD, UNCHECKED = "1", "2"


def packets(src, dst):
    """What hosts say to each other."""
    ether = Ether(src=text(src), dst=text(dst))
    ip, ip6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="fe80::2")
    yield Ether(src=text(src), dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.2")
    for size in (0, 1, 17, 100, 1472):
        body = Raw(noise(size))
        yield ether / ip / ICMP() / body
        yield ether / ip / UDP(sport=7, dport=9999) / body
        yield ether / Dot1Q(vlan=0, prio=5) / ip / UDP(sport=7, dport=9999) / body
    for size in (0, 1, 1440, 8900):
        body = Raw(noise(size))
        yield ether / ip / TCP(sport=40000, dport=50000, flags="PA") / body
        yield ether / ip6 / TCP(sport=40000, dport=50000, flags="PA") / body
        yield ether / ip6 / ICMPv6EchoRequest(data=noise(size))
    yield ether / ip / UDP(dport=53) / DNS(qd=DNSQR(qname="vmswitch.example"))


def plain(packet):
    """The frame without its priority tag."""
    data = bytes(packet)
    return data[:12] + data[16:] if packet.haslayer(Dot1Q) else data


def test_wellformed(trio, tmp_path):
    """Frames of scapy's arrive byte by byte, and tshark finds no fault with any of them."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    sent = list(packets(a.mac, b.mac))
    (got,) = cross(a, sent, b)
    assert got == [plain(one) for one in sent]
    path = str(tmp_path / "got.pcap")
    wrpcap(path, [Ether(one) for one in got])
    assert [bytes(one) for one in rdpcap(path)] == got

    command = [TSHARK, "-r", path, "-T", "fields", "-E", "separator=|"]
    for option in ("ip", "tcp", "udp"):
        command += ["-o", f"{option}.check_checksum:TRUE"]
    for field in FIELDS:
        command += ["-e", field]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [dict(zip(FIELDS, line.split("|"))) for line in out.splitlines()]
    assert len(rows) == len(sent)
    for row, one in zip(rows, got):
        assert int(row["frame.len"]) == len(one)
        assert (row["eth.src"], row["eth.dst"]) == (text(one[6:12]), text(one[:6]))
        assert row["vlan.id"] == "" and row["_ws.malformed"] == "", row
        sums = {row[name] for name in FIELDS if name.endswith("checksum.status")} - {""}
        assert sums <= {GOOD, UNCHECKED} and (GOOD in sums or "arp" in row["frame.protocols"]), row
