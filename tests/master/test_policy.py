"""The master's decisions, walked without a process: scenarios, then random histories that must keep its promises."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thriftserver.master import ending, events, policy
from thriftserver.master.policy import Phase


@dataclass
class World:
    """A supervisor without processes: forks succeed at once, everything else happens when a test says so."""

    state: policy.State
    now: float = 100.0
    pid: int = 1000
    done: list[policy.Action] = field(default_factory=list)
    reloadable: bool = True
    canary: float = 0.0

    def tell(self, event: policy.Event) -> list[policy.Action]:
        """Decide, fork and re-read as asked; all actions of the whole chain."""
        queue, actions = [event], []
        while queue:
            self.state, new = policy.decide(self.state, queue.pop(0), self.now)
            assert sum(isinstance(action, events.Spawn) for action in new) <= 1
            actions += new
            for action in new:
                if isinstance(action, events.Spawn):
                    self.pid += 1
                    queue.append(policy.Spawned(self.pid, action.number, action.generation))
                elif isinstance(action, policy.StartUpgrade):
                    self.pid += 1
                    queue.append(policy.UpgradeStarted(self.pid))
                elif isinstance(action, policy.CheckReload):
                    queue.append(
                        policy.ReloadChecked(self.state.target, 60, 30, self.canary)
                        if self.reloadable
                        else policy.ReloadImpossible("svc.thrift:3: error")
                    )
        self.done += actions
        return actions

    def later(self, seconds: float) -> list[policy.Action]:
        self.now += seconds
        return self.tell(policy.Tick())

    def pids(self, generation: int | None = None) -> list[int]:
        return [each.pid for each in self.state.workers.values() if generation in (None, each.generation)]

    def ready(self, *pids: int) -> list[policy.Action]:
        return [action for pid in pids for action in self.tell(policy.Ready(pid))]

    def logged(self) -> list[str]:
        return [action.event for action in self.done if isinstance(action, policy.Log)]


def world(target: int = 3, *, running: bool = True) -> World:
    it = World(policy.State(target, boot_timeout=60, graceful_timeout=30))
    it.tell(policy.Tick())
    if running:
        it.ready(*it.pids())
        assert it.state.phase is Phase.RUNNING
    return it


def signals(actions: list[policy.Action]) -> list[tuple[int, str]]:
    return [(action.pid, action.name) for action in actions if isinstance(action, policy.Signal)]


def test_start_spawns_the_target_and_is_ready_when_all_are() -> None:
    it = world(3, running=False)
    assert [each.number for each in it.state.workers.values()] == [1, 2, 3]
    it.ready(*it.pids()[:2])
    assert it.state.phase is Phase.STARTING
    it.ready(it.pids()[2])
    assert it.state.phase is Phase.RUNNING
    assert it.logged()[-1] == "ready"


def test_a_failed_start_ends_the_master_with_the_worker_s_code_and_reason() -> None:
    it = world(2, running=False)
    first, second = it.pids()
    actions = it.tell(policy.Exited(first, 4, "no module 'app'"))
    assert policy.Fail(4, "no module 'app'") in actions
    assert signals(actions) == [(second, "QUIT")]
    it.tell(policy.Exited(second, 0))
    assert policy.finished(it.state)
    assert it.state.exit_code == 4
    assert not any(isinstance(action, events.Spawn) for action in actions)


def test_a_start_that_ends_with_a_strange_code_is_a_boot_failure() -> None:
    it = world(1, running=False)
    assert policy.Fail(3, "a worker was killed by signal 9 while it started") in it.tell(
        policy.Exited(it.pids()[0], -9)
    )


def test_a_dead_worker_is_replaced_at_once_if_it_had_been_healthy() -> None:
    it = world(2)
    it.later(60)
    actions = it.tell(policy.Exited(it.pids()[0], -9))
    assert events.Spawn(1, 1) in actions


def test_a_crash_loop_is_slowed_down_and_forgiven() -> None:
    it = world(1)
    pauses = []
    for _ in range(10):
        actions = it.tell(policy.Exited(it.pids()[0], 1))
        assert not any(isinstance(action, events.Spawn) for action in actions)
        pauses.append(policy.next_wake(it.state) - it.now)
        it.now = policy.next_wake(it.state)
        it.tell(policy.Tick())
        assert len(it.pids()) == 1
    assert [round(pause, 6) for pause in pauses[:3]] == [0.1, 0.2, 0.4]
    assert round(max(pauses), 6) == policy.BACKOFF_MOST
    it.ready(*it.pids())
    it.later(policy.HEALTHY)
    assert events.Spawn(1, 1) in it.tell(policy.Exited(it.pids()[0], 1))
    assert it.state.crashes == 0


def test_a_worker_that_is_never_ready_is_killed() -> None:
    it = world(1, running=False)
    pid = it.pids()[0]
    assert signals(it.later(59.9)) == []
    assert signals(it.later(0.2)) == [(pid, "KILL")]
    assert policy.Fail(3, "a worker was killed by signal 9 while it started") in it.tell(policy.Exited(pid, -9))


def test_a_reload_tries_a_canary_then_rolls() -> None:
    it = world(3)
    old = it.pids()
    actions = it.tell(policy.ReloadAsked())
    assert [action for action in actions if isinstance(action, events.Spawn)] == [events.Spawn(4, 2)]
    assert signals(actions) == []
    canary = it.pids(2)[0]
    actions = it.ready(canary)
    assert policy.Adopt(2) in actions
    assert signals(actions) == [(old[0], "USR2")]
    assert len(it.pids(2)) == 3
    assert signals(it.ready(it.pids(2)[1])) == [(old[1], "USR2")]
    assert signals(it.ready(it.pids(2)[2])) == [(old[2], "USR2")]
    for pid in old:
        assert it.tell(policy.Exited(pid, 0))[0].level == "info"  # type: ignore[union-attr]
    assert len(it.pids()) == 3


def test_a_broken_reload_leaves_everything_as_it_was() -> None:
    it = world(2)
    before = it.pids()
    it.reloadable = False
    actions = it.tell(policy.ReloadAsked())
    assert it.pids() == before
    assert signals(actions) == []
    assert it.logged()[-1] == "reload_rejected"
    assert it.state.phase is Phase.RUNNING


def test_a_canary_that_dies_rejects_the_reload() -> None:
    it = world(2)
    before = it.pids()
    it.tell(policy.ReloadAsked())
    actions = it.tell(policy.Exited(it.pids(2)[0], 4, "SyntaxError"))
    assert signals(actions) == []
    assert it.pids() == before
    assert it.state.generation == 1
    assert it.logged()[-1] == "reload_rejected"
    it.tell(policy.ReloadAsked())
    it.ready(it.pids(3)[0])
    assert it.state.generation == 3


def test_a_worker_that_dies_during_a_reload_is_replaced_by_its_own_generation() -> None:
    it = world(2)
    it.later(60)
    it.tell(policy.ReloadAsked())
    assert events.Spawn(1, 1) in it.tell(policy.Exited(it.pids(1)[0], -11))


def test_reloads_asked_for_meanwhile_become_one_more() -> None:
    it = world(1)
    it.tell(policy.ReloadAsked())
    it.tell(policy.ReloadAsked())
    it.tell(policy.ReloadAsked())
    it.ready(it.pids(2)[0])
    assert it.state.phase is Phase.RELOADING
    it.ready(it.pids(3)[0])
    assert it.state.phase is Phase.RUNNING
    assert it.state.generation == 3


def test_a_reload_asked_for_at_the_start_waits_for_its_end() -> None:
    it = world(1, running=False)
    it.tell(policy.ReloadAsked())
    assert it.state.phase is Phase.STARTING
    it.ready(it.pids()[0])
    assert it.state.phase is Phase.RELOADING


def test_the_new_number_of_workers_holds_only_once_the_reload_succeeded() -> None:
    it = world(2)
    it.state, _ = policy.decide(it.state, policy.ReloadAsked(), it.now)
    it.tell(policy.ReloadChecked(4, 60, 30))
    assert it.state.target == 2
    it.ready(it.pids(2)[0])
    assert it.state.target == 4
    assert len(it.pids(2)) == 4


def test_term_waits_int_hurries_and_a_second_int_kills() -> None:
    it = world(1)
    pid = it.pids()[0]
    assert signals(it.tell(policy.StopAsked(graceful=True))) == [(pid, "TERM")]
    assert signals(it.tell(policy.StopAsked(graceful=True))) == []
    assert signals(it.tell(policy.StopAsked(graceful=False))) == [(pid, "QUIT")]
    assert signals(it.tell(policy.StopAsked(graceful=False))) == [(pid, "KILL")]
    it.tell(policy.Exited(pid, -9))
    assert policy.finished(it.state)
    assert it.state.exit_code == 0


def test_a_stop_with_a_successor_hands_connections_over_unless_it_is_hurried() -> None:
    it = world(2)
    pids = it.pids()
    assert signals(it.tell(policy.StopAsked(graceful=True, keep=True))) == [(pid, "USR2") for pid in pids]
    assert it.state.keeping
    assert signals(it.tell(policy.StopAsked(graceful=True))) == []
    assert signals(it.tell(policy.StopAsked(graceful=False))) == [(pid, "QUIT") for pid in pids]
    assert it.state.keeping, "what is kept already stays"


def test_workers_are_told_to_leave_after_a_farewell() -> None:
    it = world(2)
    pids = it.pids()
    it.tell(events.Accompanied(True))
    actions = it.tell(policy.StopAsked(graceful=True))
    assert [each.news for each in actions if isinstance(each, events.Announce)] == [events.News.STOPPING]
    assert signals(actions) == []
    assert policy.next_wake(it.state) == it.now + ending.FAREWELL
    assert signals(it.later(ending.FAREWELL / 2)) == []
    assert signals(it.tell(events.Accompanied(False))) == [(pid, "TERM") for pid in pids]
    assert policy.next_wake(it.state) == it.now + it.state.graceful_timeout + 1.0
    assert signals(it.tell(events.Accompanied(False))) == []


def test_a_farewell_that_takes_long_or_a_hurry_is_not_waited_for() -> None:
    for last in (lambda it: it.later(ending.FAREWELL), lambda it: it.tell(policy.StopAsked(graceful=False))):
        it = world(1)
        it.tell(events.Accompanied(True))
        it.tell(policy.StopAsked(graceful=True, keep=True))
        hurried = it.state.hurry
        ((pid, name),) = signals(last(it))
        assert (pid, name) == (it.pids()[0], "QUIT" if it.state.hurry > hurried else "USR2")
        assert it.state.farewell_due == float("inf")
        it.tell(policy.Exited(pid, 0))
        assert policy.finished(it.state)


def test_a_worker_that_dies_during_the_farewell_is_not_replaced() -> None:
    it = world(2)
    it.tell(events.Accompanied(True))
    it.tell(policy.StopAsked(graceful=True))
    first, second = it.pids()
    assert not [each for each in it.tell(policy.Exited(first, -9)) if isinstance(each, events.Spawn)]
    assert signals(it.tell(events.Accompanied(False))) == [(second, "TERM")]
    assert it.state.exit_code == 0


def test_a_worker_that_does_not_stop_in_time_is_killed() -> None:
    it = world(1)
    it.tell(policy.StopAsked(graceful=True))
    assert signals(it.later(31.5)) == [(it.pids()[0], "KILL")]


def test_nothing_is_started_while_stopping() -> None:
    it = world(2)
    it.tell(policy.StopAsked(graceful=True))
    for pid in it.pids():
        assert not [each for each in it.tell(policy.Exited(pid, 1)) if isinstance(each, events.Spawn)]


def test_a_failed_fork_is_tried_again_later() -> None:
    it = world(1)
    state, _ = policy.decide(it.state, policy.Exited(it.pids()[0], 1), it.now)
    state, actions = policy.decide(state, policy.SpawnFailed(1, "cannot fork"), it.now)
    assert [each for each in actions if isinstance(each, events.Spawn)] == []
    assert policy.next_wake(state) > it.now


# Trials.

BAD = events.Judged(False, {"calls": 7}, "it is slower")
GOOD = events.Judged(True, {"calls": 7})


def on_trial(target: int = 2) -> tuple[World, list[int], int]:
    """A world in which a canary is tried; the pids of the old workers, and its own."""
    it = world(target)
    it.canary = 30.0
    old = it.pids()
    it.tell(policy.ReloadAsked())
    canary = it.pids(2)[0]
    assert events.Try(2, 30.0) in it.ready(canary)
    assert (it.state.phase, it.state.on_trial, it.state.trial_due) == (Phase.RELOADING, True, it.now + 30)
    assert len(it.pids()) == target + 1
    return it, old, canary


def test_a_trial_keeps_one_worker_beside_the_old_ones_until_the_verdict() -> None:
    it, old, _ = on_trial()
    it.later(25)
    assert it.pids()[:2] == old
    assert not any(isinstance(action, policy.Adopt) for action in it.done)
    actions = it.tell(GOOD)
    assert policy.Adopt(2) in actions
    assert signals(actions) == [(old[0], "USR2")]
    assert it.logged()[-2:] == ["canary_passed", "reloaded"]
    assert not it.state.on_trial


def test_a_bad_verdict_takes_the_canary_back_and_nothing_else() -> None:
    it, old, canary = on_trial()
    actions = it.tell(BAD)
    assert signals(actions) == [(canary, "USR2")]
    (log,) = [action for action in actions if isinstance(action, policy.Log)]
    assert (log.event, log.facts["reason"], log.facts["calls"]) == ("reload_rolled_back", "it is slower", 7)
    assert policy.Announce(policy.News.ROLLED_BACK, "reload rolled back: it is slower") in actions
    it.tell(policy.Exited(canary, 0))
    assert (it.pids(), it.state.generation, it.state.phase) == (old, 1, Phase.RUNNING)
    assert it.tell(GOOD) == [], "a verdict that comes too late is none"


def test_too_little_to_judge_by_is_said() -> None:
    it, _, _ = on_trial()
    it.tell(events.Judged(True, {}, doubt=True))
    assert it.logged()[-2:] == ["canary_inconclusive", "reloaded"]


def test_a_canary_that_dies_on_trial_is_judged_and_tried_again_if_that_is_not_the_end() -> None:
    it, old, canary = on_trial()
    actions = it.tell(policy.Exited(canary, -11))
    assert events.Judge() in actions
    assert not any(isinstance(action, events.Spawn) for action in actions), "the verdict comes first"
    actions = it.later(0.1)
    assert [action for action in actions if isinstance(action, events.Spawn)] == [events.Spawn(3, 2)]
    assert not any(isinstance(action, events.Try) for action in it.ready(it.pids(2)[0])), "the trial goes on"
    it.tell(BAD)
    assert [pid for pid in it.pids() if not it.state.workers[pid].retiring] == old


def test_another_reload_ends_a_trial() -> None:
    it, _, canary = on_trial()
    actions = it.tell(policy.ReloadAsked())
    assert (canary, "USR2") in signals(actions)
    assert "reload_rejected" in it.logged()
    it.ready(it.pids(3)[0])
    assert it.state.on_trial
    it.tell(GOOD)
    assert it.state.generation == 3


def test_old_workers_are_replaced_and_scaled_while_a_canary_is_tried() -> None:
    it, old, canary = on_trial()
    it.later(60)
    it.tell(policy.Spent(old[0], "max_requests"))
    assert (old[0], "USR2") in signals(it.ready(it.pids(1)[-1]))
    assert not it.state.workers[canary].retiring
    it.tell(policy.ScaleAsked(by=1))
    assert len([each for each in it.state.workers.values() if each.generation == 1 and each.stays]) == 3
    it.tell(policy.Spent(canary, "max_requests"))
    assert len([each for each in it.state.workers.values() if each.generation == 2 and not each.spent]) == 1


def test_there_is_no_trial_beside_nobody() -> None:
    it = world(1)
    it.canary = 30.0
    it.tell(policy.RestAsked())
    it.tell(policy.Exited(it.pids()[0], 0))
    it.tell(policy.ReloadAsked())
    assert policy.Adopt(2) in it.ready(it.pids(2)[0])


def test_a_stop_ends_a_trial_without_a_verdict() -> None:
    it, old, canary = on_trial()
    assert signals(it.tell(policy.StopAsked(graceful=True))) == [(pid, "TERM") for pid in [*old, canary]]
    assert it.tell(GOOD) == it.tell(BAD) == []


def heir(target: int = 2) -> World:
    it = World(policy.State(target, boot_timeout=60, graceful_timeout=30, heir=True, on_trial=True, canary=30.0))
    it.tell(policy.Tick())
    return it


@pytest.mark.parametrize("target", [1, 3])
def test_a_new_master_tries_one_worker_and_boots_the_others_after_the_verdict(target: int) -> None:
    it = heir(target)
    (first,) = it.pids()
    actions = it.ready(first)
    assert events.Try(1, 30.0) in actions
    assert events.Tell("canary", seconds=30.0) in actions
    assert it.later(29) == []
    it.tell(GOOD)
    assert len(it.pids()) == target
    it.ready(*it.pids()[1:])
    assert it.done.count(policy.Offer()) == 1


def test_a_new_master_that_is_worse_gives_back_what_it_has_and_says_why() -> None:
    it = heir()
    (first,) = it.pids()
    it.ready(first)
    actions = it.tell(BAD)
    assert events.Tell("rolled_back", "it is slower", facts={"calls": 7}) in actions
    assert signals(actions) == [(first, "USR2")]
    it.tell(policy.Exited(first, 0))
    assert policy.finished(it.state)
    assert not any(isinstance(action, policy.Announce) for action in it.done), "the older master is in charge"


def test_a_new_master_s_worker_that_dies_on_trial_is_judged() -> None:
    it = heir()
    it.ready(it.pids()[0])
    assert events.Judge() in it.tell(policy.Exited(it.pids()[0], -11))
    assert it.state.exit_code == 0


def test_a_trial_without_an_older_master_is_over() -> None:
    it = heir()
    it.ready(it.pids()[0])
    it.tell(policy.Succeeded())
    assert len(it.pids()) == 2
    it.ready(*it.pids())
    assert it.state.phase is Phase.RUNNING


def test_a_new_master_on_trial_has_its_time_and_its_failure_is_a_roll_back() -> None:
    it = world(2)
    it.tell(policy.UpgradeAsked())
    due = it.state.successor_due
    it.tell(policy.UpgradeOnTrial(30.0))
    assert (it.state.successor_due, it.state.trial_due) == (float("inf"), it.now + 30)
    it.later(31)
    it.tell(policy.UpgradeOnTrial(0.0, {"calls": 7}))
    assert it.state.successor_due == due + 31
    it.tell(policy.UpgradeFailed("it is slower", {"calls": 7}))
    assert it.logged()[-3:] == ["canary_started", "canary_passed", "reload_rolled_back"]
    assert (it.state.upgrading, it.state.trial_due) == (False, 0.0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "ready",
                "crash",
                "reload",
                "bad_reload",
                "upgrade",
                "bad_upgrade",
                "tick",
                "leave",
                "good",
                "bad",
                "spent",
            ]
        ),
        st.integers(0, 7),
    ),
    max_size=60,
)


@given(target=st.integers(1, 4), steps=STEPS, canary=st.sampled_from([0.0, 5.0]))
@settings(max_examples=200, deadline=None)
def test_any_history_keeps_the_service_up_and_settles(target: int, steps: list[tuple[str, int]], canary: float) -> None:
    it = world(target)
    it.canary = canary
    for step, pick in steps:
        pids = it.pids()
        pid = pids[pick % len(pids)] if pids else 0
        it.now += pick
        serving = [each for each in it.state.workers.values() if each.ready and not each.retiring]
        match step:
            case "ready":
                it.ready(pid)
            case "crash":
                it.tell(policy.Exited(pid, -9))
            case "leave":
                for each in list(it.state.workers.values()):
                    if each.retiring:
                        it.tell(policy.Exited(each.pid, 0))
            case "reload" | "bad_reload":
                it.reloadable = step == "reload"
                it.tell(policy.ReloadAsked())
            case "good":
                it.tell(GOOD)
            case "bad":
                it.tell(BAD)
            case "spent":
                it.tell(policy.Spent(pid, "max_requests"))
            case "upgrade":
                it.tell(policy.UpgradeAsked())
            case "bad_upgrade":
                it.tell(policy.UpgradeFailed("it exited with code 4"))
            case "tick":
                it.tell(policy.Tick())
        numbers = [each.number for each in it.state.workers.values()]
        assert len(numbers) == len(set(numbers))
        assert it.state.phase in (Phase.RUNNING, Phase.RELOADING)
        if step != "crash":
            # Nothing that the master does of its own accord leaves fewer workers serving than the target, unless
            # there were fewer before.
            after = [each for each in it.state.workers.values() if each.ready and not each.retiring]
            assert len(after) >= min(len(serving), target)
    # Left alone, with every worker booting well, it settles at the target in one generation.
    for _ in range(200):
        it.later(1)
        it.ready(*it.pids())
        it.tell(GOOD)
        for each in list(it.state.workers.values()):
            if each.retiring:
                it.tell(policy.Exited(each.pid, 0))
    assert it.state.phase is Phase.RUNNING
    assert [each.generation for each in it.state.workers.values()] == [it.state.generation] * target
    it.tell(policy.StopAsked(graceful=True))
    for pid in it.pids():
        it.tell(policy.Exited(pid, 0))
    assert policy.finished(it.state) is not it.state.upgrading
    it.tell(policy.UpgradeFailed("it exited with code 0"))
    assert policy.finished(it.state)
