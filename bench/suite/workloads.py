# SPDX-License-Identifier: BSD-3-Clause
"""The workloads by name, the features that some wait for, and what each mode runs.

Who brings a feature adds its name to PRESENT, or a workload that uses it; until then a report lists
the workload as absent.
"""

import dataclasses

from .nets import INTERFACES, STACKS

# Features of the switch that workloads may need.
PRESENT = frozenset({"TSO"})

# A switch of ours learns 1000 new addresses of a port a second, and no more.
LEARN_RATE = 900

# A look at every byte of a frame now and then; it costs the generator next to nothing.
SAMPLE = ("--check", "256")

# Frames in flight of a closed loop, over all flows: fits a ring of 1024 whoever sends to whom.
# Where a frame takes several buffers, or rings are shorter, a workload says less.
IN_FLIGHT = 1024
# A TAP interface queues 500 frames for the switch, a veth with an XDP program 256.
IN_FLIGHT_TAP = 512
IN_FLIGHT_VETH = 256
RATES_MPPS = (0.5, 1, 2, 4, 6, 8, 10, 12, 16)
SCALE = (2, 4, 8, 16, 32, 64)
SCALE_FULL = (128, 256, 384)
# As many queue pairs as there can be, of guests that have several.
SHAPES = ((256, 2), (128, 4))
# Guests that an uplink's frames are sorted for, and what comes to them.
SORTED = (1, 2, 4, 8, 32)
SORTED_SIZES = (("64", "64 bytes"), ("1514", "1514 bytes"), ("9000", "9000 bytes"),
                ("stream", "a TCP stream of 1514-byte segments"))


@dataclasses.dataclass(frozen=True)
class Workload:
    """One workload. `kind` names what is done (see kinds.py), `options` are further words for
    vsgen, `peers` says who takes part: "all" or "vmswitch". `x` is its place on the axis of the
    chart `group`, if it is one point of a line. A workload that `needs` a feature of ours waits
    for it; with `waits` "vmswitch" only we wait, and the peers are measured. `learn_rate` is how
    many addresses each guest shows the switch a second, 0: as fast as it goes. `way` is what lies
    between the stations (nets.py); with `static` their addresses are entered, not learnt.
    `queue_pairs` is what each guest has, `mtu` that of interfaces between stacks or switches. A
    queue pair has `streams` flows, whose frames go `turn` at a time. `whole` says that the switch
    has nothing to compute or cut, `merges` that the receiver takes merged segments, `sorts` that
    the uplink's frames are for guests that may have queues."""

    name: str
    text: str
    kind: str = "closed"
    size: str = "64"
    guests: int = 2
    flow: str = "pairs"
    options: tuple = ()
    peers: str = "all"
    needs: str = ""
    waits: str = "all"
    group: str = ""
    x: float = None
    macs: int = 0
    learn_rate: int = 0
    quiet: int = 0
    in_flight: int = IN_FLIGHT
    way: str = ""
    static: bool = False
    queue_pairs: int = 1
    mtu: int = 1500
    streams: int = 1
    turn: int = 32
    whole: bool = False
    merges: bool = False
    sorts: bool = False

    def interfaces(self):
        """Stations that are interfaces; they have the last numbers."""
        return INTERFACES.get(self.way, ())

    def vms(self):
        """Stations that are guests."""
        return self.guests - len(self.interfaces())

    def ceiling(self):
        """Which of the generator's ceilings is taken for it."""
        return self.size + (" wire" if self.interfaces() else "")

    def has_tso(self):
        """Whether those who have TSO show it."""
        return self.size == "tso" or self.kind == "tcp"

    def flows(self):
        """Pairs of a sender and a receiver, for each of its queue pairs."""
        talking = self.guests - self.quiet
        each = self.queue_pairs * self.streams
        if self.flow != "pairs":
            return (talking - 1) * each
        return (talking // 2 if "--one-way" in self.options else talking) * each

    def window(self):
        """Frames that each flow has in flight."""
        return max(4, min(512, self.in_flight // self.flows()))

    def words(self):
        """The part of vsgen's command line that this workload decides."""
        words = ["--guests", str(self.vms()), "--flow", self.flow, "--size", self.size]
        for name in self.interfaces():
            words += ["--interface", name]
        if self.macs:
            words += ["--macs", str(self.macs)]
        if self.quiet:
            words += ["--quiet-guests", str(self.quiet)]
        if self.streams > 1:
            words += ["--streams", str(self.streams)]
        if self.turn != 32:
            words += ["--turn", str(self.turn)]
        if self.queue_pairs > 1:
            words += ["--pairs", str(self.queue_pairs)]
        return [*words, *self.options]


def _pairs():
    yield Workload("pair-64", "two guests, both ways, 64 bytes")
    yield Workload("pair-1514", "two guests, both ways, 1514 bytes", size="1514")
    yield Workload("pair-tso", "two guests, TSO frames of 65,226 bytes", size="tso", needs="TSO",
                   waits="vmswitch", in_flight=64, options=SAMPLE, whole=True)
    yield Workload("pair-tso-header", "the same; the guests look at headers only", size="tso",
                   needs="TSO", waits="vmswitch", in_flight=64, whole=True,
                   options=(*SAMPLE, "--touch", "header"))
    yield Workload("pair-imix", "two guests, IMIX", size="imix")
    yield Workload("pair-9000", "two guests, 9000 bytes", size="9000", in_flight=160)
    yield Workload("oneway-64", "one guest to another, 64 bytes", options=("--one-way",))
    yield Workload("pair-64-header", "64 bytes; the guests look at headers only",
                   options=("--touch", "header"))
    yield Workload("pair-1514-untouched", "1514 bytes; the guests do not look at the frames",
                   size="1514", options=("--touch", "none"))
    yield Workload("pair-64-netkvm", "64 bytes, as the Windows driver", options=("--profile",
                                                                               "netkvm"))
    yield Workload("pair-64-legacy", "64 bytes, as a legacy driver", options=("--profile",
                                                                            "legacy"),
                   in_flight=256)
    yield Workload("pair-1514-split", "1514 bytes, no mergeable buffers, no indirect descriptors",
                   size="1514", options=("--no-mergeable", "--no-indirect"))
    yield Workload("pair-64-noevent", "64 bytes, no event index", options=("--no-event-idx",))
    yield Workload("macs-1k", "two guests with 1000 addresses each", macs=1000)
    yield Workload("macs-100k", "8 guests with 12,500 addresses each, all learnt", guests=8,
                   macs=12500, learn_rate=LEARN_RATE)
    yield Workload("macs-1m", "64 guests with 15,600 addresses each, all learnt", guests=64,
                   macs=15600, learn_rate=LEARN_RATE, peers="vmswitch")
    yield Workload("quiet-62", "a pair, and 62 guests that are quiet", guests=64, quiet=62,
                   peers="vmswitch", kind="fair")
    yield Workload("quiet-382", "a pair, and 382 guests that are quiet", guests=384, quiet=382,
                   peers="vmswitch")


def _many():
    for n in (*SCALE, *SCALE_FULL):
        yield Workload(f"scale-{n}", f"{n} guests in pairs, 64 bytes", guests=n, peers="vmswitch",
                       group="scale", x=n)
    for n, pairs in SHAPES:
        yield Workload(f"scale-{n}x{pairs}", f"{n} guests in pairs, {pairs} queue pairs each, 64 "
                       "bytes", guests=n, peers="vmswitch", kind="fair",
                       queue_pairs=pairs)
    yield Workload("all-to-one-8", "seven guests send to one, 64 bytes", guests=8,
                   flow="all-to-one", peers="vmswitch", kind="fair")
    yield Workload("one-to-all-8", "one guest sends to seven, 64 bytes", guests=8,
                   flow="one-to-all", peers="vmswitch", kind="fair")


def _others():
    yield Workload("loss-64", "64 bytes at fixed offered rates", kind="loss")
    yield Workload("latency-64", "64 bytes at half of what loss-64 found to go through without "
                   "loss; without it, half the median of pair-64", kind="latency")
    yield Workload("crosscheck-64", "frames counted by generator and switch", kind="crosscheck")
    yield Workload("idle", "two guests, no traffic", kind="idle")
    yield Workload("reconfig-64", "ports come and go, addresses are forgotten, at half rate",
                   kind="reconfig", peers="vmswitch")
    yield Workload("restart-64", "the switch is killed and started again, at half rate",
                   kind="restart")
    yield Workload("vm-2", "two QEMU guests, iperf3", kind="vm", guests=2, peers="vmswitch")
    yield Workload("vm-4", "four QEMU guests, iperf3 in pairs", kind="vm", guests=4,
                   peers="vmswitch")


def _ways():
    for size in ("64", "1514"):
        yield Workload(f"host-{size}", f"a guest and the host on a host port, both ways, {size} "
                       "bytes", size=size, way="host", in_flight=IN_FLIGHT_TAP)
    yield Workload("host-bridge", "host to host through two host ports, 64 bytes, beside the Linux "
                   "bridge", way="hosts", in_flight=IN_FLIGHT_TAP)
    for size in ("64", "1514"):
        yield Workload(f"uplink-{size}", f"guest, uplink, uplink, guest: two switches in one "
                       f"program, shared memory (memif) between them, {size} bytes", size=size,
                       way="memif")
    yield Workload("uplink-xdp-64", "the same over AF_XDP on a veth pair", way="veth",
                   in_flight=IN_FLIGHT_VETH)
    yield Workload("static-64", "two guests, 64 bytes, addresses entered beforehand", static=True)
    yield Workload("static-1k", "two guests with 1000 addresses each, entered beforehand",
                   static=True, macs=1000)


def _streams():
    for n, turn, text in (
            (1, 32, "one TCP stream"), (8, 32, "8 TCP streams, 32 segments of one at a time"),
            (64, 1, "64 TCP streams, one segment of each at a time: nothing to merge")):
        yield Workload(f"stream-{n}", f"{text}, from an uplink (memif) to a guest that takes large "
                       "frames", size="stream", way="memif", streams=n, turn=turn, merges=True,
                       options=("--one-way", *SAMPLE))
    yield Workload("stream-xdp", "one TCP stream, from an uplink (AF_XDP on a veth pair) to a "
                   "guest that takes large frames", size="stream", way="veth", merges=True,
                   in_flight=IN_FLIGHT_VETH, options=("--one-way", *SAMPLE))
    yield Workload("stream-udp", "64 bytes of UDP, from an uplink (memif) to a guest that takes "
                   "large frames: nothing to merge", way="memif", merges=True,
                   options=("--one-way", "--take-tso"))
    yield Workload("vm-stream", "TCP of the host, over a veth pair and AF_XDP, to a QEMU guest",
                   kind="vm", guests=1, peers="vmswitch", merges=True)


def _stacks():
    yield Workload("tcp-host", "TCP between two namespaces on two host ports, MTU 1500, by iperf3",
                   kind="tcp", way=STACKS, whole=True)
    yield Workload("tcp-host-9000", "the same, MTU 9000", kind="tcp", way=STACKS, mtu=9000,
                   whole=True)


def _queues():
    for size, text in SORTED_SIZES:
        for n in SORTED:
            yield Workload(f"vmq-{size}-{n}", f"{text}, from an uplink (AF_XDP on a veth pair) to "
                           f"each of {n} guests", size=size, guests=2 * n, way="veth", sorts=True,
                           merges=size == "stream", group=f"vmq-{size}", x=n, static=True,
                           in_flight=IN_FLIGHT_VETH // 4 if size == "9000" else IN_FLIGHT_VETH,
                           mtu=9000 if size == "9000" else 1500,
                           options=("--one-way", *SAMPLE))


def _absent():
    for name, text, needs in (("nvgre-1400", "guests through a tunnel", "NVGRE"),):
        yield Workload(name, text, needs=needs)


ALL = {one.name: one for part in (_pairs(), _many(), _others(), _ways(), _streams(), _stacks(),
                                  _queues(), _absent()) for one in part}
# What another set-up of a peer is measured on where everything is.
MAIN = ("pair-64", "pair-1514", "pair-tso", "pair-imix", "loss-64", "latency-64", "idle")


def absent(names=None):
    """[{workload, feature}] of what waits for a feature."""
    return [{"workload": one.name, "feature": one.needs} for one in ALL.values()
            if not stands(one) and (names is None or one.name in names)]


def present(names):
    """The workloads of these names that can run, at least with some peer."""
    return [ALL[name] for name in names if stands(ALL[name]) or ALL[name].waits != "all"]


def stands(one):
    """Whether what a workload needs of us is there."""
    return not one.needs or one.needs in PRESENT


@dataclasses.dataclass(frozen=True)
class Mode:
    """How much is done. Rounds are made until each comparison has its pairs, rounds_max at most,
    and none is begun that would end after budget_s."""

    name: str
    workloads: tuple
    peers: tuple
    budget_s: float
    rounds_min: int
    rounds_max: int
    windows: int
    warmup_ms: int
    window_ms: int = 500
    tries: int = 3


BASE_PEERS = ("vmswitch", "ovs-normal", "ovs-mac-flows", "ovs-port-to-port", "testpmd")
# Set up with TSO; they are measured on other workloads in the full mode only.
TSO_PEERS = ("ovs-normal-tso", "testpmd-tso")
# Told whether to merge; they are measured on streams from an uplink, and on nothing else.
MERGE_PEERS = ("vmswitch-gro", "vmswitch-gro-off")
# Told to sort frames from an uplink into queues; on those workloads, and on nothing else.
QUEUE_PEERS = ("vmswitch-vmq", "vmswitch-vmq-soft")
# Between interfaces of the host; they take part in nothing else.
WAY_PEERS = ("ovs-normal-tap", "linux-bridge", "linux-bridge-rps", "vmswitch-plain",
             "linux-bridge-plain")
QUICK = Mode("quick", ("pair-64", "pair-1514", "pair-tso"), ("vmswitch", "ovs-normal", "testpmd"),
             165, 5, 6, 5, 500, tries=2)
DEFAULT = Mode("default",
               ("pair-64", "pair-1514", "pair-tso", "crosscheck-64", "loss-64", "latency-64",
                "idle", "restart-64", "reconfig-64", "all-to-one-8",
                *(f"scale-{n}" for n in SCALE)),
               (*BASE_PEERS, *TSO_PEERS, *WAY_PEERS), 1150, 5, 12, 8, 1000)
FULL = Mode("full", tuple(ALL),
            (*BASE_PEERS, *TSO_PEERS, "vmswitch-nap0", "ovs-normal-emc1", "ovs-normal-retries0",
             "ovs-port-to-port-best", "testpmd-best", *MERGE_PEERS, *QUEUE_PEERS, *WAY_PEERS),
            6 * 3600, 8, 16, 12, 1000)
