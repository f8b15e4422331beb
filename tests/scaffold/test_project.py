"""``thriftserver new``: what it makes is tested, typed, served and called as its README says; nothing is half made."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.conftest import elsewhere, installed  # noqa: F401  # fixtures
from tests.docs.pages import blocks
from tests.docs.reader import Reader
from tests.harness import PATIENCE, run
from tests.support import need
from thriftserver.errors import ConfigError
from thriftserver.scaffold.project import FILES, Names, make


@pytest.mark.timeout(300)
def test_a_project_works_as_its_readme_says(
    tmp_path: Path,
    elsewhere: Callable[[str], str],  # noqa: F811
    installed: dict[str, str],  # noqa: F811
) -> None:
    need(shutil.which("mypy", path=installed["PATH"]), "mypy (pip install -e '.[test]')")
    done = run(tmp_path, "new", "my-orders")
    assert (done.returncode, done.stderr) == (0, "Next: cd my-orders, and what its README.md says.\n")
    project = tmp_path / "my-orders"
    made = [path.relative_to(tmp_path).as_posix() for path in project.rglob("*") if path.is_file()]
    assert done.stdout.split() == sorted(made)

    def change(text: str) -> str:
        """Everything is installed, and who runs these tests has options for pytest in the environment."""
        text = re.sub(r"^(python3 -m venv|\. \.venv).*\n", ":\n", text, flags=re.MULTILINE)
        text = text.replace("pytest &&", "PYTEST_ADDOPTS= pytest -n 0 &&")
        text = text.replace("thriftserver.toml", "thriftserver.toml --bind 127.0.0.1:9090") if " run " in text else text
        return elsewhere(text)

    with Reader(project, installed | {"MYPYPATH": installed["PYTHONPATH"]}, change) as reader:
        reader.follow(blocks(project / "README.md"))
    _, tested, called, generated = reader.said
    assert "2 passed" in tested
    assert "Success: no issues found in 2 source files" in tested
    assert called == '{\n  "text": "Hello, Ada!",\n  "letters": 3\n}\n'
    assert "my_orders: up to date\n" in generated
    assert "ok: app:Handler answers every method of MyOrdersService (1)" in generated


def test_ruff_has_nothing_to_say(tmp_path: Path) -> None:
    ruff = Path(sys.executable).parent / "ruff"
    need(ruff.exists(), "ruff (pip install -e '.[lint]')")
    for name in ("aa", "zz-top"):
        make(tmp_path / name)
        for command in (["check", "--select", "E,F,I,UP"], ["format", "--check"]):
            done = subprocess.run(
                [ruff, *command, "app.py", "tests"], cwd=tmp_path / name, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout


def test_the_unit_is_one(tmp_path: Path) -> None:
    need(shutil.which("systemd-analyze"), "systemd-analyze (apt install systemd)")
    make(tmp_path / "orders")
    unit = tmp_path / "orders" / "orders.service"
    there = unit.read_text().replace("/opt/orders/.venv/bin/thriftserver", "/bin/true")
    unit.write_text(there)
    command = ["systemd-analyze", "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_has_what_is_served(tmp_path: Path) -> None:
    make(tmp_path / "orders")
    lines = (tmp_path / "orders" / "Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    assert copied == {"requirements.txt", "thriftserver.toml", "app.py", "orders"}
    assert all((tmp_path / "orders" / each).exists() for each in copied)


@pytest.mark.parametrize(
    ("name", "package", "service"),
    [
        ("orders", "orders", "OrdersService"),
        ("my-orders", "my_orders", "MyOrdersService"),
        ("Order_Service", "order_service", "OrderService"),
        ("service", "service", "Service"),
        ("greeting", "greeting", "GreetingService"),
    ],
)
def test_names(name: str, package: str, service: str) -> None:
    assert Names.of(name) == (name, package, service)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1st", "write letters"),
        ("a b", "write letters"),
        ("-x", "write letters"),
        ("é", "write letters"),
        ("", "write letters"),
        ("class", "keyword"),
        ("json", "Python module json already"),
        ("Click", "Python module click already"),
        ("app", "Python module app already"),
    ],
)
def test_names_that_cannot_be(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make(tmp_path / "projects" / name if name else Path())
    assert not (tmp_path / "projects").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    make(tmp_path / "orders")  # an empty one is taken
    (tmp_path / "orders" / "app.py").write_text("mine\n")
    done = run(tmp_path, "new", "orders")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: orders exists already; choose another name\n"
    assert (tmp_path / "orders" / "app.py").read_text() == "mine\n"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "new", "file/orders")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_have_the_permissions_of_new_ones(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        make(tmp_path / "orders")
    finally:
        os.umask(before)
    assert (tmp_path / "orders").stat().st_mode & 0o777 == 0o750
    assert {(tmp_path / "orders" / each).stat().st_mode & 0o777 for each in ("app.py", "orders/__init__.py")} == {0o640}


def test_every_template_goes_somewhere() -> None:
    folder = Path(sys.modules[make.__module__].__file__ or "").with_name("template")
    assert {path.name.removesuffix(".tmpl") for path in folder.iterdir()} == set(FILES.values())
