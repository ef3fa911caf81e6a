# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's virtio-user as a foreign front end: a driver and a vhost-user front end that are not
ours. testpmd holds two such devices and passes frames from one to the other:

    x --- switch "left" --- p   testpmd   q --- switch "right" --- y
"""

import os
import re
import shutil
import subprocess
import time

import pytest

from frames import frame, mac, noise
from lan import Lan
from watch import wait_for

TESTPMD = shutil.which("dpdk-testpmd")
pytestmark = pytest.mark.skipif(TESTPMD is None,
                                reason="dpdk-testpmd (Debian package dpdk) is not installed")
SIZES = [60, 61, 127, 128, 129, 256, 1000, 1513, 1514]
START_SECONDS = 20


class Testpmd:
    """A testpmd with virtio-user devices, which listen on their sockets as QEMU does."""

    __test__ = False
    serial = 0

    def __init__(self, folder, paths, device="", words=(), queues=1):
        Testpmd.serial += 1
        self.run = folder / f"pmd{Testpmd.serial}"
        self.run.mkdir()
        self.log = self.run / "log"
        self.paths, vdevs = paths, []
        for n, path in enumerate(paths):
            vdevs += ["--vdev", f"net_virtio_user{n},path={path},server=1,queues={queues}{device}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["stdbuf", "-oL", TESTPMD, "-l", "0,1", "--no-pci", "--no-huge", "-m", "192",
                 "--no-shconf", "--iova-mode=va", *vdevs, "--", "-i", "--nb-cores=1",
                 "--total-num-mbufs=16384", f"--rxq={queues}", f"--txq={queues}", *words],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=dict(os.environ, XDG_RUNTIME_DIR=str(self.run)))
        self.expect("testpmd> ", START_SECONDS)

    def text(self):
        """Everything it has printed."""
        return self.log.read_text(errors="replace")

    def expect(self, what, timeout=10.0, after=0):
        """Wait until it has printed this."""
        def look():
            assert self.process.poll() is None, f"testpmd has ended: {self.text()[-2000:]}"
            return self.text()
        return wait_for(look, lambda text: what in text[after:], timeout)[after:]

    def say(self, command, until="testpmd> "):
        """Type a command; returns what it prints until its prompt is back."""
        after = len(self.text())
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        # The command itself is echoed behind the old prompt.
        return self.expect(until, 10.0, after + len(command))

    def stop(self):
        """Stop forwarding; returns [(received, sent)] of each port."""
        text = self.say("stop", "Done.")
        part = text[:text.index("Accumulated")]
        return [(int(r), int(t)) for r, t in
                re.findall(r"RX-packets: (\d+).*\n\s*TX-packets: (\d+)", part)]

    def close(self):
        """End it."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        for path in self.paths:     # it would not start with them in its way
            path.unlink(missing_ok=True)


@pytest.fixture
def testpmd(rundir):
    """Factory of testpmds."""
    made = []

    def make(*args, **kwargs):
        made.append(Testpmd(rundir, *args, **kwargs))
        return made[-1]
    yield make
    for one in made:
        one.close()
        shutil.rmtree(one.run, ignore_errors=True)


@pytest.fixture
def line(vmswitchd, rundir, testpmd):
    """Factory of the line above: guests x and y, and testpmd."""
    lans = [Lan(vmswitchd, rundir, name) for name in ("left", "right")]

    def make(device="", words=(), queues=1):
        x, y = lans[0].add("x", mac=mac(1)), lans[1].add("y", mac=mac(2))
        paths = [rundir / "p.sock", rundir / "q.sock"]
        for lan, name, path in zip(lans, "pq", paths):
            vmswitchd.check("port", "add", name, "switch", lan.name, "type", "guest", "socket",
                            path)
        pmd = testpmd(paths, device, words, queues)
        for lan, name in zip(lans, "pq"):
            lan.wait(name, lambda row: row["up"] and row["pairs"] == queues)
        pmd.say("set fwd io")
        pmd.say("start")
        settle(x, y)
        settle(y, x)
        return x, y, pmd
    yield make
    for lan in lans:
        lan.close()


def settle(src, dst):
    """Send probes until one comes out at the other end; nothing is under way then."""
    end = time.monotonic() + 10
    serial = 0
    while True:
        serial += 1
        probe = frame(dst.mac, src.mac, 100, seed=("probe", serial))
        src.send(probe)
        got = dst.recv(0.2)
        while got is not None and got != probe:
            got = dst.recv(0.2)
        if got == probe:
            return
        assert time.monotonic() < end, "nothing comes through"


def exchange(src, dst, frames):
    """Send frames; they must come out at the other end, in order, byte by byte."""
    for one in frames:
        src.send(one)
    got = [dst.recv(5.0) for _ in frames]
    assert got == frames, [len(one or b"") for one in got]


def port(daemon, name):
    """The row of `port show`."""
    return daemon.json("port", "show", name)[0]


DEVICES = {
    "as it comes": "",
    "mergeable": ",mrg_rxbuf=1,in_order=0",
    "not mergeable": ",mrg_rxbuf=0,in_order=0",
    "in order": ",mrg_rxbuf=1,in_order=1",
    "vectorized": ",mrg_rxbuf=0,in_order=0,vectorized=1",
    "large ring": ",queue_size=1024,mrg_rxbuf=1",
    "small ring": ",queue_size=64,mrg_rxbuf=0",
    "in want of packed rings": ",packed_vq=1,mrg_rxbuf=1",
}


@pytest.mark.parametrize("device", DEVICES)
def test_frames(line, vmswitchd, device):
    """Frames pass through a foreign driver unchanged, whichever of its code paths takes them."""
    x, y, pmd = line(DEVICES[device])
    for size in SIZES:
        exchange(x, y, [frame(y.mac, x.mac, size)])
        exchange(y, x, [frame(x.mac, y.mac, size)])
    for burst in range(20):
        sent = [frame(y.mac, x.mac, SIZES[n % len(SIZES)], seed=(burst, n)) for n in range(24)]
        exchange(x, y, sent)
    row = port(vmswitchd, "p")
    assert "version_1" in row["features"]
    assert ("mrg_rxbuf" in row["features"]) == ("mrg_rxbuf=0" not in DEVICES[device])
    # What was not offered is not taken, although the device would: order, packed rings, offloads.
    assert set(row["features"]) <= set(row["offered"])
    assert row["faults"] == row["refused"] == 0 and row["connects"] == 1
    assert vmswitchd.drops("p") == vmswitchd.drops("q") == {}
    (p_in, p_out), (q_in, q_out) = pmd.stop()
    stats = {name: vmswitchd.json("stats", "show", "port", name)[0] for name in "pq"}
    # A probe may have been sent before testpmd forwarded; it still counts as delivered.
    assert stats["p"]["received"] == p_out and stats["q"]["received"] == q_out
    assert p_in == q_out and q_in == p_out
    assert p_in <= stats["p"]["sent"] <= p_in + 50


def test_jumbo(line, vmswitchd):
    """Frames of several receive buffers, into mbufs that hold a part of them."""
    x, y, pmd = line(",mrg_rxbuf=1", ["--mbuf-size=2176", "--max-pkt-len=9018",
                                     "--tx-offloads=0x8000", "--enable-scatter"])
    for size in (1515, 2048, 2049, 4096, 8999, 9014):
        exchange(x, y, [y.mac + x.mac + noise(size - 12, "jumbo")])
        exchange(y, x, [x.mac + y.mac + noise(size - 12, "jumbo")])
    assert vmswitchd.drops("p") == vmswitchd.drops("q") == {}


def test_queue_pairs(line, vmswitchd):
    """A foreign driver with several queue pairs, switched on over its own control queue."""
    x, y, pmd = line(",mrg_rxbuf=1", queues=4)
    assert "mq" in port(vmswitchd, "p")["features"]
    for n in range(50):
        exchange(x, y, [frame(y.mac, x.mac, 100, seed=n)])
        exchange(y, x, [frame(x.mac, y.mac, 100, seed=n)])
    assert vmswitchd.drops("p") == vmswitchd.drops("q") == {}


def test_restart(line, vmswitchd, testpmd, rundir):
    """A foreign front end that is killed and started anew is served anew."""
    x, y, pmd = line(",mrg_rxbuf=1")
    for turn in range(2):
        pmd.close()
        wait_for(lambda: port(vmswitchd, "p"), lambda row: not row["up"])
        pmd = testpmd([rundir / "p.sock", rundir / "q.sock"], ",mrg_rxbuf=1")
        for name in "pq":
            wait_for(lambda: port(vmswitchd, name), lambda row: row["up"])
        pmd.say("set fwd io")
        pmd.say("start")
        settle(x, y)
        settle(y, x)
        exchange(x, y, [frame(y.mac, x.mac, size) for size in SIZES])
        assert port(vmswitchd, "p")["connects"] == turn + 2


def test_loss(vmswitchd, rundir, testpmd):
    """One testpmd sends as fast as it can, another one receives: what got lost between them is
    what the switch says it dropped."""
    lan = Lan(vmswitchd, rundir, "lan")
    for name in "pq":
        vmswitchd.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                        rundir / f"{name}.sock", "mac", mac(ord(name)).hex(":"))
    receiver = testpmd([rundir / "q.sock"], f",mac={mac(ord('q')).hex(':')}")
    sender = testpmd([rundir / "p.sock"], f",mac={mac(ord('p')).hex(':')}",
                     [f"--eth-peer=0,{mac(ord('q')).hex(':')}"])
    for name in "pq":
        lan.wait(name, lambda row: row["up"])
    receiver.say("set fwd rxonly")
    receiver.say("start")
    sender.say("set fwd txonly")
    sender.say("start")
    wait_for(lambda: lan.stats("q"), lambda row: row["sent"] > 20000)
    ((_, sent),) = sender.stop()
    wait_for(lambda: lan.stats("p"), lambda row: row["received"] == sent)
    stats = lan.stats("q")
    # The receiver counts a frame after the switch does.
    wait_for(lambda: receiver.say("show port stats 0", "####\ntestpmd> "),
             lambda text: f"RX-packets: {stats['sent']} " in text)
    ((got, _),) = receiver.stop()
    assert got == stats["sent"]
    dropped = sum(vmswitchd.drops("p").values()) + sum(vmswitchd.drops("q").values())
    assert sent == got + dropped
    assert set(vmswitchd.drops("q")) <= {"rx_full"} and vmswitchd.drops("p") == {}
    assert lan.stats("p")["forwarded"] == sent
