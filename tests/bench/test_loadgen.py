"""The load generator, against a server that answers what a test says."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import servers, workload
from tests.support import need


@pytest.fixture(scope="session")
def loadgen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(shutil.which("cc"), "a C compiler (apt install gcc)")
    program = tmp_path_factory.mktemp("bench") / "loadgen"
    subprocess.run(["cc", "-O1", "-o", program, servers.HERE / "loadgen.c", "-lm"], check=True)
    workload.main(program.parent)
    return program


def refusal(kind: int) -> bytes:
    """The body of a TApplicationException."""
    text = b"not now"
    return b"\x0b\x00\x01" + struct.pack(">i", len(text)) + text + b"\x08\x00\x02" + struct.pack(">i", kind) + b"\x00"


def load(program: Path, count: int, answer: Callable[[int], tuple[int, bytes]], *options: str) -> dict[str, Any]:
    """The result of ``count`` calls of add, the nth answered with the type and body of ``answer(n)``."""

    def serve() -> None:
        client, _ = listener.accept()
        with client, client.makefile("rb") as frames:
            for number in range(count):
                frame = frames.read(struct.unpack(">i", frames.read(4))[0])
                kind, body = answer(number)
                seqid = struct.unpack_from(">i", frame, 8 + len("add"))[0]
                client.sendall(workload.frame(workload.message("add", kind, body, seqid)))
            frames.read()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        base = program.parent / "add"
        command = [program, "--port", str(listener.getsockname()[1]), "--warmup", "0", "--requests", str(count)]
        command += ["--frames", f"{base}.req", "--expect", f"{base}.rep", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        thread.join()
    return json.loads(done.stdout)


RIGHT = workload.encode("add_result", {"success": sum(workload.ADD)})
WRONG = workload.encode("add_result", {"success": 1})


def test_every_right_reply_counts(loadgen: Path) -> None:
    found = load(loadgen, 50, lambda _: (workload.REPLY, RIGHT))
    assert (found["replies"], found["ok"], found["errors"], found["exceptions"]) == (50, 50, 0, {})
    assert 0 < found["latency_us"]["min"] <= found["latency_us"]["p50"] <= found["latency_us"]["max"]


def test_a_reply_with_other_bytes_is_an_error(loadgen: Path) -> None:
    found = load(loadgen, 10, lambda n: (workload.REPLY, WRONG if n == 3 else RIGHT))
    assert found["errors"] == found["error_kinds"]["bad_body"] == 1


@pytest.mark.parametrize("options", [(), ("--rate", "2000")], ids=["closed", "open"])
def test_refusals_are_counted_by_type_and_apart(loadgen: Path, options: tuple[str, ...]) -> None:
    def answer(number: int) -> tuple[int, bytes]:
        kind = {1: 11, 2: 12, 3: 99}.get(number % 5)
        return (workload.REPLY, RIGHT) if kind is None else (workload.EXCEPTION, refusal(kind))

    found = load(loadgen, 50, answer, *options)
    assert {kind: each["count"] for kind, each in found["exceptions"].items()} == {"11": 10, "12": 10, "-1": 10}
    assert (found["replies"], found["ok"], found["error_kinds"]["exception"]) == (50, 20, 30)
    assert all(each["latency_us"]["p50"] > 0 for each in found["exceptions"].values())
