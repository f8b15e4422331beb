"""``consul://localhost:8500/users``: a service in Consul's catalogue, by the HTTP API of the agent beside the server.

``consul://TOKEN@localhost/users`` has the token to ask with; else it is that of the environment variable
``CONSUL_HTTP_TOKEN``, as for Consul's own tools.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from thriftserver.discovery.addresses import Address
from thriftserver.discovery.records import Record, address_of
from thriftserver.discovery.registries import Url
from thriftserver.discovery.web import Answer, Web

#: When Consul forgets a server that gives no sign of life; it takes no less.
FORGET = "1m"


def _web(where: Url) -> Web:
    token = where.secret or os.environ.get("CONSUL_HTTP_TOKEN")
    return Web(where.hosts, {"X-Consul-Token": token} if token else None)


class Entry:
    """A server with a check that is passed by each ``assure``, and critical when it was not for ``ttl`` seconds."""

    def __init__(self, where: Url, ttl: float) -> None:
        self._web = _web(where)
        self._name = where.path
        self._ttl = max(ttl, 1.0)
        self._record: Record | None = None

    def assure(self, record: Record) -> bool:
        if record == self._record and self._passed(record):
            return False
        self._ask("/v1/agent/service/register", self._definition(record))
        self._record = record
        return True

    def _definition(self, record: Record) -> dict[str, Any]:
        return {
            "Name": self._name,
            "ID": self._id(record),
            "Address": record.host,
            "Port": record.port,
            "Meta": record.metadata,
            "Weights": {"Passing": record.weight, "Warning": 1},
            "Check": {
                "CheckID": f"service:{self._id(record)}",
                "Name": "thriftserver is ready",
                "TTL": f"{self._ttl:g}s",
                "Status": "passing",
                "DeregisterCriticalServiceAfter": FORGET,
            },
        }

    def _passed(self, record: Record) -> bool:
        """Whether the agent knows the check that it is told to have passed."""
        try:
            self._web.ask("PUT", f"/v1/agent/check/pass/service:{quote(self._id(record), safe='')}")
        except Answer as error:
            if error.status == 404 or "nknown check" in error.text:  # agents before 1.11 say 500
                return False
            raise OSError(f"check/pass: {error}") from None
        return True

    def remove(self) -> None:
        if self._record is not None:
            try:
                self._web.ask("PUT", f"/v1/agent/service/deregister/{quote(self._id(self._record), safe='')}")
            except Answer as error:
                if error.status != 404 and "nknown service" not in error.text:
                    raise OSError(f"service/deregister: {error}") from None
            self._record = None

    def close(self) -> None:
        """Each request has a connection of its own."""

    def _id(self, record: Record) -> str:
        return f"{self._name}-{record.host}-{record.port}"

    def _ask(self, path: str, body: object) -> None:
        try:
            self._web.ask("PUT", path, body)
        except Answer as error:
            raise OSError(f"{path.removeprefix('/v1/agent/')}: {error}") from None


class Source:
    """The instances whose checks all pass, by blocking queries."""

    def __init__(self, where: Url) -> None:
        self._web = _web(where)
        self._name = where.path
        self._index = 0

    def look(self, patience: float) -> Sequence[Address]:
        index, self._index = self._index, 0  # after an error, the next time is as the first one
        query = f"/v1/health/service/{quote(self._name, safe='')}?passing=1"
        if index:
            query += f"&index={index}&wait={max(int(patience * 1000), 1)}ms"
            patience *= 17 / 16  # Consul adds up to a sixteenth
        try:
            found, headers = self._web.ask("GET", query, patience=patience if index else 0.0)
        except Answer as error:
            raise OSError(f"health/service: {error}") from None
        told = headers.get("X-Consul-Index", "")
        number = int(told) if told.isdecimal() else 0
        self._index = number if number >= index else 0  # else it has begun to count anew
        return [address for address in map(_address, found if isinstance(found, list) else ()) if address]

    def close(self) -> None:
        """Each request has a connection of its own."""


def _address(instance: object) -> Address | None:
    """Where an instance is; that of its node, if it has no address of its own."""
    try:
        service: Any = instance["Service"]  # type: ignore[index]
        host = service.get("Address") or instance["Node"]["Address"]  # type: ignore[index]
        weight = (service.get("Weights") or {}).get("Passing")
        return address_of(host, service.get("Port"), weight)
    except (KeyError, TypeError, AttributeError):
        return None
