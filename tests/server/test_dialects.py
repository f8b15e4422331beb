"""One port, every dialect: calls cut into pieces, sent together, handed over half received, refused."""

from __future__ import annotations

import base64
import contextlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import Peer
from tests.server.services import ARGS, COUNTING, HANDLER, executed, write_demo
from tests.speech import VOICES, Reply, Voice
from thriftserver.wire import EXCEPTION, Application

#: More than one read of the server's, so that the end of such a message is always found later than its beginning.
LONG = "x" * 200_000
#: Counts oneways, as COUNTING does additions.
COUNTED = COUNTING.replace("add(self, a, b)", "note(self, text)").replace("return a + b", "return None")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("dialects"), HANDLER + COUNTED)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, "-w", "2", "--http", "--max-frame", "1M", "--read-timeout", "2s", cwd=folder) as server:
        yield server


@pytest.fixture(params=VOICES)
def voice(request: pytest.FixtureRequest) -> Voice:
    return VOICES[request.param]


class Talk:
    """One connection in one dialect."""

    def __init__(self, peer: Peer, voice: Voice) -> None:
        self.peer, self.voice = peer, voice
        self.held = b""

    def reply(self) -> Reply | None:
        """The next reply, None at the end of the stream."""
        while (found := self.voice.reply(self.held)) is None:
            chunk = self.peer.sock.recv(65536)
            if not chunk:
                assert self.held == b""
                return None
            self.held += chunk
        self.held = self.held[found.size :]
        return found

    def add(self, a: int, b: int, seqid: int) -> int:
        self.peer.send(self.voice.add(a, b, seqid))
        reply = self.reply()
        assert reply is not None
        assert (reply.name, reply.seqid) == ("add", seqid)
        return int(reply.value)


def test_calls_arrive_in_any_pieces(server: Server, voice: Voice) -> None:
    with Peer(server) as peer:
        talk = Talk(peer, voice)
        for size in (1, 2, 3, 7, 1000):
            stream = voice.add(20, 22, size)
            for at in range(0, len(stream), size):
                peer.send(stream[at : at + size])
            reply = talk.reply()
            assert reply is not None
            assert (reply.seqid, reply.value) == (size, 42)


def test_calls_that_are_sent_together_are_answered_in_order(server: Server, voice: Voice) -> None:
    with Peer(server) as peer:
        talk = Talk(peer, voice)
        peer.send(b"".join(voice.add(number, -1, number) for number in range(1, 100)))
        for number in range(1, 100):
            reply = talk.reply()
            assert reply is not None
            assert (reply.seqid, reply.value) == (number, number - 1)


def test_what_is_no_result_is_answered_in_the_same_dialect(server: Server, voice: Voice) -> None:
    with Peer(server) as peer:
        talk = Talk(peer, voice)
        peer.send(voice.message("ad", 1, 8, []))
        unknown = talk.reply()
        assert unknown is not None
        assert (unknown.kind, unknown.seqid, unknown.type) == (EXCEPTION, 8, Application.UNKNOWN_METHOD)
        assert "did you mean 'add'?" in unknown.value
        peer.send(voice.message("Demo:add", 1, 9, [(1, 8, 1), (2, 8, 2)]))
        multiplexed = talk.reply()
        assert multiplexed is not None
        assert (multiplexed.name, multiplexed.seqid, multiplexed.value) == ("add", 9, 3)
        assert talk.add(1, 1, 10) == 2


def test_a_oneway_runs_and_only_http_is_told(server: Server, voice: Voice, folder: Path) -> None:
    with Peer(server) as peer:
        talk = Talk(peer, voice)
        before = executed(folder)
        peer.send(voice.note("count", 3))
        if voice.dialect == "http":
            while not talk.held.endswith(b"\r\n\r\n"):
                talk.held += peer.sock.recv(4096)
            assert b"content-length: 0\r\n" in talk.held.lower()
            talk.held = b""
        assert talk.add(2, 2, 4) == 4
        assert executed(folder) == before + 1


def test_a_long_message(server: Server, voice: Voice) -> None:
    with Peer(server) as peer:
        talk = Talk(peer, voice)
        peer.send(voice.note(LONG, 1) if voice.dialect != "http" else voice.message("add", 1, 1, [(9, 11, LONG)]))
        if voice.dialect == "http":
            talk.reply()
        assert talk.add(4, 4, 2) == 8


def test_a_message_over_the_limit_ends_the_connection(server: Server, voice: Voice) -> None:
    with Peer(server) as peer:
        text = base64.b64encode(random.Random(1).randbytes(1_500_000)).decode()  # which zlib cannot make small
        stream = voice.note(text, 1)
        peer.sock.settimeout(30)
        with contextlib.suppress(OSError):
            peer.send(stream)
        peer.rest()
        assert "max-frame" in server.wait("bad_peer", peer=peer.name)["error"]


def test_half_a_message_is_not_waited_for_for_ever(server: Server, voice: Voice) -> None:
    with Peer(server) as peer:
        peer.send(voice.add(1, 2)[:-1])
        peer.rest()
        assert server.wait("connection_closed", peer=peer.name)["reason"] == "read_timeout"


def test_a_half_received_message_is_handed_over(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", "--http", cwd=folder) as server:
        talks = [Talk(Peer(server), voice) for voice in VOICES.values()]
        for talk in talks:
            assert talk.add(1, 1, 1) == 2
        halves = {}
        for number, talk in enumerate(talks):
            stream = talk.voice.add(number, 1, 7)
            at = 1 + number * (len(stream) - 2) // len(talks)
            halves[talk] = stream[at:]
            talk.peer.send(stream[:at])
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        for _ in range(2):
            server.wait("worker_exit", code=0)
        server.upgrade()
        for number, talk in enumerate(talks):
            talk.peer.send(halves[talk])
            reply = talk.reply()
            assert reply is not None
            assert (reply.seqid, reply.value) == (7, number + 1)
            assert talk.add(1, 1, 8) == 2
            talk.peer.sock.close()


@pytest.mark.parametrize("pinned", ["framed-binary", "unframed-compact", "header"])
def test_a_pinned_port_answers_others_with_what_to_change(folder: Path, pinned: str) -> None:
    with Server(*ARGS, "--dialect", pinned, cwd=folder) as server:
        for voice in VOICES.values():
            with Peer(server) as peer:
                talk = Talk(peer, voice)
                if voice.dialect == pinned:
                    assert talk.add(1, 2, 3) == 3
                    continue
                peer.send(voice.add(1, 2, 3))
                if voice.dialect == "http":
                    assert peer.rest().startswith(b"HTTP/1.1 400 ")
                    continue
                reply = talk.reply()
                assert reply is not None
                assert (reply.kind, reply.seqid, reply.type) == (EXCEPTION, 3, Application.INVALID_PROTOCOL)
                assert "; use " in reply.value
                assert talk.reply() is None
                assert server.wait("bad_peer", peer=peer.name)["error"] == reply.value


@pytest.mark.parametrize("options", [(), ("--pipeline", "8")], ids=["one", "pipeline"])
def test_several_calls_at_once_are_answered_in_order(folder: Path, options: tuple[str, ...]) -> None:
    with Server(*ARGS, "--http", *options, cwd=folder) as server:
        for voice in VOICES.values():
            with Peer(server) as peer:
                talk = Talk(peer, voice)
                naps = [voice.message("nap", 1, number, []) for number in range(1, 4)]
                peer.send(b"".join([*naps, voice.add(1, 1, 4)]))
                assert [reply.seqid for _ in range(4) if (reply := talk.reply())] == [1, 2, 3, 4]
