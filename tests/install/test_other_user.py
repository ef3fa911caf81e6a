# SPDX-License-Identifier: BSD-3-Clause
"""QEMU as a user who is neither root nor the switch's: it reaches the sockets of guest ports by the
group kvm, and nothing else of the switch. The machine boots from the network, so that iPXE drives
the device and sends frames."""

import os
import shutil
import stat
import subprocess
import time

import pytest

from child import die_with_parent

QEMU = "qemu-system-x86_64"
NOBODY = 65534
BOOT_SECONDS = 120


@pytest.fixture
def vmm(root):
    """Starts QEMU on a socket as nobody with the groups that are given; ends it afterwards."""
    if not shutil.which(QEMU):
        pytest.skip(f"{QEMU} is not installed")
    processes = []

    def start(path, groups, side):
        # QEMU itself is this machine's; the root's /run it sees in the root's mount namespace.
        log = open(root.path / f"qemu-{len(processes)}.log", "w+", encoding="utf-8")
        process = subprocess.Popen(
            [*root.enter(), "setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), *groups,
             "--",
             QEMU, "-display", "none", "-nodefaults", "-accel", "tcg", "-m", "64",
             "-M", "q35,memory-backend=mem",
             "-object", "memory-backend-memfd,id=mem,size=64M,share=on",
             "-chardev", f"socket,id=c,path={root.path}{path},{side}",
             "-netdev", "vhost-user,id=n,chardev=c",
             "-device", "virtio-net-pci,netdev=n,vectors=0,bootindex=0"],
            umask=0o007,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        processes.append((process, log))
        return process, log

    yield start
    for process, log in processes:
        process.kill()
        process.wait()
        log.close()


@pytest.mark.parametrize("mode, side",
                         [("server", "reconnect=1"), ("client", "server=on,wait=off")])
def test_a_vmm_of_another_user(root, service, vmm, mode, side):
    """Both ways round: the switch's socket, and one that QEMU makes."""
    kvm = root.numbers("group")["kvm"]
    path = "/run/vmswitch/vm/g.sock"
    service.vmswitch("switch", "add", "lan", "type", "private")
    service.vmswitch("port", "add", "g", "switch", "lan", "type", "guest", "socket", path,
                     "mode", mode)
    process, log = vmm(path, ["--groups", str(kvm)], side)
    end = time.monotonic() + BOOT_SECONDS
    while " running " not in service.vmswitch("port", "show").stdout:
        log.seek(0)
        assert process.poll() is None and time.monotonic() < end, \
            log.read() + service.vmswitch("port", "show").stdout
        time.sleep(0.1)
    st = os.stat(root.look(path))
    assert st.st_gid == kvm and not stat.S_IMODE(st.st_mode) & 0o007
    service.vmswitch("stats", "audit")
    service.vmswitch("switch", "del", "lan", "force")


def test_a_user_without_the_group(root, service, vmm):
    """Is refused by the kernel, and the port goes on waiting."""
    path = "/run/vmswitch/g.sock"
    service.vmswitch("switch", "add", "lan", "type", "private")
    service.vmswitch("port", "add", "g", "switch", "lan", "type", "guest", "socket", path,
                     "mode", "server")
    process, log = vmm(path, ["--clear-groups"], "server=off")
    assert process.wait(timeout=60) != 0
    log.seek(0)
    assert "Permission denied" in log.read()
    assert " waiting " in service.vmswitch("port", "show").stdout
    service.vmswitch("switch", "del", "lan", "force")
