"""What a master decides: a pure function from (state, event, time) to actions.

``decide`` forks nothing, kills nothing and reads no clock; the supervisor carries out what it returns. Every state and
event can therefore be walked in a test (tests/master/test_policy.py).

Phases: STARTING until every worker of the first generation is ready; then RUNNING; RELOADING while a canary, the first
worker of a new generation, is booting; STOPPING to the end. A new generation is adopted when its canary is ready: from
then on missing workers are made from it and the old ones are retired, one for each new one that is ready.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

#: A worker that lived this long was healthy; its successor is started at once.
HEALTHY = 5.0
#: First and longest pause before a worker is replaced that did not live that long.
BACKOFF_FIRST, BACKOFF_MOST = 0.1, 10.0


class Phase(Enum):
    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    STOPPING = "stopping"


class Worker(Struct, frozen=True):
    pid: int
    number: int
    generation: int
    born: float
    ready: bool = False
    retiring: bool = False
    deadline: float = float("inf")
    """When to kill it: it must be ready by then, or gone by then."""


class ReloadChecked(Struct, frozen=True):
    """Event: the new configuration and IDL were read; these are the new configuration's numbers."""

    target: int
    boot_timeout: float
    graceful_timeout: float


class State(Struct, frozen=True):
    """All that decisions depend on. Durations are seconds; times are of one monotonic clock."""

    target: int
    boot_timeout: float
    graceful_timeout: float
    phase: Phase = Phase.STARTING
    generation: int = 1
    candidate: int | None = None
    """The generation being tried, while RELOADING."""
    candidate_limits: ReloadChecked | None = None
    """What comes into force with it."""
    newest: int = 1
    workers: dict[int, Worker] = {}
    crashes: int = 0
    """Workers in a row that did not live to be HEALTHY."""
    spawn_after: float = 0.0
    reload_wanted: bool = False
    """A reload was asked for during another one."""
    hurry: int = 0
    exit_code: int = 0


# Events.


class Tick(Struct, frozen=True):
    """Time has passed."""


class Spawned(Struct, frozen=True):
    pid: int
    number: int
    generation: int


class Ready(Struct, frozen=True):
    pid: int


class Exited(Struct, frozen=True):
    """A child is gone. ``code`` is its exit code, or minus the signal; ``reason`` what it reported before."""

    pid: int
    code: int
    reason: str = ""


class SpawnFailed(Struct, frozen=True):
    """The system gave no new process."""

    generation: int
    reason: str


class ReloadAsked(Struct, frozen=True):
    """Somebody sent HUP."""


class ReloadImpossible(Struct, frozen=True):
    reason: str


class StopAsked(Struct, frozen=True):
    graceful: bool


Event: TypeAlias = (
    Tick | Spawned | SpawnFailed | Ready | Exited | ReloadAsked | ReloadChecked | ReloadImpossible | StopAsked
)

# Actions.


class Spawn(Struct, frozen=True):
    number: int
    generation: int


class Signal(Struct, frozen=True):
    """Send to a worker: ``TERM`` (finish and leave), ``QUIT`` (leave now) or ``KILL``."""

    pid: int
    name: str


class CheckReload(Struct, frozen=True):
    """Read configuration and IDL anew; answer with ReloadChecked or ReloadImpossible."""


class Adopt(Struct, frozen=True):
    """The candidate's program is the one in force now."""

    generation: int


class Log(Struct, frozen=True):
    level: str
    event: str
    facts: dict[str, object]


class Fail(Struct, frozen=True):
    """The first boot failed: the command line says why and ends with ``code``, once every worker is gone."""

    code: int
    reason: str


Action: TypeAlias = Spawn | Signal | CheckReload | Adopt | Log | Fail


def decide(state: State, event: Event, now: float) -> tuple[State, list[Action]]:
    """The state after ``event`` and what is to be done about it."""
    actions: list[Action] = []
    match event:
        case Tick():
            pass
        case Spawned():
            state = _spawned(state, event, now)
        case Ready():
            state = _ready(state, event, now, actions)
        case Exited():
            state = _exited(state, event, now, actions)
        case SpawnFailed():
            actions.append(Log("error", "spawn_failed", {"reason": event.reason}))
            state = _lost(state, event.generation, 3, event.reason, 0.0, now, actions)
        case ReloadAsked():
            state = _reload_asked(state, actions)
        case ReloadChecked():
            newest = state.newest + 1
            state = replace(state, candidate=newest, newest=newest, candidate_limits=event)
        case ReloadImpossible():
            state = _reload_failed(state, event.reason, actions)
        case StopAsked():
            state = _stop(state, event.graceful, now, actions)
    return _reconcile(state, now, actions), actions


def next_wake(state: State) -> float:
    """When time alone will change a decision; infinity if only events can."""
    times = [worker.deadline for worker in state.workers.values()]
    if state.phase is not Phase.STOPPING and _missing(state):
        times.append(state.spawn_after)
    return min(times, default=float("inf"))


def finished(state: State) -> bool:
    return state.phase is Phase.STOPPING and not state.workers


def _put(state: State, worker: Worker) -> State:
    return replace(state, workers=state.workers | {worker.pid: worker})


def _without(state: State, pid: int) -> State:
    return replace(state, workers={key: worker for key, worker in state.workers.items() if key != pid})


def _serving(state: State, generation: int) -> list[Worker]:
    """Workers of a generation that are here to stay."""
    return [each for each in state.workers.values() if each.generation == generation and not each.retiring]


def _spawned(state: State, event: Spawned, now: float) -> State:
    worker = Worker(event.pid, event.number, event.generation, born=now, deadline=now + state.boot_timeout)
    return _put(state, worker)


def _ready(state: State, event: Ready, now: float, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or worker.retiring:
        return state
    state = _put(state, replace(worker, ready=True, deadline=float("inf")))
    facts: dict[str, object] = {"worker": worker.number, "pid": worker.pid, "boot_s": round(now - worker.born, 3)}
    actions.append(Log("info", "worker_ready", facts))
    if state.phase is Phase.STARTING and sum(each.ready for each in state.workers.values()) >= state.target:
        actions.append(Log("info", "ready", {"workers": state.target}))
        return _settled(state, actions)
    if state.phase is Phase.RELOADING and worker.generation == state.candidate:
        return _adopt(state, actions)
    return state


def _adopt(state: State, actions: list[Action]) -> State:
    generation, limits = state.candidate, state.candidate_limits
    assert generation is not None
    assert limits is not None
    actions += [Adopt(generation), Log("info", "reloaded", {"generation": generation})]
    state = replace(
        state,
        generation=generation,
        target=limits.target,
        boot_timeout=limits.boot_timeout,
        graceful_timeout=limits.graceful_timeout,
        crashes=0,
    )
    return _settled(state, actions)


def _settled(state: State, actions: list[Action]) -> State:
    """Start or reload is over, well or badly: RUNNING, unless another reload was asked for meanwhile."""
    wanted = state.reload_wanted
    state = replace(state, phase=Phase.RUNNING, candidate=None, candidate_limits=None, reload_wanted=False)
    return _reload_asked(state, actions) if wanted else state


def _exited(state: State, event: Exited, now: float, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None:
        return state
    state = _without(state, event.pid)
    expected = worker.retiring or state.phase is Phase.STOPPING
    if state.phase is not Phase.STARTING and not state.exit_code:  # a failed start is told once, by the command line
        facts: dict[str, object] = {"worker": worker.number, "pid": worker.pid, "age_s": round(now - worker.born, 3)}
        facts |= {"signal": -event.code} if event.code < 0 else {"code": event.code}
        facts |= {"reason": event.reason} if event.reason else {}
        actions.append(Log("info" if expected else "error", "worker_exit", facts))
    if expected:
        return state
    reason = event.reason or _obituary(event.code)
    return _lost(state, worker.generation, event.code, reason, now - worker.born, now, actions)


def _lost(
    state: State, generation: int, code: int, reason: str, age: float, now: float, actions: list[Action]
) -> State:
    """A worker that should be there is not: what follows depends on when, and on which it was."""
    if state.phase is Phase.STARTING:
        reason = reason if code in (3, 4) else f"a worker {reason} while it started"
        code = code if code in (3, 4) else 3
        actions.append(Fail(code, reason))
        return _stop(replace(state, exit_code=code), False, now, actions)
    if generation == state.candidate:
        return _reload_failed(state, reason, actions)
    if age >= HEALTHY:
        return replace(state, crashes=0, spawn_after=now)
    crashes = state.crashes + 1
    delay = min(BACKOFF_FIRST * 2 ** (crashes - 1), BACKOFF_MOST)
    actions.append(Log("warning", "worker_backoff", {"crashes": crashes, "delay_s": delay}))
    return replace(state, crashes=crashes, spawn_after=now + delay)


def _obituary(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"


def _reload_asked(state: State, actions: list[Action]) -> State:
    if state.phase in (Phase.STARTING, Phase.RELOADING):
        return replace(state, reload_wanted=True)
    if state.phase is Phase.STOPPING:
        return state
    actions.append(CheckReload())
    return replace(state, phase=Phase.RELOADING)


def _reload_failed(state: State, reason: str, actions: list[Action]) -> State:
    actions.append(Log("error", "reload_rejected", {"reason": reason}))
    return _settled(state, actions)


def _stop(state: State, graceful: bool, now: float, actions: list[Action]) -> State:
    """TERM lets workers finish; INT asks them to leave at once; a second INT kills them."""
    hurry = state.hurry if graceful else state.hurry + 1
    if state.phase is Phase.STOPPING and hurry == state.hurry:
        return state
    name = ("TERM", "QUIT", "KILL")[min(hurry, 2)]
    timeout = (state.graceful_timeout + 1.0, 1.0, float("inf"))[min(hurry, 2)]
    if not state.exit_code:
        actions.append(Log("info", "stopping", {"graceful": hurry == 0}))
    for worker in state.workers.values():
        actions.append(Signal(worker.pid, name))
        state = _put(state, replace(worker, retiring=True, deadline=min(worker.deadline, now + timeout)))
    return replace(state, phase=Phase.STOPPING, hurry=hurry)


def _reconcile(state: State, now: float, actions: list[Action]) -> State:
    """Bring the workers there are towards the workers there should be."""
    state = _kill_overdue(state, now, actions)
    if state.phase is Phase.STOPPING:
        return state
    state = _retire_surplus(state, now, actions)
    spawn = _next_spawn(state, now)
    # One action at most whose outcome is an event, and last: the next decision then knows of it.
    if spawn is not None and not any(isinstance(action, CheckReload) for action in actions):
        actions.append(spawn)
    return state


def _next_spawn(state: State, now: float) -> Spawn | None:
    """The next worker to start, one at a time: its Spawned event asks for the one after it.

    A canary does not wait for the back-off: it may well be the cure.
    """
    numbers = {worker.number for worker in state.workers.values()}
    number = next(each for each in range(1, len(numbers) + 2) if each not in numbers)
    if state.candidate is not None and not _serving(state, state.candidate):
        return Spawn(number, state.candidate)
    if _missing(state) and now >= state.spawn_after:
        return Spawn(number, state.generation)
    return None


def _missing(state: State) -> bool:
    """Are there fewer workers of the generation in force than there should be?"""
    return len(_serving(state, state.generation)) < state.target


def _kill_overdue(state: State, now: float, actions: list[Action]) -> State:
    for worker in state.workers.values():
        if now >= worker.deadline:
            why = "did not finish in time" if worker.retiring else "was not ready in time"
            actions += [
                Log("error", "worker_killed", {"worker": worker.number, "pid": worker.pid, "reason": why}),
                Signal(worker.pid, "KILL"),
            ]
            state = _put(state, replace(worker, deadline=float("inf")))
    return state


def _retire_surplus(state: State, now: float, actions: list[Action]) -> State:
    """Retire workers of old generations as new ones get ready, so that never fewer than ``target`` serve."""
    if state.phase is not Phase.RUNNING:
        return state
    fresh = sum(worker.ready for worker in _serving(state, state.generation))
    old = [each for each in state.workers.values() if each.generation != state.generation and not each.retiring]
    serving = sorted((each for each in old if each.ready), key=lambda each: each.born)
    surplus = max(fresh + len(serving) - state.target, 0)
    for worker in [each for each in old if not each.ready] + serving[:surplus]:
        actions.append(Signal(worker.pid, "TERM"))
        deadline = now + state.graceful_timeout + 1.0
        state = _put(state, replace(worker, retiring=True, deadline=deadline))
    return state
