"""Foreign code may run wherever an object is made (finalizers, the collector's callbacks), and let others run there.

Here the collector runs at nearly every allocation and lets other fibers run each time, in requests, replies and all
that lies between: no call may see another's bytes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import REPLY, Peer, field, i32, message, text

IDL = """
struct Item { 1: i32 number, 2: string name, 3: list<string> tags }
service Switching {
  list<Item> items(1: list<Item> items, 2: map<string, Item> named)
  oneway void note(1: Item item)
}
"""
HANDLER = """
import gc, time
import gevent

switches = 0


def switch(phase, _facts):
    global switches
    if gevent.getcurrent() is not gevent.get_hub():
        switches += 1
        gevent.sleep(0)


class Litter:
    def __init__(self):
        self.me = self

    def __del__(self):
        if gevent.getcurrent() is not gevent.get_hub():
            time.sleep(0)


class Impl:
    def setup(self):
        gc.callbacks.append(switch)
        gc.set_threshold(1)

    def items(self, items, named):
        Litter()
        assert switches or len(items) < 2
        return [*items, *named.values()]

    def note(self, item):
        Litter()
"""


def item(number: int, name: str) -> bytes:
    tags = b"\x0b" + i32(3) + text(name) * 3
    return field(8, 1, i32(number)) + field(11, 2, text(name)) + field(15, 3, tags) + b"\0"


def items(of: list[bytes]) -> bytes:
    return b"\x0c" + i32(len(of)) + b"".join(of)


@pytest.mark.parametrize("pipeline", ["1", "4"])
def test_no_call_sees_the_bytes_of_another(tmp_path: Path, env: dict[str, str], pipeline: str) -> None:
    (tmp_path / "switching.thrift").write_text(IDL)
    (tmp_path / "switching.py").write_text(HANDLER)
    args = ("--idl", "switching.thrift", "--handler", "switching:Impl", "--pipeline", pipeline)
    with Server(*args, cwd=tmp_path, env=env) as server:
        peers = [Peer(server) for _ in range(12)]
        for round_ in range(8):
            for n, peer in enumerate(peers):
                name = chr(65 + n) * (10 + 5 * n)
                mine = [item(n * 100 + k, name) for k in range(10 + 3 * n)]
                named = b"\x0b\x0c" + i32(1) + text(name) + mine[0]
                body = field(15, 1, items(mine)) + field(13, 2, named) + b"\0"
                note = message("note", field(12, 1, mine[0]) + b"\0")
                for seqid in (round_, round_ + 1000):
                    peer.send(note + message("items", body, seqid=seqid))
            for n, peer in enumerate(peers):
                name = chr(65 + n) * (10 + 5 * n)
                mine = [item(n * 100 + k, name) for k in range(10 + 3 * n)]
                for seqid in (round_, round_ + 1000):
                    answer = peer.answer()
                    assert answer is not None
                    assert (answer.kind, answer.seqid) == (REPLY, seqid)
                    assert answer.body == field(15, 0, items([*mine, mine[0]])) + b"\0"
        for peer in peers:
            peer.sock.close()
        assert not server.found("connection_failed")
