"""Brings the workers that there are towards those that there should be: what to start, to retire, to kill.

A part of ``policy``, and as pure: it looks at a state, whatever event has led to it.
"""

from __future__ import annotations

from msgspec.structs import replace

from thriftserver.master.events import (
    Action,
    CheckReload,
    Judge,
    Log,
    Phase,
    Signal,
    Spawn,
    StartUpgrade,
    State,
    Worker,
)

#: A worker that lived this long was healthy; its successor is started at once.
HEALTHY = 5.0


def put(state: State, worker: Worker) -> State:
    return replace(state, workers=state.workers | {worker.pid: worker})


def serving(state: State, generation: int) -> list[Worker]:
    """Workers of a generation that are here to stay."""
    return [each for each in state.workers.values() if each.generation == generation and each.stays and not each.spent]


def complete(state: State) -> bool:
    """Is every worker there that should be, and ready?"""
    return sum(worker.ready for worker in serving(state, state.generation)) >= state.wanted


def calm(state: State, actions: list[Action]) -> State:
    """Workers live again."""
    if state.looping:
        actions.append(Log("info", "crash_loop_over", {"crashes": state.crashes}))
    return replace(state, crashes=0, looping=False)


def reconcile(state: State, now: float, actions: list[Action]) -> State:
    """Bring the workers there are towards the workers there should be."""
    state = _kill_overdue(state, now, actions)
    if state.phase is Phase.STOPPING:
        return state
    state = _retire_surplus(state, now, actions)
    if state.crashes and now >= state.spawn_after + HEALTHY and complete(state):
        state = calm(state, actions)
    spawn = _next_spawn(state, now)
    # One action at most whose outcome is an event, and last: the next decision then knows of it.
    if spawn is not None and not any(isinstance(action, CheckReload | StartUpgrade | Judge) for action in actions):
        actions.append(spawn)
    return state


def _next_spawn(state: State, now: float) -> Spawn | None:
    """The next worker to start, one at a time: its Spawned event asks for the one after it.

    A canary does not wait for the back-off: it may well be the cure.
    """
    numbers = {worker.number for worker in state.workers.values()}
    number = next(each for each in range(1, len(numbers) + 2) if each not in numbers)
    if number > state.capacity:
        return None
    if state.candidate is not None and not serving(state, state.candidate):
        return Spawn(number, state.candidate)
    if missing(state) and now >= state.spawn_after:
        return Spawn(number, state.generation)
    return None


def missing(state: State) -> bool:
    """Are there fewer workers of the generation in force than there should be?"""
    free = len(state.workers) < state.capacity
    return free and len(serving(state, state.generation)) < state.wanted


def _kill_overdue(state: State, now: float, actions: list[Action]) -> State:
    for worker in state.workers.values():
        if now >= worker.deadline:
            why = (
                "was hung" if worker.hung else "did not finish in time" if worker.retiring else "was not ready in time"
            )
            actions += [
                Log("error", "worker_killed", {"worker": worker.number, "pid": worker.pid, "reason": why}),
                Signal(worker.pid, "KILL"),
            ]
            state = put(state, replace(worker, deadline=float("inf")))
    if now >= state.successor_due:
        actions += [
            Log("error", "successor_killed", {"successor": state.successor, "reason": "was not ready in time"}),
            Signal(state.successor, "KILL"),
        ]
        state = replace(state, successor_due=float("inf"))
    return state


def _retire_surplus(state: State, now: float, actions: list[Action]) -> State:
    """Retire old and spent workers as new ones get ready, and what is too many; never so that too few serve."""
    if state.phase not in (Phase.RUNNING, Phase.RELOADING):
        return state
    # One that is tried is none of them yet, but for its own: whoever of these is spent is followed by another one.
    tried = sorted(serving(state, state.candidate), key=lambda each: each.ready) if state.candidate else []
    staying = sorted((each for each in state.workers.values() if each.stays), key=lambda each: (each.ready, each.born))
    staying = [each for each in staying if each not in tried[-1:]]
    fresh = [each for each in staying if each.generation == state.generation and not each.spent]
    old = [each for each in staying if each not in fresh]
    spare = [each for each in old if each.ready]
    surplus = max(sum(each.ready for each in staying) - state.wanted, 0)
    leaving = [each for each in old if not each.ready] + spare[:surplus]
    leaving += fresh[: max(len(fresh) - state.wanted, 0)]
    # Connections are handed over if somebody is there to take them.
    successors = any(each.ready and each not in leaving for each in staying)
    for worker in leaving:
        # One that is not ready may be so by the time the signal comes, and hold connections: never TERM it here.
        actions.append(Signal(worker.pid, "USR2" if successors else "TERM"))
        deadline = now + state.graceful_timeout + 1.0
        state = put(state, replace(worker, retiring=True, deadline=deadline))
    return state
