"""Names that stand for servers: a resolver for each scheme, ``register``ed by name.

A text with ``scheme://`` in front is that scheme's; any other is the address of one server.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from thriftserver.discovery.addresses import Address, read_address, shuffled
from thriftserver.discovery.registries import SCHEMES


class Resolver(Protocol):
    """What a scheme makes of a name."""

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        """Where the servers are now, asked within so many seconds. Raises OSError.

        They stand in the order in which one connection is to try them: where there are several equal ones, in another
        one each time, so that connections are shared.
        """


@runtime_checkable
class Follower(Protocol):
    """A resolver that hears of changes."""

    def follow(self, changed: Callable[[], None]) -> None:
        """Call this method, from any thread, when there are other servers; its object is not to be kept alive."""


class Fixed:
    """Addresses that are known, and equal."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(dict.fromkeys(addresses))

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        return self._addresses if len(self._addresses) == 1 else shuffled(self._addresses)


_schemes: dict[str, Callable[[str], Resolver]] = {}


def register(scheme: str, make: Callable[[str], Resolver]) -> None:
    """From now on, names that begin with ``scheme://`` are resolved by what ``make`` gives for the whole name."""
    _schemes[scheme] = make


def resolver_of(names: str | Sequence[str], port: int | None = None) -> Resolver:
    """What finds the servers that these names stand for. Raises ValueError for what is no name."""
    texts = [names] if isinstance(names, str) else list(names)
    if not texts:
        raise ValueError("there must be an address")
    made: list[Resolver] = []
    plain: list[Address] = []
    for text in texts:
        scheme, mark, _ = text.partition("://")
        if not mark or scheme == "unix":
            plain.append(read_address(text, port))
        elif scheme in _schemes:
            made.append(_schemes[scheme](text))
        else:
            raise ValueError(f"{text!r}: nobody resolves {scheme}://; known are {', '.join(_schemes)}")
    if plain:
        made.append(Fixed(plain))
    return made[0] if len(made) == 1 else _Joined(made)


def is_fixed(resolver: Resolver) -> bool:
    """Will it always find the same servers, at once?"""
    return isinstance(resolver, Fixed)


def follows(resolver: Resolver) -> bool:
    """Can it tell by itself that there are other servers?"""
    return isinstance(resolver, Follower)


def follow(resolver: Resolver, changed: Callable[[], None]) -> None:
    """Have a method called, from any thread, when a resolver finds other servers, if it can tell of that by itself."""
    if isinstance(resolver, Follower):
        resolver.follow(changed)


class _Joined:
    """All that several resolvers find, each in its order; one that fails is passed over as long as another does not."""

    def __init__(self, resolvers: Sequence[Resolver]) -> None:
        self._resolvers = resolvers

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        found: list[Iterator[Address]] = []
        turns: list[int] = []
        problem: OSError | None = None
        for resolver in self._resolvers:
            try:
                addresses = resolver.addresses(timeout)
            except OSError as error:
                problem = error
            else:
                turns += [len(found)] * len(addresses)
                found.append(iter(addresses))
        if not turns and problem is not None:
            raise problem
        random.shuffle(turns)
        return list(dict.fromkeys(next(found[turn]) for turn in turns))

    def follow(self, changed: Callable[[], None]) -> None:
        for resolver in self._resolvers:
            follow(resolver, changed)


class Hosts:
    """``dns://users.internal:9090``: each of a name's addresses is a server.

    They are those of one family, the one that the system prefers, because a server often has an address of each.
    """

    def __init__(self, text: str) -> None:
        self._host, self._port, *_ = read_address(text.removeprefix("dns://").strip("/"))

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        try:
            found = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError(f"cannot resolve {self._host}: {error}") from None
        except OSError as error:
            raise OSError(f"cannot resolve {self._host}: {error.strerror or error}") from None
        hosts = [str(to[0]) for family, *_, to in found if family == found[0][0]]
        return shuffled([Address(host, self._port, of=self._host) for host in hosts])


def _dns_srv(name: str) -> Resolver:
    from thriftserver.discovery.dns import SrvRecords

    return SrvRecords(name)


def _registered(name: str) -> Resolver:
    from thriftserver.discovery.following import Following

    return Following(name)


register("dns", Hosts)
register("dns+srv", _dns_srv)
for _scheme in SCHEMES:
    register(_scheme, _registered)
