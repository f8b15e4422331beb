"""Processes of a measurement: a server's tree on one core, the load generator on the other, and what /proc says.

It knows nothing of what is measured. Only processes started here are ended, by their ids.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from bench import servers

#: Two cores that the server and its load do not share, if there are two.
SERVER_CORE, CLIENT_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))

PATIENCE = 30.0


def prepare() -> None:
    """Once per benchmark: descriptors enough for everybody, and this process off the server's core."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not (servers.BUILD / "loadgen").exists():
        raise SystemExit(f"{servers.BUILD} has no loadgen: run `make -C bench` first, or set BENCH_BUILD")
    os.sched_setaffinity(0, {CLIENT_CORE})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # through every __exit__: nothing started is left behind


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parent = int(text[text.rindex(")") + 2 :].split()[1])
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_ns(pids: Sequence[int]) -> int:
    """Nanoseconds that these processes have run, kernel time included, by the scheduler's own clock."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:  # a thread that has ended
                continue
    return total


def resident_kib(pids: Sequence[int]) -> int:
    """Proportional resident memory: pages that workers share with their master count once."""
    total = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total


class Server:
    """One of ``servers.COMMANDS``, listening."""

    def __init__(self, name: str, options: Sequence[str] = (), core: int = SERVER_CORE) -> None:
        self.name = name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.started = time.perf_counter()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  closed in stop
        self.process = subprocess.Popen(
            servers.COMMANDS[name](self.port, options),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=servers.environment(name),
            cwd=servers.HERE / "handlers",
            start_new_session=True,  # an interrupt is the benchmark's, which then ends its servers
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            self._await_listening()
        except BaseException:
            self.stop()
            raise

    def _await_listening(self) -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.perf_counter() > self.started + PATIENCE:
                    self.log.seek(0)
                    said = self.log.read().decode(errors="replace")[-2000:]
                    raise SystemExit(f"{self.name} does not listen:\n{said}") from None
                time.sleep(0.002)

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def stop(self) -> None:
        pids = self.pids()
        self.process.terminate()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:  # a peer that handles no signal while it has connections
            for pid in pids:
                _kill(pid)
            self.process.wait(PATIENCE)
        self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Load:
    """The load generator under its READY and DONE handshake; as a context, it never outlives its block."""

    def __init__(self, port: int, method: str, conns: int, requests: int, *, rate: float = 0, warmup: int = 1) -> None:
        frames = servers.BUILD / "frames" / method  # "batch", or "unframed-compact/batch"
        command = [str(servers.BUILD / "loadgen"), "--sync", "--port", str(port), "--cpu", str(CLIENT_CORE)]
        command += ["--frames", f"{frames}.req", "--expect", f"{frames}.rep", "--timeout", str(PATIENCE)]
        command += ["--conns", str(conns), "--requests", str(requests), "--warmup", str(warmup)]
        if "/" in method:
            command.append("--opaque")
        if rate:
            command += ["--rate", str(rate), "--poisson"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _heard(self, word: str) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if line != word:
            raise SystemExit(f"loadgen said {line!r} instead of {word}")

    def _go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ready(self) -> None:
        """Wait until every connection is open and has been answered once."""
        self._heard("READY")

    def start(self) -> None:
        """Begin the measured part."""
        self._go()

    def done(self) -> None:
        """Wait for its end; the connections are still open then."""
        self._heard("DONE")

    def result(self) -> dict[str, Any]:
        """Close the connections; what was found."""
        assert self.process.stdout is not None
        self._go()
        result: dict[str, Any] = json.loads(self.process.stdout.read())
        self.process.wait(PATIENCE)
        return result

    def run(self) -> dict[str, Any]:
        self.start()
        self.done()
        return self.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
