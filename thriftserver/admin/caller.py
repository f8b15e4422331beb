"""Calls a method of the server itself, as any client would: what stands behind the form of the page.

Whether somebody may call is decided before, in ``site``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from thriftserver.client.plain import read_arguments
from thriftserver.client.sync import client_class
from thriftserver.codec.plain import to_plain
from thriftserver.errors import ConfigError, EncodeError, ThriftServerError
from thriftserver.schema.model import Service
from thriftserver.schema.special import ThriftException

#: Seconds to wait for a reply.
TIMEOUT = 30.0


class Caller:
    """``address`` is one that the server listens on; the first of ``services`` is the one that bare names mean."""

    def __init__(self, services: Sequence[Service], address: str, max_frame: int) -> None:
        self._services = {service.name: service for service in services}
        self._classes = {service.name: client_class(service) for service in services}
        self._first = services[0].name
        self._address = _reachable(address)
        self._max_frame = max_frame

    def call(self, service_name: str, method: str, arguments: str) -> dict[str, Any]:
        """Make the call; what came of it: ``kind`` is result, exception or error. Raises ConfigError for nonsense."""
        service = self._services.get(service_name)
        function = next((each for each in service.methods() if each.name == method), None) if service else None
        if function is None:
            raise ConfigError(f"there is no method {service_name}.{method}")
        values = read_arguments(function, arguments)
        host, port = self._address
        begun = time.monotonic()
        answer: dict[str, Any]
        try:
            known_by = "" if service_name == self._first else service_name
            with self._classes[service_name](
                host, port, timeout=TIMEOUT, max_frame=self._max_frame, service=known_by
            ) as client:
                begun = time.monotonic()
                value = getattr(client, method)(*values)
            answer = {
                "kind": "result",
                "value": None if function.returns is None else to_plain(function.returns, value),
            }
        except EncodeError as error:
            raise ConfigError(f"the arguments do not fit: {error}") from None
        except ThriftException as error:
            definition = type(error).__thrift__
            answer = {"kind": "exception", "name": definition.name, "value": to_plain(definition, error)}
        except ThriftServerError as error:
            answer = {"kind": "error", "message": str(error)}
        return answer | {"seconds": time.monotonic() - begun}


def _reachable(address: str) -> tuple[str, int]:
    """Host and port to connect to, from an address that is listened on: every interface becomes the loopback one."""
    if address.startswith("unix:"):
        return address, 0
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host), int(port)
