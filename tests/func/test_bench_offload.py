# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run says about offloads: streams that may be merged, and work nobody asked for."""

import json
import subprocess
import sys
import types

import pytest

from benchlab import BENCH, Notes, fits, peer
from vmswitchd import BUILD
from vsgen import VSGEN, Gen, clean

from suite import main, offloads, peers, vmload, workloads

pytestmark = pytest.mark.once

TSC = 1e9


@pytest.mark.parametrize("work,labels", [
    ({"checksums": 0, "segments": 0, "merged": 7}, []),
    ({"checksums": 3, "segments": 0}, ["not passed whole: checksums were made"]),
    ({"checksums": 3, "segments": 9}, ["not passed whole: checksums were made",
                                       "not passed whole: segments were made"])])
def test_work_that_nobody_asked_for_is_labelled(work, labels):
    notes = Notes()
    offloads.whole(notes, workloads.ALL["pair-tso"], peer("vmswitch"), 0, "near", work)
    assert notes.labels == labels
    assert notes.samples == {("near", "checksums_made"): work["checksums"],
                             ("near", "segments_made"): work["segments"]}


def test_who_does_not_count_says_nothing():
    notes = Notes()
    offloads.whole(notes, workloads.ALL["pair-tso"], peer("vmswitch"), 0, "near", {})
    assert not notes.labels and not notes.samples


def test_whole_workloads_are_those_between_who_takes_all():
    assert {one.name for one in workloads.ALL.values() if one.whole} == {
        "pair-tso", "pair-tso-header", "tcp-host", "tcp-host-9000"}


@pytest.mark.parametrize("text,found", [
    ('[{"checksums": 1, "segments": 2, "merged": 3},'
     ' {"checksums": 10, "segments": 0, "merged": 0}]', {"checksums": 11, "segments": 2,
                                                         "merged": 3}),
    ("[]", {"checksums": 0, "segments": 0, "merged": 0}),
    ("error: no", {}), ('[{"checksums": 1}]', {}), ('{"a": 1}', {})])
def test_counters_of_a_switch(monkeypatch, text, found):
    one = peer("vmswitch")
    monkeypatch.setattr(one, "ctl", lambda *words, check: text)
    assert one.offloads() == found
    assert peers.Peer.offloads(one) == {}


def test_what_a_byte_costs():
    """Of two windows, the first of which does not count."""
    windows = [{"bin": "near", "bytes": 1448 * n, "seconds": 0.5, "rx_busy": 0.25, "received": n}
               for n in (1, 1000)]
    trial = types.SimpleNamespace(windows=windows, work={"merged": 900},
                                  counted={"frames": 2000, "busy_cycles": 2896000})
    notes = Notes()
    offloads.merging(notes, workloads.ALL["stream-1"], None, 0, trial, TSC)
    assert notes.samples == {
        ("near", "merged_into_one"): 10, ("near", "cycles_per_byte"): 2,
        ("near", "gbps"): pytest.approx(8 * 1.448e6 / 0.5 / 1e9),
        ("near", "rx_cycles_per_byte"): pytest.approx(0.25 * 0.5 * TSC / 1.448e6)}


@pytest.mark.parametrize("workload,who", [
    ("stream-1", {"vmswitch", "vmswitch-gro", "vmswitch-gro-off", "vmswitch-nap0"}),
    ("stream-udp", {"vmswitch", "vmswitch-gro", "vmswitch-gro-off", "vmswitch-nap0"}),
    ("vm-stream", {"vmswitch-gro"}), ("vm-2", {"vmswitch"})])
def test_who_merges(workload, who):
    assert {name for name in main.PEERS if fits(workload, name)} == who
    assert not fits("pair-64", "vmswitch-gro") and not fits("uplink-64", "vmswitch-gro-off")


def test_streams_are_flows():
    one = workloads.ALL["stream-64"]
    assert (one.flows(), one.window()) == (64, 16)
    assert one.words()[-7:] == ["--streams", "64", "--turn", "1", "--one-way", "--check", "256"]


def test_guests_rate():
    report = {"end": {"sum_received": {"bits_per_second": 2e9}, "sum_sent": {"retransmits": 4}}}
    assert vmload.iperf_rate(json.dumps(report)) == (2.0, 4)


@pytest.fixture
def pair(vmswitchd, rundir):
    """Makes two guests of one switch with these words; each byte of each frame is compared."""
    vmswitchd.check("switch", "add", "gen", "type", "private")
    for i in range(2):
        vmswitchd.check("port", "add", f"g{i}", "switch", "gen", "type", "guest", "socket",
                        rundir / f"g{i}.sock")
    running = []

    def make(*words):
        gen = Gen("--socket", rundir / "g%u.sock", "--timeout", 10, "--check", 1, *words)
        running.append(gen)
        ready = gen.event()
        assert ready["event"] == "ready", ready
        assert gen.command("learn")[0]["event"] == "learnt"
        return gen

    yield make
    for gen in running:
        assert gen.close() == 0


@pytest.mark.parametrize("words,flows", [
    (("--size", "stream"), 2), (("--size", "stream:1001", "--streams", 9, "--turn", 1), 18),
    (("--size", "64", "--take-tso", "--one-way"), 1)], ids=str)
def test_segments_arrive_as_they_were_sent(pair, words, flows):
    """From guest to guest nothing is merged; checksums, numbers and bytes are right."""
    gen = pair(*words)
    windows, totals = gen.trial({"closed": 16})
    clean(totals)
    assert totals["jain"] > 0.5 / flows
    size = {"stream": 1448, "stream:1001": 1001 - 66}.get(words[1], 64)
    assert totals["bytes"] == size * totals["received"]
    for window in windows:
        assert 0 < window["rx_busy"] <= window["gen_busy"] <= 1


@pytest.mark.parametrize("words,complaint", [
    (("--size", "streams"), "stream or stream:BYTES"), (("--size", "stream:127"), "128..9000"),
    (("--streams", "0"), "1..1024"), (("--turn", "65"), "1..64"),
    (("--null", "--size", "stream", "--touch", "none"), "--touch none goes without --size stream"),
    (("--null", "--streams", "2"), "--null goes without --streams"),
    (("--socket", "p%u", "--guests", "384", "--streams", "1024"), "more than 65535 flows"),
    (("--guests", "0", *("--interface", "x") * 2, "--take-tso"), "--size tso, stream")], ids=str)
def test_streams_that_make_no_sense(words, complaint):
    done = subprocess.run([str(VSGEN), *words], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    assert done.returncode and complaint in done.stderr


def test_merged_and_whole(tmp_path):
    """A short real run: segments are merged where they are to be and nowhere else, none is damaged,
    and of what could pass whole nothing was cut or summed up."""
    done = subprocess.run(
        [sys.executable, "-B", str(BENCH / "run"), "--build", str(BUILD), "--out", str(tmp_path),
         "--windows", "3", "--window-ms", "100", "--warmup-ms", "50", "--rounds", "1", "stream-8",
         "pair-tso", "--peers", "vmswitch,vmswitch-gro,vmswitch-gro-off"],
        capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "report.json").read_text())
    assert not found["failures"], found["failures"]
    rows = {(row["workload"], row["peer"], row["metric"]): row for row in found["results"]}
    assert rows["stream-8", "vmswitch-gro", "merged_into_one"]["median"] > 2
    assert rows["stream-8", "vmswitch-gro-off", "merged_into_one"]["median"] == 1
    for name in ("checksums_made", "segments_made"):
        assert rows["pair-tso", "vmswitch", name]["median"] == 0
    said = " ".join(label for row in found["results"] for label in row["labels"])
    assert "damaged" not in said and "not passed whole" not in said
