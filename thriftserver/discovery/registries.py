"""The registries that servers enter themselves in and clients find them in: one row for each scheme.

A registry is a module with two classes: its ``Entry`` is a server's half, its ``Source`` that of clients.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from thriftserver.discovery.addresses import Address, read_address
from thriftserver.discovery.records import Record

#: Seconds that a registry has for one answer.
ANSWER = 2.0


class Url(NamedTuple):
    """``scheme://login@host:port,host:port/path``: any of ``hosts`` is asked; ``path`` has no slash around it.

    ``text`` is what may be shown of it: all but the login, which is a ``user`` and a ``secret``, or that alone.
    """

    text: str
    scheme: str
    hosts: tuple[Address, ...]
    path: str
    user: str = ""
    secret: str = ""


class Entry(Protocol):
    """One server in one registry, which forgets it a while after it was last assured."""

    def assure(self, record: Record) -> bool:
        """See that the registry has this, and keeps it for another while; whether it had to be told. Raises OSError."""

    def remove(self) -> None:
        """See that the registry has it no more. Raises OSError."""

    def close(self) -> None:
        """Let go of the registry, whatever it has."""


class Source(Protocol):
    """The servers of one service in one registry, for one thread."""

    def look(self, patience: float) -> Sequence[Address]:
        """All of them: the first time at once, then as soon as they may have changed, or after so many seconds.

        Raises OSError.
        """

    def close(self) -> None:
        """Let go of the registry."""


class Registry(Protocol):
    """What the module of a registry has."""

    def Entry(self, where: Url, ttl: float) -> Entry:  # noqa: N802 - a class
        """``ttl`` are the seconds that the registry keeps what is assured no more."""

    def Source(self, where: Url) -> Source: ...  # noqa: N802 - a class


class _Row(NamedTuple):
    """``needs``: the library to import; ``port``, ``path`` and ``login`` are what a URL has, for people."""

    module: str
    port: int
    path: str
    login: str = ""
    needs: str = ""


_ROWS = {
    "zk": _Row("zookeeper", 2181, "path", needs="kazoo"),
    "etcd": _Row("etcd", 2379, "prefix", "USER:PASSWORD"),
    "consul": _Row("consul", 8500, "service", "TOKEN"),
}
SCHEMES = tuple(_ROWS)


def read_url(text: str) -> Url:
    """A registry's URL in its parts. Raises ValueError, which says how it is written and what is to be installed."""
    scheme, mark, rest = text.partition("://")
    row = _ROWS.get(scheme)
    if not mark or row is None:
        known = ", ".join(f"{name}://" for name in _ROWS)
        raise ValueError(f"{text!r} is no registry; known are {known}")
    hosts, _, path = rest.partition("/")
    login, _, hosts = hosts.rpartition("@")
    text, path = shown(text), path.strip("/")
    if not hosts or not path or set(path) & set(" ?#"):
        raise ValueError(f"{text!r} is no registry; write {scheme}://HOST[:{row.port}][,HOST...]/{row.path}")
    if scheme == "consul" and "/" in path:
        raise ValueError(f"{text!r}: the name of a service in Consul has no slash")
    if row.needs and importlib.util.find_spec(row.needs) is None:
        raise ValueError(f"{scheme}:// needs {row.needs}; install it with: pip install 'thriftserver[{row.module}]'")
    found = tuple(read_address(host, row.port) for host in hosts.split(","))
    if any(host.is_unix for host in found):
        raise ValueError(f"{text!r}: a registry is reached over TCP")
    return Url(text, scheme, found, path, *_login(login, row.login, text))


def shown(name: str) -> str:
    """The name of a server, or of several, without what nobody must read in a log."""
    scheme, mark, rest = name.partition("://")
    hosts, slash, path = rest.partition("/")
    return f"{scheme}{mark}{hosts.rpartition('@')[2]}{slash}{path}"


def _login(given: str, form: str, text: str) -> tuple[str, str]:
    """User and secret in a URL that is shown as ``text``."""
    if not given:
        return "", ""
    user, colon, secret = given.partition(":")
    if not form:
        raise ValueError(f"{text!r}: this registry is asked without a login; leave out what stands in front of @")
    if bool(colon) != (":" in form) or (colon and not secret):
        raise ValueError(f"{text!r}: what stands in front of @ is {form}, with %3A, %2F and %40 for :, / and @ in it")
    return (unquote(user), unquote(secret)) if colon else ("", unquote(user))


def registry_of(where: Url) -> Registry:
    """The module that speaks to it."""
    module: Registry = importlib.import_module(f"thriftserver.discovery.{_ROWS[where.scheme].module}")
    return module
