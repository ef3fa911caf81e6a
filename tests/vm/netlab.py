# SPDX-License-Identifier: BSD-3-Clause
"""A lab whose daemon lives in a network namespace: the host of its host ports and network cards.

    host                      out
    nic0 ====== a wire ====== wire0

Each test begins with a daemon without switches, and builds what it needs. Guests outlive tests:
QEMU serves the vhost-user socket, so a port that is made anew finds its guest again.
"""

import time

from guest import Guest
from lab import Lab
from netns import Namespace, in_ns, veth
from vmswitchd import Daemon

UP_SECONDS = 30
NIC, WIRE = "nic0", "wire0"


class NsDaemon(Daemon):
    """A daemon in a network namespace; the mount namespace stays that of the test."""

    def __init__(self, ns, rundir):
        super().__init__(rundir)
        self.ns = ns

    def start(self):
        """Start it, also again after its end."""
        with in_ns(self.ns):
            return super().start()


class NetLab(Lab):
    """A daemon in the namespace `host`, a namespace `out` beyond its network card, and guests.

    Number N is the guest with the addresses 10.0.0.N and fd00::N.
    """

    def __init__(self):
        super().__init__()
        self.host, self.out = Namespace("host"), Namespace("out")
        self.daemon = NsDaemon(self.host, self.dir)

    def clear(self):
        """Remove all switches, and the wire; a daemon that ended is started anew, bare."""
        if not self.daemon.alive():
            self.daemon.start()
        for row in self.daemon.json("switch", "show"):
            self.daemon.check("switch", "del", row["name"], "force")
        self.daemon.commands.clear()
        for ns, ifname in ((self.host, NIC), (self.out, WIRE)):
            if ifname in ns.links():
                ns.ip("link", "del", ifname)

    def wire(self):
        """Make the wire between nic0 and wire0."""
        veth(self.host, NIC, self.out, WIRE)

    @staticmethod
    def address(ns, ifname, number):
        """Give an interface the two addresses of @number."""
        ns.ip("addr", "add", f"10.0.0.{number}/24", "dev", ifname)
        ns.ip("addr", "add", f"fd00::{number}/64", "dev", ifname, "nodad")

    def plug(self, name, number, switch, *words, **options):
        """Make a port for a guest and see that the guest runs; returns the guest, connected."""
        guest = self.guests.get(name)
        socket = self.dir / f"{name}.sock"
        self.daemon.configure("port", "add", name, "switch", switch, "type", "guest",
                              "socket", socket, *words)
        if not self.answers(name):
            if guest is not None:
                guest.stop()
            guest = self.boot(Guest(name, self.dir, socket=socket, ip=f"10.0.0.{number}/24",
                                    mac=f"52:54:00:00:01:{number:02x}", **options), number)
        self.wait_up(name)
        return guest

    def boot(self, guest, number):
        """Start a guest and give it its IPv6 address, too."""
        self.guests[guest.name] = guest
        guest.start()
        guest.wait_boot()
        sysctl = "/proc/sys/net/ipv6/conf/eth0"
        guest.check(f"echo 0 > {sysctl}/accept_dad; echo 0 > {sysctl}/router_solicitations; "
                    f"echo 0 > {sysctl}/disable_ipv6; ip -6 addr add fd00::{number}/64 dev eth0")
        return guest

    def wait_up(self, name):
        """Wait until a port carries traffic."""
        deadline = time.monotonic() + UP_SECONDS
        while True:
            row = self.daemon.json("port", "show", name)[0]
            if row["state"] == "running":
                return row
            assert time.monotonic() < deadline, f"{name} is not up: {row}"
            time.sleep(0.05)

    def close(self):
        """End everything; the namespaces are last, and take their interfaces along."""
        try:
            return super().close()
        finally:
            self.host.close()
            self.out.close()


def reach(guest, address):
    """Wait until a guest, whose link may just have come up, has an answer from @address."""
    deadline = time.monotonic() + UP_SECONDS
    while guest.run(f"ping -c 1 -W 1 {address}")[0]:
        assert time.monotonic() < deadline, f"{guest.name} does not reach {address}"
        time.sleep(0.1)


def ping(sender, address, count=5, size=56):
    """Pings from a guest or a namespace, of which none is lost."""
    words = f"ping -n -c {count} -i 0.05 -W 5 -p a5 -s {size} {address}"
    output = sender.check(words) if isinstance(sender, Guest) else sender.exec(
        *words.split(), check=False).stdout
    assert f" {count} received" in output and "wrong data" not in output, output
