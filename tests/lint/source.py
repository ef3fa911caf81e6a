# SPDX-License-Identifier: BSD-3-Clause
"""The files of the tree, as the lint scripts see them: which there are, their code without
comments and strings, their functions and prototypes."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Not ours to judge: build output, and inputs of fuzz targets.
SKIPPED_FOLDERS = re.compile(r"^(\..*|build.*|__pycache__|corpus)$")
KEPT_HIDDEN = {".ci"}


def files(root):
    """All text files below root, as paths relative to it, sorted."""
    found = []
    for folder, below, names in os.walk(root):
        below[:] = sorted(d for d in below if d in KEPT_HIDDEN or not SKIPPED_FOLDERS.match(d))
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            with open(path, "rb") as f:
                if b"\0" in f.read(8192):
                    continue
            found.append(path.relative_to(root))
    return found


def c_files(root):
    """The C sources and headers of the tree."""
    return [p for p in files(root) if p.suffix in (".c", ".h")]


def read(root, path):
    """Text of a file."""
    return (root / path).read_text(encoding="utf-8", errors="replace")


def is_shell(root, path):
    """A shell script, by name or by its first line."""
    return path.suffix == ".sh" or bool(
        re.match(r"#!.*\b(bash|sh)\b", read(root, path)[:80].split("\n")[0]))


def is_python(root, path):
    """A Python program, by name or by its first line."""
    return path.suffix == ".py" or bool(
        re.match(r"#!.*\bpython3?\b", read(root, path)[:80].split("\n")[0]))


TOKEN = re.compile(
    r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def code_only(text):
    """C text with comments and the insides of strings blanked; lines keep their numbers."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + found[0]
        return re.sub(r"[^\n]", " ", found)
    return TOKEN.sub(blank, text)


def tags(root, paths, kinds):
    """What ctags finds in C files: list of dicts with name, path, line, end, kind."""
    paths = [str(p) for p in paths]
    if not paths:
        return []
    run = subprocess.run(
        ["ctags", "--options=NONE", "--language-force=C", "--output-format=json", "--fields=+ne",
         "--kinds-C=" + kinds, "--sort=no", "-I", "__rte_cache_aligned,__rte_packed",
         "-f", "-", *paths],
        cwd=root, capture_output=True, text=True, check=True)
    return [t for t in map(json.loads, run.stdout.splitlines()) if t.get("_type") == "tag"]


def main(check, doc):
    """Run check(root) -> list of complaints; print them; exit 1 if there are any."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="tree to look at")
    args = parser.parse_args()
    complaints = check(args.root.resolve())
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(f"{os.path.basename(sys.argv[0])}: {len(complaints)} found", file=sys.stderr)
    sys.exit(1 if complaints else 0)
