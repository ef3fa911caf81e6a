# SPDX-License-Identifier: BSD-3-Clause
"""The daemon as a program: options, start, stop, and what it says when it cannot."""

import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from vmswitchd import BUILD

VMSWITCHD = str(BUILD / "control" / "vmswitchd")
NOBODY = 65534


def run(*args, **kwargs):
    """Run vmswitchd to its end."""
    return subprocess.run([VMSWITCHD, *map(str, args)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
                          **kwargs)


def start(*args, **kwargs):
    """Start vmswitchd and wait until it says that it is ready; returns the process."""
    process = subprocess.Popen([VMSWITCHD, *map(str, args)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               **kwargs)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if " ready" in line:
            return process
    process.wait()
    pytest.fail("vmswitchd was never ready: " + "".join(lines))


def complaints(done):
    """The lines of an ended vmswitchd that are about an error."""
    return [line for line in done.stderr.splitlines() if "error" in line]


def drop_root():
    """In the child: be nobody."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@pytest.mark.parametrize("words, says", [
    (["--socket"], "--socket"),
    (["--wrong"], "--wrong"),
    (["--log-level", "loud"], "'loud' is none of error, warning, info, debug"),
    (["--memory", "1"], "--memory: '1' is not a number from 32 to 16384"),
    (["--memory", "12x"], "--memory: '12x'"),
    (["--nap", "-1"], "--nap: '-1' is not a number from 0 to 10000"),
    (["--poll", ""], "--poll: '' is no list of workers from 0 to 15, such as 0,2-3, nor all"),
    (["--poll", "x"], "--poll: 'x' is no list"),
    (["--poll", "0,"], "--poll: '0,' is no list"),
    (["--poll", "1-0"], "--poll: '1-0' is no list"),
    (["--poll", "-1"], "--poll: '-1' is no list"),
    (["--poll", "16"], "--poll: '16' is no list"),
    (["--poll", "0-99999999999999999999"], "is no list"),
    (["--workers", "2", "--poll", "1-3"], "--poll: there is no worker 2; the last one is 1"),
    (["--cpu", "x"], "--cpu: 'x' is no list of at most 16 processors from 0 to 1023, such as"),
    (["--cpu", ""], "--cpu: '' is no list"),
    (["--cpu", "1,"], "--cpu: '1,' is no list"),
    (["--cpu", "3-1"], "--cpu: '3-1' is no list"),
    (["--cpu", "-1"], "--cpu: '-1' is no list"),
    (["--cpu", "1024"], "--cpu: '1024' is no list"),
    (["--cpu", "0-15,0"], "--cpu: '0-15,0' is no list"),
    (["--cpu", "0-99999999999999999999"], "is no list"),
    (["--workers", "0"], "--workers: '0' is not a number from 1 to 16"),
    (["--workers", "17"], "--workers: '17' is not a number from 1 to 16"),
    (["--workers", "2", "--cpu", "0"], "--workers 2, but --cpu names processors for 1"),
    (["--pci"], "--pci"),
    (17 * ["--pci", "ffff:ff:1f.7"], "--pci: at most 16 devices"),
    (["--mac-pool", "nonsense"], "--mac-pool: 'nonsense' is no unicast address that ends in 000"),
    (["--mac-pool", "01:15:5d:01:20:00"], "'01:15:5d:01:20:00' is no unicast address"),
    (["--mac-pool", "00:15:5d:01:20:01"], "'00:15:5d:01:20:01' is no unicast address"),
    (["--mac-pool", "00:15:5d:01:21:00"], "'00:15:5d:01:21:00' is no unicast address"),
    (["--mac-pool", "00:00:00:00:00:00"], "'00:00:00:00:00:00' is no unicast address"),
    (["--mac-pool", ""], "--mac-pool: '' is no unicast address"),
    (["switch"], "'switch' is not an option; switches and ports are set up with the command"),
])
def test_a_wrong_command_line_is_named(words, says):
    done = run(*words)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize("word, says", [("--help", "usage: vmswitchd"), ("--version", "vmswitchd")])
def test_help_and_version(word, says):
    done = run(word)
    assert done.returncode == 0 and says in done.stdout and done.stderr == ""


def test_a_processor_that_is_not_there(rundir):
    done = run("--socket", rundir / "x.sock", "--cpu", 1023)
    assert done.returncode == 1
    assert len(complaints(done)) == 1 and "--cpu 1023" in complaints(done)[0]


@pytest.mark.parametrize("address, says", [
    ("nonsense", "'nonsense' is not a PCI address (DDDD:BB:DD.F, see lspci -D)"),
    ("", "'' is not a PCI address"),
    ("../../etc", "'../../etc' is not a PCI address"),
    ("0000:00:1f", "'0000:00:1f' is not a PCI address"),
    ("ffff:ff:1f.7", "there is no PCI device ffff:ff:1f.7 (see lspci -D)"),
])
def test_a_pci_device_that_is_not_there(rundir, address, says):
    """It is named before DPDK starts, which would look at devices by itself."""
    path = rundir / "pci.sock"
    for words in (["--pci", address], 16 * ["--pci", address]):
        done = run("--socket", path, *words)
        assert done.returncode == 1 and done.stdout == ""
        assert len(complaints(done)) == 1 and says in complaints(done)[0]
        assert f"--pci {address}: " in complaints(done)[0]
        assert "EAL" not in done.stderr and not path.exists()


def test_a_pool_of_addresses(rundir):
    """What 'mac auto' gives out is of it."""
    path = rundir / "pool.sock"
    process = start("--socket", path, "--mac-pool", "02:00:5E:10:20:00")

    def vmswitch(*words):
        return subprocess.run([str(BUILD / "control" / "vmswitch"), "-s", str(path), *words],
                              stdout=subprocess.PIPE, text=True, check=True).stdout

    vmswitch("switch", "add", "lan", "type", "private")
    for name in "abc":
        vmswitch("port", "add", name, "switch", "lan", "type", "guest", "socket",
                 str(rundir / f"pool-{name}.sock"), "mac", "auto")
    macs = {row["mac"] for row in json.loads(vmswitch("-j", "port", "show"))}
    assert len(macs) == 3 and {mac[:13] for mac in macs} == {"02:00:5e:10:2"}, macs
    process.terminate()
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_clean_stop_leaves_nothing_behind(rundir, end):
    path, guest = rundir / "stop.sock", rundir / "stop-guest.sock"
    process = start("--socket", path)
    vmswitch = [str(BUILD / "control" / "vmswitch"), "-s", str(path)]
    for words in (["switch", "add", "lan", "type", "private"],
                  ["port", "add", "p", "switch", "lan", "type", "guest", "socket", str(guest),
                   "mode", "server"]):
        subprocess.run(vmswitch + words, check=True)
    assert path.exists() and guest.exists()
    process.send_signal(end)
    assert process.wait(timeout=30) == 0
    assert not path.exists() and not guest.exists()


def test_a_second_daemon_is_refused_and_the_first_goes_on(rundir):
    path = rundir / "twice.sock"
    first = start("--socket", path)
    second = run("--socket", path)
    assert second.returncode == 1
    assert complaints(second) == [f"vmswitchd: error: control: another vmswitchd answers on {path}"]
    done = subprocess.run([str(BUILD / "control" / "vmswitch"), "-s", str(path), "switch", "show"])
    assert done.returncode == 0
    first.terminate()
    assert first.wait(timeout=30) == 0


def test_the_socket_of_a_dead_daemon_is_replaced(rundir):
    path = rundir / "dead.sock"
    first = start("--socket", path)
    first.kill()
    first.wait()
    assert path.exists()
    second = start("--socket", path)
    second.terminate()
    assert second.wait(timeout=30) == 0


def test_a_folder_that_others_have_locked(rundir):
    """Everybody may open a folder that he may read, and lock it: nobody waits for that."""
    path = rundir / "locked.sock"
    fd = os.open(rundir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        process = start("--socket", path)
        assert not (rundir / ".locked.sock.lock").exists()
        process.terminate()
        assert process.wait(timeout=30) == 0
    finally:
        os.close(fd)


def test_the_lock_of_a_socket(rundir):
    """Who holds it is waited for; one that was left is used; what is no lock is left alone."""
    path, lock = rundir / "rival.sock", pathlib.Path(rundir) / ".rival.sock.lock"
    lock.touch(0o600)
    with open(lock, "rb") as rival:
        fcntl.flock(rival, fcntl.LOCK_EX)
        done = run("--socket", path)
        assert done.returncode == 1 and "another vmswitchd" in complaints(done)[0]
        assert lock.exists() and not path.exists()
    process = start("--socket", path)
    assert not lock.exists()
    process.terminate()
    assert process.wait(timeout=30) == 0
    lock.write_text("precious")
    done = run("--socket", path)
    assert done.returncode == 1 and str(path) in complaints(done)[0]
    assert lock.read_text() == "precious"
    lock.unlink()
    os.mkfifo(lock)
    assert run("--socket", path).returncode == 1
    lock.unlink()
    lock.symlink_to(rundir / "elsewhere")
    assert run("--socket", path).returncode == 1
    assert lock.is_symlink() and not (rundir / "elsewhere").exists()
    lock.unlink()


def test_another_file_in_the_sockets_place_is_left_alone(rundir):
    path = pathlib.Path(rundir) / "precious"
    path.write_text("precious")
    done = run("--socket", path)
    assert done.returncode == 1 and len(complaints(done)) == 1
    assert str(path) in complaints(done)[0]
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there(rundir):
    done = run("--socket", rundir / "nowhere" / "x.sock")
    assert done.returncode == 1 and len(complaints(done)) == 1
    assert str(rundir / "nowhere" / "x.sock") in complaints(done)[0]


def test_a_path_that_is_too_long(rundir):
    done = run("--socket", rundir / ("x" * 120))
    assert done.returncode == 1 and len(complaints(done)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_without_root_it_runs_where_it_may(tmp_path_factory):
    folder = pathlib.Path("/tmp") / f"vsw-nobody-{os.getpid()}"
    folder.mkdir()
    try:
        os.chown(folder, NOBODY, NOBODY)
        process = start("--socket", folder / "c.sock", preexec_fn=drop_root)
        assert os.stat(f"/proc/{process.pid}").st_uid == NOBODY
        process.terminate()
        assert process.wait(timeout=30) == 0
    finally:
        folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.skipif(pathlib.Path("/run/vmswitch").exists(), reason="/run/vmswitch is there")
def test_without_root_the_default_socket_is_refused_with_one_line():
    done = run(preexec_fn=drop_root)
    assert done.returncode == 1
    assert len(complaints(done)) == 1
    assert "/run/vmswitch" in complaints(done)[0] and "--socket" in complaints(done)[0]


def test_log_levels(rundir):
    process = subprocess.Popen([VMSWITCHD, "--socket", str(rundir / "quiet.sock"), "--log-level",
                                "error"], stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while True:     # the only sign of life of a silent daemon is its socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            if s.connect_ex(str(rundir / "quiet.sock")) == 0:
                break
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.terminate()
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == 0
