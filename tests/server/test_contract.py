"""The wire contract (docs/wire-contract.md), row by row: raw bytes against a real server, compiled and pure.

Handlers whose methods are coroutines keep it, too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import CALL, EXCEPTION, ONEWAY, REPLY, Peer, add, field, framed, i32, message, old_message, text

IDL = """
exception Oops { 1: string why }
enum Color { RED = 1, BLUE = 2 }
struct User { 1: required i32 id, 2: string name, 3: list<string> tags, 4: Color color, 5: map<string, i32> counts }
struct Tree { 1: list<Tree> kids }
service Base { string whoami() }
service Other { void hello() }
service Demo extends Base {
  i32 add(1: i32 a, 2: i32 b)
  User keep(1: User user)
  Tree plant(1: Tree tree)
  string big(1: i32 size)
  User outcome(1: string how) throws (1: Oops oops)
  oneway void note(1: string text)
  i32 notes()
}
"""

HANDLER = """
import gevent, pathlib
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "contract.thrift")


class TApplicationException(Exception):
    type, message = 42, "theirs"


class Impl:
    def __init__(self):
        self.count = 0

    def whoami(self): return thriftserver.current_call().service
    def add(self, a, b): return a + b
    def keep(self, user): return user
    def plant(self, tree): return tree
    def big(self, size): return "x" * size
    def notes(self): return self.count

    def note(self, text):
        self.count += 1
        if text == "fail":
            raise ValueError("a oneway failed")

    def outcome(self, how):
        match how:
            case "declared": raise api.Oops("as declared")
            case "application": raise TApplicationException
            case "own": raise thriftserver.ApplicationError(77, "ours")
            case "none": return None
            case "misfit": return api.User(id="x")
            case "half": return api.User(id=1, name="n" * 100, tags=["t", 5])
        kinds = {"exit": SystemExit, "interrupt": KeyboardInterrupt, "memory": MemoryError,
                 "recursion": RecursionError, "greenlet": gevent.GreenletExit}
        raise kinds.get(how, ValueError)("secret detail")


class Other:
    def hello(self): pass
"""

ARGS = ("--idl", "contract.thrift", "--handler", "Demo=contract:Impl", "--handler", "Other=contract:Other")
MAX_FRAME = 1 << 20
USER = field(8, 1, i32(5)) + field(11, 2, text("Ann")) + b"\0"


@pytest.fixture(scope="module", params=["native", "pure", "async", "pure-async"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("contract")
    (folder / "contract.thrift").write_text(IDL)
    later = re.sub(r"    def (?!__)", "    async def ", HANDLER)
    (folder / "contract.py").write_text(later if "async" in request.param else HANDLER)
    env = {"THRIFTSERVER_PURE": "1" if "pure" in request.param else ""}
    with Server(*ARGS, "--max-frame", str(MAX_FRAME), "--read-timeout", "0.5s", cwd=folder, env=env) as running:
        yield running


@pytest.fixture
def peer(server: Server) -> Iterator[Peer]:
    with Peer(server) as made:
        yield made


def alive(peer: Peer) -> bool:
    """Does the connection go on as if nothing had happened?"""
    answer = peer.ask(message("add", add(20, 22), seqid=99))
    return answer is not None and answer.body == field(8, 0, i32(42)) + b"\0" and answer.seqid == 99


def test_a_well_formed_call(peer: Peer) -> None:
    answer = peer.ask(message("add", add(1, 2), seqid=-3))
    assert answer == (REPLY, "add", -3, field(8, 0, i32(3)) + b"\0", None, "")
    assert alive(peer)


@pytest.mark.parametrize("kind", [CALL, ONEWAY])
@pytest.mark.parametrize("said", ["hi", "fail"])
def test_a_oneway_is_never_answered(peer: Peer, kind: int, said: str) -> None:
    before = peer.ask(message("notes"))
    peer.send(message("note", field(11, 1, text(said)) + b"\0", kind))
    after = peer.ask(message("notes"))  # the next answer is this one's
    assert before is not None
    assert after is not None
    assert struct.unpack_from(">i", after.body, 3)[0] == struct.unpack_from(">i", before.body, 3)[0] + 1
    peer.send(message("note", b"\x0b", kind))  # one that does not decode neither
    assert alive(peer)


@pytest.mark.parametrize("name", ["add", "nobody", "Nowhere:add"])
def test_a_oneway_message_for_a_two_way_or_unknown_method_gets_nothing(peer: Peer, name: str) -> None:
    peer.send(message(name, add(1, 2), ONEWAY))
    assert alive(peer)


UNREADY: dict[str, tuple[bytes, int, str]] = {
    "unknown method": (message("ad"), 1, "no method 'ad' in Demo; did you mean 'add'?"),
    "unknown service": (message("Nope:add"), 1, "no service 'Nope' here; there is Demo, Other"),
    "unknown method of a service": (message("Other:helo"), 1, "no method 'helo' in Other; did you mean 'hello'?"),
    "reply": (message("add", add(1, 2), REPLY), 2, "message type 2 is not a request"),
    "exception": (message("add", add(1, 2), EXCEPTION), 2, "message type 3 is not a request"),
    "unknown type": (message("add", add(1, 2), 77), 2, "message type 77 is not a request"),
    "truncated": (message("add", add(1, 2)[:-4]), 7, "args.b: truncated"),
    "no end": (message("add", add(1, 2)[:-1]), 7, "args: truncated"),
    "bad element type": (
        message("keep", field(12, 1, field(8, 1, i32(1)) + field(15, 3, b"\x08" + i32(1) + i32(1)) + b"\0") + b"\0"),
        7,
        "args.user.tags: bad element type 8",
    ),
    "size larger than what is left": (
        message("keep", field(12, 1, field(15, 3, b"\x0b" + i32(1000)) + b"\0") + b"\0"),
        7,
        "args.user.tags: size 1000 is more than the",
    ),
    "two billion elements": (
        message("keep", field(12, 1, field(15, 3, b"\x0b" + i32(2**31 - 1)) + b"\0") + b"\0"),
        7,
        "args.user.tags: size 2147483647 is more than the",
    ),
    "two billion in a skipped field": (
        message("add", field(15, 9, b"\x0c" + i32(2**31 - 1)) + add(1, 2)),
        7,
        "args.9: size 2147483647 is more than the",
    ),
    "a list of void": (message("add", field(15, 9, b"\x01" + i32(5)) + add(1, 2)), 7, "args.9: bad element type 1"),
    "negative size": (message("keep", field(12, 1, field(11, 2, i32(-5)))), 7, "args.user.name: negative size -5"),
    "invalid UTF-8": (
        message("keep", field(12, 1, field(8, 1, i32(1)) + field(11, 2, text(b"ab\xff")) + b"\0") + b"\0"),
        7,
        "args.user.name: invalid UTF-8 at byte 2 of 3",
    ),
    "missing required field": (message("keep", field(12, 1, b"\0") + b"\0"), 7, "args.user.id: required field is"),
    "nested too deep": (
        message("plant", field(12, 1, field(15, 1, b"\x0c" + i32(1)) * 10_000)),
        7,
        "nested deeper than 64 levels",
    ),
    "skipped too deep": (message("add", field(12, 9, b"\x0c\0\1" * 10_000)), 7, "nested deeper than 64 levels"),
    "unknown wire type": (message("add", field(1, 9, b"") + add(1, 2)), 7, "args.9: unknown wire type 1"),
    "name of 256 bytes": (message("n" * 256), 1, "no method"),
}


@pytest.mark.parametrize("case", UNREADY)
def test_what_can_be_read_and_not_be_done_gets_an_answer_that_says_why(peer: Peer, case: str) -> None:
    sent, type, said = UNREADY[case]
    answer = peer.ask(sent)
    assert answer is not None
    assert (answer.kind, answer.seqid, answer.type) == (EXCEPTION, 7, type)
    assert said in answer.message
    assert alive(peer)


@pytest.mark.parametrize("make", [message, old_message], ids=["strict", "old"])
def test_answers_come_in_the_caller_s_own_kind_of_header(peer: Peer, make: Callable[..., bytes]) -> None:
    for sent, kind in ((make("add", add(1, 2)), REPLY), (make("nobody"), EXCEPTION)):
        peer.send(sent)
        (length,) = struct.unpack(">i", peer.exactly(4))
        start = peer.exactly(length)[:4]
        assert (start == bytes((0x80, 1, 0, kind))) == (make is message)
    assert alive(peer)


def test_a_multiplexed_name_is_answered_without_its_prefix(peer: Peer) -> None:
    for name, bare in (("Demo:add", "add"), ("Other:hello", "hello"), ("Demo:nobody", "nobody")):
        answer = peer.ask(message(name, add(1, 2)))
        assert answer is not None
        assert answer.name == bare
    inherited = peer.ask(message("whoami"))
    assert inherited is not None
    assert inherited.body == field(11, 0, text("Demo")) + b"\0"


LENIENT = {
    "unknown fields of every wire type": b"".join(
        field(wire, 100 + wire, data)
        for wire, data in {
            2: b"\1",
            3: b"\1",
            4: bytes(8),
            6: bytes(2),
            8: bytes(4),
            10: bytes(8),
            11: text("x"),
            12: field(8, 1, i32(1)) + b"\0",
            13: b"\x0b\x08" + i32(1) + text("k") + i32(1),
            14: b"\x0b" + i32(1) + text("k"),
            15: b"\x0c" + i32(2) + b"\0\0",
            16: bytes(16),
        }.items()
    )
    + add(1, 2),
    "fields out of order": field(8, 2, i32(2)) + field(8, 1, i32(1)) + b"\0",
    "a known id with another wire type": field(11, 1, text("one")) + add(1, 2),
    "a field twice": field(8, 1, i32(50)) + add(1, 2),
    "bytes after the end": add(1, 2) + b"more",
}


@pytest.mark.parametrize("case", LENIENT)
def test_what_versioning_wants_is_passed_over(peer: Peer, case: str) -> None:
    answer = peer.ask(message("add", LENIENT[case]))
    assert answer is not None
    assert answer.body == field(8, 0, i32(3)) + b"\0"
    assert alive(peer)


def test_an_unknown_enum_value_survives(peer: Peer) -> None:
    user = field(8, 1, i32(5)) + field(8, 4, i32(77)) + b"\0"
    answer = peer.ask(message("keep", field(12, 1, user) + b"\0"))
    assert answer is not None
    assert answer.body == field(12, 0, user) + b"\0"


CLOSING: dict[str, tuple[bytes, int | None, str]] = {
    "too large, header readable": (struct.pack(">i", MAX_FRAME + 1) + message("add", add(1, 2))[4:], 7, "larger than"),
    "too large, header not readable": (struct.pack(">i", MAX_FRAME + 1) + b"\x80\x01", None, "larger than"),
    "negative length": (struct.pack(">i", -5) + b"xxxx", None, "negative"),
    "header not readable": (framed(b"\x80\x02\x00\x01nonsense"), None, "bad message header"),
    "empty frame": (framed(b""), None, "bad message header"),
    "a name of 257 bytes": (message("n" * 257), None, "a method name of 257 bytes"),
    "a name of a megabyte": (framed(struct.pack(">Hxbi", 0x8001, 1, 1 << 20) + b"n" * 1000), None, "a method name of"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", None, "a TLS handshake"),
}


@pytest.mark.parametrize("case", CLOSING)
def test_after_what_cannot_be_read_the_connection_closes(server: Server, peer: Peer, case: str) -> None:
    sent, type, said = CLOSING[case]
    peer.send(sent)
    if type is not None:
        answer = peer.answer()
        assert answer is not None
        assert (answer.kind, answer.name, answer.seqid, answer.type) == (EXCEPTION, "add", 7, type)
        assert said in answer.message
    assert peer.rest() == b""
    assert said in server.wait("bad_peer", peer=peer.name)["error"]


@pytest.mark.parametrize("verb", [b"GET", b"POST", b"OPTIONS", b"DELETE"])
def test_http_gets_a_400(server: Server, peer: Peer, verb: bytes) -> None:
    peer.send(verb + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert peer.rest().startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert "the peer speaks HTTP" in server.wait("bad_peer", peer=peer.name)["error"]


def test_a_frame_that_never_completes(server: Server, peer: Peer) -> None:
    peer.send(message("add", add(1, 2))[:-3])
    assert peer.rest() == b""
    assert server.wait("connection_closed", peer=peer.name)["reason"] == "read_timeout"


OUTCOMES = {
    "declared": (REPLY, None, ""),
    "application": (EXCEPTION, 42, "theirs"),
    "own": (EXCEPTION, 77, "ours"),
    "none": (EXCEPTION, 5, "outcome returned no result"),
    "misfit": (EXCEPTION, 6, "internal error, id "),
    "half": (EXCEPTION, 6, "internal error, id "),
    **dict.fromkeys(("value", "exit", "interrupt", "memory", "recursion"), (EXCEPTION, 6, "internal error, id ")),
    "greenlet": (EXCEPTION, 6, "internal error, id "),
}
PATHS = {"misfit": "result.id: expected i32, got str 'x'", "half": "result.tags[1]: expected string, got int 5"}


@pytest.mark.parametrize("how", OUTCOMES)
def test_what_a_handler_does(server: Server, peer: Peer, how: str) -> None:
    kind, type, said = OUTCOMES[how]
    answer = peer.ask(message("outcome", field(11, 1, text(how)) + b"\0"))
    assert answer is not None
    assert (answer.kind, answer.type) == (kind, type)
    assert said in answer.message
    assert "secret" not in answer.message
    if how == "declared":
        assert answer.body == field(12, 1, field(11, 1, text("as declared")) + b"\0") + b"\0"
    if type == 6:
        line = server.wait("handler_failed", error_id=answer.message.rpartition(" ")[2])
        assert PATHS.get(how, "secret detail") in str(line.get("error", line.get("traceback")))
    assert alive(peer)


def test_a_reply_larger_than_max_frame(peer: Peer) -> None:
    largest = MAX_FRAME - len(message("big", field(11, 0, text("")) + b"\0")) + 4
    answer = peer.ask(message("big", field(8, 1, i32(largest)) + b"\0"))
    assert answer is not None
    assert answer.kind == REPLY
    answer = peer.ask(message("big", field(8, 1, i32(largest + 1)) + b"\0"))
    assert answer is not None
    assert answer.type == 6
    assert alive(peer)


def test_pipelined_frames_are_answered_in_order(peer: Peer) -> None:
    peer.send(b"".join(message("add", add(n, n), seqid=n) for n in range(500)))
    for n in range(500):
        answer = peer.answer()
        assert answer is not None
        assert (answer.seqid, answer.body) == (n, field(8, 0, i32(2 * n)) + b"\0")
