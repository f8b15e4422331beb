"""A service in a stub: a class that is only a place for others, those of its handlers and clients."""

from __future__ import annotations

from collections.abc import Callable, Collection

from thriftserver.rpc.fb303 import has_default
from thriftserver.schema.model import ABSENT, Function, Service
from thriftserver.stubs.annotations import accepted, read
from thriftserver.stubs.callers import CALLERS
from thriftserver.stubs.names import Names, free, members, methods
from thriftserver.stubs.text import block, docstring, function

Method = Callable[[Function, str, Names], list[str]]


def receiver(names: Collection[str]) -> list[str]:
    """What a method has before its parameters, which may be called ``self`` themselves."""
    return ["self"] if "self" not in names else [free("_self", names), "/"]


def service_lines(service: Service, names: Names) -> list[str]:
    """The whole class. What a service extends is extended class by class."""
    parts = [
        docstring(service.doc),
        _group("Handler", service, names, _handler),
        _group("AsyncHandler", service, names, _async_handler),
        _group("_Calls", service, names, _call),
        _group("_AsyncCalls", service, names, _async_call),
        *(lines(names, set(methods(service).values())) for lines in CALLERS),
    ]
    lines = [line for part in parts if part for line in ("", *part)][1:]
    return block(f"class {names.own[service]}:", lines)


def _group(name: str, service: Service, names: Names, write: Method) -> list[str]:
    """One of the classes with the methods of the IDL: those that this service adds to the one it extends."""
    bases = [] if service.extends is None else [f"{names.of(service.extends)}.{name}"]
    protocol = name.endswith("Handler")
    bases += [names["Protocol"]] if protocol else []
    written = methods(service)
    body = docstring(service.doc) if protocol else []
    for each in service.functions:
        if not (protocol and has_default(each)):
            body += write(each, written[each.name], names)
    return block(f"class {name}({', '.join(bases)}):" if bases else f"class {name}:", body)


def _handler(each: Function, name: str, names: Names) -> list[str]:
    return _answer(each, name, names, _result(each, names))


def _async_handler(each: Function, name: str, names: Names) -> list[str]:
    result = _result(each, names)
    return _answer(each, name, names, f"{result} | {names['Awaitable']}[{result}]")


def _result(each: Function, names: Names) -> str:
    return "None" if each.returns is None else accepted(each.returns, names)


def _answer(each: Function, name: str, names: Names, result: str) -> list[str]:
    """A method of a handler, which gets its arguments by position and may call them what it likes."""
    written = members(each)
    parameters = receiver(written.values())[:1]
    parameters += [f"{written[arg.name]}: {read(arg.type, names)}" for arg in each.args]
    if each.args:
        parameters.append("/")
    return [f"@{names['abstractmethod']}", *function(f"def {name}", parameters, result, _doc(each))]


def _call(each: Function, name: str, names: Names) -> list[str]:
    return _ask(each, f"def {name}", names)


def _async_call(each: Function, name: str, names: Names) -> list[str]:
    return _ask(each, f"async def {name}", names)


def _ask(each: Function, head: str, names: Names) -> list[str]:
    """A method of a client, which may leave out what has a default and name what it gives."""
    written = members(each)
    parameters = receiver(written.values())
    optional = False
    for arg in each.args:
        given = f"{written[arg.name]}: {accepted(arg.type, names)}"
        if arg.default is not ABSENT:
            optional, given = True, f"{given} = ..."
        elif optional and "*" not in parameters:
            parameters.append("*")
        parameters.append(given)
    result = "None" if each.returns is None else read(each.returns, names)
    return function(head, parameters, result, _doc(each))


def _doc(each: Function) -> list[str]:
    raised = ", ".join(str(error.type).removeprefix(f"{each.module}.") for error in each.throws)
    parts = [each.doc, f"Raises {raised}." if raised else ""]
    return docstring("\n\n".join(part for part in parts if part))
