"""Connections of the admin address: who may be in, for how long, and that nobody keeps others out.

Whatever a peer does, slowly or often, costs it its connection and others nothing: every phase has a limit as a whole,
and when too many are in, the one that has kept us waiting longest leaves. What is asked and answered it does not know.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import gevent
from gevent import Timeout

from thriftserver.admin.http import MAX_HEAD, Refusal, Request, Response, encode, end_of_head, read_head

#: Connections that may be in at once, of which so many may run what takes long; a person and a Prometheus need ten.
CONNECTIONS = 200
#: Bytes of answers that may wait for peers to read them.
UNREAD = 64 << 20
#: Seconds for a request's head, for its body, for reading an answer, and between requests; each as a whole.
HEAD, BODY, READ, IDLE = 10.0, 10.0, 30.0, 30.0
#: Seconds in which a peer that was refused may read why.
FAREWELL = 1.0
#: Bytes of an answer that the kernel takes at once: who reads nothing gets no more made for it.
SENT = 65_536
#: Connections let in before those that are in get a turn.
AT_ONCE = 16
#: Seconds until there may be descriptors again.
PAUSE = 0.1


class Door:
    """Serves ``answer`` on listeners; it must not raise, and runs in a greenlet of its connection."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self._doors: list[Any] = []
        #: Those that are in, who has made no progress for longest first.
        self._inside: dict[_Visit, None] = {}
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = CONNECTIONS if soft == resource.RLIM_INFINITY else max(min(CONNECTIONS, soft // 2), 1)
        self.closing = False

    def open(self, listener: Any) -> None:
        """Let connections in from now on; ``listener`` is a cooperative socket."""
        self._doors.append(gevent.spawn(self._accept, listener))

    def close(self, grace: float) -> None:
        """Let nobody in any more; who is being answered may read it for ``grace`` seconds."""
        self.closing = True
        gevent.killall(self._doors)
        for visit in list(self._inside):
            if visit.waiting:
                visit.leave()
        gevent.joinall([visit.fiber for visit in self._inside], timeout=grace)

    def _accept(self, listener: Any) -> None:
        for number in count(1):
            try:
                client, _ = listener.accept()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT)
            except OSError:  # a peer that has left already, or no descriptor
                gevent.sleep(PAUSE)
                continue
            while len(self._inside) >= self._most and self._make_room():
                pass
            visit = _Visit(client, self)
            self._inside[visit] = None
            visit.fiber = gevent.spawn(visit.run)
            if number % AT_ONCE == 0:
                gevent.sleep(0)  # whoever is in gets a turn, however many stand outside

    def _make_room(self, keep: _Visit | None = None) -> bool:
        """Send away who has kept us waiting longest; False when nobody has."""
        for visit in self._inside:
            if not visit.busy and visit is not keep:
                visit.leave()
                return True
        return False

    # What visits tell.

    def ask(self, request: Request) -> Response:
        return self._answer(request)

    def progressed(self, visit: _Visit) -> None:
        """It has asked, or read, something whole."""
        if visit in self._inside:
            self._inside[visit] = self._inside.pop(visit)

    def hold(self, visit: _Visit) -> None:
        """Its answer waits to be read: there is a limit to what all of them hold."""
        while sum(each.unread for each in self._inside) > UNREAD and self._make_room(visit):
            pass

    def left(self, visit: _Visit) -> None:
        self._inside.pop(visit, None)


class _Visit:
    """One connection, with any number of requests, one after the other."""

    __slots__ = ("busy", "client", "door", "fiber", "received", "unread", "waiting")

    def __init__(self, client: Any, door: Door) -> None:
        self.client = client
        self.door = door
        self.fiber: Any = None
        self.received = bytearray()
        #: It waits for nothing but us.
        self.busy = False
        #: It has asked nothing that is not answered.
        self.waiting = True
        #: Bytes of its answer.
        self.unread = 0

    def leave(self) -> None:
        self.door.left(self)
        self.fiber.kill(block=False)

    def run(self) -> None:
        with suppress(OSError, Timeout):  # gone, or too slow: nobody is there to tell
            try:
                while self._turn() and not self.door.closing:
                    pass
            finally:
                self.door.left(self)
                self.client.close()

    def _turn(self) -> bool:
        """One request and its answer; whether there may be another one."""
        self.waiting = True
        try:
            request = self._request()
            if request is None:
                return False
        except Refusal as refusal:
            self._say(encode(refusal.response()))
            self._linger()
            return False
        self.busy, self.waiting = True, False
        try:
            response = self.door.ask(request)
        finally:
            self.busy = False
        lasting = request.lasting and not self.door.closing
        self._say(encode(response, head_only=request.method == "HEAD", lasting=lasting))
        if lasting:
            gevent.sleep(0)  # it may have asked a hundred things at once
        else:
            self._linger()
        return lasting

    def _request(self) -> Request | None:
        """The next request, None when the peer has no more. Raises Refusal, or Timeout when nothing comes."""
        if not self.received:
            with Timeout(IDLE):
                if not self._receive():
                    return None
        with _within(HEAD, "the request's head"):
            while not (size := end_of_head(self.received)):
                if not self._receive():
                    return None
        head = bytes(self.received[:size])
        del self.received[:size]
        request = read_head(head)
        with _within(BODY, "the request's body"):
            if len(self.received) < request.size and request.headers.get("expect", "").lower() == "100-continue":
                self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(self.received) < request.size:
                if not self._receive():
                    return None
        request.body = bytes(self.received[: request.size])
        del self.received[: request.size]
        self.door.progressed(self)
        return request

    def _receive(self) -> bool:
        data = self.client.recv(MAX_HEAD)
        self.received += data
        return bool(data)

    def _say(self, data: bytes) -> None:
        self.unread = len(data)
        self.door.hold(self)
        with Timeout(READ):
            self.client.sendall(data)
        self.unread = 0
        self.door.progressed(self)

    def _linger(self) -> None:
        """Take in what is still coming, so that no reset overtakes what was said."""
        self.client.shutdown(socket.SHUT_WR)
        with Timeout(FAREWELL):
            while self.client.recv(MAX_HEAD):
                pass


class _within:  # noqa: N801 - used like a function
    """As ``Timeout``, for what a peer can be told about: 408 and what took too long."""

    def __init__(self, seconds: float, what: str) -> None:
        self._timeout = Timeout(seconds)
        self._what = f"{what} took longer than {seconds:g} s"

    def __enter__(self) -> None:
        self._timeout.start()

    def __exit__(self, _kind: object, error: object, _traceback: object) -> None:
        self._timeout.close()
        if error is self._timeout:
            raise Refusal("408 Request Timeout", self._what) from None
