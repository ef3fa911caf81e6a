# SPDX-License-Identifier: BSD-3-Clause
"""Completion of command lines: what the program offers, and what a real bash makes of it."""

import os
import pathlib
import pty
import select
import shlex
import shutil
import subprocess
import time

import pytest

from vmswitchd import BUILD

pytestmark = pytest.mark.once

VMSWITCH = BUILD / "control" / "vmswitch"
INSTALLED = BUILD / "control" / "cli" / "completion" / "vmswitch"
PACKAGE = pathlib.Path("/usr/share/bash-completion/bash_completion")


@pytest.fixture
def net(vmswitchd, rundir):
    """Two switches, and two ports of two machines."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("switch", "add", "lab-2", "type", "internal")
    for name in ("web", "db"):
        vmswitchd.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                        rundir / f"{name}.sock", "vm", f"vm-{name}")
    return vmswitchd


def offered(daemon, line):
    """The words that could stand at the end of the line."""
    return daemon.check("completion", "words", "vmswitch " + line).split("\n")[:-1]


@pytest.mark.parametrize("line, words", [
    ("sw", ["switch"]),
    ("x", []),
    ("switch ", ["add", "show", "set", "del", "help"]),
    ("switch s", ["show", "set"]),
    ("help po", ["port"]),
    ("help port s", ["show", "set"]),
    ("help port show ", []),
    ("switch del ", ["lan", "lab-2"]),
    ("switch del la", ["lan", "lab-2"]),
    ("switch del lan ", ["force"]),
    ("switch del lan force ", []),
    ("switch add ", []),
    ("switch add lan t", ["type"]),
    ("switch add x type ", ["private", "internal", "external"]),
    ("switch add x type external share-host ", ["off", "on"]),
    ("switch add x bogus type ", []),
    ("port show ", ["web", "db", "--qemu", "--libvirt"]),
    ("port show web ", ["--qemu", "--libvirt"]),
    ("port show web --qemu ", []),
    ("port show --", ["--qemu", "--libvirt"]),
    ("port set web switch ", ["lan", "lab-2"]),
    ("port set web vm ", ["vm-web", "vm-db"]),
    ("port set web mac ", ["any", "auto"]),
    ("port set web cluster ", ["none"]),
    ("port set web mtu ", ["auto"]),
    ("port set web vlan ", ["untagged", "access", "trunk"]),
    ("port set web vlan access ", []),
    ("port set web vlan trunk 5 n", ["native", "name"]),
    ("port set web vlan trunk 5 native ", []),
    ("port set web vlan untagged pri", ["priority"]),
    ("port set web offload ", ["all", "none", "csum", "tso4", "tso6", "uso", "gro"]),
    ("port set web offload gro o", ["on", "off"]),
    ("uplink offload t", ["test"]),
    ("uplink offload test lan p", ["partner"]),
    ("port set web offload none pri", ["priority"]),
    ("port set web offload csum,gro off pri", ["priority"]),
    ("port add x switch lan type guest socket ", [":files"]),
    ("port add x switch lan type guest i", []),
    ("port add x switch lan type host i", ["ifname"]),
    ("port add x switch lan type host t", []),
    ("fdb add 00155d000001 switch lan port ", ["web", "db"]),
    ("stats watch switch ", ["lan", "lab-2"]),
    ("stats watch switch lan p", []),
    ("stats watch by ", ["vm", "port"]),
    ("stats show port ", ["web", "db"]),
    ("monitor ", []),
    ("capture ", ["web", "db", "-f", "-c", "-w", "--snaplen", "--drops", "--direction"]),
    ("capture web -", ["-f", "-c", "-w", "--snaplen", "--drops", "--direction"]),
    ("capture -c 1 w", ["web"]),
    ("capture --drops web -w ", [":files"]),
    ("capture -w x ", ["web", "db", "-f", "-c", "--snaplen", "--drops", "--direction"]),
    ("capture -f 'tcp port 80' web -w x --dir", ["--direction"]),
    ("capture web -f ", []),
    ("capture web --direction ", ["from", "to", "both"]),
    ("completion ", ["bash", "words", "help"]),
    ("--dry", ["--dry-run"]),
    ("-n switch del ", ["lan", "lab-2"]),
    ("-s ", [":files"]),
    ("-f x ", []),
    ("-s /nowhere/x switch del ", []),
    ("-H host switch del ", []),
    ("-H host switch ", ["add", "show", "set", "del", "help"]),
    ("switch del 'la", ["lan", "lab-2"]),
    ("switch del l\\a", ["lan", "lab-2"]),
])
def test_words(net, line, words):
    """What could stand there, in the order of the tables; names come from the daemon."""
    assert offered(net, line) == words


def test_uplinks(net):
    """Interfaces of the host, and DPDK's devices, whose names are not known."""
    words = offered(net, "switch add x type external uplink ")
    assert "xdp:lo" in words and words[-2:] == ["dpdk:", ":nospace"]
    assert offered(net, "switch add x type external uplink xdp:l") == ["xdp:lo"]
    assert "lo" in offered(net, "port add x switch lan type guest tap ")


def test_no_daemon(tmp_path):
    """Names are missing then, and nothing is said."""
    done = subprocess.run([VMSWITCH, "-s", tmp_path / "none", "completion", "words",
                           "vmswitch switch del lan "], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "force\n", "")


def test_hostile_lines(net):
    """Whatever stands there, there is an answer."""
    for line in ("", " ", "'", "\\", "switch del '", "x " * 5000, "switch " + "é" * 3000,
                 "-s", "-s -s -s ", "port set web vlan trunk", "vmswitch -- ", "switch del \"\\"):
        done = net.run("completion", "words", line)
        assert done.returncode == 0 and done.stderr == "", line
    done = net.run("completion", "words")
    assert done.returncode == 2 and "LINE is missing" in done.stderr


# ---- in a real bash ----

# Prints what bash would offer for $LINE, which it divides into words as readline does.
DRIVER = r"""
set -u
source "$SCRIPT"
COMP_LINE=$LINE COMP_POINT=${#LINE}
eval "COMP_WORDS=($SPLIT)"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_vmswitch "$PROGRAM" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def in_bash(net, tmp_path, line, split):
    """COMPREPLY after the completion function ran in bash."""
    script = tmp_path / "vmswitch.bash"
    script.write_text(net.check("completion", "bash"))
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", DRIVER], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=30, cwd=tmp_path,
        env={**os.environ, "SCRIPT": str(script), "LINE": "vmswitch " + line, "PROGRAM":
             str(VMSWITCH), "SPLIT": shlex.join(["vmswitch", *split]),
             "VMSWITCH_SOCKET": str(net.control)})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split("\n")[:-1]


def test_script_is_clean(vmswitchd, tmp_path):
    """shellcheck and bash have no objection."""
    script = tmp_path / "vmswitch.bash"
    script.write_text(vmswitchd.check("completion", "bash"))
    subprocess.run(["bash", "-n", script], check=True, timeout=30)
    done = subprocess.run(["shellcheck", "-s", "bash", script], stdout=subprocess.PIPE, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout


def test_installed_script(vmswitchd):
    """What is installed is what is printed."""
    assert INSTALLED.read_text() == vmswitchd.check("completion", "bash")


def test_bash_words(net, tmp_path):
    """Objects, names, and what bash divides at a colon."""
    assert in_bash(net, tmp_path, "sw", ["sw"]) == ["switch"]
    assert in_bash(net, tmp_path, "switch del ", ["switch", "del", ""]) == ["lan", "lab-2"]
    uplink = "switch add x uplink xdp:l"
    assert in_bash(net, tmp_path, uplink, ["switch", "add", "x", "uplink", "xdp", ":", "l"]) \
        == ["lo"]
    (tmp_path / "with space").mkdir()
    (tmp_path / "with.sock").touch()
    line = "port add p socket wi"
    assert sorted(in_bash(net, tmp_path, line, line.split())) == ["with space", "with.sock"]


@pytest.mark.skipif(not PACKAGE.exists(), reason="needs the package bash-completion")
def test_typed_into_a_terminal(net, tmp_path):
    """A bash on a terminal, with its package of completions, and the keys of a user."""
    home = tmp_path / "home"
    folder = home / "completions"
    folder.mkdir(parents=True)
    shutil.copy(INSTALLED, folder / "vmswitch")
    shutil.copy(VMSWITCH, home / "vmswitch")
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], {
            "PATH": f"{home}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "PS1": "$ ",
            "BASH_COMPLETION_USER_DIR": str(home), "VMSWITCH_SOCKET": str(net.control)})
    seen = ""

    def until(text, keys):
        nonlocal seen
        os.write(fd, keys.encode())
        seen, end = "", time.monotonic() + 20
        while text not in seen:
            assert time.monotonic() < end, f"no {text!r} in {seen!r}"
            if select.select([fd], [], [], 0.1)[0]:
                seen += os.read(fd, 65536).decode(errors="replace")

    try:
        until("ready-2", f"source {PACKAGE}; echo ready-$((1+1))\n")
        until("switch ", "vmswitch swi\t")
        until("del ", "de\t")
        until("lab-2 ", "lab\t")
        until("force ", "f\t")
        until("gone-2", "\necho gone-$((1+1))\n")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
    assert [row["name"] for row in net.json("switch", "show")] == ["lan"]
