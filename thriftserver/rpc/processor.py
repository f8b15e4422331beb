"""One request: a frame in, a frame (or nothing) out.

It decides what every readable message gets (docs/wire-contract.md), and keeps the accounts of it. It knows no socket,
loop or log: what went wrong in a handler is handed to ``on_failure``, what is over to the observers. This one source
runs on plain CPython, and Cython compiles it, with ``_processor.pxd``, into the module ``_processor``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from thriftserver import wire
from thriftserver.codec.fault import Fault
from thriftserver.codec.protocols import spoken
from thriftserver.errors import DeadlineExceeded, EncodeError, WireError
from thriftserver.foreign import class_name, cut_traces, text_of
from thriftserver.rpc.current import CURRENT
from thriftserver.rpc.guesses import Guesses
from thriftserver.rpc.method import Method
from thriftserver.rpc.refusal import application, ended_with
from thriftserver.scoreboard import layout
from thriftserver.wire import Application

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import FRONT, Sink, Source, finish, length, new_source, seal
    from thriftserver.codec.protocol import Codec, Protocol, put_error
    from thriftserver.rpc.call import Call, Entry, Seat
    from thriftserver.rpc.within import clock, has_memory, holders, run_within
    from thriftserver.scoreboard.slot import Slot

#: The arguments of a call that has not been decoded; nobody changes it.
NOTHING: list[Any] = []
BINARY: Protocol = spoken(cython.compiled)[0]
_CALL, _ONEWAY = wire.CALL, wire.ONEWAY
_SUCCESS, _DECLARED, _UNDECLARED = layout.SUCCESS, layout.DECLARED, layout.UNDECLARED
_BAD_REQUEST, _BAD_RESULT = layout.BAD_REQUEST, layout.BAD_RESULT
_APPLICATION, _TIMEOUT, _FORBIDDEN = layout.APPLICATION, layout.TIMEOUT, layout.FORBIDDEN
_SHED, _GONE = layout.SHED, layout.CLIENT_GONE
_UNKNOWN_METHOD, _BAD_MESSAGE = layout.COUNTER["unknown_method"], layout.COUNTER["bad_message"]
_FIELDS_SKIPPED, _FIELDS_REPEATED = layout.COUNTER["fields_skipped"], layout.COUNTER["fields_repeated"]
_FIELDS_MISORDERED, _BYTES_TRAILING = layout.COUNTER["fields_misordered"], layout.COUNTER["bytes_trailing"]
_UNRECORDED = -2  # of a call that never was in flight


def codec_of(entry: Entry, header: Header) -> Codec:
    """A method in the protocol of a message; most are binary, which is made with the entry."""
    if header.protocol is BINARY:
        return entry.binary
    return entry.codec(header.protocol)


class Processor:
    """Answers frames for one or more services.

    Names may be ``Service:method``, as multiplexed clients send them, or bare: of a method of the first service, or of
    one that no other service has. ``queue_timeout`` is in seconds, 0 for none; after ``spent_after`` calls (0: never)
    ``on_spent`` is called once.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        slot: Slot,
        on_failure: Callable[[Call], None],
        max_frame: int = wire.MAX_FRAME,
        queue_timeout: float = 0.0,
        observers: Sequence[Callable[[Call], None]] = (),
        on_broken: Callable[[Any, BaseException], None] = lambda *_: None,
        debug: bool = False,
    ) -> None:
        self.slot = slot
        self.on_failure = on_failure
        self.max_frame = max_frame
        self.queue_timeout = int(queue_timeout * 1e9)
        self.observers = list(observers)
        self.on_broken = on_broken
        self.debug = debug
        self.active = 0
        self.served = 0
        #: When a call was settled last.
        self.now = clock()
        self.spent_after = 0
        self.on_spent: Any = None
        #: Called with None or an error, when a call ends after its deadline was raised in it. In a process that was
        #: forked in a call it does not return.
        self.on_expired: Any = None
        #: Called with the seconds that a client gives a call, where that is less than the call had.
        self.on_shortened: Any = None
        #: Called with name, peer and headers of a call of no method of ours; the plan and the result that answer it.
        self.beyond: Any = None
        self.entries: dict[str, Entry] = {}
        self.default = methods[0].service
        self.services = list(dict.fromkeys(method.service for method in methods))
        self.guesses = Guesses()
        by_name: dict[str, list[Entry]] = {}
        for method in methods:
            entry = Entry(method, BINARY)
            self.entries[f"{method.service}:{method.name}"] = entry
            by_name.setdefault(method.name, []).append(entry)
        for name, entries in by_name.items():
            if entries[0].service == self.default or len(entries) == 1:
                self.entries[name] = entries[0]

    def process(self, frame: bytes, start: int = 0) -> bytes | None:
        """The reply to the message at ``start`` of a frame that has just arrived; None where none is due.

        Raises WireError when not even the header can be read: there is nobody to answer, and no telling what follows.
        """
        seat = Seat()
        now = clock()
        source = new_source(bytes(4) + frame[start:], 4)
        header = BINARY.take_header(source)
        reply = self.serve(header, self.find(header), seat, "", "", bytes(64), now, now)
        size = 0 if reply is None else seal(reply)
        if seat.call is not None:
            self.settle(seat.call, size, False)
        return None if reply is None else finish(reply)

    def answer(self, transport: Any, data: bytes, peer: str) -> bytes:
        """The same for a whole message in a connection's ``transport``: what goes back, empty where nothing does.

        For servers that serve one call at a time. Raises WireError for what is no message.
        """
        seat = Seat()
        now = clock()
        header = transport.open(data)
        reply = self.serve(header, self.find(header), seat, transport.name, peer, bytes(64), now, now)
        call = seat.call
        try:
            reply = transport.wrap(header, reply, None if call is None else call._reply_headers)
        except EncodeError as error:
            reply = transport.wrap(header, self.internal(header, call, error, _BAD_RESULT), None)
        answer = b"" if reply is None else finish(reply)
        if call is not None:
            self.settle(call, len(answer), False)
        return answer

    def find(self, header: Header) -> Entry | None:
        """The method that a message calls; None when it calls none of ours."""
        return self.entries.get(header.name) if header.kind == _CALL or header.kind == _ONEWAY else None

    def serve(
        self,
        header: Header,
        entry: Entry | None,
        seat: Seat,
        dialect: str,
        peer: str,
        label: bytes,
        received: int,
        started: int,
    ) -> Sink | None:
        """Run the call whose arguments come next in the header's source; its reply, not packed yet.

        ``settle`` must follow for the call that the seat holds then, whatever became of the reply.

        ``entry`` is what ``find`` gave for the header; ``label`` is the peer's name in exactly 64 bytes, ``received``
        when the frame had arrived, ``started`` now.
        """
        source: Source = header.source
        size = source.end
        self.now = started
        seat.call = None
        if entry is None:
            return self.refuse(header, peer)
        call = Call.__new__(Call)
        call.service = entry.service
        call.method = entry.name
        call.seqid = header.seqid
        call.peer = peer
        call.oneway = entry.oneway or header.kind == _ONEWAY
        call.args = NOTHING
        call._headers = header.infos
        call._reply_headers = None
        call.dialect = dialect
        call.received = received
        call.started = started
        call.finished = 0
        call.deadline = received + entry.timeout if entry.timeout else 0
        if header.infos is not None:
            self.shorten(call, header.infos.get(wire.TIMEOUT_HEADER, ""))
        call.request_bytes = size
        call.reply_bytes = 0
        call.outcome = ""
        call.error = None
        call.error_id = ""
        call.entry = entry
        call.ending = _SUCCESS
        call.kind = -1
        call.record = _UNRECORDED
        seat.call = call
        seat.expired = seat.returned = False
        header.name = entry.name
        if seat.left and not call.oneway:
            call.ending = _GONE
            return None
        if self.queue_timeout and started - received > self.queue_timeout:
            return self.deny(header, call, _SHED, Application.LOADSHEDDING, "the server is overloaded; try again later")
        if call.deadline and started > call.deadline:
            return self.late(header, call)
        try:
            if entry.guard is not None and not entry.guard(call):
                return self.deny(header, call, _FORBIDDEN, Application.UNKNOWN, f"{entry.name} is not for this client")
            args = codec_of(entry, header).take_args(source)
        except Fault as fault:
            error = WireError(*fault.told("args"))
            call.error = error
            return self.deny(header, call, _BAD_REQUEST, error.type, str(error))
        except BaseException as error:  # noqa: BLE001 - a collector or a signal may run anything meanwhile
            return self.spoilt(header, seat, error, _UNDECLARED)
        if source.pos != source.end or source.skipped or source.repeated or source.misordered:
            self.forgive(source)
        call.args = args
        call.record = self.slot.begin(entry.number, header.seqid, size, received, started, label)
        self.active += 1
        known = holders(seat.fiber)
        try:
            target = entry.target if entry.chain is None else entry.chain
            result = run_within(CURRENT, seat, call, target, args, entry.chain is not None)
        except BaseException as error:  # noqa: BLE001 - the wall: no handler, whatever it raises, ends a worker
            reply = self.raised(header, seat, error)
        else:
            reply = self.returned(header, seat, result)
        finally:
            self.active -= 1
            if holders(seat.fiber) != known or has_memory(seat.fiber):
                seat.spoiled = True
        return self.checked(header, call, reply)

    def shorten(self, call: Call, milliseconds: str) -> None:
        """The client has said for how long its caller waits."""
        if not milliseconds.isascii() or not milliseconds.isdigit() or len(milliseconds) > 9:
            return  # eleven days are no limit either
        limit = int(milliseconds) * 1_000_000
        if not call.deadline or limit < call.deadline - call.received:
            call.deadline = call.received + limit
            if self.on_shortened is not None:
                self.on_shortened(limit / 1e9)

    def forgive(self, source: Source) -> None:
        """Count what versioning lets pass in the arguments."""
        self.slot.add(_FIELDS_SKIPPED, source.skipped)
        self.slot.add(_FIELDS_REPEATED, source.repeated)
        self.slot.add(_FIELDS_MISORDERED, source.misordered)
        self.slot.add(_BYTES_TRAILING, source.end - source.pos)

    def settle(self, call: Call, size: int, gone: bool) -> None:
        """The reply of ``size`` bytes has been handed to the kernel, or its peer was ``gone``: close the accounts."""
        now = clock()
        self.now = now
        if gone and call.ending == _SUCCESS:
            call.ending = _GONE
        if call.record != _UNRECORDED:  # until now, who ends this process takes the call along, and it is named
            self.slot.end(call.record)
            call.record = _UNRECORDED
        entry: Entry = call.entry
        self.slot.finish(
            entry.number,
            call.ending,
            call.kind,
            now - call.received,
            call.started - call.received,
            call.request_bytes,
            size,
        )
        self.served += 1
        if self.served == self.spent_after:
            self.on_spent()
        if self.observers:
            call.finished = now
            call.reply_bytes = size
            call.outcome = layout.OUTCOMES[call.ending]
            self.observe(call)
        if call.error is not None:
            cut_traces(call.error)

    def observe(self, call: Call) -> None:
        for observer in list(self.observers):
            try:
                observer(call)
            except BaseException as error:  # noqa: BLE001 - a broken observer must not cost a call: it is left out
                self.observers = [each for each in self.observers if each is not observer]
                try:
                    self.on_broken(observer, error)
                except BaseException as problem:  # noqa: BLE001 - whoever is told may fail too
                    cut_traces(problem)

    def returned(self, header: Header, seat: Seat, result: Any) -> Sink | None:
        call = seat.call
        entry: Entry = call.entry
        seat.returned = True
        if seat.expired or (call.deadline and clock() > call.deadline):
            if self.on_expired is not None:
                self.on_expired(None)
            return self.late(header, call)
        if result is not None and entry.void and hasattr(type(result), "__await__"):
            text = f"{entry.name} returned a coroutine, and nobody awaits it: write it as async def"
            return self.internal(header, call, EncodeError(text), _BAD_RESULT)
        if call.oneway:
            return None
        if result is None and not entry.void:
            text = f"{entry.name} returned no result"
            self.fail(call, EncodeError(text), _BAD_RESULT)
            return put_error(header, Application.MISSING_RESULT, text)
        try:
            reply = codec_of(entry, header).put_result(header, result)
        except BaseException as error:  # noqa: BLE001 - EncodeError, or whatever a foreign object's attributes raise
            return self.spoilt(header, seat, error, _BAD_RESULT)
        return self.late(header, call) if seat.expired else reply  # it may have waited while it was encoded

    def raised(self, header: Header, seat: Seat, error: BaseException) -> Sink | None:
        call = seat.call
        seat.returned = True
        if seat.expired or issubclass(type(error), DeadlineExceeded) or ended_with(error, call.deadline, clock()):
            if self.on_expired is not None:
                self.on_expired(error)
            cut_traces(error)
            return self.late(header, call)
        if not call.oneway:
            try:
                reply = self.put_raised(header, call, error)
            except BaseException as problem:  # noqa: BLE001 - as in returned
                return self.spoilt(header, seat, problem, _BAD_RESULT)
            if reply is not None:
                return self.late(header, call) if seat.expired else reply
        return self.internal(header, call, error, _UNDECLARED)

    def put_raised(self, header: Header, call: Call, error: BaseException) -> Sink | None:
        """The reply that an exception stands for: a declared one, or what a handler raised to answer with."""
        entry: Entry = call.entry
        index = entry.method.plan.declared(error)
        if index is not None:
            reply = codec_of(entry, header).put_declared(header, index, error)
            call.ending = _DECLARED
            call.kind = index
            call.error = error
            return reply
        refusal = application(error)
        if refusal is None:
            return None
        reply = put_error(header, refusal.type, refusal.message)
        call.ending = _APPLICATION
        call.error = error
        return reply

    def spoilt(self, header: Header, seat: Seat, error: BaseException, outcome: int) -> Sink | None:
        """What was to be read or written failed: in its own right, or because the deadline passed meanwhile."""
        if seat.expired or issubclass(type(error), DeadlineExceeded):
            cut_traces(error)
            return self.late(header, seat.call)
        return self.internal(header, seat.call, error, outcome)

    def checked(self, header: Header, call: Call, reply: Sink | None) -> Sink | None:
        """No reply is larger than a frame may be."""
        if reply is None:
            return None
        size = length(reply) - FRONT
        if size <= self.max_frame:
            return reply
        problem = EncodeError(f"the reply has {size} bytes, more than max-frame ({self.max_frame})")
        return self.internal(header, call, problem, _BAD_RESULT)

    def internal(self, header: Header, call: Call, error: BaseException, outcome: int) -> Sink | None:
        self.fail(call, error, outcome)
        text = f"internal error, id {call.error_id}"
        if self.debug:
            text += f": {class_name(error)}: {text_of(error)}"
        return self.deny(header, call, outcome, Application.INTERNAL_ERROR, text)

    def fail(self, call: Call, error: BaseException, outcome: int) -> None:
        """The accounts of a call that failed, whatever it is answered; the log hears of it."""
        call.ending, call.kind = outcome, -1
        call.error = error
        call.error_id = uuid.uuid4().hex[:12]
        call.outcome = layout.OUTCOMES[outcome]
        try:
            self.on_failure(call)
        except BaseException as problem:  # noqa: BLE001 - whoever is told may fail, the answer is due all the same
            cut_traces(problem)

    def late(self, header: Header, call: Call) -> Sink | None:
        seconds = (call.deadline - call.received) / 1e9
        text = f"{call.method} took longer than its {seconds:g} s"
        return self.deny(header, call, _TIMEOUT, Application.TIMEOUT, text)

    def deny(self, header: Header, call: Call, ending: int, type: Application, text: str) -> Sink | None:
        """The answer to a call that gets no result for a reason of ours."""
        call.ending = ending
        return None if call.oneway else put_error(header, type, text)

    def refuse(self, header: Header, peer: str) -> Sink | None:
        """Answer a message that names no method of ours, or is no request at all."""
        if header.kind == _ONEWAY:
            self.slot.add(_UNKNOWN_METHOD, 1)
            return None
        sent = header.name
        known = self.beyond(sent, peer, header.infos) if header.kind == _CALL and self.beyond is not None else None
        if known is not None:
            header.name = known[0].name
            codec: Codec = header.protocol.codec_of(known[0])
            return codec.put_result(header, known[1])
        header.name = sent.rpartition(":")[2]
        if header.kind != _CALL:
            self.slot.add(_BAD_MESSAGE, 1)
            text = f"message type {header.kind} is not a request; expected CALL (1) or ONEWAY (4)"
            return put_error(header, Application.INVALID_MESSAGE_TYPE, text)
        self.slot.add(_UNKNOWN_METHOD, 1)
        return put_error(header, Application.UNKNOWN_METHOD, self.guesses.about(sent, self.services, self.entries))
