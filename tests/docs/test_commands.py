"""The commands of docs/codec.md, observability.md and releasing.md; the other pages have tests of their own."""

from __future__ import annotations

import re
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

from tests.docs.pages import PAGES, Block, blocks
from tests.docs.reader import Reader
from tests.support import ROOT


def commands(name: str) -> list[Block]:
    (page,) = (page for page in PAGES if page.name == name)
    return [block for block in blocks(page) if block.language == "sh"]


def test_codec(tmp_path: Path, installed: dict[str, str]) -> None:
    def shorter(text: str) -> str:
        assert text.count("1000000") == 1
        return text.replace("1000000", "200")

    with Reader(tmp_path, installed, shorter) as reader:
        reader.follow(commands("codec.md"))
    assert reader.said[0]


def test_observability(clone: Path, elsewhere: Callable[[str], str], installed: dict[str, str]) -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")

    def change(text: str) -> str:
        """The extra is here already; nobody sits at a terminal; jq may not be here."""
        for extra in re.findall(r"^pip install 'thriftserver\[(\w+)\]'$", text, re.MULTILINE):
            assert extra in setup["options.extras_require"]
        text = re.sub(r"^(pip install .*|thriftserver top (?!.*--once).*)\n", "", text, flags=re.MULTILINE)
        text = text.replace(
            "jq '.methods.total'", """python -c 'import json, sys; print(json.load(sys.stdin)["methods"]["total"])'"""
        )
        text = re.sub(r"(thriftserver run .*)", r"\1 --bind 127.0.0.1:9090", text)
        return elsewhere(text)

    with Reader(clone, installed, change) as reader:
        reader.follow(commands("observability.md"))
    assert "'rate': 0.0" in reader.said[0]


def test_releasing() -> None:
    """What takes minutes is run by CI."""
    (block,) = commands("releasing.md")
    script = re.search(r"^python3 (\S+) ", block.text)
    assert script is not None
    assert f"python3 {script[1]} " in (ROOT / ".ci" / "run").read_text()
    for version in re.findall(r"python(3\.\d+)", block.text):
        assert f"Python :: {version}\n" in (ROOT / "setup.cfg").read_text()
