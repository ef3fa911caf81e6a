# SPDX-License-Identifier: BSD-3-Clause
"""Tells a person what is going on, on standard error: one line that changes on a terminal, a line
per step elsewhere."""

import sys
import time


def clock_text(seconds):
    """Minutes and seconds."""
    return f"{int(seconds) // 60:2d}:{int(seconds) % 60:02d}"


class Progress:
    """The display. It draws only between runs: a program that draws disturbs."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.begin = time.monotonic()
        self.live = self.stream.isatty()

    def _stamp(self):
        return f"[{clock_text(time.monotonic() - self.begin)}]"

    def step(self, text, left=None):
        """What is done now, and what time is left."""
        more = "" if left is None else f"  ({clock_text(max(0, left))} left at most)"
        line = f"{self._stamp()} {text}{more}"
        if self.live:
            self.stream.write(f"\r\x1b[K{line[:110]}")
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def say(self, text):
        """Something that stays."""
        start = "\r\x1b[K" if self.live else ""
        self.stream.write(f"{start}{self._stamp()} {text}\n")
        self.stream.flush()
