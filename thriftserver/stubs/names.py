"""What a stub calls things: by their own names, unless the IDL has these names for something else.

A struct may be called ``str``, a field ``list``, and a field of the type ``Status`` may be called ``Status``. What a
type checker would then look up wrongly goes by a private second name in that stub.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from thriftserver.schema.classes import enum_of
from thriftserver.schema.model import Definition, Function, Module, Service, Struct
from thriftserver.schema.names import alias

#: Where stubs import from; what is not here is built in.
HOMES: Final = {
    "AbstractSet": "typing",
    "Any": "typing",
    "Awaitable": "collections.abc",
    "Final": "typing",
    "Literal": "typing",
    "Mapping": "collections.abc",
    "PoolStats": "thriftserver.client.statistics",
    "Protocol": "typing",
    "SSLContext": "ssl",
    "Self": "typing",
    "Sequence": "collections.abc",
    "ThriftEnum": "thriftserver.schema.classes",
    "ThriftException": "thriftserver.schema.special",
    "ThriftStruct": "thriftserver.schema.classes",
    "ThriftUnion": "thriftserver.schema.special",
    "Tls": "thriftserver.client.tls",
    "UUID": "uuid",
    "abstractmethod": "abc",
    "overload": "typing",
}

#: The classes of a service, in the order of a stub. Clients and pools have methods of their own beside the IDL's.
NESTED: Final = ("Handler", "AsyncHandler", "Client", "Pool", "AsyncClient", "AsyncPool")
OWN: Final = ("close", "stats", "aclose")


def identifier(name: str) -> str:
    """The name of a module for a file of that name: what Python cannot have in it becomes an underscore."""
    name = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not name or name[0].isdigit():
        name = f"_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def free(name: str, taken: Collection[str]) -> str:
    """``name``, with as many underscores behind it as nobody else has."""
    while name in taken:
        name += "_"
    return name


def spell(names: Collection[str]) -> dict[str, str]:
    """How names of an IDL that stand side by side are written in Python; a private name for what cannot be written."""
    return {
        name: (other if other not in names else free(f"_{name}_", names)) if (other := alias(name)) else name
        for name in names
    }


def members(struct: Struct | Function) -> dict[str, str]:
    """The fields of a struct, or the arguments of a function, as they are written."""
    return spell([field.name for field in (struct.args if isinstance(struct, Function) else struct.fields)])


def methods(service: Service) -> dict[str, str]:
    """The methods of a service, inherited ones too, as they are written."""
    return spell([function.name for function in service.methods()])


def contents(module: Module) -> dict[Definition, str]:
    """What a file defines and Python has an object for, as it is written.

    A type, a constant and a service may have one name; the last of them has it in Python, the others a private one.
    """
    last = {each.name: each for each in _defined(module)}
    spelled = spell(last.keys())
    found: dict[Definition, str] = {}
    for each in _defined(module):
        if last[each.name] is each:
            found[each] = spelled[each.name]
        else:
            found[each] = free(f"_{each.name}", {*spelled.values(), *found.values()})
    return found


def _defined(module: Module) -> Iterator[Definition]:
    """In the order in which ``thriftserver.load`` makes them attributes."""
    for typedef in module.typedefs.values():
        if isinstance(typedef.type, Definition):  # another name of a class; other types have no object
            yield typedef
    yield from module.enums.values()
    yield from module.structs.values()
    yield from module.consts.values()
    yield from module.services.values()


def _inner(module: Module) -> Iterator[str]:
    """Every name that may stand between a class's body and the names of the module."""
    for struct in module.structs.values():
        yield from members(struct).values()
    for enum in module.enums.values():
        yield from enum_of(enum).__members__
    for service in module.services.values():
        yield from methods(service).values()
        yield from (*NESTED, *OWN)


class Names(dict[str, str]):
    """The names of one stub. ``names["Sequence"]`` is what it calls ``Sequence``, and that it has to be imported.

    ``stems`` are the modules of the package by their IDL files, ``written`` each file's definitions by their modules.
    """

    def __init__(
        self, module: Module, stems: Mapping[str, str], written: Mapping[Module, Mapping[Definition, str]]
    ) -> None:
        super().__init__()
        self._module = module
        self._stems = stems
        self._homes = {definition: home for home, names in written.items() for definition in names}
        self._written = written
        self._inner = frozenset(_inner(module))
        self.own = written[module]
        included = {stems[each.path] for each in module.includes}
        #: Files that are attributes of this one, as they are at run time.
        self._attributes = included - {*self.own.values()}
        self._public = self._inner | self._attributes | {*self.own.values()}
        self._taken = {*self._public}
        self._second: dict[str, str] = {}
        self._submodules: dict[str, str] = {}
        self._imported: dict[str, set[str]] = {}
        if self._attributes:
            self._imported["."] = {f"{stem} as {stem}" for stem in self._attributes}

    def __missing__(self, name: str) -> str:
        """Built in or imported, by a private name where the IDL has something of that name."""
        shown = self[name] = self._private(name) if name in self._public else name
        home = HOMES.get(name, "builtins")
        if home != "builtins" or shown != name:
            self._imported.setdefault(home, set()).add(name if shown == name else f"{name} as {shown}")
        return shown

    def of(self, definition: Definition) -> str:
        """An enum, struct or service of this file or of another one."""
        home = self._homes[definition]
        if home is not self._module:
            return f"{self._submodule(home)}.{self._written[home][definition]}"
        name = self.own[definition]
        if name not in self._inner:
            return name
        if name not in self._second:
            self._second[name] = self._private(name)
        return self._second[name]

    def _submodule(self, module: Module) -> str:
        """What another file of the package is called here."""
        stem = self._stems[module.path]
        if stem in self._attributes and stem not in self._inner:
            return stem
        if stem not in self._submodules:
            self._submodules[stem] = self._private(stem)
            self._imported.setdefault(".", set()).add(f"{stem} as {self._submodules[stem]}")
        return self._submodules[stem]

    def _private(self, name: str) -> str:
        found = free(f"_{name}", self._taken)
        self._taken.add(found)
        return found

    def imports(self) -> list[str]:
        """The lines that import what was asked for, those of the package itself last."""
        homes = sorted(self._imported.items(), key=lambda home: (home[0] == ".", home))
        return [f"from {home} import {', '.join(sorted(found))}" for home, found in homes]

    def second_names(self) -> list[str]:
        """The lines that give definitions of this file a private name beside theirs."""
        return [f"{second} = {name}" for name, second in sorted(self._second.items())]
