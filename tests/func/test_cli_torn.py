# SPDX-License-Identifier: BSD-3-Clause
"""Answers that something changed in while they were made (NLM_F_DUMP_INTR): they are read again,
and if that does not help a configuration is not printed, and of others it is said."""

import json
import os
import select
import socket
import struct
import subprocess
import threading

import pytest

from spec import DONE, DUMP_INTR, HEADER, MULTI
from vmswitchd import BUILD

TRIES = 5       # that the command makes
ALWAYS = 1000


class Tearer:
    """A socket in front of the daemon's, which marks the first dumps as interrupted."""

    def __init__(self, path, daemon, dumps):
        self.path, self.daemon, self.dumps, self.seen = str(path), daemon, dumps, 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.thread = threading.Thread(target=self.relay)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        os.unlink(self.path)

    def relay(self):
        """One client, to its end."""
        try:
            near, _ = self.listener.accept()
        except OSError:
            return
        with near, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as far:
            far.connect(self.daemon.socket)
            while True:
                ready = select.select([near, far], [], [])[0][0]
                data = ready.recv(1 << 20)
                if not data:
                    return
                if ready is near:
                    far.send(data)
                else:
                    near.send(self.mark(data))

    def mark(self, data):
        """The messages of a datagram; those of a dump that is to be torn have the flag."""
        data, at = bytearray(data), 0
        while at < len(data):
            length, kind, flags, *_ = HEADER.unpack_from(data, at)
            if flags & MULTI and self.seen < self.dumps:
                struct.pack_into("=H", data, at + 6, flags | DUMP_INTR)
            self.seen += kind == DONE
            at += length + 3 & ~3
        return bytes(data)


@pytest.fixture
def torn(vmswitchd, rundir):
    """Runs a command whose first dumps are torn; returns it finished, and how many there were."""
    vmswitchd.check("switch", "add", "lan", "type", "private")
    for name in "ab":
        vmswitchd.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                        rundir / f"{name}.sock", "vm", "v")

    def run(dumps, *words):
        with Tearer(rundir / "tearer.sock", vmswitchd, dumps) as tearer:
            done = subprocess.run([str(BUILD / "control" / "vmswitch"), "-s", tearer.path, *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  timeout=30)
        return done, tearer.seen
    return run


SHOWS = [("config", "show"), ("switch", "show"), ("port", "show"), ("port", "show", "--libvirt"),
         ("fdb", "show"), ("stats", "show"), ("stats", "show", "by", "vm"), ("stats", "audit"),
         ("drops", "show")]
IDS = [" ".join(words) for words in SHOWS]


@pytest.mark.parametrize("words", SHOWS, ids=IDS)
def test_read_again(vmswitchd, torn, words):
    """The last attempt succeeds: nothing is said, and nothing is there twice."""
    for more in ([], ["-j"]):
        right = vmswitchd.check(*words, *more)
        done, dumps = torn(TRIES - 1, *words, *more)
        assert (done.returncode, done.stdout, done.stderr) == (0, right, "")
        assert dumps == TRIES


@pytest.mark.parametrize("words", SHOWS[1:], ids=IDS[1:])
def test_warning(vmswitchd, torn, words):
    """It does not end: what came last is printed, and a warning."""
    done, dumps = torn(ALWAYS, *words)
    assert (done.returncode, done.stdout, dumps) == (0, vmswitchd.check(*words), TRIES)
    assert done.stderr.startswith("vmswitch: warning: something changed while this was read")
    assert done.stderr.count("\n") == 1
    done, _ = torn(ALWAYS, "-j", *words)
    assert done.stdout == vmswitchd.check("-j", *words)
    assert "something changed" in json.loads(done.stderr)["warning"]


def test_no_torn_configuration(torn):
    """It is an error then, and nothing is printed."""
    for words in (["config", "show"], ["-j", "config", "show"]):
        done, dumps = torn(ALWAYS, *words)
        assert (done.returncode, done.stdout, dumps) == (1, "", TRIES)
        assert "the configuration changed each time while it was read" in done.stderr
        assert done.stderr.count("\n") == 1


def test_state_show(vmswitchd, torn):
    """It reads the configuration, too."""
    right = vmswitchd.check("state", "show")
    done, dumps = torn(TRIES - 1, "state", "show")
    assert (done.returncode, done.stdout, done.stderr) == (0, right, "") and dumps > TRIES
    done, _ = torn(ALWAYS, "state", "show")
    assert (done.returncode, done.stdout) == (0, right) and "warning" in done.stderr
