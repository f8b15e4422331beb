"""Machines of a network of their own: each a network namespace with one address, on a bridge that leads nowhere."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Self

from tests.harness import PATIENCE
from tests.support import need


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Service:
    """A command that does not end by itself, on one of the machines."""

    def __init__(self, process: subprocess.Popen[str], ready: str) -> None:
        self.process = process
        self.said: list[str] = []
        self._ready, self._is_ready = ready, threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._is_ready.wait(PATIENCE), self.said[-20:]
        assert self._reader.is_alive(), self.said[-20:]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if self._ready in line:
                self._is_ready.set()
        self._is_ready.set()

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        finally:
            self._reader.join(PATIENCE)
            assert self.process.stdout is not None
            self.process.stdout.close()


class Lan:
    """``with Lan(folders) as lan: lan.run("10.0.0.11", "true")``; each address has a folder to work in."""

    def __init__(self, folders: dict[str, Path], env: dict[str, str]) -> None:
        need(os.getuid() == 0 and shutil.which("ip"), "root and iproute2, to make network namespaces")
        self._folders, self._env = folders, os.environ | env
        self._bridge = f"fleet{os.getpid()}"
        self._spaces = {address: f"{self._bridge}-{address}" for address in folders}
        self._services: list[Service] = []

    def __enter__(self) -> Self:
        try:
            ip("netns", "add", self._bridge)
            ip("-n", self._bridge, "link", "add", "br0", "type", "bridge")
            ip("-n", self._bridge, "link", "set", "br0", "up")
            for number, (address, space) in enumerate(self._spaces.items()):
                ip("netns", "add", space)
                port = f"port{number}"
                ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", self._bridge)
                ip("-n", self._bridge, "link", "set", "dev", port, "master", "br0", "up")
                ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
                for link in ("lo", "eth0"):
                    ip("-n", space, "link", "set", "dev", link, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for service in self._services:
            service.stop()
        for space in (*self._spaces.values(), self._bridge):
            subprocess.run(["ip", "netns", "del", space], stderr=subprocess.DEVNULL, check=False)

    def _start(self, address: str, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["ip", "netns", "exec", self._spaces[address], "bash", "-ec", command],
            cwd=self._folders[address],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, address: str, command: str) -> str:
        """What it prints; it must end well."""
        process = self._start(address, command)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{command}{said}"
        return said

    def serve(self, address: str, command: str, ready: str) -> Service:
        """Started, and ready: it has said so."""
        service = Service(self._start(address, command), ready)
        self._services.append(service)
        return service
