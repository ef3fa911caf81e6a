# SPDX-License-Identifier: BSD-3-Clause
"""The state file from its description (doc/state.md), in a few lines: to look into one, and to
write one that no vmswitchd would write."""

import struct
import zlib

import wire

MAGIC, ORDER, VERSION, BLOCK = b"vmswstat", 0x01020304, 1, 0x6b6c4256
WHOLE = 1
PUT, DEL, ADD, REMOVE, CLEAR = range(1, 6)
SWITCH, PORT = 1, 2


def head(version=VERSION, needs=0, knows=0):
    """The head of a file."""
    data = struct.pack("=8sIIIII", MAGIC, ORDER, version, needs, knows, 32)
    return data + struct.pack("=I", zlib.crc32(data))


def operation(kind, serial, body=b"", obj=0, parent=0):
    """One operation."""
    length = 32 + len(body)
    crc = zlib.crc32(struct.pack("=IHHIIQQ", length, kind, obj, 0, 0, serial, parent) + body)
    data = struct.pack("=IHHIIQQ", length, kind, obj, crc, 0, serial, parent) + body
    return data + b"\0" * (-len(data) % 8)


def block(seq, *operations, flags=0):
    """One transaction."""
    body = b"".join(operations)
    data = struct.pack("=IIQQIII", BLOCK, flags, seq, 0, len(body), len(operations),
                       zlib.crc32(body))
    return data + struct.pack("=I", zlib.crc32(data)) + body


def put_switch(serial, name, *attrs, kind=wire.PRIVATE):
    """A switch."""
    record = wire.message(wire.SWITCH_NEW, (wire.NAME, name), (wire.KIND, kind), *attrs,
                          flags=wire.REQUEST, seq=0)
    return operation(PUT, serial, record, SWITCH)


def put_port(serial, parent, name, switch, socket, *attrs):
    """A guest port."""
    record = wire.message(wire.PORT_NEW, (wire.NAME, name), (wire.SWITCH, switch),
                          (wire.KIND, wire.GUEST), (wire.SOCKET, str(socket)), *attrs,
                          flags=wire.REQUEST, seq=0)
    return operation(PUT, serial, record, PORT, parent)


def address(number, vlan=0):
    """A static address: 02:00:00:NN:NN:NN."""
    mac = b"\x02\0\0" + number.to_bytes(3, "big")
    return struct.pack("=Q", int.from_bytes(mac, "little") | vlan << 48)


def blocks(data):
    """(offset, length, flags, seq, [operation types]) of each block of a file, all sums checked."""
    assert data[:8] == MAGIC and data[:32] == head()
    at = 32
    while at < len(data):
        magic, flags, seq, _, length, n, crc, own = struct.unpack_from("=IIQQIIII", data, at)
        assert magic == BLOCK and zlib.crc32(data[at:at + 36]) == own
        body = data[at + 40:at + 40 + length]
        assert len(body) == length and zlib.crc32(body) == crc
        kinds, inner = [], 0
        while inner < length:
            size, kind, _, crc, _, _, _ = struct.unpack_from("=IHHIIQQ", body, inner)
            one = body[inner:inner + size]
            assert zlib.crc32(one[:8] + b"\0" * 4 + one[12:]) == crc
            kinds.append(kind)
            inner += (size + 7) & ~7
        assert len(kinds) == n
        yield at, 40 + length, flags, seq, kinds
        at += 40 + length
