"""README.md's commands, pasted one after the other while its servers run; .ci/readme.py does it to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import README, blocks
from tests.docs.reader import Reader


def test_commands_work_as_they_are_pasted(
    clone: Path, elsewhere: Callable[[str], str], installed: dict[str, str]
) -> None:
    def change(text: str) -> str:
        """What sets everything up has been done, and the tests are running."""
        text = elsewhere(re.sub(r"python3 -m venv .+? -e \S+ && ", "", text))
        if "thriftserver run " in text and "--bind" not in text:
            text = text.rstrip("\n") + elsewhere(" --bind 127.0.0.1:9090\n")
        return ":\n" if text == ".venv/bin/pytest\n" else text

    with Reader(clone, {"PYTHONPATH": installed["PYTHONPATH"]}, change) as reader:
        reader.follow(blocks(README))
        divided, _, called, from_python = reader.said
    assert float(divided) == 355 / 113
    assert (called, from_python) == ('"Hello, Ada!"\n', "Hello, Ada!\n")
