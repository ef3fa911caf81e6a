# SPDX-License-Identifier: BSD-3-Clause
"""The switches that are measured: vmswitch and testpmd here, Open vSwitch in peer_ovs.py, the Linux
bridge in peer_linux.py.

A peer is used like this: missing() says why it cannot be used, start(sockets) starts it with a port
for each socket (the generator listens on them, as QEMU does), settled() is called when all guests
are connected and known, counters() reads {"busy_cycles", "frames"} as far as it counts them, stop()
ends it. Every program it starts stands on one CPU.
"""

import json
import os
import pathlib
import re
import select
import shutil
import time

from .nets import INTERFACES, STACKS, WAYS, mac_of
from .procs import BenchError, command, cpu_seconds, tail, wait_until

FDB_MAX = 1 << 20


class Peer:
    """What all peers share. `name` is what reports call it, `title` says how it is set up."""

    name = title = ""
    package = ""
    max_guests = 2
    learns = False
    # Offers TSO; aside: measured on TSO workloads only, except in the full mode.
    tso = aside = False
    hugepages = 0
    # Of the workload: frame size, addresses of each guest, what lies between the stations
    # (nets.py), the namespace for it, whether addresses are entered instead of learnt.
    size, macs, way, net, static = "64", 0, "", None, False
    # What it can do of that; variant: another set-up of a peer, which the full mode measures on
    # the main workloads only.
    ways, enters, variant = frozenset({""}), False, False
    # MTU of the interfaces; between stacks of the host (tcpload.py), whether their offloads are
    # switched off.
    mtu, stacks_off = 1500, False
    # Whether segments are merged for its guests: "on" or "off", "" as it is by default. With a
    # word it takes part in workloads that merge, and in no other.
    merge = ""
    # Who sorts frames from uplinks into queues: "on" (the kernel or the card), "soft" (the switch)
    # or "" (nobody). With a word it takes part in workloads that sort, and in no other.
    sort = ""
    # Where the sockets are, if not in a folder made for the run; further words for the generator.
    sockets, words = "", ()

    def __init__(self, lab):
        self.lab = lab
        self.dir = None
        self.processes = []
        self.commands = []

    def missing(self):
        """Why it cannot be used here, or an empty string."""
        return ""

    def version(self):
        """What its program calls itself."""
        return ""

    def begin(self, folder):
        """A folder for one run."""
        self.dir = pathlib.Path(folder)
        self.processes, self.commands = [], []

    def launch(self, argv, **options):
        """Start one of its programs on the switch's CPU."""
        self.commands.append(" ".join(map(str, argv)))
        if self.net is not None:
            argv, options["own_net"] = [*self.net.words_of_switch, *argv], False
        options.setdefault("cpu", self.lab.switch_cpu)
        process = self.lab.programs.start(argv, self.dir / f"{self.name}.log", **options)
        self.processes.append(process)
        return process

    def start(self, sockets):
        """Start it with a port for each socket."""
        raise NotImplementedError

    def settled(self):
        """All guests are connected, and have sent."""

    def restart(self, sockets):
        """Kill it, and start it with what it had."""
        for process in reversed(self.processes):
            self.lab.programs.kill(process)
        self.processes = []
        self.start(sockets)

    def clear(self):
        """Begin to count anew, where counters cannot be subtracted."""

    def counters(self):
        """{"busy_cycles", "frames"} so far; empty if it does not count."""
        return {}

    def offloads(self):
        """{"checksums", "segments", "merged"} so far; empty if it does not count."""
        return {}

    def cpu_seconds(self):
        """Processor time of all its programs."""
        return sum(cpu_seconds(process) for process in self.processes)

    def stop(self):
        """End it."""
        for process in reversed(self.processes):
            self.lab.programs.stop(process)
        self.processes = []


class VmSwitch(Peer):
    """vmswitchd with one private switch; `build` is a build folder other than the usual one."""

    name, title = "vmswitch", "vmswitchd, private switch, learning"
    max_guests = 384
    learns = True
    tso = True
    ways, enters = frozenset((*WAYS, STACKS)), True
    options = ()
    ports = 0
    home = {}

    def __init__(self, lab, build=None, name=None):
        super().__init__(lab)
        self.build = pathlib.Path(build or lab.build)
        self.name = name or self.name

    def program(self, name):
        """Path of one of our programs."""
        return self.build / "control" / name

    def cpus(self):
        """Processors of the workers."""
        return [self.lab.switch_cpu]

    def missing(self):
        for name in ("vmswitchd", "vmswitch"):
            if not os.access(self.program(name), os.X_OK):
                return f"{self.program(name)} is not built"
        return ""

    def version(self):
        return command([self.program("vmswitchd"), "--version"]).strip()

    def ctl(self, *words, check=True):
        """Run the command vmswitch; returns what it printed."""
        return command([self.program("vmswitch"), *words], check=check,
                       env={"VMSWITCH_SOCKET": str(self.dir / "control.sock")})

    def start(self, sockets):
        log, self.ports = self.dir / f"{self.name}.log", len(sockets)
        before = log.read_text(errors="replace").count("ready: version") if log.exists() else 0
        process = self.launch([self.program("vmswitchd"), "--socket", self.dir / "control.sock",
                               "--cpu", ",".join(map(str, self.cpus())), *self.options],
                              **self.home)
        wait_until(lambda: log.read_text(errors="replace").count("ready: version") > before, 30,
                   f"vmswitchd is not ready: {tail(log)}", process)
        if '"lan"' not in self.ctl("-j", "switch", "show"):
            self.set_up(sockets)

    def set_up(self, sockets):
        """A switch with its ports, where the daemon has not kept them."""
        switches = self.add_switches()
        if self.macs:
            self.ctl("switch", "set", "lan", "fdb-size",
                     min(FDB_MAX, len(sockets) * self.macs + 8192))
        for n, socket in enumerate(sockets):
            self.add_port(f"p{n}", socket, switches[n % len(switches)])
        for name in INTERFACES.get(self.way, ()):
            self.ctl("port", "add", name, "switch", "lan", "type", "host", "mtu", self.mtu)
            # The station has an address of its own, as a container behind the interface has.
            self.ctl("port", "set", name, "mac", "any")
        for n in range(len(sockets) if self.static else 0):
            for number in range(self.macs or 1):
                self.ctl("fdb", "add", mac_of(n, number), "switch", switches[n % len(switches)],
                         "port", f"p{n}")

    def add_switches(self):
        """The switch, or the two on either side of a wire; returns their names."""
        if self.way not in ("memif", "veth"):
            self.ctl("switch", "add", "lan", "type",
                     "internal" if self.way in INTERFACES else "private")
            return ["lan"]
        uplinks = {"lan": "xdp:up0", "far": "xdp:up1"}
        if self.way == "veth":
            self.net.veth("up0", "up1", self.mtu)
        else:
            uplinks = {name: f"dpdk:net_{words}" for name, words in
                       zip(("lan", "far"), memif(self.dir, "socket-abstract=no"))}
        for name, uplink in uplinks.items():
            self.commands.append(f"vmswitch switch add {name} type external uplink {uplink}")
            self.ctl("switch", "add", name, "type", "external", "uplink", uplink, "share-host",
                     "off")
        wait_until(lambda: all(row["up"] for row in json.loads(self.ctl("-j", "port", "show"))
                               if row["type"] == "uplink"), 20, "the uplinks are connected")
        for name in uplinks if self.sort else ():
            self.commands.append(f"vmswitch vmq set {name} {self.sort}")
            self.ctl("vmq", "set", name, self.sort)
        return list(uplinks)

    def sorter(self):
        """(who sorts what comes by the second uplink, why, how many guests have a queue)."""
        rows = json.loads(self.ctl("-j", "vmq", "show", "far"))
        return (rows[0]["engine"], rows[0]["reason"],
                sum(row["queue"] is not None for row in rows[1:]))

    def settled(self):
        """With many addresses: wait until nearly all are known."""
        if not self.macs:
            return
        wanted = 0.99 * self.macs * self.ports
        wait_until(lambda: self.known() >= wanted, 30,
                   f"{wanted:.0f} addresses are to be learnt, {self.known()} are")

    def known(self):
        """Addresses in the table."""
        return sum(row["fdb_used"] for row in json.loads(self.ctl("-j", "switch", "show")))

    def add_port(self, name, socket, switch="lan"):
        """A port on the switch."""
        self.ctl("port", "add", name, "switch", switch, "type", "guest", "socket", socket)
        if self.macs:
            self.ctl("port", "set", name, "max-macs", self.macs + 1024)
        if self.merge:
            self.commands.append(f"vmswitch port set {name} offload gro {self.merge}")
            self.ctl("port", "set", name, "offload", "gro", self.merge)

    def counters(self):
        try:
            rows = json.loads(self.ctl("-j", "worker", "show", check=False))
            return {"busy_cycles": sum(int(row["busy_cycles"]) for row in rows),
                    "frames": sum(int(row["frames"]) for row in rows)}
        except (ValueError, KeyError, TypeError):
            return {}


    def offloads(self):
        try:
            rows = json.loads(self.ctl("-j", "offload", "show", check=False))
            return {name: sum(int(row[name]) for row in rows)
                    for name in ("checksums", "segments", "merged")}
        except (ValueError, KeyError, TypeError):
            return {}


class VmSwitchAwake(VmSwitch):
    """The same without naps: the worker never sleeps."""

    name, title = "vmswitch-nap0", "vmswitchd --nap 0: the worker never sleeps"
    options = ("--nap", "0")
    variant = True


class VmSwitchTwo(VmSwitch):
    """Two workers on both processors: the generator shares its own with one of them."""

    name, title = "vmswitch-two", "vmswitchd, two workers, one on the generator's processor"
    ways, variant = frozenset({""}), True
    home = {"cpu": None}

    def cpus(self):
        return [self.lab.switch_cpu, self.lab.generator_cpu]


class VmSwitchTwoOnOne(VmSwitch):
    """Two workers that have to wait for each other's turns on one processor."""

    name, title = "vmswitch-two-on-one", "vmswitchd, two workers on the switch's processor"
    ways, variant = frozenset({""}), True

    def cpus(self):
        return [self.lab.switch_cpu] * 2


class VmSwitchPlain(VmSwitch):
    """The same between stacks of the host that leave nothing to the switch."""

    name, title = "vmswitch-plain", "vmswitchd, `ethtool -K` takes the interfaces' offloads away"
    ways = frozenset({STACKS})
    stacks_off = True


class VmSwitchMerging(VmSwitch):
    """The same, and it merges what comes from a wire."""

    name, title = "vmswitch-gro", "vmswitchd, `port set NAME offload gro on`"
    merge = "on"


class VmSwitchApart(VmSwitch):
    """The same, and it merges nothing."""

    name, title = "vmswitch-gro-off", "vmswitchd, `port set NAME offload gro off`"
    merge = "off"


class VmSwitchQueues(VmSwitch):
    """The same, and the kernel sorts what comes by an uplink into queues of guests."""

    name, title = "vmswitch-vmq", "vmswitchd, `vmq set SWITCH on`"
    sort = "on"


class VmSwitchSoftQueues(VmSwitch):
    """The same, and it sorts by itself."""

    name, title = "vmswitch-vmq-soft", "vmswitchd, `vmq set SWITCH soft`"
    sort = "soft"


def memif(folder, *more):
    """Both ends of a wire of shared memory, without "net_"."""
    more = "".join(f",{word}" for word in more)
    return [f"memif{n},id=0,role={role},socket={folder}/memif.sock{more}"
            for n, role in enumerate(("server", "client"))]


def eal(lab, prefix, megabytes):
    """EAL's arguments that all DPDK peers share: no device of the machine is touched."""
    words = ["--no-pci", "--file-prefix", prefix, "-m", str(megabytes)]
    return [*words, *eal_memory(lab)]


def eal_memory(lab):
    """EAL's arguments for memory: nothing of it is left in the file system."""
    return ["--in-memory"] if lab.hugepages else ["--no-huge", "--no-shconf"]


class Testpmd(Peer):
    """Two vhost ports tied together: the cost of two copies, without switching."""

    name, title = "testpmd", "testpmd, two vhost ports, io mode: forwards without switching"
    package = "dpdk"
    options = ()
    hugepages = 256
    PROMPT = b"testpmd> "
    vdev_more = ""
    ways = frozenset(WAYS)

    def missing(self):
        return "" if shutil.which("dpdk-testpmd") else "package dpdk is not installed"

    def version(self):
        return command(["dpkg-query", "-W", "-f", "${Version}", "dpdk"], check=False).strip()

    def start(self, sockets):
        # It writes answers through stdio, which holds them back on a pipe, and prompts past it.
        cpu, argv = self.lab.switch_cpu, ["stdbuf", "-oL", "dpdk-testpmd"]
        argv += ["--lcores", f"0@{cpu},1@{cpu}", *eal(self.lab, f"vsb{os.getpid()}", 512)]
        for device in self.devices(sockets):
            argv += ["--vdev", f"net_{device}"]
        argv += ["--", "-i", "--nb-cores=1", "--forward-mode=io", "--txd=1024", "--rxd=1024",
                 "--total-num-mbufs=65536", "--record-core-cycles", *self.options]
        process = self.launch(argv, pipes=True, own_net=True)
        os.set_blocking(process.stdout.fileno(), False)
        self.talk(None, 30)
        self.talk("start")

    def devices(self, sockets):
        """Its ports, without "net_"; the first is tied to the second, the third to the fourth."""
        guests = [f"vhost{n},iface={socket},client=1,queues=1{self.vdev_more}"
                  for n, socket in enumerate(sockets)]
        if self.way == "memif":
            return [guests[0], *memif(self.dir), guests[1]]
        if self.way == "veth":
            self.net.veth("up0", "up1")
            return [guests[0], "af_xdp0,iface=up0", "af_xdp1,iface=up1", guests[1]]
        return [*guests, *(f"tap{n},iface={name}" for n, name in
                           enumerate(INTERFACES.get(self.way, ())))]

    def talk(self, line, timeout=10):
        """Give testpmd a command; returns what it printed until its next prompt."""
        process, deadline = self.processes[0], time.monotonic() + timeout
        if line is not None:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        data = b""
        while self.PROMPT not in data:
            left = deadline - time.monotonic()
            if left <= 0 or process.poll() is not None:
                raise BenchError(f"testpmd does not answer '{line}': {data[-300:]!r} "
                                 f"{tail(self.dir / 'testpmd.log')}")
            if select.select([process.stdout], [], [], min(left, 0.5))[0]:
                data += os.read(process.stdout.fileno(), 1 << 16)
        return data.decode(errors="replace")

    def clear(self):
        self.talk("clear fwd stats all")

    def counters(self):
        return parse_testpmd(self.talk("show fwd stats all"))

    def stop(self):
        if self.processes and self.processes[0].poll() is None:
            try:
                self.processes[0].stdin.write(b"stop\nquit\n")
                self.processes[0].stdin.flush()
                wait_until(lambda: self.processes[0].poll() is not None, 5, "testpmd ends")
            except (OSError, BenchError):
                pass
        super().stop()


class TestpmdTso(Testpmd):
    """The same with offloads, which it hands on as they come."""

    name, title = "testpmd-tso", "testpmd, two vhost ports with TSO, io mode"
    vdev_more = ",tso=1,legacy-ol-flags=1"
    tso = aside = variant = True
    ways = frozenset({""})


class TestpmdBest(Testpmd):
    """Bursts of 64: its fastest way here."""

    name, title = "testpmd-best", "testpmd, two vhost ports, io mode, bursts of 64"
    options = ("--burst=64",)
    variant = True
    ways = frozenset({""})


def parse_testpmd(text):
    """Busy cycles and packets from `show fwd stats all` with --record-core-cycles."""
    found = re.search(r"total cycles=(\d+) / total \w+ packets=(\d+)", text)
    if found is None:
        return {}
    return {"busy_cycles": int(found.group(1)), "frames": int(found.group(2))}
