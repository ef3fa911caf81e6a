# SPDX-License-Identifier: BSD-3-Clause
"""Commands from a file (-f), what they would change (--dry-run), and changes that are taken back
(--confirm): good files, bad files, and the lines that errors name."""

import json
import os
import subprocess

import pytest

from vmswitchd import BUILD

GOOD = """\
# two switches
switch add lan type private fdb-size 100   # small
switch add dmz type internal

port add web switch lan type guest \\
    socket '{run}/we b.sock' \\
    vlan trunk 10,20-29 native 5
port add "db" switch lan type guest socket {run}/db.sock mac 00155D000001
fdb add 02:00:00:00:00:09 switch lan port db
port set db link down
"""


@pytest.fixture
def given(vmswitchd, rundir, tmp_path):
    """Writes a file of commands; {run} in its text is the folder of sockets."""
    def write(text, name="commands"):
        path = tmp_path / name
        data = text if isinstance(text, bytes) else text.replace("{run}", str(rundir)).encode()
        path.write_bytes(data)
        return path
    return write


def state(daemon):
    """What there is."""
    return [daemon.json(one, "show") for one in ("switch", "port")]


def refused(daemon, status, path, *texts, words=()):
    """The file must fail with this exit status, say these texts, and change nothing."""
    before = state(daemon)
    done = daemon.run(*words, "-f", path)
    assert done.returncode == status, done.stderr
    for text in texts:
        assert text in done.stderr, done.stderr
    assert done.stdout == ""
    assert state(daemon) == before
    return done


def test_a_file(vmswitchd, given):
    """All of it is there, and nothing is said."""
    assert vmswitchd.check("-f", given(GOOD)) == ""
    assert [row["name"] for row in vmswitchd.json("switch", "show")] == ["lan", "dmz"]
    web = vmswitchd.json("port", "show", "web")[0]
    assert web["vlan"] == "trunk 10,20-29 native 5" and web["socket"].endswith("/we b.sock")
    assert vmswitchd.json("port", "show", "db")[0]["link"] == "down"
    assert "02:00:00:00:00:09" in [row["mac"] for row in vmswitchd.json("fdb", "show")]


def test_standard_input(vmswitchd, given):
    """- is standard input, and errors call it so."""
    def run(text):
        return subprocess.run(
            [str(BUILD / "control" / "vmswitch"), "-s", str(vmswitchd.control), "-f", "-"],
            input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)

    assert run("switch add lan type private\n").returncode == 0
    done = run("switch add dmz type private\nswitch add lan type private\n")
    assert done.returncode == 1 and "vmswitch: stdin:2: " in done.stderr
    assert [row["name"] for row in vmswitchd.json("switch", "show")] == ["lan"]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "   # nothing", "\\\n"])
def test_nothing_to_do(vmswitchd, given, text):
    """A file without commands is no error."""
    assert vmswitchd.check("-f", given(text)) == ""
    assert vmswitchd.check("-n", "-f", given(text)) == ""
    assert vmswitchd.json("-n", "-f", given(text)) == []


def test_dos_line_ends(vmswitchd, given):
    """As an editor of Windows leaves them."""
    vmswitchd.check("-f", given("switch add lan \\\r\n type private\r\n\r\n# x\r\n"))
    assert vmswitchd.json("switch", "show")[0]["name"] == "lan"


def test_byte_order_mark(vmswitchd, given):
    """As an editor of Windows puts it in front."""
    vmswitchd.check("-f", given(b"\xef\xbb\xbfswitch add lan type private\r\n"))
    assert vmswitchd.json("switch", "show")[0]["name"] == "lan"


def test_names_like_words(vmswitchd, given):
    """In a file nothing asks for help, and a name may be a keyword."""
    vmswitchd.check("-f", given("switch add help type private\nswitch add type type private\n"))
    assert len(vmswitchd.json("switch", "show")) == 2
    vmswitchd.check("-f", given("switch del help\nswitch del type\n"))
    assert vmswitchd.json("switch", "show") == []


@pytest.mark.parametrize("text, status, texts", [
    ("switch add lan type private\nswitch ad lan\n", 2,
     ["commands:2: ", "unknown word 'ad' after 'switch' (did you mean 'add'?)"]),
    ("switch add lan type private\n\nport add p switch lan type guest \\\n mtu x \\\n queues 1\n",
     2, ["commands:3: ", "'x' after 'mtu'"]),
    ("swich add a type private\nswitch add b type privat\n", 2,
     ["commands:1: ", "'swich'", "commands:2: ", "'privat'"]),
    ("switch add 'lan type private\n", 2, ["commands:1: a ' is not closed"]),
    (b"switch add lan\0 type private\n", 2, ["commands:1: a line has a NUL byte"]),
    ("switch show\n", 2, ["commands:1: 'switch show' cannot stand in a file"]),
    ("monitor\n", 2, ["commands:1: 'monitor' cannot stand in a file"]),
    ("confirm\n", 2, ["commands:1: 'confirm' cannot stand in a file"]),
    ("vmswitch switch add lan type private\n", 2, ["commands:1: unknown word 'vmswitch'"]),
    ("-j switch add lan type private\n", 2, ["commands:1: unknown word '-j'"]),
    ("help\n", 2, ["commands:1: unknown word 'help' after 'vmswitch'; accepted here: switch"]),
    ("switch add lan type private\nswitch add lan type private\n", 1,
     ["commands:2: ", "'lan'", "(nothing was changed)"]),
    ("switch add lan type private\n# x\n\nport add p switch lan type guest socket {run}/p \\\n"
     "  mtu 7\nswitch add dmz type private\n", 1,
     ["commands:4: ", "mtu 7 is out of range", "(nothing was changed)"]),
    ("switch del lan\nswitch add lan type private\n", 1, ["commands:1: ", "'lan'"]),
    ("switch add a/b type private\n", 1, ["commands:1: ", "'a/b' is no name"]),
])
def test_bad_files(vmswitchd, given, text, status, texts):
    """The line is named, and nothing has changed."""
    vmswitchd.check("switch", "add", "other", "type", "private")
    refused(vmswitchd, status, given(text), *texts)


def test_many_bad_lines(vmswitchd, given):
    """All that is wrong with the words is said at once, but not endlessly."""
    done = refused(vmswitchd, 2, given(100 * "nonsense\n"))
    assert done.stderr.count("\n") == 21
    assert "commands:20: " in done.stderr and "there are more lines" in done.stderr


def test_errors_as_json(vmswitchd, given):
    """File and line have their keys."""
    done = refused(vmswitchd, 1, given("\nswitch add lan type private fdb-size 0\n"), words=["-j"])
    error = json.loads(done.stderr)
    assert error["file"].endswith("/commands") and error["line"] == 2
    assert (error["errno"], error["attribute"]) == ("ERANGE", "fdb-size")
    done = refused(vmswitchd, 2, given("a\nb\n"), words=["-j"])
    assert [json.loads(line)["line"] for line in done.stderr.splitlines()] == [1, 2]


def test_unreadable_files(vmswitchd, given, tmp_path):
    """No file, and a folder."""
    refused(vmswitchd, 1, tmp_path / "none", "cannot open", "No such file")
    refused(vmswitchd, 1, tmp_path, "Is a directory")


def test_error_in_the_last_of_many(vmswitchd, given, rundir):
    """A thousand ports, and the last one is wrong: nothing is left of any."""
    lines = ["switch add lan type private"]
    lines += [f"port add p{n} switch lan type guest socket {rundir}/p{n}.sock mode server"
              for n in range(1000)]
    before = sorted(os.listdir(rundir))
    refused(vmswitchd, 1, given("\n".join([*lines, "port set p0 vlan access 5 mtu 70000\n"])),
            "commands:1002: ", "mtu 70000")
    refused(vmswitchd, 1, given("\n".join([*lines, "port add p0 switch lan type guest socket /x"])),
            "commands:1002: ", "'p0'")
    assert sorted(os.listdir(rundir)) == before


# ---- --dry-run ----

def test_dry_run(vmswitchd, given, rundir):
    """What would change, as the commands that would make it; and nothing changes."""
    vmswitchd.check("switch", "add", "old", "type", "private")
    vmswitchd.check("switch", "add", "lab", "type", "private")
    before, files = state(vmswitchd), sorted(os.listdir(rundir))
    text = vmswitchd.check("-n", "-f", given(
        "switch del old\nswitch set lab fdb-size 5\nswitch add lan type private\n"
        "port add p switch lan type guest socket {run}/p.sock mode server vlan access 7\n"))
    lines = text.splitlines()
    assert [line.split(" type ")[0] for line in lines] == [
        "- switch add old", "- switch add lab", "+ switch add lab", "+ switch add lan",
        "+ port add p switch lan"]
    assert "fdb-size 5" not in lines[1] and "fdb-size 5" in lines[2]
    assert f" socket {rundir}/p.sock mode server" in lines[4] and "vlan access 7" in lines[4]
    assert state(vmswitchd) == before and sorted(os.listdir(rundir)) == files


def test_dry_run_as_json(vmswitchd, given):
    """The same as objects."""
    vmswitchd.check("switch", "add", "lab", "type", "private")
    rows = vmswitchd.json("-n", "-f", given("switch add lan type private fdb-size 7\n"
                                            "switch set lab fdb-ageing 0\n"))
    assert [row["change"] for row in rows] == ["made", "changed-before", "changed-after"]
    assert rows[0]["command"].startswith("switch add lan type private fdb-size 7")
    assert (rows[0]["object"], rows[0]["verb"]) == ("switch", "add")
    wanted = {"name": "lan", "type": "private", "fdb_size": 7}
    assert wanted.items() <= rows[0]["arguments"].items()
    assert rows[2]["arguments"]["fdb_ageing"] == 0


def test_dry_run_of_one_command(vmswitchd):
    """Without a file, in front of the command and behind it."""
    text = vmswitchd.check("-n", "switch", "add", "lan", "type", "private")
    assert text.startswith("+ switch add lan type private") and text.count("\n") == 1
    assert vmswitchd.check("switch", "add", "lan", "type", "private", "--dry-run") == text
    assert vmswitchd.json("switch", "show") == []
    done = vmswitchd.run("switch", "del", "lan", "-n")
    assert done.returncode == 1 and done.stdout == "" and "'lan'" in done.stderr


def test_dry_run_that_fails(vmswitchd, given):
    """Nothing is printed but the error."""
    refused(vmswitchd, 1, given("switch add lan type private\nswitch del nowhere\n"),
            "commands:2: ", "'nowhere'", words=["-n"])


def test_dry_run_loads(vmswitchd, given):
    """The lines behind + are commands that a file may have."""
    text = vmswitchd.check("-n", "-f", given(GOOD))
    made = "".join(line[2:] + "\n" for line in text.splitlines() if line[0] == "+")
    vmswitchd.check("-f", given(made, "made"))
    ports = vmswitchd.json("port", "show")
    assert {row["name"]: row["link"] for row in ports} == {"web": "up", "db": "down"}
    assert ports[0]["vlan"] == "trunk 10,20-29 native 5"


# ---- --confirm ----

def names(daemon):
    """The switches."""
    return [row["name"] for row in daemon.json("switch", "show")]


def test_confirmed(vmswitchd, given):
    """What is confirmed stays."""
    done = vmswitchd.run("--confirm", "600", "-f", given("switch add lan type private\n"))
    assert done.returncode == 0 and done.stdout == ""
    assert "taken back in 600 s unless 'vmswitch confirm' comes" in done.stderr
    assert names(vmswitchd) == ["lan"]
    done = vmswitchd.run("switch", "add", "dmz", "type", "private")
    assert done.returncode == 1 and "confirm" in done.stderr
    vmswitchd.check("confirm")
    vmswitchd.check("switch", "add", "dmz", "type", "private")
    assert names(vmswitchd) == ["lan", "dmz"]


def test_rolled_back(vmswitchd):
    """A single command, taken back at once."""
    done = vmswitchd.run("-j", "switch", "add", "lan", "type", "private", "--confirm", "600")
    assert done.returncode == 0 and done.stdout + done.stderr == ""
    assert names(vmswitchd) == ["lan"]
    vmswitchd.check("rollback")
    assert names(vmswitchd) == []


def test_taken_back_in_time(vmswitchd, monitor):
    """Nobody confirms: what was made is taken back."""
    vmswitchd.check("--confirm=1", "switch", "add", "lan", "type", "private")
    made = monitor.wait("switch-added")
    monitor.wait("switch-removed", 20)
    assert made["switch"] == "lan"
    assert names(vmswitchd) == []


@pytest.mark.parametrize("word", ["confirm", "rollback"])
def test_nothing_waits(vmswitchd, word):
    """There is nothing to be confirmed."""
    done = vmswitchd.run(word)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "errno" in json.loads(vmswitchd.run("-j", word).stderr)


def test_confirm_within_limits(vmswitchd):
    """The daemon says for how long a change may wait."""
    done = vmswitchd.run("--confirm", "4000000000", "switch", "add", "lan", "type", "private")
    assert done.returncode == 1 and "confirm" in done.stderr
    assert names(vmswitchd) == []
