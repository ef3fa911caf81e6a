# SPDX-License-Identifier: BSD-3-Clause
"""The switch driven by a client that knows only doc/vmswitch.yaml (spec.py): every command with
good and bad input, every attribute that an answer can have, and requests of a bad form by the
thousand. The client holds each message of the daemon against the specification."""

import contextlib
import errno
import os
import socket
import struct
import tempfile
import threading

import pytest

import net
import spec as protocol
import spec_cases
from frames import STRANGER, frame
from lan import Lan, Switch
from watch import wait_for

host, session_daemon = net.host, net.session_daemon

MAC = "00:15:5d:01:32:11"
ZERO = "00:00:00:00:00:00"
CARD = "dpdk:net_null0"

GOOD, BAD, RAN = set(), set(), set()    # operations that were called; tests that ran


@pytest.fixture(autouse=True)
def _ran(request):
    """Remember what ran, for the test that looks at what was seen."""
    RAN.add(request.function.__name__)


@pytest.fixture(scope="module")
def spec():
    """The specification; it remembers what was seen."""
    return protocol.Spec()


class Caller(protocol.Client):
    """A client that remembers what it called."""

    def ask(self, name, /, **values):
        """Call an operation; underscores in names of attributes stand for dashes."""
        values = {n.replace("_", "-"): v for n, v in values.items()}
        try:
            rows = self.call(name, values)
        except protocol.Refused:
            BAD.add(name)
            raise
        GOOD.add(name)
        return rows

    def one(self, name, /, **values):
        """The only record of an answer."""
        rows = self.ask(name, **values)
        assert len(rows) == 1
        return rows[0]

    def refused(self, error, attr, name, /, **values):
        """It must fail with this error and name this attribute."""
        with pytest.raises(protocol.Refused) as caught:
            self.ask(name, **values)
        got = caught.value
        assert (got.errno, got.attr or got.missing) == (error, attr), (name, values, got.text)
        assert got.text and "\n" not in got.text

    def batch(self, requests, **begin):
        """Send [(operation, values)] as a batch; returns what batch-end is answered with."""
        self.ask("batch-begin", **begin)
        first = self.seq + 1
        for self.seq, (name, values) in enumerate(requests, first):
            self.sock.send(self.spec.message(name, values, flags=protocol.REQUEST, seq=self.seq))
        return self.ask("batch-end")

    def everything(self):
        """What is configured, without what changes by itself."""
        return self.ask("switch-get"), self.ask("port-get"), [
            {**row, "age": 0} for row in self.ask("fdb-get") if row["origin"] != "learnt"]


@pytest.fixture
def client(spec, vmswitchd):
    """A connection."""
    with Caller(spec, vmswitchd.socket) as one:
        yield one


@pytest.fixture
def world(client, rundir):
    """Switches lan and int, guest p that nobody is connected to, and host port h0."""
    client.ask("switch-new", name="lan", kind="private")
    client.ask("switch-new", name="int", kind="internal")
    client.ask("port-new", name="p", switch="lan", kind="guest", socket=f"{rundir}/p.sock")
    client.ask("port-new", name="h0", switch="int", kind="host")
    wait_for(lambda: client.one("port-get", name="h0"), lambda row: row["up"] == 1)
    return client


# ---- good input

def test_hello(client, spec, session_daemon):
    """It says who answers; in any version."""
    row = client.one("hello")
    assert row["version-min"] <= spec.raw["version"] <= row["version-max"]
    assert row["version-min"] == spec.consts["proto-version-min"]
    assert row["version-max"] == spec.consts["proto-version-max"]
    assert row["pid"] == session_daemon.pid and row["daemon"] and row["rights"] == "all"
    assert client.call("hello", version=77) == [row]
    with pytest.raises(protocol.Refused) as caught:
        client.call("switch-get", version=77)
    assert caught.value.errno == errno.EPROTONOSUPPORT


def test_switch(client):
    """new, get, set of each attribute, del."""
    client.ask("switch-new", name="lan", kind="private")
    assert client.ask("switch-get") == [client.one("switch-get", name="lan")] == [{
        "name": "lan", "kind": "private", "unknown": "flood", "ports": 0, "ports-up": 0,
        "fdb-used": 0, "fdb-size": 8192, "fdb-ageing": 300, "mtu": 0,
            "fdb-full": 0}]
    for name, value in (("kind", "internal"), ("unknown", "drop"), ("fdb-size", 1),
                        ("fdb-size", 4096), ("fdb-ageing", 0), ("fdb-ageing", 10)):
        client.ask("switch-set", name="lan", **{name: value})
        assert client.one("switch-get", name="lan")[name] == value
    client.ask("switch-set", name="lan", new_name="wan")
    assert client.one("switch-get")["name"] == "wan"
    client.ask("switch-del", name="wan")
    assert client.ask("switch-get") == []


def test_external_switch(client):
    """An uplink, and whether the host shares it."""
    client.ask("switch-new", name="ext", kind="external", uplink=CARD, share=0)
    row = client.one("switch-get")
    assert (row["kind"], row["uplink"], row["share"], row["unknown"]) == (
        "external", CARD, 0, "uplink")
    client.ask("switch-set", name="ext", share=1)
    assert client.one("switch-get")["share"] == 1
    row = client.one("port-get", name="ext.uplink")
    assert (row["kind"], row["uplink"], row["vlan-mode"], row["vlans"]) == (
        "uplink", CARD, "trunk", [(1, 4094)])
    tested = client.ask("uplink-test", switch="ext", partner=MAC)
    assert [row["test-offload"] for row in tested] == [1, 2, 4, 64]
    assert {row["test-verdict"] for row in tested} == {"not-claimed"}
    client.refused(errno.EBUSY, "name", "port-del", name="ext.uplink")
    for name, value in (("vmq", 1), ("vmq", 2), ("vmq-queues", 8), ("vmq", 0)):
        client.ask("switch-set", name="ext", **{name: value})
        assert client.one("switch-get")[name] == value
    client.ask("switch-set", name="ext", kind="private")
    assert client.ask("port-get") == []
    client.ask("switch-set", name="ext", kind="external", uplink=CARD, force=True)
    client.ask("switch-del", name="ext")


def test_queues(client, rundir):
    """Of an uplink: the default one, a guest's own, and one that has none."""
    client.ask("switch-new", name="ext", kind="external", uplink=CARD, share=0, vmq=2, vmq_queues=1)
    for name, addr in (("p", MAC), ("q", "02:00:00:00:00:0f")):
        client.ask("port-new", name=name, switch="ext", kind="guest", mac=addr,
                   socket=f"{rundir}/{name}.sock", vmq_weight=7)
    default, p, q = client.ask("vmq-get", switch="ext")
    assert [row["port"] for row in client.ask("vmq-get")] == ["ext.uplink", "p", "q"]
    assert (default["port"], default["queue"], default["vmq-queues"]) == ("ext.uplink", 0, 1)
    assert "copied once" in default["vmq-direct"] and "vmq-direct" not in p
    assert (p["port"], p["vmq-weight"], p["vmq-filters"]) == ("p", 7, f"{MAC} untagged")
    assert (p["engine"], p["vmq-wanted"], p["vmq-astray"]) == ("soft", 1, 0) and p["queue"]
    assert "queue" not in q and q["text"]
    client.ask("switch-del", name="ext", force=True)


def test_port(client, rundir):
    """new with everything, get, set of each attribute, del."""
    client.ask("switch-new", name="lan", kind="private")
    client.ask("switch-new", name="two", kind="private")
    client.ask("port-new", name="p", switch="lan", kind="guest", socket=f"{rundir}/p.sock",
               mode="server", mac=MAC, mtu=1500, vm="v", vlan_mode="trunk", vlan=7,
               vlans=[(10, 10), (20, 29)])
    row = client.one("port-get", name="p")
    wanted = {"name": "p", "switch": "lan", "kind": "guest", "socket": f"{rundir}/p.sock",
              "mode": "server", "mac": MAC, "mtu": 1500, "vm": "v", "vlan-mode": "trunk",
              "vlan": 7, "vlans": [(10, 10), (20, 29)], "link": 1, "up": 0, "state": "waiting",
              "priority": 0, "macs": 0}
    assert {n: row[n] for n in wanted} == wanted and row["problem"]
    runs = [(hop["vlan"], hop.get("vlans")) for hop in client.ask("mtu-get")]
    assert runs == [(7, None), (10, None), (20, [(20, 29)])]
    for name, value in (("mac", "02:00:00:00:00:01"), ("vm", "w"), ("mtu", 68), ("link", 0),
                        ("storm-pps", 0), ("max-macs", 7), ("switch", "two"), ("priority", 1),
                        ("vmq-weight", 0), ("vmq-weight", 100),
                        ("cluster", "03:bf:0a:00:00:01")):
        client.ask("port-set", name="p", **{name: value})
        assert client.one("port-get", name="p")[name] == value
    for on, off, then in ((None, 5, 5), (4, 2, 3), (None, 0, 3), (31, None, 0)):
        words = {"offload_on": on, "offload_off": off}
        client.ask("port-set", name="p", **{n: v for n, v in words.items() if v is not None})
        assert client.one("port-get", name="p")["offload-off"] == then
    client.refused(errno.EINVAL, "offload-on", "port-set", name="p", offload_on=3, offload_off=6)
    for name in "mac", "cluster":
        client.ask("port-set", name="p", **{name: ZERO})
        assert name not in client.one("port-get", name="p")
    client.ask("port-set", name="p", mac_auto=True)
    assert client.one("port-get", name="p")["mac"] != ZERO
    client.ask("port-set", name="p", vlan_mode="access", vlan=4094)
    row = client.one("port-get", name="p")
    assert (row["vlan-mode"], row["vlan"]) == ("access", 4094) and "vlans" not in row
    client.ask("port-set", name="p", vlan_mode="untagged", new_name="q")
    assert [row["name"] for row in client.ask("port-get")] == ["q"]
    client.ask("port-del", name="q")
    assert client.ask("port-get") == []
    client.ask("switch-del", name="lan")
    client.ask("switch-del", name="two", force=True)


def test_host_port_and_tap_guest(world, host):
    """Interfaces of the host, with addresses and queues."""
    world.ask("port-new", name="h1", switch="int", kind="host", ifname="vsh1",
              addrs="192.0.2.1/24,2001:db8::1/64", queues=2, mac_auto=True)
    row = world.one("port-get", name="h1")
    assert (row["kind"], row["ifname"]) == ("host", "vsh1")
    assert set(row["addrs"].split(",")) == {"192.0.2.1/24", "2001:db8::1/64"}
    assert "vsh1" in host.links()
    world.ask("port-set", name="h1", addrs="")
    assert world.one("port-get", name="h1")["addrs"] == ""
    world.ask("port-new", name="t", switch="lan", kind="guest", ifname="vst1")
    row = world.one("port-get", name="t")
    assert (row["kind"], row["ifname"], row["state"]) == ("guest", "vst1", "waiting")
    assert "addrs" not in row and "socket" not in row


def test_addresses(world):
    """new, get, del, flush."""
    world.ask("fdb-new", switch="lan", port="p", mac=MAC)
    rows = world.ask("fdb-get", switch="lan")
    assert [(r["port"], r["mac"], r["vlan"], r["origin"]) for r in rows] == [
        ("p", MAC, 0, "static")]
    assert [r for r in world.ask("fdb-get") if r["origin"] == "static"] == rows
    world.ask("fdb-flush", switch="lan")
    assert world.ask("fdb-get", switch="lan") == rows
    world.ask("fdb-del", switch="lan", mac=MAC, vlan=0)
    assert world.ask("fdb-get", switch="lan") == []


def test_without_ack(client):
    """Who sets no NLM_F_ACK gets no answer, unless there is an error."""
    client.sock.send(client.spec.message("switch-new", {"name": "lan", "kind": "private"},
                                         flags=protocol.REQUEST, seq=1000))
    assert client.one("switch-get")["name"] == "lan"
    client.seq = 2000
    request = client.spec.message("switch-new", {"name": "lan", "kind": "private"},
                                  flags=protocol.REQUEST, seq=2000)
    client.sock.send(request)
    with pytest.raises(protocol.Refused) as caught:
        client.answer("switch-new", request)
    assert caught.value.errno == errno.EEXIST


def test_dump_flag(world):
    """NLM_F_DUMP may be set, and changes nothing."""
    rows = world.call("port-get", flags=protocol.REQUEST | 0x300)
    assert rows == world.ask("port-get") and len(rows) == 2 and not world.interrupted


# ---- batches, and the configuration

def ports_of(rundir, number, switch="lan"):
    """Requests for so many ports."""
    return [("port-new", {"name": f"b{i}", "switch": switch, "kind": "guest",
                          "socket": f"{rundir}/b{i}.sock"}) for i in range(number)]


def test_batch(client, rundir):
    """All of it, or nothing."""
    client.batch([("switch-new", {"name": "lan", "kind": "private"}), *ports_of(rundir, 50)])
    assert client.one("switch-get")["ports"] == 50
    before = client.everything()
    client.ask("batch-begin")
    client.ask("batch-abort")
    client.ask("batch-begin")
    requests = [("port-del", {"name": "b0"}), ("switch-set", {"name": "lan", "fdb-ageing": 20}),
                ("port-set", {"name": "nobody", "link": 0})]
    messages = [client.spec.message(name, values, flags=protocol.REQUEST, seq=100 + i)
                for i, (name, values) in enumerate(requests)]
    for one in messages:
        client.sock.send(one)
    client.seq = 102
    end = client.spec.message("batch-end", seq=103)
    client.sock.send(end)
    with pytest.raises(protocol.Refused) as caught:
        client.answer("port-set", messages[2])
    assert (caught.value.errno, caught.value.attr) == (errno.ENOENT, "name")
    client.seq = 103
    with pytest.raises(protocol.Refused) as caught:
        client.answer("batch-end", end)
    assert caught.value.errno == errno.ECANCELED
    assert client.everything() == before


def test_dry_run(world, rundir):
    """What a batch would change: the records are those of the objects."""
    before = world.everything()
    rows = world.batch([
        ("port-new", {"name": "n", "switch": "lan", "kind": "guest",
                      "socket": f"{rundir}/n.sock", "vm": "v"}),
        ("switch-set", {"name": "lan", "fdb-ageing": 20}), ("port-del", {"name": "p"})],
        dry_run=True)
    number = {name: op["value"] for name, op in world.spec.ops.items()}
    seen = [(r["change"], r["command"], r["record"]["name"]) for r in rows]
    assert seen == [("made", number["port-new"], "n"), ("before", number["switch-new"], "lan"),
                    ("after", number["switch-new"], "lan"), ("removed", number["port-new"], "p")]
    assert rows[0]["record"]["vm"] == "v"
    assert [r["record"]["fdb-ageing"] for r in rows[1:3]] == [300, 20]
    assert world.everything() == before


def test_confirm(world, spec, vmswitchd):
    """A batch that waits: others must wait, too; it is kept, or undone."""
    before = world.everything()
    with Caller(spec, vmswitchd.socket) as ears:
        ears.ask("subscribe")
        change = [("switch-set", {"name": "lan", "fdb-ageing": 20})]
        world.batch(change, confirm=3600)
        assert world.one("switch-get", name="lan")["fdb-ageing"] == 20
        world.refused(errno.EBUSY, None, "switch-set", name="lan", fdb_ageing=30)
        world.ask("rollback")
        assert world.everything() == before
        world.batch(change, confirm=3600)
        world.ask("confirm")
        assert world.one("switch-get", name="lan")["fdb-ageing"] == 20
        world.refused(errno.ENOENT, None, "rollback")
        world.refused(errno.ENOENT, None, "confirm")
        heard = set()
        while "confirmed" not in heard:
            heard.add(ears.notice()["event"])
        assert {"unconfirmed", "rolled-back"} <= heard


def test_configuration(world):
    """The records make the same things again."""
    world.ask("port-set", name="p", vlan_mode="trunk", vlan=7, vlans=[(10, 29)], max_macs=5)
    world.ask("fdb-new", switch="lan", port="p", mac=MAC, vlan=20)
    rows = world.ask("config-get")
    names = {op["value"]: name for name, op in world.spec.ops.items()}
    requests = [(names[row["command"]], row["record"]) for row in rows]
    assert [name for name, _ in requests] == ["switch-new"] * 2 + ["port-new"] * 2 + ["fdb-new"]
    before = world.everything()
    for row in world.ask("switch-get"):
        world.ask("switch-del", name=row["name"], force=True)
    assert world.ask("config-get") == []
    world.batch(requests)
    wait_for(lambda: world.one("port-get", name="h0"), lambda row: row["up"] == 1)
    after = world.everything()
    assert after[0] == before[0] and after[2] == before[2]
    assert [{**row, "id": 0} for row in after[1]] == [{**row, "id": 0} for row in before[1]]
    assert world.ask("config-get") == rows


# ---- traffic: what counts and drops

def test_counters(client, vmswitchd, rundir):
    """Counters, drops with their newest frame, the audit, workers, and a guest that is connected,
    and then breaks a rule."""
    lan = Lan(vmswitchd, rundir)
    try:
        a, b = (lan.add(n, mac=bytes([2, 0, 0, 0, 0, i])) for i, n in enumerate("ab", 0xa))
        vmswitchd.check("port", "set", "a", "mac", a.mac.hex(":"))
        bad = frame(b.mac, STRANGER, 90)
        a.send(frame(b.mac, a.mac, 70))
        a.send(bad)
        a.flush()
        row = client.one("stats-get", port="a")
        assert (row["received"], row["received-bytes"], row["dropped-in"]) == (2, 160, 1)
        assert {r["port"] for r in client.ask("stats-get")} == {"a", "b"}
        drop = client.one("drop-get", port="a")
        assert (drop["side"], drop["count"], drop["sample"]["length"]) == ("in", 1, 90)
        assert bad.startswith(drop["sample"]["bytes"]) and drop["sample"]["age-ms"] < 60000
        assert drop in [{**r, "sample": drop["sample"]} for r in client.ask("drop-get")]
        for row in client.ask("audit-get"):
            assert row["left"] == row["right"] and row["terms"]
        assert {"switch": "lan", "port": "a", "vlan": 0}.items() <= client.ask("mtu-get")[0].items()
        row = client.one("offload-get", port="a")
        assert (row["owed-csum"], row["checksums"]) == (
            {"passed": 0, "hardware": 0, "cut": 0, "software": 0}, 0)
        row = client.one("queue-get", port="a")
        assert (row["pair"], row["worker"], row["placed-by"]) == (0, 0, "home")
        workers = client.ask("worker-get")
        assert [row["id"] for row in workers] == list(range(len(workers)))
        row = client.one("port-get", name="a")
        assert row["peer-pid"] and row["regions"] and row["state"] == "running"
        assert not row["features"] & ~row["offered"]
        spoil(a)
        row = wait_for(lambda: client.one("port-get", name="a"), lambda row: row["faults"])
        assert row["state"] == "broken" and row["last-fault"]
    finally:
        lan.close()


def spoil(guest):
    """Break a rule of the ring: more entries available than it has."""
    guest.tx.avail_idx = guest.tx.avail_idx + guest.tx.size + 1 & 0xffff
    guest.tx.kick()


def test_capture(client, spec, vmswitchd, rundir):
    """Frames of a port, with what became of them, and the end."""
    lan = Lan(vmswitchd, rundir)
    try:
        a, b, c = (lan.add(n, mac=bytes([2, 0, 0, 0, 0, i])) for i, n in enumerate("abc", 0xa))
        vmswitchd.check("port", "set", "a", "mac", a.mac.hex(":"))
        frames = [frame(b"\xff" * 6, b.mac, 64), frame(a.mac, b.mac, 70),
                  frame(b"\xff" * 6, a.mac, 72), frame(b.mac, a.mac, 74),
                  frame(b.mac, STRANGER, 76)]
        with Caller(spec, vmswitchd.socket) as eyes:
            accept_all = struct.pack("=HBBI", 6, 0, 0, 0xffffffff)      # a return
            eyes.ask("capture-start", port="a", filter=accept_all, snaplen=20, direction="both")
            eyes.refused(errno.EBUSY, None, "subscribe")
            for sender, one in zip((b, b, a, a, a), frames):
                wait_for(lan.fdb, lambda fdb: sender is b or b.mac.hex(":") in fdb)
                sender.send(one)
                sender.flush()
            seen = [eyes.notice() for _ in frames]
            assert [(r["direction"], r["verdict"], r["length"], r["bytes"]) for r in seen] == [
                (way, what, len(one), one[:20]) for way, what, one in zip(
                    ("to", "to", "from", "from", "from"),
                    ("delivered", "delivered", "flooded", "forwarded", "dropped"), frames)]
            assert (seen[2]["copies"], seen[2]["copies-dropped"]) == (2, 0)
            assert seen[3]["port"] == "b" and seen[4]["reason"] == "spoof"
            eyes.ask("capture-stop")
            end = eyes.notice()
            assert (end["event"], end["count"], end["lost"]) == ("end", 5, 0)
            eyes.refused(errno.ENOENT, None, "capture-stop")
        client.refused(errno.ENOENT, "port", "capture-start", port="x")
        bad = struct.pack("=HBBI", 5, 0, 0, 0xffffffff)     # a jump far behind the end
        client.refused(errno.EINVAL, "filter", "capture-start", port="a", filter=bad)
        assert c.mac
    finally:
        lan.close()


# ---- rights

@contextlib.contextmanager
def somebody():
    """The caller is a user without rights; what connects meanwhile stays one."""
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def test_readers(spec, host):
    """Who may read can call every operation that is not marked admin-perm, and no other. And the
    state file of a daemon that has one."""
    with tempfile.TemporaryDirectory(prefix="vso-") as folder:
        os.chmod(folder, 0o755)
        daemon = Switch(folder)
        daemon.options = ("--others", "read", "--state", f"{folder}/state")
        daemon.start()
        try:
            with somebody():
                reader = protocol.Client(spec, daemon.socket)
            with reader:
                assert reader.call("hello")[0]["rights"] == "read"
                for name in spec.requests():
                    got = 0
                    try:
                        reader.call(name, spec_cases.base(spec, name))
                    except protocol.Refused as refusal:
                        got = refusal.errno
                    assert (got == errno.EPERM) == (
                        "admin-perm" in spec.ops[name].get("flags", ())), (name, got)
            with Caller(spec, daemon.socket) as one:
                before = one.one("state-get")
                assert before["state-file"] == f"{folder}/state" and not before["waiting"]
                one.ask("switch-new", name="lan", kind="private")
                assert one.one("state-get")["transactions"] > before["transactions"]
        finally:
            assert daemon.stop() == 0


# ---- bad input: the form is right, the sense is not

@pytest.mark.parametrize("error,attr,name,values", [
    ("EEXIST", "name", "switch-new", {"name": "lan", "kind": "private"}),
    ("EOPNOTSUPP", "kind", "switch-new", {"name": "x", "kind": "guest"}),
    ("EOPNOTSUPP", "kind", "switch-new", {"name": "x", "kind": 4000000000}),
    ("EINVAL", None, "switch-new", {"name": "x", "kind": "external"}),
    ("EINVAL", "uplink", "switch-new", {"name": "x", "kind": "external", "uplink": "nothing:x"}),
    ("EINVAL", "uplink", "switch-new", {"name": "x", "kind": "private", "uplink": CARD}),
    ("EINVAL", "share", "switch-new", {"name": "x", "kind": "private", "share": 1}),
    ("ENOENT", "name", "switch-set", {"name": "x", "unknown": "drop"}),
    ("EEXIST", "new-name", "switch-set", {"name": "lan", "new-name": "int"}),
    ("EINVAL", "share", "switch-set", {"name": "lan", "share": 1}),
    ("ENOENT", "name", "switch-del", {"name": "x"}),
    ("EBUSY", "name", "switch-del", {"name": "lan"}),
    ("ENOENT", "name", "switch-get", {"name": "x"}),
    ("EEXIST", "name", "port-new", {"name": "p", "switch": "lan", "kind": "guest",
                                    "socket": "/tmp/vsw-nobody/q"}),
    ("ENOENT", "switch", "port-new", {"name": "q", "switch": "x", "kind": "guest",
                                      "socket": "/tmp/vsw-nobody/q"}),
    ("EINVAL", "kind", "port-new", {"name": "q", "switch": "lan", "kind": "uplink"}),
    ("EOPNOTSUPP", "kind", "port-new", {"name": "q", "switch": "lan", "kind": "private"}),
    ("EINVAL", None, "port-new", {"name": "q", "switch": "lan", "kind": "guest"}),
    ("EINVAL", "kind", "port-new", {"name": "q", "switch": "lan", "kind": "host"}),
    ("EINVAL", "addrs", "port-new", {"name": "q", "switch": "lan", "kind": "guest",
                                     "socket": "/tmp/vsw-nobody/q", "addrs": "192.0.2.1/24"}),
    ("EINVAL", "vlan", "port-new", {"name": "q", "switch": "lan", "kind": "guest",
                                    "socket": "/tmp/vsw-nobody/q", "vlan": 5}),
    ("EINVAL", "mac-auto", "port-new", {"name": "q", "switch": "lan", "kind": "guest",
                                        "socket": "/tmp/vsw-nobody/q", "mac": MAC,
                                        "mac-auto": True}),
    ("ENOENT", "name", "port-set", {"name": "x", "link": 0}),
    ("EEXIST", "new-name", "port-set", {"name": "p", "new-name": "h0"}),
    ("ENOENT", "switch", "port-set", {"name": "p", "switch": "x"}),
    ("EINVAL", "addrs", "port-set", {"name": "p", "addrs": "192.0.2.1/24"}),
    ("EINVAL", "addrs", "port-set", {"name": "h0", "addrs": "192.0.2.1/33"}),
    ("ENOENT", "name", "port-del", {"name": "x"}),
    ("ENOENT", "name", "port-get", {"name": "x"}),
    ("ENOENT", "switch", "fdb-get", {"switch": "x"}),
    ("ENOENT", "switch", "fdb-flush", {"switch": "x"}),
    ("ENOENT", "switch", "fdb-new", {"switch": "x", "port": "p", "mac": MAC}),
    ("ENOENT", "port", "fdb-new", {"switch": "lan", "port": "h0", "mac": MAC}),
    ("EINVAL", "mac", "fdb-new", {"switch": "lan", "port": "p", "mac": ZERO}),
    ("EINVAL", "vlan", "fdb-new", {"switch": "lan", "port": "p", "mac": MAC, "vlan": 9}),
    ("ENOENT", "mac", "fdb-del", {"switch": "lan", "mac": MAC}),
    ("ENOENT", "port", "stats-get", {"port": "x"}),
    ("ENOENT", "port", "drop-get", {"port": "x"}),
    ("EINVAL", "name", "audit-get", {"name": "lan"}),
    ("EINVAL", "name", "worker-get", {"name": "lan"}),
    ("ENOENT", "port", "queue-get", {"port": "nobody"}),
    ("ENOENT", "switch", "mtu-get", {"switch": "nix"}),
    ("ENOENT", "switch", "vmq-get", {"switch": "nix"}),
    ("ENOENT", "port", "offload-get", {"port": "nix"}),
    ("ENOENT", "switch", "uplink-test", {"switch": "nix"}),
    ("EINVAL", "switch", "uplink-test", {"switch": "lan", "partner": MAC}),
    ("EINVAL", "name", "hello", {"name": "lan"}),
    ("EINVAL", "name", "subscribe", {"name": "lan"}),
    ("EINVAL", "confirm", "batch-begin", {"dry-run": True, "confirm": 5}),
    ("EINVAL", None, "batch-end", {}),
    ("EINVAL", None, "batch-abort", {}),
    ("ENOENT", None, "confirm", {}),
    ("ENOENT", None, "rollback", {}),
    ("EINVAL", "name", "config-get", {"name": "lan"}),
    ("EINVAL", "name", "state-get", {"name": "lan"}),
])
def test_bad_sense(world, error, attr, name, values):
    """Refused with an error that names the attribute; nothing has changed."""
    before = world.everything()
    world.refused(getattr(errno, error), attr, name, **values)
    assert world.everything() == before


def test_bad_form(world, spec):
    """Thousands of requests of a bad form: the daemon says what the specification says, changes
    nothing and keeps the connection."""
    before = world.everything()
    cases = [c for c in spec_cases.all_cases(spec) if c.errno and c.errno != errno.EBADMSG]
    assert len(cases) > 3000
    for case in cases:
        assert len(case.request) <= spec.consts["request-max"]
        world.sock.send(case.request)
        message = world.receive()
        assert message.type == protocol.ERROR, case.what
        code = int.from_bytes(message.payload[:4], "little", signed=True)
        found = {n: int.from_bytes(v, "little")
                 for _, n, v in protocol.raw_attrs(message.payload[20:])
                 if n != protocol.ERR_MSG}
        wanted = {protocol.ERR_OFFS: case.offset, protocol.ERR_MISS: case.missing}
        assert (-code, found) == (case.errno, {n: v for n, v in wanted.items() if v}), case.what
    assert world.everything() == before


def test_no_message_at_all(world, spec, vmswitchd):
    """Datagrams that are none, or too long: one error of sequence number 0, and the end."""
    before = world.everything()
    whole = spec.message("switch-del", {"name": "lan", "force": True})
    for data in (b"\0", whole[:10], whole[:-1], whole + bytes(4), whole + whole,
                 bytes(spec.consts["request-max"] + 4)):
        with Caller(spec, vmswitchd.socket) as one:
            one.sock.send(data)
            with pytest.raises(protocol.Refused) as caught:
                one.answer("switch-del", data)
            assert caught.value.errno in (errno.EBADMSG, errno.EMSGSIZE)
            with pytest.raises((EOFError, ConnectionResetError)):
                one.receive()
    assert world.everything() == before


def test_clients_beyond_the_last(spec, client, vmswitchd):
    """There are so many; for one more, the one gives its place that has asked for nothing the
    longest, and is told so."""
    others = [Caller(spec, vmswitchd.socket) for _ in range(spec.consts["clients-max"] - 1)]
    try:
        for one in *others, client:
            one.one("hello")
        with Caller(spec, vmswitchd.socket) as more:
            more.one("hello")
            with pytest.raises(protocol.Refused) as caught:
                others[0].answer("hello", None)
            assert caught.value.errno == errno.EUSERS
            with pytest.raises(EOFError):
                others[0].receive()
        for one in *others[1:], client:
            one.one("hello")
    finally:
        for one in others:
            one.close()


# ---- notices, and what takes long

def test_notices(world, spec, vmswitchd, rundir):
    """A subscriber hears of every change."""
    with Caller(spec, vmswitchd.socket) as ears:
        ears.ask("subscribe")
        world.ask("port-new", name="q", switch="lan", kind="guest", socket=f"{rundir}/q.sock")
        world.ask("port-set", name="q", mtu=1500)
        world.ask("fdb-flush", switch="lan")
        world.ask("port-del", name="q")
        world.ask("switch-set", name="lan", fdb_ageing=10)
        heard = []
        while not heard or heard[-1]["event"] != "switch-changed":
            heard.append(ears.notice())
        assert [(n["event"], n["switch"], n.get("port")) for n in heard] == [
            ("port-added", "lan", "q"), ("port-changed", "lan", "q"), ("fdb-flushed", "lan", None),
            ("port-removed", "lan", "q"), ("switch-changed", "lan", None)]
        assert ears.one("hello")["pid"]     # and it goes on serving as a client


def test_a_guest_that_moves(client, spec, vmswitchd, rundir):
    """Notices with an address and a text: up, moved, down."""
    lan = Lan(vmswitchd, rundir)
    try:
        with Caller(spec, vmswitchd.socket) as ears:
            ears.ask("subscribe")
            a, b = (lan.add(n, mac=bytes([2, 0, 0, 0, 0, i])) for i, n in enumerate("ab", 0xa))
            for one in a, b:
                one.send(frame(b"\xff" * 6, STRANGER, 70))
                one.flush()
            moved = None
            while moved is None:
                one = ears.notice()
                moved = one if one["event"] == "mac-moved" else None
            assert (moved["mac"], moved["port"]) == (STRANGER.hex(":"), "b")
            client.ask("fdb-get", switch="lan")
            b.close()
            while one["event"] != "port-down":
                one = ears.notice()
            assert one["port"] == "b" and one["text"]
    finally:
        lan.close()


def test_overflow(client, spec, vmswitchd):
    """Who does not listen is told how much was lost."""
    client.ask("switch-new", name="lan", kind="private")
    changes = 5000
    with Caller(spec, vmswitchd.socket) as deaf:
        deaf.ask("subscribe")
        for i in range(changes):
            client.ask("switch-set", name="lan", fdb_ageing=100 + i % 2)
        heard = 0
        while (one := deaf.notice())["event"] != "overflow":
            heard += 1
        assert 100 < heard and heard + one["lost"] == changes


def test_dump_that_is_interrupted(client, spec, vmswitchd, rundir):
    """An answer of several slices, and a port that is made between them: it is marked. The same
    without a change is not."""
    addresses = 36000
    client.ask("switch-new", name="lan", kind="private")
    client.ask("switch-set", name="lan", fdb_size=65536)
    client.ask("port-new", name="p", switch="lan", kind="guest", socket=f"{rundir}/p.sock")
    for i in range(addresses):
        client.sock.send(spec.message("fdb-new", {
            "switch": "lan", "port": "p", "mac": b"\2\0" + i.to_bytes(4, "big")},
            flags=protocol.REQUEST))
    assert len(client.ask("fdb-get")) == addresses and not client.interrupted
    client.seq += 1
    request = spec.message("fdb-get", seq=client.seq)
    client.sock.send(request)
    first = client.sock.recv(65536, socket.MSG_PEEK)    # the first slice is there
    assert first
    with Caller(spec, vmswitchd.socket) as other:
        other.ask("port-new", name="q", switch="lan", kind="guest", socket=f"{rundir}/q.sock")
    assert len(client.answer("fdb-get", request)) >= addresses - 1
    assert client.interrupted


def test_interleaved(world, spec, vmswitchd):
    """Many clients at once: each gets its own answers."""
    wrong = []

    def work(number):
        with Caller(spec, vmswitchd.socket) as one:
            for i in range(50):
                try:
                    one.ask("switch-new", name=f"s{number}", kind="private")
                    assert one.one("switch-get", name=f"s{number}")["name"] == f"s{number}"
                    one.refused(errno.EEXIST, "name", "switch-new", name=f"s{number}",
                                kind="private")
                    one.ask("switch-del", name=f"s{number}")
                except Exception as error:      # pylint: disable=broad-except
                    wrong.append((number, i, error))
                    return

    before = world.everything()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert world.everything() == before


# Attributes of answers that only some machines or devices have.
RARE = {"worker-get": {"cpu", "node", "awake-for", "stays"},
        "queue-get": {"move-why", "moved-from", "moved-ms", "text"},
        "port-get": {"speed", "node", "detail"},
        "mtu-get": {"mtu-vmm", "problem"}, "config-get": {"problem"},
        "offload-get": {"quarantine-why"}, "uplink-test": {"text"},
        "state-get": {"problem"}}


def test_everything_was_seen(spec):
    """Every operation was called with good and with bad input, and every attribute that an answer
    can have was in one."""
    if RAN < {name for name in globals() if name.startswith("test_")}:
        pytest.skip("only some of the tests ran")
    asked = set(spec.requests())
    assert (asked - GOOD, asked - BAD) == (set(), set())
    unseen = {name: set(spec.reply(name)["attributes"]) - spec.seen[name] - RARE.get(name, set())
              for name in spec.ops if spec.reply(name)}
    assert {name: attrs for name, attrs in unseen.items() if attrs} == {}
