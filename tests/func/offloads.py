# SPDX-License-Identifier: BSD-3-Clause
"""Frames that owe a checksum or segmentation, and what they become: made by scapy alone."""

import struct

from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from vsguest import (F_CSUM, F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6, F_HOST_TSO4, F_HOST_TSO6,
                     Hdr)

F_HOST_ECN, F_GUEST_ECN = 1 << 13, 1 << 9
F_HOST_USO, F_GUEST_USO4, F_GUEST_USO6 = 1 << 56, 1 << 54, 1 << 55
NEEDS_CSUM = 1
GSO_TCP4, GSO_TCP6, GSO_UDP, GSO_ECN = 1, 4, 5, 0x80
OFFERED = (F_CSUM | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_HOST_USO | F_GUEST_CSUM |
           F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN | F_GUEST_USO4 | F_GUEST_USO6)
SENDS = F_CSUM | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_HOST_USO
TAKES = {
    "none": 0,
    "csum": F_GUEST_CSUM,
    "csum+tso": F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6,
    "all": OFFERED & ~SENDS,
}


def fold(data):
    """The one's complement sum of 16-bit words."""
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f">{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value


def pseudo(pkt):
    """The sum of the pseudo-header of a scapy packet: what stands in an unfinished checksum."""
    l4 = bytes(pkt.getlayer(TCP) or pkt.getlayer(UDP))
    proto = 6 if TCP in pkt else 17
    if IP in pkt:
        addresses = b"".join(bytes(map(int, a.split("."))) for a in (pkt[IP].src, pkt[IP].dst))
    else:
        raw = bytes(pkt[IPv6])
        addresses = raw[8:40]
    return fold(addresses + struct.pack(">II", len(l4), proto))


def partial(pkt, **gso):
    """A frame whose checksum is owed: (bytes, virtio header)."""
    l4 = TCP if TCP in pkt else UDP
    pkt[l4].chksum = pseudo(pkt)
    whole = bytes(pkt)
    start = len(whole) - len(bytes(pkt[l4]))
    return whole, Hdr(flags=NEEDS_CSUM, csum_start=start, csum_offset=16 if l4 is TCP else 6, **gso)


def finished(whole):
    """The same frame as scapy makes it, checksums and lengths computed."""
    pkt = Ether(whole)
    for layer, name in ((IP, "chksum"), (TCP, "chksum"), (UDP, "chksum")):
        if layer in pkt:
            delattr(pkt[layer], name)
    return bytes(Ether(bytes(pkt)))


def segments(pkt, mss):
    """What a frame is cut into, made by scapy: each checksum and length is its own."""
    l4 = TCP if TCP in pkt else UDP
    data = bytes(pkt[l4].payload)
    out = []
    for at in range(0, len(data), mss):
        one = pkt.copy()
        one[l4].remove_payload()
        one = one / Raw(data[at:at + mss])
        last, first = at + mss >= len(data), at == 0
        if l4 is TCP:
            one[TCP].seq = (pkt[TCP].seq + at) % (1 << 32)
            flags = int(pkt[TCP].flags)
            one[TCP].flags = flags & ~(0 if last else 0x09) & ~(0 if first else 0x80)
        if IP in one:
            one[IP].id = (pkt[IP].id + at // mss) % 65536
            del one[IP].len
        else:
            del one[IPv6].plen
        if l4 is UDP:
            del one[UDP].len
        out.append(finished(bytes(one)))
    return out
