# SPDX-License-Identifier: BSD-3-Clause
"""The workload `vm`: QEMU guests with iperf3, through the helpers of tests/vm."""

import contextlib
import importlib
import json
import os
import pathlib
import shutil
import sys

from .procs import BenchError

TOP = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 5
JUMBO = 9000


@contextlib.contextmanager
def helpers(build):
    """The modules of tests/vm; they find the build folder in the environment."""
    os.environ["VMSWITCH_BUILD"] = str(build)
    folders = [str(TOP / "tests" / name) for name in ("vm", "common")]
    sys.path[:0] = folders
    try:
        yield importlib.import_module("lab"), importlib.import_module("accel")
    finally:
        del sys.path[:len(folders)]


def iperf_rate(text):
    """(Gbit/s, receiving guest's view, retransmits) of iperf3 -J."""
    report = json.loads(text)
    if "error" in report:
        raise BenchError(f"iperf3: {report['error']}")
    end = report["end"]
    return (end["sum_received"]["bits_per_second"] / 1e9, end["sum_sent"].get("retransmits", 0))


def boot(lab, guests):
    """Guests vm1 … vmN; those with even numbers serve iperf3."""
    machines = [lab.start(f"vm{n}", n, role="shell" if n % 2 else "server", mtu=JUMBO)
                for n in range(1, guests + 1)]
    for machine in machines:
        machine.wait_boot(120)
    return machines


def talk(machines):
    """All pairs at the same time; returns the rates in Gbit/s."""
    jobs = [machine.spawn(f"iperf3 -J -t {SECONDS} -c 10.0.0.{n + 1}")
            for n, machine in enumerate(machines, 1) if n % 2]
    rates = []
    for job in jobs:
        status, output = job.wait(SECONDS + 60)
        if status:
            raise BenchError(f"iperf3 ended with {status}: {output[-300:]}")
        rates.append(iperf_rate(output)[0])
    return rates


def vm(session, workload, peer, round_no):
    """iperf3 between QEMU guests, TCP, an MTU of 9000. The guests and the switch share the
    processors as the kernel likes, so there are no bins: all is "mixed"."""
    with helpers(peer.build) as (lab_module, accel):
        try:
            session.label(workload.name, peer.name, accel.detect()[1])
            lab = lab_module.Lab()
        except (RuntimeError, OSError) as error:
            raise BenchError(f"no guests here: {error}") from error
        try:
            rates = talk(boot(lab, workload.guests))
        except Exception as error:
            # The helpers have exceptions of their own, which are known only once they are loaded.
            raise BenchError(f"{type(error).__name__}: {error}") from error
        finally:
            try:
                lab.close()
            finally:
                shutil.rmtree(lab.dir, ignore_errors=True)
    session.command[(workload.name, peer.name)] = [
        f"iperf3 -J -t {SECONDS} -c 10.0.0.2 in {workload.guests} guests of tests/vm"]
    session.add(workload, peer, round_no, "mixed", "gbps", sum(rates))

