# SPDX-License-Identifier: BSD-3-Clause
"""Guests on a TAP interface that their VMM holds (emulated network cards); the test is the VMM."""

import shlex
import xml.etree.ElementTree

import pytest

import net
import netns
from frames import BROADCAST, STRANGER, cross, frame, mac, teach, text
from lan import Lan
from watch import wait_for

host, session_daemon = net.host, net.session_daemon
IPV6 = False

TAP = mac(0x7a)             # the guest behind the TAP
A = mac(0xa)
HOST = "10.9.9.9"           # an address of the host, on another interface


@pytest.fixture(autouse=True)
def tidy(host):
    """No interface stays behind but what was there."""
    before = host.links()
    yield
    for name in host.links() - before:
        host.exec("ip", "link", "del", "dev", name, check=False)


@pytest.fixture
def lan(vmswitchd, rundir):
    """The private switch lan with the guest a."""
    one = Lan(vmswitchd, rundir)
    one.add("a", mac=A)
    yield one
    one.close()


def add(lan, *words, name="t", ifname="vst"):
    """A port on a TAP interface; returns its row."""
    lan.daemon.check("port", "add", name, "switch", lan.name, "type", "guest", "tap", ifname,
                     *words)
    return lan.port(name)


@pytest.fixture
def vmm(lan, host):
    """A VMM on the port t, which is up."""
    add(lan)
    with net.Tap(host, "vst") as one:
        lan.wait("t", lambda row: row["up"])
        yield one


def tagged(untagged, vid, pcp=0):
    """The frame with a C-tag."""
    return untagged[:12] + b"\x81\x00" + (pcp << 13 | vid).to_bytes(2, "big") + untagged[12:]


# ---- life ----

def test_states(lan, host, monitor):
    """It waits for a VMM, runs with one, and waits for the next one."""
    row = add(lan)
    assert (row["type"], row["ifname"], row["state"], row["up"]) == ("guest", "vst", "waiting",
                                                                    False)
    assert "no VMM has opened interface vst" in row["problem"]
    assert "vst" in host.links() and row["mtu"] == host.link("vst")["mtu"] == 1500
    for _ in range(3):
        with net.Tap(host, "vst"):
            row = lan.wait("t", lambda row: row["up"])
            assert (row["state"], row["problem"]) == ("running", None)
            monitor.wait("port-up", port="t")
        row = lan.wait("t", lambda row: not row["up"])
        assert row["state"] == "waiting"
        monitor.wait("port-down", port="t")
        monitor.clear()


def test_frames(lan, vmm):
    """Both ways, byte by byte, in order, of all sizes; the address is learnt."""
    a = lan.guests["a"]
    sizes = (60, 61, 128, 129, 1000, 1514)
    sent = [frame(BROADCAST, TAP, size, n) for n, size in enumerate(sizes)]
    for one in sent:
        vmm.send(one)
    assert [a.recv(10) for _ in sent] == sent
    wait_for(lan.fdb, lambda fdb: fdb.get(text(TAP)) == "t")
    back = [frame(TAP, A, size, n) for n, size in enumerate(sizes)]
    cross(a, back)
    assert [vmm.recv(10) for _ in back] == back
    stats = lan.stats("t")
    assert stats["received"] == stats["sent"] == len(sizes)
    assert stats["received_bytes"] == stats["sent_bytes"] == sum(sizes)


def test_many_frames(lan, vmm):
    """Bursts longer than a visit of the worker."""
    a = lan.guests["a"]
    teach(lan, "a")
    for base in range(0, 1000, 100):
        sent = [frame(A, TAP, 200, n) for n in range(base, base + 100)]
        for one in sent:
            vmm.send(one)
        assert [a.recv(10) for _ in sent] == sent


def test_two_taps(lan, host, vmm):
    """Neighbours on TAPs reach each other, and only each other."""
    add(lan, name="u", ifname="vsu")
    with net.Tap(host, "vsu") as other:
        lan.wait("u", lambda row: row["up"])
        hello = frame(BROADCAST, TAP)
        vmm.send(hello)
        other.expect(hello)
        answer = frame(TAP, mac(0x7b))
        wait_for(lan.fdb, lambda fdb: text(TAP) in fdb)
        other.send(answer)
        vmm.expect(answer)
        assert lan.guests["a"].recv_all(0) == [hello]


def test_tags(lan, vmm, vmswitchd):
    """A trunk: the kernel takes tags out of frames on their way, the port puts them back."""
    vmswitchd.check("port", "set", "t", "vlan", "trunk", "10,20", "priority", "on")
    vmswitchd.check("port", "set", "a", "vlan", "access", 10)
    a = lan.guests["a"]
    plain = frame(BROADCAST, TAP, 100)
    vmm.send(tagged(plain, 20, 5))
    vmm.send(tagged(plain, 30))
    vmm.send(tagged(plain, 10, 3))
    assert a.recv(10) == plain
    wait_for(lambda: vmswitchd.drops("t"), lambda drops: drops.get("vlan_denied") == 1)
    answer = frame(BROADCAST, A, 1514)
    cross(a, answer)
    assert vmm.recv(10) == tagged(answer, 10)


def test_longest_frame(lan, vmm, vmswitchd, host):
    """The interface has the port's MTU; longer frames are dropped by name."""
    a = lan.guests["a"]
    vmswitchd.check("port", "set", "t", "mtu", 9000)
    assert host.link("vst")["mtu"] == 9000
    big = frame(BROADCAST, A, 9014)
    cross(a, big)
    assert vmm.recv(10) == big
    big = frame(BROADCAST, TAP, 9014)
    vmm.send(big)
    assert a.recv(10) == big
    cross(a, frame(BROADCAST, A, 9015))
    assert vmswitchd.drops("t") == {"mtu_out": 1}


def test_guard(lan, host, vmswitchd):
    """With a given address the guest sends from it alone."""
    add(lan, "mac", text(TAP))
    a = lan.guests["a"]
    with net.Tap(host, "vst") as vmm:
        lan.wait("t", lambda row: row["up"])
        vmm.send(frame(BROADCAST, mac(0x99)))
        good = frame(BROADCAST, TAP)
        vmm.send(good)
        assert a.recv(10) == good
        assert vmswitchd.drops("t") == {"spoof": 1}


def test_slow_vmm(lan, vmm, vmswitchd):
    """A VMM that does not read loses frames by name, and the guest that sends is not held up."""
    a = lan.guests["a"]
    vmswitchd.check("fdb", "add", text(TAP), "switch", "lan", "port", "t")
    for n in range(40):
        cross(a, [frame(TAP, A, 60, seed) for seed in range(n * 50, n * 50 + 50)])
    stats, drops = lan.stats("t"), vmswitchd.drops("t")
    assert set(drops) == {"host_full"} and stats["attempts"] == 2000
    got = vmm.recv_all(0.2)
    assert len(got) == stats["sent"] == 2000 - drops["host_full"] and len(got) >= 100


def test_link_down(lan, vmm, vmswitchd):
    """As with any port."""
    a = lan.guests["a"]
    vmswitchd.check("port", "set", "t", "link", "down")
    cross(a, frame(BROADCAST, A))
    vmm.send(frame(BROADCAST, TAP))
    wait_for(lambda: vmswitchd.drops("t"), lambda drops: drops.get("link_down") == 1)
    vmswitchd.check("port", "set", "t", "link", "up")
    one = frame(BROADCAST, A, seed=2)
    cross(a, one)
    assert vmm.recv(10) == one


def test_interface_set_down(lan, vmm, host, monitor):
    """The port says so, and follows."""
    host.ip("link", "set", "vst", "down")
    row = lan.wait("t", lambda row: not row["up"])
    assert row["state"] == "down" and "ip link set dev vst up" in row["problem"]
    host.ip("link", "set", "vst", "up")
    lan.wait("t", lambda row: row["up"])
    one = frame(BROADCAST, TAP)
    vmm.send(one)
    assert lan.guests["a"].recv(10) == one


def test_interface_deleted(lan, vmm, host, vmswitchd):
    """Gone, with what to do."""
    host.ip("link", "del", "vst")
    row = lan.wait("t", lambda row: row["state"] == "gone")
    assert "delete the port and add it again" in row["problem"]
    vmswitchd.check("port", "del", "t")
    add(lan)


# ---- the host is kept off ----

def who_has(address):
    """An ARP request of the guest."""
    octets = bytes(map(int, address.split(".")))
    return (BROADCAST + TAP + b"\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" + TAP
            + bytes((10, 9, 9, 1)) + bytes(6) + octets).ljust(60, b"\0")


def is_arp(one):
    """Any ARP packet."""
    return one[12:14] == b"\x08\x06"


def asked(vmm):
    """Does the host answer when it is asked?"""
    vmm.send(who_has(HOST))
    return any(is_arp(one) and one[:6] == TAP for one in vmm.recv_all(0.1))


def test_host_stays_off(lan, host):
    """The host would answer ARP for any of its addresses on any interface; on one that belongs to
    a guest it does not, nor on one that it is given back later before that is over."""
    netns.veth(host, "vs-other", host, "vs-other2")
    host.ip("addr", "add", f"{HOST}/24", "dev", "vs-other")
    host.ip("tuntap", "add", "dev", "vst", "mode", "tap")
    host.ip("link", "set", "vst", "up")
    a = lan.guests["a"]
    with net.Tap(host, "vst") as vmm:
        wait_for(lambda: asked(vmm), bool)      # the host does answer, if it is let
        add(lan)
        lan.wait("t", lambda row: row["up"])
        vmm.recv_all(0)
        vmm.send(who_has(HOST))
        assert a.recv(10) == who_has(HOST)
        # The host would have answered before this comes through the switch.
        after = frame(TAP, A)
        vmm.send(frame(BROADCAST, TAP))
        assert a.recv(10) == frame(BROADCAST, TAP)
        cross(a, after)
        assert [vmm.recv(10), vmm.recv(0)] == [after, None]
        # Nor does the host send anything by itself.
        host.ip("neigh", "add", "10.9.8.8", "lladdr", text(TAP), "dev", "vst")
        host.ip("route", "add", "10.9.8.8/32", "dev", "vst")
        host.ping("10.9.8.8", seconds=1, check=False)
        assert vmm.recv_all(0) == []
        lan.daemon.check("port", "del", "t")
        wait_for(lambda: asked(vmm), bool)


def test_host_stays_off_while_the_switch_is_away(lan, host, vmswitchd):
    """The filters belong to the interface."""
    netns.veth(host, "vs-other", host, "vs-other2")
    host.ip("addr", "add", f"{HOST}/24", "dev", "vs-other")
    add(lan)
    with net.Tap(host, "vst") as vmm, netns.Station(host, "vst") as station:
        lan.wait("t", lambda row: row["up"])
        vmswitchd.kill()
        vmm.send(who_has(HOST))
        station.expect(who_has(HOST))           # so it did arrive
        vmm.send(who_has(HOST))
        station.expect(who_has(HOST))
        assert not [one for one in vmm.recv_all(0.1) if is_arp(one)]
        vmswitchd.start()


# ---- whose interface it is ----

def test_ours_is_removed(lan, host, vmswitchd):
    """What the switch made goes with its port."""
    add(lan)
    vmswitchd.check("port", "del", "t")
    assert "vst" not in host.links()


def test_theirs_stays(lan, host, vmswitchd):
    """What was there stays, and the host may use it again."""
    host.ip("tuntap", "add", "dev", "vst", "mode", "tap")
    before = host.link("vst")["ifindex"]
    add(lan)
    filters = host.exec("tc", "filter", "show", "dev", "vst", "ingress").stdout
    assert "bpf" in filters
    vmswitchd.check("port", "del", "t")
    assert host.link("vst")["ifindex"] == before
    for hook in ("ingress", "egress"):
        assert host.exec("tc", "filter", "show", "dev", "vst", hook).stdout == ""


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_ours_is_removed_in_a_later_life(lan, host, vmswitchd, end):
    """The interface outlives the switch, so that the VMM does; it is still ours afterwards."""
    add(lan)
    a = lan.guests["a"]
    with net.Tap(host, "vst") as vmm:
        lan.wait("t", lambda row: row["up"])
        getattr(vmswitchd, end)()
        assert "vst" in host.links()
        for n in range(20):
            vmm.send(frame(BROADCAST, TAP, seed=n))     # nobody is there, and the VMM goes on
        vmswitchd.start()
        vmswitchd.check("switch", "add", "lan", "type", "private")
        vmswitchd.check("port", "add", "a", "switch", "lan", "type", "guest", "socket", a.path)
        add(lan)
        a.reconnect()
        for name in "at":
            lan.wait(name, lambda row: row["up"])
        one = frame(BROADCAST, TAP, seed=99)
        vmm.send(one)
        while (got := a.recv(10)) != one:
            assert got is not None
        back = frame(TAP, A, seed=99)
        cross(a, back)
        vmm.expect(back)
    vmswitchd.check("port", "del", "t")
    assert "vst" not in host.links()


@pytest.mark.parametrize("words,said", [
    ("tap a/b", "'a/b'"),
    ("tap abcdefghijklmnop", "1 to 15 characters"),
    ("tap vst socket /tmp/t.sock", None),
    ("tap vst addr 10.9.0.1/24", "only a host port has addresses"),
    ("tap vst queues 2", "only a host port has queues"),
    ("tap vst mode client", "only a port with a socket has a mode"),
    ("tap vst mtu 67", "68"),
    ("tap vst mtu 65522", "65521"),
    ("tap lo", "interface lo is no TAP interface"),
    ("tap vs-other", "interface vs-other is no TAP interface"),
    ("tap vs-used", "vs-used belongs to port 'u' already"),
    ("tap vs-bridged", "belongs to a bridge or bond"),
    ("tap vs-tun", "interface vs-tun is no TAP interface"),
])
def test_refused(lan, host, vmswitchd, words, said):
    """Each names what is wrong; nothing is made."""
    netns.veth(host, "vs-other", host, "vs-other2")
    host.ip("link", "add", "vs-br", "type", "bridge")
    host.ip("tuntap", "add", "dev", "vs-tun", "mode", "tun")
    host.ip("tuntap", "add", "dev", "vs-bridged", "mode", "tap")
    host.ip("link", "set", "vs-bridged", "master", "vs-br")
    add(lan, name="u", ifname="vs-used")
    before = host.links()
    words = ("port", "add", "t", "switch", "lan", "type", "guest", *words.split())
    if said is None:
        done = vmswitchd.run(*words)
        assert done.returncode and done.stderr and len(vmswitchd.json("port", "show")) == 2
    else:
        vmswitchd.refuses(said, *words)
    assert host.links() == before


def test_not_changed_at_run_time(lan, vmm, vmswitchd):
    """What only a host port has."""
    vmswitchd.refuses("only a host port has addresses", "port", "set", "t", "addr", "10.9.0.1/24")
    vmswitchd.check("port", "set", "t", "mac", text(TAP))
    assert lan.fdb() == {text(TAP): "t"}
    one = frame(TAP, A)
    cross(lan.guests["a"], [frame(STRANGER, A), one])
    vmm.expect(one)


# ---- what the VMM is told ----

def test_qemu(lan, vmswitchd):
    """An emulated card on the TAP; no shared memory, no remarks."""
    add(lan, "mac", text(TAP))
    done = vmswitchd.run("port", "show", "t", "--qemu")
    assert shlex.split(done.stdout) == [
        "-netdev", "tap,id=net-t,ifname=vst,script=no,downscript=no,vhost=off",
        "-device", f"e1000,netdev=net-t,mac={text(TAP)}"]
    assert done.stderr == ""
    assert vmswitchd.json("port", "show", "t", "--qemu")[0]["qemu"] == shlex.split(done.stdout)


def test_libvirt(lan, vmswitchd):
    """The same for libvirt."""
    add(lan, "mac", text(TAP))
    top = xml.etree.ElementTree.fromstring(
        "<domain>" + vmswitchd.check("port", "show", "t", "--libvirt") + "</domain>")
    one = top.find("interface[@type='ethernet']")
    assert one.find("target").attrib == {"dev": "vst", "managed": "no"}
    assert one.find("mac").get("address") == text(TAP)
    assert one.find("model").get("type") == "e1000" and top.find("memoryBacking") is None


def test_descriptors(lan, vmswitchd):
    """Ports that come and go leave none open."""
    add(lan)
    vmswitchd.check("port", "del", "t")
    before = vmswitchd.fds()
    for _ in range(10):
        add(lan)
        vmswitchd.check("port", "del", "t")
    wait_for(vmswitchd.fds, lambda now: now <= before)
