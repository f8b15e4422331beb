"""Whether a call that has failed is made again, and where: what its failure says, and how many repeats are paid for.

Pure: it is told what has happened and when. What may be repeated is what was not executed, and what the IDL declares
``(thriftserver.idempotent)``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from thriftserver.errors import ApplicationError, TransportError, WireError
from thriftserver.schema.special import ThriftException
from thriftserver.wire import Application

if TYPE_CHECKING:
    from thriftserver.client.balance import Balance, Endpoint

#: Repeats that are paid for at the beginning and at most, and that each second pays for.
RESERVE, EACH_SECOND = 100.0, 10.0
#: Seconds before a server is asked again that has been asked already: the first time, and at most.
PAUSE, LONGEST_PAUSE = 0.02, 1.0
#: How often a call is made at most, beside once at each server: where nobody takes it, and where it was shed, which
#: passes within a second or two.
MORE, SHED_MORE = 3, 6
#: How often an idempotent call may get lost: it may be what its servers do not survive.
LOSSES = 3


class Outcome(Enum):
    """What an attempt says of its server."""

    #: It has answered: with a result, or with an error that is this call's.
    ANSWERED = "answered"
    #: It has answered that it has too much to do, and has executed nothing.
    SHED = "shed"
    #: It has certainly not had all of the request.
    UNSENT = "unsent"
    #: Nobody knows whether it has executed the call.
    LOST = "lost"
    #: Nothing: it was not asked, or whoever called did not wait for the answer.
    UNASKED = "unasked"


#: What Envoy answers in the place of a server, as an INTERNAL_ERROR, begins so. A handler that is answered so
#: may pass it on, with half of its work done, so it never says that nothing was executed.
ENVOY = (
    "connection failure before response ",
    "no healthy upstream for '",
    "maintenance mode for cluster '",
    "thrift upstream request: too many connections",
)


def outcome_of(error: BaseException) -> Outcome:
    """What the end of an attempt says that has raised this."""
    if isinstance(error, TransportError):
        if error.phase in ("", "queueing"):
            return Outcome.UNASKED
        return Outcome.LOST if error.executed else Outcome.UNSENT
    if isinstance(error, WireError):
        return Outcome.LOST
    if isinstance(error, ApplicationError):
        return _answered(error)
    return Outcome.ANSWERED if isinstance(error, ThriftException) else Outcome.UNASKED


def _answered(error: ApplicationError) -> Outcome:
    if error.type == Application.LOADSHEDDING:
        return Outcome.SHED
    proxied = error.type == Application.INTERNAL_ERROR and error.message.startswith(ENVOY)
    return Outcome.LOST if proxied else Outcome.ANSWERED


class Budget:
    """Repeats are a ``share`` of the calls, and a few beside: so that servers in trouble do not get more to do.

    A token bucket: each call puts a share of a token in, each second some, and a repeat takes one.
    """

    def __init__(self, share: float, now: float) -> None:
        self._share = share
        self._tokens = RESERVE
        self._calls = 0
        self._filled = now

    def spend(self, calls: int, now: float) -> bool:
        """Is a repeat paid for, after so many calls in all? If so, it is paid."""
        if not self._share:
            return False
        self._tokens += self._share * max(calls - self._calls, 0) + EACH_SECOND * max(now - self._filled, 0.0)
        self._tokens = min(self._tokens, RESERVE)
        self._calls, self._filled = max(calls, self._calls), max(now, self._filled)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Again(NamedTuple):
    """A call is to be made again, at this server, after so many seconds."""

    endpoint: Endpoint
    pause: float


class Course:
    """One call that has failed at least once: which attempts there were, and what comes next."""

    def __init__(self, idempotent: bool, chance: random.Random) -> None:
        self.attempts = 0
        #: How many attempts can have been executed.
        self.lost = 0
        #: Why there is no other attempt, in words that follow the error; empty where it needs none.
        self.why = ""
        self._idempotent = idempotent
        self._chance = chance
        self._tried: list[Endpoint] = []
        #: Rounds through all servers that there were; and whether one of them sheds, in this one.
        self._rounds = 0
        self._shed = False

    def told(self, error: BaseException) -> BaseException:
        """The last error, as its caller is to have it."""
        if not isinstance(error, TransportError) or (self.attempts < 2 and not self.why):
            return error
        notes = [f"{self.attempts} attempts"] * (self.attempts > 1) + [self.why] * bool(self.why)
        return TransportError(f"{error} ({'; '.join(notes)})", error.address, error.phase, self.lost > 0)

    def ended(self, endpoint: Endpoint, outcome: Outcome) -> bool:
        """An attempt has failed; may there be another one?"""
        self.attempts += 1
        self.lost += outcome is Outcome.LOST
        self._tried.append(endpoint)
        self._shed = self._shed or outcome is Outcome.SHED
        if outcome is Outcome.LOST:
            return self._idempotent and self.lost < LOSSES
        return outcome in (Outcome.SHED, Outcome.UNSENT)

    def next(
        self,
        balance: Balance,
        budget: Budget,
        calls: Callable[[], int],
        left: float | None,
        now: float,
    ) -> Again | None:
        """Where the next attempt is to be made, with so many seconds left for the call; None if there is to be none.

        ``calls`` says how many there were, in the whole pool.
        """
        if self.attempts >= len(balance.endpoints) + (SHED_MORE if self._shed else MORE):
            return None
        last = self._tried[-1]
        target, pause = balance.other(self._tried), 0.0
        if target is None and not self._shed:  # else there is one that is well, and only has too much to do
            target = balance.last_resort(self._tried, self._idempotent)
        if target is None:
            self._rounds += 1
            self._tried.clear()
            self._shed = False
            pause = min(PAUSE * 2.0 ** (self._rounds - 1), LONGEST_PAUSE) * self._chance.uniform(0.5, 1.5)
            target = balance.other((last,)) or balance.other(()) or balance.last_resort((), self._idempotent)
        if target is None or (left is not None and left <= pause):
            return None
        if not budget.spend(calls(), now):
            self.why = "not made again, because too many others were"
            return None
        return Again(target, pause)
