# SPDX-License-Identifier: BSD-3-Clause
"""A hostile VMM's memory: tables that cannot be, files that are none, and files that shrink under
traffic. A refused table changes nothing; memory that goes away takes down its own port only."""

import fcntl
import os
import socket

import pytest

from evil import EVIL, Scene
from victim import BURST
from vmm import MIB, SIZE, USED, UVA, Vmm, held, memfd, settled
from vsguest import Guest, Req, mem_table, region, vring_addr, vring_state

TOP = 1 << 64
PAGE = 4096


@pytest.fixture
def vmm(lan, victim):
    """A hostile VMM; whatever it did, its port must serve an honest one afterwards."""
    one = Vmm(lan, victim)
    yield one
    one.works()


@pytest.fixture
def scene(lan, victim):
    """See evil.Scene."""
    return Scene(lan, victim)


def far(n, **change):
    """Region number n of a table, beside the others."""
    one = dict(gpa=n << 32, size=MIB, uva=UVA + (n << 32), offset=0)
    one.update(change)
    return (one["gpa"], one["size"], one["uva"], one["offset"])


# name: regions, what the refusal says
TABLES = {
    "nine regions": ([far(n) for n in range(9)], "more than 8"),
    "no bytes": ([far(0, size=0)], "0 bytes"),
    "no bytes, second": ([far(0), far(1, size=0)], "0 bytes"),
    "larger than its file": ([far(0, size=MIB + 1)], "larger than its file"),
    "larger than its file by a page": ([far(0, size=MIB + PAGE)], "larger than its file"),
    "offset beyond the file": ([far(0, offset=MIB)], "larger than its file"),
    "offset and size beyond the file": ([far(0, offset=1)], "larger than its file"),
    "the last of eight is too large": (
        [far(n, size=MIB + (n == 7)) for n in range(8)], "larger than its file"),
    "same guest address": ([far(0), far(1, gpa=0)], "overlap"),
    "last byte shared, guest address": ([far(0), far(1, gpa=MIB - 1)], "overlap"),
    "one inside the other, guest address": (
        [far(0), far(1, gpa=PAGE, size=PAGE)], "overlap"),
    "same user address": ([far(0), far(1, uva=UVA)], "overlap"),
    "last byte shared, user address": ([far(0), far(1, uva=UVA + MIB - 1)], "overlap"),
    "first and eighth overlap": ([*[far(n) for n in range(7)], far(7, gpa=0)], "overlap"),
    "guest address wraps": ([far(0, gpa=TOP - MIB + 1)], "wraps"),
    "guest address wraps to 0": ([far(0, gpa=TOP - MIB)], ""),
    "user address wraps": ([far(0, uva=TOP - PAGE)], "wraps"),
    "offset wraps": ([far(0, offset=TOP - PAGE)], "wraps"),
    "offset wraps to the file's middle": (
        [far(0, offset=TOP - MIB // 2, size=MIB)], "wraps"),
    "offset is negative": ([far(0, offset=1 << 63)], ""),
    "size of 2^64-1": ([far(0, size=TOP - 1)], ""),
    "size of 2^63": ([far(0, size=1 << 63)], ""),
    "sizes that wrap in sum": ([far(0, size=1 << 63), far(1, size=1 << 63)], ""),
}


@pytest.mark.parametrize("name", TABLES)
def test_bad_table(vmm, name):
    """Refused with its reason; no descriptor stays open, and what was there goes on."""
    regions, why = TABLES[name]
    fd = memfd()
    vmm.refused(Req.SET_MEM_TABLE, mem_table(regions), [fd] * min(len(regions), 8), why)
    vmm.bring_up()
    before = vmm.port()
    vmm.refused(Req.SET_MEM_TABLE, mem_table(regions), [fd] * min(len(regions), 8), why)
    os.close(fd)
    row = vmm.port()
    assert vmm.runs() and row["up"]
    assert (row["regions"], row["memory"]) == (before["regions"], before["memory"])


def test_no_region(vmm):
    """A table without regions is what a VMM sends that shares no memory; it is told so."""
    assert vmm.ask(Req.SET_MEM_TABLE, mem_table([])) == 1
    row = vmm.port()
    assert row["refused"] == 1 and row["state"] == "no-memory" and "share=on" in row["problem"]
    vmm.bring_up()
    assert vmm.port()["up"]


@pytest.mark.parametrize("n", [1, 3, 9, 10, 0x10000, 0x10000001, 0xffffffff])
def test_number_of_regions(vmm, n):
    """The number must agree with the payload and the descriptors."""
    fd = memfd()
    vmm.refused(Req.SET_MEM_TABLE, mem_table([far(0), far(1)], n=n), [fd, fd])
    for fds in ([], [fd], [fd] * 3, [fd] * 8):
        vmm.refused(Req.SET_MEM_TABLE, mem_table([far(0), far(1)]), fds, "one descriptor per")
    vmm.refused(Req.SET_MEM_TABLE, mem_table([far(0)])[:7], [fd])
    vmm.refused(Req.SET_MEM_TABLE, b"", [fd])
    os.close(fd)


def test_kinds_of_files(vmm):
    """Only files that can be mapped for writing are memory."""
    r, w = os.pipe()
    a, b = socket.socketpair()
    whole = memfd()
    readonly = os.open(f"/proc/self/fd/{whole}", os.O_RDONLY)
    sealed = os.memfd_create("sealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(sealed, MIB)
    fcntl.fcntl(sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    path = os.open(f"/proc/self/fd/{whole}", os.O_PATH)
    folder, null, zero = (os.open(name, flags) for name, flags in (
        ("/tmp", os.O_RDONLY), ("/dev/null", os.O_RDWR), ("/dev/zero", os.O_RDWR)))
    event = vmm.event()
    kinds = [r, w, readonly, sealed, path, folder, null, zero, event]
    fds = settled(vmm.daemon)
    for fd in kinds:
        vmm.refused(Req.SET_MEM_TABLE, vmm.table(), [fd])
        vmm.refused(Req.SET_MEM_TABLE, mem_table([far(0), far(1)]), [whole, fd])
    with a, b:
        vmm.refused(Req.SET_MEM_TABLE, vmm.table(), [a.fileno()], "not a file")
    assert settled(vmm.daemon, fds) == fds
    for fd in kinds[:-1] + [whole]:
        os.close(fd)


def test_hundred_refused_tables(vmm):
    """100 refused tables of 8 descriptors each, and 100 on connections that end: none leaks,
    neither descriptors nor mappings."""
    fd = memfd()
    bad = mem_table([far(n, size=MIB + (n == 7)) for n in range(8)])
    vmm.ask(Req.SET_MEM_TABLE, bad, [fd] * 8)
    fds = settled(vmm.daemon)
    maps = mapped(vmm.daemon)
    for _ in range(100):
        assert vmm.ask(Req.SET_MEM_TABLE, bad, [fd] * 8) == 1
    assert len(held(vmm.daemon)) <= fds and mapped(vmm.daemon) == maps
    for n in range(100):
        vmm.connect()
        vmm.door.send_msg(Req.SET_MEM_TABLE, bad, [fd] * 8, size=n % 2 * 4096 or None)
    vmm.connect()
    os.close(fd)
    assert vmm.alive()
    assert settled(vmm.daemon, fds) == fds and mapped(vmm.daemon) == maps


def mapped(daemon):
    """Mappings of guest memory the daemon has."""
    with open(f"/proc/{daemon.pid}/maps") as maps:
        return sum("memfd:hostile" in line for line in maps)


def test_refused_table_then_enable(vmm):
    """After a refused table there is no memory: no ring starts until there is a good one."""
    steps = vmm.steps()
    fd = memfd(PAGE)
    steps["features"]()
    vmm.refused(Req.SET_MEM_TABLE, vmm.table(), [fd], "larger than its file")
    os.close(fd)
    for name in ("size", "base", "addresses", "kick", "enable"):
        steps[name]()
    row = vmm.port()
    assert not row["up"] and row["regions"] == 0
    steps["memory"]()
    assert vmm.runs()


def test_unaligned_regions(vmm):
    """A region may begin and end anywhere in its file; its rings must be aligned all the same."""
    steps = vmm.steps()
    for name in ("features", "size", "base", "kick", "enable"):
        steps[name]()
    vmm.done(Req.SET_MEM_TABLE, vmm.table(size=MIB - 9000, offset=8191, gpa=3, uva=UVA),
             [vmm.mem])
    vmm.refused(Req.SET_VRING_ADDR, vring_addr(0, UVA, UVA + USED, UVA + 0x4000), why="aligned")
    vmm.done(Req.SET_VRING_ADDR, vring_addr(0, UVA + 1, UVA + USED + 1, UVA + 0x4001))
    assert os.pread(vmm.mem, 1, 8191 + USED + 1) == b"\x01" and vmm.port()["up"]
    vmm.refused(Req.SET_VRING_ADDR, vring_addr(0, UVA + MIB - 9000 - 16 * SIZE + 1,
                                               UVA + USED + 1, UVA + 0x4001), why="outside")


def test_eight_regions_hold_frames(scene):
    """The most there can be, buffers spread over all of them."""
    scene.open(spread=True, regions=[region(n << 32, 2 * MIB, uva=0) for n in range(8)])
    for _ in range(40):
        scene.exchange()


def test_same_table_again_and_again(vmm):
    """1,000 good tables on a running ring: each old one is unmapped."""
    vmm.bring_up()
    fds, maps = settled(vmm.daemon), mapped(vmm.daemon)
    for n in range(1000):
        vmm.door.send_msg(Req.SET_MEM_TABLE, vmm.table(), [vmm.mem])
        if n % 100 == 99:
            assert vmm.alive()
    assert vmm.runs() and vmm.port()["up"]
    assert settled(vmm.daemon, fds) == fds and mapped(vmm.daemon) == maps


def test_hotplug_under_traffic(scene):
    """New memory tables while frames flow both ways: none is lost."""
    evil = scene.open(reply="all")
    for n in range(1, 8):
        evil.add_region(region(n << 32, MIB))
        for _ in range(4):
            frames = [scene.good() for _ in range(BURST)]
            evil.send_many(frames)
            back = [scene.poke() for _ in range(BURST)]
            evil.step_mem_table()
            for frame in frames:
                scene.arrives(frame)
            for frame in back:
                assert evil.recv(2.0) == frame
        assert scene.port()["regions"] == n + 1
    assert not scene.daemon.drops("evil") and not scene.daemon.drops("peer")


# ---- memory that goes away --------------------------------------------------------------------


def replace(scene):
    """The VMM is started anew with good memory on the same socket."""
    scene.evil.close()
    scene.evil = scene.lan.guests["evil"] = Guest(scene.lan.rundir / "evil.sock", mac=EVIL,
                                                  mem_mib=16)
    scene.evil.start()
    scene.lan.wait("evil", lambda r: r["up"])
    scene.drain()
    scene.meet()


def gone(scene, nth=1):
    """The port went down for its memory, and said so."""
    row = scene.lan.wait("evil", lambda r: r["faults"] >= nth)
    assert row["faults"] == nth and row["last_fault"] == "memory_lost"
    row = scene.lan.wait("evil", lambda r: not r["up"] and r["regions"] == 0)
    assert "memory went away" in row["problem"], row


def idle(scene):
    """Attack: nobody sends anything; the worker looks at the ring."""
    scene.evil.truncate(0)


def sending(scene):
    """Attack: frames are on their way from the guest."""
    scene.evil.send_many([scene.good(4000) for _ in range(200)])
    scene.evil.truncate(0)


def receiving(scene):
    """Attack: frames are on their way to the guest."""
    scene.peer.send_many([scene.poke_frame(4000) for _ in range(60)])
    scene.evil.truncate(0)


def both(scene):
    """Attack: frames are on their way both ways."""
    scene.evil.send_many([scene.good(4000) for _ in range(200)])
    scene.peer.send_many([scene.poke_frame(4000) for _ in range(60)])
    scene.evil.truncate(0)


def payload_gone(scene):
    """Attack: rings and headers stay, and only the payload of a frame is gone."""
    evil = scene.evil
    keep = evil.alloc(PAGE, PAGE) + PAGE
    evil.write(keep - 52, bytes(12) + scene.good(40))
    evil.truncate(keep)
    evil.tx.submit([(keep - 52, 52, 0), (keep, 4000, 0)])


def buffers_gone(scene):
    """Attack: the receive ring stays, and its buffers are gone."""
    evil = scene.evil
    keep = evil.rx.desc(0)[0] + 65536 & ~(PAGE - 1)
    for i in range(evil.rx.size):
        evil.rx.set_desc(i, keep + MIB, 2048, 2)
    evil.truncate(keep)
    scene.poke(1000)


@pytest.mark.parametrize("attack", [idle, sending, receiving, both, payload_gone, buffers_gone])
def test_truncated(scene, attack):
    """Memory truncated under the switch: that port only, by name; others go on, and a VMM that
    comes back is served."""
    scene.open()
    for nth in (1, 2):
        attack(scene)
        gone(scene, nth)
        scene.victim.check()
        assert scene.lan.port("peer")["up"]
        replace(scene)


def test_nothing_of_a_lost_frame_arrives(scene):
    """A frame whose payload is gone is not delivered, with zeros or otherwise."""
    scene.open()
    payload_gone(scene)
    gone(scene)
    scene.silent()
    assert scene.daemon.drops("peer").get("mem_lost", 0) <= 1
    replace(scene)


@pytest.mark.parametrize("last", ["memory", "addresses", "kick", "enable"])
def test_truncated_before_the_ring_starts(vmm, last):
    """Control itself touches the ring when it starts it, and survives that too."""
    steps = vmm.steps()
    names = [n for n in steps if n != last]
    for name in names:
        steps[name]()
    if last == "memory":
        # A table is measured when it comes: it is refused instead.
        os.ftruncate(vmm.mem, 0)
        vmm.refused(Req.SET_MEM_TABLE, vmm.table(), [vmm.mem], "larger than its file")
        return
    os.ftruncate(vmm.mem, 0)
    flags = {"addresses": (Req.SET_VRING_ADDR, vring_addr(0, UVA, UVA + USED, UVA + 0x4000), []),
             "kick": (Req.SET_VRING_KICK, bytes(8), [vmm.event()]),
             "enable": (Req.SET_VRING_ENABLE, vring_state(0, 1), [])}
    vmm.door.send_msg(flags[last][0], flags[last][1], flags[last][2])
    vmm.closed("memory went away")
    row = vmm.port()
    assert row["faults"] == 1 and row["last_fault"] == "memory_lost"


def test_truncated_and_grown_again(scene):
    """The file grows again at once; whether the switch noticed or not, nothing is harmed."""
    evil = scene.open()
    fd, size = evil.region_fd(), os.fstat(evil.region_fd()).st_size
    for _ in range(50):
        evil.truncate(0)
        os.ftruncate(fd, size)
    scene.victim.check()
    # What the guest writes now is its own: its memory is no longer the file's.
    replace(scene)
