# SPDX-License-Identifier: BSD-3-Clause
"""The switch of another host (-H): through a stand-in for ssh that runs the command here, and
through a real sshd on the loopback interface of a network namespace."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys

import pytest

from netns import Namespace, in_ns
from vmswitchd import BUILD
from watch import wait_for

pytestmark = pytest.mark.once

VMSWITCH = BUILD / "control" / "vmswitch"
SSHD = pathlib.Path("/usr/sbin/sshd")
# What ssh does with its words: the rest of the line is for a shell.
STAND_IN = """\
#!/bin/bash
printf '%s\\n' "$@" > "$0.words"
shift 2
export PATH={path}:$PATH VMSWITCH_SOCKET={socket}
exec bash -c "$*"
"""


@pytest.fixture
def far(vmswitchd, tmp_path):
    """Runs vmswitch -H user@far with a program in place of ssh."""
    def run(*words, ssh=None, **options):
        if ssh is None:
            ssh = tmp_path / "ssh"
            ssh.write_text(STAND_IN.format(path=VMSWITCH.parent, socket=vmswitchd.control))
            ssh.chmod(0o755)
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True,
                   "timeout": 60, **options}
        env = {**os.environ, "VMSWITCH_SSH": str(ssh), "VMSWITCH_SOCKET": "/nowhere/near"}
        return subprocess.run([VMSWITCH, "-H", "user@far", *map(str, words)], env=env, **options)
    return run


def script(tmp_path, text):
    """A program that behaves as ssh should not."""
    path = tmp_path / "bad-ssh"
    path.write_text("#!/bin/bash\n" + text)
    path.chmod(0o755)
    return path


def test_everything(far, vmswitchd, tmp_path):
    """Changes, dumps in text and JSON, files, errors."""
    assert far("switch", "add", "lan", "type", "private").returncode == 0
    assert json.loads(far("-j", "switch", "show").stdout) == vmswitchd.json("switch", "show")
    assert far("switch", "show").stdout == vmswitchd.check("switch", "show")
    (tmp_path / "words").write_text("switch add a type private\nswitch add lan type private\n")
    done = far("-f", tmp_path / "words")
    assert done.returncode == 1 and "words:2: " in done.stderr
    assert far("-n", "switch", "del", "lan").stdout.startswith("- switch add lan type private")
    done = far("switch", "del", "nowhere")
    assert done.returncode == 1 and done.stderr.startswith("vmswitch: ")
    assert "'nowhere'" in done.stderr and done.stderr.count("\n") == 1
    assert json.loads(far("-j", "switch", "del", "nowhere").stderr)["errno"] == "ENOENT"


def test_what_ssh_is_told(far, vmswitchd, tmp_path):
    """No terminal, the host, and one command; a socket that was named, quoted for the shell."""
    far("switch", "show")
    assert (tmp_path / "ssh.words").read_text() == "-T\nuser@far\nvmswitch --stdio\n"
    done = far("-s", "/x/it's; touch y", "switch", "show")
    assert (tmp_path / "ssh.words").read_text().endswith(
        "vmswitch --stdio --socket '/x/it'\\''s; touch y'\n")
    assert done.returncode == 1 and "user@far: vmswitchd is not running" in done.stderr


def test_large_answers(far, vmswitchd, rundir, tmp_path):
    """More than a pipe or a socket holds, in both directions."""
    count, path = 900, tmp_path / "words"
    path.write_text("switch add lan type private\n" + "\n".join(
        f"port add p{n} switch lan type guest socket {rundir}/{'s' * 70}{n} mode server"
        for n in range(count)))
    done = far("-f", path)
    assert done.returncode == 0, done.stderr
    rows = json.loads(far("-j", "port", "show").stdout)
    assert len(rows) == count and rows == vmswitchd.json("port", "show")
    path.write_text("\n".join(f"port del p{n}" for n in range(count)))
    assert far("-f", path).returncode == 0
    assert vmswitchd.json("port", "show") == []


def test_monitor_and_its_end(far, vmswitchd, tmp_path):
    """Events come through; when the command is gone, so are ssh and the far end."""
    env = {**os.environ, "VMSWITCH_SSH": str(tmp_path / "ssh")}
    far("switch", "show")
    with subprocess.Popen([VMSWITCH, "-H", "x", "-j", "monitor"], env=env, text=True,
                          stdout=subprocess.PIPE) as process:
        def poke():
            vmswitchd.check("switch", "add", "poke", "type", "private")
            vmswitchd.check("switch", "del", "poke")
            return os.listdir(f"/proc/{process.pid}/task/{process.pid}")

        def children(pid):
            text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
            below = [int(word) for word in text.split()]
            return below + [one for child in below for one in children(child)]

        os.set_blocking(process.stdout.fileno(), False)
        line = wait_for(lambda: poke() and process.stdout.readline(), bool, 30)
        assert json.loads(line)["switch"] == "poke"
        family = children(process.pid)
        assert family
        process.kill()
        process.wait()
    wait_for(lambda: [pid for pid in family if pathlib.Path(f"/proc/{pid}").exists()
                      and "(zombie)" not in pathlib.Path(f"/proc/{pid}/status").read_text()],
             lambda left: left == [], 20)


@pytest.mark.parametrize("text, says", [
    ("exit 255", "ssh ended with status 255 before a connection was there"),
    ("exit 127", "there is no command vmswitch there"),
    ("kill -9 $$", "ssh was killed"),
    ("echo Welcome to far!; exec sleep 60", "'Welcome to far!.' came instead of the greeting"),
    ("printf '\\033[2J\\377'; exec sleep 60", "'.[2J.' came instead of the greeting"),
    ("printf 'vmswitch-stdio 9 le\\n'; exec sleep 60", "came instead of the greeting"),
    ("printf 'vmswitch-stdio 1 le\\n'", "the connection to user@far ended"),
    ("printf 'vmswitch-stdio 1 le\\n\\0\\0\\0\\0'", "the connection to user@far ended"),
    ("printf 'vmswitch-stdio 1 le\\n\\377\\377\\377\\377'", "the connection to user@far ended"),
    ("printf 'vmswitch-stdio 1 le\\n\\0\\0\\0\\003abc'", "does not speak vmswitch"),
    ("printf 'vmswitch-stdio 1 le\\n\\0\\0\\0\\002ok'", "closed the connection (user@far)"),
    ("printf 'vmswitch-stdio 1 le\\n\\0\\0\\0\\002ok\\0\\0\\0\\003abc'", "user@far"),
])
def test_bad_far_ends(far, tmp_path, text, says):
    """Whatever the other end says, an error is what comes of it."""
    done = far("switch", "show", ssh=script(tmp_path, text))
    assert done.returncode == 1 and done.stdout == ""
    assert says in done.stderr or "vmswitchd sent" in done.stderr, done.stderr


def test_no_ssh(far, tmp_path):
    """The program is not there."""
    done = far("-j", "switch", "show", ssh=tmp_path / "none")
    assert done.returncode == 1
    error = json.loads(done.stderr)
    assert error["errno"] == "ENOENT" and f"cannot run {tmp_path}/none" in error["error"]


def test_bad_near_ends(vmswitchd):
    """vmswitch --stdio and whoever speaks to it: what is no frame ends it, and nothing else."""
    def serve(data):
        return subprocess.run([VMSWITCH, "-s", vmswitchd.control, "--stdio"], input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)

    hello = struct.pack("=IHHIIBBH", 20, 16, 5, 7, 0, 1, 1, 0)
    order = {"little": b"le", "big": b"be"}[sys.byteorder]
    greeting = b"vmswitch-stdio 1 " + order + b"\n" + struct.pack(">I", 2) + b"ok"
    assert serve(b"").stdout == greeting
    for bad in (struct.pack(">I", 0), struct.pack(">I", 65537), b"\xff\xff\xff\xff", b"\0\0"):
        done = serve(struct.pack(">I", len(hello)) + hello + bad)
        assert done.stdout.startswith(greeting)
    done = serve(struct.pack(">I", 3) + b"abc")
    assert done.stdout.startswith(greeting)
    done = subprocess.run([VMSWITCH, "-s", "/nowhere/x", "--stdio"], input=b"",
                          stdout=subprocess.PIPE, timeout=30)
    assert done.returncode == 1 and b"no vmswitchd is not running" in done.stdout


# ---- a real sshd ----

SSHD_CONFIG = """\
Port 2222
ListenAddress 127.0.0.1
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
PrintMotd no
SetEnv PATH={path}:/usr/bin:/bin VMSWITCH_SOCKET={socket}
"""
SSH_CONFIG = """\
Host far
    HostName 127.0.0.1
    Port 2222
    IdentityFile {keys}/user
    IdentitiesOnly yes
    UserKnownHostsFile {keys}/known
    BatchMode yes
    ConnectTimeout 20
"""


def wait_for_port(namespace):
    """Until the sshd of the namespace takes connections."""
    def connect():
        with in_ns(namespace), socket.socket() as one:
            return one.connect_ex(("127.0.0.1", 2222))
    wait_for(connect, lambda error: error == 0, 30)


@pytest.fixture
def sshd(vmswitchd, tmp_path):
    """An sshd with keys of its own; gives the namespace and a program that is ssh to it."""
    if not SSHD.exists() or not shutil.which("ssh"):
        pytest.skip("needs the packages openssh-server and openssh-client")
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name],
                       check=True, timeout=60)
    (keys / "known").write_text("[127.0.0.1]:2222 " + (keys / "host.pub").read_text())
    (keys / "sshd.conf").write_text(SSHD_CONFIG.format(
        keys=keys, path=VMSWITCH.parent, socket=vmswitchd.control))
    (keys / "ssh.conf").write_text(SSH_CONFIG.format(keys=keys))
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    with Namespace("sshd") as namespace:
        namespace.exec("ip", "link", "set", "lo", "up")
        process = namespace.popen(str(SSHD), "-D", "-e", "-f", str(keys / "sshd.conf"))
        try:
            wait_for_port(namespace)
            ssh = tmp_path / "ssh-there"
            ssh.write_text(f"#!/bin/bash\nexec nsenter --net={namespace.path} "
                           f"ssh -F {keys}/ssh.conf \"$@\"\n")
            ssh.chmod(0o755)
            yield ssh, keys
        finally:
            process.terminate()
            process.wait()


def test_real_ssh(far, sshd, vmswitchd, tmp_path):
    """Through ssh and sshd: a change, a dump, a file, and an error."""
    def run(*words):
        return subprocess.run([VMSWITCH, "-H", "root@far", *map(str, words)], timeout=60, text=True,
                              env={**os.environ, "VMSWITCH_SSH": str(sshd[0])},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    done = run("switch", "add", "lan", "type", "private")
    assert done.returncode == 0, done.stderr
    assert run("-j", "switch", "show").stdout == vmswitchd.check("-j", "switch", "show")
    (tmp_path / "words").write_text("switch add a type private\nswitch del nowhere\n")
    done = run("-f", tmp_path / "words")
    assert done.returncode == 1 and "words:2: " in done.stderr
    assert [row["name"] for row in vmswitchd.json("switch", "show")] == ["lan"]
    done = run("-s", "/no where/x", "switch", "show")
    assert done.returncode == 1 and "no answer on /no where/x" in done.stderr


def test_real_ssh_that_is_refused(sshd):
    """A key that sshd does not know."""
    ssh, keys = sshd
    (keys / "user.pub").write_text("")
    done = subprocess.run([VMSWITCH, "-H", "root@far", "switch", "show"], timeout=60, text=True,
                          env={**os.environ, "VMSWITCH_SSH": str(ssh)}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    assert done.returncode == 1 and done.stdout == ""
    assert "Permission denied" in done.stderr and "ssh ended with status 255" in done.stderr
