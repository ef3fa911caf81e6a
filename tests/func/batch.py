# SPDX-License-Identifier: BSD-3-Clause
"""A batch over the bare protocol."""

import errno
import struct

import wire

BEGIN, END, ABORT, CONFIRM, ROLLBACK = 0x02, 0x03, 0x04, 0x05, 0x06
FDB_NEW, FDB_DEL = 0x32, 0x33
DRY_RUN, CONFIRM_S, CHANGE, RECORD, COMMAND = 92, 93, 95, 100, 101
STORM_PPS, MAX_MACS, FDB_SIZE, FDB_AGEING = 10, 11, 12, 13
NEW_NAME, UNKNOWN, IFNAME, PRIORITY, VLAN_MODE, VLAN = 79, 78, 80, 86, 84, 41
INTERNAL, HOST = 2, 18
MADE, BEFORE, AFTER, REMOVED = 1, 2, 3, 4
EVENT = 66


def mac(n):
    """Address number n."""
    return bytes((0x02, 0, 0, 0, n >> 8, n & 255))


class Batch:
    """Messages for one batch, and what the daemon said of each."""

    def __init__(self, client, *attrs):
        self.client = client
        self.messages = []
        client.call(BEGIN, *attrs)

    def add(self, cmd, *attrs, flags=wire.REQUEST):
        """One more message; its number is its sequence number."""
        self.messages.append(cmd)
        self.client.send(wire.message(cmd, *attrs, flags=flags, seq=len(self.messages)))

    def port(self, name, sw, socket, *attrs, **header):
        """PORT_NEW of a guest."""
        self.add(wire.PORT_NEW, (wire.NAME, name), (wire.SWITCH, sw), (wire.KIND, wire.GUEST),
                 (wire.SOCKET, str(socket)), *attrs, **header)

    def end(self, cmd=END):
        """{seq: errno} and records of the answer, and the texts of errors."""
        seq = 1 << 20
        self.client.send(wire.message(cmd, seq=seq))
        said, rows, texts = {}, [], {}
        while seq not in said:
            data = self.client.receive()
            assert data, "the daemon closed the connection"
            for kind, _, number, payload in wire.messages(data):
                if kind == wire.ERROR:
                    assert number not in said
                    said[number] = -struct.unpack("=i", payload[:4])[0]
                    if said[number]:
                        text = wire.attributes(payload[20:])[wire.ERR_MSG]
                        texts[number] = text.rstrip(b"\0").decode()
                else:
                    rows.append(wire.attributes(payload[4:]))
        return said, rows, texts, seq

    def good(self, cmd=END):
        """It worked. Return the records."""
        said, rows, texts, seq = self.end(cmd)
        assert said[seq] == 0, texts
        assert set(said.values()) == {0}
        return rows

    def bad(self, number, error, text=""):
        """Message number was refused, and so was the batch."""
        said, rows, texts, seq = self.end()
        assert said == {number: error, seq: errno.ECANCELED}, (said, texts)
        assert text in texts[number]
        assert f"message {number} of the batch" in texts[seq]
        assert rows == []
