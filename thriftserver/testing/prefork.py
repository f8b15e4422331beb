"""The real server for a test: ``thriftserver run`` as a process of its own, known by what it logs.

It is ready when its log says so, and ended by TERM; with KILL when it does not go.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from thriftserver.config import ENV_PREFIX, Settings, flag
from thriftserver.discovery.addresses import read_address
from thriftserver.errors import ConfigError, EncodeError, StartFailed
from thriftserver.testing.failures import Failure, Failures, RemoteError
from thriftserver.testing.given import Given

#: Seconds for the server to be ready, for calls to end after the test, and until what still runs then is killed.
READY, GRACE, END = 60.0, 10, 15.0
#: Options that are not the test's to choose.
_OURS = frozenset(("idl", "handler", "service", "workers", "log_file", "log_format"))


class Prefork:
    """Serves from now on. Raises StartFailed with what it said if it does not come so far."""

    def __init__(self, given: Given, workers: int, failures: Failures) -> None:
        self._failures = failures
        self._lines: list[str] = []
        self._events: dict[str, dict[str, Any]] = {}
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "thriftserver", "run", *_arguments(given, workers)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            start_new_session=True,  # away from the terminal's ^C, and killed with all its workers
        )
        self._reader = threading.Thread(target=self._read, name="thriftserver log", daemon=True)
        self._reader.start()
        with self._news:
            self._news.wait_for(lambda: "ready" in self._events or not self._reader.is_alive(), READY)
        if "ready" not in self._events:
            self._process.kill()
            self.stop()
            raise StartFailed(self._told(), self._process.returncode)
        self.host, self.port, *_ = read_address(self._events["listening"]["addresses"][0])

    @property
    def log(self) -> str:
        """The lines so far, with tracebacks as people read them."""
        return "\n".join(map(_readable, list(self._lines)))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(END)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._take(line.rstrip("\n"))
        with self._news:
            self._news.notify_all()

    def _take(self, line: str) -> None:
        event = _event(line)
        with self._news:
            self._lines.append(line)
            self._events.setdefault(event.get("event", ""), event)
            self._news.notify_all()
        if event.get("event") == "handler_failed":
            self._failures.add(_failure(event))

    def _told(self) -> str:
        """What a server has said that did not start: for people where there is anything for them."""
        plain = [line.removeprefix("Error: ") for line in self._lines if not _event(line)]
        return "\n".join(plain) or self.log or f"`thriftserver run` was not ready after {READY:g} s"


def _arguments(given: Given, workers: int) -> Iterator[str]:
    for name in given.options:
        if name in _OURS:
            raise ConfigError(f"options: {name!r} is not to be chosen here: it follows from what `serve` is given")
    options: dict[str, Any] = {"bind": "127.0.0.1:0", "graceful_timeout": GRACE, **given.options}
    options |= {"idl": given.paths, "handler": given.handler_specs(), "workers": workers, "log_format": "json"}
    options["middleware"] = [*given.settings.middleware, *given.middleware_specs()]
    for name, value in options.items():
        switch, default = getattr(given.settings, name), getattr(Settings(), name)
        if isinstance(switch, bool):
            if switch is not default:
                yield flag(name if switch else f"no_{name}")
        else:
            for each in value if isinstance(value, list | tuple) else [value]:
                yield from (flag(name), str(each))


def _environment() -> dict[str, str]:
    """This process's, without options of ours in it, and with all places from which it can import."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ENV_PREFIX) or name == f"{ENV_PREFIX}PURE"
    }
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _event(line: str) -> dict[str, Any]:
    """A line of the log; empty for what is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _failure(event: dict[str, Any]) -> Failure:
    """What the log says of a call that failed; without a traceback it is a result that does not fit."""
    text, traceback = event["error"], event.get("traceback", "")
    told = (event["error_id"], text) if event["outcome"] == "bad_result" else (event["error_id"],)
    line = f"{text}; returned by {event['handler']}" if "handler" in event else text
    error = RemoteError(text.partition(":")[0] if traceback else EncodeError.__name__, line, traceback)
    return Failure(f"{event['service']}.{event['method']}", error, told)


def _readable(line: str) -> str:
    event = _event(line)
    traceback = event.pop("traceback", "")
    return f"{json.dumps(event, ensure_ascii=False)}\n{traceback}" if traceback else line
