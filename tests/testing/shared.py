"""A handler that the real server can import, too, and pytest run on a file of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import thriftserver
from tests.support import ROOT

IDL = "service Demo { i32 half(1: i32 x), i32 wrong(), oneway void note(1: string text), i32 served_by() }"


class Demo:
    def half(self, x: int) -> int:
        if x % 2:
            raise ValueError(f"{x} is odd")
        return x // 2

    def wrong(self) -> Any:
        return "text"

    def note(self, text: str) -> None:
        raise KeyError(text)

    def served_by(self) -> int:
        return os.getpid()


def doubled(call: Any, proceed: Callable[[], Any]) -> Any:
    return proceed() * (2 if thriftserver.current_call().method == "half" else 1)


def run_pytest(folder: Path, tests: str, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Run these tests in a folder, with our plugin and, unless arguments name others, no other one."""
    (folder / "demo.thrift").write_text(IDL)
    (folder / "test_demo.py").write_text(f"from tests.testing.shared import Demo\n\n{tests}")
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    # With CI set, pytest prints each failure's message a second time.
    ours = ("PYTEST", "CI", "BUILD_NUMBER")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "thriftserver.testing.plugin", *arguments],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
