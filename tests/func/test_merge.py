# SPDX-License-Identifier: BSD-3-Clause
"""Segments from a wire become few packets for a guest that takes such: taken apart again they are
what was sent, in order; a guest that does not take them gets every frame as it came."""

import re

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

import net
import uplinks
from frames import BROADCAST, noise, text
from netns import Namespace
from offloads import NEEDS_CSUM, OFFERED, TAKES, finished, pseudo
from uplinks import at_once, meet

session_daemon, wire, lan = net.session_daemon, uplinks.wire, uplinks.lan

SIZE = 1200
KINDS = pytest.mark.parametrize("wire", ["xdp", "tap"], indirect=True)


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture
def guest(lan):
    """Make guest a, which takes what the test says."""
    def make(takes, *words):
        lan.add("a", *words, mac=bytes([2, 0, 0, 0, 0, 0xa]), rx_shape=[4096],
                ring_size=1024, mem_mib=64, add=takes, without=OFFERED & ~takes)
        meet(lan, lan.guests["a"])
        return lan.guests["a"]
    return make


def flow(lan, version, port, n, tag=None):
    """Segments from the station to guest a, the last with PSH and shorter."""
    ether = Ether(src=text(lan.station.mac), dst=text(lan.guests["a"].mac))
    if tag is not None:
        ether /= Dot1Q(vlan=tag)
    made = []
    for k in range(n):
        ip = (IP(src="10.0.0.1", dst="10.0.0.2", id=100 + k, flags="DF") if version == 4
              else IPv6(src="fd00::1", dst="fd00::2", fl=5))
        last = k == n - 1
        tcp = TCP(sport=port, dport=80, seq=(2 ** 32 - 5000 + k * SIZE) % 2 ** 32, ack=1,
                  flags="PA" if last else "A", options=[("Timestamp", (7, 8))])
        made.append(bytes(ether / ip / tcp / Raw(noise(SIZE // 2 if last else SIZE, seed=k))))
    return made


def cut(whole, hdr):
    """The frames that a packet which owes segmentation stands for."""
    pkt = Ether(whole)
    assert pkt[TCP].chksum == pseudo(pkt)
    assert hdr.csum_start == len(whole) - len(bytes(pkt[TCP])) and hdr.csum_offset == 16
    payload = bytes(pkt[TCP].payload)
    assert hdr.hdr_len == len(whole) - len(payload)
    pieces = [payload[at:at + hdr.gso_size] for at in range(0, len(payload), hdr.gso_size)]
    assert len(pieces) > 1
    made = []
    for k, piece in enumerate(pieces):
        one = Ether(whole)
        if IP in one:
            one[IP].id += k
            one[IP].len = None
        else:
            one[IPv6].plen = None
        one[TCP].seq = (one[TCP].seq + k * hdr.gso_size) % 2 ** 32
        if k < len(pieces) - 1:
            one[TCP].flags = int(one[TCP].flags) & ~8
        one[TCP].remove_payload()
        made.append(finished(bytes(one / Raw(piece))))
    return made


def take(guest, n):
    """What guest a gets, cut into n frames; returns (frames, packets that it came in)."""
    got, packets = [], 0
    while len(got) < n:
        whole = guest.recv(5.0)
        assert whole is not None, f"{len(got)} frames of {n} came"
        hdr = guest.last_hdr()
        packets += 1
        if hdr.gso_type:
            assert hdr.flags == NEEDS_CSUM and hdr.gso_type == (1 if IP in Ether(whole) else 4)
            got += cut(whole, hdr)
        else:
            assert hdr.flags == 0
            got.append(whole)
    return got, packets


def merged(lan):
    """Packets that joined another, as the audit has it."""
    return sum(int(n) for n in re.findall(r"merged (\d+)", lan.daemon.check("stats", "audit")))


def by_flow(frames):
    """{source port: its frames}, in order."""
    flows = {}
    for one in frames:
        pkt = Ether(one)
        flows.setdefault((pkt.getlayer(TCP) or pkt.getlayer(UDP)).sport, []).append(one)
    return flows


@KINDS
@pytest.mark.parametrize("version", [4, 6])
def test_merged(lan, guest, version):
    """Two flows beside each other, and a datagram in between."""
    a = guest(TAKES["all"])
    before = merged(lan)
    one, two = flow(lan, version, 1, 25), flow(lan, version, 2, 25)
    other = bytes(Ether(src=text(lan.station.mac), dst=text(a.mac)) /
                  IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=3, dport=4) / Raw(noise(99)))
    sent = [x for pair in zip(one, two) for x in pair]
    sent.insert(20, other)
    at_once(lan, sent)
    got, packets = take(a, len(sent))
    assert by_flow(got) == {1: one, 2: two, 3: [other]}
    # How many wait together, and how the device hands them over, is the kernel's business.
    assert packets < len(sent)
    assert merged(lan) - before == len(sent) - packets
    assert lan.drops("a") == lan.drops(lan.uplink) == {}


@KINDS
def test_tagged(lan, guest):
    """A guest on a trunk gets them with their tag in front."""
    a = guest(TAKES["all"], "vlan", "trunk", "5-6")
    sent = flow(lan, 4, 1, 20, tag=5)
    at_once(lan, sent)
    got, packets = take(a, len(sent))
    assert got == sent
    assert packets < len(sent)


@pytest.mark.parametrize("wire", ["xdp"], indirect=True)
@pytest.mark.parametrize("takes", ["none", "csum"])
def test_as_they_came(lan, guest, takes):
    """A guest that takes no large packets."""
    a = guest(TAKES[takes])
    before = merged(lan)
    sent = flow(lan, 4, 1, 20)
    at_once(lan, sent)
    assert take(a, len(sent)) == (sent, len(sent))
    assert merged(lan) == before


@pytest.mark.parametrize("wire", ["xdp"], indirect=True)
def test_a_damaged_one(lan, guest):
    """What is damaged on the wire the guest sees damaged."""
    a = guest(TAKES["all"])
    sent = flow(lan, 4, 1, 20)
    sent[7] = sent[7][:-1] + bytes([sent[7][-1] ^ 1])
    at_once(lan, sent)
    got, packets = take(a, len(sent))
    assert got == sent
    assert packets < len(sent)


@pytest.mark.parametrize("wire", ["xdp"], indirect=True)
def test_floods_stay_as_they_are(lan, guest):
    """What goes to several."""
    a = guest(TAKES["all"])
    b = lan.add("b", mac=bytes([2, 0, 0, 0, 0, 0xb]))
    before = merged(lan)
    sent = [BROADCAST + one[6:] for one in flow(lan, 4, 1, 10)]
    at_once(lan, sent)
    assert take(a, len(sent)) == (sent, len(sent))
    assert [b.recv(5.0) for _ in sent] == sent
    assert merged(lan) == before
