# SPDX-License-Identifier: BSD-3-Clause
"""The Linux kernel as the oracle of segmentation: the same long frames go into a TAP interface with
a virtio header, as a VMM hands them over, over the kernel's bridge to an interface that takes
neither segments nor unfinished checksums; and from guest to guest through the running switch. What
comes out must be the same, field by field."""

import os
import random
import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from frames import teach, text
from net import Tap
from netns import Namespace
from offloads import NEEDS_CSUM, OFFERED, SENDS, TAKES
from verify import TCP as PROTO_TCP
from verify import check_header, finish, kind_of, take_apart
from vsguest import Hdr

pytestmark = pytest.mark.once

SEED = 20071114
IFF_VNET_HDR = 0x4000
PRIVATE = 128           # bytes of a frame that its headers have to lie in
MAC_A, MAC_B = bytes([2, 0, 0, 0, 0, 0xa]), bytes([2, 0, 0, 0, 0, 0xb])
MARK = MAC_B + MAC_A + b"\x88\xb5" + b"here it ends".ljust(50, b"\0")


def fields(seen):
    """{name: value} of everything in a frame, but for IPv4's id and the checksum that covers it."""
    ip, head = seen.ip, seen.head
    found = {"ethernet": seen.eth, "length": len(seen.raw), "payload": seen.payload}
    if seen.version == 4:
        found.update(zip(("version and length", "tos", "total length", "fragment", "ttl",
                          "protocol", "addresses"),
                         struct.unpack_from("!BBHxxHBBxx8s", ip)), options=ip[20:])
    else:
        found.update(zip(("class and label", "payload length", "next header", "hop limit",
                          "addresses"), struct.unpack_from("!IHBB32s", ip)), extensions=ip[40:])
    names = ("source", "destination", "seq", "ack", "offset", "flags", "window", "checksum",
             "urgent") if seen.proto == PROTO_TCP else ("source", "destination", "UDP length",
                                                        "checksum")
    format_ = "!HHIIBBHHH" if seen.proto == PROTO_TCP else "!HHHH"
    found.update({f"transport {name}": value for name, value in
                  zip(names, struct.unpack_from(format_, head))})
    found["transport options"] = head[struct.calcsize(format_):]
    return found


class Kernel:
    """The kernel's own segmentation: in0 -> bridge -> out0."""

    def __init__(self, ns):
        self.into, self.out = Tap(ns, "in0", IFF_VNET_HDR), Tap(ns, "out0")
        ns.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        for name in ("in0", "out0"):
            ns.ip("link", "set", name, "mtu", "9216", "master", "br0", "up")
        ns.ip("link", "set", "br0", "mtu", "9216", "up")

    def put(self, frame, hdr):
        """Hand it a frame."""
        os.write(self.into.fd, bytes(hdr)[:10] + frame)

    def cut(self, frame, hdr):
        """What it makes of a frame; None if it does not know the kind."""
        try:
            self.put(frame, hdr)
        except OSError:
            assert hdr.gso_type & 0x7f == 5, "the kernel refuses a frame"
            return None         # segmentation of UDP is taken since Linux 6.2
        self.put(MARK, Hdr())
        got = []
        while True:
            one = self.out.recv(20.0)
            assert one is not None, f"the kernel made {len(got)} frames and no end"
            if one == MARK:
                return got
            got.append(one)

    def close(self):
        """The end of both interfaces."""
        self.into.close()
        self.out.close()


@pytest.fixture(scope="module")
def kernel():
    """It has a namespace to itself, in which nobody says anything."""
    with Namespace("cut", ipv6=False) as ns:
        one = Kernel(ns)
        yield one
        one.close()


def odd_options(rand, most):
    """An IPv4 option, or none, of a kind that nobody knows."""
    length = rand.choice([0, 0, 4, 8, most])
    return [IPOption(bytes([0x9e, length]) + rand.randbytes(length - 2))] if length else []


def any_ip(rand):
    """An IP header with everything in it that may be."""
    if rand.random() < 0.5:
        return IP(src="10.0.0.1", dst="10.0.0.2", id=rand.randrange(65536), ttl=rand.randrange(256),
                  tos=rand.randrange(256), flags=rand.choice(["", "DF"]),
                  options=odd_options(rand, 40))
    ip = IPv6(src="fd00::1", dst="fd00::2", tc=rand.randrange(256), fl=rand.randrange(1 << 20),
              hlim=rand.randrange(256))
    if rand.random() < 0.3:
        ip = ip / IPv6ExtHdrHopByHop()
    return ip / IPv6ExtHdrDestOpt() if rand.random() < 0.3 else ip


def any_l4(rand):
    """A TCP header, or one of UDP."""
    ports = {"sport": rand.randrange(65536), "dport": rand.randrange(1, 65536)}
    if rand.random() < 0.25:
        return UDP(**ports)
    options = rand.choice([[], [], [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))],
                           [("MSS", 1), ("SAckOK", b""), ("WScale", 3), ("EOL", None)]])
    # Any flags but those that begin or break off a connection.
    flags = rand.randrange(256) & ~0x06
    return TCP(**ports, seq=rand.randrange(1 << 32), ack=rand.randrange(1 << 32), flags=flags,
               window=rand.randrange(65536), urgptr=rand.randrange(65536), options=options)


def any_frame(rand):
    """A long frame and the virtio header that asks for its segments, and the frame taken apart."""
    ether = Ether(src=text(MAC_A), dst=text(MAC_B))
    if rand.random() < 0.2:
        ether = ether / Dot1Q(vlan=7, prio=3)
    head = ether / any_ip(rand) / any_l4(rand)
    room = 65535 - (len(bytes(head)) - 14)
    size = rand.choice([rand.randrange(260, 1460), 1448, 8900])
    length = rand.choice([rand.randrange(1, room), size, size + 1, 3 * size, room])
    # The kernel takes at most 64 segments of UDP, 128 since Linux 6.9.
    length = min(length, (60 if UDP in head else 250) * size, room)
    seen = take_apart(bytes(Ether(bytes(head / Raw(rand.randbytes(length))))))
    assert seen.is_finished() and seen.data <= PRIVATE
    hdr = Hdr(flags=NEEDS_CSUM, csum_start=seen.l4, csum_offset=seen.field, gso_size=size,
              gso_type=kind_of(seen), hdr_len=seen.data)
    frame = finish(seen.eth + seen.ip, seen.head, seen.payload, seen, finished=False)
    return frame, hdr, seen


def received(guest, computes):
    """All that came, with checksums finished that were left to the receiver."""
    got = []
    while (frame := guest.recv(0)) is not None:
        seen, hdr = take_apart(frame), guest.last_hdr()
        check_header(seen, hdr, computes)
        if hdr.flags:
            frame = finish(seen.eth + seen.ip, seen.head, seen.payload, seen)
        got.append(frame)
    return got


def compare(ours, theirs, whole):
    """Each field of each frame; and the one rule for IPv4's id that we have: it counts up. So does
    the kernel's today, where the sender did not ask otherwise, but that is its own affair
    (RFC 6864 leaves it open with DF)."""
    assert len(ours) == len(theirs)
    for i, (mine, other) in enumerate(zip(map(take_apart, ours), map(take_apart, theirs))):
        assert other.is_finished() and mine.is_finished(), f"checksums of segment {i}"
        assert fields(mine) == fields(other), f"segment {i}"
        if whole.version == 4:
            assert mine.ident == (whole.ident + i) % 65536, f"id of segment {i}"


@pytest.mark.parametrize("takes, count", [
    ("none", 400), ("csum", 100), pytest.param("none", 4000, marks=pytest.mark.long)])
def test_the_kernel_cuts_the_same(lan, kernel, takes, count):
    """Random long frames of every kind; segments, and frames that are too short for any."""
    rand = random.Random(f"{SEED} {takes} {count}")
    print(f"seed {SEED} {takes} {count}")
    words = ("vlan", "trunk", "7", "priority", "on")
    a = lan.add("a", *words, mac=MAC_A, tx_buf_len=70000, mem_mib=64, add=SENDS)
    b = lan.add("b", *words, mac=MAC_B, rx_shape=[4096], ring_size=1024, add=TAKES[takes],
                without=OFFERED & ~TAKES[takes])
    teach(lan, "a", "b")
    segments = unknown = 0
    for n in range(count):
        frame, hdr, whole = any_frame(rand)
        a.send(frame, hdr=hdr)
        a.flush(timeout=5.0)
        ours = received(b, takes != "none")
        if len(whole.payload) <= hdr.gso_size:
            # With TCP options the kernel takes such a frame for a long one, finds nothing to cut
            # and drops it: it is asked for the checksum alone.
            hdr.gso_type = hdr.gso_size = 0
        theirs = kernel.cut(frame, hdr)
        if theirs is None:
            unknown += 1
            continue
        try:
            compare(ours, theirs, whole)
        except AssertionError as error:
            raise AssertionError(f"frame {n}: {frame[:whole.data].hex()}, {len(whole.payload)} by "
                                 f"{hdr.gso_size}: {error}") from error
        segments += len(ours)
    print(f"{count - unknown} frames, {segments} segments; {unknown} the kernel does not know")
    assert unknown < count / 2 and segments > 3 * count
    assert lan.daemon.drops("a") == lan.daemon.drops("b") == {}
