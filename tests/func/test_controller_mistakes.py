# SPDX-License-Identifier: BSD-3-Clause
"""The unit tests of the controller of dynamic VMQ find each of the mistakes below: it is put into a
copy of vmq/controller.c, and they are run on that."""

import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
TESTS = ["test_controller", "test_controller_traces"]
FILE = "vmq/controller.c"

# What stands there (once), and what is put in its place.
MISTAKES = [
    ("w->load > VS_SPREAD_LOAD", "w->load >= VS_SPREAD_LOAD"),
    ("w->load < VS_FOLD_LOAD", "w->load <= VS_FOLD_LOAD"),
    ("if (!again)\n\t\treturn 0;", "if (!again)\n\t\treturn count;"),
    ("w->hot < VS_SPREAD_TICKS ?", "w->hot < VS_SPREAD_TICKS - 1 ?"),
    ("w->cold < VS_FOLD_TICKS || w->mean", "w->mean"),
    ("q->moved && in->now_ms - q->moved_ms < VS_PLACE_STAY_MS", "q->moved && !in->now_ms"),
    ("q->moved = true;", "q->moved = q->known && q->hold == VS_QUEUE_FIXED;"),
    ("return q->hold == VS_QUEUE_FREE && q->mean", "return q->mean"),
    ("if (q->hold == VS_QUEUE_FIXED)\n\t\t\treturn in->n_queues;", ""),
    ("return !in->worker[worker].on_control || !has_others(in);", "return true;"),
    ("return !in->worker[worker].on_control || !has_others(in);",
     "return !in->worker[worker].on_control;"),
    ("in->worker[i].mean < in->worker[best].mean)", "in->worker[i].mean > in->worker[best].mean)"),
    ("there + VS_SPREAD_GAIN > full", "0"),
    ("left > there ? left : there", "left"),
    ("if (after < best_after)", "if (best == in->n_queues)"),
    ("most_of(w) + most_of(&in->worker[from]) > VS_FOLD_FULL", "0"),
    ("most_of(w) + most_of(&in->worker[from]) > VS_FOLD_FULL",
     "w->mean + in->worker[from].mean > VS_FOLD_FULL"),
    ("most_of(w) + most_of(&in->worker[from]) > VS_FOLD_FULL",
     "most_of(w) + most_of(&in->worker[from]) > VS_SPREAD_LOAD + 1000"),
    ("!may_take(in, i) || w->mean < VS_LOAD_IDLE ||", "!may_take(in, i) ||"),
    ("in->worker[q->at].hot = 0;", ""),
    ("in->worker[to].hot = 0;", ""),
    ("in->worker[to].cold = 0;", "in->worker[q->at].cold = 0;"),
    ("q->at = to;", ""),
    ("to->mean = more(to->mean, q->mean);", ""),
    ("w->mean >= in->worker[least].mean)", "w->mean < in->worker[least].mean)"),
    ("(!spread(in, &move) && !fold(in, &move))", "(!spread(in, &move))"),
    ("(!spread(in, &move) && !fold(in, &move))", "(!fold(in, &move))"),
    ("q->mean > in->queue[best]->mean", "q->mean < in->queue[best]->mean"),
    ("w->mean > in->worker[best].mean)\n\t\t\tbest = i;\n\t}\n\treturn best;\n}\n\n/* Can worker",
     "w->mean < in->worker[best].mean)\n\t\t\tbest = i;\n\t}\n\treturn best;\n}\n\n/* Can worker"),
    ("w->stay != VS_STAY_LAST", "0"),
]
# Of these, in every run of the tests; the others when there is time.
QUICK = range(0, len(MISTAKES), 6)


def compile_one(source, target):
    """An object file."""
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-w", f"-I{TOP}", "-c", source,
                    "-o", target], check=True)


@pytest.fixture(scope="module", name="objects")
def _objects(tmp_path_factory):
    """The tests without the controller."""
    folder = tmp_path_factory.mktemp("objects")
    for name in [*TESTS, "controller_sim"]:
        compile_one(TOP / "tests/unit" / f"{name}.c", folder / f"{name}.o")
    return folder


def passes(objects, controller):
    """Do all tests pass?"""
    for test in TESTS:
        program = controller.with_suffix(f".{test}")
        subprocess.run(["cc", objects / f"{test}.o", objects / "controller_sim.o", controller,
                        "-lcmocka", "-o", program], check=True)
        try:
            run = subprocess.run([program], capture_output=True, timeout=60, check=False,
                                 env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"})
        except subprocess.TimeoutExpired:
            return False
        if run.returncode:
            return False
    return True


def catch(objects, folder, number):
    """A mistake is found."""
    old, new = MISTAKES[number]
    text = (TOP / FILE).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"'{old}' is not there once: choose the mistake anew"
    (folder / "controller.c").write_text(text.replace(old, new), encoding="utf-8")
    compile_one(folder / "controller.c", folder / "controller.o")
    assert not passes(objects, folder / "controller.o"), f"not found: {MISTAKES[number]}"


@pytest.mark.once
def test_none(objects, tmp_path):
    """Without a mistake they pass."""
    compile_one(TOP / FILE, tmp_path / "controller.o")
    assert passes(objects, tmp_path / "controller.o")


@pytest.mark.once
@pytest.mark.parametrize("number", QUICK)
def test_mistake(objects, tmp_path, number):
    """What is wrong in one place is found."""
    catch(objects, tmp_path, number)


@pytest.mark.once
@pytest.mark.long
@pytest.mark.parametrize("number", [n for n in range(len(MISTAKES)) if n not in QUICK])
def test_mistake_long(objects, tmp_path, number):
    """The others."""
    catch(objects, tmp_path, number)
