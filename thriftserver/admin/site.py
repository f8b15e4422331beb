"""Which address answers with what, to whom, and what no other site may ask for.

It knows requests and no sockets; what it serves it gets from the other modules of this room.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from thriftserver.admin import metrics, schema, views
from thriftserver.admin.caller import Caller
from thriftserver.admin.health import judge
from thriftserver.admin.history import KEPT, History
from thriftserver.admin.hosts import Hosts
from thriftserver.admin.http import Refusal, Request, Response, as_json, bad
from thriftserver.admin.reading import Reading
from thriftserver.errors import ConfigError
from thriftserver.schema.model import Module, Service

#: The header that a form of another site cannot set without asking, and asking is refused.
CALL_HEADER = "x-thriftserver-call"
#: Calls at once that somebody makes from here: the longest that an answer may take.
CALLS = 20
#: Methods whose series are given at once.
SERIES = 100

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("main", "data", "dom", "plot", "methods", "workers", "idl", "call")
    },
}


class Site:
    """``read`` gives a new reading of the scoreboard; ``caller`` is None unless calls are allowed.

    ``hosts`` are the names that this server has. ``about`` is what the page should know besides the IDL. ``on_error``
    hears of what fails here: the path, the error, and the id that is all the client reads of it.
    """

    def __init__(
        self,
        read: Callable[[], Reading],
        history: History,
        modules: Sequence[Module],
        services: Sequence[Service],
        hosts: Hosts,
        about: dict[str, Any],
        caller: Caller | None,
        on_error: Callable[[str, BaseException, str], None],
    ) -> None:
        self._read = read
        self._history = history
        self._modules = modules
        self._services = services
        self._hosts = hosts
        self._about = about | {"calls_allowed": caller is not None}
        self._caller = caller
        self._calls = 0
        self._on_error = on_error
        self._idl: Response | None = None
        self._routes: dict[str, tuple[str, Callable[[Request], Response]]] = {
            "/metrics": ("GET", self._get_metrics),
            "/healthz": ("GET", lambda _: as_json({"alive": True})),
            "/readyz": ("GET", self._get_ready),
            "/workers": ("GET", lambda _: as_json(views.workers(read(), history))),
            "/methods": ("GET", lambda _: as_json(views.methods(read(), history))),
            "/calls": ("GET", lambda _: as_json(views.calls(read()))),
            "/errors": ("GET", lambda _: as_json(views.errors(read()))),
            "/history": ("GET", self._get_history),
            "/idl": ("GET", self._get_idl),
            "/call": ("POST", self._post_call),
            **{path: ("GET", _file(*file)) for path, file in FILES.items()},
        }

    def __call__(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Refusal as refusal:
            return refusal.response()
        except Exception as error:  # noqa: BLE001 - the wall: whatever fails here, the process serves on
            error_id = uuid.uuid4().hex[:12]
            self._on_error(request.path, error, error_id)
            answer = {"error": f"internal error, id {error_id}; the log has the traceback", "error_id": error_id}
            return as_json(answer, "500 Internal Server Error")

    def _answer(self, request: Request) -> Response:
        self._hosts.require(request.host)
        if request.path not in self._routes:
            raise Refusal("404 Not Found", "there is nothing here")
        allowed, answer = self._routes[request.path]
        if request.method != allowed and not (request.method == "HEAD" and allowed == "GET"):
            names = allowed + (", HEAD" if allowed == "GET" else "")
            raise Refusal("405 Method Not Allowed", f"use {names}", ("Allow", names))
        return answer(request)

    def _get_metrics(self, request: Request) -> Response:
        body, content_type = metrics.exposition(self._read(), request.headers.get("accept", ""))
        return Response("200 OK", body, content_type, [("Vary", "Accept")])

    def _get_ready(self, _: Request) -> Response:
        reading = self._read()
        health = judge(reading)
        data = {"ready": health.ready, "serving": health.serving, "wanted": reading.wanted, "reasons": health.reasons}
        return as_json(data, "200 OK" if health.ready else "503 Service Unavailable")

    def _get_history(self, request: Request) -> Response:
        try:
            query = parse_qs(request.query, keep_blank_values=True, max_num_fields=SERIES + 1)
        except ValueError:
            raise bad(f"ask for {SERIES} methods at most") from None
        samples = query.get("samples", [str(KEPT)])
        if len(samples) != 1 or not re.fullmatch("[0-9]{1,6}", samples[0]) or not 1 <= int(samples[0]) <= KEPT:
            raise bad(f"samples must be a whole number from 1 to {KEPT}")
        return as_json(views.history(self._history, query.get("method", []), int(samples[0])))

    def _get_idl(self, _: Request) -> Response:
        if self._idl is None:  # it cannot change while this process lives
            described = schema.describe(self._modules, self._services)
            self._idl = as_json(described | self._about)
        return self._idl

    def _post_call(self, request: Request) -> Response:
        if self._caller is None:
            raise Refusal("403 Forbidden", "calls from here are off; start the server with --admin-calls")
        refuse_other_sites(request)
        if self._calls >= CALLS:
            raise Refusal("503 Service Unavailable", f"{CALLS} calls are being made from here; try again later")
        try:
            asked = json.loads(request.body)
            service, method, arguments = (asked[key] for key in ("service", "method", "arguments"))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise bad(_CALL_FORM) from None
        if not all(isinstance(each, str) for each in (service, method, arguments)):
            raise bad(_CALL_FORM)
        self._calls += 1
        try:
            return as_json(self._caller.call(service, method, arguments))
        except ConfigError as error:
            raise bad(str(error)) from None
        finally:
            self._calls -= 1


_CALL_FORM = 'send {"service": ..., "method": ..., "arguments": "JSON text"}'


def refuse_other_sites(request: Request) -> None:
    """Let only this page, and programs, ask for a call: no form or script of another site, however it is disguised.

    Another site's script must ask before it may send our header, and is refused; names that are not ours (DNS
    rebinding) are refused at every address, by ``hosts``.
    """
    if CALL_HEADER not in request.headers:
        raise Refusal("403 Forbidden", "a call needs the header X-Thriftserver-Call: 1")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers["host"]:
        raise Refusal("403 Forbidden", "calls from other sites are not allowed")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refusal("403 Forbidden", "calls from other sites are not allowed")


def _file(name: str, content_type: str) -> Callable[[Request], Response]:
    body = (resources.files("thriftserver.admin") / "page" / name).read_bytes()
    return lambda _: Response("200 OK", body, content_type)
