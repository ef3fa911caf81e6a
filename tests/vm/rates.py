#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Throughput per VM from two readings of the switch's own counters.

    rates.py BEFORE AFTER SECONDS

BEFORE and AFTER are files with the output of `vmswitch -j stats show by vm`.
"""

import json
import sys

COUNTERS = ("received", "received_bytes", "sent", "sent_bytes")


def by_vm(text):
    """Turn the command's JSON into {vm: {counter: value}}; ValueError if it says something else."""
    rows = json.loads(text)
    if isinstance(rows, dict):
        rows = rows.get("stats", rows.get("vms", []))
    result = {}
    for row in rows:
        missing = [name for name in ("vm", *COUNTERS) if name not in row]
        if missing:
            raise ValueError(f"the counters lack '{missing[0]}': {row}")
        result[row["vm"]] = {name: int(row[name]) for name in COUNTERS}
    return result


def table(before, after, seconds):
    """The lines of the table; a VM that was not there before counts from zero."""
    lines = [f"  {'VM':<8} {'from the VM':>22} {'to the VM':>24}",
             f"  {'':<8} {'Mbit/s':>10} {'packets/s':>11} {'Mbit/s':>12} {'packets/s':>11}"]
    for vm, now in after.items():
        then = before.get(vm, dict.fromkeys(COUNTERS, 0))
        rate = {name: (now[name] - then[name]) / seconds for name in COUNTERS}
        lines.append(f"  {vm:<8} {rate['received_bytes'] * 8 / 1e6:>10.1f} "
                     f"{rate['received']:>11.0f} {rate['sent_bytes'] * 8 / 1e6:>12.1f} "
                     f"{rate['sent']:>11.0f}")
    return lines


def main():
    """Print the table; fails if nothing went through."""
    with open(sys.argv[1]) as first, open(sys.argv[2]) as second:
        before, after = by_vm(first.read()), by_vm(second.read())
    print("\n".join(table(before, after, float(sys.argv[3]))))
    moved = [now["received_bytes"] - before.get(vm, {}).get("received_bytes", 0)
             for vm, now in after.items()]
    if not any(value > 0 for value in moved):
        print("rates.py: the switch counted no bytes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
