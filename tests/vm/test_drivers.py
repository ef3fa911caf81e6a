# SPDX-License-Identifier: BSD-3-Clause
"""Guests with other drivers and other memory: old ones, firmware, and wrongly set up ones."""

import json
import time

import pytest

import pxe

OLD_DRIVERS = {
    "mrg_rxbuf=off": "mrg_rxbuf=off",
    "no event index": "event_idx=off",
    "no indirect": "indirect_desc=off",
    # Without VERSION_1 and mergeable buffers the virtio-net header has 10 bytes.
    "legacy, 10-byte header": "disable-modern=on,disable-legacy=off,mrg_rxbuf=off",
}


@pytest.mark.parametrize("name", OLD_DRIVERS)
def test_old_driver(lab, pair, name):
    """A guest with fewer features talks to one that has them all."""
    old = lab.start("old", 3, device=OLD_DRIVERS[name])
    try:
        print(f"{name}: booted after {old.wait_boot():.1f} s")
        assert " 5 received" in old.check("ping -c 5 -i 0.1 -W 5 10.0.0.2")
        # Its receive buffers hold 1514 bytes: a full frame, in both directions.
        output = old.check("ping -c 3 -i 0.1 -W 5 -M do -p 5a -s 1472 10.0.0.2")
        assert " 3 received" in output and "wrong data" not in output
        report = json.loads(old.check("iperf3 -J -c 10.0.0.2 -t 2 -M 1400"))
        print(f"TCP: {report['end']['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s")
        assert report["end"]["sum_received"]["bytes"] > 100_000
    finally:
        lab.remove("old")


def test_boot_from_the_network(lab):
    """iPXE loads kernel and image over the switch; the booted system takes the device over."""
    server = lab.start("pxesrv", 11, "pxe", role="pxe",
                       initramfs=pxe.server_initramfs(lab.dir, "10.0.0.11", "booted",
                                                      "10.0.0.12/24"))
    server.wait_boot()
    client = lab.start("pxeclient", 12, "pxe", netboot=True)
    try:
        print(f"network boot: up after {client.wait_boot(120):.1f} s")
        console = client.path("console").read_text(errors="replace")
        assert "boot script loaded" in console
        assert client.check("hostname").strip() == "booted"
        assert " 5 received" in client.check("ping -c 5 -i 0.1 -W 5 10.0.0.11")
        # And back: the firmware finds the device in the state the operating system left.
        print(f"network boot after a reset: up after {client.reset(120):.1f} s")
        assert " 5 received" in client.check("ping -c 5 -i 0.1 -W 5 10.0.0.11")
    finally:
        lab.remove("pxeclient")
        lab.remove("pxesrv")


@pytest.mark.parametrize("memory", ["private", "none"])
def test_unshared_memory_is_named(lab, pair, memory):
    """A guest whose memory the switch cannot see gets no traffic, and `port show` says why."""
    guest = lab.start("unshared", 4, memory=memory)
    try:
        guest.wait_boot()
        status, _ = guest.run("ping -c 3 -i 0.2 -W 1 10.0.0.2")
        assert status != 0
        deadline = time.monotonic() + 10
        text = ""
        while "not shared" not in text:
            assert time.monotonic() < deadline, f"port show does not name it:\n{text}"
            time.sleep(0.1)
            text = lab.daemon.check("port", "show", "unshared")
        print("\n".join(line for line in text.splitlines() if "not shared" in line))
        assert "not shared" not in lab.daemon.check("port", "show", "vm1")
        assert " 2 received" in pair[0].check("ping -c 2 -i 0.1 -W 5 10.0.0.2")
    finally:
        lab.remove("unshared")
