"""Which of several servers gets a call: one with few calls in flight, of those that are well.

It knows addresses, outcomes and the time that it is told; it has no sockets, no clock and no lock: all of it is for one
thread at a time. What every call needs of it stands in ``lending``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Sequence
from enum import Enum
from itertools import cycle
from typing import TYPE_CHECKING

from thriftserver.client.news import Ejected, Moved, Returned
from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.client.lending import Lender, Place, busy
    from thriftserver.discovery.addresses import Address
else:
    Place, busy = choose("client.lending").Place, choose("client.lending").busy

#: How small a share a server begins with that comes or comes back, and in how many seconds it grows to a whole one.
GENTLY, RAMP = 0.1, 10.0
#: Seconds between two steps of that.
STEP = 1.0
#: The longest time that a server is left out before it is tried again, in seconds.
LONGEST = 60.0
#: Pairs are drawn in rounds of at least so many, and of so many for each server.
ROUND, EACH = 64, 16


class State(Enum):
    """How a server does. Of those that are ``EJECTED`` or ``PROBED``, no call is asked but for want of others."""

    WELL = "well"
    #: Its next failure ejects it.
    TRIED = "tried"
    EJECTED = "ejected"
    #: Somebody asks whether it is back.
    PROBED = "probed"


class Endpoint(Place):
    """One server: its connections, and how it has done.

    It is ``odd`` while something is wrong with it, or was. ``gone``: it is not one of the pool's servers any more.
    """

    __slots__ = (
        "address",
        "calls",
        "ejected_at",
        "ejections",
        "failed",
        "failures",
        "gone",
        "in_row",
        "ramped",
        "ramped_from",
        "repeats",
        "returned_at",
        "shed",
        "silent",
        "state",
        "until",
    )

    def __init__(self, address: Address, now: float, share: float = 1.0) -> None:
        super().__init__()
        self.address = address
        self.state = State.WELL
        self.gone = False
        #: Its last failure was a call that it may have executed, not one that it did not take.
        self.silent = False
        #: Failures in a row, and ejections that were soon followed by another.
        self.failures = self.in_row = 0
        self.ejected_at = self.until = 0.0
        self.returned_at = -math.inf
        #: Its share of the calls was ``ramped`` at ``ramped_from``, and grows from there.
        self.ramped, self.ramped_from = share, now
        #: Calls and repeats on connections that are closed; those that have failed or were shed, and ejections.
        self.calls = self.repeats = self.failed = self.shed = self.ejections = 0

    def __repr__(self) -> str:
        return f"<{self.address} {self.state.value}>"

    @property
    def out(self) -> bool:
        return self.state in (State.EJECTED, State.PROBED)

    def ramp(self, now: float) -> float:
        """How much of a whole share it has by now, up to 1."""
        return min(1.0, self.ramped + max(now - self.ramped_from, 0.0) / RAMP)

    def gently(self, share: float, now: float) -> None:
        self.ramped, self.ramped_from = max(share, GENTLY), now

    @property
    def load(self) -> float:
        return busy(self) * self.cost


class Balance:
    """The servers of a pool.

    ``eject_after`` failures in a row a server is left out for ``eject_for`` seconds, for twice as long each time that
    it fails again soon; but never more than two thirds of them, and so never the last one. It draws for ``lender``.
    """

    def __init__(self, lender: Lender, eject_after: int, eject_for: float, chance: random.Random) -> None:
        self.endpoints: list[Endpoint] = []
        self._eject_after = eject_after
        self._eject_for = eject_for
        self._chance = chance
        self._lender = lender
        #: When shares are due to grow; infinite when they are whole.
        self.grows_at = math.inf

    def other(self, tried: Collection[Endpoint]) -> Endpoint | None:
        """The least loaded one of those that are not left out, nor among ``tried``."""
        return self._least([each for each in self.endpoints if not (each.out or each in tried)])

    def last_resort(self, tried: Collection[Endpoint], idempotent: bool) -> Endpoint | None:
        """One that is left out. A call that must not be lost goes to none that has taken calls and not answered."""
        out = [each for each in self.endpoints if each.out and each not in tried]
        return self._least([each for each in out if idempotent or not each.silent])

    def update(self, addresses: Sequence[Address], now: float) -> tuple[list[Endpoint], Moved | None]:
        """These are the servers now: those that are gone, whose idle connections are to be closed, and the news."""
        known = {each.address[:2]: each for each in self.endpoints}
        share = GENTLY if known else 1.0
        added: list[Endpoint] = []
        kept: dict[tuple[str, int], Endpoint] = {}
        for address in addresses:
            key = address[:2]
            if key in kept:
                continue
            endpoint = known.pop(key, None)
            if endpoint is None:
                endpoint = Endpoint(address, now, share)
                added.append(endpoint)
            endpoint.address = address
            kept[key] = endpoint
        removed = list(known.values())
        for endpoint in removed:
            endpoint.gone = endpoint.odd = True
        first = not self.endpoints
        self.endpoints = list(kept.values())
        if all(each.out for each in self.endpoints):  # there is nobody else
            for endpoint in self.endpoints:
                self._take_back(endpoint, State.TRIED, now)
        self._draw(now)
        if first or not (added or removed):
            return removed, None
        return removed, Moved(tuple(str(each.address) for each in added), tuple(str(each.address) for each in removed))

    def succeeded(self, endpoint: Endpoint, began: float, now: float) -> Returned | None:
        """A call that ``began`` then was answered, however."""
        if endpoint.gone:
            return None
        if endpoint.out:
            if began < endpoint.ejected_at:
                return None  # an old one; what has come since is worse
            return self._take_back(endpoint, State.WELL, now)
        endpoint.failures = 0
        endpoint.state = State.WELL
        endpoint.odd = False
        return None

    def failed(self, endpoint: Endpoint, problem: str, now: float, silent: bool = False) -> Ejected | None:
        """A call could not be made; or, if it was ``silent``, was not answered."""
        endpoint.silent = silent
        endpoint.failures += 1
        endpoint.failed += 1
        endpoint.odd = True
        few = endpoint.failures < self._eject_after and endpoint.state is not State.TRIED
        if few or endpoint.out or endpoint.gone or not self._may_eject():
            return None
        seconds = self._leave_out(endpoint, now)
        self._draw(now)
        return Ejected(str(endpoint.address), seconds, endpoint.failures, problem)

    def was_shed(self, endpoint: Endpoint, now: float) -> None:
        """It is well and has too much to do: it gets half of its share, and more again as time goes by."""
        endpoint.shed += 1
        if now - endpoint.ramped_from >= STEP / 10 or endpoint.ramp(now) >= 1.0:
            endpoint.gently(endpoint.ramp(now) / 2, now)
            self._draw(now)

    def due(self, now: float) -> list[Endpoint]:
        """Those that have been left out for long enough; each is to be asked, and ``probed`` told the answer."""
        found = [each for each in self.endpoints if each.state is State.EJECTED and each.until <= now]
        for each in found:
            each.state = State.PROBED
        return found

    def probed(self, endpoint: Endpoint, answers: bool, now: float) -> Returned | None:
        """Whether a server that was left out has answered."""
        if endpoint.state is not State.PROBED or endpoint.gone:
            return None
        if answers:
            return self._take_back(endpoint, State.TRIED, now)
        self._leave_out(endpoint, now)
        return None

    def grow(self, now: float) -> None:
        """Give servers that came or came back more of their share, where that is due."""
        if now >= self.grows_at:
            self._draw(now)

    def next_event(self) -> float:
        """When there is something to do: ``grow``, or ``due``."""
        return min([self.grows_at, *(each.until for each in self.endpoints if each.state is State.EJECTED)])

    def _least(self, some: list[Endpoint]) -> Endpoint | None:
        self._chance.shuffle(some)
        return min(some, key=lambda each: each.load, default=None)

    def _may_eject(self) -> bool:
        return sum(each.out for each in self.endpoints) < len(self.endpoints) * 2 // 3

    def _leave_out(self, endpoint: Endpoint, now: float) -> float:
        """For how many seconds."""
        last = endpoint.until - endpoint.ejected_at
        soon = endpoint.out or now - endpoint.returned_at < max(2 * last, RAMP)
        endpoint.in_row = endpoint.in_row + 1 if soon else 1
        longest = min(self._eject_for * 2.0 ** min(endpoint.in_row - 1, 30), max(LONGEST, self._eject_for))
        seconds = longest * self._chance.uniform(0.8, 1.0)  # so that many callers do not come back at once
        endpoint.ejections += not endpoint.out
        endpoint.state = State.EJECTED
        endpoint.ejected_at, endpoint.until = now, now + seconds
        return seconds

    def _take_back(self, endpoint: Endpoint, state: State, now: float) -> Returned:
        endpoint.state = state
        endpoint.odd = state is State.TRIED
        endpoint.failures = 0
        endpoint.returned_at = now
        endpoint.gently(GENTLY, now)
        self._draw(now)
        return Returned(str(endpoint.address))

    def _draw(self, now: float) -> None:
        """Draw pairs in advance, each server as first in proportion to its weight and ramp, and all as second ones."""
        some = [each for each in self.endpoints if not each.out]
        shares = [max(each.address.weight, 1e-6) * each.ramp(now) for each in some]
        whole = sum(shares)
        for each, share in zip(some, shares, strict=True):
            each.cost = whole / len(some) / share
        growing = any(each.ramp(now) < 1.0 for each in some)
        self.grows_at = now + STEP if growing else math.inf
        firsts = _in_proportion(some, shares, self._chance)
        self._chance.shuffle(firsts)
        self._lender.pairs = cycle([(first, self._second(first, some)) for first in firsts])
        self._lender.only = some[0] if len(some) == 1 else None

    def _second(self, first: Endpoint, some: Sequence[Endpoint]) -> Endpoint:
        if len(some) == 1:
            return first
        other = some[self._chance.randrange(len(some) - 1)]
        return some[-1] if other is first else other


def _in_proportion(some: Sequence[Endpoint], shares: Sequence[float], chance: random.Random) -> list[Endpoint]:
    """Each as often as its share says, to within one, and at least once."""
    if len(some) < 2:
        return list(some)
    step = sum(shares) / max(ROUND, EACH * len(some))
    found: list[Endpoint] = []
    end, place = 0.0, chance.random() * step
    for each, share in zip(some, shares, strict=True):
        end += share
        before = len(found)
        while place < end:
            found.append(each)
            place += step
        if len(found) == before:
            found.append(each)
    return found
