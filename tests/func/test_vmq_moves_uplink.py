# SPDX-License-Identifier: BSD-3-Clause
"""Queue pairs of a guest and of the uplink that it talks through go from worker to worker, and
numbered frames come in order, all of them, both ways."""

import os
import tempfile
import threading
import time

import pytest

import uplinks
from conftest import DAEMON
from net import daemon_in
from netns import Namespace
from uplinks import meet
from victim import number_of, numbered

wire, lan = uplinks.wire, uplinks.lan

CPUS = sorted(os.sched_getaffinity(0))
MOVES = 80
IN_FLIGHT = 96
PATIENCE = 20


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture(scope="module")
def session_daemon(host, request):
    """A daemon with two workers in it."""
    before = request.config.stash.get(DAEMON, None)
    with tempfile.TemporaryDirectory(prefix="vsn-", dir="/tmp") as rundir:
        with daemon_in(host, rundir, ("--cpu", f"{CPUS[0]},{CPUS[-1]}")) as daemon:
            request.config.stash[DAEMON] = daemon
            yield daemon
        request.config.stash[DAEMON] = before


class Way:
    """Numbered frames from one to the other."""

    def __init__(self, sender, receiver):
        self.sender, self.receiver = sender, receiver
        self.sent = self.come = 0

    def send(self):
        """A few, unless too many are on their way."""
        for _ in range(8 if self.sent - self.come < IN_FLIGHT else 0):
            self.sender.send(numbered(self.receiver.mac, self.sender.mac, self.sent))
            self.sent += 1

    def take(self):
        """What has come, which is what comes next."""
        for one in self.receiver.recv_all(0.0):
            assert number_of(one) == self.come, f"{number_of(one)} came, {self.come} is next"
            self.come += 1


@pytest.mark.parametrize("wire", ["xdp", "tap"], indirect=True)
def test_both_ways(lan):
    """Not one is lost or overtaken."""
    guest = lan.trio().guests["a"]
    meet(lan, guest)
    daemon, error = lan.daemon, []

    def move():
        try:
            for i in range(MOVES):
                name = ("a", lan.uplink)[i % 2]
                daemon.check("port", "set", name, "worker", (i // 2 + i) % 2)
        except Exception as one:        # handed to the main thread
            error.append(one)

    mover = threading.Thread(target=move)
    ways = Way(guest, lan.station), Way(lan.station, guest)
    mover.start()
    end = None
    while end is None or (any(one.come < one.sent for one in ways) and time.monotonic() < end):
        for one in ways:
            if end is None:
                one.send()
            one.take()
        if end is None and not mover.is_alive():
            end = time.monotonic() + PATIENCE
    mover.join()
    assert not error, error
    print(f"{[one.sent for one in ways]} frames, {[one.come for one in ways]} came")
    assert all(one.come == one.sent > 0 for one in ways)
    moves = {row["port"]: row["moves"] for row in daemon.json("queue", "show")}
    assert moves["a"] >= MOVES // 4 and moves[lan.uplink] >= MOVES // 4
