# SPDX-License-Identifier: BSD-3-Clause
"""The load generator vsgen: its counts are those of the switch, and it says what is wrong."""

import subprocess
import time

import pytest

from vsgen import SECONDS, VSGEN, Gen, clean, compare, port_sums

pytestmark = pytest.mark.once


@pytest.fixture
def start(vmswitchd, rundir):
    """Makes ports and a vsgen whose guests are up on them, its addresses learnt."""
    running = []

    def make(guests, *words):
        vmswitchd.check("switch", "add", "gen", "type", "private")
        for i in range(guests):
            vmswitchd.check("port", "add", f"g{i}", "switch", "gen", "type", "guest", "socket",
                            rundir / f"g{i}.sock")
        gen = Gen("--socket", rundir / "g%u.sock", "--guests", guests, "--timeout", 10, *words)
        running.append(gen)
        ready = gen.event()
        assert ready["event"] == "ready", ready
        assert gen.command("learn")[0]["event"] == "learnt"
        return gen

    yield make
    for gen in running:
        assert gen.close() == 0


@pytest.mark.parametrize("guests", [2, 4])
def test_counts_equal(start, vmswitchd, guests):
    """Closed and open loop: windows, totals and the switch agree."""
    gen = start(guests, "--size", 128, "--check", 1)
    before = port_sums(vmswitchd)
    windows, totals = gen.trial({"closed": 64}, latency=True)
    clean(totals)
    compare(vmswitchd, before, totals)
    for w in windows:
        assert w["received"] == sum(w["per_guest"]["received"])
        assert w["bytes"] == 128 * w["received"]
        assert 0 <= w["gen_busy"] <= 1
    assert sum(w["received"] for w in windows) <= totals["received"] <= totals["all"]["received"]
    latency = totals["latency"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["p999"]
    assert 1 / guests <= totals["jain"] <= 1

    before = port_sums(vmswitchd)
    begin = time.monotonic()
    windows, totals = gen.trial({"rate": 20000})
    seconds = time.monotonic() - begin
    compare(vmswitchd, before, totals)
    assert totals["bad"] == totals["duplicates"] == 0
    # A busy machine gives the generator too little time; it must say so, and never send more.
    offered = totals["all"]["sent"] + totals["all"]["not_sent"]
    assert 20000 * 0.14 - 8 * guests <= offered <= 20000 * seconds + 8 * guests
    assert totals["sent"] > 0


def test_loss_is_seen(start, vmswitchd):
    """Frames that the switch drops are lost, at first in part of a trial, then all of them."""
    gen = start(4, "--flow", "all-to-one")
    vmswitchd.check("port", "set", "g0", "link", "down")
    before = port_sums(vmswitchd)
    gen.send('{"cmd":"trial","load":{"rate":20000},"warmup_ms":0,"windows":12,"window_ms":100}')
    events = [gen.event()]
    vmswitchd.check("port", "set", "g0", "link", "up")
    while events[-1]["event"] == "window":
        events.append(gen.event())
    totals = events[-1]
    compare(vmswitchd, before, totals)
    assert 0 < totals["lost"] < totals["sent"]
    # Later frames show the gap at once: it does not wait for the end of the trial.
    assert sum(w["lost"] for w in events[:-1]) > 0
    vmswitchd.check("port", "set", "g0", "link", "down")
    _, totals = gen.trial({"closed": 16})
    assert totals["received"] == 0
    assert totals["all"]["lost"] == totals["all"]["sent"] > 0


SMOKE = [
    ("--flow", "one-to-all"),
    ("--flow", "all-to-one", "--touch", "header"),
    ("--one-way", "--touch", "none"),
    ("--size", "imix", "--check", "1"),
    ("--size", "1514", "--profile", "netkvm", "--check", "1"),
    ("--size", "9000", "--check", "1"),
    ("--size", "9000", "--profile", "netkvm", "--check", "1"),
    ("--size", "1514", "--profile", "netkvm", "--no-indirect", "--check", "1"),
    ("--size", "9000", "--profile", "legacy", "--check", "1"),
    ("--size", "570", "--no-mergeable", "--no-event-idx", "--ring", "256", "--check", "1"),
    ("--macs", "100", "--check", "1", "--quiet-guests", "2"),
]


@pytest.mark.parametrize("words", SMOKE, ids=" ".join)
def test_smoke(start, vmswitchd, words):
    """Every kind of load comes through whole."""
    gen = start(4, *words)
    before = port_sums(vmswitchd)
    _, totals = gen.trial({"closed": 16}, windows=1)
    clean(totals)
    compare(vmswitchd, before, totals)
    if "--macs" in words:
        rows = vmswitchd.json("fdb", "show", "switch", "gen")
        assert len(rows) == 200


def test_probe_and_reconnect(start, vmswitchd):
    """The probe fills the windows' bins; guests that hang up come back and work."""
    gen = start(2)
    windows, _ = gen.trial({"rate": 1000}, windows=1, window_ms=500, probe=[0, 1])
    if windows[0]["probe_ns"]:
        assert windows[0]["bin"] in ("near", "far", "mixed")
        assert all(0 < ns < 1e6 for ns in windows[0]["probe_ns"])
    assert gen.command("reconnect")[0]["event"] == "reconnected"
    gen.command("learn")
    _, totals = gen.trial({"closed": 32}, windows=1)
    assert totals["received"] > 0 and totals["bad"] == totals["down"] == 0


def test_switch_is_killed_and_comes_back(start, vmswitchd, rundir):
    """Under load, guests wait for a switch that was killed and go on with the new one."""
    gen = start(2, "--check", 1)
    gen.send('{"cmd":"trial","load":{"rate":20000},"warmup_ms":50,"windows":20,"window_ms":200,'
             '"reconnect":true}')
    assert gen.event()["received"] > 0
    vmswitchd.kill()
    assert gen.event()["event"] == "window"
    vmswitchd.start()
    vmswitchd.check("switch", "add", "gen", "type", "private")
    for i in range(2):
        vmswitchd.check("port", "add", f"g{i}", "switch", "gen", "type", "guest", "socket",
                        rundir / f"g{i}.sock")
    events = [gen.event()]
    while events[-1]["event"] == "window":
        events.append(gen.event())
    totals = events[-1]
    assert (totals["revived"], totals["down"], totals["bad"]) == (2, 0, 0)
    assert events[-2]["received"] > 0
    # It was away for a window at least; what fell due then was not sent.
    assert totals["silence_ms"] > 100 and totals["not_sent"] > 0
    assert totals["all"]["lost"] == totals["all"]["sent"] - totals["all"]["received"]


def test_addresses_are_shown_at_a_pace(start, vmswitchd):
    gen = start(2, "--macs", 100)
    begin = time.monotonic()
    assert gen.command("learn", rate=200)[0]["event"] == "learnt"
    assert time.monotonic() - begin >= 99 / 200
    assert gen.command("learn", rate=0)[0]["event"] == "error"


@pytest.mark.parametrize("words", [
    ("--touch", "all"), ("--size", "9000"), ("--size", "tso"), ("--size", "tso:65549"),
    ("--size", "tso", "--no-indirect"), ("--size", "tso", "--profile", "netkvm"),
    ("--size", "tso", "--profile", "legacy"), ("--size", "tso", "--no-mergeable"),
    ("--touch", "header"), ("--touch", "none"), ("--profile", "legacy"),
    ("--profile", "netkvm"), ("--guests", "8", "--pairs", "2", "--ring", "256")], ids=" ".join)
def test_null(words):
    """Without a switch the generator measures itself."""
    gen = Gen("--null", "--size", "1514", *words)
    ready = gen.event()
    assert ready["null"] is True
    _, totals = gen.trial({"closed": 32})
    clean(totals)
    sizes = {"tso": 65226, "tso:65549": 65549}
    size = sizes.get(ready["size"]) or int(ready["size"])
    assert totals["bytes"] == size * totals["received"]
    assert gen.close() == 0


def test_imix_has_its_sizes():
    """28 frames of 64 bytes to 16 of 570 and 4 of 1518."""
    gen = Gen("--null", "--size", "imix")
    assert gen.event()["size"] == "imix"
    _, totals = gen.trial({"closed": 64})
    mean = (28 * 64 + 16 * 570 + 4 * 1518) / 48
    assert totals["bytes"] / totals["received"] == pytest.approx(mean, rel=0.02)
    assert gen.close() == 0


def test_tso_needs_features(vmswitchd, rundir):
    """A switch that does not offer TSO is told so by name; one that does gets the load, if the
    rings have room for it: a frame takes 16 receive buffers and more."""
    vmswitchd.check("switch", "add", "gen", "type", "private")
    for i in range(2):
        vmswitchd.check("port", "add", f"g{i}", "switch", "gen", "type", "guest", "socket",
                        rundir / f"g{i}.sock")
    gen = Gen("--socket", rundir / "g%u.sock", "--size", "tso", "--ring", 1024, "--check", 1)
    first = gen.event()
    if first["event"] == "error":
        assert "VIRTIO_NET_F_HOST_TSO4" in first["missing"]
        assert gen.event() is None
        assert gen.close() == 1
        return
    gen.command("learn")
    _, totals = gen.trial({"closed": 8})
    clean(totals)
    assert gen.close() == 0


@pytest.mark.parametrize("words, complaint", [
    ((), "--socket needs a path with %u"),
    (("--socket", "p.sock"), "--socket needs a path with %u"),
    (("--socket", "p%u%s.sock"), "--socket needs a path with %u"),
    (("--null", "--guests", "385"), "0..384"),
    (("--guests", "0"), "without --interface, --guests is 1..384"),
    (("--null", "--interface", "x"), "--interface goes without --null"),
    (("--guests", "1", "--interface", "x"), "--socket needs a path with %u"),
    (("--guests", "0", "--interface", "x" * 16), "1..15 characters"),
    (("--guests", "0", *("--interface", "x") * 17), "there are 16 already"),
    (("--guests", "0", *("--interface", "x") * 2, "--size", "tso"), "--touch none and --size tso"),
    (("--guests", "0", *("--interface", "x") * 3), "even number"),
    (("--null", "--guests", "3"), "even number"),
    (("--null", "--size", "63"), "64..9000"),
    (("--null", "--size", "big"), "64..9000"),
    (("--null", "--size", "tsox"), "tso or tso:BYTES"),
    (("--null", "--size", "tso:65550"), "1515..65549"),
    (("--null", "--ring", "100"), "no power of two"),
    (("--null", "--profile", "mac"), "linux, netkvm or legacy"),
    (("--null", "--flow", "all-to-one"), "--null goes with --flow pairs"),
    (("--null", "--what"), "--help"),
    (("--null", "more"), "only options"),
], ids=str)
def test_bad_options(words, complaint):
    """An option that makes no sense ends vsgen with one clear line."""
    done = subprocess.run([str(VSGEN), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stdout == ""


def test_bad_commands():
    """A command that makes no sense is answered, and the next one is served."""
    gen = Gen("--null")
    assert gen.event()["event"] == "ready"
    for line, complaint in [
            ("nonsense", "no JSON"),
            ("[]", "'cmd'"),
            ('{"cmd":"dance"}', "unknown command 'dance'"),
            ('{"cmd":"trial"}', "'load'"),
            ('{"cmd":"trial","load":{"closed":1,"rate":1}}', "'load'"),
            ('{"cmd":"trial","load":{"closed":0}}', "'closed'"),
            ('{"cmd":"trial","load":{"rate":"fast"}}', "'rate'"),
            ('{"cmd":"trial","load":{"closed":1},"windows":0}', "'windows'"),
            ('{"cmd":"trial","load":{"closed":1},"probe":[0,0]}', "'probe'"),
            ('{"cmd":"trial","load":{"closed":1},"latency":1}', "'latency'"),
            ('{"cmd":"trial","load":{"closed":1},"reconnect":1}', "'reconnect'"),
            ('{"cmd":"trial","load":{"closed":1},"reconnect":true}', "no switch"),
            ('{"cmd":"learn","rate":-1}', "'rate'"),
            ('{"cmd":"reconnect"}', "no switch")]:
        gen.send(line)
        event = gen.event()
        assert event["event"] == "error" and complaint in event["error"], (line, event)
    gen.send('{"cmd":"quit"}')
    assert gen.event() is None
    assert gen.close() == 0
