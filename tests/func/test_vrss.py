# SPDX-License-Identifier: BSD-3-Clause
"""Guests with several queue pairs: their flows are spread over them, each stays where it is, and
in order."""

import collections
import os
import random
import struct
import threading
import time

import pytest
from scapy.all import ICMP, IP, SCTP, TCP, UDP, Dot1Q, Ether, GRE, IPv6, Raw, fragment

from frames import frame, mac, teach
from lan import Lan, own_daemon
from watch import wait_for

PAIRS = 8
SEED = 20261123
CPUS = sorted(os.sched_getaffinity(0))


@pytest.fixture
def wide(lan):
    """Two guests that know each other, the second one with eight queue pairs."""
    return couple(lan)


def couple(lan, **of_b):
    """Two guests a and b with eight queue pairs each, all enabled unless of_b says more."""
    a = lan.add("a", mac=mac(1), queue_pairs=PAIRS)
    b = lan.add("b", mac=mac(2), queue_pairs=PAIRS, **of_b)
    enabled = of_b.get("enable_pairs", PAIRS)
    lan.wait("a", lambda row: row["pairs"] == PAIRS)
    lan.wait("b", lambda row: row["pairs"] == enabled)
    teach(lan, "a", "b")
    return a, b


def drain(guest):
    """What lies in each of its receive rings."""
    return [guest.recv_all(0, n) for n in range(PAIRS)]


def data_of(packet):
    """The bytes of a frame."""
    return bytes(packet)


def arrives(sender, receiver, packet, pair=0):
    """On which queue pair a frame arrives; it must be one, with the frame unchanged."""
    one = data_of(packet)
    sender.send(one, pair=pair)
    sender.flush(pair)
    got = drain(receiver)
    assert sum(got, []) == [one]
    return next(n for n in range(PAIRS) if got[n])


def eth(src, dst):
    """An Ethernet header."""
    return Ether(src=src.mac.hex(":"), dst=dst.mac.hex(":"))


def flow(number, version=4):
    """IP and transport headers of a flow, and those of the other direction."""
    rng = random.Random(SEED + number)
    proto = rng.choice((TCP, UDP, SCTP))
    there, back = ((f"fd00::{rng.randrange(9999)}:{n}" if version == 6
                    else f"10.0.{rng.randrange(256)}.{n}") for n in (1, 2))
    ports = rng.randrange(1024, 65536), rng.randrange(1, 1024)
    ip = IPv6 if version == 6 else IP
    return (ip(src=there, dst=back) / proto(sport=ports[0], dport=ports[1]),
            ip(src=back, dst=there) / proto(sport=ports[1], dport=ports[0]))


@pytest.mark.parametrize("version", [4, 6])
def test_flows_are_spread(wide, version):
    """All queues are used; a flow has one queue, whichever queue of the sender it comes from."""
    a, b = wide
    print(f"\nseed {SEED}")
    used = collections.Counter()
    for number in range(192):
        there, _ = flow(number, version)
        queue = arrives(a, b, eth(a, b) / there / Raw(b"x" * 30), pair=number % PAIRS)
        again = arrives(a, b, eth(a, b) / there / Raw(b"y" * 90), pair=(number + 3) % PAIRS)
        assert queue == again
        used[queue] += 1
    assert len(used) == PAIRS, f"of 192 flows, by queue: {used}"


def test_both_directions_are_one_flow(wide):
    """The answer is on the same queue of a as the question was on b's."""
    a, b = wide
    for number in range(24):
        there, back = flow(number, 6 if number % 2 else 4)
        assert arrives(a, b, eth(a, b) / there) == arrives(b, a, eth(b, a) / back)


def test_what_makes_a_flow(wide):
    """Fragments stay together, tags and lengths do not matter, frames without IP go by address."""
    a, b = wide
    data = Raw(b"z" * 4000)
    for number in range(8):
        udp = IP(src="10.1.0.1", dst=f"10.1.1.{number}", id=7) / UDP(sport=1000 + number, dport=53)
        queues = {arrives(a, b, eth(a, b) / one, pair=n % PAIRS)
                  for n, one in enumerate(fragment(udp / data, 1400))}
        assert len(queues) == 1
        ping = IP(src="10.1.0.1", dst=f"10.1.1.{number}") / ICMP(id=number)
        assert arrives(a, b, eth(a, b) / ping) == arrives(a, b, eth(a, b) / ping / data)
        odd = [frame(b.mac, a.mac, 60 + n, seed=n) for n in range(4)]
        assert len({arrives(a, b, one) for one in odd}) == 1


def test_inner_headers(wide):
    """What is in a tunnel is spread by what is inside, and is where it would be without."""
    a, b = wide
    for number in range(16):
        there, _ = flow(number)
        inner = Ether(src="02:00:00:00:77:01", dst="02:00:00:00:77:02") / there
        outer = eth(a, b) / IP(src="192.0.2.1", dst="192.0.2.2")
        nvgre = outer / GRE(proto=0x6558, key_present=1, key=0x123400) / inner
        assert arrives(a, b, nvgre) == arrives(a, b, eth(a, b) / there)
    numbered = {arrives(a, b, outer / GRE(proto=0x0800, seqnum_present=1) / flow(n)[0])
                for n in range(16)}
    assert len(numbered) == 1, "a tunnel whose packets are numbered is one flow"


def test_tagged_frames(lan):
    """A trunk gets a flow, tagged, on the queue where the port without tags gets it."""
    a = lan.add("a", "vlan", "access", 7, mac=mac(1))
    guests = [lan.add("b", "vlan", "trunk", 7, mac=mac(2), queue_pairs=PAIRS),
              lan.add("c", "vlan", "access", 7, mac=mac(3), queue_pairs=PAIRS)]
    for name in "bc":
        lan.wait(name, lambda row: row["pairs"] == PAIRS)
    for number in range(16):
        there, _ = flow(number)
        one = Ether(src=a.mac.hex(":"), dst="ff:ff:ff:ff:ff:ff") / there
        a.send(data_of(one))
        a.flush()
        tagged, bare = (drain(guest) for guest in guests)
        assert [len(got) for got in tagged] == [len(got) for got in bare]
        assert sum(bare, []) == [data_of(one)]
        assert Dot1Q in Ether(sum(tagged, [])[0])


def test_few_and_one(lan):
    """Only queues that the guest has enabled are used; with one, all flows are there."""
    a, b = couple(lan, enable_pairs=3)
    assert {arrives(a, b, eth(a, b) / flow(n)[0]) for n in range(32)} == {0, 1, 2}
    for ring in range(2, 6):
        b.step_ring_enable(ring, 0)
    lan.wait("b", lambda row: row["pairs"] == 1)
    assert {arrives(a, b, eth(a, b) / flow(n)[0]) for n in range(32)} == {0}


NUMBER = struct.Struct("!HI")


class Stream:
    """Numbered datagrams of many flows from every queue pair of a guest, until it has stopped."""

    FLOWS = 192     # so many that no queue stays without one, whatever the daemon's keys are

    def __init__(self, sender, receiver):
        self.sender = sender
        self.heads = [data_of(eth(sender, receiver) / IP(src="10.2.0.1", dst="10.2.0.2") /
                              UDP(sport=2000 + n, dport=7, chksum=0) / Raw(b"\0" * 18))[:42]
                      for n in range(self.FLOWS)]
        self.sent = [0] * self.FLOWS
        self.error = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def burst(self):
        """One frame of each flow; those of a flow come from one queue pair."""
        for number, head in enumerate(self.heads):
            one = head + NUMBER.pack(number, self.sent[number]) + b"\0" * 12
            self.sender.send(one, pair=number % PAIRS)
            self.sent[number] += 1

    def _run(self):
        try:
            while not self.ended.is_set():
                self.burst()
            for pair in range(PAIRS):
                self.sender.flush(pair, timeout=5.0)
        except Exception as error:      # handed to whoever stops us
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.ended.set()
        self.thread.join()
        if self.error is not None and exc[0] is None:
            raise self.error


class Tally:
    """What a receiver got of a Stream."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.numbers = [[] for _ in range(Stream.FLOWS)]
        self.queues = [set() for _ in range(Stream.FLOWS)]

    def take(self):
        """Empty all rings; returns how many frames there were."""
        n = 0
        for queue in range(PAIRS):
            for one in self.receiver.recv_all(0, queue):
                if one[12:14] != b"\x08\x00":
                    continue
                number, seq = NUMBER.unpack_from(one, 42)
                self.numbers[number].append(seq)
                self.queues[number].add(queue)
                n += 1
        return n


def all_there(sent, tally, receiver_port, lan):
    """Every frame that was sent has come, once."""
    for number, want in enumerate(sent):
        assert sorted(tally.numbers[number]) == list(range(want)), f"flow {number}"
    assert lan.daemon.drops(receiver_port) == {}


def run_stream(lan, a, b, rounds, meanwhile=lambda n: None):
    """Bursts of a Stream, all of them taken before the next; meanwhile is called in between."""
    stream, tally = Stream(a, b), Tally(b)
    for n in range(rounds):
        stream.burst()
        meanwhile(n)
        for pair in range(PAIRS):
            a.flush(pair, timeout=5.0)
        total = sum(stream.sent)
        wait_for(lambda: tally.take() + sum(map(len, tally.numbers)),
                 lambda have, want=total: sum(map(len, tally.numbers)) >= want)
    all_there(stream.sent, tally, "b", lan)
    return tally


def test_order_is_kept(wide, lan):
    """While the queues stay as they are, each flow is in one of them, in order."""
    a, b = wide
    tally = run_stream(lan, a, b, 20)
    assert all(numbers == sorted(numbers) for numbers in tally.numbers)
    assert [len(queues) for queues in tally.queues] == [1] * Stream.FLOWS
    assert set.union(*tally.queues) == set(range(PAIRS))


def test_queues_go_and_come(wide, lan):
    """Queues that the guest disables under load get nothing more, others get their flows, and
    nothing is lost; then they come back."""
    a, b = wide
    off = {}

    def change(n):
        pair = 1 + n % (PAIRS - 1)
        on = (n // (PAIRS - 1)) % 2
        for other, used in off.items():
            assert b.rings[2 * other].used_idx == used
        b.step_ring_enable(2 * pair, on)
        lan.wait("b", lambda row: row["pairs"] == PAIRS - len(off) + (1 if on else -1))
        if on:
            del off[pair]
        else:
            off[pair] = b.rings[2 * pair].used_idx

    tally = run_stream(lan, a, b, 2 * (PAIRS - 1), change)
    assert not off
    # Those of the first queue, which is always there, stay where they are.
    assert sum(len(queues) > 1 for queues in tally.queues) > Stream.FLOWS / 2
    assert set.union(*tally.queues) == set(range(PAIRS))


def serve(tally, stream):
    """Take frames while the stream goes on."""
    end = time.monotonic() + 20
    while sum(map(len, tally.numbers)) < 20000:
        tally.take()
        assert stream.thread.is_alive() and time.monotonic() < end


def test_shown(wide, lan):
    """`port show` says what went through each queue pair, and which are on."""
    a, b = wide
    before = lan.port("b")["pair_frames"]
    used = [0] * PAIRS
    for number in range(64):
        used[arrives(a, b, eth(a, b) / flow(number)[0], pair=number % PAIRS)] += 1
    b.step_ring_enable(2 * 3, 0)
    lan.wait("b", lambda row: row["pairs"] == PAIRS - 1)
    b.send(data_of(eth(b, a) / flow(0)[1]), pair=2)
    b.flush(2)
    rows = lan.port("b")["pair_frames"]
    assert [row["pair"] for row in rows] == list(range(PAIRS))
    assert [row["on"] for row in rows] == [n != 3 for n in range(PAIRS)]
    assert [row["sent"] - old["sent"] for row, old in zip(rows, before)] == used
    assert [row["received"] - old["received"] for row, old in zip(rows, before)] == [
        int(n == 2) for n in range(PAIRS)]
    assert sum(row["sent"] for row in rows) == lan.stats("b")["sent"]
    assert [row["received"] - 8 for row in lan.port("a")["pair_frames"]][1:] == [0] * (PAIRS - 1)
    said = lan.daemon.check("port", "show", "b")
    assert f"3 (off): {rows[3]['sent']}/0, 4: {rows[4]['sent']}/" in said


@pytest.mark.parametrize("cpus", [f"{CPUS[0]},{CPUS[-1]}", f"{CPUS[0]},{CPUS[0]}"])
def test_two_workers_serve_one_guest(cpus):
    """The queue pairs of both guests are visited by two workers in turn, both of which deliver to
    all receive queues: what comes is in order, and every frame is accounted for."""
    with own_daemon("--cpu", cpus) as daemon:
        lan = Lan(daemon, daemon.control.parent)
        try:
            a, b = couple(lan)
            stream, tally = Stream(a, b), Tally(b)
            before = [row["frames"] for row in daemon.json("worker", "show")]
            with stream:
                serve(tally, stream)
            while tally.take():
                pass
            after = [row["frames"] for row in daemon.json("worker", "show")]
            assert all(new > old for old, new in zip(before, after))
            # The receiver is a program that others share a processor with: rings may run over.
            assert all(numbers == sorted(set(numbers)) for numbers in tally.numbers)
            assert [len(queues) for queues in tally.queues] == [1] * Stream.FLOWS
            lost = sum(daemon.drops("b").values())
            assert sum(stream.sent) == sum(map(len, tally.numbers)) + lost
            assert set(daemon.drops("b")) <= {"rx_full", "tx_busy"}
            daemon.audit()
        finally:
            lan.close()
