"""Which definitions of an IDL are meant by a name, and which ones they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thriftserver.closest import closest
from thriftserver.errors import ConfigError
from thriftserver.idl.bundle import nearest
from thriftserver.schema.model import Container, Definition, Enum, Function, Module, Struct, Type


def find(name: str, modules: Sequence[Module]) -> list[Definition]:
    """What ``Name``, ``module.Name`` or ``Service.method`` means in these files and all they include.

    A method comes with the types that its call takes and gives. Of several definitions of one name the nearest counts.
    Raises ConfigError, with the name that may have been meant.
    """
    known: dict[str, Definition] = {}
    for module in nearest(*modules):
        for each in _defined(module):
            known.setdefault(each.name, each)
            known.setdefault(f"{module.name}.{each.name}", each)
        for service in module.services.values():
            for function in service.methods():
                known.setdefault(f"{service.name}.{function.name}", function)
                known.setdefault(f"{module.name}.{service.name}.{function.name}", function)
    meant = known.get(name.replace(":", "."))
    if meant is None:
        close = closest(name, known)
        hint = f"; did you mean {close!r}?" if close else f"; there is {', '.join(_offered(modules))}"
        raise ConfigError(f"the IDL defines no {name!r}{hint}")
    return [meant, *types_of(meant)] if isinstance(meant, Function) else [meant]


def types_of(function: Function) -> list[Struct | Enum]:
    """The structs and enums that a call leads to, each once, the nearest ones first."""
    waiting: list[Type | None] = [*(each.type for each in function.args), function.returns]
    waiting += [each.type for each in function.throws]
    met: dict[int, Type] = {}
    for type in waiting:
        if type is None or id(type) in met:
            continue
        met[id(type)] = type
        if isinstance(type, Container):
            waiting += type.parts()
        elif isinstance(type, Struct):
            waiting += [field.type for field in type.fields]
    return [each for each in met.values() if isinstance(each, Struct | Enum)]


def _defined(module: Module) -> Iterator[Definition]:
    for kind in (module.services, module.structs, module.enums, module.typedefs, module.consts):
        yield from kind.values()


def _offered(modules: Sequence[Module]) -> list[str]:
    return [each.name for module in modules for each in _defined(module)][:20]
