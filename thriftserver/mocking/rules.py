"""What mocks do to calls beside answering them, as people write it: ``get_user=10ms..50ms``, ``add=1%:TIMEOUT``.

It reads texts and holds them against an IDL; it delays and fails nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from thriftserver.closest import closest
from thriftserver.errors import ConfigError
from thriftserver.quantities import duration, share
from thriftserver.schema.model import Function, Service, Struct
from thriftserver.wire import Application

#: The method of a rule for all of them.
EVERY: Final = "*"
#: What sums of shares may be more than 1 and mean it.
_ROUNDING: Final = 1e-9
#: The failure that is no answer: the connection ends.
DROP: Final = "DROP"


class Delay(NamedTuple):
    """How long a call of ``method`` takes at the least and at the most, in seconds."""

    method: str
    least: float
    most: float


class Failure(NamedTuple):
    """With which probability a call of ``method`` fails, and how: ``DROP``, or an exception's name."""

    method: str
    share: float
    kind: str


Rule = TypeVar("Rule", Delay, Failure)


def read_delay(text: str) -> Delay:
    """``METHOD=10ms`` or ``METHOD=10ms..50ms``. Raises ValueError."""
    method, value = _split(text, "METHOD=DURATION or METHOD=DURATION..DURATION")
    least, dots, most = value.partition("..")
    found = Delay(method, duration(least), duration(most if dots else least))
    if found.least > found.most:
        raise ValueError(f"{text!r}: the shorter time comes first")
    return found


def read_failure(text: str) -> Failure:
    """``METHOD=SHARE:KIND``. Raises ValueError."""
    method, value = _split(text, "METHOD=SHARE:KIND, for instance add=1%:TIMEOUT")
    part, colon, kind = value.partition(":")
    if not colon or not kind.strip():
        raise ValueError(f"{text!r} does not say how to fail; write METHOD=SHARE:KIND, for instance add=1%:TIMEOUT")
    return Failure(method, share(part), kind.strip())


def _split(text: str, form: str) -> tuple[str, str]:
    method, equals, value = text.partition("=")
    if not equals or not method.strip():
        raise ValueError(f"{text!r} is no rule; write {form}")
    return method.strip(), value.strip()


def rules_for(rules: Iterable[Rule], service: Service, function: Function) -> list[Rule]:
    """The rules that count for a method: those for it in this service, else in any, else for every one."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.method, []).append(rule)
    for name in (f"{service.name}.{function.name}", function.name, EVERY):
        if name in found:
            return found[name]
    return []


def declared(function: Function, kind: str) -> Struct | None:
    """The exception of this name that a method declares."""
    types = [each.type for each in function.throws if isinstance(each.type, Struct)]
    return next((each for each in types if kind in (each.name, str(each))), None)


def application(kind: str) -> Application | None:
    """The type of a TApplicationException of this name."""
    return next((each for each in Application if each.name == kind.upper()), None)


def require_sense(rules: Sequence[Delay | Failure], services: Sequence[Service]) -> None:
    """Raises ConfigError for methods that are not there, failures that they cannot have, more failures than calls."""
    shares: dict[str, float] = {}
    for rule in rules:
        functions = named(rule.method, services)
        if isinstance(rule, Failure):
            _require_kind(rule, functions)
            shares[rule.method] = shares.get(rule.method, 0) + rule.share
    for method, total in shares.items():
        if total > 1 + _ROUNDING:
            raise ConfigError(f"{method} cannot fail {total:.0%} of the time: its shares are more than all calls")


def named(method: str, services: Sequence[Service]) -> list[Function]:
    """The methods that ``*``, ``name`` or ``Service.name`` means. Raises ConfigError where there is none."""
    by_name: dict[str, list[Function]] = {}
    for service in services:
        for function in service.methods():
            for name in (EVERY, function.name, f"{service.name}.{function.name}"):
                by_name.setdefault(name, []).append(function)
    if method not in by_name:
        close = closest(method, by_name)
        raise ConfigError(f"there is no method {method!r}" + (f"; did you mean {close!r}?" if close else ""))
    return by_name[method]


def _require_kind(rule: Failure, functions: Sequence[Function]) -> None:
    answered = [each for each in functions if not each.oneway]
    if not answered:
        raise ConfigError(f"{rule.method} is oneway: its calls have no answer, so they cannot fail")
    if rule.kind == DROP or application(rule.kind) is not None:
        return
    if not any(declared(each, rule.kind) for each in answered):
        known: list[Any] = [each.type.name for function in answered for each in function.throws]  # type: ignore[union-attr]
        known += [DROP, *(each.name for each in Application)]
        close = closest(rule.kind, known)
        hint = f"did you mean {close!r}?" if close else f"there is {', '.join(dict.fromkeys(known))}"
        raise ConfigError(f"{rule.method} cannot fail with {rule.kind!r}; {hint}")
