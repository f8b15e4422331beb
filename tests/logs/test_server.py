"""The log of a real server: whole lines from hostile peers, and calls that go on when the log does not."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thriftserver
from tests.disk import Disk, mounted
from tests.harness import PATIENCE, Server
from tests.logs.service import ARGS, Speaker, events, speaking

HOSTILE = 'x\n{"event":"ready"}\r\x1b[2J\x9b2J\x85\u2028\u202e"}\\\0'

NAMES = st.binary(max_size=300) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
BODIES = st.binary(max_size=60) | NAMES.map(lambda text: b"\x0b\0\x01" + struct.pack(">i", len(text)) + text + b"\0")


def message(name: bytes, kind: int, seqid: int, body: bytes) -> bytes:
    payload = struct.pack(">Ii", 0x80010000 | kind, len(name)) + name + struct.pack(">i", seqid) + body
    return struct.pack(">I", len(payload)) + payload


FRAMES = st.builds(
    message,
    st.sampled_from([b"say", b"fail", b"refuse", b"Speaker:fail"]) | NAMES,
    st.integers(0, 6),
    st.integers(-(2**31), 2**31 - 1),
    BODIES,
)


def send(server: Server, data: bytes) -> None:
    """Send, say that this is all, and read until the server hangs up."""
    with socket.create_connection((server.host, server.port), PATIENCE) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass  # it hung up on what it could not read


def test_no_peer_can_forge_a_line(folder: Path) -> None:
    with Server(*ARGS, "--access-log", "all", cwd=folder, env={"PYTHONWARNINGS": "always::UserWarning"}) as server:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(data=st.lists(FRAMES, max_size=4).map(b"".join) | st.binary(max_size=300))
        def attack(data: bytes) -> None:
            send(server, data)

        attack()
        with thriftserver.load(folder / "speaker.thrift").Speaker.Client(
            server.host, server.port, timeout=PATIENCE
        ) as speaker:
            for text in (HOSTILE, "x" * 100_000):
                speaker.say(text, 1)
                speaker.say(text, 0)
                speaker.spawn(text)
                with pytest.raises(thriftserver.ApplicationError):
                    speaker.fail(text)
        assert server.stop() == 0
    assert server.other == []
    assert len(server.found("ready")) == 1
    assert {HOSTILE} < {line["message"] for line in server.found("log", logger="speaker")}
    assert server.found("said", text=HOSTILE)
    assert any(HOSTILE in line["message"] for line in server.found("log", logger="py.warnings"))
    assert server.found("handler_failed", error=f"ValueError: {HOSTILE}")
    assert server.found("greenlet_failed", error=f"ValueError: {HOSTILE}")
    assert max(len(json.dumps(line, ensure_ascii=False).encode()) for line in server.events) < 2 * 4096


def test_an_error_id_leads_from_the_client_to_the_traceback(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        with thriftserver.load(folder / "speaker.thrift").Speaker.Client(
            server.host, server.port, timeout=PATIENCE
        ) as speaker:
            with pytest.raises(thriftserver.ApplicationError) as caught:
                speaker.fail("a secret of the server")
            worker = speaker.pid()
        line = server.wait("handler_failed")
    assert f"internal error, id {line['error_id']}" in str(caught.value)
    assert "a secret" not in str(caught.value)
    assert len(line["error_id"]) == 12
    assert (line["pid"], line["worker"], line["service"], line["method"]) == (worker, 1, "Speaker", "fail")
    assert line["traceback"].endswith("ValueError: a secret of the server")
    assert 'File "' in line["traceback"]


def test_what_a_handler_logs_says_in_which_call(folder: Path) -> None:
    with Server(*ARGS, cwd=folder, env={"PYTHONWARNINGS": "always::UserWarning"}) as server:
        with thriftserver.load(folder / "speaker.thrift").Speaker.Client(server.host, server.port) as speaker:
            speaker.say("by logging", 1)
            speaker.say("by structlog and warnings", 0)
        server.stop()
    lines = [server.wait("log", logger="speaker"), server.wait("said"), server.wait("log", logger="py.warnings")]
    for line, seqid in zip(lines, (1, 2, 2), strict=True):
        assert (line["service"], line["method"], line["seqid"]) == ("Speaker", "say", seqid)
        assert line["peer"].startswith("127.0.0.1:")
        assert line["worker"] == 1


def talk(server: Server | Speaker, folder: Path) -> None:
    """Calls that end in every way: three good ones, one of them slow, a declared exception, a failure."""
    with thriftserver.load(folder / "speaker.thrift").Speaker.Client(server.host, server.port) as speaker:
        speaker.pid()
        speaker.wait(200)
        with pytest.raises(thriftserver.load(folder / "speaker.thrift").Refused):
            speaker.refuse("no")
        with pytest.raises(thriftserver.ApplicationError):
            speaker.fail("oops")
        speaker.pid()


@pytest.mark.parametrize(
    ("args", "methods"),
    [
        ([], []),
        (["--access-log", "off"], []),
        (["--access-log", "slow"], ["wait"]),
        (["--access-log", "sampled", "--access-sample", "0"], ["wait", "fail"]),
        (["--access-log", "sampled", "--access-sample", "100%"], ["pid", "wait", "refuse", "fail", "pid"]),
        (["--access-log", "all"], ["pid", "wait", "refuse", "fail", "pid"]),
        (["--access-log", "all", "--log-level", "error"], ["pid", "wait", "refuse", "fail", "pid"]),
    ],
)
def test_the_access_log(folder: Path, args: list[str], methods: list[str]) -> None:
    level = [] if "--log-level" in args else ["--log-level", "info"]
    with speaking(folder, *args, *level, "--slow-call", "150ms", "--log-file", "log") as speaker:
        talk(speaker, folder)
        assert speaker.stop() == 0
    found = events((folder / "log").read_bytes())
    calls = [line for line in found if line["event"] == "call"]
    assert [line["method"] for line in calls] == methods
    (failed,) = (line for line in found if line["event"] == "handler_failed")
    for line in calls:
        assert list(line)[:9] == ["time", "level", "event", "pid", "worker", "service", "method", "seqid", "peer"]
        assert (line["duration_ms"] >= 150) == (line["method"] == "wait")
        assert line.get("error_id") == (failed["error_id"] if line["method"] == "fail" else None)
        assert line["outcome"] == {"refuse": "declared", "fail": "undeclared"}.get(line["method"], "success")


def test_a_worker_that_ends_has_sent_its_spans(folder: Path) -> None:
    how = {"stdout": subprocess.PIPE, "env": {"OTEL_TRACES_EXPORTER": "console"}}
    with speaking(folder, "--middleware", "thriftserver.tracing:middleware", **how) as speaker:
        talk(speaker, folder)
        assert speaker.stop() == 0
        assert speaker.process.stdout is not None
        told = speaker.process.stdout.read().decode()
    for name in ("pid", "wait", "refuse", "fail"):
        assert f'"name": "Speaker/{name}"' in told
    assert '"exception.message": "oops"' in told


@pytest.mark.parametrize("ours", [True, False])
def test_lines_carry_a_priority_for_journald_and_for_nobody_else(folder: Path, ours: bool) -> None:
    read, write = os.pipe()
    told = os.fstat(write if ours else 0)
    with speaking(folder, stderr=write, env={"JOURNAL_STREAM": f"{told.st_dev}:{told.st_ino}"}) as speaker:
        os.close(write)
        with speaker.client() as client:
            client.say("careful", 1)
            with pytest.raises(thriftserver.ApplicationError):
                client.fail("x")
        assert speaker.stop() == 0
    with open(read, "rb") as log:
        lines = log.read().splitlines()
    if not ours:
        assert {line[:1] for line in lines} == {b"{"}
        return
    marks = {json.loads(line[3:])["level"]: line[:3] for line in lines}
    assert marks == {"info": b"<6>", "warning": b"<4>", "error": b"<3>"}


def test_a_rotated_log_loses_no_line(folder: Path) -> None:
    path = folder / "log"
    calls = 400
    with speaking(folder, "--workers", "2", "--log-file", "log") as speaker:
        with speaker.client() as client:
            client.pid()  # it runs, so the log is there

        def talk(who: int) -> None:
            for number in range(calls):
                with speaker.client() as client:
                    client.say(f"{who}.{number}", 1)

        threads = [threading.Thread(target=talk, args=(who,)) for who in range(2)]
        for thread in threads:
            thread.start()
        turns = 0
        while any(thread.is_alive() for thread in threads):
            path.rename(folder / f"log.{turns}")
            speaker.signal(signal.SIGUSR1)
            while not path.exists() and speaker.process.poll() is None:
                threads[0].join(0.01)
            turns += 1
        assert speaker.stop() == 0
        assert speaker.process.stderr is not None
        assert speaker.process.stderr.read() == b""
    assert turns > 3
    files = [folder / "log", *(folder / f"log.{turn}" for turn in range(turns))]
    said = [line["message"] for file in files for line in events(file.read_bytes()) if line["event"] == "log"]
    assert sorted(said) == sorted(f"{who}.{number}" for who in range(2) for number in range(calls))
    assert sum(1 for file in files if b'"worker":1' in file.read_bytes()) > 1


def test_a_log_that_cannot_be_reopened_goes_on_in_the_old_file(folder: Path) -> None:
    (folder / "logs").mkdir()
    with speaking(folder, "--log-file", "logs/log") as speaker:
        with speaker.client() as client:
            client.say("before", 1)
            (folder / "logs").rename(folder / "moved")
            speaker.signal(signal.SIGUSR1)
            client.say("after", 1)
        assert speaker.stop() == 0
    found = events((folder / "moved" / "log").read_bytes())
    assert [line["message"] for line in found if line["event"] == "log"] == ["before", "after"]
    assert {line.get("worker") for line in found if line["event"] == "log_reopen_failed"} == {None, 1}


def test_a_log_file_that_cannot_be_opened_is_a_usage_error(folder: Path) -> None:
    with speaking(folder, "--log-file", "missing/log") as speaker:
        assert speaker.process.wait(PATIENCE) == 2
        assert speaker.process.stderr is not None
        told = speaker.process.stderr.read().decode()
    assert told == "Error: cannot open the log file missing/log: No such file or directory\n"


def test_calls_go_on_when_nobody_reads_the_log(folder: Path) -> None:
    read, write = os.pipe()
    times, calls = 1000, 30
    with speaking(folder, stderr=write) as speaker, open(read, "rb") as log:
        os.close(write)
        with speaker.client() as client:
            for _ in range(calls):
                client.say("x" * 100, times)
            # Now a reader comes: what had room to wait is there, and the rest is counted.
            lines: list[bytes] = []
            reader = threading.Thread(target=lambda: lines.extend(log))
            reader.start()
            client.say("the last", 1)
        assert speaker.stop() == 0
        reader.join(PATIENCE)
    found = events(b"".join(lines))
    said = sum(1 for line in found if line.get("message") == "x" * 100)
    lost = sum(line["count"] for line in found if line["event"] == "log_lines_lost")
    assert lost > 0
    assert said + lost in (times * calls, times * calls + 1)  # "the last" may have come before there was room


def test_a_disk_that_was_full_has_the_lines_before_and_after_and_how_many_are_lost(folder: Path) -> None:
    with speaking(folder, "--log-file", "disk/log", prefix=mounted(folder, "size=256k")) as speaker:
        disk = Disk(speaker.process.pid, folder)
        with speaker.client() as client:
            client.say("before", 1)
            until(lambda: b'"before"' in (disk.path / "log").read_bytes())
            disk.fill()
            client.say("x" * 100, 1000)
            with pytest.raises(thriftserver.ApplicationError, match="internal error, id"):
                client.fail("nobody sees")
            disk.free()
            client.say("after", 1)
            until(lambda: b'"after"' in (disk.path / "log").read_bytes())
        lines = (disk.path / "log").read_bytes().splitlines()
        assert speaker.stop() == 0
    whole = [json.loads(line) for line in lines if line.endswith(b"}")]
    assert len(lines) - len(whole) <= 1, "one may be cut off"
    said = sum(line.get("message") == "x" * 100 for line in whole)
    lost = sum(line["count"] for line in whole if line["event"] == "log_lines_lost")
    assert said < 1000 <= said + lost


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["full disk", "full stderr", "gone pipe", "unread pipe", "closed stderr"])
def test_calls_go_on_when_the_log_is_broken(folder: Path, how: str) -> None:
    args: tuple[str, ...] = ()
    kind: dict[str, Any] = {}
    read = -1
    if how == "full disk":
        args = ("--log-file", "/dev/full")
    elif how == "full stderr":
        kind = {"stderr": os.open("/dev/full", os.O_WRONLY)}
    elif how in ("gone pipe", "unread pipe"):
        read, write = os.pipe()
        if how == "gone pipe":
            os.close(read)
        kind = {"stderr": write}
    else:
        kind = {"closed": True}
    with speaking(folder, *args, **kind) as speaker:
        if "stderr" in kind:
            os.close(kind["stderr"])
        with speaker.client() as client:
            client.say("nobody hears " * 30, 1000)
            with pytest.raises(thriftserver.ApplicationError, match="internal error, id"):
                client.fail("nobody sees")
            assert client.pid() > 0
        assert speaker.stop() == 0
    if how == "unread pipe":
        os.close(read)
