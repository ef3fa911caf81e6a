# SPDX-License-Identifier: BSD-3-Clause
"""What `worker show` says of the polling thread."""

import pathlib
import time

from frames import frame, mac
from watch import wait_for


def worker(daemon):
    """The row of the only worker."""
    rows = daemon.json("worker", "show")
    assert len(rows) == 1
    return rows[0]


def test_frames_and_cycles(lan):
    """Frames are those received; a worker is busy for a part of its time."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    before = worker(lan.daemon)
    for seed in range(50):
        a.send(frame(b.mac, a.mac, 200, seed=seed))
    a.flush()
    after = worker(lan.daemon)
    assert after["frames"] - before["frames"] == 50
    assert 0 < after["busy_cycles"] - before["busy_cycles"]
    assert after["busy_cycles"] < after["total_cycles"]
    assert after["tsc_hz"] > 10 ** 8
    assert after["cycles_per_frame"] > 0


def cpu_seconds(daemon):
    """What all threads of the daemon have used."""
    stat = pathlib.Path(f"/proc/{daemon.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / 100


def test_an_idle_worker_parks(vmswitchd):
    """It sleeps, still ends rounds, and takes less than a processor."""
    wait_for(lambda: worker(vmswitchd)["state"], lambda state: state == "parked")
    first = worker(vmswitchd)
    assert first["parks"] > 0 and first["awake_for"] is None
    begin, used = time.monotonic(), cpu_seconds(vmswitchd)
    wait_for(lambda: worker(vmswitchd), lambda row: row["rounds"] > first["rounds"] + 10
             and row["asleep_cycles"] > first["asleep_cycles"] + row["tsc_hz"] / 2)
    assert cpu_seconds(vmswitchd) - used < 0.5 * (time.monotonic() - begin)


def test_the_text_names_no_processor_unless_bound(vmswitchd):
    """Bound to no processor: any."""
    assert worker(vmswitchd)["cpu"] is None
    assert " any " in vmswitchd.check("worker", "show")
