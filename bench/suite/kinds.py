# SPDX-License-Identifier: BSD-3-Clause
"""What is done for each kind of workload. Each function takes the session, the workload, the peer
and the number of the round, and adds samples to the session."""

import threading
import time

from . import bins
from .procs import BenchError
from .trial import loss, latency_of, measure, mpps, running, values
from .workloads import RATES_MPPS

IDLE_SECONDS = 3
QUIET_SECONDS = 1.5
RECONFIG_PAUSE = 0.25


def note(session, workload, peer, round_no, trial):
    """Labels of a trial that its samples carry."""
    if trial.why:
        session.label(workload.name, peer.name, f"disturbed ({', '.join(trial.why)})")
    bad = sum(window.get("bad", 0) for window in trial.windows)
    if bad:
        session.label(workload.name, peer.name, f"{bad} damaged frames")
    session.note_run(workload, peer, round_no, trial)


def closed(session, workload, peer, round_no):
    """As fast as a fixed number of frames in flight goes."""
    with running(session.lab, peer, workload) as generator:
        trial = measure(session.lab, generator, peer, session.mode, {"closed": workload.window()})
        session.commands(workload, peer, generator)
    note(session, workload, peer, round_no, trial)
    for where, metric, value in values(trial):
        session.add(workload, peer, round_no, where, metric, value)
    return trial


def fair(session, workload, peer, round_no):
    """Full load, and how evenly flows share it."""
    trial = closed(session, workload, peer, round_no)
    index = trial.totals.get("jain")
    if index is not None:
        session.add(workload, peer, round_no, bins.bin_of_run(trial.windows), "jain", index)


def half_rate(session, peer):
    """Half of what the peer did in pair-64, in frames per second; None if that is not known."""
    rates = session.values("pair-64", peer.name, "mpps")
    rates = [rate for rate in rates if rate > 0]
    return max(1, round(bins.median(rates) * 1e6 / 2)) if rates else None


def latency(session, workload, peer, round_no):
    """Latency at half rate."""
    rate = half_rate(session, peer)
    with running(session.lab, peer, workload) as generator:
        if rate is None:
            full = measure(session.lab, generator, peer, session.mode,
                           {"closed": workload.window()})
            rate = max(1, round(bins.median([mpps(w) for w in full.windows[1:]]) * 1e6 / 2))
        trial = measure(session.lab, generator, peer, session.mode, {"rate": rate}, latency=True)
        session.commands(workload, peer, generator)
    note(session, workload, peer, round_no, trial)
    where = bins.bin_of_run(trial.windows)
    for name, value in latency_of(trial.totals).items():
        session.add(workload, peer, round_no, where, f"latency_{name}_ns", value)
    session.add(workload, peer, round_no, where, "offered_mpps", rate / 1e6)
    if loss(trial.windows[1:]) is not None:
        session.add(workload, peer, round_no, where, "loss", loss(trial.windows[1:]))


def loss_curve(session, workload, peer, round_no):
    """What is lost at fixed offered rates. Where the generator itself cannot send so much, the
    point stands at what it sent."""
    with running(session.lab, peer, workload) as generator:
        session.commands(workload, peer, generator)
        for rate in RATES_MPPS:
            trial = measure(session.lab, generator, peer, session.mode, {"rate": rate * 1e6},
                            windows=max(4, session.mode.windows // 2))
            note(session, workload, peer, round_no, trial)
            for where, windows in bins.by_bin(trial.windows).items():
                share = loss(windows)
                if share is not None:
                    session.add(workload, peer, round_no, where, "loss", share, x=rate)
                sent = sum(w["sent"] for w in windows) / sum(w["seconds"] for w in windows) / 1e6
                session.add(workload, peer, round_no, where, "sent_mpps", sent, x=rate)


def crosscheck(session, workload, peer, round_no):
    """Frames that the switch counted per frame that the generator counted. Both are read at the
    ends of the first and the last window."""
    marks, seen = [], []
    windows = session.mode.windows

    def mark(event):
        seen.append(event)
        if len(seen) in (1, windows):
            marks.append((time.monotonic(), peer.counters().get("frames")))

    with running(session.lab, peer, workload) as generator:
        peer.clear()
        found, _ = generator.trial({"closed": workload.window()}, windows,
                                   session.mode.warmup_ms, session.mode.window_ms, False, None,
                                   on_window=mark)
        session.commands(workload, peer, generator)
    if len(marks) != 2 or None in (marks[0][1], marks[1][1]):
        raise BenchError(f"{peer.name} counts no frames")
    theirs = (marks[1][1] - marks[0][1]) / (marks[1][0] - marks[0][0])
    ours = sum(w["received"] for w in found[1:]) / sum(w["seconds"] for w in found[1:])
    if not ours:
        raise BenchError("no frame arrived")
    session.add(workload, peer, round_no, bins.bin_of_run(found), "counted_ratio", theirs / ours)


def idle(session, workload, peer, round_no):
    """Processor time of a switch with nothing to do."""
    with running(session.lab, peer, workload) as generator:
        session.commands(workload, peer, generator)
        time.sleep(QUIET_SECONDS)
        begin, used = time.monotonic(), peer.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        share = (peer.cpu_seconds() - used) / (time.monotonic() - begin)
    session.add(workload, peer, round_no, "mixed", "idle_cpu", share)


class Unrest(threading.Thread):
    """Ports come and go and addresses are forgotten, until stop is set. `count` counts changes."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.peer, self.stop, self.count, self.error = peer, threading.Event(), 0, None

    def run(self):
        step = 0
        socket = self.peer.dir / "nobody.sock"
        actions = (lambda: self.peer.add_port("extra", socket),
                   lambda: self.peer.ctl("fdb", "flush", "switch", "lan"),
                   lambda: self.peer.ctl("port", "del", "extra"))
        while not self.stop.wait(RECONFIG_PAUSE):
            try:
                actions[step % 3]()
            except BenchError as error:
                self.error = error
                return
            step += 1
            self.count = step


def reconfig(session, workload, peer, round_no):
    """How long traffic stands still for a change: lost frames / offered rate, per change."""
    rate = half_rate(session, peer) or 1_000_000
    with running(session.lab, peer, workload) as generator:
        session.commands(workload, peer, generator)
        calm = measure(session.lab, generator, peer, session.mode, {"rate": rate})
        unrest = Unrest(peer)
        unrest.start()
        try:
            trial = measure(session.lab, generator, peer, session.mode, {"rate": rate})
        finally:
            unrest.stop.set()
            unrest.join(40)
    if unrest.error is not None:
        raise unrest.error
    note(session, workload, peer, round_no, trial)
    where = bins.bin_of_run(trial.windows)
    for name, one in (("calm", calm), ("changing", trial)):
        windows = one.windows[1:]
        offered = sum(w["sent"] for w in windows) / sum(w["seconds"] for w in windows)
        lost = sum(w["lost"] for w in windows)
        session.add(workload, peer, round_no, where, f"blocked_ms_{name}",
                    lost / offered * 1000 if offered else 0)
    session.add(workload, peer, round_no, where, "changes", unrest.count / trial.tries)
    session.add(workload, peer, round_no, where, "guests", workload.guests)


KINDS = {"closed": closed, "fair": fair, "latency": latency, "loss": loss_curve,
         "crosscheck": crosscheck, "idle": idle, "reconfig": reconfig}
