"""Calls overheard: for each tool that listens a socket, a filter and a queue that is never long.

While nobody listens, a call meets none of this. Whoever listens costs little by looking at few calls, and never more
than that: what a socket does not take waits up to a limit, and beyond that is counted instead of kept.
"""

from __future__ import annotations

import os
from _socket import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from math import log
from random import random
from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any

from gevent import get_hub

from thriftserver.assignment import Program
from thriftserver.capture.pieces import cut
from thriftserver.capture.reading import kept
from thriftserver.capture.records import Began, Heard, Lost, Schema, written
from thriftserver.capture.schemas import schema_of
from thriftserver.capture.wanted import Filter, Wanted
from thriftserver.dialect.inside import message_in

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call
    from thriftserver.rpc.method import Method
    from thriftserver.worker.pump import Pump

#: Bytes that wait for one tool, at most.
LIMIT = 4 << 20
#: Seconds in which records gather, so that one message takes many, and bytes that do not wait for more.
GATHER, EARLY = 0.1, 1 << 17
_READ, _WRITE = 1, 2


class Tap:
    """One tool that listens: ``take`` its calls, until it is gone (``over``)."""

    def __init__(self, sock: socket, wanted: Wanted, schema: Schema, ended: Callable[[], None]) -> None:
        sock.setblocking(False)
        self.wanted = wanted
        self.filter = Filter(wanted)
        self.schema = schema.id
        self.over = False
        self._ended = ended
        self._sock = sock
        self._pid = os.getpid()
        self._lost = 0
        self._gathered = bytearray(written(schema) + written(Began(self._pid)))
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        loop = get_hub().loop
        self._timer: Any = loop.timer(GATHER)
        self._writable: Any = loop.io(sock.fileno(), _WRITE)
        self._gone: Any = loop.io(sock.fileno(), _READ)
        self._gone.start(self._look)
        self.flush()

    def has_room(self) -> bool:
        """Is there room for one more call? One for which there is none is counted."""
        room = self._waiting + len(self._gathered) < LIMIT
        self._lost += not room
        return room

    def take(self, record: bytes) -> None:
        if not self._gathered and not self._waiting:
            self._timer.start(self.flush)
        self._gathered += record
        if len(self._gathered) >= EARLY and not self._waiting:
            self.flush()

    def flush(self) -> None:
        """Send what the socket takes; go on when it takes more."""
        self._timer.stop()
        if self.over:
            return
        if self._lost and self._waiting < LIMIT:
            self._gathered += written(Lost(self._pid, self._lost))
            self._lost = 0
        for piece in cut(self._pid, self._gathered):
            self._pieces.append(piece)
            self._waiting += len(piece)
        self._gathered.clear()
        try:
            while self._pieces:
                self._sock.send(self._pieces[0])
                self._waiting -= len(self._pieces.popleft())
            self._writable.stop()
        except BlockingIOError:
            self._writable.start(self.flush)
        except OSError:
            self.close()

    def _look(self) -> None:
        """The tool never says anything: what can be read is the end."""
        try:
            if self._sock.recv(1):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()

    def close(self) -> None:
        if not self.over:
            self.over = True
            for watcher in (self._timer, self._writable, self._gone):
                watcher.stop()
            self._pieces.clear()
            self._gathered.clear()
            # Others share the socket, so the loop's epoll set must have let go of it before it is closed here.
            self._timer.start(self._sock.close)
            self._ended()

    def disown(self) -> None:
        """In a forked child, whose loop is another one."""
        self.over = True
        self._sock.close()


class Taps:
    """All of them, as ``pump.tap`` while there is one. To be used in the loop alone."""

    def __init__(self, pump: Pump, program: Program) -> None:
        self._pump = pump
        self._program = program
        self._taps: list[Tap] = []
        self._share = 1.0
        self._schema: Schema | None = None
        self._pid = os.getpid()
        #: From this process's monotonic clock to nanoseconds since 1970.
        self._epoch = 0

    def add(self, sock: socket, wanted: Wanted) -> None:
        """Somebody listens from now on."""
        if self._schema is None:
            self._schema = schema_of(self._program.modules, self._program.services, self._program.loader)
        self._taps.append(Tap(sock, wanted, self._schema, self._count))
        self._epoch = time_ns() - monotonic_ns()
        self._count()

    def _count(self) -> None:
        """Those that are gone are left out; without any, calls meet nothing of this."""
        self._taps = [tap for tap in self._taps if not tap.over]
        self._share = max((tap.wanted.share for tap in self._taps), default=0.0)
        self._pump.untapped = 0
        self._pump.tap = self if self._taps else None

    def flush(self) -> None:
        """Send what has gathered: this worker ends."""
        for tap in list(self._taps):
            tap.flush()

    def gap(self) -> int:
        """After how many calls one is looked at again."""
        return 1 if self._share >= 1 else int(log(1 - random()) / log(1 - self._share)) + 1

    def taking(
        self, call: Call, method: Method, outcome: str, header: Any
    ) -> Callable[[bytes, bytes, bytes], None] | None:
        """What takes the bytes of this call, if anybody wants it and has room for it.

        It is given what the call came in, what that was read from, and the message of the reply, empty for none.
        """
        duration = monotonic_ns() - call.received
        takers = [
            tap
            for tap in self._taps
            if (tap.wanted.share >= self._share or random() < tap.wanted.share / self._share)
            and tap.filter.fits(call.service, call.method, call.peer, outcome, duration)
            and tap.has_room()
        ]
        return partial(self._keep, takers, call, method, outcome, header, duration) if takers else None

    def _keep(
        self,
        takers: list[Tap],
        call: Call,
        method: Method,
        outcome: str,
        header: Any,
        duration: int,
        data: bytes,
        opened: bytes,
        reply: bytes,
    ) -> None:
        protocol = header.protocol.name
        request = message_in(call.dialect, data, opened)
        for tap in takers:
            wanted = tap.wanted
            shown, told, arguments, answer = kept(method.function, protocol, request, reply, wanted.secrets)
            heard = Heard(
                tap.schema,
                self._pid,
                call.received + self._epoch,
                duration,
                call.started - call.received,
                call.service,
                call.method,
                call.peer,
                call.dialect,
                protocol,
                call.oneway,
                outcome,
                len(request),
                len(reply),
                shown,
                told,
                arguments,
                answer,
                dict(header.infos or {}) if wanted.headers else None,
            )
            tap.take(written(heard))

    def disown(self) -> None:
        """In a forked child: what is said there is nobody's business."""
        self._pump.tap = None
        for tap in self._taps:
            tap.disown()
