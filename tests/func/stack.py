# SPDX-License-Identifier: BSD-3-Clause
"""A little network stack for a guest of ours: it answers ARP, neighbour solicitations and pings,
and pings others. A thread runs it, and the guest belongs to that thread until close().
"""

import threading
import time

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import ARP, Ether
from scapy.utils6 import in6_getnsmac, in6_getnsma
from scapy.pton_ntop import inet_ntop, inet_pton
from socket import AF_INET6

PAUSE = 0.02        # seconds between two looks at what is to be sent


class Stack:
    """The stack of one guest. Survives the switch: it reconnects when there is one again."""

    def __init__(self, guest, ip4="10.9.0.2", ip6="fd09::2"):
        self.guest, self.ip4, self.ip6 = guest, ip4, ip6
        self.mac = guest.mac.hex(":")
        self.answered = 0           # echo requests
        self.neighbours = {}        # {address: MAC}
        self.heard = {}             # {address: bytes of the last echo reply's payload}
        self.outbox = []
        self.failure = None
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    # -- what it answers

    def _arp(self, arp):
        self.neighbours[arp.psrc] = arp.hwsrc
        if arp.op == 1 and arp.pdst == self.ip4:
            return Ether(src=self.mac, dst=arp.hwsrc) / ARP(
                op=2, hwsrc=self.mac, psrc=self.ip4, hwdst=arp.hwsrc, pdst=arp.psrc)
        return None

    def _ip4(self, frame):
        ip = frame[IP]
        if ip.dst != self.ip4 or ICMP not in ip:
            return None
        icmp = ip[ICMP]
        if icmp.type == 0:
            self.heard[ip.src] = bytes(icmp.payload)
        if icmp.type != 8:
            return None
        self.answered += 1
        return (Ether(src=self.mac, dst=frame.src) / IP(src=self.ip4, dst=ip.src)
                / ICMP(type=0, id=icmp.id, seq=icmp.seq) / bytes(icmp.payload))

    def _ip6(self, frame):
        ip = frame[IPv6]
        if ICMPv6ND_NA in ip:
            self.neighbours[ip[ICMPv6ND_NA].tgt] = frame.src
        elif ICMPv6ND_NS in ip and ip[ICMPv6ND_NS].tgt == self.ip6:
            return (Ether(src=self.mac, dst=frame.src) / IPv6(src=self.ip6, dst=ip.src)
                    / ICMPv6ND_NA(tgt=self.ip6, R=0, S=1, O=1)
                    / ICMPv6NDOptDstLLAddr(lladdr=self.mac))
        elif ip.dst == self.ip6 and ICMPv6EchoReply in ip:
            self.heard[ip.src] = bytes(ip[ICMPv6EchoReply].data)
        elif ip.dst == self.ip6 and ICMPv6EchoRequest in ip:
            self.answered += 1
            echo = ip[ICMPv6EchoRequest]
            return (Ether(src=self.mac, dst=frame.src) / IPv6(src=self.ip6, dst=ip.src)
                    / ICMPv6EchoReply(id=echo.id, seq=echo.seq, data=echo.data))
        return None

    def _answer(self, frame):
        frame = Ether(frame)
        if ARP in frame:
            return self._arp(frame[ARP])
        if IP in frame:
            return self._ip4(frame)
        return self._ip6(frame) if IPv6 in frame else None

    # -- the thread

    def _turn(self):
        while self.outbox:
            self.guest.send(self.outbox.pop(0))
        frame = self.guest.recv(PAUSE)
        answer = self._answer(frame) if frame else None
        if answer is not None:
            self.guest.send(bytes(answer))

    def _reconnect(self):
        while not self._stop:
            try:
                self.guest.reconnect(0.5)
                return
            except OSError:             # nobody is there yet; recv() would not say so again
                continue

    def _run(self):
        while not self._stop:
            try:
                self._turn()
            except OSError:             # the switch is gone, or does not take frames
                self._reconnect()
            except Exception as error:  # to be told by close(), whatever it is
                self.failure = error
                return

    # -- what it asks

    def _ask(self, frame, done, timeout):
        """Send a frame again and again until done() is true; returns whether it was."""
        end = time.monotonic() + timeout
        again = 0.0
        while not done():
            now = time.monotonic()
            if now > end:
                return False
            if now >= again:
                self.outbox.append(bytes(frame))
                again = now + 0.3
            time.sleep(0.002)
        return True

    def _resolve(self, address, timeout):
        if ":" not in address:
            ask = Ether(src=self.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(
                op=1, hwsrc=self.mac, psrc=self.ip4, hwdst="00:00:00:00:00:00", pdst=address)
        else:
            group = in6_getnsma(inet_pton(AF_INET6, address))
            ask = (Ether(src=self.mac, dst=in6_getnsmac(group))
                   / IPv6(src=self.ip6, dst=inet_ntop(AF_INET6, group), hlim=255)
                   / ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=self.mac))
        return self._ask(ask, lambda: address in self.neighbours, timeout)

    def ping(self, address, size=56, timeout=10.0):
        """Resolve an address and ping it; returns whether it answered, and with what was sent."""
        self.neighbours.pop(address, None)
        self.heard.pop(address, None)
        if not self._resolve(address, timeout):
            return False
        body = bytes(n & 0xff for n in range(size))
        ether = Ether(src=self.mac, dst=self.neighbours[address])
        if ":" in address:
            ask = ether / IPv6(src=self.ip6, dst=address) / ICMPv6EchoRequest(id=1, data=body)
        else:
            ask = ether / IP(src=self.ip4, dst=address) / ICMP(type=8, id=1) / body
        return self._ask(ask, lambda: self.heard.get(address) == body, timeout)

    def close(self):
        """Stop; the guest may be used again."""
        self._stop = True
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._stop = True
        self._thread.join()
        if self.failure is not None and exc[0] is None:
            raise self.failure
