# SPDX-License-Identifier: BSD-3-Clause
"""Guests with emulated network cards, on a TAP interface that their VMM holds."""

import pytest

import pxe
import streams
from guest import Guest
from netlab import ping, reach


@pytest.fixture
def emulated(net):
    """Starts guests on `lan` with an emulated card; they end with the test."""
    names = []

    def start(name, number, card, **options):
        net.daemon.configure("port", "add", name, "switch", "lan", "type", "guest",
                             "tap", f"tap{number}")
        net.guests[name] = Guest(name, net.dir, tap=f"tap{number}", netns=net.host.path, card=card,
                                 mac=f"52:54:00:00:01:{number:02x}", **options)
        names.append(name)
        return net.guests[name]

    net.daemon.configure("switch", "add", "lan", "type", "internal")
    yield start
    for name in names:
        net.guests.pop(name).stop()


def test_emulated_card_and_virtio(net, emulated):
    """A vmxnet3, for which Linux has a driver here: IPv4, IPv6, and TCP with the host as well."""
    net.daemon.configure("port", "add", "hv0", "switch", "lan", "type", "host",
                         "addr", "10.0.0.254/24")
    vm1 = net.plug("vm1", 1, "lan")
    card = net.boot(emulated("card", 21, "vmxnet3", ip="10.0.0.21/24"), 21)
    assert "vmxnet3" in card.check("readlink /sys/class/net/eth0/device/driver")
    reach(card, "10.0.0.1")
    for size in (0, 56, 1472):
        ping(card, "10.0.0.1", size=size)
        ping(vm1, "10.0.0.21", size=size)
    ping(card, "fd00::1")
    ping(vm1, "fd00::21")
    streams.exchange(net.host, "10.0.0.254", card, "10.0.0.21", 5050, 2 * streams.MIB)
    # Its VMM need not notice that the switch was away.
    net.daemon.kill()
    net.daemon.start()
    net.daemon.reconfigure()
    net.wait_up("vm1")
    reach(card, "10.0.0.1")
    ping(vm1, "10.0.0.21")


@pytest.mark.long
def test_e1000_boots_from_a_virtio_guest(net, emulated):
    """iPXE on an e1000 asks for an address and loads kernel and image over TCP."""
    initramfs = pxe.server_initramfs(net.dir, "10.0.0.11", "booted", "10.0.0.12/24")
    try:
        server = net.plug("pxesrv", 11, "lan", role="pxe", initramfs=initramfs)
        client = emulated("e1000", 12, "e1000", netboot=True)
        client.start()
        print(f"network boot: up after {client.wait_boot(120):.1f} s")
        console = client.path("console").read_text(errors="replace")
        assert "boot script loaded" in console
        assert client.check("hostname").strip() == "booted"
        assert "52:54:00:00:01:0c" in server.check("cat /proc/net/arp")
    finally:
        net.guests.pop("pxesrv").stop()
