"""One server in one registry, in a thread of its own: entered, kept, entered again, taken out.

Nobody waits for the registry but this thread. What it has come to stands in ``state``.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

from msgspec import Struct

from thriftserver.discovery.addresses import Address
from thriftserver.discovery.records import Record
from thriftserver.discovery.registries import Entry, Url, registry_of
from thriftserver.log import Logger

#: Seconds until a registry that is away is tried again, doubled up to the time between two signs of life.
FIRST = 0.25
#: How often in a ``ttl`` a registry hears that the server lives.
SIGNS = 3


class State(Struct, frozen=True):
    """What has become of it. ``problem`` is why the registry cannot be told anything; then it may forget the server."""

    registered: bool = False
    problem: str = ""


class Enrolment:
    """``tell`` is called after each change of ``state``, with what happened: registered, lost, deregistered, or ""."""

    def __init__(self, where: Url, ttl: float, log: Logger, tell: Callable[[str], None]) -> None:
        self.where = where
        self.state = State()
        self._ttl = ttl
        self._tell = tell
        self._log = log.bind(registry=where.text)
        self._news = threading.Condition()
        self._wanted: Record | None = None
        self._over = False
        #: What the registry may have, and when it was last seen to.
        self._known: Record | None = None
        self._assured = 0.0
        self._entry: Entry | None = None
        self._thread = threading.Thread(target=self._run, name=f"registry {where.scheme}", daemon=True)
        self._thread.start()

    def want(self, record: Record | None) -> None:
        """The registry is to have this, or nothing, from now on."""
        with self._news:
            if record != self._wanted:
                self._wanted = record
                self._news.notify_all()

    def leave(self) -> None:
        """Take the server out, and end."""
        with self._news:
            self._wanted, self._over = None, True
            self._news.notify_all()

    def has_left(self, patience: float) -> bool:
        """Whether it has ended within so many seconds."""
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST
        while not (self._over and self._known is None):
            wanted = self._wanted
            well = self._attempt(wanted)
            pause = FIRST if well else min(2 * pause, self._ttl / SIGNS)
            with self._news:
                if self._wanted == wanted and not (well and self._over):
                    self._news.wait(pause if not well else self._ttl / SIGNS if wanted else None)
        self._let_go()

    def _attempt(self, wanted: Record | None) -> bool:
        """See that the registry has what it is to have; whether it has."""
        try:
            if wanted is not None:
                self._assure(wanted if wanted.host else wanted.at(seen_from(self.where.hosts[0])))
            elif self._known is not None:
                self._remove(self._known)
        except OSError as error:
            self._missed(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - a library's mistake is this registry's problem alone
            if not self.state.problem:
                self._log.exception("registry_failed", error)
            self._missed(str(error) or type(error).__name__)
            self._let_go()
            return False
        return True

    def _assure(self, record: Record) -> None:
        if self._entry is None:
            self._entry = registry_of(self.where).Entry(self.where, self._ttl)
        before, known, began = self.state, self._known, time.monotonic()
        if known is not None and known.address[:2] != record.address[:2]:
            self._entry.remove()
        self._known = record
        fresh = self._entry.assure(record)
        self._assured = began
        self.state = State(registered=True)
        if fresh:
            if before.registered and not before.problem and known == record:
                self._log.warning("registry_forgot")
                self._tell("lost")
            version = {"version": record.version} if record.version else {}
            self._log.info("registered", address=str(record.address), weight=record.weight, **version)
            self._tell("registered")
        elif before.problem:
            self._log.info("registry_back")
            self._tell("")

    def _remove(self, known: Record) -> None:
        try:
            if self._entry is not None:
                self._entry.remove()
        except OSError:
            if time.monotonic() < self._assured + self._ttl:
                raise
            self._let_go()  # the registry has forgotten it by now
        self._known, self.state = None, State()
        self._log.info("deregistered", address=str(known.address))
        self._tell("deregistered")

    def _missed(self, problem: str) -> None:
        """The registry is away, which is told once."""
        before = self.state
        kept = before.registered and time.monotonic() < self._assured + self._ttl
        self.state = State(kept, problem)
        if not before.problem:
            self._log.error("registry_unreachable", reason=problem, registered=before.registered)
        self._tell("lost" if before.registered and not before.problem else "")

    def _let_go(self) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            entry.close()


def seen_from(host: Address) -> str:
    """The address of this machine that the way to a host begins at. Raises OSError."""
    family, _, _, _, numbers = socket.getaddrinfo(host.host, host.port, 0, socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(numbers)  # nothing is sent
        found: str = probe.getsockname()[0]
    return found


def is_local(host: str) -> bool:
    """Does an address mean whoever reads it?"""
    return host in ("localhost", "::1") or host.startswith("127.")
