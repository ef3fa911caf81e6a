# SPDX-License-Identifier: BSD-3-Clause
"""The workload `tcp`: the host's own TCP from one network namespace to another, by iperf3, through
two interfaces of a switch (nets.py, way "stacks"). vsgen takes no part in it."""

import contextlib
import json
import shutil
import subprocess
import time

from . import offloads
from .machine import Watch
from .nets import INTERFACES, STACKS, Net
from .procs import BenchError, command, tail, wait_until
from .trial import difference

SECONDS, OMIT_SECONDS = 2, 1
PORT = 5201
ADDRESS = "10.77.0.{}"
PREFIX = 24
# What `ethtool -K` is told where the offloads are to be off.
OFF = ("tx", "off", "tso", "off", "gso", "off", "gro", "off", "sg", "off")


@contextlib.contextmanager
def switch_between(lab, peer, workload):
    """The peer with its two interfaces; each is moved to a namespace of its own, with an address.
    Gives the two namespaces."""
    folder = lab.folder()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        nets = [Net() for _ in range(3)]
        for net in nets:
            stack.callback(net.close)
        peer.begin(folder)
        peer.size, peer.macs, peer.static = workload.size, 0, False
        peer.way, peer.net, peer.mtu = workload.way, nets[0], workload.mtu
        stack.callback(peer.stop)
        peer.start([])
        for n, name in enumerate(INTERFACES[STACKS]):
            place(peer, nets[0], nets[n + 1], name, n + 1, workload.mtu)
        yield nets[1:]


def place(peer, home, net, name, number, mtu):
    """Move an interface to a namespace, and give it an address, the MTU, and its offloads."""
    home.ip("link", "set", name, "netns", net.name)
    net.ip("link", "set", name, "mtu", mtu, "up")
    net.ip("addr", "add", f"{ADDRESS.format(number)}/{PREFIX}", "dev", name)
    if peer.stacks_off:
        words = ["ethtool", "-K", name, *OFF]
        peer.commands.append(" ".join(words))
        command([*net.words, *words])


def transfer(lab, peer, nets, folder):
    """One stream from the first namespace to the second; returns iperf3's report."""
    log = folder / "iperf3.log"
    # Of an attempt before.
    log.unlink(missing_ok=True)
    server = lab.programs.start([*nets[1].words, "iperf3", "-s", "-1", "--forceflush",
                                "-p", PORT], log)
    try:
        wait_until(lambda: "listen" in log.read_text(errors="replace"), 10,
                   "iperf3 listens", server)
        words = ["iperf3", "-J", "-c", ADDRESS.format(2), "-p", PORT, "-t", SECONDS, "-O",
                 OMIT_SECONDS]
        peer.commands.append(" ".join(map(str, words)))
        text = client([*nets[0].words, *words], SECONDS + OMIT_SECONDS + 20)
    finally:
        lab.programs.stop(server)
    try:
        report = json.loads(text)
    except ValueError as error:
        raise BenchError(f"iperf3 said {text[:200]!r}; {tail(log)}") from error
    if "error" in report:
        raise BenchError(f"iperf3: {report['error']}; {tail(log)}")
    return report


def client(words, timeout):
    """Run iperf3; what it prints is wanted even if it ends with an error."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"iperf3: {error}") from error
    return done.stdout or done.stderr


def once(lab, peer, nets):
    """(bits per second in 10^9, {busy_cycles, frames} of the switch, its processor time, bytes,
    why it is disturbed) of a stream."""
    peer.clear()
    watch = Watch(lab.cpus, time.monotonic)
    before, used, begin = peer.counters(), peer.cpu_seconds(), time.monotonic()
    report = transfer(lab, peer, nets, peer.dir)
    share = (peer.cpu_seconds() - used) / (time.monotonic() - begin)
    counted = difference(before, peer.counters())
    _, why = watch.reasons()
    lab.trials += 1
    end = report["end"]
    # The interval that was left out went through the switch as well.
    sent = sum(one["sum"]["bytes"] for one in report["intervals"])
    return end["sum_received"]["bits_per_second"] / 1e9, counted, share, sent, why


def tcp(session, workload, peer, round_no):
    """One stream of TCP. Sender, receiver and kernel share both processors with the switch as the
    kernel likes, so there are no bins: all is "mixed"."""
    if shutil.which("iperf3") is None or shutil.which("ethtool") is None:
        raise BenchError("iperf3 and ethtool are needed")
    with switch_between(session.lab, peer, workload) as nets:
        before = peer.offloads()
        for attempt in range(session.mode.tries):
            gbps, counted, share, sent, why = once(session.lab, peer, nets)
            if not why:
                break
            session.lab.thrown += attempt + 1 < session.mode.tries
        work = difference(before, peer.offloads())
        session.command[(workload.name, peer.name)] = list(peer.commands)
    offloads.whole(session, workload, peer, round_no, "mixed", work)
    if why:
        session.lab.published += 1
        session.label(workload.name, peer.name, f"disturbed ({', '.join(why)})")
    session.add(workload, peer, round_no, "mixed", "gbps", gbps)
    session.add(workload, peer, round_no, "mixed", "switch_cpu", share)
    if counted.get("frames"):
        session.add(workload, peer, round_no, "mixed", "cycles_per_byte",
                    counted["busy_cycles"] / sent)
        session.add(workload, peer, round_no, "mixed", "bytes_per_frame",
                    sent / counted["frames"])
