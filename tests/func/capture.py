# SPDX-License-Identifier: BSD-3-Clause
"""`vmswitch capture` as the tests run it, and tshark's view of what it writes."""

import json
import os
import select
import shutil
import signal
import subprocess
import time

from child import die_with_parent
from vmswitchd import BUILD

VMSWITCH = str(BUILD / "control" / "vmswitch")
HELPER = BUILD / "control" / "vmswitch-capture"
TSHARK = shutil.which("tshark")
LIMIT = 20.0


class Capture:
    """A running `vmswitch -j capture`; when it is made, it captures."""

    def __init__(self, daemon, port, *words, **popen):
        self.process = subprocess.Popen(
            [VMSWITCH, "-s", str(daemon.control), *([] if "-w" in words else ["-j"]), "capture",
             port, *map(str, words)],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            **{"stdout": subprocess.PIPE, "preexec_fn": die_with_parent, **popen})
        self.rest = b""
        self.lines = []
        said = self.process.stderr.readline()
        assert said == f"capturing port {port}\n".encode(), said + self.process.stderr.read()

    def line(self):
        """The next line of JSON; None at the end of it."""
        end = time.monotonic() + LIMIT
        while not self.lines:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.process.stdout], [], [], left)[0], "silence"
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return None
            *self.lines, self.rest = (self.rest + data).split(b"\n")
        return json.loads(self.lines.pop(0))

    def frames(self, n):
        """The next n frames."""
        return [self.line() for _ in range(n)]

    def stop(self, number=signal.SIGINT):
        """Ask it to stop; returns (frames that were not read yet, the last line)."""
        self.process.send_signal(number)
        return self.rest_of_it()

    def rest_of_it(self):
        """Read to its end; returns (frames, the last line)."""
        rows = []
        while (row := self.line()) is not None:
            rows.append(row)
        assert self.process.wait(LIMIT) == 0, self.process.stderr.read()
        assert rows and rows[-1]["event"] == "end", rows[-3:]
        return rows[:-1], rows[-1]

    def finish(self, number=signal.SIGINT):
        """Stop one that writes a file; returns what it said."""
        self.process.send_signal(number)
        assert self.process.wait(LIMIT) == 0, self.process.stderr.read()
        return self.process.stderr.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if self.process.stdout:
            self.process.stdout.close()


def tshark(path, *fields, options=()):
    """The fields of each frame of a file, as tshark sees them."""
    command = [TSHARK, "-r", str(path), *options, "-T", "fields", "-E", "separator=|"]
    for field in fields:
        command += ["-e", field]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [dict(zip(fields, line.split("|"))) for line in out.splitlines()]
