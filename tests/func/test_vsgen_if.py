# SPDX-License-Identifier: BSD-3-Clause
"""Stations of vsgen on interfaces: against a wire, and beside guests on a host port, where what it
counts is what the switch counts."""

import pytest

import net
from frames import text
from netns import Namespace, in_ns, veth
from vsgen import Gen, clean, compare, port_sums

pytestmark = pytest.mark.once
IPV6 = False
host, session_daemon = net.host, net.session_daemon


def gen_in(ns, *words):
    """A vsgen in a namespace."""
    with in_ns(ns):
        return Gen(*words)


@pytest.fixture
def wire():
    """A namespace with the two ends w0 and w1 of a wire."""
    with Namespace("gen", ipv6=False) as ns:
        veth(ns, "w0", ns, "w1")
        yield ns


ON_WIRE = ("--guests", 0, "--interface", "w0", "--interface", "w1")


@pytest.mark.parametrize("words, size", [
    (("--check", 1), 64), (("--size", 1514, "--check", 1), 1514), (("--touch", "header"), 64),
    (("--macs", 100, "--check", 1), 64)], ids=str)
def test_wire(wire, words, size):
    """Two interfaces, the ends of one wire: every frame arrives once, in order and whole."""
    gen = gen_in(wire, *ON_WIRE, *words)
    ready = gen.event()
    assert (ready["guests"], ready["interfaces"], ready["flows"]) == (2, ["w0", "w1"], 2)
    assert gen.command("learn")[0]["event"] == "learnt"
    windows, totals = gen.trial({"closed": 32}, latency=True)
    clean(totals)
    assert totals["bytes"] == size * totals["received"] and totals["down"] == 0
    assert totals["latency"]["p50"] > 0 and totals["overruns"] == 0
    assert all(min(w["per_guest"]["received"]) > 0 for w in windows)
    _, totals = gen.trial({"rate": 20000})
    clean(totals)
    assert totals["all"]["sent"] == totals["all"]["received"]
    assert gen.close() == 0


def test_wire_is_cut(wire):
    """An interface that goes down and comes back: what fell due meanwhile was not sent."""
    gen = gen_in(wire, *ON_WIRE)
    gen.event()
    gen.send('{"cmd":"trial","load":{"rate":10000},"warmup_ms":0,"windows":12,"window_ms":250}')
    windows = [gen.event()]
    wire.ip("link", "set", "w0", "down")
    windows += [gen.event() for _ in range(3)]
    wire.ip("link", "set", "w0", "up")
    while windows[-1]["event"] == "window":
        windows.append(gen.event())
    totals = windows.pop()
    assert windows[3]["down"] >= 1 and windows[3]["not_sent"] > 0
    assert windows[-1]["received"] > 0 and windows[-1]["down"] == 0
    assert totals["all"]["lost"] == totals["all"]["sent"] - totals["all"]["received"]
    assert gen.close() == 0


def test_interface_that_is_not_there(wire):
    """It is waited for, and its name told."""
    gen = gen_in(wire, "--guests", 0, "--interface", "w0", "--interface", "w2", "--timeout", 1)
    assert gen.event()["error"] == "interface 'w2' is not there and up within 1 s"
    assert gen.event() is None and gen.close() == 1


def test_interface_with_small_mtu(wire):
    """Frames that do not fit are refused before anything is sent."""
    gen = gen_in(wire, *ON_WIRE, "--size", 1515)
    assert "frames of 1515 bytes do not fit its MTU of 1500" in gen.event()["error"]
    assert gen.event() is None and gen.close() == 1


@pytest.fixture
def internal(vmswitchd, rundir, host):
    """An internal switch with the guest g0, and a vsgen that waits for host ports."""
    running = []

    def make(*words):
        vmswitchd.check("switch", "add", "gen", "type", "internal")
        vmswitchd.check("port", "add", "g0", "switch", "gen", "type", "guest", "socket",
                        rundir / "g0.sock")
        gen = gen_in(host, "--socket", rundir / "g%u.sock", "--timeout", 20, *words)
        running.append(gen)
        return gen

    yield make
    for gen in running:
        assert gen.close() == 0


def add_host_port(vmswitchd, name):
    """One from which any address may send, for the station has its own."""
    vmswitchd.check("port", "add", name, "switch", "gen", "type", "host")
    vmswitchd.check("port", "set", name, "mac", "any")


@pytest.mark.parametrize("size", [64, 1514])
def test_guest_and_host(internal, vmswitchd, size):
    """A guest and the host on its host port, which comes later: all agree."""
    gen = internal("--guests", 1, "--interface", "h1", "--size", size, "--check", 1)
    add_host_port(vmswitchd, "h1")
    assert gen.event()["event"] == "ready"
    assert gen.command("learn")[0]["event"] == "learnt"
    before = port_sums(vmswitchd)
    _, totals = gen.trial({"closed": 32})
    clean(totals)
    compare(vmswitchd, before, totals)
    found = {row["mac"]: row["port"] for row in vmswitchd.json("fdb", "show", "switch", "gen")}
    assert [found[text(bytes((2, 0, n, 0, 0, 0)))] for n in (0, 1)] == ["g0", "h1"]


def test_two_host_ports_send_to_one_guest(internal, vmswitchd):
    """All to one: the guest receives from both interfaces."""
    gen = internal("--guests", 1, "--interface", "h1", "--interface", "h2", "--flow",
                   "all-to-one", "--check", 1)
    for name in ("h1", "h2"):
        add_host_port(vmswitchd, name)
    assert gen.event()["flows"] == 2
    gen.command("learn")
    before = port_sums(vmswitchd)
    _, totals = gen.trial({"closed": 32})
    clean(totals)
    compare(vmswitchd, before, totals)
    assert totals["per_guest"]["received"][1:] == [0, 0] and totals["jain"] > 0.5
