"""Which method is meant by a name, and what it is called on the wire, given what is known of the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thriftserver.closest import closest
from thriftserver.errors import ConfigError
from thriftserver.rpc.binding import choose_service, outermost
from thriftserver.schema.model import Function, Module, Service


class Known(NamedTuple):
    """Files of an IDL, and the names of the services that are served, in the server's order; none if nobody knows."""

    modules: tuple[Module, ...]
    services: tuple[str, ...] = ()


class Meant(NamedTuple):
    """A method of a service, and the name to put before it on the wire: none for a bare one."""

    service: Service
    function: Function
    known_by: str

    @property
    def called(self) -> str:
        return f"{self.known_by}:{self.function.name}" if self.known_by else self.function.name


def find(text: str, known: Known) -> Meant:
    """``method``, ``Service.method`` or ``Service:method``; the last one is called with the service's name in any case.

    Raises ConfigError, or HandlerError where the IDL does not say which service is meant.
    """
    owner, mark, name = text.rpartition(":") if ":" in text else text.rpartition(".")
    find = _among_served if known.services else _in_file
    return find(known, owner, mark, name)


def _in_file(known: Known, owner: str, mark: str, name: str) -> Meant:
    """Nobody knows what is served: a method whose name several services have is called with its service's."""
    every = [service for module in known.modules for service in module.services.values()]
    having = [each for each in every if method(each, name)]
    service = having[0] if not owner and len(having) == 1 else choose_service(owner, known.modules)
    shared = mark and any(not _akin(each, service) for each in having)
    return Meant(service, _require(service, name), service.name if mark == ":" or shared else "")


def _among_served(known: Known, owner: str, mark: str, name: str) -> Meant:
    served = [choose_service(each, known.modules) for each in known.services]
    having = [each for each in served if method(each, name)]
    if owner:
        service = _owner(owner, served)
    elif having and (having[0] is served[0] or len(having) == 1):
        service = having[0]
    elif having:
        either = ", ".join(f"{each.name}.{name}" for each in having)
        raise ConfigError(f"{name!r} could be any of {either}: call one of these")
    else:
        service = served[0]
    function = _require(service, name)
    bare = having[0] is service and (service is served[0] or len(having) == 1)
    return Meant(service, function, "" if bare and mark != ":" else service.name)


def _owner(name: str, served: Sequence[Service]) -> Service:
    """The service of this name, or the first one that extends it."""
    for service in served:
        if service.name == name:
            return service
    for service in served:
        if any(base.name == name for base in service.lineage()):
            return service
    close = closest(name, [each.name for each in served])
    hint = f"; did you mean {close!r}?" if close else f"; there is {', '.join(each.name for each in served)}"
    raise ConfigError(f"no service {name!r} is served there{hint}")


def _require(service: Service, name: str) -> Function:
    function = method(service, name)
    if function is None:
        names = [each.name for each in service.methods()]
        close = closest(name, names)
        hint = f"did you mean {close!r}?" if close else f"there is {', '.join(names) or 'none'}"
        raise ConfigError(f"{service.name} has no method {name!r}; {hint}")
    return function


def names(known: Known) -> Iterator[tuple[str, str, Function]]:
    """Every method: by the shortest name that ``find`` takes for it, by that with its service, and itself."""
    served = [choose_service(each, known.modules) for each in known.services] or outermost(known.modules)
    having: dict[str, list[Service]] = {}
    for service in served:
        for function in service.methods():
            having.setdefault(function.name, []).append(service)
    for service in served:
        for function in service.methods():
            bare = having[function.name] == [service] or (bool(known.services) and service is served[0])
            whole = f"{service.name}.{function.name}"
            yield function.name if bare else whole, whole, function


def method(service: Service, name: str) -> Function | None:
    """The service's method of this name, an inherited one too."""
    return next((each for each in service.methods() if each.name == name), None)


def _akin(one: Service, other: Service) -> bool:
    """Does one extend the other? A server of the one then answers for both."""
    return one in other.lineage() or other in one.lineage()
