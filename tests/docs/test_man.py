"""The manual page: that of this version, of every command and option, without fault to those who format it."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

from tests.harness import PATIENCE, run
from tests.support import ROOT, need
from thriftserver.cli.main import COMMANDS
from thriftserver.config import OPTIONS, flag

PAGE = ROOT / "docs" / "thriftserver.1"


def formatted(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_is_current(tmp_path: Path) -> None:
    told = run(tmp_path, "man")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == PAGE.read_text(), "write it anew: thriftserver man > docs/thriftserver.1"


def test_it_has_every_command_and_option() -> None:
    text = PAGE.read_text().replace(r"\-", "-")
    assert re.findall(r"^\.SS (\w+)$", text, re.MULTILINE) == list(COMMANDS)
    for row in OPTIONS:
        name = flag(row.name if row.default is not True else f"no_{row.name}")
        assert re.search(rf"^\\fB.*{name}\b", text, re.MULTILINE), name
    assert len(re.findall(r"^\\fB.*--backlog\b", text, re.MULTILINE)) == 1, "the options of run are told once"


def test_mandoc_finds_no_fault() -> None:
    need(shutil.which("mandoc"), "mandoc (apt install mandoc)")
    command = ["mandoc", "-T", "lint", "-W", "warning", PAGE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    faults = [line for line in done.stdout.splitlines() if "missing date" not in line]  # a build has none that stays
    assert faults == []


def test_it_is_readable() -> None:
    need(shutil.which("mandoc"), "mandoc (apt install mandoc)")
    text = re.sub(r".\x08", "", formatted("mandoc", "-T", "utf8", "-O", "width=100", PAGE))
    assert re.search(r"^ +thriftserver .+ serve Apache Thrift services from IDL files", text, re.MULTILINE)
    assert re.search(r"^ +--workers, |^ +-w, --workers N$", text, re.MULTILINE)
    assert "thriftserver run --idl idl/calculator.thrift --handler handlers.calculator:Calculator\n" in text


def test_it_is_installed() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.data_files"]["share/man/man1"] == "docs/thriftserver.1"
