"""What a line looks like: the keys that every line has, in their order, and facts as JSON or as colour for people.

One event is one line, whatever its facts hold, and never longer than the sink takes in one piece. It writes nothing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from thriftserver.log.values import TEXT, escape, plain, trace, visible

TIME, LEVEL, EVENT, PID, WORKER, LOGGER = "time", "level", "event", "pid", "worker", "logger"
ERROR, TRACEBACK, STACK = "error", "traceback", "stack"

Facts = dict[str, Any]
Render = Callable[[Facts], bytes]

#: syslog's priorities, which journald reads from ``<N>`` at the beginning of a line.
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

#: How far texts are cut in turn when a line is too long.
_CUTS = (400, 100, 30)

_encode = msgspec.json.Encoder().encode


class Clock:
    """The time as ISO 8601 in UTC. Formatting a date is dear, so the second is kept."""

    def __init__(self) -> None:
        self._second = self._text = ""

    def __call__(self) -> str:
        now = str(time.time_ns())  # 19 digits until the year 2286
        second = now[:-9]
        if second != self._second:
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(second)))
            self._second = second
        return f"{self._text}.{now[-9:-3]}Z"


class Head:
    """The keys that every line begins with: when, how bad, what, and which process says so."""

    def __init__(self) -> None:
        self.process: Facts = {}
        self.clock = Clock()
        self.now_in(None)

    def now_in(self, worker: int | None) -> None:
        """This process writes from now on; ``worker`` is its number, None in the master."""
        self.process = {PID: os.getpid()} | ({} if worker is None else {WORKER: worker})

    def forked(self) -> None:
        self.process = self.process | {PID: os.getpid()}

    def __call__(self, level: str, event: str, facts: Facts) -> Facts:
        return {TIME: self.clock(), LEVEL: level, EVENT: event, **self.process, **facts}


def json_line(facts: Facts) -> bytes:
    """Facts that are plain already as one line of JSON, in ASCII but for sound letters; with its line end.

    For facts of which all values are known to be short texts, ints of 64 bits and finite floats.
    """
    data = _encode(facts)
    if not data.isascii():
        data = escape(data.decode()).encode()
    return data + b"\n"


def fitting(render: Render, limit: int) -> Render:
    """``render`` for facts of any kind and size: made plain, and cut until the line has at most ``limit`` bytes.

    ``traceback`` may be an exception; its text takes half of the line at most.
    """

    def fit(facts: Facts) -> bytes:
        error = facts.get(TRACEBACK)
        if isinstance(error, BaseException):
            facts = facts | {TRACEBACK: trace(error, limit // 2)}
        line = render(_clean(facts, TEXT, limit // 2))
        for size in _CUTS:
            if len(line) <= limit:
                return line
            line = render(_clean(facts, size, size))
        if len(line) <= limit:
            return line
        core = {key: facts[key] for key in (TIME, LEVEL, EVENT, PID, WORKER) if key in facts}
        return render(_clean(core, 30, 30) | {"cut": True})

    return fit


def _clean(facts: Facts, size: int, trace_size: int) -> Facts:
    return {plain(str(key), 60): plain(facts[key], trace_size if key in _FRAMES else size) for key in facts}


#: Facts that are lines of frames: they may be long, and stand below the line in colour.
_FRAMES = (TRACEBACK, STACK)


def with_priority(render: Render) -> Render:
    """Begin each line with the priority that journald reads."""

    def prefixed(facts: Facts) -> bytes:
        mark = b"<%d>" % PRIORITIES.get(facts.get(LEVEL, ""), 6)
        return b"".join(mark + line for line in render(facts).splitlines(keepends=True))

    return prefixed


#: Texts that stand in a console line without quotes.
_BARE = re.compile(r"[^\s=\"'\\\[\]{}]+")


class Console:
    """Facts for people: structlog's own layout, of texts made harmless first, with tracebacks set in."""

    def __init__(self, layout: Callable[[Facts], str]) -> None:
        self._layout = layout

    def __call__(self, facts: Facts) -> bytes:
        frames = "\n".join(str(facts[key]) for key in _FRAMES if key in facts)
        shown = {visible(key): _shown(value) for key, value in facts.items() if key not in _FRAMES}
        shown[EVENT] = visible(str(facts[EVENT]))
        lines = [self._layout(shown), *(f"    | {visible(line)}" for line in frames.split("\n") if frames)]
        return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _shown(value: Any) -> str:
    """A text as it is, or quoted when it could be taken for more than one; other values as JSON."""
    if type(value) is str and _BARE.fullmatch(value):
        return visible(value)
    return visible(_encode(value).decode())
