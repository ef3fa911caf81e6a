# SPDX-License-Identifier: BSD-3-Clause
"""The state file: what was acknowledged is there after any end, and nothing else is."""

import contextlib
import os
import random
import resource
import subprocess
import threading
import time

import pytest

import statefile
import wire
from lan import Switch
from net import NsSwitch
from netns import Namespace, veth
from vmswitchd import DaemonError
from watch import wait_for

FDB_NEW, FDB_DEL, VLAN = 0x32, 0x33, 41
EXTERNAL, UPLINK = 3, 76
# What says how things are, not what they are to be.
STATE = ("up", "state", "problem", "macs", "ports_up", "fdb_used", "fdb_full", "id", "detail",
         "connects", "calls", "driver", "pair_frames")


def kept(tmp_path, *options, ns=None):
    """A daemon (not started) that keeps its configuration in tmp_path/state."""
    words = ("--state", str(tmp_path / "state"), "--memory", "64", *options)
    if ns:
        return NsSwitch(ns, tmp_path, words)
    daemon = Switch(tmp_path)
    daemon.options = words
    return daemon


@contextlib.contextmanager
def running(daemon):
    """Start it, end it in any case."""
    daemon.start()
    try:
        yield daemon
        assert daemon.alive(), daemon.log_text()[-2000:]
    finally:
        if daemon.alive():
            daemon.stop()


@pytest.fixture
def daemon(tmp_path):
    """A running daemon with a state file."""
    with running(kept(tmp_path)) as one:
        yield one


def objects(daemon):
    """Switches and ports in their order, static addresses, without what is only state."""
    rows = [{key: value for key, value in row.items() if key not in STATE}
            for what in ("switch", "port") for row in daemon.json(what, "show")]
    static = sorted((row["switch"], row["port"], row["mac"], row["vlan"])
                    for row in daemon.json("fdb", "show") if row["origin"] == "static")
    return rows, static


def again(daemon, how="kill"):
    """End the daemon and start it again."""
    getattr(daemon, how)()
    daemon.start()


def ends_with(daemon, *texts, status=3):
    """The daemon must not start, and say why in one line that has all texts."""
    before = len(daemon.log_text())
    with pytest.raises(DaemonError):
        daemon.start()
    assert daemon.process.returncode == status
    said = daemon.log_text()[before:]
    assert any(all(text in line for text in texts) for line in said.splitlines()), said
    return said


def fill(daemon, tmp_path):
    """A configuration with something of everything that needs no network card."""
    for words in (
            "switch add lan type internal",
            "switch add old type private",
            "port add b switch lan type guest socket {}/b.sock",
            "port add a switch lan type guest socket {}/a.sock mode server vlan access 10",
            "port add t switch old type guest socket {}/t.sock vlan trunk 10-12,20 native 5",
            "port add gone switch old type guest socket {}/gone.sock",
            "switch set lan unknown drop fdb-size 2000 fdb-ageing 60",
            "port set b mac 02:00:00:00:00:0b mtu 1400 link down storm 77 max-macs 5 vm web",
            "port set t priority on cluster 02:bf:00:00:00:01",
            "fdb add 02:00:00:00:01:00 switch lan port a vlan 10",
            "fdb add 02:00:00:00:01:01 switch lan port b",
            "fdb add 02:00:00:00:01:02 switch lan port b",
            "fdb del 02:00:00:00:01:01 switch lan",
            "port set b name bee",
            "port set t switch lan",
            "switch set lan name net",
            "port del gone",
            "switch add younger type private",
            "switch set old name elder"):
        daemon.check(*words.format(tmp_path).split())


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_all_comes_back(daemon, tmp_path, how):
    """Every setting, names that were changed, ports that were moved, and the order."""
    fill(daemon, tmp_path)
    before, commands = objects(daemon), daemon.check("config", "show")
    assert len(before[0]) == 6 and len(before[1]) == 2
    again(daemon, how)
    assert objects(daemon) == before
    assert daemon.check("config", "show") == commands
    # What comes now comes last, also after the next restart.
    daemon.check("port", "add", "z", "switch", "younger", "type", "guest", "socket",
                 tmp_path / "z.sock")
    daemon.check("switch", "del", "elder")
    before = objects(daemon)
    again(daemon, how)
    assert objects(daemon) == before
    assert [row["name"] for row in daemon.json("port", "show")] == ["bee", "a", "t", "z"]
    seen = list(statefile.blocks((tmp_path / "state").read_bytes()))
    assert seen[0][2] == statefile.WHOLE and seen[0][3] == 1
    assert os.stat(tmp_path / "state").st_mode & 0o777 == 0o600


def test_config_show_loads(daemon, tmp_path):
    """What `config show` prints leads to the same configuration elsewhere."""
    fill(daemon, tmp_path)
    before, commands = objects(daemon), daemon.check("config", "show")
    rows = daemon.json("config", "show")
    assert [row["command"] for row in rows] == commands.splitlines()
    assert rows[0]["object"] == "switch" and rows[0]["arguments"]["name"] == "net"
    daemon.clear()
    assert daemon.check("config", "show") == ""
    (tmp_path / "commands").write_text(commands)
    daemon.check("-f", tmp_path / "commands")
    assert objects(daemon) == before
    again(daemon)
    assert objects(daemon) == before


def test_one_block_per_batch(daemon, tmp_path):
    """A batch is one transaction of the file, and one that failed is none."""
    lines = ["switch add s type private"]
    lines += [f"port add p{i} switch s type guest socket {tmp_path}/{i}.sock" for i in range(50)]
    (tmp_path / "good").write_text("\n".join(lines))
    (tmp_path / "bad").write_text("switch add t type private\nport add p1 switch t type guest "
                                  f"socket {tmp_path}/x.sock\n")
    daemon.check("-f", tmp_path / "good")
    state = (tmp_path / "state").read_bytes()
    assert len(list(statefile.blocks(state))) == 2      # the empty one of a new file, and this
    assert daemon.run("-f", tmp_path / "bad").returncode == 1
    assert (tmp_path / "state").read_bytes() == state
    before = objects(daemon)
    again(daemon)
    assert objects(daemon) == before and len(before[0]) == 51


def test_unconfirmed_is_not_kept(daemon, tmp_path):
    """What waits to be confirmed is gone after a crash; what was confirmed is not."""
    daemon.check("switch", "add", "s", "type", "private")
    (tmp_path / "batch").write_text("switch add t type private\nswitch set s name r\n")
    before = objects(daemon)
    daemon.check("-f", tmp_path / "batch", "--confirm", "600")
    assert objects(daemon) != before
    again(daemon)
    assert objects(daemon) == before
    daemon.check("-f", tmp_path / "batch", "--confirm", "600")
    daemon.check("rollback")
    assert objects(daemon) == before
    daemon.check("-f", tmp_path / "batch", "--confirm", "600")
    daemon.check("confirm")
    after = objects(daemon)
    again(daemon)
    assert objects(daemon) == after != before


# ---- kill -9 ----

class Changer:
    """Makes one change after the other over the bare protocol, and notes what was acknowledged."""

    def __init__(self, daemon, rundir, seed):
        self.daemon, self.rundir, self.random = daemon, rundir, random.Random(seed)
        self.ports, self.static = {}, set()     # {name: mtu}, {number}
        self.open = None                        # the change that was sent last

    def choose(self):
        """(request, function that notes it)."""
        number = self.random.randrange(200)
        name = f"p{self.random.randrange(12)}"
        if self.random.random() < 0.5:
            attrs = [(wire.SWITCH, "s"), (wire.MAC, b"\x02\0\0\0\0" + bytes([number]))]
            if number in self.static:
                return (wire.message(FDB_DEL, *attrs), lambda: self.static.discard(number))
            return (wire.message(FDB_NEW, *attrs, (wire.PORT, "base")),
                    lambda: self.static.add(number))
        if name not in self.ports:
            return (wire.message(wire.PORT_NEW, (wire.NAME, name), (wire.SWITCH, "s"),
                                 (wire.KIND, wire.GUEST),
                                 (wire.SOCKET, f"{self.rundir}/{name}.sock"), (wire.MTU, 1000)),
                    lambda: self.ports.update({name: 1000}))
        if self.random.random() < 0.3:
            return (wire.message(wire.PORT_DEL, (wire.NAME, name)),
                    lambda: self.ports.pop(name))
        mtu = self.random.randrange(1001, 9000)
        return (wire.message(wire.PORT_SET, (wire.NAME, name), (wire.MTU, mtu)),
                lambda: self.ports.update({name: mtu}))

    def run(self):
        """Until the daemon is gone."""
        with wire.Wire(self.daemon.socket) as conn:
            while True:
                request, self.open = self.choose()
                try:
                    conn.send(request)
                    conn.answer()
                except (OSError, AssertionError):
                    return
                self.open()
                self.open = None

    def check(self):
        """All that was acknowledged is there, and at most the change that was under way."""
        is_now = ({row["name"]: row["mtu"] for row in self.daemon.json("port", "show")
                   if row["name"] != "base"},
                  {int(row["mac"][-2:], 16) for row in self.daemon.json("fdb", "show")
                   if row["origin"] == "static"})
        if is_now != (self.ports, self.static) and self.open:
            self.open()
        assert is_now == (self.ports, self.static)
        self.open = None


def kill_loop(tmp_path, times):
    """Kill it at random moments under changes."""
    daemon = kept(tmp_path)
    with running(daemon):
        daemon.check("switch", "add", "s", "type", "private")
        daemon.check("port", "add", "base", "switch", "s", "type", "guest", "socket",
                     tmp_path / "base.sock")
        changer = Changer(daemon, tmp_path, 5)
        torn = 0
        for number in range(times):
            thread = threading.Thread(target=changer.run)
            thread.start()
            time.sleep(changer.random.uniform(0.0, 0.05))
            daemon.kill()
            thread.join()
            daemon.start()
            torn += "were cut off" in daemon.log_text()[-600:]
            changer.check()
        print(f"{times} kills, {torn} torn tails, "
              f"{daemon.json('state', 'show')[0]['transactions']} transactions")


@pytest.mark.once
def test_kill_loop(tmp_path):
    """Nothing acknowledged is lost, whenever it is killed."""
    kill_loop(tmp_path, 30)


@pytest.mark.long
def test_kill_loop_long(tmp_path):
    """The same, longer."""
    kill_loop(tmp_path, 200)


# ---- files that are not as they should be ----

def sample(tmp_path):
    """A file with some transactions; returns its bytes."""
    with running(kept(tmp_path)) as daemon:
        fill(daemon, tmp_path)
    return (tmp_path / "state").read_bytes()


def test_damaged(tmp_path):
    """Damage in the middle is refused, with the offset and what is good; nothing is changed."""
    data = sample(tmp_path)
    ends = [at for at, *_ in statefile.blocks(data)]
    state, daemon = tmp_path / "state", kept(tmp_path)
    for at in (ends[3] + 2, ends[3] + 60):
        broken = bytearray(data)
        broken[at] ^= 4
        state.write_bytes(broken)
        said = ends_with(daemon, str(state), "is damaged", f"offset {ends[3]}")
        assert f"up to offset {ends[3]} it is whole" in said
        assert "no older copy" in said
        assert state.read_bytes() == broken
    # The way that the message names.
    state.write_bytes(data[:ends[3]])
    with running(daemon):
        assert len(daemon.json("switch", "show")) == 2
    # With an older copy, and one that is damaged, too.
    (tmp_path / "state.old").write_bytes(data[:ends[2]])
    state.write_bytes(broken)
    assert f"the last good copy is {state}.old" in ends_with(daemon, "is damaged")
    (tmp_path / "state.old").write_bytes(b"nothing")
    assert f"the older copy {state}.old is no state file" in ends_with(daemon, "is damaged")
    # The last transaction is damaged, and has its full length: it was acknowledged.
    broken = bytearray(data)
    broken[-20] ^= 1
    state.write_bytes(broken)
    ends_with(daemon, "is damaged", f"offset {ends[-1]}", "sum")


def test_of_others(tmp_path):
    """Other files, and those of newer daemons, are left alone."""
    data, daemon, state = sample(tmp_path), kept(tmp_path), tmp_path / "state"
    for content, says in (
            (b"", "is empty"),
            (b"#!/bin/sh\n" * 10, "is no state file"),
            (data[:20], "is no state file"),
            (statefile.head(version=2) + data[32:], "newer vmswitchd (format 2"),
            (statefile.head(needs=1) + data[32:], "newer vmswitchd"),
            (statefile.head() + statefile.block(1, statefile.operation(77, 1)),
             "newer vmswitchd: an operation (77)"),
            (statefile.head() + statefile.block(1, statefile.put_switch(1, "s", (999, 1))),
             "does not understand")):
        state.write_bytes(content)
        ends_with(daemon, str(state), says)
        assert state.read_bytes() == content
    state.write_bytes(statefile.head(knows=2) + data[32:])
    with running(daemon):
        assert len(daemon.json("port", "show")) == 3
    state.unlink()
    state.mkdir()
    ends_with(daemon, str(state), "cannot be read", status=1)


def test_torn_tail(tmp_path):
    """What was not written to its end is cut, and named in the log."""
    data, daemon, state = sample(tmp_path), kept(tmp_path), tmp_path / "state"
    *_, (last, _, _, _, _) = statefile.blocks(data)
    for tail in (data[last:-1], data[last:last + 1], data[last:last + 50], b"\0" * 700):
        state.write_bytes(data[:last] + tail)
        with running(daemon):
            assert (f"{len(tail)} bytes at offset {last} are an unfinished transaction"
                    in daemon.log_text())
            assert state.read_bytes() == data[:last]
            assert len(daemon.json("switch", "show")) == 3
            daemon.check("switch", "add", "new", "type", "private")
            again(daemon)
            assert daemon.json("switch", "show")[-1]["name"] == "new"


def test_two_daemons(daemon, tmp_path):
    """A file belongs to one daemon."""
    other = kept(tmp_path)
    other.control, other.log = tmp_path / "other.sock", tmp_path / "other.log"
    ends_with(other, str(tmp_path / "state"), "another vmswitchd", f"process {daemon.pid}",
              status=1)      # it may have ended when it is tried again
    daemon.check("switch", "add", "s", "type", "private")


def test_not_kept_unless_told(tmp_path):
    """With a socket elsewhere nothing is kept; --no-state says so in any case."""
    for options in ((), ("--no-state",), ("--state", tmp_path / "s", "--no-state")):
        daemon = Switch(tmp_path)
        daemon.options = tuple(map(str, options))
        with running(daemon):
            daemon.check("switch", "add", "s", "type", "private")
            assert daemon.json("state", "show") == []
            assert "no state file" in daemon.check("state", "show")
            again(daemon)
            assert daemon.json("switch", "show") == []
    assert not (tmp_path / "s").exists() and not (tmp_path / "state").exists()


# ---- disks that are full ----

def limit_file_size(daemon, size):
    """No file of the daemon may grow beyond that."""
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def plain(tmp_path):
    """A daemon with a state file, of the tests' own user, who may limit it."""
    one = kept(tmp_path)
    one.service = ()
    with running(one):
        yield one


def test_no_room(plain, tmp_path):
    """A change that cannot be kept does not happen; it does when there is room again."""
    daemon = plain
    fill(daemon, tmp_path)
    before, state = objects(daemon), (tmp_path / "state").read_bytes()
    limit_file_size(daemon, len(state) + 30)
    for words in (("switch", "add", "s", "type", "private"), ("port", "set", "a", "mtu", "999"),
                  ("switch", "set", "net", "name", "other"), ("port", "del", "a"),
                  ("fdb", "add", "02:00:00:00:09:09", "switch", "net", "port", "bee"),
                  ("switch", "del", "net", "force")):
        done = daemon.run(*words)
        assert done.returncode == 1 and "cannot be written (No space left" in done.stderr, done
        assert objects(daemon) == before
        assert (tmp_path / "state").read_bytes() == state
    assert "No space left" in daemon.json("state", "show")[0]["problem"]
    limit_file_size(daemon, resource.RLIM_INFINITY)
    daemon.check("switch", "add", "s", "type", "private")
    assert daemon.json("state", "show")[0]["problem"] is None
    before = objects(daemon)
    again(daemon)
    assert objects(daemon) == before


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_disk_full(small_disk, tmp_path):
    """The same on a disk that others have filled; also the first file, and compaction."""
    daemon = Switch(tmp_path)
    daemon.options = ("--state", str(small_disk / "state"), "--memory", "64")
    with running(daemon):
        with contextlib.suppress(OSError), open(small_disk / "ballast", "wb", 0) as ballast:
            while True:
                ballast.write(b"x" * 4096)
        done = daemon.run("switch", "add", "s", "type", "private")
        assert done.returncode == 1 and "cannot be written" in done.stderr
        assert daemon.json("switch", "show") == [] and not (small_disk / "state").exists()
        os.truncate(small_disk / "ballast", 40000)
        daemon.check("switch", "add", "s", "type", "private")
        failed = 0
        for number in range(400):
            failed += daemon.run("switch", "set", "s", "fdb-ageing", 1000 + number).returncode
        assert failed
        age = daemon.json("switch", "show")[0]["fdb_ageing"]
        (small_disk / "ballast").unlink()
        again(daemon)
        assert daemon.json("switch", "show")[0]["fdb_ageing"] == age
        daemon.check("switch", "set", "s", "fdb-ageing", 999)


# ---- compaction ----

def test_compaction(daemon, tmp_path):
    """The file does not grow for ever, and the one before is kept."""
    state, old = tmp_path / "state", tmp_path / "state.old"
    daemon.check("switch", "add", "s", "type", "private")
    sizes = []
    with wire.Wire(daemon.socket) as conn:
        for number in range(1500):
            conn.call(wire.SWITCH_SET, (wire.NAME, "s"), (13, 1000 + number))
            sizes.append(state.stat().st_size)
    assert max(sizes) < 100_000 and sizes[-1] < max(sizes)
    info = daemon.json("state", "show")[0]
    assert info["rewrites"] >= 3 and info["bytes"] == state.stat().st_size
    assert len(list(statefile.blocks(old.read_bytes()))) > 100
    again(daemon)
    assert daemon.json("switch", "show")[0]["fdb_ageing"] == 2499
    assert daemon.json("state", "show")[0]["transactions"] == info["transactions"]


# ---- what cannot be made ----

def waits(daemon):
    """{name or address: reason} of what waits."""
    return {row["arguments"].get("name") or row["arguments"].get("mac"): row["problem"]
            for row in daemon.json("config", "show") if row["problem"]}


def test_missing_folder(daemon, tmp_path):
    """A port whose folder is missing waits with its addresses, is shown, and comes later."""
    place = tmp_path / "sockets"
    place.mkdir()
    daemon.check("switch", "add", "s", "type", "private")
    for name in ("a", "b"):
        daemon.check("port", "add", name, "switch", "s", "type", "guest", "socket",
                     place / f"{name}.sock" if name == "a" else tmp_path / "b.sock", "mode",
                     "server")
    daemon.check("fdb", "add", "02:00:00:00:00:01", "switch", "s", "port", "a")
    before, commands = objects(daemon), daemon.check("config", "show")
    daemon.kill()
    for one in place.iterdir():
        one.unlink()
    place.rmdir()
    daemon.start()
    assert [row["name"] for row in daemon.json("port", "show")] == ["b"]
    assert "No such file" in waits(daemon)["a"]
    assert len(waits(daemon)) == 2
    shown = daemon.check("config", "show")
    assert "# not there yet: cannot use socket" in shown
    assert sorted(x for x in shown.splitlines() if x[0] != "#") == sorted(commands.splitlines())
    state = daemon.json("state", "show")[0]
    assert state["waiting"] == 2 and len(state["waits"]) == 2
    assert "No such file" in daemon.check("state", "show")
    # Its name is taken, it survives changes and another restart.
    done = daemon.run("port", "add", "a", "switch", "s", "type", "guest", "socket",
                      tmp_path / "other.sock")
    assert done.returncode == 1 and "waits to be made" in done.stderr, done
    daemon.check("switch", "set", "s", "name", "t")
    daemon.check("switch", "set", "t", "name", "s")
    again(daemon)
    assert set(waits(daemon)) == {"a", "02:00:00:00:00:01"}
    place.mkdir()
    wait_for(lambda: waits(daemon), lambda seen: not seen, 20)
    assert objects(daemon) == before
    assert daemon.check("config", "show") == commands
    assert "port a waits no more" in daemon.log_text()


def test_waiting_is_removed(daemon, tmp_path):
    """What waits can be removed, by itself or with its switch."""
    for number in range(4):
        (tmp_path / str(number)).mkdir()
    daemon.check("switch", "add", "s", "type", "private")
    for number in range(4):
        daemon.check("port", "add", f"p{number}", "switch", "s", "type", "guest", "socket",
                     tmp_path / str(number) / "x", "mode", "server")
        daemon.check("fdb", "add", f"02:00:00:00:00:0{number}", "switch", "s", "port",
                     f"p{number}")
    daemon.kill()
    for number in range(4):
        (tmp_path / str(number) / "x").unlink()
        (tmp_path / str(number)).rmdir()
    daemon.start()
    assert len(waits(daemon)) == 8
    daemon.check("port", "del", "p0")
    daemon.check("fdb", "del", "02:00:00:00:00:01", "switch", "s")
    assert len(waits(daemon)) == 5
    (tmp_path / "batch").write_text("port del p1\nport del nobody\n")
    assert daemon.run("-f", tmp_path / "batch").returncode == 1
    assert len(waits(daemon)) == 5
    assert daemon.run("port", "del", "p0").returncode == 1
    again(daemon)
    assert len(waits(daemon)) == 5
    done = daemon.run("switch", "del", "s")
    assert done.returncode == 1 and "3 ports that could not be made" in done.stderr
    daemon.check("switch", "del", "s", "force")
    again(daemon)
    assert daemon.check("config", "show") == ""


def test_missing_card(tmp_path):
    """A switch whose network card is missing waits with all that is on it, until it comes."""
    with Namespace("state") as host, Namespace("out") as out:
        with running(kept(tmp_path, ns=host)) as daemon:
            veth(host, "nic0", out, "wire0")
            daemon.check("switch", "add", "ext", "type", "external", "uplink", "xdp:nic0")
            daemon.check("port", "set", "ext.uplink", "max-macs", "77")
            daemon.check("port", "add", "g", "switch", "ext", "type", "guest", "socket",
                         tmp_path / "g.sock", "vlan", "access", "9")
            daemon.check("fdb", "add", "02:00:00:00:00:77", "switch", "ext", "port", "ext.uplink",
                         "vlan", "9")
            daemon.check("switch", "add", "in", "type", "internal")
            daemon.check("port", "add", "h", "switch", "in", "type", "host", "addr",
                         "192.0.2.1/24")
            before, commands = objects(daemon), daemon.check("config", "show")
            again(daemon)
            assert objects(daemon) == before and not waits(daemon)
            daemon.kill()
            host.ip("link", "del", "nic0")
            daemon.start()
            assert [row["name"] for row in daemon.json("switch", "show")] == ["in"]
            assert set(waits(daemon)) == {"ext", "ext.uplink", "g", "02:00:00:00:00:77"}
            daemon.check("switch", "add", "more", "type", "private")
            veth(host, "nic0", out, "wire0")
            wait_for(lambda: waits(daemon), lambda seen: not seen, 20)
            daemon.check("switch", "del", "more")
            assert daemon.check("config", "show") == commands
            daemon.clear()


# ---- how much it costs ----

def cost(tmp_path, addresses, changes):
    """(seconds to start, bytes and seconds per change) with that many static addresses."""
    operations = [statefile.put_switch(1, "s", (12, 200_000)),
                  statefile.put_port(2, 1, "p", "s", tmp_path / "p.sock")]
    if addresses:
        operations.append(statefile.operation(
            statefile.ADD, 2, b"".join(statefile.address(1 + n) for n in range(addresses))))
    (tmp_path / "state").write_bytes(
        statefile.head() + statefile.block(1, *operations, flags=statefile.WHOLE))
    daemon = kept(tmp_path, "--memory", "256")
    daemon.service = ()
    started = daemon.start()
    with running_on(daemon):
        assert daemon.json("switch", "show")[0]["fdb_used"] == addresses
        begin = daemon.json("state", "show")[0]["bytes"]
        times = []
        with wire.Wire(daemon.socket, timeout=60) as conn:
            for number in range(changes):
                start = time.perf_counter()
                conn.call(FDB_NEW, (wire.SWITCH, "s"), (wire.PORT, "p"),
                          (wire.MAC, b"\x06\0\0\0" + number.to_bytes(2, "big")))
                times.append(time.perf_counter() - start)
        grown = daemon.json("state", "show")[0]["bytes"] - begin
    return started, grown / changes, sorted(times)[changes // 2], max(times)


@contextlib.contextmanager
def running_on(daemon):
    """End a daemon that was started."""
    try:
        yield
    finally:
        daemon.stop()


@pytest.mark.once
def test_cost_of_a_change(tmp_path):
    """A change costs the same few bytes, whatever else is kept."""
    rows = {}
    for addresses in (100, 100_000):
        rows[addresses] = cost(tmp_path, addresses, 200)
        print("%6d static addresses: started in %.2f s; a change adds %.0f bytes, takes %.2f ms "
              "(median; at most %.1f)" % (addresses, *rows[addresses][:2],
                                          rows[addresses][2] * 1000, rows[addresses][3] * 1000))
    assert rows[100][1] == rows[100_000][1] <= 100
