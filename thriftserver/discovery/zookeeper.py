"""``zk://host:2181,host:2181/path``: ServerSets in ZooKeeper, as Finagle has them; the only import of kazoo.

A server is an ephemeral ``member_`` node under the path; it goes with the session of who has made it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.handlers.threading import SequentialThreadingHandler

from thriftserver.discovery.addresses import Address
from thriftserver.discovery.records import Record, member, read_member
from thriftserver.discovery.registries import ANSWER, Url

#: Nodes with other names are none of a ServerSet's members.
MEMBER = "member_"
#: Seconds without ZooKeeper after which a client's session is over.
SESSION = 10.0
#: How often it is tried to connect again: seconds, doubled up to a limit, for ever.
RETRY = {"max_tries": -1, "delay": 0.1, "backoff": 2, "max_delay": 1.0}

#: For what kazoo has to say, again and again: whoever uses this says once that a registry is away.
_log = logging.getLogger("thriftserver.discovery.kazoo")
_log.disabled = True


class _ZooKeeper:
    """One session, made when it is needed, and anew when it is over or could not be made."""

    def __init__(self, where: Url, session: float) -> None:
        self._hosts = ",".join(map(str, where.hosts))
        self._path = f"/{where.path}"
        self._session = session
        self._client: Any = None
        self._seen = 0.0
        """When it was connected last, or was made."""

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception, client.handler.timeout_exception):  # there may be nobody to say good-bye to
                client.stop()
                client.close()

    def _connect(self) -> Any:
        """The client. Raises OSError while there is no ZooKeeper."""
        if self._client is None:
            self._client = KazooClient(
                self._hosts, timeout=self._session, handler=_handler(), connection_retry=dict(RETRY), logger=_log
            )
            self._client.add_listener(self._moved)
            self._client.start_async()
            self._seen = time.monotonic()
        client, end = self._client, time.monotonic() + ANSWER
        while not client.connected:  # or it is on its way to another host, or to a new session
            if time.monotonic() > end:
                if end > self._seen + self._session:
                    self.close()  # a ZooKeeper that has lost its data takes no client that has seen more
                raise OSError(f"{self._hosts}: no answer")
            time.sleep(0.02)
        self._seen = time.monotonic()
        return client

    def _ask(self, what: str, *args: Any, **options: Any) -> Any:
        """What ZooKeeper answers. Raises NoNodeError, and OSError for everything else."""
        client = self._connect()
        try:
            return getattr(client, f"{what}_async")(*args, **options).get(timeout=ANSWER)
        except NoNodeError:
            raise
        except (KazooException, client.handler.timeout_exception) as error:
            raise OSError(f"{what}: {error or type(error).__name__}") from None

    def _moved(self, _state: object) -> None:
        """The session is another one, or is interrupted."""


class Entry(_ZooKeeper):
    """A server as a node. What others have left of the same address, whose sessions are not over yet, is removed."""

    def __init__(self, where: Url, ttl: float) -> None:
        super().__init__(where, ttl)
        self._node = ""

    def assure(self, record: Record) -> bool:
        data = member(record)
        if self._node:
            with suppress(NoNodeError):
                found, about = self._ask("get", self._node)
                if about.owner_session_id == self._connect().client_id[0]:
                    if found != data:
                        self._ask("set", self._node, data)
                    return bool(found != data)
        node = f"{self._path}/{MEMBER}"
        self._node = self._ask("create", node, data, ephemeral=True, sequence=True, makepath=True)
        self._remove_others(record)
        return True

    def _remove_others(self, record: Record) -> None:
        for name in self._ask("get_children", self._path):
            node = f"{self._path}/{name}"
            if name.startswith(MEMBER) and node != self._node:
                with suppress(NoNodeError):
                    address = read_member(self._ask("get", node)[0])
                    if address is not None and address[:2] == (record.host, record.port):
                        self._ask("delete", node)

    def remove(self) -> None:
        if self._node:
            with suppress(NoNodeError):
                self._ask("delete", self._node)
            self._node = ""


class Source(_ZooKeeper):
    """The members, looked at again when ZooKeeper tells of a change in them."""

    def __init__(self, where: Url) -> None:
        super().__init__(where, SESSION)
        self._changed = threading.Event()
        self._changed.set()

    def look(self, patience: float) -> Sequence[Address]:
        self._changed.wait(patience)
        try:
            self._connect()
            self._changed.clear()
            found = [self._member(name) for name in sorted(self._names()) if name.startswith(MEMBER)]
        except BaseException:
            self._changed.set()
            raise
        return [address for address in found if address]

    def _names(self) -> Sequence[str]:
        try:
            names: Sequence[str] = self._ask("get_children", self._path, watch=self._tell)
        except NoNodeError:  # nobody was ever entered here
            self._ask("exists", self._path, watch=self._tell)
            names = ()
        return names

    def _member(self, name: str) -> Address | None:
        try:
            return read_member(self._ask("get", f"{self._path}/{name}", watch=self._tell)[0])
        except NoNodeError:  # it has just gone
            return None

    def _tell(self, _event: object) -> None:
        self._changed.set()

    def _moved(self, state: object) -> None:
        self._changed.set()


def _handler() -> Any:
    """How kazoo waits: in greenlets where gevent has patched the threads."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return SequentialThreadingHandler()
    from kazoo.handlers.gevent import SequentialGeventHandler

    return SequentialGeventHandler()
