# SPDX-License-Identifier: BSD-3-Clause
"""Statistics: bins of windows, medians, pairs and their ratios, verdicts.

DOC: theory of operation

A host that moves virtual CPUs about changes what a cache line's way between two cores costs, within
seconds, and throughput with it by a factor of up to four. So a window of half a second belongs to
the bin that the probes within it say: near (below 220 ns for a round trip), far (above 350 ns), or
mixed. Values are compared inside a bin only.

Windows of one run are not independent, so a run gives one value per bin: the median of its windows
there. A pair is what two peers gave in the same bin of the same round, so that slow drift of the
machine meets both. The ratios of the pairs are what is judged. The interval of their median is that
of order statistics: it assumes nothing about the distribution. For five pairs it is their range and
holds the true median in 94 of 100 cases.
"""

import math
import statistics

NEAR_NS, FAR_NS = 220, 350
BINS = ("near", "far", "mixed")
# Of the probes of a window, so many must agree: one may be hit by an interrupt.
AGREE = 0.8
PAIRS_MIN = 5
# Smaller differences are not called, however sure: code layout alone makes as much.
EFFECT_MIN = 0.05
CONFIDENCE = 0.90


def bin_of(probes):
    """The bin of a window from its probes in ns; without probes nothing is known: mixed."""
    if not probes:
        return "mixed"
    if sum(ns < NEAR_NS for ns in probes) >= AGREE * len(probes):
        return "near"
    if sum(ns > FAR_NS for ns in probes) >= AGREE * len(probes):
        return "far"
    return "mixed"


def by_bin(windows):
    """{bin: [windows]}; the first window of a run is left out, it still holds the start."""
    found = {}
    for window in windows[1:]:
        name = window.get("bin") or bin_of(window.get("probe_ns"))
        found.setdefault(name, []).append(window)
    return found


def bin_of_run(windows):
    """The bin of a value that stands for a whole run: what most of its windows say."""
    found = by_bin(windows)
    total = sum(len(part) for part in found.values())
    for name, part in found.items():
        if len(part) >= AGREE * total:
            return name
    return "mixed"


def median(values):
    """The median, None of nothing."""
    return statistics.median(values) if values else None


def spread(values):
    """[first, third] quartile, by linear interpolation; None of nothing."""
    if not values:
        return None
    data = sorted(values)

    def at(part):
        place = part * (len(data) - 1)
        low = math.floor(place)
        high = min(low + 1, len(data) - 1)
        return data[low] + (data[high] - data[low]) * (place - low)
    return [at(0.25), at(0.75)]


def pairs(ours, theirs):
    """Ratios ours / theirs of the rounds that both have; the arguments are {round: value}."""
    return [ours[n] / theirs[n] for n in sorted(ours) if n in theirs and theirs[n]]


def median_interval(values, confidence=CONFIDENCE):
    """[low, high] that holds the median of the distribution with this confidence at least, from
    order statistics; None if there are too few values for it."""
    data, count = sorted(values), len(values)
    for cut in range((count - 1) // 2, -1, -1):
        outside = 2 * sum(math.comb(count, k) for k in range(cut + 1)) / 2 ** count
        if outside <= 1 - confidence:
            return [data[cut], data[count - 1 - cut]]
    return None


def verdict(ratios, better="higher"):
    """What ratios ours / theirs say about us."""
    if len(ratios) < PAIRS_MIN:
        return "no verdict"
    interval = median_interval(ratios)
    if interval is None:
        return "no verdict"
    if interval[0] <= 1 <= interval[1] or abs(median(ratios) - 1) < EFFECT_MIN:
        return "no difference seen"
    more = interval[0] > 1
    return "better" if more == (better == "higher") else "worse"
