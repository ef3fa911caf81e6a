# SPDX-License-Identifier: BSD-3-Clause
"""Host ports: the interface that the host gets, what becomes of it when others change it or the
switch is killed, and frames between host and guests. The other side is the kernel's own stack."""

import signal
import socket
import time

import pytest

import net
import netns
from frames import BROADCAST, STRANGER, cross, frame, mac, text
from lan import Lan
from stack import Stack
from watch import wait_for

host, session_daemon = net.host, net.session_daemon

HOST4, GUEST4 = "10.9.0.1", "10.9.0.2"
HOST6, GUEST6 = "fd09::1", "fd09::2"
ADDRS = f"{HOST4}/24,{HOST6}/64"
GUEST = mac(0xa)
LIMIT = 20.0            # seconds; what is measured is far less, and printed


@pytest.fixture
def lan(vmswitchd, rundir):
    """The internal switch lan with the guest a."""
    one = Lan(vmswitchd, rundir, "lan", ("internal",))
    one.add("a", mac=GUEST)
    yield one
    one.close()


@pytest.fixture
def add(lan, vmswitchd):
    """Make a host port; returns its row."""
    def port(name, *words):
        vmswitchd.check("port", "add", name, "switch", lan.name, "type", "host", *words)
        return lan.port(name)
    return port


@pytest.fixture
def stack(lan, add):
    """The guest's stack, beside the host port h."""
    add("h", "addr", ADDRS)
    with Stack(lan.guests["a"]) as one:
        yield one


@pytest.fixture(autouse=True)
def tidy(host):
    """No interface stays behind but what was there."""
    before = host.links()
    yield
    for name in host.links() - before:
        host.exec("ip", "link", "del", "dev", name, check=False)


# ---- what is made ----

def test_everything_given(lan, add, host):
    """Name, address of the card, MTU and addresses are in the host as they were given."""
    row = add("h", "ifname", "vs-host.1", "mac", "02:00:00:00:00:77", "mtu", 1400, "addr",
              f"{HOST4}/24,10.9.1.1/30,{HOST6}/64")
    link = host.link("vs-host.1")
    assert (link["address"], link["mtu"]) == ("02:00:00:00:00:77", 1400)
    assert link["linkinfo"]["info_kind"] == "tun" and link["linkinfo"]["info_data"]["type"] == "tap"
    assert {"UP", "LOWER_UP"} <= set(link["flags"])
    assert host.addrs("vs-host.1") == {f"{HOST4}/24", "10.9.1.1/30", f"{HOST6}/64"}
    assert (row["type"], row["ifname"], row["mac"], row["mtu"], row["state"], row["up"]) == (
        "host", "vs-host.1", "02:00:00:00:00:77", 1400, "running", True)
    assert set(row["addr"].split(",")) == host.addrs("vs-host.1")
    assert lan.fdb()["02:00:00:00:00:77"] == "h"
    assert host.ip_json("route", "show", "10.9.0.0/24")[0]["dev"] == "vs-host.1"


def test_defaults(lan, add, host):
    """The port's name, MTU 1500, an address of the pool, no addresses."""
    row = add("h")
    link = host.link("h")
    assert (row["ifname"], row["mtu"], row["mac"]) == ("h", 1500, link["address"])
    assert link["mtu"] == 1500 and host.addrs("h") == set() and not row.get("addr")
    assert row["mac"].startswith("00:15:5d:")


def test_del_removes(lan, add, vmswitchd, host):
    """Interface, addresses and routes go with the port; the name is free."""
    for _ in range(3):
        add("h", "addr", ADDRS)
        vmswitchd.check("port", "del", "h")
        assert "h" not in host.links()
        assert host.ip_json("route", "show", "10.9.0.0/24") == []


def test_switch_del_removes(lan, add, vmswitchd, host):
    """So with the whole switch."""
    add("h")
    add("i")
    vmswitchd.check("switch", "del", "lan", "force")
    assert host.links() & {"h", "i"} == set()


@pytest.mark.parametrize("words,said", [
    ("ifname a/b", "'a/b' is no name of an interface"),
    ("ifname a:b", "'a:b' is no name"),
    ("ifname a%d", "'a%d' is no name"),
    ("ifname .", "'.' is no name"),
    ("ifname abcdefghijklmnop", "1 to 15 characters"),
    ("mac 01:00:5e:00:00:01", "group address"),
    ("mac 02:00:00:00:00:01", "port 'b'"),
    ("mtu 67", "68"),
    ("mtu 65522", "65521"),
    ("addr 10.9.0.1", "'10.9.0.1' is no address of a host with its prefix length"),
    ("addr 10.9.0.1/33", "'10.9.0.1/33' is no address"),
    ("addr 10.9.0/24", "'10.9.0/24' is no address"),
    ("addr fd09::1/129", "'fd09::1/129' is no address"),
    ("addr 224.0.0.1/24", "'224.0.0.1/24' is no address"),
    ("addr 10.9.0.1/24,nonsense", "'nonsense' is no address"),
    ("addr ::/64", "'::/64' is no address"),
    ("queues 0", "queues"),
    ("queues 9", "queues"),
    ("socket /tmp/h.sock", "a host port has an interface, no socket"),
    ("mode client", "only a port with a socket has a mode"),
    ("ifname lo", "no TAP interface"),
    ("ifname foreign", "interface foreign exists and is no TAP interface"),
    ("ifname busy", "another process holds interface busy"),
    ("ifname many", "was made for several queues"),
    ("ifname taken", "taken belongs to port 'b'"),
])
def test_refused(lan, add, vmswitchd, host, words, said):
    """Each names what is wrong; nothing is made, and what others have stays as it is."""
    add("b", "ifname", "taken", "mac", "02:00:00:00:00:01")
    netns.veth(host, "foreign", host, "foreign2")
    host.ip("tuntap", "add", "dev", "many", "mode", "tap", "multi_queue")
    with net.Tap(host, "busy"):
        before = host.ip_json("link", "show")
        for row in before:
            row.pop("stats64", None)
        vmswitchd.refuses(said, "port", "add", "h", "switch", "lan", "type", "host",
                          *words.split())
        after = host.ip_json("link", "show")
        assert [row["ifname"] for row in before] == [row["ifname"] for row in after]
        for old, new in zip(before, after):
            assert [old[k] for k in ("mtu", "address", "flags")] == \
                [new[k] for k in ("mtu", "address", "flags")]


def test_long_name_of_the_port(lan, vmswitchd, host):
    """The interface is called after the port, if it can be; else the user is told how to go on."""
    name = 16 * "n"
    words = ("port", "add", name, "switch", "lan", "type", "host")
    vmswitchd.refuses("'ifname IFNAME' gives another one", *words)
    vmswitchd.check(*words, "ifname", "n")
    assert "n" in host.links()


# ---- frames ----

def test_ping(stack, host):
    """Host and guest reach each other, IPv4 and IPv6, and resolve each other for that."""
    host.ping(GUEST4)
    host.ping(GUEST6)
    assert stack.ping(HOST4) and stack.ping(HOST6)
    neighbours = {one["dst"]: one.get("lladdr") for one in host.ip_json("neigh", "show")}
    assert neighbours[GUEST4] == neighbours[GUEST6] == text(GUEST)


def test_ping_sizes(stack, host):
    """From the smallest to the largest frame of the MTU."""
    for size in (0, 1, 17, 18, 19, 500, 1471, 1472):
        host.exec("ping", "-n", "-c", 1, "-w", 10, "-M", "do", "-s", size, GUEST4)
        assert stack.ping(HOST4, size)
    host.exec("ping", "-n", "-c", 1, "-w", 10, "-M", "do", "-s", 1452, GUEST6)


def test_jumbo(lan, add, host):
    """9000 bytes, also when it is set later, and no more."""
    add("h", "addr", ADDRS, "mtu", 9000)
    with Stack(lan.guests["a"]) as stack:
        host.exec("ping", "-n", "-c", 1, "-w", 10, "-M", "do", "-s", 8972, GUEST4)
        assert stack.ping(HOST4, 8972)
        lan.daemon.check("port", "set", "h", "mtu", 1500)
        assert host.link("h")["mtu"] == lan.port("h")["mtu"] == 1500
        assert not stack.ping(HOST4, 8972, timeout=0.5)
        assert lan.daemon.drops("h")["mtu_out"] >= 1
        lan.daemon.check("port", "set", "h", "mtu", 9000)
        assert stack.ping(HOST4, 8972)


def test_frames_arrive_whole(lan, add, host):
    """Byte by byte, in their order, both ways; tags stand in the frame."""
    row = add("h")
    a = lan.guests["a"]
    own = bytes.fromhex(row["mac"].replace(":", ""))
    with netns.Station(host, "h") as station:
        sent = [frame(own, GUEST, size, n) for n, size in enumerate((60, 61, 128, 129, 1000, 1514))]
        cross(a, sent)
        got = [station.expect(lambda one: one[6:12] == GUEST) for _ in sent]
        assert got == sent
        back = [frame(GUEST, own, size, n) for n, size in enumerate((60, 128, 129, 1514))]
        for one in back:
            station.send(one)
        for one in back:
            while (got := a.recv(10)) is not None and got[:6] != GUEST:
                pass
            assert got == one


def test_guard(lan, add, host):
    """The host sends from the interface's address only: bridging behind it needs `mac any`."""
    row = add("h")
    a = lan.guests["a"]
    own = bytes.fromhex(row["mac"].replace(":", ""))
    with netns.Station(host, "h") as station:
        station.send(frame(BROADCAST, mac(0x99)))
        good = frame(GUEST, own)
        station.send(good)
        seen = []
        while not seen or seen[-1] != good:
            seen.append(a.recv(10))
            assert seen[-1] is not None
        assert not [one for one in seen if one[6:12] == mac(0x99)]
        assert lan.daemon.drops("h") == {"spoof": 1}
        lan.daemon.check("port", "set", "h", "mac", "any")
        other = frame(BROADCAST, mac(0x99))
        station.send(other)
        while (got := a.recv(10)) != other:
            assert got is not None


def test_two_host_ports(lan, add, host):
    """A guest reaches both, each with its own address. (Linux by itself answers for any address of
    the host on any interface.)"""
    host.sysctl("ipv4/conf/all/arp_ignore", 1)
    add("h", "addr", "10.9.0.1/24")
    add("i", "addr", "10.9.5.1/24", "ifname", "vs-i")
    with Stack(lan.guests["a"]) as stack:
        assert stack.ping("10.9.0.1")
        assert stack.neighbours["10.9.0.1"] == lan.port("h")["mac"]
        stack.ip4 = "10.9.5.2"
        assert stack.ping("10.9.5.1")
        assert stack.neighbours["10.9.5.1"] == lan.port("i")["mac"]
    host.sysctl("ipv4/conf/all/arp_ignore", 0)


# ---- changes by the user ----

def test_addresses_at_run_time(stack, lan, host, vmswitchd):
    """What is set is what the interface has; what stays is not touched, so pings go on."""
    vmswitchd.check("port", "set", "h", "addr", f"{HOST4}/24,10.9.7.1/24,{HOST6}/64")
    assert host.addrs("h") == {f"{HOST4}/24", "10.9.7.1/24", f"{HOST6}/64"}
    assert set(lan.port("h")["addr"].split(",")) == host.addrs("h")
    stack.ip4 = "10.9.7.2"
    assert stack.ping("10.9.7.1")
    host.ping("10.9.7.2")
    vmswitchd.check("port", "set", "h", "addr", "10.9.7.1/24")
    assert host.addrs("h") == {"10.9.7.1/24"}
    assert stack.ping("10.9.7.1")
    for bad in ("10.9.8.1", "10.9.8.1/24,x", "255.255.255.255/32"):
        vmswitchd.refuses("is no address", "port", "set", "h", "addr", bad)
        assert host.addrs("h") == {"10.9.7.1/24"}
    host.ip("addr", "add", "10.9.9.1/24", "dev", "h")       # by hand, and shown as well
    wait_for(lambda: lan.port("h")["addr"], lambda addr: "10.9.9.1/24" in addr)
    vmswitchd.check("port", "set", "h", "addr", "none")
    assert host.addrs("h") == set() and not lan.port("h").get("addr")
    many = [f"10.{n}.0.1/24" for n in range(16)]
    vmswitchd.check("port", "set", "h", "addr", ",".join(many))
    assert host.addrs("h") == set(many)
    vmswitchd.refuses("at most 16", "port", "set", "h", "addr", ",".join(many + ["10.16.0.1/24"]))


def test_mac_at_run_time(stack, lan, host, vmswitchd):
    """The interface, the guard and the table follow."""
    old = lan.port("h")["mac"]
    vmswitchd.check("port", "set", "h", "mac", "02:00:00:00:00:78")
    assert host.link("h")["address"] == lan.port("h")["mac"] == "02:00:00:00:00:78"
    assert lan.fdb()["02:00:00:00:00:78"] == "h" and old not in lan.fdb()
    assert stack.ping(HOST4)
    assert stack.neighbours[HOST4] == "02:00:00:00:00:78"
    vmswitchd.check("port", "set", "h", "mac", "auto")
    assert host.link("h")["address"] == lan.port("h")["mac"] == old
    assert stack.ping(HOST4)


def test_rename_the_port(stack, lan, host, vmswitchd):
    """The interface keeps its name."""
    vmswitchd.check("port", "set", "h", "name", "gate")
    assert lan.port("gate")["ifname"] == "h" and lan.port("gate")["up"]
    assert stack.ping(HOST4)


def test_link(stack, lan, host, vmswitchd):
    """Down is for the switch; the interface stays as it is."""
    vmswitchd.check("port", "set", "h", "link", "down")
    assert not stack.ping(HOST4, timeout=0.3)
    assert not lan.port("h")["up"] and host.addrs("h") == {f"{HOST4}/24", f"{HOST6}/64"}
    vmswitchd.check("port", "set", "h", "link", "up")
    assert stack.ping(HOST4)
    host.ping(GUEST4)


def test_move_to_another_switch(lan, add, host, vmswitchd, rundir):
    """The host goes from one internal switch to another, with its addresses, at once."""
    other = Lan(vmswitchd, rundir, "other", ("internal",))
    other.add("b", mac=mac(0xb))
    add("h", "addr", ADDRS)
    try:
        with Stack(lan.guests["a"]) as near, Stack(other.guests["b"], "10.9.0.3", "fd09::3") as far:
            assert near.ping(HOST4) and not far.ping(HOST4, timeout=0.3)
            vmswitchd.check("port", "set", "h", "switch", "other")
            assert far.ping(HOST4) and not near.ping(HOST4, timeout=0.3)
            host.ping("10.9.0.3")
            host.ping("fd09::3")
            vmswitchd.check("port", "set", "h", "switch", "lan")
            assert near.ping(HOST6) and near.ping(HOST4)
    finally:
        other.close()


# ---- changes by others ----

def test_set_down_and_up_in_the_host(stack, lan, host, monitor):
    """The port says why it is down, frames to it are counted, and it comes back by itself."""
    assert stack.ping(HOST4)
    own = bytes.fromhex(lan.port("h")["mac"].replace(":", ""))
    host.ip("link", "set", "dev", "h", "down")
    row = lan.wait("h", lambda one: not one["up"])
    assert row["state"] == "down" and "ip link set dev h up" in row["problem"]
    monitor.wait("port-down", port="h")
    for n in range(5):
        stack.outbox.append(frame(own, GUEST, seed=n))
    wait_for(lambda: lan.daemon.drops("h"),
             lambda drops: sum(drops.get(k, 0) for k in ("host_down", "port_down")) >= 5)
    assert set(lan.daemon.drops("h")) <= {"host_down", "port_down"}
    host.ip("link", "set", "dev", "h", "up")
    lan.wait("h", lambda one: one["up"])
    monitor.wait("port-up", port="h")
    assert stack.ping(HOST4)
    assert not lan.port("h")["problem"]


def test_renamed_in_the_host(stack, lan, host, vmswitchd):
    """It works on, and says so."""
    host.ip("link", "set", "dev", "h", "name", "renamed")
    row = lan.wait("h", lambda one: one["ifname"] == "renamed")
    assert row["up"] and "renamed to renamed" in row["problem"]
    assert stack.ping(HOST4)
    vmswitchd.check("port", "del", "h")
    assert "renamed" not in host.links()


def test_deleted_in_the_host(stack, lan, host, vmswitchd, add):
    """The port is gone, says what to do, and that works."""
    host.ip("link", "del", "dev", "h")
    row = lan.wait("h", lambda one: one["state"] == "gone")
    assert not row["up"] and "delete the port and add it again" in row["problem"]
    assert not stack.ping(HOST4, timeout=0.3)
    vmswitchd.refuses("deleted", "port", "set", "h", "mtu", 1400)
    vmswitchd.check("port", "del", "h")
    add("h", "addr", ADDRS)
    assert stack.ping(HOST4)


def test_mac_changed_in_the_host(stack, lan, host):
    """Guard and table follow, so frames flow on."""
    host.ip("link", "set", "dev", "h", "address", "02:00:00:00:00:79")
    lan.wait("h", lambda one: one["mac"] == "02:00:00:00:00:79")
    assert lan.fdb()["02:00:00:00:00:79"] == "h"
    assert stack.ping(HOST4)
    host.ping(GUEST4)


def test_mac_changed_to_a_neighbours(stack, lan, add, host, vmswitchd):
    """An address that another port has is not followed: the other port keeps its frames."""
    add("i", "mac", "02:00:00:00:00:7a")
    before = lan.port("h")["mac"]
    host.ip("link", "set", "dev", "h", "address", "02:00:00:00:00:7a")
    wait_for(vmswitchd.log_text, lambda log: "port h: what it sends is dropped" in log)
    assert lan.port("h")["mac"] == before and lan.fdb()["02:00:00:00:00:7a"] == "i"
    host.ip("link", "set", "dev", "h", "address", before)
    assert stack.ping(HOST4)


def test_mtu_changed_in_the_host(stack, lan, host):
    """The port has the interface's."""
    host.ip("link", "set", "dev", "h", "mtu", 4000)
    lan.wait("h", lambda one: one["mtu"] == 4000)
    assert stack.ping(HOST4, 3900)
    host.exec("ping", "-n", "-c", 1, "-w", 10, "-M", "do", "-s", 3900, GUEST4)


def test_moved_to_another_namespace(stack, lan, host, vmswitchd):
    """It works on there."""
    with netns.Namespace("away") as away:
        host.ip("link", "set", "dev", "h", "netns", away.name)
        lan.wait("h", lambda one: "another network namespace" in one["problem"])
        away.ip("link", "set", "dev", "h", "up")
        away.ip("addr", "add", f"{HOST4}/24", "dev", "h")
        assert stack.ping(HOST4)
        vmswitchd.check("port", "del", "h")
        assert "h" not in away.links()


# ---- queues and numbers ----

def test_queues(lan, add, host):
    """Four queues: the kernel spreads flows over them by their addresses and ports, so a queue that
    is not read would keep a quarter of them."""
    row = add("h", "addr", ADDRS, "queues", 4)
    assert row["pairs"] == 4
    data = host.link("h")["linkinfo"]["info_data"]
    assert data["multi_queue"] is True and data["numqueues"] == 4
    with Stack(lan.guests["a"]) as stack:
        assert stack.ping(HOST4) and stack.ping(HOST6)
        host.ping(GUEST4)
        answered = stack.answered
        pings = [host.popen("ping", "-n", "-c", 3, "-i", "0.05", "-w", 10, GUEST4)
                 for _ in range(8)]
        assert [one.wait(20) for one in pings] == [0] * 8
        assert stack.answered >= answered + 24
    host.ip("neigh", "replace", GUEST4, "lladdr", text(GUEST), "dev", "h", "nud", "permanent")
    flows = set(range(7000, 7128))
    with netns.in_ns(host), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for one in flows:
            sock.sendto(b"flow", (GUEST4, one))
    while flows:
        got = lan.guests["a"].recv(5.0)
        assert got is not None, f"{len(flows)} of 128 flows did not come: {sorted(flows)}"
        if got[12:14] == b"\x08\x00" and got[23] == socket.IPPROTO_UDP:
            flows.discard(int.from_bytes(got[36:38], "big"))
    assert not lan.daemon.drops("a")


def test_sixty(lan, vmswitchd, host):
    """Sixty host ports, each with an address, and all of them gone at the end."""
    begin = time.monotonic()
    for n in range(60):
        vmswitchd.check("port", "add", f"h{n}", "switch", "lan", "type", "host", "addr",
                        f"10.9.{n}.1/24")
    made = time.monotonic() - begin
    assert {f"h{n}" for n in range(60)} <= host.links()
    rows = [row for row in vmswitchd.json("port", "show") if row["type"] == "host"]
    assert len(rows) == 60 and all(row["up"] for row in rows)
    assert len({row["mac"] for row in rows}) == 60
    with Stack(lan.guests["a"]) as stack:
        for n in (0, 29, 59):
            stack.ip4 = f"10.9.{n}.2"
            assert stack.ping(f"10.9.{n}.1")
    vmswitchd.check("switch", "del", "lan", "force")
    assert not {f"h{n}" for n in range(60)} & host.links()
    print(f"60 host ports made in {made:.2f} s")


# ---- the end of the switch ----

def set_up(daemon, rundir, *words):
    """The commands of an administrator, before and after the crash."""
    daemon.check("switch", "add", "lan", "type", "internal")
    daemon.check("port", "add", "a", "switch", "lan", "type", "guest", "socket",
                 rundir / "a.sock")
    daemon.check("port", "add", "h", "switch", "lan", "type", "host", *words)


def state_of(host):
    """What must outlive the switch."""
    link = host.link("h")
    routes = {(one["dst"], one.get("gateway")) for one in host.ip_json("route", "show", "dev", "h")}
    return link["ifindex"], link["address"], link["mtu"], host.addrs("h"), routes


@pytest.mark.parametrize("queues", [1, 4])
def test_kill_the_switch(lan, add, host, vmswitchd, rundir, queues):
    """kill -9 under traffic of both directions: the interface stays with all that is on it, and
    after a restart and the same commands the traffic goes on."""
    words = ("addr", ADDRS, "queues", queues, "mtu", 1400)
    add("h", *words)
    host.ip("route", "add", "198.51.100.0/24", "via", GUEST4)
    with Stack(lan.guests["a"]) as stack:
        assert stack.ping(HOST4)
        before = state_of(host)
        ping = host.popen("ping", "-n", "-i", "0.02", GUEST4)
        seen = stack.answered
        wait_for(lambda: stack.answered, lambda n: n > seen + 5)
        vmswitchd.kill()
        killed = time.monotonic()
        # The kernel drops the daemon's descriptors some time after its end was seen.
        wait_for(lambda: host.link("h")["flags"], lambda flags: "LOWER_UP" not in flags)
        assert state_of(host) == before
        vmswitchd.start()
        set_up(vmswitchd, rundir, *words)
        seen = stack.answered
        wait_for(lambda: (stack.answered, lan.port("a")["state"], lan.port("h")["state"]),
                 lambda now: now[0] > seen + 5, LIMIT)
        back = time.monotonic() - killed
        assert stack.ping(HOST4, timeout=LIMIT) and stack.ping(HOST6, timeout=LIMIT)
        assert state_of(host) == before
        assert lan.port("h")["mac"] == before[1] and lan.port("h")["pairs"] == queues
        ping.send_signal(signal.SIGINT)
        print(f"{queues} queues: traffic back after {back * 1000:.0f} ms;",
              ping.communicate(timeout=10)[0].splitlines()[-2])
    assert back < LIMIT
    vmswitchd.check("port", "del", "h")
    assert "h" not in host.links()


def test_stop_the_switch(lan, add, host, vmswitchd, rundir):
    """An orderly end leaves the interface as well: an update cuts no connection of the host."""
    add("h", "addr", ADDRS)
    before = state_of(host)
    assert vmswitchd.stop() == 0
    assert state_of(host) == before
    vmswitchd.start()
    set_up(vmswitchd, rundir)
    assert state_of(host) == before
    with Stack(lan.guests["a"]) as stack:
        assert stack.ping(HOST4, timeout=LIMIT)


def test_taken_over_with_changes(lan, add, host, vmswitchd, rundir):
    """What is given again is set, the rest stays as somebody left it."""
    add("h", "addr", f"{HOST4}/24")
    vmswitchd.kill()
    host.ip("addr", "add", "10.9.3.1/24", "dev", "h")
    host.ip("link", "set", "dev", "h", "down")
    vmswitchd.start()
    set_up(vmswitchd, rundir, "addr", f"{HOST4}/24,10.9.4.1/24", "mtu", 1300, "mac",
           "02:00:00:00:00:7b")
    link = host.link("h")
    assert (link["mtu"], link["address"]) == (1300, "02:00:00:00:00:7b") and "UP" in link["flags"]
    assert {"10.9.3.1/24", "10.9.4.1/24"} <= host.addrs("h")
    vmswitchd.refuses("queues", "port", "add", "i", "switch", "lan", "type", "host", "queues", 99)


def test_other_number_of_queues(lan, add, host, vmswitchd):
    """One queue or several is decided when the interface is made."""
    add("h")
    vmswitchd.kill()
    vmswitchd.start()
    vmswitchd.check("switch", "add", "lan", "type", "internal")
    wait_for(lambda: host.link("h")["flags"], lambda flags: "LOWER_UP" not in flags)
    vmswitchd.refuses("was made for one queue", "port", "add", "h", "switch", "lan", "type",
                      "host", "queues", 2)
    assert "h" in host.links()
    vmswitchd.check("port", "add", "h", "switch", "lan", "type", "host")


def test_descriptors(lan, add, vmswitchd):
    """Ports that come and go leave none open."""
    def turn():
        add("h", "addr", ADDRS, "queues", 2)
        vmswitchd.check("port", "del", "h")

    turn()
    before = vmswitchd.fds()
    for _ in range(10):
        turn()
    wait_for(vmswitchd.fds, lambda now: now <= before)


def test_unknown_addresses_are_flooded_to_it(lan, add, host, vmswitchd):
    """A frame to nobody's address goes to the host port as to any other, unless the switch floods
    none of these."""
    add("h")
    with netns.Station(host, "h") as station:
        one = frame(STRANGER, GUEST)
        cross(lan.guests["a"], one)
        station.expect(one)
        vmswitchd.check("switch", "set", "lan", "unknown", "uplink")
        two = frame(STRANGER, GUEST, seed=2)
        cross(lan.guests["a"], [two, frame(BROADCAST, GUEST, seed=3)])
        assert station.expect(lambda seen: seen[6:12] == GUEST) == frame(BROADCAST, GUEST, seed=3)
        assert vmswitchd.drops("a") == {"unknown_unicast": 1}
