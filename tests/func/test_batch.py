# SPDX-License-Identifier: BSD-3-Clause
"""Batches over the bare protocol: all or nothing, dry runs, and batches that must be confirmed."""

import errno
import os
import struct

import pytest

import wire
from batch import (ABORT, AFTER, BEFORE, BEGIN, CHANGE, COMMAND, CONFIRM, CONFIRM_S, DRY_RUN, END,
                   EVENT, FDB_AGEING, FDB_DEL, FDB_NEW, FDB_SIZE, HOST, IFNAME, INTERNAL, MADE,
                   MAX_MACS, NEW_NAME, PRIORITY, RECORD, REMOVED, ROLLBACK, STORM_PPS, UNKNOWN,
                   VLAN, VLAN_MODE, Batch, mac)
from watch import wait_for

MESSAGES_MAX = 262144
CONFIG_GET = 0x70

@pytest.fixture
def client(vmswitchd):
    """A connection that speaks the bare protocol."""
    with wire.Wire(vmswitchd.socket, timeout=60) as one:
        yield one


def everything(daemon):
    """What can be shown, without what time changes."""
    fdb = [{k: v for k, v in row.items() if k != "age"} for row in daemon.json("fdb", "show")]
    return (daemon.json("switch", "show"), daemon.json("port", "show"),
            sorted(fdb, key=str), daemon.json("stats", "show"))


def idle(daemon):
    """The number when nobody but the test's own connections is there: it stays for a while."""
    seen = []

    def look():
        seen.append(daemon.fds())
        return seen[-20:]

    return wait_for(look, lambda last: len(last) == 20 and len(set(last)) == 1, 30)[0]


def quiet(daemon, fds):
    """As many descriptors are open as before, when the last clients are seen to be gone."""
    wait_for(daemon.fds, lambda n: n == fds, 30)


def names(rows):
    """Names of listed objects, sorted."""
    return sorted(row["name"] for row in rows)


# ---- all or nothing ----

def test_many_objects(vmswitchd, client, rundir):
    """A switch and its ports with all settings in one batch; ACKs in the order of the messages."""
    batch = Batch(client)
    batch.add(wire.SWITCH_NEW, (wire.NAME, "lan"), (wire.KIND, wire.PRIVATE), (UNKNOWN, 3),
              (FDB_SIZE, 100), (FDB_AGEING, 0), flags=wire.REQUEST | wire.ACK)
    for n in range(50):
        batch.port(f"p{n}", "lan", rundir / f"{n}.sock", (wire.MODE, 2), (wire.MAC, mac(n)),
                   (wire.LINK, 0), (STORM_PPS, 7), (MAX_MACS, 8), (PRIORITY, 1), (wire.MTU, 1500),
                   flags=wire.REQUEST | wire.ACK)
    batch.add(FDB_NEW, (wire.SWITCH, "lan"), (wire.PORT, "p7"), (wire.MAC, mac(99)))
    said, _, texts, seq = batch.end()
    assert list(said) == [*range(1, 52), seq], texts
    sw = vmswitchd.json("switch", "show")[0]
    assert (sw["unknown"], sw["fdb_size"], sw["fdb_ageing"]) == ("drop", 100, 0)
    assert (sw["ports"], sw["fdb_used"]) == (50, 51)
    row = vmswitchd.json("port", "show", "p7")[0]
    assert (row["link"], row["storm"], row["max_macs"], row["mtu"]) == ("down", 7, 8, 1500)
    assert sum(name.suffix == ".sock" and name.is_socket() for name in rundir.iterdir()) >= 50


def test_a_thousand_ports_and_an_error(vmswitchd, client, rundir):
    """The last of 1,000 is refused: nothing is left of the others, nor of what they changed."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("port", "add", "old", "switch", "lan", "type", "guest", "socket",
                    rundir / "old.sock", "mode", "server")
    vmswitchd.check("fdb", "add", "02:00:00:00:99:99", "switch", "lan", "port", "old")
    before, fds = everything(vmswitchd), idle(vmswitchd)
    files = sorted(rundir.iterdir())
    batch = Batch(client)
    batch.add(wire.SWITCH_NEW, (wire.NAME, "more"), (wire.KIND, wire.PRIVATE))
    batch.add(wire.PORT_SET, (wire.NAME, "old"), (NEW_NAME, "new"), (wire.MAC, mac(5000)),
              (wire.SWITCH, "more"))
    for n in range(997):
        batch.port(f"p{n}", "more" if n % 2 else "lan", rundir / f"{n}.sock", (wire.MODE, 2),
                   (wire.MAC, mac(n)), (VLAN_MODE, 2), (VLAN, 1 + n))
    batch.port("last", "none", rundir / "last.sock")
    batch.bad(1000, errno.ENOENT, "there is no switch 'none'")
    assert everything(vmswitchd) == before
    quiet(vmswitchd, fds)
    assert sorted(rundir.iterdir()) == files
    # and the same without the error
    batch = Batch(client)
    for n in range(1000):
        batch.port(f"p{n}", "lan", rundir / f"{n}.sock", (wire.MODE, 2))
    batch.good()
    assert len(vmswitchd.json("port", "show")) == 1001
    batch = Batch(client)
    for n in range(1000):
        batch.add(wire.PORT_DEL, (wire.NAME, f"p{n}"))
    batch.good()
    assert everything(vmswitchd) == before
    quiet(vmswitchd, fds)
    assert sorted(rundir.iterdir()) == files


def test_delete_add_and_set(vmswitchd, client, rundir):
    """What a message does is there for the next one."""
    vmswitchd.check("switch", "add", "a", "type", "private")
    for name in "pq":
        vmswitchd.check("port", "add", name, "switch", "a", "type", "guest", "socket",
                        rundir / f"{name}.sock", "mac", f"02:00:00:00:00:0{'pq'.index(name)}")
    vmswitchd.check("fdb", "add", "02:00:00:00:99:99", "switch", "a", "port", "p")
    batch = Batch(client)
    batch.add(wire.PORT_DEL, (wire.NAME, "p"))
    batch.add(wire.SWITCH_SET, (wire.NAME, "a"), (NEW_NAME, "b"), (FDB_SIZE, 3))
    # the name, the address and the static address of the port that goes
    batch.port("p", "b", rundir / "r.sock", (wire.MAC, mac(0)))
    batch.add(FDB_NEW, (wire.SWITCH, "b"), (wire.PORT, "q"),
              (wire.MAC, b"\x02\0\0\0\x99\x99"))
    batch.add(wire.PORT_SET, (wire.NAME, "q"), (NEW_NAME, "s"))
    batch.good()
    assert names(vmswitchd.json("port", "show")) == ["p", "s"]
    rows = {row["mac"]: row["port"] for row in vmswitchd.json("fdb", "show")}
    assert rows == {"02:00:00:00:00:00": "p", "02:00:00:00:00:01": "s", "02:00:00:00:99:99": "s"}
    assert vmswitchd.json("port", "show", "p")[0]["socket"] == f"{rundir}/r.sock"
    vmswitchd.audit()


def test_a_place_that_is_still_taken(vmswitchd, client, rundir):
    """The socket of a port that goes with the batch is refused, with the way out."""
    vmswitchd.check("switch", "add", "a", "type", "private")
    vmswitchd.check("port", "add", "p", "switch", "a", "type", "guest", "socket",
                    rundir / "p.sock")
    before = everything(vmswitchd)
    batch = Batch(client)
    batch.add(wire.PORT_DEL, (wire.NAME, "p"))
    batch.port("q", "a", rundir / "p.sock")
    batch.bad(2, errno.EBUSY, "remove that port first")
    assert everything(vmswitchd) == before


# ---- the protocol ----

def test_what_is_refused_at_once(vmswitchd, client, rundir):
    """Attributes that do not fit, dumps, and commands that are no change spoil a batch."""
    vmswitchd.check("switch", "add", "a", "type", "private")
    before = everything(vmswitchd)
    for cmd, attrs, error, text in (
            (wire.PORT_NEW, [(wire.NAME, "p")], errno.EINVAL, "'switch' is missing"),
            (wire.PORT_DEL, [(wire.NAME, "p"), (wire.MTU, 1)], errno.EINVAL, "does not take"),
            (wire.SWITCH_GET, [], errno.EINVAL, "cannot be part of a batch"),
            (wire.SUBSCRIBE, [], errno.EINVAL, "cannot be part of a batch"),
            (wire.HELLO, [], errno.EINVAL, "cannot be part of a batch"),
            (BEGIN, [], errno.EINVAL, "cannot be part of a batch"),
            (CONFIRM, [], errno.EINVAL, "cannot be part of a batch"),
            (0xee, [], errno.EOPNOTSUPP, "not known")):
        batch = Batch(client)
        batch.port("p", "a", rundir / "p.sock")
        batch.add(cmd, *attrs)
        # what follows is dropped, whatever it is
        batch.add(cmd, *attrs)
        batch.add(wire.SWITCH_NEW, (wire.NAME, "b"), (wire.KIND, wire.PRIVATE))
        batch.bad(2, error, text)
        assert everything(vmswitchd) == before
    for cmd in END, ABORT:
        with pytest.raises(wire.Refused) as why:
            client.call(cmd)
        assert why.value.errno == errno.EINVAL
    with pytest.raises(wire.Refused) as why:
        client.call(BEGIN, (DRY_RUN, b""), (CONFIRM_S, 5))
    assert why.value.errno == errno.EINVAL
    with pytest.raises(wire.Refused) as why:
        client.call(BEGIN, (CONFIRM_S, 0))
    assert why.value.errno == errno.ERANGE
    with pytest.raises(wire.Refused) as why:
        client.call(CONFIRM)
    assert why.value.errno == errno.ENOENT


def test_empty_and_aborted(vmswitchd, client, rundir):
    """A batch of nothing works; an aborted one is forgotten, with or without an error in it."""
    Batch(client).good()
    vmswitchd.check("switch", "add", "a", "type", "private")
    before = everything(vmswitchd)
    batch = Batch(client)
    batch.port("p", "a", rundir / "p.sock")
    batch.good(ABORT)
    batch = Batch(client)
    batch.add(wire.PORT_NEW)
    said, _, _, seq = batch.end(ABORT)
    assert said == {1: errno.EINVAL, seq: 0}
    assert everything(vmswitchd) == before


def test_connection_lost(vmswitchd, rundir):
    """A connection that ends inside of a batch: nothing happened, and its room is free again."""
    vmswitchd.check("switch", "add", "a", "type", "private")
    before, fds = everything(vmswitchd), idle(vmswitchd)
    for _ in range(5):
        with wire.Wire(vmswitchd.socket) as client:
            batch = Batch(client)
            for n in range(500):
                batch.port(f"p{n}", "a", rundir / f"{n}.sock", (wire.MODE, 2))
    quiet(vmswitchd, fds)
    assert everything(vmswitchd) == before


def test_bounds(vmswitchd):
    """64 MiB for all clients together; what is over it is refused, and others go on."""
    filler = [wire.attr(85, struct.pack("=HH", 1, 2) * 512)]
    with wire.Wire(vmswitchd.socket) as one, wire.Wire(vmswitchd.socket) as two:
        first = Batch(one)
        for _ in range(29000):
            first.add(wire.PORT_SET, (wire.NAME, "p"), (VLAN_MODE, 3), *filler)
        second = Batch(two)
        for _ in range(4000):
            second.add(wire.PORT_SET, (wire.NAME, "p"), (VLAN_MODE, 3), *filler)
        said, _, texts, seq = second.end()
        (number, error), _ = said.items()
        assert error == errno.ENOBUFS and said[seq] == errno.ECANCELED, texts
        assert 1000 < number < 4000
        # the first one has its room still
        first.bad(1, errno.ENOENT, "there is no port 'p'")
        Batch(two).good()


@pytest.mark.long
def test_silence(vmswitchd):
    """A batch that takes all the room and falls silent gives it to another after a while."""
    with wire.Wire(vmswitchd.socket) as one, wire.Wire(vmswitchd.socket) as two:
        with wire.Wire(vmswitchd.socket) as three:
            batches = [Batch(client) for client in (one, two)]
            for batch in batches:
                for _ in range(MESSAGES_MAX // 2):
                    batch.add(wire.PORT_DEL, (wire.NAME, "p"))
            # as long as that is not so: no room, and both keep theirs
            errors = []

            def again():
                batch = Batch(three)
                batch.add(wire.PORT_DEL, (wire.NAME, "q"))
                batch.add(wire.PORT_DEL, (wire.NAME, "q"))
                said, _, texts, _ = batch.end()
                errors.append(said[1])
                return texts[1]

            assert "the batches of all clients have" in again()
            wait_for(again, lambda text: "there is no port 'q'" in text, 60)
            assert set(errors) == {errno.ENOBUFS, errno.ENOENT}
            # one of them has lost it, and is told, at its next message or at its end
            said, _, texts, seq = batches[0].end()
            assert said == {seq: errno.ENOBUFS}
            assert f"after message {MESSAGES_MAX // 2}, and another needed its room" in texts[seq]
            Batch(one).good()
            batches[1].bad(1, errno.ENOENT, "there is no port 'p'")


@pytest.fixture
def crowd(vmswitchd, client, rundir):
    """1,000 ports and 100,000 static addresses, made by one batch."""
    batch = Batch(client)
    for name in "ab":
        batch.add(wire.SWITCH_NEW, (wire.NAME, name), (wire.KIND, wire.PRIVATE),
                  (FDB_SIZE, 200000))
    for n in range(1000):
        batch.port(f"p{n}", "a", rundir / f"{n}.sock", (wire.MODE, 2))
    for n in range(100000):
        batch.add(FDB_NEW, (wire.SWITCH, "a"), (wire.PORT, "p0"),
                  (wire.MAC, b"\x02\x01" + n.to_bytes(4, "big")))
    batch.good()


@pytest.mark.once
def test_many_renames(vmswitchd, client, crowd):
    """The addresses behind a port are looked at for the first of its renames only."""
    batch = Batch(client, (DRY_RUN, b""))
    for n in range(3000):
        batch.add(wire.PORT_SET, (wire.NAME, f"p{n}" if not n else f"x{n}"),
                  (NEW_NAME, f"x{n + 1}"))
    batch.add(wire.PORT_SET, (wire.NAME, "x3000"), (NEW_NAME, "p0"))
    assert batch.good() == []
    # in several slices, of which none says again what another has said
    rows = client.call(CONFIG_GET)
    assert len(rows) == 101002 and len({row[RECORD] for row in rows}) == 101002


@pytest.mark.long
def test_too_long(vmswitchd, client, crowd):
    """What others would have to wait for too long is undone."""
    before = vmswitchd.json("port", "show", "p0")
    batch = Batch(client)
    for n in range(3000):
        batch.add(wire.PORT_SET, (wire.NAME, "p0"), (wire.SWITCH, "ba"[n % 2]))
    said, _, texts, seq = batch.end()
    assert said == {seq: errno.ETIME}
    assert "of 3000 messages" in texts[seq] and "send it as several batches" in texts[seq]
    assert vmswitchd.json("port", "show", "p0") == before
    assert [row["fdb_used"] for row in vmswitchd.json("switch", "show")] == [100000, 0]
    vmswitchd.audit()


def test_traffic_of_others_goes_on(vmswitchd, client, rundir):
    """Other clients are served before and after, and nothing of the batch shows in between."""
    vmswitchd.check("switch", "add", "a", "type", "private")
    batch = Batch(client)
    for n in range(20):
        batch.port(f"p{n}", "a", rundir / f"{n}.sock")
        assert vmswitchd.json("port", "show") == []
    vmswitchd.check("switch", "add", "b", "type", "private")
    batch.good()
    assert len(vmswitchd.json("port", "show")) == 20


# ---- dry runs ----

def shown(rows):
    """(change, command, name) of the records of a dry run."""
    found = []
    for row in rows:
        record = wire.attributes(row[RECORD])
        name = record.get(wire.NAME, record.get(wire.PORT, b"")).rstrip(b"\0").decode()
        found.append((*struct.unpack("=I", row[CHANGE]), *struct.unpack("=I", row[COMMAND]), name))
    return found


def test_dry_run(vmswitchd, client, rundir):
    """What would change, in the order in which it is touched; nothing does."""
    vmswitchd.check("switch", "add", "a", "type", "internal")
    for name in "pq":
        vmswitchd.check("port", "add", name, "switch", "a", "type", "guest", "socket",
                        rundir / f"{name}.sock", "mode", "server")
    vmswitchd.check("fdb", "add", "02:00:00:00:99:99", "switch", "a", "port", "p")
    before, fds = everything(vmswitchd), idle(vmswitchd)
    files, links = sorted(rundir.iterdir()), os.listdir("/sys/class/net")
    batch = Batch(client, (DRY_RUN, b""))
    batch.add(wire.SWITCH_NEW, (wire.NAME, "b"), (wire.KIND, INTERNAL))
    batch.add(wire.PORT_SET, (wire.NAME, "q"), (wire.SWITCH, "b"))
    batch.add(wire.PORT_NEW, (wire.NAME, "h"), (wire.SWITCH, "b"), (wire.KIND, HOST),
              (IFNAME, "vsdry0"))
    batch.add(wire.PORT_SET, (wire.NAME, "h"), (wire.MTU, 1400))
    batch.port("r", "b", rundir / "r.sock", (wire.MODE, 2))
    batch.add(wire.PORT_DEL, (wire.NAME, "p"))
    # made and removed again, changed and changed back
    batch.port("s", "b", rundir / "s.sock", (wire.MODE, 2))
    batch.add(wire.PORT_DEL, (wire.NAME, "s"))
    batch.add(wire.SWITCH_SET, (wire.NAME, "a"), (FDB_AGEING, 20))
    batch.add(wire.SWITCH_SET, (wire.NAME, "a"), (FDB_AGEING, 300))
    rows = batch.good()
    assert shown(rows) == [
        (MADE, wire.SWITCH_NEW, "b"), (BEFORE, wire.PORT_NEW, "q"), (AFTER, wire.PORT_NEW, "q"),
        (MADE, wire.PORT_NEW, "h"), (MADE, wire.PORT_NEW, "r"), (REMOVED, wire.PORT_NEW, "p"),
        (REMOVED, FDB_NEW, "p")]
    assert wire.attributes(rows[3][RECORD])[wire.MTU] == struct.pack("=I", 1400)
    assert everything(vmswitchd) == before
    quiet(vmswitchd, fds)
    assert sorted(rundir.iterdir()) == files
    assert os.listdir("/sys/class/net") == links
    # checks are made
    batch = Batch(client, (DRY_RUN, b""))
    batch.port("r", "b", rundir / "r.sock")
    batch.bad(1, errno.ENOENT, "there is no switch 'b'")


# ---- to be confirmed ----

def change_everything(batch, rundir):
    """One change of each kind, on what the fixture makes."""
    batch.add(wire.SWITCH_SET, (wire.NAME, "a"), (NEW_NAME, "x"), (UNKNOWN, 3), (FDB_SIZE, 50))
    batch.add(wire.SWITCH_DEL, (wire.NAME, "gone"), (wire.FORCE, b""))
    # the name of one that goes
    batch.add(wire.SWITCH_NEW, (wire.NAME, "gone"), (wire.KIND, wire.PRIVATE))
    batch.add(wire.PORT_SET, (wire.NAME, "p"), (NEW_NAME, "t"), (wire.MAC, mac(100)))
    batch.add(wire.PORT_SET, (wire.NAME, "q"), (NEW_NAME, "p"), (wire.MAC, mac(1)))
    batch.add(wire.PORT_SET, (wire.NAME, "t"), (NEW_NAME, "q"), (wire.MAC, mac(2)),
              (wire.SWITCH, "gone"))
    batch.port("new", "gone", rundir / "new.sock", (wire.MODE, 2))
    batch.add(FDB_DEL, (wire.SWITCH, "x"), (wire.MAC, mac(50)))
    batch.add(FDB_NEW, (wire.SWITCH, "x"), (wire.PORT, "p"), (wire.MAC, mac(51)))


@pytest.fixture
def full(vmswitchd, rundir):
    """Two switches, three ports, two static addresses. Return what can be shown of them."""
    for name in "a", "gone":
        vmswitchd.check("switch", "add", name, "type", "private")
    for n, (name, switch) in enumerate((("p", "a"), ("q", "a"), ("r", "gone"))):
        vmswitchd.check("port", "add", name, "switch", switch, "type", "guest", "socket",
                        rundir / f"{name}.sock", "mode", "server", "mac",
                        f"02:00:00:00:00:0{n + 1}")
    vmswitchd.check("fdb", "add", "02:00:00:00:00:32", "switch", "a", "port", "q")
    vmswitchd.check("fdb", "add", "02:00:00:00:00:34", "switch", "gone", "port", "r")
    return stable(vmswitchd)


def stable(daemon):
    """What is configured, without numbers that a port has anew when it is made again."""
    switches, ports, fdb, _ = everything(daemon)
    ports = [{k: v for k, v in row.items() if k not in ("id", "connects")} for row in ports]
    return (sorted(switches, key=str), sorted(ports, key=str), fdb)


def test_confirm(vmswitchd, full, client, rundir):
    """A confirmed batch stays; until then others change nothing and are told who waits."""
    batch = Batch(client, (CONFIRM_S, 60))
    change_everything(batch, rundir)
    batch.good()
    changed = stable(vmswitchd)
    assert changed != full
    with wire.Wire(vmswitchd.socket) as other:
        for cmd, attrs in ((wire.PORT_DEL, [(wire.NAME, "p")]), (BEGIN, [])):
            with pytest.raises(wire.Refused) as why:
                other.call(cmd, *attrs)
            assert why.value.errno == errno.EBUSY
            assert f"process {os.getpid()} waits to be confirmed" in why.value.text
        # looking is not changing
        Batch(other, (DRY_RUN, b"")).good()
        other.call(CONFIRM)
        with pytest.raises(wire.Refused):
            other.call(ROLLBACK)
        other.call(wire.SWITCH_SET, (wire.NAME, "x"), (FDB_AGEING, 30))
    assert stable(vmswitchd)[1:] == changed[1:]


def test_rollback(vmswitchd, full, client, rundir):
    """ROLLBACK goes back at once, from any connection."""
    with wire.Wire(vmswitchd.socket) as watcher:
        watcher.call(wire.SUBSCRIBE)
        batch = Batch(client, (CONFIRM_S, 60))
        change_everything(batch, rundir)
        batch.good()
        with wire.Wire(vmswitchd.socket) as other:
            other.call(ROLLBACK)
        events = []
        while not events or events[-1] != "rolled-back":
            for _, _, _, payload in wire.messages(watcher.receive()):
                events.append(wire.attributes(payload[4:])[EVENT].rstrip(b"\0").decode())
    assert "unconfirmed" in events
    assert stable(vmswitchd) == full
    vmswitchd.audit()
    with pytest.raises(wire.Refused) as why:
        client.call(ROLLBACK)
    assert why.value.errno == errno.ENOENT


def test_time_out(vmswitchd, full, client, rundir):
    """Nobody confirms: it goes by itself, also when its author is gone."""
    batch = Batch(client, (CONFIRM_S, 1))
    change_everything(batch, rundir)
    batch.good()
    client.close()
    wait_for(lambda: stable(vmswitchd), lambda now: now == full, 30)
    vmswitchd.check("switch", "set", "a", "fdb-ageing", 30)
