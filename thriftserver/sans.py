"""Patterns over the names in certificates (subject alternative names): how they are written, and what they match.

A rule is a pattern, or a pattern for one service or method: ``URI:spiffe://example.com/*``,
``Orders.cancel=DNS:*.billing.example.com``. Whose certificate it is, and what is refused, is nobody's here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

_RULE = re.compile(r"(?:([\w.]+)=)?(dns|uri|email|ip):([!-~]+)", re.IGNORECASE)
_KINDS = {"dns": "DNS", "uri": "URI", "email": "email", "ip": "IP"}
#: What ends a part of a name. A ``*`` stands for one part, or some of it; ``**`` for whatever there is.
_ENDS = {"DNS": r"\.", "URI": "/", "email": "@"}


def rule(text: str) -> str:
    """A rule as it is written, its kind as certificates have it. Raises ValueError that says how one is written."""
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is no name of a certificate; write DNS:*.example.com, URI:spiffe://example.com/*, "
            "email:*@example.com or IP:10.0.0.0/8, for one service or method SERVICE.METHOD=DNS:..."
        )
    scope, kind, name = match.groups()
    pattern = f"{_KINDS[kind.lower()]}:{name}"
    _test(pattern)
    return f"{scope}={pattern}" if scope else pattern


def split(text: str) -> tuple[str, str]:
    """The service or method of a rule, empty for all of them, and its pattern."""
    match = _RULE.fullmatch(text)
    assert match is not None
    scope = match[1] or ""
    return scope, text[len(scope) + 1 :] if scope else text


class Allowed:
    """Some patterns, of which one has to match."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._tests = [_test(pattern) for pattern in patterns]

    def fits(self, names: Iterable[str]) -> bool:
        """Does one of these names of a certificate, as in ``DNS:billing.example.com``, match?"""
        given = tuple(names)
        return any(test(name) for test in self._tests for name in given)


def closest_scope(rules: Sequence[str], scopes: Sequence[str]) -> list[str]:
    """The patterns of the first of these scopes that any rule is for; empty where there is none."""
    found = [split(text) for text in rules]
    for scope in scopes:
        if patterns := [pattern for of, pattern in found if of == scope]:
            return patterns
    return []


def _test(pattern: str) -> Callable[[str], object]:
    kind, _, name = pattern.partition(":")
    if kind == "IP":
        return _addresses(name)
    part, flags = f"(?:(?!{_ENDS[kind]})[!-~])+", re.NOFLAG if kind == "URI" else re.IGNORECASE
    words = {"**": "[!-~]+", "*": part}
    text = "".join(words.get(word) or re.escape(word) for word in re.split(r"(\*\*?)", name))
    return re.compile(f"{kind}:{text}", flags).fullmatch


def _addresses(name: str) -> Callable[[str], bool]:
    import ipaddress  # most servers name no address

    try:
        network = ipaddress.ip_network(name, strict=False)
    except ValueError:
        raise ValueError(f"{name!r} is no IP address or network; write IP:10.0.0.7 or IP:10.0.0.0/8") from None

    def test(san: str) -> bool:
        kind, _, address = san.partition(":")
        try:
            return kind == "IP" and ipaddress.ip_address(address) in network
        except ValueError:
            return False

    return test
