# SPDX-License-Identifier: BSD-3-Clause
"""Others' eyes on VLANs: Open vSwitch gets the same frames as the switch, and tshark reads what the
switch delivered."""

import shutil
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap

from frames import BROADCAST, STRANGER, cross, mac, noise, text
from ovs import MISSING, Ovs
from vlans import KINDS, TAG, enter, leave, mode, tag, vlan_frame

pytestmark = pytest.mark.once

TSHARK = shutil.which("tshark")


# ---- Open vSwitch ----

# All ports keep priorities, as Open vSwitch does.
MODES = [mode(words, priority=True) for words in (
    "untagged", "access 10", "access 20", "access 4094", "trunk 10,20", "trunk 10,20 native 10",
    "trunk 10,20 native 30", "trunk 20 native 10", "trunk 1-4094", "trunk 1-4094 native 20")]
# It looks at the first tag only, and takes it off whatever comes behind it; and it takes service
# tags for others. The manual of the switch says otherwise, so these are not compared.
COMMON = {name: tags for name, tags in KINDS.items()
          if "service" not in name and tags[4:6] != TAG and name != "4095"}


@pytest.fixture
def ovs():
    """Open vSwitch with a port per mode."""
    if MISSING:
        pytest.skip(f"Open vSwitch is not installed: {MISSING}")
    one = Ovs()
    try:
        one.start()
        for n, each in enumerate(MODES):
            one.add(f"p{n}", each)
        yield one
    finally:
        one.close()


def as_ours(one):
    """A frame of Open vSwitch, but for two things: the switch does not keep the drop eligible bit
    of a tag, and a priority is kept in tags of VLANs only, never in one with VLAN 0."""
    if one[12:14] != TAG:
        return one
    if not int.from_bytes(one[14:16], "big") & 0xfff:
        return one[:12] + one[16:]
    return one[:14] + bytes([one[14] & 0xef]) + one[15:]


@pytest.mark.parametrize("dst", [BROADCAST, STRANGER], ids=["broadcast", "unknown"])
def test_open_vswitch(lan, ovs, dst):
    """From each port to all others, the switch delivers what Open vSwitch delivers; and so says the
    model that the other tests believe."""
    names = list(ovs.stations)
    for n, name in enumerate(names):
        lan.add(name, "vlan", *MODES[n].words.split(), mac=mac(n + 1))
        lan.daemon.check("port", "set", name, "storm", 0, "priority", "on")
    compared = 0
    for n, name in enumerate(names):
        sent = [vlan_frame(dst, mac(n + 1), tags, 100 + k, k)
                for k, tags in enumerate(COMMON.values())]
        inside = [one for frame in sent if (one := enter(MODES[n], frame)[1])]
        ours = cross(lan.guests[name], sent, *(lan.guests[other] for other in names))
        theirs = ovs.cross(name, sent, *names)
        for m, (have, want) in enumerate(zip(ours, theirs)):
            assert sorted(have) == sorted(map(as_ours, want)), (MODES[n], MODES[m])
            assert have == [leave(MODES[m], one) for one in inside
                            if m != n and MODES[m].has(one.vid)], (MODES[n], MODES[m])
            compared += len(want)
    assert compared > 300


# ---- tshark ----

FIELDS = ["frame.len", "eth.type", "vlan.id", "vlan.priority", "vlan.dei", "vlan.etype",
          "frame.protocols", "_ws.malformed", "ip.checksum.status", "tcp.checksum.status",
          "udp.checksum.status", "icmp.checksum.status"]
GOOD, UNCHECKED = "1", "2"
VLANS = (10, 20, 4094)


def packets(source):
    """What hosts say, on three VLANs, with priorities, short and long: (VLAN, priority, frame)."""
    ip, ip6 = IP(src="10.0.0.1", dst="10.0.0.255"), IPv6(src="fe80::1", dst="ff02::1")
    for vid in VLANS:
        for priority in (0, 3, 7):
            head = (Ether(src=text(source), dst="ff:ff:ff:ff:ff:ff")
                    / Dot1Q(vlan=vid, prio=priority))
            bodies = [ARP(pdst="10.0.0.2")]
            for size in (0, 1, 17, 99, 1460):
                bodies += [ip / ICMP() / Raw(noise(size)),
                           ip / UDP(sport=7, dport=9999) / Raw(noise(size)),
                           ip / TCP(sport=40000, dport=50000, flags="PA") / Raw(noise(size)),
                           ip6 / UDP(sport=7, dport=9999) / Raw(noise(size))]
            for body in bodies:
                yield vid, priority, bytes(head / body)


def dissect(path):
    """A row of FIELDS for each frame of a file."""
    command = [TSHARK, "-r", path, "-T", "fields", "-E", "separator=|"]
    for option in ("ip", "tcp", "udp"):
        command += ["-o", f"{option}.check_checksum:TRUE"]
    for field in FIELDS:
        command += ["-e", field]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [dict(zip(FIELDS, line.split("|"))) for line in out.splitlines()]


def capture(tmp_path, frames):
    """What tshark says of frames, after scapy has written them and read them back."""
    path = str(tmp_path / "got.pcap")
    wrpcap(path, [Ether(one) for one in frames])
    assert [bytes(one) for one in rdpcap(path)] == frames
    return dissect(path)


def check_row(row, frame):
    """No fault, and no broken checksum."""
    assert row["_ws.malformed"] == "" and int(row["frame.len"]) == len(frame), row
    sums = {row[name] for name in FIELDS if name.endswith("checksum.status")} - {""}
    assert sums <= {GOOD, UNCHECKED}, row
    assert GOOD in sums or "arp" in row["frame.protocols"], row


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
@pytest.mark.parametrize("priorities", ["on", "off"])
def test_wire(lan, tmp_path, priorities):
    """Tags come and go with the right lengths and types, and no checksum is touched."""
    a = lan.add("a", "vlan", "trunk", "10,20,4094", mac=mac(1))
    lan.daemon.check("port", "set", "a", "storm", 0, "priority", priorities)
    same = lan.add("same", "vlan", "trunk", "1-4094")
    native = lan.add("native", "vlan", "trunk", "10,20", "native", 20)
    access = lan.add("access", "vlan", "access", 4094)
    sent = list(packets(a.mac))
    ports = {"same": [], "native": [], "access": []}
    for at in range(0, len(sent), 60):
        got = cross(a, [one for _, _, one in sent[at:at + 60]], same, native, access)
        for frames, more in zip(ports.values(), got):
            frames += more
    for name, frames in ports.items():
        on = {"same": VLANS, "native": (10, 20), "access": (4094,)}[name]
        bare = {"same": 0, "native": 20, "access": 4094}[name]
        wanted = [(vid, priority, one) for vid, priority, one in sent if vid in on]
        rows = capture(tmp_path, frames)
        assert len(rows) == len(wanted) == len(frames)
        for row, (vid, priority, one), have in zip(rows, wanted, frames):
            check_row(row, have)
            if vid == bare:
                assert have == one[:12] + one[16:] and row["vlan.id"] == ""
                assert "vlan" not in row["frame.protocols"]
            else:
                kept = priority if priorities == "on" else 0
                assert have == one[:12] + tag(vid, kept) + one[16:]
                assert (row["eth.type"], int(row["vlan.id"]), int(row["vlan.priority"]),
                        row["vlan.dei"]) == ("0x8100", vid, kept, "0"), row
                assert int(row["vlan.etype"], 16) == int.from_bytes(one[16:18], "big")


@pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
def test_wire_untagged_to_trunk(lan, tmp_path):
    """The other way: an access port's frames get a tag, one of 802.1Q, and nothing else changes."""
    a, b = lan.add("a", "vlan", "access", 4094, mac=mac(1)), lan.add("b", "vlan", "trunk", "1-4094")
    sent = [one[:12] + one[16:] for vid, priority, one in packets(a.mac) if not priority]
    got = []
    for at in range(0, len(sent), 60):
        got += cross(a, sent[at:at + 60], b)[0]
    assert got == [one[:12] + tag(4094) + one[12:] for one in sent]
    for row, one in zip(capture(tmp_path, got), got):
        check_row(row, one)
        assert (row["vlan.id"], row["vlan.priority"]) == ("4094", "0")
