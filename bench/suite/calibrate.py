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
    """The generator against nothing, with so many frames of each flow in flight: {mpps, bins,
    probe_ns, command}; bins has the rate in each bin that was met."""
    folder = lab.folder()
    generator = lab.generator(folder, "--null", "--null-cpu", lab.switch_cpu, "--guests", "2",
                              "--size", size)
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


def calibrate(lab, sizes, progress):
    """The object "calibration" of the report; sizes is {frame size: frames of a flow in flight}."""
    result = {"ceilings": {}, "ceiling_errors": {}}
    probes = []
    watch = Watch(lab.cpus, time.monotonic)
    progress.step("calibration: interference of the two processors")
    result["interference"] = interference(lab.cpus)
    result["cores_alone"] = result["interference"] >= ALONE
    progress.step("calibration: copying")
    result["copy_gb_s"] = {str(size): copy_rate(size) for size in COPY_SIZES}
    for size, in_flight in sizes.items():
        progress.step(f"calibration: the generator's own ceiling, {size}")
        try:
            found = ceiling(lab, size, in_flight)
        except BenchError as error:
            result["ceiling_errors"][size] = str(error)
            progress.say(f"no ceiling for {size}: {error}")
            continue
        probes += found.pop("probe_ns")
        result["ceilings"][size] = found
    result["core_to_core_ns"] = {"median": bins.median(probes), "spread": bins.spread(probes),
                                 "min": min(probes, default=None),
                                 "max": max(probes, default=None), "probes": len(probes)}
    result["steal"], result["disturbed"] = watch.reasons()
    return result
