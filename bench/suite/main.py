# SPDX-License-Identifier: BSD-3-Clause
"""The command line of bench/run."""

import argparse
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shlex
import shutil
import signal
import sys
import tempfile
import time

from . import (calibrate, machine, nets, peer_linux, peer_ovs, peers, report, results,
               workloads)
from .attach import Attached
from .procs import BenchError
from .progress import Progress
from .session import Session
from .trial import Lab

TOP = pathlib.Path(__file__).resolve().parents[2]
PEERS = {one.name: one for one in (
    peers.VmSwitch, peers.VmSwitchAwake, peers.VmSwitchPlain, peers.VmSwitchTwo,
    peers.VmSwitchTwoOnOne, peers.VmSwitchMerging, peers.VmSwitchApart,
    peers.VmSwitchQueues, peers.VmSwitchSoftQueues, peer_ovs.OvsNormal,
    peer_ovs.OvsMacFlows, peer_ovs.OvsPortToPort, peer_ovs.OvsNormalEmc,
    peer_ovs.OvsNormalNoRetries, peer_ovs.OvsPortToPortBest, peer_ovs.OvsNormalTso, peers.Testpmd,
    peers.TestpmdTso, peers.TestpmdBest, peer_ovs.OvsHostTap, peer_linux.LinuxBridge,
    peer_linux.LinuxBridgeSteered, peer_linux.LinuxBridgePlain)}
# For the generator's own memory, beside the peer's.
GENERATOR_PAGES = 256
LOCK = f"vmswitch-bench-{os.getuid()}.lock"
LOCK_SECONDS = 60
# A socket's path has 107 characters at most; run folder and file name take some of them.
FOLDER_MAX = 70
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def parser():
    """All options."""
    one = argparse.ArgumentParser(
        prog="bench/run", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure vmswitchd beside Open vSwitch with DPDK and testpmd on the same work "
                    "in the same run; doc/bench.md says how.",
        epilog="workloads:\n" + "\n".join(
            f"  {w.name:<20} {w.text}" + (f" (waits for: {w.needs})" if w.needs else "")
            for w in workloads.ALL.values()) + "\n\npeers: " + ", ".join(PEERS))
    how = one.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="at most 3 minutes")
    how.add_argument("--full", action="store_true", help="everything, hours")
    one.add_argument("workload", nargs="*", help="only these")
    one.add_argument("--peers", help="only these, with commas between")
    one.add_argument("--out", type=pathlib.Path, default=pathlib.Path("bench-report"),
                     help="folder for the report (default: %(default)s)")
    one.add_argument("--build", type=pathlib.Path, help="build folder (default: build)",
                     default=os.environ.get("VMSWITCH_BUILD", TOP / "build"))
    one.add_argument("--vsgen", help="the generator (default: that of the build folder)")
    one.add_argument("--attach", metavar="PATTERN",
                     help="measure ports of a running switch; PATTERN names their sockets, with "
                          "%%u for 0, 1, ...; the generator listens on them, as QEMU does")
    one.add_argument("--attach-guests", type=int, default=2, metavar="N")
    one.add_argument("--attach-connect", action="store_true",
                     help="the switch listens on the sockets, not the generator")
    one.add_argument("--no-huge", action="store_true",
                     help="use no hugepages, neither for the generator nor for the peers")
    one.add_argument("--switch-cpu", type=int, default=0)
    one.add_argument("--generator-cpu", type=int, default=1)
    for name, text in (("windows", "windows per trial"), ("window-ms", "length of a window"),
                       ("warmup-ms", "warm-up"), ("rounds", "rounds, no more and no less"),
                       ("budget", "seconds that it may take")):
        one.add_argument(f"--{name}", type=int, help=text)
    return one


def mode_of(args):
    """The mode with what the command line changes of it."""
    mode = workloads.QUICK if args.quick else workloads.FULL if args.full else workloads.DEFAULT
    changes = {"windows": args.windows, "window_ms": args.window_ms, "warmup_ms": args.warmup_ms,
               "budget_s": args.budget, "rounds_min": args.rounds, "rounds_max": args.rounds}
    if args.workload:
        changes["workloads"] = tuple(args.workload)
    if args.peers:
        changes["peers"] = tuple(args.peers.split(","))
    mode = dataclasses.replace(mode, **{k: v for k, v in changes.items() if v is not None})
    for name in mode.workloads:
        if name not in workloads.ALL:
            raise BenchError(f"there is no workload '{name}'; --help lists them")
    for name in mode.peers:
        if name not in PEERS:
            raise BenchError(f"there is no peer '{name}'; --help lists them")
    if mode.windows < 2:
        raise BenchError("a trial needs two windows: the first is not counted")
    return mode


def check_cpus(args):
    """The two processors must be two, and there."""
    there = os.sched_getaffinity(0)
    if args.switch_cpu == args.generator_cpu or not {args.switch_cpu,
                                                     args.generator_cpu} <= there:
        raise BenchError(f"two different processors of {sorted(there)} are needed, not "
                         f"{args.switch_cpu} and {args.generator_cpu}")


def find_peers(lab, names):
    """(peers that can be used, [{peer, reason}] of the others, {peer: version}). Ours comes first,
    the others are compared with the first."""
    found, skipped, versions = [], [], {}
    for name in sorted(dict.fromkeys(names), key=lambda name: name != "vmswitch"):
        peer = PEERS[name](lab)
        reason = peer.missing()
        if not reason:
            try:
                versions[name] = peer.version()
            except BenchError as error:
                reason = str(error)
        if reason:
            skipped.append({"peer": name, "reason": reason})
        else:
            found.append(peer)
    return found, skipped, versions


def pages(names):
    """Hugepages for the hungriest peer and the generator."""
    return max((PEERS[name].hugepages for name in names), default=0) + GENERATOR_PAGES


def folder_for_runs():
    """Where sockets, logs and the lock live: $TMPDIR or what stands for it, or else a folder with
    a path that is short enough."""
    for name in (tempfile.gettempdir(), "/run", "/tmp"):
        if len(name) <= FOLDER_MAX and os.access(name, os.W_OK | os.X_OK):
            return pathlib.Path(name)
    raise BenchError("there is no folder for sockets that can be written; set TMPDIR")


@contextlib.contextmanager
def alone():
    """Only one benchmark at a time: two would disturb each other, and share hugepages."""
    with open(folder_for_runs() / LOCK, "w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise BenchError("another benchmark is at work") from error
                time.sleep(0.2)
        yield


@contextlib.contextmanager
def laboratory(args, mode):
    """A Lab with hugepages; whatever happens, all is ended and given back."""
    build = args.build.resolve() if isinstance(args.build, pathlib.Path) else \
        pathlib.Path(args.build).resolve()
    vsgen = shlex.split(args.vsgen) if args.vsgen else [str(build / "bench" / "gen" / "vsgen")]
    if shutil.which(vsgen[0]) is None:
        raise BenchError(f"{vsgen[0]} is not built")
    wanted = 0 if args.no_huge else pages(mode.peers)
    with alone(), machine.Hugepages(wanted) as huge:
        rundir = pathlib.Path(tempfile.mkdtemp(prefix="vsb-", dir=folder_for_runs()))
        lab = Lab(build, vsgen, rundir, args.switch_cpu, args.generator_cpu)
        lab.no_huge, lab.hugepages = args.no_huge, huge.enough and not args.no_huge
        try:
            yield lab
        finally:
            lab.programs.stop_all()
            shutil.rmtree(rundir, ignore_errors=True)


def measure(args, mode, lab, progress):
    """Everything between a laboratory and a report."""
    wanted = list(mode.workloads)
    if args.attach:
        found, skipped, versions = [Attached(lab, args)], [], {}
        chosen = Attached.workloads(args, wanted if args.workload else None)
        wanted = []
    else:
        found, skipped, versions = find_peers(lab, mode.peers)
        chosen = workloads.present(wanted)
    for row in skipped:
        progress.say(f"skipped: {row['peer']}: {row['reason']}")
    if not found:
        raise BenchError("there is nothing to measure")
    if not lab.hugepages:
        progress.say("no hugepages, or too few: DPDK peers run without, and are labelled")
    session = Session(lab, mode, found, progress)
    found[1:] = [one for one in found[1:] if any(session.fits(w, one) for w in chosen)]
    why = nets.can_make()
    if why:
        session.left_out += [f"{one.name}: {why}" for one in chosen if one.way in nets.WITH_NET]
        chosen = [one for one in chosen if one.way not in nets.WITH_NET]
    sizes = {}
    for one in chosen:
        if one.kind not in ("vm", "tcp") and any(session.fits(one, peer) for peer in found):
            sizes.setdefault(one.ceiling(), one.window())
    calibration = calibrate.calibrate(lab, sizes, progress)
    interrupted = False
    try:
        session.run(chosen)
    except KeyboardInterrupt:
        interrupted = True
        session.left_out.append("the rest: interrupted")
    if not lab.hugepages:
        for peer in found:
            if peer.hugepages:
                for one in chosen:
                    session.label(one.name, peer.name, "without hugepages")
    built = report.build(session, lab, machine.describe(lab.cpus), calibration, skipped, wanted,
                         versions)
    built["guests"].update({one.name: one.guests for one in chosen})
    return built, interrupted


def interrupt(*_):
    """SIGTERM ends as Ctrl-C does."""
    raise KeyboardInterrupt


def main(argv=None):
    """Measure; returns the exit status."""
    args = parser().parse_args(argv)
    progress = Progress()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        mode = mode_of(args)
        check_cpus(args)
        with laboratory(args, mode) as lab:
            built, interrupted = measure(args, mode, lab, progress)
        why = report.write(built, args.out)
    except BenchError as error:
        print(f"bench/run: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print("bench/run: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    progress.say(f"report: {args.out}/report.html, {args.out}/report.json")
    if why:
        progress.say(why)
    for row in built["absent"]:
        print(f"absent: {row['workload']}: waits for {row['feature']}")
    print(results.summary(built))
    if interrupted:
        return EXIT_INTERRUPTED
    return 0 if built["samples"] else EXIT_FAILED
