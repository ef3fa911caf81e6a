# SPDX-License-Identifier: BSD-3-Clause
"""`vmswitch top`: what the workers do and for whom, in figures that belong together."""

import json
import subprocess

from child import die_with_parent
from frames import frame, mac, many
from terminal import Terminal
from test_watch import VMSWITCH
from watch import wait_for

import pytest

pytestmark = pytest.mark.once

COLUMNS = ["VM", "CPU", "CYCLES/FRAME", "FROM/S"]


def blocks(daemon, count, *words):
    """So many intervals of top, as JSON; some time passes."""
    out = subprocess.run([VMSWITCH, "-s", str(daemon.control), "-j", "top", "interval", "0.2",
                          "count", str(count), *words], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, check=True, timeout=60).stdout
    return [json.loads(line) for line in out.splitlines()]


def counted(daemon, vm):
    """(cycles, frames) of a VM until now."""
    rows = {row["vm"]: row for row in blocks(daemon, 1)[-1]["rows"]}
    return rows[vm]["cycles"], rows[vm]["received"]


def test_cycles_go_to_who_sends(trio):
    """A VM that sends has cycles, one that only receives none; no more than the worker was busy."""
    a, b, _ = trio.guests.values()
    before, quiet = counted(trio.daemon, "a"), counted(trio.daemon, "b")
    many(a, [frame(b.mac, a.mac, 200, seed=seed) for seed in range(100)])
    after, still = counted(trio.daemon, "a"), counted(trio.daemon, "b")
    assert after[1] - before[1] == 100
    assert after[0] > before[0]
    assert still == quiet
    worker = trio.daemon.json("worker", "show")[0]
    assert after[0] - before[0] < worker["busy_cycles"]


def test_rows_and_workers(trio):
    """Each block has the workers, a row per VM and their sum, whose figures fit together."""
    for block in blocks(trio.daemon, 2):
        assert [row["vm"] for row in sorted(block["rows"], key=lambda row: row["vm"])] == [*"abc"]
        (worker,) = block["workers"]
        assert worker["events_lost"] == 0
        assert 0 <= worker["busy_percent"] <= 100
        assert abs(block["total"]["cpu_percent"]
                   - sum(row["cpu_percent"] for row in block["rows"])) < 1e-6
        assert block["total"]["cycles"] == sum(row["cycles"] for row in block["rows"])


def test_the_one_that_costs_most_is_first(trio):
    """Sorted by cycles unless asked otherwise."""
    b, c = trio.guests["b"], trio.guests["c"]
    process = subprocess.Popen([VMSWITCH, "-s", str(trio.daemon.control), "-j", "top", "interval",
                                "0.5"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               preexec_fn=die_with_parent)
    with process:
        json.loads(process.stdout.readline())
        many(c, [frame(b.mac, c.mac, 200, seed=seed) for seed in range(200)])

        def first():
            return json.loads(process.stdout.readline())["rows"][0]
        row = wait_for(first, lambda row: row["cycles"] > 0 and row["received_pps"] > 0)
        assert row["vm"] == "c"
        process.kill()
    names = [row["vm"] for row in blocks(trio.daemon, 1, "sort", "name")[0]["rows"]]
    assert names == [*"abc"]


def test_text(trio):
    """A block: the time, the workers, an empty line, a table."""
    lines = trio.daemon.check("top", "count", "1", "interval", "0.1").splitlines()
    assert "3 VMs" in lines[0] and lines[1].split()[:3] == ["WORKER", "CPU", "BUSY"]
    assert lines[2].split()[0] == "0" and lines[3] == ""
    assert lines[4].split()[:4] == COLUMNS
    assert [line.split()[0] for line in lines[5:9]] == [*"abc", "TOTAL"]


def test_a_terminal_has_it_all(lan):
    """On a terminal it draws in place, and leaves rows out that do not fit."""
    for n in range(8):
        lan.add(f"vm{n}", mac=mac(n), start=False)
    command = [VMSWITCH, "-s", str(lan.daemon.control), "top", "interval", "0.2"]
    with Terminal(command, rows=11, columns=100) as term:
        term.wait(lambda: "... 5 more" in " ".join(" ".join(term.screen()).split()))
        lines = [line.rstrip() for line in term.screen()]
        assert lines[1].startswith("WORKER") and lines[4].startswith("VM")


def test_wrong_words(vmswitchd):
    """Complaints name what would be right."""
    done = vmswitchd.run("top", "srot", "rate")
    assert done.returncode == 2 and "sort" in done.stderr
    done = vmswitchd.run("top", "sort", "size")
    assert done.returncode == 2 and "cycles" in done.stderr
