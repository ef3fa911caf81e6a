# SPDX-License-Identifier: BSD-3-Clause
"""Offloads of a card: virtio-user, a driver that is not ours, passes on to a second switch what the
first one leaves to it.

    a --- switch "lan" of one daemon --- net_virtio_user0 | port "card" of another daemon --- b
"""

import pathlib

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from frames import BROADCAST, frame, noise
from lan import Lan, own_daemon
from offloads import (GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP, OFFERED, SENDS, TAKES, finished,
                      partial, segments)

A, B = bytes([2, 0, 0, 0, 0, 0xa]), bytes([2, 0, 0, 0, 0, 0xb])


@pytest.fixture(scope="module", name="session_daemon")
def start_near_daemon(request):
    """The daemon under test: its uplink may be a virtio-user."""
    with own_daemon("--virtio-user", config=request.config) as daemon:
        yield daemon


@pytest.fixture(scope="module", name="far_daemon")
def start_far_daemon():
    """A second daemon: it is at the other end of the card."""
    with own_daemon() as daemon:
        yield daemon
        assert daemon.alive()


@pytest.fixture(name="far")
def make_far(far_daemon, rundir):
    """Its switch, with guest b, which takes everything, and a port for the card."""
    far = Lan(far_daemon, pathlib.Path(rundir), "far")
    far_daemon.check("port", "add", "card", "switch", "far", "type", "guest", "socket",
                     f"{rundir}/card.sock", "mode", "server", "vlan", "trunk", "1-10")
    far.add("b", "vlan", "trunk", "1-10", mac=B, rx_shape=[4096], ring_size=1024, mem_mib=64,
            add=TAKES["all"], without=OFFERED & ~TAKES["all"])
    yield far
    far.close()
    far_daemon.clear()


@pytest.fixture(name="pair")
def make_pair(vmswitchd, rundir, far):
    """Guests a and b, which know each other; and the switch of a."""
    near = Lan(vmswitchd, pathlib.Path(rundir), kind=(
        "external", "uplink", f"dpdk:net_virtio_user0,path={rundir}/card.sock"))
    near.add("a", "vlan", "trunk", "1-10", mac=A, tx_buf_len=70000, mem_mib=64, add=SENDS)
    near.wait("lan.uplink", lambda row: row["up"])
    far.wait("card", lambda row: row["up"])
    for one, other in ((near.guests["a"], far.guests["b"]), (far.guests["b"], near.guests["a"])):
        hello = frame(BROADCAST, one.mac, seed="hello")
        one.send(hello)
        one.flush()
        assert other.recv(10) == hello
    yield near, near.guests["a"], far.guests["b"]
    near.close()
    vmswitchd.clear()


def packet(version, kind, size, tag=None, extra=None):
    """A packet from a to b."""
    one = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")
    if tag:
        one /= Dot1Q(vlan=tag)
    one /= IP(src="10.0.0.1", dst="10.0.0.2", id=7) if version == 4 else IPv6(src="fd00::1",
                                                                            dst="fd00::2")
    if extra:
        one /= extra
    return one / kind / Raw(noise(size))


def cross(one, sent, hdr, other, n=1):
    """Send one frame and receive n."""
    one.send(sent, hdr=hdr)
    one.flush()
    got = []
    while len(got) < n:
        one = other.recv(10)
        assert one is not None, f"{len(got)} of {n} frames came"
        # The driver announces itself, whenever it likes.
        if one[:6] == other.mac:
            got.append(one)
    return got


def left(near):
    """How many frames were given to the card."""
    return near.stats("lan.uplink")["sent"]


@pytest.mark.parametrize("kind", [TCP, UDP])
@pytest.mark.parametrize("tag", [None, 7])
@pytest.mark.parametrize("version", [4, 6])
def test_checksum(pair, version, tag, kind):
    """A checksum that is owed is left to the card, which says so to the other end."""
    _, a, b = pair
    for size in (1, 64, 1400):
        sent, hdr = partial(packet(version, kind(sport=1, dport=2), size, tag))
        # The shortest frame is filled up on its way to a card.
        want = sent.ljust(60, b"\0")
        assert cross(a, sent, hdr, b) == [want]
        said = b.last_hdr()
        assert (said.flags, said.csum_start, said.csum_offset) == (1, hdr.csum_start,
                                                                   hdr.csum_offset)


@pytest.mark.parametrize("tag", [None, 7])
@pytest.mark.parametrize("version", [4, 6])
def test_whole(pair, version, tag):
    """A packet of 64 KiB goes whole through the card; nothing is cut or added up here."""
    near, a, b = pair
    before = left(near)
    head = 40 if version == 4 else 60
    # The tag counts as part of the frame.
    pkt = packet(version, TCP(flags="PA", seq=1), 65535 - head - (4 if tag else 0), tag)
    sent, hdr = partial(pkt, gso_type=GSO_TCP4 if version == 4 else GSO_TCP6, gso_size=1500 - head)
    [got] = cross(a, sent, hdr, b)
    # A driver may write the checksum of the IP header, which the receiver's segments replace.
    assert finished(got) == finished(sent)
    said = b.last_hdr()
    assert (said.flags, said.gso_type, said.gso_size, said.csum_start) == (
        1, hdr.gso_type, 1500 - head, hdr.csum_start)
    assert left(near) == before + 1
    assert near.daemon.drops("lan.uplink") == near.daemon.drops("a") == {}


DEST = IPv6ExtHdrDestOpt(nh=6)
ODD = {
    "CWR": (4, TCP(flags="CA", seq=1), {"gso_type": GSO_TCP4 | GSO_ECN, "gso_size": 1000}, None),
    "UDP": (4, UDP(sport=1, dport=2), {"gso_type": GSO_UDP, "gso_size": 1000}, None),
    "short segments": (4, TCP(flags="A", seq=1), {"gso_type": GSO_TCP4, "gso_size": 255}, None),
    "extension header": (6, TCP(flags="A", seq=1), {"gso_type": GSO_TCP6, "gso_size": 1000}, DEST),
}


@pytest.mark.parametrize("what", ODD)
def test_not_plain(pair, what):
    """What a card may not know is cut here."""
    near, a, b = pair
    before = left(near)
    version, l4, gso, extra = ODD[what]
    pkt = packet(version, l4, 2500, extra=extra)
    sent, hdr = partial(pkt, **gso)
    want = segments(pkt, gso["gso_size"])
    got = cross(a, sent, hdr, b, len(want))
    assert [finished(one) for one in got] == want
    assert left(near) == before + len(want)


def test_the_rest_of_the_table(pair):
    """Frames that owe nothing pass as they are."""
    _, a, b = pair
    for size in (60, 128, 129, 1514):
        sent = frame(b.mac, a.mac, size, seed=size)
        a.send(sent)
        a.flush()
        assert b.recv(10) == sent
        assert bytes(b.last_hdr())[:10] == bytes(10)
