"""Makes the handlers: what a method of the IDL does when it is called.

What is answered depends on the seed, the method and the arguments alone, so that all workers, and every run, answer a
call alike. What fails, and how long it takes, is chance that the seed decides, call by call.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from thriftserver.codec.plain import to_plain
from thriftserver.errors import ApplicationError, ConfigError
from thriftserver.mocking.examples import Plain, examples_for, read_file, require_methods
from thriftserver.mocking.rules import (
    DROP,
    Failure,
    application,
    declared,
    read_delay,
    read_failure,
    require_sense,
    rules_for,
)
from thriftserver.rpc import fb303
from thriftserver.rpc.hangup import hang_up
from thriftserver.samples.values import Sampler
from thriftserver.schema.model import Function, List, Map, Service, Set, Struct, Type


class Mock:
    """A handler for whatever service it is given to.

    ``seed`` is any number or text. ``examples`` is a file of them, or what would stand in one. ``delay`` and ``fail``
    are rules as ``thriftserver mock`` takes them: ``"get_user=10ms..50ms"``, ``"add=1%:TIMEOUT"``. Raises ConfigError.
    """

    def __init__(
        self,
        seed: int | str = 0,
        examples: str | os.PathLike[str] | Mapping[str, Any] = "",
        delay: Sequence[str] = (),
        fail: Sequence[str] = (),
    ) -> None:
        self._seed = seed
        self._examples: Plain = {}
        if isinstance(examples, Mapping):
            self._examples = examples
        elif examples:
            self._examples = read_file(os.fspath(examples))
        self._delays = [_parsed("delay", read_delay, text) for text in delay]
        self._failures = [_parsed("fail", read_failure, text) for text in fail]

    def require_sense(self, services: Sequence[Service]) -> None:
        """Raises ConfigError for rules and examples that do not fit what is served."""
        require_methods(self._examples, services)
        require_sense([*self._delays, *self._failures], services)
        for service in services:
            self.handler(service)

    def handler(self, service: Service) -> Any:
        """What answers the calls of a service. Methods of fb303 have answers of their own, unless they are told of."""
        told = {*self._examples, *(rule.method for rule in (*self._delays, *self._failures))}
        functions = [
            each
            for each in service.methods()
            if not fb303.has_default(each) or told & {each.name, f"{service.name}.{each.name}"}
        ]
        return SimpleNamespace(**{each.name: self._method(service, each) for each in functions})

    def _method(self, service: Service, function: Function) -> Callable[..., Any]:
        name = f"{self._seed}/{service.name}.{function.name}"
        chance = random.Random(name)
        delays = rules_for(self._delays, service, function)
        failures = [] if function.oneway else rules_for(self._failures, service, function)
        examples = examples_for(self._examples, service, function)

        def answer(*args: Any) -> Any:
            for delay in delays:
                time.sleep(chance.uniform(delay.least, delay.most))
            if failures:
                _fail(failures, chance, function)
            found = examples.find(args)
            if found is not None:
                return found()
            return Sampler(f"{name}({_told(function, args)})").result(function)

        return answer


def _parsed(option: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None


def _fail(failures: Sequence[Failure], chance: random.Random, function: Function) -> None:
    """Raise one of the failures, each with its probability."""
    drawn = chance.random()
    for each in failures:
        drawn -= each.share
        if drawn < 0:
            _raise(each.kind, chance, function)
            return


def _raise(kind: str, chance: random.Random, function: Function) -> None:
    """Raise what ``kind`` means; nothing where a rule for every method names what this one does not declare."""
    if kind == DROP:
        hang_up()
    struct = declared(function, kind)
    if struct is not None:
        raise Sampler(chance.getrandbits(64)).value(struct)
    type = application(kind)
    if type is not None:
        raise ApplicationError(type, f"{function.name} fails, as this mock was told")


def _told(function: Function, args: Sequence[Any]) -> str:
    return ", ".join(_text(arg.type, value) for arg, value in zip(function.args, args, strict=True))


def _text(type: Type, value: Any) -> str:
    """A text that equal values have in common, in whatever order sets and maps have come."""
    match type:
        case _ if value is None:
            return "None"
        case List(element=element):
            return f"[{', '.join(_text(element, each) for each in value)}]"
        case Set(element=element):
            return f"{{{', '.join(sorted(_text(element, each) for each in value))}}}"
        case Map(key=key, value=inner):
            pairs = sorted(f"{_text(key, name)}: {_text(inner, item)}" for name, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case Struct(fields=fields):
            return f"({', '.join(f'{each.name}={_text(each.type, getattr(value, each.name))}' for each in fields)})"
    return repr(to_plain(type, value))
