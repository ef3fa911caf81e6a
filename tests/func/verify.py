# SPDX-License-Identifier: BSD-3-Clause
"""What a receiver can find out about a TCP or UDP frame, by plain code that shares nothing with the
switch: every length, every checksum, and whether the frames of a row are the segments of one.

Sums are compared modulo 65535, which is what the checksum of the Internet is (RFC 1071).
"""

import struct
from dataclasses import dataclass

from offloads import GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP, NEEDS_CSUM

TCP, UDP = 6, 17
FIN, PSH, CWR = 0x01, 0x08, 0x80
TAGS = (b"\x81\x00", b"\x88\xa8")
EXTENSIONS = (0, 43, 60)


def total(data):
    """The sum of the 16-bit words of some bytes, modulo 65535."""
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xffff


@dataclass
class Seen:
    """A frame taken apart: its headers as bytes, where they begin, and its payload."""
    raw: bytes
    l3: int
    l4: int
    data: int
    version: int
    proto: int

    eth = property(lambda self: self.raw[:self.l3])
    ip = property(lambda self: self.raw[self.l3:self.l4])
    head = property(lambda self: self.raw[self.l4:self.data])
    payload = property(lambda self: self.raw[self.data:])
    ident = property(lambda self: struct.unpack_from("!H", self.ip, 4)[0])
    seq = property(lambda self: struct.unpack_from("!I", self.head, 4)[0])
    flags = property(lambda self: self.head[13] if self.proto == TCP else 0)
    field = property(lambda self: 16 if self.proto == TCP else 6)
    csum = property(lambda self: struct.unpack_from("!H", self.head, self.field)[0])

    @property
    def pseudo(self):
        """The sum of the pseudo-header."""
        addresses = self.ip[12:20] if self.version == 4 else self.ip[8:40]
        return total(addresses + struct.pack("!II", len(self.raw) - self.l4, self.proto))

    def is_finished(self):
        """Whether the transport checksum is that of the whole."""
        return (self.pseudo + total(self.raw[self.l4:])) % 0xffff == 0

    def constant(self):
        """The headers without what segmentation changes."""
        ip, head = bytearray(self.ip), bytearray(self.head)
        if self.version == 4:
            ip[2:6], ip[10:12] = bytes(4), bytes(2)
        else:
            ip[4:6] = bytes(2)
        head[self.field:self.field + 2] = bytes(2)
        if self.proto == TCP:
            head[4:8] = bytes(4)
            head[13] &= ~(FIN | PSH | CWR)
        else:
            head[4:6] = bytes(2)
        return self.eth, bytes(ip), bytes(head)


def _ipv4(raw, l3):
    assert raw[l3] >> 4 == 4
    end = l3 + 4 * (raw[l3] & 15)
    length, _, fragment = struct.unpack_from("!HHH", raw, l3 + 2)
    assert length == len(raw) - l3, "total length"
    assert fragment & 0x3fff == 0, "a fragment"
    assert total(raw[l3:end]) == 0, "checksum of the IPv4 header"
    return end, raw[l3 + 9]


def _ipv6(raw, l3):
    assert raw[l3] >> 4 == 6
    assert struct.unpack_from("!H", raw, l3 + 4)[0] == len(raw) - l3 - 40, "payload length"
    end, proto = l3 + 40, raw[l3 + 6]
    while proto in EXTENSIONS:
        end, proto = end + 8 + 8 * raw[end + 1], raw[end]
    return end, proto


def take_apart(raw):
    """The headers of a frame; AssertionError if a length or the IP checksum is wrong."""
    at = 12
    while raw[at:at + 2] in TAGS:
        at += 4
    kind, l3 = raw[at:at + 2], at + 2
    assert kind in (b"\x08\x00", b"\x86\xdd"), f"EtherType {kind.hex()}"
    version = 4 if kind == b"\x08\x00" else 6
    l4, proto = (_ipv4 if version == 4 else _ipv6)(raw, l3)
    if proto == TCP:
        data = l4 + 4 * (raw[l4 + 12] >> 4)
    else:
        assert proto == UDP, f"protocol {proto}"
        data = l4 + 8
        assert struct.unpack_from("!H", raw, l4 + 4)[0] == len(raw) - l4, "UDP length"
    assert l4 + 8 <= data <= len(raw), "transport header"
    return Seen(raw, l3, l4, data, version, proto)


def kind_of(seen):
    """The gso_type that belongs to a frame."""
    if seen.proto == UDP:
        return GSO_UDP
    return (GSO_TCP4 if seen.version == 4 else GSO_TCP6) | (GSO_ECN if seen.flags & CWR else 0)


def check_header(seen, hdr, computes):
    """The virtio header of a frame received: what it says must be so, and what the receiver has to
    do must be something that it can (computes: it takes partial checksums)."""
    if not hdr.flags:
        assert (hdr.gso_type, hdr.gso_size, hdr.csum_start, hdr.csum_offset) == (0, 0, 0, 0)
        assert seen.is_finished(), "transport checksum"
        return
    assert hdr.flags == NEEDS_CSUM, f"flags {hdr.flags:#x}"
    assert computes, "a checksum is left to one that does not compute it"
    assert (hdr.csum_start, hdr.csum_offset) == (seen.l4, seen.field)
    assert seen.csum % 0xffff == seen.pseudo, "sum of the pseudo-header"
    if hdr.gso_type:
        assert hdr.gso_type == kind_of(seen)
        assert 0 < hdr.gso_size < len(seen.payload)
        assert hdr.hdr_len == seen.data
    else:
        assert hdr.gso_size == 0


def check_row(row, whole, size):
    """Frames taken apart are `whole` cut into pieces of `size` bytes, or `whole` itself."""
    at = 0
    for i, seen in enumerate(row):
        first, last = i == 0, i + 1 == len(row)
        assert seen.constant() == whole.constant(), f"headers of segment {i}"
        assert last or len(seen.payload) == size, f"length of segment {i}"
        assert seen.payload == whole.payload[at:at + len(seen.payload)], f"bytes of segment {i}"
        if seen.version == 4:
            assert seen.ident == (whole.ident + i) % 65536, f"id of segment {i}"
        if seen.proto == TCP:
            assert seen.seq == (whole.seq + at) % (1 << 32), f"number of segment {i}"
            never = (0 if first else CWR) | (0 if last else FIN | PSH)
            assert seen.flags == whole.flags & ~never, f"flags of segment {i}"
        at += len(seen.payload)
    assert at == len(whole.payload), "the end is missing"


def cut(whole, size, finished=True):
    """The segments of a frame, made as RFC 9293 and RFC 791 have them; or, unless finished, with
    checksums that are those of the pseudo-header."""
    made = []
    for i, at in enumerate(range(0, max(1, len(whole.payload)), size)):
        data = whole.payload[at:at + size]
        ip, head = bytearray(whole.ip), bytearray(whole.head)
        first, last = at == 0, at + size >= len(whole.payload)
        length = len(ip) + len(head) + len(data)
        if whole.version == 4:
            struct.pack_into("!HH", ip, 2, length, (whole.ident + i) % 65536)
            struct.pack_into("!H", ip, 10, 0)
            struct.pack_into("!H", ip, 10, 0xffff - total(bytes(ip)))
        else:
            struct.pack_into("!H", ip, 4, length - 40)
        if whole.proto == TCP:
            struct.pack_into("!I", head, 4, (whole.seq + at) % (1 << 32))
            head[13] &= ~((0 if first else CWR) | (0 if last else FIN | PSH))
        else:
            struct.pack_into("!H", head, 4, len(head) + len(data))
        made.append(finish(whole.eth + bytes(ip), bytes(head), data, whole, finished))
    return made


def finish(front, head, data, whole, finished=True):
    """A frame of these parts with its transport checksum."""
    head = bytearray(head)
    head[whole.field:whole.field + 2] = bytes(2)
    seen = Seen(front + bytes(head) + data, whole.l3, whole.l4, whole.data, whole.version,
                whole.proto)
    value = seen.pseudo
    if finished:
        value = 0xffff - (value + total(seen.raw[seen.l4:])) % 0xffff
    struct.pack_into("!H", head, whole.field, value)
    return front + bytes(head) + data
