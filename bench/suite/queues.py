# SPDX-License-Identifier: BSD-3-Clause
"""What is said of a run in which frames from an uplink are for guests that may have queues: shares
of one guest, and whether those sorted who were to."""

from . import bins

ENGINES = {"": "off", "soft": "soft", "on": "xdp"}


def sorted_frames(session, workload, peer, round_no, trial, sorter):
    """Throughput and processor time of the switch for each guest that receives, and how many of
    these had a queue. sorter is what the peer says of itself: (engine, reason, queues)."""
    engine, reason, queues = sorter
    vms = workload.vms() // 2
    where = bins.bin_of_run(trial.windows)
    for name, windows in bins.by_bin(trial.windows).items():
        session.add(workload, peer, round_no, name, "mpps_per_vm", bins.median(
            [one["received"] / one["seconds"] / 1e6 for one in windows]) / vms)
    session.add(workload, peer, round_no, where, "switch_cpu_per_vm", trial.switch_cpu / vms)
    session.add(workload, peer, round_no, where, "queues", queues)
    if engine != ENGINES[peer.sort]:
        session.label(workload.name, peer.name, f"sorted by {engine}: {reason}")
