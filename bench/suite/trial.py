# SPDX-License-Identifier: BSD-3-Clause
"""One run: generator and switch are started afresh, one or more trials are made, both end. A trial
that was disturbed from outside is made again."""

import contextlib
import dataclasses
import pathlib
import shutil
import tempfile
import time

from . import bins
from .gen import Generator
from .machine import Watch
from .nets import net_for
from .procs import BenchError, Programs, cpu_seconds, wait_until


@dataclasses.dataclass
class Lab:
    """Where and with what is measured. `thrown` counts trials that were made again, `published`
    those that were kept although they were disturbed."""

    build: pathlib.Path
    vsgen: list
    rundir: pathlib.Path
    switch_cpu: int
    generator_cpu: int
    hugepages: bool = False
    no_huge: bool = False
    programs: Programs = dataclasses.field(default_factory=Programs)
    trials: int = 0
    thrown: int = 0
    published: int = 0

    @property
    def cpus(self):
        """Both processors."""
        return [self.switch_cpu, self.generator_cpu]

    def folder(self):
        """A new folder with a short path: sockets live in it."""
        return pathlib.Path(tempfile.mkdtemp(prefix="r", dir=self.rundir))

    def generator(self, folder, *words, net=None):
        """A generator that is not started yet, in a network namespace if it needs one."""
        more = ["--no-huge"] if self.no_huge else []
        return Generator(self.programs, [*(net.words if net else ()), *self.vsgen, *words, "--cpu",
                                         self.generator_cpu, *more], folder / "vsgen.log")


@dataclasses.dataclass
class Trial:
    """What one trial gave. `why` is not empty if it was disturbed; `work` is how far the peer's
    offload counters went."""

    windows: list
    totals: dict
    steal: float
    why: list
    tries: int
    switch_cpu: float
    generator_cpu: float
    cycles: float = None
    counted: dict = dataclasses.field(default_factory=dict)
    work: dict = dataclasses.field(default_factory=dict)


@contextlib.contextmanager
def running(lab, peer, workload, sockets=None):
    """Generator and peer, connected and with all addresses known; gives the generator. The list
    sockets, if given, is filled with the paths."""
    with net_for(workload.way) as net:
        yield from connected(lab, peer, workload, net, sockets)


def connected(lab, peer, workload, net, sockets):
    """What running() does, in its namespace."""
    folder = lab.folder()
    pattern = peer.sockets or f"{folder}/p%u.sock"
    generator = lab.generator(folder, "--socket", pattern, *peer.words, *workload.words(), net=net)
    paths = [pathlib.Path(pattern.replace("%u", str(n))) for n in range(workload.vms())]
    try:
        generator.start()
        wait_until(lambda: all(path.exists() for path in paths), 20, "the sockets are made",
                   generator.process)
        if sockets is not None:
            sockets[:] = paths
        peer.begin(folder)
        peer.size, peer.macs, peer.static = workload.size, workload.macs, workload.static
        peer.way, peer.net, peer.mtu = workload.way, net, workload.mtu
        peer.start(paths)
        generator.wait_ready()
        generator.learn(workload.learn_rate, workload.macs)
        peer.settled()
        yield generator
    finally:
        try:
            generator.quit()
        finally:
            peer.stop()
            shutil.rmtree(folder, ignore_errors=True)


def measure(lab, generator, peer, mode, load, latency=False, windows=None):
    """A trial, made again while it is disturbed, mode.tries times at most."""
    for attempt in range(1, mode.tries + 1):
        trial = measure_once(lab, generator, peer, mode, load, latency, windows or mode.windows)
        trial.tries = attempt
        if not trial.why:
            return trial
        if attempt < mode.tries:
            lab.thrown += 1
    lab.published += 1
    return trial


def measure_once(lab, generator, peer, mode, load, latency, windows):
    """One trial with its counters."""
    peer.clear()
    watch = Watch(lab.cpus, time.monotonic)
    owed, before, begin = peer.offloads(), peer.counters(), time.monotonic()
    used = (peer.cpu_seconds(), cpu_seconds(generator.process))
    found, totals = generator.trial(load, windows, mode.warmup_ms, mode.window_ms, latency,
                                    [lab.generator_cpu, lab.switch_cpu])
    seconds = time.monotonic() - begin
    now = (peer.cpu_seconds(), cpu_seconds(generator.process))
    counted = difference(before, peer.counters())
    work = difference(owed, peer.offloads())
    steal, why = watch.reasons()
    lab.trials += 1
    if len(found) < 2:
        raise BenchError("vsgen gave fewer than two windows")
    if not any(window["received"] for window in found[1:]):
        raise BenchError("no frame arrived")
    cycles = counted["busy_cycles"] / counted["frames"] if counted.get("frames") else None
    return Trial(found, totals, steal, why, 1, (now[0] - used[0]) / seconds,
                 (now[1] - used[1]) / seconds, cycles, counted, work)


def difference(before, after):
    """How far counters went; counters that were not there before began at zero."""
    return {name: value - before.get(name, 0) for name, value in after.items()}


def mpps(window):
    """Frames received in a window, in millions per second."""
    return window["received"] / window["seconds"] / 1e6


def gbps(window):
    """Bits of frames received in a window, in 10^9 per second."""
    return 8 * window["bytes"] / window["seconds"] / 1e9


def total(windows, name):
    """Sum of a count over windows; what a generator does not count is 0."""
    return sum(window.get(name, 0) for window in windows)


def refused(windows):
    """Frames that found the sender's ring full: the switch did not take them in time. What the
    generator itself was too late for is not among them."""
    return total(windows, "not_sent") - total(windows, "late")


def loss(windows):
    """Lost and refused frames per frame offered over windows, None if none was offered."""
    offered = total(windows, "sent") + refused(windows)
    return (total(windows, "lost") + refused(windows)) / offered if offered else None


def offered_share(windows):
    """Frames offered per frame that was to be offered: below 1 the generator was the limit."""
    due = total(windows, "sent") + total(windows, "not_sent")
    return 1 - total(windows, "late") / due if due else 0


def latency_of(totals):
    """{p50, p99, p999} in ns of a trial's totals, whatever of it there is."""
    source = totals.get("latency")
    source = source if isinstance(source, dict) else totals
    found = {}
    for name in ("p50", "p99", "p999"):
        for key in (name, f"{name}_ns", f"latency_{name}_ns", f"latency_{name}"):
            if source.get(key) is not None:
                found[name] = source[key]
    return found


def values(trial, size):
    """[(bin, metric, value)] of a trial under full load with frames of this size."""
    rows = []
    for name, windows in bins.by_bin(trial.windows).items():
        rows.append((name, "mpps", bins.median([mpps(window) for window in windows])))
        if size == "tso":
            rows.append((name, "gbps", bins.median([gbps(window) for window in windows])))
    where = bins.bin_of_run(trial.windows)
    rows.append((where, "switch_cpu", trial.switch_cpu))
    rows.append((where, "generator_cpu", trial.generator_cpu))
    if trial.cycles:
        rows.append((where, "cycles_per_frame", trial.cycles))
    return rows
