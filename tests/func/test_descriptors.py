# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors whose closing waits, and what takes the place of a socket: nobody who sends them
stops control, and no file but our own changes its mode."""

import array
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

from vsguest import F_VERSION_1, Req, mem_table, u64

LINGER = 8          # seconds that the hostile close() waits
AT_ONCE = 3.0       # seconds within which control answers, the start of the command included
MIB = 1 << 20
UVA = 1 << 40


class Linger:
    """A TCP socket with data that nobody reads: the close() of its last descriptor waits."""

    def __init__(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.near = socket.create_connection(listener.getsockname())
            self.far, _ = listener.accept()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
        self.near.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                self.near.send(bytes(65536))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.far.close()


def message(request, payload=b""):
    """One vhost-user message."""
    return struct.pack("=III", request, 1, len(payload)) + payload


def dial(path, kind=socket.SOCK_STREAM):
    """Connect to a Unix socket."""
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.connect(str(path))
    return sock


@pytest.fixture
def evil(lan):
    """Path of the port `evil`, which listens."""
    path = lan.rundir / "evil.sock"
    lan.daemon.check("port", "add", "evil", "switch", lan.name, "type", "guest", "socket", path,
                     "mode", "server")
    return path


def hand_over(linger, sock, data, more=()):
    """Send data with the descriptor while the daemon is stopped, and let go of it meanwhile, so
    that the daemon closes the last one."""
    fds = array.array("i", [*more, linger.near.fileno()])
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    linger.near.close()


def answers(daemon):
    """Control answers at once."""
    begin = time.monotonic()
    daemon.check("port", "show")
    assert time.monotonic() - begin < AT_ONCE


@pytest.mark.parametrize("where", ["message", "many", "unread", "refused", "control"])
def test_close_that_waits(lan, evil, where):
    """It comes with a message that takes none, as one of too many, unread when the connection
    ends, over a connection that is turned away, and to the control socket."""
    daemon, spare = lan.daemon, [os.open("/dev/null", os.O_RDONLY)]
    first = dial(daemon.socket, socket.SOCK_SEQPACKET) if where == "control" else dial(evil)
    lan.wait("evil", lambda r: where == "control" or r["state"] == "connected")
    with Linger() as linger, first:
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            if where == "message":
                hand_over(linger, first, message(Req.GET_FEATURES))
            elif where == "many":
                hand_over(linger, first, message(Req.GET_FEATURES), spare * 9)
            elif where == "unread":
                first.sendall(message(Req.GET_FEATURES + 100 << 8) + bytes(99))
                first.sendall(struct.pack("=III", 1, 7, 0))
                hand_over(linger, first, b"x")
            elif where == "refused":
                with dial(evil) as second:
                    hand_over(linger, second, b"x")
            else:
                try:
                    hand_over(linger, first, bytes(40))
                except PermissionError:     # the kernel (from Linux 6.16 on) refuses it for us
                    linger.near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
                    linger.near.close()
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        for _ in range(3):
            answers(daemon)
        if where in ("message", "many"):
            row = lan.wait("evil", lambda r: r["state"] == "broken")
            assert "descriptor" in row["problem"]
    os.close(spare[0])


def test_port_serves_again(lan, evil):
    """Once the descriptor is closed, the port takes the next VMM."""
    with Linger() as linger, dial(evil) as first:
        os.kill(lan.daemon.pid, signal.SIGSTOP)
        try:
            hand_over(linger, first, message(Req.GET_FEATURES))
        finally:
            os.kill(lan.daemon.pid, signal.SIGCONT)
        lan.wait("evil", lambda r: r["state"] == "broken")
    with dial(evil) as again:
        again.settimeout(15)
        again.sendall(message(Req.GET_FEATURES))
        assert len(again.recv(20)) == 20


def test_memory_on_a_disk(lan, evil):
    """The first touch of a page must not wait for a disk: the table is refused, by name."""
    folder = os.path.dirname(os.path.abspath(__file__))
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR)
    os.ftruncate(fd, MIB)
    with dial(evil) as sock:
        sock.sendall(message(Req.SET_FEATURES, u64(F_VERSION_1)))
        sock.sendmsg([message(Req.SET_MEM_TABLE, mem_table([(0, MIB, UVA, 0)]))],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        row = lan.wait("evil", lambda r: r["refused"] == 1)
        assert "tmpfs" in row["problem"] and not row["regions"]
    os.close(fd)


def test_mode_of_the_socket(lan, evil, tmp_path):
    """The socket is 0660 whatever the umask, and is never changed by its path: a link put in its
    place does not lead to another file's mode."""
    assert stat.S_IMODE(os.lstat(evil).st_mode) == 0o660
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    log = tmp_path / "strace"
    with subprocess.Popen(["strace", "-f", "-e", "trace=chmod,fchmodat", "-o", str(log), "-p",
                           str(lan.daemon.pid)], stderr=subprocess.PIPE) as tracer:
        tracer.stderr.readline()        # attached
        lan.daemon.check("port", "add", "more", "switch", lan.name, "type", "guest", "socket",
                         lan.rundir / "more.sock", "mode", "server")
        tracer.send_signal(signal.SIGINT)
    assert "more.sock" not in log.read_text()
