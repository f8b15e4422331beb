"""The table of commands, from which help and completion are made without importing any."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from tests.support import ROOT
from thriftserver.cli.main import COMMANDS, cli


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_no_command_is_left_out() -> None:
    folder = ROOT / "thriftserver" / "cli"

    def has_command(path: Path) -> bool:
        text = path.read_text()
        return f"\ndef {path.stem}(" in text and ("@click.command(" in text or "@click.group(" in text)

    found = {path.stem for path in folder.glob("*.py") if has_command(path)}
    assert found == {*COMMANDS, "profile", "main"}  # one of ctl's, and the group of all


def test_help_imports_none_of_them() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from thriftserver.cli.main import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "print(*(name for name in sys.modules if name.startswith('thriftserver.cli.')))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "thriftserver.cli.main"
    for name, text in COMMANDS.items():
        assert f"  {name}" in said
        assert text in said
