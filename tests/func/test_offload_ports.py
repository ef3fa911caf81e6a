# SPDX-License-Identifier: BSD-3-Clause
"""The mask matrix (test_offload_matrix.py) with the host, a guest on a TAP and an uplink at the
other end: guests with all their masks send to them, and they send to guests with all theirs."""

import itertools
import os
import signal
import struct

import pytest

import net
from frames import BROADCAST, KIND, frame, text
from lan import Lan
from masks import KINDS, LEAVES, MAC_A, MAC_B, MTU, case, judge
from netns import SOL_PACKET, Namespace, Station
from offloads import OFFERED, SENDS, TAKES
from uplinks import External, Veth
from verify import check_header, cut, take_apart
from vsguest import F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6, Hdr
from watch import wait_for

session_daemon = net.session_daemon
pytestmark = pytest.mark.once

PACKET_VNET_HDR = 15
IFF_VNET_HDR = 0x4000
F_GUEST_ECN = 1 << 9
DATA_VALID = 2
MAC_B2 = bytes([2, 0, 0, 0, 0, 0xb2])    # MAC_B is behind the wire
MARKS = itertools.count(1)
# A tag would be taken off by the host's kernel.
UNTAGGED = [kind for kind in KINDS if kind != "tcp tagged"]
SIZES = ("1", "small", "1500", "9000", "64k by 1500", "64k by 9000", "64k by 555")
# A packet socket's frame of 64 KiB and its Ethernet header are more than the kernel leaves whole.
HOST_SIZES = ("1", "small", "1500", "9000", "60k by 1500", "60k by 9000")
PATIENCE = 10.0


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


class HostEye(Station):
    """A station that sees virtio headers, and writes them, as the host's kernel has them."""

    def __init__(self, ns, ifname):
        super().__init__(ns, ifname)
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)

    def look(self):
        """(frame, virtio header), or None."""
        data = self.recv(PATIENCE)
        if data is None:
            return None
        hdr, raw = Hdr.from_buffer_copy(data[:10].ljust(12, b"\0")), data[10:]
        if hdr.gso_type:
            hdr.hdr_len = take_apart(raw).data      # the kernel's is a hint, of no use here
        return raw, hdr


class HostPort:
    """The host, by an interface of its own."""

    takes = F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN

    def __init__(self, daemon, rundir, host):
        self.lan = Lan(daemon, rundir, "lan", ("internal",))
        daemon.check("port", "add", "h", "switch", "lan", "type", "host", "mtu", MTU,
                     "mac", "any")
        self.eye, self.name = HostEye(host, "h"), "h"
        self.put(frame(BROADCAST, MAC_B))

    def put(self, raw, hdr=None):
        """Send a frame."""
        self.eye.send((bytes(hdr)[:10] if hdr else bytes(10)) + raw)

    def look(self):
        """(frame, virtio header), or None."""
        return self.eye.look()

    def close(self):
        """Remove it."""
        self.eye.close()
        self.lan.close()


class TapGuest:
    """A VMM that reads whole and finished frames from a TAP."""

    takes = 0

    def __init__(self, daemon, rundir, host, flags=0):
        self.lan, self.name = Lan(daemon, rundir, "lan", ("internal",)), "t"
        daemon.check("port", "add", "t", "switch", "lan", "type", "guest", "tap", "tap0")
        self.vmm = net.Tap(host, "tap0", flags)
        host.ip("link", "set", "tap0", "mtu", MTU, "txqueuelen", 2000)
        self.lan.wait("t", lambda row: row["up"] and row["mtu"] == MTU)
        self.put(frame(BROADCAST, MAC_B))

    def put(self, raw):
        """Send a frame."""
        self.vmm.send(raw)

    def look(self):
        """(frame, no virtio header), or None."""
        one = self.vmm.recv(PATIENCE)
        return one and (one, Hdr())

    def close(self):
        """Remove it."""
        self.vmm.close()
        self.lan.close()


class Uplink:
    """A wire behind an xdp uplink, with a station at its end."""

    takes = 0

    def __init__(self, daemon, rundir, host):
        self.wire = Veth(host, daemon, rundir, mtu=MTU)
        self.lan = External(daemon, rundir, self.wire, "share-host", "off")
        self.name = self.lan.uplink
        self.lan.station.send(frame(BROADCAST, MAC_B))

    def look(self):
        """(frame, no virtio header), or None. A wire's frames have 60 bytes at least."""
        one = self.lan.station.recv(PATIENCE)
        if one and len(one) == 60 and one[12:14] == b"\x08\x00":
            one = one[:14 + struct.unpack_from("!H", one, 16)[0]]
        return one and (one, Hdr())

    def close(self):
        """Remove it, and the wire."""
        self.lan.daemon.check("switch", "del", "lan", "force")
        self.lan.close()
        self.wire.close()


PORTS = {"host": HostPort, "tap": TapGuest, "xdp": Uplink}


def seen_by(port, sender):
    """All that came since the last mark; the sender sends another."""
    mark = frame(MAC_B, MAC_A, 80, seed=next(MARKS))
    sender.send(mark)
    sender.flush(timeout=5.0)
    got = []
    while True:
        one = port.look()
        assert one is not None, f"{len(got)} frames came, and no end"
        if one[0] == mark:
            return got
        if one[0][6:12] == MAC_A and one[0][12:14] != KIND:
            got.append(one)


def send_all(port, a, leaves):
    """Everything that there is, from guest a."""
    for kind, version, size in itertools.product(UNTAGGED, (4, 6), SIZES):
        one = case(kind, version, size)
        sent = one.sent_with(leaves)
        for raw, hdr in sent:
            a.send(raw, hdr=hdr, kick=False)
        try:
            judge(one, sent, seen_by(port, a), port.takes)
        except AssertionError as error:
            raise AssertionError(f"{kind}, IPv{version}, {size}: {error}") from error


@pytest.mark.parametrize("kind", PORTS)
@pytest.mark.parametrize("leaves", LEAVES)
def test_from_guests(vmswitchd, rundir, host, kind, leaves):
    """Whatever a guest leaves undone is what the port takes, or is finished."""
    port = PORTS[kind](vmswitchd, rundir, host)
    try:
        leaves = LEAVES[leaves]
        a = port.lan.add("a", mac=MAC_A, tx_buf_len=70000, mem_mib=64, add=leaves,
                         without=OFFERED & ~leaves)
        wait_for(port.lan.fdb, lambda fdb: fdb.get(text(MAC_B)) == port.name)
        send_all(port, a, leaves)
        assert vmswitchd.drops("a") == {}
        assert not {"mtu_out", "gso_failed", "host_full", "uplink_full"} & \
            set(vmswitchd.drops(port.name))
    finally:
        port.close()


def received(guest, count):
    """(frame, virtio header) of the next frames; those of others are skipped."""
    got = []
    while len(got) < count:
        one = guest.recv(PATIENCE)
        assert one is not None, f"{len(got)} of {count} frames came"
        if one[6:12] == MAC_A and one[12:14] != KIND:
            got.append((one, guest.last_hdr()))
    return got


class TapVmm(TapGuest):
    """The same with a VMM that leaves undone what its guest does."""

    def __init__(self, daemon, rundir, host):
        super().__init__(daemon, rundir, host, IFF_VNET_HDR)

    def put(self, raw, hdr=None):
        """Send a frame."""
        self.vmm.send((bytes(hdr)[:10] if hdr else bytes(10)) + raw)


SOURCES = {"host": HostPort, "tap": TapVmm}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("takes", TAKES)
def test_to_guests(vmswitchd, rundir, host, kind, takes):
    """What the host's kernel, or the VMM behind a TAP, leaves undone is what a guest takes, or is
    finished. UDP is cut by the sender itself: neither has a way to leave it to the switch."""
    port, takes = SOURCES[kind](vmswitchd, rundir, host), TAKES[takes]
    try:
        b = port.lan.add("b", mac=MAC_B, rx_shape=[4096], ring_size=1024, add=takes,
                         without=OFFERED & ~takes)
        b.send(frame(BROADCAST, MAC_B))
        wait_for(port.lan.fdb, lambda fdb: fdb.get(text(MAC_B)) == "b")
        for what, version, size in itertools.product(UNTAGGED, (4, 6), HOST_SIZES):
            one = case(what, version, size)
            sent = one.sent_with(SENDS if what != "udp" else LEAVES["csum"])
            whole = len(sent) == 1 and not one.needs & ~takes
            for raw, hdr in sent:
                port.put(raw, hdr)
            got = received(b, 1 if whole else one.count)
            try:
                judge(one, sent, got, takes)
            except AssertionError as error:
                raise AssertionError(f"{what}, IPv{version}, {size}: {error}") from error
        assert b.recv(0) is None
        assert vmswitchd.drops("b") == {}
    finally:
        port.close()


def apart(raw, hdr, takes):
    """The finished frames that a packet stands for, which may be several merged ones."""
    seen = take_apart(raw)
    if hdr.flags == DATA_VALID:
        assert takes & F_GUEST_CSUM and seen.is_finished()
        return [raw]
    check_header(seen, hdr, takes & F_GUEST_CSUM)
    return cut(seen, hdr.gso_size or len(raw)) if hdr.flags else [raw]


def at_once(daemon, station, frames):
    """Send frames so that the switch finds them all in one burst."""
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        for one in frames:
            station.send(one)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


@pytest.mark.parametrize("takes", TAKES)
def test_from_the_wire(vmswitchd, rundir, host, takes):
    """What comes from a wire is finished, and may come merged to a guest that cuts it again: the
    frames that a packet stands for are those of the wire, in their order."""
    port, takes = Uplink(vmswitchd, rundir, host), TAKES[takes]
    try:
        b = port.lan.add("b", mac=MAC_B2, rx_shape=[4096], ring_size=1024, add=takes,
                         without=OFFERED & ~takes)
        b.send(frame(BROADCAST, MAC_B2))
        wait_for(port.lan.fdb, lambda fdb: fdb.get(text(MAC_B2)) == "b")
        packets = frames = 0
        for what, version, size in itertools.product(UNTAGGED, (4, 6), HOST_SIZES):
            sent = [MAC_B2 + one[6:] for one in case(what, version, size).pieces]
            at_once(vmswitchd, port.lan.station, sent)
            got = []
            while len(got) < len(sent):
                raw = b.recv(PATIENCE)
                assert raw is not None, f"{len(got)} of {len(sent)} frames came"
                if raw[6:12] == MAC_A:
                    got += apart(raw, b.last_hdr(), takes)
                    packets += 1
            assert got == sent, (what, version, size)
            frames += len(sent)
        print(f"{frames} frames came as {packets} packets")
        assert packets < frames if takes & F_GUEST_TSO4 else packets == frames
        assert b.recv(0) is None
        assert vmswitchd.drops("b") == {}
    finally:
        port.close()
