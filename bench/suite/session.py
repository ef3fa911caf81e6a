# SPDX-License-Identifier: BSD-3-Clause
"""A whole measurement: which runs are made in which order, and what they gave.

DOC: theory of operation

Workloads that compare are made in rounds. In a round each workload is run once for each peer, in
the order A B C, in the next C B A, so that what drifts meets all alike. Rounds go on until every
comparison has five pairs in some bin, and as long as there is time. Then come the workloads that do
not compare, and what time is left goes into more rounds.
"""

import collections
import time

from . import bins, kinds, tcpload, vmload
from .procs import BenchError
from .workloads import ALL, MAIN, stands

KINDS = {**kinds.KINDS, "tcp": tcpload.tcp, "vm": vmload.vm}
# Kinds that are made in rounds, and the figure that pairs are made of.
RATES = {"closed": "mpps", "tcp": "gbps"}
FAILURES_MAX = 2
EXTRA_ROUNDS = 2
ONCE = ("loss", "vm", "crosscheck", "restart")
# For an address that is entered by a command.
ENTER_SECONDS = 0.01
# Share of the budget that rounds may use up before the other workloads had their turn.
ROUNDS_SHARE = 0.6


class Session:
    """Samples of all runs, and the budget of time."""

    def __init__(self, lab, mode, peers, progress, clock=time.monotonic):
        self.lab, self.mode, self.peers, self.progress = lab, mode, peers, progress
        self.clock = clock
        self.begin = clock()
        self.samples, self.runs, self.failures = [], [], []
        self.left_out = []
        self.labels = collections.defaultdict(set)
        self.command = {}
        self.cost = {}
        self.failed = collections.Counter()

    # -- what runs hand in

    def add(self, workload, peer, round_no, where, metric, value, x=None):
        """A value that one run gave in one bin."""
        row = {"workload": workload.name, "peer": peer.name, "round": round_no, "bin": where,
               "metric": metric, "value": value}
        if x is not None or workload.x is not None:
            row["x"] = x if x is not None else workload.x
        self.samples.append(row)

    def label(self, workload, peer, text):
        """Something a reader of these figures must know."""
        self.labels[(workload, peer)].add(text)

    def commands(self, workload, peer, generator):
        """The command lines of a run."""
        self.command[(workload.name, peer.name)] = [" ".join(generator.argv), *peer.commands]

    def note_run(self, workload, peer, round_no, trial):
        """The windows of a run, for those who doubt."""
        rows = [{key: window.get(key) for key in ("seconds", "sent", "received", "lost",
                                                  "not_sent", "late", "bin", "gen_busy",
                                                  "cycles_per_frame", "probe_ns")}
                for window in trial.windows]
        self.runs.append({"workload": workload.name, "peer": peer.name, "round": round_no,
                          "steal": trial.steal, "disturbed": trial.why, "tries": trial.tries,
                          "counted": trial.counted, "windows": rows})

    def values(self, workload, peer, metric):
        """All values of a metric, of all bins."""
        return [row["value"] for row in self.samples
                if (row["workload"], row["peer"], row["metric"]) == (workload, peer, metric)]

    # -- the order of things

    def left(self):
        """Seconds of the budget."""
        return self.mode.budget_s - (self.clock() - self.begin)

    def run(self, workloads):
        """Make all of it."""
        compared = [w for w in workloads if w.kind in RATES and w.peers == "all"]
        # What others make use of comes first: latency is taken at a rate that loss-64 finds.
        others = sorted((w for w in workloads if w not in compared),
                        key=lambda w: w.kind != "loss")
        done = self.rounds(compared, 0, self.mode.rounds_min,
                           self.mode.budget_s * (1 - ROUNDS_SHARE) if others else 0)
        for workload in others:
            times = 1 if workload.kind in ONCE and self.mode.name != "full" else EXTRA_ROUNDS
            for n in range(times):
                self.turn(workload, n)
        if done == self.mode.rounds_min:
            self.rounds(compared, done, self.mode.rounds_max, 0, until_paired=True)

    def rounds(self, compared, first, last, keep, until_paired=False):
        """Rounds first … last - 1 while more than keep seconds are left; returns the next one."""
        for n in range(first, last if compared else first):
            if until_paired and self.paired(compared):
                return n
            cost = sum(self.cost.get((w.name, p.name), 0) for w in compared for p in self.peers)
            if n and self.left() - cost < keep:
                self.left_out.append(f"rounds {n + 1} and later: no time left")
                return n
            for workload in compared:
                self.turn(workload, n)
        return last

    def turn(self, workload, round_no):
        """One run for each peer that can, forwards and backwards in turns."""
        peers = [p for p in self.peers if self.fits(workload, p)]
        for peer in peers if round_no % 2 == 0 else reversed(peers):
            key = (workload.name, peer.name)
            if self.failed[key] >= FAILURES_MAX:
                continue
            if self.left() < self.cost.get(key, self.estimate(workload)):
                self.left_out.append(f"{workload.name} {peer.name} round {round_no + 1}: "
                                     "no time left")
                continue
            self.once(workload, peer, round_no)

    def once(self, workload, peer, round_no):
        """One run; a failure is kept and does not end the measurement."""
        begin = self.clock()
        self.progress.step(f"{workload.name} · {peer.name} · round {round_no + 1}", self.left())
        try:
            KINDS[workload.kind](self, workload, peer, round_no)
        except Exception as error:
            # Whatever it is, the other runs are worth more than a clean end here.
            text = str(error) if isinstance(error, BenchError) else repr(error)
            self.failed[(workload.name, peer.name)] += 1
            self.failures.append({"workload": workload.name, "peer": peer.name,
                                  "round": round_no, "error": text})
            self.progress.say(f"{workload.name} {peer.name} failed: {text}")
        took = self.clock() - begin
        key = (workload.name, peer.name)
        self.cost[key] = max(took, self.cost.get(key, 0) * 0.9)

    def estimate(self, workload):
        """Seconds a run takes that has not been made yet."""
        if workload.kind == "restart":
            return 18
        if workload.kind == "tcp":
            return 3 + tcpload.SECONDS + tcpload.OMIT_SECONDS
        trial = (self.mode.warmup_ms + self.mode.windows * self.mode.window_ms) / 1000
        times = {"loss": 5, "reconfig": 2, "idle": 1, "vm": 15}.get(workload.kind, 1)
        learning = 1.2 * workload.macs / workload.learn_rate if workload.learn_rate else 0
        learning += workload.guests * workload.macs * ENTER_SECONDS if workload.static else 0
        return 3 + times * trial + learning

    def fits(self, workload, peer):
        """Whether this peer takes part in this workload."""
        ours = peer.name.startswith("vmswitch")
        if workload.peers == "vmswitch" and not ours:
            return False
        if ours and not stands(workload):
            return False
        if workload.merges and not ours or getattr(peer, "merge", "") and not workload.merges:
            return False
        if workload.sorts and not ours or getattr(peer, "sort", "") and not workload.sorts:
            return False
        if workload.way not in peer.ways or (workload.static and not peer.enters):
            return False
        if peer.variant and self.mode.workloads == tuple(ALL) and workload.name not in MAIN:
            return False
        if workload.size == "tso" and not peer.tso:
            return False
        if peer.aside and not workload.has_tso() and self.mode.name != "full":
            return False
        # One run of a stream gives the figures of merging and of not.
        if workload.kind == "vm" and \
                peer.name != ("vmswitch-gro" if workload.merges else "vmswitch"):
            return False
        if workload.macs and not (workload.static or peer.learns):
            return False
        if workload.kind == "latency" and peer.name == "ovs-port-to-port-best":
            return False
        return workload.guests <= peer.max_guests

    def paired(self, compared):
        """Whether each comparison has its pairs in some bin."""
        ours = self.peers[0].name
        for workload in compared:
            for peer in self.peers[1:]:
                if not self.fits(workload, peer) or \
                        self.failed[(workload.name, peer.name)] >= FAILURES_MAX:
                    continue
                if not any(len(self.pairs(workload, ours, peer.name, where)) >= bins.PAIRS_MIN
                           for where in bins.BINS):
                    return False
        return True

    def pairs(self, workload, ours, theirs, where):
        """Ratios of throughput in a bin."""
        metric = RATES[workload.kind]
        found = {name: {row["round"]: row["value"] for row in self.samples
                        if (row["workload"], row["peer"], row["bin"], row["metric"]) ==
                        (workload.name, name, where, metric)} for name in (ours, theirs)}
        return bins.pairs(found[ours], found[theirs])
