# SPDX-License-Identifier: BSD-3-Clause
"""The guest of our tests against a foreign back end: DPDK's testpmd, forwarding between two
vhost ports. What is sent at guest A has to come out of guest B unchanged, and back."""

import errno
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from vsguest import DESC_WRITE, HDR, SPREAD, Guest, region
from vsguest_msg import (F_EVENT_IDX, F_INDIRECT, F_MRG_RXBUF, F_PROTOCOL, F_VERSION_1,
                         MSG_NEED_REPLY, Backdoor, Req, mem_table, u64, vring_state)

pytestmark = pytest.mark.once

TESTPMD = shutil.which('dpdk-testpmd')
needs_testpmd = pytest.mark.skipif(TESTPMD is None,
                                   reason='dpdk-testpmd (Debian package dpdk) is not installed')
SIZES = [60, 61, 64, 127, 128, 1000, 1513, 1514, 1515, 1518, 1522, 1524, 2048, 4096, 8999, 9000]
MIB = 1 << 20


class Testpmd:
    """testpmd with two vhost ports, forwarding frames as they are."""

    __test__ = False

    def __init__(self, tmp_path, paths, queues=1, client=True):
        self.log = open(tmp_path / 'testpmd.log', 'ab')
        vdevs = []
        for i, path in enumerate(paths):
            vdevs += ['--vdev', f'net_vhost{i},iface={path},queues={queues}'
                      + (',client=1' if client else '')]
        self.process = subprocess.Popen(
            [TESTPMD, '-l', '0,1', '--no-pci', '--no-huge', '-m', '192', '--no-shconf',
             '--iova-mode=va', *vdevs, '--', '-i', '--auto-start', '--forward-mode=io',
             '--nb-cores=1', '--total-num-mbufs=16384', f'--rxq={queues}', f'--txq={queues}'],
            stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
            env=dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path)))

    def kill(self):
        """End it without a chance to say good-bye."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.log.close()


class Line:
    """Guests A and B with testpmd between them."""

    def __init__(self, tmp_path, queues=1, client=True, **options):
        self.tmp_path, self.queues, self.client = tmp_path, queues, client
        paths = [str(tmp_path / 'a'), str(tmp_path / 'b')]
        self.serial = 0
        self.a, self.b = (Guest(p, queue_pairs=queues, server=client, **options) for p in paths)
        self.pmd = self.new_pmd()
        try:
            self.a.start()
            self.b.start()
            self.settle()
        except BaseException:
            self.close()
            raise

    def new_pmd(self):
        """Start testpmd on our sockets."""
        return Testpmd(self.tmp_path, [self.a.path, self.b.path], self.queues, self.client)

    def settle(self, pair=0):
        """Wait until frames go through both ways; nothing is left over then."""
        end = time.monotonic() + 15
        for src, dst in ((self.a, self.b), (self.b, self.a)):
            while True:
                self.serial += 1
                probe = b'probe %08d' % self.serial + bytes(60)
                src.send(probe, pair=pair, timeout=5)
                got = dst.recv(0.1, pair)
                while got is not None and got != probe:
                    got = dst.recv(0.1, pair)
                if got == probe:
                    break
                assert time.monotonic() < end, 'testpmd does not forward'

    def cross(self, frame, split=None, indirect=None, pair=0):
        """Send a frame from A to B and one back, and compare."""
        for src, dst in ((self.a, self.b), (self.b, self.a)):
            src.send(frame, split, indirect, pair=pair)
            start = time.monotonic()
            got = dst.recv(4.0, pair)
            # A missed call would be hidden by the look at the ring when the time is over.
            assert time.monotonic() - start < 3, 'no call came'
            assert got is not None, f'{len(frame)} bytes, split {split}: lost'
            assert got == frame, f'{len(frame)} bytes, split {split}: {len(got)} other bytes'

    def close(self):
        """End of everything."""
        self.pmd.kill()
        self.a.close()
        self.b.close()


@pytest.fixture
def line(tmp_path):
    """Factory of lines."""
    made = []

    def make(**options):
        made.append(Line(tmp_path, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


def noise(n, seed=0):
    """The same n random bytes each time."""
    return random.Random(f'{seed}-{n}').randbytes(n)


OPTIONS = {
    'linux': {},
    'netkvm': dict(profile='netkvm'),
    'small': dict(profile='small'),
    'legacy': dict(profile='legacy'),
    'flags instead of event index': dict(without=F_EVENT_IDX),
    'no indirect': dict(without=F_INDIRECT),
    'indirect': dict(tx_indirect=True),
    'legacy, mergeable': dict(profile='legacy', add=F_MRG_RXBUF, rx_shape=[1536]),
    'mergeable, small buffers': dict(rx_shape=[512], ring_size=1024),
    'mergeable, chains': dict(rx_shape=[HDR, 100, 1, 700]),
    'header split': dict(profile='small', rx_shape=[5, 57, 9300]),
    'shuffled': dict(shuffle=True, seed=7),
    'index wraps': dict(start_index=65530),
    'busy polling': dict(poll=True),
    'acknowledged': dict(reply='all'),
    'two regions with a hole': dict(spread=True, regions=[
        region(0, 16 * MIB), region(1 << 32, 16 * MIB)]),
    'one file, two regions': dict(spread=True, regions=[
        region(0, 16 * MIB, file_size=32 * MIB),
        region(1 << 32, 16 * MIB, 'same', mmap_offset=16 * MIB, fd=0)]),
    'sealed': dict(regions=[region(1 << 20, 16 * MIB, 'sealed')]),
    'file': dict(regions=[region(0, 16 * MIB, 'file')]),
    'front end connects': dict(client=False),
}


@needs_testpmd
@pytest.mark.parametrize('name', OPTIONS)
def test_frames(line, name):
    """Frames of all sizes cross unchanged, whatever the driver is like."""
    pair = line(**OPTIONS[name])
    for size in SIZES:
        pair.cross(noise(size))
    # More than the rings hold, several in flight.
    for burst in range(40):
        sent = [noise(random.Random(burst).choice(SIZES[:11]), i) for i in range(16)]
        pair.a.send_many(sent)
        assert [pair.b.recv(2.0) for _ in sent] == sent
    pair.b.expect_nothing(0.02)
    pair.a.flush()
    for guest in (pair.a, pair.b):
        guest.check_canaries()
        assert guest.rx.raw.bad_used == guest.tx.raw.bad_used == 0


@needs_testpmd
@pytest.mark.parametrize('profile', ['linux', 'small', 'legacy'])
def test_split(line, profile):
    """A frame may be cut into descriptors anywhere."""
    pair = line(profile=profile)
    splits = [[HDR], [HDR, 14], [HDR, 1, 1, 1], [1] * 12, [3, 4, 5, 60], [HDR, 14, 20, 20, 700],
              [60] * 30, [HDR] + [100] * 40, [20, 1]]
    for split in splits:
        for size in (60, 1514, 5000):
            pair.cross(noise(size), split)
            if pair.a.features & F_INDIRECT:
                pair.cross(noise(size), split, indirect=True)


@needs_testpmd
def test_header(line):
    """The virtio header of a received frame can be read."""
    pair = line()
    pair.cross(noise(1500))
    assert bytes(pair.b.last_hdr()) == struct.pack('<BBHHHHH', 0, 0, 0, 0, 0, 0, 1)
    pair.cross(noise(9000))
    assert pair.b.last_hdr().num_buffers == -(-9012 // 1536)
    pair.cross(noise(1500))
    assert pair.b.last_hdr().num_buffers == 1


@needs_testpmd
def test_queue_pairs(line):
    """Each queue pair is a line of its own."""
    pair = line(queues=2)
    pair.settle(1)
    for n in range(20):
        pair.cross(noise(100 + n), pair=n % 2)
        pair.b.expect_nothing(0.005, pair=1 - n % 2)


@needs_testpmd
@pytest.mark.parametrize('profile', ['linux', 'legacy'])
def test_reconnect(line, profile):
    """A killed back end that comes back goes on where the used index stands: what was sent
    meanwhile arrives, and nothing arrives twice."""
    pair = line(profile=profile)
    for n in range(300):
        pair.cross(noise(200, n))
    pair.a.flush()
    pair.pmd.kill()
    assert pair.a.wait_closed(5) and pair.b.wait_closed(5)
    with pytest.raises(OSError) as info:
        pair.a.recv(1)
    assert info.value.errno == errno.ENOTCONN
    sent = [b'meanwhile %02d' % n + bytes(60) for n in range(20)]
    for frame in sent:
        pair.a.send(frame)
    pair.pmd = pair.new_pmd()
    pair.b.reconnect()
    pair.b.auto_reconnect = pair.a.auto_reconnect = True
    pair.a.recv(0.5)
    got = pair.b.recv_all(1.0)
    # testpmd drops what it forwards before the other port is up: a tail of what was sent.
    assert got == sent[len(sent) - len(got):]
    pair.settle()
    for n in range(300):
        pair.cross(noise(300, n))
    assert pair.a.raw.starts == pair.b.raw.starts == 2


@needs_testpmd
def test_stop_and_start(line):
    """An orderly stop reports the index of each ring, and a start goes on from there."""
    pair = line()
    for n in range(3):
        for i in range(50):
            pair.cross(noise(100, i))
        pair.a.flush()
        bases = pair.a.stop()
        assert bases == [pair.a.rx.used_idx, pair.a.tx.used_idx]
        pair.a.start()
        pair.settle()
    assert pair.a.raw.starts == 4


@needs_testpmd
def test_reset(line):
    """After a reset of the device the rings may be others."""
    pair = line(mem_mib=64)
    for changes in (dict(ring_size=64), dict(ring_size=1024, start_index=40000),
                    dict(ring_size=128, start_index=3, rx_shape=[HDR, 2000])):
        pair.a.flush()
        pair.a.stop()
        pair.a.reset(**changes)
        pair.a.start()
        pair.settle()
        assert pair.a.rx.size == changes['ring_size']
        pair.cross(noise(3000))


@needs_testpmd
def test_hotplug(line):
    """Memory that comes later can hold frames; messages written by hand say the same."""
    pair = line(reply='all')
    n = pair.a.add_region(region(8 << 30, MIB))
    assert n == 1
    gpa = pair.a.alloc(4096, where=n)
    pair.a.step_mem_table()
    frame = noise(400)
    for _ in range(2):
        pair.settle()
        pair.a.flush()
        pair.a.write(gpa, bytes(12) + frame)
        pair.a.tx.submit([(gpa, 412, 0)])
        assert pair.b.recv() == frame
        regions, fds = pair.a.mem_regions()
        pair.a.request(Req.SET_MEM_TABLE, mem_table(regions), fds)
        pair.a.request(Req.SET_VRING_ENABLE, vring_state(0, 1))


@needs_testpmd
def test_log(line):
    """The dirty log names the pages a frame was written to."""
    pair = line()
    pair.a.flush()
    pair.b.log_start()
    slot = pair.b.rx.used_idx
    pair.cross(noise(1000))
    head, length = pair.b.rx.used(slot)
    assert length == 1012
    page = pair.b.rx.desc(head)[0] >> 12
    assert pair.b.log_bytes()[page >> 3] & 1 << (page & 7)
    pair.b.log_stop()
    pair.cross(noise(1000))


@needs_testpmd
def test_raw_ring(line):
    """Chains written by hand in memory of the test's own."""
    pair = line(regions=[region(0, 16 * MIB), region(1 << 32, MIB)])
    frame = noise(600)
    low, high = pair.a.alloc(64), pair.a.alloc(4096, where=1)
    assert high >= 1 << 32 > low
    pair.a.write(low, bytes(12))
    pair.a.write(high, frame)
    table = pair.a.alloc(64)
    pair.a.flush()
    for where in (None, table):
        head = pair.a.tx.submit([(low, 12, 0), (high, 100, 0), (high + 100, 500, 0)], where)
        assert pair.b.recv() == frame
        assert pair.a.tx.wait()
        assert pair.a.tx.harvest() == [(head, 0, 0)]
    # The same by single words: descriptor, available entry, index.
    ring = pair.a.tx
    free = ring.raw.free_head
    pair.a.write(high - 12 + 64, bytes(12) + frame)
    ring.set_desc(free, high - 12 + 64, 612)
    ring.set_avail(ring.avail_idx, free)
    ring.avail_idx = ring.avail_idx + 1 & 0xffff
    ring.kick()
    assert pair.b.recv() == frame


@needs_testpmd
def test_backdoor(tmp_path):
    """Messages without a guest: replies are read, and nonsense ends the connection."""
    with Backdoor(tmp_path / 'a') as door, Backdoor(tmp_path / 'b') as other:
        pmd = Testpmd(tmp_path, [door.path, other.path])
        try:
            door.connect(10)
            assert door.call(Req.GET_FEATURES).u64 & F_MRG_RXBUF
            assert door.alive()
            # A header alone is waited for; testpmd takes a payload only as a whole.
            door.send_msg(Req.SET_FEATURES, size=8)
            with pytest.raises(TimeoutError):
                door.read_msg(0.1)
            door.send_raw(bytes(8))
            assert door.call(Req.GET_FEATURES).request == Req.GET_FEATURES
            with open('/dev/null', 'rb') as null:
                door.send_msg(0xdead, b'x' * 8, fds=[null.fileno()] * 8)
            assert door.wait_closed(5)
            assert not door.alive()
            with pytest.raises(ConnectionResetError):
                door.read_msg()
        finally:
            pmd.kill()


def be_backend(path, seen, rounds, used):
    """A back end that agrees to everything and notes the messages: (request, payload, fds)."""
    for _ in range(rounds):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            while True:
                head, fds, _, _ = socket.recv_fds(sock, 12, 16)
                if not head:
                    break
                request, flags, size = struct.unpack('=III', head)
                payload = sock.recv(size, socket.MSG_WAITALL) if size else b''
                seen.append((request, payload, len(fds)))
                for fd in fds:
                    os.close(fd)
                if request in (Req.GET_FEATURES, Req.GET_PROTOCOL_FEATURES):
                    reply = u64(F_VERSION_1 | F_PROTOCOL | 0xff)
                elif request == Req.GET_QUEUE_NUM:
                    reply = u64(4)
                elif flags & MSG_NEED_REPLY:
                    reply = u64(0)
                else:
                    continue
                sock.sendall(struct.pack('=III', request, 5, len(reply)) + reply)
                if request == Req.SET_VRING_ENABLE and payload == vring_state(1, 1):
                    used.wait(5)
                    break


def test_messages(tmp_path):
    """The order and contents of a start, and of another one after the back end was lost: rings
    go on at the used index."""
    seen, used = [], threading.Event()
    with Guest(tmp_path / 'x', reply='all') as guest:
        thread = threading.Thread(target=be_backend, args=(guest.path, seen, 2, used))
        thread.start()
        guest.start()
        first, seen[:] = [m for m in seen], []
        guest.rx._put(guest.rx.raw.used, 2, 'H', 5)
        guest.tx._put(guest.tx.raw.used, 2, 'H', 77)
        used.set()
        assert guest.wait_closed(5)
        guest.reconnect()
        thread.join()
        regions, fds = guest.mem_regions()
    requests = [Req(m[0]) for m in first]
    ring = [Req.SET_VRING_NUM, Req.SET_VRING_BASE, Req.SET_VRING_ADDR, Req.SET_VRING_ERR,
            Req.SET_VRING_CALL, Req.SET_VRING_KICK]
    assert requests == [Req.GET_FEATURES, Req.GET_PROTOCOL_FEATURES, Req.SET_PROTOCOL_FEATURES,
                        Req.GET_QUEUE_NUM, Req.SET_OWNER, Req.SET_FEATURES, Req.SET_MEM_TABLE,
                        *ring, *ring, Req.SET_VRING_ENABLE, Req.SET_VRING_ENABLE]
    assert [m[2] for m in first] == [0] * 6 + [1] + [0, 0, 0, 1, 1, 1] * 2 + [0, 0]
    assert first[5][1] == u64(F_VERSION_1 | F_PROTOCOL)
    assert first[6][1] == mem_table(regions)
    assert [m[1] for m in first if m[0] == Req.SET_VRING_NUM] == [vring_state(0, 256),
                                                                  vring_state(1, 256)]
    bases = [[m[1] for m in part if m[0] == Req.SET_VRING_BASE] for part in (first, seen)]
    assert bases == [[vring_state(0, 0), vring_state(1, 0)],
                     [vring_state(0, 5), vring_state(1, 77)]]
    assert [m[0] for m in seen] == requests


@pytest.fixture
def lonely(tmp_path):
    """A guest whose rings are laid out although nobody is there."""
    with Guest(tmp_path / 'x', profile='legacy', regions=[region(0, 16 * MIB)]) as guest:
        guest.step_build()
        yield guest


def give_back(ring, head, length, ahead=0):
    """Play the back end: one used element."""
    idx = ring.used_idx
    ring._put(ring.raw.used, 4 + 8 * ((idx + ahead) % ring.size), 'II', head, length)
    ring._put(ring.raw.used, 2, 'H', idx + 1 & 0xffff)


def test_broken_used(lonely):
    """A back end that breaks the ring is found out."""
    for head, length in ((lonely.rx.size, 60), (0xffffffff, 60), (1, 60), (0, 9), (0, 99999)):
        lonely.rx._put(lonely.rx.raw.used, 2, 'H', 0)
        give_back(lonely.rx, head, length)
        with pytest.raises(OSError) as info:
            lonely.recv(0.1)
        assert info.value.errno == errno.EPROTO, (head, length)
    lonely.rx._put(lonely.rx.raw.used, 2, 'H', 0)
    give_back(lonely.rx, 0, 10 + 60)
    assert lonely.recv(0.1) == b'\xa5' * 60


def test_canary(lonely):
    """A write behind a receive buffer is found."""
    lonely.check_canaries()
    addr, length, flags, nxt = lonely.rx.desc(0)
    assert flags & DESC_WRITE and length == 10
    data = lonely.rx.desc(nxt)
    lonely.write(data[0], bytes(data[1]))
    lonely.check_canaries()
    lonely.write(data[0] + data[1], b'\0')
    with pytest.raises(AssertionError):
        lonely.check_canaries()


def test_kick(lonely):
    """A kick is sent when the back end asked for one: flag, or index passed (and around)."""
    ring = lonely.tx
    kicks = ring.kicks
    lonely.send(bytes(60))
    assert ring.kicks == kicks + 1
    ring._put(ring.raw.used, 0, 'H', 1)
    lonely.send(bytes(60))
    assert ring.kicks == kicks + 1 and ring.raw.kicks_saved == 1
    ring.raw.event_idx = 1
    # The third frame has index 2: it passes 2, not 3; 65535 lies behind.
    for event, kicked in ((2, 1), (5, 0), (65535, 0), (5, 1)):
        ring._put(ring.raw.used, 4 + 8 * ring.size, 'H', event)
        kicks = ring.kicks
        lonely.send(bytes(60))
        assert ring.kicks - kicks == kicked, event
    # A burst passes an index in its middle.
    ring._put(ring.raw.used, 4 + 8 * ring.size, 'H', 8)
    lonely.send_many([bytes(60)] * 5)
    assert ring.kicks == kicks + 2


def test_descriptors(lonely):
    """Split frames lie in descriptors apart from each other, and say what they are."""
    frame = noise(100)
    lonely.send(frame, split=[HDR, 14, 0, 20])
    at, seen = 0, []
    while True:
        addr, length, flags, at = lonely.tx.desc(at)
        seen.append((addr, length))
        if not flags & 1:
            break
    assert [n for _, n in seen] == [10, 14, 0, 20, 66]
    assert b''.join(lonely.read(*d) for d in seen) == bytes(10) + frame
    for (low, n), (high, _) in zip(seen, seen[1:]):
        assert high >= low + n + 16
    with pytest.raises(OSError):
        lonely.send(frame, split=[1] * 70, indirect=True)
    lonely.send(frame, split=[10, 50], indirect=True, hdr=b'\1\2\3\4\5\6\7\10\11\12')
    addr, length, flags, _ = lonely.tx.desc(5)
    assert flags == 4 and length == 3 * 16
    a, n, flags, nxt = struct.unpack('<QIHH', lonely.read(addr, 16))
    assert (n, flags, nxt) == (10, 1, 1) and lonely.read(a, 10) == bytes(range(1, 11))


def test_limits(lonely):
    """What does not fit is refused by name, and a full ring is waited for in vain."""
    with pytest.raises(OSError) as info:
        lonely.send(bytes(20000))
    assert info.value.errno == errno.EMSGSIZE
    with pytest.raises(OSError) as info:
        lonely.send(bytes(2000), split=[1] * 300)
    assert info.value.errno == errno.E2BIG
    for _ in range(128):
        lonely.send(bytes(60))
    with pytest.raises(TimeoutError):
        lonely.send(bytes(60), timeout=0.05)
    with pytest.raises(TimeoutError):
        lonely.flush(timeout=0.05)
    with pytest.raises(TimeoutError):
        lonely.start(0.05)


def test_truncate(lonely):
    """We survive the cut that the back end has to survive."""
    gpa = lonely.alloc(4096, 4096)
    lonely.write(gpa, b'kept')
    lonely.truncate(0)
    assert os.fstat(lonely.region_fd()).st_size == 0
    assert lonely.read(gpa, 4) == b'kept'
    lonely.region()[-1] = 1
    lonely.send(bytes(60))


def test_race(lonely):
    """Two values take turns, and the first one stays."""
    gpa = lonely.alloc(8, 8)
    seen = set()
    with lonely.race(gpa, 4, [0x11111111, 0x22222222]) as race:
        end = time.monotonic() + 5
        while len(seen - {bytes(4)}) < 2 and time.monotonic() < end:
            seen.add(lonely.read(gpa, 4))
    assert seen - {bytes(4)} == {b'\x11' * 4, b'\x22' * 4}
    assert lonely.read(gpa, 4) == b'\x11' * 4
    assert race.stop() == 0


@pytest.mark.parametrize('kind', ['memfd', 'sealed', 'nowrite', 'file', 'rdonly'])
def test_memory_kinds(tmp_path, kind):
    """Every kind of memory can be written on our side; the descriptor says what it is."""
    with Guest(tmp_path / 'x', regions=[region(0x1000, 16 * MIB, kind)]) as guest:
        gpa = guest.alloc(100)
        guest.write(gpa, b'x' * 100)
        if kind == 'rdonly':
            with pytest.raises(OSError):
                os.write(guest.region_fd(), b'x')
        assert os.pread(guest.region_fd(), 100, gpa - 0x1000) == b'x' * 100
        if kind == 'sealed':
            with pytest.raises(PermissionError):
                guest.truncate(4096)


def test_odd_regions(tmp_path):
    """Regions only a hostile VMM would have, and room in several of them by turns."""
    zero = os.open('/dev/zero', os.O_RDWR)
    regions = [region(0, 16 * MIB), region(1 << 30, MIB, file_size=4096),
               region(2 << 30, MIB, 'fd', fd=zero), region(3 << 30, MIB, private=True),
               region((1 << 64) - MIB, MIB), region(0, MIB)]
    with Guest(tmp_path / 'x', regions=regions) as guest:
        where = [guest.alloc(64, where=SPREAD) >> 30 for _ in range(6)]
        assert where == [0, 1, 3, 3, (1 << 34) - 1, 0]
        with pytest.raises(OSError):
            guest.alloc(64, where=2)
        with pytest.raises(OSError):
            guest.alloc(8192, where=1)
        with pytest.raises(ValueError):
            guest.ptr(1 << 30, 4097)
        gpa = guest.alloc(8, where=3)
        guest.write(gpa, b'secret!!')
        assert os.pread(guest.region_fd(3), 8, gpa - (3 << 30)) == bytes(8)
    os.close(zero)


def test_many_guests(tmp_path):
    """Hundreds of guests in one process, gone without a trace."""
    before = len(os.listdir('/proc/self/fd'))
    guests = [Guest(tmp_path / str(n)) for n in range(100)]
    assert len(os.listdir('/proc/self/fd')) == before + 100 * (1 + 1 + 6)
    for guest in guests:
        guest.close()
    assert len(os.listdir('/proc/self/fd')) == before
    assert not list(tmp_path.iterdir())
