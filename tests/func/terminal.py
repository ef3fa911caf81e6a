# SPDX-License-Identifier: BSD-3-Clause
"""A terminal for tests: a pseudo terminal, a program on it, and what the screen shows."""

import fcntl
import os
import re
import select
import struct
import termios
import time

HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
CURSOR = re.compile(rb"\x1b\[\?25[lh]")
# What the program may use; anything else that begins with ESC is an error.
TOKEN = re.compile(rb"\x1b\[\?25[lh]|\x1b\[H|\x1b\[K|\x1b\[J|\r|\n|[^\x1b\r\n]")
LIMIT = 20.0


class Terminal:
    """A program on a terminal of some size. Lines that are too long are cut and counted."""

    def __init__(self, command, rows, columns, kind="xterm", session=True):
        self.rows, self.columns = rows, columns
        self.raw, self.rest = b"", b""
        self.cursor, self.cut = True, 0
        self.cells = [[]]
        self.at = [0, 0]
        self.master, slave = os.openpty()
        self._set_size()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(command, slave, kind, session)
            finally:
                os._exit(127)
        os.close(slave)
        self.status = None
        self._clear()

    def _become(self, command, slave, kind, session):
        """In the child: the terminal is ours, or at least we are a process group of our own."""
        if session:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        else:
            os.setpgid(0, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.closerange(3, 1024)
        os.execvpe(command[0], command, {**os.environ, "TERM": kind})

    def _set_size(self):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ,
                    struct.pack("HHHH", self.rows, self.columns, 0, 0))

    def _clear(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.at = [0, 0]

    def resize(self, rows, columns):
        """The window has another size now; the screen is empty until it is drawn again."""
        self.read(0)
        self.rows, self.columns = rows, columns
        self._clear()
        self._set_size()

    def type(self, keys):
        """Somebody hits these keys."""
        os.write(self.master, keys)

    def _put(self, token):
        row, column = self.at
        if token in (HIDE, SHOW):
            self.cursor = token == SHOW
        elif token == b"\x1b[H":
            self.at = [0, 0]
        elif token == b"\x1b[K":
            self.cells[row][column:] = [" "] * (self.columns - column)
        elif token == b"\x1b[J":
            self.cells[row][column:] = [" "] * (self.columns - column)
            self.cells[row + 1:] = [[" "] * self.columns for _ in self.cells[row + 1:]]
        elif token == b"\r":
            self.at[1] = 0
        elif token == b"\n" and row + 1 == self.rows:
            self.cells = self.cells[1:] + [[" "] * self.columns]
        elif token == b"\n":
            self.at[0] += 1
        elif column < self.columns:
            self.cells[row][column] = token.decode("latin-1")
            self.at[1] += 1
        else:
            self.cut += 1

    def read(self, timeout):
        """Take in what comes within timeout; false at the end."""
        while select.select([self.master], [], [], timeout)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:         # EIO: nobody has the terminal open any more
                return False
            self.raw += data
            self.rest += data
            while match := TOKEN.match(self.rest):
                self._put(match.group(0))
                self.rest = self.rest[match.end():]
            assert len(self.rest) < 8, f"what is this: {self.rest!r}"
            timeout = 0
        return True

    def screen(self):
        """The lines of the screen."""
        return ["".join(line) for line in self.cells]

    def wait(self, condition):
        """Read until the condition holds."""
        end = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < end, "\n".join(self.screen())
            assert self.read(0.05), "the program ended:\n" + "\n".join(self.screen())

    def end(self):
        """Wait for the end of the program; returns its exit status, or minus its signal."""
        end = time.monotonic() + LIMIT
        while self.read(0.05):
            assert time.monotonic() < end, "\n".join(self.screen())
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.status is None:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.master)
