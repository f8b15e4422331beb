"""docs/systemd.md from its first command to its last: the shipped unit, its own user, folders of the sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Block, blocks
from tests.support import ROOT, need
from tests.systemd.sandbox import Sandbox

(PAGE,) = (page for page in PAGES if page.name == "systemd.md")

#: Lays an empty layer over what the page writes to; the sandbox's own folder for units stays on top.
LAYERS = """
mkdir /run/units && mount --bind /etc/systemd/system /run/units
for folder in opt etc; do
    layer=/run/layers/$folder
    mkdir -p $layer/new $layer/work
    mount -t overlay overlay -o lowerdir=/$folder,upperdir=$layer/new,workdir=$layer/work /$folder
done
mount --bind /run/units /etc/systemd/system
"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[tuple[Sandbox, Path]]:
    """A machine that has a clone, and nothing else of ours."""
    units, clone = tmp_path / "units", tmp_path / "clone"
    units.mkdir()
    (units / "unrelated.target").touch()
    ignore = shutil.ignore_patterns(".*", "node_modules", "build", "*.so", "*.egg-info", "tests")
    shutil.copytree(ROOT, clone, ignore=ignore)
    with Sandbox(units, [clone]) as machine:
        machine.run("sh", "-ec", LAYERS)
        yield machine, clone


def paste(machine: Sandbox, clone: Path, block: Block) -> str:
    """What a shell of root's says to the block. Without a compiler, which would take minutes."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env |= {"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "CC": "/nonexistent/cc"}
    command = machine.inside("bash", "-ec", f"cd {clone}\n{elsewhere(block.text)}")
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (str(block), done.stdout, done.stderr, journal(machine))
    return done.stdout


def elsewhere(text: str) -> str:
    """The network is this machine's, so the address is one of this process's own."""
    return text.replace("127.0.0.1:9090", f"127.9.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}:9090")


def journal(machine: Sandbox) -> str:
    machine.run("journalctl", "--sync", check=False)
    return machine.run("journalctl", "--output=cat", "--no-pager", check=False).stdout[-5000:]


@pytest.mark.timeout(600)
def test_every_step_from_nothing_to_a_service(empty: tuple[Sandbox, Path]) -> None:
    machine, clone = empty
    python = subprocess.run(
        ["/usr/bin/python3", "-c", "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"], check=False
    )
    need(python.returncode == 0, "the distribution's Python 3.11 with venv (apt install python3-venv)")
    said = ""
    for block in blocks(PAGE):
        if block.file.startswith("/"):
            machine.write(block.file[1:], elsewhere(block.text))
        elif block.language == "sh":
            said += paste(machine, clone, block)
    assert "active (running)" in said
    assert '"2 x pen"' in said
    user = machine.run("systemctl", "show", "--property=DynamicUser,User,Documentation", "thriftserver@orders").stdout
    assert "DynamicUser=yes" in user
    assert f"Documentation={metadata()['url']}" in user
    assert not Path("/etc/thriftserver").exists()
    assert not Path("/opt/thriftserver").exists()


def metadata() -> dict[str, str]:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return dict(setup["metadata"])
