# SPDX-License-Identifier: BSD-3-Clause
"""Messages of vhost-user, front end's side: their numbers, their payloads, a bare connection."""

import ctypes as c
import select
import struct
from enum import IntEnum

import vsguest_ffi as ffi
from vsguest_ffi import check, ints, lib, ms

F_CSUM, F_GUEST_CSUM, F_MTU, F_MAC = 1 << 0, 1 << 1, 1 << 3, 1 << 5
F_GUEST_TSO4, F_GUEST_TSO6, F_HOST_TSO4, F_HOST_TSO6 = 1 << 7, 1 << 8, 1 << 11, 1 << 12
F_MRG_RXBUF, F_GUEST_ANNOUNCE, F_MQ = 1 << 15, 1 << 21, 1 << 22
F_LOG_ALL, F_INDIRECT, F_EVENT_IDX, F_PROTOCOL = 1 << 26, 1 << 28, 1 << 29, 1 << 30
F_VERSION_1 = 1 << 32
PF_MQ, PF_LOG_SHMFD, PF_RARP, PF_REPLY_ACK, PF_NET_MTU = 1, 2, 4, 8, 16

MSG_VERSION, MSG_REPLY, MSG_NEED_REPLY = 1, 4, 8


class Req(IntEnum):
    """Requests of the protocol."""
    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_LOG_BASE = 6
    SET_LOG_FD = 7
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SEND_RARP = 19
    NET_SET_MTU = 20
    SET_BACKEND_REQ_FD = 21
    IOTLB_MSG = 22
    GET_CONFIG = 24
    SET_CONFIG = 25
    POSTCOPY_ADVISE = 28
    GET_INFLIGHT_FD = 31
    SET_INFLIGHT_FD = 32
    RESET_DEVICE = 34
    GET_MAX_MEM_SLOTS = 36
    ADD_MEM_REG = 37
    REM_MEM_REG = 38


def vring_state(index, num=0):
    """Payload of SET_VRING_NUM, SET_VRING_BASE, GET_VRING_BASE and SET_VRING_ENABLE."""
    return struct.pack('=II', index, num)


def vring_addr(index, desc, used, avail, flags=0, log=0):
    """Payload of SET_VRING_ADDR; user addresses."""
    return struct.pack('=IIQQQQ', index, flags, desc, used, avail, log)


def vring_fd(index, has_fd=True):
    """Payload of SET_VRING_KICK, SET_VRING_CALL and SET_VRING_ERR."""
    return struct.pack('=Q', index | (0 if has_fd else 1 << 8))


def mem_table(regions, n=None):
    """Payload of SET_MEM_TABLE from (gpa, size, uva, mmap offset); n: another count than theirs."""
    return struct.pack('=II', len(regions) if n is None else n, 0) + b''.join(
        struct.pack('=QQQQ', *r) for r in regions)


def u64(value):
    """Payload of the requests that carry one number."""
    return struct.pack('=Q', value)


class Reply:
    """A message received; its descriptors belong to the caller."""

    def __init__(self, msg):
        self.request, self.flags = msg.request, msg.flags
        self.payload = bytes(msg.payload[:msg.size])
        self.fds = list(msg.fds[:msg.n_fds])

    @property
    def u64(self):
        """The payload as one number."""
        return struct.unpack('=Q', self.payload)[0]


class Messages:
    """Messages of any kind on a connection; _chan points at the library's channel."""

    _chan = None
    timeout = 5.0

    def send_raw(self, data, fds=(), timeout=None):
        """Send bytes as they are, descriptors with the first of them."""
        array, n = ints(fds)
        check(lib.vsg_chan_send(self._chan, bytes(data), c.c_size_t(len(data)), array, n,
                                  ms(timeout or self.timeout)), 'send')

    def send_msg(self, request, payload=b'', fds=(), flags=MSG_VERSION, size=None):
        """Send one message; size overrides the length in the header."""
        size = len(payload) if size is None else size
        self.send_raw(struct.pack('=III', request, flags, size) + bytes(payload), fds)

    def read_msg(self, timeout=None):
        """Receive one message; TimeoutError, or ConnectionResetError at the end."""
        msg = ffi.Msg()
        check(lib.vsg_chan_recv(self._chan, c.byref(msg), ms(timeout or self.timeout)),
               'receive')
        return Reply(msg)

    def call(self, request, payload=b'', fds=(), flags=MSG_VERSION, timeout=None):
        """Send a message and receive the reply."""
        self.send_msg(request, payload, fds, flags)
        return self.read_msg(timeout)

    def fileno(self):
        """Descriptor of the connection, -1 without one."""
        return self._chan.contents.fd

    def alive(self):
        """Does the back end still hold its end?"""
        lib.vsg_chan_is_alive.restype = c.c_bool
        return lib.vsg_chan_is_alive(self._chan)

    def wait_closed(self, timeout):
        """Wait until the back end closes the connection; True if it does so in time."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLRDHUP)
        return bool(poll.poll(ms(timeout)))


class Backdoor(Messages):
    """A bare connection to a back end, for tests of messages."""

    def __init__(self, path, server=True):
        self._own = ffi.Chan()
        self._chan = c.pointer(self._own)
        self.path = str(path)
        lib.vsg_chan_init(self._chan)
        self.server = server
        if server:
            check(lib.vsg_chan_listen(self._chan, self.path.encode()), 'listen')

    def connect(self, timeout=5.0):
        """Accept the back end, or connect to it. A connection there is is closed before."""
        if self.server:
            rc = lib.vsg_chan_accept(self._chan, ms(timeout))
        else:
            rc = lib.vsg_chan_connect(self._chan, self.path.encode(), ms(timeout))
        check(rc, 'connect')
        return self

    def hangup(self):
        """Close the connection; a server goes on listening."""
        lib.vsg_chan_hangup(self._chan)

    def close(self):
        """Close everything."""
        lib.vsg_chan_close(self._chan)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
