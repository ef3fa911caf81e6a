# SPDX-License-Identifier: BSD-3-Clause
"""The control protocol and the command vmswitch against the running daemon: good input, bad input,
and clients that misbehave."""

import errno
import grp
import os
import re
import select
import shlex
import socket
import stat
import subprocess
import time
import xml.etree.ElementTree

import pytest

import wire
from vmswitchd import BUILD, Daemon
from watch import wait_for

MAC = "00:15:5d:01:32:11"


@pytest.fixture
def client(vmswitchd):
    """A connection that speaks the bare protocol."""
    with wire.Wire(vmswitchd.socket) as one:
        yield one


@pytest.fixture
def lan_port(vmswitchd, rundir):
    """Switch lan with port p, which nobody is connected to."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("port", "add", "p", "switch", "lan", "type", "guest", "socket",
                    rundir / "p.sock")
    return vmswitchd


def refused(daemon, status, text, *words):
    """The command must fail with this exit status and say so; what was there stays."""
    before = daemon.json("switch", "show"), daemon.json("port", "show")
    done = daemon.run(*words)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    assert text in done.stderr, (words, done.stderr)
    assert done.stdout == ""
    assert before == (daemon.json("switch", "show"), daemon.json("port", "show"))


# ---- the grammar ----

def test_switch(vmswitchd):
    """add, show, set, del."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    assert vmswitchd.json("switch", "show") == [{
        "name": "lan", "type": "private", "uplink": None, "unknown": "flood", "ports": 0,
        "ports_up": 0, "fdb_used": 0, "fdb_size": 8192, "fdb_ageing": 300, "mtu": 0,
        "fdb_full": 0}]
    vmswitchd.check("switch", "set", "lan", "fdb-ageing", 0, "fdb-size", 100)
    row = vmswitchd.json("switch", "show", "lan")[0]
    assert (row["fdb_ageing"], row["fdb_size"]) == (0, 100)
    assert "never" in vmswitchd.check("switch", "show")
    vmswitchd.check("switch", "del", "lan")
    assert vmswitchd.json("switch", "show") == []
    assert vmswitchd.check("switch", "show") == ""


def test_port(vmswitchd, rundir):
    """add with everything, show, set, del."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("port", "add", "p", "switch", "lan", "type", "guest", "socket",
                    rundir / "p.sock", "mode", "server", "mac", "0015.5D01.3211", "vm", "v")
    row = vmswitchd.json("port", "show", "p")[0]
    assert row["mac"] == MAC
    assert (row["switch"], row["vm"], row["mode"], row["link"], row["mtu"], row["up"]) == (
        "lan", "v", "server", "up", 9216, False)
    assert (row["storm"], row["max_macs"], row["socket"]) == (10000, 1024, f"{rundir}/p.sock")
    assert row["problem"]
    vmswitchd.check("port", "set", "p", "mac", "any", "mtu", 1500, "link", "down", "storm", 0,
                    "max-macs", 7, "vm", "w")
    row = vmswitchd.json("port", "show", "p")[0]
    assert (row["mac"], row["mtu"], row["link"], row["storm"], row["max_macs"], row["vm"]) == (
        None, 1500, "down", 0, 7, "w")
    vmswitchd.check("port", "del", "p")
    assert vmswitchd.json("port", "show") == []
    assert not os.path.exists(f"{rundir}/p.sock")


def test_default_vm_is_the_port(lan_port):
    """A port without vm belongs to a VM of its own name."""
    assert lan_port.json("port", "show", "p")[0]["vm"] == "p"


@pytest.mark.parametrize("notation", [
    "00:15:5d:01:32:11", "00-15-5D-01-32-11", "00155D013211", "0015.5d01.3211"])
def test_mac_notations(lan_port, notation):
    """All the usual ones."""
    lan_port.check("port", "set", "p", "mac", notation)
    assert lan_port.json("port", "show", "p")[0]["mac"] == MAC


@pytest.mark.parametrize("words", [
    "switch show", "switch show lan", "port show", "port show p", "fdb show", "fdb show switch lan",
    "stats show", "stats show port p", "stats show by vm", "stats audit", "drops show",
    "drops show port p", "port show p --qemu", "port show p --libvirt"])
def test_every_show_in_text_and_json(lan_port, words):
    """Text says something (or nothing, for empty tables), JSON is an array of objects."""
    rows = lan_port.json(*words.split())
    assert isinstance(rows, list) and all(isinstance(row, dict) for row in rows)
    text = lan_port.check(*words.split())
    assert bool(text) == bool(rows)
    assert lan_port.check(*words.split(), "-j") == lan_port.check("-j", *words.split())
    assert "\n " in lan_port.check("-j", "-p", *words.split()) or not rows


@pytest.mark.parametrize("words,status,text", [
    ("", 2, "vmswitch help"),
    ("help swich", 2, "unknown word 'swich' after 'vmswitch' (did you mean 'switch'?)"),
    ("help port sho", 2, "unknown word 'sho' after 'port' (did you mean 'show'?)"),
    ("swich show", 2, "unknown word 'swich' after 'vmswitch' (did you mean 'switch'?)"),
    ("switch", 2, "accepted here: add, show, set, del, help"),
    ("switch add x", 2, "type private|internal|external is missing"),
    ("switch add x type external", 1, "an external switch has an uplink"),
    ("switch add lan type private", 1, "'lan'"),
    ("switch add -x type private", 1, "'-x' is no name"),
    ("switch add a/b type private", 1, "'a/b' is no name"),
    ("switch add " + 32 * "a" + " type private", 1, "is no name"),
    ("switch show nowhere", 1, "'nowhere'"),
    ("switch del nowhere", 1, "'nowhere'"),
    ("switch del lan", 1, "force"),
    ("switch del lan froce", 2, "did you mean 'force'?"),
    ("switch set lan", 2, "nothing to change"),
    ("switch set lan fdb-size 0", 1, "fdb-size 0 is out of range"),
    ("switch set lan fdb-ageing 9", 1, "fdb-ageing 9 is out of range: 0, or 10 to 1000000"),
    ("port add q switch nowhere type guest socket /tmp/q", 1, "'nowhere'"),
    ("port add p switch lan type guest socket /tmp/q", 1, "'p'"),
    ("port add q switch lan type uplink socket /tmp/q", 2, "accepted here: guest, host\n"),
    ("port add q switch lan type guest", 1, "a guest port needs one of: socket PATH | tap IFNAME"),
    ("port add q switch lan type guest socket /" + 108 * "s", 1, "1 to 107 bytes"),
    ("port add q switch lan type guest socket /tmp/q mac 01:00:5e:00:00:01", 1, "group address"),
    ("port add q switch lan type guest socket /tmp/q mac 00:15", 2, "is not a MAC address"),
    ("port add q switch lan type guest socket /tmp/q vm a,b", 1, "vm 'a,b' is no name"),
    ("port add q switch lan type guest socket /tmp/q mode both", 2, "client, server"),
    ("port set p mtu 67", 1, "mtu 67 is out of range: auto, or 68 to 65535 is allowed ('p')"),
    ("switch set lan mtu 67", 1, "mtu 67 is out of range: none, or 68 to 65535 is allowed"),
    ("port set p mtu 65536", 1, "mtu 65536 is out of range"),
    ("port set p mtu many", 2, "'many' after 'mtu' is not a number"),
    ("port set p mtu 1500 mtu 1500", 2, "'mtu' is there twice"),
    ("port set nowhere mtu 1500", 1, "'nowhere'"),
    ("port del nowhere", 1, "'nowhere'"),
    ("port show nowhere", 1, "'nowhere'"),
    ("port show p --qemu --libvirt", 2, "exclude each other"),
    ("fdb flush", 2, "switch SW is missing"),
    ("fdb flush switch nowhere", 1, "'nowhere'"),
    ("fdb show switch nowhere", 1, "'nowhere'"),
    ("stats show port nowhere", 1, "'nowhere'"),
    ("stats show by port", 2, "accepted here: vm"),
    ("drops show port nowhere", 1, "'nowhere'"),
    ("monitor everything", 2, "unknown word 'everything'"),
])
def test_bad_commands(lan_port, words, status, text):
    """Each names what is wrong, and changes nothing."""
    refused(lan_port, status, text, *words.split())


def test_bad_option(vmswitchd):
    """An unknown option is a matter of usage."""
    done = vmswitchd.run("-x", "switch", "show")
    assert done.returncode == 2 and "vmswitch help" in done.stderr


def test_help(vmswitchd):
    """For all of it, for every object and every verb."""
    text = vmswitchd.check("help")
    assert text == vmswitchd.check("--help")
    lines = [line.split() for line in text.splitlines() if line.startswith("vmswitch ")]
    verbs = {tuple(line[1:3]) for line in lines if len(line) > 2 and line[2] in (
        "add", "show", "set", "del", "flush", "audit", "watch")}
    assert len(verbs) == 24
    for name, verb in verbs:
        assert f"vmswitch {name} {verb}" in vmswitchd.check(name, verb, "help")
        assert f"vmswitch {name} {verb}" in vmswitchd.check(name, "help")
        assert vmswitchd.check("help", name, verb) == vmswitchd.check(name, verb, "help")
        assert vmswitchd.check("help", name) == vmswitchd.check(name, "help")
    assert "vmswitch monitor" in vmswitchd.check("monitor", "help")
    assert vmswitchd.check("help", "monitor") == vmswitchd.check("monitor", "help")
    assert vmswitchd.check("--version").startswith("vmswitch ")


def test_force_removes_ports(lan_port):
    """A switch with ports goes only by force, and they go with it."""
    refused(lan_port, 1, "force", "switch", "del", "lan")
    lan_port.check("switch", "del", "lan", "force")
    assert lan_port.json("switch", "show") == [] and lan_port.json("port", "show") == []
    assert lan_port.json("stats", "show") == []


def test_socket_taken_twice(lan_port, rundir):
    """Two ports cannot share a socket."""
    refused(lan_port, 1, "p.sock", "port", "add", "q", "switch", "lan", "type", "guest", "socket",
            rundir / "p.sock")


def test_relative_socket(lan_port, rundir):
    """A relative path means the current directory of the command, not the daemon's."""
    words = ["-s", lan_port.socket, "port", "add", "q", "switch", "lan", "type", "guest", "socket"]
    subprocess.run([str(BUILD / "control" / "vmswitch"), *words, "q.sock"], cwd=rundir, check=True,
                   timeout=30)
    assert lan_port.json("port", "show", "q")[0]["socket"] == f"{rundir}/q.sock"


def test_stats_by_vm_sums_ports(lan_port, rundir):
    """Ports of one VM make one row."""
    lan_port.check("port", "add", "q", "switch", "lan", "type", "guest", "socket",
                   rundir / "q.sock", "vm", "p")
    assert [(row["vm"], row["ports"]) for row in lan_port.json("stats", "show", "by", "vm")] == [
        ("p", 2)]


# ---- the other end of a port ----

def qemu_words(text):
    """{option: [values]} of the printed arguments."""
    words = shlex.split(text)
    options = {}
    for option, value in zip(words[::2], words[1::2]):
        options.setdefault(option, []).append(value)
    return options


def test_qemu_client_mode(lan_port, rundir):
    """QEMU listens, and its memory is shared; remarks are on standard error."""
    done = lan_port.run("port", "show", "p", "--qemu")
    options = qemu_words(done.stdout)
    assert options["-chardev"] == [f"socket,id=chr-p,path={rundir}/p.sock,server=on,wait=off"]
    assert options["-netdev"] == ["vhost-user,id=net-p,chardev=chr-p"]
    assert options["-device"] == ["virtio-net-pci,netdev=net-p"]
    size = options["-m"][0]
    assert options["-object"] == [f"memory-backend-memfd,id=mem0,size={size},share=on"]
    assert options["-machine"] == ["memory-backend=mem0"]
    assert "vectors=0" in done.stderr and "no MAC" in done.stderr
    assert lan_port.json("port", "show", "p", "--qemu")[0]["qemu"] == shlex.split(done.stdout)


def test_qemu_server_mode_and_quoting(lan_port, rundir):
    """QEMU connects again; a path of any characters arrives whole."""
    path = f"{rundir}/q, 'x'.sock"
    lan_port.check("port", "add", "q", "switch", "lan", "type", "guest", "socket", path, "mode",
                   "server", "mac", MAC)
    options = qemu_words(lan_port.check("port", "show", "q", "--qemu"))
    assert options["-chardev"] == [
        f"socket,id=chr-q,path={path.replace(',', ',,')},reconnect=1"]
    assert options["-device"] == [f"virtio-net-pci,netdev=net-q,mac={MAC}"]


@pytest.mark.parametrize("ours,theirs", [("client", "server"), ("server", "client")])
def test_libvirt(lan_port, rundir, ours, theirs):
    """The interface and the memory backing, as XML; libvirt names the mode from its own side."""
    path = f"{rundir}/q&'<x>.sock"
    lan_port.check("port", "add", "q", "switch", "lan", "type", "guest", "socket", path, "mode",
                   ours, "mac", MAC)
    text = lan_port.check("port", "show", "q", "--libvirt")
    top = xml.etree.ElementTree.fromstring(f"<domain>{text}</domain>")
    source = top.find("interface[@type='vhostuser']/source")
    assert source.attrib == {"type": "unix", "path": path, "mode": theirs}
    assert (source.find("reconnect") is not None) == (theirs == "client")
    assert top.find("interface/mac").get("address") == MAC
    assert top.find("interface/model").get("type") == "virtio"
    assert top.find("memoryBacking/source").get("type") == "memfd"
    assert top.find("memoryBacking/access").get("mode") == "shared"


# ---- without a daemon, without the right ----

def test_no_daemon(vmswitchd, rundir):
    """The error names the command that starts it."""
    path = f"{rundir}/nobody.sock"
    done = vmswitchd.run("-s", path, "switch", "show")
    assert done.returncode == 1
    assert done.stderr == (f"vmswitch: vmswitchd is not running: no answer on {path}; "
                           f"start it with: vmswitchd --socket {path}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.bind(path)
    done = vmswitchd.run("-s", path, "switch", "show")
    assert done.returncode == 1 and "start it with: vmswitchd --socket" in done.stderr
    os.unlink(path)
    with open(path, "w"):
        done = vmswitchd.run("-s", path, "switch", "show")
    assert done.returncode == 1
    assert done.stderr == f"vmswitch: {path} is not the socket of vmswitchd\n"
    os.unlink(path)


def as_nobody(daemon, *words):
    """Run vmswitch as a user without rights, from a copy it can reach; skips without root."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    program = daemon.rundir / "vmswitch"
    program.write_bytes((BUILD / "control" / "vmswitch").read_bytes())
    program.chmod(0o755)
    daemon.rundir.chmod(0o755)
    return subprocess.run([str(program), "-s", daemon.socket, *words], user=65534, group=65534,
                          extra_groups=[], capture_output=True, text=True, timeout=30)


def test_no_permission(vmswitchd):
    """Who cannot open the socket is told which group may."""
    done = as_nobody(vmswitchd, "switch", "show")
    assert done.returncode == 1
    group = grp.getgrgid(os.stat(vmswitchd.socket).st_gid).gr_name
    assert f"member of group '{group}'" in done.stderr, done.stderr


def test_credentials_are_checked(vmswitchd):
    """Getting past the file's mode is not enough."""
    mode = stat.S_IMODE(os.stat(vmswitchd.socket).st_mode)
    assert mode == 0o660
    os.chmod(vmswitchd.socket, 0o666)
    try:
        done = as_nobody(vmswitchd, "switch", "show")
    finally:
        os.chmod(vmswitchd.socket, mode)
    assert done.returncode == 1 and "user 65534 is neither root" in done.stderr


def start_fails(path):
    """vmswitchd must end with status 1; returns what it said."""
    done = subprocess.run([str(BUILD / "control" / "vmswitchd"), "--socket", str(path)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    return done.stderr


def test_socket_file(rundir):
    """One daemon per socket; what a killed one left is replaced; anything else is left alone."""
    folder = rundir / "own"
    folder.mkdir()
    one = Daemon(folder)
    one.start()
    assert f"another vmswitchd answers on {one.control}" in start_fails(one.control)
    assert one.check("switch", "show") == ""
    one.kill()
    assert one.control.exists()
    one.start()
    assert one.stop() == 0
    assert not one.control.exists()
    one.control.write_text("precious")
    assert "is no socket: it is left alone" in start_fails(one.control)
    assert one.control.read_text() == "precious"
    assert "longer than 107 bytes" in start_fails("/" + 108 * "s")


# ---- the bare protocol ----

def test_hello_in_any_version(client):
    """Versions are told to whoever asks; other commands in another version are refused."""
    row = client.call(wire.HELLO, version=200)[0]
    assert row[wire.DAEMON].rstrip(b"\0")
    with pytest.raises(wire.Refused, match="versions 1 to 1") as refusal:
        client.call(wire.SWITCH_GET, version=2)
    assert refusal.value.errno == errno.EPROTONOSUPPORT


@pytest.mark.parametrize("attrs,text,offset", [
    ([(wire.NAME, "a"), (wire.KIND, 1), (999, 1)], "attribute number 999 is not known", 36),
    ([(wire.NAME, "a"), (wire.KIND, 1), (10, 1500)], "does not take attribute 'storm'", 36),
    ([(wire.NAME, "a"), (wire.KIND, 1), (wire.NAME, "b")], "'name' is there twice", 36),
    ([(wire.NAME, b"a"), (wire.KIND, 1)], "'name' does not end with its only NUL", 20),
    ([(wire.NAME, b"a\0b\0"), (wire.KIND, 1)], "'name' does not end with its only NUL", 20),
    ([(wire.NAME, "a"), (wire.KIND, b"\1")], "'type' has 1 bytes, 4 are right", 28),
    ([(wire.NAME, "a"), (wire.KIND, 77)], "type 77", 28),
    ([(wire.NAME | 0x8000, "a"), (wire.KIND, 1)], "is not known", 20),
    ([(wire.NAME, "a"), (wire.KIND, 1), b"\x40\0\1\0"], "runs over the end", 36),
    ([(wire.NAME, "a"), (wire.KIND, 1), b"\1\0"], "runs over the end", 36),
])
def test_refused_attributes(client, attrs, text, offset):
    """Named in the text, pointed at by the offset, and nothing is made."""
    with pytest.raises(wire.Refused) as refusal:
        client.call(wire.SWITCH_NEW, *attrs)
    assert text in refusal.value.text
    assert refusal.value.offset == offset
    assert client.call(wire.SWITCH_GET) == []


def test_missing_attribute(client):
    """Its number is told."""
    with pytest.raises(wire.Refused, match="'type' is missing") as refusal:
        client.call(wire.SWITCH_NEW, (wire.NAME, "a"))
    assert refusal.value.missing == wire.KIND


@pytest.mark.parametrize("data", [
    b"x", b"\0" * 19, b"\0" * 100, b"\xff" * 1000, wire.message(wire.SWITCH_GET) + b"tail",
    wire.message(wire.SWITCH_GET)[:-1], b"A" * 70000])
def test_garbage_ends_the_connection(vmswitchd, data):
    """An error that says why, then the end; nobody else notices."""
    with wire.Wire(vmswitchd.socket) as other, wire.Wire(vmswitchd.socket) as one:
        one.send(data)
        with pytest.raises(wire.Refused):
            one.answer()
        assert one.receive() == b""
        assert other.call(wire.SWITCH_GET) == []


@pytest.mark.parametrize("header", [
    {"kind": 1}, {"kind": 999}, {"flags": wire.ACK}, {"flags": 0xffff}])
def test_bad_header(client, header):
    """Refused, and the connection goes on."""
    with pytest.raises(wire.Refused):
        client.call(wire.SWITCH_GET, **header)
    assert client.call(wire.SWITCH_GET) == []


def test_unknown_commands(client):
    """All of them, one by one."""
    known = {*range(0x01, 0x07), *range(0x10, 0x14), *range(0x20, 0x24), *range(0x30, 0x34), 0x40,
             0x41, 0x42, 0x50, 0x60, 0x70, 0x71, 0x80, 0x82,
             0x90, 0x91, 0x92, 0x94, 0x96}
    for cmd in set(range(256)) - known:
        with pytest.raises(wire.Refused, match=f"0x{cmd:02x} is not known"):
            client.call(cmd)


def test_descriptors_in_a_message_are_not_kept(vmswitchd, client):
    """Whoever passes descriptors along does not fill our table with them."""
    client.call(wire.SWITCH_GET)    # it is connected for sure
    before = vmswitchd.fds()
    with open("/dev/null", "rb") as null:
        for _ in range(50):
            try:
                socket.send_fds(client.sock, [wire.message(wire.SWITCH_GET)], [null.fileno()] * 8)
            except PermissionError:     # from Linux 6.16 on the kernel refuses them for us
                continue
            client.answer()
    assert vmswitchd.fds() == before


def test_connections_leave_nothing(vmswitchd):
    """500 clients that come and go, some in the middle of a request."""
    before = vmswitchd.fds()
    for i in range(500):
        with wire.Wire(vmswitchd.socket) as one:
            if i % 3:
                one.send(wire.message(wire.AUDIT if i % 7 == 0 else wire.SWITCH_GET))
            if i % 3 == 2:
                one.answer()
    wait_for(vmswitchd.fds, lambda n: n <= before)


def test_too_many_clients(vmswitchd):
    """The 65th gets in; the one that was idle for longest is told and gives its place."""
    ours = [wire.Wire(vmswitchd.socket) for _ in range(64)]
    assert all(one.call(wire.SWITCH_GET) == [] for one in ours)
    ours[0].call(wire.SWITCH_GET)
    assert vmswitchd.run("switch", "show").returncode == 0
    with pytest.raises(wire.Refused, match="64 clients") as refusal:
        ours[1].answer()
    assert refusal.value.errno == errno.EUSERS
    assert ours[1].receive() == b""
    assert ours[0].call(wire.SWITCH_GET) == [] and ours[2].call(wire.SWITCH_GET) == []
    for one in ours:
        one.close()


def test_flood_starves_nobody(vmswitchd, client):
    """Beside clients that ask without end and take their answers, one command stays quick."""
    floods = [wire.Wire(vmswitchd.socket) for _ in range(8)]
    for one in floods:
        one.sock.setblocking(False)
    worst = 0.0
    for _ in range(100):
        for one in floods:
            try:
                while True:
                    one.send(wire.message(wire.SWITCH_GET))
            except BlockingIOError:
                pass
            try:
                while one.receive():
                    pass
            except BlockingIOError:
                pass
        begin = time.monotonic()
        client.call(wire.SWITCH_GET)
        worst = max(worst, time.monotonic() - begin)
    for one in floods:
        one.close()
    assert worst < 1.0


def fill(client, ports):
    """Switch big with so many ports that wait for QEMU."""
    client.call(wire.SWITCH_NEW, (wire.NAME, "big"), (wire.KIND, wire.PRIVATE))
    for i in range(ports):
        client.call(wire.PORT_NEW, (wire.NAME, f"p{i}"), (wire.SWITCH, "big"),
                    (wire.KIND, wire.GUEST), (wire.SOCKET, f"/tmp/vsw-nobody/{i}"))


@pytest.mark.once
def test_thousand_ports_and_slow_readers(vmswitchd, client):
    """A dump of 1,024 ports; some ask for it again and again and read nothing: they are
    disconnected after ten seconds, and until then commands work as ever."""
    fill(client, 1024)
    with pytest.raises(wire.Refused):
        client.call(wire.PORT_NEW, (wire.NAME, "more"), (wire.SWITCH, "big"),
                    (wire.KIND, wire.GUEST), (wire.SOCKET, "/tmp/vsw-nobody/more"))
    assert len(vmswitchd.json("port", "show")) == 1024
    begin = time.monotonic()
    slow = [wire.Wire(vmswitchd.socket) for _ in range(8)]
    for one in slow:
        one.send(wire.message(wire.PORT_GET))
        one.send(wire.message(wire.PORT_GET, seq=2))
    rows = client.call(wire.PORT_GET)
    assert [row[wire.NAME].rstrip(b"\0").decode() for row in rows] == [
        f"p{i}" for i in range(1024)]
    polls = [select.poll() for _ in slow]
    for poll, one in zip(polls, slow):
        poll.register(one.sock, select.POLLRDHUP)
    gone = [poll for poll in polls if poll.poll(0)]
    # The ten seconds begin after this clock was read.
    assert not gone or time.monotonic() - begin > 8, "disconnected before its time was over"
    for poll, one in zip(polls, slow):
        assert poll.poll(100000), "a client that reads nothing is still connected"
        one.close()
    assert time.monotonic() - begin > 8
    client.call(wire.SWITCH_DEL, (wire.NAME, "big"), (wire.FORCE, b""))
    assert vmswitchd.json("port", "show") == []


# ---- monitor ----

def test_monitor(vmswitchd, monitor, rundir):
    """Each change is a notice with its time and its names."""
    monitor.clear()
    begin = time.time()
    vmswitchd.check("switch", "add", "lan", "type", "private")
    vmswitchd.check("port", "add", "p", "switch", "lan", "type", "guest", "socket",
                    rundir / "p.sock")
    vmswitchd.check("port", "set", "p", "mtu", 1500)
    vmswitchd.check("port", "del", "p")
    vmswitchd.check("switch", "del", "lan")
    events = monitor.sync()
    seen = [(one["event"], one.get("switch"), one.get("port")) for one in events]
    wanted = [("switch-added", "lan", None), ("port-added", "lan", "p"),
              ("port-changed", "lan", "p"), ("port-removed", "lan", "p"),
              ("switch-removed", "lan", None)]
    assert [one for one in seen if one in wanted] == wanted
    for one in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one["time"])
    assert time.time() - begin < 30


def test_monitor_text(vmswitchd):
    """One line per event, without delay; it ends when the daemon's answer has no reader."""
    with subprocess.Popen([str(BUILD / "control" / "vmswitch"), "-s", vmswitchd.socket, "monitor"],
                          stdout=subprocess.PIPE, text=True) as process:
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        end = time.monotonic() + 10
        while not poll.poll(50):    # until it has subscribed
            assert time.monotonic() < end
            vmswitchd.check("switch", "add", "lan", "type", "private")
            vmswitchd.check("switch", "del", "lan")
        line = process.stdout.readline()
        assert re.fullmatch(r"\S+Z switch-(added|removed) switch lan( - .*)?\n", line), line
        process.terminate()


def test_slow_subscriber_loses_notices_and_is_told(vmswitchd, client):
    """The daemon does not wait for it; the number of what it missed is right."""
    client.call(wire.SWITCH_NEW, (wire.NAME, "lan"), (wire.KIND, wire.PRIVATE))
    with wire.Wire(vmswitchd.socket) as slow:
        slow.call(wire.SUBSCRIBE)
        changes = 5000
        for i in range(changes):
            client.call(wire.SWITCH_SET, (wire.NAME, "lan"), (13, 100 + i % 2))
        seen, lost = 0, 0
        while not lost:
            for _, _, seq, payload in wire.messages(slow.receive()):
                row = wire.attributes(payload[4:])
                assert seq == 0
                if row[66] == b"overflow\0":
                    lost = int.from_bytes(row[67], "little")
                else:
                    seen += 1
        assert seen > 100 and seen + lost == changes
        client.call(wire.SWITCH_DEL, (wire.NAME, "lan"))
        assert b"switch-removed\0" in slow.receive()


def test_subscriber_that_is_gone(vmswitchd, client):
    """Notices to somebody who hung up harm nobody."""
    client.call(wire.SWITCH_GET)    # it is connected for sure
    before = vmswitchd.fds()
    for _ in range(20):
        with wire.Wire(vmswitchd.socket) as one:
            one.call(wire.SUBSCRIBE)
        client.call(wire.SWITCH_NEW, (wire.NAME, "lan"), (wire.KIND, wire.PRIVATE))
        client.call(wire.SWITCH_DEL, (wire.NAME, "lan"))
    wait_for(vmswitchd.fds, lambda n: n <= before)
