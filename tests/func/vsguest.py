# SPDX-License-Identifier: BSD-3-Clause
"""A guest of our own: the VMM and the virtio-net driver of a virtual machine, for tests.

Binding of libvsguest (bench/guest). Frames in and out are plain Ethernet frames without FCS; the
virtio header of the last frame received is Guest.last_hdr(). The good path:

    with Guest(path) as a:          # listens on path, as QEMU does
        a.start()                   # accepts the switch and brings the rings up
        a.send(frame)
        frame = a.recv(1.0)         # bytes, or None when nothing came

Everything below is open as well: messages (Messages), memory (Guest.read, write, region), rings
(Ring) and the steps of a start (Guest.step_*). Backdoor is a connection without a guest.
Errors of the library are OSError with its errno: ENOTSUP missing feature, EREMOTEIO refused
request, ENOTCONN back end gone, EPROTO back end broke the ring.
"""

import ctypes as c
import errno
import struct
import time

import vsguest_ffi as ffi
from vsguest_ffi import Hdr, check, ints, lib, ms
from vsguest_msg import (F_CSUM, F_GUEST_CSUM, F_MTU, F_MAC, F_GUEST_TSO4, F_GUEST_TSO6,
                         F_HOST_TSO4, F_HOST_TSO6, F_MRG_RXBUF, F_GUEST_ANNOUNCE, F_MQ, F_LOG_ALL,
                         F_INDIRECT, F_EVENT_IDX, F_PROTOCOL, F_VERSION_1, PF_MQ, PF_LOG_SHMFD,
                         PF_RARP, PF_REPLY_ACK, PF_NET_MTU, MSG_VERSION, MSG_REPLY, MSG_NEED_REPLY,
                         Backdoor, Messages, Reply, Req, mem_table, u64, vring_addr, vring_fd,
                         vring_state)

__all__ = ['DESC_NEXT', 'DESC_WRITE', 'DESC_INDIRECT', 'HDR', 'ANY', 'SPREAD', 'Hdr', 'Ring',
           'Race', 'region', 'Guest', 'F_CSUM', 'F_GUEST_CSUM', 'F_MTU', 'F_MAC', 'F_GUEST_TSO4',
           'F_GUEST_TSO6', 'F_HOST_TSO4', 'F_HOST_TSO6', 'F_MRG_RXBUF', 'F_GUEST_ANNOUNCE', 'F_MQ',
           'F_LOG_ALL', 'F_INDIRECT', 'F_EVENT_IDX', 'F_PROTOCOL', 'F_VERSION_1', 'PF_MQ',
           'PF_LOG_SHMFD', 'PF_RARP', 'PF_REPLY_ACK', 'PF_NET_MTU', 'MSG_VERSION', 'MSG_REPLY',
           'MSG_NEED_REPLY', 'Backdoor', 'Messages', 'Reply', 'Req', 'mem_table', 'u64',
           'vring_addr', 'vring_fd', 'vring_state']

DESC_NEXT, DESC_WRITE, DESC_INDIRECT = 1, 2, 4
HDR = 0xffffffff    # in a split or a receive shape: the length of the virtio header
ANY, SPREAD = -1, -2    # where Guest.alloc() looks for room

_FLAGS = {name: 1 << bit for bit, name in enumerate((
    'client', 'rx_indirect', 'tx_indirect', 'tx_hdr_apart', 'shuffle', 'spread', 'poll',
    'no_start_kick', 'partial_ok'))}
_PROFILES = {'linux': 0, 'legacy': 1, 'netkvm': 2, 'small': 3}
_REPLY = {'none': 0, 'mem': 1, 'all': 2}
_KINDS = {name: n for n, name in enumerate((
    'memfd', 'sealed', 'nowrite', 'huge', 'file', 'rdonly', 'same', 'fd'))}


class Ring:
    """Driver side of one ring; what is read and written here is the memory shared with the back
    end, beside the driver's own bookkeeping."""

    def __init__(self, guest, index):
        lib.vsg_guest_ring.restype = c.POINTER(ffi.Ring)
        self._p = lib.vsg_guest_ring(guest._g, index)
        self._guest, self.index = guest, index
        self.raw = self._p.contents     # struct vsg_ring

    def _get(self, base, offset, fmt):
        s = struct.Struct('<' + fmt)
        values = s.unpack(c.string_at(base + offset, s.size))
        return values[0] if len(values) == 1 else values

    def _put(self, base, offset, fmt, *values):
        data = struct.pack('<' + fmt, *values)
        c.memmove(base + offset, data, len(data))

    size = property(lambda self: self.raw.size)
    kicks = property(lambda self: self.raw.kicks)
    n_free = property(lambda self: self.raw.n_free)
    used_idx = property(lambda self: self._get(self.raw.used, 2, 'H'))
    used_flags = property(lambda self: self._get(self.raw.used, 0, 'H'))
    avail_event = property(lambda self: self._get(self.raw.used, 4 + 8 * self.size, 'H'))

    @property
    def avail_idx(self):
        """The index shown to the back end; writing it leaves the driver's own alone."""
        return self._get(self.raw.avail, 2, 'H')

    @avail_idx.setter
    def avail_idx(self, value):
        lib.vsg_ring_set_avail(self._p, c.c_uint16(value))

    @property
    def avail_flags(self):
        """Flags of the available ring."""
        return self._get(self.raw.avail, 0, 'H')

    @avail_flags.setter
    def avail_flags(self, value):
        self._put(self.raw.avail, 0, 'H', value)

    @property
    def used_event(self):
        """The index at which the driver wants a call."""
        return self._get(self.raw.avail, 4 + 2 * self.size, 'H')

    @used_event.setter
    def used_event(self, value):
        self._put(self.raw.avail, 4 + 2 * self.size, 'H', value)

    def set_avail(self, slot, head):
        """Write an entry of the available ring."""
        self._put(self.raw.avail, 4 + 2 * (slot % self.size), 'H', head)

    def used(self, slot):
        """(id, len) of an entry of the used ring."""
        return self._get(self.raw.used, 4 + 8 * (slot % self.size), 'II')

    def desc(self, i):
        """(addr, len, flags, next) of a descriptor."""
        return self._get(self.raw.desc, 16 * i, 'QIHH')

    def set_desc(self, i, addr, length, flags=0, nxt=0):
        """Write a descriptor, whatever it says."""
        self._put(self.raw.desc, 16 * i, 'QIHH', addr, length, flags, nxt)

    def add(self, segs, table=None, cookie=0):
        """Build a chain of (gpa, len, flags); table: guest-physical address of an indirect one.

        Returns its head. It becomes visible with post() and publish().
        """
        array = (ffi.Seg * max(1, len(segs)))(*[ffi.Seg(*s) for s in segs])
        if table is None:
            return check(lib.vsg_ring_add(self._p, array, len(segs), cookie), 'add')
        ptr = self._guest.ptr(table, 16 * len(segs))
        return check(lib.vsg_ring_add_indirect(self._p, array, len(segs), c.c_void_p(ptr),
                                                 c.c_uint64(table), cookie), 'add')

    def post(self, head):
        """Put a chain into the available ring."""
        lib.vsg_ring_post(self._p, c.c_uint16(head))

    def publish(self):
        """Show the back end everything posted."""
        lib.vsg_ring_publish(self._p)

    def kick(self, force=True):
        """Notify the back end; without force only if it asked for that. True if notified."""
        if not force:
            return bool(check(lib.vsg_ring_kick(self._p), 'kick'))
        return check(lib.vsg_ring_kick_force(self._p), 'kick') == 0

    def submit(self, segs, table=None):
        """add(), post(), publish() and a kick; returns the head."""
        head = self.add(segs, table)
        self.post(head)
        self.publish()
        self.kick()
        return head

    def pending(self):
        """Chains returned and not taken yet."""
        return lib.vsg_ring_pending(self._p)

    def wait(self, want=1, timeout=1.0):
        """Wait until so many chains are returned; False if they are not."""
        rc = lib.vsg_ring_wait(self._p, want, self._guest.fileno(), ms(timeout))
        if rc == -errno.ETIMEDOUT:
            return False
        check(rc, 'wait')
        return True

    def harvest(self):
        """Take returned chains: list of (head, len, cookie)."""
        used = (ffi.Used * self.size)()
        n = check(lib.vsg_ring_harvest(self._p, used, self.size), 'harvest')
        return [(u.head, u.len, u.cookie) for u in used[:n]]


class Race:
    """A thread that writes values in turn to one word of guest memory."""

    def __init__(self, guest, gpa, width, values):
        self._h = c.c_void_p()
        array, n = ints(values, c.c_uint64)
        check(lib.vsg_race_start(guest.ptr(gpa, width), width, array, n, c.byref(self._h)),
               'race')

    def stop(self):
        """End it; returns the number of writes."""
        writes = lib.vsg_race_stop(self._h) if self._h else 0
        self._h = None
        return writes

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def region(gpa, size, kind='memfd', mmap_offset=0, file_size=0, uva=0, fd=-1, private=False):
    """A region for Guest(regions=[...]); see enum vsg_mem_kind. uva 0: where it is mapped."""
    return ffi.RegionCfg(gpa, size, mmap_offset, file_size, uva, fd, _KINDS[kind], int(private))


class Guest(Messages):
    """One virtual machine with one virtio-net device.

    path         socket
    profile      'linux', 'legacy', 'netkvm' or 'small' (see vsg_cfg_profile())
    server       listen, as QEMU does, or connect
    mem_mib      guest memory; None: what is needed
    mac          the guest's address, for the test's own use
    features     bits wanted in place of the profile's; add and without change them
    need         bits the start fails without
    rx_shape     lengths of the descriptors of a receive chain, HDR for the header
    reply        which requests ask for an acknowledgement: 'none', 'mem', 'all'
    auto_reconnect   recv() and send() bring the device up again when the back end comes back
    The flags of the library (rx_indirect, tx_indirect, tx_hdr_apart, shuffle, spread, poll,
    no_start_kick, partial_ok) and other members of struct vsg_cfg are keywords too.
    """

    def __init__(self, path, profile='linux', server=True, queue_pairs=1, mem_mib=None,
                 ring_size=256, mac=None, features=None, add=0, without=0, need=None,
                 rx_shape=None, reply=None, regions=None, auto_reconnect=False, timeout=5.0,
                 **other):
        self._g = None
        cfg = ffi.Cfg()
        check(lib.vsg_cfg_profile(c.byref(cfg), _PROFILES[profile]), 'profile')
        self.path, self.mac, self.auto_reconnect = str(path), mac, auto_reconnect
        self.timeout = timeout
        cfg.path = self.path.encode()
        cfg.queue_pairs, cfg.ring_size, cfg.timeout_ms = queue_pairs, ring_size, ms(timeout)
        cfg.mem_size = (mem_mib or 0) << 20
        cfg.features = ((cfg.features if features is None else features) | add) & ~without
        cfg.features_need = (cfg.features_need if need is None else need) & ~without
        if rx_shape:
            cfg.n_rx_shape = len(rx_shape)
            cfg.rx_shape[:len(rx_shape)] = rx_shape
        if reply:
            cfg.reply_mode = _REPLY[reply]
        for i, one in enumerate(regions or ()):
            cfg.regions[i] = one
        cfg.n_regions = len(regions or ())
        for name, value in dict(other, client=not server).items():
            if name in _FLAGS:
                cfg.flags = cfg.flags | _FLAGS[name] if value else cfg.flags & ~_FLAGS[name]
            else:
                dict(ffi.Cfg._fields_)[name]       # KeyError for a keyword nobody knows
                setattr(cfg, name, value)
        handle = c.POINTER(ffi.Guest)()
        check(lib.vsg_guest_new(c.byref(cfg), c.byref(handle)), 'guest')
        self._g = handle
        self.raw = handle.contents      # struct vsg_guest
        self._chan = c.pointer(self.raw.chan)
        self._mem = c.byref(self.raw.mem)
        self._buf = c.create_string_buffer(1 << 17)
        self.rings = [Ring(self, i) for i in range(2 * queue_pairs)]

    # -- life cycle

    def start(self, timeout=10.0):
        """Connect if need be, and bring the device up."""
        check(lib.vsg_guest_start(self._g, ms(timeout)), 'start')
        return self

    def stop(self):
        """Stop all rings in an orderly way; returns the index each of them stands at."""
        check(lib.vsg_guest_stop(self._g), 'stop')
        return [r.raw.base for r in self.rings]

    def reconnect(self, timeout=10.0):
        """Wait for the back end to come back; rings go on at their used index."""
        check(lib.vsg_guest_reconnect(self._g, ms(timeout)), 'reconnect')
        return self

    def hangup(self):
        """Close the connection without a word."""
        lib.vsg_guest_hangup(self._g)

    def close(self):
        """The guest's end, as if its VMM had been killed."""
        if self._g:
            lib.vsg_guest_free(self._g)
        self._g = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def __del__(self):
        self.close()

    # -- steps of a start, in their usual order

    def step_connect(self, timeout=10.0):
        """Accept or connect."""
        check(lib.vsg_guest_connect(self._g, ms(timeout)), 'connect')

    def step_negotiate(self):
        """GET_FEATURES ... SET_OWNER, without SET_FEATURES."""
        check(lib.vsg_guest_negotiate(self._g), 'negotiate')

    def step_features(self, value=None):
        """SET_FEATURES."""
        self.request(Req.SET_FEATURES, u64(self.features if value is None else value))

    def step_build(self):
        """Lay out rings and buffers."""
        check(lib.vsg_guest_build(self._g), 'build')

    def step_mem_table(self):
        """SET_MEM_TABLE."""
        check(lib.vsg_guest_set_mem_table(self._g), 'memory table')

    def mem_regions(self):
        """The guest's regions as mem_table() takes them, and their descriptors."""
        used = self.raw.mem.region[:self.raw.mem.n]
        return ([(r.cfg.gpa, r.cfg.size, r.cfg.uva, r.cfg.mmap_offset) for r in used],
                [r.fd for r in used])

    def add_region(self, one):
        """Memory hot-plug; the back end learns of it by step_mem_table(). Returns its number."""
        return check(lib.vsg_mem_add(self._mem, c.byref(one)), 'region')

    def reset(self, **changes):
        """Reset of a stopped device: rings and buffers are laid out anew at the next start, with
        members of struct vsg_cfg changed (ring_size, start_index, tx_buf_len, rx_shape ...)."""
        shape = changes.pop('rx_shape', None)
        if shape:
            self.raw.cfg.n_rx_shape = len(shape)
            self.raw.cfg.rx_shape[:len(shape)] = shape
        for name, value in changes.items():
            dict(ffi.Cfg._fields_)[name]
            setattr(self.raw.cfg, name, value)
        lib.vsg_guest_unbuild(self._g)

    def step_ring_start(self, ring, base=0):
        """SET_VRING_NUM, BASE, ADDR, ERR, CALL, KICK."""
        check(lib.vsg_guest_ring_start(self._g, ring, c.c_uint16(base)), 'ring start')

    def step_ring_enable(self, ring, on=1):
        """SET_VRING_ENABLE."""
        check(lib.vsg_guest_ring_enable(self._g, ring, on), 'ring enable')

    def step_ring_stop(self, ring):
        """GET_VRING_BASE; returns the index."""
        base = c.c_uint32()
        check(lib.vsg_guest_ring_stop(self._g, ring, c.byref(base)), 'ring stop')
        return base.value

    def request(self, request, payload=b'', fds=()):
        """A request without a reply of its own, acknowledged as the reply mode says."""
        array, n = ints(fds)
        check(lib.vsg_guest_request(self._g, request, bytes(payload), len(payload), array, n),
               f'request {request}')

    def log_start(self):
        """Have the back end log the pages it writes."""
        check(lib.vsg_guest_log_start(self._g), 'log')

    def log_stop(self):
        """End the logging."""
        check(lib.vsg_guest_log_stop(self._g), 'log')

    def log_bytes(self):
        """The dirty log: bit n stands for guest-physical page n."""
        return c.string_at(self.raw.log, self.raw.log_size)

    # -- frames

    def send(self, frame, split=None, indirect=None, hdr=None, pair=0, timeout=1.0, kick=True):
        """Send a frame (bytes or a scapy packet).

        split: lengths of the descriptors over virtio header and frame; the rest is the last one.
        hdr: Hdr or bytes of the virtio header. Waits for room in the ring up to timeout.
        """
        data = bytes(frame)
        flags = (0 if kick else 4) | (0 if indirect is None else 1 if indirect else 2)
        array, n = ints(split or (), c.c_uint32)
        if hdr is not None:
            hdr = c.byref(Hdr.from_buffer_copy(bytes(hdr).ljust(12, b'\0')))
        end = time.monotonic() + timeout
        while True:
            rc = lib.vsg_net_send(self._g, pair, hdr, data, len(data),
                                   array if split else None, n, flags)
            if rc != -errno.EAGAIN:
                break
            self._retry(lambda t: self.rings[2 * pair + 1].wait(1, t), end)
        check(rc, 'send')

    def send_many(self, frames, pair=0, timeout=5.0):
        """Send frames as one burst, with one kick at the end."""
        for frame in frames:
            self.send(frame, pair=pair, timeout=timeout, kick=False)
        ring = self.rings[2 * pair + 1]
        ring.publish()
        ring.kick(force=False)

    def flush(self, pair=0, timeout=1.0):
        """Wait until the back end has returned everything sent."""
        check(lib.vsg_net_flush(self._g, pair, ms(timeout)), 'flush')

    def recv(self, timeout=1.0, pair=0):
        """Receive a frame: bytes, or None when none came in time."""
        end = time.monotonic() + timeout
        while True:
            rc = lib.vsg_net_recv(self._g, pair, self._buf, len(self._buf),
                                   ms(end - time.monotonic()))
            if rc == -errno.ETIMEDOUT:
                return None
            if rc != -errno.ENOTCONN or not self.auto_reconnect:
                return c.string_at(self._buf, check(rc, 'receive'))
            self.reconnect(end - time.monotonic())

    def recv_all(self, timeout=0.2, pair=0):
        """Receive until nothing has come for timeout seconds."""
        frames = []
        while (frame := self.recv(timeout, pair)) is not None:
            frames.append(frame)
        return frames

    def expect_nothing(self, timeout=0.2, pair=0):
        """AssertionError if a frame comes within timeout seconds."""
        frame = self.recv(timeout, pair)
        assert frame is None, f'unexpected frame of {len(frame)} bytes: {frame[:64].hex()}'

    def check_canaries(self):
        """AssertionError if the back end wrote past the end of a receive buffer."""
        for pair in range(self.raw.cfg.queue_pairs):
            bad = check(lib.vsg_net_check_canaries(self._g, pair), 'canaries')
            assert bad == 0, f'pair {pair}: {bad} receive buffers overrun'

    def _retry(self, wait, end):
        try:
            done = wait(max(0.0, end - time.monotonic()))
        except OSError as err:
            if err.errno != errno.ENOTCONN or not self.auto_reconnect:
                raise
            self.reconnect(end - time.monotonic())
            done = True
        if not done:
            raise TimeoutError(errno.ETIMEDOUT, 'the back end takes no frames')

    def pair(self, n=0):
        """struct vsg_pair, with counters."""
        return c.cast(self.raw.pair, c.POINTER(ffi.Pair))[n]

    def last_hdr(self, pair=0):
        """Virtio header of the last frame received (a copy)."""
        return Hdr.from_buffer_copy(self.pair(pair).last_hdr)

    rx = property(lambda self: self.rings[0])
    tx = property(lambda self: self.rings[1])
    features = property(lambda self: self.raw.features)
    offered = property(lambda self: self.raw.offered)
    hdr_len = property(lambda self: self.raw.hdr_len)

    # -- memory

    def alloc(self, size, align=64, where=ANY):
        """Guest memory of the test's own; returns the guest-physical address."""
        gpa, ptr = c.c_uint64(), c.c_void_p()
        check(lib.vsg_mem_alloc(self._mem, where, size, align, c.byref(gpa), c.byref(ptr)),
               'alloc')
        return gpa.value

    def ptr(self, gpa, size):
        """Address in this process; ValueError outside of the guest's memory."""
        at = lib.vsg_mem_ptr(self._mem, gpa, size)
        if not at:
            raise ValueError(f'no guest memory at {gpa:#x} + {size:#x}')
        return at

    def uva(self, gpa):
        """User address of the protocol for a guest-physical one."""
        return lib.vsg_mem_uva(self._mem, gpa)

    def read(self, gpa, size):
        """Bytes of guest memory."""
        return c.string_at(self.ptr(gpa, size), size)

    def write(self, gpa, data):
        """Write guest memory."""
        c.memmove(self.ptr(gpa, len(data)), bytes(data), len(data))

    def region(self, n=0):
        """The whole region as a writable memoryview."""
        r = self.raw.mem.region[n]
        return memoryview((c.c_uint8 * r.usable).from_address(r.map)).cast('B')

    def region_fd(self, n=0):
        """Descriptor of the region's file, as passed to the back end."""
        return self.raw.mem.region[n].fd

    def truncate(self, size, n=0):
        """Cut the file of a region under the back end's feet; we ourselves stay unharmed."""
        check(lib.vsg_mem_truncate(self._mem, n, size), 'truncate')

    def race(self, gpa, width, values):
        """A thread that writes values in turn at gpa until it is stopped."""
        return Race(self, gpa, width, values)
