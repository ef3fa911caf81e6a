# SPDX-License-Identifier: BSD-3-Clause
"""As many guests as there can be, in the shapes of queue pairs that the model's limits allow.

Each run prints what the guests take of the daemon; `pytest -s` shows it. Only descriptors and
memory are judged, which do not depend on the machine's mood."""

import json
import os
import pathlib
import statistics
import time

import pytest

import vsgen
from vsgen import Gen, clean, compare, port_sums

pytestmark = pytest.mark.once

SHAPES = [(384, 1), (256, 2), (128, 4)]
# Of a guest with so many queue pairs: listening socket, connection, memory, three of each ring.
DESCRIPTORS = {1: 16, 2: 24, 4: 40}
# Private memory of a guest, in KiB: counters of its port, its rings' state, the protocol's.
MEMORY_KIB = 96


def status(pid, name):
    """A figure of /proc/PID/status."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name + ":")).split()[1])


def descriptors(pid):
    """Files that the process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def add_ports(daemon, rundir, guests):
    """A switch and its ports in one batch; returns the seconds that took."""
    path = rundir / "scale.batch"
    path.write_text("switch add big type private\n" + "".join(
        f"port add s{i} switch big type guest socket {rundir}/s{i}.sock\n" for i in range(guests)))
    begin = time.monotonic()
    daemon.check("-f", path)
    return time.monotonic() - begin


def median_ms(daemon, *words, times=5):
    """What a command takes, from its start to its end."""
    took = []
    for _ in range(times):
        begin = time.monotonic()
        daemon.check(*words)
        took.append(1000 * (time.monotonic() - begin))
    return statistics.median(took)


def changes_ms(daemon, rundir):
    """What one change of a port takes, and one port more, which comes in place of another."""
    rows = [median_ms(daemon, "port", "set", "s0", "priority", state) for state in ("on", "off")]
    daemon.check("port", "del", "s0")
    begin = time.monotonic()
    daemon.check("port", "add", "s0", "switch", "big", "type", "guest", "socket",
                 rundir / "s0.sock")
    return statistics.median(rows), 1000 * (time.monotonic() - begin)


@pytest.fixture
def house(vmswitchd, rundir, monkeypatch):
    """Connects so many guests with so many queue pairs; returns the generator and the figures."""
    running = []
    # Hundreds of guests connect one after the other.
    monkeypatch.setattr(vsgen, "SECONDS", 200)

    def fill(guests, pairs):
        # A new one: the other has memory left over from what it served before.
        assert vmswitchd.stop() == 0
        vmswitchd.start()
        pid = vmswitchd.pid
        before = status(pid, "RssAnon"), descriptors(pid)
        figures = {"guests": guests, "pairs": pairs,
                   "add_s": round(add_ports(vmswitchd, rundir, guests), 2)}
        begin = time.monotonic()
        gen = Gen("--socket", rundir / "s%u.sock", "--guests", guests, "--pairs", pairs, "--ring",
                  256, "--no-huge", "--timeout", 100)
        running.append(gen)
        ready = gen.event()
        assert ready["event"] == "ready", ready
        figures["connect_s"] = round(time.monotonic() - begin, 2)
        figures["kib_per_guest"] = round((status(pid, "RssAnon") - before[0]) / guests, 1)
        figures["descriptors_per_guest"] = round((descriptors(pid) - before[1]) / guests, 1)
        return gen, figures

    yield fill
    for gen in running:
        assert gen.close() == 0


def assert_all_run(daemon, guests, pairs):
    """Every port is up and has all its queue pairs."""
    rows = daemon.json("port", "show")
    assert len(rows) == guests
    assert {(row["state"], row["pairs"]) for row in rows} == {("running", pairs)}


def talk(daemon, gen, guests):
    """Every guest is heard and hears; all that is sent arrives, once and in order."""
    assert gen.command("learn")[0]["event"] == "learnt"
    before = port_sums(daemon)
    _, totals = gen.trial({"closed": 4}, windows=1, warmup_ms=200, window_ms=300)
    clean(totals)
    compare(daemon, before, totals)
    # Pairs of neighbours: who received was sent to by the other one.
    assert min(totals["per_guest"]["received"]) > 0
    assert len(totals["per_guest"]["received"]) == guests
    assert len(daemon.json("fdb", "show", "switch", "big")) == guests
    return totals


def whisper(daemon, gen, guests):
    """A few frames a second of each: who was quiet for long is heard when it speaks."""
    before = port_sums(daemon)
    _, totals = gen.trial({"rate": 5 * guests}, windows=1, warmup_ms=0, window_ms=1000)
    compare(daemon, before, totals)
    assert totals["lost"] == 0
    assert min(totals["per_guest"]["received"]) > 0


def run(daemon, rundir, house, guests, pairs):
    """One shape: connect, talk, look, change, talk again."""
    gen, figures = house(guests, pairs)
    assert_all_run(daemon, guests, pairs)
    totals = talk(daemon, gen, guests)
    whisper(daemon, gen, guests)
    figures["jain"] = round(totals["jain"], 4)
    figures["show_all_ms"] = round(median_ms(daemon, "port", "show"), 1)
    figures["show_one_ms"] = round(median_ms(daemon, "port", "show", "s0"), 1)
    figures["audit_ms"] = round(median_ms(daemon, "stats", "audit"), 1)
    figures["set_ms"], figures["add_ms"] = (round(ms, 1) for ms in changes_ms(daemon, rundir))
    print("\n" + json.dumps(figures))
    # The port that was made anew waits for its guest.
    assert sum(row["state"] == "running" for row in daemon.json("port", "show")) >= guests - 1
    assert figures["descriptors_per_guest"] <= DESCRIPTORS[pairs]
    assert figures["kib_per_guest"] <= MEMORY_KIB * pairs


@pytest.mark.parametrize("guests, pairs", SHAPES, ids=str)
def test_shapes(vmswitchd, rundir, house, guests, pairs):
    """As many guests, or queue pairs, as there can be, all talking."""
    run(vmswitchd, rundir, house, guests, pairs)
