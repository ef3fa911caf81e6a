# SPDX-License-Identifier: BSD-3-Clause
"""What bench/stages does: time and instructions of each stage per frame, beside a baseline."""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import machine
from .procs import BenchError

TOP = pathlib.Path(__file__).resolve().parents[2]
BASELINE = TOP / "bench" / "stage" / "baseline.json"
SCHEMA = 1
SECONDS = 300
EXIT_WORSE, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
# Instruction counts of two builds that differ in one of these are not comparable.
BUILD_KEYS = ("compiler", "buildtype", "optimization", "dpdk", "libc", "isa", "valgrind")
COST = re.compile(r"[0-9+*-]")
NAME = re.compile(r"c?fn=\((\d+)\)(?: (.*))?")


def parser():
    """All options."""
    one = argparse.ArgumentParser(
        prog="bench/stages", description="Measure the stages of the pipeline one by one on canned "
        "bursts: time, ticks of the time stamp counter and instructions per frame. Instructions "
        "are compared with the stored baseline; exit status 1 means that some stage takes more.")
    one.add_argument("--build", type=pathlib.Path, help="build folder (default: build)",
                     default=pathlib.Path(os.environ.get("VMSWITCH_BUILD", TOP / "build")))
    one.add_argument("--case", action="append", metavar="NAME", help="only this burst; may be "
                     "given several times (default: all)")
    one.add_argument("--baseline", type=pathlib.Path, default=BASELINE, metavar="FILE",
                     help="(default: bench/stage/baseline.json)")
    one.add_argument("--tolerance", type=float, default=3.0, metavar="PERCENT",
                     help="more instructions than this above the baseline are worse "
                          "(default: %(default)s)")
    one.add_argument("--store", action="store_true", help="make this the baseline")
    one.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    one.add_argument("--cpu", type=int, help="processor for the timing (default: the last)")
    one.add_argument("--repeats", type=int, default=4000, help="bursts to time")
    one.add_argument("--bursts", type=int, default=32, help="bursts to count instructions of")
    return one


class Stage:
    """The program vsstage of one build."""

    def __init__(self, build, cpu=None):
        self.program = build / "bench" / "stage" / "vsstage"
        if not self.program.exists():
            raise BenchError(f"{self.program} is not built")
        there = os.sched_getaffinity(0)
        self.cpu = max(there) if cpu is None else cpu
        if self.cpu not in there:
            raise BenchError(f"one processor of {sorted(there)} is needed, not {self.cpu}")
        lines = self.run("--list")
        self.build = self.take_build(lines)
        self.stages = {row["name"]: row for row in lines if row["event"] == "stage"}
        self.cases = {row["name"]: row["text"] for row in lines if row["event"] == "case"}

    @staticmethod
    def take_build(lines):
        """The line that says how it was built."""
        return {key: value for key, value in lines[0].items() if key != "event"}

    def run(self, *words, before=()):
        """Its lines; it must end well."""
        command = [*map(str, before), str(self.program), *map(str, words)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS,
                                  check=False, preexec_fn=self.pin)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{' '.join(command)} takes longer than {SECONDS} s") from error
        if "debuginfo reader" in done.stderr:
            raise BenchError("valgrind cannot read the debug information of this build; build "
                             "it with gcc, or with -Dc_args=-gdwarf-4")
        if done.returncode:
            raise BenchError(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def pin(self):
        """In the child: stay on one processor."""
        os.sched_setaffinity(0, {self.cpu})

    def refuse(self):
        """Why figures of this build mean nothing, or None."""
        if self.build["sanitize"] != "none":
            return f"a build with a sanitizer ({self.build['sanitize']})"
        if self.build["optimization"] in ("0", "g", "plain"):
            return f"a build without optimization ({self.build['buildtype']})"
        return None

    def times(self, case, repeats):
        """{stage: {ns, cycles}} of a case, each with median, min, q1 and q3, per frame."""
        lines = self.run("--time", "--case", case, "--repeats", repeats)
        return {row["stage"]: {"ns": row["ns"], "cycles": row["cycles"]} for row in lines
                if row["event"] == "time"}

    def counts(self, case, bursts, stage="all"):
        """({stage: instructions per frame} of a case, how the counted program sees its build)."""
        with tempfile.TemporaryDirectory(prefix="vsstage-") as folder:
            out = pathlib.Path(folder) / "callgrind.out"
            lines = self.run("--count", stage, "--case", case, "--bursts", bursts, before=(
                "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}",
                "--toggle-collect=vss_mark_*"))
            costs = inclusive(out.read_text())
        frames = lines[-1]["frames"] * bursts
        empty = costs.get(next(row["marker"] for row in self.stages.values()
                               if row["kind"] == "empty"), 0)
        found = {name: (costs[row["marker"]] - empty) / frames
                 for name, row in self.stages.items()
                 if row["marker"] in costs and row["kind"] != "empty"}
        return found, self.take_build(lines)


def inclusive(text):
    """{function: instructions of it and of all it called} of the functions vss_mark_*(), from a
    file of callgrind: what calls of them cost (its manual, "Callgrind Format Specification")."""
    names, costs = {}, {}
    called, expected = None, False
    for line in text.splitlines():
        match = NAME.match(line)
        if match:
            number, name = match.groups()
            if name:
                names[number] = name
            called = names[number] if line.startswith("cfn=") else None
        elif line.startswith("calls="):
            expected = True
        elif expected and COST.match(line):
            if called and called.startswith("vss_mark_"):
                costs[called] = costs.get(called, 0) + int(line.split()[-1])
            expected = False
    return costs


def valgrind_version():
    """Such as "valgrind-3.19.0"."""
    if shutil.which("valgrind") is None:
        raise BenchError("valgrind is not there, which counts the instructions "
                         "(apt-get install valgrind)")
    return subprocess.run(["valgrind", "--version"], capture_output=True, text=True,
                          check=True).stdout.strip()


def measure(stage, cases, args):
    """Everything about this build, in the form of the baseline."""
    found = {}
    build = {"valgrind": valgrind_version()}
    for case in cases:
        if sys.stderr.isatty():
            print(f"\r{case:<20}", end="", file=sys.stderr, flush=True)
        times = stage.times(case, args.repeats)
        counts, counted = stage.counts(case, args.bursts)
        build.update(counted)
        found[case] = {name: {"instructions": round(counts[name], 2),
                              "ns": round(times[name]["ns"]["median"], 2),
                              "cycles": round(times[name]["cycles"]["median"], 1),
                              "ns_min": round(times[name]["ns"]["min"], 2),
                              "ns_quartiles": [round(times[name]["ns"]["q1"], 2),
                                               round(times[name]["ns"]["q3"], 2)]}
                       for name in stage.stages if name in counts}
    if sys.stderr.isatty():
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr, flush=True)
    return {"schema": SCHEMA, "written": time.strftime("%Y-%m-%d", time.gmtime()),
            "cpu": machine.field("/proc/cpuinfo", "model name"), "repeats": args.repeats,
            "bursts": args.bursts, "build": build, "cases": found}


def load(path):
    """The baseline, or None if there is none yet."""
    try:
        baseline = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from error
    if not isinstance(baseline, dict) or baseline.get("schema") != SCHEMA:
        raise BenchError(f"{path} is no baseline of schema {SCHEMA}")
    return baseline


def why_not(baseline, current):
    """Why the two cannot be compared, or None."""
    if baseline is None:
        return "there is no baseline"
    other = [f"{key} {baseline['build'].get(key)}, now {current['build'].get(key)}"
             for key in BUILD_KEYS if baseline["build"].get(key) != current["build"].get(key)]
    return "the baseline is of another build: " + "; ".join(other) if other else None


def judge(old, new, tolerance):
    """What became of a number of instructions."""
    if old is None:
        return "new"
    if new > old * (1 + tolerance / 100):
        return "worse"
    return "better" if new < old * (1 - tolerance / 100) else "same"


def compare(baseline, current, tolerance):
    """[{case, stage, figures, baseline, change in %, verdict}]; without a baseline the last three
    are None."""
    rows = []
    for case, stages in current["cases"].items():
        known = baseline["cases"].get(case, {}) if baseline else {}
        for name, figures in stages.items():
            old = known.get(name, {}).get("instructions")
            new = figures["instructions"]
            rows.append({"case": case, "stage": name, **figures, "baseline": old,
                         "change": round(100 * (new - old) / old, 2) if old else None,
                         "verdict": judge(old, new, tolerance) if baseline else None})
        rows += [{"case": case, "stage": name, "instructions": None, "change": None,
                  "baseline": known[name]["instructions"], "verdict": "gone"}
                 for name in known if name not in stages]
    return rows


def table(rows):
    """The rows as text."""
    lines = [f"{'':<14}{'ns':>8}{'quartiles':>17}{'cycles':>9}{'instructions':>14}"
             f"{'baseline':>10}{'change':>9}"]
    case = None
    for row in rows:
        if row["case"] != case:
            case = row["case"]
            lines += ["", case]
        old = "" if row["baseline"] is None else f"{row['baseline']:.1f}"
        if row["instructions"] is None:
            lines.append(f"  {row['stage']:<12}{'':>48}{old:>10}{'':>9}  gone")
            continue
        low, high = row["ns_quartiles"]
        quartiles = f"{low:.1f} .. {high:.1f}"
        change = "" if row["change"] is None else f"{row['change']:+.1f} %"
        verdict = row["verdict"] if row["verdict"] not in (None, "same") else ""
        lines.append(f"  {row['stage']:<12}{row['ns']:>8.1f}{quartiles:>17}{row['cycles']:>9.0f}"
                     f"{row['instructions']:>14.1f}{old:>10}{change:>9}  {verdict}".rstrip())
    return "\n".join(lines)


def summary(rows, why, tolerance):
    """The last line."""
    if why:
        return f"not compared: {why}"
    count = {verdict: [f"{row['case']} {row['stage']}" for row in rows
                       if row["verdict"] == verdict] for verdict in ("worse", "better")}
    if not any(count.values()):
        return f"instructions: nothing further than {tolerance:g} % from the baseline"
    return "instructions: " + "; ".join(f"{verdict}: {', '.join(names)}"
                                        for verdict, names in count.items() if names)


def as_text(current):
    """The baseline as JSON with a line for each stage, so that a change of one is a line of a
    patch."""
    head = json.dumps({**current, "cases": {}}, indent=1).removesuffix("{}\n}")
    cases = [f'  "{case}": {{\n' + ",\n".join(
        f"   {json.dumps(name)}: {json.dumps(figures)}" for name, figures in rows.items()) + "\n  }"
             for case, rows in current["cases"].items()]
    return head + "{\n" + ",\n".join(cases) + "\n }\n}\n"


def store(path, current):
    """Write the baseline, whole or not at all."""
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(as_text(current))
        os.replace(new, path)
    except OSError as error:
        raise BenchError(f"{path}: {error}") from error


def work(args):
    """Measure, compare, store and print. Return: exit status."""
    stage = Stage(args.build.resolve(), args.cpu)
    refused = stage.refuse()
    if refused:
        raise BenchError(f"{args.build} is {refused}: its figures would mean nothing")
    cases = args.case or list(stage.cases)
    for name in cases:
        if name not in stage.cases:
            raise BenchError(f"there is no case '{name}', but: {', '.join(stage.cases)}")
    if args.store and args.case:
        raise BenchError("--store wants all cases")
    if args.repeats < 1 or args.bursts < 1 or args.tolerance < 0:
        raise BenchError("--repeats and --bursts are at least 1, --tolerance is not negative")
    baseline = load(args.baseline)
    current = measure(stage, cases, args)
    why = why_not(baseline, current)
    rows = compare(None if why else baseline, current, args.tolerance)
    if args.store:
        store(args.baseline, current)
    if args.json:
        print(json.dumps({**{key: value for key, value in current.items() if key != "cases"},
                          "not_compared": why, "tolerance": args.tolerance, "rows": rows}))
    else:
        print("per frame; " + ", ".join(f"{current['build'][key]}" for key in (
            "compiler", "buildtype", "dpdk", "valgrind")) + f"; {current['cpu']}")
        print(table(rows))
        print("\n" + summary(rows, why, args.tolerance))
        if args.store:
            print(f"stored in {args.baseline}")
    worse = any(row["verdict"] == "worse" for row in rows)
    return EXIT_WORSE if worse and not args.store else 0


def main(argv=None):
    """Return: exit status."""
    args = parser().parse_args(argv)
    try:
        return work(args)
    except BenchError as error:
        print(f"bench/stages: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
