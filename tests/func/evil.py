# SPDX-License-Identifier: BSD-3-Clause
"""What tests of hostile guests share: the guest that misbehaves on port `evil`, and an honest one
on port `peer` that shows whether frames get through to it and back."""

import struct

from frames import mac, text, wait_for
from victim import numbered
from vsguest import DESC_NEXT

EVIL, PEER = mac(0x66), mac(0x0e)


class Scene:
    """The hostile guest, the peer, and the good pair beside them."""

    def __init__(self, lan, victim):
        self.lan, self.victim, self.daemon = lan, victim, lan.daemon
        self.evil = self.peer = None
        self.serial = 0

    def open(self, *words, peer=None, both=True, **evil):
        """Make both ports and see that frames get through (only from evil without both); words
        are more of `port add`."""
        self.peer = self.lan.add("peer", mac=PEER, **(peer or {}))
        if "regions" not in evil:
            evil.setdefault("mem_mib", 16)
        self.evil = self.lan.add("evil", *words, mac=EVIL, **evil)
        self.meet(both)
        return self.evil

    def port(self):
        """The row of `port show evil`."""
        return self.lan.port("evil")

    def received(self):
        """Frames the switch took from the hostile guest so far."""
        return self.lan.stats("evil")["received"]

    def good(self, size=100):
        """One more frame from evil to its peer."""
        self.serial += 1
        return numbered(PEER, EVIL, self.serial, size)

    def poke_frame(self, size=100):
        """One more frame from the peer to evil."""
        self.serial += 1
        return numbered(EVIL, PEER, self.serial, size)

    def poke(self, size=100):
        """The peer sends a frame to evil, which need not be able to take it; returns it."""
        frame = self.poke_frame(size)
        self.peer.send(frame)
        self.peer.flush()
        return frame

    def arrives(self, frame, timeout=2.0):
        """The peer gets this frame, and no other from evil."""
        got = self.peer.recv(timeout)
        while got is not None and got[6:12] != EVIL:
            got = self.peer.recv(timeout)       # floods of the good pair, before it was learnt
        assert got is not None, f"the frame of {len(frame)} bytes is lost"
        assert got == frame, f"{len(got)} other bytes came: {got[:32].hex()}"

    def meet(self, both=True):
        """A frame each way, and wait until the switch has learnt from them who is where: what
        comes next is not flooded into the rings of the good pair."""
        self.exchange(both)
        here = {text(EVIL), text(PEER)} if both else {text(EVIL)}
        wait_for(self.lan.fdb, lambda fdb: here <= fdb.keys())

    def exchange(self, both=True):
        """A frame each way between evil and its peer."""
        frame = self.good()
        self.evil.send(frame)
        self.arrives(frame)
        self.evil.flush()
        if not both:
            return
        frame = self.poke()
        got = self.evil.recv(2.0)
        while got is not None and got != frame:
            got = self.evil.recv(2.0)
        assert got == frame, "nothing gets through to the hostile guest"

    def silent(self):
        """The peer has nothing from evil in its ring, after every port was visited again."""
        self.victim.progress()
        got = self.peer.recv(0)
        while got is not None:
            assert got[6:12] != EVIL, f"came through: {got[:64].hex()}"
            got = self.peer.recv(0)

    def drain(self):
        """Throw away what the peer was sent so far."""
        self.victim.progress()
        while self.peer.recv(0) is not None:
            pass

    def broken(self, fault, nth=1):
        """The port goes down for this fault, and says so."""
        row = self.lan.wait("evil", lambda r: r["faults"] >= nth)
        assert row["faults"] == nth, row
        assert row["last_fault"] == fault, row
        assert row["state"] == "broken" and not row["up"], row
        assert row["problem"], row

    def left_alone(self):
        """A broken ring is not looked at any more, though it holds a good chain now."""
        ring, before = self.evil.tx, self.received()
        used = ring.used_idx
        buffer(self.evil, self.good(), at=(0, 0))
        for slot in range(ring.size):
            ring.set_avail(slot, 0)
        ring.avail_idx = ring.avail_idx + 1 & 0xffff
        ring.kick()
        self.silent()
        assert self.received() == before and ring.used_idx == used

    def heal(self, how, both=True, **changes):
        """What a reboot of the guest ("restart") or of its VMM ("reconnect") does, perhaps with
        members of struct vsg_cfg changed; afterwards frames get through again."""
        if how == "restart":
            self.evil.stop()
        else:
            self.evil.hangup()
        self.evil.reset(**changes)
        self.evil.start()
        self.lan.wait("evil", lambda r: r["up"] and r["state"] == "running")
        self.meet(both)

    def dropped(self, reason, count=1, port="evil"):
        """So many frames were dropped at the port, all of them for this reason."""
        self.victim.progress()
        assert self.daemon.drops(port) == {reason: count}


def shoot(ring, *heads):
    """Make these heads available, whatever they are."""
    idx = ring.avail_idx
    for n, head in enumerate(heads):
        ring.set_avail(idx + n, head)
    ring.avail_idx = idx + len(heads) & 0xffff
    ring.kick()


def buffer(guest, frame, at=None, head=12, extra=0):
    """A good buffer with a frame in it; at (ring slot, region): also a descriptor for it.

    Returns its guest-physical address and length.
    """
    data = bytes(head) + frame
    gpa = guest.alloc(len(data) + extra)
    guest.write(gpa, data)
    if at is not None:
        guest.tx.set_desc(at[0], gpa, len(data))
    return gpa, len(data)


def chain(ring, segs, table=None, guest=None, first=0):
    """Write (gpa, len[, flags]) as a chain of direct descriptors from `first` on, or into an
    indirect table at the guest-physical address `table`; returns its head."""
    last = len(segs) - 1
    for i, (gpa, length, *flags) in enumerate(segs):
        flags = (flags[0] if flags else 0) | (DESC_NEXT if i < last else 0)
        if table is None:
            ring.set_desc(first + i, gpa, length, flags, first + i + 1 if i < last else 0)
        else:
            guest.write(table + 16 * i, struct.pack("<QIHH", gpa, length, flags,
                                                    i + 1 if i < last else 0))
    return first

