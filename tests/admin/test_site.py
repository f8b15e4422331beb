"""The admin process over HTTP: a real process, a board that the test writes, a client that reads."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.admin.conftest import ADD, CALCULATE, DIVIDE, MS, PEER, Admin, Script
from tests.harness import PATIENCE, Server
from thriftserver.admin.hosts import Hosts
from thriftserver.admin.http import Request
from thriftserver.admin.site import FILES, Site
from thriftserver.config import Settings
from thriftserver.scoreboard import layout

JSON = ["/healthz", "/readyz", "/workers", "/methods", "/calls", "/errors", "/history", "/idl"]


def test_every_address_answers_with_the_headers_that_keep_browsers_safe(admin: Admin, script: Script) -> None:
    script.beat()
    for path in [*JSON, *FILES, "/metrics", "/nothing"]:
        status, headers, body = admin.request(path)
        assert status == (404 if path == "/nothing" else 200), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        if path in [*JSON, "/nothing"]:
            json.loads(body)
        status, head, nothing = admin.request(path, "HEAD")
        assert nothing == b""
        assert int(head["Content-Length"]) > 0


def test_other_methods_are_refused(admin: Admin) -> None:
    status, headers, _ = admin.request("/metrics", "POST", b"x")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    status, headers, _ = admin.request("/call")
    assert (status, headers["Allow"]) == (405, "POST")
    assert admin.request("/../etc/passwd")[0] == 404
    assert admin.request("/page/index.html")[0] == 404
    assert admin.request("/history?samples=x")[0] == 400


def test_ready_while_enough_workers_are_alive(admin: Admin, script: Script) -> None:
    script.beat()
    assert admin.request("/readyz")[0] == 200
    script.silence(1, 60)
    status, _, body = admin.request("/readyz")
    assert status == 200
    assert any("worker 1 (pid 1001) is stuck" in reason for reason in json.loads(body)["reasons"])
    script.silence(2, 60)
    status, _, body = admin.request("/readyz")
    assert status == 503
    assert json.loads(body)["reasons"][0] == "0 of 2 workers serve; 1 are needed"
    assert admin.request("/healthz")[0] == 200
    assert [worker["state"] for worker in admin.json("/workers")["workers"]] == ["stuck", "stuck"]
    script.beat(2)
    assert admin.request("/readyz")[0] == 200
    script.pens[2].put(layout.STATE, layout.BOOTING)
    assert admin.request("/readyz")[0] == 503


def test_ready_is_reckoned_with_the_workers_that_are_wanted_now(admin: Admin, script: Script) -> None:
    script.board.wanted = 5
    status, _, body = admin.request("/readyz")
    assert (status, json.loads(body)["wanted"]) == (503, 5)
    assert json.loads(body)["reasons"] == ["2 of 5 workers serve; 3 are needed"]
    script.board.wanted = 0
    status, _, body = admin.request("/readyz")
    assert status == 503
    assert "the service rests" in json.loads(body)["reasons"][0]
    assert admin.json("/workers")["wanted"] == 0
    script.board.wanted = 4
    assert admin.request("/readyz")[0] == 200


def test_calls_errors_and_methods_say_what_is_going_on(admin: Admin, script: Script) -> None:
    one, two = script.pens.values()
    now = time.monotonic_ns()
    one.begin(DIVIDE, 5, 33, now - 4_000 * MS, now, PEER)
    two.begin(ADD, -1, 44, now - 9_000 * MS, now, PEER)
    calls = admin.json("/calls")
    assert calls["total"] == 2
    assert [(call["worker"], call["method"], call["seqid"], call["peer"]) for call in calls["calls"]] == [
        (2, "add", -1, "127.0.0.1:4711"),
        (1, "divide", 5, "127.0.0.1:4711"),
    ]
    assert 9 <= calls["calls"][0]["age"] < 9 + PATIENCE
    one.note_error(CALCULATE, layout.UNDECLARED, "abcdefabcdef", "ZeroDivisionError: <b>zero</b>", now)
    script.board.fold(1)
    (error,) = admin.json("/errors")["errors"]
    assert (error["method"], error["outcome"], error["error_id"]) == ("calculate", "undeclared", "abcdefabcdef")
    assert abs(error["time"] - time.time()) < PATIENCE
    two.finish(ADD, layout.SUCCESS, -1, 20 * MS, 0, 10, 20)
    two.finish(ADD, layout.UNDECLARED, -1, 20 * MS, 0, 10, 20)
    methods = {each["method"]: each for each in admin.json("/methods")["methods"]}
    assert methods["add"]["outcomes"] == {"success": 1, "undeclared": 1}
    assert (methods["add"]["failed"], methods["add"]["calls"], methods["add"]["in_flight"]) == (1, 2, 1)
    assert abs(methods["add"]["p99_ever"] / 0.020 - 1) < 0.05
    assert methods["add"]["mean"] == 0.020


def test_the_idl_has_docs_links_and_examples(admin: Admin) -> None:
    idl = admin.json("/idl")
    (service,) = idl["services"]
    assert service["doc"].startswith("The sum or product")
    functions = {each["name"]: each for each in service["functions"]}
    assert functions["calculate"]["args"][0]["type"] == [{"ref": "calculator.Work"}]
    assert functions["calculate"]["example"] == {
        "work": {"left": 1.5, "right": 1.5, "operation": "ADD", "comment": "text"}
    }
    refs = {each["ref"] for each in idl["types"]}
    assert {"calculator.Work", "calculator.Operation", "calculator.DivisionByZero"} <= refs
    assert idl["calls_allowed"] is False


def test_calls_are_off_unless_asked_for(admin: Admin) -> None:
    status, _, body = admin.request("/call", "POST", b"{}", X_Thriftserver_Call="1")
    assert status == 403
    assert b"--admin-calls" in body


def test_it_ends_when_told_and_when_its_master_is_gone(admin: Admin, script: Script) -> None:
    admin.json("/healthz")
    code, log = admin.stop()
    assert (code, log) == (0, "")
    second = Admin(script.board, [], {})
    second.json("/healthz")
    second.let_go()
    assert second.end() == (0, "")


def test_who_asks_while_it_is_restarted_is_answered(script: Script) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = Admin(script.board, ["127.0.0.1:1"], {}, listener)
        assert first.json("/idl")["address"] == "127.0.0.1:1"
        assert first.stop() == (0, "")
        with socket.create_connection(listener.getsockname(), PATIENCE) as client:
            client.sendall(b"GET /idl HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            second = Admin(script.board, ["127.0.0.1:2"], {}, listener)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert b"127.0.0.1:2" in answer, "by the new program"
        assert second.stop() == (0, "")


def test_strange_clients_are_survived(admin: Admin) -> None:
    admin.json("/healthz")
    for data in (
        b"\x80\x01\x00\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n",
        b"\0" * 70_000,
    ):
        with socket.create_connection(("127.0.0.1", admin.port), PATIENCE) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            try:
                while client.recv(65536):
                    pass
            except ConnectionError:
                pass
    assert admin.json("/healthz") == {"alive": True}
    assert admin.stop() == (0, "")


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with Server("--idl", "idl/calculator.thrift", "--handler", "handlers.calculator:Calculator") as server:
        yield server


@pytest.fixture
def calling(script: Script, service: Server) -> Iterator[Admin]:
    made = Admin(script.board, service.addresses, {"admin_calls": "true"})
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.stop()


def ask(admin: Admin, method: str, arguments: str, **headers: str) -> tuple[int, dict[str, object]]:
    body = json.dumps({"service": "Calculator", "method": method, "arguments": arguments}).encode()
    status, _, answer = admin.request("/call", "POST", body, **({"X_Thriftserver_Call": "1"} | headers))
    return status, json.loads(answer)


def test_a_method_can_be_called(calling: Admin) -> None:
    status, answer = ask(calling, "add", '{"a": 1, "b": 2}')
    assert (status, answer["kind"], answer["value"]) == (200, "result", 3)
    status, answer = ask(calling, "divide", "[1, 0]")
    assert (status, answer["kind"], answer["name"], answer["value"]) == (
        200,
        "exception",
        "DivisionByZero",
        {"dividend": 1.0},
    )
    status, answer = ask(calling, "note", '{"text": "hello"}')
    assert (status, answer["kind"], answer["value"]) == (200, "result", None)
    for method, arguments, what in (
        ("add", "{", "not JSON"),
        ("add", '{"a": "x"}', "a: expected i32"),
        ("nothing", "{}", "no method"),
        ("add", '{"c": 1}', "no argument 'c'"),
    ):
        status, answer = ask(calling, method, arguments)
        assert status == 400
        assert what in str(answer["error"])


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("add", '{"a": ' + "9" * 5000 + "}"),
        ("add", "[" * 100_000),
        ("add", '{"a": 9e99, "b": 1}'),
        ("add", "NaN"),
        ("note", '{"text": "\\ud800"}'),
        ("calculate", '{"work": {"left": 1, "right": 2, "operation": "' + "9" * 5000 + '"}}'),
        ("calculate", '{"work": {"left": 1, "right": 2, "operation": "--5"}}'),
        ("calculate", '{"work": {"left": ' + "9" * 4000 + ', "right": 2, "operation": "ADD"}}'),
        ("\ud800", "{}"),
    ],
)
def test_arguments_that_nobody_could_mean_are_refused_with_a_sentence(
    calling: Admin, method: str, arguments: str
) -> None:
    status, answer = ask(calling, method, arguments)
    assert (status, bool(answer["error"])) == (400, True)
    assert "internal" not in str(answer["error"])


def test_a_call_s_wrapping_is_checked_too(calling: Admin) -> None:
    for body in (b"[" * 100_000, b"9" * 5000, b'{"service": 1, "method": [], "arguments": {}}', b"\xff", b"null"):
        assert calling.request("/call", "POST", body, X_Thriftserver_Call="1")[0] == 400, body[:20]
    for origin in ("http://[bad", "http://", "null", "http://localhost", f"{calling.url}/x"):
        assert ask(calling, "add", "[1, 2]", Origin=origin)[0] == 403, origin
    assert calling.stop() == (0, "")


def test_no_other_site_can_make_a_call(calling: Admin) -> None:
    good = '{"a": 1, "b": 2}'
    assert ask(calling, "add", good, Origin=calling.url)[0] == 200
    assert ask(calling, "add", good, Origin="http://evil.example")[0] == 403
    assert ask(calling, "add", good, Origin="null")[0] == 403
    assert ask(calling, "add", good, Sec_Fetch_Site="cross-site")[0] == 403
    rebound = {"Host": f"evil.example:{calling.port}", "Origin": f"http://evil.example:{calling.port}"}
    assert ask(calling, "add", good, **rebound)[0] == 403
    body = b'{"service": "Calculator", "method": "add", "arguments": "[1, 2]"}'
    assert calling.request("/call", "POST", body)[0] == 403
    assert calling.request("/call", "OPTIONS")[0] == 405
    assert calling.request("/call", "POST", b"[1]", X_Thriftserver_Call="1")[0] == 400
    connection = http.client.HTTPConnection("127.0.0.1", calling.port, timeout=PATIENCE)
    connection.putrequest("POST", "/call")
    connection.putheader("X-Thriftserver-Call", "1")
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_service_that_does_not_answer_is_an_answer(script: Script) -> None:
    admin = Admin(script.board, ["127.0.0.1:1"], {"admin_calls": "true"})
    try:
        status, answer = ask(admin, "add", "[1, 2]")
        assert (status, answer["kind"]) == (200, "error")
        assert "cannot connect" in str(answer["message"])
    finally:
        admin.stop()


def test_what_fails_inside_is_an_id_and_nothing_else() -> None:
    told: list[tuple[str, str, str]] = []

    def broken() -> Any:
        raise IndexError("inside")

    def tell(path: str, error: BaseException, error_id: str) -> None:
        told.append((path, repr(error), error_id))

    nothing: Any = None
    site = Site(broken, nothing, [], [], Hosts.of(Settings()), {}, nothing, tell)
    response = site(Request("GET", "/workers", "", "127.0.0.1", {}, 0, True))
    assert response.status == "500 Internal Server Error"
    ((path, error, error_id),) = told
    assert (path, error) == ("/workers", "IndexError('inside')")
    answer = {"error": f"internal error, id {error_id}; the log has the traceback", "error_id": error_id}
    assert json.loads(response.body) == answer
