"""Two projects as somebody has them, run as they are and with their imports changed: they print the same."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, blocks
from tests.harness import PATIENCE, Server
from tests.harness import run as thriftserver
from tests.interop.counterparts import compile_idl
from tests.support import ROOT

HERE = Path(__file__).parent
(PAGE,) = (page for page in PAGES if page.name == "migrating.md")
#: What the page has for an included file, which Apache's compiler makes a package of.
INCLUDED = r"s/^( *)from money\b/\1from thriftserver.compat.apache.gen_py.shop.money/"


def replacement(title: str) -> str:
    """The program for sed that a section of the page gives."""
    (found,) = (
        match[1]
        for block in blocks(PAGE)
        if block.section == title
        for match in re.finditer(r"^sed -E -i '(.*)' \w+\.py$", block.text, re.MULTILINE)
    )
    return found


def printed(folder: Path, port: int) -> list[str]:
    """What the project prints; it also gets a port where nobody listens."""
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        command = [sys.executable, "main.py", str(port), str(dead.getsockname()[1])]
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def both_ways(project: str, folder: Path, change: list[str]) -> tuple[list[str], list[str]]:
    """What it prints before and after its imports are changed, each time with a server of its own."""
    for name in ("shop.thrift", "money.thrift", "shop_handler.py"):
        shutil.copy(HERE / name, folder)
    before, after = folder / "before", folder / "after"
    for each in (before, after):
        shutil.copytree(HERE / project, each)
        for name in ("shop.thrift", "money.thrift"):
            shutil.copy(HERE / name, each)
    if project == "apache_project":
        compile_idl("py", before / "shop.thrift", before)
        done = thriftserver(after, "generate", "shop.thrift")
        assert done.returncode == 0, done.stderr
    files = sorted(after.glob("*.py"))
    subprocess.run(["sed", "-E", "-i", ";".join(change), *map(str, files)], check=True)
    for path in files:
        assert not re.search(r"^\s*(from|import) (thrift|thriftpy2)\b", path.read_text(), re.MULTILINE)
        old, new = ((each / path.name).read_text().splitlines() for each in (before, after))
        changed = [line for line, other in zip(old, new, strict=True) if line != other]
        assert all(re.match(r"\s*(from|import) ", line) for line in changed), changed
    said = []
    for each in (before, after):
        handlers = [part for name in ("Shop", "Till") for part in ("--handler", f"{name}=shop_handler:{name}")]
        with Server("--idl", "shop.thrift", *handlers, "-w", "1", "--http", cwd=folder) as server:
            said.append(printed(each, server.port))
    return said[0], said[1]


def test_a_project_of_thriftpy2(tmp_path: Path) -> None:
    before, after = both_ways("thriftpy2_project", tmp_path, [replacement("Client code of thriftpy2")])
    assert after == before
    assert {"too slow: True", "nobody there: True", "the server has left", "does not fit"} <= set(after)


def test_a_project_of_apache(tmp_path: Path) -> None:
    change = [replacement("Client code of Apache's library"), INCLUDED]
    before, after = both_ways("apache_project", tmp_path, change)
    assert after == before
    assert {"too slow: True", "nobody there: True", "open twice: True", "the server has left"} <= set(after)


@pytest.mark.parametrize("library", ["thriftpy2", "apache"])
def test_nothing_of_the_other_library_is_imported(library: str) -> None:
    """A project that has changed its imports can do without."""
    code = (
        "import importlib, pkgutil, sys\n"
        f"import thriftserver.compat.{library} as top\n"
        "for each in pkgutil.walk_packages(top.__path__, top.__name__ + '.'): importlib.import_module(each.name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'thrift', 'thriftpy2', 'gevent'})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
