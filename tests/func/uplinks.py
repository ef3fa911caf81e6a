# SPDX-License-Identifier: BSD-3-Clause
"""Uplinks for the functional tests: wires of each kind with a station outside, an external switch
on one of them, and what must be as it was before when an uplink is gone."""

import ctypes as c
import itertools
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from frames import BROADCAST, KIND, frame, mac, text
from lan import Lan
from netns import Namespace, Station, in_ns, veth
from vmswitchd import BUILD
from vsguest import Guest
from watch import wait_for

FENCES = itertools.count(1)
VMSWITCHD = str(BUILD / "control" / "vmswitchd")


class Veth:
    """xdp:nic0, an interface of the host. The station is at the other end, in a namespace."""

    kind = "xdp"

    def __init__(self, host, _daemon, _rundir, nic="nic0", mtu=1500):
        self.host, self.nic, self.words = host, nic, f"xdp:{nic}"
        self.out = Namespace("out", ipv6=False)
        self.station = None
        veth(host, nic, self.out, "w0", mtu)

    def plug(self, lan):
        """The switch has the uplink: wait until it is up, and be there."""
        lan.wait(lan.uplink, lambda row: row["up"])
        self.unplug()
        self.station = Station(self.out, "w0")

    def unplug(self):
        """No station any more."""
        if self.station:
            self.station.close()
        self.station = None

    def settle(self, lan):
        """The uplink's device was started anew, which the station does not notice."""

    def cut(self):
        """The wire loses its carrier."""
        self.out.ip("link", "set", "w0", "down")

    def mend(self):
        """It has a carrier again; a plug() is due."""
        self.out.ip("link", "set", "w0", "up")

    def close(self):
        """Remove the wire."""
        self.unplug()
        self.host.exec("ip", "link", "del", self.nic, check=False)
        self.out.close()


class Tap:
    """dpdk:net_tap0: DPDK makes an interface, and the station is on it."""

    kind = "tap"
    nic = "vst0"
    words = "dpdk:net_tap0,iface=vst0"

    def __init__(self, host, _daemon, _rundir):
        self.host, self.station = host, None

    def plug(self, lan):
        """The switch has the uplink: wait until it is up, and be there."""
        lan.wait(lan.uplink, lambda row: row["up"])
        self.unplug()
        self.station = Station(self.host, self.nic)

    unplug, settle = Veth.unplug, Veth.settle

    def cut(self):
        """The interface goes down."""
        self.host.ip("link", "set", self.nic, "down")

    def mend(self):
        """It is up again; a plug() is due."""
        self.host.ip("link", "set", self.nic, "up")

    def close(self):
        """The interface went with the uplink."""
        self.unplug()


class Memif:
    """dpdk:net_memif0: shared memory. Its other side is the uplink of a second switch, `far`, on
    which the station is a guest that may use every VLAN."""

    kind = "memif"

    def __init__(self, host, daemon, rundir):
        self.daemon, self.rundir, self.station = daemon, rundir, None
        path = f"socket-abstract=no,socket={rundir}/memif.sock"
        self.words = f"dpdk:net_memif0,id=0,role=server,{path}"
        self.far_words = f"dpdk:net_memif1,id=0,role=client,{path}"

    def plug(self, lan):
        """The switch has the uplink: put the other side there, and wait until both are up."""
        self.unplug()
        self.daemon.check("switch", "add", "far", "type", "external", "uplink", self.far_words)
        self.daemon.check("port", "add", "outside", "switch", "far", "type", "guest", "socket",
                          self.rundir / "outside.sock", "vlan", "trunk", "1-4094")
        self.daemon.check("port", "set", "outside", "storm", 0, "priority", "on")
        self.daemon.check("port", "set", "far.uplink", "priority", "on")
        self.station = Guest(self.rundir / "outside.sock", mac=mac(0xff))
        self.station.start()
        for name in (lan.uplink, "far.uplink", "outside"):
            lan.wait(name, lambda row: row["up"])

    def unplug(self):
        """Nothing at the other side any more."""
        if self.station:
            self.station.close()
            self.daemon.check("switch", "del", "far", "force")
        self.station = None

    def settle(self, lan):
        """The uplink's device was started anew. A client of DPDK connects when it starts, and never
        again: it has to be made anew, too."""
        self.plug(lan)

    def cut(self):
        """The other side goes away."""
        self.unplug()

    def mend(self):
        """A plug() is due, and all that there is to do."""

    def close(self):
        """Remove what is there."""
        if self.daemon.alive():
            self.unplug()


WIRES = {one.kind: one for one in (Veth, Tap, Memif)}


class External(Lan):
    """The external switch `lan` on a wire, with guests."""

    def __init__(self, daemon, rundir, wire, *words, name="lan"):
        self.daemon, self.rundir, self.name, self.wire = daemon, rundir, name, wire
        self.guests = {}
        daemon.check("switch", "add", name, "type", "external", "uplink", wire.words, *words)
        wire.plug(self)

    @property
    def uplink(self):
        """Name of the uplink's port."""
        return f"{self.name}.uplink"

    @property
    def station(self):
        """The station outside."""
        return self.wire.station

    def trio(self):
        """Guests a and b, which may send from any address, and c, which may not."""
        for n, name in enumerate("abc", 0xa):
            words = ("mac", "02:00:00:00:00:0c") if name == "c" else ()
            self.add(name, *words, mac=bytes([2, 0, 0, 0, 0, n]))
        return self

    def settled(self):
        """What the switch had begun with is done: every port was visited again."""
        def rounds():
            return self.daemon.json("worker", "show")[0]["rounds"]

        begin = rounds()
        wait_for(rounds, lambda n: n >= begin + 2)

    def rest(self, *names):
        """What guests have, everything that came before being delivered: a list for each."""
        self.settled()
        return [self.guests[name].recv_all(0.0) for name in names]

    def drops(self, name):
        """{reason: count} of a port, reasons that were never one left out."""
        return {reason: n for reason, n in self.daemon.drops(name).items() if n}


def exchange(sender, frames, *receivers, tag=b""):
    """Send frames, and behind them one to all (with this tag); returns what each receiver got
    before that. What a guest sent has been delivered to everybody when this returns; for others
    there is External.settled()."""
    fence = frame(BROADCAST, sender.mac, 80, seed=f"fence {next(FENCES)}", kind=tag + KIND)
    for one in [*frames, fence]:
        sender.send(one)
    if isinstance(sender, Guest):
        sender.flush(timeout=5.0)
    got = []
    for receiver in receivers:
        got.append([])
        while True:
            one = receiver.recv(5.0)
            assert one is not None, f"the last frame did not come; before it: {got[-1]}"
            if one[-40:] == fence[-40:]:
                break
            got[-1].append(one)
    return got


def at_once(lan, frames):
    """Send frames from the station while the switch does not look."""
    os.kill(lan.daemon.pid, signal.SIGSTOP)
    try:
        for one in frames:
            lan.station.send(one)
    finally:
        os.kill(lan.daemon.pid, signal.SIGCONT)


def meet(lan, *guests):
    """Let the switch learn guests and station; what that brought is taken from the receivers."""
    for one in guests:
        exchange(one, [], lan.station)
    exchange(lan.station, [], *guests)
    addresses = {text(one.mac) for one in (*guests, lan.station)}
    wait_for(lan.fdb, lambda fdb: addresses <= set(fdb))
    drain(lan)


def wait_through(lan, guest):
    """A device that was started anew takes its time: wait until frames leave by it again."""
    probe = frame(BROADCAST, guest.mac, 66, seed="probe")

    def send():
        guest.send(probe)
        return lan.station.recv(0.2)

    wait_for(send, lambda seen: seen == probe)
    exchange(guest, [], lan.station)
    drain(lan)


def drain(lan):
    """Take from everybody what they have."""
    lan.settled()
    for one in [*lan.guests.values(), lan.station]:
        one.recv_all(0.0)


# ---- what is there

def said_by(ns, *words):
    """What a program prints in a namespace, whatever it thinks of it."""
    return ns.exec(*words, check=False).stdout


LOOK = r"""
for name in "$@"; do
    for command in "tc qdisc show dev $name" "tc filter show dev $name ingress" \
            "tc filter show dev $name egress" "ethtool -k $name" "ethtool -l $name"; do
        printf '\n@%s\n' "$command"
        $command 2>&1
    done
done
exit 0
"""


def all_settings(ns, names):
    """{name: everything about an interface that an uplink may change: flags, MTU, promiscuous mode,
    programs, queueing disciplines and filters, offloads, queues}."""
    said = ns.exec("sh", "-c", LOOK, "sh", *names).stdout
    found = {row["ifname"]: {"link": row} for row in ns.ip_json("link", "show")
             if row["ifname"] in names}
    for part in said.split("\n@")[1:]:
        command, _, answer = part.partition("\n")
        words = command.split()
        if words[0] == "tc":
            name, kind = words[4], "qdisc" if words[1] == "qdisc" else words[5]
        else:
            name, kind = words[2], {"-k": "features", "-l": "channels"}[words[1]]
        found[name][kind] = answer
    return found


def settings(ns, ifname):
    """all_settings() of one interface."""
    return all_settings(ns, [ifname])[ifname]


def pin_roots(rundir):
    """Where pins may be: in a bpffs of the run folder, or in the system's."""
    status = os.stat(rundir)
    return (pathlib.Path(rundir, "bpf"),
            pathlib.Path(f"/sys/fs/bpf/vmswitch-{status.st_dev:x}-{status.st_ino:x}"))


def pins(rundir):
    """What is pinned in the kernel's name for a run folder, and mounts in it."""
    mounts = [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()
              if str(rundir) in line]
    return mounts, sorted(str(path) for root in pin_roots(rundir) for path in root.glob("if*/*"))


def traces(ns, daemon):
    """All that a switch may leave: of each interface but the loopback, and in the run folder."""
    files = sorted(path.name for path in pathlib.Path(daemon.rundir).iterdir())
    return {"links": all_settings(ns, sorted(ns.links() - {"lo"})),
            "pins": pins(daemon.rundir), "files": files}


def same_again(look, before, timeout=5.0):
    """Wait until what is seen is what it was."""
    seen = look()
    end = time.monotonic() + timeout
    while seen != before and time.monotonic() < end:
        time.sleep(0.05)
        seen = look()
    assert differing(seen, before) == {}


def differing(seen, before):
    """{path: (is, was)} of what differs in two dictionaries of dictionaries."""
    if not isinstance(seen, dict) or not isinstance(before, dict):
        return {} if seen == before else {"": (seen, before)}
    found = {}
    for key in seen.keys() | before.keys():
        for path, pair in differing(seen.get(key), before.get(key)).items():
            found[f"{key}/{path}"] = pair
    return found


def release(daemon):
    """Run `vmswitchd --release-uplinks`; returns what it said."""
    with in_ns(daemon.ns):
        done = subprocess.run([VMSWITCHD, "--socket", str(daemon.control), "--release-uplinks"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def give_back(wire, host, daemon, before):
    """Take the wire from the switch and remove it; what is left must be as before (traces())."""
    try:
        wire.unplug()
        if not daemon.alive():
            release(daemon)
            daemon.start()
        daemon.clear()
        release(daemon)
        same_again(lambda: traces(host, daemon), before)
    finally:
        wire.close()


def refused(daemon, says, *words):
    """A command is refused, in words that have these in them; returns the message."""
    done = daemon.run(*words)
    assert done.returncode == 1, f"{words}: {done.returncode} {done.stderr}"
    for one in [says] if isinstance(says, str) else says:
        assert one in done.stderr, f"{one!r} is not in: {done.stderr}"
    return done.stderr


# ---- eBPF, as far as the tests look into it

LIBBPF = c.CDLL("libbpf.so.1", use_errno=True)
PASS_ALL = bytes.fromhex("b700000002000000 9500000000000000")     # r0 = XDP_PASS; exit
PROG_TYPE_XDP, FLAG_SKB, FLAG_NATIVE = 6, 1 << 1, 1 << 2


def link_info(daemon, ns, ifname):
    """(id of the pinned link, id of its program) of an uplink."""
    index = ns.link(ifname)["ifindex"]
    found = [path for root in pin_roots(daemon.rundir) for path in root.glob(f"if{index}/link")]
    assert len(found) == 1, found
    fd = LIBBPF.bpf_obj_get(os.fsencode(found[0]))
    assert fd >= 0, os.strerror(c.get_errno())
    info, size = (c.c_uint32 * 64)(), c.c_uint32(256)
    try:
        assert LIBBPF.bpf_obj_get_info_by_fd(fd, c.byref(info), c.byref(size)) == 0
    finally:
        os.close(fd)
    return info[1], info[2]


def program_on(ns, ifname):
    """Id of the XDP program on an interface, or None."""
    return ns.link(ifname).get("xdp", {}).get("prog", {}).get("id")


def put_program(ns, ifname, flags=FLAG_SKB):
    """Attach a program that lets everything pass, as somebody else's; returns its id."""
    fd = LIBBPF.bpf_prog_load(PROG_TYPE_XDP, b"stranger", b"GPL", PASS_ALL, c.c_size_t(2), None)
    assert fd >= 0, os.strerror(-fd)
    index = ns.link(ifname)["ifindex"]
    try:
        with in_ns(ns):
            assert LIBBPF.bpf_xdp_attach(index, fd, flags, None) == 0
    finally:
        os.close(fd)
    return program_on(ns, ifname)


def counters(lan):
    """{name: number} of the uplink's DETAIL in `port show`."""
    pairs = (one.rsplit(" ", 1) for one in lan.port(lan.uplink)["detail"].split(", "))
    return {name: int(value) for name, value in pairs}


def queue_stats(ns, ifname):
    """{name: number} of `ethtool -S`."""
    rows = (line.split(":") for line in said_by(ns, "ethtool", "-S", ifname).splitlines()[1:])
    return {name.strip(): int(value) for name, value in rows}


def stat(ns, ifname, way="rx", what="packets"):
    """A counter of an interface."""
    rows = json.loads(ns.exec("ip", "-j", "-s", "link", "show", ifname).stdout)
    return rows[0]["stats64"][way][what]


# ---- fixtures

# A memif takes a second to come up, and has no code of ours that the tap has not.
@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.once) if kind == "memif" else kind
                        for kind in WIRES])
def wire(request, host, vmswitchd, rundir):
    """A wire of each kind; when the uplink is gone, everything must be as it was."""
    one = WIRES[request.param](host, vmswitchd, rundir)
    before = traces(host, vmswitchd)
    yield one
    try:
        one.unplug()
        vmswitchd.clear()
        same_again(lambda: traces(host, vmswitchd), before)
    finally:
        one.close()


@pytest.fixture
def lan(vmswitchd, rundir, wire):
    """An external switch named lan on the wire, which is its alone; see External."""
    words = ("share-host", "off") if wire.kind == "xdp" else ()
    one = External(vmswitchd, rundir, wire, *words)
    yield one
    one.close()
