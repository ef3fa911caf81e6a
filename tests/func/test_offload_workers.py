# SPDX-License-Identifier: BSD-3-Clause
"""Long frames under way while others write to the same port, and while their receiver changes
what it takes: with two workers, whatever waits for the other one is delivered as its receiver takes
it."""

import itertools
import os
import threading
import time

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from frames import cross, frame, mac, noise, teach, text
from lan import own_daemon
from masks import MTU
from offloads import GSO_TCP4, NEEDS_CSUM, OFFERED, SENDS, TAKES
from verify import check_header, cut, finish, take_apart
from vsguest import F_GUEST_CSUM, F_GUEST_TSO4, Hdr

pytestmark = pytest.mark.once

CPUS = sorted(os.sched_getaffinity(0))
PATIENCE = 20.0
ROUNDS = 20
EACH = 6                # long frames of each sender in a round; all its segments fit into one ring
SIZE, MSS = 60000, 1400
RESTARTS = 24


@pytest.fixture(scope="module")
def session_daemon(request):
    """A daemon with two workers."""
    with own_daemon("--cpu", f"{CPUS[0]},{CPUS[-1]}", config=request.config) as daemon:
        yield daemon


class Sender:
    """A guest with long frames of its own, numbered by their payload."""

    def __init__(self, lan, name, number):
        self.guest = lan.add(name, "mtu", MTU, mac=mac(number), tx_buf_len=70000, mem_mib=64,
                             add=SENDS)
        self.name, self.home = name, lan.port(name)["worker"]
        self.frames = self.wanted = ()

    def prepare(self, lan):
        """What it sends, now that the receiver is known."""
        made = []
        for n in range(EACH):
            raw = bytes(Ether(src=text(self.guest.mac), dst=text(lan.guests["b"].mac)) /
                        IP(src="10.0.0.1", dst="10.0.0.2", id=1000 * n) /
                        TCP(seq=n * SIZE, flags="PA") / Raw(noise(SIZE, f"{self.name} {n}")))
            made.append(take_apart(bytes(Ether(raw))))
        self.frames = [(finish(one.eth + one.ip, one.head, one.payload, one, finished=False),
                        Hdr(flags=NEEDS_CSUM, csum_start=one.l4, csum_offset=16, gso_size=MSS,
                            gso_type=GSO_TCP4)) for one in made]
        self.wanted = made

    def expect(self, takes):
        """What a receiver gets of it, in order."""
        if takes & F_GUEST_TSO4:
            return [raw for raw, _ in self.frames]
        return [raw for one in self.wanted
                for raw in cut(one, MSS, finished=not takes & F_GUEST_CSUM)]

    def send(self):
        """Hand everything over at once."""
        for raw, hdr in self.frames:
            self.guest.send(raw, hdr=hdr, kick=False)
        self.guest.tx.publish()
        self.guest.tx.kick()


def scene(lan, takes):
    """Two senders, each on a worker of its own, and the receiver b."""
    senders = [Sender(lan, "a", 1), Sender(lan, "c", 2)]
    assert sorted(one.home for one in senders) == [0, 1]
    b = lan.add("b", "mtu", MTU, mac=mac(3), rx_shape=[4096], ring_size=1024, mem_mib=64,
                add=OFFERED & ~SENDS, without=SENDS)
    restart(lan, b, takes)
    teach(lan, "a", "b", "c")
    for one in senders:
        one.prepare(lan)
    return senders, b


def restart(lan, b, takes):
    """The receiver's driver starts anew, and takes something else."""
    b.stop()
    b.reset()
    b.raw.features = b.raw.features & ~OFFERED | takes
    b.start()
    lan.wait("b", lambda row: row["up"])


def received(b, count):
    """{source: frames} of the next so many; each has the header that belongs to it."""
    got, end = {}, time.monotonic() + PATIENCE
    for n in range(count):
        raw = b.recv(max(0.0, end - time.monotonic()))
        assert raw is not None, f"{n} of {count} frames came"
        check_header(take_apart(raw), b.last_hdr(), b.features & F_GUEST_CSUM)
        got.setdefault(raw[6:12], []).append(raw)
    return got


@pytest.mark.parametrize("takes", ["none", "csum", "all"])
def test_two_workers_to_one(lan, takes):
    """Both senders' frames come, each one's in order, whole or in segments, and none is lost."""
    senders, b = scene(lan, TAKES[takes])
    want = {one.guest.mac: one.expect(TAKES[takes]) for one in senders}
    for _ in range(ROUNDS):
        for one in senders:
            one.send()
        assert received(b, sum(map(len, want.values()))) == want
    for one in senders:
        one.guest.flush(timeout=PATIENCE)
    assert b.recv(0) is None
    for name in "abc":
        assert lan.daemon.drops(name) == {}
    assert all(row["frames"] for row in lan.daemon.json("worker", "show"))


class Busy(threading.Thread):
    """Senders that send without end, as their rings go."""

    def __init__(self, senders):
        super().__init__(daemon=True)
        self.senders, self.ended, self.error = senders, threading.Event(), None
        self.start()

    def run(self):
        """Send, until stop()."""
        try:
            while not self.ended.is_set():
                for one in self.senders:
                    one.send()
                for one in self.senders:
                    one.guest.flush(timeout=PATIENCE)
        except Exception as error:      # handed to stop()
            self.error = error

    def stop(self):
        """The end of it."""
        self.ended.set()
        self.join(PATIENCE)
        if self.error:
            raise self.error


def test_the_receiver_changes_its_mind(lan):
    """A guest starts its rings anew with other features, again and again, under traffic: what comes
    afterwards is what it takes now, also what had waited for the other worker."""
    senders, b = scene(lan, 0)
    busy = Busy(senders)
    try:
        for _, name in zip(range(RESTARTS), itertools.cycle(TAKES)):
            takes = TAKES[name]
            restart(lan, b, takes)
            allowed = {raw for one in senders for raw in one.expect(takes)}
            whole = {raw for one in senders for raw, _ in one.frames}
            for _ in range(200):
                raw = b.recv(PATIENCE)
                assert raw is not None, f"{name}: no traffic"
                hdr = b.last_hdr()
                check_header(take_apart(raw), hdr, takes & F_GUEST_CSUM)
                assert raw in allowed, f"{name}: {len(raw)} bytes, flags {hdr.flags}"
                assert bool(hdr.gso_type) == (raw in whole)
    finally:
        busy.stop()
    told = {name: lan.daemon.drops(name) for name in "abc"}
    print(told)
    assert not told["a"] and not told["c"]
    assert told["b"].keys() <= {"port_down", "rx_full", "tx_busy", "gso_failed"}
    b.recv_all(0.1)
    last = frame(b.mac, senders[0].guest.mac, 200)
    assert cross(senders[0].guest, last, b) == [[last]]
