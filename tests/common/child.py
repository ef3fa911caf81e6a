# SPDX-License-Identifier: BSD-3-Clause
"""What a child of a test does before it becomes a program."""

import ctypes
import signal

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    """The kernel ends it when its parent ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
