# SPDX-License-Identifier: BSD-3-Clause
"""What is done for each kind of workload. Each function takes the session, the workload, the peer
and the number of the round, and adds samples to the session."""

import dataclasses
import threading
import time

from . import bins, offloads, queues, results
from .machine import Watch
from .procs import BenchError
from .trial import Trial, latency_of, loss, measure, mpps, offered_share, running, values
from .workloads import RATES_MPPS

# A point of the loss curve at which less of the rate than this was offered is left out.
OFFERED_MIN = 0.99
# Windows of the loss curve: so short that the median one is free of what the host takes away.
LOSS_WINDOW_MS, LOSS_WINDOWS = 30, 60
IDLE_SECONDS = 3
QUIET_SECONDS = 1.5
RECONFIG_PAUSE = 0.25
# The switch is killed at the end of this window; the others must be enough for it to come back.
RESTART_AT, RESTART_WINDOWS = 1, 24
# Traffic is whole where no more than this share is lost.
WHOLE_LOSS = 0.001


def note(session, workload, peer, round_no, trial):
    """Labels of a trial that its samples carry."""
    if trial.why:
        session.label(workload.name, peer.name, f"disturbed ({', '.join(trial.why)})")
    for name, text in (("bad", "damaged frames"), ("overruns", "frames lost by the generator")):
        count = sum(window.get(name, 0) for window in trial.windows)
        if count:
            session.label(workload.name, peer.name, f"{count} {text}")
    session.note_run(workload, peer, round_no, trial)


def closed(session, workload, peer, round_no):
    """As fast as a fixed number of frames in flight goes."""
    with running(session.lab, peer, workload) as generator:
        trial = measure(session.lab, generator, peer, session.mode, {"closed": workload.window()})
        session.commands(workload, peer, generator)
        sorter = peer.sorter() if workload.sorts else None
    note(session, workload, peer, round_no, trial)
    if sorter:
        queues.sorted_frames(session, workload, peer, round_no, trial, sorter)
    if workload.whole:
        offloads.whole(session, workload, peer, round_no, bins.bin_of_run(trial.windows),
                       trial.work)
    if workload.merges:
        offloads.merging(session, workload, peer, round_no, trial,
                         generator.ready.get("tsc_hz"))
    for where, metric, value in values(trial, workload.size):
        session.add(workload, peer, round_no, where, metric, value)
    for where, windows in bins.by_bin(trial.windows).items() if workload.interfaces() else ():
        session.add(workload, peer, round_no, where, "generator_busy",
                    bins.median([window["gen_busy"] for window in windows]))
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


def steady_rate(session, peer):
    """Half of the least that the peer did in pair-64: a rate that it keeps up with wherever the
    host has put the processors, so that what is lost was lost for another reason."""
    rates = [rate for rate in session.values("pair-64", peer.name, "mpps") if rate > 0]
    return max(1, round(min(rates) * 1e6 / 2)) if rates else 1_000_000


def latency_rate(session, peer):
    """(rate for latency in frames per second or None, where it comes from). It is half of the
    highest rate whose median window lost nothing; if every rate lost something, of the highest
    that lost no more than 0.5 %; else of the median at full load."""
    curve = results.curves(session.samples, "loss_median").get(("loss-64", peer.name), {})
    for limit, text in ((0.0, "rate without loss"), (results.PDR_LOSS, "0.5 % rate")):
        low, _ = results.bounds(curve, limit)
        if low:
            return round(low * 1e6 / 2), f"at half of the {text}, {low:g} Mpps"
    return half_rate(session, peer), "at half of the median of pair-64"


def latency(session, workload, peer, round_no):
    """Latency at half of what goes through without loss."""
    rate, text = latency_rate(session, peer)
    session.label(workload.name, peer.name, text)
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
    """What is lost at fixed offered rates, frames that the switch did not take in time included.
    Where the generator itself cannot offer so much, there is no point."""
    mode = dataclasses.replace(session.mode, window_ms=min(LOSS_WINDOW_MS, session.mode.window_ms))
    with running(session.lab, peer, workload) as generator:
        session.commands(workload, peer, generator)
        for rate in RATES_MPPS:
            trial = measure(session.lab, generator, peer, mode, {"rate": rate * 1e6},
                            windows=LOSS_WINDOWS)
            note(session, workload, peer, round_no, trial)
            for where, windows in bins.by_bin(trial.windows).items():
                share = loss(windows)
                if share is None or offered_share(windows) < OFFERED_MIN:
                    session.label(workload.name, peer.name,
                                  f"the generator cannot offer {rate:g} Mpps")
                else:
                    session.add(workload, peer, round_no, where, "loss", share, x=rate)
                    session.add(workload, peer, round_no, where, "loss_median",
                                bins.median([loss([one]) or 0 for one in windows]), x=rate)
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
    rate = steady_rate(session, peer)
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
        seconds = sum(w["seconds"] for w in windows)
        session.add(workload, peer, round_no, where, f"blocked_ms_{name}",
                    (loss(windows) or 0) * seconds * 1000)
    session.add(workload, peer, round_no, where, "changes", unrest.count / trial.tries)
    session.add(workload, peer, round_no, where, "guests", workload.guests)


def stood_still(windows):
    """Frames lost or not sent until the first window without loss. The seconds after it are not
    judged: what the host takes from a trial there has nothing to do with the restart."""
    count = 0
    for window in windows:
        gone = window["lost"] + window["not_sent"]
        count += gone
        if window["received"] and gone <= WHOLE_LOSS * (window["sent"] + window["not_sent"]):
            break
    return count


def restart(session, workload, peer, round_no):
    """The switch is killed under load and started again. What was lost or could not be sent until
    traffic was whole again, divided by the offered rate, is the time that it stood still; the
    longest silence reaches from the last frame before to the first one after."""
    rate = steady_rate(session, peer)
    sockets = []

    def crash(event):
        if event["i"] == RESTART_AT:
            peer.restart(sockets)

    with running(session.lab, peer, workload, sockets) as generator:
        session.commands(workload, peer, generator)
        watch = Watch(session.lab.cpus, time.monotonic)
        found, totals = generator.trial(
            {"rate": rate}, RESTART_WINDOWS, session.mode.warmup_ms, session.mode.window_ms, False,
            [session.lab.generator_cpu, session.lab.switch_cpu], crash, reconnect=True)
    steal, why = watch.reasons()
    if totals["down"] or totals["revived"] < workload.guests:
        raise BenchError(f"{totals['revived']} of {workload.guests} guests came back")
    if not found[-1]["received"]:
        raise BenchError("no frame arrived after the restart")
    session.lab.trials += 1
    note(session, workload, peer, round_no,
         Trial(found, totals, steal, why, 1, 0, 0))
    stood = stood_still(found[RESTART_AT + 1:]) / rate * 1000
    for metric, value in (("blocked_ms_restart", stood), ("silence_ms", totals["silence_ms"]),
                          ("offered_mpps", rate / 1e6)):
        session.add(workload, peer, round_no, "mixed", metric, value)


KINDS = {"closed": closed, "fair": fair, "latency": latency, "loss": loss_curve,
         "crosscheck": crosscheck, "idle": idle, "reconfig": reconfig, "restart": restart}
