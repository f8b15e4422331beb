"""The WSGI application: which address answers with what, and the headers that keep browsers safe.

It knows HTTP and no scoreboard: what it serves it gets from the other modules of this room.
"""

from __future__ import annotations

import ipaddress
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

from thriftserver.admin import metrics, schema, views
from thriftserver.admin.caller import Caller
from thriftserver.admin.health import judge
from thriftserver.admin.history import KEPT, History
from thriftserver.admin.reading import Reading
from thriftserver.errors import ConfigError
from thriftserver.schema.model import Module, Service

#: Nothing is loaded from anywhere else, nothing may frame or talk to the page, no inline script or style runs.
HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]
#: The header that a form of another site cannot set without asking, and asking is refused.
CALL_HEADER = "HTTP_X_THRIFTSERVER_CALL"
MAX_BODY = 1 << 20

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("main", "data", "dom", "plot", "methods", "workers", "idl", "call")
    },
}

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True)
class Response:
    status: str
    body: bytes
    type: str
    headers: list[tuple[str, str]] = field(default_factory=list)


class Refusal(Exception):
    """A request that is answered with an error; ``headers`` go with it."""

    def __init__(self, status: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.headers = list(headers)


def as_json(data: Any, status: str = "200 OK", *headers: tuple[str, str]) -> Response:
    body = json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"
    return Response(status, body, "application/json", list(headers))


class Site:
    """``read`` gives a new reading of the scoreboard; ``caller`` is None unless calls are allowed.

    ``about`` is what the page should know besides the IDL. ``on_error`` hears of what fails here: the path, the
    error, and the id that is all the client reads of it.
    """

    def __init__(
        self,
        read: Callable[[], Reading],
        history: History,
        modules: Sequence[Module],
        services: Sequence[Service],
        about: dict[str, Any],
        caller: Caller | None,
        on_error: Callable[[str, BaseException, str], None],
    ) -> None:
        self._read = read
        self._history = history
        self._modules = modules
        self._services = services
        self._about = about | {"calls_allowed": caller is not None}
        self._caller = caller
        self._on_error = on_error
        self._idl: Response | None = None
        self._routes: dict[str, tuple[str, Callable[[Environ], Response]]] = {
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

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = self._answer(environ)
        except Refusal as refusal:
            response = as_json({"error": str(refusal)}, refusal.status, *refusal.headers)
        except Exception as error:  # noqa: BLE001 - the wall: whatever fails here, the process serves on
            error_id = uuid.uuid4().hex[:12]
            self._on_error(environ.get("PATH_INFO", ""), error, error_id)
            answer = {"error": f"internal error, id {error_id}; the log has the traceback", "error_id": error_id}
            response = as_json(answer, "500 Internal Server Error")
        headers = [("Content-Type", response.type), ("Content-Length", str(len(response.body)))]
        start_response(response.status, [*headers, *HEADERS, *response.headers])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _answer(self, environ: Environ) -> Response:
        path, method = environ.get("PATH_INFO") or "/", environ["REQUEST_METHOD"]
        if path not in self._routes:
            raise Refusal("404 Not Found", "there is nothing here")
        allowed, answer = self._routes[path]
        if method != allowed and not (method == "HEAD" and allowed == "GET"):
            names = allowed + (", HEAD" if allowed == "GET" else "")
            raise Refusal("405 Method Not Allowed", f"use {names}", ("Allow", names))
        return answer(environ)

    def _get_metrics(self, environ: Environ) -> Response:
        body, content_type = metrics.exposition(self._read(), environ.get("HTTP_ACCEPT", ""))
        return Response("200 OK", body, content_type, [("Vary", "Accept")])

    def _get_ready(self, _: Environ) -> Response:
        reading = self._read()
        health = judge(reading)
        data = {"ready": health.ready, "serving": health.serving, "wanted": reading.wanted, "reasons": health.reasons}
        return as_json(data, "200 OK" if health.ready else "503 Service Unavailable")

    def _get_history(self, environ: Environ) -> Response:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        samples = query.get("samples", [str(KEPT)])[0]
        if not samples.isdecimal():
            raise Refusal("400 Bad Request", "samples must be a number")
        return as_json(views.history(self._history, query.get("method", [])[:100], int(samples[:6])))

    def _get_idl(self, _: Environ) -> Response:
        if self._idl is None:  # it cannot change while this process lives
            described = schema.describe(self._modules, self._services)
            self._idl = as_json(described | self._about)
        return self._idl

    def _post_call(self, environ: Environ) -> Response:
        if self._caller is None:
            raise Refusal("403 Forbidden", "calls from here are off; start the server with --admin-calls")
        refuse_other_sites(environ)
        size = environ.get("CONTENT_LENGTH") or "0"
        if not size.isdecimal() or int(size) > MAX_BODY:
            raise Refusal("413 Content Too Large", f"a call may have {MAX_BODY} bytes here")
        try:
            asked = json.loads(environ["wsgi.input"].read(int(size)))
            service, method, arguments = (str(asked[key]) for key in ("service", "method", "arguments"))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refusal("400 Bad Request", 'send {"service": ..., "method": ..., "arguments": "JSON text"}') from None
        try:
            return as_json(self._caller.call(service, method, arguments))
        except ConfigError as error:
            raise Refusal("400 Bad Request", str(error)) from None


def refuse_other_sites(environ: Environ) -> None:
    """Let only this page, and programs, ask for a call: no form or script of another site, however it is disguised.

    Another site's script must ask before it may send our header, and is refused; a name that somebody else has pointed
    at this address (DNS rebinding) is refused because only numbers and ``localhost`` are taken for ours.
    """
    host = environ.get("HTTP_HOST", "")
    if CALL_HEADER not in environ:
        raise Refusal("403 Forbidden", "a call needs the header X-Thriftserver-Call: 1")
    if not _is_ours(urlsplit(f"//{host}").hostname or ""):
        raise Refusal("403 Forbidden", "calls are allowed only where this page is opened by IP address or localhost")
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and urlsplit(origin).netloc != host:
        raise Refusal("403 Forbidden", "calls from other sites are not allowed")
    if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
        raise Refusal("403 Forbidden", "calls from other sites are not allowed")


def _is_ours(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _file(name: str, content_type: str) -> Callable[[Environ], Response]:
    body = (resources.files("thriftserver.admin") / "page" / name).read_bytes()
    return lambda _: Response("200 OK", body, content_type)
