# SPDX-License-Identifier: BSD-3-Clause
"""A hostile VMM: the messages it sends, one attack at a time. Nothing it says stops another port or
the control socket, nothing of it stays open, and afterwards the port serves an honest VMM."""

import itertools
import os
import select
import socket
import struct
import tempfile
import threading
import time

import pytest

from vmm import AVAIL, DESC, MIB, SIZE, USED, UVA, Vmm, memfd, settled
from vsguest import (F_EVENT_IDX, F_INDIRECT, F_MQ, F_MRG_RXBUF, F_MTU, F_PROTOCOL, F_VERSION_1,
                     MSG_NEED_REPLY, MSG_REPLY, MSG_VERSION, PF_MQ, PF_NET_MTU, PF_REPLY_ACK,
                     Guest, Req, mem_table, u64, vring_addr, vring_fd, vring_state)

# Checksum and segmentation of both sides (TSO, ECN, USO), and the announcement after a migration.
OFFLOADS = sum(1 << bit for bit in (0, 1, 7, 8, 9, 11, 12, 13, 21, 54, 55, 56))
OFFERED = (F_VERSION_1 | F_MRG_RXBUF | F_INDIRECT | F_EVENT_IDX | F_MQ | F_MTU | F_PROTOCOL |
           OFFLOADS)
AT_ONCE = 1.0       # seconds within which others are served, the start of the command included
BAD_INDEX = [16, 17, 0xff, 0x10000, 0x10001, 0x1000f, 0x80000000, 0xffff0000, 0xffffffff]

# Requests that are served, with a payload of the right size; the others are refused.
SERVED = {
    Req.GET_FEATURES: b"", Req.SET_FEATURES: u64(F_VERSION_1), Req.SET_OWNER: b"",
    Req.RESET_OWNER: b"", Req.SET_MEM_TABLE: mem_table([(0, MIB, UVA, 0)]),
    Req.SET_VRING_NUM: vring_state(0, SIZE), Req.SET_VRING_ADDR: vring_addr(0, UVA, UVA, UVA),
    Req.SET_VRING_BASE: vring_state(0, 0), Req.GET_VRING_BASE: vring_state(0),
    Req.SET_VRING_KICK: vring_fd(0), Req.SET_VRING_CALL: vring_fd(0),
    Req.SET_VRING_ERR: vring_fd(0), Req.GET_PROTOCOL_FEATURES: b"",
    Req.SET_PROTOCOL_FEATURES: u64(PF_REPLY_ACK), Req.GET_QUEUE_NUM: b"",
    Req.SET_VRING_ENABLE: vring_state(0, 1), Req.NET_SET_MTU: u64(1500),
}
OWN_ANSWER = {Req.GET_FEATURES, Req.GET_VRING_BASE, Req.GET_PROTOCOL_FEATURES, Req.GET_QUEUE_NUM}
NEEDS_FD = {Req.SET_MEM_TABLE, Req.SET_VRING_KICK, Req.SET_VRING_CALL, Req.SET_VRING_ERR}
# Refused ones whose sender waits for an answer of its own: the connection ends.
LOST_ANSWER = {24, 26, 28, 30, 31, 36, 40, 41, 42, 43}


@pytest.fixture
def vmm(lan, victim):
    """A hostile VMM; whatever it did, its port must serve an honest one afterwards."""
    one = Vmm(lan, victim)
    yield one
    one.works()


def others_are_served(vmm):
    """Another VMM connects, brings its rings up and talks, and a command is answered, at once."""
    begin = time.monotonic()
    vmm.lan.port("va")
    assert time.monotonic() - begin < AT_ONCE
    other = vmm.lan.add("other", "mode", "server", server=False, start=False)
    begin = time.monotonic()
    other.start()
    assert time.monotonic() - begin < AT_ONCE
    vmm.lan.wait("other", lambda r: r["up"])
    assert time.monotonic() - begin < AT_ONCE
    other.close()
    vmm.daemon.check("port", "del", "other")


@pytest.mark.parametrize("sent", [1, 11, 12, 13, 275], ids=str)
def test_half_a_message(vmm, sent):
    """A VMM that stops in the middle of a message keeps nobody waiting but itself."""
    whole = struct.pack("=III", Req.SET_MEM_TABLE, MSG_VERSION, 264) + bytes(264)
    fd = memfd()
    vmm.door.send_raw(whole[:sent], [fd] * 8)
    os.close(fd)
    others_are_served(vmm)
    assert vmm.door.alive()


def test_message_byte_by_byte(vmm):
    """A message may come in any pieces."""
    for byte in struct.pack("=IIIQ", Req.SET_FEATURES, MSG_VERSION | MSG_NEED_REPLY, 8,
                            F_VERSION_1):
        vmm.door.send_raw(bytes([byte]))
    assert vmm.door.read_msg().u64 == 0


def test_a_descriptor_with_every_byte(vmm):
    """More than eight descriptors within one message end the connection; none stays open."""
    vmm.hangup()
    vmm.lan.wait("evil", lambda r: r["state"] == "waiting")
    before = settled(vmm.daemon)
    vmm.connect(ack=False)
    fd = memfd()
    for byte in struct.pack("=III", Req.SET_MEM_TABLE, MSG_VERSION, 264):
        try:
            vmm.door.send_raw(bytes([byte]), [fd])
        except (BrokenPipeError, ConnectionResetError):
            break
    os.close(fd)
    vmm.closed("more descriptors")
    assert settled(vmm.daemon, before) == before


@pytest.mark.parametrize("request_", [*range(0, 46), 100, 0x7fffffff, 0xffffffff])
def test_every_message_first(vmm, request_):
    """A device that was told nothing yet understands or refuses whatever comes, by name."""
    vmm.connect(ack=False)
    fd = memfd() if request_ == Req.SET_MEM_TABLE else vmm.event()
    vmm.door.send_msg(request_, SERVED.get(request_, bytes(8)),
                      [fd] if request_ in NEEDS_FD else [])
    if request_ == Req.SET_MEM_TABLE:
        os.close(fd)
    if request_ in LOST_ANSWER:
        vmm.closed("not supported")
    elif request_ in OWN_ANSWER:
        assert vmm.door.read_msg().request == request_
    if request_ not in LOST_ANSWER:
        assert vmm.alive() == OFFERED
    # What the guest is told of an MTU comes after the feature for it only.
    assert vmm.port()["refused"] == (request_ not in SERVED or request_ == Req.NET_SET_MTU)


FORBIDDEN = [n for n in (*Req, *range(23, 44)) if n not in SERVED and n not in LOST_ANSWER]


def test_forbidden_messages_are_named(vmm):
    """What is not offered is refused by name, with descriptors or without."""
    for request in sorted({int(n) for n in FORBIDDEN} | {0, 44, 1000, 0xffffffff}):
        for fds in ((), [vmm.event()] * 8):
            assert vmm.ask(request, u64(0), fds) == 1
        row = vmm.port()
        name = Req(request).name if request in list(Req) else ""
        assert name in row["problem"] and "refused" in row["problem"], row["problem"]
        if request > 43 or not request:
            assert f"message {request} " in row["problem"]


@pytest.mark.parametrize("request_", sorted(LOST_ANSWER))
def test_forbidden_messages_with_an_answer(vmm, request_):
    """With acknowledgements even these can be refused; without, the connection ends."""
    assert vmm.ask(request_, bytes(8)) == 1
    assert vmm.alive()
    vmm.door.send_msg(request_, bytes(8))
    vmm.closed("not supported")


@pytest.mark.once
def test_all_orders_of_a_bring_up(vmm):
    """The order of messages does not matter: the ring runs with the last one, and not before."""
    names = ["features", "memory", "size", "addresses", "kick", "enable"]
    begin = time.monotonic()
    for order in itertools.permutations(names):
        vmm.connect()
        steps = vmm.steps()
        steps["base"]()
        for name in order[:-1]:
            steps[name]()
        assert not vmm.runs(), order
        steps[order[-1]]()
        assert vmm.runs(), order
    print(f"720 orders in {time.monotonic() - begin:.1f} s")


def test_features_are_an_allow_list(vmm):
    """Exactly these bits are offered; each other one is refused, and changes nothing."""
    offered = vmm.alive()
    for bit in range(64):
        assert bool(offered >> bit & 1) == bool(OFFERED >> bit & 1), f"bit {bit}"
        value = F_VERSION_1 | 1 << bit
        assert vmm.ask(Req.SET_FEATURES, u64(value)) == (not OFFERED >> bit & 1), f"bit {bit}"
    vmm.done(Req.SET_FEATURES, u64(F_VERSION_1))
    vmm.refused(Req.SET_FEATURES, u64(F_VERSION_1 | 1 << 26), why="not offered")
    vmm.refused(Req.SET_FEATURES, u64(0xffffffffffffffff), why="not offered")
    assert vmm.port()["features"] == ["version_1"]


def test_protocol_features_are_an_allow_list(vmm):
    """The same for the protocol's own features."""
    assert vmm.door.call(Req.GET_PROTOCOL_FEATURES).u64 == PF_MQ | PF_REPLY_ACK | PF_NET_MTU
    for bit in range(64):
        if 1 << bit not in (PF_MQ, PF_REPLY_ACK, PF_NET_MTU):
            assert vmm.ask(Req.SET_PROTOCOL_FEATURES, u64(1 << bit | PF_REPLY_ACK)) == 1, bit


def test_changes_while_running(vmm):
    """Features, size and base of a running ring stand; it goes on."""
    vmm.bring_up()
    vmm.refused(Req.SET_FEATURES, u64(F_VERSION_1 | F_PROTOCOL | F_MRG_RXBUF), why="while")
    vmm.done(Req.SET_FEATURES, u64(F_VERSION_1 | F_PROTOCOL))
    for size in (SIZE * 2, SIZE // 2, 32768):
        vmm.refused(Req.SET_VRING_NUM, vring_state(0, size), why="while the ring runs")
    vmm.refused(Req.SET_VRING_BASE, vring_state(0, 7), why="while the ring runs")
    vmm.refused(Req.SET_VRING_ADDR, vring_addr(0, UVA + MIB, UVA + USED, UVA + AVAIL),
                why="outside")
    assert vmm.port()["up"] and vmm.port()["ring_size"] == SIZE


@pytest.mark.parametrize("size", [0, 3, 63, 65, 32769, 65535, 65536, 0x10040, 1 << 31, 0xffffffff])
def test_ring_size(vmm, size):
    """Only powers of two up to 32,768."""
    vmm.refused(Req.SET_VRING_NUM, vring_state(0, size), why="power of two")


def test_ring_size_larger_than_the_memory(vmm):
    """The largest ring does not fit into the memory there is: it does not start, and says so."""
    steps = vmm.steps()
    steps["size"] = lambda: vmm.done(Req.SET_VRING_NUM, vring_state(0, 32768))
    for name in ("features", "memory", "base", "size"):
        steps[name]()
    vmm.refused(Req.SET_VRING_ADDR, vring_addr(0, UVA + MIB // 2 + 16, UVA + USED, UVA + AVAIL),
                why="outside")
    steps["kick"](), steps["enable"]()
    assert not vmm.port()["up"]


ADDRESSES = {
    "misaligned table": (DESC + 8, AVAIL, USED), "misaligned available": (DESC, AVAIL + 1, USED),
    "misaligned used": (DESC, AVAIL, USED + 2), "table outside": (MIB, AVAIL, USED),
    "available at the end": (DESC, MIB - 2 * SIZE - 4, USED),
    "used at the end": (DESC, AVAIL, MIB - 8 * SIZE - 4), "below": (-16, AVAIL, USED),
    "around the end": ((1 << 64) - 16 - UVA, AVAIL, USED),
}


@pytest.mark.parametrize("late", [False, True], ids=["memory first", "addresses first"])
@pytest.mark.parametrize("name", ADDRESSES)
def test_ring_address(vmm, name, late):
    """Every part of a ring lies in one region, aligned; otherwise it does not run."""
    desc, avail, used = (UVA + at & 0xffffffffffffffff for at in ADDRESSES[name])
    steps = vmm.steps()
    for step in ("features", "size", "base", "kick", "enable"):
        steps[step]()
    if late:
        vmm.done(Req.SET_VRING_ADDR, vring_addr(0, desc, used, avail))
        steps["memory"]()
        assert "outside" in vmm.port()["problem"]
    else:
        steps["memory"]()
        vmm.refused(Req.SET_VRING_ADDR, vring_addr(0, desc, used, avail), why="outside")
    assert not vmm.port()["up"]
    steps["addresses"]()
    assert vmm.runs()


@pytest.mark.parametrize("index", BAD_INDEX)
def test_ring_index(vmm, index):
    """An index beyond the rings is refused in its full width, in every message about a ring."""
    vmm.bring_up()
    for request, payload in ((Req.SET_VRING_NUM, vring_state(index, SIZE)),
                             (Req.SET_VRING_BASE, vring_state(index, 0)),
                             (Req.SET_VRING_ENABLE, vring_state(index, 0)),
                             (Req.SET_VRING_ADDR, vring_addr(index, UVA, UVA, UVA))):
        vmm.refused(request, payload, why="index")
    for request in (Req.SET_VRING_KICK, Req.SET_VRING_CALL, Req.SET_VRING_ERR):
        for high in (0, 1 << 32, 1 << 63):
            assert vmm.ask(request, u64(index | high), [vmm.event()]) == 1
            assert vmm.ask(request, u64(index | high | 1 << 8)) == 1
    assert vmm.port()["up"]
    vmm.door.send_msg(Req.GET_VRING_BASE, vring_state(index))
    vmm.closed("index")


def test_base_and_enable_values(vmm):
    """A base has 16 bits, enable is 0 or 1."""
    for value in (65536, 0xffffffff):
        vmm.refused(Req.SET_VRING_BASE, vring_state(0, value), why="65535")
    for value in (2, 256, 0xffffffff):
        vmm.refused(Req.SET_VRING_ENABLE, vring_state(0, value), why="0 and 1")


@pytest.mark.parametrize("request_", sorted(SERVED))
def test_surplus_descriptors(vmm, request_):
    """Descriptors that do not belong to a message are closed, whether it is refused or not."""
    fds = settled(vmm.daemon)
    wanted = 1 if request_ in NEEDS_FD else 0
    for extra in (1, 8 - wanted):
        vmm.door.send_msg(request_, SERVED[request_], [vmm.event()] * (wanted + extra),
                          flags=MSG_VERSION | MSG_NEED_REPLY)
        if request_ in OWN_ANSWER:
            vmm.closed("descriptors")
            vmm.connect()
        else:
            assert vmm.door.read_msg().u64 == 1
    assert settled(vmm.daemon, fds) == fds
    vmm.door.send_msg(request_, SERVED[request_], [vmm.event()] * 9)
    vmm.closed("more descriptors")
    vmm.connect()
    vmm.door.send_msg(request_, SERVED[request_], [vmm.event()] * 253)
    vmm.closed("more descriptors")
    vmm.connect()
    assert settled(vmm.daemon, fds) == fds


@pytest.mark.parametrize("request_", [r for r in sorted(SERVED) if r != Req.SET_MEM_TABLE])
def test_wrong_payload_size(vmm, request_):
    """A payload that is too short or too long by anything is refused."""
    right = SERVED[request_]
    for payload in {right[:-1], right + b"\0", right * 2 or b"\0" * 8, bytes(1024)} - {right}:
        vmm.door.send_msg(request_, payload, flags=MSG_VERSION | MSG_NEED_REPLY)
        if request_ in OWN_ANSWER:
            vmm.closed("wrong size")
            vmm.connect()
        else:
            assert vmm.door.read_msg().u64 == 1, (request_, payload)
            assert "wrong size" in vmm.port()["problem"]


@pytest.mark.parametrize("request_", [Req.SET_VRING_KICK, Req.SET_VRING_CALL, Req.SET_VRING_ERR])
def test_descriptor_kinds(vmm, request_):
    """Only an eventfd may be written to or waited for; nothing else is taken."""
    vmm.bring_up()
    fds = settled(vmm.daemon)
    vmm.refused(request_, vring_fd(0), why="one descriptor")
    vmm.refused(request_, vring_fd(0, False), [vmm.event()], why="one descriptor")
    vmm.refused(request_, vring_fd(0), [vmm.event()] * 2, why="one descriptor")
    a, b = socket.socketpair()
    r, w = os.pipe()
    dead, gone = os.pipe()
    os.close(gone)
    with tempfile.TemporaryFile() as file, a, b:
        epoll = select.epoll()
        null, path = os.open("/dev/null", os.O_RDWR), os.open("/", os.O_PATH)
        for fd in (a.fileno(), r, w, dead, file.fileno(), vmm.mem, epoll.fileno(), null, path):
            vmm.refused(request_, vring_fd(0), [fd], why="eventfd")
        epoll.close()
    for fd in (r, w, dead, null, path):
        os.close(fd)
    assert vmm.port()["up"]
    assert settled(vmm.daemon, fds) == fds
    vmm.done(request_, vring_fd(0), [vmm.event()])


HEADERS = {
    "oversized": (Req.SET_FEATURES, MSG_VERSION, 1025, "longer"),
    "2^32-1 bytes": (Req.SET_FEATURES, MSG_VERSION, 0xffffffff, "longer"),
    "2^31 bytes": (Req.SET_MEM_TABLE, MSG_VERSION, 1 << 31, "longer"),
    "version 0": (Req.GET_FEATURES, 0, 0, "version"),
    "version 2": (Req.GET_FEATURES, 2, 0, "version"),
    "version 3": (Req.GET_FEATURES, 3, 0, "version"),
    "a reply": (Req.GET_FEATURES, MSG_VERSION | MSG_REPLY, 0, "reply"),
    "a reply that needs a reply": (
        Req.SET_OWNER, MSG_VERSION | MSG_REPLY | MSG_NEED_REPLY, 0, "reply"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_bad_header(vmm, name):
    """A header that cannot be ends the connection, descriptors and all."""
    vmm.hangup()
    vmm.lan.wait("evil", lambda r: r["state"] == "waiting")
    fds = settled(vmm.daemon)
    vmm.connect()
    request, flags, size, why = HEADERS[name]
    vmm.door.send_msg(request, b"", [vmm.event()] * 8, flags=flags, size=size)
    vmm.closed(why)
    assert settled(vmm.daemon, fds) == fds


def test_unknown_flags_are_ignored(vmm):
    """Bits of the header's flags that mean nothing change nothing."""
    assert vmm.door.call(Req.GET_FEATURES, flags=MSG_VERSION | 0xfffffff0).u64 == OFFERED


def test_flood(vmm):
    """10,000 messages in one go are read at a limited rate, and nobody else waits."""
    flood = struct.pack("=III", Req.SET_OWNER, MSG_VERSION, 0) * 10000
    sender = threading.Thread(target=vmm.door.send_raw, args=(flood,), kwargs={"timeout": 20})
    begin = time.monotonic()
    sender.start()
    while sender.is_alive():
        others_are_served(vmm)
    sender.join()
    others_are_served(vmm)
    assert vmm.door.call(Req.GET_FEATURES, timeout=20).u64 == OFFERED
    print(f"10,000 messages were read in {time.monotonic() - begin:.1f} s")


def test_flood_of_grace_periods(vmm):
    """Messages that stop a running ring, over and over, do not stop others."""
    vmm.bring_up()
    toggle = b"".join(struct.pack("=III", Req.SET_VRING_ENABLE, MSG_VERSION, 8)
                      + vring_state(0, n % 2) for n in range(600))
    vmm.door.send_raw(toggle, timeout=20)
    others_are_served(vmm)
    assert vmm.door.call(Req.GET_FEATURES, timeout=20).u64 == OFFERED


def test_replies_nobody_reads(vmm):
    """A VMM that asks and does not listen is not read any more, and costs nothing else."""
    ask = struct.pack("=III", Req.GET_FEATURES, MSG_VERSION, 0) * 1000
    with pytest.raises(OSError):
        for _ in range(1000):
            vmm.door.send_raw(ask, timeout=0.2)
    others_are_served(vmm)


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR])
def test_shut_down_halves(vmm, how):
    """Half of a connection is none, at the latest when a reply cannot be sent."""
    vmm.bring_up()
    half = socket.socket(fileno=os.dup(vmm.door.fileno()))
    with half:
        half.shutdown(how)
        if how == socket.SHUT_RD:
            vmm.door.send_msg(Req.GET_FEATURES)
        vmm.lan.wait("evil", lambda r: r["state"] == "waiting")


def test_silent_connections(vmm):
    """A port has one VMM at a time: others that knock are let go, and the first stays."""
    vmm.bring_up()
    fds = settled(vmm.daemon)
    knocks = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for one in knocks:
        one.settimeout(5)
        one.connect(str(vmm.path))
        assert one.recv(1) == b""
        one.close()
    assert vmm.alive() and vmm.port()["up"] and settled(vmm.daemon, fds) == fds
    assert vmm.port()["refused"] == 50


def test_old_vmm(vmm):
    """Without protocol features there is no SET_VRING_ENABLE: rings run with their kick."""
    vmm.hangup()
    with Guest(vmm.path, server=False, profile="legacy", proto_features=0) as guest:
        guest.start()
        row = vmm.lan.wait("evil", lambda r: r["up"])
        assert row["features"] == []
        frame = vmm.peer.mac + b"\x02\0\0\0\0\x66" + bytes(60)
        guest.send(frame)
        while (got := vmm.peer.recv(2.0)) != frame:
            assert got is not None
