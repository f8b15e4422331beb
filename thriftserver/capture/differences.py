"""Where two answers to the same call differ: paths into their JSON data, with what was there and what is now."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_ERROR_ID = re.compile(r"\bid [0-9a-f]{12}\b")
#: Characters of a value that are told.
SHORT = 120


class Difference(NamedTuple):
    """At ``path`` (``result.items[3].price``) there was ``old``, and is ``new``; empty for nothing."""

    path: str
    old: str
    new: str


class Ignored:
    """Paths that may differ, with all below them: ``*`` is any name, ``[*]`` any index, ``method:path`` of one method.

    Raises ValueError for what is no path.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_pattern(each) for each in patterns]

    def __call__(self, method: str, path: str) -> bool:
        return any((not name or name == method) and found.match(path) for name, found in self._patterns)


def _pattern(text: str) -> tuple[str, re.Pattern[str]]:
    method, colon, path = text.rpartition(":")
    if not path.strip():
        raise ValueError(f"{text!r} names no path; write result.items[*].price, or method:result")
    escaped = re.escape(path.strip()).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", r"[^.\[]*")
    return method if colon else "", re.compile(escaped + r"(?=$|[.\[])")


def differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    """Between two answers as ``reading.answer`` gives them."""
    if _kind(old) != _kind(new):
        yield Difference("outcome", _told(old), _told(new))
    elif "error" in old:
        yield from _between("error", _lasting(old["error"]), _lasting(new["error"]))
    elif "exception" in old:
        yield from _between("exception", old["value"], new["value"])
    else:
        yield from _between("result", old["result"], new["result"])


def _lasting(error: str) -> str:
    """Without what an internal error is called in the log, which is another name each time."""
    return _ERROR_ID.sub("id ...", error)


def _kind(answer: dict[str, Any]) -> str:
    return f"exception {answer['exception']}" if "exception" in answer else "error" if "error" in answer else "result"


def _told(answer: dict[str, Any]) -> str:
    value = answer.get("value", answer.get("error", answer.get("result")))
    return f"{_kind(answer)} {brief(value)}"


def _between(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(each for each in new if each not in old)]:
            yield from _member(f"{path}.{key}", key in old, key in new, old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            here, there = index < len(old), index < len(new)
            yield from _member(
                f"{path}[{index}]", here, there, old[index] if here else None, new[index] if there else None
            )
    elif type(old) is not type(new) or old != new:
        yield Difference(path, brief(old), brief(new))


def _member(path: str, here: bool, there: bool, old: Any, new: Any) -> Iterator[Difference]:
    if here and there:
        yield from _between(path, old, new)
    else:
        yield Difference(path, brief(old) if here else "", brief(new) if there else "")


def brief(value: Any) -> str:
    """A value as JSON, cut to what is worth reading."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else f"{text[:SHORT]}..."
