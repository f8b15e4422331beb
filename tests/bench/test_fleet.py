"""Deploys over simulated machines, whose masters decide with the real policy and must keep its promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.fleet import Chances, Clock, Fleet, Machine, Rollout
from bench.fleet_bench import looking, moved, supervision
from tests.support import ROOT

TROUBLE = Chances(boot_fails=0.02, boot_hangs=0.01, lingers=0.05, crashes=5, dies=1)


def roll(chances: Chances, *, seed: int = 1, machines: int = 60, at_once: int = 10, watch: float = 0) -> Rollout:
    fleet = Fleet(chances, seed, machines=machines, workers=4, at_once=at_once, most=8, watch=watch)
    result = fleet.roll()
    assert result.halted or result.done + result.failed == machines
    return result


def test_a_calm_deploy_costs_no_capacity() -> None:
    result = roll(Chances())
    assert (result.least, result.done, result.failed, result.rejected) == (1.0, 60, 0, 0)


def test_a_seed_is_a_history() -> None:
    assert roll(TROUBLE, seed=3) == roll(TROUBLE, seed=3) != roll(TROUBLE, seed=4)


@pytest.mark.parametrize("seed", range(5))
def test_trouble_costs_no_more_than_it_takes_itself(seed: int) -> None:
    """That no decision takes capacity is asserted for each of them, in ``Machine.tell``."""
    result = roll(TROUBLE, seed=seed)
    assert result.failed < 8
    assert result.least > 0.8


def test_a_release_that_boots_nowhere_stops_at_the_first_machines_and_costs_nothing() -> None:
    result = roll(Chances(broken=True))
    assert (result.done, result.least, result.halted) == (0, 1.0, True)
    assert result.failed <= 8 + 10


def test_a_release_that_dies_young_is_seen_by_who_watches() -> None:
    careless, careful = roll(Chances(dies_young=2)), roll(Chances(dies_young=2), watch=30)
    assert careless.done > careful.done == 0
    assert careful.halted
    assert careful.least >= 1 - 18 / 60 > careless.least


def test_a_machine_that_died_comes_back_with_what_is_on_its_disk() -> None:
    clock = Clock(1)
    serving = [0]

    def changed(by: int) -> None:
        serving[0] += by

    machine = Machine(clock, Chances(), 4, lambda news: None, changed)
    machine.start()
    clock.run(lambda: serving[0] == 4)
    machine.deploy()
    machine.die()
    assert serving[0] == machine.serving() == 0
    clock.run(machine.released)
    assert serving[0] == machine.serving() == 4


def test_a_thousand_machines() -> None:
    result = roll(TROUBLE, machines=1000, at_once=50)
    assert result.done > 950
    assert result.least > 0.85


def test_a_large_machine() -> None:
    _, decisions, most = supervision(64)
    assert most == 128
    assert decisions < 64 * 4
    assert moved(1000)[1] > 100
    assert looking(64)[0] < 64


def test_a_reload_of_real_processes_loses_no_connection() -> None:
    """In a process of its own, which has no threads and no hub that its forks would inherit."""
    code = "from bench.handover import Machine; print(*Machine(4, 100).reload())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    connections, _, cpu, moves, fewest, most, answered = map(float, done.stdout.split())
    assert connections == answered == 400
    assert moves >= 400
    assert cpu > 0
    assert fewest <= 100 <= most
