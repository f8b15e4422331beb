"""``thriftserver idl check`` and ``idl dump`` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

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


@pytest.mark.parametrize("command", [["check"], ["dump"], ["dump", "a", "b"], ["check", "--nope", "x"], ["nope"]])
def test_wrong_use_is_exit_2(run: CliRunner, command: list[str]) -> None:
    assert run.invoke(idl, command).exit_code == 2


def test_a_missing_file_is_an_error_like_any_other(run: CliRunner) -> None:
    done = run.invoke(idl, ["check", "nowhere.thrift"])
    assert done.exit_code == 1
    assert done.stdout == "nowhere.thrift: error: cannot read this file: no such file or directory\n\n1 error\n"
    assert run.invoke(idl, ["dump", "good.thrift", "-I", "lib", "-o", "no/such/folder"]).exit_code == 1
