# SPDX-License-Identifier: BSD-3-Clause
"""Other ways to plug a guest in: QEMU as the client, several queue pairs, and the arguments that
`port show NAME --qemu` prints, taken as they stand."""

import dataclasses
import shlex

import pytest

from guest import Guest


@dataclasses.dataclass
class Pasted(Guest):
    """A guest whose memory and network arguments are what the switch printed."""

    words: tuple = ()

    def _machine_args(self):
        return ["-M", "q35"]

    def _net_args(self):
        words = list(self.words)
        if self.accel == "tcg":     # as the remark beside them says
            words[words.index("-device") + 1] += ",vectors=0"
        return words


def ping(pair, address):
    """Ten pings from vm1, all answered."""
    assert " 10 received" in pair[0].check(f"ping -c 10 -i 0.05 -W 5 {address}")


@pytest.fixture
def extra(lab):
    """Names of guests that end with the test."""
    names = []
    yield names
    for name in names:
        lab.remove(name)


def test_qemu_arguments_as_printed(lab, pair, extra):
    socket = lab.add_port("pasted")
    words = tuple(shlex.split(lab.daemon.check("port", "show", "pasted", "--qemu")))
    one = Pasted("pasted", lab.dir, socket=socket, ip="10.0.0.31/24", words=words)
    lab.guests["pasted"] = one
    extra.append("pasted")
    one.start()
    one.wait_boot()
    ping(pair, "10.0.0.31")


def test_qemu_connects_to_the_switch(lab, pair, extra):
    """Server mode: the switch makes the socket; QEMU comes, is killed, and comes again."""
    socket = lab.dir / "server.sock"
    lab.daemon.configure("port", "add", "server", "switch", "lan", "type", "guest", "socket",
                         socket, "mode", "server")
    one = Guest("server", lab.dir, socket=socket, mac="52:54:00:00:00:20", ip="10.0.0.32/24",
                vhost_server=False)
    lab.guests["server"] = one
    extra.append("server")
    for _ in range(2):
        one.start()
        one.wait_boot()
        ping(pair, "10.0.0.32")
        one.kill()


def test_two_queue_pairs(lab, pair, extra):
    """A guest with two pairs that begins with one, uses both, and goes back to one."""
    extra.append("mq")
    one = lab.start("mq", 33, queues=2, cpus=2)
    one.wait_boot()
    ping(pair, "10.0.0.33")
    for pairs in (2, 1):
        one.check(f"ethtool -L eth0 combined {pairs}")
        row = lab.daemon.json("port", "show", "mq")[0]
        assert row["state"] == "running" and row["faults"] == 0
        ping(pair, "10.0.0.33")
