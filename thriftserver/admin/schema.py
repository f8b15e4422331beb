"""The IDL in force as JSON data for the page: doc comments, types as texts with links, and an example of each call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from thriftserver.describing.data import Data, pieces
from thriftserver.schema.model import Definition, Module, Service, Type


def describe(modules: Sequence[Module], served: Sequence[Service]) -> dict[str, Any]:
    """Every service, type and constant of the IDL and of all it includes; ``served`` services come first."""
    every = list({id(module): module for root in modules for module in root.tree()}.values())
    services = _once([*served, *(each for module in every for each in module.services.values())])
    data = Data(_linked)
    return {
        "modules": [{"name": module.name, "doc": module.doc} for module in every],
        "services": [
            {**data.service(each, inherited=each in served), "served": each in served}
            | (_call(each, modules, served) if each in served else {})
            for each in services
        ],
        "types": [
            *(data.struct(each) for module in every for each in module.structs.values()),
            *(data.enum(each) for module in every for each in module.enums.values()),
            *(data.typedef(each) for module in every for each in module.typedefs.values()),
        ],
        "constants": [data.const(each) for module in every for each in module.consts.values()],
    }


def _linked(type: Type | None) -> list[Any]:
    """A type as a list of texts and of ``{"ref": "module.Name"}`` for what the page can link."""
    return [{"ref": str(piece)} if isinstance(piece, Definition) else piece for piece in pieces(type)]


def _once(services: Iterable[Service]) -> list[Service]:
    return list({id(each): each for each in services}.values())


def _call(service: Service, modules: Sequence[Module], served: Sequence[Service]) -> dict[str, Any]:
    """How a command names its methods, and which of the files has it: the first service has all bare names."""
    file = next((i for i, root in enumerate(modules) for each in root.tree() if service in each.services.values()), 0)
    return {"call": f"{service.name}{'.' if service is served[0] else ':'}", "file": file}
