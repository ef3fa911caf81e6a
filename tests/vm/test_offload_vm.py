# SPDX-License-Identifier: BSD-3-Clause
"""Offloads and long frames with Linux on both sides: TCP between guests, and between a guest and
the host, with what each side leaves to others switched on and off; jumbo frames on every path.

What a guest leaves to others when it sends is changed with ethtool; what it takes is a matter of
its device. Segments that Linux would not take show as checksum errors of its TCP, which there must
be none of.
"""

import contextlib
import itertools
import json
import time

import pytest

from guest import Guest
from netlab import NIC, WIRE, UP_SECONDS, reach
from netns import veth

SIZE = 4 << 20
SENDS = {
    "none": "tx off tso off gso off",
    "csum": "tx on tso off gso off",
    "csum+tso": "tx on tso on gso on tx-tcp-ecn-segmentation off",
    "all": "tx on tso on gso on tx-tcp-ecn-segmentation on",
}
TSO_OFF = "guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off"
# name: (guest, its number, its device); vm2 is that of other tests, too.
TAKES = {
    "none": ("plain", 23, f"guest_csum=off,{TSO_OFF}"),
    "csum": ("sums", 24, TSO_OFF),
    "all": ("vm2", 2, ""),
}
LONG = 2000             # bytes per frame, on average, of a stream that is not cut; a frame has 1514
# Reasons that none of these frames may be dropped for; rx_full there may be, TCP sends again.
OURS = {"offload_denied", "csum_range", "gso_header", "gso_size", "gso_failed", "mtu_in", "mtu_out",
        "rx_small"}


def run(where, words):
    """A command in a guest or a namespace: (status, output)."""
    if isinstance(where, Guest):
        return where.run(words, timeout=60)
    done = where.exec(*words.split(), check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def check(where, words):
    """The same, which must succeed."""
    status, output = run(where, words)
    assert status == 0, f"'{words}' ended with {status}: {output}"
    return output


def csum_errors(where):
    """TCP segments with a bad checksum that came so far."""
    names, values = (line.split()[1:] for line in check(where, "cat /proc/net/snmp").splitlines()
                     if line.startswith("Tcp:"))
    return int(dict(zip(names, values))["InCsumErrors"])


def iperf(client, address, words=""):
    """The "end" part of a report of iperf3; its server may still be starting."""
    deadline = time.monotonic() + UP_SECONDS
    while True:
        status, output = run(client, f"iperf3 -J -c {address} -n {SIZE} {words}")
        report = json.loads(output[output.index("{"):])
        if status == 0:
            return report["end"]
        assert time.monotonic() < deadline, report.get("error")
        time.sleep(0.1)


@contextlib.contextmanager
def offloads(where, ifname, words):
    """An interface with these offloads, and with all of them afterwards."""
    check(where, f"ethtool -K {ifname} {words}")
    try:
        yield
    finally:
        check(where, f"ethtool -K {ifname} {SENDS['all']}")


def counters(net, *ports):
    """{port: (received, received_bytes, sent, sent_bytes)}."""
    rows = {name: net.daemon.json("stats", "show", "port", name)[0] for name in ports}
    return {name: [row[key] for key in ("received", "received_bytes", "sent", "sent_bytes")]
            for name, row in rows.items()}


def stream(net, client, address, source, sink, words=""):
    """SIZE bytes of TCP from one port to another; returns the average length of frames as they
    came from the source, and as they went to the sink."""
    before = counters(net, source, sink)
    end = iperf(client, address, words)
    after = counters(net, source, sink)
    # The server stops counting when the client has sent it all.
    assert end["sum_received"]["bytes"] > SIZE // 2
    frames, size = (after[source][n] - before[source][n] for n in (0, 1))
    sent, sent_size = (after[sink][n] - before[sink][n] for n in (2, 3))
    for port in (source, sink):
        reasons = {row["reason"] for row in net.daemon.json("drops", "show", "port", port)
                   if row["count"]}
        assert not reasons & OURS, (port, reasons)
    return size / frames, sent_size / sent


def serve(net, name, number, device):
    """A guest on `inner` that runs an iperf3 server."""
    guest = net.plug(name, number, "inner", device=device)
    guest.check("pidof iperf3 || iperf3 -s -D")
    return guest


@pytest.fixture
def inner(net):
    """The internal switch `inner`."""
    net.daemon.configure("switch", "add", "inner", "type", "internal")
    return net


# What `./check` leaves out takes as long again, and adds little.
@pytest.mark.parametrize("masks", [
    ("none", "all"), pytest.param(("csum", "csum+tso"), marks=pytest.mark.long)], ids="+".join)
@pytest.mark.parametrize("takes", TAKES)
def test_guest_to_guest(inner, takes, masks):
    """Whatever the sender leaves undone, with IPv4 and IPv6: whole where the receiver takes it so,
    else in segments, each of them right."""
    name, number, device = TAKES[takes]
    sink = serve(inner, name, number, device)
    source = inner.plug("vm1", 1, "inner")
    reach(source, f"10.0.0.{number}")
    reach(source, f"fd00::{number}")
    try:
        for sends, address in itertools.product(masks, (f"10.0.0.{number}", f"fd00::{number}")):
            with offloads(source, "eth0", SENDS[sends]):
                came, went = stream(inner, source, address, "vm1", name)
            print(f"{sends} to {takes}, {address}: frames of {came:.0f} bytes, then {went:.0f}")
            cuts = "tso" in sends or sends == "all"
            assert (came > LONG) == cuts
            assert (went > LONG) == (cuts and takes == "all")
        assert csum_errors(source) == csum_errors(sink) == 0
    finally:
        if name != "vm2":
            inner.guests.pop(name).stop()


@pytest.fixture
def server(inner):
    """hv0, the host's interface on `inner`, and an iperf3 server in the host."""
    inner.daemon.configure("port", "add", "hv0", "switch", "inner", "type", "host", "addr",
                           "10.0.0.254/24,fd00::254/64")
    one = inner.host.popen("iperf3", "-s")
    yield inner
    one.terminate()
    one.wait(10)


@pytest.mark.parametrize("masks", [
    (("none", "none"), ("all", "all")),
    pytest.param((("none", "all"), ("all", "none")), marks=pytest.mark.long)],
    ids=["both", "one"])
@pytest.mark.parametrize("takes", ["none", "all"])
def test_guest_and_host(server, takes, masks):
    """Both ways, with each side's offloads on and off."""
    net, (name, number, device) = server, TAKES[takes]
    guest = net.plug(name, number, "inner", device=device)
    reach(guest, "10.0.0.254")
    reach(guest, "fd00::254")
    try:
        for ours, hosts in masks:
            with offloads(guest, "eth0", SENDS[ours]), \
                    offloads(net.host, "hv0", "tx off tso off gso off" if hosts == "none" else
                             "tx on tso on gso on"):
                out = stream(net, guest, "10.0.0.254", name, "hv0")
                back = stream(net, guest, "fd00::254", "hv0", name, "-R")
            print(f"guest {ours} to host: {out[0]:.0f}, {out[1]:.0f} bytes per frame; "
                  f"host {hosts} to guest that takes {takes}: {back[0]:.0f}, {back[1]:.0f}")
            assert (out[0] > LONG) == (out[1] > LONG) == (ours == "all")
            assert (back[0] > LONG) == (hosts == "all")
            assert (back[1] > LONG) == (hosts == takes == "all")
        assert csum_errors(guest) == csum_errors(net.host) == 0
    finally:
        if name != "vm2":
            net.guests.pop(name).stop()


# ---- jumbo frames

@contextlib.contextmanager
def jumbo(*guests):
    """Guests with an MTU of 9000."""
    for one in guests:
        one.check("ip link set eth0 mtu 9000")
    try:
        yield
    finally:
        for one in guests:
            one.check("ip link set eth0 mtu 1500")


def ping_long(sender, *addresses):
    """Long pings that nobody may cut, and their answers, which are as long."""
    for address in addresses:
        for size in (8000, 8972 if ":" not in address else 8952):
            output = check(sender, f"ping -n -c 3 -i 0.05 -W 5 -M do -p a5 -s {size} {address}")
            assert " 3 received" in output and "wrong data" not in output, output


def test_jumbo_between_guests(inner):
    """And a receiver whose port takes less loses one frame, and one is counted."""
    vm1, vm2 = (inner.plug(f"vm{n}", n, "inner") for n in (1, 2))
    with jumbo(vm1, vm2):
        reach(vm1, "10.0.0.2")
        reach(vm1, "fd00::2")
        ping_long(vm1, "10.0.0.2", "fd00::2")
        inner.daemon.check("port", "set", "vm2", "mtu", 1500)
        assert run(vm1, "ping -n -c 1 -W 1 -M do -s 8000 10.0.0.2")[0] != 0
        drops = {row["reason"]: row["count"] for row in
                 inner.daemon.json("drops", "show", "port", "vm2") if row["count"]}
        assert drops == {"mtu_out": 1}
        check(vm1, "ping -n -c 1 -W 5 -M do -s 1472 10.0.0.2")
        inner.daemon.check("port", "set", "vm2", "mtu", "auto")
        ping_long(vm1, "10.0.0.2")


def test_jumbo_between_guest_and_host(inner):
    """Both ways."""
    inner.daemon.configure("port", "add", "hv0", "switch", "inner", "type", "host", "mtu", 9000,
                           "addr", "10.0.0.254/24,fd00::254/64")
    vm1 = inner.plug("vm1", 1, "inner")
    with jumbo(vm1):
        reach(vm1, "10.0.0.254")
        reach(vm1, "fd00::254")
        ping_long(vm1, "10.0.0.254", "fd00::254")
        ping_long(inner.host, "10.0.0.1", "fd00::1")


@pytest.mark.parametrize("share", ["off", "on"])
def test_jumbo_through_an_uplink(net, share):
    """Guest and a station outside, and the host where it has the card as well."""
    veth(net.host, NIC, net.out, WIRE, mtu=9000)
    net.address(net.host, NIC, 253)
    net.address(net.out, WIRE, 252)
    done = net.daemon.run("switch", "add", "ext", "type", "external", "uplink", f"xdp:{NIC}",
                          "share-host", share)
    if done.returncode:
        assert "MTU 9000" in done.stderr, done.stderr
        pytest.skip(f"no multi-buffer XDP here: {done.stderr}")
    net.daemon.commands.append(("switch", "add", "ext", "type", "external", "uplink",
                                f"xdp:{NIC}", "share-host", share))
    net.wait_up("ext.uplink")
    vm1 = net.plug("vm1", 1, "ext")
    with jumbo(vm1):
        reach(vm1, "10.0.0.252")
        reach(vm1, "fd00::252")
        ping_long(vm1, "10.0.0.252", "fd00::252")
        ping_long(net.out, "10.0.0.1", "fd00::1")
        if share == "on":
            ping_long(vm1, "10.0.0.253", "fd00::253")
            ping_long(net.host, "10.0.0.1", "10.0.0.252")
