# SPDX-License-Identifier: BSD-3-Clause
"""Queue pairs go from worker to worker: by hand and by the controller, under load, and nothing is
lost or overtaken by that."""

import os
import time

import pytest

from frames import cross, frame, mac, teach
from lan import own_daemon
from test_vsgen import start as vsgen_start
from vsgen import compare, port_sums

# Seconds of traffic at a rate that sanitizers do not reach.
pytestmark = pytest.mark.once

start = vsgen_start

CPUS = sorted(os.sched_getaffinity(0))
TWO = f"{CPUS[0]},{CPUS[-1]}"
SECONDS = 60


@pytest.fixture(scope="module", params=["static", "auto"])
def session_daemon(request):
    """A daemon with two workers, where the user places queue pairs, or the controller, too."""
    with own_daemon("--cpu", TWO, "--placement", request.param, config=request.config) as daemon:
        daemon.placement = request.param
        yield daemon


def only(daemon, placement):
    """Skip the test for the other one."""
    if daemon.placement != placement:
        pytest.skip(f"of {placement} placement")


def queues(daemon, *port):
    """The rows of `queue show`, by port and pair."""
    return {(row["port"], row["pair"]): row for row in daemon.json("queue", "show", *port)}


def place(daemon, name, workers):
    """Place a port's queue pairs by hand."""
    daemon.check("port", "set", name, "worker", workers)


def wait(what, seconds=SECONDS):
    """Until it is true; returns that."""
    end = time.monotonic() + seconds
    while not (result := what()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
    return result


def in_order(totals):
    """Nothing came twice, changed, or before what was sent earlier."""
    assert totals["received"] > 0
    assert [totals[k] for k in ("reordered", "duplicates", "bad")] == [0] * 3


def run(gen, daemon, step, windows=10):
    """A trial, and one step after another while it lasts; returns what was lost, and how many steps
    there were."""
    before = port_sums(daemon)
    gen.send('{"cmd":"trial","load":{"rate":40000},"warmup_ms":0,"windows":%d,"window_ms":200}'
             % windows)
    events, steps = [], 0
    while not events or events[-1]["event"] == "window":
        if step and len(events) < windows:
            for _ in range(8):
                step(steps)
                steps += 1
        events.append(gen.event())
    totals = events[-1]
    compare(daemon, before, totals)
    in_order(totals)
    return totals["all"]["sent"] - totals["all"]["received"], steps


def test_shown(lan):
    """Where a queue pair is, who put it there, and why it moved last."""
    daemon = lan.daemon
    lan.add("wide", mac=mac(1), queue_pairs=4)
    lan.add("other", mac=mac(2))
    lan.wait("wide", lambda row: row["pairs"] == 4)
    auto = "controller" if daemon.placement == "auto" else "home"
    rows = queues(daemon, "wide")
    assert [row["worker"] for row in rows.values()] == [0, 1, 0, 1]
    assert {row["placed_by"] for row in rows.values()} == {auto}
    assert all(row["moves"] == 0 and row["from"] is None for row in rows.values())
    place(daemon, "wide", "1,1,0")
    rows = queues(daemon)
    assert [rows["wide", pair]["worker"] for pair in range(4)] == [1, 1, 0, 1]
    assert [rows["wide", pair]["moves"] for pair in range(4)] == [1, 0, 0, 0]
    moved = rows["wide", 0]
    assert (moved["placed_by"], moved["reason"], moved["from"]) == ("hand", "hand", 0)
    assert moved["why"] == "by hand, from worker 0 to worker 1"
    assert 0 <= moved["moved_ms"] < 1000 * SECONDS
    assert rows["other", 0]["placed_by"] == auto
    # It is part of the configuration, and what is not placed is not.
    assert lan.port("wide")["placed"] == "1,1,0"
    assert [line.split("worker ")[1] for line in daemon.check("config", "show").splitlines()
            if "worker" in line] == ["1,1,0"]
    # From then on it stays there, until the controller moves it.
    place(daemon, "wide", "auto")
    assert queues(daemon)["wide", 0]["worker"] == 1
    assert "worker" not in daemon.check("config", "show")


def test_refused(lan):
    """What is no list of workers that there are; and of a batch nothing happens then."""
    daemon = lan.daemon
    lan.add("a", start=False)
    for words in ("2", "0,2", "0,,1", "0,", ",", "x", "-1", "0 ", "1x", ",".join("0" * 17)):
        assert daemon.run("port", "set", "a", "worker", words).returncode == 1, words
    batch = lan.rundir / "batch"
    batch.write_text("port set a worker 1\nport set nobody worker 1\n")
    assert daemon.run("-f", batch).returncode == 1
    assert lan.port("a")["placed"] == "auto"
    assert "there is no port 'b'" in daemon.run("queue", "show", "b").stderr


def test_frames_of_a_moved_port(lan):
    """A port sends and receives wherever it is, also one whose worker sleeps."""
    daemon = lan.daemon
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    teach(lan, "a", "b")
    for turn in range(6):
        place(daemon, "a", turn % 2)
        place(daemon, "b", turn // 2 % 2)
        for one, other in ((a, b), (b, a)):
            sent = frame(other.mac, one.mac, 300, seed=turn)
            assert cross(one, sent, other) == [[sent]]
    rows = daemon.json("worker", "show")
    assert all(row["frames"] for row in rows)


def test_moves_by_hand_under_load(start, vmswitchd):
    """Several hundred moves while numbered frames pass; no more is lost than without moves."""
    only(vmswitchd, "static")
    gen = start(4, "--size", 128, "--check", 1)
    names = [f"g{i}" for i in range(4)]
    lost_without, _ = run(gen, vmswitchd, None)

    def step(i):
        place(vmswitchd, names[i % 4], (i // 4 + i) % 2)

    lost, steps = 0, 0
    while steps < 300:
        more, n = run(gen, vmswitchd, step)
        lost, steps = lost + more, steps + n
    moves = sum(row["moves"] for row in queues(vmswitchd).values())
    print(f"{moves} moves in {steps} steps: {lost} frames lost, {lost_without} in a run without")
    assert moves > 200
    # A receiver that the machine left no time for loses frames in both.
    dropped = {}
    for name in names:
        for reason, count in vmswitchd.drops(name).items():
            dropped[reason] = dropped.get(reason, 0) + count
    assert set(dropped) <= {"rx_full"}, dropped
    assert lost <= 1000 + 10 * lost_without
    vmswitchd.audit()


def test_many_to_one_while_it_moves(start, vmswitchd):
    """Frames for a port that wait for another worker go before those that their sender's new worker
    takes."""
    only(vmswitchd, "static")
    gen = start(6, "--flow", "all-to-one", "--size", 64, "--check", 1)
    gen.send('{"cmd":"trial","load":{"rate":400000},"warmup_ms":0,"windows":12,"window_ms":200}')
    events, i = [gen.event()], 0
    while events[-1]["event"] == "window":
        for _ in range(6):
            place(vmswitchd, f"g{i % 6}", (i // 6 + i) % 2)
            i += 1
        events.append(gen.event())
    in_order(events[-1])
    assert sum(row["moves"] for row in queues(vmswitchd).values()) > 20
    vmswitchd.audit()


def test_moves_of_full_rings(start, vmswitchd):
    """While its ring is always full a queue pair is moved as fast as it goes: no frame comes twice
    or changed, and nobody's ring breaks."""
    only(vmswitchd, "static")
    gen = start(2, "--size", 64, "--check", 1)
    before = port_sums(vmswitchd)
    gen.send('{"cmd":"trial","load":{"closed":256},"warmup_ms":0,"windows":15,"window_ms":200}')
    events, i = [gen.event()], 0
    while events[-1]["event"] == "window":
        for _ in range(8):
            place(vmswitchd, f"g{i % 2}", (i // 2 + i) % 2)
            i += 1
        events.append(gen.event())
    totals = events[-1]
    compare(vmswitchd, before, totals)
    assert totals["received"] > 0 and totals["duplicates"] == totals["bad"] == 0
    assert all(row["state"] == "running" for row in vmswitchd.json("port", "show"))
    vmswitchd.audit()


# A worker must be busy for most of three ticks in a row, which other tests at work can prevent.
@pytest.mark.long
def test_controller_spreads_and_folds(start, vmswitchd):
    """One worker has all the load, and the other one gets some of it; when there is little left to
    do, one of them gets it all."""
    only(vmswitchd, "auto")
    gen = start(4, "--size", 64, "--check", 1)
    for i in range(4):
        place(vmswitchd, f"g{i}", 0)
    assert {row["worker"] for row in queues(vmswitchd).values()} == {0}
    for i in range(4):
        place(vmswitchd, f"g{i}", "auto")

    def moved(why):
        return [row for row in queues(vmswitchd).values() if row["reason"] == why]

    def until(load, why):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            _, totals = gen.trial(load, windows=10, window_ms=100)
            if "rate" in load:
                in_order(totals)
            if rows := moved(why):
                return rows
        pytest.fail(f"nothing was moved for '{why}': {queues(vmswitchd)}")

    rows = until({"closed": 128}, "spread")
    print(rows[0]["why"])
    assert {row["worker"] for row in queues(vmswitchd).values()} == {0, 1}
    assert all(row["placed_by"] == "controller" for row in rows)
    rows = until({"rate": 3000}, "fold")
    print(rows[0]["why"])
    vmswitchd.audit()


def test_placed_by_hand_stays(start, vmswitchd):
    """The controller does not touch what was placed by hand, however loaded its worker is."""
    only(vmswitchd, "auto")
    gen = start(4, "--size", 64)
    for i in range(4):
        place(vmswitchd, f"g{i}", 0)
    moves = {key: row["moves"] for key, row in queues(vmswitchd).items()}
    _, totals = gen.trial({"closed": 128}, windows=15, window_ms=100)
    assert totals["received"] > 0
    assert {key: row["moves"] for key, row in queues(vmswitchd).items()} == moves
    assert {row["worker"] for row in queues(vmswitchd).values()} == {0}
