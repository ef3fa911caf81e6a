# SPDX-License-Identifier: BSD-3-Clause
"""Roll-backs that meet ports for any address, and names that somebody else could have chosen."""

import pytest

import net
import wire
from batch import CONFIRM_S, HOST, NEW_NAME, ROLLBACK, Batch

host, session_daemon = net.host, net.session_daemon
IPV6 = False
ANY = bytes(6)


@pytest.fixture
def client(vmswitchd):
    """A connection that speaks the bare protocol."""
    with wire.Wire(vmswitchd.socket, timeout=60) as one:
        yield one


def port(daemon, name):
    """What can be shown of a port, without its number, which may be a new one."""
    row = daemon.json("port", "show", name)[0]
    return {key: value for key, value in row.items() if key != "id"}


def add_host(daemon, *words):
    """The port h of the switch lan."""
    daemon.check("switch", "add", "lan", "type", "internal")
    daemon.check("port", "add", "h", "switch", "lan", "type", "host", "ifname", "vsany", *words)


def test_any_by_default_and_given(vmswitchd, client):
    """A host port gets an address unless any is said; the interface has one in any case."""
    add_host(vmswitchd)
    given = port(vmswitchd, "h")["mac"]
    assert given and given != "any"
    vmswitchd.check("port", "del", "h")
    vmswitchd.check("port", "add", "h", "switch", "lan", "type", "host", "ifname", "vsany",
                    "mac", "any")
    assert not port(vmswitchd, "h")["mac"]
    vmswitchd.check("port", "del", "h")
    client.call(wire.PORT_NEW, (wire.NAME, "h"), (wire.SWITCH, "lan"), (wire.KIND, HOST),
                (wire.MAC, ANY))
    assert not port(vmswitchd, "h")["mac"]
    assert not [row for row in vmswitchd.json("fdb", "show") if row["origin"] == "static"]
    vmswitchd.check("port", "set", "h", "mac", "auto")
    assert port(vmswitchd, "h")["mac"] == given


@pytest.mark.parametrize("how", ["made", "set"])
def test_any_is_rolled_back(vmswitchd, client, how):
    """A host port that may send from any address may do so again when it has been away."""
    add_host(vmswitchd, *(("mac", "any") if how == "made" else ()))
    if how == "set":
        vmswitchd.check("port", "set", "h", "mac", "any")
    before = port(vmswitchd, "h")
    assert not before["mac"]
    batch = Batch(client, (CONFIRM_S, 60))
    batch.add(wire.PORT_DEL, (wire.NAME, "h"))
    batch.good()
    assert vmswitchd.json("port", "show") == []
    client.call(ROLLBACK)
    assert port(vmswitchd, "h") == before


def test_any_is_shown_and_read(vmswitchd, tmp_path):
    """`config show` says mac any of a host port, `-f` reads it; of a guest it is said by itself."""
    add_host(vmswitchd)
    vmswitchd.check("port", "set", "h", "mac", "any")
    vmswitchd.check("port", "add", "g", "switch", "lan", "type", "guest", "socket",
                    tmp_path / "g.sock", "mac", "any")
    before, commands = port(vmswitchd, "h"), vmswitchd.check("config", "show")
    lines = [line.split() for line in commands.splitlines()]
    assert lines[1][:3] == ["port", "add", "h"] and lines[1][-2:] == ["mac", "any"]
    assert lines[2][2] == "g" and "mac" not in lines[2]
    vmswitchd.clear()
    (tmp_path / "commands").write_text(commands)
    vmswitchd.check("-f", tmp_path / "commands")
    assert port(vmswitchd, "h") == before
    assert vmswitchd.check("config", "show") == commands


def test_any_is_kept(host, tmp_path):
    """The state file brings it back, into the interface that the port has left behind."""
    daemon = net.NsSwitch(host, tmp_path, ("--state", str(tmp_path / "state"), "--memory", "64"))
    daemon.start()
    try:
        add_host(daemon, "mac", "any")
        before = port(daemon, "h")
        daemon.kill()
        daemon.start()
        assert port(daemon, "h") == before and not before["mac"]
    finally:
        daemon.clear()
        daemon.stop()


def test_names_of_users(vmswitchd, client, rundir):
    """What steps aside does not step onto somebody who is called like that."""
    names = ["p", "q", *(f".rollback-{n}" for n in range(4))]
    for name in "ab":
        vmswitchd.check("switch", "add", name, "type", "private")
    vmswitchd.check("switch", "add", ".rollback-6", "type", "private")
    for n, name in enumerate(names):
        vmswitchd.check("port", "add", name, "switch", "a", "type", "guest", "socket",
                        rundir / f"{n}.sock", "mode", "server")
    before = [vmswitchd.json("switch", "show"), [port(vmswitchd, name) for name in names]]
    batch = Batch(client, (CONFIRM_S, 60))
    for one, two in (("p", "q"), (".rollback-0", ".rollback-1")):
        batch.add(wire.PORT_SET, (wire.NAME, one), (NEW_NAME, "free"))
        batch.add(wire.PORT_SET, (wire.NAME, two), (NEW_NAME, one))
        batch.add(wire.PORT_SET, (wire.NAME, "free"), (NEW_NAME, two))
    # a name that was in use, and is free until the roll-back gives it back
    batch.add(wire.PORT_SET, (wire.NAME, ".rollback-2"), (NEW_NAME, "free"))
    batch.add(wire.SWITCH_SET, (wire.NAME, "a"), (NEW_NAME, "c"))
    batch.add(wire.SWITCH_SET, (wire.NAME, "b"), (NEW_NAME, "a"))
    batch.add(wire.SWITCH_SET, (wire.NAME, "c"), (NEW_NAME, "b"))
    batch.good()
    client.call(ROLLBACK)
    assert [vmswitchd.json("switch", "show"),
            [port(vmswitchd, name) for name in names]] == before
