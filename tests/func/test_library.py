# SPDX-License-Identifier: BSD-3-Clause
"""libvmswitch as programs find it, installed: its headers alone, its symbols, what it needs, and
the example built against it and run."""

import json
import os
import re
import subprocess

import pytest

from vmswitchd import BUILD, TOP

pytestmark = pytest.mark.once       # a sanitizer's library needs a program that has it, too

VERSION = "VMSWITCH_1"
SONAME = "libvmswitch.so.1"


def run(*words, **how):
    """A program that must succeed; returns what it printed."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **how)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Everything installed below a folder; the prefix within it."""
    if "sanitize=" in (BUILD / "build.ninja").read_text():
        pytest.skip("a build with sanitizers")
    root = tmp_path_factory.mktemp("root")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
    options = json.loads(run("meson", "introspect", "--buildoptions", BUILD))
    prefix = next(o["value"] for o in options if o["name"] == "prefix")
    return root / prefix.lstrip("/")


@pytest.fixture(scope="module")
def library(prefix):
    """The shared library."""
    found = [p for p in prefix.rglob("libvmswitch.so.*") if not p.is_symlink()]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def config(prefix, library):
    """pkg-config, as a function of its words; it finds this installation only."""
    folder = library.parent / "pkgconfig"
    root = str(prefix)[:-len(config_prefix(folder))]
    env = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": root, "PKG_CONFIG_PATH": str(folder)}
    return lambda *words: run("pkg-config", *words, "vmswitch", env=env).split()


def config_prefix(folder):
    """The prefix that vmswitch.pc says."""
    return re.search(r"^prefix=(.*)$", (folder / "vmswitch.pc").read_text(), re.MULTILINE)[1]


def headers(prefix):
    """The installed headers."""
    return sorted((prefix / "include" / "vmswitch").glob("*.h"))


def declared(prefix):
    """Functions that the headers declare, inline ones left out."""
    return set(run("ctags", "--options=NONE", "--language-force=C", "--kinds-C=p", "-x",
                   "--_xformat=%N", *headers(prefix)).split())


def exported(library):
    """{symbol: version} of what the library defines."""
    rows = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()]
    return dict(row.split("@@") for row in rows if "@@" in row and not row.startswith(VERSION))


# ---- headers

@pytest.mark.parametrize("compiler,words", [
    ("gcc", ("-x", "c", "-std=gnu11", "-Wmissing-prototypes", "-Wstrict-prototypes")),
    ("clang", ("-x", "c", "-std=gnu11", "-Wmissing-prototypes", "-Wstrict-prototypes")),
    ("gcc", ("-x", "c", "-std=c99", "-pedantic")),
    ("g++", ("-x", "c++", "-std=c++11", "-pedantic")),
    ("clang++", ("-x", "c++", "-std=c++17", "-pedantic"))])
def test_headers_alone(prefix, tmp_path, compiler, words):
    """Each header compiles by itself without a warning, and needs nothing of DPDK, nothing of
    our tree, and no library's headers."""
    assert [p.name for p in headers(prefix)] == ["client.h", "msg.h", "proto.h", "proto_attr.h",
                                                "proto_values.h"]
    for header in headers(prefix):
        program = tmp_path / "program.c"
        program.write_text(f"#include <vmswitch/{header.name}>\n")
        flags = [*words, "-Wall", "-Wextra", "-Wcast-qual", "-Wshadow", "-Wundef", "-Werror",
                 "-I", prefix / "include"]
        run(compiler, *flags, "-fsyntax-only", program)
        read = run(compiler, *flags, "-M", program)
        assert not re.search(r"rte_|dpdk|libmnl|/event2/", read), read
        assert str(TOP) + "/control" not in read


def test_program_in_cxx(prefix, library, tmp_path):
    """The calls of a program in C++ find the library's functions."""
    program = tmp_path / "program.cc"
    program.write_text("#include <vmswitch/client.h>\n"
                       "int main() {\n"
                       "\tvs_client_fail fail;\n"
                       "\tvs_client *client;\n"
                       "\treturn vs_client_open(\"/nowhere\", &client, &fail) != -2;\n"
                       "}\n")
    run("g++", "-Wall", "-Werror", "-I", prefix / "include", program, "-o", tmp_path / "program",
        "-L", library.parent, "-lvmswitch")
    run(tmp_path / "program", env={**os.environ, "LD_LIBRARY_PATH": str(library.parent)})


def test_doc_comments(prefix):
    """Each function of the headers has a comment that names it."""
    text = "".join(p.read_text() for p in headers(prefix))
    assert [n for n in declared(prefix) if f" {n}() - " not in text] == []


# ---- symbols

def test_symbols(prefix, library):
    """What the headers declare is what the library exports, and what its map says: nothing more,
    nothing less, all of one version."""
    text = (TOP / "control" / "lib" / "libvmswitch.map").read_text()
    mapped = set(re.findall(r"^\t(vs_\w+);$", text, re.MULTILINE))
    found = exported(library)
    assert set(found.values()) == {VERSION}
    assert found.keys() == declared(prefix)
    assert mapped == declared(prefix)


def test_needs(library):
    """Its name, and the libraries it needs: not DPDK."""
    text = run("readelf", "-d", library)
    assert re.findall(r"\(SONAME\).*\[(.*)\]", text) == [SONAME]
    assert set(re.findall(r"\(NEEDED\).*\[(.*)\]", text)) <= {"libmnl.so.0", "libc.so.6"}
    undefined = run("nm", "-D", "--undefined-only", library)
    assert "rte_" not in undefined
    assert (library.parent / SONAME).resolve() == library
    assert (library.parent / "libvmswitch.so").resolve() == library


def test_specification_is_installed(prefix):
    """For clients in other languages, with the page that is made from it."""
    assert (prefix / "share" / "vmswitch" / "vmswitch.yaml").read_text() == (
        TOP / "doc" / "vmswitch.yaml").read_text()
    assert (prefix / "share" / "man" / "man7" / "vmswitch-protocol.7").stat().st_size > 10000


# ---- the example

@pytest.fixture(scope="module")
def example(prefix, config, tmp_path_factory):
    """The installed example, built as its comment says."""
    program = tmp_path_factory.mktemp("example") / "ports"
    text = next(prefix.rglob("examples/ports.c"))
    run("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", text, "-o", program,
        *config("--cflags", "--libs"))
    return program


def test_package(config, prefix, library):
    """What pkg-config says; libmnl is the library's own matter."""
    assert f"-I{prefix}/include" in config("--cflags")
    assert config("--libs") == [f"-L{library.parent}", "-lvmswitch"]
    assert config("--modversion") == [run("meson", "introspect", "--projectinfo", BUILD)
                                      .split('"version": "')[1].split('"')[0]]


def test_example(example, library, vmswitchd, rundir):
    """It makes a switch once, and lists ports."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    words = example, "-s", vmswitchd.socket
    assert run(*words, env=env) == ""
    for _ in range(2):
        assert run(*words, "lan", env=env) == ""
        assert [row["name"] for row in vmswitchd.json("switch", "show")] == ["lan"]
    for name, more in (("p", ()), ("q", ("mac", "02:00:00:00:00:01"))):
        vmswitchd.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                        rundir / f"{name}.sock", *more)
    assert run(*words, env=env) == "p lan waiting\nq lan waiting 02:00:00:00:00:01\n"
    assert SONAME in run("readelf", "-d", example)


def test_example_says_what_is_wrong(example, library, vmswitchd, rundir):
    """No daemon; a name that is none."""
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
    for words, text in (("-s", f"{rundir}/nobody.sock"), "vmswitchd is not running"), (
            ("-s", vmswitchd.socket, "-x-"), "usage:"), (
            ("-s", vmswitchd.socket, "--", "a/b"), "is no name"):
        done = subprocess.run([example, *words], env=env, capture_output=True, text=True)
        assert done.returncode != 0 and text in done.stderr, (words, done.stderr)
    assert vmswitchd.json("switch", "show") == []
