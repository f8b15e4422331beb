"""What handlers' objects do while their results are encoded, and while their exceptions are told, on a real server."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.harness import Server
from tests.server.raw import EXCEPTION, Peer, add, field, message, text

IDL = """
struct Row { 1: i32 id, 2: string name }
service Demo { i32 add(1: i32 a, 2: i32 b), Row row(1: string how) }
"""
HANDLER = """
import time
import gevent


class Row:
    id = 1

    def __init__(self, how):
        self.how = how

    @property
    def name(self):
        match self.how:
            case "sleep": time.sleep(30)
            case "swallow":
                try: time.sleep(30)
                except BaseException: pass
            case "exit": raise SystemExit
            case "kill": raise gevent.GreenletExit
            case "timeout": raise gevent.Timeout(1)
        return "ann"


class Rejected(Exception):
    def __init__(self, why): self.why = why
    def __str__(self): return self.why


class Mute(Exception):
    def __str__(self): time.sleep(3600)
    __repr__ = __str__


class Impl:
    def add(self, a, b): return a + b

    def row(self, how):
        if how == "text": raise Rejected({"code": 7})
        if how == "mute": raise Mute
        if how == "argument": raise ValueError(Mute())
        if how == "cause": raise ValueError("told") from Mute()
        if how == "group": raise ExceptionGroup("all", [Mute(), Mute()])
        if how == "note":
            error = ValueError("told")
            error.add_note("noted")
            error.__notes__ = [Mute()]
            raise error
        return Row(how)
"""


def test_one_answer_one_line_and_closed_accounts(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "wall.thrift").write_text(IDL)
    (tmp_path / "wall.py").write_text(HANDLER)
    options = ("--idl", "wall.thrift", "--handler", "wall:Impl", "--request-timeout", "0.3s")
    with Server(*options, "--pipeline", "2", cwd=tmp_path, env=env) as server, Peer(server) as peer:
        failed = 0
        mute = ("mute", "argument", "cause", "group", "note")
        for how in ("sleep", "swallow", "exit", "kill", "timeout", "text", *mute):
            answer = peer.ask(message("row", field(11, 1, text(how)) + b"\0"))
            assert answer is not None, how
            assert answer.kind == EXCEPTION, how
            if how in ("sleep", "swallow"):
                assert b"took longer than its 0.3 s" in answer.body, how
            else:
                assert b"internal error, id " in answer.body, how
                failed += 1
                line = server.wait("handler_failed", failed)
                assert line["error_id"].encode() in answer.body
            after = peer.ask(message("add", add(20, 22)))
            assert after is not None
            assert struct.unpack_from(">i", after.body, 3)[0] == 42
        server.stop()
        assert len(server.found("handler_failed")) == failed
        assert not server.found("calls_cut")
