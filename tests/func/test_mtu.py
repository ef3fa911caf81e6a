# SPDX-License-Identifier: BSD-3-Clause
"""How long frames may be: per port, per switch, per network; what guests are told; what is refused
when it is set up, and what is dropped by name."""

import time

import pytest

from frames import cross, frame, teach
from lan import Switch
from vsguest import (MSG_NEED_REPLY, MSG_VERSION, PF_NET_MTU, PF_REPLY_ACK, Backdoor, Req, u64)
from watch import wait_for

pytestmark = pytest.mark.once

HEADER = 14


@pytest.fixture
def pair(lan):
    """Guests a and b that know each other."""
    for n, name in enumerate("ab", 0xa):
        lan.add(name, mac=bytes([2, 0, 0, 0, 0, n]), tx_buf_len=10000, rx_shape=[4096])
    teach(lan, "a", "b")
    return lan


def hops(daemon, *switch):
    """{port: row} of `mtu show` for untagged frames."""
    return {r["port"]: r for r in daemon.json("mtu", "show", *switch) if r["vlan"] == 0}


def test_the_receiver_is_shorter(pair):
    """A frame that its receiver does not take is exactly one drop, and the next one arrives."""
    a, b = pair.guests.values()
    pair.daemon.check("port", "set", "a", "mtu", 9000)
    pair.daemon.check("port", "set", "b", "mtu", 1500)
    fits, long = (frame(b.mac, a.mac, 1500 + HEADER + n) for n in (0, 1))
    assert cross(a, [fits, long, fits], b) == [[fits, fits]]
    assert pair.daemon.drops("b") == {"mtu_out": 1}
    assert pair.daemon.drops("a") == {}
    rows = hops(pair.daemon, pair.name)
    assert {n: (r["network"], r["mtu"], r["from"], r["limits"]) for n, r in rows.items()} == {
        "a": (1500, 9000, "set", False), "b": (1500, 1500, "set", True)}


def test_the_switch_limits_its_ports(pair, monitor):
    """Whatever they were given; none: they have what they were given again."""
    a, b = pair.guests.values()
    pair.daemon.check("port", "set", "a", "mtu", 9000)
    pair.daemon.check("switch", "set", pair.name, "mtu", 1400)
    fits, long = (frame(b.mac, a.mac, 1400 + HEADER + n) for n in (0, 1))
    assert cross(a, [fits, long], b) == [[fits]]
    assert pair.daemon.drops("a") == {"mtu_in": 1}
    rows = hops(pair.daemon)
    assert (rows["a"]["mtu"], rows["a"]["from"]) == (1400, "switch")
    assert (rows["b"]["mtu"], rows["b"]["from"]) == (1400, "auto")
    assert f"switch set {pair.name} mtu 9000" in rows["a"]["problem"]
    told = [e for e in monitor.sync() if e["event"] == "mtu"]
    assert [(e["port"], e["text"]) for e in told] == [("a", rows["a"]["problem"])]
    pair.daemon.check("switch", "set", pair.name, "mtu", "none")
    assert cross(a, long, b) == [[long]]
    assert hops(pair.daemon)["a"]["problem"] is None


def test_what_the_vmm_told_is_compared(lan, monitor):
    """More than the network carries is an event, and stands in `mtu show` and `port show`."""
    path = lan.rundir / "told.sock"
    lan.daemon.check("switch", "set", lan.name, "mtu", 1500)
    lan.daemon.check("port", "add", "told", "switch", lan.name, "type", "guest", "socket", path,
                     "mode", "server")
    door = Backdoor(path, server=False).connect()
    door.send_msg(Req.SET_PROTOCOL_FEATURES, u64(PF_REPLY_ACK | PF_NET_MTU))

    def tell(mtu):
        return door.call(Req.NET_SET_MTU, u64(mtu), (), flags=MSG_VERSION | MSG_NEED_REPLY).u64
    assert [tell(n) for n in (67, 65536, 1 << 40)] == [1, 1, 1]
    assert hops(lan.daemon)["told"]["vmm"] is None
    for mtu, bad in ((1400, False), (1500, False), (9000, True), (1500, False)):
        assert tell(mtu) == 0
        end = time.monotonic() + 10
        while hops(lan.daemon)["told"]["vmm"] != mtu and time.monotonic() < end:
            time.sleep(0.01)
        row = hops(lan.daemon)["told"]
        assert (row["vmm"], row["problem"] is not None) == (mtu, bad), row
        if bad:
            assert "host_mtu=1500" in row["problem"]
    told = [e for e in monitor.sync() if e["event"] == "mtu"]
    assert [e["port"] for e in told] == ["told"]
    door.close()


def test_each_problem_is_told(lan, monitor):
    """One that comes while another one lasts is an event of its own, and both are shown."""
    path = lan.rundir / "told.sock"
    lan.daemon.check("port", "add", "told", "switch", lan.name, "type", "guest", "socket", path,
                     "mode", "server", "mtu", 9000)
    lan.daemon.check("switch", "set", lan.name, "mtu", 1500)
    door = Backdoor(path, server=False).connect()
    door.send_msg(Req.SET_PROTOCOL_FEATURES, u64(PF_REPLY_ACK | PF_NET_MTU))
    assert door.call(Req.NET_SET_MTU, u64(9000), (), flags=MSG_VERSION | MSG_NEED_REPLY).u64 == 0
    wait_for(lambda: hops(lan.daemon)["told"]["vmm"], lambda vmm: vmm == 9000, 10)
    told = [e["text"] for e in monitor.sync() if e["event"] == "mtu"]
    assert len(told) == 2 and "limits it to 1500" in told[0] and "host_mtu=1500" in told[1]
    assert hops(lan.daemon)["told"]["problem"] == "; ".join(told)
    door.close()


def test_admission(vmswitchd, rundir):
    """What the uplink does not carry is refused when it is set up."""
    done = vmswitchd.run("switch", "add", "ext", "type", "external", "uplink", "dpdk:net_null0")
    if "net_null" in done.stderr:
        pytest.skip(f"no net_null here: {done.stderr}")
    words = ["port", "add", "g", "switch", "ext", "type", "guest", "socket", rundir / "g.sock"]
    said = vmswitchd.run(*words, "mtu", 1501)
    assert said.returncode == 1
    assert "mtu 1501 is more than the uplink of switch 'ext' carries (1500)" in said.stderr
    vmswitchd.check(*words)
    row = hops(vmswitchd)["g"]
    assert (row["mtu"], row["network"], row["problem"]) == (9216, 1500, None)
    vmswitchd.check("port", "set", "ext.uplink", "mtu", 9000)
    vmswitchd.check("port", "set", "g", "mtu", 9000)
    vmswitchd.check("port", "set", "ext.uplink", "mtu", 1500)
    row = hops(vmswitchd)["g"]
    assert (row["mtu"], row["network"]) == (9000, 1500)
    assert "do not leave by the uplink 'ext.uplink'" in row["problem"]
    assert "host_mtu" not in vmswitchd.check("port", "show", "g", "--qemu")
    vmswitchd.check("port", "set", "ext.uplink", "mtu", 9000)
    assert "host_mtu=9000" in vmswitchd.check("port", "show", "g", "--qemu")
    assert "<mtu size='9000'/>" in vmswitchd.check("port", "show", "g", "--libvirt")


def test_kept(vmswitchd, rundir):
    """Both are in the configuration, as they were typed; auto and none are not."""
    vmswitchd.check("switch", "add", "lan", "type", "private", "mtu", 4000)
    words = ["switch", "lan", "type", "guest", "socket"]
    vmswitchd.check("port", "add", "g", *words, rundir / "g.sock", "mtu", 3000)
    vmswitchd.check("port", "add", "h", *words, rundir / "h.sock", "mtu", "auto")
    text = vmswitchd.check("config", "show")
    assert "switch add lan type private mtu 4000" in text and "mtu 3000" in text
    assert text.count("mtu") == 2
    vmswitchd.check("switch", "set", "lan", "mtu", "none")
    vmswitchd.check("port", "set", "g", "mtu", "auto")
    assert "mtu" not in vmswitchd.check("config", "show")


def test_of_a_card_is_kept(tmp_path):
    """That of a DPDK uplink is a setting: shown, told by a dry run, kept, and taken back."""
    daemon = Switch(tmp_path)
    daemon.options = ("--state", str(tmp_path / "state"), "--memory", "64")
    daemon.start()
    try:
        daemon.check("switch", "add", "e", "type", "external", "uplink", "dpdk:net_null0")
        assert "mtu" not in daemon.check("config", "show")
        wanted = "port set e.uplink mtu 9000"
        assert wanted in daemon.check("-n", *wanted.split())
        daemon.check(*wanted.split())
        assert wanted in daemon.check("config", "show").splitlines()
        daemon.check("port", "set", "e.uplink", "mtu", 4000, "--confirm", 600)
        assert hops(daemon)["e.uplink"]["mtu"] == 4000
        daemon.check("rollback")
        assert hops(daemon)["e.uplink"]["mtu"] == 9000
        daemon.kill()
        daemon.start()
        assert hops(daemon)["e.uplink"]["mtu"] == 9000
        assert wanted in daemon.check("config", "show").splitlines()
    finally:
        daemon.stop()


def test_in_slices(vmswitchd, rundir):
    """Trunks of all VLANs are two rows each; of many runs each hop is there once."""
    trunk = ",".join(str(vid) for vid in range(2, 1001, 2))
    lines = [f"port add p{n} switch lan type guest socket {rundir}/p{n}.sock vlan trunk"
             for n in range(60)]
    for list_of_vlans, runs in (("1-4094", [(0, 0), (1, 4094)]),
                                (trunk, [(vid, vid) for vid in range(0, 1001, 2)])):
        batch = rundir / "batch"
        batch.write_text("\n".join(["switch add lan type private",
                                    *(f"{line} {list_of_vlans}" for line in lines)]) + "\n")
        vmswitchd.check("-f", batch)
        seen = [(r["vlan"], r["vlan_last"], r["port"]) for r in vmswitchd.json("mtu", "show")]
        assert seen == [(*run, f"p{n}") for run in runs for n in range(60)]
        vmswitchd.check("switch", "del", "lan", "force")
