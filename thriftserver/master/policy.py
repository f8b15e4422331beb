"""What a master decides: a pure function from (state, event, time) to actions.

``decide`` forks nothing, kills nothing and reads no clock; the supervisor carries out what it returns. Every state and
event can therefore be walked in a test (tests/master/test_policy.py).

Phases: STARTING until every worker of the first generation is ready; then RUNNING; RELOADING while a canary, the first
worker of a new generation, is booting; STOPPING to the end. A new generation is adopted when its canary is ready: from
then on missing workers are made from it and the old ones are retired, one for each new one that is ready.
"""

from __future__ import annotations

from msgspec.structs import replace

from thriftserver.master.events import (
    Action,
    Adopt,
    Announce,
    CancelUpgrade,
    CheckReload,
    Event,
    Exited,
    Fail,
    Hung,
    Log,
    News,
    Phase,
    Ready,
    ReloadAsked,
    ReloadChecked,
    ReloadImpossible,
    RestAsked,
    ScaleAsked,
    Signal,
    Spawn,
    Spawned,
    SpawnFailed,
    Spent,
    StartUpgrade,
    State,
    StopAsked,
    Tick,
    UpgradeAsked,
    UpgradeFailed,
    UpgradeReady,
    Worker,
)

#: A worker that lived this long was healthy; its successor is started at once.
HEALTHY = 5.0
#: First and longest pause before a worker is replaced that did not live that long; chance changes it by a quarter.
BACKOFF_FIRST, BACKOFF_MOST = 0.1, 10.0
#: So many crashes in a row are a loop.
LOOP = 3
#: A hung worker may write its stacks for so long.
LAST_WORDS = 1.0


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
            state = _lost(state, event.generation, 3, event.reason, 0.0, event.luck, now, actions)
        case Spent():
            state = _spent(state, event, actions)
        case Hung():
            state = _hung(state, event, now, actions)
        case ScaleAsked():
            state = _scale(state, event, actions)
        case RestAsked():
            actions.append(Log("info", "resting", {"advice": "HUP or TTIN starts workers again"}))
            state = replace(state, resting=True)
        case ReloadAsked():
            state = _reload_asked(replace(state, resting=False), actions)
        case ReloadChecked():
            newest = state.newest + 1
            state = replace(state, candidate=newest, newest=newest, candidate_limits=event)
        case ReloadImpossible():
            state = _reload_failed(state, event.reason, actions)
        case UpgradeAsked() | UpgradeReady() | UpgradeFailed():
            state = _upgrade(state, event, now, actions)
        case StopAsked():
            state = _stop(state, event.graceful, now, actions, keep=event.keep)
    return _reconcile(state, now, actions), actions


def next_wake(state: State) -> float:
    """When time alone will change a decision; infinity if only events can."""
    times = [worker.deadline for worker in state.workers.values()]
    if state.phase is not Phase.STOPPING and _missing(state):
        times.append(state.spawn_after)
    elif state.crashes and _complete(state):
        times.append(state.spawn_after + HEALTHY)
    return min(times, default=float("inf"))


def finished(state: State) -> bool:
    return state.phase is Phase.STOPPING and not state.workers


def _put(state: State, worker: Worker) -> State:
    return replace(state, workers=state.workers | {worker.pid: worker})


def _without(state: State, pid: int) -> State:
    return replace(state, workers={key: worker for key, worker in state.workers.items() if key != pid})


def _serving(state: State, generation: int) -> list[Worker]:
    """Workers of a generation that are here to stay."""
    return [each for each in state.workers.values() if each.generation == generation and each.stays and not each.spent]


def _complete(state: State) -> bool:
    """Is every worker there that should be, and ready?"""
    return sum(worker.ready for worker in _serving(state, state.generation)) >= state.wanted


def _spawned(state: State, event: Spawned, now: float) -> State:
    worker = Worker(event.pid, event.number, event.generation, born=now, deadline=now + state.boot_timeout)
    return _put(state, worker)


def _ready(state: State, event: Ready, now: float, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or not worker.stays:
        return state
    state = _put(state, replace(worker, ready=True, deadline=float("inf")))
    facts: dict[str, object] = {"worker": worker.number, "pid": worker.pid, "boot_s": round(now - worker.born, 3)}
    actions.append(Log("info", "worker_ready", facts))
    if state.phase is Phase.STARTING and _complete(state):
        actions += [Log("info", "ready", {"workers": state.target}), Announce(News.READY)]
        return _settled(state, actions)
    if state.phase is Phase.RELOADING and worker.generation == state.candidate:
        return _adopt(state, actions)
    return state


def _adopt(state: State, actions: list[Action]) -> State:
    generation, limits = state.candidate, state.candidate_limits
    assert generation is not None
    assert limits is not None
    actions += [
        Adopt(generation),
        Log("info", "reloaded", {"generation": generation}),
        Announce(News.RELOADED, f"generation {generation}"),
    ]
    configured = state.configured or state.target
    state = replace(
        state,
        generation=generation,
        # What TTIN and TTOU made of the number holds until somebody writes another one down.
        target=state.target if limits.target == configured else min(limits.target, _most(state)),
        configured=limits.target,
        boot_timeout=limits.boot_timeout,
        graceful_timeout=limits.graceful_timeout,
    )
    return _settled(_calm(state, actions), actions)


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
    return _lost(state, worker.generation, event.code, reason, now - worker.born, event.luck, now, actions)


def _lost(
    state: State,
    generation: int,
    code: int,
    reason: str,
    age: float,
    luck: float,
    now: float,
    actions: list[Action],
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
        return replace(_calm(state, actions), spawn_after=now)
    crashes = state.crashes + 1
    delay = min(BACKOFF_FIRST * 2 ** (crashes - 1), BACKOFF_MOST) * (0.75 + luck / 2)
    actions.append(Log("warning", "worker_backoff", {"crashes": crashes, "delay_s": round(delay, 3)}))
    if crashes >= LOOP and not state.looping:
        actions.append(Log("error", "crash_loop", {"crashes": crashes, "reason": reason}))
    return replace(state, crashes=crashes, spawn_after=now + delay, looping=crashes >= LOOP)


def _calm(state: State, actions: list[Action]) -> State:
    """Workers live again."""
    if state.looping:
        actions.append(Log("info", "crash_loop_over", {"crashes": state.crashes}))
    return replace(state, crashes=0, looping=False)


def _spent(state: State, event: Spent, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or worker.spent or not worker.ready or not worker.stays:
        return state
    facts: dict[str, object] = {"worker": worker.number, "pid": worker.pid, "reason": event.reason}
    actions.append(Log("info", "worker_spent", facts))
    return _put(state, replace(worker, spent=True))


def _hung(state: State, event: Hung, now: float, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or worker.hung or not worker.ready:
        return state
    actions.append(Signal(worker.pid, "ABRT"))
    return _put(state, replace(worker, hung=True, deadline=min(worker.deadline, now + LAST_WORDS)))


def _most(state: State) -> int:
    """The highest target: a reload has two generations side by side."""
    return max(state.capacity // 2, 1)


def _scale(state: State, event: ScaleAsked, actions: list[Action]) -> State:
    base = state.wanted if event.target is None else event.target
    target = min(max(base + event.by, 1), _most(state))
    actions.append(Log("info", "scaled", {"workers": target, "before": state.wanted}))
    return replace(state, target=target, configured=state.configured or state.target, resting=False)


def _upgrade(
    state: State, event: UpgradeAsked | UpgradeReady | UpgradeFailed, now: float, actions: list[Action]
) -> State:
    """A new master boots beside this one; once it serves, this one's workers hand everything over and all leave."""
    if isinstance(event, UpgradeAsked):
        if state.phase is not Phase.RUNNING or state.upgrading:
            phase = "upgrading" if state.upgrading else state.phase.value
            actions.append(Log("error", "upgrade_failed", {"reason": f"the service is {phase}; ask again later"}))
            return state
        actions += [Log("info", "upgrading", {}), StartUpgrade()]
        return replace(state, upgrading=True)
    if not state.upgrading:
        return state
    state = replace(state, upgrading=False)
    if isinstance(event, UpgradeFailed):
        actions.append(Log("error", "upgrade_failed", {"reason": event.reason}))
        return state
    actions += [Log("info", "upgraded", {}), Announce(News.UPGRADED)]
    return _stop(state, True, now, actions, "USR2")


def _obituary(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"


def _reload_asked(state: State, actions: list[Action]) -> State:
    if state.phase in (Phase.STARTING, Phase.RELOADING):
        return replace(state, reload_wanted=True)
    if state.phase is Phase.STOPPING:
        return state
    if state.upgrading:
        reason = "a new master is taking over; ask that one"
        actions += [Log("error", "reload_rejected", {"reason": reason}), Announce(News.REJECTED, reason)]
        return state
    actions += [Announce(News.RELOADING), CheckReload()]
    return replace(state, phase=Phase.RELOADING)


def _reload_failed(state: State, reason: str, actions: list[Action]) -> State:
    actions += [Log("error", "reload_rejected", {"reason": reason}), Announce(News.REJECTED, reason)]
    return _settled(state, actions)


def _stop(
    state: State, graceful: bool, now: float, actions: list[Action], gently: str = "TERM", *, keep: bool = False
) -> State:
    """TERM lets workers finish; INT asks them to leave at once; a second INT kills them.

    With ``keep`` they hand their connections over, and the supervisor takes them for the master after this one.
    """
    hurry = state.hurry if graceful else state.hurry + 1
    if state.phase is Phase.STOPPING and hurry == state.hurry:
        return state
    if state.upgrading:
        actions.append(CancelUpgrade())
    name = ("USR2" if keep else gently, "QUIT", "KILL")[min(hurry, 2)]
    timeout = (state.graceful_timeout + 1.0, 1.0, float("inf"))[min(hurry, 2)]
    if not state.exit_code:
        actions += [Log("info", "stopping", {"graceful": hurry == 0}), Announce(News.STOPPING)]
    for worker in state.workers.values():
        actions.append(Signal(worker.pid, name))
        state = _put(state, replace(worker, retiring=True, deadline=min(worker.deadline, now + timeout)))
    return replace(state, phase=Phase.STOPPING, hurry=hurry, upgrading=False, keeping=keep or state.keeping)


def _reconcile(state: State, now: float, actions: list[Action]) -> State:
    """Bring the workers there are towards the workers there should be."""
    state = _kill_overdue(state, now, actions)
    if state.phase is Phase.STOPPING:
        return state
    state = _retire_surplus(state, now, actions)
    if state.crashes and now >= state.spawn_after + HEALTHY and _complete(state):
        state = _calm(state, actions)
    spawn = _next_spawn(state, now)
    # One action at most whose outcome is an event, and last: the next decision then knows of it.
    if spawn is not None and not any(isinstance(action, CheckReload | StartUpgrade) for action in actions):
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
    if state.candidate is not None and not _serving(state, state.candidate):
        return Spawn(number, state.candidate)
    if _missing(state) and now >= state.spawn_after:
        return Spawn(number, state.generation)
    return None


def _missing(state: State) -> bool:
    """Are there fewer workers of the generation in force than there should be?"""
    free = len(state.workers) < state.capacity
    return free and len(_serving(state, state.generation)) < state.wanted


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
            state = _put(state, replace(worker, deadline=float("inf")))
    return state


def _retire_surplus(state: State, now: float, actions: list[Action]) -> State:
    """Retire old and spent workers as new ones get ready, and what is too many; never so that too few serve."""
    if state.phase is not Phase.RUNNING:
        return state
    staying = sorted((each for each in state.workers.values() if each.stays), key=lambda each: (each.ready, each.born))
    fresh = [each for each in staying if each.generation == state.generation and not each.spent]
    old = [each for each in staying if each not in fresh]
    serving = [each for each in old if each.ready]
    surplus = max(sum(each.ready for each in staying) - state.wanted, 0)
    leaving = [each for each in old if not each.ready] + serving[:surplus]
    leaving += fresh[: max(len(fresh) - state.wanted, 0)]
    # Connections are handed over if somebody is there to take them.
    successors = any(each.ready and each not in leaving for each in staying)
    for worker in leaving:
        # One that is not ready may be so by the time the signal comes, and hold connections: never TERM it here.
        actions.append(Signal(worker.pid, "USR2" if successors else "TERM"))
        deadline = now + state.graceful_timeout + 1.0
        state = _put(state, replace(worker, retiring=True, deadline=deadline))
    return state
