"""Registries that speak JSON over HTTP: the first of several hosts that answers is asked, until it does not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from typing import Any

from thriftserver.discovery.addresses import Address
from thriftserver.discovery.registries import ANSWER

#: Bytes of an answer: a registry with that many servers is none.
MOST = 16 << 20


class Answer(Exception):
    """The registry says no: its status, and why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:200]}")
        self.status = status
        self.text = text


class Web:
    """One registry's hosts; ``headers`` go with each request. For one thread.

    ``log_in`` asks for more headers, which are good until the registry answers 401.
    """

    def __init__(
        self,
        hosts: Sequence[Address],
        headers: Mapping[str, str] | None = None,
        log_in: Callable[[Web], Mapping[str, str]] | None = None,
    ) -> None:
        self._hosts = list(hosts)
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._log_in = log_in
        self._granted: Mapping[str, str] = {}

    def ask(self, method: str, path: str, body: object = None, patience: float = 0.0) -> tuple[Any, Message]:
        """What the registry answers to JSON within ANSWER seconds more than ``patience``, and the answer's headers.

        Raises OSError if none of its hosts answers, Answer if one says no.
        """
        with self._opened(method, path, body, patience) as response:
            data = response.read(MOST)
            if response.length:
                raise OSError(f"its answer to {path} is cut off")
            try:
                found = json.loads(data) if data.strip() else None
            except (ValueError, RecursionError):
                raise OSError(f"its answer to {path} is no JSON") from None
            return found, response.headers

    @contextmanager
    def stream(self, path: str, body: object, patience: float) -> Iterator[Callable[[], Any]]:
        """The answers that come one by one, each within so many seconds. Raises as ``ask`` does."""
        with self._opened("POST", path, body, patience) as response:

            def next_one() -> Any:
                line = response.readline(MOST)
                if not line:
                    raise OSError("it has ended its answer")
                try:
                    return json.loads(line)
                except (ValueError, RecursionError):
                    raise OSError(f"its answer to {path} is no JSON") from None

            yield next_one

    @contextmanager
    def _opened(self, method: str, path: str, body: object, patience: float) -> Iterator[http.client.HTTPResponse]:
        try:
            connection, response = self._allowed(method, path, body, patience)
            try:
                if response.status != 200:
                    raise Answer(response.status, response.read(4096).decode("utf-8", "replace").strip())
                yield response
            finally:
                response.close()
                connection.close()
        except http.client.HTTPException as error:
            raise OSError(f"its answer is no HTTP: {error or type(error).__name__}") from None

    def _allowed(
        self, method: str, path: str, body: object, patience: float
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """A request with what the login has given, which is asked for first, and anew when it is good no more."""
        if fresh := self._log_in is not None and not self._granted:
            self._grant()
        connection, response = self._begun(method, path, body, patience)
        if response.status == 401 and self._granted and not fresh:
            response.close()
            connection.close()
            self._grant()
            connection, response = self._begun(method, path, body, patience)
        return connection, response

    def _grant(self) -> None:
        log_in, self._log_in, self._granted = self._log_in, None, {}  # what it asks needs no login
        try:
            self._granted = log_in(self) if log_in else {}
        finally:
            self._log_in = log_in

    def _begun(
        self, method: str, path: str, body: object, patience: float
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        problem: Exception = OSError("it has no host")
        for host in list(self._hosts):
            connection = http.client.HTTPConnection(host.host, host.port, timeout=ANSWER)
            try:
                connection.connect()
                if patience:
                    connection.sock.settimeout(ANSWER + patience)
                text = None if body is None else json.dumps(body)
                connection.request(method, path, text, {**self._headers, **self._granted})
                return connection, connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                problem = OSError(f"{host}: {getattr(error, 'strerror', None) or error or type(error).__name__}")
                self._hosts.append(self._hosts.pop(0))
            except BaseException:
                connection.close()
                raise
        raise problem
