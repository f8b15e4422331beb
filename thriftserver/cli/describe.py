"""``thriftserver describe``: the IDL of a live server, or of a file, with its documentation. It only prints."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from thriftserver.calling.methods import Known
from thriftserver.cli.connecting import Target, connecting_options, include_option, is_file
from thriftserver.cli.options import offer
from thriftserver.cli.paint import colored, echo, harmless
from thriftserver.describing.data import Data, pieces
from thriftserver.describing.find import find
from thriftserver.describing.text import Look, Text, plainly
from thriftserver.idl.bundle import nearest
from thriftserver.schema.model import Definition, Function, Type

_LOOKS = {"doc": {"dim": True}, "word": {"fg": "blue"}, "name": {"bold": True}, "type": {"fg": "cyan"}}
_ALARM = {"fg": "red", "bold": True}


@click.command()
@click.argument("target", metavar="ADDRESS|FILE", shell_complete=offer("files"))
@click.argument("name", required=False, shell_complete=offer("definitions"))
@include_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@connecting_options
def describe(target: str, name: str | None, include: tuple[str, ...], as_json: bool, **connecting: Any) -> None:
    """Show the IDL that a server tells of itself (see --reflection there), or that a FILE has, with all its docs.

    With NAME only a Service, Service.method, or a type: name, or file.name. A method is shown with the types that a
    call of it takes and gives.

    \b
    thriftserver describe 127.0.0.1:9090 Calculator.divide
    thriftserver describe idl/directory.thrift Profile

    Exits with 0, or 1 if the file has errors, 2 if there is no such NAME, 6 if the server tells nothing, 7 if it does
    not answer.
    """
    if is_file(target):
        from thriftserver.cli.idl import load

        known, server = Known((load(target, include),)), ""
    else:
        told = Target.of(target, **connecting).told()
        known, server = Known(told.modules, told.services), told.server
    meant = find(name, known.modules) if name else []
    if as_json:
        click.echo(json.dumps(_data(known, server, meant), indent=2, ensure_ascii=False))
        return
    color = colored(sys.stdout)
    look = _painted if color else plainly
    for line in _part(meant, look) if meant else _everything(known, server, target, look):
        echo(line if color else harmless(line), sys.stdout, color)


def _painted(part: str, text: str) -> str:
    return click.style(harmless(text), **_LOOKS.get(part, _ALARM))  # type: ignore[arg-type]  # its own parameters


def _part(meant: list[Definition], look: Look) -> Iterator[str]:
    first = meant[0]
    module = first.module
    if isinstance(first, Function):
        yield look("doc", f"// {first.service}.{first.name}, {first.where.path}")
    for number, each in enumerate(meant):
        if number:
            yield ""
        yield from Text(module, look).of(each)


def _everything(known: Known, server: str, target: str, look: Look) -> Iterator[str]:
    if server:
        yield look("doc", f"// {server} at {target} serves {', '.join(known.services)}")
    for number, module in enumerate(nearest(*known.modules)):
        if number or server:
            yield ""
        yield look(
            "doc", f"// {module.name}.thrift" + (f": {module.doc}" if module.doc and "\n" not in module.doc else "")
        )
        yield from Text(module.name, look).file(module)


def _text(type: Type | None) -> str:
    return "".join(map(str, pieces(type)))


def _data(known: Known, server: str, meant: list[Definition]) -> object:
    data = Data(_text)
    if meant:
        first, *types = (data.of(each) for each in meant)
        return first | {"types": types} if types else first
    modules = nearest(*known.modules)
    return {
        "server": server,
        "serves": list(known.services),
        "definitions": [
            data.of(each)
            for module in modules
            for kind in (module.services, module.structs, module.enums, module.typedefs, module.consts)
            for each in kind.values()
        ],
    }
