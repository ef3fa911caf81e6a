# SPDX-License-Identifier: BSD-3-Clause
"""The lint scripts on this tree, one case each. VMSWITCH_BUILD names a build folder made with gcc,
VMSWITCH_TIDY_BUILD one made with clang; without them the cases that need one are skipped."""

import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
SCRIPTS = ["check-layers", "check-hotpath", "check-sizes", "check-docs", "check-words",
           "check-format", "check-python", "check-shell"]


def build(variable):
    """The build folder that an environment variable names."""
    if variable not in os.environ:
        pytest.skip(f"{variable} names no build folder")
    return pathlib.Path(os.environ[variable])


def run(*command):
    """A script must say nothing bad."""
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stderr)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


@pytest.mark.parametrize("script", SCRIPTS)
def test_lint(script):
    run(HERE / script)


def test_tidy():
    run(HERE / "check-tidy", build("VMSWITCH_TIDY_BUILD"))


def test_link_of_archives():
    run(HERE / "check-link", build("VMSWITCH_BUILD"))


CALLS = {
    "own layer": ("const char *vs_drop_name(unsigned int);", "vs_drop_name(0)", True),
    "guest": ("const char *vs_guest_state_name(unsigned int);", "vs_guest_state_name(0)", False),
}


@pytest.mark.parametrize("call", CALLS)
def test_program_on_core_alone(call, tmp_path):
    """Linked against core only, a call of core links, and a call of a layer above does not."""
    prototype, expression, links = CALLS[call]
    folder = build("VMSWITCH_BUILD")
    program = tmp_path / "program.c"
    program.write_text(f"{prototype}\nint main(void)\n{{\n\treturn !{expression};\n}}\n")
    libs = subprocess.run(["pkg-config", "--libs", "libdpdk"], capture_output=True, text=True,
                          check=True).stdout.split()
    link = ["gcc", "-w", program, "-o", tmp_path / "program",
            folder / "dataplane/core/libvs_core.a"]
    done = subprocess.run([*link, *libs], capture_output=True, text=True)
    assert (done.returncode == 0) == links, done.stderr
    if links:
        return
    assert "undefined reference" in done.stderr
    # The same program links as soon as the layer above is named: nothing else was wrong with it.
    upper = folder / "dataplane/guest/libvs_guest.a"
    done = subprocess.run([*link[:-1], upper, link[-1], *libs, "-levent_core"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder,pattern,lists", [
    ("tests/unit", "test_*.c", ["tests/unit/meson.build"]),
    ("tests/fuzz", "fuzz_*.c", ["tests/fuzz/meson.build", "tests/run/fuzz"])])
def test_every_program_is_built_and_run(folder, pattern, lists):
    """A test that stands in no list proves nothing, nor does a line without its test."""
    there = {p.stem for p in (TOP / folder).glob(pattern)}
    for name in lists:
        named = set(re.findall(rf"[\"']({pattern[:5]}\w+)[\"']", (TOP / name).read_text()))
        assert named == there, name
