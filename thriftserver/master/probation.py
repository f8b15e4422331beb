"""The trial of a new generation: it begins when its first worker is ready, and ends with a verdict or without one.

A part of ``policy``, and as pure. The verdict is ``judgement``'s; what follows from it stands in ``policy``.
"""

from __future__ import annotations

from msgspec.structs import replace

from thriftserver.master.events import Action, Announce, Judged, Log, News, State, Tell, Try, UpgradeOnTrial


def begin(state: State, generation: int, seconds: float, now: float, actions: list[Action]) -> State:
    """One worker of ``generation`` is ready: compare it with those beside it."""
    facts: dict[str, object] = {"generation": generation, "seconds": seconds}
    if state.heir:
        actions.append(Tell("canary", seconds=seconds))  # the older master is in charge: it tells people
    else:
        actions += [Log("info", "canary_started", facts), Announce(News.TRYING, f"{seconds:g}")]
    actions.append(Try(generation, seconds))
    return replace(state, on_trial=True, trial_due=now + seconds)


def over(state: State) -> State:
    return replace(state, on_trial=False, trial_due=0.0)


def acquitted(state: State, event: Judged, actions: list[Action]) -> None:
    """Say how sure it is."""
    if state.heir:
        actions.append(Tell("judged", facts=event.facts, doubt=event.doubt))
    else:
        actions.append(_verdict(event.facts, event.doubt))


def _verdict(facts: dict[str, object], doubt: bool) -> Log:
    if doubt:
        advice = "it goes on, as --canary-idle says; try longer, or with more calls"
        return Log("warning", "canary_inconclusive", {**facts, "advice": advice})
    return Log("info", "canary_passed", facts)


def condemned(facts: dict[str, object], reason: str, what: str, actions: list[Action]) -> None:
    """``what`` is rolled back: reload or upgrade."""
    actions.append(Log("error", "reload_rolled_back", {"what": what, "reason": reason, **facts}))
    actions.append(Announce(News.ROLLED_BACK, f"{what} rolled back: {reason}"))


def of_successor(state: State, event: UpgradeOnTrial, now: float, actions: list[Action]) -> State:
    """The new master judges itself: it may take its time, until it boots the other workers."""
    if not state.upgrading:
        return state
    if event.seconds:
        facts: dict[str, object] = {"successor": state.successor, "seconds": event.seconds}
        actions += [Log("info", "canary_started", facts), Announce(News.TRYING, f"{event.seconds:g}")]
        return replace(state, trial_due=now + event.seconds, successor_due=float("inf"))
    actions += [_verdict(event.facts, event.doubt), Announce(News.JUDGED)]
    return replace(state, trial_due=0.0, successor_due=now + 2 * state.boot_timeout)
