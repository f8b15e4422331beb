"""A storm of everything that may happen at once, drawn from one seed, and a history that must come out right:

every oneway that was received ran exactly once, every call was answered rightly and in its order, nothing was dropped.
``THRIFTSERVER_STORM`` is how many seconds it lasts, ``THRIFTSERVER_SEED`` the seed of a run to be repeated.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Server
from tests.server.raw import Peer
from tests.storm.peers import Crowd
from tests.storm.service import HANDLER, IDL
from tests.tls.locked import LockedPeer
from tests.tls.pki import Pki

SECONDS = float(os.environ.get("THRIFTSERVER_STORM", "15"))
CLIENTS = 16
#: Descriptors, of which a master may need more while one generation takes over from the other.
FEW = 40


def options(rng: random.Random) -> list[str]:
    """How the server is set up in this run."""
    return [
        *("--pipeline", str(rng.choice((1, 1, 4)))),
        *("--max-inflight", str(rng.choice((1, 3, 1000)))),
        *("--workers", "2", "--queue-timeout", "0", "--graceful-timeout", f"{PATIENCE:g}s"),
    ]


def shake(server: Server, rng: random.Random, over: threading.Event, few: bool) -> Counter[str]:
    """What an operator may do, one thing after the other, until the storm is over.

    Where its descriptors are ``few``, a master may refuse a new generation.
    """
    done: Counter[str] = Counter()
    ends = ("reloaded", "reload_rejected") if few else ("reloaded",)
    workers = 2
    while not over.wait(rng.uniform(0, 0.5)):
        what = rng.choice(("HUP", "TTIN", "TTOU", "USR2"))
        if what == "TTIN" and workers < 4:
            workers += 1
            server.signal(signal.SIGTTIN)
            server.wait("scaled", count=done["TTIN"] + done["TTOU"] + 1)
        elif what == "TTOU" and workers > 1:
            workers -= 1
            server.signal(signal.SIGTTOU)
            server.wait("scaled", count=done["TTIN"] + done["TTOU"] + 1)
        elif what == "HUP":
            server.signal(signal.SIGHUP)
            server.until(lambda count=done["HUP"]: sum(len(server.found(end)) for end in ends) > count, "reload")
        elif what == "USR2":
            server.upgrade(may_fail=few)
        else:
            continue
        done[what] += 1
    return done


@pytest.mark.storm
@pytest.mark.timeout(SECONDS + 4 * PATIENCE)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("descriptors", [1024, FEW], ids=["roomy", "few descriptors"])
def test_storm(tmp_path: Path, env: dict[str, str], descriptors: int, tls: bool) -> None:
    seed = int(os.environ.get("THRIFTSERVER_SEED", random.randrange(1 << 32)))
    rng = random.Random(seed)
    (tmp_path / "storm.thrift").write_text(IDL)
    (tmp_path / "impl.py").write_text(HANDLER)
    pki = Pki(tmp_path)
    chosen = [*options(rng), *(pki.options() if tls else ())]
    context = pki.client()
    print(f"THRIFTSERVER_SEED={seed} options {chosen}")
    args = ("--idl", "storm.thrift", "--handler", "impl:Storm", *chosen)
    limit = ("prlimit", f"--nofile={descriptors}:{descriptors}")
    with Server(*args, cwd=tmp_path, env=env, prefix=limit, unread="handler_failed") as server:
        over = threading.Event()
        crowd = Crowd(lambda: LockedPeer(server, context) if tls else Peer(server), CLIENTS, seed)
        end = threading.Timer(SECONDS, over.set)
        end.start()
        try:
            done = shake(server, rng, over, few=descriptors == FEW)
        finally:
            over.set()
            end.cancel()
            history = crowd.stop()
            print(f"faults: {history.faults[:10]}")  # also when the operator was not obeyed
        notes = tmp_path / "notes"
        settle(notes, history.certain)
        ran = Counter(int(line) for line in notes.read_text().splitlines())
        told = history.certain | history.uncertain
        found = [
            *history.faults,
            *(f"oneway {each} was received and did not run" for each in history.certain - ran.keys()),
            *(f"oneway {each} ran {times} times" for each, times in ran.items() if times > 1),
            *(f"oneway {each} ran and was not sent" for each in ran.keys() - told),
        ]
        told_of = [each for each in server.events if each["level"] != "info"]
        assert not found, (seed, chosen, done, found[:10], len(found), told_of[-20:])
        assert history.answers > 0
        print(f"{history.answers} answers, {len(history.certain)} oneways, {dict(done)}")


def settle(notes: Path, expected: set[int]) -> None:
    """Wait until the last oneway has run: nobody is told."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if notes.exists() and expected <= {int(line) for line in notes.read_text().split("\n")[:-1]}:
            return
        time.sleep(0.05)
