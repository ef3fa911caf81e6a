# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of single stages: it knows every stage, counts the same twice, tells a change."""

import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from vmswitchd import BUILD

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bench"))

from suite import stages  # noqa: E402

pytestmark = pytest.mark.once

CASE = "unicast-64"
FEW = ("--repeats", "50", "--bursts", "8")


@pytest.fixture(scope="module")
def stage():
    """vsstage of the build under test."""
    return stages.Stage(BUILD)


@pytest.fixture(scope="module")
def counted(stage):
    """Instructions of all its stages, if they can be counted."""
    if stage.refuse():
        pytest.skip(f"this is {stage.refuse()}")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not there")
    try:
        return stage.counts(CASE, 8)[0]
    except stages.BenchError as error:
        if "debug information" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture
def countable(stage, counted):
    """vsstage, if its instructions can be counted."""
    assert counted
    return stage


def launch(*words):
    """Run bench/stages. Return: exit status, standard output, standard error."""
    done = subprocess.run([str(TOP / "bench" / "stages"), "--build", str(BUILD), *map(str, words)],
                          capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


# ---- nothing is forgotten

def test_every_stage_of_the_pipeline_is_measured(stage):
    code = (TOP / "dataplane" / "pipeline.c").read_text()
    rows = [(name, next(path for path in paths.split(", ") if path != "NULL"))
            for name, paths in re.findall(r'^\t\{"(\w+)", \{([\w, ]+)\}, \w+\},', code,
                                          re.MULTILINE)]
    assert len(rows) >= 5
    assert rows == [(row["name"], row["function"]) for row in stage.stages.values()
                    if row["kind"] == "pipeline"]


def test_the_stored_baseline_has_every_stage(stage):
    baseline = stages.load(stages.BASELINE)
    assert list(baseline["cases"]) == list(stage.cases), "bench/stages --store renews it"
    for number, (case, rows) in enumerate(baseline["cases"].items()):
        wanted = [name for name, row in stage.stages.items() if row["kind"] != "empty" and
                  (row["kind"] not in ("part", "round") or number == 0)]
        assert list(rows) == wanted, f"{case}: bench/stages --store renews it"


def test_the_stages_make_up_a_visit(stage, counted):
    parts = sum(counted[name] for name, row in stage.stages.items()
                if row["kind"] in ("ends", "pipeline") and
                name not in ("classify", "decap", "learn", "route", "encap"))
    assert parts == pytest.approx(counted["visit"], rel=0.01)
    # Who has queues pays for that one, and does not look the destination up.
    assert parts <= counted["visit-queues"] <= (parts + counted["classify"]) * 1.01


def test_idle_guests_cost_a_busy_one_little(stage, counted):
    """A round in which one guest sends, alone and among 384 that send nothing: by instructions and
    by ticks, which hold for its throughput too as long as the guests are the slower ones."""
    share = counted["round"] / counted["round-idle"]
    print(f"\ninstructions alone / among idle ones: {share:.3f}")
    assert share >= 0.95
    times = stage.times(CASE, 2000)
    ticks = [times[name]["cycles"]["median"] for name in ("round", "round-idle")]
    print(f"ticks: {ticks[0]:.1f} / {ticks[1]:.1f} = {ticks[0] / ticks[1]:.3f}")


def test_frames_that_a_card_has_sorted_cost_less(countable):
    """Eight ports' frames from hw queues of their own, against the same mixed and without queues:
    at most 0.8 times while hw queues are full. With four in each there is nothing to save."""
    mixed = countable.counts("spread-64", 8)[0]["visit"]
    full, few = (countable.counts(case, 8)[0]["visit-queues"] / mixed
                 for case in ("sorted-64", "sorted-few-64"))
    print(f"\ninstructions sorted / mixed: {full:.3f} with 32 frames a visit, {few:.3f} with 4")
    assert full <= 0.8 < few


# ---- figures

@pytest.mark.parametrize("case", ["unicast-9000", "flood-64", "learn-64", "sorted-few-64"])
def test_frames_arrive_and_all_stages_are_timed(stage, case):
    # vsstage itself ends badly if a frame is lost on the way.
    times = stage.times(case, 20)
    assert set(times) == {name for name, row in stage.stages.items()
                          if row["kind"] not in ("part", "round")}
    for figures in times.values():
        ns = figures["ns"]
        assert 0 <= ns["min"] <= ns["q1"] <= ns["median"] <= ns["q3"]
    assert times["visit"]["cycles"]["median"] > times["admit"]["cycles"]["median"] > 0


def test_counts_are_repeatable(countable, counted):
    alone, _ = countable.counts(CASE, 8, "lookup")
    again, _ = countable.counts(CASE, 8, "lookup")
    assert list(alone) == ["lookup"]
    assert alone["lookup"] > 50
    assert again["lookup"] == pytest.approx(alone["lookup"], rel=0.001)
    assert counted["lookup"] == pytest.approx(alone["lookup"], rel=0.001)


def test_cost_of_calls_is_read_from_callgrinds_file():
    text = ("fn=(1) main\n12 100\ncfn=(2) vss_mark_a\ncalls=3 4\n+2 70\n* 5\n"
            "cfn=(3) other\ncalls=1 2\n+1 9\ncfn=(2)\ncalls=1 4\n-1 30\n\n"
            "fn=(2)\n4 60\ncfn=(3)\ncalls=1 2\n* 40\n")
    assert stages.inclusive(text) == {"vss_mark_a": 100}


# ---- comparison

def test_a_change_is_told(countable, tmp_path):
    baseline = tmp_path / "baseline.json"
    words = ("--case", CASE, "--baseline", baseline, *FEW)
    status, out, _ = launch("--json", *words)
    found = json.loads(out)
    assert (status, found["not_compared"]) == (0, "there is no baseline")
    rows = {row["stage"]: {"instructions": row["instructions"]} for row in found["rows"]}
    rows["admit"]["instructions"] *= 0.95
    rows["lookup"]["instructions"] *= 1.05
    rows["tx"]["instructions"] *= 0.99
    stored = {"schema": 1, "build": found["build"], "cases": {CASE: rows}}
    baseline.write_text(json.dumps(stored))
    status, out, err = launch(*words)
    print(out, err)
    assert status == 1
    assert out.splitlines()[-1] == \
        f"instructions: worse: {CASE} admit; better: {CASE} lookup"
    assert re.search(r"^  admit .* \+5\.\d %  worse$", out, re.MULTILINE)

    stored["build"]["compiler"] = "tcc 0.1"
    baseline.write_text(json.dumps(stored))
    status, out, _ = launch(*words)
    assert status == 0
    assert out.splitlines()[-1].startswith(
        "not compared: the baseline is of another build: compiler tcc 0.1, now ")
    assert "worse" not in out


FIGURES = {"ns": 1.0, "cycles": 2.0, "ns_min": 1.0, "ns_quartiles": [1.0, 1.0]}
CURRENT = {"schema": 1, "cpu": "a processor", "build": {key: "x" for key in stages.BUILD_KEYS},
           "cases": {"one": {name: {"instructions": n, **FIGURES}
                             for name, n in (("rx", 100.0), ("tx", 200.0))}}}


@pytest.mark.parametrize("old,verdict", [(100.0, "same"), (97.5, "same"), (97.0, "worse"),
                                         (103.0, "same"), (103.2, "better"), (None, "new")])
def test_verdicts(old, verdict):
    assert stages.judge(old, 100.0, 3.0) == verdict


def test_what_came_and_went():
    baseline = copy.deepcopy(CURRENT)
    del baseline["cases"]["one"]["tx"]
    baseline["cases"]["one"]["old"] = {"instructions": 5.0}
    rows = stages.compare(baseline, CURRENT, 3.0)
    assert [(row["stage"], row["verdict"]) for row in rows] == [
        ("rx", "same"), ("tx", "new"), ("old", "gone")]
    assert "gone" in stages.table(rows)


def test_store_renews_the_baseline(countable, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stages, "measure", lambda *_: CURRENT)
    baseline = tmp_path / "baseline.json"
    words = ["--build", str(BUILD), "--baseline", str(baseline)]
    assert stages.main([*words, "--store"]) == 0
    assert stages.load(baseline) == CURRENT
    assert stages.main(words) == 0
    worse = copy.deepcopy(CURRENT)
    worse["cases"]["one"]["rx"]["instructions"] = 110.0
    monkeypatch.setattr(stages, "measure", lambda *_: worse)
    assert stages.main(words) == 1
    assert stages.main([*words, "--store"]) == 0
    assert stages.load(baseline) == worse
    assert stages.main([*words, "--store", "--case", CASE]) == 2
    assert stages.load(baseline) == worse
    capsys.readouterr()


@pytest.mark.parametrize("words,why", [
    (["--case", "nonsense"], "there is no case 'nonsense'"),
    (["--build", "/nowhere"], "is not built"), (["--cpu", "99999"], "one processor of"),
    (["--repeats", "0"], "at least 1"), (["--baseline", "/etc/passwd"], "/etc/passwd")])
def test_usage(countable, words, why):
    status, out, err = launch(*words)
    assert (status, out) == (2, "")
    assert why in err


@pytest.mark.parametrize("change", [{"sanitize": "address"}, {"optimization": "0"}])
def test_builds_that_mean_nothing_are_refused(stage, change, monkeypatch, capsys):
    honest = stages.Stage.take_build
    monkeypatch.setattr(stages.Stage, "take_build",
                        staticmethod(lambda lines: {**honest(lines), **change}))
    assert stages.main(["--build", str(BUILD)]) == 2
    assert "its figures would mean nothing" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--count", "nonsense"], ["--time", "--case", "nonsense"],
                                   ["--time", "--repeats", "0"], ["--time", "more"],
                                   ["--count", "fdb-find", "--case", "flood-64"]])
def test_usage_of_the_program(stage, words):
    done = subprocess.run([stage.program, *words], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: vsstage" in done.stderr
