# SPDX-License-Identifier: BSD-3-Clause
"""Every frame is accounted for: the guests' own counts equal the switch's, and the three sums hold
at any time."""

import random
import time

from frames import BROADCAST, STRANGER, Traffic, cross, frame, mac, many, noise, teach, text
from vsguest import HDR
from watch import wait_for

AUDITS = 50


def rows(daemon):
    """{(sum, name): row} of the audit, which must hold."""
    out = daemon.json("stats", "audit")
    assert all(row["ok"] for row in out), out
    assert all(row["left"] == row["right"] for row in out), out
    return {(row["sum"], row["name"]): row for row in out}


def test_counts(trio):
    """What each guest sent and received, in frames and bytes, is what `stats show` says."""
    rng = random.Random(1)
    guests = trio.guests
    sent = {name: [] for name in guests}
    got = {name: [] for name in guests}
    for _ in range(600):
        name = rng.choice("abc")
        dst = rng.choice([guests[n].mac for n in "abc" if n != name] + [BROADCAST, STRANGER])
        one = frame(dst, guests[name].mac, rng.randrange(60, 1515), seed=1)
        sent[name].append(one)
        for other, received in zip(guests, cross(guests[name], one, *guests.values())):
            got[other] += received
    for name, guest in guests.items():
        stats = trio.stats(name)
        assert stats["received"] == len(sent[name]) == guest.pair().tx_frames
        assert stats["received_bytes"] == sum(map(len, sent[name]))
        assert stats["sent"] == len(got[name]) == guest.pair().rx_frames
        assert stats["sent_bytes"] == sum(map(len, got[name]))
        assert stats["attempts"] == stats["sent"] + stats["dropped_out"]
        assert stats["received"] == (stats["forwarded"] + stats["flooded"] + stats["consumed"]
                                     + stats["dropped_in"])
        assert stats["dropped_in"] == stats["dropped_out"] == stats["consumed"] == 0
    audit = rows(trio.daemon)
    assert set(audit) == {(s, n) for s in ("ingress", "egress") for n in "abc"} | {
        ("switch", "lan")}
    assert audit["switch", "lan"]["left"] == sum(len(one) for one in got.values())


def test_by_vm(lan):
    """Figures per VM are the sums over its ports."""
    a = lan.add("eth0", "vm", "web", mac=mac(1))
    b = lan.add("eth1", "vm", "web", mac=mac(2))
    c = lan.add("db", mac=mac(3))
    teach(lan, "eth0", "eth1", "db")
    cross(a, [frame(c.mac, a.mac, 100)] * 5, b, c)
    cross(b, [frame(c.mac, b.mac, 200)] * 7, a, c)
    cross(c, [frame(a.mac, c.mac, 300)] * 3 + [frame(c.mac, c.mac)], a, b)
    vms = {row["vm"]: row for row in lan.daemon.json("stats", "show", "by", "vm")}
    assert set(vms) == {"web", "db"}
    assert (vms["web"]["ports"], vms["db"]["ports"]) == (2, 1)
    ports = {name: lan.stats(name) for name in ("eth0", "eth1", "db")}
    counters = [key for key in vms["web"] if key not in ("vm", "ports")]
    assert len(counters) == 10
    for key in counters:
        assert vms["web"][key] == ports["eth0"][key] + ports["eth1"][key], key
        assert vms["db"][key] == ports["db"][key], key
    assert vms["web"]["received"] == 1 + 5 + 1 + 7
    assert vms["web"]["received_bytes"] == 60 + 5 * 100 + 60 + 7 * 200
    assert vms["db"]["dropped_in"] == 1
    lan.daemon.check("port", "set", "eth1", "vm", "db")
    vms = {row["vm"]: row for row in lan.daemon.json("stats", "show", "by", "vm")}
    assert (vms["web"]["ports"], vms["db"]["ports"]) == (1, 2)


class Mix:
    """Random good and bad frames of one guest; it remembers what must become of them."""

    def __init__(self, guest, peers, rng):
        self.guest, self.peers, self.rng = guest, peers, rng
        self.expect = {}
        self.good = 0

    def bad(self):
        """A frame, how to send it, and the reason it must be dropped for."""
        own, peer, rng = self.guest.mac, self.rng.choice(self.peers).mac, self.rng
        return rng.choice([
            (frame(peer, own, rng.randrange(14)), {}, "runt"),
            (frame(peer, own), {"hdr": b"\x01"}, "offload_denied"),
            (frame(peer, own, 1515), {}, "mtu_in"),
            (frame(peer, own, 17, kind=b"\x81\x00"), {}, "vlan_short"),
            (frame(peer, own, kind=b"\x81\x00\x00\x05\x08\x00"), {}, "vlan_tagged"),
            (frame(peer, bytes(6)), {}, "src_invalid"),
            (frame(peer, STRANGER), {}, "spoof"),
            (frame(bytes.fromhex("0180c2000003"), own), {}, "reserved_mac"),
            (frame(own, own), {}, "hairpin"),
            (frame(peer, own, 500), {"split": [HDR] + [1] * 70}, "chain_descs"),
        ])

    def step(self):
        """Send one frame."""
        if self.rng.random() < 0.5:
            peer = self.rng.choice(self.peers)
            self.guest.send(frame(peer.mac, self.guest.mac, self.rng.randrange(14, 1515)))
            self.good += 1
        else:
            one, how, reason = self.bad()
            self.guest.send(one, **how)
            self.expect[reason] = self.expect.get(reason, 0) + 1


def test_mix(trio):
    """Good and bad frames of several guests at random: each bad one is counted under its reason
    at its port, each good one arrives, and the sums hold meanwhile."""
    rng = random.Random(7)
    for name, guest in trio.guests.items():
        trio.daemon.check("port", "set", name, "mac", text(guest.mac), "mtu", 1500)
    mixes = {name: Mix(guest, [g for n, g in trio.guests.items() if n != name], rng)
             for name, guest in trio.guests.items()}
    got = 0
    for turn in range(1500):
        rng.choice(list(mixes.values())).step()
        if turn % 100 == 99:
            for guest in trio.guests.values():
                guest.flush()
            got += sum(len(guest.recv_all(0)) for guest in trio.guests.values())
            trio.daemon.audit()
    for name, mix in mixes.items():
        assert len(mix.expect) == 10
        assert trio.daemon.drops(name) == mix.expect
        stats = trio.stats(name)
        assert stats["dropped_in"] == sum(mix.expect.values())
        assert stats["forwarded"] == mix.good
        assert stats["received"] == mix.good + stats["dropped_in"] == mix.guest.pair().tx_frames
    assert got == sum(mix.good for mix in mixes.values())
    assert got == rows(trio.daemon)["switch", "lan"]["left"]


def age(lan, name, reason):
    """Age of a sample in milliseconds."""
    return next(row["sample"]["age_ms"] for row in lan.daemon.json("drops", "show", "port", name)
                if row["reason"] == reason)


def test_samples(trio):
    """Each reason keeps the last frame it hit: its length, its first bytes, how long ago. (A
    sample of the last millisecond stays, so that a storm of drops costs no copies.)"""
    a, b, c = trio.guests.values()
    trio.daemon.check("port", "set", "a", "mac", text(a.mac))
    begin = time.monotonic()
    first = frame(b.mac, mac(1), 300, seed=1)
    last = frame(b.mac, mac(2), 1000, seed=2)
    short = noise(9)
    cross(a, first)
    wait_for(lambda: age(trio, "a", "spoof"), lambda ms: ms >= 2)
    cross(a, [last, short])
    rows_a = {row["reason"]: row for row in trio.daemon.json("drops", "show", "port", "a")}
    assert set(rows_a) == {"spoof", "runt"}
    sample = rows_a["spoof"]["sample"]
    assert rows_a["spoof"]["count"] == 2 and rows_a["spoof"]["side"] == "in"
    assert "port set" in rows_a["spoof"]["text"]
    assert sample["length"] == 1000 and sample["bytes"] == last[:64].hex()
    assert (sample["src"], sample["dst"]) == (text(mac(2)), text(b.mac))
    assert sample["ethertype"] == 0x88b5 and sample["vlan"] is None
    assert 0 <= sample["age_ms"] <= (time.monotonic() - begin) * 1000 + 1
    assert rows_a["runt"]["sample"]["bytes"] == short.hex()
    assert rows_a["runt"]["sample"]["length"] == 9
    again = trio.daemon.json("drops", "show", "port", "a")
    assert {row["reason"]: row["sample"]["bytes"] for row in again}["spoof"] == last[:64].hex()
    assert {row["reason"]: row["sample"]["age_ms"] for row in again}["spoof"] >= sample["age_ms"]

    # Of the side "out", at the port the frame was meant for.
    trio.daemon.check("port", "set", "b", "mtu", 68)
    teach(trio, "b")
    long = frame(b.mac, a.mac, 200)
    cross(a, long)
    (row,) = trio.daemon.json("drops", "show", "port", "b")
    assert (row["reason"], row["side"], row["count"]) == ("mtu_out", "out", 1)
    assert row["sample"]["bytes"] == long[:64].hex()
    tagged = frame(b.mac, a.mac, 100, kind=b"\x81\x00\x00\x2a\x08\x00")
    cross(a, tagged)
    (row,) = (r for r in trio.daemon.json("drops", "show", "port", "a")
              if r["reason"] == "vlan_tagged")
    assert (row["sample"]["vlan"], row["sample"]["ethertype"]) == (42, 0x800)
    shown = trio.daemon.check("drops", "show")
    assert "spoof" in shown and text(mac(2)) in shown and last[:16].hex() in shown


def test_deleted_ports(trio):
    """What a deleted port has counted stays in the sum of its switch."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    cross(a, [frame(b.mac, a.mac)] * 10 + [frame(BROADCAST, a.mac)] * 5, b, c)
    cross(b, [frame(b.mac, b.mac)] * 4)
    before = rows(trio.daemon)
    total = before["switch", "lan"]["left"]
    assert total == 6 + 10 + 10
    for n, name in enumerate("bca"):
        trio.daemon.check("port", "del", name)
        trio.guests.pop(name).close()
        after = rows(trio.daemon)
        assert after["switch", "lan"]["left"] == total
        assert ("ingress", name) not in after
        gone = "bca"[:n + 1]
        for side in ("ingress", "egress"):
            assert after[side, "(deleted ports)"]["left"] == sum(
                before[side, one]["left"] for one in gone)
    # A new port in the place of an old one begins at zero.
    d = trio.add("d", mac=mac(1))
    assert trio.stats("d")["received"] == 0
    cross(d, [frame(BROADCAST, d.mac)] * 3)
    after = rows(trio.daemon)
    assert after["ingress", "d"]["left"] == 3
    assert after["switch", "lan"]["left"] == total


def test_del_under_traffic(trio):
    """Ports that go while frames fly to them take no count with them."""
    a, b, c = trio.guests.values()
    trio.daemon.check("port", "set", "a", "storm", 0)
    teach(trio, "b", "c")
    with Traffic({a: [frame(b.mac, a.mac), frame(BROADCAST, a.mac), frame(c.mac, a.mac)]}, [b, c]):
        for n in range(10):
            path = trio.rundir / "coming-and-going.sock"
            trio.daemon.check("port", "add", f"p{n}", "switch", "lan", "type", "guest", "socket",
                              path, "mac", text(mac(n)))
            rows(trio.daemon)
            trio.daemon.check("port", "del", f"p{n}")
            rows(trio.daemon)
        trio.daemon.check("port", "del", "c")
        rows(trio.daemon)
    assert trio.stats("a")["received"] == a.pair().tx_frames
    assert trio.stats("b")["sent"] == b.pair().rx_bufs
    assert rows(trio.daemon)["ingress", "(deleted ports)"]["left"] == 1


def test_audit_under_traffic(trio):
    """The sums hold at every moment of full traffic, drops included, and in the end the guests'
    own counts are the switch's."""
    a, b, c = trio.guests.values()
    teach(trio, "a", "b", "c")
    trio.daemon.check("port", "set", "c", "mtu", 500)
    for name in "ab":       # far below what any machine sends
        trio.daemon.check("port", "set", name, "storm", 10)
    load = {
        a: [frame(b.mac, a.mac), frame(c.mac, a.mac, 600), frame(BROADCAST, a.mac),
            frame(STRANGER, bytes(6)), frame(a.mac, a.mac)],
        b: [frame(a.mac, b.mac, 1514), frame(STRANGER, b.mac), frame(b.mac, b.mac, 3)],
    }
    seen = []
    with Traffic(load, [c]):
        for _ in range(AUDITS):
            seen.append(rows(trio.daemon)["switch", "lan"]["left"])
    assert seen == sorted(seen) and len(set(seen)) > AUDITS / 2, "there was no traffic"
    for name, guest in trio.guests.items():
        stats = trio.stats(name)
        assert stats["received"] == guest.pair().tx_frames
        # One buffer a frame: all of them fit.
        assert stats["sent"] == guest.pair().rx_bufs
    drops = {name: trio.daemon.drops(name) for name in "abc"}
    assert {"storm", "src_invalid", "hairpin"} <= set(drops["a"])
    assert {"storm", "runt"} <= set(drops["b"])
    assert drops["c"]["mtu_out"] > 0
    assert abs(drops["a"]["src_invalid"] - drops["a"]["hairpin"]) <= a.tx.size


def test_storm_accounts(trio):
    """Frames over the storm limit and frames for a full ring add up to what was sent."""
    a, b, c = trio.guests.values()
    many(a, [frame(BROADCAST, a.mac)] * 20000)
    stats, drops = trio.stats("a"), trio.daemon.drops("a")
    assert stats["received"] == 20000 == stats["flooded"] + drops["storm"]
    for name, guest in (("b", b), ("c", c)):
        got = len(guest.recv_all(0))
        assert got == 256 == trio.stats(name)["sent"]
        assert trio.daemon.drops(name) == {"rx_full": stats["flooded"] - got}
