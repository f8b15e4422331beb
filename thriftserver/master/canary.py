"""A new generation on trial, as the supervisor has it: begun, looked at, over. Most masters never see one.

What a trial reads and how it is judged is ``trial`` and ``judgement``, which are imported when one begins; what follows
from a verdict is ``policy``'s to decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from thriftserver.log import Logger
from thriftserver.master.events import Judged, News, State, Try, Worker
from thriftserver.master.obituary import UNASKED
from thriftserver.master.walls import sentence
from thriftserver.scoreboard.board import Board

if TYPE_CHECKING:
    from thriftserver.master.trial import Trial


class Canary:
    """At most one trial at a time, of workers that write ``board``."""

    def __init__(self, board: Board, log: Logger) -> None:
        self._board, self._log = board, log
        self._trial: Trial | None = None
        self._crashed = 0
        """Workers that have ended unasked, of generations that were in force."""

    @property
    def due(self) -> float:
        """When to look again."""
        return self._trial.due if self._trial else float("inf")

    def announce(self, news: News, _text: str) -> None:
        """As an observer."""
        if news is News.ROLLED_BACK:
            self._board.count_rollback()

    def tick(self, state: State, now: float) -> None:
        """Nothing to do: it looks more often, or not at all."""

    def follow(self, state: State) -> None:
        """After each decision: is a trial under way? It may have ended without a verdict."""
        self._board.trial_due = state.trial_due
        if not state.on_trial:
            self._trial = None

    def begin(self, what: Try, idle: str, state: State, beside: Board | None) -> None:
        """The worker of this generation is ready, and so are others: ours, or those on an older master's board."""
        from thriftserver.master.trial import Trial

        self._trial = Trial(self._board, beside, what, idle, self._crashed, state, self._log)

    def look(self, state: State, now: float) -> Iterator[Judged]:
        """A verdict, once there is one."""
        trial = self._trial
        if trial is None or now < trial.due:
            return
        try:
            verdict = trial.look(state, now)
        except Exception as error:  # noqa: BLE001 - a trial that cannot be judged must not last for ever
            verdict = Judged(False, {"generation": trial.generation}, f"it cannot be judged: {sentence(error)}")
        if verdict:
            yield verdict

    def judge(self) -> Judged | None:
        """The worker on trial has died: is that the end?"""
        return self._trial.judge() if self._trial else None

    def died(self, worker: Worker | None, why: str, state: State) -> None:
        """A worker is gone, and not folded yet."""
        if worker is None:
            return
        crashed = why in UNASKED
        if crashed and worker.generation == state.generation and not state.heir:
            self._crashed += 1
        if self._trial:
            self._trial.died(worker, crashed)
