"""Answers that somebody has written down: read from a file, held against the IDL, found for a call.

An example is a JSON object: ``args`` (by name, or in order; those that are not there may be anything) and one of
``result``, ``exception`` with its ``value``, ``error`` (``TIMEOUT``, or ``TIMEOUT: text``). A file has one object of
lists of them by method, or lines, each of which is one with its ``method``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from thriftserver.client.methods import signature
from thriftserver.closest import closest
from thriftserver.codec.plain import from_plain
from thriftserver.errors import ApplicationError, ConfigError, EncodeError
from thriftserver.mocking.rules import application, declared, named
from thriftserver.schema.model import Function, Service

#: Examples by the names of methods, as JSON data.
Plain = Mapping[str, Any]
#: Gives the result of a call, or raises what it ends with.
Answer = Callable[[], Any]

_KEYS: Final = ("args", "result", "exception", "value", "error")
_OUTCOMES: Final = ("result", "exception", "error")


class Example(NamedTuple):
    """``args`` are the arguments that a call must have, by their places."""

    args: dict[int, Any]
    answer: Answer

    def fits(self, args: Sequence[Any]) -> bool:
        return all(args[place] == value for place, value in self.args.items())


class Examples:
    """Those of one method. What says most about the arguments comes first; what says as much is taken in turn."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = list(examples)
        self._turns: dict[tuple[int, ...], Iterator[int]] = {}

    def find(self, args: Sequence[Any]) -> Answer | None:
        """What answers a call with these arguments; None where there is no example of it."""
        fitting = [(len(each.args), place) for place, each in enumerate(self._examples) if each.fits(args)]
        most = max(fitting, default=(0, 0))[0]
        places = tuple(place for size, place in fitting if size == most)
        if not places:
            return None
        turn = next(self._turns.setdefault(places, count()))
        return self._examples[places[turn % len(places)]].answer


def read_file(path: str) -> Plain:
    """Examples by method. Raises ConfigError for what is no JSON, or not of this form."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"cannot read the examples in {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return _lines(path, text)
    if isinstance(whole, dict) and isinstance(whole.get("method"), str):  # a single line
        return _lines(path, text)
    if not isinstance(whole, dict):
        raise ConfigError(f"{path}: write an object of examples by method, or a line for each example")
    return whole


def _lines(path: str, text: str) -> Plain:
    found: dict[str, list[Any]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            example = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(example, dict) or not isinstance(example.get("method"), str):
            raise ConfigError(f'{path}:{number}: an example is an object with its "method"')
        found.setdefault(example.pop("method"), []).append(example)
    return found


def examples_for(plain: Plain, service: Service, function: Function) -> Examples:
    """The examples of a method: those of it in this service, else of its name. Raises ConfigError that says which."""
    name = next((each for each in (f"{service.name}.{function.name}", function.name) if each in plain), "")
    given = plain.get(name, [])
    listed = given if isinstance(given, list) else [given]
    return Examples([_read(each, f"{name}[{number}]", function) for number, each in enumerate(listed)])


def require_methods(plain: Plain, services: Sequence[Service]) -> None:
    """Raises ConfigError for an example of a method that is not there."""
    for name in plain:
        try:
            named(name, services)
        except ConfigError as error:
            raise ConfigError(f"examples: {error}") from None


def _read(data: Any, where: str, function: Function) -> Example:
    if not isinstance(data, dict):
        raise ConfigError(f"examples: {where}: an example is an object")
    for key in data:
        if key not in _KEYS:
            close = closest(key, _KEYS)
            hint = f"did you mean {close!r}?" if close else f"there is {', '.join(_KEYS)}"
            raise ConfigError(f"examples: {where} has {key!r}; {hint}")
    outcomes = [key for key in _OUTCOMES if key in data]
    if len(outcomes) > 1 or (not outcomes and function.returns is not None):
        raise ConfigError(f"examples: {where} must have one of {', '.join(_OUTCOMES)}")
    try:
        args = _arguments(data.get("args", {}), function)
        return Example(args, _answer(data, outcomes[0] if outcomes else "result", function))
    except (EncodeError, ValueError) as error:
        raise ConfigError(f"examples: {where}: {error}") from None


def _arguments(data: Any, function: Function) -> dict[int, Any]:
    if isinstance(data, list):
        if len(data) > len(function.args):
            raise ValueError(f"{len(data)} arguments are too many: {signature(function)}")
        data = {arg.name: value for arg, value in zip(function.args, data, strict=False)}
    if not isinstance(data, dict):
        raise ValueError("args are an object by name, or a list in the order of the IDL")
    places = {arg.name: place for place, arg in enumerate(function.args)}
    for name in data:
        if name not in places:
            close = closest(name, places)
            raise ValueError(f"there is no argument {name!r}" + (f"; did you mean {close!r}?" if close else ""))
    return {
        places[arg.name]: None if data[arg.name] is None else from_plain(arg.type, data[arg.name], f"args.{arg.name}")
        for arg in function.args
        if arg.name in data
    }


def _answer(data: Mapping[str, Any], outcome: str, function: Function) -> Answer:
    if outcome == "error":
        return _error(data["error"])
    if outcome == "exception":
        return _exception(data["exception"], data.get("value", {}), function)
    if function.returns is None:
        if data.get("result") is not None:
            raise ValueError("the method is void")
        return lambda: None
    result = from_plain(function.returns, data["result"], "result")
    return lambda: result


def _exception(name: Any, value: Any, function: Function) -> Answer:
    struct = declared(function, name) if isinstance(name, str) else None
    if struct is None:
        known = ", ".join(str(each.type) for each in function.throws)
        raise ValueError(f"the method declares no exception {name!r}; it has {known or 'none'}")
    from_plain(struct, value, "value")  # what is wrong with it is said now

    def answer() -> Any:
        raise from_plain(struct, value)  # a new one each time: it gets a traceback

    return answer


def _error(text: Any) -> Answer:
    kind, _, message = text.partition(":") if isinstance(text, str) else ("", "", "")
    type = application(kind.strip())
    if type is None:
        raise ValueError(f"{text!r} is no error; write TIMEOUT, or TIMEOUT: text")

    def answer() -> Any:
        raise ApplicationError(type, message.strip())

    return answer
