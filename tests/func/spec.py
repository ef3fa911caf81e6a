# SPDX-License-Identifier: BSD-3-Clause
"""A client of vmswitchd that knows its specification (doc/vmswitch.yaml) and netlink, and nothing
else of ours: no command, attribute, number or limit is named here.

It holds what the daemon sends against the specification: SpecError if a message has an attribute
that its command does not list, lacks one that is always there, or has one of another form."""

import collections
import pathlib
import re
import socket
import struct

import yaml

SPEC = pathlib.Path(__file__).resolve().parents[2] / "doc" / "vmswitch.yaml"

# netlink (linux/netlink.h)
ERROR, DONE = 2, 3
REQUEST, MULTI, ACK, DUMP_INTR, CAPPED, ACK_TLVS = 1, 2, 4, 0x10, 0x100, 0x200
ERR_MSG, ERR_OFFS, ERR_MISS = 1, 2, 5
TYPE_MASK, NESTED = 0x3fff, 0x8000
HEADER = struct.Struct("=IHHII")

SCALARS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}


class SpecError(Exception):
    """The daemon or the caller does not keep to the specification."""


class Refused(Exception):
    """The daemon answered with an error; attr and missing are names of attributes, or None."""

    def __init__(self, errno, text, attr=None, missing=None):
        self.errno, self.text, self.attr, self.missing = errno, text, attr, missing
        super().__init__(f"errno {errno}: {text}")


Message = collections.namedtuple("Message", "type flags seq payload")


def align(length):
    """Netlink pads to 4 bytes."""
    return (length + 3) & ~3


def raw_attr(number, data):
    """One attribute."""
    return struct.pack("=HH", 4 + len(data), number) + data + b"\0" * (align(len(data)) - len(data))


def raw_attrs(data):
    """(offset, number with its flag bits, value) of a run of attributes."""
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise SpecError(f"{len(data) - at} bytes behind the last attribute")
        length, number = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > len(data):
            raise SpecError(f"attribute {number} of {length} bytes runs over the end")
        yield at, number, data[at + 4:at + length]
        at += align(length)


def raw_messages(data):
    """The messages of a datagram."""
    while data:
        length, kind, flags, seq, _ = HEADER.unpack_from(data)
        if not 16 <= length <= len(data):
            raise SpecError(f"a message of {length} bytes in a datagram of {len(data)}")
        yield Message(kind, flags, seq, data[16:length])
        data = data[align(length):]


class Spec:
    """The specification, read."""

    def __init__(self, path=SPEC):
        self.raw = yaml.safe_load(path.read_text())
        named = collections.defaultdict(dict)
        for one in self.raw["definitions"]:
            named[one["type"]][one["name"]] = one
        self.consts = {name: one["value"] for name, one in named["const"].items()}
        self.enums = {name: {e["name"]: e["value"] for e in one["entries"]}
                      for name, one in named["enum"].items()}
        self.structs = {name: struct.Struct("=" + "".join(SCALARS[m["type"]]
                                                          for m in one["members"]))
                        for name, one in named["struct"].items()}
        whole = self.raw["attribute-sets"][0]
        self.attrs = {a["name"]: a for a in whole["attributes"]}
        self.sets = {s["name"]: {a["name"]: self.attrs[a["name"]] for a in s["attributes"]}
                     for s in self.raw["attribute-sets"]}
        self.ops = {o["name"]: o for o in self.raw["operations"]["list"]}
        self.header = self.structs[self.raw["transport"]["fixed-header"]]
        self.message_type = self.raw["transport"]["message-type"]
        self.seen = collections.defaultdict(set)    # attributes of replies, by operation

    # ---- operations

    def requests(self):
        """Names of the operations that a client may ask for."""
        return [name for name, op in self.ops.items() if "do" in op or "dump" in op]

    def request(self, name):
        """What the request of an operation may hold: attributes, required, any-of."""
        op = self.ops[name]
        return (op.get("do") or op["dump"])["request"]

    def reply(self, name):
        """What its reply holds, or what the event holds; None if there is none."""
        op = self.ops[name]
        return op["event"] if "event" in op else (op.get("do") or op["dump"]).get("reply")

    # ---- values

    def number(self, attr, value):
        """An integer, or the name of an entry of the attribute's enum, as an integer."""
        return self.enums[attr["enum"]][value] if isinstance(value, str) else value

    def encode(self, attr, value):
        """The payload of an attribute; bytes are sent as they are."""
        if isinstance(value, bytes):
            return value
        kind = attr["type"]
        if kind == "flag":
            return b""
        if kind == "string":
            return value.encode() + b"\0"
        if kind in SCALARS:
            return struct.pack("=" + SCALARS[kind], self.number(attr, value))
        if kind == "nest":
            return self.encode_all(value, self.sets[attr["nested-attributes"]])
        if "struct" in attr:
            return b"".join(self.structs[attr["struct"]].pack(*one) for one in value)
        if attr.get("display-hint") == "mac":
            return bytes.fromhex(value.replace(":", ""))
        raise SpecError(f"{attr['name']}: cannot encode {value!r}")

    def encode_all(self, values, attrs=None):
        """A run of attributes from {name: value} or pairs."""
        attrs = attrs or self.attrs
        pairs = values.items() if isinstance(values, dict) else values
        return b"".join(
            raw_attr(attrs[name]["value"] | (NESTED if attrs[name]["type"] == "nest" else 0),
                     self.encode(attrs[name], value)) for name, value in pairs)

    def decode(self, attr, data):
        """The value of an attribute that the daemon sent."""
        kind, name = attr["type"], attr["name"]
        if kind in SCALARS:
            code = struct.Struct("=" + SCALARS[kind])
            if len(data) != code.size:
                raise SpecError(f"{name}: {len(data)} bytes, {kind} has {code.size}")
            value = code.unpack(data)[0]
            if "enum" not in attr:
                return value
            names = [n for n, v in self.enums[attr["enum"]].items() if v == value]
            if not names:
                raise SpecError(f"{name}: {value} is no entry of enum {attr['enum']}")
            return names[0]
        if kind == "string":
            if data.find(b"\0") != len(data) - 1:
                raise SpecError(f"{name}: {data!r} does not end with its only NUL")
            value = data[:-1].decode()
            if "values" in attr and value not in attr["values"]:
                raise SpecError(f"{name}: '{value}' is not among its values")
            return value
        if kind == "flag":
            if data:
                raise SpecError(f"{name}: a flag with {len(data)} bytes")
            return True
        if kind == "nest":
            return self.decode_all(data, self.sets[attr["nested-attributes"]])
        if "struct" in attr:
            code = self.structs[attr["struct"]]
            if len(data) % code.size:
                raise SpecError(f"{name}: {len(data)} bytes are no array of {attr['struct']}")
            return list(code.iter_unpack(data))
        if attr.get("display-hint") == "mac":
            if len(data) != 6:
                raise SpecError(f"{name}: a MAC address with {len(data)} bytes")
            return data.hex(":")
        return data

    def decode_all(self, data, attrs=None):
        """{name: value} of a run of attributes."""
        by_number = {a["value"]: a for a in (attrs or self.attrs).values()}
        found = {}
        for _, number, value in raw_attrs(data):
            attr = by_number.get(number & TYPE_MASK)
            if attr is None:
                raise SpecError(f"attribute {number & TYPE_MASK} is not known here")
            if bool(number & NESTED) != (attr["type"] == "nest"):
                raise SpecError(f"{attr['name']}: NLA_F_NESTED does not go with {attr['type']}")
            if attr["name"] in found:
                raise SpecError(f"{attr['name']} is there twice")
            found[attr["name"]] = self.decode(attr, value)
        return found

    # ---- what a request may hold

    def allows(self, attr, data):
        """Whether a request may hold this payload of an attribute: its form and its checks."""
        checks, kind = attr.get("checks", {}), attr["type"]
        if kind == "flag":
            return not data
        if kind in SCALARS:
            code = struct.Struct("=" + SCALARS[kind])
            return len(data) == code.size and self._in_range(attr, code.unpack(data)[0])
        if kind == "string":
            if data.find(b"\0") != len(data) - 1 or not data:
                return False
            data = data[:-1]
        if "exact-len" in checks and len(data) != checks["exact-len"]:
            return False
        if not checks.get("min-len", 0) <= len(data) <= checks.get("max-len", 65535):
            return False
        if checks.get("unicast") and data[0] & 1:
            return False
        if "pattern" in checks:
            return re.fullmatch(checks["pattern"].encode(), data, re.DOTALL) is not None
        if "struct" in attr:
            code = self.structs[attr["struct"]]
            return not len(data) % code.size and (not checks.keys() & {"min", "max"} or all(
                one == tuple(sorted(one)) and all(self._in_range(attr, n) for n in one)
                for one in code.iter_unpack(data)))
        return True

    def _in_range(self, attr, value):
        low, high = self.range(attr)
        return low <= value <= high or (value == 0 and attr.get("checks", {}).get("or-zero", False))

    def range(self, attr):
        """(lowest, highest) of an integer in a request, or of each member of its struct."""
        checks = attr.get("checks", {})
        entries = self.enums[attr["enum"]].values() if "enum" in attr else ()
        if entries and "min" not in checks and "max" not in checks:
            return min(entries), max(entries)
        top = 256 ** struct.calcsize("=" + SCALARS.get(attr["type"], "H")) - 1
        return checks.get("min", 0), checks.get("max", top)

    # ---- messages

    def message(self, name, values=(), flags=REQUEST | ACK, seq=1, version=None):
        """A request, with no judgement on what it holds."""
        body = self.header.pack(self.ops[name]["value"],
                                self.raw["version"] if version is None else version, 0)
        body += self.encode_all(values)
        return HEADER.pack(16 + len(body), self.message_type, flags, seq, 0) + body

    def record(self, payload):
        """(operation, {attribute: value}) of a message; it must be as the operation's reply."""
        number, version, reserved = self.header.unpack_from(payload)
        names = [n for n, op in self.ops.items() if op["value"] == number]
        if not names or version != self.raw["version"] or reserved:
            raise SpecError(f"header of a message: {payload[:self.header.size].hex()}")
        name = names[0]
        values = self.decode_all(payload[self.header.size:])
        reply = self.reply(name)
        if reply is None:
            raise SpecError(f"{name} has no reply, but one came: {values}")
        self.seen[name] |= set(values)
        extra = set(values) - set(reply["attributes"])
        absent = set(reply.get("required", ())) - set(values)
        if extra or absent:
            raise SpecError(f"{name}: {sorted(extra)} are not listed in its reply, "
                            f"{sorted(absent)} are missing")
        return name, values

    def offender(self, request, offset):
        """Name of the attribute at an offset of a request."""
        start = 16 + self.header.size
        for at, number, _ in raw_attrs(request[start:]):
            if start + at == offset:
                return next((n for n, a in self.attrs.items() if a["value"] == number), number)
        raise SpecError(f"offset {offset} is no attribute of the request")

    def refusal(self, message, request):
        """The error of an answer as an exception, or None for an ACK. request: bytes or None."""
        errno = -struct.unpack_from("=i", message.payload)[0]
        if not message.flags & CAPPED:
            raise SpecError("an error or ACK without NLM_F_CAPPED")
        if request is not None and message.payload[4:20] != request[:16]:
            raise SpecError("an error or ACK does not hold the header of its request")
        if not errno:
            return None
        if not message.flags & ACK_TLVS:
            raise SpecError(f"error {errno} without attributes")
        attrs = {number: value for _, number, value in raw_attrs(message.payload[20:])}
        attr = missing = None
        if ERR_OFFS in attrs:
            attr = self.offender(request, struct.unpack("=I", attrs[ERR_OFFS])[0])
        if ERR_MISS in attrs:
            number = struct.unpack("=I", attrs[ERR_MISS])[0]
            missing = next(n for n, a in self.attrs.items() if a["value"] == number)
        return Refused(errno, attrs[ERR_MSG].rstrip(b"\0").decode(), attr, missing)


class Client:
    """A connection to the daemon."""

    def __init__(self, spec, path=None, timeout=10):
        self.spec, self.seq, self.interrupted = spec, 0, False
        self.sock = socket.socket(
            socket.AF_UNIX, {"seqpacket": socket.SOCK_SEQPACKET}[
                spec.raw["transport"]["socket-type"]])
        self.sock.settimeout(timeout)
        self.sock.connect(str(path or spec.raw["transport"]["path"]))
        self.messages, self.notices = collections.deque(), collections.deque()

    def call(self, name, values=(), **options):
        """Ask for an operation; returns the records of its answer. Raises Refused."""
        self.seq += 1
        request = self.spec.message(name, values, seq=self.seq, **options)
        self.sock.send(request)
        return self.answer(name, request)

    def answer(self, name, request):
        """The records of the answer to a request."""
        dump = "dump" in self.spec.ops[name]
        multi = dump or (self.spec.reply(name) or {}).get("multi", False)
        records, self.interrupted = [], False
        while True:
            message = self.receive()
            if message.seq == 0 and message.type == self.spec.message_type:
                self.notices.append(self.spec.record(message.payload)[1])
                continue
            if message.type == ERROR:
                refusal = self.spec.refusal(message, request if message.seq else None)
                if refusal:
                    raise refusal
                if dump:
                    raise SpecError(f"{name} is a dump, but an ACK came")
                return records
            if message.seq != self.seq:
                raise SpecError(f"sequence number {message.seq} instead of {self.seq}")
            if multi != bool(message.flags & MULTI):
                raise SpecError(f"flags {message.flags:#x} in an answer to {name}")
            self.interrupted |= bool(message.flags & DUMP_INTR)
            if message.type == DONE:
                return records
            of, values = self.spec.record(message.payload)
            if of != name:
                raise SpecError(f"a record of {of} in an answer to {name}")
            records.append(values)

    def receive(self):
        """The next message."""
        if not self.messages:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError("the daemon closed the connection")
            if len(data) > self.spec.consts["answer-max"]:
                raise SpecError(f"a datagram of {len(data)} bytes")
            self.messages.extend(raw_messages(data))
        return self.messages.popleft()

    def notice(self):
        """The next notice."""
        if self.notices:
            return self.notices.popleft()
        return self.spec.record(self.receive().payload)[1]

    def close(self):
        """Hang up."""
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
