# SPDX-License-Identifier: BSD-3-Clause
"""Requests made from the specification alone, good and bad, each with what the daemon must say
about its form: nothing, or an error that names the attribute."""

import collections
import errno
import random
import struct

import spec as protocol

# errno: 0 if it is well formed; offset of the attribute that offends, number of the missing one
Case = collections.namedtuple("Case", "what request errno offset missing")

FIRST = 20      # where the attributes of a request begin
SCALAR_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}


def sample(spec, attr):
    """A payload that a request may hold."""
    kind = attr["type"]
    if kind == "string":
        return b"a\0"
    if kind in SCALAR_BYTES:
        return spec.range(attr)[0].to_bytes(SCALAR_BYTES[kind], "little")
    if "struct" in attr:
        code = spec.structs[attr["struct"]]
        ranged = attr["checks"].keys() & {"min", "max"}
        return code.pack(*[spec.range(attr)[0]] * 2) if ranged else bytes(code.size)
    return b"" if kind == "flag" else bytes(attr.get("checks", {}).get("exact-len", 6))


def base(spec, name):
    """[(attribute, payload)]: the least that a request of an operation must hold."""
    request = spec.request(name)
    names = list(request.get("required", ())) + list(request.get("any-of", ()))[:1]
    return [(n, sample(spec, spec.attrs[n])) for n in names]


def length(pairs):
    """Bytes of a run of attributes."""
    return sum(4 + protocol.align(len(value)) for _, value in pairs)


# ---- values

def strings(attr, dice):
    """Payloads of a string: around its limits, with every byte, with and without its NUL."""
    checks = attr["checks"]
    low, high = checks.get("min-len", 0), checks["max-len"]
    yield from (b"", b"\0", b"a", b"\0\0", b"a\0\0", b"a\0b\0", b"a\0b")
    yield from (b"a" * n + b"\0" for n in range(max(low - 2, 0), low + 3))
    yield from (b"a" * n + b"\0" for n in range(high - 2, high + 3))
    yield b"a" * high
    yield from (bytes([n]) + b"\0" for n in range(256))
    yield from (b"a" + bytes([n]) + b"\0" for n in range(256))
    yield from (word + b"\0" for word in (b"..", b"...", b".a", b"-a", b"a-", b"a/b", b"a b", b"--",
                                          "\u00e4".encode(), b"a\n", b"\na"))
    letters = b"abcXYZ019_.-/: %=,\t\x7f\x80\xff"
    for _ in range(100):
        yield bytes(dice.choice(letters) for _ in range(dice.randrange(high + 4))) + b"\0"


def scalars(spec, attr, dice):
    """Payloads of an integer: around its limits, and of every wrong length."""
    low, high = spec.range(attr)
    size = SCALAR_BYTES[attr["type"]]
    top = 256 ** size - 1
    numbers = {0, 1, low - 1, low, low + 1, high - 1, high, high + 1, top - 1, top}
    numbers |= {dice.randrange(top + 1) for _ in range(10)}
    yield from (n.to_bytes(size, "little") for n in sorted(numbers) if 0 <= n <= top)
    yield from (bytes(n) for n in range(12) if n != size)


def arrays(spec, attr, dice):
    """Payloads of an array of structs; those with a range have two members."""
    code = spec.structs[attr["struct"]]
    most = attr["checks"]["max-len"] // code.size
    if not attr["checks"].keys() & {"min", "max"}:
        yield from (dice.randbytes(n * code.size) for n in (0, 1, 2, most - 1, most, most + 1))
        yield from (bytes(n) for n in range(3 * code.size))
        return
    low, high = spec.range(attr)
    one = code.pack(low, high)
    edges = sorted({n for n in (low - 1, low, low + 1, high - 1, high, high + 1, 65535) if n >= 0})
    yield from (code.pack(a, b) for a in edges for b in edges)
    yield from (one + code.pack(a, b) for a in edges for b in edges)
    yield from (one * n for n in (0, 1, 2, most - 1, most, most + 1))
    yield from (one + bytes(n) for n in range(1, code.size))
    for _ in range(20):
        yield code.pack(dice.randrange(high + 2), dice.randrange(high + 2))


def fixed(attr, _dice):
    """Payloads of so many bytes."""
    want = attr["checks"]["exact-len"]
    yield from (bytes(n) for n in range(want + 6))
    yield from (bytes([n]) + bytes(want - 1) for n in range(256))


def values(spec, attr, dice):
    """Payloads to try an attribute with."""
    if attr["type"] == "string":
        return strings(attr, dice)
    if attr["type"] in SCALAR_BYTES:
        return scalars(spec, attr, dice)
    if attr["type"] == "flag":
        return (bytes(n) for n in range(6))
    return arrays(spec, attr, dice) if "struct" in attr else fixed(attr, dice)


def error_of(spec, attr, data):
    """The errno of a payload: 0, EINVAL, or ERANGE if only a number is out of range."""
    if spec.allows(attr, data):
        return 0
    if attr["type"] in SCALAR_BYTES:
        right = len(data) == SCALAR_BYTES[attr["type"]]
    else:
        checks = attr.get("checks", {})
        right = ("struct" in attr and not len(data) % spec.structs[attr["struct"]].size
                 and checks["min-len"] <= len(data) <= checks["max-len"])
    return errno.ERANGE if right else errno.EINVAL


# ---- cases

def presence_cases(spec, name):
    """Which attributes a request takes, needs, and takes once."""
    least = base(spec, name)
    request = spec.request(name)
    yield Case(f"{name} with the least it needs", spec.message(name, least), 0, 0, 0)
    end = FIRST + length(least)
    for attr in spec.attrs.values():
        if attr["name"] in dict(least):
            continue
        takes = attr["name"] in request["attributes"]
        data = sample(spec, attr)
        yield Case(f"{name} with {attr['name']}",
                   spec.message(name, least + [(attr["name"], data)]),
                   0 if takes else errno.EINVAL, 0 if takes else end, 0)
    for at, one in enumerate(least):
        yield Case(f"{name} with {one[0]} twice", spec.message(name, least + [one]), errno.EINVAL,
                   end, 0)
        if one[0] in request.get("required", ()):
            yield Case(f"{name} without {one[0]}", spec.message(name, least[:at] + least[at + 1:]),
                       errno.EINVAL, 0, spec.attrs[one[0]]["value"])
    if request.get("any-of"):
        yield Case(f"{name} with nothing to change", spec.message(name, least[:-1]), errno.EINVAL,
                   0, 0)


def value_cases(spec, name, dice):
    """Each attribute that a request takes, with all kinds of values."""
    for attr in (spec.attrs[n] for n in spec.request(name)["attributes"]):
        least = [one for one in base(spec, name) if one[0] != attr["name"]]
        for data in values(spec, attr, dice):
            error = error_of(spec, attr, data)
            yield Case(f"{name} with {attr['name']} of {len(data)} bytes {data[:40]!r}",
                       spec.message(name, least + [(attr["name"], data)]), error,
                       FIRST + length(least) if error else 0, 0)


def number_cases(spec, name):
    """Attributes that there are not, flag bits, and attributes that run over the end."""
    least = base(spec, name)
    end = FIRST + length(least)
    known = {a["value"] for a in spec.attrs.values()}

    def with_raw(raw):
        message = spec.message(name, least) + raw
        return struct.pack("=I", len(message)) + message[4:]

    for number in [n for n in range(300) if n not in known] + [0x3fff, 0x4001, 0x8001, 0xffff]:
        yield Case(f"{name} with attribute number {number}",
                   with_raw(protocol.raw_attr(number, b"a\0")), errno.EINVAL, end, 0)
    for raw in (b"\0", bytes(3), struct.pack("=HH", 3, 1), struct.pack("=HH", 0, 1),
                struct.pack("=HH", 9, 1) + bytes(4), struct.pack("=HH", 65535, 1)):
        yield Case(f"{name} with {raw.hex()} at the end", with_raw(raw), errno.EINVAL, end, 0)


def header_cases(spec):
    """Commands, versions, types and flags."""
    for name in spec.requests():
        least = base(spec, name)
        for version in 0, spec.raw["version"] + 1, 255:
            yield Case(f"{name} in version {version}", spec.message(name, least, version=version),
                       0 if name == "hello" else errno.EPROTONOSUPPORT, 0, 0)
        message = spec.message(name, least)
        for kind in 0, 2, 3, spec.message_type + 1, 65535:
            yield Case(f"{name} as type {kind}", message[:4] + struct.pack("=H", kind)
                       + message[6:], errno.EOPNOTSUPP, 0, 0)
        for flags, error in (0, errno.EINVAL), (4, errno.EINVAL), (1, 0), (0x301, 0), (0x305, 0), (
                3, errno.EINVAL), (0x401, errno.EINVAL), (0x8001, errno.EINVAL):
            yield Case(f"{name} with flags {flags:#x}", spec.message(name, least, flags=flags),
                       error, 0, 0)
        yield Case(f"{name} with a reserved field", message[:18] + b"\1\0" + message[20:],
                   errno.EINVAL, 0, 0)
    message = spec.message("hello")
    known = {spec.ops[n]["value"] for n in spec.requests()}
    for number in (n for n in range(256) if n not in known):
        yield Case(f"command {number:#04x}", message[:16] + bytes([number]) + message[17:],
                   errno.EOPNOTSUPP, 0, 0)


def frame_cases(spec):
    """Datagrams that are no message."""
    message = spec.message("hello")
    for size in range(len(message)):
        yield Case(f"the first {size} bytes", message[:size], errno.EBADMSG, 0, 0)
    for said in 0, 16, len(message) - 1, len(message) + 1, 0x7fffffff, 0x80000014, 0xffffffff:
        yield Case(f"a length of {said}", struct.pack("=I", said) + message[4:], errno.EBADMSG, 0,
                   0)


def all_cases(spec):
    """Everything, the same each time."""
    dice = random.Random(5)
    yield from header_cases(spec)
    yield from frame_cases(spec)
    for name in spec.requests():
        yield from presence_cases(spec, name)
        yield from number_cases(spec, name)
        yield from value_cases(spec, name, dice)
