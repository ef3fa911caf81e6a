# SPDX-License-Identifier: BSD-3-Clause
"""`uplink offload test`: does the card of an uplink do the offloads that it claims? The card is
virtio-user; behind it is another switch, and guest b on it, who returns what it gets, honestly or
not. What the card claims and does not do is b's doing here: that is all the same to the test.

    a --- switch "lan" of one daemon --- net_virtio_user0 | port "card" of another daemon --- b, c
"""

import json
import pathlib
import threading

import pytest

from frames import frame, text
from lan import Lan, own_daemon
from offloads import GSO_TCP4, GSO_TCP6, OFFERED
from uplinks import refused
from watch import Monitor, wait_for

A, B, C = (bytes([2, 0, 0, 0, 0, n]) for n in (0xa, 0xb, 0xc))
RANGE = ("vlan", "trunk", "1-10")
CLAIMED = ("csum", "tso4", "tso6")


@pytest.fixture(scope="module", name="session_daemon")
def start_near_daemon(request):
    """The daemon under test: its uplink may be a virtio-user."""
    with own_daemon("--virtio-user", config=request.config) as daemon:
        yield daemon


@pytest.fixture(scope="module", name="far_daemon")
def start_far_daemon():
    """A second daemon: it is at the other end of the card."""
    with own_daemon() as daemon:
        yield daemon
        assert daemon.alive()


class Partner(threading.Thread):
    """Guest b returns each frame, with its addresses exchanged, as change() makes it: of (frame,
    virtio header), for None not at all."""

    def __init__(self, guest):
        super().__init__()
        self.guest = guest
        self.change = self.honest
        self.ends = threading.Event()
        self.start()

    @staticmethod
    def honest(data, hdr):
        """Nothing is changed."""
        return data, hdr

    def run(self):
        while not self.ends.is_set():
            data = self.guest.recv(0.05)
            # 192.0.2.0/24 or 2001:db8::/32: a frame of the test
            if data is None or not (data[26:29] == b"\xc0\0\2" or data[22:26] == b"\x20\1\r\xb8"):
                continue
            hdr = self.guest.last_hdr()
            back = self.change(data[6:12] + data[:6] + data[12:], hdr)
            if back:
                self.guest.send(back[0], hdr=back[1])
                self.guest.flush()

    def end(self):
        """Return nothing any more."""
        self.ends.set()
        self.join()


@pytest.fixture(name="far")
def make_far(far_daemon, rundir):
    """Its switch, with guests b and c, and a port for the card."""
    far = Lan(far_daemon, pathlib.Path(rundir), "far")
    far_daemon.check("port", "add", "card", "switch", "far", "type", "guest", "socket",
                     f"{rundir}/card.sock", "mode", "server", *RANGE)
    for name, mac in (("b", B), ("c", C)):
        far.add(name, *RANGE, mac=mac, rx_shape=[4096], ring_size=256, mem_mib=64,
                tx_buf_len=70000, add=OFFERED)
    yield far
    far.close()
    far_daemon.clear()


@pytest.fixture(name="near")
def make_near(vmswitchd, rundir, far):
    """The switch of a."""
    near = Lan(vmswitchd, pathlib.Path(rundir), kind=(
        "external", "uplink", f"dpdk:net_virtio_user0,path={rundir}/card.sock"))
    near.add("a", *RANGE, mac=A, ring_size=1024)
    near.wait("lan.uplink", lambda row: row["up"])
    far.wait("card", lambda row: row["up"])
    yield near
    near.close()
    vmswitchd.clear()


@pytest.fixture(name="partner")
def make_partner(near, far):
    """Who returns frames: b, which the far switch knows by a frame of its own."""
    far.guests["b"].send(frame(A, B, seed="hello"))
    far.guests["b"].flush()
    assert near.guests["a"].recv(10) == frame(A, B, seed="hello")
    one = Partner(far.guests["b"])
    yield one
    one.end()


def next_of(guest):
    """The next frame to a guest that is its own; a flood is not."""
    while True:
        data = guest.recv(10)
        if data is None or data[:6] == guest.mac:
            return data


def run_test(daemon, *words):
    """One test: (exit status, {offload: row}); partner b."""
    done = daemon.run("-j", "uplink", "offload", "test", "lan", *words)
    rows = json.loads(done.stdout)
    assert [row["offload"] for row in rows] == ["csum", "tso4", "tso6", "verify"]
    assert {(row["switch"], row["port"]) for row in rows} == {("lan", "lan.uplink")}
    return done.returncode, {row["offload"]: row for row in rows}


def judged(daemon):
    """Test until the loop was there all the time: it goes through a script, which may be slow."""
    return wait_for(lambda: run_test(daemon, "partner", text(B)),
                    lambda got: all(row["verdict"] != "not tested" for row in got[1].values()),
                    timeout=60)


def verdicts(rows):
    """{offload: verdict}."""
    return {name: row["verdict"] for name, row in rows.items()}


def shown(near):
    """What `offload show` says of the uplink."""
    [row] = near.daemon.json("offload", "show", "lan.uplink")
    return row


ALL_GOOD = {**dict.fromkeys(CLAIMED, "good"), "verify": "not claimed"}


def test_honest(near, partner):
    """Everything the card claims is done; nothing of the test is in any account."""
    before = near.stats("lan.uplink")
    status, rows = judged(near.daemon)
    assert verdicts(rows) == ALL_GOOD and status == 0
    for name in CLAIMED:
        assert rows[name]["back"] >= rows[name]["sent"] > 0 and not rows[name]["quarantined"]
        assert rows[name]["why"] is None
    assert shown(near)["quarantine"] == []
    after = near.stats("lan.uplink")
    assert after["sent"] == before["sent"] and after["received"] == before["received"]
    assert partner.is_alive()


def zero_checksum(data, hdr):
    """A card that leaves the checksum of UDP over IPv6 zero."""
    if hdr.flags & 1 and not hdr.gso_type and data[12:14] == b"\x86\xdd" and data[20] == 17:
        return data[:60] + b"\0\0" + data[62:], bytes(12)
    return data, hdr


def other_payload(gso):
    """A card that damages what it cuts."""
    def change(data, hdr):
        if hdr.gso_type == gso:
            return data[:-1] + bytes([data[-1] ^ 1]), hdr
        return data, hdr
    return change


def loses(gso):
    """A card that loses what it is to cut."""
    return lambda data, hdr: None if hdr.gso_type == gso else (data, hdr)


LIES = {
    "csum": (zero_checksum, "UDP over IPv6: UDP checksum is 0000, not ", []),
    "tso4": (other_payload(GSO_TCP4), "payload", ["csum", "tso6"]),
    "tso6": (loses(GSO_TCP6), "nothing came back, or not all", ["csum", "tso4"]),
}


@pytest.mark.parametrize("offload", LIES)
def test_lie(near, partner, offload):
    """What is not done is found, and in quarantine until it is done; the rest is used."""
    with Monitor(near.daemon) as monitor:
        partner.change, why, rest = LIES[offload]
        status, rows = judged(near.daemon)
        assert status == 1
        assert verdicts(rows) == {**ALL_GOOD, offload: "bad"}
        assert why in rows[offload]["why"]
        assert [name for name in CLAIMED if rows[name]["quarantined"]] == [offload]
        event = monitor.wait("offload-quarantined", port="lan.uplink", switch="lan")
        assert event["text"].startswith(f"{offload}, ") and why in event["text"]
        row = shown(near)
        assert row["quarantine"] == [offload] and why in row["quarantine_why"]
        # A segment needs its checksum.
        assert row["to"] == row["used"] == rest
        near.daemon.check("port", "set", "lan.uplink", "mtu", 1400)
        assert shown(near)["quarantine"] == [offload] and shown(near)["to"] == rest
        # Without a loop nothing is known, and nothing changes.
        partner.change = lambda data, hdr: None
        status, rows = run_test(near.daemon, "partner", text(B))
        assert status == 1 and verdicts(rows) == {
            **dict.fromkeys(CLAIMED, "not tested"), "verify": "not claimed"}
        assert rows[offload]["quarantined"] and shown(near)["quarantine"] == [offload]
        partner.change = partner.honest
        status, rows = judged(near.daemon)
        assert status == 0 and verdicts(rows) == ALL_GOOD
        monitor.wait("offload-released", port="lan.uplink", text=f"{offload} is left to the card "
                     "again")
        assert shown(near)["quarantine"] == [] and shown(near)["to"] == list(CLAIMED)
        assert "quarantine_why" not in shown(near)


def test_no_loop(near):
    """A switch behind the card sends nothing back to where it came from: nothing is claimed for
    the card, and it is said what to do."""
    status, rows = run_test(near.daemon)
    assert status == 1
    for name in CLAIMED:
        assert rows[name]["verdict"] == "not tested" and not rows[name]["quarantined"]
        assert "nothing came back" in rows[name]["why"] and "partner" in rows[name]["why"]
    assert shown(near)["to"] == list(CLAIMED)


def test_lossy_loop(near, partner):
    """Who loses frames that owe nothing is no witness."""
    seen = []

    def lossy(data, hdr):
        seen.append(data)
        return None if len(seen) % 4 == 1 else (data, hdr)

    partner.change = lossy
    _, rows = run_test(near.daemon, "partner", text(B))
    assert {rows[name]["verdict"] for name in CLAIMED} == {"not tested"}
    assert shown(near)["quarantine"] == []


def test_traffic_goes_on(near, far, partner):
    """Frames of guests pass while tests run, in order; none is lost."""
    a, c = near.guests["a"], far.guests["c"]
    ends = threading.Event()
    tests = []

    def test_again():
        while not ends.is_set():
            tests.append(verdicts(run_test(near.daemon, "partner", text(B))[1]))

    c.send(frame(A, C, seed="hello"))
    c.flush()
    assert a.recv(10) == frame(A, C, seed="hello")
    thread = threading.Thread(target=test_again)
    thread.start()
    try:
        n = 0
        while len(tests) < 5:
            for n in range(n, n + 50):
                a.send(frame(C, A, 200, seed=n))
            n += 1
            a.flush()
            for k in range(n - 50, n):
                assert next_of(c) == frame(C, A, 200, seed=k)
    finally:
        ends.set()
        thread.join()
    assert near.daemon.drops("a") == near.daemon.drops("lan.uplink") == {}
    assert {one["csum"] for one in tests} <= {"good", "not tested"}


def test_link_down(near, far, partner):
    """Without a carrier nothing is tested."""
    far.daemon.check("port", "del", "card")
    near.wait("lan.uplink", lambda row: not row["up"])
    status, rows = run_test(near.daemon, "partner", text(B))
    assert status == 1 and {rows[name]["verdict"] for name in CLAIMED} == {"not tested"}
    assert "link is down" in rows["csum"]["why"]


def test_not_claimed(vmswitchd):
    """A driver that would do in software what the switch does is left nothing: no test."""
    vmswitchd.check("switch", "add", "lan", "type", "external", "uplink", "dpdk:net_ring0")
    status, rows = run_test(vmswitchd)
    assert status == 0 and set(verdicts(rows).values()) == {"not claimed"}
    assert {row["sent"] for row in rows.values()} == {0}


def test_refused(vmswitchd):
    """What cannot be tested at all."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    refused(vmswitchd, "no uplink", "uplink", "offload", "test", "lan")
    refused(vmswitchd, "there is no switch 'wan'", "uplink", "offload", "test", "wan")
    for words in (("offload",), ("offload", "test"), ("offload", "test", "lan", "partner"),
                  ("offload", "test", "lan", "partner", "01:00:5e:00:00:01"),
                  ("offload", "test", "lan", "partner", "nobody"), ("test", "lan")):
        assert vmswitchd.run("uplink", *words).returncode != 0


def test_at_start(rundir):
    """--test-uplinks: once, when the uplink is up; this one claims nothing, or has no loop."""
    path = pathlib.Path(rundir) / "start.sock"
    with own_daemon() as far, own_daemon("--virtio-user", "--test-uplinks") as near:
        far.check("switch", "add", "far", "type", "private")
        far.check("port", "add", "card", "switch", "far", "type", "guest", "socket", path, "mode",
                  "server")
        near.check("switch", "add", "lan", "type", "external", "uplink",
                   f"dpdk:net_virtio_user0,path={path}")
        wait_for(near.log_text, lambda log: "lan.uplink: offloads not tested" in log, timeout=30)
        near.audit()
