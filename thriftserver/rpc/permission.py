"""Who may call what: ``--allow-san`` for single services and methods, held against the certificate of a call's peer.

The most precise rules that there are for a method count: its own, its name's in any service, its service's. The
processor answers those that are refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from thriftserver.rpc.method import Method
from thriftserver.sans import Allowed, closest_scope

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call

#: Seconds in which the same peer is told of once, and peers that are told of in them.
PERIOD, MOST = 1.0, 100
#: Certificates of which it is kept what they may, for each method.
KEPT = 1024


class Refusals:
    """Tells ``say(call, reason)`` of refused calls, and of a peer that goes on and on not each time."""

    def __init__(self, say: Callable[[Call, str], None]) -> None:
        self._say = say
        self._told: set[tuple[str, str, str]] = set()
        self._since = 0.0

    def tell(self, call: Call, reason: str) -> None:
        now = time.monotonic()
        if now > self._since + PERIOD:
            self._since = now
            self._told.clear()
        who = (call.peer, call.service, call.method)
        if who not in self._told and len(self._told) < MOST:
            self._told.add(who)
            self._say(call, reason)


def restrict(methods: Sequence[Method], rules: Sequence[str], say: Callable[[Call, str], None]) -> None:
    """Give a guard to the methods that not everybody may call."""
    refusals = Refusals(say)
    for method in methods:
        scopes = (f"{method.service}.{method.name}", method.name, method.service)
        if patterns := closest_scope(rules, scopes):
            method.guard = _guard(patterns, refusals)


def _guard(patterns: Sequence[str], refusals: Refusals) -> Callable[[Call], bool]:
    fits, said = lru_cache(KEPT)(Allowed(patterns).fits), ", ".join(patterns)

    def guard(call: Call) -> bool:
        certificate = call.peer_certificate
        if certificate is not None and fits(certificate.sans):
            return True
        names = "the peer has shown no certificate"
        if certificate is not None:
            names = f"the peer's certificate has {', '.join(certificate.sans) or 'no names'}"
        refusals.tell(call, f"{names}; --allow-san lets {said} call this")
        return False

    return guard
