# SPDX-License-Identifier: BSD-3-Clause
"""The grammar of vmswitch as `vmswitch help` tells it: every object and verb once, with what it
takes, what it refuses, and what the manual page says about it."""

import json
import re
import subprocess

import pytest

from vmswitchd import BUILD, TOP

pytestmark = pytest.mark.once

VMSWITCH = str(BUILD / "control" / "vmswitch")
MAN = (TOP / "doc" / "man" / "vmswitch.8").read_text()
# Objects that are commands by themselves have the verb "".
USAGE = re.compile(r"^vmswitch ([a-z]+)(?: ([a-z]+))?((?: .*)?)$", re.MULTILINE)


def vmswitch(*words):
    """Run it without a daemon."""
    return subprocess.run([VMSWITCH, "-s", "/nowhere/vmswitch.sock", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)


def usages():
    """(object, verb, arguments) of every command, in the order of the help."""
    return [(one, verb, rest.split()) for one, verb, rest in USAGE.findall(vmswitch("help").stdout)
            if one != "help"]


COMMANDS = usages()
NAMES = [" ".join(filter(None, command[:2])) for command in COMMANDS]


def words_of(command):
    """Object and verb as words of a command line."""
    return [word for word in command[:2] if word]


def rows_of(command):
    """What the help explains of a command: "mtu N", "--qemu", "NAME" ..."""
    text = vmswitch("help", *words_of(command)).stdout
    return re.findall(r"^ {6}(.+?): ", text, re.MULTILINE)


def keywords_of(command):
    """The words of them that stand for themselves."""
    return [row.split()[0] for row in rows_of(command) if not re.match("[A-Z]", row)]


def test_help_lists_everything():
    """There are the objects that there must be, and each verb once."""
    assert len(NAMES) == len(set(NAMES)) >= 20
    for one in ("switch add", "switch show", "switch set", "switch del", "port add", "port show",
                "port set", "port del", "fdb add", "fdb show", "fdb del", "fdb flush",
                "stats show", "stats watch", "stats audit", "worker show", "drops show", "monitor",
                "confirm", "rollback", "completion bash"):
        assert one in NAMES


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_help_of_each(command):
    """Three ways to ask, one answer; each argument is explained, and there is an example."""
    words, arguments = words_of(command), command[2]
    done = vmswitch(*words, "help")
    assert done.returncode == 0 and done.stderr == ""
    asked = "help", *words
    if command[1]:
        assert done.stdout == vmswitch(*asked).stdout
        assert done.stdout in vmswitch(words[0], "help").stdout
    assert " ".join(["vmswitch", *words, *arguments]) in done.stdout
    usage = re.search(r"^vmswitch .+$", done.stdout, re.MULTILINE)[0]
    rows = rows_of(command)
    assert all(row in usage for row in rows) and bool(rows) == bool(arguments)
    example = re.search(r"^    example: vmswitch (.+)$", done.stdout, re.MULTILINE)
    assert example and example[1].split()[:len(words)] == words


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_unknown_words(command):
    """A word too many, or one that is no keyword, is named."""
    words, arguments = words_of(command), command[2]
    fill = ["x"] if re.match(r"\[?[A-Z]+\b", " ".join(arguments)) else []
    done = vmswitch(*words, *fill, "--no-such-word")
    assert done.returncode == 2 and done.stdout == ""
    assert "'--no-such-word'" in done.stderr or "is not a MAC" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_errors_as_json(command):
    """With -j errors are JSON, too, before and behind the command."""
    words = words_of(command)
    for line in (["-j", *words, "--nonsense"], [*words, "--nonsense", "-j"]):
        done = vmswitch(*line)
        assert done.returncode == 2 and done.stdout == ""
        error = json.loads(done.stderr)
        assert "nonsense" in error["error"] or "MAC" in error["error"]


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_every_command_is_in_the_manual(command):
    """The manual page has the command, and each of its keywords."""
    one, verb, _ = command
    pattern = rf"\.(?:It|Ic|Ss|Cm|Xo)?.*\bCm {one}\b" if not verb else \
        rf"Cm {one} {verb}\b|\.Cm {one} {verb}\b"
    assert re.search(pattern, MAN), " ".join(words_of(command))
    for word in keywords_of(command):
        flag = rf"|Fl {word[1:]}\b" if word.startswith("-") else ""
        assert re.search(rf"(Cm|Fl|Op|\||Li) [^\n]*{re.escape(word)}\b{flag}", MAN), word


@pytest.mark.parametrize("option", re.findall(r"^ +(?:-(\w), )?--([a-z-]+)",
                                              vmswitch("help").stdout, re.MULTILINE))
def test_every_option_is_in_the_manual(option):
    """Both spellings."""
    brief, full = option
    assert re.search(rf"\.It.*Fl -{full}\b", MAN), full
    assert not brief or re.search(rf"\.It Fl {brief}\b", MAN), brief


@pytest.mark.parametrize("words, text", [
    (["switch", "show", "-n"], "for commands that change something"),
    (["--confirm", "5", "monitor"], "for commands that change something"),
    (["--confirm", "0", "switch", "del", "x"], "a number of seconds, 1 or more"),
    (["--confirm", "1.5", "switch", "del", "x"], "a number of seconds"),
    (["--confirm=", "switch", "del", "x"], "a number of seconds"),
    (["switch", "del", "x", "--confirm=-1"], "a number of seconds"),
    (["switch", "del", "x", "--confirm"], "unknown word '--confirm'"),
    (["-n", "--confirm", "5", "switch", "del", "x"], "changes nothing that could be confirmed"),
    (["-f", "/dev/null", "switch", "show"], "no command stands on the command line"),
    (["-f", "/nowhere/file"], "cannot open /nowhere/file: No such file"),
    (["-f"], "requires an argument"),
    (["-H", "-oProxyCommand=x", "switch", "show"], "a host is written as for ssh"),
    (["-H", "", "switch", "show"], "a host is written as for ssh"),
    (["-H", "a b", "switch", "show"], "a host is written as for ssh"),
    (["-H", "x", "--stdio"], "--stdio is for the other host"),
    (["--stdio", "switch", "show"], "no command stands on the command line"),
    (["-H", "x", "port", "add", "p", "switch", "s", "type", "guest", "socket", "p.sock"],
     "a path of another host begins with /"),
])
def test_bad_options(words, text):
    """Options that do not go with the command, or with one another."""
    done = vmswitch(*words)
    assert done.returncode in (1, 2), done.stderr
    assert text in done.stderr
    assert done.stdout == ""


def test_no_daemon_is_an_error_in_json():
    """Errors of the connection have the name of the error number."""
    done = vmswitch("-j", "switch", "show")
    error = json.loads(done.stderr)
    assert done.returncode == 1 and error["errno"] == "ENOENT"
    assert "not running" in error["error"]


def test_an_error_names_the_attribute(vmswitchd):
    """As JSON: which one, and which error."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    done = vmswitchd.run("-j", "switch", "set", "lan", "fdb-size", 0)
    error = json.loads(done.stderr)
    assert done.returncode == 1 and done.stdout == ""
    assert (error["errno"], error["attribute"]) == ("ERANGE", "fdb-size")
    assert "1 to 1048576" in error["error"]
    done = vmswitchd.run("-j", "-p", "switch", "del", "nowhere")
    assert json.loads(done.stderr)["errno"] == "ENOENT" and "\n    " in done.stderr


def test_add_takes_what_set_takes(vmswitchd, rundir):
    """A switch and a port are made as they are to be, by one command."""
    vmswitchd.check("switch", "add", "lan", "type", "private", "unknown", "drop", "fdb-size", 77,
                    "fdb-ageing", 12)
    row = vmswitchd.json("switch", "show", "lan")[0]
    assert (row["unknown"], row["fdb_size"], row["fdb_ageing"]) == ("drop", 77, 12)
    vmswitchd.check("port", "add", "p", "switch", "lan", "type", "guest", "socket",
                    rundir / "p.sock", "link", "down", "storm", 0, "max-macs", 3, "priority", "on",
                    "cluster", "03:bf:00:00:00:01", "vlan", "trunk", "5-7", "native", 9)
    row = vmswitchd.json("port", "show", "p")[0]
    assert (row["link"], row["storm"], row["max_macs"], row["priority"], row["cluster"],
            row["vlan"]) == ("down", 0, 3, True, "03:bf:00:00:00:01", "trunk 5-7 native 9")
    done = vmswitchd.run("port", "add", "q", "switch", "lan", "type", "guest", "socket",
                         rundir / "q.sock", "cluster", "00:15:5d:00:00:01", "link", "sideways")
    assert done.returncode == 2 and "accepted here: down, up" in done.stderr


PLACES = {"P": "p1", "SW": "lan", "VM": "vm1", "MAC": "52:54:00:00:00:02", "PATH": "/run/x.sock",
          "FILE": "/dev/null", "NEW": "other", "IFNAME": "tap0"}


def told(document):
    """Commands in the right columns of the tables of a document for those who come from elsewhere,
    with names put in for the capitals."""
    found = []
    for line in (TOP / "doc" / document).read_text().splitlines():
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) != 4:
            continue
        for text in re.findall("`([^`]+)`", cells[2]):
            words = text.removeprefix("vmswitch ").split()
            if words[0] in {command[0] for command in COMMANDS} and len(words) > 1:
                found.append([PLACES.get(word, word) for word in words])
    return found


@pytest.mark.parametrize("document, least", [("hyper-v.md", 35), ("coming-from.md", 50)])
def test_documents_name_what_is_there(document, least):
    """Each of them is understood: what it lacks is a daemon."""
    commands = told(document)
    assert len(commands) >= least
    for words in commands:
        done = vmswitch(*words)
        assert done.returncode == 1 and "/nowhere" in done.stderr, (words, done.stderr)
