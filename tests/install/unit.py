# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for systemd: does what vmswitchd.service says, as far as it concerns privileges, the
notify socket and restarts."""

import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

from child import die_with_parent


def seconds(text):
    """A time of systemd: "10", "50ms"."""
    return int(text[:-2]) / 1000 if text.endswith("ms") else float(text)


class UnitFile:
    """The settings of a unit, each with its values in order."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.all = {}
        for line in self.path.read_text().splitlines():
            found = re.match(r"(\w+)=(.*)", line)
            if found:
                self.all.setdefault(found[1], []).append(found[2])

    def one(self, key):
        """The only value of a setting."""
        (value,) = self.all[key]
        return value

    def words(self, key):
        """All words of a setting."""
        return [word for value in self.all.get(key, ()) for word in value.split()]


class Service:
    """The service in a root: started, watched, ended."""

    def __init__(self, root, unit):
        self.root, self.unit = root, unit
        self.watchdog = seconds(unit.one("WatchdogSec"))
        self.process = None
        self.log = root.path / "vmswitchd.log"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = root.path / "tmp" / "notify"
        self.notify.bind(str(path))
        path.chmod(0o777)
        self.said = []

    def privileges(self):
        """setpriv's words for what the unit says of user, groups and capabilities."""
        groups = self.root.numbers("group")
        extra = [str(groups[name]) for name in self.unit.words("SupplementaryGroups")]

        def caps(key):
            return ",".join(["-all"] + [f"+{name[4:].lower()}" for name in self.unit.words(key)])

        ambient = caps("AmbientCapabilities")
        return ["/usr/bin/setpriv",
                "--reuid", str(self.root.numbers("passwd")[self.unit.one("User")]),
                "--regid", str(groups[self.unit.one("Group")]), "--groups", ",".join(extra),
                "--bounding-set", caps("CapabilityBoundingSet"), "--inh-caps", ambient,
                "--ambient-caps", ambient, "--no-new-privs", "--pdeathsig", "KILL", "--"]

    def prepare(self):
        """ExecStartPre, which runs as root."""
        command = self.unit.one("ExecStartPre")
        assert command.startswith("+"), "it must run as root, outside of the sandbox"
        return subprocess.run(self.root.words(*command[1:].split()), check=True, timeout=30,
                              stderr=subprocess.PIPE, text=True).stderr

    def start(self):
        """Start it as its user, and wait until it says that it is ready."""
        self.prepare()
        command = self.root.words(*self.privileges(), *self.unit.one("ExecStart").split())
        self.said.clear()
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                     "NOTIFY_SOCKET": "/tmp/notify",
                     "WATCHDOG_USEC": str(int(self.watchdog * 1000000))},
                preexec_fn=die_with_parent)
        self.wait_for("READY=1")
        return self

    def hear(self, timeout):
        """What it says next, or None."""
        if not select.select([self.notify], [], [], max(0.0, timeout))[0]:
            return None
        return self.notify.recv(4096).decode()

    def wait_for(self, text, timeout=30.0):
        """Wait until it says this; returns the seconds that took."""
        begin = time.monotonic()
        while text not in self.said:
            left = begin + timeout - time.monotonic()
            assert left > 0, f"{text} was not said within {timeout} s: {self.log_text()}"
            assert self.process.poll() is None, self.log_text()
            said = self.hear(min(left, 0.5))
            if said:
                self.said += said.split("\n")
        self.said.clear()
        return time.monotonic() - begin

    def kill(self):
        """End it as a crash would, then do what Restart=always does."""
        assert self.unit.one("Restart") == "always"
        self.process.kill()
        self.process.wait()
        time.sleep(seconds(self.unit.one("RestartSec")))

    def stop(self):
        """End it; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def close(self):
        """End it for good."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        self.notify.close()
        os.unlink(self.root.path / "tmp" / "notify")

    def status(self):
        """{name: value} of /proc/PID/status."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def log_text(self):
        """Everything it has logged."""
        return self.log.read_text()

    def vmswitch(self, *words, user=None, group=None, groups=(), check=True):
        """Run the command vmswitch inside, as root or somebody else; returns the process."""
        command = [self.unit.one("ExecStart").split()[0].replace("sbin/vmswitchd", "bin/vmswitch"),
                   *words]
        if user is not None:
            more = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
            command = ["/usr/bin/setpriv", "--reuid", user, "--regid", group, *more, "--",
                       *command]
        done = subprocess.run(self.root.words(*command), stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, timeout=30, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done
