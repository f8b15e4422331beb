"""A stand-in for a Consul agent, made from the documentation of its HTTP API, because no package has Consul itself.

It does what the pages on services, checks, health and blocking queries say: registering, TTL checks that turn critical,
404 for checks that it does not know, and answers that wait until an index has passed.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Consul:
    """One agent, which serves whoever has the ``token``. While it is not ``frozen.is_set()`` it answers nothing."""

    def __init__(self, port: int, token: str = "") -> None:
        self.token = token
        self.frozen = threading.Event()
        self.frozen.set()
        self._services: dict[str, dict[str, Any]] = {}
        self._until: dict[str, float] = {}
        self._index = 1
        self._news = threading.Condition()
        self._over = False
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.consul = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        threading.Thread(target=self._expire, daemon=True).start()

    def close(self) -> None:
        with self._news:
            self._over = True
            self._news.notify_all()
        self.frozen.set()
        self._server.shutdown()
        self._server.server_close()

    def register(self, service: dict[str, Any]) -> None:
        with self._news:
            self._services[service["ID"]] = service
            if check := service.get("Check"):
                ttl = float(check["TTL"].removesuffix("s"))
                critical = check.get("Status") != "passing"
                self._until[service["ID"]] = 0.0 if critical else time.monotonic() + ttl
            self._changed()

    def passing(self, name: str) -> list[dict[str, Any]]:
        now = time.monotonic()
        with self._news:
            found = [each for each in self._services.values() if each["Name"] == name]
            return [each for each in found if self._until.get(each["ID"], now + 1) > now]

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, object, int]:
        """Status, JSON, and the index that the answer is of."""
        parts = urlsplit(url)
        match method, *map(unquote, parts.path.removeprefix("/v1/").split("/")):
            case "PUT", "agent", "service", "register":
                self.register(json.loads(body))
                return 200, None, 0
            case "PUT", "agent", "service", "deregister", name:
                with self._news:
                    known = self._services.pop(name, None)
                    self._until.pop(name, None)
                    self._changed()
                return (200, None, 0) if known else (404, f"Unknown service ID {name!r}", 0)
            case "PUT", "agent", "check", "pass", check:
                return self._passed(check.removeprefix("service:"))
            case "GET", "health", "service", name:
                return self._health(name, parse_qs(parts.query))
        return 404, "no such path", 0

    def _passed(self, name: str) -> tuple[int, object, int]:
        with self._news:
            if name not in self._until:
                return 404, f"Unknown check ID 'service:{name}'", 0
            now = time.monotonic()
            was, self._until[name] = self._until[name], now + float(self._services[name]["Check"]["TTL"][:-1])
            if was <= now:
                self._changed()
        return 200, None, 0

    def _health(self, name: str, query: dict[str, list[str]]) -> tuple[int, object, int]:
        with self._news:
            if "index" in query:
                before, wait = int(query["index"][0]), int(query["wait"][0].removesuffix("ms")) / 1000
                self._news.wait_for(lambda: self._index > before or self._over, wait)
        node = {"Node": "here", "Address": "127.0.0.1"}
        assert query["passing"] == ["1"]
        return 200, [{"Node": node, "Service": each, "Checks": []} for each in self.passing(name)], self._index

    def _changed(self) -> None:
        self._index += 1
        self._news.notify_all()

    def _expire(self) -> None:
        """Checks turn critical."""
        with self._news:
            while not self._over:
                now = time.monotonic()
                due = [until for until in self._until.values() if until > now]
                if not self._news.wait(min(due, default=now + 60) - now):
                    self._changed()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    consul: Consul


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.consul.frozen.wait()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        token = server.consul.token
        if token and self.headers.get("X-Consul-Token") != token:
            status, found, index = 403, "Permission denied", 0
        else:
            status, found, index = server.consul.answer(self.command, self.path, body)
        data = found.encode() if isinstance(found, str) else b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        if index:
            self.send_header("X-Consul-Index", str(index))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""
