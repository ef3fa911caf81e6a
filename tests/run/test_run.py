# SPDX-License-Identifier: BSD-3-Clause
"""The counting of ./check: what must be seen as a failure is."""

import importlib.machinery
import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import results  # noqa: E402
from results import Case  # noqa: E402


def load(name):
    """A program of this folder as a module."""
    loader = importlib.machinery.SourceFileLoader(f"run_{name}", str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


unit = load("unit")

TAP = """1..3
ok 1 - first
not ok 2 - second
# x.c:1: error: boo
not ok 3 # SKIP third
# ok - a
"""


def statuses(cases):
    """Status by short name."""
    return {c.name.split("::", 1)[1]: c.status for c in cases}


def test_tap_of_cmocka():
    assert statuses(unit.cases_of("t", "unit", TAP, "ended with status 1")) == {
        "first": "passed", "second": "failed", "third": "skipped"}


@pytest.mark.parametrize("output,problem,reason", [
    ("1..2\nok 1 - first\n", None, "only 1 of 2 cases"),
    ("1..2\nok 1 - first\n", "ended with status -11", "status -11"),
    ("1..1\nok 1 - first\n", "ended with status 99", "status 99"),
    ("1..2\nok 1 - a\nok 2 - b\n1..1\n", None, "only 2 of 3"),
    ("", None, "no test case"),
    ("", "took more than 300 s", "took more"),
])
def test_program_that_did_not_end_well(output, problem, reason):
    last = unit.cases_of("t", "unit", output, problem)[-1]
    assert last.status == "failed" and reason in last.reason


JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="boo
 twice">text</failure></testcase>
<testcase classname="a" name="setup"><error message="e"/></testcase>
<testcase classname="a" name="skip"><skipped type="pytest.skip" message="no KVM"/></testcase>
<testcase classname="a" name="torn"/>
<testcase classname="a" name="torn"><error message="teardown"/></testcase>
</testsuite></testsuites>"""


def test_junit(tmp_path):
    report, file = tmp_path / "r.xml", tmp_path / "results"
    report.write_text(JUNIT)
    results.junit(file, "func", report, 1)
    found = results.load(file)
    assert [(c.status, c.name) for c in found] == [
        ("passed", "a::good"), ("failed", "a::bad"), ("failed", "a::setup"),
        ("skipped", "a::skip"), ("failed", "a::torn")]
    assert found[1].reason == "boo twice" and found[3].reason == "no KVM"


@pytest.mark.parametrize("text,status", [
    (None, 2), ("<testsuites><testsuite", 0), ("<testsuites/>", 5),
    ('<testsuites><testcase classname="a" name="b"/></testsuites>', 2),
    ('<testsuites><testcase classname="a" name="b"/></testsuites>', 124)])
def test_test_run_that_did_not_end_well(tmp_path, text, status):
    report, file = tmp_path / "r.xml", tmp_path / "results"
    if text is not None:
        report.write_text(text)
    results.junit(file, "func", report, status)
    assert any(c.status == "failed" for c in results.load(file))


@pytest.mark.parametrize("cases,stages,status,line", [
    (["passed", "passed"], ["s"], 0, "2 passed, 0 failed, 0 skipped"),
    (["passed", "skipped"], ["s"], 0, "1 passed, 0 failed, 1 skipped"),
    (["passed", "failed"], ["s"], 1, "1 passed, 1 failed, 0 skipped"),
    (["skipped"], ["s"], 1, "0 passed, 0 failed, 1 skipped"),
    ([], [], 1, "0 passed, 0 failed, 0 skipped"),
    (["passed"], ["s", "t"], 1, "1 passed, 1 failed, 0 skipped"),
])
def test_closing_line_agrees_with_exit_status(tmp_path, capsys, cases, stages, status, line):
    file = tmp_path / "results"
    results.add(file, [Case(s, "s", f"c{n}", "why\tso\n") for n, s in enumerate(cases)])
    assert results.summary(file, stages) == status
    assert capsys.readouterr().out.splitlines()[-1] == line
