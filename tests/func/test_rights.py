# SPDX-License-Identifier: BSD-3-Clause
"""Who may do what on the control socket, who gives way to whom, and what clients that misbehave do
to others: nothing."""

import contextlib
import errno
import os
import random
import resource
import select
import stat
import struct
import subprocess
import time

import pytest

import wire
from lan import Switch
from vmswitchd import BUILD
from watch import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")

GROUP = 4242                    # of the control socket
MEMBER, STRANGER = 4001, 4002   # users; no such user or group exists, nor needs to
RIGHTS, READ, ALL = 120, 1, 2   # attribute, and its values
PLACES = 64
IDLE = 1000
# Ten times what is promised of an authorised command beside a thousand idle connections.
PATIENCE = 1.0
READS = [wire.SWITCH_GET, wire.PORT_GET, 0x30, 0x40, 0x42, 0x60, 0x70,
         0x71]      # dumps for everybody
WRITES = [wire.SWITCH_NEW, wire.SWITCH_DEL, wire.SWITCH_SET, wire.PORT_NEW, wire.PORT_DEL,
          wire.PORT_SET, 0x31, 0x32, 0x33, wire.AUDIT]


@contextlib.contextmanager
def identity(uid, gid, groups=()):
    """Be somebody else for the length of a connect(): the kernel hands on the effective ids."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setresgid(-1, gid, -1)
    os.setresuid(-1, uid, -1)
    try:
        yield
    finally:
        os.setresuid(-1, 0, -1)
        os.setresgid(-1, 0, -1)
        os.setgroups(before)


class Crowd:
    """Connections of somebody, closed together."""

    def __init__(self, daemon):
        self.daemon, self.all = daemon, []

    def connect(self, uid=0, gid=0, groups=()):
        """One more connection of this user."""
        with identity(uid, gid, groups):
            self.all.append(wire.Wire(self.daemon.socket))
        return self.all[-1]

    def root(self):
        """One more of root."""
        return self.connect()

    def member(self):
        """One more of a member of the group."""
        return self.connect(MEMBER, MEMBER, [GROUP])

    def stranger(self):
        """One more of somebody else."""
        return self.connect(STRANGER, STRANGER)

    def close(self):
        """Hang up all."""
        for one in self.all:
            one.close()


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """Room for a thousand connections in this process."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], min(limits[1], 4096)), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def start(folder, others):
    """A daemon whose socket belongs to GROUP, in a folder that everybody can enter."""
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2755)
    daemon = Switch(folder)
    daemon.options = ("--others", others) if others else ()
    daemon.start()
    return daemon


@pytest.fixture(scope="module")
def open_daemon(rundir):
    """One that lets others read."""
    rundir.chmod(0o711)
    daemon = start(rundir / "read", "read")
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture(scope="module")
def closed_daemon(rundir):
    """One that does not, which is the default; its file is opened, so that they get that far."""
    rundir.chmod(0o711)
    daemon = start(rundir / "refuse", None)
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o660
    os.chmod(daemon.socket, 0o666)
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture
def readable(open_daemon):
    """The crowd before the daemon that lets others read, with a switch named lan on it."""
    open_daemon.clear()
    open_daemon.check("switch", "add", "lan", "type", "private")
    crowd = Crowd(open_daemon)
    yield crowd
    crowd.close()
    assert open_daemon.alive()
    open_daemon.audit()


@pytest.fixture
def refusing(closed_daemon):
    """The crowd before the daemon that refuses others."""
    crowd = Crowd(closed_daemon)
    yield crowd
    crowd.close()
    assert closed_daemon.alive()


def refusal(one):
    """The (errno, text) that a connection ends with."""
    with pytest.raises(wire.Refused) as info:
        one.answer()
    assert one.receive() == b"", "it is still connected"
    return info.value.errno, info.value.text


def rights(one):
    """What HELLO says that this connection may do."""
    return struct.unpack("=I", one.call(wire.HELLO)[0][RIGHTS])[0]


def ended(one):
    """Has the daemon hung up?"""
    poll = select.poll()
    poll.register(one.sock, select.POLLRDHUP)
    return bool(poll.poll(0))


# ---- who may do what ----

def test_the_mode_of_the_socket(readable, refusing):
    """Open for everybody only if everybody may read."""
    assert stat.S_IMODE(os.stat(readable.daemon.socket).st_mode) == 0o666
    assert os.stat(readable.daemon.socket).st_gid == GROUP
    assert os.stat(refusing.daemon.socket).st_gid == GROUP


@pytest.mark.parametrize("who", [
    (0, 0), (0, 4711), (MEMBER, GROUP), (MEMBER, MEMBER, [GROUP]),
    (MEMBER, MEMBER, [*range(5000, 5060), GROUP])])
def test_root_and_the_group_may_do_all(readable, refusing, who):
    """Whether it is their first group or a further one."""
    for crowd in (readable, refusing):
        one = crowd.connect(*who)
        assert rights(one) == ALL
        one.call(wire.SWITCH_NEW, (wire.NAME, "mine"), (wire.KIND, wire.PRIVATE))
        one.call(wire.SWITCH_DEL, (wire.NAME, "mine"))
        one.call(wire.AUDIT)


@pytest.mark.parametrize("who", [(STRANGER, STRANGER), (STRANGER, 0), (MEMBER, MEMBER, [1, 2, 3])])
def test_others_may_look(readable, who):
    """Everything that changes something is refused with a reason, and logged with who it was."""
    crowd = readable
    one = crowd.connect(*who)
    assert rights(one) == READ
    for cmd in READS:
        one.call(cmd)
    good = {wire.SWITCH_NEW: [(wire.NAME, "mine"), (wire.KIND, wire.PRIVATE)],
            wire.SWITCH_DEL: [(wire.NAME, "lan")],
            wire.SWITCH_SET: [(wire.NAME, "lan"), (13, 100)],
            wire.PORT_NEW: [(wire.NAME, "p"), (wire.SWITCH, "lan"), (wire.KIND, wire.GUEST),
                            (wire.SOCKET, "/tmp/vsw-nobody/p")],
            wire.PORT_DEL: [(wire.NAME, "p")],
            wire.PORT_SET: [(wire.NAME, "p"), (wire.MTU, 1500)],
            0x31: [(wire.SWITCH, "lan")],
            0x32: [(wire.SWITCH, "lan"), (wire.PORT, "p"), (wire.MAC, b"\2\0\0\0\0\1")],
            0x33: [(wire.SWITCH, "lan"), (wire.MAC, b"\2\0\0\0\0\1")],
            wire.AUDIT: []}
    assert set(good) == set(WRITES)
    before = crowd.daemon.json("switch", "show"), crowd.daemon.json("port", "show")
    for cmd, attrs in good.items():
        with pytest.raises(wire.Refused) as info:
            one.call(cmd, *attrs)
        assert info.value.errno == errno.EPERM
        assert f"user {who[0]} may look" in info.value.text
        assert f"member of group {GROUP}" in info.value.text
    assert before == (crowd.daemon.json("switch", "show"), crowd.daemon.json("port", "show"))
    one.call(wire.SWITCH_GET)       # it goes on


def test_refused_requests_are_logged(rundir):
    """With who it was and what, ten times a minute at most."""
    rundir.chmod(0o711)
    daemon = start(rundir / "log", "read")
    crowd = Crowd(daemon)
    one = crowd.stranger()
    for _ in range(100):
        with pytest.raises(wire.Refused):
            one.call(wire.AUDIT)
    crowd.close()
    assert daemon.stop() == 0
    lines = [line for line in daemon.log_text().splitlines() if "may only read" in line]
    assert len(lines) == 10
    assert all(f"AUDIT_GET refused: user {STRANGER} (process {os.getpid()})" in line
               for line in lines)


def test_a_subscription_is_looking(readable):
    """Readers may follow what happens."""
    one = readable.stranger()
    one.call(wire.SUBSCRIBE)
    readable.daemon.check("switch", "add", "new", "type", "private")
    assert b"switch-added\0" in one.receive()


def test_the_command_says_why(readable):
    """As a reader sees it."""
    program = readable.daemon.rundir / "vmswitch"
    program.write_bytes((BUILD / "control" / "vmswitch").read_bytes())
    program.chmod(0o755)

    def run(*words):
        return subprocess.run([str(program), "-s", readable.daemon.socket, *words], user=STRANGER,
                              group=STRANGER, extra_groups=[], capture_output=True, text=True,
                              timeout=30)

    done = run("switch", "show")
    assert done.returncode == 0 and "lan" in done.stdout
    done = run("switch", "del", "lan")
    assert done.returncode == 1 and f"user {STRANGER} may look" in done.stderr, done.stderr


def test_others_are_refused(refusing):
    """At once, with a reason, and a line in the log for ten of them a minute."""
    for _ in range(100):
        number, text = refusal(refusing.stranger())
        assert number == errno.EPERM
        assert text == (f"user {STRANGER} is neither root, nor the user of vmswitchd, nor in group "
                        f"{GROUP} of its socket")
    assert rights(refusing.member()) == ALL
    log = refusing.daemon.log_text()
    lines = [line for line in log.splitlines() if f"user {STRANGER} is neither" in line]
    assert 1 <= len(lines) <= 20        # two windows of a minute, should one end meanwhile
    assert f"client (process {os.getpid()}) refused" in lines[0]


def test_without_the_right_the_file_is_in_the_way(rundir):
    """Mode 0660: others do not even connect."""
    rundir.chmod(0o711)
    daemon = start(rundir / "mode", "refuse")
    crowd = Crowd(daemon)
    with pytest.raises(PermissionError):
        crowd.stranger()
    assert rights(crowd.member()) == ALL
    crowd.close()
    assert daemon.stop() == 0


# ---- who gives way ----

def test_readers_give_way(readable):
    """The longest idle one first; it is told, and the others stay."""
    readers = [readable.stranger() for _ in range(PLACES)]
    assert all(rights(one) == READ for one in readers)
    readers[0].call(wire.SWITCH_GET)
    for newcomer in (readable.root, readable.member):
        assert rights(newcomer()) == ALL
    for one in readers[1:3]:
        number, text = refusal(one)
        assert number == errno.EUSERS and "64 clients" in text and "without a request" in text
    assert not any(ended(one) for one in readers[3:])
    assert all(rights(one) == READ for one in readers[:1] + readers[3:])


def test_readers_give_way_even_when_they_are_busy(readable):
    """Subscribers, but idle ones first."""
    readers = [readable.stranger() for _ in range(PLACES)]
    for one in readers[:-1]:
        one.call(wire.SUBSCRIBE)
    assert rights(readable.root()) == ALL
    assert refusal(readers[-1])[0] == errno.EUSERS
    assert rights(readable.member()) == ALL
    assert refusal(readers[0])[0] == errno.EUSERS
    assert rights(readers[1]) == READ


def test_a_reader_takes_no_place_of_root_or_the_group(readable):
    """Not even of one that is idle."""
    ours = [readable.root() if i % 2 else readable.member() for i in range(PLACES)]
    assert all(rights(one) == ALL for one in ours)
    number, text = refusal(readable.stranger())
    assert number == errno.EUSERS and f"user {STRANGER}" in text
    assert all(rights(one) == ALL for one in ours)


def test_a_reader_takes_the_place_of_an_idle_reader(readable):
    """Forgotten connections keep no reader out."""
    readers = [readable.stranger() for _ in range(PLACES + 1)]
    assert rights(readers[-1]) == READ
    assert refusal(readers[0])[0] == errno.EUSERS


@pytest.mark.parametrize("idle", ["root", "member"])
@pytest.mark.parametrize("comes", ["root", "member"])
def test_idle_connections_keep_nobody_out(readable, idle, comes):
    """Whoever of the authorised they belong to."""
    ours = [getattr(readable, idle)() for _ in range(PLACES)]
    assert rights(getattr(readable, comes)()) == ALL
    assert refusal(ours[0])[0] == errno.EUSERS


def test_root_goes_before_the_group(readable):
    """Busy members give way to root, but not to one another."""
    ours = [readable.member() for _ in range(PLACES)]
    for one in ours:
        one.call(wire.SUBSCRIBE)
    assert refusal(readable.member())[0] == errno.EUSERS
    assert rights(readable.root()) == ALL
    assert refusal(ours[0])[0] == errno.EUSERS
    assert rights(ours[1]) == ALL


def test_the_last_word(readable):
    """When all places belong to root and are in use there is no room, and that is said."""
    for _ in range(PLACES):
        readable.root().call(wire.SUBSCRIBE)
    number, text = refusal(readable.root())
    assert number == errno.EUSERS and "64 clients are connected and busy" in text
    done = readable.daemon.run("switch", "show")
    assert done.returncode == 1 and "64 clients are connected and busy" in done.stderr
    readable.all[0].close()
    wait_for(lambda: readable.daemon.run("switch", "show").returncode, lambda code: code == 0)


# ---- a thousand idle connections ----

def commands(daemon, count=200):
    """Seconds that each of so many authorised commands took, from connect() to the answer."""
    seconds = []
    for i in range(count):
        begin = time.monotonic()
        with wire.Wire(daemon.socket) as one:
            one.call(wire.HELLO)
            if i % 2:
                one.call(wire.SWITCH_GET)
            else:
                one.call(wire.SWITCH_NEW, (wire.NAME, "quick"), (wire.KIND, wire.PRIVATE))
                one.call(wire.SWITCH_DEL, (wire.NAME, "quick"))
        seconds.append(time.monotonic() - begin)
    return sorted(seconds)


@pytest.mark.parametrize("daemon,who", [
    ("readable", "stranger"), ("readable", "member"), ("readable", "root"),
    ("refusing", "stranger")])
def test_a_thousand_idle_connections(request, daemon, who):
    """They are there before, and more come meanwhile; a command of root takes no longer."""
    crowd = request.getfixturevalue(daemon)
    begin = time.monotonic()
    for _ in range(IDLE):
        getattr(crowd, who)()
    connected = time.monotonic() - begin
    before = commands(crowd.daemon)
    meanwhile = []
    for _ in range(IDLE // 5):
        getattr(crowd, who)()
        meanwhile += commands(crowd.daemon, 1)
    every = sorted(before + meanwhile)
    print(f"\n{IDLE} idle connections of {who} ({daemon}), made in {connected:.2f} s; "
          f"{len(every)} commands of root: median {every[len(every) // 2] * 1e3:.2f} ms, "
          f"99% {every[len(every) * 99 // 100] * 1e3:.2f} ms, longest {every[-1] * 1e3:.2f} ms")
    assert every[-1] < PATIENCE
    assert crowd.daemon.run("switch", "show").returncode == 0
    # No more than 64 of them are held on to.
    wait_for(crowd.daemon.fds, lambda n: n < 200)


def test_connections_without_end(readable):
    """Processes of somebody else that connect in a loop keep no command of root waiting."""
    code = ("import os, socket, sys\n"
            f"os.setgroups([]); os.setgid({STRANGER}); os.setuid({STRANGER})\n"
            "print('ready', flush=True)\n"
            "held = []\n"
            "while True:\n"
            "    one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
            "    one.connect(sys.argv[1])\n"
            "    held = held[-500:] + [one]\n")
    loops = [subprocess.Popen(["/usr/bin/python3", "-c", code, readable.daemon.socket],
                              stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for one in loops:
            assert one.stdout.readline() == b"ready\n"
        seconds = commands(readable.daemon, 100)
    finally:
        for one in loops:
            one.kill()
            one.wait()
            one.stdout.close()
    print(f"\nbeside 2 processes that connect in a loop: median {seconds[50] * 1e3:.2f} ms, "
          f"longest {seconds[-1] * 1e3:.2f} ms")
    assert seconds[-1] < PATIENCE


# ---- messages that are none ----

def broken(rng):
    """A datagram that harms nobody, one of many kinds."""
    good = wire.message(wire.SWITCH_NEW, (wire.NAME, "evil"), (wire.KIND, wire.PRIVATE))
    kind = rng.randrange(7)
    if kind == 0:       # truncated
        return good[:rng.randrange(1, len(good))]
    if kind == 1:       # two in one
        return good + good
    if kind == 2:       # longer than a request may be
        return good + bytes(65536 - len(good) + rng.randrange(1, 100000))
    if kind == 3:       # as long as it may be, but its length is a lie
        return good + bytes(65536 - len(good))
    if kind == 4:       # an attribute that runs over the end
        return wire.message(wire.SWITCH_NEW, good[20:24] + b"\xff\xff\1\0")
    if kind == 5:       # its own length, but nothing inside
        return struct.pack("=IHHII", 16, 16, 5, 1, 0)
    return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 300)))


@pytest.mark.parametrize("who", ["root", "member", "stranger"])
def test_broken_messages_harm_nobody(readable, who):
    """A client beside them works on as if nothing was; of what they sent nothing is there."""
    rng = random.Random(5)
    friend = readable.root()
    for i in range(200):
        one = getattr(readable, who)()
        try:
            for _ in range(rng.randrange(1, 4)):
                one.send(broken(rng))
        except (BrokenPipeError, ConnectionResetError):
            pass        # hung up on already
        friend.call(wire.SWITCH_NEW, (wire.NAME, f"s{i}"), (wire.KIND, wire.PRIVATE))
        names = [row[wire.NAME].rstrip(b"\0").decode() for row in friend.call(wire.SWITCH_GET)]
        assert names == ["lan", f"s{i}"]
        friend.call(wire.SWITCH_DEL, (wire.NAME, f"s{i}"))
        one.close()
        readable.all.remove(one)


def test_interleaved_requests(readable):
    """Clients that send at the same time, and send on before they have read: each gets its own
    answers, in its own order."""
    ours = [readable.member() for _ in range(16)]
    rounds = 20
    for n in range(rounds):
        for i, one in enumerate(ours):
            one.send(wire.message(wire.SWITCH_NEW, (wire.NAME, f"s{i}"),
                                  (wire.KIND, wire.PRIVATE), seq=3 * n + 1))
            one.send(wire.message(wire.SWITCH_GET, (wire.NAME, f"s{i}"), seq=3 * n + 2))
            one.send(wire.message(wire.SWITCH_DEL, (wire.NAME, f"s{i}"), seq=3 * n + 3))
    for i, one in enumerate(ours):
        seen = []
        while len(seen) < 3 * rounds:
            for kind, _, seq, payload in wire.messages(one.receive()):
                if kind == wire.ERROR:
                    assert payload[:4] == bytes(4), payload
                    seen.append(seq)
                elif kind == wire.DONE:
                    seen.append(seq)
                else:
                    name = wire.attributes(payload[4:])[wire.NAME]
                    assert name == f"s{i}\0".encode()
        assert seen == list(range(1, 3 * rounds + 1))


def test_half_a_message_waits_for_nothing(readable):
    """A datagram is a request or none: the second half of one does not complete the first."""
    whole = wire.message(wire.SWITCH_NEW, (wire.NAME, "evil"), (wire.KIND, wire.PRIVATE))
    for cut in (1, 15, 16, 19, 20, 24, len(whole) - 4):
        one = readable.root()
        one.send(whole[:cut])
        with contextlib.suppress(BrokenPipeError):
            one.send(whole[cut:])
        assert refusal(one)[0] in (errno.EBADMSG, errno.EINVAL)
    assert [row["name"] for row in readable.daemon.json("switch", "show")] == ["lan"]


# ---- the command line of the daemon ----

def test_a_wrong_word():
    """Only two words are known."""
    done = subprocess.run([str(BUILD / "control" / "vmswitchd"), "--others", "write"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "--others: 'write' is none of refuse, read" in done.stderr
