"""What operators ask for, walked without a process: scaling, resting, replacing, hanging, upgrading."""

from __future__ import annotations

from tests.master.test_policy import World, signals, world
from thriftserver.master import events, policy
from thriftserver.master.events import News, Phase


def spawns(actions: list[events.Action]) -> list[events.Spawn]:
    return [action for action in actions if isinstance(action, events.Spawn)]


def test_scaling_up_and_down_hands_connections_over() -> None:
    it = world(2)
    assert spawns(it.tell(events.ScaleAsked(by=1))) == [events.Spawn(3, 1)]
    it.ready(*it.pids())
    oldest = it.pids()[0]
    assert signals(it.tell(events.ScaleAsked(by=-1))) == [(oldest, "USR2")]
    assert it.state.target == 2


def test_scaling_never_goes_below_one_nor_past_the_room_there_is() -> None:
    it = world(1)
    it.tell(events.ScaleAsked(by=-5))
    assert it.state.target == 1
    it.state = policy.replace(it.state, capacity=8)
    it.tell(events.ScaleAsked(target=100))
    assert it.state.target == 4


def test_the_number_asked_for_survives_a_reload_unless_the_configured_one_changes() -> None:
    it = world(2)
    it.tell(events.ScaleAsked(target=3))
    it.ready(*it.pids())
    for configured, target in ((2, 3), (4, 4), (4, 4)):
        it.state, _ = policy.decide(it.state, events.ReloadAsked(), it.now)
        it.tell(events.ReloadChecked(configured, 60, 30))
        it.ready(it.pids(it.state.candidate)[0])
        assert it.state.target == target
        for _ in range(target):
            it.ready(*it.pids(it.state.generation))


def test_resting_retires_everybody_until_scaled_or_reloaded() -> None:
    for wake in (events.ScaleAsked(by=1), events.ReloadAsked()):
        it = world(2)
        pids = it.pids()
        assert sorted(signals(it.tell(events.RestAsked()))) == [(pid, "TERM") for pid in pids]
        for pid in pids:
            it.tell(events.Exited(pid, 0))
        assert it.pids() == []
        it.later(100)
        assert it.pids() == []
        it.tell(wake)
        assert it.pids()


def test_a_spent_worker_serves_until_its_successor_is_ready() -> None:
    it = world(2)
    first = it.pids()[0]
    actions = it.tell(events.Spent(first, "max_requests"))
    assert signals(actions) == []
    assert spawns(actions) == [events.Spawn(3, 1)]
    assert it.tell(events.Spent(first, "max_rss")) == []
    assert signals(it.ready(it.pids()[-1])) == [(first, "USR2")]


def test_a_hung_worker_writes_its_stacks_then_is_killed_and_replaced_meanwhile() -> None:
    it = world(2)
    first = it.pids()[0]
    actions = it.tell(events.Hung(first))
    assert signals(actions) == [(first, "ABRT")]
    assert spawns(actions) == [events.Spawn(3, 1)]
    assert signals(it.later(policy.LAST_WORDS)) == [(first, "KILL")]
    assert it.tell(events.Exited(first, -9))[0].level == "error"  # type: ignore[union-attr]


def test_a_crash_loop_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    it = world(1)
    for _ in range(policy.LOOP + 3):
        it.tell(events.Exited(it.pids()[0], 1))
        it.now = policy.next_wake(it.state)
        it.tell(events.Tick())
    assert it.state.looping
    it.ready(*it.pids())
    it.now = policy.next_wake(it.state)
    it.tell(events.Tick())
    assert not it.state.looping
    assert it.logged().count("crash_loop") == it.logged().count("crash_loop_over") == 1
    assert policy.next_wake(it.state) == float("inf")


def test_chance_changes_a_pause_by_a_quarter() -> None:
    pauses = []
    for luck in (0.0, 0.5, 1.0):
        it = world(1)
        it.tell(events.Exited(it.pids()[0], 1, "", luck))
        pauses.append(round(policy.next_wake(it.state) - it.now, 6))
    assert pauses == [0.075, 0.1, 0.125]


def test_an_upgrade_hands_everything_to_the_new_master() -> None:
    it = world(2)
    pids = it.pids()
    assert events.StartUpgrade() in it.tell(events.UpgradeAsked())
    heir = it.state.successor
    actions = it.tell(events.UpgradeReady())
    assert signals(actions) == [(pid, "USR2") for pid in pids]
    assert actions[1:3] == [events.Announce(News.UPGRADED, str(heir)), events.Abdicate()]
    assert it.state.phase is Phase.STOPPING
    assert events.Announce(News.STOPPING) not in actions
    for pid in pids:
        it.tell(events.Exited(pid, 0))
    assert not policy.finished(it.state), "the pidfile is still this one's"
    assert signals(it.tell(events.StopAsked(graceful=False))) == []
    assert it.tell(events.Followed())[0] == events.Announce(News.FOLLOWED, str(heir))
    assert policy.finished(it.state)
    assert it.state.exit_code == 0


def test_a_failed_upgrade_and_everything_asked_meanwhile_leave_the_service_as_it_was() -> None:
    it = world(2)
    pids = it.pids()
    it.tell(events.UpgradeAsked())
    assert it.tell(events.ReloadAsked())[-1] == events.Announce(
        News.REJECTED, "a new master is taking over; ask that one"
    )
    it.tell(events.UpgradeAsked())
    it.tell(events.UpgradeFailed("it exited with code 4"))
    assert it.logged().count("upgrade_failed") == 2
    assert it.pids() == pids
    assert it.state.phase is Phase.RUNNING


def test_stopping_during_an_upgrade_stops_the_new_master_too() -> None:
    it = world(1)
    (worker,) = it.pids()
    it.tell(events.UpgradeAsked())
    heir = it.state.successor
    actions = it.tell(events.StopAsked(graceful=True))
    assert actions.index(events.Disown()) < actions.index(events.Signal(heir, "TERM"))
    assert signals(it.tell(events.StopAsked(graceful=False))) == [(heir, "QUIT"), (worker, "QUIT")]
    it.tell(events.Exited(worker, 0))
    assert not policy.finished(it.state), "the new master holds the sockets too"
    assert signals(it.later(1)) == [(heir, "KILL")]
    assert it.tell(events.UpgradeFailed("was killed")) == []
    assert policy.finished(it.state)


def test_a_new_master_that_hangs_is_killed_and_the_next_one_may_try() -> None:
    it = world(1)
    it.tell(events.UpgradeAsked())
    heir = it.state.successor
    assert signals(it.later(2 * it.state.boot_timeout)) == [(heir, "KILL")]
    assert it.state.upgrading
    assert events.Announce(News.UPGRADE_FAILED, "late") in it.tell(events.UpgradeFailed("late"))
    assert events.StartUpgrade() in it.tell(events.UpgradeAsked())


def heir(target: int) -> World:
    it = World(policy.State(target, boot_timeout=60, graceful_timeout=30, heir=True))
    it.tell(events.Tick())
    return it


def test_a_new_master_offers_itself_when_all_are_ready_and_begins_when_it_may() -> None:
    it = heir(2)
    it.ready(it.pids()[0])
    assert it.ready(it.pids()[1])[-1] == events.Offer()
    assert it.state.phase is Phase.STARTING
    actions = it.tell(events.Succeeded())
    assert [action.news for action in actions if isinstance(action, events.Announce)] == [News.SUCCEEDED, News.READY]
    assert it.state.phase is Phase.RUNNING


def test_a_new_master_that_has_offered_itself_does_not_give_up() -> None:
    it = heir(2)
    it.ready(*it.pids())
    assert signals(it.tell(events.Exited(it.pids()[0], -9))) == []
    assert events.Announce(News.READY) in it.tell(events.Succeeded())
    it.now = policy.next_wake(it.state)
    assert spawns(it.tell(events.Tick())) == [events.Spawn(1, 1)]


def test_a_new_master_goes_on_alone_when_the_old_one_dies() -> None:
    it = heir(1)
    assert it.tell(events.Succeeded()) == [events.Announce(News.SUCCEEDED)]
    assert events.Announce(News.READY) in it.ready(*it.pids())


def test_a_new_master_that_fails_gives_its_connections_back_and_tells_nobody_but_the_old_one() -> None:
    it = heir(2)
    first, second = it.pids()
    it.ready(first)
    actions = it.tell(events.Exited(second, 4, "no module 'app'"))
    assert signals(actions) == [(first, "USR2")]
    assert not [action for action in actions if isinstance(action, events.Announce)]
    it = heir(1)
    assert signals(it.tell(events.StopAsked(graceful=True))) == [(it.pids()[0], "USR2")]


def test_workers_never_outnumber_the_room_there_is() -> None:
    it = world(2)
    it.state = policy.replace(it.state, capacity=2)
    assert spawns(it.tell(events.ReloadAsked())) == []
    it.tell(events.Exited(it.pids()[0], 1))
    assert spawns(it.later(60)) or len(it.pids()) == 2
