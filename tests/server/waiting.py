"""A service whose methods wait for a file that a test makes, block, compute or stay quiet; and how to talk to it."""

from __future__ import annotations

from pathlib import Path

from tests.server.raw import REPLY, Answer, field, i32, message, text

IDL = """
service Demo {
  i32 add(1: i32 a, 2: i32 b)
  string wait(1: string name)
  string stubborn(1: string name)
  string brief(1: string name) (thriftserver.timeout = "150ms")
  string block(1: string name) (thriftserver.blocking)
  string decorated(1: string name)
  string spin(1: double seconds)
  string big(1: i32 size)
  i32 pid()
  i32 size(1: string text)
  string who()
}
"""

HANDLER = """
import json, os, pathlib, threading, time
import thriftserver
from thriftserver.errors import DeadlineExceeded


def tell(event, **facts):
    line = json.dumps({"event": event, "level": "debug", **facts}) + "\\n"
    os.write(2, line.encode())  # in one piece: threads tell at the same time


def until(name):
    tell("waiting", name=name, thread=threading.current_thread() is threading.main_thread())
    while not pathlib.Path(name).exists():
        time.sleep(0.005)
    return name


class Impl:
    def add(self, a, b): return a + b

    def wait(self, name):
        try:
            return until(name)
        except DeadlineExceeded:
            tell("expired", name=name)
            raise

    def stubborn(self, name):
        try:
            return until(name)
        except BaseException:
            return "nevertheless"

    def brief(self, name): return until(name)

    def block(self, name):
        os.stat(".")
        call = thriftserver.current_call()
        tell("blocking", ident=threading.get_native_id(), pid=os.getpid(), method=call.method, peer=call.peer)
        return until(name)

    @thriftserver.blocking
    def decorated(self, name):
        tell("blocking", ident=threading.get_native_id(), pid=os.getpid(), method="decorated")
        raise ValueError("from a thread")

    def spin(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sum(range(1000))
        return "spun"

    def big(self, size): return "x" * size
    def pid(self): return os.getpid()
    def size(self, text): return len(text)
    def who(self):
        call = thriftserver.current_call()
        return f"{call.service}.{call.method} {call.seqid} {call.peer} {call.headers}"


def outer(call, proceed):
    call.headers["trail"] = "outer"
    return proceed()


class Inner:
    def __call__(self, call, proceed):
        call.headers["trail"] += " inner"
        if call.method == "add" and call.args == [0, 0]:
            return -1
        return proceed()
"""

ARGS = ("--idl", "waiting.thrift", "--handler", "waiting:Impl")


def write_waiting(folder: Path) -> Path:
    """``waiting.thrift`` and ``waiting.py`` in ``folder``, which is returned."""
    (folder / "waiting.thrift").write_text(IDL)
    (folder / "waiting.py").write_text(HANDLER)
    return folder


def named(method: str, name: str, seqid: int = 7) -> bytes:
    return message(method, field(11, 1, text(name)) + b"\0", seqid=seqid)


def add(a: int, b: int, seqid: int = 7) -> bytes:
    return message("add", field(8, 1, i32(a)) + field(8, 2, i32(b)) + b"\0", seqid=seqid)


def said(answer: Answer | None) -> str:
    """The string result of an answer."""
    assert answer is not None
    assert answer.kind == REPLY, answer
    return answer.body[7:-1].decode()
