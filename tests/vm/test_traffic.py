# SPDX-License-Identifier: BSD-3-Clause
"""Two virtual machines on a private switch: what they must be able to do."""

import json
import re

import pytest

import channel


def iperf(client, arguments, timeout=60):
    """Run iperf3 against vm2 and return the "end" part of its report."""
    report = json.loads(client.check(f"iperf3 -J -c 10.0.0.2 {arguments}", timeout))
    assert "error" not in report, report.get("error")
    return report["end"]


def test_ping(pair):
    output = pair[0].check("ping -c 10 -i 0.1 -W 5 10.0.0.2")
    assert " 10 received" in output
    print(output.splitlines()[-1])


def test_iperf3_tcp_is_counted_per_vm(lab, pair):
    before = lab.by_vm()
    end = iperf(pair[0], "-t 4")
    after = lab.by_vm()
    received = end["sum_received"]["bytes"]
    sent = {vm: after[vm]["sent_bytes"] - before[vm]["sent_bytes"] for vm in after}
    taken = {vm: after[vm]["received_bytes"] - before[vm]["received_bytes"] for vm in after}
    print(f"TCP vm1 to vm2: {end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s, "
          f"{end['sum_sent']['retransmits']} retransmits")
    assert received > 1_000_000
    # The switch counts headers, retransmits and the control connection too, so never less.
    assert received <= taken["vm1"] < 1.2 * received
    assert received <= sent["vm2"] < 1.2 * received


def test_iperf3_tcp_reverse(pair):
    end = iperf(pair[0], "-t 3 -R")
    print(f"TCP vm2 to vm1: {end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s")
    assert end["sum_received"]["bytes"] > 1_000_000


def test_iperf3_udp(pair):
    end = iperf(pair[0], "-u -b 10M -l 1400 -t 3")["sum"]
    print(f"UDP at 10 Mbit/s: {end['packets']} packets, {end['lost_packets']} lost, "
          f"jitter {end['jitter_ms']:.2f} ms")
    assert end["packets"] > 2000
    assert end["lost_percent"] < 5


def test_jumbo_ping_with_df(pair):
    output = pair[0].check("ping -c 3 -i 0.2 -W 5 -M do -s 8972 10.0.0.2")
    assert " 3 received" in output
    print(output.splitlines()[-1])


def test_ping_a_byte_too_large_fails_locally(pair):
    status, output = pair[0].run("ping -c 1 -W 2 -M do -s 8973 10.0.0.2")
    assert status != 0
    assert "message too long, mtu=9000" in output


def test_every_size_about_the_buffer_limits(pair):
    """Sizes around one receive buffer of the guest and the small frames, intact both ways."""
    for size in (0, 1, 18, 100, 1472, 1473, 1500, 2000, 4096, 8971):
        output = pair[0].check(f"ping -c 2 -i 0.05 -W 5 -M do -p a5 -s {size} 10.0.0.2")
        assert " 2 received" in output and "wrong data" not in output, f"size {size}: {output}"


@pytest.mark.parametrize("way", ["reboot", "reset"])
def test_traffic_after_restart_of_the_guest(pair, way):
    """From inside (the driver resets the device) and by QEMU (nobody tells the driver)."""
    vm1, vm2 = pair
    seconds = vm2.reboot() if way == "reboot" else vm2.reset()
    print(f"{way}: guest back after {seconds:.1f} s")
    assert " 5 received" in vm1.check("ping -c 5 -i 0.1 -W 5 10.0.0.2")
    assert iperf(vm1, "-t 1")["sum_received"]["bytes"] > 100_000


def test_qemu_refuses_to_migrate(lab, pair):
    """The switch does not log dirty pages, so a migration would corrupt the guest."""
    with pytest.raises(channel.QmpError) as refused:
        pair[0].qmp("migrate", uri="exec:cat > /dev/null")
    print(refused.value)
    assert re.search(r"LOG_ALL|LOG_SHMFD", str(refused.value))
    assert " 2 received" in pair[0].check("ping -c 2 -i 0.1 -W 5 10.0.0.2")
