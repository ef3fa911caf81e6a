# SPDX-License-Identifier: BSD-3-Clause
"""Ports of a switch that somebody else runs: the generator takes the places of their guests, and
nothing is set up or counted on the switch's side."""

import dataclasses

from .peers import Peer
from .procs import BenchError
from .workloads import ALL

USUAL = ("pair-64", "pair-1514")


class Attached(Peer):
    """The user's own ports."""

    name, title = "attached", "ports of a running switch"
    learns = tso = True

    def __init__(self, lab, args):
        super().__init__(lab)
        self.sockets = args.attach
        self.words = ("--connect",) if args.attach_connect else ()
        self.max_guests = args.attach_guests
        if "%u" not in self.sockets:
            raise BenchError("the pattern of --attach has no %u for the number of the guest")

    def start(self, sockets):
        """The switch runs already."""

    @staticmethod
    def workloads(args, names):
        """The workloads that can be made with so many ports and without commands to the switch."""
        chosen = [ALL[name] for name in names or USUAL]
        for one in chosen:
            if one.kind not in ("closed", "fair", "loss", "latency") or one.way or one.static or (
                    one.needs not in ("", "TSO")):
                raise BenchError(f"{one.name} cannot be measured on attached ports")
            if one.flow != "pairs" and one.guests > args.attach_guests:
                raise BenchError(f"{one.name} needs {one.guests} ports")
        return [dataclasses.replace(one, peers="all",
                                    guests=args.attach_guests if one.flow == "pairs"
                                    else one.guests) for one in chosen]
