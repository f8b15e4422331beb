"""The IDL in a stream of calls: as a worker tells it, and as whoever reads calls goes by it."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from thriftserver.capture.records import File, Heard, Schema
from thriftserver.idl.loader import Loader
from thriftserver.reflection.asking import Told, read
from thriftserver.reflection.telling import SERVER, told_of
from thriftserver.schema.model import Function, Module, Service


def schema_of(modules: Sequence[Module], services: Sequence[str], loader: Loader) -> Schema:
    """What a process that serves these files says of them; the same of two that serve the same."""
    texts, served = told_of(modules, loader)
    files = tuple(File(path, text) for path, text in texts.items())
    mark = crc32(repr((files, served, services)).encode("utf-8", "backslashreplace"))
    return Schema(f"{mark:08x}", files, tuple(served), tuple(services), SERVER)


class Schemas:
    """All that were met in a stream, by what calls refer to them by."""

    def __init__(self) -> None:
        self._services: dict[str, dict[str, Service]] = {}

    def learn(self, schema: Schema) -> bool:
        """Is it a new one? Raises IdlError if its files do not fit together."""
        if schema.id in self._services:
            return False
        self._services[schema.id] = _services(read(schema))
        return True

    def function(self, call: Heard) -> Function | None:
        """The method of a call; None if the IDL was not told, or has none."""
        service = self._services.get(call.schema, {}).get(call.service)
        if service is None:
            return None
        return next((each for each in service.methods() if each.name == call.method), None)


def _services(told: Told) -> dict[str, Service]:
    """By name; of two the nearer, as servers choose."""
    found: dict[str, Service] = {}
    modules = list(told.modules)
    for module in modules:
        modules += [each for each in module.includes if each not in modules]
        for name, service in module.services.items():
            found.setdefault(name, service)
    return found
