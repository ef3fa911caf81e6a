# SPDX-License-Identifier: BSD-3-Clause
"""The Debian packages: built from a copy of the tree; that of the daemon installed with what it
depends on into a new Debian, and started there as its unit says."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from bare import Root
from unit import Service, UnitFile
from vmswitchd import TOP

BUILD_SECONDS, ROOT_SECONDS = 1800, 1200
# What makes a Debian machine one that builds; a package of Debian's need not ask for it.
ESSENTIAL = {"build-essential"}
CAPTURE_NEEDS = {"libwiretap-dev", "libwireshark-dev", "libglib2.0-dev"}
# Patterns of paths below /usr that each package must have.
HAS = {
    "vmswitch": ["sbin/vmswitchd", "bin/vmswitch", "share/man/man8/vmswitch.8.gz",
                 "share/man/man8/vmswitchd.8.gz", "lib/sysusers.d/vmswitch.conf",
                 "lib/tmpfiles.d/vmswitch.conf", "share/bash-completion/completions/vmswitch"],
    "vmswitch-capture": ["bin/vmswitch-capture", "share/man/man8/vmswitch-capture.8.gz"],
    "libvmswitch1": [r"lib/[^/]+/libvmswitch\.so\.1"],
    "libvmswitch-dev": ["include/vmswitch/client.h", "include/vmswitch/msg.h",
                        "include/vmswitch/proto.h", r"lib/[^/]+/libvmswitch\.so",
                        r"lib/[^/]+/pkgconfig/vmswitch\.pc", "share/vmswitch/vmswitch.yaml",
                        "share/man/man7/vmswitch-protocol.7.gz",
                        "share/doc/libvmswitch-dev/examples/ports.c"],
}


def run(*words, seconds, **how):
    """Run a program to its end, which must be good."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                          check=False, **how)
    assert done.returncode == 0, f"{words}: {done.stdout[-4000:]}"
    return done.stdout


def test_build_depends():
    """What the tree is built with is asked for: of `./quickstart`'s list, and for the option."""
    control = (TOP / "debian/control").read_text(encoding="utf-8")
    asked = re.search(r"^Build-Depends:\n((?: .*\n)+)", control, re.MULTILINE).group(1)
    names = {line.split()[0].rstrip(",") for line in asked.splitlines()}
    listed = re.findall(r"^build: (.*)$", (TOP / "tests/packages").read_text(encoding="utf-8"),
                        re.MULTILINE)
    needed = {name for line in listed for name in line.split()} - ESSENTIAL
    tests_only = {"libcmocka-dev"}
    assert "libdpdk-dev" in needed
    assert (needed - tests_only) | CAPTURE_NEEDS <= names
    assert "-Dpcapng=enabled" in (TOP / "debian/rules").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def packages():
    """The packages by name, built in a copy of the tree."""
    with tempfile.TemporaryDirectory(prefix="vsd-", dir="/var/tmp") as folder:
        tree = pathlib.Path(folder) / "vmswitch"
        shutil.copytree(TOP, tree, symlinks=True,
                        ignore=shutil.ignore_patterns(".git", "build*", "__pycache__"))
        run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=tree, seconds=BUILD_SECONDS,
            env={**os.environ, "DEB_BUILD_OPTIONS": "parallel=2"})
        yield {deb.name.split("_")[0]: deb for deb in pathlib.Path(folder).glob("*.deb")
               if "-dbgsym_" not in deb.name}


@pytest.fixture(scope="module")
def root(packages):
    """A new Debian with the package of the daemon."""
    with tempfile.TemporaryDirectory(prefix="vsd-", dir="/var/tmp") as folder:
        path = pathlib.Path(folder) / "root"
        run("mmdebstrap", "--variant=minbase", "--mode=root", "--include",
            f"util-linux,{packages['vmswitch']}",
            "--hook-dir=/usr/share/mmdebstrap/hooks/file-mirror-automount", "bookworm", path,
            seconds=ROOT_SECONDS)
        path.chmod(0o755)
        with Root(path) as one:
            yield one


@pytest.mark.long
def test_packages(packages):
    """Each has its files, and its own alone; one of them alone needs libraries under the GPL."""
    assert set(packages) == set(HAS)
    for name, deb in packages.items():
        files = [line.split()[5] for line in run("dpkg-deb", "-c", deb, seconds=60).splitlines()]
        for owner, patterns in HAS.items():
            for pattern in patterns:
                there = any(re.fullmatch(r"\./usr/" + pattern, path) for path in files)
                assert there == (owner == name), f"{name}: {pattern}"
        needs = run("dpkg-deb", "-f", deb, "Depends", seconds=60)
        assert ("libwiretap" in needs) == (name == "vmswitch-capture"), f"{name}: {needs}"


@pytest.mark.long
def test_package(root):
    """Installed without a word from a person; enabled, as Debian's services are."""
    status = run("dpkg-query", f"--root={root.path}", "-W", "-f", "${db:Status-Status}",
                 "vmswitch", seconds=30)
    assert status == "installed"
    assert (root.path / "etc/systemd/system/multi-user.target.wants/vmswitchd.service"
            ).is_symlink()
    assert "vmswitch" in root.numbers("passwd")


@pytest.mark.long
def test_service(root):
    """It starts, and makes a switch with a port."""
    service = Service(root, UnitFile(root.path / "lib/systemd/system/vmswitchd.service"))
    try:
        service.start()
        service.vmswitch("switch", "add", "lan", "type", "internal")
        service.vmswitch("port", "add", "h", "switch", "lan", "type", "host", "ifname", "host0")
        assert " running " in service.vmswitch("port", "show").stdout
        assert service.stop() == 0
    finally:
        service.close()
