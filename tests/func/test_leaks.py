# SPDX-License-Identifier: BSD-3-Clause
"""Coming and going without end: guests, ports, switches and control clients. After a warm-up the
daemon holds not one descriptor more, and less than 1 MB more memory."""

import os
import socket
import struct
from collections import Counter

import pytest

from vmm import settled
from vsguest import Guest
from watch import wait_for

PORTS = 64
LEAK = 1 << 20          # bytes


def resident(daemon):
    """Resident bytes of the daemon."""
    with open(f"/proc/{daemon.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def mappings(daemon):
    """Number of its mappings."""
    with open(f"/proc/{daemon.pid}/maps") as maps:
        return sum(1 for _ in maps)


def sanitized(daemon):
    """Whether it was built with AddressSanitizer, which keeps what was freed for a while, and
    looks for leaks itself when the daemon ends."""
    with open(f"/proc/{daemon.pid}/exe", "rb") as program:
        return b"__asan_init" in program.read()


class Level:
    """What the daemon held when this was made; check() compares."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.fds, self.maps, self.bytes = settled(daemon), mappings(daemon), resident(daemon)

    def check(self):
        """Nothing was left behind since; prints what was measured."""
        wait_for(lambda: self.daemon.fds(), lambda n: n <= self.fds, 5)
        more = resident(self.daemon) - self.bytes
        print(f"descriptors {self.fds} -> {settled(self.daemon)}, mappings {self.maps} -> "
              f"{mappings(self.daemon)}, resident {more / 1024:+.0f} KiB")
        assert settled(self.daemon) == self.fds
        if not sanitized(self.daemon):
            assert mappings(self.daemon) <= self.maps + 8   # arenas of the C library
            assert more < LEAK


class Control:
    """A client of the control socket that talks fast: the format is that of control/proto.h."""

    SWITCH_NEW, SWITCH_DEL, PORT_NEW, PORT_DEL, PORT_SET = 0x10, 0x11, 0x20, 0x21, 0x22
    NAME, SWITCH, KIND, SOCKET, MODE, MAC, FORCE = 1, 2, 3, 4, 5, 6, 14
    PRIVATE, GUEST = 1, 17
    SERVER = 2

    def __init__(self, daemon):
        self.socket = client(daemon)

    @staticmethod
    def attribute(number, value):
        """An attribute: text, number, bytes, or a flag (None)."""
        if isinstance(value, int):
            value = struct.pack("=I", value)
        elif value is None:
            value = b""
        elif not isinstance(value, bytes):
            value = str(value).encode() + b"\0"
        head = struct.pack("=HH", 4 + len(value), number)
        return head + value + bytes(-len(value) % 4)

    def do(self, command, *attributes):
        """A command that must succeed; attributes in pairs of number and value."""
        body = struct.pack("=BBH", command, 1, 0) + b"".join(
            self.attribute(*pair) for pair in zip(attributes[::2], attributes[1::2]))
        self.socket.send(struct.pack("=IHHII", 16 + len(body), 16, 5, 1, 0) + body)
        answer = self.socket.recv(32768)
        error = struct.unpack_from("=i", answer, 16)[0]
        assert error == 0, (os.strerror(-error), answer)

    def add_port(self, name, sw, path, server=False):
        """port add NAME switch SW type guest socket PATH mode ..."""
        self.do(self.PORT_NEW, self.NAME, name, self.SWITCH, sw, self.KIND, self.GUEST,
                self.SOCKET, path, self.MODE, self.SERVER if server else 1)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()


class Crowd:
    """64 ports, every other one listening itself, and their guests."""

    def __init__(self, lan):
        self.lan, self.guests = lan, []
        for n in range(PORTS):
            path = lan.rundir / f"g{n}.sock"
            self.guests.append(Guest(path, server=n % 2 == 0, ring_size=64, tx_buf_len=2048,
                                     indirect_max=1))
            with Control(lan.daemon) as control:
                control.add_port(f"g{n}", "lan", path, n % 2)

    def up(self):
        """How many of the ports are up."""
        return self.lan.daemon.json("switch", "show", "lan")[0]["ports_up"]

    def states(self):
        """{state: ports in it}."""
        return Counter(row["state"] for row in self.lan.daemon.json("port", "show"))

    def come(self):
        """All guests start."""
        for guest in self.guests:
            guest.start()
        wait_for(self.up, lambda n: n == PORTS)

    def go(self):
        """All guests hang up, half of them in an orderly way. It is over when every port that
        dials has found its guest's socket again, where nobody answers."""
        for n, guest in enumerate(self.guests):
            if n % 4 < 2:
                guest.stop()
            guest.hangup()
        wait_for(self.states, lambda s: s == {"connected": PORTS // 2, "waiting": PORTS // 2})

    def frames(self):
        """Each guest floods a frame, and gets one from its neighbour at least."""
        for n, guest in enumerate(self.guests):
            guest.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 1, n]) + bytes(100))
        for guest in self.guests:
            assert guest.recv(2.0) is not None
            guest.recv_all(0)

    def close(self):
        """End of all guests."""
        for guest in self.guests:
            guest.close()


def come_and_go(lan, rounds):
    """Rounds of 64 guests that come and go, 3 of them to warm up."""
    crowd = Crowd(lan)
    try:
        for n in range(rounds + 3):
            if n == 3:
                level = Level(lan.daemon)
            crowd.come()
            if n % 8 == 1:
                crowd.frames()
            crowd.go()
        level.check()
        crowd.come()
        crowd.frames()
        assert len(lan.daemon.json("fdb", "show")) == PORTS
    finally:
        crowd.close()


def test_guests_come_and_go(lan):
    """64 ports, 1,024 times connected and disconnected in all."""
    come_and_go(lan, 1024 // PORTS)


@pytest.mark.long
def test_guests_come_and_go_long(lan):
    """64 ports, each of them 1,000 times connected and disconnected."""
    come_and_go(lan, 1000)


def test_ports_come_and_go(lan):
    """1,000 ports made and removed, and among them some that listen or have an address."""
    path = lan.rundir / "p.sock"
    with Control(lan.daemon) as control:
        def cycle(n):
            control.add_port("p", "lan", path, n % 2)
            if n % 3 == 0:
                control.do(control.PORT_SET, control.NAME, "p", control.MAC, bytes([2] * 6))
            control.do(control.PORT_DEL, control.NAME, "p")
        for n in range(100):
            cycle(n)
        level = Level(lan.daemon)
        for n in range(1000):
            cycle(n)
        level.check()


def test_ports_removed_with_guests_on_them(lan):
    """A port is removed while its guest runs: its memory goes, and the guest learns of it."""
    path = lan.rundir / "p.sock"
    add = ("port", "add", "p", "switch", "lan", "type", "guest", "socket", path)
    level = None
    for n in range(60):
        if n == 10:
            level = Level(lan.daemon)
        with Guest(path, ring_size=64, tx_buf_len=2048) as guest:
            lan.daemon.check(*add)
            guest.start()
            lan.wait("p", lambda r: r["up"])
            guest.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 1, 1]) + bytes(100))
            lan.daemon.check("port", "del", "p")
            assert guest.wait_closed(2)
    level.check()


def test_switches_come_and_go(vmswitchd):
    """1,000 switches made and removed, half of them by force with a port on them."""
    path = vmswitchd.rundir / "p.sock"
    with Control(vmswitchd) as control:
        def cycle(n):
            control.do(control.SWITCH_NEW, control.NAME, "s", control.KIND, control.PRIVATE)
            force = ()
            if n % 2:
                control.add_port("p", "s", path, n % 4 == 1)
                force = (control.FORCE, None)
            control.do(control.SWITCH_DEL, control.NAME, "s", *force)
        for n in range(100):
            cycle(n)
        level = Level(vmswitchd)
        for n in range(1000):
            cycle(n)
        level.check()


def client(daemon):
    """A connection to the control socket."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.settimeout(5)
    one.connect(str(daemon.control))
    return one


# What a client says before it goes: nothing, too little, a message of no command, a lie about
# its length, and descriptors that nobody asked for.
WORDS = [None, b"\0", bytes(15), struct.pack("=IHHII", 16, 99, 1, 1, 0),
         struct.pack("=IHHII", 0xffffffff, 17, 5, 1, 0) + bytes(64), bytes(4096)]


def test_control_clients_come_and_go(vmswitchd):
    """1,000 clients that say nothing, or nonsense, and go; descriptors they pass are closed."""
    def visit(n):
        with client(vmswitchd) as one:
            word = WORDS[n % len(WORDS)]
            try:
                if word is not None and n % 7 == 0:
                    socket.send_fds(one, [word], [0, 1, 2])
                elif word is not None:
                    one.send(word)
            except OSError:
                pass        # it was let go already
    for n in range(100):
        visit(n)
    level = Level(vmswitchd)
    for n in range(1000):
        visit(n)
        if n % 100 == 99:
            vmswitchd.check("switch", "show")
    level.check()


def test_many_clients_at_once(vmswitchd):
    """50 silent clients keep nobody waiting."""
    level = Level(vmswitchd)
    crowd = []
    for _ in range(50):
        try:
            crowd.append(client(vmswitchd))
        except OSError:
            break           # there may be a limit
    # Those beyond a limit are told or let go; these commands get through in the end.
    for one in crowd[16:]:
        one.close()
    vmswitchd.check("switch", "show")
    for one in crowd:
        one.close()
    level.check()
