"""What bash, zsh and fish offer when Tab is pressed: commands, options, methods and fields of files and servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.completion.shells import SHELLS, bash, fish, zsh
from tests.harness import Server, run
from tests.reflection.bank import BOTH, write_bank
from thriftserver.cli.main import COMMANDS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with Server(*BOTH, cwd=folder) as server:
        yield f"{server.host}:{server.port}"


def offered(shell: str, folder: Path, line: str) -> list[str]:
    """The words alone."""
    mark = {"bash": "\0", "zsh": ":", "fish": "\t"}[shell]
    return sorted(word.partition(mark)[0].replace("\\", "") for word in SHELLS[shell](folder, line) if word)


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_options(shell: str, folder: Path) -> None:
    assert offered(shell, folder, "thriftserver ") == sorted(COMMANDS)
    assert offered(shell, folder, "thriftserver c") == sorted(name for name in COMMANDS if name[0] == "c")
    assert offered(shell, folder, "thriftserver run --max-r") == [
        "--max-requests",
        "--max-requests-jitter",
        "--max-rss",
    ]
    assert offered(shell, folder, "thriftserver run --log-format ") == ["auto", "console", "json"]
    assert offered(shell, folder, "thriftserver call --dialect http-") == ["http-binary", "http-compact", "http-json"]
    assert offered(shell, folder, "thriftserver ctl --control x st")[:1] == ["stacks"]


@pytest.mark.parametrize("shell", SHELLS)
def test_methods_and_fields_of_a_file(shell: str, folder: Path) -> None:
    line = "thriftserver call --idl bank.thrift -I inc localhost:1 "
    assert offered(shell, folder, line) == ["audit", "count", "open", "sorted", "told"]
    assert offered(shell, folder, f"{line}Bank.o") == ["Bank.open"]
    assert offered(shell, folder, "thriftserver bench --idl bank.thrift -I inc x:1 open so") == ["sorted"]
    assert "owner." in offered(shell, folder, f"{line}open ")
    assert "owner.name=" in offered(shell, folder, f"{line}open owner.")


@pytest.mark.parametrize("shell", SHELLS)
def test_methods_and_fields_of_a_live_server(shell: str, folder: Path, address: str) -> None:
    line = f"thriftserver call {address} "
    assert offered(shell, folder, f"{line}s") == ["sorted", "strike"]
    assert offered(shell, folder, f"{line}Mint.") == ["Mint.strike"]
    fields = offered(shell, folder, f"{line}sorted everything.n")
    assert [word for word in fields if word.startswith("everything")] == [
        "everything.names=",
        "everything.number=",
        "everything.numbers=",
    ]
    values = offered(shell, folder, f"{line}sorted everything.colour=")
    assert [word.rpartition("=")[2] for word in values] == ["BLUE", "RED"]
    assert "Bank" in offered(shell, folder, f"thriftserver describe {address} B")


def test_what_they_are_is_told(folder: Path, address: str) -> None:
    line = f"thriftserver call {address} "
    assert fish(folder, f"{line}stri") == ["strike\tMint.strike() -> mint.money.Coin"] or fish(folder, f"{line}stri")[
        0
    ].startswith("strike\t")
    assert zsh(folder, "thriftserver new")[0] == f"new:{COMMANDS['new']}"


def test_bash_goes_on_behind_what_it_splits_at(folder: Path, address: str) -> None:
    line = f"thriftserver call {address} sorted everything.flag="
    assert bash(folder, f"{line}t") == ["true"]
    assert bash(folder, f"{line}tr") == ["true"]
    assert bash(folder, f"thriftserver call {address} sorted everything.f") == [
        "compopt -o nospace",
        "everything.flag=",
    ]
    assert bash(folder, "thriftserver call --dialect=fr") == ["framed-binary", "framed-compact", "framed-json"]


def test_arguments_that_are_given_are_not_offered_again(folder: Path) -> None:
    (folder / "two.thrift").write_text("service Two { i32 add(1: i32 a, 2: i32 b) }\n")
    line = "thriftserver call --idl two.thrift x:1 add"
    assert fish(folder, f"{line} ") == ["a=\ti32", "b=\ti32"]
    assert fish(folder, f"{line} a=1 ") == ["b=\ti32"]


def test_docs_of_strangers_steer_no_terminal(folder: Path) -> None:
    (folder / "evil.thrift").write_text("service Evil { i32 add(/** \x1b]0;mine\x07 */ 1: i32 a) }\n")
    line = "thriftserver call --idl evil.thrift x:1 add "
    assert fish(folder, line) == ["a=\ti32: \\x1b]0;mine\\x07"]
    assert zsh(folder, line) == ["a="]


def test_rules_of_mocks(folder: Path) -> None:
    assert "open=" in bash(folder, "thriftserver mock --idl bank.thrift -I inc --delay ")


@pytest.mark.parametrize("shell", SHELLS)
def test_files(shell: str, folder: Path) -> None:
    said = SHELLS[shell](folder, "thriftserver run --idl ba")
    expected = {"bash": "compopt -o default", "zsh": "_path_files -f", "fish": "bank.thrift"}
    assert expected[shell] in said
    said = SHELLS[shell](folder, "thriftserver generate bank.thrift -o i")
    expected = {"bash": "compopt -o dirnames", "zsh": "_path_files -/", "fish": "inc/"}
    assert any(line.startswith(expected[shell]) for line in said)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "line",
    [
        "thriftserver call 127.0.0.1:1 ",  # nobody listens there
        "thriftserver call --idl away.thrift x:1 ",
        "thriftserver call --idl broken.thrift x:1 ",
        "thriftserver call --idl bank.thrift x:1 nothing ",
        "thriftserver call : ",
        "thriftserver call --timeout",
        "thriftserver call 'unclosed ",
        "thriftserver call --idl bank.thrift -I inc x:1 open owner.name.more.",
    ],
)
def test_errors_are_silent(shell: str, folder: Path, line: str) -> None:
    (folder / "broken.thrift").write_text("struct {")
    quoted = "'unclosed" in line and shell == "zsh"  # zsh closes it in the words that it gives
    expected = ["--timeout"] if line.endswith("--timeout") else []
    assert offered(shell, folder, line.replace("'", "") if quoted else line) == expected


def test_nothing_is_imported_that_is_not_needed(folder: Path) -> None:
    code = (
        "import os, sys\n"
        "os.environ.update(_THRIFTSERVER_COMPLETE='bash_complete', COMP_LINE='thriftserver ')\n"
        "from thriftserver.cli.main import main\n"
        "main()\n"
        "known = [name for name in sys.modules if name.startswith(('thriftserver.', 'gevent', 'structlog', 'ply'))]\n"
        "print(sorted(known))\n"
    )
    import subprocess
    import sys

    from tests.support import ROOT

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str(
        [
            "thriftserver.cli",
            "thriftserver.cli.completing",
            "thriftserver.cli.main",
            "thriftserver.cli.paint",
            "thriftserver.errors",
            "thriftserver.wire",
        ]
    )


def test_an_unknown_shell_is_refused(folder: Path) -> None:
    done = run(folder, "completion", "tcsh")
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
