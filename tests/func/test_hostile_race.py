# SPDX-License-Identifier: BSD-3-Clause
"""A hostile guest that rewrites what it has sent while the switch reads it: headers, descriptors,
indirect tables and ring indices, each by a thread that does nothing else. What gets through must be
what was judged; whatever else happens is a named drop or a named fault."""

import os
import select
import struct
import time

import pytest

from evil import EVIL, PEER, Scene, buffer, shoot
from frames import mac, text
from vsguest import DESC_INDIRECT, DESC_NEXT, DESC_WRITE, region

BURSTS = 25
PATIENCE = 20.0         # seconds; nothing here takes one of them on a quiet machine
HEADS = 32
MIB = 1 << 20


@pytest.fixture
def scene(lan, victim):
    """See evil.Scene."""
    return Scene(lan, victim)


class Stage:
    """Memory of the attacker: a frame, a chain of two descriptors, an indirect table."""

    def __init__(self, scene):
        guest = self.guest = scene.evil
        self.frame = scene.good()
        self.gpa, self.length = buffer(guest, self.frame, extra=65536)
        self.table = guest.alloc(16 * 4, 16)
        self.ring = guest.tx
        self.direct()

    def direct(self):
        """Descriptors 0 and 1: the frame in two pieces."""
        self.ring.set_desc(0, self.gpa, 40, DESC_NEXT, 1)
        self.ring.set_desc(1, self.gpa + 40, self.length - 40)

    def indirect(self):
        """Descriptor 0: an indirect table with the frame in two pieces."""
        self.guest.write(self.table, struct.pack(
            "<QIHHQIHH", self.gpa, 40, DESC_NEXT, 1, self.gpa + 40, self.length - 40, 0, 0))
        self.ring.set_desc(0, self.table, 32, DESC_INDIRECT)

    def desc(self, n, offset):
        """Guest-physical address of a field of a descriptor."""
        return self.ring.raw.desc_gpa + 16 * n + offset


def indirect(race):
    """The same attack on a chain in an indirect table."""
    def attack(stage):
        stage.indirect()
        return race(stage)
    return attack


def word(offset, width, *values):
    """Race: a field of the first descriptor."""
    return lambda stage: (stage.desc(0, offset), width, values)


def entry(offset, width, *values):
    """Race: a field of the indirect table."""
    return indirect(lambda stage: (stage.table + offset, width, values))


# name: where, width, values (the first one is the good one), the faults that may come of it
RACES = {
    "virtio header": (lambda s: (s.gpa, 2, (0, 0x0101, 0x0400, 0xffff)), ()),
    "first length": (word(8, 4, 40, 41, 0, 65000, 13), ()),
    "first length, beyond the memory": (word(8, 4, 40, 0xffffffff, 1 << 31), ("address",)),
    "address": (lambda s: (s.desc(0, 0), 8, (s.gpa, 1 << 50, (1 << 64) - 1)), ("address",)),
    "length, flags and next at once": (
        word(8, 8, 40 | DESC_NEXT << 32 | 1 << 48, 40, 40 | DESC_NEXT << 32, 0xffffffff,
             32 | DESC_INDIRECT << 32, 40 | DESC_WRITE << 32),
        ("loop", "address", "indirect_nested", "not_readable", "indirect_len", "next_range")),
    "next": (word(14, 2, 1, 0, 255, 256, 65535), ("loop", "next_range", "address")),
    "flags": (word(12, 2, DESC_NEXT, 0, DESC_INDIRECT, DESC_WRITE, 7),
              ("indirect_nested", "indirect_len", "not_readable", "address", "loop",
               "next_range")),
    "length of the indirect table": (
        indirect(word(8, 4, 32, 16, 0, 33, 16 * 1024, 16 * 1025, 0xfffffff0)),
        ("indirect_len", "next_range", "address")),
    "direct or indirect": (
        indirect(word(12, 2, DESC_INDIRECT, 0, DESC_INDIRECT | DESC_NEXT)),
        ("indirect_nested",)),
    "next in the indirect table": (
        entry(14, 2, 1, 0, 2, 1023, 65535), ("next_range", "loop")),
    "flags in the indirect table": (
        entry(12, 2, DESC_NEXT, 0, DESC_INDIRECT, DESC_WRITE, DESC_INDIRECT | DESC_NEXT),
        ("indirect_nested", "not_readable")),
    "length in the indirect table": (
        entry(8, 4, 40, 0, 0xffffffff, 65000), ("address",)),
    "available index": (
        lambda s: (s.ring.raw.avail_gpa + 2, 2, (0, 1, 2, 64, 256, 257, 0x8000)), ("avail_jump",)),
    "available entries": (
        lambda s: (s.ring.raw.avail_gpa + 4, 8, (0, 0x0100, 1 << 63 | 255, 1)),
        ("head_range", "loop", "address")),
    "used index": (lambda s: (s.ring.raw.used_gpa + 2, 2, (0, 1, 0xffff, 300)), ()),
}


class Broken(Exception):
    """The switch gave the ring up."""


def wait_used(scene, idx, timeout=2.0):
    """Wait until the burst was taken or the ring was given up; drains the peer meanwhile."""
    end = time.monotonic() + timeout
    ring = scene.evil.tx
    poll = select.poll()
    poll.register(ring.raw.err_fd, select.POLLIN)
    got = []
    while ring.used_idx != idx and time.monotonic() < end:
        if poll.poll(0):
            raise Broken
        frame = scene.peer.recv(0.001)
        if frame is not None and frame[6:12] == EVIL:
            got.append(frame)
    return got


@pytest.mark.parametrize("name", RACES)
def test_race(scene, name):
    """Bursts under a race; a ring that breaks is started anew, and the race goes on."""
    make, allowed = RACES[name]
    scene.open(regions=[region(0, 16 * MIB), region(16 * MIB, MIB)])
    stage, faults, writes = Stage(scene), 0, 0
    for _ in range(BURSTS):
        where = make(stage)
        race = scene.evil.race(*where)
        try:
            goal = scene.evil.tx.used_idx + HEADS & 0xffff
            shoot(scene.evil.tx, *[0] * HEADS)
            for frame in wait_used(scene, goal, 0.05 if "index" in name else 2.0):
                assert frame[:12] == PEER + EVIL, frame[:32].hex()
        except Broken:
            faults += 1
        finally:
            writes += race.stop()
        row = scene.port()
        # That of the burst before may have been told late.
        assert row["faults"] in range(faults, faults + 3), row
        if row["faults"]:
            assert row["last_fault"] in allowed, row
        faults = row["faults"]
        if not row["up"] or "index" in name:
            restart(scene)
            stage = Stage(scene)
    assert writes >= BURSTS
    scene.victim.check()
    restart(scene)
    scene.drain()
    scene.exchange()


def restart(scene):
    """The driver starts its device anew; what is left in its error descriptor is old."""
    evil = scene.evil
    evil.stop()
    evil.reset()
    clear(evil.tx.raw.err_fd)
    evil.start()
    scene.lan.wait("evil", lambda r: r["up"])


def clear(fd):
    """Empty an eventfd."""
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass


def test_source_address_is_judged_once(scene):
    """The spoof guard's verdict is about the bytes that are sent on: no frame arrives with the
    source that was not allowed."""
    scene.open("mac", text(EVIL))
    stage = Stage(scene)
    good = stage.frame[4:12]        # two bytes of the destination, and the source
    bad = good[:2] + mac(0xa1)      # an address of the good pair
    values = [int.from_bytes(v, "little") for v in (good, bad)]
    seen = 0
    with scene.evil.race(stage.gpa + 16, 8, values) as race:
        for _ in rounds(lambda: seen and scene.daemon.drops("evil").get("spoof")):
            goal = scene.evil.tx.used_idx + HEADS & 0xffff
            shoot(scene.evil.tx, *[0] * HEADS)
            frames = wait_all(scene, goal)
            seen += len(frames)
            assert all(frame[6:12] == EVIL for frame in frames)
        assert race.stop() > 0
    scene.victim.check()
    assert scene.lan.fdb()[text(mac(0xa1))] == "va"


def rounds(decided):
    """BURSTS * 4 rounds, and as many again until the race has had all its outcomes: on a busy
    machine the racing thread may not run for a while."""
    end = time.monotonic() + PATIENCE
    while True:
        yield from range(BURSTS * 4)
        if decided():
            return
        assert time.monotonic() < end, "the race was never won, or never lost"


def wait_all(scene, idx):
    """Everything that reached the peer while a burst was taken."""
    end = time.monotonic() + PATIENCE
    got = []
    while scene.evil.tx.used_idx != idx:
        assert time.monotonic() < end, "the burst is not taken"
        frame = scene.peer.recv(0.001)
        if frame is not None:
            got.append(frame)
    while (frame := scene.peer.recv(0)) is not None:
        got.append(frame)
    return [frame for frame in got if frame[:6] == PEER]


def test_offload_bits_are_judged_once(scene):
    """No header with an offload in it gets out, however it is rewritten."""
    scene.open()
    stage = Stage(scene)
    with scene.evil.race(stage.gpa, 2, [0, 0x0101]):
        for _ in rounds(lambda: scene.daemon.drops("evil").get("offload_denied")):
            goal = scene.evil.tx.used_idx + HEADS & 0xffff
            shoot(scene.evil.tx, *[0] * HEADS)
            end = time.monotonic() + PATIENCE
            while scene.evil.tx.used_idx != goal or scene.peer.rx.pending():
                assert time.monotonic() < end
                if scene.peer.recv(0.001) is not None:
                    hdr = scene.peer.last_hdr()
                    assert (hdr.flags, hdr.gso_type) == (0, 0)
    assert scene.daemon.drops("evil").keys() == {"offload_denied"}


RX_RACES = {
    "length": (8, 4, (1536, 0, 5, 0xffffffff), {"header_small", "address"}),
    "flags": (12, 2, (DESC_WRITE, 0, DESC_WRITE | DESC_NEXT, DESC_INDIRECT | DESC_WRITE),
              {"not_writable", "loop", "indirect_len", "indirect_nested", "next_range",
               "address"}),
    "address": (0, 8, (None, 1 << 50, (1 << 64) - 1), {"address"}),
}


@pytest.mark.parametrize("name", RX_RACES)
def test_receive_race(scene, name):
    """Receive descriptors rewritten while frames are written to them."""
    offset, width, values, allowed = RX_RACES[name]
    scene.open()
    for n in range(BURSTS // 2):
        ring = scene.evil.rx
        slot = ring.used_idx % ring.size
        where = ring.raw.desc_gpa + 16 * slot + offset
        good = [ring.desc(slot)[0] if v is None else v for v in values]
        with scene.evil.race(where, width, good):
            for _ in range(16):
                scene.poke(100 + 200 * n)
        while scene.evil.rx.pending() and scene.port()["up"]:
            try:
                scene.evil.recv(0)
            except OSError:     # lengths that do not fit what the driver put there
                break
        row = scene.port()
        assert row["last_fault"] is None or row["last_fault"] in allowed, row
        restart(scene)
    scene.victim.check()
    scene.exchange()
