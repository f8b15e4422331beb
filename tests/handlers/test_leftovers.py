"""What a handler leaves behind in its greenlet never reaches another client's call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server

IDL = """
service Left {
  i32 leave(1: string how)
  i32 leave_on_a_thread(1: string how) (thriftserver.blocking)
  string look(1: double seconds)
  string look_on_a_thread(1: double seconds) (thriftserver.blocking)
  i32 fibers()
}
"""

HANDLER = """
import contextvars, gc, gevent, gevent.local, greenlet, threading, time

LOCAL, ALSO = threading.local(), gevent.local.local()
VARIABLE = contextvars.ContextVar("variable", default="")
KEPT = []


class Impl:
    def leave(self, how):
        me = gevent.getcurrent()
        if how == "timeout":
            gevent.Timeout(0.05).start()
        elif how == "timeout of another kind":
            gevent.Timeout(0.05, ValueError("of another call")).start()
        elif how == "timeout after waiting":
            gevent.Timeout(0.1).start()
            time.sleep(0.02)
        elif how == "error":
            gevent.Timeout(0.05).start()
            raise ValueError("left in a hurry")
        elif how == "link":
            gevent.spawn(time.sleep, 0.05).rawlink(me.switch)
        elif how == "kill":
            gevent.spawn_later(0.05, gevent.kill, me)
        elif how == "throw":
            gevent.spawn_later(0.05, me.throw, RuntimeError("of another call"))
        elif how == "switch":
            gevent.get_hub().loop.run_callback(me.switch, "of another call")
        elif how == "child greenlet":
            KEPT.append(greenlet.greenlet(lambda: "of another call"))
            gevent.spawn_later(0.05, KEPT[-1].switch)
        elif how == "locals":
            LOCAL.user = ALSO.user = "alice"
        elif how == "thread":
            threading.current_thread().user = "alice"
        elif how == "attribute":
            me.user = "alice"
        elif how == "variable":
            VARIABLE.set("alice")
        elif how == "spawn":
            gevent.spawn(time.sleep, 0.05)
        return 1

    leave_on_a_thread = leave

    def look(self, seconds):
        found = [getattr(each, "user", "") for each in (LOCAL, ALSO, threading.current_thread(), gevent.getcurrent())]
        found.append(VARIABLE.get())
        try:
            time.sleep(seconds)
        except BaseException as error:
            found.append(repr(error))
        return "".join(found)

    look_on_a_thread = look

    def fibers(self):
        return sum(1 for each in gc.get_objects() if type(each) is greenlet.greenlet and not each.dead)
"""

ARGS = ("--idl", "left.thrift", "--handler", "left:Impl", "--threads", "1")
KINDS = [
    "timeout",
    "timeout of another kind",
    "timeout after waiting",
    "error",
    "link",
    "kill",
    "throw",
    "switch",
    "child greenlet",
    "locals",
    "thread",
    "attribute",
    "variable",
    "spawn",
]


@pytest.fixture(params=["native", "pure"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "left.thrift").write_text(IDL)
    (tmp_path / "left.py").write_text(HANDLER)
    env = {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}
    with Server(*ARGS, cwd=tmp_path, env=env) as server:
        server.folder = tmp_path  # type: ignore[attr-defined]
        yield server


def connect(server: Server) -> Any:
    api = thriftserver.load(str(server.folder / "left.thrift"))  # type: ignore[attr-defined]
    return api.Left.Client(server.host, server.port, timeout=PATIENCE)


@pytest.mark.parametrize("where", ["", "_on_a_thread"])
@pytest.mark.parametrize("how", KINDS)
def test_nothing_reaches_the_next_call(server: Server, how: str, where: str) -> None:
    with connect(server) as one, connect(server) as other:
        for _ in range(2):
            try:
                assert getattr(one, "leave" + where)(how) == 1
            except thriftserver.ApplicationError:
                assert how == "error"
            # On the fiber that was parked last, and for longer than what was left takes.
            assert getattr(other, "look" + where)(0.15) == ""
        assert getattr(one, "look" + where)(0.0) == ""
    assert server.found("worker_exit") == []


def test_fibers_that_were_left_are_gone(server: Server) -> None:
    with connect(server) as client:
        client.leave("locals")
        client.look(0.0)
        before = client.fibers()
        for _ in range(200):
            for how in ("locals", "thread", "attribute", "timeout"):
                client.leave(how)
        client.look(0.2)
        assert client.fibers() <= before + 3
