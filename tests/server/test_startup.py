"""What a start costs, as far as it can be said without a clock: nothing is imported that serving does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server
from tests.support import ROOT
from thriftserver import load
from thriftserver.compiled import NATIVE
from thriftserver.worker.patch import plugins

IDL = "service Startup { list<string> modules() list<string> heard() }"
HANDLER = """
import sys

heard = []


class Impl:
    def modules(self):
        return sorted(sys.modules)

    def heard(self):
        return heard
"""
ARGS = ("--idl", "startup.thrift", "--handler", "startup:Impl")

#: Each of them takes 2 ms or more, and is needed only for what a start does not do.
RARE = {
    "asyncio",
    "difflib",
    "encodings.idna",
    "gevent.threadpool",
    "h11",
    "importlib.metadata",
    "thriftserver.admin",
    "thriftserver.client.conversation",
    "thriftserver.client.lines",
    "thriftserver.schema.compat",
    "tomllib",
}
#: What compiled rooms have no use for.
UNCOMPILED = {
    "Cython",
    "cython",
    "thriftserver.codec.binary.record",
    "thriftserver.codec.compact.record",
    "thriftserver.rpc.processor",
    "thriftserver.worker.pump",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "startup.thrift").write_text(IDL)
    (tmp_path / "startup.py").write_text(HANDLER)
    return tmp_path


def ask(server: Server, folder: Path, method: str) -> Any:
    with load(folder / "startup.thrift").Startup.Client(server.host, server.port) as client:
        return getattr(client, method)()


def test_a_worker_has_imported_nothing_that_is_rarely_needed(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        loaded = set(ask(server, folder, "modules"))
    assert loaded & (RARE | (UNCOMPILED if NATIVE else set())) == set()
    assert {"ssl", "gevent.ssl"} <= loaded  # patched, not left out


def test_plugins_are_those_that_importlib_finds() -> None:
    every = [point for package in metadata.distributions() for point in package.entry_points]
    found = {(each.group, each.module, each.attr) for each in every if each.group.startswith("gevent.plugins.")}
    assert found == set(plugins(sys.path))
    assert found  # gevent announces one itself


def test_plugins_hear_of_the_patch(folder: Path) -> None:
    announced = folder / "plugin-1.0.dist-info" / "entry_points.txt"
    announced.parent.mkdir()
    announced.write_text(
        "[console_scripts]\nother = nowhere:main\n\n"
        "[gevent.plugins.monkey.will_patch_module]\n# a comment\nmine = plugin:tell.will [extra]\n"
        "[gevent.plugins.monkey.did_patch_all]\nmine=plugin:tell.did\n"
    )
    (folder / "plugin.py").write_text(
        "import startup\n\n\n"
        "class tell:\n"
        "    def will(event): startup.heard.append(event.module_name)\n"
        "    def did(event): startup.heard.append('done')\n"
    )
    with Server(*ARGS, cwd=folder, env={"PYTHONPATH": f"{folder}:{ROOT}"}) as server:
        heard = ask(server, folder, "heard")
    assert {"socket", "ssl", "threading"} <= set(heard)
    assert heard[-1] == "done"
    assert heard.count("done") == 1


def test_structlog_finds_asyncio_when_it_needs_it() -> None:
    script = """
import sys
from thriftserver import log
log.configure()
log.Logger().info("before")
assert not {"asyncio", "ssl"} & set(sys.modules)
import asyncio, structlog
asyncio.run(structlog.get_logger().ainfo("within"))
assert sys.modules["asyncio"].__spec__ is not None
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["before", "within"]


def test_structlog_may_be_the_first_to_use_asyncio() -> None:
    script = """
import sys
from thriftserver import log
log.configure()
import structlog
said = structlog.get_logger().ainfo("alone")
try:
    said.send(None)
except RuntimeError as error:
    print(error)
print("asyncio" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["no running event loop", "True"]
