"""What a master decides: a pure function from (state, event, time) to actions.

``decide`` forks nothing, kills nothing and reads no clock; the supervisor carries out what it returns. Every state and
event can therefore be walked in a test (tests/master/test_policy.py).

Phases: STARTING until every worker of the first generation is ready; then RUNNING; RELOADING while a canary, the first
worker of a new generation, is booting or on trial; STOPPING to the end. A new generation is adopted when its canary is
ready, or has stood its trial (``probation``): from then on missing workers are made from it and the old ones are
retired, one for each new one that is ready.
"""

from __future__ import annotations

from msgspec.structs import replace

from thriftserver.master import probation
from thriftserver.master.convergence import HEALTHY, calm, complete, missing, put, reconcile
from thriftserver.master.ending import bid_farewell, leave, stop
from thriftserver.master.events import (
    Abdicate,
    Accompanied,
    Action,
    Adopt,
    Announce,
    CheckReload,
    Event,
    Exited,
    Fail,
    Followed,
    Hung,
    Judge,
    Judged,
    Log,
    News,
    Offer,
    Phase,
    Ready,
    ReloadAsked,
    ReloadChecked,
    ReloadImpossible,
    RestAsked,
    ScaleAsked,
    Signal,
    Slept,
    Spawned,
    SpawnFailed,
    Spent,
    StartUpgrade,
    State,
    StopAsked,
    Succeeded,
    Tell,
    Tick,
    UpgradeAsked,
    UpgradeFailed,
    UpgradeOnTrial,
    UpgradeReady,
    UpgradeStarted,
    Worker,
)

#: First and longest pause before a worker is replaced that did not live that long; chance changes it by a quarter.
BACKOFF_FIRST, BACKOFF_MOST = 0.1, 10.0
#: So many crashes in a row are a loop.
LOOP = 3
#: What a new master ends with whose worker has not stood its trial.
ROLLED_BACK = 3
#: A hung worker may write its stacks for so long.
LAST_WORDS = 1.0


def decide(state: State, event: Event, now: float) -> tuple[State, list[Action]]:
    """The state after ``event`` and what is to be done about it."""
    actions: list[Action] = []
    match event:
        case Tick():
            pass
        case Slept():
            state = _later(state, event.seconds)
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
        case UpgradeAsked():
            state = _upgrade_asked(state, actions)
        case UpgradeStarted():
            # Its workers boot after it has: each may take its time.
            state = replace(state, successor=event.pid, successor_due=now + 2 * state.boot_timeout)
        case UpgradeReady():
            state = _upgraded(state, now, actions)
        case UpgradeFailed():
            state = _upgrade_failed(state, event, actions)
        case UpgradeOnTrial():
            state = probation.of_successor(state, event, now, actions)
        case Judged() if state.on_trial and state.phase is not Phase.STOPPING:
            state = _judged(state, event, now, actions)
        case Followed() if state.abdicated:
            actions.append(Announce(News.FOLLOWED, str(state.abdicated)))
            state = replace(state, abdicated=0)
        case Succeeded():
            state = _succeeded(state, now, actions)
        case Accompanied():
            state = replace(state, companion=event.so)
        case StopAsked():
            state = stop(state, event.graceful, now, actions, keep=event.keep)
    return reconcile(bid_farewell(state, now, actions), now, actions), actions


def next_wake(state: State) -> float:
    """When time alone will change a decision; infinity if only events can."""
    times = [state.successor_due, state.farewell_due, *(worker.deadline for worker in state.workers.values())]
    if state.phase is not Phase.STOPPING and missing(state):
        times.append(state.spawn_after)
    elif state.crashes and complete(state):
        times.append(state.spawn_after + HEALTHY)
    return min(times, default=float("inf"))


def finished(state: State) -> bool:
    return state.phase is Phase.STOPPING and not (state.workers or state.upgrading or state.abdicated)


def _later(state: State, seconds: float) -> State:
    """Nobody is late for what they could not do while all were stopped."""
    workers = {pid: replace(each, deadline=each.deadline + seconds) for pid, each in state.workers.items()}
    trial_due = state.trial_due + seconds if state.trial_due else 0.0
    return replace(
        state,
        workers=workers,
        successor_due=state.successor_due + seconds,
        trial_due=trial_due,
        farewell_due=state.farewell_due + seconds,
    )


def _without(state: State, pid: int) -> State:
    return replace(state, workers={key: worker for key, worker in state.workers.items() if key != pid})


def _spawned(state: State, event: Spawned, now: float) -> State:
    worker = Worker(event.pid, event.number, event.generation, born=now, deadline=now + state.boot_timeout)
    return put(state, worker)


def _ready(state: State, event: Ready, now: float, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or not worker.stays or worker.ready:
        return state
    state = put(state, replace(worker, ready=True, deadline=float("inf")))
    facts: dict[str, object] = {"worker": worker.number, "pid": worker.pid, "boot_s": round(now - worker.born, 3)}
    actions.append(Log("info", "worker_ready", facts))
    if state.phase is Phase.STARTING and complete(state):
        return _started(state, now, actions)
    if state.phase is Phase.RELOADING and worker.generation == state.candidate:
        return _candidate_ready(state, now, actions)
    return state


def _candidate_ready(state: State, now: float, actions: list[Action]) -> State:
    limits = state.candidate_limits
    assert state.candidate is not None
    assert limits is not None
    compared = any(each.ready and each.stays for each in state.workers.values() if each.generation != state.candidate)
    if limits.canary and compared and not state.on_trial:
        return probation.begin(state, state.candidate, limits.canary, now, actions)
    return state if state.on_trial else _adopt(state, actions)


def _judged(state: State, event: Judged, now: float, actions: list[Action]) -> State:
    state = probation.over(state)
    if event.good:
        probation.acquitted(state, event, actions)
        if not state.heir:
            return _adopt(state, actions)
        return _started(state, now, actions) if complete(state) else state
    if state.heir:  # its worker has connections to give back; the older master says why
        actions += [Tell("rolled_back", event.reason, facts=event.facts), Fail(ROLLED_BACK, event.reason)]
        return stop(replace(state, exit_code=ROLLED_BACK), True, now, actions)
    probation.condemned(event.facts, event.reason, "reload", actions)
    return _settled(state, actions)


def _started(state: State, now: float, actions: list[Action]) -> State:
    if state.heir and state.on_trial:
        return state if state.trial_due else probation.begin(state, state.generation, state.canary, now, actions)
    if state.heir:
        actions.append(Offer())
        return replace(state, offered=True)
    actions += [Log("info", "ready", {"workers": state.target}), Announce(News.READY)]
    return _settled(state, actions)


def _succeeded(state: State, now: float, actions: list[Action]) -> State:
    """This master is the one in force now, wherever it has got to. There is nobody to compare its worker with."""
    if not state.heir:
        return state
    state = replace(probation.over(state), heir=False)
    actions.append(Announce(News.SUCCEEDED))
    begun = state.offered or complete(state)
    return _started(state, now, actions) if state.phase is Phase.STARTING and begun else state


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
    return _settled(calm(state, actions), actions)


def _settled(state: State, actions: list[Action]) -> State:
    """Start or reload is over, well or badly: RUNNING, unless another reload was asked for meanwhile."""
    wanted = state.reload_wanted
    state = replace(
        probation.over(state), phase=Phase.RUNNING, candidate=None, candidate_limits=None, reload_wanted=False
    )
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
    if state.trial_due and state.on_trial and worker.generation == (state.candidate or state.generation):
        actions.append(Judge())
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
    if state.phase is Phase.STARTING and not state.offered:
        reason = reason if code in (3, 4) else f"a worker {reason} while it started"
        code = code if code in (3, 4) else 3
        actions.append(Fail(code, reason))
        # Beside an older master, the workers that were ready have connections to give back.
        return stop(replace(state, exit_code=code), state.heir, now, actions)
    if generation == state.candidate:
        return _reload_failed(state, reason, actions)
    if age >= HEALTHY:
        return replace(calm(state, actions), spawn_after=now)
    crashes = state.crashes + 1
    delay = min(BACKOFF_FIRST * 2 ** (crashes - 1), BACKOFF_MOST) * (0.75 + luck / 2)
    actions.append(Log("warning", "worker_backoff", {"crashes": crashes, "delay_s": round(delay, 3)}))
    if crashes >= LOOP and not state.looping:
        actions.append(Log("error", "crash_loop", {"crashes": crashes, "reason": reason}))
    return replace(state, crashes=crashes, spawn_after=now + delay, looping=crashes >= LOOP)


def _spent(state: State, event: Spent, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or worker.spent or not worker.ready or not worker.stays:
        return state
    facts: dict[str, object] = {"worker": worker.number, "pid": worker.pid, "reason": event.reason}
    actions.append(Log("info", "worker_spent", facts))
    return put(state, replace(worker, spent=event.reason.partition(":")[0]))


def _hung(state: State, event: Hung, now: float, actions: list[Action]) -> State:
    worker = state.workers.get(event.pid)
    if worker is None or worker.hung or not worker.ready:
        return state
    actions.append(Signal(worker.pid, "ABRT"))
    return put(state, replace(worker, hung=True, deadline=min(worker.deadline, now + LAST_WORDS)))


def _most(state: State) -> int:
    """The highest target: a reload has two generations side by side."""
    return max(state.capacity // 2, 1)


def _scale(state: State, event: ScaleAsked, actions: list[Action]) -> State:
    base = state.wanted if event.target is None else event.target
    target = min(max(base + event.by, 1), _most(state))
    actions.append(Log("info", "scaled", {"workers": target, "before": state.wanted}))
    return replace(state, target=target, configured=state.configured or state.target, resting=False)


def _upgrade_asked(state: State, actions: list[Action]) -> State:
    """A new master boots beside this one; once it serves, this one's workers hand everything over and all leave."""
    if state.phase is not Phase.RUNNING or state.upgrading:
        phase = "upgrading" if state.upgrading else state.phase.value
        actions.append(Log("error", "upgrade_failed", {"reason": f"the service is {phase}; ask again later"}))
    else:
        actions += [Log("info", "upgrading", {}), StartUpgrade()]
    return state


def _upgraded(state: State, now: float, actions: list[Action]) -> State:
    if not state.upgrading or state.phase is Phase.STOPPING:
        return state
    pid = state.successor
    actions += [Log("info", "upgraded", {"successor": pid}), Announce(News.UPGRADED, str(pid)), Abdicate()]
    state = replace(state, successor=0, successor_due=float("inf"), trial_due=0.0, abdicated=pid)
    return leave(replace(state, phase=Phase.STOPPING), "USR2", state.graceful_timeout + 1.0, now, actions)


def _upgrade_failed(state: State, event: UpgradeFailed, actions: list[Action]) -> State:
    reason = event.reason
    if state.phase is not Phase.STOPPING and event.facts is not None:
        probation.condemned(event.facts, reason, "upgrade", actions)
        actions.append(Announce(News.UPGRADE_FAILED, f"upgrade rolled back: {reason}"))
    elif state.phase is not Phase.STOPPING:
        actions += [Log("error", "upgrade_failed", {"reason": reason}), Announce(News.UPGRADE_FAILED, reason)]
    return replace(state, successor=0, successor_due=float("inf"), trial_due=0.0, abdicated=0)


def _obituary(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"exited with code {code}"


def _reload_asked(state: State, actions: list[Action]) -> State:
    if state.phase is Phase.RELOADING and state.on_trial:  # whoever reloads meanwhile has something better
        return _reload_failed(replace(state, reload_wanted=True), "another reload was asked for meanwhile", actions)
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
