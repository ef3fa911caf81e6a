# SPDX-License-Identifier: BSD-3-Clause
"""What the switch's own offload counters say about a run: where all can be passed on whole it must
not have computed a checksum or made a segment; where it may merge, how much it merged, and what a
byte cost it and the receiver."""

from . import bins

# Bytes of a segment of vsgen's streams: 1514 without headers.
SEGMENT = 1448
# A segment is counted at each of the two switches that it crosses.
SWITCHES = 2


def whole(session, workload, peer, round_no, where, work):
    """Checksums and segments that a switch made of frames that owed both. Anything but none is
    work that nobody asked for, and the figures are labelled. A peer that does not count says
    nothing."""
    for name, metric in (("checksums", "checksums_made"), ("segments", "segments_made")):
        count = work.get(name)
        if count is None:
            continue
        session.add(workload, peer, round_no, where, metric, count)
        if count:
            session.label(workload.name, peer.name, f"not passed whole: {name} were made")


def merging(session, workload, peer, round_no, trial, hertz):
    """Gbit/s of payload, cycles of the switch and of the receiver per byte, and how many segments
    the receiver got at a time. hertz is that of the time stamp counter."""
    where = bins.bin_of_run(trial.windows)
    frames = trial.counted.get("frames", 0) / SWITCHES
    merged = trial.work.get("merged")
    if merged is not None and frames > merged:
        session.add(workload, peer, round_no, where, "merged_into_one",
                    frames / (frames - merged))
    if workload.size != "stream":
        return
    for name, windows in bins.by_bin(trial.windows).items():
        session.add(workload, peer, round_no, name, "gbps", bins.median(
            [8e-9 * one["bytes"] / one["seconds"] for one in windows]))
        if hertz and all("rx_busy" in one and one["bytes"] for one in windows):
            session.add(workload, peer, round_no, name, "rx_cycles_per_byte", bins.median(
                [one["rx_busy"] * hertz * one["seconds"] / one["bytes"] for one in windows]))
    if frames:
        session.add(workload, peer, round_no, where, "cycles_per_byte",
                    trial.counted["busy_cycles"] / (frames * SEGMENT))
