# SPDX-License-Identifier: BSD-3-Clause
"""Network namespaces for the functional tests: hosts and stations of our own, wires between them,
and a daemon inside of one.

    with Namespace("host") as host, Namespace("out") as out:
        veth(host, "nic0", out, "wire0")
        station = Station(out, "wire0")

A test module whose tests need the daemon in a namespace takes over the fixtures below,

    import net
    host, session_daemon = net.host, net.session_daemon

and then `vmswitchd`, `lan`, `trio`, `monitor` and `victim` of conftest.py are of that daemon, with
the audit after each test; `host` is its namespace (without IPv6 if the module says IPV6 = False).
"""

import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from lan import DAEMON, Switch

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17
TUNSETIFF = 0x400454ca
IFF_TAP, IFF_NO_PI = 2, 0x1000
NUMBERS = itertools.count()


def enter(fd):
    """Put the calling thread into the network namespace behind a descriptor."""
    if LIBC.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def in_ns(ns):
    """The calling thread is in the namespace (a Namespace or a path); sockets made there, and
    programs started there, belong to it."""
    old = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        new = os.open(getattr(ns, "path", ns), os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(new)
        finally:
            os.close(new)
        yield ns
    finally:
        enter(old)
        os.close(old)


class Namespace:
    """A network namespace with the loopback interface up. It goes away at close(), and with it
    all interfaces that were made in it.

    Its IPv6 is there at once and quiet: no duplicate address detection, no router solicitation.
    With ipv6=False there is none, and interfaces say nothing by themselves.
    """

    def __init__(self, hint="ns", ipv6=True):
        self.name = f"vs{hint}-{os.getpid()}-{next(NUMBERS)}"
        self.path = f"/run/netns/{self.name}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        for name, value in (("accept_dad", 0), ("router_solicitations", 0), ("accept_ra", 0),
                            ("disable_ipv6", int(not ipv6))):
            for which in ("all", "default"):
                self.sysctl(f"ipv6/conf/{which}/{name}", value)
        self.exec("ip", "link", "set", "lo", "up")

    def sysctl(self, name, value):
        """Write /proc/sys/net/NAME of this namespace."""
        with in_ns(self):
            pathlib.Path("/proc/sys/net", name).write_text(str(value))

    def exec(self, *words, check=True, timeout=30):
        """Run a program in it to its end; returns the finished process (text)."""
        with in_ns(self):
            done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  check=False, timeout=timeout)
        assert done.returncode == 0 or not check, f"{words}: {done.stdout}{done.stderr}"
        return done

    def popen(self, *words, **how):
        """Start a program in it."""
        how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
               "stderr": subprocess.STDOUT, "text": True, **how}
        with in_ns(self):
            return subprocess.Popen([str(w) for w in words], **how)

    def ip(self, *words):
        """Run ip(8), which must succeed."""
        return self.exec("ip", *words).stdout

    def ip_json(self, *words):
        """What `ip -j -d` prints."""
        return json.loads(self.exec("ip", "-j", "-d", *words).stdout or "[]")

    def links(self):
        """Names of all interfaces."""
        return {row["ifname"] for row in self.ip_json("link", "show")}

    def link(self, ifname):
        """The row of `ip -j -d link show IFNAME`."""
        return self.ip_json("link", "show", "dev", ifname)[0]

    def addrs(self, ifname):
        """{"192.0.2.1/24", ...} of an interface, addresses that the kernel made itself left out."""
        rows = self.ip_json("addr", "show", "dev", ifname)
        return {f"{one['local']}/{one['prefixlen']}" for row in rows if row
                for one in row.get("addr_info", ()) if one["scope"] != "link"}

    def ping(self, address, count=1, seconds=5, check=True):
        """ping(8) from it; returns whether every one was answered."""
        done = self.exec("ping", "-n", "-c", count, "-i", "0.2", "-w", seconds, address,
                         check=False, timeout=seconds + 10)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.returncode == 0

    def close(self):
        """Remove it."""
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def finish_checksums(ns, ifname):
    """Have the kernel finish checksums and segments of what it sends on an interface, as it must
    for a network card that offers nothing; veth hands unfinished frames on."""
    value = ctypes.create_string_buffer(struct.pack("=II", ETHTOOL_STXCSUM, 0))
    request = struct.pack("16sP16x", ifname.encode(), ctypes.addressof(value))
    with in_ns(ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)


def veth(ns_a, if_a, ns_b, if_b, mtu=1500, mac_a=None, mac_b=None):
    """A wire from one namespace to another; both ends are up and send finished frames."""
    ends = ((ns_a, if_a, mac_a), (ns_b, if_b, mac_b))
    ns_a.ip("link", "add", if_a, "mtu", mtu, "type", "veth",
            "peer", "name", if_b, "mtu", mtu, "netns", ns_b.name)
    for ns, ifname, address in ends:
        if address is not None:
            text = address if isinstance(address, str) else address.hex(":")
            ns.ip("link", "set", ifname, "address", text)
        finish_checksums(ns, ifname)
        ns.ip("link", "set", ifname, "up")


def parse_aux(ancillary):
    """The VLAN tag that the kernel took off a frame, or b""."""
    for level, kind, data in ancillary:
        if level != SOL_PACKET or kind != PACKET_AUXDATA:
            continue
        status, _, _, _, _, tci, tpid = struct.unpack_from("=IIIHHHH", data)
        if status & TP_STATUS_VLAN_VALID:
            tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
            return struct.pack("!HH", tpid, tci)
    return b""


class Station:
    """A raw socket on an interface: sends and receives whole frames, tags included. What the
    kernel or others send on the interface is not seen, what arrives on it is."""

    def __init__(self, ns, ifname):
        self.ns, self.ifname = ns, ifname
        with in_ns(ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((ifname, ETH_P_ALL))
        self.sock.setblocking(False)
        self.mac = self.sock.getsockname()[4]

    def send(self, frame, timeout=5.0):
        """Send a frame; waits while the interface's queue is full."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.sock.send(bytes(frame))
                return
            except (BlockingIOError, OSError) as error:
                if error.errno not in (11, 105) or time.monotonic() > end:
                    raise
            time.sleep(0.001)

    def recv(self, timeout=1.0):
        """A frame, or None when none came in time."""
        end = time.monotonic() + timeout
        while True:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(70000, 256)
                return data[:12] + parse_aux(ancillary) + data[12:]
            except BlockingIOError:
                pass
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return None

    def recv_all(self, timeout=0.0):
        """Everything until nothing has come for timeout seconds."""
        frames = []
        while (frame := self.recv(timeout)) is not None:
            frames.append(frame)
        return frames

    def expect(self, match=None, timeout=10.0):
        """The first frame for which match(frame) is true (bytes: which equals it); others are
        skipped. AssertionError if none comes."""
        if isinstance(match, (bytes, bytearray)):
            wanted = bytes(match)

            def match(frame):
                return frame == wanted
        end, others = time.monotonic() + timeout, []
        while (frame := self.recv(max(0.0, end - time.monotonic()))) is not None:
            if match is None or match(frame):
                return frame
            others.append(frame[:40].hex())
        raise AssertionError(f"{self.ifname}: not within {timeout} s; seen: {others[-20:]}")

    def silent(self, seconds=0.2, match=None):
        """AssertionError if a frame (for which match(frame) is true) comes within seconds."""
        end = time.monotonic() + seconds
        while (frame := self.recv(max(0.0, end - time.monotonic()))) is not None:
            assert match is not None and not match(frame), \
                f"{self.ifname}: unexpected frame of {len(frame)} bytes: {frame[:64].hex()}"

    def close(self):
        """Give the socket back."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


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
VOLATILE = ("macs", "fdb_used", "calls", "detail")


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
