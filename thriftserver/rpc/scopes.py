"""Names of services and methods in options: do they name something that is served?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from thriftserver.closest import closest
from thriftserver.errors import ConfigError
from thriftserver.schema.model import Service


def require_methods(services: Sequence[Service], names: Iterable[str], option: str = "--method-timeout") -> None:
    """Raises ConfigError for a name in an option that is no method of these services."""
    _require_known(names, _method_names(services), f"{option}: there is no method")


def require_scopes(services: Sequence[Service], names: Iterable[str], option: str) -> None:
    """The same where the names of services are good, too."""
    known = _method_names(services) | {each.name for each in services}
    _require_known(names, known, f"{option}: there is no service or method")


def _method_names(services: Sequence[Service]) -> set[str]:
    return {name for each in services for one in each.methods() for name in (one.name, f"{each.name}.{one.name}")}


def _require_known(names: Iterable[str], known: set[str], complaint: str) -> None:
    for name in names:
        if name not in known:
            close = closest(name, known)
            raise ConfigError(f"{complaint} {name!r}" + (f"; did you mean {close!r}?" if close else ""))
