# SPDX-License-Identifier: BSD-3-Clause
"""The load generator vsgen as a test drives it, and its counts beside those of the switch."""

import json
import os
import select
import subprocess
import time

from vmswitchd import BUILD

VSGEN = BUILD / "bench" / "gen" / "vsgen"
SECONDS = 20


class Gen:
    """A running vsgen; commands in, events out."""

    def __init__(self, *words):
        self.process = subprocess.Popen([str(VSGEN), *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer = b""

    def event(self):
        """The next line as an object; None at the end."""
        end = time.monotonic() + SECONDS
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.process.stdout], [], [], left)[0], \
                f"vsgen said nothing for {SECONDS} s"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def send(self, line):
        """Write a line, any line."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def command(self, cmd, **members):
        """Give a command; returns its events, the last of which ends it."""
        self.send(json.dumps({"cmd": cmd, **members}))
        events = [self.event()]
        while events[-1]["event"] == "window":
            events.append(self.event())
        return events

    def trial(self, load, **members):
        """A short trial; returns its windows and its totals."""
        members = {"warmup_ms": 20, "windows": 2, "window_ms": 60, **members}
        events = self.command("trial", load=load, **members)
        assert events[-1]["event"] == "trial", events[-1]
        assert [e["i"] for e in events[:-1]] == list(range(members["windows"]))
        return events[:-1], events[-1]

    def close(self):
        """End of input; returns the exit status."""
        self.process.stdin.close()
        try:
            return self.process.wait(timeout=SECONDS)
        finally:
            self.process.kill()
            self.process.stdout.close()
            self.process.stderr.close()


def port_sums(vmswitchd):
    """(frames from the guests, frames to the guests, frames dropped) of all ports."""
    rows = vmswitchd.json("stats", "show")
    return [sum(row[name] for row in rows) for name in ("received", "sent", "dropped_out")]


def compare(vmswitchd, before, totals):
    """What vsgen counted in a trial is what the switch counted."""
    after = port_sums(vmswitchd)
    received, sent, dropped = [b - a for a, b in zip(before, after)]
    counts = totals["all"]
    assert received == counts["sent"]
    assert sent == counts["received"]
    assert dropped == counts["lost"] == counts["sent"] - counts["received"]


def clean(totals):
    """No frame of a trial was anything but delivered, once and in order."""
    assert totals["received"] > 0
    wrong = {k: totals[k] for k in ("lost", "reordered", "duplicates", "bad", "timeouts")
             if totals[k]}
    assert not wrong, f"{wrong} in {totals}"
