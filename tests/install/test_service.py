# SPDX-License-Identifier: BSD-3-Clause
"""What is installed, and the service in a bare root: as the unit has it run."""

import ctypes
import os
import pathlib
import stat
import subprocess
import time

import pytest

from bare import PREFIX

CAPS = {"net_admin": 12, "net_raw": 13, "ipc_lock": 14, "bpf": 39}
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


def test_files(root):
    """Programs, unit, users, folders and man pages are there."""
    files = {str(path.relative_to(root.path / PREFIX))
             for path in (root.path / PREFIX).rglob("*") if path.is_file()}
    wanted = {"sbin/vmswitchd", "bin/vmswitch", "lib/systemd/system/vmswitchd.service",
              "lib/sysusers.d/vmswitch.conf", "lib/tmpfiles.d/vmswitch.conf",
              "share/man/man8/vmswitchd.8", "share/man/man8/vmswitch.8"}
    assert wanted <= files, wanted - files


def test_unit_is_understood(root, unit):
    """systemd knows each setting; the programs that it names are there."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                           f"--root={root.path}", str(unit.path)],
                          capture_output=True, text=True, check=False, timeout=60)
    lines = [line for line in done.stderr.splitlines() if "vmswitchd" in line]
    assert done.returncode == 0 and not lines, done.stderr
    assert unit.one("Type") == "notify" and unit.one("Restart") == "always"
    assert unit.one("RestartSec") == "50ms" and unit.one("StartLimitIntervalSec") == "0"


def test_users(root):
    """A user for the service, who may use what VMMs make."""
    group = (root.path / "etc/group").read_text()
    assert "vmswitch" in root.numbers("passwd") and "vmswitch" in root.numbers("group")
    assert any(line.startswith("kvm:") and line.endswith(":vmswitch")
               for line in group.splitlines()), group


def test_privileges(root, service):
    """It runs as its user, with the named capabilities and no others, and can gain none."""
    status = service.status()
    uid, gid = root.numbers("passwd")["vmswitch"], root.numbers("group")["vmswitch"]
    assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4
    wanted = sum(1 << number for number in CAPS.values())
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(status[kind], 16) == wanted, (kind, status[kind])
    assert int(status["CapInh"], 16) in (0, wanted) and int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    for task in pathlib.Path(f"/proc/{service.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        assert "Seccomp:\t2" in lines and f"CapEff:\t{wanted:016x}" in lines, task


def test_who_may_control(root, service):
    """Root and the group may; a VMM, which has the group kvm, may not."""
    groups = root.numbers("group")
    service.vmswitch("switch", "show")
    service.vmswitch("switch", "show", user="65534", group="65534", groups=[groups["vmswitch"]])
    done = service.vmswitch("switch", "show", user="65534", group="65534", groups=[groups["kvm"]],
                            check=False)
    assert done.returncode == 1 and "member of group 'vmswitch'" in done.stderr


@pytest.fixture
def wire(root):
    """A card, nic0, in the root's network."""
    root.outside("ip", "link", "add", "nic0", "type", "veth", "peer", "name", "wire0")
    root.outside("ip", "link", "set", "wire0", "up")
    yield
    root.outside("ip", "link", "del", "nic0")


@pytest.mark.usefixtures("wire")
def test_all_kinds_of_ports(root, service):
    """Host port, TAP guest, vhost-user socket, and a card as uplink that the host shares."""
    service.vmswitch("switch", "add", "lan", "type", "external", "uplink", "xdp:nic0",
                     "share-host", "on")
    service.vmswitch("port", "add", "h", "switch", "lan", "type", "host", "ifname", "host0",
                     "addr", "192.0.2.1/24")
    service.vmswitch("port", "add", "t", "switch", "lan", "type", "guest", "ifname", "tap0")
    service.vmswitch("port", "add", "g", "switch", "lan", "type", "guest", "socket",
                     "/run/vmswitch/g.sock", "mode", "server")
    shown = service.vmswitch("port", "show").stdout
    assert shown.count(" running ") == 2 and shown.count(" waiting ") == 2, shown
    assert "192.0.2.1/24" in root.outside("ip", "addr", "show", "dev", "host0")
    st = os.stat(root.look("run/vmswitch/g.sock"))
    assert stat.S_IMODE(st.st_mode) == 0o660 and st.st_gid == root.numbers("group")["kvm"]
    service.vmswitch("switch", "del", "lan", "force")
    service.vmswitch("stats", "audit")


@pytest.mark.usefixtures("wire")
def test_killed_and_started_again(root, service):
    """Saved settings and pins outlive it: the uplink is taken over without a gap."""
    service.vmswitch("switch", "add", "lan", "type", "external", "uplink", "xdp:nic0")
    for _ in range(2):
        service.kill()
        service.start()
        assert " nic0" in service.vmswitch("switch", "show").stdout.replace(":", " ")
    assert service.log_text().count("taken over from a switch that was killed") == 2
    service.vmswitch("switch", "del", "lan")
    assert "xdp" not in root.outside("ip", "link", "show", "dev", "nic0")


def test_prepared_after_root(root, unit, service):
    """What a daemon of root left behind, the service can use."""
    service.stop()
    folder = root.look("run/vmswitch")
    for path in (folder, folder / "bpf"):
        os.chown(path, 0, 0)
    left = folder / "uplink-99"
    left.write_text("")
    left.chmod(0o600)
    trap = folder / "vm" / "uplink-98"
    trap.symlink_to("/etc/passwd")
    service.start()
    uid = root.numbers("passwd")["vmswitch"]
    for path in (folder, folder / "bpf", left):
        assert path.stat().st_uid == uid, path
    trap.unlink()
    left.unlink()
    # Now the folder is the user's: root gives nothing away in it any more, nor through links.
    (folder / "uplink-97").symlink_to("/etc/passwd")
    os.chown(root.path / "etc/passwd", 0, 0)
    service.prepare()
    assert (root.path / "etc/passwd").stat().st_uid == 0
    (folder / "uplink-97").unlink()


def worker_of(service):
    """Thread number of the worker: DPDK names it after its lcore."""
    for task in pathlib.Path(f"/proc/{service.process.pid}/task").iterdir():
        if (task / "comm").read_text().strip() in ("rte-worker-1", "lcore-worker-1"):
            return int(task.name)
    raise AssertionError("no worker's thread")


def test_watchdog(service):
    """Fed while the worker moves, and only then; idle is no reason to starve."""
    libc = ctypes.CDLL(None, use_errno=True)
    service.kill()
    service.watchdog = period = 2.0
    service.start()
    for _ in range(2):
        service.wait_for("WATCHDOG=1")
    tid = worker_of(service)
    assert libc.ptrace(PTRACE_SEIZE, tid, None, None) == 0, os.strerror(ctypes.get_errno())
    try:
        assert libc.ptrace(PTRACE_INTERRUPT, tid, None, None) == 0
        os.waitpid(tid, WALL)
        # One look may have been on its way.
        service.hear(period / 4)
        while service.hear(0):
            pass
        assert service.hear(period) is None, "fed, though the worker stands still"
    finally:
        libc.ptrace(PTRACE_DETACH, tid, None, None)
    service.wait_for("WATCHDOG=1")
    assert "worker 0 does not move" in service.log_text()


def test_manager_hangs(service):
    """Nobody reads what it says: it goes on serving."""
    service.kill()
    service.watchdog = 0.04
    service.start()
    end = time.monotonic() + 60
    while "cannot tell the service manager WATCHDOG=1" not in service.log_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    service.vmswitch("switch", "show")


def test_end(service):
    """SIGTERM: says so, and ends well."""
    service.process.terminate()
    service.wait_for("STOPPING=1")
    assert service.process.wait(timeout=20) == 0


@pytest.mark.parametrize("words, text", [
    (("--group", "vmswitch"), "--group needs --user"),
    (("--prepare",), "--prepare needs --user"),
    (("--user", "nobody-of-that-name"), "there is no user"),
    (("--user", "vmswitch", "--group", "no-such-group"), "there is no group"),
    (("--vm-group", "no-such-group"), "there is no group"),
])
def test_wrong_words(root, unit, words, text):
    """Said before anything is made."""
    done = subprocess.run(root.words(unit.one("ExecStart").split()[0], *words), text=True,
                          capture_output=True, timeout=30, check=False)
    assert done.returncode in (1, 2) and text in done.stderr, done.stderr


def test_only_root_changes_the_user(root, unit):
    """Somebody else who asks for it is refused, whatever he could do otherwise."""
    command = root.words("/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534",
                         "--clear-groups", "--", unit.one("ExecStart").split()[0],
                         "--socket", "/tmp/x.sock", "--user", "vmswitch")
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "only root can become" in done.stderr, done.stderr
