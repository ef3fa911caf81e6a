# SPDX-License-Identifier: BSD-3-Clause
"""TCP streams whose bytes are compared, between programs in namespaces and guests."""

import hashlib
import random
import socket
import threading
import time

from netns import in_ns

CONNECT_SECONDS = 30
STREAM_SECONDS = 120
CHUNK = 64 * 1024
MIB = 1 << 20


class Stream(threading.Thread):
    """Work on a socket in the background; finish() returns its result or raises its error."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.result, self.error = sock, None, None
        sock.settimeout(STREAM_SECONDS)
        self.start()

    def work(self):
        """What the thread does."""
        raise NotImplementedError

    def run(self):
        """Keep what came of it for finish()."""
        try:
            with self.sock:
                self.result = self.work()
        except OSError as error:
            self.error = error

    def finish(self):
        """Wait for the end."""
        self.join(STREAM_SECONDS + 10)
        assert not self.is_alive(), f"{type(self).__name__} still at work"
        if self.error:
            raise self.error
        return self.result


class Sender(Stream):
    """Sends @size bytes, or without a size until finish(), with @pause seconds between pieces of
    64 KiB; `sent` says how far it is."""

    def __init__(self, sock, seed, size=None, pause=0.0):
        self.random, self.size, self.pause = random.Random(seed), size, pause
        self.sent, self.enough = 0, threading.Event()
        super().__init__(sock)

    def left(self):
        """How many bytes are next."""
        if self.size is None:
            return 0 if self.enough.is_set() else CHUNK
        return min(CHUNK, self.size - self.sent)

    def work(self):
        """Send it all; the result is the digest."""
        digest = hashlib.sha256()
        while count := self.left():
            data = self.random.randbytes(count)
            digest.update(data)
            self.sock.sendall(data)
            self.sent += count
            time.sleep(self.pause)
        return digest.hexdigest()

    def finish(self):
        """Wait for the end of the bytes, or end a stream without a size."""
        self.enough.set()
        return super().finish()

    def wait_sent(self, count):
        """Wait until @count bytes more than now are on their way."""
        deadline, goal = time.monotonic() + STREAM_SECONDS, self.sent + count
        while self.sent < goal:
            assert self.is_alive(), f"the stream ended at {self.sent} of {goal}: {self.error}"
            assert time.monotonic() < deadline, f"the stream stands at {self.sent} of {goal}"
            time.sleep(0.01)


class Sink(Stream):
    """Takes one connection and all that comes; `got` says how much that is."""

    def __init__(self, ns, address, port):
        self.got = 0
        with in_ns(ns):
            super().__init__(socket.create_server((address, port)))

    def work(self):
        """Receive to the end of the stream; the result is the digest."""
        digest = hashlib.sha256()
        sock, _ = self.sock.accept()
        sock.settimeout(STREAM_SECONDS)
        with sock:
            while data := sock.recv(CHUNK):
                digest.update(data)
                self.got += len(data)
        return digest.hexdigest()


def dial(ns, address, port):
    """Connect from a namespace; the other side may come up meanwhile."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        with in_ns(ns):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(1.0, deadline - time.monotonic()))
            sock.connect((address, port))
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def between(ns_a, ns_b, address_b, port, size=None, pause=0.0):
    """A stream from one namespace to another; returns (sender, sink)."""
    sink = Sink(ns_b, address_b, port)
    return Sender(dial(ns_a, address_b, port), port, size, pause), sink


def to_guest(ns, guest, address, port, size=None, pause=0.0):
    """A stream from a namespace to a guest; returns (sender, job): the job prints the digest."""
    job = guest.spawn(f"nc -l -p {port} < /dev/null | sha256sum")
    return Sender(dial(ns, address, port), port, size, pause), job


def from_guest(guest, ns, address, port, size):
    """A stream from a guest to a namespace; returns (digest, sink)."""
    sink = Sink(ns, address, port)
    digest = guest.check(f"head -c {size} /dev/urandom > /tmp/{port}; sha256sum < /tmp/{port}")
    guest.spawn(f"nc {address} {port} < /tmp/{port}; rm /tmp/{port}")
    return digest.split()[0], sink


def digest_of(job):
    """What a guest's sha256sum says in the end."""
    status, output = job.wait(STREAM_SECONDS)
    assert status == 0, output
    return output.split()[0]


def exchange(ns, address, guest, guest_address, port, size=4 * MIB):
    """One stream each way at the same time, from and to a guest; no byte may differ."""
    digest, sink = from_guest(guest, ns, address, port, size)
    sender, job = to_guest(ns, guest, guest_address, port + 1, size)
    assert sender.finish() == digest_of(job)
    assert sink.finish() == digest and sink.got == size
