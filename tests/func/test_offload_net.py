# SPDX-License-Identifier: BSD-3-Clause
"""Offloads towards the host and the network: the kernel's TCP passes whole between host ports, and
what leaves by an uplink was cut and finished before."""

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import net
import uplinks
from frames import BROADCAST, frame, noise, text
from lan import Lan
from netns import Namespace, Station
from offloads import GSO_TCP4, GSO_TCP6, SENDS, finished, partial, segments
from stream import transfer
from uplinks import exchange, meet
from watch import wait_for

session_daemon, wire = net.session_daemon, uplinks.wire


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon; nobody talks there by himself."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.mark.once
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("wire", ["xdp", "tap"], indirect=True)
def test_uplink_gets_segments(vmswitchd, rundir, wire, version):
    """A long frame of a guest leaves by an uplink as frames of the MTU, each of them right."""
    lan = uplinks.External(vmswitchd, rundir, wire)
    a = lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64, add=SENDS)
    meet(lan, a)
    ip = IP(src="10.0.0.1", dst="10.0.0.2", id=65530) if version == 4 else \
        IPv6(src="fd00::1", dst="fd00::2")
    pkt = Ether(bytes(Ether(src=text(a.mac), dst=text(lan.station.mac)) / ip /
                      TCP(flags="PA", seq=5) / Raw(noise(30000))))
    sent, hdr = partial(pkt.copy(), gso_type=GSO_TCP4 if version == 4 else GSO_TCP6, gso_size=1400)
    short, short_hdr = partial(Ether(bytes(Ether(src=text(a.mac), dst=text(lan.station.mac)) / ip /
                                           TCP(flags="PA", seq=5) / Raw(b"short"))))
    a.send(sent, hdr=hdr)
    a.send(short, hdr=short_hdr)
    got, = exchange(a, [], lan.station)
    want = [*segments(pkt, 1400), finished(short)]
    assert [one[:len(other)] for one, other in zip(got, want)] == want
    assert len(got) == len(want)
    lan.close()


@pytest.mark.once
@pytest.mark.parametrize("addresses", [("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")],
                         ids=["ipv4", "ipv6"])
def test_host_to_host(vmswitchd, rundir, host, addresses):
    """TCP from one host port to another: the kernel's frames of up to 64 KiB pass whole."""
    prefix = 64 if ":" in addresses[0] else 24
    lan = Lan(vmswitchd, rundir, "lan", ("internal",))
    with Namespace("h1") as one, Namespace("h2") as two:
        for name, ns, address in (("h1", one, addresses[0]), ("h2", two, addresses[1])):
            vmswitchd.check("port", "add", name, "switch", "lan", "type", "host")
            host.ip("link", "set", "dev", name, "netns", ns.name)
            ns.ip("link", "set", "dev", name, "up")
            ns.ip("addr", "add", f"{address}/{prefix}", "dev", name, "nodad")
        transfer(one, two, addresses[1], 32 << 20)
        row = lan.stats("h2")
        print(f"{row['sent_bytes'] / row['sent']:.0f} bytes per frame")
        assert row["sent_bytes"] > 6000 * row["sent"]
        assert not {"csum_range", "gso_header", "gso_size"} & set(vmswitchd.drops("h1"))
        for name in ("h1", "h2"):
            vmswitchd.check("port", "del", name)
    lan.close()


@pytest.mark.once
def test_guest_to_host(vmswitchd, rundir, host):
    """A checksum that a guest left undone is no matter to the kernel, a long frame neither."""
    lan = Lan(vmswitchd, rundir, "lan", ("internal",))
    a = lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64, add=SENDS)
    vmswitchd.check("port", "add", "h", "switch", "lan", "type", "host", "mtu", 1500)
    tap = lan.port("h")["mac"]
    pkt = Ether(bytes(Ether(src=text(a.mac), dst=tap) / IP(src="10.0.0.1", dst="10.0.0.2") /
                      TCP(flags="A", seq=5) / Raw(noise(50000))))
    sent, hdr = partial(pkt.copy(), gso_type=GSO_TCP4, gso_size=1448)
    with Station(host, "h") as station:
        a.send(sent, hdr=hdr)
        a.flush()
        assert station.expect(lambda one: one[6:12] == a.mac) == sent
    assert vmswitchd.drops("a") == {} and vmswitchd.drops("h") == {}
    vmswitchd.check("port", "del", "h")
    lan.close()


@pytest.mark.once
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", [5, 1400, 30000, 65000])
def test_guest_to_tap_guest(vmswitchd, rundir, host, size, version):
    """A VMM that takes no offloads reads segments with finished checksums."""
    lan = Lan(vmswitchd, rundir, "lan", ("internal",))
    a = lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64, add=SENDS)
    vmswitchd.check("port", "add", "t", "switch", "lan", "type", "guest", "tap", "tap0")
    with net.Tap(host, "tap0") as vmm:
        lan.wait("t", lambda row: row["up"])
        mac = bytes([2, 0, 0, 0, 0, 0xb])
        ip = IP(src="10.0.0.1", dst="10.0.0.2", id=65530) if version == 4 else \
            IPv6(src="fd00::1", dst="fd00::2")
        vmm.send(frame(BROADCAST, mac))
        wait_for(lan.fdb, lambda fdb: fdb.get(text(mac)) == "t")
        pkt = Ether(bytes(Ether(src=text(a.mac), dst=text(mac)) / ip /
                          TCP(flags="PA", seq=5) / Raw(noise(size))))
        sent, hdr = partial(pkt.copy(), gso_type=GSO_TCP4 if version == 4 else GSO_TCP6,
                            gso_size=1400)
        for _ in range(20):
            a.send(sent, hdr=hdr)
            a.flush()
            want = segments(pkt, 1400)
            got = []
            while len(got) < len(want):
                one = vmm.recv(5.0)
                assert one is not None, (len(got), vmswitchd.drops("t"), vmswitchd.drops("a"))
                if one[6:12] == a.mac:
                    got.append(one)
            assert got == want
    assert vmswitchd.drops("a") == {} and vmswitchd.drops("t") == {}
    vmswitchd.check("port", "del", "t")
    lan.close()
