"""docs/discovery.md: two servers and a client, followed as it stands with a real etcd, and its tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.discovery.programs import Etcd, wait_until
from tests.docs.pages import PAGES, blocks
from tests.docs.reader import Reader
from thriftserver.config import OPTIONS
from thriftserver.discovery.registries import SCHEMES

(PAGE,) = (page for page in PAGES if page.name == "discovery.md")


def test_two_servers_and_a_client(tmp_path: Path, elsewhere: Callable[[str], str], installed: dict[str, str]) -> None:
    etcd = Etcd(tmp_path, elsewhere("127.0.0.1"), 2379)
    etcd.start()
    try:
        with Reader(tmp_path, installed, elsewhere) as reader:
            *before, client, by_hand = (block for block in blocks(PAGE) if block.file or block.language == "sh")
            reader.follow(before)
            wait_until(lambda: len(etcd.entries("shop/hello")) == 2, "both servers are registered")
            reader.follow([client, by_hand])
        promised = re.search(r"^It prints `(.+?)`", PAGE.read_text(), re.MULTILINE)
        assert promised is not None
        assert reader.said == [promised[1] + "\n", '"Hello Ann!"\n']
        assert etcd.entries("shop/hello") == []
    finally:
        etcd.kill()


def test_the_page_names_what_there_is() -> None:
    text = PAGE.read_text()
    names = [f"--{row.name.replace('_', '-')}" for row in OPTIONS if row.name.startswith("register")]
    assert names == re.findall(r"^\| `(--[\w-]+)` \|", text, re.MULTILINE)
    assert list(SCHEMES) == re.findall(r"^\| `(\w+)://", text, re.MULTILINE)
