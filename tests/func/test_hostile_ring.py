# SPDX-License-Identifier: BSD-3-Clause
"""A hostile guest's transmit ring, one attack at a time. A rule of the ring that is broken detaches
the port by name until its driver or its VMM starts anew; a frame that cannot be taken is dropped by
name and the ring goes on. Beside all of it a good pair talks and loses nothing."""

import struct

import pytest

from evil import Scene, buffer, chain, shoot
from vsguest import DESC_INDIRECT, DESC_NEXT, DESC_WRITE, F_INDIRECT, region

MIB = 1 << 20
REGIONS = [(0, 16 * MIB), (16 * MIB, MIB), (1 << 32, MIB)]      # two side by side, one far away
SIZE = 256                                                      # of the rings, unless told


@pytest.fixture
def scene(lan, victim):
    """See evil.Scene."""
    return Scene(lan, victim)


def good_buffer(guest):
    """Address and length of a buffer with a harmless frame in it."""
    return buffer(guest, bytes(100))


def circle(guest, first, last, length):
    """Descriptors first..last, chained to a ring of `length`-byte buffers."""
    gpa = guest.alloc(max(length, 1))
    for i in range(first, last + 1):
        guest.tx.set_desc(i, gpa, length, DESC_NEXT, i + 1 if i < last else first)


def loop(length, last):
    """Attack: a circle of descriptors, entered at its beginning."""
    def attack(guest):
        circle(guest, 0, last, length)
        shoot(guest.tx, 0)
    return attack


def loop_with_stem(guest):
    """Attack: a chain that leads into a circle."""
    circle(guest, 10, 20, 1)
    gpa, length = good_buffer(guest)
    guest.tx.set_desc(0, gpa, length, DESC_NEXT, 10)
    shoot(guest.tx, 0)


def table(segs, length=None, flags=0, offset=0):
    """Attack: an indirect table of (gpa or None, len, flags, next); None: a good buffer."""
    def attack(guest):
        gpa, good = good_buffer(guest)
        at = guest.alloc(16 * len(segs) + 64, 16) + offset
        for i, (addr, size, flag, nxt) in enumerate(segs):
            guest.write(at + 16 * i, struct.pack("<QIHH", gpa if addr is None else addr,
                                                 good if size is None else size, flag, nxt))
        guest.tx.set_desc(0, at, 16 * len(segs) if length is None else length,
                          DESC_INDIRECT | flags, 1)
        guest.tx.set_desc(1, gpa, good)
        shoot(guest.tx, 0)
    return attack


def direct(addr, length, flags=0, nxt=0):
    """Attack: one descriptor; addr None: a good buffer."""
    def attack(guest):
        gpa, good = good_buffer(guest)
        guest.tx.set_desc(0, gpa if addr is None else addr, good if length is None else length,
                          flags, nxt)
        shoot(guest.tx, 0)
    return attack


def after_good(addr, length, flags=0):
    """Attack: a bad second descriptor behind a good first one."""
    def attack(guest):
        gpa, good = good_buffer(guest)
        chain(guest.tx, [(gpa, good), (addr, length, flags)])
        shoot(guest.tx, 0)
    return attack


def head(number):
    """Attack: a head that does not exist."""
    return lambda guest: shoot(guest.tx, number)


def jump(by):
    """Attack: the available index moves by so much."""
    def attack(guest):
        guest.tx.avail_idx = guest.tx.avail_idx + by & 0xffff
        guest.tx.kick()
    return attack


GOOD = (None, None, 0, 0)
FAULTS = {
    "loop of one": ("loop", loop(1, 0)),
    "loop of one, nothing in it": ("loop", loop(0, 0)),
    "loop of two": ("loop", loop(7, 1)),
    "loop behind a chain": ("loop", loop_with_stem),
    "loop through the whole table": ("loop", loop(1, SIZE - 1)),
    "endless long buffers": ("loop", loop(65000, 3)),
    "loop in an indirect table": ("loop", table([(None, 1, DESC_NEXT, 0)])),
    "loop of two in an indirect table": (
        "loop", table([(None, 1, DESC_NEXT, 1), (None, 1, DESC_NEXT, 0)])),
    "next at the table's end": ("next_range", direct(None, None, DESC_NEXT, SIZE)),
    "next far beyond": ("next_range", direct(None, None, DESC_NEXT, 65535)),
    "next at the indirect table's end": (
        "next_range", table([(None, None, DESC_NEXT, 1)])),
    "next far beyond the indirect table": (
        "next_range", table([(None, None, DESC_NEXT, 65535), GOOD])),
    "head at the table's end": ("head_range", head(SIZE)),
    "head far beyond": ("head_range", head(65535)),
    "length of 2^32-1": ("address", direct(None, 0xffffffff)),
    "length of 2^32-1 in an indirect table": (
        "address", table([(None, 0xffffffff, 0, 0)])),
    "length of 2^31 behind a good one": ("address", after_good(0, 1 << 31)),
    "one byte beyond the last region": ("address", direct((1 << 32) + MIB - 99, 100)),
    "first byte behind a region": ("address", direct((1 << 32) + MIB, 1)),
    "last byte before a region": ("address", direct((1 << 32) - 1, 100)),
    "across two regions side by side": ("address", direct(16 * MIB - 50, 100)),
    "across two regions, second descriptor": ("address", after_good(16 * MIB - 1, 2)),
    "far outside": ("address", direct(1 << 50, 100)),
    "around the end of the address space": ("address", direct((1 << 64) - 1, 100)),
    "writable buffer": ("not_readable", direct(None, None, DESC_WRITE)),
    "writable second buffer": ("not_readable", after_good(0, 10, DESC_WRITE)),
    "writable buffer in an indirect table": (
        "not_readable", table([(None, None, DESC_WRITE, 0)])),
    "nested indirect": ("indirect_nested", table([(None, 16, DESC_INDIRECT, 0)])),
    "nested indirect, second entry": (
        "indirect_nested", table([(None, None, DESC_NEXT, 1), (None, 16, DESC_INDIRECT, 0)])),
    "indirect with next": ("indirect_nested", table([GOOD], flags=DESC_NEXT)),
    "indirect table of 0 bytes": ("indirect_len", table([GOOD], length=0)),
    "indirect table of 15 bytes": ("indirect_len", table([GOOD], length=15)),
    "indirect table of 17 bytes": ("indirect_len", table([GOOD], length=17)),
    "indirect table of 1025 entries": ("indirect_len", table([GOOD], length=16 * 1025)),
    "indirect table of 2^32-16 bytes": ("indirect_len", table([GOOD], length=0xfffffff0)),
    "indirect table outside": ("address", direct(1 << 50, 16, DESC_INDIRECT)),
    "indirect table across regions": (
        "address", direct(16 * MIB - 16, 32, DESC_INDIRECT)),
    "index jumps by the size and one": ("avail_jump", jump(SIZE + 1)),
    "index jumps by half its range": ("avail_jump", jump(0x8000)),
    "index goes backwards": ("avail_jump", jump(-1)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(scene, name):
    """The port goes down by name, is left alone, and heals with its driver or its VMM."""
    fault, attack = FAULTS[name]
    evil = scene.open(regions=[region(*r) for r in REGIONS])
    for nth, how in enumerate(("restart", "reconnect"), 1):
        attack(evil)
        scene.broken(fault, nth)
        scene.left_alone()
        scene.heal(how)


def test_indirect_not_negotiated(scene):
    """An indirect descriptor without the feature."""
    evil = scene.open(without=F_INDIRECT)
    for nth, how in enumerate(("restart", "reconnect"), 1):
        table([GOOD])(evil)
        scene.broken("indirect_denied", nth)
        scene.left_alone()
        scene.heal(how)


def test_good_frames_before_a_fault_arrive(scene):
    """What was taken before the fault is delivered and given back."""
    evil = scene.open()
    ring, frame = evil.tx, scene.good()
    gpa, length = buffer(evil, frame)
    ring.set_desc(3, gpa, length)
    before = ring.used_idx
    shoot(ring, 3, 3, SIZE, 3)
    scene.arrives(frame)
    scene.arrives(frame)
    scene.broken("head_range")
    scene.silent()
    assert ring.used_idx == before + 2
    scene.heal("restart")


def test_circle_longer_than_anybody_walks(scene):
    """A circle of 32,768 descriptors is not walked to its end: the frame goes, the ring stays."""
    evil = scene.open(ring_size=32768, tx_buf_len=2048, indirect_max=1, rx_chains=64, mem_mib=256)
    circle(evil, 0, 32767, 1)
    shoot(evil.tx, *[0] * 100)
    scene.lan.wait("evil", lambda r: scene.daemon.drops("evil").get("chain_descs") == 100)
    scene.dropped("chain_descs", 100)
    assert scene.port()["up"] and scene.port()["faults"] == 0
    scene.heal("restart")


# ---- chains that are legal, frames that are not -------------------------------------------


def pieces(guest, frame, cuts):
    """Buffers for header and frame, cut into these lengths and the rest."""
    gpa, length = buffer(guest, frame)
    segs = []
    for cut in cuts:
        segs.append((gpa, cut, 0))
        gpa, length = gpa + cut, length - cut
    return segs + ([(gpa, length, 0)] if length else [])


def submit(scene, segs, indirect=False):
    """Send a chain the way a driver does, and see it come back."""
    evil = scene.evil
    evil.tx.submit(segs, evil.alloc(16 * len(segs), 16) if indirect else None)
    evil.flush()


@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
def test_lengths_around_the_headers(scene, indirect):
    """Chains of 0..11 bytes have no virtio header, chains of 12..25 no Ethernet header, and 26
    are a frame."""
    evil = scene.open()
    gpa = evil.alloc(64)
    for length in range(0, 12):
        submit(scene, [(gpa, length, 0)], indirect)
    scene.dropped("vnet_short", 12)
    for length in range(12, 26):
        submit(scene, [(gpa, length, 0)], indirect)
        submit(scene, [(gpa, 12, 0), (gpa, length - 12, 0)], indirect)
    scene.victim.progress()
    assert scene.daemon.drops("evil") == {"vnet_short": 12, "runt": 28}
    frame = scene.good()[:14]
    submit(scene, pieces(evil, frame, [12]), indirect)
    scene.arrives(frame)
    scene.exchange()


def test_lengths_around_the_old_header(scene):
    """The same with a header of 10 bytes."""
    evil = scene.open(profile="legacy")
    gpa = evil.alloc(64)
    for length in range(0, 10):
        submit(scene, [(gpa, length, 0)])
    scene.dropped("vnet_short", 10)
    for length in range(10, 24):
        submit(scene, [(gpa, length, 0)])
    scene.victim.progress()
    assert scene.daemon.drops("evil") == {"vnet_short": 10, "runt": 14}
    scene.exchange()


@pytest.mark.parametrize("indirect", [False, True], ids=["direct", "indirect"])
def test_descriptors_of_one_chain(scene, indirect):
    """64 descriptors are a frame, 65 and 200 are too many."""
    evil = scene.open()
    frame = scene.good()
    submit(scene, pieces(evil, frame, [1] * 63), indirect)
    scene.arrives(frame)
    submit(scene, pieces(evil, frame, [1] * 64), indirect)
    scene.dropped("chain_descs")
    submit(scene, pieces(evil, scene.good(300), [1] * 199), indirect)
    scene.dropped("chain_descs", 2)
    scene.exchange()


def test_bytes_of_one_chain(scene):
    """65,562 bytes with the virtio header are the most of a chain, 65,549 the most of a frame."""
    evil = scene.open(peer=dict(rx_shape=[2048], mem_mib=16))
    for port in ("evil", "peer"):
        scene.daemon.check("port", "set", port, "mtu", 65535)
    frame = scene.good(65549)
    gpa, _ = buffer(evil, frame, extra=100)
    submit(scene, [(gpa, 65561, 0)])
    scene.arrives(frame)
    submit(scene, [(gpa, 65562, 0)])
    scene.dropped("mtu_in")
    for segs in ([(gpa, 65563, 0)], [(gpa, 65562, 0), (gpa, 1, 0)], [(gpa, 65562, 0)] * 60,
                 [(gpa, 12, 0), (gpa, 65551, 0)]):
        submit(scene, segs)
    scene.victim.progress()
    assert scene.daemon.drops("evil") == {"mtu_in": 1, "chain_bytes": 4}
    scene.exchange()


def test_lengths_are_summed_in_64_bits(scene):
    """Buffers of 2^32-1 bytes that do exist, whose sum is small in 32 bits."""
    evil = scene.open(regions=[region(0, 16 * MIB), region(1 << 33, 5 << 30)])
    huge = (1 << 33, 0xffffffff, 0)
    gpa, length = buffer(evil, scene.good())
    submit(scene, [huge])
    submit(scene, [huge, (gpa, length + 1, 0)])
    submit(scene, [(gpa, length, 0), huge, (gpa, 1, 0)])
    submit(scene, [huge] * 4 + [(gpa, length + 4, 0)])
    scene.dropped("chain_bytes", 4)
    scene.exchange()


def test_region_edges(scene):
    """The first and the last bytes of regions are good memory."""
    evil = scene.open(regions=[region(*r) for r in REGIONS])
    frame = scene.good()
    data = bytes(12) + frame
    for gpa in (16 * MIB, 17 * MIB - len(data), 1 << 32, (1 << 32) + MIB - len(data)):
        evil.write(gpa, data)
        submit(scene, [(gpa, len(data), 0)])
        scene.arrives(frame)
    evil.write(17 * MIB - 56, data[:56])
    evil.write(1 << 32, data[56:])
    submit(scene, [(17 * MIB - 56, 56, 0), (1 << 32, len(data) - 56, 0)])
    scene.arrives(frame)


def test_zero_length_with_bad_address(scene):
    """A descriptor of no bytes is nothing, wherever it points."""
    evil = scene.open()
    frame = scene.good()
    gpa, length = buffer(evil, frame)
    nothing = [(addr, 0, 0) for addr in (0, 1 << 50, (1 << 64) - 1)]
    for segs in (nothing + [(gpa, length, 0)], [(gpa, length, 0)] + nothing,
                 [(gpa, 12, 0)] + nothing + [(gpa + 12, length - 12, 0)]):
        submit(scene, segs)
        scene.arrives(frame)
        submit(scene, segs, indirect=True)
        scene.arrives(frame)
    submit(scene, nothing)
    scene.dropped("vnet_short")
    scene.exchange()


def test_longest_indirect_table(scene):
    """1,024 entries are looked at as far as the chain goes."""
    evil = scene.open()
    frame = scene.good()
    gpa, length = buffer(evil, frame)
    at = evil.alloc(16 * 1024, 16)
    evil.write(at, struct.pack("<QIHH", gpa, length, 0, 0))
    evil.tx.set_desc(0, at, 16 * 1024, DESC_INDIRECT)
    shoot(evil.tx, 0)
    scene.arrives(frame)
    scene.heal("restart")


HEADERS = {
    "checksum": bytes([1]), "data valid": bytes([2]), "all flags": bytes([255]),
    "tso4": bytes([0, 1]), "ufo": bytes([0, 3]), "tso6": bytes([0, 4]), "uso": bytes([0, 5]),
    "ecn alone": bytes([0, 0x80]), "no such segmentation": bytes([0, 77]),
    "checksum at 65535": struct.pack("<BBHHHHH", 1, 1, 65535, 0, 65535, 65535, 65535),
}


def test_offloads_not_negotiated(scene):
    """What was not negotiated is refused by name; other fields of the header mean nothing then,
    and do not get out on the other side."""
    evil = scene.open()
    for hdr in HEADERS.values():
        evil.send(scene.good(), hdr=hdr)
        evil.flush()
    scene.dropped("offload_denied", len(HEADERS))
    frame = scene.good()
    evil.send(frame, hdr=struct.pack("<BBHHHHH", 0, 0, *[0xffff] * 5))
    scene.arrives(frame)
    assert bytes(scene.peer.last_hdr()) == struct.pack("<BBHHHHH", 0, 0, 0, 0, 0, 0, 1)
    scene.exchange()


def test_same_head_again_and_again(scene):
    """One chain may stand in the available ring as often as it likes."""
    evil = scene.open()
    frame = scene.good()
    gpa, length = buffer(evil, frame)
    evil.tx.set_desc(5, gpa, length)
    for _ in range(4):
        shoot(evil.tx, *[5] * 50)
        for _ in range(50):
            scene.arrives(frame)
    scene.heal("reconnect")


def test_long_chains_cost_one_visit_each(scene):
    """Dropped chains of 1,024 descriptors, too many or too long, a ring full at a time: walking
    them takes no more of the worker than a visit may."""
    evil = scene.open()
    gpa, at = evil.alloc(70000), evil.alloc(16 * 1024, 16)
    for reason, first in (("chain_descs", 1), ("chain_bytes", 65563)):
        for i in range(1024):
            more = DESC_NEXT if i < 1023 else 0
            evil.write(at + 16 * i, struct.pack("<QIHH", gpa, 0 if i else first, more,
                                                i + 1 if more else 0))
        evil.tx.set_desc(0, at, 16 * 1024, DESC_INDIRECT)
        rounds = scene.victim.rounds
        for n in range(1, 11):
            before = scene.received()
            shoot(evil.tx, *[0] * 250)
            scene.lan.wait("evil", lambda r, b=before: scene.received() == b + 250)
            assert scene.daemon.drops("evil")[reason] == 250 * n
        assert scene.victim.rounds > rounds
    scene.heal("restart")


def test_parts_of_a_ring_on_top_of_each_other(scene):
    """The switch writes its used ring into the guest's descriptors, where it finds them again."""
    evil = scene.open()
    evil.stop()
    ring = evil.tx.raw
    descs, ring.used_gpa = ring.used_gpa, ring.desc_gpa
    for index, base in ((0, 0), (1, 0)):
        evil.step_ring_start(index, base)
    shoot(evil.tx, *range(200))
    scene.victim.progress()
    row = scene.port()
    assert row["faults"] <= 1 and row["state"] in ("running", "broken")
    ring.used_gpa = descs
    evil.hangup()
    evil.reset()
    evil.start()
    scene.lan.wait("evil", lambda r: r["up"])
    scene.drain()
    scene.exchange()
