# SPDX-License-Identifier: BSD-3-Clause
"""The specification of the protocol (doc/vmswitch.yaml) against the code, in both directions: the
tables of control/policy.c, the numbers and the comment of control/proto.h, the check that a request
goes through, and the manual page. Each complaint names the entry and where it is missing."""

import copy
import errno
import json
import re
import subprocess

import pytest

import spec as protocol
import spec_cases
from vmswitchd import BUILD, TOP

pytestmark = pytest.mark.once

HEADERS = [TOP / "control" / name for name in ("proto.h", "proto_attr.h", "proto_values.h")]
TABLES = BUILD / "tests" / "spec" / "tables"

# What the type of an attribute in the code is in the specification.
FORMS = {
    "name": ("string", None, None), "path": ("string", None, None),
    "line": ("string", None, None), "ifname": ("string", None, None),
    "text": ("string", None, None), "u32": ("u32", None, None), "u64": ("u64", None, None),
    "mac": ("binary", "mac", None), "gmac": ("binary", "mac", None),
    "ranges": ("binary", None, "range"), "filter": ("binary", None, "sock-filter"),
    "flag": ("flag", None, None),
    "bytes": ("binary", None, None), "nest": ("nest", None, None),
}
NEEDS = {"may": "may be there", "must": "required", "change": "any-of"}


@pytest.fixture(scope="module")
def spec():
    """The specification."""
    return protocol.Spec()


@pytest.fixture(scope="module")
def tables():
    """The tables of control/policy.c."""
    run = subprocess.run([TABLES, "dump"], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """{enum: {name: value}} of control/proto.h, as the compiler sees them; "" has the constants."""
    text = "".join(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
                   for path in HEADERS)
    enums = {}
    for name, body in re.findall(r"\benum\s*(\w*)\s*\{(.*?)\}", text, re.DOTALL):
        enums.setdefault(name, []).extend(re.findall(r"\b(VS_\w+)\s*(?:=[^,]*)?,", body))
    assert {"", "vs_cmd", "vs_attr", "vs_kind"} <= set(enums), "has the form of proto.h changed?"
    folder = tmp_path_factory.mktemp("numbers")
    lines = [f'printf("%s %lld\\n", "{n}", (long long){n});' for e in enums.values() for n in e]
    lines.append('printf("VS_SOCKET_DEFAULT %s\\n", VS_SOCKET_DEFAULT);')
    source = '#include "control/proto.h"\n#include <stdio.h>\nint main(void) {\n%s\n}\n'
    (folder / "n.c").write_text(source % "\n".join(lines))
    subprocess.run(["cc", "-I", TOP, "-o", folder / "n", folder / "n.c"], check=True)
    out = subprocess.run([folder / "n"], capture_output=True, text=True, check=True).stdout
    value = dict(line.split(" ", 1) for line in out.splitlines())
    enums[""].append("VS_SOCKET_DEFAULT")
    return {enum: {n: value[n] for n in names} for enum, names in enums.items()}


def report(complaints):
    """Fail with all of them."""
    if complaints:
        pytest.fail("\n".join(complaints), pytrace=False)


# ---- the tables

def compare_commands(spec, tables):
    """Complaints about commands, and about what they take."""
    out = []
    by_number = {op["value"]: op for op in spec.ops.values()}
    names = {a["value"]: a["name"] for a in spec.attrs.values()}
    for number, row in tables["commands"].items():
        op = by_number.get(int(number))
        if op is None or op["name"] != row["name"].lower().replace("_", "-"):
            out.append(f"doc/vmswitch.yaml: no operation {row['name'].lower().replace('_', '-')} "
                       f"with value {int(number):#04x}, which control/policy.c has")
            continue
        where = f"operation {op['name']}"
        if row["answer"] not in op:
            out.append(f"doc/vmswitch.yaml: {where} is a '{row['answer']}' in control/policy.c")
            continue
        request = op[row["answer"]]["request"]
        said = {n: "may be there" for n in request["attributes"]}
        said.update({n: "any-of" for n in request.get("any-of", ())})
        said.update({n: "required" for n in request.get("required", ())})
        coded = {names.get(int(n), f"number {n}"): NEEDS[need] for n, need in row["attrs"].items()}
        out += [f"doc/vmswitch.yaml: {where}: the request lacks attribute {n} ({coded[n]})"
                for n in coded if n not in said]
        out += [f"control/policy.c: {where} does not take attribute {n}, which "
                f"doc/vmswitch.yaml lists" for n in said if n not in coded]
        out += [f"{where}: attribute {n} is '{coded[n]}' in control/policy.c, '{said[n]}' in "
                f"doc/vmswitch.yaml" for n in said if n in coded and said[n] != coded[n]]
    out += [f"control/policy.c: no command {op['name']} ({number:#04x}), which doc/vmswitch.yaml "
            f"has" for number, op in by_number.items()
            if "event" not in op and str(number) not in tables["commands"]]
    return out


def compare_attribute(spec, attr, row, taken):
    """Complaints about one attribute that both have."""
    where = f"attribute {attr['name']} ({attr['value']})"
    form = attr["type"], attr.get("display-hint"), attr.get("struct")
    if row["type"] not in FORMS or form != FORMS[row["type"]]:
        return [f"{where}: type {row['type']} in control/policy.c, {form} in doc/vmswitch.yaml"]
    out = []
    if not taken:
        if "checks" in attr:
            out.append(f"doc/vmswitch.yaml: {where} has checks, but no request carries it")
        return out
    if "checks" not in attr and "enum" not in attr and attr["type"] != "flag":
        out.append(f"doc/vmswitch.yaml: {where} has no checks, but requests carry it")
    if row["type"] in ("u32", "ranges"):
        coded = row["min"], row["max"], row["or_zero"]
        said = *spec.range(attr), attr.get("checks", {}).get("or-zero", False)
        if coded != said:
            out.append(f"{where}: (min, max, or zero) is {coded} in control/policy.c, {said} in "
                       f"doc/vmswitch.yaml")
    if (row["type"] == "mac") != attr.get("checks", {}).get("unicast", False):
        out.append(f"{where}: {row['type']} in control/policy.c, 'unicast' in doc/vmswitch.yaml "
                   f"does not fit")
    return out


def compare_attributes(spec, tables):
    """Complaints about attributes."""
    out = []
    by_number = {a["value"]: a for a in spec.attrs.values()}
    taken = {n for row in tables["commands"].values() for n in row["attrs"]}
    for number, row in tables["attrs"].items():
        if int(number) not in by_number:
            out.append(f"doc/vmswitch.yaml: no attribute with value {number}, which "
                       f"control/policy.c has (it is called '{row['name']}' there)")
            continue
        out += compare_attribute(spec, by_number[int(number)], row, number in taken)
    out += [f"control/policy.c: no attribute {a['name']} ({n}), which doc/vmswitch.yaml has"
            for n, a in by_number.items() if str(n) not in tables["attrs"]]
    return out


def test_commands(spec, tables):
    """What each command takes."""
    report(compare_commands(spec, tables))


def test_attributes(spec, tables):
    """What each attribute is."""
    report(compare_attributes(spec, tables))


def drop_operation(raw):
    """Leave an operation out."""
    raw["operations"]["list"].pop()


def drop_attribute(raw):
    """Leave an attribute out."""
    raw["attribute-sets"][0]["attributes"].pop()


def add_attribute(raw):
    """One too many."""
    raw["attribute-sets"][0]["attributes"].append(
        {"name": "surplus", "value": 250, "type": "u32", "doc": "x"})


def take_less(raw):
    """A request that lacks one."""
    next(o for o in raw["operations"]["list"]
         if o["name"] == "port-new")["do"]["request"]["attributes"].remove("mtu")


def need_less(raw):
    """A request that requires less."""
    next(o for o in raw["operations"]["list"]
         if o["name"] == "fdb-new")["do"]["request"]["required"].remove("mac")


def widen(raw):
    """Another range."""
    next(a for a in raw["attribute-sets"][0]["attributes"]
         if a["name"] == "mtu")["checks"]["max"] += 1


@pytest.mark.parametrize("change,words", [
    (drop_operation, "no operation"), (drop_attribute, "no attribute with value"),
    (add_attribute, "no attribute surplus"), (take_less, "lacks attribute mtu"),
    (need_less, "'required' in control/policy.c"), (widen, "attribute mtu")])
def test_a_difference_is_found(spec, tables, change, words):
    """The comparison can fail, and says which entry it is about."""
    other = copy.copy(spec)
    raw = copy.deepcopy(spec.raw)
    change(raw)
    other.attrs = {a["name"]: a for a in raw["attribute-sets"][0]["attributes"]}
    other.ops = {o["name"]: o for o in raw["operations"]["list"]}
    found = compare_commands(other, tables) + compare_attributes(other, tables)
    assert any(words in one for one in found), found


# ---- control/proto.h

def symbols(prefix, names):
    """{symbol in C: value} of {name in the specification: value}."""
    return {prefix + n.upper().replace("-", "_"): str(v) for n, v in names.items()}


def test_numbers_of_the_header(spec, numbers):
    """Constants, enums, commands and attributes have the names and numbers that are specified."""
    operations, whole = spec.raw["operations"], spec.raw["attribute-sets"][0]
    said = {"": symbols("VS_", spec.consts)}
    said[operations["enum-name"]] = symbols(
        operations["name-prefix"], {n: o["value"] for n, o in spec.ops.items()})
    said[whole["enum-name"]] = symbols(
        whole["name-prefix"], {n: a["value"] for n, a in spec.attrs.items()})
    for one in spec.raw["definitions"]:
        if one["type"] == "enum":
            said[one["enum-name"]] = symbols(one["name-prefix"], spec.enums[one["name"]])
    coded = {enum: dict(names) for enum, names in numbers.items()}
    for name in ("VS_ATTR_UNSPEC", "VS_ATTR_COUNT_", "VS_ATTR_MAX"):
        del coded["vs_attr"][name]
    out = []
    for enum in said.keys() | coded.keys():
        left, right = said.get(enum, {}), coded.get(enum, {})
        kind = f"enum {enum}" if enum else "constants"
        out += [f"doc/vmswitch.yaml: {kind}: no entry for {n} = {right[n]} of control/proto.h"
                for n in right if n not in left]
        out += [f"control/proto.h: {kind}: no {n}, which doc/vmswitch.yaml has"
                for n in left if n not in right]
        out += [f"{kind}: {n} is {right[n]} in control/proto.h, {left[n]} in doc/vmswitch.yaml"
                for n in left if n in right and left[n] != right[n]]
    report(out)


def comment_table(first, *others):
    """Rows of a table in the comment of control/proto.h, by the columns of its head."""
    lines = [line.expandtabs() for line in HEADERS[0].read_text().split("*/")[1].splitlines()]
    head = next(i for i, line in enumerate(lines)
                if re.fullmatch(rf" \*\s+{first}\s+" + r"\s+".join(others), line))
    at = [lines[head].index(word) for word in (first, *others)] + [None]
    rows = []
    for line in lines[head + 1:]:
        if not line[2:].strip():
            break
        cells = [line[a:b].strip() for a, b in zip(at, at[1:])]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{old} {new}".strip() for old, new in zip(rows[-1], cells)]
    return rows


def words_of(spec, cell):
    """{attribute: mark} of the attributes that a cell names."""
    found = re.findall(r"\b([A-Z][A-Z0-9_]+)\b([!?]?)", cell)
    named = {n.lower().replace("_", "-"): mark for n, mark in found}
    return {n: mark for n, mark in named.items() if n in spec.attrs}


def test_comment_of_the_header(spec):
    """The tables of commands and attributes that it shows."""
    out, rows = [], comment_table("command", "takes", "answer")
    listed = {row[0].lower().replace("_", "-"): row for row in rows}
    out += [f"control/proto.h: the comment's table has no command {n}"
            for n in spec.ops if n not in listed]
    for name, (_, takes, answer) in listed.items():
        if name not in spec.ops:
            out.append(f"doc/vmswitch.yaml: no operation {name}, which the comment of "
                       f"control/proto.h has")
            continue
        request = {} if "event" in spec.ops[name] else spec.request(name)
        said = {n: "!" if n in request.get("required", ()) else ""
                for n in request.get("attributes", ())}
        if "event" not in spec.ops[name] and words_of(spec, takes) != said:
            out.append(f"{name} takes {words_of(spec, takes)} in the comment of control/proto.h, "
                       f"{said} in doc/vmswitch.yaml")
        reply = spec.reply(name) or {"attributes": ()}
        said = set(reply["attributes"]) | {
            n for a in reply["attributes"] if "nested-attributes" in spec.attrs[a]
            for n in spec.sets[spec.attrs[a]["nested-attributes"]]}
        if not set(words_of(spec, answer)) >= set(reply["attributes"]) or \
                not set(words_of(spec, answer)) <= said:
            out.append(f"{name} answers {sorted(words_of(spec, answer))} in the comment of "
                       f"control/proto.h, {sorted(said)} in doc/vmswitch.yaml")
    report(out)


def test_attributes_in_the_comment(spec, tables):
    """Their types, and their ranges where it shows numbers."""
    out = []
    listed = {row[0].lower().replace("_", "-"): row[1:]
              for row in comment_table("attribute", "type", "range in requests")}
    taken = {int(n) for row in tables["commands"].values() for n in row["attrs"]}
    for name, attr in spec.attrs.items():
        if attr["value"] not in taken:
            continue
        if name not in listed:
            out.append(f"control/proto.h: the comment's table has no attribute {name}")
            continue
        kind, limits = listed[name]
        coded = tables["attrs"].get(str(attr["value"]), {}).get("type")
        shown = re.search(r"(\d+)\.\.(\d+)", limits)
        if kind != coded:
            out.append(f"control/proto.h: the comment says {name} is {kind}, it is {coded}")
        if shown and kind == "u32" and tuple(map(int, shown.groups())) != spec.range(attr):
            out.append(f"control/proto.h: the comment says {name} is {limits}, doc/vmswitch.yaml "
                       f"{spec.range(attr)}")
    report(out)


def test_events_of_the_code(spec):
    """The words of control/obj_monitor.c and control/obj_capture.c."""
    text = "".join(p.read_text() for p in sorted((TOP / "control").glob("obj_[cm]*.c")))
    coded = set(re.findall(r'return "([a-z-]+)";', text)) - {"unknown"}
    coded |= set(re.findall(r'VS_ATTR_EVENT, "([a-z-]+)"', text))
    assert coded == set(spec.attrs["event"]["values"])


# ---- the check of requests

def test_judgement(spec):
    """The daemon's check takes and refuses what the specification says: every command with every
    attribute, and values at the edges of each check."""
    cases = list(spec_cases.all_cases(spec))
    assert len(cases) > 5000
    run = subprocess.run([TABLES, "judge"], capture_output=True, text=True, check=True,
                         input="".join(c.request.hex() + "\n" for c in cases))
    lines = run.stdout.splitlines()
    assert len(lines) == len(cases)
    out = []
    for case, line in zip(cases, lines):
        error, offset, missing = map(int, line.split())
        if (-error, offset, missing) != (case.errno, case.offset, case.missing):
            names = [errno.errorcode.get(e, "no error") for e in (-error, case.errno)]
            out.append(f"{case.what}: {names[0]}, offset {offset}, missing {missing}; the "
                       f"specification says {names[1]}, {case.offset}, {case.missing}")
    report(out[:40])


# ---- the manual page, and the form of the specification itself

def test_manual_page(spec):
    """It is made from the specification as it is, and formats without complaint."""
    page = BUILD / "vmswitch-protocol.7"
    made = subprocess.run([TOP / "doc" / "man" / "protocol", protocol.SPEC], capture_output=True,
                          text=True, check=True).stdout
    assert page.read_text() == made, "the page in the build folder is not up to date"
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True,
                          text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    text = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=1000", page],
                          capture_output=True, text=True, check=True).stdout
    text = re.sub(".\b", "", text)
    out = [f"no command {n}" for n, op in spec.ops.items()
           if not re.search(rf"^ +{n} \({op['value']:#04x}, ", text, re.MULTILINE)]
    out += [f"no attribute {n}" for n, a in spec.attrs.items()
            if not re.search(rf"^ +{n} \({a['value']}\)", text, re.MULTILINE)]
    out += [f"no {n} of {enum}" for enum, entries in spec.enums.items()
            for n, v in entries.items() if f"{n} ({v})" not in text]
    report(out)


KEYS = {
    "": {"name", "protocol", "version", "uapi-header", "doc", "transport", "answers", "batches",
         "definitions", "attribute-sets", "operations"},
    "definition": {"type", "name", "doc", "value", "members", "enum-name", "name-prefix",
                   "entries"},
    "attribute": {"name", "value", "type", "doc", "checks", "enum", "struct", "values",
                  "nested-attributes", "display-hint"},
    "checks": {"min", "max", "or-zero", "min-len", "max-len", "exact-len", "pattern", "unicast"},
    "operation": {"name", "value", "doc", "attribute-set", "flags", "do", "dump", "event"},
    "request": {"attributes", "required", "any-of", "multi"},
}


def test_form(spec):
    """Names and numbers are there once, references lead somewhere, no key is unknown, and
    everything is explained."""
    out, raw = [], spec.raw

    def keys(kind, one, name):
        extra = set(one) - KEYS[kind]
        if extra:
            out.append(f"{name}: unknown keys {sorted(extra)}")

    keys("", raw, "top")
    whole, operations = raw["attribute-sets"][0]["attributes"], raw["operations"]["list"]
    for kind, group in ("attribute", whole), ("operation", operations):
        for key in "name", "value":
            seen = [one[key] for one in group]
            out += [f"{kind}: {key} {s} is there twice" for s in set(seen) if seen.count(s) > 1]
        out += [f"{kind} {one['name']}: no doc" for one in group if not one.get("doc")]
        for one in group:
            keys(kind, one, one["name"])
    for one in raw["definitions"]:
        keys("definition", one, one["name"])
    for attr in whole:
        keys("checks", attr.get("checks", {}), attr["name"])
        for key, known in (("enum", spec.enums), ("struct", spec.structs),
                           ("nested-attributes", spec.sets)):
            if attr.get(key, next(iter(known))) not in known:
                out.append(f"attribute {attr['name']}: no {key} {attr[key]}")
    for op in operations:
        parts = [op["event"]] if "event" in op else [
            p for p in (op.get("do") or op["dump"]).values()]
        for part in parts:
            keys("request", part, op["name"])
            known = set(part["attributes"])
            out += [f"{op['name']}: no attribute {n}" for n in known if n not in spec.attrs]
            out += [f"{op['name']}: {n} is required or wanted, but not listed"
                    for n in set(part.get("required", ())) | set(part.get("any-of", ()))
                    if n not in known]
    report(out)
