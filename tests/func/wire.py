# SPDX-License-Identifier: BSD-3-Clause
"""The control protocol from its specification (control/proto.h), in a few lines, so that tests can
say what the command vmswitch never would."""

import socket
import struct

HELLO = 0x01
SWITCH_NEW, SWITCH_DEL, SWITCH_SET, SWITCH_GET = 0x10, 0x11, 0x12, 0x13
PORT_NEW, PORT_DEL, PORT_SET, PORT_GET = 0x20, 0x21, 0x22, 0x23
AUDIT = 0x41
SUBSCRIBE = 0x50

NAME, SWITCH, KIND, SOCKET, MODE, MAC, VM, MTU, LINK = range(1, 10)
FORCE, PORT = 14, 15
DAEMON = 18

MSG_TYPE, ERROR, DONE = 16, 2, 3
REQUEST, MULTI, ACK = 1, 2, 4
PRIVATE, GUEST = 1, 17

ERR_MSG, ERR_OFFS, ERR_MISS = 1, 2, 5


class Refused(Exception):
    """The daemon answered with an error."""

    def __init__(self, errno, attrs):
        self.errno = errno
        self.text = attrs[ERR_MSG].rstrip(b"\0").decode(errors="replace")
        self.offset = struct.unpack("=I", attrs[ERR_OFFS])[0] if ERR_OFFS in attrs else None
        self.missing = struct.unpack("=I", attrs[ERR_MISS])[0] if ERR_MISS in attrs else None
        super().__init__(f"{errno}: {self.text}")


def attr(number, value=b""):
    """One attribute; str is sent as a string, int as u32, bytes as they are."""
    if isinstance(value, str):
        value = value.encode() + b"\0"
    elif isinstance(value, int):
        value = struct.pack("=I", value)
    return struct.pack("=HH", 4 + len(value), number) + value + b"\0" * (-len(value) % 4)


def message(cmd, *attrs, flags=REQUEST | ACK, version=1, kind=MSG_TYPE, seq=1):
    """A request; attrs are (number, value) pairs or bytes."""
    body = struct.pack("=BBH", cmd, version, 0)
    body += b"".join(a if isinstance(a, bytes) else attr(*a) for a in attrs)
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, 0) + body


def attributes(data):
    """{number: value} of a run of attributes."""
    found = {}
    while data:
        length, number = struct.unpack("=HH", data[:4])
        assert length >= 4
        found[number & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def messages(data):
    """(type, flags, seq, payload) of each message of a datagram."""
    while data:
        length, kind, flags, seq, _ = struct.unpack("=IHHII", data[:16])
        assert 16 <= length <= len(data)
        yield kind, flags, seq, data[16:length]
        data = data[(length + 3) & ~3:]


class Wire:
    """A connection to the daemon."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # connect() waits for room in the backlog; with Python's own time-out it would not.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                             struct.pack("@ll", int(timeout), 0))
        self.sock.connect(path)
        self.sock.settimeout(timeout)

    def send(self, data):
        """One datagram."""
        self.sock.send(data)

    def receive(self):
        """One datagram; b"" when the daemon has closed the connection."""
        try:
            return self.sock.recv(65536)
        except ConnectionResetError:    # comes first; what was sent before lies behind it
            return self.sock.recv(65536)

    def answer(self):
        """Attributes of each message of an answer, to its end. Raises Refused."""
        rows = []
        while True:
            data = self.receive()
            assert data, "the daemon closed the connection"
            for kind, _, _, payload in messages(data):
                if kind == DONE:
                    return rows
                if kind == ERROR:
                    errno = -struct.unpack("=i", payload[:4])[0]
                    if errno == 0:
                        return rows
                    raise Refused(errno, attributes(payload[20:]))
                rows.append(attributes(payload[4:]))

    def call(self, cmd, *attrs, **header):
        """Send a request and return its answer."""
        self.send(message(cmd, *attrs, **header))
        return self.answer()

    def close(self):
        """Hang up."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
