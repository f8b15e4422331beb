"""What a shell is told when somebody presses Tab: commands and options by click, methods, fields and values of an IDL.

Each press is a process of its own, so little is imported before it is known what for; and whatever goes wrong, nothing
is said: somebody is in the middle of a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem, ShellComplete, ZshComplete, split_arg_string

from thriftserver.cli.paint import harmless

if TYPE_CHECKING:
    from thriftserver.calling.methods import Known
    from thriftserver.schema.model import Field, Function, Type

#: How long a server may take to tell its IDL.
_PATIENCE: Final = "1s"
#: A value after which no space comes.
PART: Final = "part"
#: What readline splits words at, if the shell does not say it.
_BREAKS: Final = "=:"

Items = list[CompletionItem[str]]


class _Shell(ShellComplete):
    """One with a script of ours, which knows what ``format_completion`` gives."""

    source_template = ""


class Bash(_Shell):
    """Bash splits words at colons and equal signs, which addresses and arguments have: so the line is read here."""

    name = "bash"

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE", "")
        words = split_arg_string(line)
        self._last = words.pop() if words and not line[-1:].isspace() else ""
        return words[1:], self._last

    def format_completion(self, item: CompletionItem[str]) -> str:
        breaks = os.environ.get("COMP_WORDBREAKS", _BREAKS)
        there = max(self._last.rfind(mark) for mark in _BREAKS if mark in breaks) if set(_BREAKS) & set(breaks) else -1
        start = self._last[: there + 1]
        return f"{item.type},{item.value.removeprefix(start)}"


class Zsh(_Shell):
    """Three lines for each: its type, the value, and what it is (``_`` for nothing)."""

    name = "zsh"
    get_completion_args = ZshComplete.get_completion_args

    def format_completion(self, item: CompletionItem[str]) -> str:
        value = item.value.replace(":", r"\:") if item.type == "plain" and item.help else item.value
        return f"{item.type}\n{value}\n{_line(item.help) or '_'}"


class Fish(_Shell):
    """Fish leaves out the space behind an equal sign or a dot by itself."""

    name = "fish"

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ.get("COMP_WORDS", ""))
        last = (split_arg_string(os.environ.get("COMP_CWORD", "")) or [""])[0]
        if last and words and words[-1] == last:
            words.pop()
        return words[1:], last

    def format_completion(self, item: CompletionItem[str]) -> str:
        kind = "plain" if item.type == PART else item.type
        return f"{kind},{item.value}" + (f"\t{_line(item.help)}" if item.help else "")


SHELLS: Final[Mapping[str, type[ShellComplete]]] = {each.name: each for each in (Bash, Zsh, Fish)}


def _line(text: str | None) -> str:
    """In one, and without what would steer the terminal: it may be a stranger's."""
    return harmless(" ".join((text or "").split()))


def script(shell: str) -> str:
    """What a shell reads once, to ask from then on."""
    return (Path(__file__).with_name("shells") / f"{shell}.tmpl").read_text(encoding="utf-8")


def answer(cli: click.Command, instruction: str) -> None:
    """Print what fits, for the shell that asks (``bash_complete``); nothing where anything goes wrong."""
    shell = SHELLS.get(instruction.partition("_")[0])
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere), suppress(Exception, SystemExit):
        if shell is not None:
            sys.stdout.write(shell(cli, {}, "thriftserver", "").complete() + "\n")


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    return [CompletionItem(incomplete, type="file")]


def folders(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    return [CompletionItem(incomplete, type="dir")]


def methods(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Methods by their bare names; of services beside the first one, and once a service is begun, with that."""
    return _those(_methods(_known(context), incomplete), incomplete)


def _methods(known: Known, incomplete: str) -> Iterator[CompletionItem[str]]:
    from thriftserver.calling.methods import names
    from thriftserver.client.methods import signature

    for short, whole, function in names(known):
        yield CompletionItem(short if short.startswith(incomplete) else whole, help=signature(function))


def rules(context: click.Context, parameter: click.Parameter, incomplete: str) -> Items:
    """The methods of rules as ``METHOD=...``."""
    if "=" in incomplete:
        return []
    found = methods(context, parameter, incomplete)
    return [CompletionItem(f"{each.value}=", type=PART, help=each.help) for each in found]


def definitions(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Services, their methods, and types."""
    from thriftserver.idl.bundle import nearest

    known = _known(context)
    found = []
    for module in nearest(*known.modules):
        for service in module.services.values():
            found.append(CompletionItem(service.name, help="service"))
            found += [CompletionItem(f"{service.name}.{each.name}", help=_line(each.doc)) for each in service.methods()]
        for kind, names in (("struct", module.structs), ("enum", module.enums), ("typedef", module.typedefs)):
            found += [CompletionItem(name, help=getattr(names[name], "kind", kind)) for name in names]
    return _those(found, incomplete)


def arguments(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """``name=`` of the method's arguments, ``name.field=`` within structs; behind it what a bool or an enum may be."""
    from thriftserver.calling.methods import find

    function = find(context.params["method"], _known(context)).function
    given = {text.partition("=")[0] for text in context.params.get("arguments") or ()}
    path, equals, value = incomplete.partition("=")
    if equals:
        words = _words(function, path.split("."))
        return [CompletionItem(f"{path}={word}") for word in words if word.startswith(value)]
    return [each for each in _those(_fields(function, path), incomplete) if each.value.rstrip("=") not in given]


def _fields(function: Function, path: str) -> Iterator[CompletionItem[str]]:
    from thriftserver.schema.model import Struct

    *outer, _ = path.split(".")
    for field in _at(function, outer):
        name = ".".join([*outer, field.name])
        ending = "." if isinstance(field.type, Struct) else "="
        yield CompletionItem(f"{name}{ending}", type=PART, help=f"{field.type}{': ' if field.doc else ''}{field.doc}")


def _at(function: Function, path: Sequence[str]) -> Sequence[Field]:
    """The fields that stand at a path; none where that leads to no struct."""
    from thriftserver.schema.model import Struct

    fields: Sequence[Field] = function.args
    for name in path:
        type = next((each.type for each in fields if each.name == name), None)
        fields = type.fields if isinstance(type, Struct) else ()
    return fields


def _words(function: Function, path: Sequence[str]) -> list[str]:
    """What a value may be, where that can be told."""
    from thriftserver.schema.model import BOOL, Enum, List, Set

    type: Type | None = next((each.type for each in _at(function, path[:-1]) if each.name == path[-1]), None)
    if isinstance(type, List | Set):
        type = type.element
    if isinstance(type, Enum):
        return [member.name for member in type.members]
    return ["true", "false"] if type == BOOL else []


def _known(context: click.Context) -> Known:
    """The IDL that the line so far tells of: a file's, or a server's."""
    from thriftserver.calling.methods import Known
    from thriftserver.cli.connecting import Target, is_file
    from thriftserver.cli.tls import tls_of
    from thriftserver.idl.loader import Loader

    given = dict(context.params)
    target, idl, include = given.get("address") or given.get("target"), given.get("idl"), given.get("include") or ()
    paths = [idl] if isinstance(idl, str) else list(idl or ())
    if not paths and target and is_file(target):
        paths = [target]
    if paths:
        loader = Loader()
        return Known(tuple(loader.load(path, include) for path in paths))
    options = {name: given[name] for name in ("max_frame", "dialect", "path") if isinstance(given.get(name), str)}
    defaults = {"max_frame": "16m", "dialect": "framed-binary", "path": "/"}
    return Target.of(target or "", timeout=_PATIENCE, tls=tls_of(given), **(defaults | options)).known(None, ())


def _those(items: Iterable[CompletionItem[str]], incomplete: str) -> Items:
    """The ones that begin so, each once."""
    found: dict[str, Any] = {}
    for each in items:
        if each.value.startswith(incomplete):
            found.setdefault(each.value, each)
    return list(found.values())
