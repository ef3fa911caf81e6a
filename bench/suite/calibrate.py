# SPDX-License-Identifier: BSD-3-Clause
"""What the machine gives before anything is measured: how long a cache line takes from core to
core, how much the two cores disturb each other, how fast memory is copied, what is stolen; and the
rate that the generator reaches against nothing."""

import ctypes
import multiprocessing
import os
import shutil
import time

from . import bins
from .machine import Watch
from .nets import net_for
from .procs import BenchError
from .trial import mpps

LOOP_SECONDS = 0.4
COPY_SECONDS = 0.15
COPY_SIZES = (65536, 1 << 20, 64 << 20)
# Below this the second core costs the first: siblings of one core, or a shared clock budget.
ALONE = 0.9


def _spin(cpu, seconds, results):
    """Count additions on one CPU."""
    os.sched_setaffinity(0, {cpu})
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(1000):
            count += 1
    results.put((cpu, count / seconds))


def spin(cpus, seconds=LOOP_SECONDS):
    """Rates of a loop that runs on these CPUs at the same time."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_spin, args=(cpu, seconds, results)) for cpu in cpus]
    for worker in workers:
        worker.start()
    found = dict(results.get(timeout=seconds + 20) for _ in workers)
    for worker in workers:
        worker.join()
    return found


def interference(cpus):
    """Rate of a loop with the other CPU busy, relative to alone, of the worse one."""
    both = spin(cpus)
    return min(both[cpu] / spin([cpu])[cpu] for cpu in cpus)


def copy_rate(size, seconds=COPY_SECONDS):
    """GB/s of memcpy() of one block over and over."""
    source, target = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)
    ctypes.memmove(source, target, size)
    count, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        for _ in range(max(1, (1 << 20) // size)):
            ctypes.memmove(target, source, size)
            count += 1
    return count * size / (time.monotonic() - begin) / 1e9


def ceiling(lab, size, in_flight, windows=4, window_ms=300):
    """The generator's guests against nothing, with so many frames of each flow in flight: {mpps,
    bins, probe_ns, command}; bins has the rate in each bin that was met."""
    return against(lab, ["--null", "--null-cpu", lab.switch_cpu, "--guests", "2"], None, size,
                   in_flight, windows, window_ms)


def against(lab, words, net, size, in_flight, windows, window_ms):
    """A trial of the generator without a switch; returns what ceiling() does."""
    folder = lab.folder()
    generator = lab.generator(folder, *words, "--size", size, net=net)
    try:
        generator.start()
        generator.wait_ready()
        found, _ = generator.trial({"closed": in_flight}, windows, 300, window_ms,
                                   probe=[lab.generator_cpu, lab.switch_cpu])
    finally:
        generator.quit()
        shutil.rmtree(folder, ignore_errors=True)
    probes = [ns for window in found for ns in window.get("probe_ns") or []]
    return {"mpps": bins.median([mpps(window) for window in found[1:]]), "probe_ns": probes,
            "bins": {name: bins.median([mpps(window) for window in part])
                     for name, part in bins.by_bin(found).items()},
            "command": " ".join(generator.argv)}


def wire_ceiling(lab, size, in_flight, windows=4, window_ms=300):
    """The generator's interfaces against a wire, a veth pair. The wire's own work is done on the
    generator's processor, so it is the least that the generator can do; which bin it is does not
    matter."""
    with net_for("hosts") as net:
        net.veth("host0", "host1")
        return against(lab, ["--guests", "0", "--interface", "host0", "--interface", "host1"], net,
                       size, in_flight, windows, window_ms)


def ceilings(lab, sizes, progress):
    """(ceilings, errors, probes) of {what Workload.ceiling() says: frames of a flow in flight}."""
    done, errors, probes = {}, {}, []
    for name, in_flight in sizes.items():
        size, _, wire = name.partition(" ")
        progress.step(f"calibration: the generator's own ceiling, {name}")
        try:
            found = (wire_ceiling if wire else ceiling)(lab, size, in_flight)
        except BenchError as error:
            errors[name] = str(error)
            progress.say(f"no ceiling for {name}: {error}")
            continue
        probes += found.pop("probe_ns")
        done[name] = found
    return done, errors, probes


def calibrate(lab, sizes, progress):
    """The object "calibration" of the report; sizes is {what Workload.ceiling() says: frames of a
    flow in flight}."""
    result = {}
    watch = Watch(lab.cpus, time.monotonic)
    progress.step("calibration: interference of the two processors")
    result["interference"] = interference(lab.cpus)
    result["cores_alone"] = result["interference"] >= ALONE
    progress.step("calibration: copying")
    result["copy_gb_s"] = {str(size): copy_rate(size) for size in COPY_SIZES}
    result["ceilings"], result["ceiling_errors"], probes = ceilings(lab, sizes, progress)
    result["core_to_core_ns"] = {"median": bins.median(probes), "spread": bins.spread(probes),
                                 "min": min(probes, default=None),
                                 "max": max(probes, default=None), "probes": len(probes)}
    result["steal"], result["disturbed"] = watch.reasons()
    return result
