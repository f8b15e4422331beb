"""A server within the test's process: a listening port, a thread for each connection, and the real processor.

Calls are read, run and answered as a worker does; what keeps a service up is not here: no signals, reloads, limits,
metrics or log. Without gevent, so the standard library stays as it is.
"""

from __future__ import annotations

import functools
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from thriftserver.compiled import choose
from thriftserver.dialect.detect import Ear
from thriftserver.dialect.table import chosen, require
from thriftserver.dialect.verdict import BROKEN, START
from thriftserver.errors import ConfigError, EncodeError, WireError
from thriftserver.foreign import text_of
from thriftserver.rpc.binding import LIFECYCLE, Bound, place_of
from thriftserver.rpc.hangup import HungUp
from thriftserver.rpc.method import Method, make_methods
from thriftserver.rpc.types import load_types
from thriftserver.scoreboard import layout
from thriftserver.testing.failures import PATIENCE, Failure, Failures
from thriftserver.testing.given import Given

if TYPE_CHECKING:
    from thriftserver.dialect.transport import Transport
    from thriftserver.rpc.call import Call

#: What of ``thriftserver run`` is to be had here; the rest is about processes, time and operators.
OPTIONS = frozenset(
    ("include", "types", "max_frame", "dialect", "http", "http_cors", "request_timeout", "method_timeout", "middleware")
)


class InProcess:
    """Serves from now on. The processor is one thread's at a time, as in a worker; handlers run beside each other."""

    log = ""

    def __init__(self, given: Given, failures: Failures) -> None:
        for name in given.options:
            if name not in OPTIONS:
                raise ConfigError(f"options: {name!r} is for `thriftserver run`; with workers=1 that is what serves")
        settings = given.settings
        require(settings.dialect, settings.http, settings.http_cors)
        self._failures = failures
        self._lock = threading.Lock()
        self._bound = given.bound()
        types = load_types(settings.types, self._bound)
        limits = settings.request_timeout, dict(settings.method_timeout)
        self._methods = make_methods(self._bound, given.chain(), *limits, types=types)
        self._places = {(each.service, each.name): place_of(each.target) for each in self._methods}
        for method in self._methods:
            method.target = self._unlocked(method.target)
            method.chain = method.chain and self._unlocked(method.chain)
        self._processor = choose("rpc.processor").Processor(
            self._methods, _slot(self._methods), self._failed, settings.max_frame, observers=[self._settled]
        )
        self._hung_up = False
        taken = chosen(settings.dialect, settings.http)
        self._ear = Ear(settings.max_frame, taken, settings.http_cors)
        for each in self._bound:
            _lifecycle(each, "setup")
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.host, self.port = self._listener.getsockname()
        self._end = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._acceptor = threading.Thread(target=self._accept, name=f"thriftserver :{self.port}", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Serve what was received, and end. Raises AssertionError for a call that does not come to its end."""
        os.eventfd_write(self._end, 1)
        self._acceptor.join()
        os.close(self._end)
        self._listener.close()
        connections = list(self._connections.items())
        until = time.monotonic() + PATIENCE
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):  # a peer that reads no answers is cut off in the end
            for _, sock in connections:
                with suppress(OSError):  # it has been closed
                    sock.shutdown(how)
            for thread, _ in connections:
                thread.join(max(until - time.monotonic(), 0.1))
        stuck = [thread for thread, _ in connections if thread.is_alive()]
        for each in reversed(self._bound):
            _lifecycle(each, "teardown")
        if stuck:
            stacks = "\n".join(map(_stack, stuck))
            raise AssertionError(f"a call has not come to its end {PATIENCE:g} s after the test:\n{stacks}")

    def _accept(self) -> None:
        watch = select.poll()
        watch.register(self._listener, select.POLLIN)
        watch.register(self._end, select.POLLIN)
        while True:
            ending = self._end in dict(watch.poll())
            with suppress(BlockingIOError):
                while True:  # at the end, too: who has connected may have sent a oneway
                    self._take(*self._listener.accept())
            if ending:
                return

    def _take(self, sock: socket.socket, address: tuple[str, int]) -> None:
        peer = f"{address[0]}:{address[1]}"
        thread = threading.Thread(target=self._talk, args=(sock, peer), name=f"thriftserver {peer}", daemon=True)
        self._connections = {each: its for each, its in self._connections.items() if each.is_alive()} | {thread: sock}
        thread.start()

    def _talk(self, sock: socket.socket, peer: str) -> None:
        """One connection to its end."""
        with sock, suppress(OSError):  # the peer is gone
            sock.setblocking(True)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(sock, peer)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65_536):  # what is closed with bytes unread loses its last answer
                pass

    def _serve(self, sock: socket.socket, peer: str) -> None:
        """Answer messages until there are no more, or none can follow."""
        held, transport, ended = bytearray(), None, False
        while not ended:
            data = sock.recv(65_536)
            held += data
            ended = not data
            while held:
                transport = transport or self._ear.detect(bytes(held[:START]), ended)
                length = 0 if transport is None else transport.measure(held, ended)
                if transport is None or (length <= 0 and length != BROKEN):
                    break
                if length == BROKEN:
                    sock.sendall(transport.refuse(bytes(held[:START])).answer)
                    return
                message = bytes(held[:length])
                del held[:length]
                transport.advance()
                answer, last = self._answer(transport, message, peer)
                sock.sendall(answer)
                if last:
                    return
            if transport is not None and transport.interim:
                sock.sendall(transport.interim)
                transport.interim = b""

    def _answer(self, transport: Transport, message: bytes, peer: str) -> tuple[bytes, bool]:
        """What goes back for a message, and whether it is the last one."""
        try:
            with self._lock:
                self._hung_up = False
                answer = self._processor.answer(transport, message, peer)
                return (b"", True) if self._hung_up else (answer, transport.last)
        except WireError as problem:
            return transport.explain(problem, message).answer, True

    def _settled(self, call: Call) -> None:
        """Told of each call when it is over, by the thread that has answered it."""
        self._hung_up = type(call.error) is HungUp

    def _unlocked(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one that lets other threads have the processor while it runs."""

        @functools.wraps(function)
        def run(*args: Any) -> Any:
            self._lock.release()
            try:
                return function(*args)
            finally:
                self._lock.acquire()

        return run

    def _failed(self, call: Call) -> None:
        error = call.error
        assert error is not None
        call.error = None  # else the processor lets go of its traceback
        error = error.with_traceback(_theirs(error.__traceback__))
        told: tuple[str, ...] = (call.error_id,)
        if isinstance(error, EncodeError):
            error.add_note(f"returned by {self._places[call.service, call.method]}")
            told += (text_of(error),)
        self._failures.add(Failure(f"{call.service}.{call.method}", error, told))


def _slot(methods: list[Method]) -> Any:
    """The scoreboard that a processor writes; nobody reads it."""
    plan = layout.Layout(1, 1, len(methods))
    slot = choose("scoreboard.slot").Slot(memoryview(bytearray(plan.slot_words * layout.WORD)).cast("Q"), plan)
    slot.open(os.getpid(), 0, [(each.service, each.name, each.throws) for each in methods], time.monotonic_ns())
    return slot


def _lifecycle(bound: Bound, name: str) -> None:
    """Call ``setup`` or ``teardown`` of a handler, unless its service has a method of that name."""
    assert name in LIFECYCLE
    function = getattr(bound.target, name, None)
    if function is not None and all(name != each.name for each in bound.service.methods()):
        function()


def _theirs(trace: TracebackType | None) -> TracebackType | None:
    """A traceback from the first frame on that is not ours."""
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__")).startswith("thriftserver."):
        trace = trace.tb_next
    return trace


def _stack(thread: threading.Thread) -> str:
    """Where a thread is now, without our own frames."""
    frame = sys._current_frames().get(thread.ident or 0)
    ours = os.path.dirname(os.path.dirname(__file__))
    frames = [each for each in traceback.extract_stack(frame) if not each.filename.startswith(ours)]
    return "".join(traceback.format_list(frames))
