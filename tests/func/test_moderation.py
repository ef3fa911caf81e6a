# SPDX-License-Identifier: BSD-3-Clause
"""Interrupts to a guest wait for more frames, as its port says, and not longer: seen on the call
descriptors of its rings."""

import os
import select
import time

import pytest

from frames import frame, mac, teach
from vsguest import F_EVENT_IDX
from watch import wait_for

LEVELS = {"low": (50, 8), "medium": (100, 16), "high": (180, 32)}      # as the switch keeps them


class Calls:
    """The interrupts of a receive ring of a guest that wants one for each frame."""

    def __init__(self, guest, pair=0):
        self.ring = guest.rings[2 * pair]
        self.fd = self.ring.raw.call_fd
        os.set_blocking(self.fd, False)
        self.ring.avail_flags = 0
        self.take()

    def take(self):
        """How many there were since the last look."""
        try:
            return int.from_bytes(os.read(self.fd, 8), "little")
        except BlockingIOError:
            return 0

    def wait(self, timeout=5.0):
        """Wait for some; how many."""
        assert select.select([self.fd], [], [], timeout)[0], "no interrupt came"
        return self.take()


def deliver(a, b, seed=0):
    """Send a frame, and wait until it lies in the ring, whoever is told of it."""
    before = b.rx.used_idx
    a.send(frame(b.mac, a.mac, 100, seed=seed))
    end = time.monotonic() + 10
    while b.rx.used_idx == before:
        assert time.monotonic() < end


@pytest.fixture
def pair(lan):
    """Guests a and b; b is called by the flag, not by an index."""
    a = lan.add("a", mac=mac(0xa))
    b = lan.add("b", mac=mac(0xb), without=F_EVENT_IDX)
    for one, other in ((a, b), (b, a)):
        one.send(frame(other.mac, one.mac, 100))
        assert other.recv(5.0) is not None
    return a, b


def moderate(lan, name, level):
    """Set the level, and see that it is shown."""
    lan.daemon.check("port", "set", name, "moderation", level)
    assert lan.port(name)["moderation"] == level


def test_off(lan, pair):
    """One for each frame: so it is by default."""
    a, b = pair
    assert lan.port("b")["moderation"] == "off"
    calls = Calls(b)
    for seed in range(50):
        deliver(a, b, seed)
    assert wait_total(calls, 50) == 50


def wait_total(calls, n):
    """Wait until there were so many; how many there were."""
    seen, end = 0, time.monotonic() + 5
    while seen < n and time.monotonic() < end:
        seen += calls.take()
    return seen


@pytest.mark.parametrize("level", LEVELS)
def test_a_stream_is_told_of_less_often(lan, pair, level):
    """Never more often than its time and its number of frames allow."""
    a, b = pair
    us, frames = LEVELS[level]
    moderate(lan, "b", level)
    calls = Calls(b)
    begin = time.perf_counter()
    for seed in range(200):
        deliver(a, b, seed)
    last = calls.wait()
    took = (time.perf_counter() - begin) * 1e6
    wait_for(lambda: lan.daemon.json("worker", "show")[0]["state"], lambda s: s == "parked")
    last += calls.take()
    print(f"\n{level}: {last} interrupts for 200 frames in {took:.0f} us")
    assert 1 <= last <= took / us + 200 / frames + 1


@pytest.mark.parametrize("level", [*LEVELS, "adaptive"])
def test_none_is_lost(lan, pair, level):
    """A single frame, with nothing behind it, is told of, once, and the worker sleeps then."""
    a, b = pair
    moderate(lan, "b", level)
    calls = Calls(b)
    times = []
    for seed in range(30):
        deliver(a, b, seed)
        begin = time.perf_counter()
        assert calls.wait() == 1
        times.append((time.perf_counter() - begin) * 1e6)
        if seed % 5 == 0:
            wait_for(lambda: lan.daemon.json("worker", "show")[0]["state"],
                     lambda state: state == "parked")
    assert calls.take() == 0
    print(f"\n{level}: told {sorted(times)[15]:.0f} us after the frame was there (median)")


def test_a_full_burst_is_told_of_at_once(lan, pair):
    """As many frames as may wait do not wait."""
    a, b = pair
    moderate(lan, "b", "high")
    calls = Calls(b)
    before = b.rx.used_idx
    a.send_many([frame(b.mac, a.mac, 100, seed=n) for n in range(64)])
    wait_for(lambda: (b.rx.used_idx - before) & 0xffff, lambda n: n == 64)
    assert 1 <= wait_total(calls, 1) <= 3


def test_a_guest_that_looks_is_not_called(lan):
    """With an index: it has taken the frames when the time is up, so it is not told of them."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    for one, other in ((a, b), (b, a)):
        one.send(frame(other.mac, one.mac, 100))
        assert other.recv(5.0) is not None
    moderate(lan, "b", "high")
    calls = Calls(b)
    b.rx.used_event = b.rx.used_idx
    deliver(a, b)
    assert calls.wait() == 1
    b.rx.used_event = (b.rx.used_idx + 1) & 0xffff      # not of the next one
    deliver(a, b)
    wait_for(lambda: lan.daemon.json("worker", "show")[0]["state"], lambda s: s == "parked")
    assert calls.take() == 0
    deliver(a, b)
    assert calls.wait() == 1


def test_each_pair_has_its_own(lan):
    """Frames of a queue pair are told of on the ring that they lie in."""
    a = lan.add("a", mac=mac(0xa), queue_pairs=4)
    b = lan.add("b", mac=mac(0xb), queue_pairs=4, without=F_EVENT_IDX)
    teach(lan, "a", "b")
    moderate(lan, "b", "medium")
    calls = [Calls(b, n) for n in range(4)]
    seen = set()
    for kind in range(0x9000, 0x9080):
        before = [ring.used_idx for ring in b.rings[::2]]
        a.send(frame(b.mac, a.mac, 100, kind=kind.to_bytes(2, "big")), pair=kind % 4)
        moved = wait_for(lambda old=before: [n for n in range(4)
                                             if b.rings[2 * n].used_idx != old[n]], bool)
        assert len(moved) == 1
        assert calls[moved[0]].wait() == 1
        assert [one.take() for one in calls] == [0] * 4
        seen.update(moved)
        if len(seen) == 4:
            break
    assert len(seen) == 4


def test_a_ring_that_stops_is_told(lan, pair):
    """What is owed is not forgotten when the ring stops, nor when the port moves."""
    a, b = pair
    moderate(lan, "b", "high")
    calls = Calls(b)
    for seed in range(20):
        deliver(a, b, seed)
        b.step_ring_enable(0, 0)
        assert calls.wait() >= 1
        b.step_ring_enable(0, 1)
        lan.wait("b", lambda row: row["up"])
        calls.take()


def test_set(lan, vmswitchd, rundir):
    """By add and by set, kept, taken back with a batch that fails; and what is no guest on a
    socket has none."""
    lan.add("a", "moderation", "medium", start=False)
    assert lan.port("a")["moderation"] == "medium"
    assert "moderation medium" in vmswitchd.check("config", "show")
    moderate(lan, "a", "adaptive")
    batch = rundir / "batch"
    batch.write_text("port set a moderation low\nport set nobody moderation low\n")
    assert vmswitchd.run("-f", batch).returncode != 0
    assert lan.port("a")["moderation"] == "adaptive"
    moderate(lan, "a", "off")
    assert "moderation" not in vmswitchd.check("config", "show")
    for word in ("", "on", "0", "lowest"):
        assert vmswitchd.run("port", "set", "a", "moderation", word).returncode == 2
