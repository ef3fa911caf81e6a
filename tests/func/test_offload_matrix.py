# SPDX-License-Identifier: BSD-3-Clause
"""The mask matrix: what a sender leaves undone, times what a receiver can do, for every kind of
traffic and length. The receiver verifies each checksum, length, sequence number and flag, and what
its virtio header says, by code of its own (verify.py)."""

import struct

import pytest
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from frames import teach, text
from masks import KINDS, LEAVES, MAC_A, MAC_B, MTU, SIZES, case, judge
from offloads import F_GUEST_ECN, OFFERED, SENDS, TAKES, partial, segments
from verify import check_header, check_row, cut, take_apart
from vsguest import F_GUEST_CSUM, F_MRG_RXBUF, HDR, Hdr

pytestmark = pytest.mark.once

def received(guest):
    """(frame, virtio header) of all that came."""
    got = []
    while (frame := guest.recv(0)) is not None:
        got.append((frame, guest.last_hdr()))
    return got


def meet(lan, leaves, takes, words=(), **receiver):
    """Guest a, which may leave undone what it is told, and b, which takes what it is told."""
    how = {"rx_shape": [4096], "ring_size": 1024, **receiver}
    words = ["mtu", MTU, "vlan", "trunk", "7", *words]
    a = lan.add("a", *words, mac=MAC_A, tx_buf_len=70000, mem_mib=64, add=leaves,
                without=OFFERED & ~leaves)
    b = lan.add("b", *words, mac=MAC_B, add=takes, without=how.pop("without", 0)
                | OFFERED & ~takes, **how)
    assert a.features & OFFERED == leaves and b.features & OFFERED == takes
    teach(lan, "a", "b")
    tagged = bytes(Ether(src=text(MAC_A), dst=text(MAC_B)) / Dot1Q(vlan=7) / Raw(b"hello"))
    back = bytes(Ether(src=text(MAC_B), dst=text(MAC_A)) / Dot1Q(vlan=7) / Raw(b"hello"))
    for sender, one in ((a, tagged), (b, back)):
        sender.send(one)
        sender.flush()
    received(a), received(b)
    return a, b


def run(lan, leaves, takes, kinds=tuple(KINDS), sizes=tuple(SIZES), tx=None, off=(), **how):
    """All kinds and sizes between two guests; the switch's own counts must be those made here. tx:
    how frames lie in the sender's memory. off: words that switch off what b has negotiated, but
    takes does not name."""
    a, b = meet(lan, leaves, OFFERED & ~SENDS if off else takes, **how)
    if off:
        lan.daemon.check("port", "set", "b", "offload", *off)
    before, extra = lan.stats("b")["sent"] - lan.stats("a")["forwarded"], 0
    for kind in kinds:
        for version in (4, 6):
            for size in sizes:
                one = case(kind, version, size)
                sent = one.sent_with(leaves)
                for frame, hdr in sent:
                    a.send(frame, hdr=hdr, kick=False, **(tx or {}))
                a.tx.publish()
                a.tx.kick()
                a.flush(timeout=5.0)
                got = received(b)
                try:
                    extra += judge(one, sent, got, takes)
                except AssertionError as error:
                    raise AssertionError(f"{kind}, IPv{version}, {size}: {error}, "
                                         f"{len(got)} came of {len(sent)} sent") from error
    assert lan.daemon.drops("a") == lan.daemon.drops("b") == {}
    assert lan.stats("b")["sent"] - lan.stats("a")["forwarded"] - before == extra
    b.check_canaries()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [4, 6])
def test_two_opinions(version, kind):
    """What this file takes for right, scapy does, too."""
    one = case(kind, version, "9000")
    assert cut(one.seen, 1000) == segments(one.pkt.copy(), 1000)
    assert one.unfinished[0][0] == partial(one.pkt.copy())[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [4, 6])
def test_every_byte_counts(version, kind):
    """The receiver's eye misses no bit of any segment's headers, nor of the payload."""
    one = case(kind, version, "9000")
    row = cut(one.seen, 4000)

    def see(frames):
        for frame in frames:
            check_header(take_apart(frame), Hdr(), False)
        check_row([take_apart(frame) for frame in frames], one.seen, 4000)

    see(row)
    for i, frame in enumerate(row):
        for at in (*range(one.seen.data), one.seen.data + 100, len(frame) - 1):
            wrong = bytearray(frame)
            wrong[at] ^= 1 << at % 8
            with pytest.raises((AssertionError, IndexError, struct.error)):
                see([*row[:i], bytes(wrong), *row[i + 1:]])
    for wrong in (row[1:], row[:-1], [row[1], row[0], *row[2:]], [row[0], *row]):
        with pytest.raises(AssertionError):
            see(wrong)


@pytest.mark.parametrize("takes", TAKES)
@pytest.mark.parametrize("leaves", LEAVES)
def test_matrix(lan, leaves, takes):
    """Every sender with every receiver."""
    run(lan, LEAVES[leaves], TAKES[takes])


@pytest.mark.parametrize("takes", ["csum", "all"])
def test_one_buffer_for_everything(lan, takes):
    """The same without mergeable buffers: each has room for 64 KiB."""
    run(lan, LEAVES["all"], TAKES[takes], ("tcp", "udp"), ("small", "9000", "64k by 1500"),
        without=F_MRG_RXBUF, rx_shape=[65562], ring_size=128, mem_mib=64)


# Words of `port set NAME offload`, and what is left of all that a receiver has negotiated.
SWITCHED = {
    "none": (("none",), 0),
    "csum": (("tso4,tso6,uso", "off"), F_GUEST_CSUM),
    "csum+tso": (("uso", "off"), TAKES["csum+tso"] | F_GUEST_ECN),
}


@pytest.mark.parametrize("takes", SWITCHED)
@pytest.mark.parametrize("leaves", ["csum", "all"])
def test_switched_off(lan, leaves, takes):
    """Capabilities that are taken away from a port are as if they had never been negotiated."""
    words, left = SWITCHED[takes]
    run(lan, LEAVES[leaves], left, off=words)


# How frames lie in memory of sender and receiver. Linux has its headers in one piece, behind the
# virtio header or apart from it, and payload in up to 17 more.
SHAPES = {
    "pages": ({"split": [12, 128] + [4096] * 16, "indirect": True}, {"rx_shape": [1536]}),
    "headers apart": ({"split": [66] + [32768], "indirect": False}, {"rx_shape": [HDR, 4096]}),
    "odd pieces": ({"split": [12, 1, 13, 21, 7, 33, 101, 1001, 4095, 3]},
                   {"rx_shape": [HDR, 1, 77, 1333]}),
    "small buffers": ({"split": [11, 3]}, {"rx_shape": [300]}),
    "indirect buffers": ({"indirect": True}, {"rx_shape": [HDR] + [4096] * 17, "ring_size": 128,
                                              "rx_indirect": True, "without": F_MRG_RXBUF}),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("takes", ["none", "csum", "all"])
def test_shapes(lan, takes, name):
    """However a frame lies in memory, it is the same frame, and so are its segments."""
    tx, rx = SHAPES[name]
    kinds, sizes = ("tcp options", "tcp tagged", "udp"), ("1", "1500", "9000", "64k by 1500")
    run(lan, LEAVES["all"], TAKES[takes], kinds, sizes, tx, **rx)


CLAIMS = {
    "csum": (("none",), lambda one: Hdr(flags=1, csum_start=one.seen.l4, csum_offset=16)),
    "tso": (("none", "csum"), lambda one: one.whole[1]),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_rights(lan, claim):
    """What was not negotiated is refused by name, whatever the receiver could do with it."""
    for leaves in CLAIMS[claim][0]:
        a, b = meet(lan, LEAVES[leaves], TAKES["all"])
        for version in (4, 6):
            one = case("tcp", version, "64k by 1500")
            a.send(one.whole[0], hdr=CLAIMS[claim][1](one))
        a.flush()
        assert received(b) == []
        assert lan.daemon.drops("a") == {"offload_denied": 2}
        for name in "ab":
            lan.guests.pop(name).close()
            lan.daemon.check("port", "del", name)
