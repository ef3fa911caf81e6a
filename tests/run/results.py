#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Results of single test cases, one per line: STATUS <tab> STAGE <tab> CASE <tab> REASON.

    results.py add FILE STAGE CASE passed|failed|skipped [REASON]
    results.py junit FILE STAGE REPORT.xml EXIT_STATUS   add what pytest reported
    results.py stage FILE STAGE                          "N passed, ..." of one stage
    results.py summary FILE STAGE...                     skips, failures, and the closing line

`summary` exits with 0 only if at least one case passed, none failed, and each STAGE has a case
that ran or one that says why not.
"""

import collections
import sys
import xml.etree.ElementTree as ET

Case = collections.namedtuple("Case", "status stage name reason")
STATUSES = ("passed", "failed", "skipped")


def one_line(text):
    """Text without what separates fields and lines."""
    return " ".join((text or "").split())[:200]


def add(path, cases):
    """Append cases to a file of results."""
    with open(path, "a", encoding="utf-8") as f:
        for case in cases:
            f.write("\t".join(one_line(field) for field in case) + "\n")


def load(path):
    """All cases of a file of results."""
    try:
        with open(path, encoding="utf-8") as f:
            return [Case(*line.rstrip("\n").split("\t")) for line in f]
    except FileNotFoundError:
        return []


def from_junit(stage, report):
    """The cases of a JUnit report; one is failed if its test, its set-up or its tear-down is."""
    found = {}
    for element in ET.parse(report).getroot().iter("testcase"):
        name = f"{element.get('classname')}::{element.get('name')}"
        status, reason = "passed", ""
        for child in element:
            if child.tag in ("failure", "error"):
                status, reason = "failed", child.get("message")
            elif child.tag == "skipped" and status == "passed":
                # An expected failure is none; pytest files it under skips.
                if child.get("type") != "pytest.xfail":
                    status, reason = "skipped", child.get("message")
        # A test that passed and whose tear-down failed stands there twice.
        if name not in found or status == "failed":
            found[name] = Case(status, stage, name, reason)
    return list(found.values())


def junit(path, stage, report, exit_status):
    """Add a report; a missing one and an exit status that it does not explain are failures."""
    try:
        cases = from_junit(stage, report)
    except (OSError, ET.ParseError) as error:
        cases = [Case("failed", stage, "report", f"no report of the tests: {error}")]
    if not cases:
        cases = [Case("failed", stage, "report", "no test was found")]
    failed = any(c.status == "failed" for c in cases)
    if exit_status != 0 and not failed:
        cases.append(Case("failed", stage, "exit", f"test run ended with status {exit_status}"))
    add(path, cases)


def counts(cases):
    """The words of the closing line."""
    number = collections.Counter(c.status for c in cases)
    return ", ".join(f"{number[s]} {s}" for s in STATUSES)


def summary(path, stages):
    """Print skips by reason, failures by name, and the closing line; return the exit status."""
    cases = load(path)
    for stage in stages:
        if not any(c.stage == stage for c in cases):
            cases.append(Case("failed", stage, "stage", "left no result"))
    reasons = collections.Counter((c.stage, c.reason or "no reason given")
                                  for c in cases if c.status == "skipped")
    if reasons:
        print("skipped:")
    for (stage, reason), number in sorted(reasons.items()):
        print(f"  {number:4} {stage}: {reason}")
    failed = [c for c in cases if c.status == "failed"]
    if failed:
        print("failed:")
    for case in failed:
        print(f"  {case.stage}: {case.name}" + (f": {case.reason}" if case.reason else ""))
    print(counts(cases))
    return 0 if not failed and any(c.status == "passed" for c in cases) else 1


def main(args):
    """Do what the command line says."""
    if len(args) >= 5 and args[0] == "add" and args[4] in STATUSES:
        add(args[1], [Case(args[4], args[2], args[3], " ".join(args[5:]))])
    elif len(args) == 5 and args[0] == "junit":
        junit(args[1], args[2], args[3], int(args[4]))
    elif len(args) == 3 and args[0] == "stage":
        print(counts([c for c in load(args[1]) if c.stage == args[2]]))
    elif len(args) >= 2 and args[0] == "summary":
        return summary(args[1], args[2:])
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
