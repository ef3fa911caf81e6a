# SPDX-License-Identifier: BSD-3-Clause
"""The two ways into a running guest: its command line (serial port) and QEMU's monitor.

Both are Unix sockets that QEMU serves. A connection is made per call, so several programs
(a test, a user with `vmctl`) can use one guest in turn.
"""

import base64
import json
import re
import secrets
import socket
import time


class ChannelError(Exception):
    """The other side did not answer as agreed."""


def connect(path, deadline):
    """Connect to the Unix socket at @path; it may come up until @deadline (monotonic seconds)."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.05, deadline - time.monotonic()))
            sock.connect(str(path))
            return sock
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError, TimeoutError) as error:
            sock.close()
            if time.monotonic() >= deadline:
                raise ChannelError(f"cannot connect to {path}: {error}") from error
            time.sleep(0.02)
        except BaseException:
            sock.close()
            raise


def _receive(sock, deadline):
    """Return the next bytes, b"" if none came until @deadline; raise when the peer is gone."""
    left = deadline - time.monotonic()
    if left <= 0:
        return b""
    sock.settimeout(left)
    try:
        data = sock.recv(65536)
    except TimeoutError:
        return b""
    except ConnectionError as error:
        raise ChannelError(f"connection lost: {error}") from error
    if not data:
        raise ChannelError("connection closed by QEMU")
    return data


def _request(ident, command, timeout):
    text = base64.b64encode(command.encode()).decode()
    return f"\n{ident} {max(1, round(timeout))} {text}\n".encode()


def _answer(idents, data):
    """Find the answer to one of the requests in what the guest sent: (status, output) or None.

    Answers to other callers are passed over: their ids are not ours.
    """
    for ident in idents:
        found = re.search(rb"\n@begin %s\n(.*?)\n?@end %s (\d+)\n"
                          % (ident.encode(), ident.encode()), data, re.DOTALL)
        if found:
            output = base64.b64decode(found.group(1)).decode(errors="replace")
            return int(found.group(2)), output
    return None


def run_command(path, command, timeout):
    """Run shell text in the guest whose agent listens behind @path.

    The guest ends the command after @timeout seconds; its answer may take 5 seconds more.
    Returns (exit status, output as str).
    """
    ident = secrets.token_hex(6)
    deadline = time.monotonic() + timeout + 5
    with connect(path, deadline) as sock:
        sock.sendall(_request(ident, command, timeout))
        data = b""
        while True:
            piece = _receive(sock, deadline)
            if not piece:
                raise ChannelError(f"no answer within {timeout + 5:.0f} s to: {command}")
            data += piece
            answer = _answer([ident], data) if b"@end" in data[-len(piece) - 64:] else None
            if answer:
                return answer


def poll_command(path, command, timeout, accept):
    """Send a short command once a second until accept(output) is true for an answer.

    A guest that boots loses what comes too early, and a busy one answers late: any request's
    answer counts. Returns the output, or None if there was none within @timeout seconds.
    """
    deadline = time.monotonic() + timeout
    idents = []
    data = b""
    with connect(path, deadline) as sock:
        while time.monotonic() < deadline:
            idents.append(secrets.token_hex(6))
            sock.sendall(_request(idents[-1], command, 5))
            pause = min(deadline, time.monotonic() + 1)
            while time.monotonic() < pause:
                data += _receive(sock, pause)
                answer = _answer(idents, data)
                if answer and answer[0] == 0 and accept(answer[1]):
                    return answer[1]
                if answer:
                    idents, data = [], b""
    return None


def send_command(path, command, timeout=5):
    """Send shell text without waiting for an answer (a reboot gives none)."""
    with connect(path, time.monotonic() + timeout) as sock:
        sock.sendall(_request(secrets.token_hex(6), command, 60))
        # Closing at once would let QEMU drop what the guest has not yet taken.
        _receive(sock, time.monotonic() + 0.3)


class QmpError(ChannelError):
    """QEMU refused a monitor command; the text is QEMU's own."""


def qmp(path, command, arguments=None, timeout=10):
    """Run one QMP command and return its result; QmpError with QEMU's text if refused."""
    deadline = time.monotonic() + timeout
    with connect(path, deadline) as sock:
        lines = _qmp_lines(sock, deadline)
        next(lines)
        _qmp_send(sock, "qmp_capabilities")
        _qmp_answer(lines)
        _qmp_send(sock, command, arguments)
        return _qmp_answer(lines)


def _qmp_send(sock, command, arguments=None):
    message = {"execute": command}
    if arguments:
        message["arguments"] = arguments
    sock.sendall(json.dumps(message).encode() + b"\n")


def _qmp_lines(sock, deadline):
    data = b""
    while True:
        while b"\n" in data:
            line, data = data.split(b"\n", 1)
            if line.strip():
                yield json.loads(line)
        piece = _receive(sock, deadline)
        if not piece:
            raise ChannelError("no answer from QEMU's monitor")
        data += piece


def _qmp_answer(lines):
    for message in lines:
        if "error" in message:
            raise QmpError(message["error"].get("desc", str(message["error"])))
        if "return" in message:
            return message["return"]
    raise ChannelError("QEMU's monitor ended")
