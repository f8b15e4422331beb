"""Clients of the storm: what each sends is drawn from its seed, and each answer is held against what was asked.

A session is one connection. It ends in one of the ways in which connections end; how it ended says what must have
become of the oneways that were sent over it.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from itertools import count

from tests.harness import PATIENCE
from tests.server.raw import CALL, EXCEPTION, ONEWAY, REPLY, Answer, Peer, field, i32, message, text

#: Of an answer: its kind, and for an exception of Thrift's own its type.
INTERNAL_ERROR = 6
_numbers = count(1)
_lock = threading.Lock()


def fresh() -> int:
    with _lock:
        return next(_numbers)


class History:
    """What all clients have seen. ``certain`` oneways have been received; ``uncertain`` ones may have been."""

    def __init__(self) -> None:
        self.certain: set[int] = set()
        self.uncertain: set[int] = set()
        self.answers = 0
        self.faults: list[str] = []


class Call:
    """A two-way call: its frame, and whether an answer is right."""

    def __init__(self, rng: random.Random) -> None:
        self.id = fresh()
        self.seqid = self.id & 0x7FFFFFFF
        number = field(10, 1, struct.pack(">q", self.id))
        if rng.random() < 0.05:
            self.name, self.how, self.data = "lie", 0, ""
            body = number
        else:
            self.name, self.how = "echo", rng.choices(range(5), (16, 1, 1, 1, 1))[0]
            self.data = "x" * rng.choices((rng.randrange(50), rng.randrange(300_000)), (20, 1))[0]
            body = number + field(8, 2, i32(waiting(rng))) + field(8, 3, i32(self.how)) + field(11, 4, text(self.data))
        self.frame = message(self.name, body + b"\0", seqid=self.seqid)

    def misread(self, answer: Answer | None) -> str:
        """What is wrong with an answer; nothing, mostly."""
        if answer is None:
            return "the connection ended"
        if (answer.name, answer.seqid) != (self.name, self.seqid):
            return f"answered {answer.name} {answer.seqid}"
        if self.name == "lie":
            right = answer.kind == REPLY or answer.type == INTERNAL_ERROR
        elif self.how == 0:
            right = answer == (
                REPLY,
                "echo",
                self.seqid,
                field(11, 0, text(f"{self.id}:{self.data}")) + b"\0",
                None,
                "",
            )
        elif self.how == 1:
            right = answer.kind == REPLY and answer.body[:3] == b"\x0c\0\1"
        else:
            right = answer.kind == EXCEPTION and answer.type == INTERNAL_ERROR
        return "" if right else f"answered {str(answer)[:200]}"

    def __str__(self) -> str:
        return f"{self.name}({self.id}, how={self.how}, {len(self.data)} bytes)"


class Note:
    """A oneway."""

    def __init__(self, rng: random.Random) -> None:
        self.id = fresh()
        kind = rng.choice((CALL, ONEWAY))
        how = rng.choices(range(5), (16, 1, 1, 1, 1))[0]
        body = field(10, 1, struct.pack(">q", self.id)) + field(8, 2, i32(waiting(rng))) + field(8, 3, i32(how)) + b"\0"
        self.frame = message("note", body, kind=kind)


def waiting(rng: random.Random) -> int:
    return rng.choices((0, rng.randrange(3_000), rng.randrange(50_000)), (12, 4, 1))[0]


def session(connect: Callable[[], Peer], rng: random.Random, history: History) -> None:
    """One connection from its beginning to its end."""
    with connect() as peer:
        peer.sock.settimeout(PATIENCE)
        notes: list[Note] = []
        for _ in range(rng.randrange(1, 8)):
            asked: list[Call | Note] = [
                (Call if rng.random() < 0.7 else Note)(rng) for _ in range(rng.randrange(1, 12))
            ]
            calls = [each for each in asked if isinstance(each, Call)]
            notes += [each for each in asked if isinstance(each, Note)]
            end = rng.choices(("stay", "half-close", "reset", "torn"), (12, 1, 1, 1))[0]
            stream = b"".join(each.frame for each in asked)
            if end == "torn":  # in the middle of a request that is to come
                stream += Call(rng).frame[:-1]
            sender = threading.Thread(target=dribble, args=(peer.sock, pieces(stream, rng)))
            sender.start()
            try:
                if end == "reset":
                    heard = rng.randrange(len(calls) + 1)
                    hear(peer, calls[:heard], history)
                    sender.join()
                    history.uncertain.update(each.id for each in notes)
                    peer.reset()
                    return
                if end == "half-close":
                    sender.join()
                    peer.sock.shutdown(socket.SHUT_WR)
                hear(peer, calls, history)
            except EOFError:
                history.uncertain.update(each.id for each in notes)
                raise
            finally:
                sender.join()
            if end == "half-close" and (more := peer.rest()):
                history.faults.append(f"more than was asked for: {more[:100]!r}")
            if end != "stay":
                break
        history.certain.update(each.id for each in notes)


def hear(peer: Peer, calls: list[Call], history: History) -> None:
    for number, call in enumerate(calls):
        try:
            wrong = call.misread(peer.answer())
        except OSError as error:
            wrong = f"the connection broke: {error!r}"
        if wrong:
            history.faults.append(f"{peer.name}: {call}, {number} of {len(calls)}: {wrong}")
            raise EOFError(wrong)
        history.answers += 1


def pieces(stream: bytes, rng: random.Random) -> Iterator[bytes]:
    """The stream, cut anywhere."""
    start = 0
    while start < len(stream):
        size = rng.choices((rng.randrange(1, 20), rng.randrange(1, 5_000), len(stream)), (3, 3, 4))[0]
        yield stream[start : start + size]
        start += size


def dribble(sock: socket.socket, parts: Iterator[bytes]) -> None:
    try:
        for part in parts:
            sock.sendall(part)
    except OSError:
        pass  # whoever reads the answers says so


class Crowd:
    """``size`` clients, one session after the other, until told to stop."""

    def __init__(self, connect: Callable[[], Peer], size: int, seed: int) -> None:
        self.history = History()
        self._over = threading.Event()
        self._connect = connect
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"),)) for number in range(size)
        ]
        for each in self._threads:
            each.start()

    def _run(self, rng: random.Random) -> None:
        while not self._over.is_set() and not self.history.faults:
            try:
                session(self._connect, rng, self.history)
            except EOFError:
                return  # noted among the faults
            except OSError as error:
                self.history.faults.append(f"no connection: {error!r}")

    def stop(self) -> History:
        self._over.set()
        for each in self._threads:
            each.join()
        return self.history
