"""How a service ends: who is told to leave, when and how, and who before whom.

A part of ``policy``, and as pure.
"""

from __future__ import annotations

from msgspec.structs import replace

from thriftserver.master.convergence import put
from thriftserver.master.events import Action, Announce, Disown, Log, News, Phase, Signal, State

#: Seconds that a stop gives to a farewell that comes before the workers': a registry tells clients to go elsewhere.
FAREWELL = 3.0


def stop(state: State, graceful: bool, now: float, actions: list[Action], *, keep: bool = False) -> State:
    """TERM lets workers finish; INT asks them to leave at once; a second INT kills them.

    With ``keep`` they hand their connections over, and the supervisor takes them for the master after this one.
    """
    hurry = state.hurry if graceful else state.hurry + 1
    if state.phase is Phase.STOPPING and hurry == state.hurry:
        return state
    keep = keep and not state.heir
    name, timeout = _manner(state, hurry, keep)
    if not state.exit_code:
        actions.append(Log("info", "stopping", {"graceful": hurry == 0}))
        actions += [] if state.heir else [Announce(News.STOPPING)]  # the service goes on with the older master
    if state.upgrading:  # it is told first that there is nobody left to give its connections back to
        actions += [Disown(), Signal(state.successor, "TERM" if hurry == 0 else name)]
        state = replace(state, successor_due=min(state.successor_due, now + timeout))
    state = replace(state, phase=Phase.STOPPING, hurry=hurry, keeping=keep or state.keeping)
    if state.companion and not (hurry or state.heir):
        return replace(state, farewell_due=now + FAREWELL)
    return _send_away(state, now, actions)


def bid_farewell(state: State, now: float, actions: list[Action]) -> State:
    """Workers go once nobody has to go before them, or that takes too long."""
    if state.farewell_due == float("inf") or (state.companion and now < state.farewell_due):
        return state
    return _send_away(state, now, actions)


def _send_away(state: State, now: float, actions: list[Action]) -> State:
    """Tell all workers to leave, in the manner of the stop that is under way."""
    name, timeout = _manner(state, state.hurry, state.keeping)
    return leave(replace(state, farewell_due=float("inf")), name, timeout, now, actions)


def _manner(state: State, hurry: int, keep: bool) -> tuple[str, float]:
    """The signal that sends workers away, and how long they may take."""
    name = ("USR2" if state.heir or keep else "TERM", "QUIT", "KILL")[min(hurry, 2)]
    return name, (state.graceful_timeout + 1.0, 1.0, float("inf"))[min(hurry, 2)]


def leave(state: State, name: str, timeout: float, now: float, actions: list[Action]) -> State:
    """Send every worker away."""
    for worker in state.workers.values():
        actions.append(Signal(worker.pid, name))
        state = put(state, replace(worker, retiring=True, deadline=min(worker.deadline, now + timeout)))
    return state
