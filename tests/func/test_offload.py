# SPDX-License-Identifier: BSD-3-Clause
"""Offloads between guests: what a receiver can take it gets as it was sent, and what it cannot take
the switch finishes. Checksums are verified by scapy's own sums."""

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from frames import cross, noise, teach, text
from offloads import (F_GUEST_ECN, F_GUEST_USO4, F_GUEST_USO6, GSO_ECN, GSO_TCP4, GSO_TCP6,
                      GSO_UDP, NEEDS_CSUM, OFFERED, SENDS, TAKES, finished, partial, segments)
from vsguest import F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6

pytestmark = pytest.mark.once


def ip(version):
    """An IP header from guest a."""
    if version == 4:
        return IP(src="10.0.0.1", dst="10.0.0.2", id=7)
    return IPv6(src="fd00::1", dst="fd00::2")


def ether(lan, tag=None):
    """From a to b."""
    one = Ether(src=text(lan.guests["a"].mac), dst=text(lan.guests["b"].mac))
    return one if tag is None else one / Dot1Q(vlan=tag)


@pytest.fixture
def world(lan):
    """Make guests a, which may send anything, and b, which takes what the test says."""
    def make(takes, words=()):
        lan.add("a", *words, mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64,
                add=SENDS)
        lan.add("b", *words, mac=bytes([2, 0, 0, 0, 0, 0xb]), rx_shape=[4096], ring_size=1024,
                add=takes, without=OFFERED & ~takes)
        teach(lan, "a", "b")
        return lan.guests["a"], lan.guests["b"]
    return make


@pytest.mark.parametrize("kind", [TCP, UDP])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("takes", TAKES)
def test_checksum(world, lan, takes, version, kind):
    """A checksum is left to a receiver that computes it, and finished for one that does not."""
    a, b = world(TAKES[takes])
    for size in (1, 2, 63, 64, 113, 1400, 9000):
        sent, hdr = partial(ether(lan) / ip(version) / kind(sport=1, dport=2) / Raw(noise(size)))
        a.send(sent, hdr=hdr)
        a.flush()
        got = b.recv_all(0)
        if TAKES[takes] & F_GUEST_CSUM:
            assert got == [sent]
            said = b.last_hdr()
            assert (said.flags, said.csum_start, said.csum_offset) == (
                NEEDS_CSUM, hdr.csum_start, hdr.csum_offset)
        else:
            assert got == [finished(sent)], size
            assert bytes(b.last_hdr())[:10] == bytes(10)
    assert lan.daemon.drops("a") == lan.daemon.drops("b") == {}


@pytest.mark.parametrize("version", [4, 6])
def test_whole(world, lan, version):
    """A frame of 64 KiB passes whole between guests with TSO; the MTU means its segments."""
    a, b = world(TAKES["all"])
    for name in "ab":
        lan.daemon.check("port", "set", name, "mtu", 1500)
    head = 40 if version == 4 else 60
    pkt = ether(lan) / ip(version) / TCP(flags="A", seq=1) / Raw(noise(65535 - head))
    sent, hdr = partial(pkt, gso_type=GSO_TCP4 if version == 4 else GSO_TCP6, gso_size=1500 - head,
                        hdr_len=7)
    a.send(sent, hdr=hdr)
    a.flush()
    assert b.recv_all(0) == [sent]
    said = b.last_hdr()
    assert (said.flags, said.gso_type, said.gso_size, said.csum_start, said.csum_offset) == (
        NEEDS_CSUM, hdr.gso_type, 1500 - head, hdr.csum_start, 16)
    assert said.hdr_len == 14 + head
    assert said.num_buffers == -(-(len(sent) + 12) // 4096)
    hdr.gso_size = 1501 - head
    a.send(sent, hdr=hdr)
    a.flush()
    assert b.recv_all(0) == []
    assert lan.daemon.drops("a") == {"mtu_in": 1}
    lan.daemon.check("port", "set", "a", "mtu", 1501)
    assert b.recv_all(0) == []
    a.send(sent, hdr=hdr)
    a.flush()
    assert b.recv_all(0) == []
    assert lan.daemon.drops("b") == {"mtu_out": 1}
    assert cross(a, bytes(ether(lan) / Raw(b"end")), b) == [[bytes(ether(lan) / Raw(b"end"))]]


OPTIONS = [("MSS", 1400), ("Timestamp", (1, 2))]
KINDS = {
    "tcp4": (4, TCP(seq=0xfffffff0, flags="FPA", options=OPTIONS), GSO_TCP4),
    "tcp6": (6, TCP(seq=7, flags="PA", options=OPTIONS), GSO_TCP6),
    "ecn4": (4, TCP(seq=7, flags="PAC"), GSO_TCP4 | GSO_ECN),
    "udp4": (4, UDP(sport=5, dport=6), GSO_UDP),
    "udp6": (6, UDP(sport=5, dport=6), GSO_UDP),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("takes", TAKES)
def test_segments(world, lan, takes, kind):
    """A receiver that cannot take a long frame whole gets the segments, each of them right."""
    a, b = world(TAKES[takes])
    version, l4, gso = KINDS[kind]
    for name in "ab":
        lan.daemon.check("port", "set", name, "mtu", 1500)
    needs = {"tcp4": F_GUEST_TSO4, "tcp6": F_GUEST_TSO6, "ecn4": F_GUEST_TSO4 | F_GUEST_ECN,
             "udp4": F_GUEST_USO4, "udp6": F_GUEST_USO6}[kind]
    for size, mss in ((1, 1400), (1400, 1400), (1401, 1400), (65535 - 100, 1400), (65000, 255)):
        pkt = ether(lan) / ip(version) / l4.copy() / Raw(noise(size))
        pkt = Ether(bytes(pkt))
        sent, hdr = partial(pkt.copy(), gso_type=gso, gso_size=mss)
        a.send(sent, hdr=hdr)
        a.flush()
        got = b.recv_all(0)
        want = [sent] if needs & ~TAKES[takes] == 0 or size <= mss else segments(pkt, mss)
        if TAKES[takes] == 0 or len(want) > 1:
            want = [finished(one) for one in want]
            got = [finished(one) for one in got] if TAKES[takes] & F_GUEST_CSUM else got
        assert len(got) == len(want)
        assert got == want, size
    assert lan.daemon.drops("a") == lan.daemon.drops("b") == {}
    # The audit behind each test proves the count.
    whole = needs & ~TAKES[takes] == 0
    extra = 0 if whole else sum(-(-n // mss) - 1 for n, mss in ((1401, 1400), (65435, 1400),
                                                                  (65000, 255)))
    assert lan.stats("b")["sent"] == lan.stats("a")["forwarded"] + extra + 1


def test_segments_of_a_flood(lan, world):
    """Each receiver of a flood gets the frame in the form that it takes, with its own tag."""
    a, b = world(0, ("vlan", "trunk", "5,6"))
    c = lan.add("c", "vlan", "access", "5", mac=bytes([2, 0, 0, 0, 0, 0xc]), rx_shape=[4096],
                ring_size=1024, add=TAKES["all"])
    d = lan.add("d", "vlan", "access", "5", mac=bytes([2, 0, 0, 0, 0, 0xd]), rx_shape=[4096],
                ring_size=1024, without=OFFERED)
    base = Ether(src=text(a.mac), dst="ff:ff:ff:ff:ff:ff")
    rest = ip(4) / TCP(flags="A") / Raw(noise(60000))
    sent, hdr = partial(Ether(bytes(base / Dot1Q(vlan=5) / rest)), gso_type=GSO_TCP4,
                        gso_size=1448)
    plain, _ = partial(Ether(bytes(base / rest)))
    for _ in range(5):
        a.send(sent, hdr=hdr)
    a.flush()
    want = segments(Ether(bytes(base / rest)), 1448)
    assert d.recv_all(0) == want * 5
    assert c.recv_all(0) == [plain] * 5
    assert c.last_hdr().csum_start == 34 and c.last_hdr().hdr_len == 54
    assert b.recv_all(0) == segments(Ether(bytes(base / Dot1Q(vlan=5) / rest)), 1448) * 5


BAD = {
    "csum in ethernet": (dict(csum_start=0, csum_offset=12), "csum_range"),
    "csum in ip": (dict(csum_start=14, csum_offset=10), "csum_range"),
    "csum beyond": (dict(csum_start=34, csum_offset=1000), "csum_range"),
    "csum far": (dict(csum_start=65535, csum_offset=65535), "csum_range"),
    "gso without csum": (dict(flags=0, gso_type=1, gso_size=100), "gso_header"),
    "udp as tcp": (dict(gso_type=5, gso_size=100), "gso_header"),
    "6 as 4": (dict(gso_type=4, gso_size=100), "gso_header"),
    "unknown": (dict(gso_type=3, gso_size=100), "offload_denied"),
    "start elsewhere": (dict(csum_start=38, csum_offset=12, gso_type=1, gso_size=100),
                        "gso_header"),
    "field elsewhere": (dict(csum_offset=18, gso_type=1, gso_size=100), "gso_header"),
    "no size": (dict(gso_type=1, gso_size=0), "gso_size"),
    "too small": (dict(gso_type=1, gso_size=47), "gso_size"),
    "too many": (dict(gso_type=1, gso_size=50), "gso_size"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("takes", ["none", "all"])
def test_claims_that_do_not_agree(world, lan, takes, name):
    """A header that does not agree with its frame is refused by name."""
    a, b = world(TAKES[takes])
    sent, hdr = partial(Ether(bytes(ether(lan) / ip(4) / TCP(flags="A") / Raw(noise(13000)))))
    for key, value in BAD[name][0].items():
        setattr(hdr, key, value)
    assert cross(a, [], b) == [[]]
    a.send(sent, hdr=hdr)
    a.flush()
    assert b.recv_all(0) == []
    assert lan.daemon.drops("a") == {BAD[name][1]: 1}
    assert lan.daemon.drops("b") == {}
