# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run says about queues: who takes part, shares of a guest, and whether those sorted who
were to."""

import json
import subprocess
import sys
import types

import pytest

from benchlab import BENCH, Notes, fits, peer
from vmswitchd import BUILD

from suite import main, queues, workloads

pytestmark = pytest.mark.once

VMQ = {"vmswitch", "vmswitch-nap0", "vmswitch-vmq", "vmswitch-vmq-soft"}


def test_who_sorts():
    for workload in ("vmq-64-1", "vmq-1514-32"):
        assert {name for name in main.PEERS if fits(workload, name)} == VMQ
    assert {name for name in main.PEERS if fits("vmq-stream-4", name)} == VMQ | {
        "vmswitch-gro", "vmswitch-gro-off"}
    assert not fits("uplink-xdp-64", "vmswitch-vmq") and not fits("pair-64", "vmswitch-vmq-soft")


def test_all_are_there():
    assert {name for name in workloads.ALL if name.startswith("vmq-")} == {
        f"vmq-{size}-{n}" for size in ("64", "1514", "9000", "stream") for n in (1, 2, 4, 8, 32)}
    assert all(workloads.ALL[f"vmq-64-{n}"].flows() == n for n in (1, 2, 4, 8, 32))


@pytest.mark.parametrize("name,engine,labels", [
    ("vmswitch", "off", []), ("vmswitch-vmq", "xdp", []), ("vmswitch-vmq-soft", "soft", []),
    ("vmswitch-vmq", "soft", ["sorted by soft: a reason"])])
def test_shares(name, engine, labels):
    """Of two windows, the first of which does not count."""
    windows = [{"bin": "near", "seconds": 0.5, "received": n} for n in (1, 4000000)]
    notes = Notes()
    queues.sorted_frames(notes, workloads.ALL["vmq-64-4"], peer(name), 0,
                         types.SimpleNamespace(windows=windows, switch_cpu=0.8),
                         (engine, "a reason", 3))
    assert notes.samples == {("near", "mpps_per_vm"): 2.0, ("near", "queues"): 3,
                             ("near", "switch_cpu_per_vm"): pytest.approx(0.2)}
    assert notes.labels == labels


def test_what_a_switch_says(monkeypatch):
    one = peer("vmswitch-vmq")
    rows = [{"queue": 0, "engine": "xdp", "reason": "why"}, {"queue": 3}, {"queue": None}]
    monkeypatch.setattr(one, "ctl", lambda *words: json.dumps(rows))
    assert one.sorter() == ("xdp", "why", 1)


def test_sorted(tmp_path):
    """A short real run: each receiver has a queue where there are queues."""
    done = subprocess.run(
        [sys.executable, "-B", str(BENCH / "run"), "--build", str(BUILD), "--out", str(tmp_path),
         "--windows", "3", "--window-ms", "100", "--warmup-ms", "50", "--rounds", "1", "vmq-64-2",
         "--peers", "vmswitch,vmswitch-vmq,vmswitch-vmq-soft"],
        capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "report.json").read_text())
    assert not found["failures"], found["failures"]
    rows = {(row["peer"], row["metric"]): row for row in found["results"]}
    assert [rows[name, "queues"]["median"] for name in
            ("vmswitch", "vmswitch-vmq", "vmswitch-vmq-soft")] == [0, 2, 2]
    assert all("sorted by" not in label for row in found["results"] for label in row["labels"])
