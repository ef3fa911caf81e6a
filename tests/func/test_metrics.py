# SPDX-License-Identifier: BSD-3-Clause
"""Metrics: read by Prometheus' own Python client, held against what `vmswitch -j` shows and against
doc/metrics.md."""

import contextlib
import http.client
import os
import pathlib
import re
import socket
import stat
import subprocess
import time

import prometheus_client.parser
import pytest

from frames import BROADCAST, STRANGER, cross, frame, mac, text
from lan import Lan, Switch
from vmswitchd import BUILD, TOP
from watch import wait_for
import wire

ROW = re.compile(r"^\| `(vmswitch_\w+)` \| (counter|gauge) \|([^|]*)\|", re.MULTILINE)
PLACES = 8          # connections at a time
PORT_METRICS = {    # of a port: metric -> column of `stats show`
    "vmswitch_port_received_frames_total": "received",
    "vmswitch_port_received_bytes_total": "received_bytes",
    "vmswitch_port_forwarded_frames_total": "forwarded",
    "vmswitch_port_flooded_frames_total": "flooded",
    "vmswitch_port_consumed_frames_total": "consumed",
    "vmswitch_port_attempted_frames_total": "attempts",
    "vmswitch_port_sent_frames_total": "sent",
    "vmswitch_port_sent_bytes_total": "sent_bytes",
}


def dial(path):
    """A connected socket; connect() waits for room in the backlog, as there is no time-out yet."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    sock.settimeout(30)
    return sock


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("vmswitch", timeout=30)
        self.path = path

    def connect(self):
        self.sock = dial(self.path)


class Metered(Switch):
    """A daemon that serves metrics on a Unix socket."""

    @property
    def place(self):
        """Path of the socket."""
        return self.rundir / "metrics.sock"

    @property
    def options(self):
        """More words of its command line."""
        return ("--metrics", f"unix:{self.place}")

    def request(self, method="GET", path="/metrics", **more):
        """(status, headers, body) of one request."""
        with contextlib.closing(UnixConnection(self.place)) as one:
            one.request(method, path, **more)
            answer = one.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def scrape(self):
        """{metric: family} as the parser of Prometheus' client sees them."""
        status, headers, body = self.request()
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return families(body)

    def value(self, name, **labels):
        """The value of the one sample with these labels (and perhaps more)."""
        found = [sample.value for sample in samples(self.scrape(), name)
                 if labels.items() <= sample.labels.items()]
        assert len(found) == 1, (name, labels, found)
        return found[0]


def families(body):
    """{metric: family}; the parser drops the _total of counters."""
    found = {}
    for family in prometheus_client.parser.text_string_to_metric_families(body):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name not in found, f"{name} is there twice"
        found[name] = family
    return found


def samples(found, name):
    """The samples of a metric."""
    return [sample for sample in found[name].samples if sample.name == name]


@pytest.fixture(scope="module")
def metered(rundir):
    """A daemon with metrics."""
    folder = rundir / "metered"
    folder.mkdir()
    daemon = Metered(folder)
    daemon.start()
    yield daemon
    assert daemon.stop() == 0
    assert not daemon.place.exists()


@pytest.fixture
def meter(metered):
    """It, empty; it must survive the test."""
    metered.clear()
    yield metered
    assert metered.alive()
    metered.audit()


@pytest.fixture
def pair(meter):
    """Two guests a and b on a switch, with some frames between them, and some dropped."""
    lan = Lan(meter, meter.rundir)
    a = lan.add("a", "mac", text(mac(1)), "vm", "left", mac=mac(1))
    b = lan.add("b", "vm", "right", mac=mac(2))
    cross(b, frame(BROADCAST, b.mac, 100), a)
    cross(a, [frame(b.mac, a.mac, 60), frame(b.mac, STRANGER)], b)
    wait_for(lambda: (lan.stats("a")["received"], lan.stats("b")["received"]),
             lambda seen: seen == (2, 1))
    yield lan
    lan.close()


def test_every_metric_is_documented(pair):
    """Name, type and labels; in both directions."""
    found = pair.daemon.scrape()
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels)))
                  for name, kind, labels in ROW.findall((TOP / "doc/metrics.md").read_text())}
    assert set(found) == set(documented)
    for name, family in found.items():
        assert name.endswith("_total") == (family.type == "counter")
        assert family.documentation
        assert documented[name][0] == family.type, name
        rows = samples(found, name)
        assert rows, f"{name} has no sample here"
        for row in rows:
            assert set(row.labels) == documented[name][1], name


def test_counters_of_ports(pair):
    """The same as what the command shows."""
    rows = {row["port"]: row for row in pair.daemon.json("stats", "show")}
    found = pair.daemon.scrape()
    for name, column in PORT_METRICS.items():
        values = {sample.labels["port"]: sample.value for sample in samples(found, name)}
        assert values == {port: row[column] for port, row in rows.items()}, name
    offloads = {row["port"]: row for row in pair.daemon.json("offload", "show")}
    for name, column in (("segments", "segments"), ("checksums", "checksums"),
                         ("merged_segments", "merged")):
        values = {sample.labels["port"]: sample.value
                  for sample in samples(found, f"vmswitch_port_{name}_total")}
        assert values == {port: row[column] for port, row in offloads.items()}, name
    owed = {(s.labels["port"], s.labels["owed"], s.labels["settled"]): s.value
            for s in samples(found, "vmswitch_port_owed_frames_total")}
    assert owed == {(port, "csum", how): offloads[port]["owed_csum"][how]
                    for port in offloads for how in ("passed", "software")}
    for sample in samples(found, "vmswitch_port_received_frames_total"):
        labels = sample.labels
        assert (labels["switch"], labels["vm"]) == ("lan", {"a": "left", "b": "right"}[
            labels["port"]])


def test_drops(pair):
    """Each reason that occurred, and the sums of both sides in any case."""
    rows = {(row["port"], row["reason"]): row["count"] for row in pair.daemon.json("drops", "show")}
    assert rows["a", "spoof"] == 1
    found = pair.daemon.scrape()
    assert {(sample.labels["port"], sample.labels["reason"]): sample.value
            for sample in samples(found, "vmswitch_port_drops_total")} == rows
    sums = {(sample.labels["port"], sample.labels["side"]): sample.value
            for sample in samples(found, "vmswitch_port_dropped_frames_total")}
    for row in pair.daemon.json("stats", "show"):
        assert sums[row["port"], "in"] == row["dropped_in"]
        assert sums[row["port"], "out"] == row["dropped_out"]


def test_switches_and_ports(pair):
    """Gauges follow what is configured."""
    meter = pair.daemon
    assert meter.value("vmswitch_switch_info", switch="lan", type="private", uplink="") == 1
    assert meter.value("vmswitch_switch_ports", switch="lan") == 2
    assert meter.value("vmswitch_switch_ports_up", switch="lan") == 2
    assert meter.value("vmswitch_switch_addresses", switch="lan") == 2
    assert meter.value("vmswitch_switch_addresses_max", switch="lan") == 8192
    assert meter.value("vmswitch_port_info", port="a", type="guest", vm="left") == 1
    assert meter.value("vmswitch_port_addresses", port="b") == 1
    assert meter.value("vmswitch_port_up", port="b") == 1
    assert meter.value("vmswitch_guest_connects_total", port="b") == 1
    pair.guests["b"].close()
    wait_for(lambda: meter.value("vmswitch_port_up", port="b"), lambda up: up == 0)
    meter.check("port", "del", "b")
    assert meter.value("vmswitch_switch_ports", switch="lan") == 1
    assert not [sample for family in meter.scrape().values() for sample in family.samples
                if sample.labels.get("port") == "b"]


def test_workers_and_clients(meter):
    """Time passes, and somebody is connected."""
    first = meter.value("vmswitch_worker_seconds_total", worker="0")
    wait_for(lambda: meter.value("vmswitch_worker_seconds_total", worker="0"),
             lambda now: now > first)
    busy = meter.value("vmswitch_worker_busy_seconds_total", worker="0")
    assert 0 <= busy <= meter.value("vmswitch_worker_seconds_total", worker="0")
    assert meter.value("vmswitch_control_clients", rights="read") == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.connect(meter.socket)
        wait_for(lambda: meter.value("vmswitch_control_clients", rights="all"), lambda n: n == 1)
    version = subprocess.run([str(BUILD / "control" / "vmswitchd"), "--version"],
                             capture_output=True, text=True, check=True).stdout.split()[1]
    assert meter.value("vmswitch_info", version=version) == 1


def test_labels_are_escaped(meter, rundir):
    """An uplink may be called anything; the parser gives back what was said."""
    uplink = f'dpdk:net_memif0,role=server,socket={rundir}/a"b\\n'
    with wire.Wire(meter.socket) as one:
        one.call(wire.SWITCH_NEW, (wire.NAME, "ext"), (wire.KIND, 3), (76, uplink))
    assert meter.value("vmswitch_switch_info", switch="ext", type="external",
                       uplink=uplink) == 1
    assert meter.value("vmswitch_port_info", type="uplink", switch="ext") == 1


# ---- the socket ----

def test_the_file(meter):
    """For root and the group."""
    assert stat.S_IMODE(os.stat(meter.place).st_mode) == 0o660


@pytest.mark.parametrize("method,path,status", [
    ("GET", "/metrics", 200), ("GET", "/metrics?x=y", 200), ("HEAD", "/metrics", 200),
    ("GET", "/", 404), ("GET", "/metricss", 404), ("GET", "/metrics/", 404),
    ("POST", "/metrics", 501), ("DELETE", "/metrics", 501)])
def test_requests(meter, method, path, status):
    """One resource, two methods."""
    got, headers, body = meter.request(method, path, body="x=y" if method == "POST" else None)
    assert got == status
    assert ("vmswitch_info" in body) == (status == 200 and method == "GET")
    assert int(headers["Content-Length"]) == len(body) or method == "HEAD"


@pytest.mark.parametrize("text,status", [
    (b"GET\r\n\r\n", b"400"), (b"\r\n\r\n", b"400"), (b"GET /metrics\r\n\r\n", b"400"),
    (b"GET /metrics FTP/1.0\r\n\r\n", b"400"), (b"\0\xff\r\n\r\n", b"400"),
    (b"GET /metrics HTTP/1.0\n\n", b"200"), (b"GET /metrics HTTP/1.1\r\n\r\n" * 2, b"200"),
    (b"x" * 5000, b"431"), (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 5000, b"431")])
def test_bare_requests(meter, text, status):
    """What no client would send, and what old ones do."""
    with dial(meter.place) as one:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            one.sendall(text)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while more := one.recv(65536):
                answer += more
        assert answer.split()[1] == status


def test_who_says_nothing_gives_way(meter):
    """A hundred idle connections hold few descriptors, and keep nobody out."""
    before = meter.fds()
    idle = [dial(meter.place) for _ in range(100)]
    assert meter.request()[0] == 200
    assert meter.fds() <= before + PLACES
    assert idle[0].recv(1) == b""
    for one in idle:
        one.close()
    wait_for(meter.fds, lambda n: n <= before)


def fill(daemon, ports):
    """A switch with so many ports that wait for their VMM."""
    daemon.check("switch", "add", "big", "type", "private")
    with wire.Wire(daemon.socket) as one:
        for i in range(ports):
            one.call(wire.PORT_NEW, (wire.NAME, f"p{i}"), (wire.SWITCH, "big"),
                     (wire.KIND, wire.GUEST), (wire.SOCKET, f"/tmp/vsw-nobody/{i}"))


@pytest.mark.once
def test_a_thousand_ports(meter):
    """The whole of it, read by many at once, some of whom stop reading; commands go on."""
    fill(meter, 1000)
    times = []
    for _ in range(3):
        begin = time.monotonic()
        meter.request()
        times.append(time.monotonic() - begin)
        time.sleep(21 * times[0])       # until the daemon writes it anew
    found = meter.scrape()
    print(f"\n1000 ports: a scrape takes {min(times) * 1e3:.1f} to {max(times) * 1e3:.1f} ms")
    assert len(samples(found, "vmswitch_port_up")) == 1000
    slow = [dial(meter.place) for _ in range(PLACES - 2)]
    for one in slow:
        one.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    longest = 0.0
    for _ in range(20):
        status, headers, body = meter.request()
        assert status == 200 and int(headers["Content-Length"]) == len(body)
        begin = time.monotonic()
        meter.check("switch", "show")
        longest = max(longest, time.monotonic() - begin)
    print(f"{len(body)} bytes; beside 20 scrapes the longest command took {longest:.3f} s")
    assert longest < 5
    for one in slow:
        one.close()
    families(body)


def free_port():
    """A TCP port that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("host,form", [("127.0.0.1", "127.0.0.1:{}"), ("::1", "[::1]:{}"),
                                       ("127.1.2.3", "127.1.2.3:{}")])
def test_loopback_addresses(rundir, host, form):
    """The same over TCP; and again at once after a restart."""
    port = free_port()
    daemon = Switch(rundir)
    daemon.options = ("--metrics", form.format(port))
    daemon.control = rundir / "tcp.sock"
    daemon.log = rundir / "tcp.log"
    for _ in range(2):
        daemon.start()
        with contextlib.closing(http.client.HTTPConnection(host, port, timeout=30)) as one:
            one.request("GET", "/metrics")
            answer = one.getresponse()
            assert answer.status == 200
            assert "vmswitch_info" in families(answer.read().decode())
            assert daemon.stop() == 0       # with this connection still there


@pytest.mark.parametrize("place,says", [
    ("0.0.0.0:9100", "is no loopback address"), ("192.0.2.1:9100", "is no loopback address"),
    ("[::]:9100", "is no loopback address"), ("127.0.0.1", "is none of unix:PATH"),
    ("localhost:1", "is none of unix:PATH"), ("unix:", "1 to 107 bytes"),
    ("unix:/" + 107 * "x", "1 to 107 bytes")])
def test_wrong_places(place, says):
    """Nothing but this machine can be told where metrics are."""
    done = subprocess.run([str(BUILD / "control" / "vmswitchd"), "--metrics", place],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith("vmswitchd: --metrics: ") and says in done.stderr


def test_places_that_are_taken(rundir, meter):
    """It says which, and does not start; what was there stays."""
    file = pathlib.Path(rundir) / "a-file"
    file.write_text("precious")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        for place in (f"127.0.0.1:{other.getsockname()[1]}", f"unix:{meter.place}",
                      f"unix:{file}", f"unix:{rundir}/nowhere/x"):
            done = subprocess.run([str(BUILD / "control" / "vmswitchd"), "--socket",
                                   str(rundir / "taken.sock"), "--metrics", place],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 1
            assert f"metrics: cannot listen on {place}: " in done.stderr
    assert file.read_text() == "precious"
    assert meter.request()[0] == 200
    assert not (rundir / "taken.sock").exists()


def test_none_without_being_asked(vmswitchd):
    """By default nothing listens but the control socket."""
    with open(f"/proc/{vmswitchd.pid}/net/unix") as table:
        paths = [line.split()[7] for line in table if len(line.split()) == 8]
    assert [path for path in paths if pathlib.Path(path).parent == vmswitchd.rundir
            and not path.endswith(("control.sock",))] == []
    assert "--metrics" not in vmswitchd.log_text() and "metrics:" not in vmswitchd.log_text()
