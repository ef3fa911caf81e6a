# SPDX-License-Identifier: BSD-3-Clause
"""The Linux bridge as a peer between two interfaces of the host. It is no program: the kernel
forwards where the frames come in, on the generator's processor, unless it is told to hand them to
another one."""

import os

from .machine import softirq_seconds
from .nets import STACKS, can_make
from .peers import Peer


class LinuxBridge(Peer):
    """A bridge with two veth pairs, as it is by default."""

    name, title = "linux-bridge", "Linux bridge, two veth pairs, on the sender's processor"
    ways = frozenset({"hosts", STACKS})
    learns = True
    receive_steering = False

    def missing(self):
        return can_make()

    def version(self):
        return f"Linux {os.uname().release}"

    def start(self, sockets):
        self.run("link", "add", "br0", "type", "bridge")
        for n in (0, 1):
            self.net.veth(f"host{n}", f"wire{n}")
            self.run("link", "set", f"wire{n}", "mtu", self.mtu, "master", "br0")
            if self.receive_steering:
                self.commands.append(self.net.steer(f"wire{n}", self.lab.switch_cpu))
        self.run("link", "set", "br0", "up")

    def run(self, *words):
        """Run ip(8), and say so."""
        self.commands.append("ip " + " ".join(map(str, words)))
        self.net.ip(*words)

    def cpu_seconds(self):
        return softirq_seconds(self.lab.switch_cpu)


class LinuxBridgeSteered(LinuxBridge):
    """The same on the switch's processor (receive packet steering), where other switches run."""

    name, title = "linux-bridge-rps", "Linux bridge, two veth pairs, steered to the switch's CPU"
    ways = frozenset({"hosts"})
    receive_steering = True


class LinuxBridgePlain(LinuxBridge):
    """The same between stacks that leave nothing to it."""

    name, title = "linux-bridge-plain", "Linux bridge, two veth pairs without offloads"
    ways = frozenset({STACKS})
    stacks_off = True
