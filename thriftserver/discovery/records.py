"""What a registry keeps of a server, and how: Twitter's ServerSets in ZooKeeper, endpoints of gRPC's naming in etcd.

Whoever may write to a registry may write anything: a record that cannot be read stands for no server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from thriftserver.discovery.addresses import Address

#: The largest share that a record may claim.
HEAVIEST = 65_535


class Record(Struct, frozen=True):
    """One server: where clients reach it, its share of the calls beside others, and which version it runs.

    Without a ``host``, it is reached where whoever enters it stands, seen from the registry.
    """

    host: str
    port: int
    weight: int = 1
    version: str = ""

    @property
    def address(self) -> Address:
        return Address(self.host, self.port, float(self.weight))

    @property
    def metadata(self) -> dict[str, str]:
        """What is said beside the address, as registries keep it: texts by name."""
        return {"weight": str(self.weight), **({"version": self.version} if self.version else {})}

    def at(self, host: str) -> Record:
        return replace(self, host=host)


def member(record: Record) -> bytes:
    """A member of a ServerSet, as Finagle and Aurora read it."""
    endpoint = {"host": record.host, "port": record.port}
    facts = {"serviceEndpoint": endpoint, "additionalEndpoints": {}, "status": "ALIVE", "metadata": record.metadata}
    return json.dumps(facts).encode()


def read_member(data: bytes) -> Address | None:
    """Where a member of a ServerSet is; None for one that is not there to be called."""
    facts = _object(data)
    endpoint = facts.get("serviceEndpoint")
    if not isinstance(endpoint, Mapping) or facts.get("status", "ALIVE") != "ALIVE":
        return None
    return address_of(endpoint.get("host"), endpoint.get("port"), _weight(facts.get("metadata")))


def endpoint(record: Record) -> bytes:
    """An endpoint as etcd's own clients keep it (``naming/endpoints``)."""
    return json.dumps({"Op": 0, "Addr": str(record.address), "Metadata": record.metadata}).encode()


def read_endpoint(data: bytes) -> Address | None:
    """Where an endpoint is; None for what is none."""
    facts = _object(data)
    host, _, port = str(facts.get("Addr", "")).rpartition(":")
    return address_of(host.strip("[]"), int(port) if port.isdecimal() else 0, _weight(facts.get("Metadata")))


def address_of(host: object, port: object, weight: object = None) -> Address | None:
    """An address of what a registry says, if it can be one."""
    if not isinstance(host, str) or not host or not isinstance(port, int) or not 0 < port < 1 << 16:
        return None
    number = float(weight) if isinstance(weight, int | float) and 0 < weight <= HEAVIEST else 1.0
    return Address(host, port, number)


def _weight(metadata: object) -> float | None:
    try:
        return float(metadata["weight"]) if isinstance(metadata, Mapping) else None
    except (KeyError, ValueError, TypeError):
        return None


def _object(data: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
