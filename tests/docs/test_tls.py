"""docs/tls.md: from openssl req to mutual TLS as a newcomer does it, and its tables."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import PAGES, blocks
from tests.docs.reader import Reader
from tests.support import need
from thriftserver.cli.tls import TLS
from thriftserver.client.tls import Tls
from thriftserver.config import OPTIONS, flag
from thriftserver.peers import Certificate, Credentials, Proxy

(PAGE,) = (page for page in PAGES if page.name == "tls.md")


def test_from_nothing_to_mutual_tls(tmp_path: Path, elsewhere: Callable[[str], str], installed: dict[str, str]) -> None:
    need(shutil.which("openssl"), "openssl (apt install openssl)")
    with Reader(tmp_path, installed, elsewhere) as reader:
        reader.follow(block for block in blocks(PAGE) if block.file or block.language == "sh")
    _, said, called, said_to_others, shown = reader.said
    promised = re.search(r"^It prints `(.+?)`", PAGE.read_text(), re.MULTILINE)
    assert promised is not None
    assert said == said_to_others == promised[1] + "\n"
    assert called == f'"{promised[1]}"\n'
    assert re.match(r"subject=CN ?= ?orders\nnotAfter=", shown)


def test_the_page_names_what_there_is() -> None:
    text = PAGE.read_text()
    names = [row.name for row in OPTIONS]
    of_tls = names[names.index("certfile") : names.index("tls") + 1]
    assert [f"--{name.replace('_', '-')}" for name in of_tls] == re.findall(r"^\| `(--[\w-]+)` \|", text, re.MULTILINE)
    for name in (*Certificate.__struct_fields__, *Credentials.__struct_fields__, *Proxy.__struct_fields__):
        assert f"`{name}`" in text, name
    section = text[text.index("## Clients") : text.index("## New certificates")]
    for name in [*inspect.signature(Tls.__init__).parameters][1:]:
        assert re.search(rf"^\| (`\w+`, )?`{name}`", section, re.MULTILINE), name
    for name, *_ in TLS:
        assert f"`{flag(name)}`" in section, name
