"""A server whose handler logs what it is told, for the tests of this folder; its log goes wherever a test wants it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import thriftserver
from tests.harness import PATIENCE
from tests.support import ROOT

IDL = """
exception Refused { 1: string why }
service Speaker {
  void say(1: string text, 2: i32 times)
  void fail(1: string text) throws (1: Refused refused)
  string refuse(1: string why) throws (1: Refused refused)
  i32 pid()
  void wait(1: i32 ms)
  void spawn(1: string text)
}
"""

HANDLER = """
import logging, os, pathlib, time, warnings
import gevent
import structlog
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "speaker.thrift")
log = logging.getLogger("speaker")


class Impl:
    def say(self, text, times):
        for _ in range(times):
            log.warning("%s", text)
        if not times:
            structlog.get_logger().info("said", text=text)
            warnings.warn(text)

    def fail(self, text):
        raise ValueError(text)

    def refuse(self, why):
        raise api.Refused(why)

    def pid(self):
        return os.getpid()

    def wait(self, ms):
        time.sleep(ms / 1000)

    def spawn(self, text):
        gevent.spawn(self.fail, text).join()
"""

ARGS = ("--idl", "speaker.thrift", "--handler", "speaker:Impl")


def write_speaker(folder: Path) -> Path:
    (folder / "speaker.thrift").write_text(IDL)
    (folder / "speaker.py").write_text(HANDLER)
    return folder


class Speaker:
    """A server on a socket of the test's own, so that it can be called before anybody has read its log."""

    def __init__(
        self,
        folder: Path,
        *args: str,
        stdout: Any = None,
        stderr: Any = subprocess.PIPE,
        closed: bool = False,
        env: dict[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        command = [*prefix, sys.executable, "-m", "thriftserver", "run", *ARGS]
        if closed:
            command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
        self.api = thriftserver.load(folder / "speaker.thrift")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.host, self.port = listener.getsockname()
            self.process = subprocess.Popen(
                [*command, "--bind", f"fd://{listener.fileno()}", *args],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=[listener.fileno()],
            )

    def client(self) -> Any:
        return self.api.Speaker.Client(self.host, self.port, timeout=PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def speaking(folder: Path, *args: str, **how: Any) -> Iterator[Speaker]:
    speaker = Speaker(folder, *args, **how)
    try:
        yield speaker
    finally:
        if speaker.process.poll() is None:
            speaker.process.kill()
            speaker.process.wait()
        for stream in (speaker.process.stdout, speaker.process.stderr):
            if stream is not None:
                stream.close()


def events(lines: bytes) -> list[dict[str, Any]]:
    """Each line as the one JSON object that it must be, for a reader of bytes and for a reader of text."""
    assert len(lines.splitlines()) == len(lines.decode().splitlines())
    found = [json.loads(line) for line in lines.splitlines()]
    assert all(list(each)[:4] == ["time", "level", "event", "pid"] for each in found)
    return found
