# SPDX-License-Identifier: BSD-3-Clause
"""Waiting for things to happen: by looking again, and by reading along with `vmswitch monitor`."""

import json
import os
import selectors
import subprocess
import time

POKE = "poke"


def wait_for(look, condition, timeout=10.0):
    """Look until the condition holds; AssertionError with the last look if it never does."""
    end = time.monotonic() + timeout
    while True:
        seen = look()
        if condition(seen):
            return seen
        assert time.monotonic() < end, f"waited {timeout} s; last seen: {seen}"
        time.sleep(0.01)


class Monitor:
    """A running `vmswitch -j monitor`. When it is made, it is subscribed."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.events = []        # everything read so far, our own pokes left out
        self.rest = b""
        self.process = subprocess.Popen(
            [str(daemon.build / "control" / "vmswitch"), "-s", str(daemon.control), "-j",
             "monitor"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.pokes = 0
        self.sync()

    def _read(self, timeout):
        """Take in what comes within timeout; false if nothing does."""
        if not self.selector.select(timeout):
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        assert data, "vmswitch monitor ended"
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if not event.get("switch", "").startswith(POKE):
                self.events.append(event)
            elif event["event"] == "switch-removed":
                self.seen = event["switch"]
        return True

    def sync(self, timeout=10.0):
        """Read everything that happened before this call; returns all events so far."""
        end = time.monotonic() + timeout
        self.seen = None
        while True:
            self.pokes += 1
            name = f"{POKE}{self.pokes}"
            self.daemon.check("switch", "add", name, "type", "private")
            self.daemon.check("switch", "del", name)
            # At first it may not be subscribed yet, and then this poke is never seen.
            while self.seen != name and self._read(0.2):
                pass
            if self.seen == name:
                return self.events
            assert time.monotonic() < end, f"vmswitch monitor is silent; so far: {self.events}"

    def count(self, event):
        """How often an event has happened until now."""
        return sum(one["event"] == event for one in self.sync())

    def wait(self, event, timeout=10.0, **fields):
        """Wait for an event with these fields; returns it."""
        end = time.monotonic() + timeout
        wanted = dict(fields, event=event)
        while True:
            for one in self.events:
                if wanted.items() <= one.items():
                    return one
            assert time.monotonic() < end, f"no {wanted} within {timeout} s: {self.events}"
            self._read(max(0.0, end - time.monotonic()))

    def clear(self):
        """Forget what was read so far."""
        self.sync()
        self.events.clear()

    def close(self):
        """End it."""
        self.process.terminate()
        self.process.wait()
        self.selector.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
