# SPDX-License-Identifier: BSD-3-Clause
"""From samples to the rows of report.json: medians, spreads, ratios to us, verdicts, labels."""

import collections

from . import bins

SCHEMA = 1
# metric: (unit, what is better)
METRICS = {
    "mpps": ("Mpps", "higher"), "cycles_per_frame": ("TSC cycles", "lower"),
    "switch_cpu": ("CPUs", "lower"), "generator_cpu": ("CPUs", "lower"),
    "loss": ("share", "lower"), "loss_median": ("share", "lower"), "sent_mpps": ("Mpps", "higher"),
    "latency_p50_ns": ("ns", "lower"), "latency_p99_ns": ("ns", "lower"),
    "latency_p999_ns": ("ns", "lower"), "offered_mpps": ("Mpps", "higher"),
    "jain": ("index", "higher"), "idle_cpu": ("CPUs", "lower"),
    "counted_ratio": ("ratio", "higher"), "pdr_mpps": ("Mpps", "higher"),
    "no_loss_mpps": ("Mpps", "higher"), "blocked_ms_calm": ("ms", "lower"),
    "blocked_ms_changing": ("ms", "lower"), "changes": ("changes", "higher"),
    "blocked_ms_restart": ("ms", "lower"), "silence_ms": ("ms", "lower"),
    "generator_busy": ("share", "lower"), "guests": ("guests", "higher"),
    "gbps": ("Gbit/s", "higher"), "cycles_per_byte": ("TSC cycles", "lower"),
    "bytes_per_frame": ("bytes", "higher"), "guest_seconds_per_gb": ("s", "lower"),
    "rx_cycles_per_byte": ("TSC cycles", "lower"),
    "merged_into_one": ("segments", "higher"), "checksums_made": ("checksums", "lower"),
    "segments_made": ("segments", "lower"),
    "mpps_per_vm": ("Mpps", "higher"), "switch_cpu_per_vm": ("CPUs", "lower"),
    "queues": ("queues", "higher"),
}
COMPARED = ("mpps", "cycles_per_frame", "latency_p50_ns", "latency_p99_ns", "gbps",
            "cycles_per_byte", "rx_cycles_per_byte",
            "guest_seconds_per_gb")
CEILING_MARGIN = 1.5
PDR_LOSS = 0.005


def grouped(samples):
    """{(workload, peer, bin, metric, x): {round: value}}; a value per round."""
    found = collections.defaultdict(dict)
    for row in samples:
        key = (row["workload"], row["peer"], row["bin"], row["metric"], row.get("x"))
        found[key][row["round"]] = row["value"]
    return found


def rows(samples, ours, labels=None, commands=None, ceilings=None, sizes=None):
    """The list "results". ours names the peer that ratios are relative to; ceilings gives the
    generator's own Mpps by frame size and bin, sizes the frame size by workload."""
    groups, result = grouped(samples), []
    for key in sorted(groups, key=lambda k: (k[0], k[3], k[2], k[4] or 0, k[1])):
        workload, peer, where, metric, x = key
        values = list(groups[key].values())
        unit, better = METRICS.get(metric, ("", "higher"))
        row = {"workload": workload, "peer": peer, "bin": where, "metric": metric, "unit": unit,
               "better": better, "median": bins.median(values), "spread": bins.spread(values),
               "min": min(values), "max": max(values), "runs": len(values),
               "labels": sorted((labels or {}).get((workload, peer), ())),
               "command": (commands or {}).get((workload, peer), [])}
        if x is not None:
            row["x"] = x
        if peer != ours and metric in COMPARED:
            row.update(versus(groups.get((workload, ours, where, metric, x), {}), groups[key],
                              better))
        busy = groups.get((workload, peer, where, "generator_busy", x))
        if metric == "mpps" and busy:
            busy_bound(row, bins.median(list(busy.values())))
        elif metric == "mpps":
            bound(row, (ceilings or {}).get((sizes or {}).get(workload), {}))
        result.append(row)
    return result + rate_rows(samples)


def versus(ours, theirs, better):
    """Ratio to us: our value / this peer's, of paired rounds."""
    ratios = bins.pairs(ours, theirs)
    return {"ratio": bins.median(ratios), "ratio_spread": bins.spread(ratios),
            "ratio_interval": bins.median_interval(ratios), "pairs": len(ratios),
            "verdict": bins.verdict(ratios, better)}


def bound(row, ceiling):
    """Label a rate that the generator, not the switch, may have set. Where the ceiling was not met
    in this bin, one of a nearer bin is too high to say that it was not the generator."""
    known = ceiling.get(row["bin"])
    if known and row["median"] * CEILING_MARGIN >= known:
        row["labels"] = sorted({*row["labels"], "generator-bound"})
    elif ceiling and not known:
        row["labels"] = sorted({*row["labels"], "ceiling not known in this bin"})


def busy_bound(row, busy):
    """The same for stations on interfaces: what they cost depends on the interface, so the time
    that the generator was busy in the very run says what it could have done."""
    if busy * CEILING_MARGIN >= 1:
        row["labels"] = sorted({*row["labels"], "generator-bound"})


def rate_rows(samples):
    """The 0.5 % rate and the rate without loss, as ranges: the highest offered rate that held, and
    the lowest that did not; the figure is the highest that held. A window's loss may be one that a
    stall of the host makes, so the median window decides; only the lower end of the range of the
    rate without loss is that of whole trials. All bins together, for the placement changes within
    the curve."""
    whole, result = curves(samples, "loss"), []
    for (workload, peer), curve in sorted(curves(samples, "loss_median").items()):
        for metric, limit in (("pdr_mpps", PDR_LOSS), ("no_loss_mpps", 0.0)):
            held, high = bounds(curve, limit)
            low = bounds(whole[(workload, peer)], limit)[0] if limit == 0 else held
            unit, better = METRICS[metric]
            result.append({"workload": workload, "peer": peer, "bin": "all", "metric": metric,
                           "unit": unit, "better": better, "median": held, "spread": [low, high],
                           "min": low, "max": high, "runs": len(curve), "labels": [],
                           "command": []})
    return result


def curves(samples, metric):
    """{(workload, peer): {offered rate: [values]}} of a metric of the loss curve."""
    found = {}
    for row in samples:
        if row["metric"] == metric and "x" in row:
            key = (row["workload"], row["peer"])
            found.setdefault(key, {}).setdefault(row["x"], []).append(row["value"])
    return found


def bounds(curve, limit):
    """(highest rate below the first that loses more than limit, that first rate or None)."""
    held = 0
    for rate in sorted(curve):
        if bins.median(curve[rate]) > limit:
            return held, rate
        held = rate
    return held, None


def summary(report):
    """The last line of output."""
    parts = []
    for workload in dict.fromkeys(row["workload"] for row in report["results"]):
        best = best_row(report, workload, report["ours"], ("mpps", "gbps"))
        if best is None or workload.startswith(("scale-", "vmq-")):
            continue
        text = f"{workload} {best['median']:.2f} {best['unit']} ({best['bin']})"
        ratios = [f"{row['ratio']:.2f}x {row['peer']}" + ("" if row["verdict"] != "no verdict"
                                                         else " (no verdict)")
                  for row in report["results"]
                  if row["workload"] == workload and row["metric"] == "mpps"
                  and row["bin"] == best["bin"] and row.get("ratio")]
        parts.append(text + (": " + ", ".join(ratios) if ratios else ""))
    trials = report["trials"]
    return (f"{report['ours']}: " + ("; ".join(parts) or "no throughput was measured")
            + f"; {trials['made']} trials, {trials['thrown']} thrown away, "
              f"{trials['published_disturbed']} published although disturbed, "
              f"{len(report['failures'])} failed runs")


def best_row(report, workload, peer, metrics):
    """The row of the bin with the most runs."""
    found = [row for row in report["results"] if (row["workload"], row["peer"]) ==
             (workload, peer) and row["metric"] in metrics]
    return max(found, key=lambda row: row["runs"], default=None)
