# SPDX-License-Identifier: BSD-3-Clause
"""Drives the load generator vsgen: commands to its standard input, events from its output, each a
line of JSON."""

import json
import os
import select
import subprocess
import time

from .procs import BenchError, tail

READY_SECONDS = 30


class Generator:
    """One vsgen process. `options` are more words of its command line."""

    def __init__(self, programs, argv, log):
        self.programs, self.argv, self.log = programs, [str(word) for word in argv], log
        self.process = None
        self.ready = {}
        self.data = b""

    def start(self):
        """Start it; its sockets are there soon, see wait_ready() for the rest."""
        self.process = self.programs.start(self.argv, self.log, pipes=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        return self

    def wait_ready(self, timeout=READY_SECONDS):
        """Wait until all guests are connected; returns the event."""
        self.ready = self._expect("ready", timeout)
        return self.ready

    def learn(self, rate=0, macs=1):
        """Every guest sends from all its addresses, so that the switch knows them; rate of them
        a second if it is not 0."""
        self._send({"cmd": "learn", "rate": rate} if rate else {"cmd": "learn"})
        return self._expect("learnt", 60 + (2 * macs / rate if rate else 0))

    def trial(self, load, windows, warmup_ms=1000, window_ms=500, latency=False, probe=None,
              on_window=None, reconnect=False):
        """Run one trial; returns (windows, totals). With reconnect, guests whose switch goes away
        wait for it to come back."""
        self._send({"cmd": "trial", "load": load, "warmup_ms": warmup_ms, "windows": windows,
                    "window_ms": window_ms, "latency": latency, "probe": probe,
                    "reconnect": reconnect})
        seconds = (warmup_ms + windows * window_ms) / 1000
        deadline = time.monotonic() + 2 * seconds + 20
        found = []
        while True:
            event = self._event(deadline)
            if event.get("event") == "window":
                found.append(event)
                if on_window is not None:
                    on_window(event)
            elif event.get("event") == "trial":
                return found, event

    def quit(self):
        """Ask it to end, and see that it does."""
        if self.process is None:
            return
        if self.process.poll() is None:
            try:
                self._send({"cmd": "quit"})
                self.process.wait(3)
            except (BenchError, subprocess.TimeoutExpired):
                pass
        self.programs.stop(self.process)
        self.process = None

    def _send(self, message):
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise self._error("takes no command") from error

    def _expect(self, name, timeout):
        deadline = time.monotonic() + timeout
        while True:
            event = self._event(deadline)
            if event.get("event") == name:
                return event

    def _event(self, deadline):
        """The next event; BenchError when none comes in time or it is an error."""
        while b"\n" not in self.data:
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._error("sent no event in time")
            if select.select([self.process.stdout], [], [], left)[0]:
                piece = os.read(self.process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise self._error("ended")
                self.data += piece
        line, self.data = self.data.split(b"\n", 1)
        try:
            event = json.loads(line)
        except ValueError as error:
            raise self._error(f"said {line[:80]!r}") from error
        if event.get("event") == "error":
            raise self._error(str(event))
        return event

    def _error(self, what):
        return BenchError(f"vsgen {what}\n{tail(self.log)}")
