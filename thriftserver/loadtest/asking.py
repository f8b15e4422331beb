"""What somebody wants to be called, in words and files, as a workload."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from thriftserver.calling.arguments import documents
from thriftserver.calling.methods import Known, Meant, find
from thriftserver.client.plain import read_arguments
from thriftserver.errors import ConfigError, EncodeError
from thriftserver.loadtest.connection import Server, Speech
from thriftserver.loadtest.workload import Load, Workload, made_up

#: ``method=`` before JSON or ``@file``.
_NAMED = re.compile(r"([A-Za-z_][\w.:]*)=(?=\s*[@\[{])")


def workload(known: Known, methods: Sequence[str], data: Sequence[str], seed: int) -> Workload:
    """Methods as ``name`` or ``name=weight``, with data for them as ``JSON`` or ``@file`` of JSON documents, behind
    ``name=`` where there are several methods; for those without any, arguments are made up.

    Raises ConfigError.
    """
    weighed = [_weighed(each, known) for each in methods]
    called = [meant.called for meant, _ in weighed]
    if twice := next((name for name in called if called.count(name) > 1), ""):
        raise ConfigError(f"{twice} is given twice; its weight stands behind it: {twice}=2")
    given = _given(known, [meant for meant, _ in weighed], data)
    return Workload(
        [Load(meant, weight, given.get(meant.called) or made_up(meant, seed)) for meant, weight in weighed], seed
    )


def require_sendable(server: Server, workload: Workload, headers: Mapping[str, str]) -> None:
    """Raises ConfigError where a call cannot be sent so, ValueError for a dialect or path that is none."""
    speech = Speech(server)
    if headers and not speech.takes_infos:
        raise ConfigError(f"-H: {server.dialect} has no place for headers; use --dialect header-binary, or http-binary")
    for load, plan in zip(workload.loads, server.names, strict=True):
        for number, row in enumerate(load.rows, 1):
            try:
                speech.call(plan, row, dict(headers) or None)
                speech.again()  # one after the other, without any answers
            except EncodeError as error:
                which = f", call {number}" if len(load.rows) > 1 else ""
                raise ConfigError(f"{load.meant.called}{which}: the arguments do not fit: {error}") from None


def _weighed(text: str, known: Known) -> tuple[Meant, int]:
    name, equals, weight = text.partition("=")
    if equals and not (weight.isdecimal() and len(weight) < 9 and int(weight) > 0):
        raise ConfigError(f"{text!r}: a weight is a whole number, METHOD=3; arguments are given with -d")
    return find(name, known), int(weight) if equals else 1


def _given(known: Known, methods: Sequence[Meant], data: Sequence[str]) -> dict[str, list[list[Any]]]:
    """Arguments by the names that methods are called by."""
    found: dict[str, list[list[Any]]] = {}
    for text in data:
        named = _NAMED.match(text)
        if named is None and len(methods) > 1:
            raise ConfigError(
                "-d: with several methods, say whose arguments these are: -d METHOD=@FILE, -d METHOD=JSON"
            )
        meant = find(named[1], known) if named else methods[0]
        if meant.called not in [each.called for each in methods]:
            raise ConfigError(f"-d: {meant.called} is not among the methods that are called")
        found.setdefault(meant.called, []).extend(_rows(meant, text[named.end() :] if named else text))
    return found


def _rows(meant: Meant, text: str) -> list[list[Any]]:
    text = text.strip()
    if not text.startswith("@"):
        return [_row(meant, text, "-d: ")]
    rows = [
        _row(meant, document, f"{text[1:]}, call {number}: ")
        for number, document in enumerate(documents(_file(text[1:])), 1)
    ]
    if not rows:
        raise ConfigError(f"{text[1:]} has no call in it: write one JSON object, or array, a line")
    return rows


def _row(meant: Meant, text: str, place: str) -> list[Any]:
    try:
        return read_arguments(meant.function, text)
    except ConfigError as error:
        raise ConfigError(f"{place}{error}") from None


def _file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
