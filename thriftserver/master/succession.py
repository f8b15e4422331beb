"""A master between the one before it and the one after it, while there are such: who hears what from whom.

``upgrade`` has both as processes; ``policy`` decides. This turns what they say into events.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from thriftserver.handoff import Handoff
from thriftserver.idl.loader import Loader
from thriftserver.log import Logger
from thriftserver.master import events
from thriftserver.master.sockets import Heirloom
from thriftserver.master.upgrade import Estate, Message, Origin, Predecessor, Successor
from thriftserver.master.walls import sentence
from thriftserver.schema.model import Module
from thriftserver.scoreboard.board import Board


class Succession:
    """``origin`` and ``environment`` are what another master is started with; ``predecessor`` is the one to follow."""

    def __init__(
        self, origin: Origin, environment: Callable[[], dict[str, str]], predecessor: Predecessor | None = None
    ) -> None:
        self._origin = origin
        self._environment = environment
        self._predecessor = predecessor
        self._successor: Successor | None = None
        self._board: Board | None = None
        self.beside = _attach(predecessor) if predecessor else None
        """The scoreboard of the one before, if this one's first worker can be compared with its workers."""

    @property
    def handoff(self) -> Handoff | None:
        """The queue that the workers of the one before take connections from."""
        return self._predecessor.handoff if self._predecessor else None

    @property
    def control(self) -> Heirloom | None:
        return self._predecessor.estate.control if self._predecessor else None

    def begin(self, state: events.State, board: Board, canary: float) -> events.State:
        """The state that this master begins with: what TTIN and TTOU made of the number of workers holds.

        ``canary`` is for how many seconds its first worker is tried beside the workers of the one before.
        """
        self._board = board
        if self._predecessor is None:
            return state
        self._tell_workers(self._predecessor.pid)
        estate = self._predecessor.estate
        if state.target == estate.configured:
            state = replace(state, target=estate.target, configured=state.target)
        on_trial = bool(canary) and self.beside is not None
        if canary and not on_trial:
            advice = "it is of an older release: this upgrade goes on without a canary, the next one has one"
            Logger().warning("canary_impossible", reason="the running master shows no scoreboard", advice=advice)
        return replace(state, heir=True, on_trial=on_trial, canary=canary)

    def start(self, state: events.State, estate: Estate, private: Iterable[int]) -> events.Event:
        """Start a new master."""
        if os.getpid() == 1:
            return events.UpgradeFailed("this master is process 1: its container would end with it; start another one")
        try:
            successor = Successor(self._origin, estate, {**os.environ, **self._environment()}, private)
        except OSError as error:
            return events.UpgradeFailed(f"cannot start a new master: {sentence(error)}")
        self._successor = successor
        self._tell_workers(successor.pid)
        return events.UpgradeStarted(successor.pid)

    def disown(self) -> None:
        """The new master is on its own: it hears that its line has ended."""
        if self._successor:
            self._successor.line.close()

    def announce(self, news: events.News, _text: str) -> None:
        """As an observer: before others tell the world of a new master, it is to be no child of this one."""
        if news is events.News.UPGRADED and self._successor:
            self._successor.release()

    def tick(self, state: events.State, now: float) -> None:
        """Nothing to do."""

    def grant(self) -> None:
        """The new master takes over."""
        if self._successor:
            self._successor.line.say("go")

    def offer(self) -> None:
        """This master could take over."""
        if self._predecessor:
            self._predecessor.line.say("ready")

    def tell(self, what: events.Tell) -> None:
        """How the trial of this master's first worker goes."""
        if self._predecessor:
            say = self._predecessor.line.say
            say(what.kind, what.reason, seconds=what.seconds, facts=what.facts, doubt=what.doubt)

    def lines(self) -> list[int]:
        """Descriptors to poll, which no child may keep."""
        masters: Iterable[Predecessor | Successor | None] = (self._predecessor, self._successor)
        return [each.line.fileno() for each in masters if each and each.line.fileno() >= 0]

    def hear(self, ready: set[int], objection: Callable[[Sequence[Module]], str]) -> Iterator[events.Event]:
        """What the others have to say; ``objection`` is what speaks against another IDL."""
        predecessor, successor = self._predecessor, self._successor
        if predecessor and predecessor.line.fileno() in ready:
            # ``go``, or the end: it is dead, or stopping and has left this one alone.
            self._predecessor = self.beside = None
            self._tell_workers(0)
            yield events.Succeeded()
            predecessor.line.close()  # which says that it is done
        if successor and successor.line.fileno() in ready:
            message = successor.line.hear()
            if message is None:
                successor.line.close()
                yield events.Followed()  # if it may; else its exit says the rest
            elif message.kind == "program":
                _judge(successor, message, objection)
            elif message.kind == "ready":
                yield events.UpgradeReady()
            elif message.kind in ("canary", "judged"):
                yield events.UpgradeOnTrial(message.seconds, message.facts, message.doubt)
            else:
                successor.learn(message)

    def gone(self, pid: int, status: int) -> Iterator[events.Event]:
        """A child that is no worker has ended."""
        successor = self._successor
        if successor and successor.parent == pid:
            reason = successor.obituary(status)
            successor.close()
            self._successor = None
            self._tell_workers(0)
            if self._board is not None:
                self._board.fold(self._board.capacity)  # its worker was a guest there
            yield events.UpgradeFailed(reason, successor.facts)

    def _tell_workers(self, pid: int) -> None:
        """Whose workers would take connections over, should this master die."""
        assert self._board is not None
        self._board.other = pid


def _attach(predecessor: Predecessor) -> Board | None:
    descriptor = predecessor.estate.board
    try:
        board = Board.attach(descriptor)
    except (OSError, ValueError):  # it passes none, or one of another release
        board = None
    if descriptor >= 0:  # who has mapped it needs no more, and no child is to find it
        os.close(descriptor)
    return board


def _judge(successor: Successor, message: Message, objection: Callable[[Sequence[Module]], str]) -> None:
    """May the new master serve the IDL that it is going to? It says which; this one has both to compare."""
    loader = Loader()
    try:
        problem = objection([loader.load(path, message.include) for path in message.idl])
    except Exception as error:  # noqa: BLE001 - the other one waits for an answer, whatever this one meets
        problem = f"the running master cannot compare this IDL with its own: {sentence(error)}"
    successor.line.say("refused" if problem else "fits", problem)
