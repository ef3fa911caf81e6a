# SPDX-License-Identifier: BSD-3-Clause
"""`vmswitch capture`: every frame once, byte by byte, with what became of it; filters that match
what tcpdump's do; and nobody harmed by a capture, or by somebody who captures badly."""

import contextlib
import errno
import random
import shutil
import signal
import struct
import subprocess
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import PcapNgReader, rdpcap, wrpcap

import wire
from capture import HELPER, LIMIT, TSHARK, VMSWITCH, Capture, tshark
from child import die_with_parent
from frames import (BROADCAST, STRANGER, Traffic, cross, frame, mac, many, noise, teach, text)
from watch import wait_for

TCPDUMP = shutil.which("tcpdump")
CAPTURE_START, CAPTURE, CAPTURE_STOP = 0x80, 0x81, 0x82
COUNT, BYTES, EVENT, TEXT, LOST = 59, 64, 66, 60, 67
FILTER, DIRECTION = 110, 113
# Filters of all kinds; those that match nothing here are named below.
FILTERS = ["arp", "ip", "ip6 or arp", "tcp port 50000", "udp and not dst port 53", "host 10.0.0.2",
           "ether host 02:00:00:00:00:0b", "broadcast", "greater 1000", "less 100",
           "ip[8] < 64", "tcp[tcpflags] & tcp-push != 0", "ether[1400] = 0x5a",
           "vlan 10", "not vlan", "icmp or icmp6", "net 10.0.0.0/30 and len > 500",
           "udp[(udp[4:2] - 1):1] != 0", "ether proto 0x88b5 or ip[2:2] % 7 = 3"]
EMPTY = ["vlan 10", "ether[1400] = 0x5a", "not vlan", "host 10.0.0.2"]

writes_files = pytest.mark.skipif(not HELPER.exists() or TSHARK is None,
                                  reason="built without vmswitch-capture, or tshark is missing")


def brief(row):
    """What a row of JSON says of a frame's fate."""
    return row["direction"], row["verdict"], row["port"], row["reason"]


def mixed(src, dst):
    """Frames of many kinds."""
    ether = Ether(src=text(src), dst=text(dst))
    ip, ip6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="fe80::2")
    found = [Ether(src=text(src), dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.2"),
             ether / Dot1Q(vlan=10) / ip / UDP(dport=9) / Raw(noise(40))]
    for size in (1, 18, 100, 901, 1400):
        body = Raw(noise(size))
        found += [ether / ip / TCP(dport=50000, flags="PA") / body,
                  ether / ip / TCP(dport=80, flags="A") / body,
                  ether / IP(src="10.0.0.9", dst="10.1.0.2", ttl=3) / UDP(dport=53) / body,
                  ether / ip / UDP(dport=size) / body, ether / ip / ICMP() / body,
                  ether / ip6 / ICMPv6EchoRequest(data=noise(size)),
                  frame(dst, src, size + 40)]
    return [bytes(one) for one in found]


def meet(lan, *guests):
    """teach() that leaves the good pair alone."""
    for one in guests:
        cross(one, frame(BROADCAST, one.mac))
        wait_for(lan.fdb, lambda fdb, one=one: text(one.mac) in fdb)
    for one in guests:
        one.recv_all(0)


def refused(client, number_, *request):
    """The daemon says no, by this error."""
    with pytest.raises(wire.Refused) as refusal:
        client.call(*request)
    assert refusal.value.errno == number_, refusal.value.text


def number(row, attr):
    """A u64 of a message, 0 if it is not there."""
    return struct.unpack("=Q", row[attr])[0] if attr in row else 0


def received(client):
    """Attributes of each message of the next datagram that are frames, or the end of them."""
    data = client.receive()
    assert data, "the daemon closed the connection"
    return [wire.attributes(payload[4:]) for kind, _, seq, payload in wire.messages(data)
            if kind == wire.MSG_TYPE and seq == 0]


def taken(client, n):
    """The next n frames of a raw connection."""
    rows = []
    while len(rows) < n:
        rows += received(client)
    return rows


def rest(client):
    """(all frames, the message at the end) of a raw connection."""
    rows = []
    while not rows or EVENT not in rows[-1]:
        rows += received(client)
    return rows[:-1], rows[-1]


def end_of(client):
    """Why a capture ended."""
    return rest(client)[1][TEXT].rstrip(b"\0").decode()


def began(client, *attrs):
    """Whether a capture could be begun."""
    try:
        client.call(CAPTURE_START, *attrs)
    except wire.Refused as refusal:
        assert refusal.errno == errno.ENOSPC
        return False
    return True


def can_capture(daemon, port):
    """Whether there is room for eight captures."""
    with contextlib.ExitStack() as stack:
        return all(began(stack.enter_context(wire.Wire(daemon.socket)), (wire.PORT, port))
                   for _ in range(8))


# ---- what is captured ----

def test_fates(trio):
    """Unicast, flood, delivery and drops of both sides, in the order in which they happened."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    with Capture(trio.daemon, "a") as capture:
        sent = [frame(b.mac, a.mac, 60), frame(BROADCAST, a.mac, 1514),
                frame(STRANGER, a.mac, 200), frame(b.mac, BROADCAST, 99)]
        cross(a, sent)
        back = frame(a.mac, b.mac, 777)
        cross(b, back)
        rows, end = capture.stop()
    assert [bytes.fromhex(row["bytes"]) for row in rows] == [*sent, back]
    assert [brief(row) for row in rows] == [
        ("from", "forwarded", "b", None), ("from", "flooded", None, None),
        ("from", "flooded", None, None), ("from", "dropped", None, "src_invalid"),
        ("to", "delivered", "b", None)]
    assert [row.get("copies") for row in rows] == [None, 2, 2, None, None]
    assert (end["count"], end["lost"], end["text"]) == (5, 0, "stopped")


@writes_files
def test_a_file(trio, tmp_path):
    """tshark reads the file: frames, times, directions, comments, the port and the filter."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    path = tmp_path / "a.pcapng"
    with Capture(trio.daemon, "a", "-w", path, "-f", "ether proto 0x88b5") as capture:
        sent = [frame(b.mac, a.mac, size) for size in (60, 1514, 9000)]
        sent.append(frame(b.mac, BROADCAST, 99))
        cross(a, sent)
        back = frame(a.mac, b.mac, 777)
        cross(b, [back, frame(a.mac, b.mac, 100, kind=bytes.fromhex("88b6"))])
        said = capture.finish()
    assert said == "5 frames captured, 0 lost\n"
    with PcapNgReader(str(path)) as reader:
        assert [bytes(one) for one in reader] == [*sent, back]
    rows = tshark(path, "frame.comment", "frame.packet_flags_direction", "frame.interface_name",
                  "frame.len", "frame.cap_len")
    assert [row["frame.comment"].split(" (")[0] for row in rows] == [
        *3 * ["from the port: forwarded to b"], "from the port: dropped: src_invalid",
        "to the port: delivered, from b"]
    assert [int(row["frame.packet_flags_direction"], 16) for row in rows] == [1, 1, 1, 1, 2]
    assert {row["frame.interface_name"] for row in rows} == {"a"}
    assert [int(row["frame.len"]) for row in rows] == [len(one) for one in [*sent, back]]
    assert path.stat().st_mode & 0o077 == 0


def test_one_side_and_short(trio):
    """--direction leaves one side, --snaplen the first bytes, -c so many frames."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    with Capture(trio.daemon, "b", "--direction", "to", "--snaplen", "20", "-c", "2") as capture:
        cross(b, frame(a.mac, b.mac, 64))
        sent = [frame(b.mac, a.mac, size) for size in (60, 500, 61)]
        cross(a, sent)
        rows, end = capture.rest_of_it()
    assert [(row["direction"], row["length"], row["bytes"]) for row in rows] == [
        ("to", len(one), one[:20].hex()) for one in sent[:2]]
    assert end["count"] == 2


def test_drops_alone(trio):
    """--drops leaves what was dropped, at the sender and at the receiver, and partial floods."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    trio.daemon.check("port", "set", "b", "mtu", "1000")
    with Capture(trio.daemon, "a", "--drops") as sender, \
            Capture(trio.daemon, "b", "--drops") as receiver:
        good, long = frame(b.mac, a.mac, 900), frame(b.mac, a.mac, 1200)
        flood, spoof = frame(BROADCAST, a.mac, 1300), frame(b.mac, BROADCAST, 80)
        cross(a, [good, long, frame(c.mac, a.mac, 1200), flood, good, spoof])
        rows, _ = sender.stop()
        assert [bytes.fromhex(row["bytes"]) for row in rows] == [long, flood, spoof]
        assert [brief(row) for row in rows] == [
            ("from", "dropped", "b", "mtu_out"), ("from", "flooded", None, "mtu_out"),
            ("from", "dropped", None, "src_invalid")]
        assert (rows[1]["copies"], rows[1]["copies_dropped"]) == (2, 1)
        rows, _ = receiver.stop()
        assert [bytes.fromhex(row["bytes"]) for row in rows] == [long, flood]
        assert {brief(row) for row in rows} == {("to", "dropped", "a", "mtu_out")}


def test_full_receiver(lan):
    """Frames that a guest has no buffer for are shown as dropped at its port, by name."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb), ring_size=16)
    teach(lan, "a", "b")
    with Capture(lan.daemon, "b", "--direction", "to") as capture:
        many(a, [frame(b.mac, a.mac, 100, seed=seed) for seed in range(40)])
        rows, _ = capture.stop()
    fates = [row["reason"] for row in rows]
    assert len(rows) == 40 and fates.count(None) == len(b.recv_all(0))
    assert set(fates) == {None, "rx_full"}
    assert fates.count("rx_full") == lan.daemon.drops("b")["rx_full"]


def test_vlan_as_on_the_port(lan):
    """A trunk's frames are captured with their tags, an access port's without."""
    a = lan.add("a", "vlan", "trunk", "10,20", mac=mac(0xa))
    b = lan.add("b", "vlan", "access", "10", mac=mac(0xb))
    tagged = b.mac + a.mac + bytes.fromhex("8100600a") + frame(b.mac, a.mac, 100)[12:]
    with Capture(lan.daemon, "a") as trunk, Capture(lan.daemon, "b") as access:
        (got,) = cross(a, tagged, b)
        back = frame(a.mac, b.mac, 70)
        cross(b, back)
        (rows, _), (others, _) = trunk.stop(), access.stop()
    assert len(got) == 1
    assert [row["bytes"] for row in rows] == [
        tagged.hex(), (back[:12] + bytes.fromhex("8100000a") + back[12:]).hex()]
    assert [row["bytes"] for row in others] == [got[0].hex(), back.hex()]


def test_text(trio):
    """Lines for people: time, direction, addresses, what became of it."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    command = [VMSWITCH, "-s", str(trio.daemon.control), "capture", "-c", "2", "a"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          preexec_fn=die_with_parent) as process:
        assert process.stderr.readline() == "capturing port a\n"
        cross(a, [frame(b.mac, a.mac, 60), frame(b.mac, BROADCAST, 61)])
        out, said = process.communicate(timeout=LIMIT)
    lines = [line.split(" ", 1)[1] for line in out.splitlines()]
    assert lines == [f"from {text(a.mac)} > {text(b.mac)} type 88b5 length 60 forwarded to b",
                     f"from {text(BROADCAST)} > {text(b.mac)} type 88b5 length 61 "
                     "dropped: src_invalid"]
    assert said == "2 frames captured, 0 lost\n"


@writes_files
def test_a_pipe(trio):
    """-w - is read along by another program, which may go away."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    command = f"{VMSWITCH} -s {trio.daemon.control} capture a -w - | {TSHARK} -l -n -c 3 -r - " \
              "-T fields -e frame.len -e frame.comment"
    with subprocess.Popen(["bash", "-o", "pipefail", "-c", command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent) as process:
        while process.stderr.readline() != "capturing port a\n":
            assert process.poll() is None
        for size in (60, 600, 1514, 61, 62):
            cross(a, frame(b.mac, a.mac, size))
        lines = [process.stdout.readline().split("\t") for _ in range(3)]
        assert [line[0] for line in lines] == ["60", "600", "1514"]
        assert {line[1].rstrip() for line in lines} == {"from the port: forwarded to b"}
        end = time.monotonic() + LIMIT
        while process.poll() is None:       # it finds out by writing
            assert time.monotonic() < end
            cross(a, frame(b.mac, a.mac, 60))
            time.sleep(0.01)


# ---- filters ----

@writes_files
@pytest.mark.skipif(TCPDUMP is None, reason="tcpdump is not installed")
@pytest.mark.parametrize("words", FILTERS)
def test_filters(trio, tmp_path, words):
    """A filter leaves the frames that tcpdump leaves of all of them."""
    a, b, _ = trio.guests.values()
    sent = mixed(a.mac, b.mac)
    with Capture(trio.daemon, "a", "-f", words, "--direction", "from") as capture:
        cross(a, sent)
        rows, _ = capture.stop()
    wrpcap(str(tmp_path / "all.pcap"), [Ether(one) for one in sent])
    subprocess.run([TCPDUMP, "-r", str(tmp_path / "all.pcap"), "-w", str(tmp_path / "some.pcap"),
                    words], check=True, capture_output=True, timeout=60)
    some = [bytes(one) for one in rdpcap(str(tmp_path / "some.pcap"))]
    assert [bytes.fromhex(row["bytes"]) for row in rows] == some
    assert words in EMPTY or 0 < len(some) < len(sent)


def insn(code, jt=0, jf=0, k=0):
    """An instruction as it is sent."""
    return struct.pack("=HBBI", code, jt, jf, k)


LD_B, JA, JEQ, RET, DIV, LD_MEM, ST, LD_W_EXT = 0x30, 0x05, 0x15, 0x06, 0x34, 0x60, 0x02, 0x20
ACCEPT = insn(RET, k=65535)
BAD_FILTERS = {
    "endless": insn(JA, k=0xffffffff) + ACCEPT,
    "to itself": insn(LD_B) + insn(JA, k=0xfffffffe) + ACCEPT,
    "out of it": insn(JEQ, 0, 9) + ACCEPT,
    "no return": insn(LD_B),
    "last jumps": ACCEPT + insn(JA),
    "division": insn(DIV) + ACCEPT,
    "memory": insn(LD_MEM, k=16) + ACCEPT,
    "store": insn(ST, k=0xffffffff) + ACCEPT,
    "unknown": insn(0xffff) + ACCEPT,
    "none": b"",
    "half": ACCEPT[:7],
    "huge": insn(LD_B) * 512 + ACCEPT,
    "huger": insn(LD_B) * 8000 + ACCEPT,
}


@pytest.mark.parametrize("name", BAD_FILTERS)
def test_bad_filters(lan, victim, name):
    """A program that might not end, or do what it must not, is refused and named."""
    lan.add("a", start=False)
    with wire.Wire(lan.daemon.socket) as client:
        with pytest.raises(wire.Refused) as refusal:
            client.call(CAPTURE_START, (wire.PORT, "a"), (FILTER, BAD_FILTERS[name]))
        assert refusal.value.errno in (errno.EINVAL, errno.ERANGE)
        assert refusal.value.offset and "filter" in refusal.value.text


def test_the_longest_filter(trio):
    """512 instructions are run, also when each of them is."""
    a, b, _ = trio.guests.values()
    teach(trio, "a", "b")
    with wire.Wire(trio.daemon.socket) as client:
        client.call(CAPTURE_START, (wire.PORT, "a"), (FILTER, insn(LD_B) * 511 + ACCEPT))
        cross(a, [frame(b.mac, a.mac, 60)] * 3)
        assert len(taken(client, 3)) == 3


def test_words_that_are_no_filter(lan):
    """libpcap's complaint is ours; a filter that is too long is told in its terms."""
    lan.add("a", start=False)
    done = lan.daemon.run("capture", "a", "-f", "prot tcp")
    assert done.returncode == 2 and "prot tcp" in done.stderr and "syntax" in done.stderr
    hosts = " or ".join(f"host 10.{n // 250}.{n % 250}.7" for n in range(300))
    done = lan.daemon.run("capture", "a", "-f", hosts)
    assert done.returncode == 2 and "512" in done.stderr


# ---- wrong use ----

def test_wrong_words(lan):
    """What is wrong is named."""
    lan.add("a", start=False)
    for words, status, text_ in [
            (("capture",), 2, "PORT"), (("capture", "nobody"), 1, "nobody"),
            (("capture", "a", "-c", "0"), 2, "-c"),
            (("capture", "a", "--snaplen", "0"), 1, "snaplen"),
            (("capture", "a", "--snaplen", "32001"), 1, "32000"),
            (("capture", "a", "-w"), 2, "-w"),
            (("capture", "a", "--direction", "up"), 2, "from"),
            (("capture", "a", "-x"), 2, "-x"),
            (("-j", "capture", "a", "-w", "/dev/null"), 2, "-j"),
            (("capture", "a", "-w", "/nowhere/x"), 1, "/nowhere/x")]:
        done = lan.daemon.run(*words)
        assert done.returncode == status and text_ in done.stderr, (words, done)


def test_one_at_a_time(lan):
    """One capture per connection, none for a subscriber, and so many in all."""
    lan.add("a", start=False)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.Wire(lan.daemon.socket)) for _ in range(9)]
        for client in clients[:8]:
            client.call(CAPTURE_START, (wire.PORT, "a"))
        refused(clients[0], errno.EBUSY, CAPTURE_START, (wire.PORT, "a"))
        refused(clients[0], errno.EBUSY, wire.SUBSCRIBE)
        refused(clients[8], errno.ENOSPC, CAPTURE_START, (wire.PORT, "a"))
        refused(clients[8], errno.ENOENT, CAPTURE_STOP)
        clients[0].call(CAPTURE_STOP)
        assert end_of(clients[0]) == "stopped"
        wait_for(lambda: began(clients[8], (wire.PORT, "a")), bool)
        clients[8].call(CAPTURE_STOP)
        end_of(clients[8])
        clients[8].call(wire.SUBSCRIBE)
        refused(clients[8], errno.EBUSY, CAPTURE_START, (wire.PORT, "a"))
        refused(clients[0], errno.EOPNOTSUPP, CAPTURE)


# ---- nobody is harmed ----

def test_a_slow_reader_loses_frames(lan, victim):
    """Who does not read loses frames, and is told how many; the switch and others lose nothing."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    meet(lan, a, b)
    sent = 0
    with wire.Wire(lan.daemon.socket) as client:
        client.call(CAPTURE_START, (wire.PORT, "a"), (DIRECTION, 1))
        burst = [frame(b.mac, a.mac, 1500, seed=seed) for seed in range(100)]
        while sent < 6000:                  # 9 MB: more than the rings and sockets hold
            many(a, burst)
            b.recv_all(0)
            sent += len(burst)
        client.send(wire.message(CAPTURE_STOP, flags=wire.REQUEST))
        frames, end = rest(client)
    lost = sum(number(row, LOST) for row in frames) + number(end, LOST)
    assert lost > 0 and len(frames) + lost == sent
    assert number(end, COUNT) == len(frames) > 2000


def test_a_stopped_terminal(lan, victim):
    """A command that is stopped for a while goes on, and knows what it has missed."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    meet(lan, a, b)
    with Capture(lan.daemon, "a", "--direction", "from", "--snaplen", "1000") as capture:
        capture.process.send_signal(signal.SIGSTOP)
        burst = [frame(b.mac, a.mac, 1500, seed=seed) for seed in range(100)]
        for _ in range(60):
            many(a, burst)
            b.recv_all(0)
        capture.process.send_signal(signal.SIGCONT)
        rows, end = capture.stop()
    assert len(rows) == end["count"] and end["lost"] > 0 and end["count"] + end["lost"] == 6000


def test_a_client_that_dies(lan, victim):
    """Its capture ends with it: afterwards there is room for eight again."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            captures = [stack.enter_context(Capture(lan.daemon, "a")) for _ in range(8)]
            cross(a, [frame(b.mac, a.mac, 900, seed=seed) for seed in range(20)])
            for one in captures:
                one.process.kill()
                one.process.wait()
            wait_for(lambda: can_capture(lan.daemon, "a"), bool)


def test_the_port_is_renamed_and_goes(lan, victim):
    """A capture follows its port to another name, and ends with the port."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    meet(lan, a, b)
    with Capture(lan.daemon, "a", "--direction", "from") as capture:
        cross(a, frame(b.mac, a.mac, 60))
        lan.daemon.check("port", "set", "a", "name", "anne")
        lan.daemon.check("port", "set", "b", "name", "bob")
        cross(a, frame(b.mac, a.mac, 61))
        rows = capture.frames(2)
        assert [row["length"] for row in rows] == [60, 61]
        assert rows[1]["port"] == "bob"
        lan.daemon.check("port", "del", "anne")
        again = lan.add("other", mac=mac(0xc))
        cross(again, frame(b.mac, again.mac, 62))
        rows, end = capture.rest_of_it()
    assert rows == [] and end["text"] == "port 'anne' is gone"


def test_ports_come_and_go(lan, victim):
    """Captures begun and ended, ports made and removed, in any order under traffic."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    order = random.Random(1)
    clients = []
    meet(lan, a, b)
    with Traffic({a: [frame(b.mac, a.mac, 200), frame(b.mac, a.mac, 1514)]}, [b]):
        for n in range(60):
            lan.daemon.check("port", "add", f"x{n}", "switch", "lan", "type", "guest", "socket",
                             lan.rundir / f"x{n}.sock")
            client = wire.Wire(lan.daemon.socket)
            clients.append(client)
            client.call(CAPTURE_START, (wire.PORT, order.choice([f"x{n}", "a", "b"])))
            if len(clients) == 6:
                clients.pop(order.randrange(6)).close()
            if n > 3:
                lan.daemon.check("port", "del", f"x{n - 3}")
        for client in clients:
            client.close()
    wait_for(lambda: can_capture(lan.daemon, "a"), bool)


def test_guest_memory_goes_away(lan, victim):
    """A guest that takes its memory away while it is captured harms nobody else."""
    a, b = lan.add("a", mac=mac(0xa)), lan.add("b", mac=mac(0xb))
    meet(lan, a, b)
    with Capture(lan.daemon, "a") as capture:
        cross(a, frame(b.mac, a.mac, 60))
        a.close()
        lan.wait("a", lambda row: not row["up"])
        rows, _ = capture.stop()
    assert len(rows) == 1
