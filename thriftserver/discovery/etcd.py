"""``etcd://host:2379,host:2379/services/users``: a key for each server, under a lease; over etcd's JSON gateway (3.4+).

A key is the prefix and the server's address, its value what etcd's own ``naming/endpoints`` writes. With
``etcd://user:password@host/prefix`` a token is asked for, and another one when etcd does not know it any more.
"""

from __future__ import annotations

import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from thriftserver.discovery.addresses import Address
from thriftserver.discovery.records import Record, endpoint, read_endpoint
from thriftserver.discovery.registries import Url
from thriftserver.discovery.web import Answer, Web


class _Value(Struct, frozen=True):
    value: str = ""
    lease: str = "0"

    @property
    def data(self) -> bytes:
        try:
            return b64decode(self.value)
        except ValueError:
            return b""


class _Header(Struct, frozen=True):
    revision: str = "0"


class _Result(Struct, frozen=True):
    """What comes in a stream: of a lease, or of a watch."""

    TTL: str = "0"
    events: list[Any] = []
    canceled: bool = False


class _Reply(Struct, frozen=True):
    """Of all that etcd answers, what is read here; the gateway writes large numbers as texts."""

    header: _Header = _Header()
    ID: str = ""
    token: str = ""
    kvs: list[_Value] = []
    result: _Result = _Result()


class _Etcd:
    def __init__(self, where: Url) -> None:
        self._web = Web(where.hosts, log_in=partial(_authorized, where.user, where.secret) if where.user else None)
        self._prefix = f"{where.path}/"

    def _ask(self, what: str, **body: object) -> _Reply:
        try:
            answer, _ = self._web.ask("POST", f"/v3/{what}", body)
        except Answer as error:
            raise OSError(f"{what}: {error}") from None
        return _reply(what, answer)

    def close(self) -> None:
        """Each request has a connection of its own."""


class Entry(_Etcd):
    """A server under a lease, which is kept alive by each ``assure``.

    The key goes with the lease. So the entry of a process before this one, or of another master, is taken over by
    writing the key: the lease that it had has no part in it any more.
    """

    def __init__(self, where: Url, ttl: float) -> None:
        super().__init__(where)
        self._ttl = max(round(ttl), 1)
        self._lease = ""

    def assure(self, record: Record) -> bool:
        key, value = _text(self._prefix + str(record.address)), endpoint(record)
        if self._lease:
            kept = self._ask("lease/keepalive", ID=self._lease).result
            if kept.TTL == "0":
                self._lease = ""
        if not self._lease:
            self._lease = self._ask("lease/grant", TTL=self._ttl).ID
        if not self._lease:
            raise OSError("lease/grant: there is no lease in its answer")
        if any(each.lease == self._lease and each.data == value for each in self._ask("kv/range", key=key).kvs):
            return False
        self._ask("kv/put", key=key, value=_text(value), lease=self._lease)
        return True

    def remove(self) -> None:
        if self._lease:
            try:
                self._web.ask("POST", "/v3/lease/revoke", {"ID": self._lease})
            except Answer as error:
                if error.status != 404:  # it has none such
                    raise OSError(f"lease/revoke: {error}") from None
            self._lease = ""


class Source(_Etcd):
    """What stands under the prefix, looked at again when etcd tells of a change in it."""

    def __init__(self, where: Url) -> None:
        super().__init__(where)
        self._revision = 0

    def look(self, patience: float) -> Sequence[Address]:
        area = {"key": _text(self._prefix), "range_end": _text(self._prefix[:-1] + "0")}  # what comes after the slash
        revision, self._revision = self._revision, 0  # after an error, the next time is as the first one
        if revision:
            self._wait(area, revision, patience)
        answer = self._ask("kv/range", **area)
        number = answer.header.revision
        self._revision = int(number) if number.isdecimal() else 0
        found = (read_endpoint(each.data) for each in answer.kvs)
        return [address for address in found if address]

    def _wait(self, area: dict[str, str], revision: int, patience: float) -> None:
        wanted = {**area, "start_revision": revision + 1}
        end = time.monotonic() + patience
        try:
            with self._web.stream("/v3/watch", {"create_request": wanted}, patience) as answer:
                while time.monotonic() < end:
                    result = _reply("watch", answer()).result
                    if result.events or result.canceled:
                        return
        except TimeoutError:  # nothing has changed
            return
        except Answer as error:
            raise OSError(f"watch: {error}") from None


def _authorized(user: str, password: str, web: Web) -> dict[str, str]:
    """What goes beside the requests of this user."""
    try:
        answer, _ = web.ask("POST", "/v3/auth/authenticate", {"name": user, "password": password})
    except Answer as error:
        raise OSError(f"auth/authenticate: {error}") from None
    return {"Authorization": _reply("auth/authenticate", answer).token}


def _reply(what: str, answer: object) -> _Reply:
    try:
        return msgspec.convert(answer, _Reply)
    except msgspec.ValidationError as error:
        raise OSError(f"{what}: its answer makes no sense: {error}") from None


def _text(data: str | bytes) -> str:
    return b64encode(data.encode() if isinstance(data, str) else data).decode()
