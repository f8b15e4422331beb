"""A real systemd, as process 1 of its own namespaces, for tests: booted once, asked with ``run``, gone without trace.

It shares the network and the files of this machine but for those that systemd itself writes or cleans (``boot.sh``), so
clients can stay outside. Needs root, and systemd 246 or newer.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.harness import PATIENCE
from tests.support import need

SYSTEMD = Path("/lib/systemd/systemd")
BOOT = Path(__file__).with_name("boot.sh")


class Sandbox:
    """``with Sandbox(units, kept) as machine: machine.run("systemctl", "start", "demo")``.

    ``units`` is the folder with all units there are; those of the folders ``kept`` which systemd would hide are to be
    seen inside too.
    """

    def __init__(self, units: Path, kept: Sequence[Path]) -> None:
        need(os.getuid() == 0, "root, to boot a systemd in namespaces of its own")
        need(SYSTEMD.exists() and shutil.which("nsenter"), "systemd (apt install systemd)")
        root = _cgroup_root()
        need(root and os.access(root, os.W_OK), "control groups (version 2) that may be written to")
        self._units, self._kept = units, kept
        self._cgroup = Path(root) / f"thriftserver-tests-{os.getpid()}"
        self._console = units.with_name("console.log")

    def __enter__(self) -> Self:
        self._cgroup.mkdir()
        name = f"thriftserver-tests-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as boot, open(self._console, "wb") as console:
            boot.bind(f"\0{name}")
            boot.settimeout(PATIENCE)
            # Killed with this process; and then the kernel ends everything in the namespace of processes.
            enter = f"echo $$ >{self._cgroup}/cgroup.procs && exec setpriv --pdeathsig KILL unshare --fork --kill-child"
            namespaces = "--pid --mount --uts --ipc --cgroup --mount-proc"
            self._outer = subprocess.Popen(
                ["sh", "-c", f'{enter} {namespaces} sh "$@"', "sh", BOOT, self._units, *self._kept],
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": f"@{name}"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
            try:
                while b"READY=1" not in boot.recv(65536):
                    pass
                children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
                self.init = int(children)
            except BaseException:
                self.__exit__()
                print(self._console.read_text(errors="replace"))
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._outer.kill()
        self._outer.wait()
        with open(self._cgroup / "cgroup.events") as events:
            while "populated 1" in os.pread(events.fileno(), 4096, 0).decode():
                _wait_for_change(events.fileno())
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            os.rmdir(folder)

    def run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside, to its end."""
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
        assert not check or done.returncode == 0, (command, done)
        return done

    @property
    def root(self) -> Path:
        """The files as they are seen inside."""
        return Path(f"/proc/{self.init}/root")

    def write(self, path: str, text: str) -> None:
        """Make a file that is seen inside only."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def inside(self, *command: str | Path) -> list[str | Path]:
        """The command that runs ``command`` inside."""
        return ["nsenter", f"--target={self.init}", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--", *command]


def _cgroup_root() -> str:
    """Where this machine's control groups are; nowhere, perhaps."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[0] == "cgroup2":
            return left.split()[4]
    return ""


def _wait_for_change(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLPRI)
    poll.poll(PATIENCE * 1000)
