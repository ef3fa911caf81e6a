# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch as an oracle: its own forwarding in user space, with a database and a run folder of
its own, in a namespace. A service of the system is neither used nor disturbed."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from child import die_with_parent
from frames import BROADCAST, mac
from netns import Namespace, Station, in_ns, veth
from watch import wait_for

SCHEMA = pathlib.Path("/usr/share/openvswitch/vswitch.ovsschema")
END_TYPE = b"\x88\xb6"      # frames of this type go to all ports, whatever their VLANs
END = BROADCAST + mac(0xffff) + END_TYPE + bytes(46)
MISSING = [name for name in ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-ofctl")
           if shutil.which(name) is None]


class Ovs:
    """A bridge; its ports are veth pairs, on whose other ends stations of ours send and receive."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vso-", dir="/tmp"))
        self.env = {**os.environ, **{name: str(self.dir) for name in (
            "OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}}
        self.ns = Namespace("ovs", ipv6=False)
        self.processes, self.stations = [], {}

    def start(self):
        """Start its daemons and make the bridge."""
        database, control = self.dir / "db.sock", self.dir / "vs.ctl"
        self.run("ovsdb-tool", "create", self.dir / "conf.db", SCHEMA)
        self.launch("ovsdb-server", self.dir / "conf.db", f"--remote=punix:{database}",
                    f"--unixctl={self.dir}/db.ctl")
        wait_for(database.exists, bool)
        self.vsctl("--no-wait", "init")
        self.launch("ovs-vswitchd", f"unix:{database}", f"--unixctl={control}",
                    f"--log-file={self.dir}/vs.log")
        wait_for(control.exists, bool, 30)
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        self.run("ovs-ofctl", "add-flow", "br0",
                 f"priority=100,dl_type=0x{END_TYPE.hex()},actions=flood")

    def run(self, *words):
        """Run one of its tools, which must succeed."""
        done = subprocess.run([str(word) for word in words], env=self.env, capture_output=True,
                              text=True, timeout=60)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def launch(self, *words):
        """Start a daemon in the namespace."""
        with in_ns(self.ns), open(self.dir / "output", "a") as output:
            self.processes.append(subprocess.Popen(
                [str(word) for word in words], env=self.env, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, preexec_fn=die_with_parent))

    def vsctl(self, *words):
        """Run ovs-vsctl on our database."""
        return self.run("ovs-vsctl", f"--db=unix:{self.dir}/db.sock", "--timeout=30", *words)

    def add(self, name, one):
        """A port with a vlans.Mode."""
        if not one.trunk:
            words = ["vlan_mode=access", f"tag={one.own}"]
        else:
            own = [0] if not one.own else []
            words = ["trunks=" + ",".join(map(str, own + sorted(one.listed)))]
            words += ["vlan_mode=native-untagged", f"tag={one.own}"] if one.own else [
                "vlan_mode=trunk"]
        veth(self.ns, name, self.ns, f"{name}.s")
        self.vsctl("add-port", "br0", name, "--", "set", "port", name, *words)
        self.stations[name] = Station(self.ns, f"{name}.s")

    def cross(self, sender, frames, *receivers):
        """As frames.cross(), but in any order: within a batch it sorts frames by flow. Behind the
        batch of the first END, which reaches everybody, comes that of the second."""
        got = {name: [] for name in receivers}
        for batch in (frames, []):
            for one in [*batch, END]:
                self.stations[sender].send(one)
            for name in set(receivers) - {sender}:
                got[name] += self.read(name)
        return [sorted(got[name]) for name in receivers]

    def read(self, name):
        """Frames of a port up to the last one."""
        frames = []
        while (one := self.stations[name].recv(10.0)) != END:
            assert one is not None, f"{name}: Open vSwitch delivers nothing more"
            frames.append(one)
        return frames

    def close(self):
        """End it."""
        for station in self.stations.values():
            station.close()
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)
        self.ns.close()
        shutil.rmtree(self.dir, ignore_errors=True)
