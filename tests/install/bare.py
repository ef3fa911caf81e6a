# SPDX-License-Identifier: BSD-3-Clause
"""A bare root: a folder with what `meson install` puts there, the libraries that this needs, users
and folders as systemd makes them, and nothing else. Programs in it run in a mount namespace and a
network namespace that end with it."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from child import die_with_parent
from vmswitchd import BUILD

PREFIX = "usr/local"
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
TOOLS = ("setpriv",)


def run(*words, **how):
    """Run a program to its end, which must be good; returns what it printed."""
    done = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                          check=False, **how)
    assert done.returncode == 0, f"{words}: {done.stdout}"
    return done.stdout


def libraries(program):
    """Files that the dynamic linker loads for a program."""
    return set(re.findall(r"(/\S+) \(0x", run("ldd", program)))


def install(root):
    """`meson install` into the root, and everything that the programs need to be started."""
    run("meson", "install", "--no-rebuild", "--quiet", "-C", BUILD, "--destdir", root)
    programs = [*(root / PREFIX).glob("*bin/*")]
    for tool in TOOLS:
        path = pathlib.Path(shutil.which(tool)).resolve()
        programs.append(root / path.relative_to("/"))
        programs[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, programs[-1])
    for name in {name for program in programs for name in libraries(program)}:
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(os.path.realpath(name), target)
    (root / "etc").mkdir()
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\n")


def readme_command(program):
    """Words of the command line of README's that begins with this program."""
    lines = [line.split("#")[0].removeprefix("sudo ").split()
             for line in README.read_text().splitlines()]
    found = [words for words in lines if words and words[0] == program]
    assert len(found) == 1, f"README says {program} {len(found)} times"
    return found[0]


class Root:
    """A folder that can be entered; use it as a context."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.holder = None

    def make_users(self):
        """As README says, behind `meson install`."""
        program, *words = readme_command("systemd-sysusers")
        run(program, f"--root={self.path}", *words)

    def numbers(self, kind):
        """{name: number} of "passwd" or "group"."""
        lines = (self.path / "etc" / kind).read_text().splitlines()
        return {line.split(":")[0]: int(line.split(":")[2]) for line in lines if ":" in line}

    def __enter__(self):
        for name in ("dev", "proc", "sys", "run", "tmp", "var", "var/lib"):
            (self.path / name).mkdir(exist_ok=True)
        program, *words = readme_command("systemd-tmpfiles")
        folders = " ".join([program, f"--root={self.path}", *words])
        script = (f'cd "{self.path}" && mount --rbind /dev dev && mount --rbind /proc proc && '
                  "mount --rbind /sys sys && mount -t tmpfs none run && "
                  f"{folders} && "
                  "ip link set lo up && echo ready && read end")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", script], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
        assert self.holder.stdout.readline() == "ready\n", "no namespaces"
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(BrokenPipeError):
            self.holder.stdin.write("\n")
            self.holder.stdin.close()
        self.holder.wait(timeout=10)
        self.holder.stdout.close()

    def enter(self):
        """Words before a command of this machine that have it run in the root's namespaces."""
        ns = f"/proc/{self.holder.pid}/ns"
        return ["nsenter", f"--mount={ns}/mnt", f"--net={ns}/net", "--"]

    def words(self, *command):
        """The command line that runs a command inside, as root."""
        return [*self.enter(), "chroot", str(self.path), *map(str, command)]

    def outside(self, *command):
        """Run a program of this machine in the namespaces of the root; returns what it printed."""
        return run(*self.enter(), *command)

    def look(self, path):
        """Path of a file inside, for this process."""
        return pathlib.Path(f"/proc/{self.holder.pid}/root") / str(self.path).lstrip("/") / \
            str(path).lstrip("/")


@contextlib.contextmanager
def bare_root():
    """The root of `meson install`."""
    with tempfile.TemporaryDirectory(prefix="vsi-", dir="/tmp") as folder:
        root = Root(folder)
        root.path.chmod(0o755)
        install(root.path)
        root.make_users()
        with root:
            yield root
