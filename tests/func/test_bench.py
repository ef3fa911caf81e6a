# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's own logic: bins, pairs, verdicts, parsing, schema, comparison; and with "long", a
short run of all of it."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BENCH = TOP / "bench"
DOUBLE = pathlib.Path(__file__).resolve().parent / "vsgen_double"
sys.path.insert(0, str(BENCH))

from suite import (bins, calibrate, charts, compare, kinds, machine, main,  # noqa: E402
                   nets, peer_ovs, peers, procs, prove, report, results, stats, trial, workloads)
from suite.attach import Attached  # noqa: E402
from suite.session import Session  # noqa: E402

pytestmark = pytest.mark.once


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


@pytest.mark.parametrize("ceiling,labels", [
    ({"near": 11.9}, ["generator-bound"]), ({"near": 12.1, "far": 2}, []), ({}, []),
    ({"far": 2}, ["ceiling not known in this bin"])])
def test_generator_bound_within_half_above(ceiling, labels):
    rows = results.rows(samples_of([8], []), "vmswitch", ceilings={"64": ceiling},
                        sizes={"pair-64": "64"})
    assert rows[0]["labels"] == labels


def curve_of(metric, points):
    return [{"workload": "loss-64", "peer": "vmswitch", "round": 0, "bin": "near",
             "metric": metric, "value": value, "x": x} for x, value in points]


STALLED = curve_of("loss", ((1, 0), (2, 0.01), (4, 0.02), (6, 0.2), (8, 0.001)))
TYPICAL = curve_of("loss_median", ((1, 0), (2, 0), (4, 0.004), (6, 0.2), (8, 0.001)))


def test_rates_are_ranges_of_the_median_window():
    rows = {r["metric"]: r for r in results.rows(STALLED + TYPICAL, "vmswitch")
            if r["bin"] == "all"}
    assert rows["pdr_mpps"]["spread"] == [4, 6]
    assert rows["no_loss_mpps"]["spread"] == [1, 4] and rows["no_loss_mpps"]["median"] == 2


def offered(sent, lost=0, not_sent=0, late=0):
    return {"sent": sent, "lost": lost, "not_sent": not_sent, "late": late}


def test_frames_that_find_a_full_ring_are_lost_and_late_ones_are_not():
    assert trial.loss([offered(90, 5, 10), offered(100)]) == 15 / 200
    assert trial.loss([offered(100, 0, 50, 50)]) == 0
    assert trial.loss([offered(0)]) is None
    assert trial.offered_share([offered(50, 0, 50, 50)]) == 0.5
    assert trial.offered_share([offered(50, 0, 50)]) == 1


@pytest.mark.parametrize("samples,rate,said", [
    (STALLED + TYPICAL, 1_000_000, "rate without loss, 2 Mpps"),
    (curve_of("loss_median", ((1, 0.004), (2, 0.3))), 500_000, "0.5 % rate, 1 Mpps"),
    (curve_of("loss_median", ((1, 0.3),)), 4_000_000, "median of pair-64"), ([], 4_000_000,
                                                                            "median of pair-64")])
def test_latency_is_taken_at_half_of_what_goes_through(samples, rate, said):
    session = Session(None, workloads.QUICK, [], Silent())
    session.samples = samples + samples_of([8], [])
    found, text = kinds.latency_rate(session, Named("vmswitch"))
    assert found == rate and said in text


def test_latency_of_either_form():
    assert trial.latency_of({"latency": {"p50": 1, "p99": 2, "p999": 3}}) == {
        "p50": 1, "p99": 2, "p999": 3}
    assert trial.latency_of({"latency_p99_ns": 7}) == {"p99": 7}
    assert trial.latency_of({}) == {}


# ---- workloads

def test_workloads_that_wait_are_absent_by_name(monkeypatch):
    monkeypatch.setattr(workloads, "PRESENT", frozenset())
    assert {"workload": "pair-tso", "feature": "TSO"} in workloads.absent()
    assert {"workload": "nvgre-1400", "feature": "NVGRE"} in workloads.absent()
    names = [w.name for w in workloads.present(["nvgre-1400", "pair-tso", "pair-64"])]
    assert names == ["pair-tso", "pair-64"]
    monkeypatch.setattr(workloads, "PRESENT", frozenset({"TSO", "NVGRE"}))
    assert "pair-tso" not in [row["workload"] for row in workloads.absent()]


@pytest.mark.parametrize("present", [(), ("TSO",)])
def test_who_takes_part_in_tso(monkeypatch, present):
    monkeypatch.setattr(workloads, "PRESENT", frozenset(present))
    every = [main.PEERS[name](None) for name in main.PEERS if not name.startswith("vmswitch")]
    every.append(peers.VmSwitch(type("L", (), {"build": "."})))
    session = Session(None, workloads.DEFAULT, every, Silent())

    def taking(name):
        return {p.name for p in every if session.fits(workloads.ALL[name], p)}
    assert taking("pair-tso") == {"ovs-normal-tso", "testpmd-tso", *(["vmswitch"] if present
                                                                     else [])}
    assert not taking("pair-64") & {"ovs-normal-tso", "testpmd-tso"}
    assert taking("macs-1m") == {"vmswitch"}
    session.mode = workloads.FULL
    assert {"ovs-normal-tso", "testpmd-tso", "vmswitch"} <= taking("pair-64")


def taking_part(name, mode=workloads.DEFAULT):
    """Names of the peers that a workload is measured with."""
    every = [peers.VmSwitch(type("L", (), {"build": "."})),
             *(main.PEERS[name](None) for name in main.PEERS if not name.startswith("vmswitch"))]
    session = Session(None, mode, every, Silent())
    return {p.name for p in every if session.fits(workloads.ALL[name], p)}


@pytest.mark.parametrize("name,who", [
    ("host-64", {"vmswitch", "ovs-normal", "ovs-normal-tap", "testpmd"}),
    ("host-bridge", {"vmswitch", "ovs-normal", "ovs-normal-tap", "testpmd", "linux-bridge",
                     "linux-bridge-rps"}),
    ("uplink-64", {"vmswitch", "ovs-normal", "ovs-port-to-port", "testpmd"}),
    ("uplink-xdp-64", {"vmswitch", "ovs-normal", "testpmd"}),
    ("tcp-host", {"vmswitch", "linux-bridge", "linux-bridge-plain",
                  "ovs-normal-tso"}),
    ("static-64", {"vmswitch", "ovs-normal", "ovs-mac-flows"}),
    ("static-1k", {"vmswitch", "ovs-normal", "ovs-mac-flows"})])
def test_who_takes_part_beside_interfaces_and_tables(name, who):
    assert taking_part(name) == who


def test_variants_are_measured_on_the_main_workloads_only():
    """In the full mode, unless workloads are named."""
    named = workloads.dataclasses.replace(workloads.FULL, workloads=("pair-64-legacy",))
    assert "testpmd-best" in taking_part("pair-64", workloads.FULL)
    assert "testpmd-best" not in taking_part("pair-64-legacy", workloads.FULL)
    assert "testpmd-best" in taking_part("pair-64-legacy", named)


def test_stations_on_interfaces_have_the_last_numbers():
    one = workloads.ALL["host-1514"]
    assert one.words()[:2] == ["--guests", "1"] and one.words()[-2:] == ["--interface", "host1"]
    assert (one.vms(), one.flows(), one.ceiling()) == (1, 2, "1514 wire")
    assert workloads.ALL["host-bridge"].ceiling() == "64 wire"
    assert workloads.ALL["uplink-64"].ceiling() == "64"


@pytest.mark.parametrize("busy,labels", [(0.6, []), (0.7, ["generator-bound"])])
def test_interfaces_are_bound_by_a_busy_generator(busy, labels):
    """Whatever the ceiling says that was taken against something else."""
    data = samples_of([0.5], [], workload="host-64")
    data.append({**data[0], "metric": "generator_busy", "value": busy})
    rows = {row["metric"]: row for row in results.rows(data, "vmswitch")}
    assert rows["mpps"]["labels"] == labels and rows["generator_busy"]["labels"] == []


def test_ceilings_of_guests_and_of_interfaces(monkeypatch):
    monkeypatch.setattr(calibrate, "ceiling", lambda *_: {"mpps": 24.0, "probe_ns": [110]})

    def fails(*_):
        raise procs.BenchError("no")
    monkeypatch.setattr(calibrate, "wire_ceiling", fails)
    found, errors, probes = calibrate.ceilings(None, {"64": 512, "64 wire": 256}, Silent())
    assert (found, errors, probes) == ({"64": {"mpps": 24.0}}, {"64 wire": "no"}, [110])


def test_attached_ports_have_no_interfaces():
    args = type("A", (), {"attach_guests": 2})
    for name in ("host-64", "uplink-64", "static-64"):
        with pytest.raises(procs.BenchError, match="cannot be measured on attached ports"):
            Attached.workloads(args, [name])
    assert [w.name for w in Attached.workloads(args, None)] == ["pair-64", "pair-1514"]


def test_addresses_are_those_of_vsgen():
    assert nets.mac_of(1, 999) == "02:00:01:00:03:e7"
    assert nets.mac_of(300, 0) == "02:01:2c:00:00:00"


def test_modes_name_workloads():
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


@pytest.mark.parametrize("ticks,said", [(1, []), (2, ["steal 1.0%"])])
def test_a_single_tick_stolen_says_nothing(monkeypatch, ticks, said):
    seen = iter([(0, 0), (ticks, 200)])
    monkeypatch.setattr(machine, "_steal_and_all", lambda cpus: next(seen))
    monkeypatch.setattr(machine, "processes", dict)
    assert machine.Watch([0, 1], time.monotonic).reasons()[1] == said


def test_memory_of_peers_without_hugepages():
    assert peers.eal_memory(type("L", (), {"hugepages": True})) == ["--in-memory"]
    assert "--in-memory" not in peers.eal_memory(type("L", (), {"hugepages": False}))


def test_sockets_have_short_paths(monkeypatch, tmp_path):
    monkeypatch.setattr(main.tempfile, "gettempdir", lambda: str(tmp_path))
    assert main.folder_for_runs() == tmp_path or len(str(tmp_path)) > main.FOLDER_MAX
    monkeypatch.setattr(main.tempfile, "gettempdir", lambda: "/" + "x" * 90)
    assert len(str(main.folder_for_runs())) <= main.FOLDER_MAX


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
    max_guests, learns, hugepages, title, tso, aside = 384, True, 0, "", False, False
    ways, enters, variant = frozenset({""}), False, False

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


def test_loss_comes_before_latency(monkeypatch):
    mode = workloads.Mode("test", (), (), 1000, 1, 1, 4, 0)
    session, order = Session(None, mode, [Named("vmswitch")], Silent(), Clock()), []
    for kind in ("loss", "latency"):
        monkeypatch.setitem(sys.modules["suite.session"].KINDS, kind,
                            lambda _, workload, *__: order.append(workload.kind))
    session.run([workloads.ALL["latency-64"], workloads.ALL["loss-64"]])
    assert order[0] == "loss" and "latency" in order


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


# ---- bench/prove

def test_slower_copy_waits_in_the_workers_loop():
    source = (TOP / prove.WORKER).read_text()
    found = prove.slowed(source, 15)
    assert found.count("take_longer(w->ctx.now_tsc);") == 1
    assert "(end - begin) * 15 / 100" in found
    assert len(found.splitlines()) == len(source.splitlines()) + len(prove.WAIT.splitlines()) + 1
    with pytest.raises(procs.BenchError, match="has changed"):
        prove.slowed("int main(void);", 15)


def comparison(kind, call):
    part = {"workload": "pair-64", "metric": "mpps", "x": None, "call": call, "runs": 16,
            "estimate": -0.1, "chance": 0.001, "ratio": 0.9}
    return {"kind": kind, "seconds": 60.0, "rows": [part], "slower": call == "slower",
            "called": call != "no change seen"}


@pytest.mark.parametrize("false,caught,holds", [(0, 10, True), (1, 9, True), (2, 10, False),
                                                (0, 8, False)])
def test_proof_holds_with_one_false_alarm_and_nine_caught(false, caught, holds):
    rows = [comparison("itself", "faster" if n < false else "no change seen") for n in range(10)]
    rows += [comparison("slower", "slower" if n < caught else "no change seen") for n in range(10)]
    counts, found = prove.verdict(rows)
    assert found is holds
    assert (counts["false_alarms"], counts["caught"]) == (false, caught)
    text = prove.summary(counts, found)
    assert text.endswith("does not hold" if not holds else ": holds")


def test_proof_from_end_to_end(monkeypatch, tmp_path, capsys):
    build = pathlib.Path(os.environ.get("VMSWITCH_BUILD", TOP / "build"))
    clock = iter(range(100))

    def in_turns(_, mode, builds, __):
        call = "slower" if builds[0] != builds[1] else "no change seen"
        next(clock)
        return comparison("", call)["rows"], Session(None, mode, [], Silent())
    monkeypatch.setattr(compare, "in_turns", in_turns)
    monkeypatch.setattr(prove.calibrate, "calibrate", lambda *_: {"interference": 1.0})
    assert prove.main([str(build), "/else", "--comparisons", "2", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "prove.json").read_text())
    assert [row["kind"] for row in found["comparisons"]] == ["itself", "slower"] * 2
    assert found["holds"] and found["counts"]["caught"] == 2
    last = (tmp_path / "prove.txt").read_text().splitlines()[-1]
    assert last == capsys.readouterr().out.splitlines()[-1]


@pytest.mark.long
def test_slower_copy_builds(tmp_path):
    build = pathlib.Path(os.environ.get("VMSWITCH_BUILD", TOP / "build")).resolve()
    found = prove.make_slower(build, tmp_path, 15)
    assert procs.command([found / "control" / "vmswitchd", "--version"])


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
    one = run_bench(tmp_path, "--vsgen", str(DOUBLE), "--peers", "vmswitch", "pair-64",
                    "nvgre-1400")
    stdout, stderr = one.communicate(timeout=120)
    assert one.returncode == 0, stderr
    assert stdout.splitlines()[0] == "absent: nvgre-1400: waits for NVGRE"
    assert stdout.splitlines()[-1].startswith("vmswitch: pair-64 ")
    found = check_report(tmp_path)
    assert {"workload": "nvgre-1400", "feature": "NVGRE"} in found["absent"]
    assert {row["peer"] for row in found["results"]} == {"vmswitch"}


def test_interrupted_while_a_program_begins(tmp_path, monkeypatch):
    """What was begun is on the list of those to stop, whatever the moment."""
    monkeypatch.setattr(procs, "_prepare", lambda cpu: os.kill(os.getppid(), signal.SIGINT))
    programs = procs.Programs()
    with pytest.raises(KeyboardInterrupt):
        programs.start(["sleep", "1000"], tmp_path / "log")
    one, = programs.running
    assert one.poll() is None
    programs.stop_all()
    assert one.returncode == -signal.SIGTERM and not programs.running


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
def test_restart_with_a_double(tmp_path):
    """The daemon is killed and set up anew; times come from what the generator counts."""
    one = run_bench(tmp_path, "--vsgen", str(DOUBLE), "--peers", "vmswitch", "restart-64")
    _, stderr = one.communicate(timeout=120)
    assert one.returncode == 0, stderr
    rows = {row["metric"]: row for row in check_report(tmp_path)["results"]}
    # Nothing is known of the peer's rate, so it is a million frames a second.
    assert rows["blocked_ms_restart"]["median"] == pytest.approx(10)
    assert rows["silence_ms"]["median"] == 90


def test_charts_of_lines(tmp_path):
    data = STALLED + [{"workload": f"scale-{x}", "peer": "vmswitch", "round": 0, "bin": "near",
                       "metric": "mpps", "value": 9.0, "x": x} for x in (2, 4)]
    # Guests of several queue pairs are no point of that line.
    data += [{"workload": "scale-128x4", "peer": "vmswitch", "round": 0, "bin": "near",
              "metric": "mpps", "value": 9.0}]
    found = {"results": results.rows(data, "vmswitch"), "guests": {}, "ours": "vmswitch"}
    assert [name for name, _ in charts.scripts(found, tmp_path)] == [
        "throughput.png", "scaling.png", "loss.png"]
    paths, why = charts.draw(found, tmp_path)
    if not why:
        assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG"] * 3


def run_ways(out, *words):
    """A short real run; returns its report, in which nothing failed."""
    one = run_bench(out, *words)
    _, stderr = one.communicate(timeout=300)
    assert one.returncode == 0, stderr
    found = check_report(out)
    assert not found["failures"], found["failures"]
    assert not [row for row in found["results"] if "damaged" in " ".join(row["labels"])]
    return found


WAYS = [name for name, one in workloads.ALL.items()
        if (one.way or one.static) and not one.needs and one.kind != "tcp"]


@pytest.mark.long
@pytest.mark.skipif(nets.can_make() != "", reason="needs root")
@pytest.mark.parametrize("names", [
    [name for name in WAYS if workloads.ALL[name].way in nets.INTERFACES],
    [name for name in WAYS if workloads.ALL[name].way not in nets.INTERFACES and
     not workloads.ALL[name].macs]],
    ids=["hosts", "others"])
def test_hosts_uplinks_and_static_tables(tmp_path, names):
    found = run_ways(tmp_path, *names, "--peers", "vmswitch,linux-bridge,linux-bridge-rps")
    measured = {(row["workload"], row["peer"]) for row in found["results"]
                if row["metric"] == "mpps" and row["median"] > 0}
    assert {(name, "vmswitch") for name in names} <= measured
    if "host-bridge" in names:
        assert {("host-bridge", "linux-bridge"), ("host-bridge", "linux-bridge-rps")} <= measured
        assert {"64 wire"} <= set(found["calibration"]["ceilings"])
    assert not found["absent"]
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert "vsb-" not in left.stdout


def test_pairs_of_tcp_are_of_gigabits(monkeypatch):
    """Rounds end when each comparison has its pairs, here of another figure than frames."""
    clock, mode = Clock(), workloads.Mode("test", (), (), 1000, 4, 12, 4, 0)
    ours = [Named(n) for n in ("vmswitch", "b")]
    for one in ours:
        one.ways = frozenset({nets.STACKS})
    session = Session(None, mode, ours, Silent(), clock)
    monkeypatch.setitem(sys.modules["suite.session"].KINDS, "tcp", lambda s, workload, peer, n:
                        s.add(workload, peer, n, "mixed", "gbps", 2 if peer.name == "b" else 6))
    session.run([workloads.ALL["tcp-host"]])
    assert len(session.samples) == 2 * bins.PAIRS_MIN
    row, = [one for one in results.rows(session.samples, "vmswitch") if one["peer"] == "b"]
    assert row["ratio"] == 3 and row["verdict"] == "better"


@pytest.mark.skipif(nets.can_make() != "" or not shutil.which("iperf3"),
                    reason="needs root and iperf3")
@pytest.mark.parametrize("name", ["tcp-host",
                                  pytest.param("tcp-host-9000", marks=pytest.mark.long)])
def test_tcp_between_stacks(tmp_path, name):
    """One stream through the switch and through the bridge: bytes arrive, nothing is left."""
    found = run_ways(tmp_path, name, "--peers", "vmswitch,linux-bridge")
    rows = {(row["peer"], row["metric"]): row["median"] for row in found["results"]}
    assert rows["vmswitch", "gbps"] > 0 and rows["linux-bridge", "gbps"] > 0
    # Frames of the stack's own size pass: none is cut before the switch.
    assert rows["vmswitch", "bytes_per_frame"] > 2000
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert "vsb-" not in left.stdout


@pytest.mark.long
@pytest.mark.skipif(nets.can_make() != "", reason="needs root")
@pytest.mark.parametrize("name", WAYS)
def test_every_peer_of_hosts_uplinks_and_static_tables(tmp_path, name):
    found = run_ways(tmp_path, name)
    wanted = taking_part(name) - {row["peer"] for row in found["skipped"]}
    assert {row["peer"] for row in found["results"] if row["metric"] == "mpps"} == wanted


@pytest.mark.long
def test_tso_beside_us(tmp_path):
    one = run_bench(tmp_path, "pair-tso", "--peers", "testpmd-tso,ovs-normal-tso", "--no-huge")
    _, stderr = one.communicate(timeout=300)
    found = json.loads((tmp_path / "report.json").read_text()) if one.returncode == 0 else None
    if found is None and "there is nothing to measure" in stderr:
        pytest.skip(stderr)
    assert found and not found["failures"], stderr
    assert {row["peer"] for row in found["results"]} == set(found["peers"])
    assert not [row for row in found["results"] if "damaged" in " ".join(row["labels"])]


@pytest.mark.long
@pytest.mark.parametrize("names", [
    [w for w in workloads.ALL if workloads.ALL[w].kind in ("closed", "fair") and "1m" not in w],
    [w for w in workloads.ALL if workloads.ALL[w].kind not in ("closed", "fair", "vm")]],
    ids=["loads", "others"])
def test_every_workload(tmp_path, names):
    one = run_bench(tmp_path, *names, "--peers", "vmswitch", "--budget", "280")
    _, stderr = one.communicate(timeout=400)
    assert one.returncode == 0, stderr
    found = json.loads((tmp_path / "report.json").read_text())
    assert not found["failures"], found["failures"]
    missing = {w.name for w in workloads.present(names) if workloads.stands(w)} - {
        row["workload"] for row in found["results"]}
    assert not missing


@pytest.mark.long
def test_quick_with_everything(tmp_path):
    one = run_bench(tmp_path, "--quick")
    stdout, stderr = one.communicate(timeout=600)
    assert one.returncode == 0, stderr
    found = check_report(tmp_path)
    assert not found["failures"], found["failures"]
    assert {row["peer"] for row in found["results"]} == set(found["peers"])
