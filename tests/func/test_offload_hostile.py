# SPDX-License-Identifier: BSD-3-Clause
"""Virtio headers that lie: every place of a checksum, every size, type and flag, headers in pieces,
and headers that change while they are sent. What becomes of each is foretold by a plain reading of
the rules (doc/offload.md); a good pair on the same switch loses nothing."""

import collections
import itertools
import random
import struct
import time

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                PadN)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from evil import EVIL, PEER, Scene, buffer, shoot
from frames import noise, text
from offloads import GSO_ECN, GSO_TCP4, GSO_TCP6, GSO_UDP, NEEDS_CSUM, OFFERED, SENDS, TAKES
from verify import cut, finish, take_apart, total
from vsguest import F_INDIRECT, Hdr

PRIVATE = 128           # bytes of a frame that are judged
SEGMENTS = 256
SEGMENT_MIN = 48
BASE = {0: None, GSO_TCP4: (4, 6), GSO_TCP6: (6, 6), GSO_UDP: (None, 17)}
CHUNK = 200
PATIENCE = 20.0
HEADS = 32
BURSTS = 60


@pytest.fixture
def scene(lan, victim):
    """See evil.Scene."""
    return Scene(lan, victim)


def stage(scene, takes="none", **evil):
    """The hostile guest, which may send everything, and a peer."""
    takes = TAKES[takes]
    scene.open(peer={"rx_shape": [4096], "ring_size": 1024, "add": takes,
                     "without": OFFERED & ~takes}, tx_buf_len=70000, add=SENDS,
               **{"mem_mib": 64, **evil})


# ---- what the rules say

def headers(frame):
    """(end of IP header, transport header, version, protocol) as far as the private bytes go."""
    at, seen = 12, frame[:PRIVATE]
    for _ in range(2):
        if seen[at:at + 2] in (b"\x81\x00", b"\x88\xa8") and len(seen) >= at + 6:
            at += 4
    kind, l3 = seen[at:at + 2], at + 2
    if kind == b"\x08\x00" and len(seen) >= l3 + 20:
        length, proto = 4 * (seen[l3] & 15), seen[l3 + 9]
        fragment = struct.unpack_from("!H", seen, l3 + 6)[0] & 0x3fff
        if seen[l3] >> 4 != 4 or length < 20 or len(seen) < l3 + length:
            return l3 + 20, None, 4, None
        return l3 + length, l3 + length, 4, None if fragment else proto
    if kind == b"\x86\xdd":
        end, proto = l3 + 40, seen[l3 + 6] if len(seen) >= l3 + 40 else None
        if proto is None or seen[l3] >> 4 != 6:
            return end, None, 6, None
        for _ in range(8):
            if proto not in (0, 43, 60):
                return l3 + 40, end, 6, proto
            if len(seen) < end + 8 or len(seen) < end + 8 + 8 * seen[end + 1]:
                return l3 + 40, None, 6, None
            end, proto = end + 8 + 8 * seen[end + 1], seen[end]
        return l3 + 40, None, 6, None
    return l3, None, None, None


def payload_at(frame, l4, proto):
    """Where the payload begins; None: not in sight."""
    if proto == 17:
        end = l4 + 8
    elif len(frame[:PRIVATE]) < l4 + 20:
        return None
    else:
        end = l4 + 4 * (frame[l4 + 12] >> 4)
        if end < l4 + 20:
            return None
    return end if end <= len(frame[:PRIVATE]) else None


def verdict(frame, hdr):
    """(reason, form): why it is dropped, else "as it is", "checksum" or "segments"."""
    base = hdr.gso_type & ~GSO_ECN
    if base not in BASE:
        return "offload_denied", None
    if len(frame) < 14:
        return "runt", None
    if not hdr.flags & NEEDS_CSUM:
        return ("gso_header", None) if base else (None, "as it is")
    ip_end, l4, version, proto = headers(frame)
    if hdr.csum_start < ip_end or \
            hdr.csum_start + hdr.csum_offset + 2 > min(len(frame), PRIVATE):
        return "csum_range", None
    if not base:
        return None, "checksum"
    want = BASE[base]
    if proto != want[1] or want[0] not in (None, version) or hdr.csum_start != l4:
        return "gso_header", None
    data = payload_at(frame, l4, proto)
    if data is None or hdr.csum_offset != (6 if proto == 17 else 16):
        return "gso_header", None
    longer = len(frame) - data > hdr.gso_size
    if hdr.gso_size == 0 or len(frame) - data > SEGMENTS * hdr.gso_size or \
            (longer and hdr.gso_size < SEGMENT_MIN):
        return "gso_size", None
    return None, "segments" if longer else "checksum"


def completed(frame, start, offset):
    """The sum from start to the end, written where it was wanted."""
    value = 0xffff - total(frame[start:])
    return frame[:start + offset] + struct.pack("!H", value) + frame[start + offset + 2:]


def foretold(frame, hdr, honest=None):
    """(reason, frames) for a receiver that can do nothing; honest: the frame that segments are
    those of."""
    reason, form = verdict(frame, hdr)
    if reason:
        return reason, []
    if form == "segments":
        return None, cut(take_apart(honest or frame), hdr.gso_size)
    return None, [frame if form == "as it is" else
                  completed(frame, hdr.csum_start, hdr.csum_offset)]


# ---- frames that lie

def packet(rest, size=100):
    """A finished frame from evil to its peer."""
    return bytes(Ether(bytes(Ether(src=text(EVIL), dst=text(PEER)) / rest / Raw(noise(size)))))


def tcp4(size=100):
    """TCP over IPv4."""
    return packet(IP(src="10.0.0.1", dst="10.0.0.2", id=9) / TCP(flags="PA", seq=3), size)


def udp6(size=100):
    """UDP over IPv6."""
    return packet(IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=5, dport=6), size)


def claim(frame, **changes):
    """(frame, header): a frame whose checksum is owed, with a true header but for the changes."""
    seen = take_apart(frame)
    undone = finish(seen.eth + seen.ip, seen.head, seen.payload, seen, finished=False)
    hdr = Hdr(flags=NEEDS_CSUM, csum_start=seen.l4, csum_offset=seen.field)
    for name, value in changes.items():
        setattr(hdr, name, value)
    return undone, hdr


def deliver(scene, claims, takes="none"):
    """Send (frame, header, honest frame or None) as one burst and compare all that comes of it, in
    order, with what was foretold; returns the reasons of the model."""
    want, reasons = [], collections.Counter()
    for frame, hdr, honest in claims:
        reason, frames = foretold(frame, hdr, honest)
        reasons.update([reason] if reason else [])
        if takes == "all" and frames:
            want.append((frame, hdr))
        else:
            want += [(one, None) for one in frames]
        scene.evil.send(frame, hdr=hdr, kick=False)
    scene.evil.tx.publish()
    scene.evil.tx.kick(force=False)
    scene.evil.flush(timeout=PATIENCE)
    check_arrived(scene, want)
    return reasons


def run(scene, claims, takes="none"):
    """deliver() all of them; the reasons of the switch must be those of the model."""
    before = collections.Counter(scene.daemon.drops("evil"))
    reasons, claims, sent = collections.Counter(), iter(claims), 0
    while chunk := list(itertools.islice(claims, CHUNK)):
        reasons += deliver(scene, chunk, takes)
        sent += len(chunk)
    assert collections.Counter(scene.daemon.drops("evil")) - before == reasons
    assert not scene.daemon.drops("peer")
    print(f"{sent} frames, {dict(reasons)}")
    return reasons


def check_arrived(scene, want):
    """Just these frames came to the peer, each with the header that belongs to it."""
    for frame, hdr in want:
        got = scene.peer.recv(0)
        assert got == frame, (got and got[:80].hex(), frame[:80].hex())
        said = scene.peer.last_hdr()
        if hdr is None or not hdr.flags & NEEDS_CSUM:
            assert bytes(said)[:10] == bytes(10)
        else:
            assert (said.flags, said.csum_start, said.csum_offset) == (
                NEEDS_CSUM, hdr.csum_start, hdr.csum_offset)
    assert scene.peer.recv(0) is None


# ---- places of a checksum

def places(rand, count):
    """(start, offset) all over the range."""
    edges = [0, 1, 13, 14, 33, 34, 35, 53, 54, 110, 126, 127, 128, 153, 154, 32767, 32768, 65534,
             65535]
    yield from itertools.product(edges, edges)
    for _ in range(count):
        start = rand.choice([rand.randrange(65536), rand.randrange(160)])
        yield start, rand.choice([rand.randrange(65536), rand.randrange(160), 65536 - start & 65535,
                                  65537 - start & 65535])


def swept():
    """Each start, and each offset, up to the last one."""
    for n in range(65536):
        for other in (0, 16, 127, 65535, 65535 - n, 65536 - n & 65535):
            yield n, other
        yield from ((start, n) for start in (0, 14, 34, 126, 65535))


@pytest.mark.parametrize("kind", [tcp4, udp6])
@pytest.mark.parametrize("takes", ["none", "all"])
def test_every_place_within(scene, takes, kind):
    """Each place of a checksum within the judged bytes and a little beyond."""
    stage(scene, takes)
    frame, _ = claim(kind())
    step = 3 if takes == "all" else 2
    places_ = itertools.product(range(0, 132), range(0, 132, step))
    reasons = run(scene, ((frame, Hdr(flags=1, csum_start=s, csum_offset=o), None)
                          for s, o in places_), takes)
    assert set(reasons) == {"csum_range"}


@pytest.mark.parametrize("name, make", [
    ("sampled", lambda: places(random.Random(7), 1500)),
    pytest.param("whole", swept, marks=[pytest.mark.long, pytest.mark.once])])
def test_places_up_to_the_end(scene, name, make):
    """Places up to 65535, of a checksum alone and of one that segments need: their sum is taken in
    more than 16 bits."""
    stage(scene)
    frames = [claim(one(300))[0] for one in (tcp4, udp6)]
    types = [(0, 0), (GSO_TCP4, GSO_UDP)]

    def claims():
        for n, (start, offset) in enumerate(make()):
            which, kind = n & 1, types[n >> 1 & 1][n & 1]
            yield frames[which], Hdr(flags=1, csum_start=start, csum_offset=offset, gso_type=kind,
                                     gso_size=100 if kind else 0), None
    reasons = run(scene, claims())
    assert reasons["csum_range"] > 1000 and reasons["gso_header"]


# ---- sizes, types, flags

@pytest.mark.parametrize("name, sizes", [
    ("sampled", [*range(52), 99, 100, 101, 1499, 2999, 3000, 3001, 9000, 32768, 65535]),
    pytest.param("whole", range(65536), marks=[pytest.mark.long, pytest.mark.once])])
def test_segment_sizes(scene, name, sizes):
    """Nothing, too little, all of it and more than the frame."""
    stage(scene)
    frame = tcp4(3000)
    batch, room = [], 0
    for size in sizes:
        batch.append((*claim(frame, gso_type=GSO_TCP4, gso_size=size), None))
        room += min(SEGMENTS, -(-3000 // max(1, size)))
        if room > 1024 - SEGMENTS or len(batch) == CHUNK or size == sizes[-1]:
            deliver(scene, batch)       # the peer's ring holds 1024
            batch, room = [], 0
    assert scene.daemon.drops("evil") == {"gso_size": SEGMENT_MIN}
    assert not scene.daemon.drops("peer")


def test_types_and_flags(scene):
    """Every type with every flag, on a frame of every kind; hdr_len says what it likes."""
    stage(scene)
    rand = random.Random(5)
    kinds = [claim(frame)[0:2] for frame in (
        tcp4(), udp6(), packet(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=1, dport=2)),
        packet(IPv6(src="fd00::1", dst="fd00::2") / TCP(flags="A")))]
    arp = packet(ARP(psrc="10.0.0.1", pdst="10.0.0.2"))
    kinds.append((arp, Hdr(csum_start=34, csum_offset=16)))

    def claims():
        for (frame, hdr), gso_type in itertools.product(kinds, range(256)):
            for flags in (0, 1, 2, 3, 4, 5, 0xfe, 0xff):
                yield frame, Hdr(flags=flags, gso_type=gso_type, hdr_len=rand.randrange(65536),
                                 gso_size=rand.choice([0, 40, 100, 65535]),
                                 csum_start=hdr.csum_start, csum_offset=hdr.csum_offset), None
    reasons = run(scene, claims())
    assert set(reasons) == {"offload_denied", "gso_header", "gso_size"}


def changed(frame, at, *values):
    """A frame with other bytes at a place."""
    return frame[:at] + bytes(values) + frame[at + len(values):]


def hops(count, length=0):
    """IPv6 with so many extension headers."""
    ip = IPv6(src="fd00::1", dst="fd00::2")
    for n in range(count):
        options = [PadN(optdata=bytes(length))] if length else []
        ip = ip / (IPv6ExtHdrHopByHop(options=options) if n == 0 else
                   IPv6ExtHdrDestOpt(options=options))
    return ip


def lies():
    """{name: (frame, header, honest frame or None, reason)}."""
    good, hdr = claim(tcp4(1000), gso_type=GSO_TCP4, gso_size=300)
    six, hdr6 = claim(packet(IPv6(src="fd00::1", dst="fd00::2") / TCP(flags="A"), 1000),
                      gso_type=GSO_TCP6, gso_size=300)
    told = {
        "IP header of 16 bytes": (changed(good, 14, 0x44), hdr, None, "gso_header"),
        "IP header of 60 bytes": (changed(good, 14, 0x4f), hdr, None, "csum_range"),
        "version 6 in IPv4": (changed(good, 14, 0x65), hdr, None, "gso_header"),
        "version 4 in IPv6": (changed(six, 14, 0x40), hdr6, None, "gso_header"),
        "more fragments": (changed(good, 20, 0x20), hdr, None, "gso_header"),
        "a later fragment": (changed(good, 21, 1), hdr, None, "gso_header"),
        "protocol UDP": (changed(good, 23, 17), hdr, None, "gso_header"),
        "TCP header of 16 bytes": (changed(good, 46, 0x40), hdr, None, "gso_header"),
        "TCP header of 60 bytes": (changed(good, 46, 0xf0), hdr, changed(good, 46, 0xf0), None),
        "IP length 0": (changed(good, 16, 0, 0), hdr, good, None),
        "IP length 65535": (changed(good, 16, 255, 255), hdr, good, None),
        "IPv6 length 0": (changed(six, 18, 0, 0), hdr6, six, None),
        "type 6 on IPv4": (good, claim(tcp4(1000), gso_type=GSO_TCP6, gso_size=300)[1], None,
                           "gso_header"),
        "type UDP on TCP": (good, claim(tcp4(1000), gso_type=GSO_UDP, gso_size=300)[1], None,
                            "gso_header"),
        "type TCP on UDP": (*claim(udp6(1000), gso_type=GSO_TCP6, gso_size=300), None,
                            "gso_header"),
        "no checksum": (good, claim(tcp4(1000), gso_type=GSO_TCP4, gso_size=300, flags=0)[1], None,
                        "gso_header"),
        "checksum good": (good, claim(tcp4(1000), gso_type=GSO_TCP4, gso_size=300, flags=2)[1],
                          None, "gso_header"),
        "neither payload nor size": (*claim(tcp4(0), gso_type=GSO_TCP4, gso_size=0), None,
                                     "gso_size"),
        "UDP length 0": (changed(claim(udp6(1000))[0], 58, 0, 0),
                         claim(udp6(1000), gso_type=GSO_UDP, gso_size=300)[1], udp6(1000), None),
    }
    fragment = packet(IPv6(src="fd00::1", dst="fd00::2") / IPv6ExtHdrFragment() /
                      TCP(flags="A"), 500)
    for name, frame, reason in (
            ("IPv6 fragment", fragment, "gso_header"),
            ("headers to the last byte", packet(hops(1, 52) / TCP(flags="A"), 1000), "gso_header"),
            ("three tags", packet(Dot1Q() / Dot1Q() / Dot1Q() / IP() / TCP(), 500), None)):
        at = frame.rindex(noise(500 if len(frame) < 900 else 1000)) - 20
        told[name] = (frame, Hdr(flags=1, csum_start=at, csum_offset=16, gso_size=300, gso_type=(
            GSO_TCP4 if name == "three tags" else GSO_TCP6)), None, reason or "gso_header")
    for count in (1, 2, 3, 4):
        frame, header = claim(packet(hops(count) / TCP(flags="A"), 1000), gso_type=GSO_TCP6,
                              gso_size=300)
        told[f"{count} extension headers"] = (frame, header, None, None)
    return told


LIES = lies()


def test_frames_that_lie(scene):
    """Headers of the frame that are not what the virtio header says, or not what they say."""
    stage(scene, mem_mib=64)
    scene.daemon.check("port", "set", "evil", "vlan", "trunk", "1-4094")
    for name, (frame, hdr, honest, reason) in LIES.items():
        assert verdict(frame, hdr)[0] == reason, name
        try:
            run(scene, [(frame, hdr, honest)])
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_cut_off(scene):
    """A frame that ends anywhere, with a header that speaks of all of it."""
    stage(scene)
    claims = []
    for frame, hdr in (claim(tcp4(), gso_type=GSO_TCP4, gso_size=50),
                       claim(udp6(), gso_type=GSO_UDP, gso_size=50), claim(tcp4())):
        for length in range(1, len(frame)):
            short = frame[:length]
            if verdict(short, hdr)[1] != "segments":
                claims.append((short, hdr, None))
    reasons = run(scene, claims)
    assert reasons["runt"] == 39
    assert set(reasons) == {"runt", "csum_range", "gso_header"}


# ---- headers in pieces

@pytest.mark.parametrize("profile", ["linux", "legacy"])
def test_headers_in_pieces(scene, profile):
    """Virtio header (12 bytes, of an old driver 10) and frame over descriptors of one byte, and cut
    at every place; in an indirect table as well, if the driver knows of such."""
    stage(scene, profile=profile)
    assert scene.evil.hdr_len == {"linux": 12, "legacy": 10}[profile]
    frame, hdr = claim(tcp4(1000), gso_type=GSO_TCP4, gso_size=300)
    want = [(one, None) for one in cut(take_apart(frame), 300)]
    splits = [[1] * n for n in range(1, 64)]
    splits += [[n] for n in range(1, 150)]
    splits += [[a, b] for a in (1, 5, 9, 10, 11, 12, 13) for b in (1, 2, 13, 14, 53, 54, 55, 116)]
    for split in splits:
        for indirect in (False, True) if scene.evil.features & F_INDIRECT else (False,):
            scene.evil.send(frame, hdr=hdr, split=split, indirect=indirect, timeout=PATIENCE)
            scene.evil.flush(timeout=PATIENCE)
            check_arrived(scene, want)
    bad = Hdr.from_buffer_copy(bytes(hdr))
    bad.csum_start = 65535
    for n in range(1, 64):
        scene.evil.send(frame, hdr=bad, split=[1] * n, timeout=PATIENCE)
    scene.evil.flush(timeout=PATIENCE)
    assert scene.peer.recv(0) is None
    assert scene.daemon.drops("evil") == {"csum_range": 63}


# ---- while it is sent

def race(scene, where, values, allowed, reasons, seldom=frozenset()):
    """Send one buffer again and again while a thread writes values to a place of it. Nothing but
    these frames comes, nothing is dropped for other reasons (of which some come seldom), and each
    frame is one or the other."""
    arrived, shot, end = collections.Counter(), 0, time.monotonic() + PATIENCE
    before = scene.received()
    with scene.evil.race(where, 8, values) as thread:
        while True:
            for _ in range(BURSTS):
                goal = scene.evil.tx.used_idx + HEADS & 0xffff
                shoot(scene.evil.tx, *[0] * HEADS)
                shot += HEADS
                arrived.update(collect(scene, goal, allowed))
            drops = scene.daemon.drops("evil")
            if len(arrived) == len(allowed) and drops.keys() >= reasons:
                break
            assert drops.keys() <= reasons | seldom
            assert time.monotonic() < end, (drops, len(arrived), len(allowed))
        assert thread.stop() > 0
    assert scene.received() - before == shot
    assert scene.port()["faults"] == 0
    print(f"{shot} frames, {drops}, {sorted(arrived.values())}")


def collect(scene, idx, allowed):
    """All that came to the peer while a burst was taken."""
    end, got = time.monotonic() + PATIENCE, []
    while scene.evil.tx.used_idx != idx or scene.peer.rx.pending():
        assert time.monotonic() < end, "the burst is not taken"
        frame = scene.peer.recv(0.001)
        if frame is not None and frame[6:12] == EVIL:
            assert frame in allowed, frame[:80].hex()
            assert bytes(scene.peer.last_hdr())[:10] == bytes(10)
            got.append(frame)
    return got


def words(*hdrs):
    """The first 8 bytes of virtio headers as numbers."""
    return [int.from_bytes(bytes(one)[:8], "little") for one in hdrs]


def test_header_changes_while_it_is_sent(scene):
    """The virtio header turns between two good ones and three bad ones: each frame is judged by one
    copy of it."""
    stage(scene)
    frame, hdr = claim(tcp4(1000), gso_type=GSO_TCP4, gso_size=300)

    def other(**changes):
        return claim(tcp4(1000), **{"gso_type": GSO_TCP4, "gso_size": 300, **changes})[1]
    gpa, length = buffer(scene.evil, frame, head=bytes(hdr), extra=64)
    scene.evil.tx.set_desc(0, gpa, length)
    good = (hdr, other(gso_size=999), Hdr())
    bad = (other(flags=0), other(gso_size=0), other(gso_type=GSO_TCP6), other(gso_type=0x33))
    assert [verdict(frame, one)[0] for one in bad] == ["gso_header", "gso_size", "gso_header",
                                                       "offload_denied"]
    # Two halves of different headers are a header, too; none of them has other segments.
    allowed = {*cut(take_apart(frame), 300), *cut(take_apart(frame), 999), frame}
    race(scene, gpa, words(*good, *bad), allowed, {"gso_header", "gso_size", "offload_denied"},
         {"csum_range"})        # a torn one: a checksum is owed, and where is another one's


@pytest.mark.parametrize("place", ["IP", "TCP"])
def test_frame_changes_while_it_is_sent(scene, place):
    """The headers that were judged are those that are sent: IPv4's length of its header and its
    protocol, and TCP's offset, turn while the frame is taken."""
    stage(scene)
    frame, hdr = claim(tcp4(1000), gso_type=GSO_TCP4, gso_size=300)
    gpa, length = buffer(scene.evil, frame, head=bytes(hdr), extra=64)
    scene.evil.tx.set_desc(0, gpa, length)
    at = {"IP": 14, "TCP": 42}[place]
    turns = {"IP": [frame, changed(frame, 14, 0x44), changed(frame, 14, 0x65)],
             "TCP": [frame, changed(frame, 46, 0xf0), changed(frame, 46, 0x40)]}[place]
    values = [int.from_bytes(one[at:at + 8], "little") for one in turns]
    allowed = set(cut(take_apart(frame), 300))
    if place == "TCP":
        allowed |= set(cut(take_apart(turns[1]), 300))
    race(scene, gpa + 12 + at, values, allowed, {"gso_header"})
