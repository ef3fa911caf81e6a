# SPDX-License-Identifier: BSD-3-Clause
"""A daemon inside of a network namespace (tests/common/netns.py), and TAP interfaces as a VMM holds
them.

A test module whose tests need the daemon in a namespace takes over the fixtures below,

    import net
    host, session_daemon = net.host, net.session_daemon

and then `vmswitchd`, `lan`, `trio`, `monitor` and `victim` of conftest.py are of that daemon, with
the audit after each test; `host` is its namespace (without IPv6 if the module says IPV6 = False).
"""

import fcntl
import os
import select
import struct
import tempfile
import time

import pytest

from lan import DAEMON, Switch
from netns import Namespace, in_ns

TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000


class Tap:
    """A TAP interface in the hands of the test, as a VMM holds one: what the test writes is
    received on the interface, what is sent on the interface the test reads."""

    def __init__(self, ns, ifname, flags=0):
        self.ns, self.ifname, self.flags = ns, ifname, IFF_TAP | IFF_NO_PI | flags
        self.fd = None
        self.open()

    def open(self):
        """Attach to the interface, which is made if there is none."""
        with in_ns(self.ns):
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", self.ifname.encode(), self.flags))
        except OSError:
            os.close(fd)
            raise
        self.fd = fd

    def send(self, frame):
        """Write a frame."""
        os.write(self.fd, bytes(frame))

    def recv(self, timeout=1.0):
        """A frame, or None when none came in time."""
        if not select.select([self.fd], [], [], max(0.0, timeout))[0]:
            return None
        return os.read(self.fd, 70000)

    def recv_all(self, timeout=0.0):
        """Everything until nothing has come for timeout seconds."""
        frames = []
        while (frame := self.recv(timeout)) is not None:
            frames.append(frame)
        return frames

    def expect(self, wanted, timeout=10.0):
        """Wait for this frame; others are skipped."""
        end, others = time.monotonic() + timeout, []
        while (frame := self.recv(end - time.monotonic())) is not None:
            if frame == wanted:
                return
            others.append(frame[:40].hex())
        raise AssertionError(f"{self.ifname}: not within {timeout} s; seen: {others[-20:]}")

    def close(self):
        """The VMM's end."""
        if self.fd is not None:
            os.close(self.fd)
        self.fd = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


# What `show` says that changes by itself.
VOLATILE = ("macs", "fdb_used", "calls", "detail", "pair_frames")


class NsSwitch(Switch):
    """A daemon inside of a namespace. The mount namespace stays that of the test."""

    def __init__(self, ns, rundir, options=()):
        super().__init__(rundir)
        self.ns, self.options = ns, tuple(map(str, options))

    def start(self):
        """Start it, also again after its end."""
        with in_ns(self.ns):
            return super().start()

    def refuses(self, text, *words, status=1):
        """The command must fail with this exit status and say so; what was there stays."""
        before = self._objects()
        done = self.run(*words)
        assert done.returncode == status, (words, done.stdout, done.stderr)
        assert text in done.stderr, (words, done.stderr)
        after = self._objects()
        assert before == after, [(old, new) for old, new in zip(before, after) if old != new]

    def _objects(self):
        """Switches and ports, without what traffic changes."""
        return [{key: value for key, value in row.items() if key not in VOLATILE}
                for what in ("switch", "port") for row in self.json(what, "show")]

    def close(self):
        """End it, well if it runs."""
        if self.alive():
            self.clear()
            assert self.stop() == 0, "vmswitchd did not end well on SIGTERM"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is None:
            self.close()
        elif self.alive():
            self.kill()


def daemon_in(ns, rundir=None, options=()):
    """Start a vmswitchd inside of a namespace, with more options; use it as a context."""
    one = NsSwitch(ns, rundir or tempfile.mkdtemp(prefix="vsn-", dir="/tmp"), options)
    one.start()
    return one


@pytest.fixture(scope="module")
def host(request):
    """The namespace of the module's daemon: the host of its host ports."""
    with Namespace("host", ipv6=getattr(request.module, "IPV6", True)) as one:
        yield one


@pytest.fixture(scope="module")
def session_daemon(host, request):
    """One daemon for the module, in the namespace `host`; see conftest.py."""
    before = request.config.stash.get(DAEMON, None)
    with tempfile.TemporaryDirectory(prefix="vsn-", dir="/tmp") as rundir:
        with daemon_in(host, rundir) as daemon:
            request.config.stash[DAEMON] = daemon
            yield daemon
        request.config.stash[DAEMON] = before
