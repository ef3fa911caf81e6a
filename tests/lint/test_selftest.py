# SPDX-License-Identifier: BSD-3-Clause
"""Each lint script against small trees made for it: what it must refuse, and beside each a twin
that it must accept. A lint script that cannot fail proves nothing."""

import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
SPDX = "/* SPDX-License-Identifier: BSD-3-Clause */\n"


def lint(script, root):
    """Run a script on a tree: (exit status, output)."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([HERE / script, "--root", root], capture_output=True, text=True, env=env)
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(name="write")
def write_fixture(tmp_path):
    """write(path, text): put a file into the tree."""
    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file
    return write


@pytest.fixture(name="tree")
def tree_fixture(tmp_path, write):
    """A tree that every script accepts."""
    for path in ("dataplane/core/pkt.h", "dataplane/core/drop.h", "dataplane/fdb.h",
                 "dataplane/pipeline.h", "dataplane/guest/guest.h", "dataplane/guest/ring.h",
                 "offload/offload.h", "offload/csum.h", "control/proto.h", "control/client.h",
                 "control/model.h", "control/version.h.in", "dataplane/admit.c"):
        write(path, SPDX)
    write("tests/lint/hotpath.list", "dataplane/admit.c\n")
    shutil.copy(TOP / ".clang-format", tmp_path)
    return tmp_path


SCRIPTS = ["check-layers", "check-hotpath", "check-sizes", "check-docs", "check-words",
           "check-format", "check-python", "check-shell"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_clean_tree_is_accepted(script, tree):
    assert lint(script, tree) == (0, "")


LAYERS_BAD = [
    ("dataplane/core/x.c", '"dataplane/fdb.h"'),
    ("dataplane/core/x.c", '"dataplane/guest/guest.h"'),
    ("dataplane/guest/x.c", '"offload/offload.h"'),
    ("dataplane/guest/x.c", '"dataplane/fdb.h"'),
    ("offload/x.c", '"dataplane/guest/guest.h"'),
    ("vmq/x.c", '"offload/offload.h"'),
    ("nvgre/x.c", '"control/proto.h"'),
    ("dataplane/lookup.c", '"dataplane/guest/guest.h"'),
    ("dataplane/lookup.c", '"dataplane/pipeline.h"'),
    ("dataplane/worker.c", '"dataplane/guest/ring.h"'),
    ("dataplane/worker.c", '"control/model.h"'),
    ("control/obj_port.c", '"dataplane/guest/ring.h"'),
    ("control/obj_port.c", '"offload/csum.h"'),
    ("control/proto.h", '"dataplane/core/drop.h"'),
    ("control/proto.h", "<rte_ether.h>"),
    ("control/client.c", '"control/model.h"'),
    ("control/cli/main.c", '"dataplane/core/drop.h"'),
    ("control/cli/main.c", '"control/model.h"'),
    ("control/cli/main.c", "<rte_ether.h>"),
    ("dataplane/guest/x.c", '"ring.h"'),
    ("dataplane/guest/x.c", '"../core/pkt.h"'),
    ("dataplane/guest/x.c", "<dataplane/core/pkt.h>"),
    ("newfolder/x.c", "<stdio.h>"),
]

LAYERS_GOOD = [
    ("dataplane/core/x.c", '"dataplane/core/pkt.h"'),
    ("dataplane/guest/x.c", '"dataplane/guest/ring.h"'),
    ("offload/x.c", '"dataplane/core/pkt.h"'),
    ("dataplane/lookup.c", '"dataplane/fdb.h"'),
    ("dataplane/worker.c", '"dataplane/guest/guest.h"'),
    ("dataplane/worker.c", '"offload/offload.h"'),
    ("control/obj_port.c", '"dataplane/guest/guest.h"'),
    ("control/obj_port.c", '"control/model.h"'),
    ("control/cli/main.c", '"control/client.h"'),
    ("control/proto.h", "<stdint.h>"),
    ("control/main.c", '"control/version.h"'),
    ("tests/unit/test_x.c", '"../../dataplane/guest/ring.h"'),
]


@pytest.mark.parametrize("path,target", LAYERS_BAD)
def test_layers_refuses(tree, write, path, target):
    write(path, f"{SPDX}#include {target}\n")
    code, out = lint("check-layers", tree)
    assert code == 1 and out.startswith(path + ":")


@pytest.mark.parametrize("path,target", LAYERS_GOOD)
def test_layers_accepts(tree, write, path, target):
    write(path, f"{SPDX}/* #include \"control/nothing.h\" */\n#include {target}\n")
    assert lint("check-layers", tree) == (0, "")


def test_layers_own_header_first(tree, write):
    write("dataplane/guest/ring.c", '#include "dataplane/core/pkt.h"\n'
                                    '#include "dataplane/guest/ring.h"\n')
    code, out = lint("check-layers", tree)
    assert code == 1 and "is not first" in out
    write("dataplane/guest/ring_walk.h", SPDX)
    write("dataplane/guest/ring.c", '#include "dataplane/guest/ring_walk.h"\n')
    assert lint("check-layers", tree) == (0, "")


HOT_BAD = ["vs_log(1, 2)", "printf(1)", "snprintf(1)", "malloc(1)", "calloc (1)", "free(p)",
           "rte_malloc(1)", "rte_zmalloc_socket(1)", "pthread_mutex_lock(m)", "usleep(1)",
           "nanosleep(a, b)", "RTE_LOG(ERR, X)", "rte_exit(1)", "rte_panic(1)", "assert(x)",
           "abort()", "exit(1)", "rte_spinlock_lock(l)", "RTE_VERIFY(x)"]


@pytest.mark.parametrize("call", HOT_BAD)
def test_hotpath_refuses(tree, write, call):
    write("dataplane/admit.c", f"{SPDX}void f(void)\n{{\n\t{call};\n}}\n")
    code, out = lint("check-hotpath", tree)
    assert code == 1 and out.startswith("dataplane/admit.c:4:")


@pytest.mark.parametrize("text", [
    "/* malloc(1) and\n * abort() */", 'f("printf(1)");', "static_assert(1, \"x\");",
    "_Static_assert(1, \"x\");", "vs_pkt_free_slot(1);", "my_exit(1);"])
def test_hotpath_accepts(tree, write, text):
    write("dataplane/admit.c", text + "\n")
    assert lint("check-hotpath", tree) == (0, "")


def test_hotpath_allows_allocation_elsewhere(tree, write):
    write("control/model.c", "p = malloc(1);\nfree(p);\n")
    assert lint("check-hotpath", tree) == (0, "")


@pytest.mark.parametrize("path", ["control/model.c", "dataplane/core/rcu.c", "offload/x.c"])
@pytest.mark.parametrize("call", ["abort", "assert", "rte_panic", "exit"])
def test_hotpath_nobody_ends_the_process(tree, write, path, call):
    write(path, f"\t{call}(1);\n")
    assert lint("check-hotpath", tree)[0] == 1


def test_hotpath_main_and_tests_may_end(tree, write):
    write("control/main.c", "rte_exit(1);\n")
    write("tests/unit/x.c", "abort();\n")
    assert lint("check-hotpath", tree) == (0, "")


def test_hotpath_stale_list(tree, write):
    write("tests/lint/hotpath.list", "# comment\ndataplane/admit.c\ndataplane/gone.c\n")
    code, out = lint("check-hotpath", tree)
    assert code == 1 and "dataplane/gone.c matches no file" in out


def function(lines):
    """A C function of so many lines."""
    return "int f(int a,\n      int b)\n{\n" + "\ta++;\n" * (lines - 4) + "}\n"


@pytest.mark.parametrize("lines,code", [(60, 0), (61, 0), (100, 0), (101, 1), (180, 1)])
def test_sizes_function(tree, write, lines, code):
    write("control/x.c", function(lines))
    got, out = lint("check-sizes", tree)
    assert got == code
    assert ("f()" in out) == (lines > 60)


@pytest.mark.parametrize("lines,code", [(400, 0), (401, 0), (600, 0), (601, 1)])
def test_sizes_file(tree, write, lines, code):
    write("control/x.h", "\n" * lines)
    got, out = lint("check-sizes", tree)
    assert got == code
    assert ("control/x.h" in out) == (lines > 400)


@pytest.mark.parametrize("text,line", [
    ("/* " + "x" * 94 + " */\n", 0), ("/* " + "x" * 95 + " */\n", 1),
    ("\t/* " + "x" * 86 + " */\n", 0), ("\t/* " + "x" * 87 + " */\n", 1),
    ("/*\n * " + "x" * 97 + "\n */\n", 0), ("/*\n * " + "x" * 98 + "\n */\n", 2),
    ("int a; /* " + "x" * 88 + " */\n", 1), ("int a; // " + "x" * 91 + "\n", 1),
    ("/* NOLINTNEXTLINE(" + "x" * 90 + ") */\n", 0), ('f("/* ' + "x" * 100 + ' */");\n', 0)])
def test_sizes_comment(tree, write, text, line):
    write("control/x.h", text)
    code, out = lint("check-sizes", tree)
    assert code == (line > 0)
    assert (f"control/x.h:{line}: a comment ends at column 101" in out) == (line > 0)


@pytest.mark.parametrize("levels,code", [(0, 0), (3, 0), (4, 1)])
def test_sizes_nesting(tree, write, levels, code):
    body = "".join("\t" * n + "if (a) {\n" for n in range(1, levels + 1))
    body += "\t" * (levels + 1) + "b = (struct s){.x = {1, 2}};\n"
    body += "".join("\t" * n + "}\n" for n in range(levels, 0, -1))
    write("control/x.c", "int f(int a)\n{\n" + body + "\treturn a;\n}\n")
    assert lint("check-sizes", tree)[0] == code


@pytest.mark.parametrize("text,code", [
    ("/** vs_x() - does it. */\nint vs_x(int a,\n\t int b);\n", 0),
    ("/**\n * vs_x() - does it\n * @a: number\n */\nstruct vs_y *vs_x(int a);\n", 0),
    ("int vs_x(int a);\n", 1),
    ("/* vs_x() - a plain comment */\nint vs_x(int a);\n", 1),
    ("/** vs_y() - another's. */\nint vs_x(int a);\n", 1),
    ("/** vs_x() - far away. */\n\nint vs_x(int a);\n", 1),
    ("/** One line. */\nstatic inline int vs_x(int a)\n{\n\treturn a;\n}\n", 0),
    ("static inline int vs_x(int a)\n{\n\treturn a;\n}\n", 1),
    ("static inline int plain(int a)\n{\n\treturn a;\n}\n", 0),
    ("/** vs_x(), vs_y() - both. */\nint vs_x(int a);\nint vs_y(int a);\n", 0),
    ("/** vs_x_*() - all. */\nint vs_x_a(int a,\n\t   int b);\nint vs_x_b(int a);\n", 0),
    ("/** vs_x() - one. */\nint vs_x(int a);\nint vs_y(int a);\n", 1),
    ("/** vs_x(), vs_y() - both. */\nint vs_x(int a);\n\nint vs_y(int a);\n", 1),
    ("/** A type. */\nstruct a {\n\tint b;\n};\nint vs_x(int a);\n", 1),
])
def test_docs_exported(tree, write, text, code):
    write("control/x.h", SPDX + text)
    got, out = lint("check-docs", tree)
    assert got == code, out


@pytest.mark.parametrize("path,text", [
    ("control/x.c", "int a;\n"), ("tests/x.py", "a = 1\n"), ("x.sh", "echo\n"),
    ("tool", "#!/usr/bin/env bash\necho\n"), ("tool", "#!/usr/bin/python3\n"),
    ("control/meson.build", "x = 1\n")])
def test_docs_spdx(tree, write, path, text):
    write(path, text)
    code, out = lint("check-docs", tree)
    assert code == 1 and f"{path}:1: no SPDX" in out
    first, rest = (text.split("\n", 1) if text.startswith("#!") else ("", text))
    write(path, (first + "\n" if first else "") + "# SPDX-License-Identifier: BSD-3-Clause\n"
          + rest)
    assert lint("check-docs", tree) == (0, "")


def test_docs_drops(tree, write):
    write("dataplane/core/drop.h", SPDX + '#define R(X) \\\n\tX(A, "a_in", IN, "t") \\\n'
                                          '\tX(B, "b_out", OUT, "t")\n')
    write("doc/drops.md", "| `a_in` | text |\n| `b_out` | text |\n")
    assert lint("check-docs", tree) == (0, "")
    write("doc/drops.md", "| `a_in` | text |\n| `c` | text |\n")
    code, out = lint("check-docs", tree)
    assert code == 1
    assert "no row for drop reason `b_out`" in out and "`c` is no drop reason" in out


def test_docs_pipeline(tree, write):
    write("dataplane/pipeline.c", SPDX + 's[] = {\n\t{"admit", vs_admit},\n'
                                         '\t{"lookup", vs_lookup},\n};\n')
    write("doc/datapath.md", "| # | stage |\n|---|---|\n| 1 | admit | x |\n| 2 | lookup | x |\n")
    assert lint("check-docs", tree) == (0, "")
    write("doc/datapath.md", "| # | stage |\n|---|---|\n| 1 | lookup | x |\n| 2 | admit | x |\n")
    assert lint("check-docs", tree)[0] == 1


@pytest.mark.parametrize("text,code", [
    ("TO" + "DO: later", 1), ("FIX" + "ME", 1), ("/* XX" + "X */", 1), ("mktemp /tmp/a.XXXXXX", 0),
    ("see /wo" + "rk/main", 1), ("/ho" + "me/me/src", 1), ("http://a.b/wo" + "rk/x", 0),
    ("todo", 0)])
def test_words(tree, write, text, code):
    write("doc/x.md", text + "\n")
    assert lint("check-words", tree)[0] == code


@pytest.mark.parametrize("text,code", [
    ("int f(void)\n{\n\treturn 1;\n}\n", 0), ("int f(void)\n{\n    return 1;\n}\n", 1),
    ("int f(void) {\n\treturn 1;\n}\n", 1), ("int *p;\n", 0), ("int* p;\n", 1)])
def test_format(tree, write, text, code):
    write("control/x.c", text)
    assert (lint("check-format", tree)[0] != 0) == bool(code)


@pytest.mark.parametrize("text,code", [
    ("import os\nprint(os.sep)\n", 0), ("import os\n", 1), ("def f(:\n", 1),
    ("print(nothing)\n", 1), ("x = '" + "a" * 100 + "'\n", 1), ("if 1:\n\tx = 1\n", 1)])
def test_python(tree, write, text, code):
    write("tests/x.py", text)
    assert lint("check-python", tree)[0] == code


@pytest.mark.parametrize("text,code", [
    ('#!/bin/bash\nx=1\necho "$x"\n', 0), ("#!/bin/bash\nunused=1\n", 1),
    ("#!/bin/bash\nif then\n", 1)])
def test_shell(tree, write, text, code):
    write("tool", text)
    assert (lint("check-shell", tree)[0] != 0) == bool(code)


def archive(folder, name, code):
    """A static library of one C source."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    obj = path.with_suffix(".o")
    subprocess.run(["gcc", "-w", "-xc", "-c", "-", "-o", obj], input=code, text=True, check=True)
    subprocess.run(["ar", "rcs", path, obj], check=True)


@pytest.mark.parametrize("core,guest,code", [
    ("int vs_a(void) { return 1; }", "int vs_b(void) { return vs_a(); }", 0),
    ("int vs_a(void) { return vs_b(); }", "int vs_b(void) { return 1; }", 1),
    ("int vs_a(void) { return 1; }", "int vs_b(void) { return vs_c(); }", 1)])
def test_link(tmp_path, core, guest, code):
    archive(tmp_path, "dataplane/core/libvs_core.a", core)
    archive(tmp_path, "dataplane/guest/libvs_guest.a", guest)
    assert subprocess.run([HERE / "check-link", tmp_path]).returncode == code


def test_tidy(tmp_path):
    """clang-tidy finds a planted fault, and accepts the same code without it."""
    for text, good in (("int f(int *p);\nint f(int *p)\n{\n\tif (!p)\n\t\treturn *p;\n"
                        "\treturn 0;\n}\n", False),
                       ("int f(int *p);\nint f(int *p)\n{\n\treturn p ? *p : 0;\n}\n", True)):
        (tmp_path / "dataplane").mkdir(exist_ok=True)
        (tmp_path / "dataplane/x.c").write_text(text)
        shutil.copy(TOP / ".clang-tidy", tmp_path)
        (tmp_path / "tests/lint").mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "check-tidy", tmp_path / "tests/lint")
        (tmp_path / "compile_commands.json").write_text(
            '[{"directory": "%s", "file": "dataplane/x.c", "command": "clang -c dataplane/x.c"}]'
            % tmp_path)
        run = subprocess.run([tmp_path / "tests/lint/check-tidy", tmp_path, "1"],
                             capture_output=True, text=True)
        assert (run.returncode == 0) == good, run.stdout + run.stderr
