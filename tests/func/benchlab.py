# SPDX-License-Identifier: BSD-3-Clause
"""Parts of the benchmark, to be tried without a run; with it the package suite can be imported."""

import pathlib
import sys
import types

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

from suite import main, workloads  # noqa: E402
from suite.session import Session  # noqa: E402


class Notes:
    """A session that keeps what it is told."""

    def __init__(self):
        self.samples, self.labels = {}, []

    def add(self, _workload, _peer, _round_no, where, metric, value):
        """A sample."""
        self.samples[where, metric] = value

    def label(self, _workload, _peer, text):
        """A label."""
        self.labels.append(text)


def peer(name):
    """A peer without a laboratory."""
    return main.PEERS[name](types.SimpleNamespace(build="."))


def fits(workload, name):
    """Whether a peer takes part in a workload."""
    return Session(None, workloads.QUICK, [], None).fits(workloads.ALL[workload], peer(name))
