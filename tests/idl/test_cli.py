"""``thriftserver idl check``, ``idl dump`` and ``idl diff`` as commands."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support import ROOT
from thriftserver.cli.idl import idl


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "part.thrift").write_text("struct P { 1: i32 x = 4 }")
    (tmp_path / "good.thrift").write_text('include "part.thrift"\nconst part.P ORIGIN = {}\n')
    (tmp_path / "bad.thrift").write_text("struct A { 1: Nope n }\n")
    (tmp_path / "warn.thrift").write_text("struct A { i32 n }\n")
    return CliRunner()


def test_check_says_what_is_wrong(run: CliRunner) -> None:
    done = run.invoke(idl, ["check", "bad.thrift", "good.thrift", "warn.thrift", "-I", "lib"])
    assert done.exit_code == 1
    assert "bad.thrift:1:15: error: unknown type `Nope`" in done.stdout
    assert "warn.thrift:1:16: warning: " in done.stdout
    assert done.stdout.endswith("1 error, 1 warning\n")
    assert "\x1b" not in done.stdout


def test_check_is_content(run: CliRunner) -> None:
    done = run.invoke(idl, ["check", "good.thrift", "warn.thrift", "-I", "lib"])
    assert done.exit_code == 0
    assert done.stdout.endswith("ok: 2 files without errors\n")


def test_dump_prints_json(run: CliRunner) -> None:
    done = run.invoke(idl, ["dump", "good.thrift", "-I", "lib"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["consts"] == {"ORIGIN": {"type": "part.P", "value": {"x": 4}}}


def test_dump_writes_a_file(run: CliRunner) -> None:
    done = run.invoke(idl, ["dump", "good.thrift", "--include", "lib", "-o", "out.json"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert json.loads(Path("out.json").read_text())["module"] == "good"


def test_dump_of_a_broken_file_writes_nothing(run: CliRunner) -> None:
    done = run.invoke(idl, ["dump", "bad.thrift", "-o", "out.json"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "unknown type `Nope`" in done.stderr
    assert not Path("out.json").exists()


def test_diff_says_what_breaks_first(run: CliRunner) -> None:
    Path("new.thrift").write_text('include "part.thrift"\nstruct Q { 1: i32 x }\nservice S { i64 f(2: part.P p) }\n')
    Path("old.thrift").write_text('include "part.thrift"\nstruct Q { 1: i32 y }\nservice S { i64 f(1: part.P p) }\n')
    done = run.invoke(idl, ["diff", "old.thrift", "new.thrift", "-I", "lib"])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "new.thrift:3: breaking: S.f(1: p): moved from id 1 to 2 (was old.thrift:3) [id-changed]",
        "new.thrift:2: compatible: old.Q.y: is now called `x`; no method of both versions uses it (was old.thrift:2) "
        "[field-renamed]",
        "1 breaking, 1 compatible",
    ]


def test_diff_as_json(run: CliRunner) -> None:
    Path("old.thrift").write_text("struct A { 1: string n }\n")
    Path("new.thrift").write_text("struct A { 1: binary n }\nenum E { X = 1 }\n")
    done = run.invoke(idl, ["diff", "--json", "old.thrift", "new.thrift"])
    assert done.exit_code == 0
    data = json.loads(done.stdout)
    first, second = data.pop("changes")
    assert data == {"breaking": 0, "compatible": 2}
    assert (first["severity"], first["rule"], first["path"]) == ("compatible", "string-or-binary", "old.A.n")
    assert (first["old"], first["used"]) == ({"file": "old.thrift", "line": 1, "column": 22}, False)
    assert (second["rule"], second["old"], second["new"]["line"]) == ("definition-added", None, 2)


def test_diff_of_equal_files_is_content(run: CliRunner) -> None:
    done = run.invoke(idl, ["diff", "good.thrift", "good.thrift", "-I", "lib"])
    assert (done.exit_code, done.stdout) == (0, "no changes\n")


@pytest.mark.parametrize("files", [["bad.thrift", "good.thrift"], ["good.thrift", "bad.thrift"]])
def test_diff_of_a_broken_file_says_so(run: CliRunner, files: list[str]) -> None:
    done = run.invoke(idl, ["diff", *files, "-I", "lib"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "bad.thrift:1:15: error: unknown type `Nope`" in done.stderr


@pytest.mark.parametrize("plain", [False, True])
def test_diff_on_a_terminal_is_coloured(run: CliRunner, plain: bool) -> None:
    Path("old.thrift").write_text("struct A { 1: string n }\n")
    Path("new.thrift").write_text("struct A { 1: i32 n }\n")
    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "thriftserver", "idl", "diff", "old.thrift", "new.thrift"]
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=terminal, env=env | ({"NO_COLOR": "1"} if plain else {}), check=False)
    os.close(terminal)
    shown = os.read(master, 10_000).decode()
    os.close(master)
    assert done.returncode == 1
    assert ("\x1b[31m\x1b[1mbreaking:" in shown) is not plain
    assert "`string` became `i32`" in shown


@pytest.mark.parametrize(
    "command", [["check"], ["dump"], ["dump", "a", "b"], ["diff"], ["diff", "a"], ["check", "--nope", "x"], ["nope"]]
)
def test_wrong_use_is_exit_2(run: CliRunner, command: list[str]) -> None:
    assert run.invoke(idl, command).exit_code == 2


def test_a_missing_file_is_an_error_like_any_other(run: CliRunner) -> None:
    done = run.invoke(idl, ["check", "nowhere.thrift"])
    assert done.exit_code == 1
    assert done.stdout == "nowhere.thrift: error: cannot read this file: no such file or directory\n\n1 error\n"
    assert run.invoke(idl, ["dump", "good.thrift", "-I", "lib", "-o", "no/such/folder"]).exit_code == 1
