# SPDX-License-Identifier: BSD-3-Clause
"""The list of system calls: control/seccomp.c and doc/security.md say the same of it."""

import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
CODE = (TOP / "control/seccomp.c").read_text()
SECTION = (TOP / "doc/security.md").read_text().split("### System calls\n")[1].split("\n## ")[0]
LISTS = {name: re.findall(r'"(\w+)"', body) for name, body in
         re.findall(r"static const char \*const (\w+)\[\] = \{(.*?)\};", CODE, re.DOTALL)}
TABLE = dict(re.findall(r"^\| (\w+) \| (.*) \|$", SECTION, re.MULTILINE))
TABLE.pop("group")
# Those that have rules of their own.
RULED = set(re.findall(r"SCMP_SYS\((\w+)\)", CODE))


def calls_of(text):
    """What a text names that can only be a system call."""
    return set(re.findall(r"`([a-z][a-z0-9_]*)`", text))


def test_groups():
    """Every list is a row of the table, in the same order, and becomes part of the filter."""
    assert list(LISTS) == list(TABLE)
    assert set(LISTS) == set(re.findall(r"\bGROUP\((\w+)\)", CODE)) - {"list"}
    assert all(LISTS.values())


def test_every_call_once():
    calls = [call for names in LISTS.values() for call in names]
    assert len(calls) == len(set(calls))
    assert not RULED & set(calls)


@pytest.mark.parametrize("group", TABLE)
def test_named_calls(group):
    """A call that the table names stands in that list, or has a rule of its own."""
    assert calls_of(TABLE[group]) <= set(LISTS[group]) | RULED


def test_rules():
    """Each call with a rule of its own is told of."""
    assert RULED == {"clone", "clone3", "socket"}
    assert RULED <= calls_of(SECTION)


def test_families():
    named = re.search(r"for the families ([A-Z0-9, ]+) only", TABLE["sockets"]).group(1)
    code = re.search(r"families\[\] = \{(.*?)\};", CODE, re.DOTALL).group(1)
    assert [f"AF_{name}" for name in named.split(", ")] == re.findall(r"AF_\w+", code)


def test_refused():
    """What is said to be refused stands in no list; mount has a list of its own."""
    sentence = re.search(r"^`execve`.*?are among those that are refused", SECTION,
                         re.MULTILINE | re.DOTALL).group(0)
    refused = calls_of(sentence)
    allowed = {call for names in LISTS.values() for call in names} | RULED
    assert len(refused) > 10
    assert refused & allowed == {"mount"} == set(LISTS["mounts"]) - {"umount2"}
