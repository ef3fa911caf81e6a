# SPDX-License-Identifier: BSD-3-Clause
"""A TCP connection from one namespace to another that carries data all the time, each byte of
which is checked."""

import random
import socket
import threading
import time

from netns import in_ns

PATTERN = random.Random("stream").randbytes(1 << 20) + b"odd length"
BLOCK = 65536
PACE = 0.002            # seconds between two blocks: about 30 MB/s, so that others run, too


class Stream:
    """Use as a context: data flows inside of it, and all of it has come at its end. size: stop
    after so many bytes, and do not pace."""

    def __init__(self, source, sink, address, size=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.size, self.received, self.sent = size, 0, 0
        self.error, self.stopping = None, threading.Event()
        with in_ns(sink), socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.bind((address, 0))
            listener.listen(1)
            listener.settimeout(20)
            with in_ns(source):
                self.tx = socket.create_connection(listener.getsockname()[:2], timeout=20)
            self.rx, _ = listener.accept()
        self.rx.settimeout(20)
        self.threads = [threading.Thread(target=self._guard, args=(one,), daemon=True)
                        for one in (self._send, self._receive)]

    def _guard(self, work):
        try:
            work()
        except Exception as error:      # handed to whoever looks
            self.error = self.error or error

    def _send(self):
        while not self.stopping.is_set() and self.sent != self.size:
            at = self.sent % len(PATTERN)
            block = PATTERN[at:at + BLOCK]
            if self.size is not None:
                block = block[:self.size - self.sent]
            self.tx.sendall(block)
            self.sent += len(block)
            if self.size is None:
                time.sleep(PACE)
        self.tx.shutdown(socket.SHUT_WR)

    def _receive(self):
        while block := self.rx.recv(4 * BLOCK):
            at = self.received % len(PATTERN)
            expected = PATTERN[at:at + len(block)]
            while len(expected) < len(block):
                expected += PATTERN[:len(block) - len(expected)]
            assert block == expected, f"other bytes than were sent, near {self.received}"
            self.received += len(block)

    def progress(self, size, timeout=30.0):
        """Wait until so many more bytes came."""
        goal, end = self.received + size, time.monotonic() + timeout
        while self.received < goal:
            if self.error:
                raise self.error
            assert time.monotonic() < end, f"{self.received} of {goal} bytes in {timeout} s"
            time.sleep(0.002)

    def finish(self, timeout=60.0):
        """Wait until everything that was sent came, which was as much as it was to be."""
        end = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        if self.error:
            raise self.error
        assert not any(thread.is_alive() for thread in self.threads), \
            f"{self.received} of {self.sent} bytes in {timeout} s"
        assert self.received == self.sent and self.size in (None, self.sent)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        if exc[0] is None and self.size is None:
            self.finish()
        self.tx.close()
        self.rx.close()


def transfer(source, sink, address, size=8 << 20):
    """Send so many bytes and check them."""
    with Stream(source, sink, address, size) as one:
        one.finish()
