# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK as a peer, with a database and a run folder of its own: a service of the
system is neither used nor disturbed."""

import json
import os
import pathlib
import re
import shutil
import socket

from .nets import INTERFACES, STACKS, WAYS, mac_of
from .peers import Peer, eal_memory, memif
from .procs import BenchError, command, tail, wait_until

VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = pathlib.Path("/usr/share/openvswitch/vswitch.ovsschema")
PACKAGE = "openvswitch-switch-dpdk"
# OpenFlow number of an uplink.
UPLINK = 10
ANSWER_SECONDS = 10
# It makes a transmit queue for each of its threads, two here; net_tap and net_memif want as many to
# receive.
QUEUES = "options:n_rxq=2"


class Ovs(Peer):
    """What the variants share. `emc` is the inverse probability of an insertion into the exact
    match cache, `retries` tx-retries-max; None leaves either at its default."""

    package = PACKAGE
    rules_after_restart = False
    hugepages = 512
    max_guests = 64
    emc = retries = None
    # Host ports are interfaces of Open vSwitch's own, or DPDK's.
    host_port = "type=internal"

    def missing(self):
        if os.geteuid() != 0:
            return "Open vSwitch with DPDK is run as root only"
        if not os.path.exists(VSWITCHD) or not SCHEMA.exists():
            return f"package {PACKAGE} is not installed"
        if shutil.which("ovsdb-server") is None:
            return "package openvswitch-switch is not installed"
        return ""

    def version(self):
        return command([VSWITCHD, "--version"]).splitlines()[0]

    @property
    def env(self):
        """Where the tools of Open vSwitch find this instance."""
        return {name: str(self.dir) for name in
                ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}

    def vsctl(self, *words):
        """Run ovs-vsctl on our database, whose socket may be there before it listens."""
        self.commands.append("ovs-vsctl " + " ".join(map(str, words)))
        return command(["ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--retry", "--timeout=60",
                        *words], timeout=70, env=self.env)

    def appctl(self, *words):
        """Run ovs-appctl on our switch."""
        return command(["ovs-appctl", "--timeout=10", "-t", self.dir / "vs.ctl", *words],
                       env=self.env)

    def flow(self, *words, check=True):
        """Run ovs-ofctl on our bridge."""
        if check:
            self.commands.append("ovs-ofctl " + " ".join(map(str, words)))
        return command(["ovs-ofctl", "--timeout=10", *words], env=self.env, check=check)

    def start(self, sockets):
        command(["ovsdb-tool", "create", self.dir / "conf.db", SCHEMA])
        base = self.launch(["ovsdb-server", self.dir / "conf.db",
                            f"--remote=punix:{self.dir}/db.sock",
                            f"--unixctl={self.dir}/db.ctl"], env=self.env)
        wait_until((self.dir / "db.sock").exists, 10, "ovsdb-server starts", base)
        self.configure()
        self.start_switch()
        for bridge in self.bridges:
            self.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev",
                       f"other-config:mac-table-size={max(8192, 2 * len(sockets) * self.macs)}")
        for n, path in enumerate(sockets):
            self.add_port(n, path, self.bridges[n % len(self.bridges)])
        self.add_others()
        for bridge in self.bridges:
            self.flow("del-flows", bridge)
        self.rules(len(sockets))

    @property
    def bridges(self):
        """The bridge, or the two on either side of a wire."""
        return ["br0", "br1"] if self.way in ("memif", "veth") else ["br0"]

    def add_others(self):
        """Ports that are no guests. OpenFlow numbers: that of the station + 1 for host ports, 10
        for uplinks."""
        for name in INTERFACES.get(self.way, ()):
            words = self.host_port.format(name=name, n=name[-1])
            self.add_interface("br0", name, int(name[-1]) + 1, *words.split())
            self.net.ip("link", "set", name, "up")
        if self.way == "veth":
            self.net.veth("up0", "up1")
            devices = ["af_xdp0,iface=up0", "af_xdp1,iface=up1"]
        else:
            devices = memif(self.dir)
        if self.way in ("memif", "veth"):
            for n, device in enumerate(devices):
                self.add_interface(f"br{n}", f"up{n}", UPLINK, "type=dpdk",
                                   f"options:dpdk-devargs=net_{device}", QUEUES)

    def start_switch(self):
        """ovs-vswitchd, with what the database says."""
        control = self.dir / "vs.ctl"
        control.unlink(missing_ok=True)
        switch = self.launch([VSWITCHD, f"unix:{self.dir}/db.sock", f"--unixctl={control}"],
                             own_net=True, env=self.env)
        wait_until(control.exists, 30, "ovs-vswitchd starts", switch)

    def restart(self, sockets):
        """Kill the switch alone: the database keeps ports, and flows are made again. A bridge
        without flows is a learning switch meanwhile."""
        self.lab.programs.kill(self.processes.pop())
        self.start_switch()
        if self.rules_after_restart:
            wait_until(lambda: "actions" in self.flow("dump-flows", "br0", check=False), 30,
                       "the bridge is there again")
            self.rules(len(sockets))

    def configure(self):
        """Settings that hold before the switch starts."""
        cpu = self.lab.switch_cpu
        extra = " ".join(["--no-pci", "--file-prefix", f"vsb{os.getpid()}",
                          *eal_memory(self.lab)])
        if not self.lab.hugepages:
            # Else it adds --in-memory by itself, which EAL refuses here.
            extra += " --legacy-mem"
        words = ["dpdk-init=true", f"pmd-cpu-mask={1 << cpu:#x}",
                 f"dpdk-lcore-mask={1 << cpu:#x}"]
        words += ["dpdk-socket-mem=1024"] if self.lab.hugepages else ["dpdk-alloc-mem=1024"]
        if self.tso:
            words.append("userspace-tso-enable=true")
        if self.emc is not None:
            words.append(f"emc-insert-inv-prob={self.emc}")
        words.append(f'dpdk-extra="{extra}"')
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                   *(f"other_config:{word}" for word in words))

    def add_port(self, n, path, bridge="br0"):
        """A vhost-user port; its OpenFlow number is n + 1."""
        more = [] if self.retries is None else [f"options:tx-retries-max={self.retries}"]
        more += ["mtu_request=9000"] if self.size == "9000" else []
        self.add_interface(bridge, f"p{n}", n + 1, "type=dpdkvhostuserclient",
                           f"options:vhost-server-path={path}", *more)

    def add_interface(self, bridge, name, number, *words):
        """Any port, with what its interface is set to."""
        self.vsctl("add-port", bridge, name, "--", "set", "Interface", name, *words,
                   f"ofport_request={number}")
        error = self.vsctl("get", "Interface", name, "error").strip()
        if error not in ("[]", '""'):
            raise BenchError(f"Open vSwitch: {error}: {tail(self.dir / f'{self.name}.log')}")

    def rules(self, guests):
        """The flow table at the start."""
        for bridge in self.bridges:
            self.flow("add-flow", bridge, "actions=NORMAL")

    def clear(self):
        self.appctl("dpif-netdev/pmd-stats-clear")

    def counters(self):
        # Its main thread serves interfaces, and counts no cycles.
        if self.way in INTERFACES and self.host_port == Ovs.host_port:
            return {}
        return parse_pmd_stats(self.appctl("dpif-netdev/pmd-stats-show"))


class OvsNormal(Ovs):
    """A learning switch."""

    name, title = "ovs-normal", "Open vSwitch with DPDK, actions=NORMAL: learning"
    learns = True
    ways, enters = frozenset(WAYS), True

    def rules(self, guests):
        super().rules(guests)
        if self.static:
            self.enter([("br0", f"p{n}", "0", mac_of(n, number))
                        for n in range(guests) for number in range(self.macs or 1)])

    def enter(self, rows):
        """`ovs-appctl fdb/add` for each row. The requests are JSON-RPC; a process for each of
        thousands would take minutes."""
        self.commands.append("ovs-appctl fdb/add " + " ".join(rows[0]))
        data, decoder = "", json.JSONDecoder()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(ANSWER_SECONDS)
            sock.connect(str(self.dir / "vs.ctl"))
            for number, row in enumerate(rows):
                sock.sendall(json.dumps({"id": number, "method": "fdb/add",
                                         "params": row}).encode())
                while not data.endswith("}"):
                    piece = sock.recv(65536).decode()
                    if not piece:
                        raise BenchError("ovs-vswitchd hung up during fdb/add")
                    data += piece
                answer, data = decoder.decode(data), ""
                if answer.get("error"):
                    raise BenchError(f"fdb/add {' '.join(row)}: {answer['error']}")
        if not {row[3] for row in rows} <= set(parse_fdb(self.appctl("fdb/show", "br0"))):
            raise BenchError("Open vSwitch does not show the addresses that were entered")


class OvsHostTap(OvsNormal):
    """NORMAL, with host ports that its polling thread serves."""

    name = "ovs-normal-tap"
    title = "Open vSwitch with DPDK, NORMAL, host ports by DPDK's net_tap"
    ways, enters = frozenset(INTERFACES) - {STACKS}, False
    host_port = "type=dpdk options:dpdk-devargs=net_tap{n},iface={name} " + QUEUES


class OvsMacFlows(Ovs):
    """A rule for each address; they are taken from what NORMAL learnt."""

    name, title = "ovs-mac-flows", "Open vSwitch with DPDK, a rule for each address"
    enters = True

    def rules(self, guests):
        if not self.static:
            super().rules(guests)
            return
        table = self.dir / "flows"
        table.write_text("".join(
            f"priority=100,dl_dst={mac_of(n, number)},actions=output:{n + 1}\n"
            for n in range(guests) for number in range(self.macs or 1)))
        self.flow("add-flows", "br0", table)

    def settled(self):
        if self.static:
            return
        ports = parse_ports(self.flow("show", "br0"))
        for mac, number in parse_fdb(self.appctl("fdb/show", "br0")).items():
            if number in ports:
                self.flow("add-flow", "br0",
                          f"priority=100,dl_dst={mac},actions=output:{number}")
        if "dl_dst" not in self.flow("dump-flows", "br0"):
            raise BenchError("Open vSwitch has learnt no address to make rules from")
        self.flow("--strict", "del-flows", "br0", "priority=32768")


class OvsPortToPort(Ovs):
    """Pairs of ports tied together: its fastest way."""

    name, title = "ovs-port-to-port", "Open vSwitch with DPDK, pairs of ports tied together"
    rules_after_restart = True
    ways = frozenset({"", "memif"})

    def rules(self, guests):
        for n in range(guests):
            if self.way == "memif":
                self.tie(f"br{n}", n + 1, UPLINK)
                self.tie(f"br{n}", UPLINK, n + 1)
            else:
                self.tie("br0", n + 1, (n ^ 1) + 1)

    def tie(self, bridge, one, other):
        """What comes in here goes out there."""
        self.flow("add-flow", bridge, f"in_port={one},actions=output:{other}")


class OvsNormalEmc(OvsNormal):
    """NORMAL, and each new flow goes into the exact match cache."""

    name, title = "ovs-normal-emc1", "Open vSwitch with DPDK, NORMAL, emc-insert-inv-prob 1"
    emc = 1
    ways, enters, variant = frozenset({""}), False, True


class OvsNormalTso(OvsNormal):
    """NORMAL with TSO, which is off by default and wants a restart."""

    name, title = "ovs-normal-tso", "Open vSwitch with DPDK, NORMAL, userspace-tso-enable"
    tso = aside = variant = True
    ways, enters = frozenset({"", STACKS}), False


class OvsNormalNoRetries(OvsNormal):
    """NORMAL without repeated attempts to deliver."""

    name, title = "ovs-normal-retries0", "Open vSwitch with DPDK, NORMAL, tx-retries-max 0"
    retries = 0
    ways, enters, variant = frozenset({""}), False, True


class OvsPortToPortBest(OvsPortToPort):
    """Tied ports, exact match cache 1/1, no retries."""

    name = "ovs-port-to-port-best"
    title = "Open vSwitch with DPDK, tied ports, emc-insert-inv-prob 1, tx-retries-max 0"
    emc, retries = 1, 0
    ways, variant = frozenset({""}), True


def parse_pmd_stats(text):
    """Busy cycles and packets of all polling threads from pmd-stats-show."""
    busy = frames = 0
    for block in re.split(r"(?m)^(?=\S.*:$)", text):
        if not block.startswith("pmd thread"):
            continue
        cycles = re.search(r"processing cycles:\s*(\d+)", block)
        packets = re.search(r"packets received:\s*(\d+)", block)
        busy += int(cycles.group(1)) if cycles else 0
        frames += int(packets.group(1)) if packets else 0
    return {"busy_cycles": busy, "frames": frames} if frames else {}


def parse_fdb(text):
    """{address: OpenFlow port} from fdb/show."""
    return {mac: int(port) for port, mac in
            re.findall(r"(?m)^\s*(\d+)\s+\d+\s+((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\s", text)}


def parse_ports(text):
    """OpenFlow ports of our guests from ovs-ofctl show."""
    return {int(number) for number in re.findall(r"(?m)^\s*(\d+)\(p\d+\):", text)}
