# SPDX-License-Identifier: BSD-3-Clause
"""What bench/compare does: find what got faster or slower from one report, or build, to another."""

import argparse
import json
import math
import os
import pathlib
import signal
import sys

from . import bins, calibrate, peers, results, stats, workloads
from .main import check_cpus, interrupt, laboratory, parser as run_parser
from .procs import BenchError
from .progress import Progress
from .session import Session

# The first tells most, so it is what a table shows first.
METRICS = ("cycles_per_frame", "mpps", "latency_p50_ns", "latency_p99_ns", "gbps")
USUAL = ("pair-64", "pair-1514")
ROUNDS = 22
FOREVER_S = 86400
EXIT_SLOWER, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def load(path):
    """A report from its file or folder."""
    path = pathlib.Path(path)
    path = path / "report.json" if path.is_dir() else path
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from error
    if not isinstance(report, dict) or report.get("schema") != results.SCHEMA:
        raise BenchError(f"{path} is no report of schema {results.SCHEMA}")
    return report


def ours(report):
    """{(workload, metric, x): {bin: {round: value}}} of the peer that the report is about."""
    found = {}
    for row in report["samples"]:
        if row["peer"] == report["ours"] and row["metric"] in METRICS:
            key = (row["workload"], row["metric"], row.get("x"))
            found.setdefault(key, {}).setdefault(row["bin"], {})[row["round"]] = row["value"]
    return found


def strata_of(old, new):
    """[(old logs, new logs)] of the bins where both sides have two runs at least."""
    found = []
    for where in bins.BINS:
        part = (stats.logs(old.get(where, {}).values()), stats.logs(new.get(where, {}).values()))
        if min(map(len, part)) >= 2:
            found.append(part)
    return found


def differences_of(old, new):
    """log(new / old) of all rounds that both have in one bin."""
    return [math.log(new[where][n] / old[where][n]) for where in old if where in new
            for n in old[where] if n in new[where] and old[where][n] > 0 < new[where][n]]


def judge(old, new, paired):
    """[row] for each thing that both sides measured; see stats.py for the method."""
    rows, chances = [], {}
    for key in sorted(set(old) & set(new), key=lambda k: (k[0], METRICS.index(k[1]), k[2] or 0)):
        row = {"workload": key[0], "metric": key[1], "x": key[2], "call": "too few runs"}
        row.update(test(old[key], new[key], paired))
        if "chance" in row:
            chances[key] = row["chance"]
        rows.append(row)
    significant = stats.holm(chances)
    effect = stats.EFFECT_PAIRED if paired else stats.EFFECT_REPORTS
    for row in rows:
        key = (row["workload"], row["metric"], row["x"])
        if key in chances:
            row["call"] = stats.call(row["estimate"], significant[key], effect,
                                     results.METRICS[row["metric"]][1])
    return rows


def test(old, new, paired):
    """{estimate, chance, runs} of one thing, or only runs if there are too few."""
    if paired:
        differences = differences_of(old, new)
        if len(differences) < stats.RUNS_MIN:
            return {"runs": len(differences)}
        return {"runs": len(differences), "estimate": stats.paired_estimate(differences),
                "chance": stats.paired_test(differences)}
    strata = strata_of(old, new)
    runs = min((sum(len(part[n]) for part in strata) for n in (0, 1)), default=0)
    if runs < stats.RUNS_MIN:
        return {"runs": runs}
    return {"runs": runs, "estimate": stats.strata_estimate(strata),
            "chance": stats.strata_test(strata)}


def differences_in_setup(old, new):
    """What makes two reports hard to compare."""
    found = []
    for name in ("cpu", "cpus", "kernel", "switch_cpu", "generator_cpu", "hugepages"):
        before, after = old["machine"].get(name), new["machine"].get(name)
        if before != after:
            found.append(f"{name} differs: {before}, {after}")
    return found


def settings(args):
    """(options as those of bench/run, mode) for measuring builds."""
    options = run_parser().parse_args([])
    options.build, options.vsgen = pathlib.Path(args.new), args.vsgen
    options.switch_cpu, options.generator_cpu = args.switch_cpu, args.generator_cpu
    check_cpus(options)
    check_workloads(args.workloads)
    return options, workloads.Mode("compare", tuple(args.workloads), (), FOREVER_S, args.rounds,
                                   args.rounds, args.windows, args.warmup_ms, args.window_ms)


def check_workloads(names):
    """Only workloads that pair can tell builds apart."""
    for name in names:
        one = workloads.ALL.get(name)
        if one is None or one.kind != "closed" or one.needs or one.peers != "all":
            raise BenchError(f"{name} is no workload that compares")


def in_turns(lab, mode, builds, progress):
    """Measure two builds in turns; returns (rows of judge(), session)."""
    sides = [peers.VmSwitch(lab, pathlib.Path(path).resolve(), name)
             for path, name in zip(builds, ("vmswitch-old", "vmswitch-new"))]
    for side in sides:
        if side.missing():
            raise BenchError(side.missing())
    session = Session(lab, mode, sides, progress)
    session.run([workloads.ALL[name] for name in mode.workloads])
    values = [ours({"samples": session.samples, "ours": side.name}) for side in sides]
    return judge(*values, paired=True), session


def measure_builds(args):
    """Both builds in turns; returns the rows."""
    options, mode = settings(args)
    progress = Progress()
    with laboratory(options, mode) as lab:
        progress.step("calibration")
        machine_state = calibrate.calibrate(lab, {}, progress)
        rows, session = in_turns(lab, mode, (args.old, args.new), progress)
    print(f"{lab.trials} trials, {lab.thrown} thrown away, {lab.published} kept although "
          f"disturbed; one core with the other busy: {machine_state['interference']:.2f} of alone")
    for failure in session.failures:
        print(f"failed: {failure['workload']} {failure['peer']}: {failure['error']}")
    return rows


def is_build(path):
    """Whether this is a build folder."""
    return os.access(pathlib.Path(path) / "control" / "vmswitchd", os.X_OK)


def show(rows):
    """Print the table and the closing line; returns whether something got slower."""
    print(f"{'workload':<22} {'metric':<18} {'new/old':>8} {'chance':>8} {'runs':>5}  verdict")
    for row in rows:
        name = row["workload"] + (f" @ {row['x']:g}" if row["x"] is not None else "")
        ratio = f"{math.exp(row['estimate']):.3f}" if "estimate" in row else "-"
        chance = f"{row['chance']:.4f}" if "chance" in row else "-"
        print(f"{name:<22} {row['metric']:<18} {ratio:>8} {chance:>8} {row['runs']:>5}  "
              f"{row['call']}")
    counts = {call: sum(row["call"] == call for row in rows)
              for call in ("slower", "faster", "no change seen", "too few runs")}
    print("compare: " + ", ".join(f"{n} {call}" for call, n in counts.items()))
    return bool(counts["slower"])


def parser():
    """The command line."""
    one = argparse.ArgumentParser(
        prog="bench/compare",
        description="Tell what got faster or slower from OLD to NEW, beyond noise. Both are "
                    "reports (report.json or its folder), or both are build folders, which are "
                    "then measured in turns: that sees smaller changes. Exit status: 0 nothing "
                    "got slower, 1 something did, 2 there was nothing to compare.")
    one.add_argument("old", metavar="OLD")
    one.add_argument("new", metavar="NEW")
    add_options(one, USUAL)
    return one


def add_options(one, usual):
    """How builds are measured; bench/prove has the same options."""
    one.add_argument("--rounds", type=int, default=ROUNDS, help="of builds (default %(default)s)")
    for name, value, text in (("windows", 3, "per trial, the first is not counted"),
                              ("window-ms", 250, "length of a window"),
                              ("warmup-ms", 200, "before the windows")):
        one.add_argument(f"--{name}", type=int, default=value, help=f"{text} (default {value})")
    one.add_argument("--workloads", type=lambda text: text.split(","), default=list(usual),
                     help=f"for builds, with commas between (default: {','.join(usual)})")
    one.add_argument("--vsgen", help="the generator (default: that of the build)")
    one.add_argument("--switch-cpu", type=int, default=0)
    one.add_argument("--generator-cpu", type=int, default=1)


def compare(args):
    """The rows of the comparison."""
    if is_build(args.old) and is_build(args.new):
        return measure_builds(args)
    old, new = load(args.old), load(args.new)
    for line in differences_in_setup(old, new):
        print(f"careful: {line}")
    return judge(ours(old), ours(new), paired=False)


def main(argv=None):
    """Compare; returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        rows = compare(parser().parse_args(argv))
    except BenchError as error:
        print(f"bench/compare: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("bench/compare: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    slower = show(rows)
    if all(row["call"] == "too few runs" for row in rows):
        return EXIT_USAGE
    return EXIT_SLOWER if slower else 0
