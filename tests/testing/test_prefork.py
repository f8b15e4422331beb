"""``thriftserver run`` for a test: started on a free port, told from its log, and always ended."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.testing import shared
from tests.testing.shared import IDL, Demo, doubled
from thriftserver.errors import ApplicationError, ConfigError, HandlerError, StartFailed
from thriftserver.testing import serve
from thriftserver.testing.failures import RemoteError


@pytest.fixture
def idl(tmp_path: Path) -> Path:
    path = tmp_path / "demo.thrift"
    path.write_text(IDL)
    return path


def test_it_serves_in_processes_of_its_own(idl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRIFTSERVER_LOG_LEVEL", "critical")  # what somebody has set for a service is none of ours
    threads, descriptors = set(threading.enumerate()), set(os.listdir("/proc/self/fd"))
    with serve(idl, Demo, workers=2, middleware=[doubled], options={"access_log": "all", "http": False}) as server:
        assert server.client.half(4) == 4
        assert server.connect().served_by() != os.getpid()
    assert server.log.count('"event":"call"') == 2
    assert '"event":"stopped"' in server.log
    assert set(threading.enumerate()) == threads
    assert set(os.listdir("/proc/self/fd")) == descriptors


def test_what_a_handler_raises_is_the_cause_there_too(idl: Path) -> None:
    with serve(idl, "tests.testing.shared:Demo", workers=1) as server:
        with pytest.raises(ApplicationError) as caught:
            server.client.half(3)
        assert 'raise ValueError(f"{x} is odd")' in str(caught.value.__cause__)
        with server.fails(ValueError) as odd:
            server.client.half(5)
        assert isinstance(odd.value, RemoteError)
        with server.fails(KeyError):
            server.client.note("lost")
        with pytest.raises(ApplicationError) as caught:
            server.client.wrong()
        assert str(caught.value.__cause__).startswith("result: expected i32, got str 'text'; returned by Demo.wrong (")


def test_a_failure_that_nobody_has_seen(idl: Path) -> None:
    server = serve(idl, Demo, workers=1)
    server.client.note("lost")
    with pytest.raises(AssertionError, match=r"Demo.note: KeyError: 'lost'"):
        server.close()


def test_a_unix_socket(idl: Path, tmp_path: Path) -> None:
    with serve(idl, shared.Demo, workers=1, options={"bind": f"unix:{tmp_path}/socket"}) as server:
        assert server.address == f"unix:{tmp_path}/socket"
        assert server.client.half(2) == 1


def test_a_handler_that_does_not_end_is_killed(idl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import time\n"
        "class Stubborn:\n"
        "    def __getattr__(self, name): return lambda *_: 1\n"
        "    def note(self, text):\n"
        "        end = time.monotonic() + 60\n"
        "        while time.monotonic() < end: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("thriftserver.testing.prefork.END", 0.5)
    start = time.monotonic()
    with serve(idl, "stubborn:Stubborn", workers=1) as server:
        server.client.half(1)
        server.client.note("for ever")
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"handler": Demo()}, HandlerError, "an instance of Demo cannot be imported"),
        ({"handler": "tests.testing.shared:Domo"}, StartFailed, "did you mean 'Demo'"),
        ({"options": {"workers": 3}}, ConfigError, "not to be chosen here"),
        ({"options": {"log_file": "x"}}, ConfigError, "not to be chosen here"),
        ({"middleware": [lambda call, proceed: proceed()]}, HandlerError, "another process cannot import"),
    ],
)
def test_what_is_wrong_is_said(idl: Path, arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        serve(**{"idl": idl, "handler": Demo, "workers": 1, **arguments})
