# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the mask matrix share: every kind and length of traffic, what a sender makes of
it that may leave this or that undone, and the judge of what a receiver gets."""

import functools

from scapy.layers.inet import IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from frames import noise, text
from offloads import (F_GUEST_ECN, F_GUEST_USO4, F_GUEST_USO6, F_HOST_ECN, F_HOST_USO, GSO_ECN,
                      GSO_TCP4, GSO_TCP6, GSO_UDP, NEEDS_CSUM, SENDS)
from verify import check_header, check_row, cut, finish, kind_of, take_apart
from vsguest import (F_CSUM, F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6, F_HOST_TSO4, F_HOST_TSO6,
                     Hdr)

MAC_A, MAC_B = bytes([2, 0, 0, 0, 0, 0xa]), bytes([2, 0, 0, 0, 0, 0xb])
MTU = 9000
LEAVES = {
    "none": 0,
    "csum": F_CSUM,
    "csum+tso": F_CSUM | F_HOST_TSO4 | F_HOST_TSO6,
    "all": SENDS,
}
STAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (7, 8))]
# name: (transport header, are there IP options or extension headers, tag)
KINDS = {
    "tcp": (TCP(sport=1, dport=2, seq=0xffffff00, ack=5, flags="A"), False, None),
    "tcp options": (TCP(sport=1, dport=2, seq=5, ack=6, flags="FPAU", urgptr=3, options=STAMPS),
                    True, None),
    "tcp ecn": (TCP(sport=1, dport=2, seq=5, ack=6, flags="PAEC", options=STAMPS), False, None),
    "tcp tagged": (TCP(sport=1, dport=2, seq=5, ack=6, flags="PA", options=STAMPS), False, 7),
    "udp": (UDP(sport=1, dport=2), False, None),
}
# name: (length of the IP packet or, if below, of the payload; MTU that segments are made for)
SIZES = {
    "1": (1, 1500),
    "small": (6, 1500),
    "1500": (1500, 1500),
    "9000": (9000, 9000),
    "60k by 1500": (60000, 1500),
    "60k by 9000": (60000, 9000),
    "64k by 1500": (65535, 1500),
    "64k by 9000": (65535, 9000),
    "64k by 555": (65535, 555),
}
# What each kind of segmentation needs: (of the sender, of the receiver).
NEEDS = {
    GSO_TCP4: (F_HOST_TSO4, F_GUEST_TSO4),
    GSO_TCP6: (F_HOST_TSO6, F_GUEST_TSO6),
    GSO_TCP4 | GSO_ECN: (F_HOST_TSO4 | F_HOST_ECN, F_GUEST_TSO4 | F_GUEST_ECN),
    GSO_TCP6 | GSO_ECN: (F_HOST_TSO6 | F_HOST_ECN, F_GUEST_TSO6 | F_GUEST_ECN),
    GSO_UDP: (F_HOST_USO, F_GUEST_USO4 | F_GUEST_USO6),
}


class Case:
    """One packet of a sender: as it is, finished; and what it becomes where it is cut."""

    def __init__(self, kind, version, size):
        l4, extras, tag = KINDS[kind]
        length, mtu = SIZES[size]
        if version == 4:
            ip = IP(src="10.0.0.1", dst="10.0.0.2", id=65530, tos=2, flags="DF",
                    options=[IPOption_NOP()] * 4 if extras else [])
        else:
            ip = IPv6(src="fd00::1", dst="fd00::2", fl=77, tc=2)
            ip = ip / IPv6ExtHdrDestOpt() if extras else ip
        ether = Ether(src=text(MAC_A), dst=text(MAC_B))
        head = (ether if tag is None else ether / Dot1Q(vlan=tag)) / ip / l4.copy()
        l3 = 14 if tag is None else 18
        overhead = len(bytes(head)) - l3
        # virtio knows of 64 KiB and an Ethernet header (1.2, 5.1.6.3.1): a tag has to find room.
        length = min(length, 65535 - (l3 - 14))
        payload = length if length < 100 else length - overhead
        self.mss = mtu - overhead
        self.pkt = Ether(bytes(head / Raw(noise(payload))))
        self.seen = take_apart(bytes(self.pkt))
        assert len(self.seen.payload) == payload and self.seen.is_finished()
        self.type = kind_of(self.seen) if payload > self.mss else 0
        self.count = -(-payload // self.mss)

    @property
    def needs(self):
        """What a receiver needs to take it in one piece."""
        return NEEDS[self.type][1] if self.type else 0

    @functools.cached_property
    def pieces(self):
        """Finished segments, as a sender makes them that cannot leave it to anybody."""
        return cut(self.seen, self.mss)

    @functools.cached_property
    def unfinished(self):
        """The same with checksums left undone: (frame, virtio header) of each."""
        hdr = Hdr(flags=NEEDS_CSUM, csum_start=self.seen.l4, csum_offset=self.seen.field)
        return [(one, hdr) for one in cut(self.seen, self.mss, finished=False)]

    @functools.cached_property
    def whole(self):
        """In one piece, everything left undone."""
        seen = self.seen
        hdr = Hdr(flags=NEEDS_CSUM, csum_start=seen.l4, csum_offset=seen.field,
                  gso_type=self.type, gso_size=self.mss)
        return finish(seen.eth + seen.ip, seen.head, seen.payload, seen, finished=False), hdr

    def sent_with(self, features):
        """What a sender with these features makes of it: (frame, virtio header or None) of each."""
        if not features & F_CSUM:
            return [(one, None) for one in self.pieces]
        if self.type and NEEDS[self.type][0] & ~features:
            return self.unfinished
        return [self.whole] if self.type else self.unfinished


case = functools.lru_cache(maxsize=None)(Case)


def judge(one, sent, got, takes, mtu=MTU):
    """Everything that the receiver can know; and that nothing was done which it can do itself.
    Returns how many frames more came than were sent."""
    row = []
    for frame, hdr in got:
        seen = take_apart(frame)
        check_header(seen, hdr, takes & F_GUEST_CSUM)
        assert len(frame) - seen.l3 <= mtu or hdr.gso_type, "longer than the MTU"
        row.append(seen)
    check_row(row, one.seen, one.mss)
    whole = len(sent) == 1 and one.type and not one.needs & ~takes
    assert len(row) == (1 if whole else one.count)
    left = [bool(hdr.flags) for _, hdr in got]
    assert left == [bool(sent[0][1] and takes & F_GUEST_CSUM)] * len(got), "debts"
    if whole:
        assert (got[0][1].gso_type, got[0][1].gso_size) == (one.type, one.mss)
    return len(row) - len(sent)
