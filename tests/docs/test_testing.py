"""docs/testing.md: every file that it shows, in one folder, is tested by pytest, and by unittest what is for that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import PAGES, blocks
from tests.support import ROOT

(PAGE,) = (page for page in PAGES if page.name == "testing.md")


def test_what_the_page_shows(tmp_path: Path) -> None:
    shown = list(blocks(PAGE))
    assert shown
    for block in shown:
        assert block.file, f"{block} is in no file"
        (tmp_path / block.file).write_text(block.text)
    (tmp_path / "test_session.py").write_text("def test(users): assert users.client.get_user(1).id == 1\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env = kept | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    plugins = ("-p", "thriftserver.testing.plugin", "-p", "no:cacheprovider")
    for command, said in (
        (["pytest", *plugins, "-W", "error"], f"{PAGE.read_text().count('def test_') + 1} passed"),
        (["unittest", "test_with_unittest"], "\nOK\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert said in done.stdout + done.stderr, done.stdout + done.stderr
