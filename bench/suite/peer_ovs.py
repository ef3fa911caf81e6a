# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with DPDK as a peer, with a database and a run folder of its own: a service of the
system is neither used nor disturbed."""

import os
import pathlib
import re
import shutil

from .peers import Peer, eal_memory
from .procs import BenchError, command, tail, wait_until

VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = pathlib.Path("/usr/share/openvswitch/vswitch.ovsschema")
PACKAGE = "openvswitch-switch-dpdk"


class Ovs(Peer):
    """What the variants share. `emc` is the inverse probability of an insertion into the exact
    match cache, `retries` tx-retries-max; None leaves either at its default."""

    package = PACKAGE
    rules_after_restart = False
    hugepages = 512
    max_guests = 64
    emc = retries = None

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
        """Run ovs-vsctl on our database."""
        self.commands.append("ovs-vsctl " + " ".join(map(str, words)))
        return command(["ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--timeout=60", *words],
                       timeout=70, env=self.env)

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
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                   f"other-config:mac-table-size={max(8192, 2 * len(sockets) * self.macs)}")
        for n, socket in enumerate(sockets):
            self.add_port(n, socket)
        self.flow("del-flows", "br0")
        self.rules(len(sockets))

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

    def add_port(self, n, socket):
        """A vhost-user port; its OpenFlow number is n + 1."""
        more = [] if self.retries is None else [f"options:tx-retries-max={self.retries}"]
        more += ["mtu_request=9000"] if self.size == "9000" else []
        self.vsctl("add-port", "br0", f"p{n}", "--", "set", "Interface", f"p{n}",
                   "type=dpdkvhostuserclient", f"options:vhost-server-path={socket}",
                   f"ofport_request={n + 1}", *more)
        error = self.vsctl("get", "Interface", f"p{n}", "error").strip()
        if error not in ("[]", '""'):
            raise BenchError(f"Open vSwitch: {error}: {tail(self.dir / f'{self.name}.log')}")

    def rules(self, guests):
        """The flow table at the start."""
        self.flow("add-flow", "br0", "actions=NORMAL")

    def clear(self):
        self.appctl("dpif-netdev/pmd-stats-clear")

    def counters(self):
        return parse_pmd_stats(self.appctl("dpif-netdev/pmd-stats-show"))


class OvsNormal(Ovs):
    """A learning switch."""

    name, title = "ovs-normal", "Open vSwitch with DPDK, actions=NORMAL: learning"
    learns = True


class OvsMacFlows(Ovs):
    """A rule for each address; they are taken from what NORMAL learnt."""

    name, title = "ovs-mac-flows", "Open vSwitch with DPDK, a rule for each address"

    def settled(self):
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

    def rules(self, guests):
        for n in range(guests):
            self.flow("add-flow", "br0", f"in_port={n + 1},actions=output:{(n ^ 1) + 1}")


class OvsNormalEmc(OvsNormal):
    """NORMAL, and each new flow goes into the exact match cache."""

    name, title = "ovs-normal-emc1", "Open vSwitch with DPDK, NORMAL, emc-insert-inv-prob 1"
    emc = 1


class OvsNormalTso(OvsNormal):
    """NORMAL with TSO, which is off by default and wants a restart."""

    name, title = "ovs-normal-tso", "Open vSwitch with DPDK, NORMAL, userspace-tso-enable"
    tso = aside = True


class OvsNormalNoRetries(OvsNormal):
    """NORMAL without repeated attempts to deliver."""

    name, title = "ovs-normal-retries0", "Open vSwitch with DPDK, NORMAL, tx-retries-max 0"
    retries = 0


class OvsPortToPortBest(OvsPortToPort):
    """Tied ports, exact match cache 1/1, no retries."""

    name = "ovs-port-to-port-best"
    title = "Open vSwitch with DPDK, tied ports, emc-insert-inv-prob 1, tx-retries-max 0"
    emc, retries = 1, 0


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
