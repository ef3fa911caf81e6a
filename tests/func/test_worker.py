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


def test_an_idle_worker_naps(vmswitchd):
    """It sleeps again and again, and takes less than a processor."""
    def cpu_seconds():
        stat = pathlib.Path(f"/proc/{vmswitchd.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / 100

    first = worker(vmswitchd)["naps"]
    begin, used = time.monotonic(), cpu_seconds()
    wait_for(lambda: worker(vmswitchd)["naps"], lambda naps: naps > first + 1000, timeout=60)
    assert cpu_seconds() - used < 0.9 * (time.monotonic() - begin)


def test_the_text_names_no_processor_unless_bound(vmswitchd):
    """Bound to no processor: any."""
    assert worker(vmswitchd)["cpu"] is None
    assert " any " in vmswitchd.check("worker", "show")
