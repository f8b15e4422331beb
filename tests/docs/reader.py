"""Follows a page as its reader does: saves the files it shows, pastes its commands, leaves its servers running.

Only the standard library: CI follows README.md with it before anything is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from tests.docs.pages import Block


def serves(text: str) -> bool:
    """Is that a command that does not end by itself?"""
    return any(f"thriftserver {command} " in text.splitlines()[-1] for command in ("run", "mock"))


class Reader:
    """``with Reader(directory) as reader: reader.follow(blocks(page))``; ``said`` is what each command has printed.

    Python that is not said to be a file is run if it imports what it uses. ``change`` may put another text in the
    place of a block's.
    """

    def __init__(
        self, directory: Path, env: dict[str, str] | None = None, change: Callable[[str], str] = lambda text: text
    ) -> None:
        self._directory, self._env, self._change = directory, os.environ | (env or {}), change
        self._servers: list[_Server] = []
        self.said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.stop()

    def follow(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self.read(block)

    def read(self, block: Block) -> None:
        text = self._change(block.text)
        if block.file:
            path = self._directory / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif block.language == "sh":
            self._paste(block, text)
        elif block.language == "python" and text.startswith(("import ", "from ")):
            self._run(block, [".venv/bin/python", "-c", text])

    def _paste(self, block: Block, text: str) -> None:
        print(f"--- {block}\n{text}", end="", flush=True)
        if serves(text):
            self._servers.append(_Server(text, self._directory, self._env))
            self._servers[-1].ready()
        else:
            self._run(block, ["bash", "-c", text])

    def _run(self, block: Block, command: list[str]) -> None:
        said = ""
        with subprocess.Popen(
            command, cwd=self._directory, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as done:
            assert done.stdout is not None
            for line in done.stdout:
                print(line, end="", flush=True)
                said += line
        self.said.append(said)
        assert done.returncode == 0, f"{block}: exit code {done.returncode}"


class _Server:
    """A pasted command that does not end by itself."""

    def __init__(self, text: str, directory: Path, env: dict[str, str]) -> None:
        self._text = text
        self._process = subprocess.Popen(
            ["bash", "-c", text],
            cwd=directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._news = threading.Condition()
        self._events: list[dict[str, Any]] = []
        self._over = False
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            sys.stdout.write(line)
            with self._news:
                if line.startswith("{"):
                    self._events.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def _has(self, event: str) -> bool:
        return any(each["event"] == event for each in self._events)

    def ready(self) -> None:
        """Wait until it serves, as the reader does who reads its log."""
        with self._news:
            self._news.wait_for(lambda: self._has("ready") or self._over)
        assert self._has("ready"), f"this ended before it was ready:\n{self._text}"

    def stop(self) -> None:
        """TERM; it must still have been there, and must leave in order."""
        ended = self._process.poll()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._listener.join()
        code = self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        assert ended is None, f"this ended with {ended} while its reader went on:\n{self._text}"
        assert self._has("stopped"), f"this left with {code}, without a word:\n{self._text}"
