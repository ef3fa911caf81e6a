# SPDX-License-Identifier: BSD-3-Clause
"""A hostile VMM: a bare connection to port `evil`, which listens (no back-off between tries), and
what is needed to bring a ring up by hand over it."""

import os
import time

from evil import EVIL, PEER
from victim import numbered
from vsguest import (F_PROTOCOL, F_VERSION_1, MSG_NEED_REPLY, MSG_VERSION, PF_MQ, PF_NET_MTU,
                     PF_REPLY_ACK, Backdoor, Guest, Req, mem_table, u64, vring_addr, vring_fd,
                     vring_state)

MIB = 1 << 20
GPA, UVA = 0, 1 << 40           # of our one region
SIZE = 64                       # of our rings
DESC, AVAIL, USED = 0x0, 0x4000, 0x8000


def memfd(size=MIB):
    """A new memory file."""
    fd = os.memfd_create("hostile")
    os.ftruncate(fd, size)
    return fd


def held(daemon):
    """{descriptor: file} of the daemon, sockets left out: a control client that has just ended
    may still be one of those."""
    return {fd: file for fd, file in daemon.files().items() if not file.startswith("socket:")}


def settled(daemon, wanted=None):
    """All descriptors of the daemon, when the last control client is gone: the least seen for as
    long as that may take, or patiently until they are no more than wanted."""
    begin = time.monotonic()
    least = daemon.fds()
    while time.monotonic() < begin + (0.05 if wanted is None or least <= wanted else 10):
        least = min(least, daemon.fds())
    return least


class Vmm:
    """Port `evil` in server mode, the VMM on it, and an honest port `peer`."""

    def __init__(self, lan, victim):
        self.lan, self.victim, self.daemon = lan, victim, lan.daemon
        self.path = lan.rundir / "evil.sock"
        self.peer = lan.add("peer", mac=bytes(PEER))
        self.daemon.check("port", "add", "evil", "switch", lan.name, "type", "guest", "socket",
                          self.path, "mode", "server")
        self.door, self.mem, self.events, self.serial = None, -1, [], 0
        self.connect()

    # -- connection

    def connect(self, ack=True):
        """A new connection, in place of the one there is; ack: refusals are told."""
        self.hangup()
        self.door = Backdoor(self.path, server=False).connect()
        if ack:
            self.door.send_msg(Req.SET_PROTOCOL_FEATURES, u64(PF_REPLY_ACK | PF_MQ | PF_NET_MTU))
            self.door.call(Req.GET_PROTOCOL_FEATURES)
        return self.door

    def hangup(self):
        """Close the connection, and what was made for it."""
        if self.door is not None:
            self.door.close()
        for fd in [self.mem, *self.events]:
            if fd >= 0:
                os.close(fd)
        self.door, self.mem, self.events = None, -1, []

    def port(self):
        """The row of `port show evil`."""
        return self.lan.port("evil")

    def ask(self, request, payload=b"", fds=(), **more):
        """Send a request; 0: done, 1: refused."""
        return self.door.call(request, payload, fds, flags=MSG_VERSION | MSG_NEED_REPLY,
                              **more).u64

    def done(self, request, payload=b"", fds=()):
        """A request that must be accepted."""
        assert self.ask(request, payload, fds) == 0, self.port()["problem"]

    def refused(self, request, payload=b"", fds=(), why=""):
        """A request that must be refused, counted, and named; nothing of it stays open."""
        before, open_fds = self.port(), held(self.daemon)
        assert self.ask(request, payload, fds) == 1, f"{request!r} was accepted"
        row = self.port()
        assert row["refused"] == before["refused"] + 1
        name = Req(request).name if request in list(Req) else f"message {request}"
        assert name in row["problem"] and why in row["problem"], row["problem"]
        assert row["up"] == before["up"] and row["features"] == before["features"]
        # Those of a connection before may have been counted while a thread was closing them.
        end = time.monotonic() + 10
        while len(held(self.daemon)) > len(open_fds):
            assert time.monotonic() < end, f"{held(self.daemon)}, and before {open_fds}"
            time.sleep(0.01)

    def closed(self, why):
        """The connection ends, and `port show` says why."""
        assert self.door.wait_closed(5)
        row = self.lan.wait("evil", lambda r: why in (r["problem"] or ""))
        assert row["state"] == "broken" and not row["up"]

    def alive(self):
        """The connection still serves requests."""
        return self.door.call(Req.GET_FEATURES).u64

    # -- a ring by hand

    def table(self, gpa=GPA, size=MIB, uva=UVA, offset=0):
        """Payload of a memory table with one region."""
        return mem_table([(gpa, size, uva, offset)])

    def event(self):
        """A new eventfd."""
        self.events.append(os.eventfd(0, os.EFD_NONBLOCK))
        return self.events[-1]

    def steps(self, ring=0):
        """{name: function} of everything a ring needs to run."""
        self.mem = memfd() if self.mem < 0 else self.mem
        base = UVA + 0x10000 * ring
        return {
            "features": lambda: self.done(Req.SET_FEATURES, u64(F_VERSION_1 | F_PROTOCOL)),
            "memory": lambda: self.done(Req.SET_MEM_TABLE, self.table(), [self.mem]),
            "size": lambda: self.done(Req.SET_VRING_NUM, vring_state(ring, SIZE)),
            "base": lambda: self.done(Req.SET_VRING_BASE, vring_state(ring, 0)),
            "addresses": lambda: self.done(Req.SET_VRING_ADDR, vring_addr(
                ring, base + DESC, base + USED, base + AVAIL)),
            "kick": lambda: self.done(Req.SET_VRING_KICK, vring_fd(ring), [self.event()]),
            "enable": lambda: self.done(Req.SET_VRING_ENABLE, vring_state(ring, 1)),
        }

    def bring_up(self, ring=0):
        """Run a ring."""
        for step in self.steps(ring).values():
            step()
        assert self.runs(ring)

    def runs(self, ring=0):
        """Whether the switch has started the ring: it says there that it wants no kicks."""
        return os.pread(self.mem, 1, 0x10000 * ring + USED) == b"\x01"

    # -- what must hold in the end

    def works(self):
        """The same port serves an honest VMM, and frames go through it both ways."""
        self.hangup()
        with Guest(self.path, server=False, mac=EVIL) as guest:
            guest.start()
            self.lan.wait("evil", lambda r: r["state"] == "running" and r["up"])
            for src, dst in ((guest, self.peer), (self.peer, guest)):
                self.serial += 1
                frame = numbered(dst.mac, src.mac, self.serial)
                src.send(frame)
                got = dst.recv(2.0)
                while got is not None and got != frame:     # floods of others
                    got = dst.recv(2.0)
                assert got == frame
