# SPDX-License-Identifier: BSD-3-Clause
"""What the machine is, what it does besides, and the hugepages that are borrowed from it."""

import os
import pathlib
import platform

from .procs import TICK

STEAL_LIMIT = 0.005
# Stolen time is counted in ticks of 10 ms, so it is judged over a whole trial; a single tick says
# nothing, however short the trial.
STEAL_TICKS = 2
FOREIGN_LIMIT = 0.05
PROC = pathlib.Path("/proc")
NR_HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"


def field(path, name):
    """The value behind "name:" in a file of /proc, or an empty string."""
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def describe(cpus):
    """The machine as report.json has it."""
    try:
        governor = pathlib.Path(GOVERNOR).read_text().strip()
    except OSError:
        governor = "not visible"
    return {"cpu": field("/proc/cpuinfo", "model name"), "cpus": os.cpu_count(),
            "switch_cpu": cpus[0], "generator_cpu": cpus[1],
            "memory_kib": int((field("/proc/meminfo", "MemTotal") or "0").split()[0]),
            "kernel": platform.release(), "governor": governor,
            "hypervisor": "hypervisor" in field("/proc/cpuinfo", "flags").split()}


def _steal_and_all(cpus):
    """Ticks stolen from the CPUs in use, and all their ticks."""
    stolen = total = 0
    for line in (PROC / "stat").read_text().splitlines():
        words = line.split()
        if words[0] in [f"cpu{n}" for n in cpus]:
            ticks = [int(word) for word in words[1:9]]
            stolen += ticks[7]
            total += sum(ticks)
    return stolen, total


def softirq_seconds(cpu):
    """Time that a processor has spent in the kernel's soft interrupts."""
    for line in (PROC / "stat").read_text().splitlines():
        words = line.split()
        if words[0] == f"cpu{cpu}":
            return int(words[7]) / TICK
    return 0.0


def processes():
    """{(pid, start time): (parent, ticks used, name)} of all user processes."""
    found = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            head, _, rest = (entry / "stat").read_text().rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        pid, parent = int(entry.name), int(fields[1])
        if parent != 2 and pid != 2:
            found[(pid, fields[19])] = (parent, int(fields[11]) + int(fields[12]),
                                        head.partition("(")[2])
    return found


def is_ours(pid, parents, ours):
    """Whether a process is, or descends from, the process ours."""
    while pid > 1:
        if pid == ours:
            return True
        pid = parents.get(pid, 0)
    return False


def foreign(before, after, seconds, ours):
    """Processes that are not ours and used more than FOREIGN_LIMIT of one CPU: "name share"."""
    parents = {pid: row[0] for (pid, _), row in after.items()}
    guilty = []
    for key, (_, ticks, name) in after.items():
        share = (ticks - before.get(key, (0, 0, ""))[1]) / TICK / max(seconds, 0.01)
        if share > FOREIGN_LIMIT and not is_ours(key[0], parents, ours):
            guilty.append(f"{name} {share:.0%}")
    return sorted(guilty)


class Watch:
    """What disturbs a trial between begin and reasons()."""

    def __init__(self, cpus, clock):
        self.cpus, self.clock = cpus, clock
        self.begin = clock()
        self.before = processes()
        self.steal_before = _steal_and_all(cpus)

    def reasons(self):
        """(share of time stolen, why this trial is disturbed: an empty list if it is not)."""
        stolen, total = (b - a for a, b in zip(self.steal_before, _steal_and_all(self.cpus)))
        steal = stolen / total if total else 0.0
        much = steal >= STEAL_LIMIT and stolen >= STEAL_TICKS
        why = [f"steal {steal:.1%}"] if much else []
        others = foreign(self.before, processes(), self.clock() - self.begin, os.getpid())
        return steal, why + [f"busy: {other}" for other in others]


class Hugepages:
    """2 MiB pages, taken at run time and given back. `count` is what there is."""

    def __init__(self, wanted, path=NR_HUGEPAGES):
        self.path, self.wanted = pathlib.Path(path), wanted
        self.before = None
        self.count = 0

    def __enter__(self):
        try:
            self.before = int(self.path.read_text())
            if self.before < self.wanted:
                self.path.write_text(f"{self.wanted}\n")
            self.count = int(self.path.read_text())
        except (OSError, ValueError):
            self.count = 0
        return self

    def __exit__(self, *_):
        if self.before is not None and self.before < self.wanted:
            try:
                self.path.write_text(f"{self.before}\n")
            except OSError:
                pass

    @property
    def enough(self):
        """Whether the peers can have theirs."""
        return self.count >= self.wanted
