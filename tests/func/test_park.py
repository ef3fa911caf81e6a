# SPDX-License-Identifier: BSD-3-Clause
"""Workers that have nothing to do: they sleep until something comes, whoever it comes from, and
say what keeps them awake."""

import contextlib
import os
import pathlib
import statistics
import threading
import time

import pytest

from frames import frame, mac
from lan import Lan, own_daemon
from vsguest import F_EVENT_IDX, Req, vring_fd
from watch import wait_for

GUESTS = 64
SLACK = 10      # what is aimed at, times that, is what fails


def worker(daemon):
    """The row of the only worker."""
    return daemon.json("worker", "show")[0]


def wait_parked(daemon):
    """Wait until the worker sleeps; returns its row."""
    return wait_for(lambda: worker(daemon), lambda row: row["state"] == "parked")


def cpu_seconds(daemon):
    """Processor time of all its threads so far."""
    tasks = pathlib.Path(f"/proc/{daemon.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def delivery_us(a, b, seed):
    """How long a frame from a takes until b sees it, watching its ring without a pause."""
    before = b.rx.used_idx
    data = frame(b.mac, a.mac, 100, seed=seed)
    begin = time.perf_counter()
    a.send(data)
    while b.rx.used_idx == before:
        assert time.perf_counter() < begin + 10
    took = (time.perf_counter() - begin) * 1e6
    assert b.recv(1.0) is not None
    return took


@pytest.fixture
def launch():
    """Start a daemon with more options."""
    with contextlib.ExitStack() as stack:
        yield lambda *words: stack.enter_context(own_daemon(*words))


def acquaint(a, b):
    """Have the switch learn both; returns them."""
    for one, other in ((a, b), (b, a)):
        one.send(frame(other.mac, one.mac, 100))
        assert other.recv(5.0) is not None
    return a, b


@pytest.fixture
def pair(lan):
    """Two guests that know each other."""
    return acquaint(lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb)))


def test_idle_guests_cost_next_to_nothing(lan):
    """The aim is 1 % of a core for the whole daemon with 64 idle guests."""
    for i in range(GUESTS):
        lan.add(f"g{i}", wait_up=False, ring_size=64)
    wait_for(lambda: lan.show()["ports_up"], lambda n: n == GUESTS)
    wait_parked(lan.daemon)
    row, used, begin = worker(lan.daemon), cpu_seconds(lan.daemon), time.monotonic()
    wait_for(time.monotonic, lambda now: now > begin + 2)
    share = (cpu_seconds(lan.daemon) - used) / (time.monotonic() - begin)
    after = worker(lan.daemon)
    asleep = (after["asleep_cycles"] - row["asleep_cycles"]) / (
        after["total_cycles"] - row["total_cycles"])
    print(f"\n{GUESTS} idle guests: {100 * share:.2f} % of a core, worker asleep "
          f"{100 * asleep:.2f} % of the time")
    assert share < 0.01 * SLACK
    assert after["wakes"] == row["wakes"]


def test_the_first_packet_wakes_it(launch):
    """The aim is 100 us more than a worker that polls, at the median. Worker and guests have a
    processor each: else the time is that until the scheduler parts them, a millisecond or so."""
    cpus = sorted(os.sched_getaffinity(0))
    daemon = launch("--cpu", str(cpus[-1]))
    lan = Lan(daemon, pathlib.Path(daemon.socket).parent)
    asleep, awake = [], []
    try:
        a, b = acquaint(lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb)))
        os.sched_setaffinity(0, cpus[:1])
        for seed in range(40):
            wait_parked(daemon)
            asleep.append(delivery_us(a, b, seed))
            awake.append(delivery_us(b, a, seed))
    finally:
        os.sched_setaffinity(0, cpus)
        lan.close()
    more = statistics.median(asleep) - statistics.median(awake)
    print(f"\na frame takes {statistics.median(asleep):.0f} us from a worker that sleeps, "
          f"{statistics.median(awake):.0f} us from one that polls: {more:.0f} us more "
          f"(90 % of the first: {statistics.quantiles(asleep, n=10)[-1]:.0f} us)")
    assert statistics.median(asleep) < 50000, "only the look every 100 ms found them"
    assert worker(daemon)["wakes"] >= 40


@pytest.mark.parametrize("profile, without", [("linux", 0), ("linux", F_EVENT_IDX), ("legacy", 0)])
def test_kicks_are_wanted_only_while_it_sleeps(lan, profile, without):
    """Both ways to say so; the guest that has something kicks once."""
    a = lan.add("a", mac=mac(0xa), profile=profile, without=without)
    b = lan.add("b", mac=mac(0xb))
    by_index = a.features & F_EVENT_IDX

    def wanted():
        if by_index:
            return a.tx.avail_event == a.tx.avail_idx
        return not a.tx.used_flags

    for seed in range(3):
        wait_parked(lan.daemon)
        wait_for(wanted, bool)
        kicks = a.tx.kicks
        a.send(frame(b.mac, a.mac, 100, seed=seed))
        assert b.recv(5.0) is not None
        assert a.tx.kicks == kicks + 1
        # Awake, it wants none, for as long as frames come.
        end = time.monotonic() + 10
        while wanted():
            assert time.monotonic() < end
            a.send(frame(b.mac, a.mac, 100))
        b.recv_all(0.05)


def test_every_pair_wakes_it(lan):
    """Not only the first one."""
    a = lan.add("a", mac=mac(0xa), queue_pairs=4)
    b = lan.add("b", mac=mac(0xb))
    for n in range(4):
        wait_parked(lan.daemon)
        before = worker(lan.daemon)["wakes"]
        a.send(frame(b.mac, a.mac, 100, seed=n), pair=n)
        assert b.recv(5.0) is not None
        assert worker(lan.daemon)["wakes"] == before + 1


def test_control_wakes_it(lan, pair):
    """A port that is added while it sleeps works, a guest that comes back does, and one that
    moves to other memory."""
    a, b = pair
    wait_parked(lan.daemon)
    c = lan.add("c", mac=mac(0xc))
    wait_parked(lan.daemon)
    c.send(frame(a.mac, c.mac, 100))
    assert a.recv(5.0) is not None
    wait_parked(lan.daemon)
    c.hangup()
    wait_parked(lan.daemon)
    c.reconnect()
    lan.wait("c", lambda row: row["up"])
    wait_parked(lan.daemon)
    c.send(frame(a.mac, c.mac, 100))
    assert a.recv(5.0) is not None
    wait_parked(lan.daemon)
    c.step_mem_table()
    wait_parked(lan.daemon)
    c.send(frame(b.mac, c.mac, 100))
    assert b.recv(5.0) is not None


def test_a_new_kick_descriptor(lan, pair):
    """The old one may be closed; who kicks on the new one is heard. Without one it naps, says
    for whom, and frames arrive all the same."""
    a, b = pair
    wait_parked(lan.daemon)
    other = os.eventfd(0)
    os.dup2(other, a.tx.raw.kick_fd)
    a.request(Req.SET_VRING_KICK, vring_fd(1), [other])
    os.close(other)
    wait_parked(lan.daemon)
    a.send(frame(b.mac, a.mac, 100))
    assert b.recv(5.0) is not None
    a.request(Req.SET_VRING_KICK, vring_fd(1, has_fd=False))
    row = wait_for(lambda: worker(lan.daemon), lambda row: row["state"] == "napping")
    assert row["awake_for"] == "port a has no descriptor to sleep on"
    assert row["awake_for"] in lan.daemon.check("worker", "show")
    a.send(frame(b.mac, a.mac, 100))
    assert b.recv(5.0) is not None
    a.hangup()
    assert wait_parked(lan.daemon)["awake_for"] is None


def test_a_guest_that_kicks_without_frames(lan, pair):
    """It is not heard any more for a while, and others are as they were. It cannot say that it
    has frames when it has none."""
    a, b = pair
    bad = lan.add("bad", mac=mac(0xbad))
    end = threading.Event()

    def annoy():
        while not end.is_set():
            bad.tx.kick()

    wait_parked(lan.daemon)
    before = worker(lan.daemon)
    thread = threading.Thread(target=annoy)
    thread.start()
    try:
        row = wait_for(lambda: worker(lan.daemon), lambda row: row["awake_for"])
        assert row["awake_for"] == "port bad kicks without frames, and is not heard"
        for seed in range(20):
            a.send(frame(b.mac, a.mac, 100, seed=seed))
            assert b.recv(5.0) is not None
        begin = worker(lan.daemon)
        wait_for(time.monotonic, lambda now, to=time.monotonic() + 1.5: now > to)
        after = worker(lan.daemon)
    finally:
        end.set()
        thread.join()
    seconds = (after["total_cycles"] - begin["total_cycles"]) / after["tsc_hz"]
    assert after["idle_wakes"] - begin["idle_wakes"] <= 64 * (seconds + 2)
    assert after["asleep_cycles"] - begin["asleep_cycles"] > 0.5 * seconds * after["tsc_hz"]
    assert before["frames"] + 20 == after["frames"]
    wait_for(lambda: worker(lan.daemon)["awake_for"], lambda why: why is None)
    bad.send(frame(b.mac, bad.mac, 100))
    assert b.recv(5.0) is not None


def test_frames_of_a_guest_that_is_not_heard(lan, pair):
    """They arrive, if late."""
    _, b = pair
    bad = lan.add("bad", mac=mac(0xbad))
    wait_parked(lan.daemon)
    wait_for(lambda: [bad.tx.kick() for _ in range(2000)] and worker(lan.daemon)["awake_for"], bool)
    bad.send(frame(b.mac, bad.mac, 100))
    assert b.recv(5.0) is not None


def test_no_frame_stays_behind(lan, pair):
    """Frames that come just as it falls asleep: with a pause of about a millisecond each of them
    finds it in another step."""
    a, b = pair
    for seed in range(300):
        begin = time.perf_counter()
        while time.perf_counter() < begin + 0.0009 + seed * 1e-6:
            pass
        a.send(frame(b.mac, a.mac, 100, seed=seed))
        begin = time.perf_counter()
        assert b.recv(5.0) is not None
        assert time.perf_counter() < begin + 0.09, "only the look every 100 ms found it"


@pytest.mark.parametrize("words, awake", [
    (["--workers", "2", "--poll", "1"], {1}), (["--workers", "2", "--poll", "all"], {0, 1}),
    (["--poll", "0"], {0}), (["--nap", "0"], {0}),
])
def test_workers_that_are_told_to_poll(launch, words, awake):
    """They never sleep; the others do."""
    daemon = launch(*words)
    rows = wait_for(lambda: daemon.json("worker", "show"), lambda rows: all(
        row["state"] == "parked" for row in rows if row["id"] not in awake))
    begin = time.monotonic()
    wait_for(time.monotonic, lambda now: now > begin + 0.1)
    for before, row in zip(rows, daemon.json("worker", "show")):
        polls = row["id"] in awake
        assert (row["state"] == "polling") == polls
        assert row["awake_for"] == ("told to poll" if polls else None)
        assert polls == (row["rounds"] > before["rounds"] + 1000)
        assert (row["parks"] == 0) == polls


def test_two_workers_sleep_apart(launch):
    """A frame wakes the worker that visits its sender, and reaches a port of the other one."""
    daemon = launch("--workers", "2")
    lan = Lan(daemon, pathlib.Path(daemon.socket).parent)
    try:
        a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
        assert lan.port("a")["worker"] != lan.port("b")["worker"]

        def rows():
            return daemon.json("worker", "show")

        for one, other, home in ((a, b, lan.port("a")["worker"]), (b, a, lan.port("b")["worker"])):
            wait_for(rows, lambda rows: all(row["state"] == "parked" for row in rows))
            before = [row["wakes"] for row in rows()]
            one.send(frame(other.mac, one.mac, 100))
            assert other.recv(5.0) is not None
            after = [row["wakes"] for row in rows()]
            assert after[home] == before[home] + 1 and after[1 - home] == before[1 - home]
    finally:
        lan.close()
