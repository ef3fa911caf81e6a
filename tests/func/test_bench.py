# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's own logic: bins, pairs, verdicts, parsing, schema, comparison; and with "long", a
short run of all of it."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BENCH = TOP / "bench"
DOUBLE = pathlib.Path(__file__).resolve().parent / "vsgen_double"
sys.path.insert(0, str(BENCH))

from suite import (bins, charts, compare, machine, peer_ovs, peers, procs,  # noqa: E402
                   report, results, stats, trial, workloads)
from suite.session import Session  # noqa: E402


# ---- bins and pairs

@pytest.mark.parametrize("probes,name", [
    ([65, 66, 110, 110, 219], "near"), ([530] * 5, "far"), ([110, 110, 110, 530, 530], "mixed"),
    ([110, 110, 110, 110, 900], "near"), ([250] * 5, "mixed"), ([], "mixed"), (None, "mixed")])
def test_bin_of_a_window(probes, name):
    assert bins.bin_of(probes) == name


def window(received, probe=110, seconds=0.5, **more):
    return {"received": received, "seconds": seconds, "probe_ns": [probe] * 5, "sent": received,
            "lost": 0, **more}


def test_first_window_is_left_out_and_the_generators_bin_counts():
    found = bins.by_bin([window(9), window(1), window(2, 530), window(3, bin="mixed")])
    assert {name: [w["received"] for w in part] for name, part in found.items()} == {
        "near": [1], "far": [2], "mixed": [3]}


def test_bin_of_a_run_needs_most_of_its_windows():
    assert bins.bin_of_run([window(1)] + [window(1)] * 4 + [window(1, 530)]) == "near"
    assert bins.bin_of_run([window(1)] + [window(1)] * 3 + [window(1, 530)] * 2) == "mixed"


def test_pairs_are_of_the_same_round():
    assert bins.pairs({0: 4, 1: 6, 2: 8}, {1: 2, 2: 4, 3: 1}) == [3, 2]


def test_spread_and_interval():
    assert bins.spread([5, 1, 3, 2, 4]) == [2, 4]
    assert bins.spread([]) is None
    assert bins.median_interval([1, 2, 3, 4]) is None
    assert bins.median_interval([1, 2, 3, 4, 5]) == [1, 5]
    assert bins.median_interval(list(range(11))) == [2, 8]


@pytest.mark.parametrize("ratios,better,said", [
    ([2, 2, 2, 2], "higher", "no verdict"), ([2] * 5, "higher", "better"),
    ([2] * 5, "lower", "worse"), ([0.5] * 6, "higher", "worse"),
    ([0.5, 2, 1, 1.2, 0.9], "higher", "no difference seen"),
    ([1.01, 1.02, 1.03, 1.02, 1.01], "higher", "no difference seen")])
def test_verdicts(ratios, better, said):
    assert bins.verdict(ratios, better) == said


# ---- from samples to rows

def samples_of(ours, theirs, where="near", workload="pair-64"):
    return [{"workload": workload, "peer": peer, "round": n, "bin": where, "metric": "mpps",
             "value": value} for peer, values in (("vmswitch", ours), ("testpmd", theirs))
            for n, value in enumerate(values)]


def test_ratio_is_ours_over_theirs_inside_a_bin():
    data = samples_of([8] * 5, [4] * 5) + samples_of([4] * 5, [8] * 5, "far")
    rows = {(r["peer"], r["bin"]): r for r in results.rows(data, "vmswitch")}
    assert rows[("testpmd", "near")]["ratio"] == 2
    assert rows[("testpmd", "near")]["verdict"] == "better"
    assert rows[("testpmd", "far")]["ratio"] == 0.5
    assert rows[("testpmd", "far")]["verdict"] == "worse"
    assert "ratio" not in rows[("vmswitch", "near")]


def test_bins_do_not_pair():
    data = samples_of([8] * 6, []) + samples_of([], [4] * 6, "far")
    row = next(r for r in results.rows(data, "vmswitch") if r["peer"] == "testpmd")
    assert row["pairs"] == 0 and row["ratio"] is None and row["verdict"] == "no verdict"


@pytest.mark.parametrize("ceiling,bound", [(11.9, True), (12.1, False), (None, False)])
def test_generator_bound_within_half_above(ceiling, bound):
    rows = results.rows(samples_of([8], []), "vmswitch", ceilings={"64": ceiling},
                        sizes={"pair-64": "64"})
    assert ("generator-bound" in rows[0]["labels"]) == bound


def test_rates_are_ranges():
    data = [{"workload": "loss-64", "peer": "vmswitch", "round": 0, "bin": "near",
             "metric": "loss", "value": value, "x": x}
            for x, value in ((1, 0), (2, 0.001), (4, 0.004), (6, 0.2), (8, 0.001))]
    rows = {r["metric"]: r for r in results.rows(data, "vmswitch") if r["bin"] == "all"}
    assert rows["pdr_mpps"]["spread"] == [4, 6]
    assert rows["no_loss_mpps"]["spread"] == [1, 2]


def test_latency_of_either_form():
    assert trial.latency_of({"latency": {"p50": 1, "p99": 2, "p999": 3}}) == {
        "p50": 1, "p99": 2, "p999": 3}
    assert trial.latency_of({"latency_p99_ns": 7}) == {"p99": 7}
    assert trial.latency_of({}) == {}


# ---- workloads

def test_workloads_that_wait_are_absent_by_name():
    assert {"workload": "pair-tso", "feature": "TSO"} in workloads.absent()
    assert not [w for w in workloads.present(["pair-tso", "pair-64"]) if w.needs]
    for mode in (workloads.QUICK, workloads.DEFAULT, workloads.FULL):
        assert set(mode.workloads) <= set(workloads.ALL)


def test_frames_in_flight_fit_a_ring():
    for one in workloads.ALL.values():
        assert one.window() <= 512
        if one.flow != "pairs" and one.guests <= 256:
            assert one.window() * one.flows() <= 1024


# ---- counters of the peers

def test_pmd_stats():
    text = """pmd thread numa_id 0 core_id 0:
  packets received: 1000
  packet recirculations: 0
  avg cycles per packet: 400.00 (400000/1000)
  avg processing cycles per packet: 300.00 (300000/1000)
  idle cycles: 100000 (25.00%)
  processing cycles: 300000 (75.00%)
main thread:
  packets received: 7
  processing cycles: 9 (1%)
"""
    assert peer_ovs.parse_pmd_stats(text) == {"busy_cycles": 300000, "frames": 1000}
    assert peer_ovs.parse_pmd_stats("nothing") == {}


def test_testpmd_cycles():
    text = ("  CPU cycles/packet=190.23 (total cycles=190230 / total RX packets=1000) at 2600 MHz "
            "Clock\n")
    assert peers.parse_testpmd(text) == {"busy_cycles": 190230, "frames": 1000}
    assert peers.parse_testpmd("") == {}


def test_fdb_and_ports_of_open_vswitch():
    fdb = " port  VLAN  MAC                Age\n    1     0  02:00:00:00:00:01    3\n" \
          "LOCAL     0  aa:00:00:00:00:01    3\n"
    assert peer_ovs.parse_fdb(fdb) == {"02:00:00:00:00:01": 1}
    assert peer_ovs.parse_ports(" 1(p0): addr:00\n LOCAL(br0): addr\n 2(p1): a\n") == {1, 2}


# ---- the machine

def test_foreign_process_is_seen_and_ours_is_not():
    before = {(10, "1"): (1, 0, "me"), (11, "1"): (10, 0, "child"), (12, "1"): (1, 0, "other")}
    after = {(10, "1"): (1, 99, "me"), (11, "1"): (10, 99, "child"), (12, "1"): (1, 50, "other"),
             (13, "9"): (1, 1, "calm")}
    assert machine.foreign(before, after, 1.0, 10) == [f"other {50 / procs.TICK:.0%}"]


def test_hugepages_are_given_back(tmp_path):
    knob = tmp_path / "nr"
    knob.write_text("3\n")
    with pytest.raises(KeyboardInterrupt):
        with machine.Hugepages(10, knob) as huge:
            assert huge.enough and knob.read_text() == "10\n"
            raise KeyboardInterrupt
    assert knob.read_text() == "3\n"


def test_more_hugepages_than_needed_stay(tmp_path):
    knob = tmp_path / "nr"
    knob.write_text("30\n")
    with machine.Hugepages(10, knob) as huge:
        assert huge.enough
    assert knob.read_text() == "30\n"


# ---- the order of runs

class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Named:
    max_guests, learns, hugepages, title = 384, True, 0, ""

    def __init__(self, name):
        self.name = name


class Silent:
    def step(self, *_):
        pass

    say = step


def order_of(monkeypatch, seconds, budget, failing=()):
    """The runs of a session whose runs take that long."""
    clock, order = Clock(), []
    mode = workloads.Mode("test", (), (), budget, 4, 12, 4, 0)
    session = Session(None, mode, [Named(n) for n in ("vmswitch", "b")], Silent(), clock)

    def run(_, workload, peer, round_no):
        clock.now += seconds
        order.append((peer.name, round_no))
        if peer.name in failing:
            raise procs.BenchError("no")
        session.add(workload, peer, round_no, "near", "mpps", 1)
    monkeypatch.setitem(sys.modules["suite.session"].KINDS, "closed", run)
    session.run([workloads.ALL["pair-64"]])
    return session, order


def test_rounds_alternate_and_stop_when_paired(monkeypatch):
    _, order = order_of(monkeypatch, 1, 1000)
    assert order[:4] == [("vmswitch", 0), ("b", 0), ("b", 1), ("vmswitch", 1)]
    assert len(order) == 2 * bins.PAIRS_MIN


def test_budget_ends_rounds_and_says_so(monkeypatch):
    session, order = order_of(monkeypatch, 10, 50)
    assert len(order) == 4 and "no time left" in session.left_out[0]


def test_peer_that_fails_is_given_up(monkeypatch):
    session, order = order_of(monkeypatch, 1, 1000, failing=("b",))
    assert sum(name == "b" for name, _ in order) == 2
    assert [f["error"] for f in session.failures] == ["no", "no"]


# ---- comparison of reports

def values(rng, ratio, runs=12):
    return {where: {n: base * ratio * rng.lognormvariate(0, 0.04) for n in range(runs)}
            for where, base in (("near", 8.0), ("far", 4.0))}


@pytest.mark.parametrize("paired", [True, False])
def test_same_is_seldom_called_and_slower_is_caught(paired):
    rng, false, caught = random.Random(5), 0, 0
    for _ in range(10):
        old = {(w, "mpps", None): values(rng, 1) for w in "ab"}
        same = {(w, "mpps", None): values(rng, 1) for w in "ab"}
        slow = {(w, "mpps", None): values(rng, 1 / 1.15) for w in "ab"}
        false += any(r["call"] in ("slower", "faster") for r in compare.judge(old, same, paired))
        caught += any(r["call"] == "slower" for r in compare.judge(old, slow, paired))
    assert false <= 1 and caught >= 9


def test_other_mixture_of_bins_is_no_change():
    old = {("a", "mpps", None): {"near": dict.fromkeys(range(9), 8.0), "far": {0: 4.0, 1: 4.0}}}
    new = {("a", "mpps", None): {"near": {0: 8.0, 1: 8.0}, "far": dict.fromkeys(range(9), 4.0)}}
    assert compare.judge(old, new, paired=False)[0]["call"] == "no change seen"


def test_more_cycles_are_slower():
    assert stats.call(0.2, True, 0.05, "lower") == "slower"
    assert stats.call(0.2, True, 0.05, "higher") == "faster"
    assert stats.call(0.01, True, 0.05, "lower") == "no change seen"


def test_few_runs_are_not_judged():
    row = compare.judge({("a", "mpps", None): {"near": {0: 1, 1: 1}}},
                        {("a", "mpps", None): {"near": {0: 9, 1: 9}}}, False)[0]
    assert row["call"] == "too few runs"


def test_holm():
    assert stats.holm({"a": 0.004, "b": 0.03, "c": 0.011}, 0.03) == {
        "a": True, "c": True, "b": True}
    assert stats.holm({"a": 0.02, "b": 0.001}, 0.02) == {"b": True, "a": True}
    assert stats.holm({"a": 0.02, "b": 0.02}, 0.02) == {"a": False, "b": False}


def fake_report(mpps):
    return {"schema": results.SCHEMA, "ours": "vmswitch", "machine": {"cpu": "x"},
            "samples": samples_of([mpps * (1 + n / 500) for n in range(12)], [])}


def test_exit_status_says_slower(tmp_path, capsys):
    for name, mpps in (("old", 8), ("new", 6)):
        (tmp_path / f"{name}.json").write_text(json.dumps(fake_report(mpps)))
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    assert compare.main([old, new]) == 1
    assert compare.main([new, old]) == 0
    assert compare.main([old, old]) == 0
    assert compare.main([old, str(tmp_path / "none.json")]) == 2
    assert "1 slower" in capsys.readouterr().out


# ---- the whole, with a double of the generator

def run_bench(out, *words):
    build = os.environ.get("VMSWITCH_BUILD", TOP / "build")
    return subprocess.Popen(
        [sys.executable, "-B", str(BENCH / "run"), "--build", str(build), "--out", str(out),
         "--windows", "3", "--window-ms", "100", "--warmup-ms", "50", "--rounds", "1", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


KEYS = {"workload", "peer", "bin", "metric", "unit", "better", "median", "spread", "min", "max",
        "runs", "labels", "command"}


def check_report(out):
    """The schema; returns the report."""
    found = json.loads((out / "report.json").read_text())
    assert found["schema"] == results.SCHEMA and found["results"]
    for row in found["results"]:
        assert KEYS <= set(row), row
        assert row["metric"] in results.METRICS
    for name in ("machine", "calibration", "peers", "skipped", "absent", "left_out", "failures",
                 "trials", "guests", "samples", "runs"):
        assert name in found
    page = (out / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>") and "src=\"http" not in page
    return found


def test_report_with_a_double(tmp_path):
    one = run_bench(tmp_path, "--vsgen", str(DOUBLE), "--peers", "vmswitch", "pair-64", "pair-tso")
    stdout, stderr = one.communicate(timeout=120)
    assert one.returncode == 0, stderr
    assert stdout.splitlines()[0] == "absent: pair-tso: waits for TSO"
    assert stdout.splitlines()[-1].startswith("vmswitch: pair-64 ")
    found = check_report(tmp_path)
    assert {"workload": "pair-tso", "feature": "TSO"} in found["absent"]
    assert {row["peer"] for row in found["results"]} == {"vmswitch"}


def test_interrupted_run_leaves_nothing_and_still_reports(tmp_path):
    before = machine.NR_HUGEPAGES.read_text()
    one = run_bench(tmp_path, "--vsgen", str(DOUBLE), "--peers", "vmswitch", "--windows", "400",
                    "pair-64")
    stderr = ""
    while "round 1" not in stderr:
        line = one.stderr.readline()
        assert line, stderr
        stderr += line
    deadline = time.monotonic() + 30
    while len(descendants(one.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    started = descendants(one.pid)
    assert started
    one.send_signal(signal.SIGINT)
    one.communicate(timeout=60)
    assert one.returncode == 130
    left = machine.processes()
    assert not [left[key] for key in started if key in left]
    assert machine.NR_HUGEPAGES.read_text() == before
    assert json.loads((tmp_path / "report.json").read_text())["left_out"] == [
        "the rest: interrupted"]


def descendants(pid):
    """Children of a process: their numbers with their start times."""
    return [key for key, row in machine.processes().items() if row[0] == pid]


def test_charts_have_a_script_for_what_there_is(tmp_path):
    found = {"results": results.rows(samples_of([8] * 5, [4] * 5), "vmswitch"),
             "guests": {"pair-64": 2}, "ours": "vmswitch"}
    assert [name for name, _ in charts.scripts(found, tmp_path)] == ["throughput.png",
                                                                    "ratio.png"]


def test_numbers_for_people():
    assert [report.number(v) for v in (None, 0, 1234.5, 7.891, 0.00001)] == [
        "–", "0", "1234" if round(1234.5) == 1234 else "1235", "7.89", "1.0e-05"]


@pytest.mark.long
def test_quick_with_everything(tmp_path):
    one = run_bench(tmp_path, "--quick")
    stdout, stderr = one.communicate(timeout=600)
    assert one.returncode == 0, stderr
    found = check_report(tmp_path)
    assert not found["failures"], found["failures"]
    assert {row["peer"] for row in found["results"]} == set(found["peers"])
