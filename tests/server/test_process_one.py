"""A master that is process 1, as in a container without an init."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.harness import Server
from tests.server.raw import note
from tests.server.services import ARGS, HANDLER, write_demo
from tests.support import need

#: A process of its own for every PID namespace, and a /proc that knows it.
ALONE = ("unshare", "--fork", "--kill-child", "--pid", "--mount-proc")
#: Leaves a process behind that nobody waits for.
ORPHANING = """
    def note(self, text):
        import subprocess
        subprocess.run(["sh", "-c", "sleep 0.5 &"], check=True)
"""


def children(pid: int) -> dict[int, str]:
    """Pids and names of the children of a process."""
    found = {}
    for each in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        try:
            found[each] = Path(f"/proc/{each}/comm").read_text().strip()
        except FileNotFoundError:
            continue
    return found


def test_it_collects_strangers_and_refuses_to_be_replaced(tmp_path: Path) -> None:
    need(os.geteuid() == 0, "to be run by root")
    write_demo(tmp_path, HANDLER + ORPHANING)
    with Server(*ARGS, cwd=tmp_path, prefix=ALONE) as server:
        (master,) = children(server.pid)
        assert server.found("starting", pid=1)
        note(server, "orphan")
        server.eventually(lambda: "sleep" in children(master).values(), "an orphan")
        (orphan,) = [pid for pid, name in children(master).items() if name == "sleep"]
        server.eventually(lambda: not Path(f"/proc/{orphan}").exists(), "its end, not left as a zombie")
        os.kill(master, signal.SIGUSR2)
        assert "process 1" in server.wait("upgrade_failed")["reason"]
        os.kill(master, signal.SIGHUP)
        server.wait("reloaded")
        os.kill(master, signal.SIGTERM)
        assert server.exit_code() == 0
