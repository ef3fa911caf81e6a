# SPDX-License-Identifier: BSD-3-Clause
"""Two good guests that talk to each other while somebody else misbehaves.

A thread of its own sends numbered frames both ways between the ports `va` and `vb`, a few at a
time, and waits for each of them. What comes late, twice, out of order, changed or not at all is
noted; Victim.check() raises if anything was. Both are on the attacker's own switch.
"""

import struct
import threading
import time

from frames import KIND, mac

PATIENCE = 10.0                 # seconds after which a frame is lost
BURST = 8
PACE = 0.0005                   # seconds between two rounds, so that others get the core as well


def numbered(dst, src, number, size=200):
    """A frame that carries a number and is filled up with what follows from it."""
    body = struct.pack("!Q", number)
    return (dst + src + KIND + body * (size // 8))[:size]


def number_of(frame):
    """The number of a frame made by numbered()."""
    return struct.unpack_from("!Q", frame, 14)[0]


class Way:
    """One direction: frames from one guest to the other, and what became of them."""

    def __init__(self, src, dst):
        self.src, self.dst = src, dst
        self.sent = self.seen = 0       # numbers: next to send, next to come
        self.lost = self.twice = self.changed = self.foreign = 0

    def send(self):
        """A burst of frames of various sizes."""
        numbers = range(self.sent, self.sent + BURST)
        self.sent += BURST
        self.src.send_many([self.frame(n) for n in numbers], timeout=PATIENCE)

    def frame(self, number):
        """The frame of that number; every now and then one of several buffers."""
        return numbered(self.dst.mac, self.src.mac, number, 4000 if number % 64 == 63 else 200)

    def take(self, frame):
        """Judge a frame that came."""
        if frame[6:12] != self.src.mac or frame[:6] != self.dst.mac:
            self.foreign += 1           # floods of others
            return
        number = number_of(frame)
        if frame != self.frame(number):
            self.changed += 1
        if number < self.seen:
            self.twice += 1             # again, or behind a later one
            return
        self.lost += number - self.seen
        self.seen = number + 1

    def receive(self):
        """Wait for everything that was sent."""
        end = time.monotonic() + PATIENCE
        while self.seen < self.sent:
            left = end - time.monotonic()
            frame = self.dst.recv(max(left, 0))
            if frame is not None:
                self.take(frame)
            elif left <= 0:
                self.lost += self.sent - self.seen
                self.seen = self.sent

    def report(self):
        """What went wrong, by name; empty when nothing did."""
        return {name: getattr(self, name) for name in ("lost", "twice", "changed")
                if getattr(self, name)}


class Victim:
    """The pair. Use as a context: traffic runs inside of it."""

    def __init__(self, lan, names=("va", "vb")):
        self.lan, self.names = lan, names
        self.a = lan.add(names[0], mac=mac(0xa1))
        self.b = lan.add(names[1], mac=mac(0xb1))
        self.ways = [Way(self.a, self.b), Way(self.b, self.a)]
        self.rounds = 0
        self.worst = 0.0        # seconds of the longest round
        self.failure = None
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        self.progress()
        return self

    def __exit__(self, *exc):
        self.stop()

    def _run(self):
        try:
            while not self._stop:
                begin = time.monotonic()
                for way in self.ways:
                    way.send()
                for way in self.ways:
                    way.receive()
                self.worst = max(self.worst, time.monotonic() - begin)
                self.rounds += 1
                time.sleep(PACE)
        except Exception as error:      # to be told by check(), whatever it is
            self.failure = error

    def progress(self, rounds=10, timeout=10.0):
        """Wait until so many more rounds are through: workers have visited every port since."""
        goal = self.rounds + rounds
        end = time.monotonic() + timeout
        while self.rounds < goal and self.failure is None:
            assert time.monotonic() < end, "the good pair does not get on"
            time.sleep(0.001)
        if self.failure is not None:
            raise self.failure

    def stop(self):
        """End the traffic."""
        self._stop = True
        if self._thread.is_alive():
            self._thread.join()

    def told(self):
        """What the switch says of the pair."""
        return {name: (self.lan.stats(name), self.lan.daemon.drops(name), self.worst)
                for name in self.names}

    def check(self, worst=8.0):
        """Traffic still flows, and nothing of it was harmed or held up, from the beginning on."""
        self.progress()
        for way in self.ways:
            assert not way.report(), (way.src.path, way.dst.path, way.report(), self.told())
        assert self.worst < worst, f"a round of the good pair took {self.worst:.2f} s"
        for name in self.names:
            assert not self.lan.daemon.drops(name), (name, self.lan.daemon.drops(name))
