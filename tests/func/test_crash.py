# SPDX-License-Identifier: BSD-3-Clause
"""kill -9: of the switch while two guests talk, and of guests while others do."""

import errno
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

import vsguest_ffi
from frames import mac, text
from victim import number_of, numbered
from vsguest import Guest
from watch import wait_for

BURST = 64              # frames that a crash may repeat (VS_BURST_MAX)
WINDOW = 128            # frames under way at the most: the receiver's ring never fills up
LIMIT = 20.0            # seconds; what is measured is far less, and printed
SENDER, RECEIVER = mac(1), mac(2)


class Talk:
    """Numbered frames from guest a to guest b, and a count of those that came."""

    def __init__(self, a, b):
        self.a, self.b = a, b
        self.sent, self.got, self.highest = 0, Counter(), -1

    def send(self, n):
        """Put up to n more frames into a's ring, as far as the window and the ring allow."""
        self.probe(min(n, WINDOW - (self.sent - 1 - self.highest)))

    def probe(self, n=1):
        """Send n frames whatever is under way: all of that may have been dropped by a switch that
        had the sender back, and not yet the receiver."""
        for _ in range(n):
            self.a.send(numbered(RECEIVER, SENDER, self.sent))
            self.sent += 1

    def receive(self, timeout=0.0):
        """Take what has come."""
        while (frame := self.b.recv(timeout)) is not None:
            assert frame[:12] == RECEIVER + SENDER
            number = number_of(frame)
            assert frame == numbered(RECEIVER, SENDER, number)
            self.got[number] += 1
            self.highest = max(self.highest, number)

    def run(self, frames):
        """Send and receive so many frames; it may take long, but it must not stand still."""
        goal = self.sent + frames
        seen, end = self.highest, time.monotonic() + LIMIT
        while self.highest < goal - 1:
            assert time.monotonic() < end, f"{self.highest + 1} of {goal} frames came"
            self.send(min(16, goal - self.sent))
            self.receive(0.0005)
            if self.highest > seen:
                seen, end = self.highest, time.monotonic() + LIMIT

    def until_dead(self):
        """Go on until both have noticed that the switch is gone. What was delivered before is in
        the ring, and is taken out first."""
        for guest in (self.a, self.b):
            assert guest.wait_closed(5)
        with pytest.raises(OSError) as info:
            while True:
                self.receive()
                self.b.recv(0.01)
        assert info.value.errno == errno.ENOTCONN

    def repeated(self):
        """Frames that came more than once."""
        return sum(n - 1 for n in self.got.values())

    def lost(self):
        """Frames that the switch gave back as sent, and that did not come."""
        return sum(n not in self.got for n in range(self.sent))


def set_up(daemon, rundir):
    """The commands of an administrator, before and after the crash."""
    daemon.check("switch", "add", "lan", "type", "private")
    for name in "ab":
        daemon.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                     rundir / f"{name}.sock")


@pytest.mark.parametrize("first", ["receiver", "sender"])
@pytest.mark.parametrize("when", ["between bursts", "in the middle of one"])
def test_kill_the_switch(vmswitchd, rundir, lan, first, when):
    """The switch dies under traffic and comes back: so does the traffic, without a word from the
    guests. One burst may come twice; nothing that was given back as sent is lost beyond what the
    new switch counts as dropped."""
    talk = Talk(lan.add("a", mac=SENDER), lan.add("b", mac=RECEIVER))
    talk.run(1000)
    if when != "between bursts":
        talk.send(WINDOW)
    vmswitchd.kill()
    killed = time.monotonic()
    talk.until_dead()
    talk.send(20)           # guests go on sending while nobody is there
    vmswitchd.start()
    set_up(vmswitchd, rundir)
    order = (talk.b, talk.a) if first == "receiver" else (talk.a, talk.b)
    for guest in order:
        guest.reconnect()
    before = sum(talk.got.values())
    end = time.monotonic() + LIMIT
    while sum(talk.got.values()) == before:
        assert time.monotonic() < end
        talk.receive(0.01)
        talk.probe()
    back = time.monotonic() - killed
    assert back < LIMIT
    talk.run(500)
    talk.a.flush()
    talk.receive(0.05)
    dropped = sum(vmswitchd.drops("a").values()) + sum(vmswitchd.drops("b").values())
    print(f"traffic back after {back * 1000:.0f} ms; {talk.repeated()} repeated, "
          f"{talk.lost()} lost, {dropped} dropped, of {talk.sent}")
    assert talk.repeated() <= BURST
    assert talk.lost() <= dropped
    if first == "receiver":
        assert talk.lost() == 0


def test_kill_the_switch_again_and_again(vmswitchd, rundir, lan):
    """Five crashes in a row, at a different moment each."""
    talk = Talk(lan.add("a", mac=SENDER), lan.add("b", mac=RECEIVER))
    times = []
    for n in range(5):
        talk.run(100 + 37 * n)
        talk.send(10 * n)
        vmswitchd.kill()
        killed = time.monotonic()
        talk.until_dead()
        vmswitchd.start()
        set_up(vmswitchd, rundir)
        talk.b.reconnect()
        talk.a.reconnect()
        talk.run(10)
        times.append(time.monotonic() - killed)
    talk.a.flush()
    talk.receive(0.05)
    print("traffic back after", ", ".join(f"{t * 1000:.0f} ms" for t in times))
    assert max(times) < LIMIT
    assert talk.repeated() <= 5 * BURST and talk.lost() == 0


def test_kill_the_switch_that_listens(vmswitchd, rundir, lan):
    """In server mode its socket files are left over; the next switch takes their place, and the
    guests connect anew."""
    a = lan.add("a", "mode", "server", server=False, mac=SENDER)
    b = lan.add("b", "mode", "server", server=False, mac=RECEIVER)
    talk = Talk(a, b)
    talk.run(200)
    vmswitchd.kill()
    talk.until_dead()
    assert (rundir / "a.sock").exists()
    vmswitchd.start()
    vmswitchd.check("switch", "add", "lan", "type", "private")
    for name in "ab":
        vmswitchd.check("port", "add", name, "switch", "lan", "type", "guest", "socket",
                        rundir / f"{name}.sock", "mode", "server")
    b.reconnect()
    a.reconnect()
    talk.run(200)
    assert talk.lost() == 0 and talk.repeated() <= BURST


def test_hang_up_under_traffic(lan, victim):
    """A guest is gone in the middle of its own and others' frames, 20 times."""
    target = mac(0x77)
    for n in range(20):
        guest = lan.add("gone", mac=target) if n == 0 else again(lan, target)
        guest.send_many([numbered(b"\xff" * 6, target, i) for i in range(32)])
        guest.send_many([numbered(victim.a.mac, target, i, 1500) for i in range(100)])
        guest.close()
        lan.wait("gone", lambda r: not r["up"])
    victim.check()


def again(lan, address):
    """The guest of port `gone` is there once more."""
    guest = lan.guests["gone"] = Guest(lan.rundir / "gone.sock", mac=address)
    guest.start()
    lan.wait("gone", lambda r: r["up"])
    return guest


PROGRAM = """
import sys
from vsguest import Guest
guest = Guest(sys.argv[1])
guest.start()
print("up", flush=True)
frame = bytes.fromhex(sys.argv[2]) + bytes(1000)
while True:
    guest.send(frame, timeout=60)
    guest.recv(0)
"""


def test_kill_a_guest(lan, victim):
    """The whole process of a guest is killed while it sends as fast as it can; its port is down at
    once, and a new one takes its place."""
    path = lan.rundir / "killed.sock"
    lan.daemon.check("port", "add", "killed", "switch", "lan", "type", "guest", "socket", path)
    env = dict(os.environ, VSGUEST_LIB=vsguest_ffi.lib._name,
               PYTHONPATH=os.path.dirname(vsguest_ffi.__file__))
    # To somebody who takes nothing: his buffers run out, and only his.
    lan.add("sink", "mac", text(mac(0x99)), mac=mac(0x99))
    frame = (mac(0x99) + mac(0x78) + b"\x88\xb6").hex()
    for _ in range(3):
        before = lan.stats("killed")["received"]
        one = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), frame], env=env,
                               stdout=subprocess.PIPE)
        try:
            assert one.stdout.readline() == b"up\n"
            wait_for(lambda: lan.stats("killed")["received"], lambda n: n > before + 200)
        finally:
            one.kill()
            one.wait()
            one.stdout.close()
        begin = time.monotonic()
        lan.wait("killed", lambda r: r["state"] == "waiting")
        assert time.monotonic() - begin < LIMIT
    victim.check()
    assert lan.daemon.drops("sink").keys() == {"rx_full"}
