# SPDX-License-Identifier: BSD-3-Clause
"""What lies between the stations of a workload, and the network namespaces that are made for it.

A workload's `way` says where its stations stand:

    ""       guests of one switch
    "host"   a guest, and the host on a host port of the same switch
    "hosts"  the host on two host ports of one switch
    "memif"  guests of two switches in one program, between whose uplinks is shared memory
    "veth"   guests of two switches in one program, whose uplinks are the ends of a veth pair
    "stacks" the host's TCP/IP on two interfaces of one switch, each in a namespace of its own

A station of the host is the generator itself, on a packet socket; with "stacks" there is none.
Where interfaces are needed, generator and switch run in a network namespace that is made for the
run.
"""

import contextlib
import itertools
import os

from .procs import BenchError, command

WAYS = ("", "host", "hosts", "memif", "veth")
# Only switches that were made for it take part in this one.
STACKS = "stacks"
# Interfaces of the generator, by way. The number is that of the station.
INTERFACES = {"host": ("host1",), "hosts": ("host0", "host1"), STACKS: ("host0", "host1")}
# Ways that take a namespace with interfaces, and so root.
WITH_NET = ("host", "hosts", "veth", STACKS)
NUMBERS = itertools.count()


class Net:
    """A network namespace; it goes away at close(), and all its interfaces with it."""

    def __init__(self):
        self.name = f"vsb-{os.getpid()}-{next(NUMBERS)}"
        command(["ip", "netns", "add", self.name])
        # Interfaces shall say nothing by themselves.
        for which in ("all", "default"):
            self.write(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6", 1, check=False)
        self.ip("link", "set", "lo", "up")

    @property
    def words(self):
        """Before a command: it runs in the namespace."""
        return ["nsenter", f"--net=/run/netns/{self.name}", "--"]

    @property
    def words_of_switch(self):
        """The same with mounts of its own, so that none is left by a program that was killed."""
        return [*self.words, "unshare", "--mount", "--"]

    def ip(self, *words):
        """Run ip(8) in it."""
        return command([*self.words, "ip", *words])

    def write(self, path, text, check=True):
        """Write a file of /proc/sys/net or /sys/class/net."""
        return command(["ip", "netns", "exec", self.name, "sh", "-c", 'echo "$1" > "$0"', path,
                        text], check=check)

    def veth(self, one, other, mtu=1500):
        """A wire, both ends up."""
        self.ip("link", "add", one, "mtu", str(mtu), "type", "veth", "peer", "name", other, "mtu",
                str(mtu))
        for name in (one, other):
            self.ip("link", "set", name, "up")

    def steer(self, name, cpu):
        """Have what arrives on an interface handled by a processor (receive packet steering);
        returns the command."""
        path = f"/sys/class/net/{name}/queues/rx-0/rps_cpus"
        self.write(path, f"{1 << cpu:x}")
        return f"echo {1 << cpu:x} > {path}"

    def close(self):
        """Remove it."""
        command(["ip", "netns", "del", self.name], check=False)


def can_make():
    """Why no namespace can be made here, or an empty string."""
    return "" if os.geteuid() == 0 else "network namespaces are made by root only"


@contextlib.contextmanager
def net_for(way):
    """The namespace of a run on this way; None where none is needed."""
    if way not in WITH_NET:
        yield None
        return
    if can_make():
        raise BenchError(can_make())
    net = Net()
    try:
        yield net
    finally:
        net.close()


def mac_of(guest, number):
    """An address of a guest, as vsgen gives them."""
    parts = (2, guest >> 8, guest, number >> 16, number >> 8, number)
    return ":".join(f"{part & 255:02x}" for part in parts)
