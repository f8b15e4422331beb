"""mypy and pyright, strict, over a folder of generated packages and code that uses them: what they find, by line."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

from tests.support import ROOT, need
from thriftserver.idl.loader import Loader
from thriftserver.stubs.package import Package, package, write

#: Findings by file, relative to the folder, and line.
Findings = dict[str, dict[int, list[str]]]

#: Seconds that a run over many packages may take where the machine has more to do.
TIMEOUT = 900


def made(idl: Path, include_dirs: Sequence[Path] = ()) -> Package:
    loader = Loader()
    return package(loader.load(str(idl), [str(folder) for folder in include_dirs]), loader)


def generate(folder: Path, *idls: Path) -> list[str]:
    """Write the packages of IDL files; their names."""
    packages = [made(idl) for idl in idls]
    write(packages, folder)
    return [each.name for each in packages]


def mypy(folder: Path, *targets: str) -> Findings:
    """Of files and packages in ``folder``; ours are taken as they are."""
    need(find_spec("mypy"), "mypy (pip install -e '.[test]')")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--config-file=",
        "--no-error-summary",
    ]
    done = _run([*command, "--hide-error-context", "--no-pretty", *targets], folder, {"MYPYPATH": str(ROOT)})
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: Findings = {}
    for line in done.stdout.splitlines():
        place = re.fullmatch(r"([^:]+):(\d+): (error: .+)", line)
        if place:
            found.setdefault(place[1], {}).setdefault(int(place[2]), []).append(place[3])
        else:
            assert ": note: " in line, line
    return found


def pyright(folder: Path, *targets: str) -> Findings:
    need(find_spec("pyright"), "pyright (pip install -e '.[test]')")
    settings = {
        "include": targets,
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "strict",
        "pythonVersion": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright"]
    with open(Path(gettempdir()) / "thriftserver-pyright.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first of several processes installs it
        _run([*command, "--version"], folder, {})
    command += ["--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = _run(command, folder, {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: Findings = {}
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= len(targets)
    for each in report["generalDiagnostics"]:
        file = str(Path(each["file"]).relative_to(folder.resolve()))
        line = each.get("range", {}).get("start", {}).get("line", -1) + 1
        found.setdefault(file, {}).setdefault(line, []).append(each["message"])
    return found


CHECKERS = {"mypy": mypy, "pyright": pyright}


def _run(command: list[str], folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | env
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)
