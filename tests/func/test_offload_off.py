# SPDX-License-Identifier: BSD-3-Clause
"""`port set NAME offload …`: what a guest has negotiated stays so, and the switch does the work."""

import json

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import net
import uplinks
from frames import noise, teach, text
from netns import Namespace
from offloads import GSO_TCP4, GSO_TCP6, NEEDS_CSUM, SENDS, TAKES, finished, partial, segments
from uplinks import at_once, meet

session_daemon, wire, uplink_lan = net.session_daemon, uplinks.wire, uplinks.lan
ALL = ["csum", "tso4", "tso6", "uso", "gro"]


@pytest.fixture(scope="module")
def host():
    """The namespace of the daemon."""
    with Namespace("host", ipv6=False) as one:
        yield one


@pytest.fixture
def pair(lan):
    """Guests a, which sends anything, and b, which takes anything."""
    lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), tx_buf_len=70000, mem_mib=64, add=SENDS)
    lan.add("b", mac=bytes([2, 0, 0, 0, 0, 0xb]), rx_shape=[4096], ring_size=1024,
            add=TAKES["all"])
    teach(lan, "a", "b")
    return lan


def long_frame(lan, version):
    """(packet, frame, header, bytes of a segment) of a frame that stands for several."""
    ether = Ether(src=text(lan.guests["a"].mac), dst=text(lan.guests["b"].mac))
    ip = (IP(src="10.0.0.1", dst="10.0.0.2", id=7) if version == 4
          else IPv6(src="fd00::1", dst="fd00::2"))
    pkt = Ether(bytes(ether / ip / TCP(flags="PA", seq=5) / Raw(noise(10000))))
    sent, hdr = partial(pkt.copy(), gso_type=GSO_TCP4 if version == 4 else GSO_TCP6, gso_size=1400)
    return pkt, sent, hdr


def passes(lan, version):
    """How a long frame gets from a to b: whole, cut (checksums owed) or finished."""
    a, b = lan.guests["a"], lan.guests["b"]
    pkt, sent, hdr = long_frame(lan, version)
    a.send(sent, hdr=hdr)
    a.flush()
    got = b.recv_all(0)
    if got == [sent]:
        assert b.last_hdr().gso_type == hdr.gso_type
        return "whole"
    flags = b.last_hdr().flags
    assert b.last_hdr().gso_type == 0
    if flags == NEEDS_CSUM:
        assert got != segments(pkt, 1400)
        got = [finished(one) for one in got]
    assert got == segments(pkt, 1400)
    return "cut" if flags == NEEDS_CSUM else "finished"


def test_at_run_time(pair):
    """Each part alone, back and forth, with the features as they were."""
    daemon = pair.daemon
    features = daemon.json("port", "show", "b")[0]["features"]
    steps = (
        (("tso4", "off"), ["tso4"], ("cut", "whole")),
        (("tso6", "off"), ["tso4", "tso6"], ("cut", "cut")),
        (("tso4", "on"), ["tso6"], ("whole", "cut")),
        (("csum", "off"), ["csum", "tso6"], ("finished", "finished")),
        (("all",), [], ("whole", "whole")),
        (("none",), ALL, ("finished", "finished")),
        (("csum,tso6", "on"), ["tso4", "uso", "gro"], ("cut", "whole")),
        (("uso,gro,tso4", "on"), [], ("whole", "whole")))
    for words, off, then in steps:
        daemon.check("port", "set", "b", "offload", *words)
        assert daemon.json("port", "show", "b")[0]["offload_off"] == off
        assert (passes(pair, 4), passes(pair, 6)) == then, words
        assert daemon.json("port", "show", "b")[0]["features"] == features
    # What its sender may leave undone is no matter of this.
    daemon.check("port", "set", "a", "offload", "none")
    assert passes(pair, 4) == "whole"
    assert daemon.drops("a") == daemon.drops("b") == {}


def test_kept(vmswitchd, rundir, monitor, tmp_path):
    """In the configuration, in a batch, rolled back, told of."""
    socket = rundir / "g.sock"
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("port", "add", "g", "switch", "lan", "type", "guest", "socket", socket,
                    "offload", "tso4,gro", "off")
    text_of = vmswitchd.check("config", "show")
    assert "offload tso4,gro off" in text_of

    def off():
        return vmswitchd.json("port", "show", "g")[0]["offload_off"]
    assert off() == ["tso4", "gro"]
    assert "OFFLOAD-OFF" in vmswitchd.check("port", "show", "g").upper()
    vmswitchd.check("--confirm", "60", "port", "set", "g", "offload", "csum", "off")
    assert off() == ["csum", "tso4", "gro"]
    vmswitchd.check("rollback")
    assert off() == ["tso4", "gro"]
    (tmp_path / "batch").write_text("port set g offload none\nport set g offload uso on\n")
    vmswitchd.check("-f", tmp_path / "batch")
    assert off() == ["csum", "tso4", "tso6", "gro"]
    (tmp_path / "bad").write_text("port set g offload all\nport set nix offload all\n")
    assert vmswitchd.run("-f", tmp_path / "bad").returncode == 1
    assert off() == ["csum", "tso4", "tso6", "gro"]
    said = json.loads(vmswitchd.check("-j", "--dry-run", "port", "set", "g", "offload", "all"))
    assert "offload" in json.dumps(said)
    assert off() == ["csum", "tso4", "tso6", "gro"]
    assert [e["port"] for e in monitor.sync() if e["event"] == "port-changed"].count("g") >= 3
    commands = vmswitchd.check("config", "show")
    vmswitchd.clear()
    (tmp_path / "again").write_text(commands)
    vmswitchd.check("-f", tmp_path / "again")
    assert off() == ["csum", "tso4", "tso6", "gro"]
    vmswitchd.check("port", "set", "g", "offload", "all")
    assert "offload" not in vmswitchd.check("config", "show")


@pytest.mark.parametrize("words,text_", [
    (("lro", "off"), "'lro' after 'offload' is no list of offloads"),
    (("csum",), "is followed by nothing: on or off"),
    (("csum", "maybe"), "accepted here: on, off"),
])
def test_wrong_words(vmswitchd, words, text_):
    """The command line says what it takes."""
    done = vmswitchd.run("port", "set", "g", "offload", *words)
    assert done.returncode == 2 and text_ in done.stderr


@pytest.mark.parametrize("wire", ["xdp"], indirect=True)
@pytest.mark.parametrize("who", ["guest", "uplink"])
def test_merging(uplink_lan, who):
    """GRO is switched off for a guest, and for all that comes from an uplink."""
    lan = uplink_lan
    a = lan.add("a", mac=bytes([2, 0, 0, 0, 0, 0xa]), rx_shape=[4096], ring_size=1024, mem_mib=64,
                add=TAKES["all"])
    meet(lan, a)
    port = "a" if who == "guest" else lan.uplink
    base = Ether(src=text(lan.station.mac), dst=text(a.mac)) / IP(src="10.0.0.1", dst="10.0.0.2",
                                                              flags="DF")
    sent = [bytes(base / TCP(sport=1, dport=2, seq=1 + 1000 * k, flags="A") / Raw(noise(1000)))
            for k in range(20)]

    def packets():
        at_once(lan, sent)
        sizes = []
        while sum(sizes) < 20:
            whole = a.recv(5.0)
            assert whole is not None, sizes
            sizes.append(-(-(len(whole) - 54) // 1000))
        return len(sizes)
    lan.daemon.check("port", "set", port, "offload", "gro", "off")
    assert packets() == 20
    lan.daemon.check("port", "set", port, "offload", "gro", "on")
    # How many come at a time is the business of the device.
    assert packets() < 20
