# SPDX-License-Identifier: BSD-3-Clause
"""The workloads `vm` and `vm-stream`: QEMU guests with iperf3, through the helpers of tests/vm."""

import contextlib
import importlib
import json
import os
import pathlib
import shutil
import sys
import time
import types

from .procs import BenchError, cpu_seconds

TOP = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 5
# Of vm-stream: streams with merging and without, in turns, in one boot of the guest.
TURNS, STREAM_SECONDS, STREAM_OMIT = 6, 3, 1
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
    if workload.merges:
        stream(session, workload, peer)
        return
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



def stream_rate(net, job_words, guest):
    """(Gbit/s, processor time of the guest per second) of a stream from outside to the guest."""
    server = guest.spawn("iperf3 -s -1")
    begin = time.monotonic()
    used = cpu_seconds(guest.process)
    # The server listens soon; a client that comes too early tries again.
    while True:
        text = net.out.exec(*job_words, check=False, timeout=60).stdout
        if '"error"' not in text or time.monotonic() > begin + 20:
            break
        begin, used = time.monotonic(), cpu_seconds(guest.process)
        time.sleep(0.1)
    share = (cpu_seconds(guest.process) - used) / (time.monotonic() - begin)
    server.wait(30)
    return iperf_rate(text)[0], share


def stream(session, workload, peer):
    """A stream of TCP from a namespace, over a veth pair and an `xdp:` uplink, to a QEMU guest,
    whose Linux is the receiver. Merging is switched on and off between streams, which are all made
    in one boot; the figures of both are handed in here."""
    names = {"on": "vmswitch-gro", "off": "vmswitch-gro-off"}
    words = ["iperf3", "-J", "-c", "10.0.0.1", "-t", STREAM_SECONDS, "-O", STREAM_OMIT]
    with helpers(peer.build) as (_, accel):
        try:
            session.label(workload.name, peer.name, accel.detect()[1])
            netlab = importlib.import_module("netlab")
            net = netlab.NetLab()
        except (RuntimeError, OSError, ImportError) as error:
            raise BenchError(f"no guests here: {error}") from error
        try:
            net.daemon.start()
            net.wire()
            net.address(net.out, netlab.WIRE, 252)
            # AF_XDP takes frames of the wire, not what a stack would still cut.
            net.out.exec("ethtool", "-K", netlab.WIRE, "tso", "off", "gso", "off", "tx", "off")
            net.daemon.configure("switch", "add", "ext", "type", "external", "uplink",
                                 f"xdp:{netlab.NIC}", "share-host", "off")
            net.wait_up("ext.uplink")
            guest = net.plug("vm1", 1, "ext")
            netlab.reach(guest, "10.0.0.252")
            for turn in range(2 * TURNS):
                # on off, off on, …: what drifts meets both alike.
                state = ("on", "off")[(turn + turn // 2) % 2]
                net.daemon.check("port", "set", "vm1", "offload", "gro", state)
                rate, share = stream_rate(net, words, guest)
                one = types.SimpleNamespace(name=names[state])
                session.add(workload, one, turn // 2, "mixed", "gbps", rate)
                session.add(workload, one, turn // 2, "mixed", "guest_seconds_per_gb",
                            share / (rate / 8))
                session.command[(workload.name, one.name)] = [
                    f"vmswitch port set vm1 offload gro {state}", " ".join(map(str, words))]
        except Exception as error:
            # The helpers have exceptions of their own, which are known only once they are loaded.
            raise BenchError(f"{type(error).__name__}: {error}") from error
        finally:
            try:
                net.close()
            finally:
                shutil.rmtree(net.dir, ignore_errors=True)
