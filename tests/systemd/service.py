"""An instance of the shipped unit in the sandbox, as an operator handles it: systemctl and journalctl."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.harness import PATIENCE
from tests.server.services import HANDLER, write_demo
from tests.systemd.sandbox import Sandbox

CONFIG = """
idl = ["demo.thrift"]
handler = ["demo:Impl"]
bind = ["127.0.0.1:0"]
workers = 2
"""


class Service:
    """``folder`` has IDL and handler, and is where it runs; ``unit`` is a drop-in's text."""

    def __init__(
        self, machine: Sandbox, base: Path, name: str, handler: str = HANDLER, config: str = CONFIG, unit: str = ""
    ) -> None:
        self.machine, self.name, self.unit = machine, name, f"thriftserver@{name}.service"
        self.template = "thriftserver@.service"
        self.socket = f"thriftserver@{name}.socket"
        self.folder = base / name
        self._config = base / f"{name}.toml"
        self.folder.mkdir()
        write_demo(self.folder, handler)
        self.configure(config)
        self.drop_in(self.unit, unit)

    def configure(self, config: str) -> None:
        self._config.write_text(config)

    def drop_in(self, unit: str, text: str) -> None:
        self.machine.write(f"etc/systemd/system/{unit}.d/test.conf", text)
        self.machine.run("systemctl", "daemon-reload")

    def systemctl(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = self.machine.run("systemctl", command, self.unit, check=False)
        assert not check or done.returncode == 0, (done.stderr, self.journal(), self.other)
        return done

    def show(self, key: str) -> str:
        return self.machine.run("systemctl", "show", f"--property={key}", "--value", self.unit).stdout.strip()

    def journal(self) -> list[dict[str, Any]]:
        """The log lines so far; ``other`` is what was no event of ours."""
        self.machine.run("journalctl", "--sync")
        text = self.machine.run("journalctl", "--output=cat", "--no-pager", f"--unit={self.unit}").stdout
        events, self.other = [], []
        for line in text.splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                self.other.append(line)
        return events

    def manager(self) -> list[str]:
        """What systemd itself says about the unit."""
        command = ("journalctl", "--output=cat", "--no-pager", "_PID=1", f"UNIT={self.unit}")
        return self.machine.run(*command).stdout.splitlines()

    def found(self, event: str, **facts: object) -> list[dict[str, Any]]:
        return [each for each in self.journal() if each["event"] == event and facts.items() <= each.items()]

    def eventually(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something that nobody tells."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, (what, self.journal(), self.other)
            time.sleep(0.02)

    @property
    def addresses(self) -> list[str]:
        addresses: list[str] = self.found("listening")[-1]["addresses"]
        return addresses

    @property
    def host(self) -> str:
        return self.addresses[0].rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.addresses[0].rpartition(":")[2])

    @property
    def pid(self) -> int:
        """The master's, as it is called inside."""
        return int(self.show("MainPID"))

    def lives(self, pid: int) -> bool:
        return self.machine.run("test", "-d", f"/proc/{pid}", check=False).returncode == 0

    def end(self) -> None:
        self.machine.run("systemctl", "kill", "--signal=KILL", self.unit, check=False)
        self.machine.run("systemctl", "stop", self.socket, self.unit, check=False)
