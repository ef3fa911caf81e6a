# SPDX-License-Identifier: BSD-3-Clause
"""VLANs as the manual says they are: which frames a port may send, and who gets them in what form.

A model over whole frames, written from doc/man/vmswitch.8 and IEEE 802.1Q. The tests hold the
switch against it, and both against Open vSwitch.
"""

import dataclasses
import struct

from frames import KIND, noise

TAG, SERVICE = b"\x81\x00", b"\x88\xa8"
ALL = frozenset(range(1, 4095))


def tag(vid, priority=0, drop_eligible=0, kind=TAG):
    """The four bytes of a tag."""
    return kind + struct.pack("!H", priority << 13 | drop_eligible << 12 | vid)


def vlan_frame(dst, src, tags=b"", size=100, seed=0):
    """A frame of so many bytes, its tags included."""
    head = dst + src + tags + KIND
    return (head + noise(max(0, size - len(head)), seed))[:size]


# What may stand between the addresses and the EtherType.
KINDS = {
    "untagged": b"",
    "a tag of another protocol": b"\x91\x00\x00\x0a",
    "priority 0": tag(0),
    "priority 5": tag(0, 5),
    "priority 7, drop eligible": tag(0, 7, 1),
    "10": tag(10),
    "10, priority 6": tag(10, 6),
    "10, drop eligible": tag(10, 0, 1),
    "20, priority 3": tag(20, 3),
    "30": tag(30),
    "40, priority 1": tag(40, 1),
    "4094": tag(4094),
    "4095": tag(4095),
    "service 10": tag(10, kind=SERVICE),
    "service 0": tag(0, kind=SERVICE),
    "service 10, 20": tag(10, kind=SERVICE) + tag(20),
    "10, 10": tag(10) + tag(10),
    "10, 20": tag(10, 2) + tag(20),
    "20, 10": tag(20) + tag(10),
    "30, 20": tag(30) + tag(20),
    "priority, 20": tag(0) + tag(20),
    "20, priority": tag(20) + tag(0),
    "10, service 20": tag(10) + tag(20, kind=SERVICE),
    "10, 20, 30": tag(10) + tag(20) + tag(30),
}
USED = (0, 10, 20, 30, 40, 4094)    # VLANs that a frame of KINDS can be on


def numbers(text):
    """The VLANs of a list such as 10,20-29."""
    found = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


@dataclasses.dataclass(frozen=True)
class Mode:
    """How a port takes part in VLANs; own is its access or native VLAN, 0 the untagged one."""
    words: str
    trunk: bool
    own: int
    listed: frozenset
    priority: bool

    def has(self, vid):
        """Whether the port is on a VLAN."""
        return vid == self.own or vid in self.listed


def mode(words, priority=False):
    """From what stands behind `vlan` on the command line."""
    first, *rest = words.split()
    if first == "trunk":
        return Mode(words, True, int(rest[2]) if rest[1:] else 0, numbers(rest[0]), priority)
    return Mode(words, False, int(rest[0]) if rest else 0, frozenset(), priority)


MODES = [
    mode("untagged"), mode("untagged", priority=True),
    mode("access 10"), mode("access 20", priority=True), mode("access 4094"),
    mode("trunk 10,20"), mode("trunk 10,20", priority=True), mode("trunk 10,20 native 10"),
    mode("trunk 10,20 native 30"), mode("trunk 20 native 10", priority=True),
    mode("trunk 1-4094"), mode("trunk 1-4094 native 20"), mode("trunk 4094 native 4094"),
]


@dataclasses.dataclass(frozen=True)
class Inside:
    """A frame on its way through the switch: on a VLAN, without that VLAN's tag."""
    vid: int
    priority: int
    data: bytes
    bare: bool      # may leave without a tag


def enter(port, frame):
    """A frame that a port sends: (reason of its drop, None) or (None, Inside)."""
    if frame[12:14] not in (TAG, SERVICE):
        return None, Inside(port.own, 0, frame, True)
    if len(frame) < 18:
        return "vlan_short", None
    tci, = struct.unpack_from("!H", frame, 14)
    vid, another = tci & 0xfff, frame[16:18] in (TAG, SERVICE)
    only_priority = frame[12:14] == TAG and vid == 0
    if not port.trunk:
        if not only_priority or another:
            return "vlan_tagged", None
    elif frame[12:14] == SERVICE:
        return "vlan_service", None
    elif not only_priority and not (vid and port.has(vid)):
        return "vlan_denied", None
    return None, Inside(port.own if only_priority else vid, tci >> 13 if port.priority else 0,
                        frame[:12] + frame[16:], not another)


def leave(port, inside):
    """The frame as a port on its VLAN gets it, or None: it must not leave there without its tag."""
    if inside.vid != port.own:
        return inside.data[:12] + tag(inside.vid, inside.priority) + inside.data[12:]
    return inside.data if inside.bare else None
