# SPDX-License-Identifier: BSD-3-Clause
"""The daemon and the guests that the VM tests share.

Booting a guest takes seconds, so guests live as long as the session. What a test may have left
broken (a dead QEMU, a guest that does not answer, a daemon that ended) is put right when the next
test asks for it.
"""

import pathlib
import tempfile

import channel
import rates
from guest import Guest, GuestError
from vmswitchd import Daemon

JUMBO = 9000


class Lab:
    """One vmswitchd with the private switch `lan`, and its guests by name."""

    def __init__(self):
        # Unix socket paths are limited to 107 characters: not pytest's long folders.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vmswitch-vm-"))
        self.daemon = Daemon(self.dir)
        self.guests = {}
        self.switches = set()

    def ensure_daemon(self):
        """Start vmswitchd unless it runs, with everything configured so far."""
        if not self.daemon.alive():
            self.daemon.start()
            self.daemon.reconfigure()

    def add_port(self, name, switch="lan"):
        """Make a port for a guest unless there is one; returns its socket."""
        self.ensure_daemon()
        socket = self.dir / f"{name}.sock"
        if switch not in self.switches:
            self.daemon.configure("switch", "add", switch, "type", "private")
            self.switches.add(switch)
        if name not in self.guests:
            self.daemon.configure("port", "add", name, "switch", switch, "type", "guest",
                                  "socket", socket)
        return socket

    def start(self, name, number, switch="lan", **options):
        """Start a guest without waiting for it; 10.0.0.@number is its address."""
        socket = self.add_port(name, switch)
        if "netboot" not in options:
            options.setdefault("ip", f"10.0.0.{number}/24")
        guest = Guest(name, self.dir, socket=socket, mac=f"52:54:00:00:00:{number:02x}", **options)
        self.guests[name] = guest
        return guest.start()

    def pair(self):
        """vm1 (10.0.0.1) and vm2 (10.0.0.2), booted, with an MTU of 9000; vm2 runs iperf3 -s."""
        self.ensure_daemon()
        wanted = (("vm1", 1, "shell"), ("vm2", 2, "server"))
        for name, number, role in wanted:
            if not self.answers(name):
                if name in self.guests:
                    self.guests[name].stop()
                self.start(name, number, role=role, mtu=JUMBO)
        for name, _, _ in wanted:
            if not self.guests[name].boot_id:
                self.guests[name].wait_boot()
        return self.guests["vm1"], self.guests["vm2"]

    def answers(self, name):
        """Whether this guest runs and takes commands."""
        guest = self.guests.get(name)
        if guest is None or not guest.alive():
            return False
        try:
            return guest.run("true", timeout=5)[0] == 0
        except (GuestError, channel.ChannelError):
            return False

    def remove(self, name):
        """End a guest for good and remove its port."""
        self.guests.pop(name).stop()
        self.daemon.check("port", "del", name)
        self.daemon.commands = [words for words in self.daemon.commands
                                if words[:3] != ("port", "add", name)]

    def by_vm(self):
        """The switch's counters per VM."""
        return rates.by_vm(self.daemon.check("-j", "stats", "show", "by", "vm"))

    def audit(self):
        """The switch's own sums must hold."""
        self.daemon.audit()

    def logs(self):
        """The ends of all logs, for a report of a failure."""
        text = f"--- {self.daemon.log}\n" + "\n".join(self.daemon.log_text().splitlines()[-25:])
        for guest in self.guests.values():
            text += guest.log_tail(8)
        return text

    def close(self):
        """End everything."""
        for guest in self.guests.values():
            guest.stop()
        if self.daemon.alive():
            return self.daemon.stop()
        return 0
