"""``dns+srv://_thrift._tcp.users.internal``: servers and their ports from SRV records; the only import of dnspython."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

from thriftserver.discovery.addresses import Address

try:
    import dns.exception
    import dns.resolver
except ImportError as error:
    raise ValueError("dns+srv:// needs dnspython; install it with: pip install 'thriftserver[dns]'") from error

#: What a weight of 0 counts, beside others: hardly anything, but not nothing.
_NO_WEIGHT = 0.01


class SrvRecords:
    """The targets of the lowest priority, by weight, kept for as long as their records may be.

    ``nameserver``, an address and its port, is asked in place of the system's: ``dns+srv://NAME?nameserver=HOST:PORT``.
    """

    def __init__(self, text: str) -> None:
        name, _, query = text.removeprefix("dns+srv://").rstrip("/").partition("?")
        if not name:
            raise ValueError(f"{text!r} names no record; write dns+srv://_service._tcp.domain")
        self._name = name
        self._resolver = dns.resolver.Resolver()
        if query:
            key, _, server = query.partition("=")
            host, _, port = server.rpartition(":")
            if key != "nameserver" or not host or not port.isdigit():
                raise ValueError(f"{text!r}: behind ? only nameserver=HOST:PORT is known")
            self._resolver.nameservers = [host.strip("[]")]
            self._resolver.port = int(port)
        self._found: list[Any] = []
        self._until = 0.0

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        if time.monotonic() >= self._until:
            try:
                answer = self._resolver.resolve(self._name, "SRV", lifetime=timeout)
            except dns.exception.DNSException as error:
                if not self._found:
                    raise OSError(f"cannot resolve {self._name}: {error}") from None
            else:
                self._found = list(answer)
                self._until = time.monotonic() + max(answer.rrset.ttl if answer.rrset else 0, 1)
        return self._best(self._found)

    @staticmethod
    def _best(records: list[Any]) -> list[Address]:
        lowest = min(record.priority for record in records)
        chosen = [record for record in records if record.priority == lowest]
        chosen.sort(key=lambda record: random.random() ** (1 / max(record.weight, _NO_WEIGHT)), reverse=True)
        return [
            Address(record.target.to_text(omit_final_dot=True), record.port, max(record.weight, _NO_WEIGHT))
            for record in chosen
        ]
