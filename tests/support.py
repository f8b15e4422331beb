"""What several test rooms share: the rule for missing counterparts, and where things lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: Test data too large or too foreign for this repository: the IDL corpus, Apache's ThriftTest.thrift.
SHARED = Path(os.environ.get("SHARED_TEST_DATA", ROOT.parent / "shared"))
#: Where npm puts the packages of tests/interop/node/package.json.
NODE_MODULES = ROOT / "tests" / "interop" / "node" / "node_modules"


def need(present: object, what: str) -> None:
    """Skip with one line where a counterpart is missing on a newcomer's machine; fail where CI must have it.

    ``what`` completes "this test needs ...", for instance ``"thrift-compiler (apt install thrift-compiler)"``.
    """
    if present:
        return
    message = f"this test needs {what}"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(message)
    pytest.skip(message)


def need_node(package: str) -> None:
    """Node, and one of the packages in ``NODE_MODULES``."""
    need(shutil.which("node"), "Node (apt install nodejs npm)")
    need((NODE_MODULES / package).is_dir(), f"npm's {package} (npm install --prefix tests/interop/node)")
