"""The rules of docs/architecture.md that a machine can hold: who may import whom, and what each room must not know."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from thriftserver.compiled import PROTOCOLS

PACKAGE = ROOT / "thriftserver"

#: Bottom up: a room may import itself and what stands before it.
LAYERS = [
    "uncompiled",
    "compiled",
    "wire",
    "errors",
    "sealed",
    "places",
    "foreign",
    "closest",
    "quantities",
    "sans",
    "configfile",
    "config",
    "origins",
    "log",
    "scoreboard",
    "passing",
    "handoff",
    "keepalive",
    "waiting",
    "lookups",
    "peers",
    "proxied",
    "schema",
    "idl",
    "codec",
    "samples",
    "dialect",
    "rpc",
    "discovery",
    "client",
    "tracing",
    "loading",
    "reflection",
    "describing",
    "calling",
    "loadtest",
    "mocking",
    "capture",
    "profiling",
    "testing",
    "importing",
    "compat",
    "stubs",
    "scaffold",
    "assignment",
    "tls",
    "doctor",
    "worker",
    "admin",
    "registrar",
    "master",
    "cli",
    "__main__",
]

#: What importing a room must not bring along.
FORBIDDEN = {
    **{sans_io: ["gevent", "socket", "structlog", "click"] for sans_io in ("schema", "idl", "codec", "dialect", "rpc")},
    "master": [
        "gevent",
        "click",
        "thriftserver.worker",
        "thriftserver.admin",
        "thriftserver.rpc",
        "thriftserver.codec",
        "ssl",
    ],
    "client": ["gevent", "structlog", "click"],
    **{
        of_tools: ["gevent", "structlog", "click"]
        for of_tools in (
            "reflection",
            "describing",
            "calling",
            "loadtest",
            "mocking",
            "capture",
            "profiling",
            "doctor",
        )
    },
    "testing": ["gevent", "structlog", "click", "thriftserver.master"],
    "importing": ["gevent", "structlog", "click"],
    "compat": ["gevent", "structlog", "click", "thrift", "thriftpy2"],
    **{of_files: ["gevent", "structlog", "click"] for of_files in ("stubs", "scaffold")},
    "worker": ["click"],
    "tls": ["gevent", "click", "thriftserver.master", "thriftserver.worker"],
    "admin": ["click", "thriftserver.master"],
    "registrar": ["gevent", "click", "thriftserver.master", "http.client", "kazoo"],
    "cli": ["gevent"],
}

#: The one room (or file) that may import a library.
OWNERS = {
    "structlog": {"log"},
    "click": {"cli"},
    "dns": {"discovery"},
    "h11": {"dialect"},
    "kazoo": {"discovery"},
    "ply": {"idl"},
    "gevent": {"worker", "admin", "lookups"},
    "greenlet": {"worker"},
    "opentelemetry": {"tracing"},
    "prometheus_client": {"admin", "client"},
    "pytest": {"testing"},
    "setproctitle": {"master"},
    "ssl": {"client", "tls"},
}

FILES = sorted(PACKAGE.rglob("*.py"))
WALKERS = PACKAGE / "codec" / "walk"


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it, but for type checkers alone."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(each for body in node.body for each in ast.walk(body))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # The walkers are run in the package of each protocol: what they import from there is theirs to name.
            assert node.level == 0 or path.parent == WALKERS, f"{path}: relative import"
            found.add(f"{'thriftserver.codec.walk.' if node.level else ''}{node.module}")
            if node.module == "thriftserver":
                found.remove("thriftserver")
                found.update(f"thriftserver.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    allowed = set(LAYERS[: LAYERS.index(here) + 1])
    for name in imports(path):
        if name.startswith("thriftserver."):
            target = name.split(".")[1]
            if path == PACKAGE / "cli" / "run.py" and target == "worker":
                continue  # the composition root, and only in the child
            assert target in allowed or (here == "cli" and target == "__version__"), f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_live_in_one_room(path: Path) -> None:
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or room(path) in owners, f"{path} imports {name}"


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_room_alone_brings_nothing_it_must_not_know(name: str) -> None:
    modules = [
        module(path).replace(".walk.", f".{protocol}.")
        for path in FILES
        for protocol in PROTOCOLS
        if room(path) == name
    ]
    code = f"import sys, importlib\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not set(FORBIDDEN[name]) & set(loaded.split())


def test_no_import_cycles() -> None:
    graph = {}
    for path in FILES:
        name = module(path)
        graph[name] = {each for each in imports(path) if each.startswith("thriftserver.")}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for each in graph.get(name, ()):
                visit(each, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_rooms_are_of_a_size_to_read() -> None:
    for path in FILES:
        assert len(path.read_text().splitlines()) <= 420, path


def test_every_room_says_what_it_is_for() -> None:
    for path in FILES:
        if path.stat().st_size:
            assert ast.get_docstring(ast.parse(path.read_text())), path


def test_no_room_is_called_helpers() -> None:
    assert not [path for path in FILES if path.stem in ("utils", "util", "helpers", "common", "misc")]
