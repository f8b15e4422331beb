"""What docs/stubs.md shows, and what it says that type checkers refuse."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, blocks
from tests.docs.reader import Reader
from tests.stubs.checkers import CHECKERS, generate
from tests.support import need

(PAGE,) = (page for page in PAGES if page.name == "stubs.md")
BLOCKS = list(blocks(PAGE))


def test_the_page(tmp_path: Path, elsewhere: Callable[[str], str], installed: dict[str, str]) -> None:
    need(shutil.which("mypy", path=installed["PATH"]), "mypy (pip install -e '.[test]')")
    with Reader(tmp_path, installed | {"MYPYPATH": installed["PYTHONPATH"]}, elsewhere) as reader:
        reader.follow(BLOCKS)
    assert reader.said == [
        "user_service: 4 written\n",
        "Ann ANN@EXAMPLE.ORG\nno user 2\n",
        "Success: no issues found in 2 source files\n",
        "user_service: up to date\n",
        "User(id=1, name='Ann')\n",
    ]


REFUSED = re.search(r"refuse, for instance, .*? result, (.*?)\. What", PAGE.read_text(), re.DOTALL)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_the_page_says_is_refused(tmp_path: Path, checker: str) -> None:
    for block in BLOCKS:
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    generate(tmp_path, tmp_path / "user_service.thrift")
    assert REFUSED is not None
    wrong = re.findall(r"`([^`]+\))`", REFUSED[1])
    assert len(wrong) == 6
    lines = "".join(f"{each}\n" for each in wrong)
    head = "from user_service import NotFound, User, Users\n\nusers = Users.Client()\nuser = users.get(1)\n"
    (tmp_path / "wrong.py").write_text(f"{head}{lines}right = NotFound(1), User\n")
    handler = (tmp_path / "app.py").read_text()
    (tmp_path / "lacking.py").write_text(handler.replace("def find", "def fnid") + "\nImpl()\n")
    found = CHECKERS[checker](tmp_path, "user_service", "app.py", "ask.py", "wrong.py", "lacking.py")
    assert found.keys() == {"wrong.py", "lacking.py"}
    assert found["wrong.py"].keys() == {*range(5, 5 + len(wrong))}
    assert found["lacking.py"].keys() == {len(handler.splitlines()) + 2}
