"""``run --print-config`` and ``--check-config``: what is in force and where it comes from, without serving."""

from __future__ import annotations

import signal
import socket
import tomllib
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.server.services import ARGS
from tests.support import ROOT
from thriftserver.config import OPTIONS, Settings
from thriftserver.origins import resolve


def test_print_config_shows_every_option_with_its_origin_in_one_column(folder: Path) -> None:
    (folder / "t.toml").write_text("backlog = 7\n")
    shown = run(folder, "run", *ARGS, "-c", "t.toml", "--print-config", THRIFTSERVER_TIMEOUT="1500ms")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = dict(line.split(" = ", 1) for line in shown.stdout.splitlines())
    assert list(lines) == [row.name for row in OPTIONS]
    origins = {name: tuple(part.strip() for part in rest.split("  # ")) for name, rest in lines.items()}
    assert origins["idl"] == ('["demo.thrift"]', "--idl")
    assert origins["timeout"] == ("1.5", "environment variable THRIFTSERVER_TIMEOUT")
    assert origins["backlog"] == ("7", "t.toml: backlog")
    assert origins["workers"] == ("1", "default")
    assert len({line.rindex("# ") for line in shown.stdout.splitlines()}) == 1


def test_what_print_config_prints_can_be_used_as_a_file(folder: Path) -> None:
    args = ("--method-timeout", "Demo.add=200ms", "--max-frame", "64k", "--access-sample", "5%", "--no-monkey-patch")
    shown = run(folder, "run", *ARGS, *args, "--middleware", 'a:"b"', "--debug", "--print-config").stdout
    assert set(tomllib.loads(shown)) == {row.name for row in OPTIONS}
    (folder / "again.toml").write_text(shown)
    expected = Settings(
        idl=("demo.thrift",),
        handler=("demo:Impl",),
        method_timeout=(("Demo.add", 0.2),),
        max_frame=65536,
        access_sample=0.05,
        monkey_patch=False,
        middleware=('a:"b"',),
        debug=True,
    )
    assert resolve({}, str(folder / "again.toml"), {})[0] == expected


def test_check_config_says_ok_and_binds_nothing(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        checked = run(folder, "run", *ARGS, "--check-config", "--bind", bind, THRIFTSERVER_WORKER="3")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == (
        f"warning: THRIFTSERVER_WORKER is ignored; is THRIFTSERVER_WORKERS meant?\nok: Demo on {bind}, workers: 1\n"
    )


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "no IDL to serve"),
        ((*ARGS, "--workers", "0"), 2, "--workers: '0' is not a whole number"),
        ((*ARGS, "--bind", "nowhere"), 2, "cannot listen on 'nowhere'"),
        ((*ARGS, "--admin", "nowhere"), 2, "cannot listen on 'nowhere'"),
        ((*ARGS, "--dialect", "framed-bianry"), 2, "--dialect: 'framed-bianry'"),
        ((*ARGS, "--http-cors", "*"), 2, "--http-cors needs --http"),
        ((*ARGS, "--http", "--http-cors", "https://example.com/page"), 2, "--http-cors: 'https://example.com/page' is"),
        (("--idl", "bad.thrift", "--handler", "demo:Impl"), 4, "bad.thrift:1"),
    ],
)
def test_check_config_tells_what_is_wrong(folder: Path, args: tuple[str, ...], code: int, message: str) -> None:
    (folder / "bad.thrift").write_text("struct {")
    checked = run(folder, "run", *args, "--check-config")
    assert (checked.returncode, checked.stdout) == (code, "")
    assert message in checked.stderr
    assert "Traceback" not in checked.stderr


def test_both_print_first(folder: Path) -> None:
    both = run(folder, "run", "--print-config", "--check-config")
    assert both.returncode == 2
    assert both.stdout.startswith("idl = []")
    assert "no IDL to serve" in both.stderr


@pytest.mark.parametrize("args", [("--http",), ("--dialect", "http"), ("--http", "--dialect", "header")], ids=" ".join)
def test_http_can_be_chosen(folder: Path, args: tuple[str, ...]) -> None:
    checked = run(folder, "run", *ARGS, *args, "--http-cors", "*", "--check-config")
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("checking", [("--check-config",), ()], ids=["check", "run"])
@pytest.mark.parametrize("args", [("--http",), ("--dialect", "http")], ids=" ".join)
def test_http_without_its_library(folder: Path, args: tuple[str, ...], checking: tuple[str, ...]) -> None:
    ended = run(folder, "run", *ARGS, *args, *checking, PYTHONPATH=without_h11(folder))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "pip install 'thriftserver[http]'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_reload_to_http_without_its_library_is_rejected(folder: Path) -> None:
    (folder / "t.toml").write_text("")
    with Server(*ARGS, "-c", "t.toml", cwd=folder, env={"PYTHONPATH": without_h11(folder)}) as server:
        (folder / "t.toml").write_text("http = true\n")
        server.signal(signal.SIGHUP)
        assert "pip install 'thriftserver[http]'" in server.wait("reload_rejected")["reason"]
        assert server.alive()


def without_h11(folder: Path) -> str:
    """A path for imports with which Python finds no h11."""
    hiding = folder / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text("import sys\nsys.modules['h11'] = None\n")
    return f"{hiding}:{ROOT}"
