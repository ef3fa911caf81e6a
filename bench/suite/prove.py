# SPDX-License-Identifier: BSD-3-Clause
"""What bench/prove does: comparisons of a build with itself, which must call nothing, and with a
build that was made slower on purpose, which must be caught.

DOC: theory of operation

The slower build is made from a copy of the source tree. In the copy a worker waits at the end of
each round that had frames until the round has taken SLOWDOWN per cent longer than it did: so every
frame costs that much more in every bin, however bursts and caches change. The tree itself, and the
build that is proven, are not touched. Both kinds of comparison take turns, so that a change of the
machine meets both.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

from . import calibrate, compare, machine
from .main import interrupt, laboratory
from .procs import BenchError, command
from .progress import Progress

USUAL = ("pair-64",)
FALSE_MAX, CAUGHT_MIN = 0.1, 0.9
WORKER = pathlib.Path("dataplane") / "worker.c"
# In front of the loop, and in it, once a round is over that had frames.
LOOP, BUSY = "static int worker_main(void *arg)\n{\n", "\t\tif (received) {\n"
WAIT = """/* Wait until a round has taken PERCENT per cent longer than it did. */
static void take_longer(uint64_t begin)
{
\tuint64_t end = rte_rdtsc();

\tend += (end - begin) * PERCENT / 100;
\twhile (rte_rdtsc() < end)
\t\t;
}

"""
CALL = "\t\t\ttake_longer(w->ctx.now_tsc);\n"
# Settings of a build that its slower copy must share.
SHARED = ("buildtype", "debug", "optimization", "b_ndebug", "b_lto", "c_args")
BUILD_SECONDS = 900


def slowed(text, percent):
    """The source of the worker with the wait put in."""
    for anchor in (LOOP, BUSY):
        if text.count(anchor) != 1:
            raise BenchError(f"{WORKER} has changed: {anchor.strip()!r} is there "
                             f"{text.count(anchor)} times, not once")
    text = text.replace(LOOP, WAIT.replace("PERCENT", str(percent)) + LOOP)
    return text.replace(BUSY, BUSY + CALL)


def source_of(build):
    """The source tree of a build folder."""
    try:
        info = json.loads((build / "meson-info" / "meson-info.json").read_text())
    except (OSError, ValueError) as error:
        raise BenchError(f"{build} is no build folder: {error}") from error
    return pathlib.Path(info["directories"]["source"])


def options_of(build):
    """meson's words for a build like this one."""
    rows = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())
    found = {row["name"]: row["value"] for row in rows if row["name"] in SHARED}
    return [f"-D{name}={','.join(value) if isinstance(value, list) else str(value).lower()}"
            for name, value in found.items() if value != []]


def make_slower(build, folder, percent):
    """A build in folder that takes percent longer for each frame; returns its path."""
    source, copy, target = source_of(build), folder / "source", folder / "build"

    def leave_out(where, names):
        return [name for name in names if name in (".git", build.name) or
                (pathlib.Path(where) / name / "meson-info").is_dir() or
                not (os.path.isdir(f"{where}/{name}") or os.path.isfile(f"{where}/{name}"))]
    shutil.copytree(source, copy, ignore=leave_out, symlinks=True)
    worker = copy / WORKER
    worker.write_text(slowed(worker.read_text(), percent))
    command(["meson", "setup", target, copy, *options_of(build)], timeout=BUILD_SECONDS)
    command(["ninja", "-C", target, "control/vmswitchd", "control/vmswitch"],
            timeout=BUILD_SECONDS)
    return target


def one(lab, mode, builds, progress, kind):
    """One comparison, as a row of the result."""
    begin, thrown = time.monotonic(), lab.thrown
    rows, session = compare.in_turns(lab, mode, builds, progress)
    return {"kind": kind, "seconds": round(time.monotonic() - begin, 1),
            "thrown": lab.thrown - thrown, "failures": session.failures,
            "slower": any(row["call"] == "slower" for row in rows),
            "called": any(row["call"] in ("slower", "faster") for row in rows),
            "rows": [{**row, "ratio": math.exp(row["estimate"]) if "estimate" in row else None}
                     for row in rows],
            "samples": session.samples}


def line_of(number, row):
    """A comparison for people."""
    parts = [f"{part['workload']} {part['metric']} " +
             (f"{part['ratio']:.3f} (p {part['chance']:.4f}, {part['runs']} pairs): "
              if part["ratio"] else f"({part['runs']} pairs): ") + part["call"]
             for part in row["rows"]]
    return f"{number:>3} {row['kind']:<7} {row['seconds']:>5.0f} s  " + "; ".join(parts)


def verdict(rows):
    """(counts, whether the proof holds)."""
    same = [row for row in rows if row["kind"] == "itself"]
    slow = [row for row in rows if row["kind"] == "slower"]
    counts = {"itself": len(same), "false_alarms": sum(row["called"] for row in same),
              "slower": len(slow), "caught": sum(row["slower"] for row in slow)}
    return counts, bool(rows) and counts["false_alarms"] <= FALSE_MAX * len(same) and \
        counts["caught"] >= CAUGHT_MIN * len(slow)


def summary(counts, holds):
    """The last line."""
    return (f"prove: {counts['false_alarms']} false alarms in {counts['itself']} comparisons of "
            f"the build with itself; {counts['caught']} of {counts['slower']} slower builds "
            f"caught: {'holds' if holds else 'does not hold'}")


def write(found, out):
    """prove.json and prove.txt."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "prove.json").write_text(json.dumps(found, indent=1) + "\n")
    text = [f"{found['written']}, {found['machine']['cpu']}, {found['slowdown_percent']} % slower "
            f"per frame, {found['rounds']} rounds of {', '.join(found['workloads'])}"]
    text += [line_of(n, row) for n, row in enumerate(found["comparisons"], 1)]
    text.append(summary(found["counts"], found["holds"]))
    (out / "prove.txt").write_text("\n".join(text) + "\n")


def prove(args, folder):
    """All comparisons; what there is of them is written after each."""
    args.new = args.build
    options, mode = compare.settings(args)
    progress = Progress()
    slower = args.slower
    if slower is None:
        progress.say(f"building a copy that is {args.slowdown} % slower per frame")
        slower = make_slower(pathlib.Path(args.build).resolve(), folder, args.slowdown)
    with laboratory(options, mode) as lab:
        found = {"schema": 1, "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                 "machine": machine.describe(lab.cpus), "slowdown_percent": args.slowdown,
                 "rounds": args.rounds, "workloads": args.workloads, "windows": args.windows,
                 "window_ms": args.window_ms, "comparisons": []}
        progress.step("calibration")
        found["interference"] = calibrate.calibrate(lab, {}, progress)["interference"]
        for n in range(args.comparisons):
            for kind, other in (("itself", args.build), ("slower", slower)):
                row = one(lab, mode, (args.build, other), progress, kind)
                found["comparisons"].append(row)
                found["counts"], found["holds"] = verdict(found["comparisons"])
                write(found, args.out)
                progress.say(line_of(len(found["comparisons"]), row))
    return found


def parser():
    """The command line."""
    one_parser = argparse.ArgumentParser(
        prog="bench/prove",
        description="Compare BUILD with itself, and with a build that was made slower on purpose, "
                    "as bench/compare does, many times over. Exit status: 0 at most one false "
                    "alarm in ten and nine in ten slower builds caught, 1 it is otherwise, 2 "
                    "nothing was measured.")
    one_parser.add_argument("build", metavar="BUILD")
    one_parser.add_argument("slower", metavar="SLOWER_BUILD", nargs="?",
                            help="default: made from a copy of BUILD's source")
    one_parser.add_argument("--slowdown", type=int, default=15, metavar="PERCENT",
                            help="of the copy (default %(default)s)")
    one_parser.add_argument("--comparisons", type=int, default=10,
                            help="of each kind (default %(default)s)")
    one_parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("bench-proof"),
                            help="folder for prove.json and prove.txt (default: %(default)s)")
    compare.add_options(one_parser, USUAL)
    return one_parser


def main(argv=None):
    """Prove; returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    args = parser().parse_args(argv)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vsb-slower-"))
    try:
        found = prove(args, folder)
    except BenchError as error:
        print(f"bench/prove: {error}", file=sys.stderr)
        return compare.EXIT_USAGE
    except KeyboardInterrupt:
        print("bench/prove: interrupted", file=sys.stderr)
        return compare.EXIT_INTERRUPTED
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(summary(found["counts"], found["holds"]))
    return 0 if found["holds"] else compare.EXIT_SLOWER
