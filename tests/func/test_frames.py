# SPDX-License-Identifier: BSD-3-Clause
"""Frames of every length and shape: tags, MTU, jumbo frames, and that each byte arrives."""

import random

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from frames import BROADCAST, KIND, cross, frame, noise, teach, text
from vsguest import HDR, Guest

pytestmark = pytest.mark.once

HEADER = 14


@pytest.fixture
def pair(lan):
    """Guests a and b that know each other; all their frames are unicast. a can send anything."""
    lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64)
    lan.add("b", mac=bytes([2, 0, 0, 0, 0, 0xb]), rx_shape=[4096])
    teach(lan, "a", "b")
    return lan


def ether(lan):
    """The Ethernet header of a frame from a to b."""
    a, b = lan.guests["a"], lan.guests["b"]
    return Ether(src=text(a.mac), dst=text(b.mac))


def drops(lan, name):
    """{reason: count} of a port."""
    return lan.daemon.drops(name)


PAYLOAD = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2) / Raw(noise(100))


def test_untagged(pair):
    """A frame without a tag arrives as it is."""
    a, b = pair.guests.values()
    one = bytes(ether(pair) / PAYLOAD)
    assert cross(a, one, b) == [[one]]


@pytest.mark.parametrize("split", [None, [HDR, 12], [HDR, 13], [HDR, 14, 2], [HDR] + [1] * 20])
def test_priority_tag(pair, split):
    """A tag that says only a priority is taken off, wherever the descriptors cut it."""
    a, b = pair.guests.values()
    plain = bytes(ether(pair) / PAYLOAD)
    for priority in range(8):
        for dei in (0, 1):
            a.send(ether(pair) / Dot1Q(vlan=0, prio=priority, id=dei) / PAYLOAD, split)
            a.flush()
            assert b.recv_all(0) == [plain], (priority, dei)
    assert drops(pair, "a") == {}
    assert pair.stats("b")["sent_bytes"] == 16 * len(plain) + pair.stats("a")["sent_bytes"]


TAGGED = {
    "VLAN 1": Dot1Q(vlan=1),
    "VLAN 256": Dot1Q(vlan=256),
    "VLAN 4094": Dot1Q(vlan=4094, prio=7),
    "VLAN 4095, reserved": Dot1Q(vlan=4095),
    "802.1ad": Dot1AD(vlan=1) / Dot1Q(vlan=2),
    "802.1ad, VLAN 0": Dot1AD(vlan=0),
    "priority before a VLAN": Dot1Q(vlan=0) / Dot1Q(vlan=5),
    "two priorities": Dot1Q(vlan=0) / Dot1Q(vlan=0),
    "priority before 802.1ad": Dot1Q(vlan=0) / Dot1AD(vlan=0),
}


@pytest.mark.parametrize("tag", TAGGED)
def test_tagged(pair, tag):
    """A port without a VLAN of its own sends no tagged frames, and nobody learns from one."""
    a, b = pair.guests.values()
    stranger = Ether(src="02:00:00:00:00:77", dst=text(b.mac))
    sent = [bytes(ether(pair) / TAGGED[tag] / PAYLOAD), bytes(stranger / TAGGED[tag] / PAYLOAD)]
    before = pair.fdb()
    assert cross(a, sent, b) == [[]]
    assert drops(pair, "a") == {"vlan_tagged": 2}
    teach(pair, "a")
    assert pair.fdb() == before


def test_cut_tag(pair):
    """A frame that ends inside of its tag is dropped; one that ends behind it passes."""
    a, b = pair.guests.values()
    for kind in (b"\x81\x00", b"\x88\xa8"):
        whole = b.mac + a.mac + kind + b"\0\0" + KIND
        assert cross(a, [whole[:n] for n in range(14, 18)], b) == [[]]
    assert drops(pair, "a") == {"vlan_short": 8}
    whole = b.mac + a.mac + b"\x81\x00" + b"\0\0" + KIND
    assert cross(a, whole, b) == [[b.mac + a.mac + KIND]]


def test_runt(pair):
    """What is shorter than an Ethernet header is none; exactly one is a frame."""
    a, b = pair.guests.values()
    whole = frame(b.mac, a.mac, HEADER)
    assert cross(a, [whole[:n] for n in range(HEADER)], b) == [[]]
    assert drops(pair, "a") == {"runt": HEADER}
    assert cross(a, whole, b) == [[whole]]


def test_mtu_in(pair):
    """A port sends frames up to its MTU and not a byte more; a priority tag does not count."""
    a, b = pair.guests.values()
    for mtu in (68, 1500, 9216, 65535):
        pair.daemon.check("port", "set", "b", "mtu", 65535)
        pair.daemon.check("port", "set", "a", "mtu", mtu)
        assert pair.port("a")["mtu"] == mtu
        fits = [frame(b.mac, a.mac, mtu + HEADER - n) for n in (1, 0)]
        tagged = fits[1][:12] + b"\x81\x00\xe0\x00" + fits[1][12:]
        sent = fits + ([tagged] if mtu < 65535 else [])
        assert cross(a, sent, b) == [fits + ([fits[1]] if mtu < 65535 else [])]
    assert drops(pair, "a") == {}
    for mtu, size in ((68, 83), (68, 9000), (1500, 1515), (9216, 9231)):
        pair.daemon.check("port", "set", "a", "mtu", mtu)
        assert cross(a, frame(b.mac, a.mac, size), b) == [[]]
    assert drops(pair, "a") == {"mtu_in": 4}
    assert drops(pair, "b") == {}


def test_mtu_default(pair):
    """9,216 by default: a jumbo frame passes as it is."""
    a, b = pair.guests.values()
    assert pair.port("a")["mtu"] == 9216
    fits = frame(b.mac, a.mac, 9216 + HEADER)
    assert cross(a, [fits, frame(b.mac, a.mac, 9217 + HEADER)], b) == [[fits]]
    assert drops(pair, "a") == {"mtu_in": 1}


def test_mtu_out(pair):
    """A port gets frames up to its MTU and not a byte more; a flood reaches the others."""
    a, b = pair.guests.values()
    c = pair.add("c", mac=bytes([2, 0, 0, 0, 0, 0xc]))
    for mtu in (68, 1500, 9000):
        pair.daemon.check("port", "set", "b", "mtu", mtu)
        fits = frame(b.mac, a.mac, mtu + HEADER)
        assert cross(a, [fits, frame(b.mac, a.mac, mtu + HEADER + 1)], b, c) == [[fits], []]
        long = frame(BROADCAST, a.mac, mtu + HEADER + 1)
        assert cross(a, long, b, c) == [[], [long]]
    assert drops(pair, "b") == {"mtu_out": 6}
    assert drops(pair, "a") == drops(pair, "c") == {}


SPLITS = {
    "one descriptor": [],
    "header apart": [HDR],
    "few": [HDR, 14, 20, 20, 30000],
    "pages": [HDR] + [4096] * 15,
    "uneven": [5, 7, 1, 13, 128, 129, 4095, 1],
    "as many as there may be": [HDR] + [1040] * 62,
}


@pytest.mark.parametrize("indirect", [False, True])
@pytest.mark.parametrize("split", SPLITS)
def test_huge(pair, split, indirect):
    """Frames of 9 and of 64 KiB, in whatever pieces, arrive in pieces of the receiver's choice."""
    a, b = pair.guests.values()
    for name in "ab":
        pair.daemon.check("port", "set", name, "mtu", 65535)
    for size in (9216 + HEADER, 65535, 65535 + HEADER):
        one = frame(b.mac, a.mac, size, seed=split)
        a.send(one, SPLITS[split], indirect=indirect)
        a.flush()
        assert b.recv_all(0) == [one]
        assert b.last_hdr().num_buffers == -(-(size + 12) // 4096)
    assert drops(pair, "a") == drops(pair, "b") == {}
    b.check_canaries()


def test_too_scattered(pair):
    """A frame in more pieces than the switch takes is dropped by name; the next one passes."""
    a, b = pair.guests.values()
    a.send(frame(b.mac, a.mac, 1000), [HDR] + [1] * 63)     # and the rest: 65
    a.send(frame(b.mac, a.mac, 1000), [HDR] + [1] * 62)
    a.flush()
    assert b.recv_all(0) == [frame(b.mac, a.mac, 1000)]
    assert drops(pair, "a") == {"chain_descs": 1}


def test_too_long(pair):
    """A chain longer than a 64 KiB frame with its headers is dropped by name."""
    a, b = pair.guests.values()
    for name in "ab":
        pair.daemon.check("port", "set", name, "mtu", 65535)
    assert cross(a, [frame(b.mac, a.mac, 65562 - 12 + n) for n in (0, 1, 4000)], b) == [[]]
    assert drops(pair, "a") == {"mtu_in": 1, "chain_bytes": 2}


def test_short_chain(pair):
    """A chain that is shorter than the virtio header holds no frame."""
    a, b = pair.guests.values()
    gpa = a.alloc(64)
    for length in (1, 11, 12):
        a.tx.submit([(gpa, length, 0)])
        assert a.tx.wait()
        a.tx.harvest()
    assert b.recv_all(0) == []
    assert drops(pair, "a") == {"vnet_short": 2, "runt": 1}


def test_offload_denied(pair):
    """A frame that asks for what was not negotiated is dropped."""
    a, b = pair.guests.values()
    one = frame(b.mac, a.mac, 200)
    for header in (b"\x01", b"\x02", b"\x00\x01", b"\x00\x03", b"\x01\x01\x36\x00\xb4\x05"):
        a.send(one, hdr=header)
    a.send(one, hdr=b"\0\0\x36\x00\xb4\x05\x22\x00\x10\x00\x07\x00")    # lengths alone say nothing
    a.flush()
    assert b.recv_all(0) == [one]
    assert drops(pair, "a") == {"offload_denied": 5}


def pieces(rng, size):
    """A random way to cut a frame and its virtio header: 1 to 8 descriptors."""
    cuts = sorted(rng.sample(range(1, size + 12), min(rng.randrange(8), size + 11)))
    return [n - m for m, n in zip([0, *cuts], cuts)]


@pytest.mark.parametrize("profile", ["linux", "netkvm", "small", "legacy"])
def test_every_length(lan, profile):
    """All lengths from 14 to 1600 in random pieces: all arrive, in order, byte by byte."""
    rng = random.Random(profile)
    a = lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]))
    b = lan.add("b", mac=bytes([2, 0, 0, 0, 0, 0xb]), profile=profile,
                **({"rx_shape": [HDR, 1700]} if profile == "legacy" else {}))
    teach(lan, "a", "b")
    sent, got = [], []
    for size in range(HEADER, 1601):
        sent.append(frame(b.mac, a.mac, size, seed=profile))
        a.send(sent[-1], pieces(rng, size), indirect=rng.random() < 0.5)
        if size % 32 == 0:
            a.flush()
            got += b.recv_all(0)
    assert got == sent
    assert drops(lan, "a") == drops(lan, "b") == {}
    b.check_canaries()
    # And back, from the driver under test.
    back = [frame(a.mac, b.mac, size) for size in range(HEADER, 1601, 7)]
    for one in back:
        b.send(one)
        b.flush()
    assert a.recv_all(0) == back


def test_receive_buffers(lan):
    """Receive buffers of any shape hold the same frame; one that is too small loses it by name."""
    a = lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]))
    shapes = {"tiny": [64], "chain": [HDR, 100, 1, 700], "page": [4096], "odd": [13, 1, 1, 1499]}
    sizes = (HEADER, 60, 1514, 9000)
    for n, (name, shape) in enumerate(shapes.items()):
        b = lan.add(name, mac=bytes([2, 0, 0, 0, 1, n]), rx_shape=shape, ring_size=1024)
        teach(lan, name)
        sent = [frame(b.mac, a.mac, size, seed=name) for size in sizes]
        assert cross(a, sent, b) == [sent], name
        b.check_canaries()
    small = lan.add("small", profile="small", rx_shape=[12 + 1514], mac=bytes([2, 0, 0, 0, 2, 1]))
    teach(lan, "small")
    sent = [frame(small.mac, a.mac, size) for size in (1514, 1515, 60)]
    assert cross(a, sent, small) == [[sent[0], sent[2]]]
    assert drops(lan, "small") == {"rx_small": 1}


def test_rx_full(lan):
    """A guest without free buffers loses frames by name and gets the next ones in order; nobody
    else loses any."""
    a, c = (lan.add(n, mac=bytes([2, 0, 0, 0, 0, i])) for i, n in enumerate("ac"))
    b = lan.add("b", mac=bytes([2, 0, 0, 0, 0, 0xb]), rx_chains=16)
    assert isinstance(b, Guest)
    teach(lan, "a", "b", "c")
    sent = [frame(b.mac, a.mac, 100, seed=n) for n in range(20)]
    other = [frame(c.mac, a.mac, 100, seed=n) for n in range(20)]
    mixed = [one for both in zip(sent, other) for one in both]
    assert cross(a, mixed, b, c) == [sent[:16], other]
    assert drops(lan, "b") == {"rx_full": 4} and drops(lan, "c") == {}
    assert cross(a, sent, b) == [sent[:16]]
    # A long frame that does not fit leaves the room to shorter ones.
    long = frame(b.mac, a.mac, 9000)
    assert cross(a, sent[:12] + [long] + sent[12:16], b) == [sent[:16]]
