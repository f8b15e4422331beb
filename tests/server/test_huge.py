"""Replies that no client could read: each is an error that the client is told, on a connection that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.support import need

IDL = "service Huge { binary whole(1: i64 size) list<binary> parts(1: i32 count, 2: i64 size) i32 one() }"
HANDLER = """
class Impl:
    def whole(self, size):
        return bytes(size)  # zeros that nobody has written take no memory

    def parts(self, count, size):
        return [bytes(size)] * count

    def one(self):
        return 1
"""
GIB = 1 << 30
DIALECTS = [
    *("framed-binary", "framed-compact", "framed-json", "unframed-binary", "unframed-compact", "unframed-json"),
    *("header", "http-binary"),
]


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    (tmp_path / "huge.thrift").write_text(IDL)
    (tmp_path / "huge.py").write_text(HANDLER)
    return tmp_path


def refused(folder: Path, said: str, method: str, *args: int, dialects: list[str]) -> None:
    """In each dialect, with the largest limit that can be given, the call fails, and the next one does not."""
    api = thriftserver.load(folder / "huge.thrift")
    options = ("--idl", "huge.thrift", "--handler", "huge:Impl", "--http", "--max-frame", str(2 * GIB - 1))
    with Server(*options, cwd=folder) as server:
        for dialect in dialects:
            with api.Huge.Client(server.host, server.port, dialect=dialect, timeout=PATIENCE) as client:
                with pytest.raises(thriftserver.ApplicationError, match="internal error, id ") as failed:
                    getattr(client, method)(*args)
                told = server.wait("handler_failed", error_id=str(failed.value).rpartition(" ")[2])
                assert said in told["error"], dialect
                assert client.one() == 1
        assert not server.found("worker_exit")


def test_a_value_that_has_no_length(huge: Path) -> None:
    """The length of a text is an i32."""
    refused(huge, "2147483648 bytes; 2 GiB is the most", "whole", 2 * GIB, dialects=DIALECTS)


@pytest.mark.slow
def test_values_that_are_too_much_together(huge: Path) -> None:
    """Written in full before it is known: JSON, which writes more, is left out for the memory that it would take."""
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    need(int(meminfo["MemAvailable"].split()[0]) * 1024 > 6 * GIB, "6 GiB of free memory")
    spoken = [dialect for dialect in DIALECTS if not dialect.endswith("json")]
    refused(huge, "bytes, more than max-frame (2147483647)", "parts", 3, GIB, dialects=spoken)
