# SPDX-License-Identifier: BSD-3-Clause
"""Frames for the functional tests, and ways to send them.

No test waits for "nothing comes": the switch gives a sender's descriptors back after everything
was delivered, so behind Guest.flush() whatever a receiver does not have is not coming.
"""

import ctypes as c
import random
import threading

from vsguest_ffi import check, lib
from watch import wait_for

BROADCAST = b"\xff" * 6
KIND = b"\x88\xb5"      # EtherType for experiments (IEEE 802, local)
STRANGER = bytes.fromhex("02ee00000000")    # an address that nobody has


def mac(n, base=0x0211):
    """The n'th of a row of unicast addresses."""
    return base.to_bytes(2, "big") + n.to_bytes(4, "big")


def text(address):
    """An address as the command prints it."""
    return address.hex(":")


def noise(size, seed=0):
    """The same random bytes each time."""
    return random.Random(f"{seed}-{size}").randbytes(size)


def frame(dst, src, size=60, seed=0, kind=KIND):
    """A frame of so many bytes; kind: everything between the addresses and the payload."""
    head = dst + src + kind
    return (head + noise(max(0, size - len(head)), seed))[:size]


def cross(sender, frames, *receivers):
    """Send frames; returns what each receiver has when all of them were handled."""
    for one in frames if isinstance(frames, list) else [frames]:
        sender.send(one)
    sender.flush()
    return [one.recv_all(0) for one in receivers]


def many(sender, frames):
    """Send frames as fast as we can, and wait until all of them were handled."""
    sender.send_many(frames)
    sender.flush(timeout=5.0)


def teach(lan, *names):
    """Let the switch learn where guests are; their frames are taken from the receivers."""
    for name in names:
        guest = lan.guests[name]
        cross(guest, frame(BROADCAST, guest.mac))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(guest.mac)) == name)
    for guest in lan.guests.values():
        for pair in range(guest.raw.cfg.queue_pairs):
            guest.recv_all(0, pair)


class Iovec(c.Structure):
    """struct iovec."""
    _fields_ = [("base", c.c_char_p), ("len", c.c_size_t)]


class Traffic:
    """A thread that sends for some guests as fast as the rings go, and empties their rings and
    those of others; all of them belong to it until it has stopped."""

    def __init__(self, senders, receivers=()):
        """senders: {guest: frames}."""
        self.all = [*senders, *receivers]
        self.senders = list(senders)
        self.error = None
        self.bytes = c.c_uint64()       # received, virtio headers included
        for guest, frames in senders.items():
            array = (Iovec * len(frames))(*[Iovec(f, len(f)) for f in frames])
            check(lib.vsg_net_tx_prefill(guest._g, 0, array, len(frames)), "prefill")
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _drain(self):
        return sum(check(lib.vsg_net_rx_drain(one._g, 0, 4096, c.byref(self.bytes)), "drain")
                   for one in self.all)

    def _run(self):
        try:
            while not self.stopping.is_set():
                for one in self.senders:
                    check(lib.vsg_net_tx_repost(one._g, 0, 4096), "repost")
                self._drain()
            for one in self.senders:
                one.flush(timeout=5.0)
            while self._drain():
                pass
        except Exception as error:      # handed to whoever stops us
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        self.thread.join()
        if self.error is not None and exc[0] is None:
            raise self.error
