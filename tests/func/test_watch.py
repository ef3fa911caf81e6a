# SPDX-License-Identifier: BSD-3-Clause
"""`vmswitch stats watch`: rates that add up to the counters, drops by name, and how it behaves on a
terminal, in a pipe, and when the daemon, a port or its reader goes away."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

import wire
from child import die_with_parent
from frames import cross, frame, mac, many, teach
from lan import Lan, Switch
from terminal import CURSOR, HIDE, SHOW, Terminal
from vmswitchd import BUILD

pytestmark = pytest.mark.once

VMSWITCH = str(BUILD / "control" / "vmswitch")
LIMIT = 20.0
STATS_GET, DROP_GET = 0x40, 0x42
# What a row counts: (rate, counter, unit of the rate per unit of the counter).
FIGURES = [("received_pps", "received", 1), ("received_bps", "received_bytes", 8),
           ("sent_pps", "sent", 1), ("sent_bps", "sent_bytes", 8), ("dropped_pps", "dropped", 1)]


class Watch:
    """A running `vmswitch stats watch`, read line by line."""

    def __init__(self, control, *words, json_lines=True, **popen):
        options = ["-j"] if json_lines else []
        self.process = subprocess.Popen(
            [VMSWITCH, "-s", str(control), *options, "stats", "watch", *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **{"preexec_fn": die_with_parent, **popen})
        self.rest = b""
        self.lines = []

    def line(self):
        """The next line."""
        end = time.monotonic() + LIMIT
        while not self.lines:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.process.stdout], [], [], left)[0], "silence"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"it ended: {self.process.stderr.read()}"
            *self.lines, self.rest = (self.rest + data).split(b"\n")
        return self.lines.pop(0).decode()

    def next(self):
        """The next line of JSON."""
        return json.loads(self.line())

    def until(self, condition):
        """Read on until a line of JSON satisfies the condition; returns all lines until then."""
        end = time.monotonic() + LIMIT
        seen = []
        while not seen or not condition(seen[-1]):
            assert time.monotonic() < end, seen
            seen.append(self.next())
        return seen

    def end(self):
        """Wait for its end; returns (exit status, standard error)."""
        _, complaint = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, complaint.decode()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def grown(blocks, *path):
    """What the rates of all blocks add up to, per counter; path: "total", or "vm" and its name."""
    sums = {counter: 0 for _, counter, _ in FIGURES}
    for block in blocks:
        rows = [block["total"]]
        if path[0] != "total":
            rows = [row for row in block["rows"] if row[path[0]] == path[1]]
        for row in rows:
            for rate, counter, unit in FIGURES:
                exact = row[rate] * block["elapsed"] / unit
                assert exact >= 0
                assert abs(exact - round(exact)) < 1e-6 * max(1, exact), "no whole frames"
                sums[counter] += round(exact)
    return sums


def row(block, name, key="vm"):
    """The row of a VM or port; None if it has none."""
    return next((one for one in block["rows"] if one[key] == name), None)


def counted(counter, number, name=None):
    """A condition for Watch.until(): a row, or the sums, have counted so many."""
    def look(block):
        one = block["total"] if name is None else row(block, name)
        return one is not None and one[counter] >= number
    return look


# ---- figures ----

def test_rates_add_up(trio):
    """Rates times elapsed time are what the counters grew by, to the frame and the byte."""
    a, b, c = (trio.guests[name] for name in "abc")
    teach(trio, *"abc")
    before = {name: trio.stats(name) for name in "abc"}
    with Watch(trio.daemon.socket, "interval", 0.1) as watch:
        blocks = [watch.next()]
        for size in range(60, 160):
            cross(a, frame(b.mac, a.mac, size), b)
        cross(b, [frame(c.mac, b.mac, 1000)] * 20, c)
        blocks += watch.until(counted("sent", before["b"]["sent"] + 100, "b"))
        cross(c, [frame(a.mac, c.mac, 70)] * 3, a)
        blocks += watch.until(counted("sent", before["a"]["sent"] + 3, "a"))
    assert len(blocks) >= 2 and all(block["by"] == "vm" for block in blocks)
    after = {name: trio.stats(name) for name in "abc"}
    for name in "abc":
        have = grown(blocks, "vm", name)
        for counter in ("received", "received_bytes", "sent", "sent_bytes"):
            assert have[counter] == after[name][counter] - before[name][counter], (name, counter)
            assert row(blocks[-1], name)[counter] == after[name][counter]
        assert have["dropped"] == 0 and row(blocks[-1], name)["drop"] is None
    have = grown(blocks, "total")
    assert have["received"] == have["sent"] == 123
    assert have["received_bytes"] == sum(range(60, 160)) + 20 * 1000 + 3 * 70
    assert blocks[-1]["total"]["ports"] == 3


def test_the_elapsed_time_is_the_real_one(trio):
    """Rates are over the time that has passed, not over that which was asked for."""
    with Watch(trio.daemon.socket, "interval", 0.1) as watch:
        first = watch.next()
        watch.process.send_signal(signal.SIGSTOP)
        cross(trio.guests["a"], [frame(trio.guests["b"].mac, trio.guests["a"].mac)] * 40)
        time.sleep(0.5)         # the quantity that is tested
        watch.process.send_signal(signal.SIGCONT)
        blocks = watch.until(counted("received", row(first, "a")["received"] + 40, "a"))
    late = next(block for block in blocks if row(block, "a")["received_pps"])
    assert late["elapsed"] > 0.5
    assert grown(blocks, "vm", "a")["received"] == 40
    assert row(late, "a")["received_pps"] <= 40 / 0.5
    stamps = [datetime.datetime.fromisoformat(block["time"].rstrip("Z"))
              for block in (first, *blocks)]
    assert stamps == sorted(stamps)


def test_drops_by_name(lan):
    """The reason that dropped most, its sentence and its rate."""
    a, b = lan.add("a", "mac", "02:11:00:00:00:01", mac=mac(1)), lan.add("b", mac=mac(2))
    teach(lan, "a", "b")
    with Watch(lan.daemon.socket, "interval", 0.1) as watch:
        first = watch.next()
        assert first["total"]["drop"] is None
        many(a, [frame(b.mac, mac(99), seed=seed) for seed in range(30)]
             + [frame(a.mac, a.mac)] * 5)
        blocks = [first] + watch.until(counted("dropped", 35, "a"))
        idle = watch.next()
    assert grown(blocks, "vm", "a")["dropped"] == 35 and lan.daemon.drops("a")["spoof"] == 30
    assert grown(blocks, "vm", "b")["dropped"] == 0
    for one in (row(blocks[-1], "a"), blocks[-1]["total"]):
        assert one["dropped_in"] == 35 and one["dropped_out"] == 0
        assert (one["drop"]["reason"], one["drop"]["side"]) == ("spoof", "in")
        assert one["drop"]["count"] == 30
        assert "source address is not the one given to this port" in one["drop"]["text"]
    spoofed = sum(row(block, "a")["drop"]["pps"] * block["elapsed"] for block in blocks
                  if row(block, "a")["drop"] and row(block, "a")["drop"]["reason"] == "spoof")
    assert round(spoofed) == 30
    assert row(idle, "a")["drop"]["pps"] == 0 and row(idle, "a")["drop"]["reason"] == "spoof"
    text = lan.daemon.check("stats", "watch", "interval", 0.1, "count", 1)
    assert re.search(r"^a .* 0 +35  spoof: source address is not", text, re.MULTILINE), text


def test_rows(lan):
    """By VM, by port, of a switch, of a port, by name and by rate."""
    watch = ("-j", "stats", "watch", "interval", 0.1, "count", 1)
    e1 = lan.add("eth1", "vm", "web", mac=mac(1))
    e0 = lan.add("eth0", "vm", "web", mac=mac(2))
    db = lan.add("db", mac=mac(3))
    teach(lan, "eth0", "eth1", "db")
    lan.daemon.check("switch", "add", "other", "type", "private")
    lan.daemon.check("port", "add", "zz", "switch", "other", "type", "guest", "socket",
                     lan.rundir / "zz.sock")

    def names(*words, key="vm"):
        block = json.loads(lan.daemon.check(*watch, *words))
        return [one[key] for one in block["rows"]], block

    assert names("sort", "name")[0] == ["db", "web", "zz"]
    assert names("by", "port", "sort", "name", key="port")[0] == ["db", "eth0", "eth1", "zz"]
    ports, block = names("by", "port", "switch", "lan", key="port")
    assert sorted(ports) == ["db", "eth0", "eth1"] and block["by"] == "port"
    assert row(block, "eth0", "port")["vm"] == "web"
    assert row(block, "eth0", "port")["switch"] == "lan"
    names_of_vms, block = names("switch", "other")
    assert names_of_vms == ["zz"] and block["total"]["ports"] == 1
    ports, block = names("port", "eth1", key="port")
    assert ports == ["eth1"] and block["total"]["ports"] == 1
    assert row(names()[1], "web")["ports"] == 2
    before = lan.stats("eth0")["received"] + lan.stats("eth1")["received"]
    with Watch(lan.daemon.socket, "interval", 0.2) as one:
        one.next()
        cross(e0, [frame(db.mac, e0.mac)] * 7)
        cross(e1, [frame(db.mac, e1.mac)] * 2)
        blocks = one.until(counted("received", before + 9, "web"))
    assert grown(blocks, "vm", "web")["received"] == 9
    busy = next(block for block in blocks if block["total"]["received_pps"])
    assert [one["vm"] for one in busy["rows"]] in (["db", "web", "zz"], ["web", "db", "zz"])


def test_ports_come_and_go_and_come_back(lan):
    """A port that is removed and made again begins at 0: no rate is negative or beyond belief."""
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    with Watch(lan.daemon.socket, "interval", 0.1) as watch, \
            Watch(lan.daemon.socket, "port", "a", "interval", 0.1) as only:
        blocks, ones = [watch.next()], [only.next()]
        cross(a, [frame(b.mac, a.mac)] * 50)
        blocks += watch.until(counted("received", 50, "a"))
        ones += only.until(counted("received", 50))
        a.close()
        lan.daemon.check("port", "del", "a")
        a = lan.add("a", mac=mac(1))
        cross(a, [frame(b.mac, a.mac)] * 3)
        blocks += watch.until(lambda block: (row(block, "a") or {}).get("received") == 3)
        ones += only.until(lambda block: block["total"].get("received") == 3)
        assert grown(blocks, "vm", "a")["received"] == 53
        assert grown(ones, "total")["received"] == 53
        lan.daemon.check("port", "del", "b")
        watch.until(lambda block: row(block, "b") is None)
        lan.daemon.check("port", "del", "a")
        last = only.until(lambda block: not block["rows"])[-1]
        assert last["total"]["ports"] == 0 and last["total"]["received_pps"] == 0
        lan.add("c", mac=mac(3), wait_up=False)
        watch.until(lambda block: row(block, "c") is not None)
        assert watch.process.poll() is None and only.process.poll() is None


@pytest.mark.parametrize("words, status, says", [
    ("switch nowhere", 1, "there is no switch 'nowhere'"),
    ("port nowhere", 1, "there is no port 'nowhere'"),
    ("port " + 3000 * "p", 1, "is no name"),
    ("port " + 300 * "p", 1, "is no name"),
    ("switch lan port a", 2, "'switch' and 'port' exclude each other"),
    ("interval 0", 2, "'0' after 'interval' is not a number of seconds (0.1 to 3600)"),
    ("count 0", 2, "'0' after 'count' is not a number (1 to 1000000000)"),
    ("by switch", 2, "accepted here: vm, port"),
])
def test_bad_commands(vmswitchd, words, status, says):
    """Each is refused at once, and named."""
    done = vmswitchd.run("stats", "watch", *words.split())
    assert done.returncode == status and done.stdout == ""
    assert says in done.stderr


# ---- text in a pipe ----

def test_text_is_appended(trio):
    """One block per interval: the time, the headings, the rows, the sum, an empty line."""
    text = trio.daemon.check("stats", "watch", "sort", "name", "interval", 0.1, "count", 2)
    blocks = text.split("\n\n")
    assert len(blocks) == 3 and blocks[2] == ""
    for block in blocks[:2]:
        head, labels, *rows = block.split("\n")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z  3 VMs, over 0\.\d{3} s", head)
        assert labels.split() == ["VM", "FROM/S", "BIT/S", "FROM", "TO/S", "BIT/S", "TO",
                                  "DROPS/S", "DROPS", "LARGEST", "DROP"]
        assert [line.split()[0] for line in rows] == ["a", "b", "c", "TOTAL"]
    assert "\x1b" not in text


@pytest.mark.parametrize("words", [[], ["-j"]])
@pytest.mark.parametrize("sigpipe", [True, False])
def test_nobody_reads(trio, words, sigpipe):
    """When the reader goes, it ends at once, in silence, however long the interval is. sigpipe:
    whether the parent left SIGPIPE as it is."""
    with Watch(trio.daemon.socket, "interval", 3600, json_lines=bool(words),
               restore_signals=sigpipe) as watch:
        watch.process.stdout.close()
        assert watch.process.wait(LIMIT) == 0
        assert watch.process.stderr.read() == b""
        watch.process.stdout = open(os.devnull, "rb")
    with Watch(trio.daemon.socket, "interval", 0.1, json_lines=bool(words),
               restore_signals=sigpipe) as watch:
        watch.line()
        watch.process.stdout.close()
        assert watch.process.wait(LIMIT) == 0
        assert watch.process.stderr.read() == b""
        watch.process.stdout = open(os.devnull, "rb")


def test_a_full_disk(trio):
    """What cannot be written is an error."""
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([VMSWITCH, "-s", trio.daemon.socket, "stats", "watch", "interval",
                               "0.1"], stdout=full, stderr=subprocess.PIPE, timeout=LIMIT)
    assert done.returncode == 1 and b"the output is not complete" in done.stderr


# ---- the daemon goes away ----

@pytest.fixture
def second():
    """A daemon of our own, to be killed."""
    with tempfile.TemporaryDirectory(prefix="vsw-", dir="/tmp") as folder:
        daemon = Switch(pathlib.Path(folder))
        daemon.start()
        yield daemon
        daemon.stop()


def test_the_daemon_is_restarted(second):
    """It says that the daemon is away, goes on when it is back, and counts from there."""
    lan = Lan(second, second.rundir)
    a, b = lan.add("a", mac=mac(1)), lan.add("b", mac=mac(2))
    with contextlib.closing(lan), Watch(second.socket, "interval", 0.1) as watch, \
            Watch(second.socket, "interval", 0.1, json_lines=False) as text, \
            Watch(second.socket, "interval", 0.1, "count", 1000000) as limited:
        cross(a, [frame(b.mac, a.mac)] * 100)
        watch.until(counted("received", 100, "a"))
        limited.next()
        second.kill()
        away = watch.until(lambda block: "error" in block)[-1]
        assert set(away) == {"time", "error"} and "vmswitchd" in away["error"]
        status, complaint = limited.end()
        assert status == 1 and "vmswitchd" in complaint
        while "trying again" not in (line := text.line()):
            pass
        assert re.match(r"\d{4}-.*Z vmswitchd ", line)
        second.start()
        second.check("switch", "add", "lan", "type", "private")
        for name in "ab":
            second.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                         second.rundir / f"{name}.sock")
        for guest in (a, b):
            assert guest.wait_closed(5)
            guest.reconnect()
        back = watch.until(lambda block: block.get("total", {}).get("ports") == 2)
        assert all("error" not in block for block in back), "it says so once"
        cross(a, [frame(b.mac, a.mac)] * 5)
        back += watch.until(counted("received", 5, "a"))
        # the rings were not empty when the daemon died, or they were: never less than these 5
        assert 5 <= grown(back, "vm", "a")["received"] == row(back[-1], "a")["received"] < 100
        while not re.match(r"a ", text.line()):
            pass
        assert watch.process.poll() is None and text.process.poll() is None


def test_no_daemon(rundir):
    """At the start it is an error, as with every command."""
    done = subprocess.run([VMSWITCH, "-s", str(rundir / "nobody.sock"), "stats", "watch"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
    assert done.returncode == 1 and done.stdout == b""
    assert b"vmswitchd is not running" in done.stderr


# ---- a terminal ----

def many_ports(daemon, number):
    """A switch with so many ports, which nobody is connected to."""
    daemon.check("switch", "add", "big", "type", "private")
    for n in range(number):
        daemon.check("port", "add", f"port{n:02}", "switch", "big", "type", "guest", "socket",
                     pathlib.Path(daemon.rundir) / f"many{n:02}.sock")


def terminal(daemon, *words, **size):
    """`stats watch` on a terminal."""
    return Terminal([VMSWITCH, "-s", str(daemon.control), "stats", "watch", *map(str, words)],
                    **size)


def fits(term, shown, number):
    """Whether the screen shows so many of the rows, and says how many are left out."""
    lines = [line.rstrip() for line in term.screen() if line.strip()]
    names = [line.split()[0] for line in lines[2:2 + shown]]
    return (len(lines) == shown + 4 and names == [f"port{n:02}" for n in range(shown)]
            and lines[0].endswith(f"Z  {number} VMs")
            and lines[1].startswith("VM ") and lines[2 + shown] == f"    ... {number - shown} more"
            and lines[-1].startswith("TOTAL "))


def test_a_terminal_is_drawn_in_place(vmswitchd):
    """Rows that do not fit are counted, lines are cut; another size is drawn at once, and Ctrl-C
    shows the cursor again."""
    many_ports(vmswitchd, 30)
    with terminal(vmswitchd, "interval", 3600, rows=12, columns=60) as term:
        term.wait(lambda: fits(term, 7, 30))
        assert term.cut == 0 and not term.cursor
        term.resize(20, 100)
        term.wait(lambda: fits(term, 15, 30))
        term.resize(8, 50)
        term.wait(lambda: fits(term, 3, 30))
        for rows in (1, 2, 3):          # too small for anything, but it lives
            term.resize(rows, 7)
            term.wait(lambda n=rows: len([line for line in term.screen() if line.strip()]) == n - 1)
        term.resize(40, 120)
        term.wait(lambda: sum(line.startswith("port") for line in term.screen()) == 30)
        assert not any("more" in line for line in term.screen())
        assert term.cut == 0
        term.type(b"\x03")
        assert term.end() == -signal.SIGINT
        assert term.cursor
        assert any(line.startswith("TOTAL ") for line in term.screen()), "what it showed stays"


def test_a_terminal_is_refreshed(trio):
    """What is drawn again leaves nothing of what was there before."""
    with terminal(trio.daemon, "interval", 0.1, rows=12, columns=90) as term:
        term.wait(lambda: any(line.startswith("c ") for line in term.screen()))
        stamps = {term.screen()[0]}
        term.wait(lambda: stamps.add(term.screen()[0]) or len(stamps) >= 4)
        cross(trio.guests["a"], [frame(trio.guests["b"].mac, trio.guests["a"].mac)] * 12)
        term.wait(lambda: any(re.match(r"a +\S+ +\S+ +12 ", line) for line in term.screen()))
        trio.daemon.check("port", "del", "c")
        term.wait(lambda: not any(line.startswith("c ") for line in term.screen()))
        lines = [line for line in term.screen() if line.strip()]
        assert len(lines) == 5 and lines[4].startswith("TOTAL ")
        assert term.raw.count(HIDE) >= 4


def test_a_terminal_when_it_ends_by_itself(trio):
    """The cursor is back after the last interval; JSON draws nothing at all."""
    with terminal(trio.daemon, "interval", 0.1, "count", 2, rows=24, columns=80) as term:
        assert term.end() == 0
        assert term.cursor and term.raw.endswith(SHOW)
    with terminal(trio.daemon, "interval", 0.1, "count", 1, "-j", rows=24, columns=80) as term:
        assert term.end() == 0
        assert b"\x1b" not in term.raw and json.loads(term.raw)
    with terminal(trio.daemon, "interval", 0.1, "count", 1, rows=24, columns=80,
                  kind="dumb") as term:
        assert term.end() == 0
        assert b"\x1b" not in term.raw


def test_a_terminal_and_the_daemon_goes(second):
    """The screen says so, and shows rows again when it is back."""
    many_ports(second, 3)
    with terminal(second, "interval", 0.1, rows=12, columns=150) as term:
        term.wait(lambda: any(line.startswith("port02") for line in term.screen()))
        second.kill()
        term.wait(lambda: "vmswitchd is not running" in "".join(term.screen()))
        assert not any(line.startswith("port") for line in term.screen())
        second.start()
        term.wait(lambda: any(line.startswith("TOTAL") for line in term.screen()))
        assert "not running" not in "".join(term.screen())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_restore_the_terminal(trio, number):
    """Whatever ends it, the cursor is back, and the parent sees what it was."""
    with terminal(trio.daemon, "interval", 3600, rows=12, columns=80) as term:
        term.wait(lambda: not term.cursor and any("TOTAL" in line for line in term.screen()))
        os.kill(term.pid, number)
        assert term.end() == -number
        assert term.cursor


def test_a_daemon_that_hangs_does_not_hold_ctrl_c(second):
    """A request that is not answered does not keep it from ending."""
    with terminal(second, "interval", 0.1, rows=12, columns=80) as term:
        term.wait(lambda: any("TOTAL" in line for line in term.screen()))
        os.kill(second.pid, signal.SIGSTOP)
        try:
            seen = term.screen()
            while (now := (term.read(0.5), term.screen())[1]) != seen:
                seen = now      # until it stands still: the request is under way
            term.type(b"\x03")
            assert term.end() == -signal.SIGINT and term.cursor
        finally:
            os.kill(second.pid, signal.SIGCONT)


def test_stop_and_continue(trio):
    """Stopped by Ctrl-Z the cursor is back; when it goes on, it draws all of it again."""
    with terminal(trio.daemon, "interval", 3600, rows=12, columns=80, session=False) as term:
        term.wait(lambda: any("TOTAL" in line for line in term.screen()))
        os.kill(term.pid, signal.SIGTSTP)
        _, status = os.waitpid(term.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        term.wait(lambda: term.cursor)
        drawn = term.raw.count(HIDE)
        os.kill(term.pid, signal.SIGCONT)
        term.wait(lambda: term.raw.count(HIDE) > drawn and not term.cursor)
        os.kill(term.pid, signal.SIGINT)
        assert term.end() == -signal.SIGINT


# ---- a daemon that means harm ----

class FakeDaemon:
    """Answers HELLO, and requests for counters and drops with whatever it is given."""

    def __init__(self, path, stats, drops):
        self.answers = {STATS_GET: stats, DROP_GET: drops}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        one, _ = self.listener.accept()
        with one:
            one.settimeout(LIMIT)
            while data := one.recv(65536):
                _, _, seq, payload = next(wire.messages(data))
                cmd = payload[0]
                rows = [[(16, 1), (17, 1)]] if cmd == wire.HELLO else self.answers[cmd]
                answer = b"".join(wire.message(cmd, *one_row, flags=wire.MULTI, seq=seq)
                                  for one_row in rows)
                done = struct.pack("=IHHIIi", 20, wire.DONE, wire.MULTI, seq, 0, 0)
                one.send(answer + done)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.thread.join()
        self.listener.close()


def u64(number):
    """A counter on the wire."""
    return struct.pack("=Q", number)


EVIL = ["\x1b]0;title\x07", "\x1b[2J", "a\nb\rc", "\u009b2J", "\x7f\x08", 5000 * "x", ""]


@pytest.mark.parametrize("words", [[], ["-j"], ["by", "port", "sort", "name"]])
@pytest.mark.parametrize("broken", [False, True])
def test_hostile_names(rundir, words, broken):
    """Names and sentences of whoever answers do not steer the terminal, and overflow nothing."""
    top = u64(2 ** 64 - 1)
    counters = [(number, top) for number in (43, 44, 49, 50, 51, 52)]
    stats = [[(wire.PORT, f"p{n}"), (wire.SWITCH, name), (wire.VM, name), *counters]
             for n, name in enumerate(EVIL)]
    stats += [[(wire.VM, b"no end of a string")]] if broken else [[]]
    drops = [[(wire.PORT, f"p{n}"), (wire.VM, name), (57, name), (58, name), (59, top), (60, name)]
             for n, name in enumerate(EVIL)]
    path = rundir / "evil.sock"
    with FakeDaemon(path, stats, drops):
        done = subprocess.run([VMSWITCH, "-s", str(path), "stats", "watch", "interval", "0.1",
                               "count", "2", *words], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=LIMIT)
    path.unlink()
    if broken:
        assert done.returncode == 1 and b"makes no sense" in done.stderr and not done.stdout
        return
    assert done.returncode == 0, done
    text = done.stdout.decode()
    assert "title" in text and "2J" in text
    evil = [one for one in text if ord(one) == 127 or ord(one) < 32 and one != "\n"
            or 0x80 <= ord(one) < 0xa0]
    if "-j" in words:
        rows = json.loads(text.splitlines()[0])["rows"]
        assert {"\x1b[2J", "a\nb\rc", 31 * "x", ""} <= {one["vm"] for one in rows}
        evil = [one for one in evil if ord(one) < 32]
    assert not evil, evil


def test_the_terminal_of_these_tests():
    """It shows what it is told to show."""
    term = Terminal(["printf", r"ab\033[Hx\033[K\r\ny\033[J" + r"\033[?25l"], rows=4, columns=5)
    with term:
        assert term.end() == 0
        assert [line.rstrip() for line in term.screen()[:2]] == ["x", "y"]
        assert not term.cursor and CURSOR.search(term.raw)
