# SPDX-License-Identifier: BSD-3-Clause
"""A hostile guest's receive ring, one attack at a time. An honest peer sends to it; the ring is
detached by name, or the frame is dropped by name at the guest that cannot take it. Beside all of it
a good pair talks and loses nothing."""

import os
import struct

import pytest

from evil import Scene
from vsguest import (DESC_INDIRECT, DESC_NEXT, DESC_WRITE, F_EVENT_IDX, F_INDIRECT, F_MRG_RXBUF,
                     HDR, region)

MIB = 1 << 20
REGIONS = [(0, 16 * MIB), (16 * MIB, MIB), (1 << 32, MIB)]
SIZE = 256
W = DESC_WRITE


@pytest.fixture
def scene(lan, victim):
    """See evil.Scene."""
    return Scene(lan, victim)


def everywhere(addr, length, flags=W, nxt=0):
    """Attack: every descriptor of the receive ring becomes this; None: as it was."""
    def attack(guest):
        for i in range(guest.rx.size):
            was = guest.rx.desc(i)
            guest.rx.set_desc(i, was[0] if addr is None else addr,
                              was[1] if length is None else length, flags, nxt)
    return attack


def table(segs, length=None, flags=0):
    """Attack: every receive chain becomes this indirect table of (gpa or None, len, flags,
    next)."""
    def attack(guest):
        gpa = guest.alloc(2048)
        at = guest.alloc(16 * len(segs), 16)
        for i, (addr, *rest) in enumerate(segs):
            guest.write(at + 16 * i, struct.pack("<QIHH", gpa if addr is None else addr, *rest))
        everywhere(at, 16 * len(segs) if length is None else length, DESC_INDIRECT | flags)(guest)
    return attack


def heads(number):
    """Attack: the available ring names this descriptor everywhere."""
    def attack(guest):
        for slot in range(guest.rx.size):
            guest.rx.set_avail(slot, number)
    return attack


def jump(by):
    """Attack: the available index moves by so much."""
    def attack(guest):
        guest.rx.avail_idx = guest.rx.avail_idx + by & 0xffff
    return attack


def self_loop(guest):
    """Attack: each descriptor is followed by itself, and holds nothing."""
    for i in range(guest.rx.size):
        guest.rx.set_desc(i, 0, 0, W | DESC_NEXT, i)


FAULTS = {
    "loop with nothing in it": ("loop", self_loop),
    "loop of one byte": ("loop", everywhere(None, 1, W | DESC_NEXT, 0)),
    "loop in an indirect table": ("loop", table([(None, 1, W | DESC_NEXT, 0)])),
    "next at the table's end": ("next_range", everywhere(None, 8, W | DESC_NEXT, SIZE)),
    "next far beyond": ("next_range", everywhere(None, 20, W | DESC_NEXT, 65535)),
    "next beyond the indirect table": ("next_range", table([(None, 20, W | DESC_NEXT, 1)])),
    "head at the table's end": ("head_range", heads(SIZE)),
    "head far beyond": ("head_range", heads(65535)),
    "length of 2^32-1": ("address", everywhere(None, 0xffffffff)),
    "outside": ("address", everywhere(1 << 50, 2048)),
    "one byte beyond the last region": ("address", everywhere((1 << 32) + MIB - 2047, 2048)),
    "across two regions side by side": ("address", everywhere(16 * MIB - 20, 2048)),
    "around the end of the address space": ("address", everywhere((1 << 64) - 1, 2048)),
    "outside, behind a good header": (
        "address", table([(None, 12, W | DESC_NEXT, 1), (1 << 50, 2048, W, 0)])),
    "readable buffer": ("not_writable", everywhere(None, None, 0)),
    "readable buffer behind a good header": (
        "not_writable", table([(None, 12, W | DESC_NEXT, 1), (None, 2048, 0, 0)])),
    "nested indirect": ("indirect_nested", table([(None, 16, DESC_INDIRECT, 0)])),
    "indirect with next": ("indirect_nested", table([(None, 2048, W, 0)], flags=DESC_NEXT)),
    "indirect table of 0 bytes": ("indirect_len", table([(None, 2048, W, 0)], length=0)),
    "indirect table of 17 bytes": ("indirect_len", table([(None, 2048, W, 0)], length=17)),
    "indirect table of 2^32-16 bytes": (
        "indirect_len", table([(None, 2048, W, 0)], length=0xfffffff0)),
    "indirect table outside": ("address", everywhere(1 << 50, 16, DESC_INDIRECT)),
    "chain of nothing": ("header_small", everywhere(None, 0)),
    "index jumps by half its range": ("avail_jump", jump(0x8000)),
    "index jumps by the size and one": ("avail_jump", jump(SIZE + 1)),
    "index goes backwards": ("avail_jump", jump(-SIZE - 1)),
}


def attack_and_heal(scene, attack, fault):
    """Twice: break the ring, see it detached and left alone, and let it heal."""
    evil = scene.evil
    for nth, how in enumerate(("restart", "reconnect"), 1):
        lost = scene.daemon.drops("evil").get("ring_broken", 0)
        down = scene.daemon.drops("evil").get("port_down", 0)
        attack(evil)
        scene.poke(400)
        scene.broken(fault, nth)
        assert scene.daemon.drops("evil")["ring_broken"] == lost + 1
        # A repaired ring is left alone all the same.
        ring = evil.rx
        used = ring.used_idx
        gpa = evil.alloc(2048)
        everywhere(gpa, 2048)(evil)
        ring.avail_idx = used + 1 & 0xffff
        scene.poke(400)
        scene.victim.progress()
        assert ring.used_idx == used
        assert scene.daemon.drops("evil")["port_down"] == down + 1
        assert scene.port()["faults"] == nth
        scene.heal(how)


@pytest.mark.parametrize("name", FAULTS)
def test_fault(scene, name):
    """The port goes down by name, is left alone, and heals with its driver or its VMM."""
    fault, attack = FAULTS[name]
    scene.open(regions=[region(*r) for r in REGIONS])
    attack_and_heal(scene, attack, fault)


def test_indirect_not_negotiated(scene):
    """An indirect receive buffer without the feature."""
    scene.open(without=F_INDIRECT)
    attack_and_heal(scene, table([(None, 2048, W, 0)]), "indirect_denied")


@pytest.mark.parametrize("length", range(1, 12))
def test_mergeable_buffer_smaller_than_the_header(scene, length):
    """1 to 11 bytes do not hold the virtio header, which may not be spread over buffers."""
    scene.open()
    attack_and_heal(scene, everywhere(None, length), "header_small")


@pytest.mark.parametrize("profile, hdr", [("small", 12), ("legacy", 10)])
def test_single_buffer_too_small(scene, profile, hdr):
    """Without mergeable buffers a frame that does not fit is dropped, and the ring stays good:
    nothing is given back, nothing is written behind the buffer."""
    frame = 60
    evil = scene.open(profile=profile)
    fit = hdr + frame
    for n, length in enumerate((*range(1, 14), fit - 1), 1):
        evil.stop()
        evil.reset(rx_shape=[length])
        evil.start()
        scene.lan.wait("evil", lambda r: r["up"])
        scene.poke(frame)
        scene.dropped("rx_small", n)
        assert evil.rx.used_idx == 0
        evil.check_canaries()
    evil.stop()
    evil.reset(rx_shape=[fit])
    evil.start()
    scene.lan.wait("evil", lambda r: r["up"])
    want = scene.poke(frame)
    assert evil.recv() == want
    assert scene.port()["faults"] == 0
    scene.heal("restart", rx_shape=[HDR, 2048])


@pytest.mark.parametrize("shape", [[1] * 12 + [2048], [5, 6, 1, 100, 2048], [11, 1, 2048],
                                   [0x7fff]], ids=str)
@pytest.mark.parametrize("without", [0, F_MRG_RXBUF], ids=["mergeable", "single"])
def test_header_in_pieces(scene, shape, without):
    """A header over several descriptors of one chain is legal, and so is any split of the rest."""
    evil = scene.open(rx_shape=shape, without=without, mem_mib=64)
    for size in (60, 1514):
        frame = scene.poke(size)
        assert evil.recv() == frame
        assert evil.last_hdr().num_buffers == (1 if without else evil.last_hdr().num_buffers)
    evil.check_canaries()
    scene.exchange()


@pytest.mark.parametrize("length", [12, 13, 25])
def test_tiny_mergeable_buffers(scene, length):
    """The smallest buffers that are legal: a frame takes as many as it takes."""
    evil = scene.open(rx_shape=[length], ring_size=1024, mem_mib=64)
    for size in (60, 1514, 9000):
        frame = scene.poke(size)
        assert evil.recv() == frame
        assert evil.last_hdr().num_buffers == -(-(size + 12) // length)
    evil.check_canaries()


def test_too_many_pieces(scene):
    """Over 1,024 descriptors for one frame are too many; shorter ones get through."""
    evil = scene.open(rx_shape=[12] + [1] * 31, ring_size=4096, mem_mib=128)
    frame = scene.poke(600)
    assert evil.recv() == frame
    scene.poke(1514)
    scene.dropped("rx_pieces")
    frame = scene.poke(600)
    assert evil.recv() == frame
    evil.check_canaries()


def test_no_buffers(scene):
    """A guest that takes nothing out loses what does not fit, and nobody else does. The frame
    that found too few buffers leaves no trace."""
    evil = scene.open()
    room = evil.rx.avail_idx - evil.rx.used_idx & 0xffff
    for _ in range(room - 2):
        scene.poke(60)
    used = evil.rx.used_idx
    assert evil.rx.avail_idx - used & 0xffff == 2
    scene.poke(4000)                # needs three
    scene.dropped("rx_full")
    assert evil.rx.used_idx == used
    scene.poke(2000)                # needs two
    scene.poke(60)
    scene.dropped("rx_full", 2)
    assert evil.rx.used_idx == evil.rx.avail_idx
    evil.check_canaries()
    scene.heal("restart")


def fill(fd):
    """Make a counter as full as it can be: the next write to it waits."""
    os.set_blocking(fd, False)
    try:
        os.eventfd_read(fd)
    except BlockingIOError:
        pass                            # it was empty
    os.eventfd_write(fd, 0xfffffffffffffffe)
    os.set_blocking(fd, True)


def want_calls(evil):
    """Ask for a call after every burst."""
    evil.rx.avail_flags = 0


def call_often(scene):
    """Frames of which each makes the switch call the guest."""
    want_calls(scene.evil)
    for _ in range(20):
        scene.poke()
    scene.victim.check()


def test_call_descriptor_full_and_blocking(scene):
    """A VMM hands over a call descriptor that is full, and blocking."""
    evil = scene.open(without=F_EVENT_IDX)
    fill(evil.rx.raw.call_fd)
    evil.hangup()
    evil.start()
    scene.lan.wait("evil", lambda r: r["up"])
    call_often(scene)


@pytest.mark.parametrize("which", ["call", "err"])
def test_descriptor_made_blocking_again(scene, which):
    """The VMM shares the descriptor's flags with the switch and can change them at any time: a
    switch that relies on O_NONBLOCK waits for ever, in a worker or in control."""
    evil = scene.open(without=F_EVENT_IDX)
    fd = evil.rx.raw.call_fd if which == "call" else evil.rx.raw.err_fd
    fill(fd)
    try:
        if which == "err":
            heads(SIZE)(evil)
        call_often(scene)
        assert scene.port()["faults"] == (which == "err")
    finally:
        os.set_blocking(fd, False)
        os.eventfd_read(fd)             # lets a switch go that does wait
    scene.heal("reconnect")
