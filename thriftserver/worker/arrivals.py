"""Connections that a proxy has made, until it has said whose they are (PROXY protocol).

Then they are connections like others. Whoever may not say so is served as who it is: what it says is for ``dialect``.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gevent import get_hub

from thriftserver.compiled import choose
from thriftserver.handoff import Parcel
from thriftserver.peers import UNANNOUNCED, Introduction
from thriftserver.proxied import PATIENCE, Announcement, BrokenHeader, Trusted
from thriftserver.scoreboard import layout
from thriftserver.worker.accept import plain_socket
from thriftserver.worker.forked import close

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thriftserver.worker.loop import Loop
    from thriftserver.worker.pump import Member
else:
    Member = choose("worker.pump").Member


class Arrival(Member):
    """One of them; ``peer`` is the proxy's own name."""

    transport = None  # nothing of what it speaks is known

    def __init__(self, fd: int, peer: str, heard: bytes, arrivals: Arrivals) -> None:
        super().__init__(fd)
        self.urgent = True
        self.peer = peer
        self.announcement = Announcement(heard)
        self.arrivals = arrivals
        self.timer: Any = None

    def on_ready(self, _seat: Any) -> None:
        self.arrivals.go_on(self)


class Arrivals:
    """All that a worker has. ``networks`` are those of proxies that are believed."""

    def __init__(self, loop: Loop, networks: Sequence[str]) -> None:
        self._loop = loop
        self._trusted = Trusted(networks)

    @property
    def are_expected(self) -> bool:
        """Is there any proxy that is believed?"""
        return bool(self._trusted)

    def welcome(self, fd: int, peer: str) -> None:
        """A new connection, whoever has made it."""
        if self._trusted.have(peer.rpartition(":")[0].strip("[]")):
            self.expect(fd, peer, b"")
        else:
            self._loop.adopt(fd, peer)

    def expect(self, fd: int, peer: str, heard: bytes) -> None:
        """A connection that begins with a header, of which so much has been ``heard``."""
        arrival = Arrival(fd, peer, heard, self)
        self._loop.hold(arrival)
        arrival.timer = get_hub().loop.timer(PATIENCE)
        arrival.timer.start(self._refuse, arrival, f"is not whole after {PATIENCE:.0f} s")
        self.go_on(arrival)  # it is there already, nearly always

    def go_on(self, arrival: Arrival) -> None:
        pump = self._loop.pump
        if pump.closing:
            os.close(self._release(arrival))
            return
        if pump.draining:
            self._hand_over(arrival)
            return
        sock = plain_socket(fileno=arrival.fd)
        try:
            heading = arrival.announcement.hear(sock)
        except BrokenHeader as problem:
            self._refuse(arrival, str(problem))
        except (OSError, EOFError):  # somebody has looked whether the port is open
            os.close(self._release(arrival))
        else:
            if heading is not None:
                self._loop.adopt(self._release(arrival), heading.peer(arrival.peer))
        finally:
            sock.detach()

    def _refuse(self, arrival: Arrival, why: str) -> None:
        self._loop.processor.slot.add(layout.COUNTER["proxy_refused"], 1)
        self._loop.log.warning("proxy_refused", peer=arrival.peer, reason=f"the PROXY protocol's header {why}")
        os.close(self._release(arrival))

    def _hand_over(self, arrival: Arrival) -> None:
        known = Introduction(arrival.peer, UNANNOUNCED).write()
        if self._loop.pass_on(Parcel(arrival.fd, known + arrival.announcement.heard)):
            os.close(self._release(arrival))
        else:
            self._loop.try_later(arrival)

    def _release(self, arrival: Arrival) -> int:
        """It leaves the set; its descriptor."""
        arrival.timer.close()
        self._loop.release(arrival)
        fd, arrival.fd = arrival.fd, -1
        return fd

    def disown(self) -> None:
        """In a forked child: let go of them."""
        for member in self._loop.pump.members:
            if isinstance(member, Arrival):
                fd, member.fd = member.fd, -1
                with suppress(OSError):  # the handler has closed it behind our back
                    close(fd)
