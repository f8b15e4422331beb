"""Which library's client calls every method of ThriftTest in which dialect, as docs/dialects.md shows it.

``python -m tests.interop.matrix`` prints the table for the versions that are installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.interop import dialects
from tests.support import ROOT


class Library(NamedTuple):
    """``spoken`` are the dialects that tests have its clients speak."""

    name: str
    version: str
    spoken: Collection[str]


#: A row's title, and the beginning of what the tables of ``dialects`` call it.
ROWS = {
    **{
        f"{transport} {title}": f"{transport}-{protocol}"
        for transport in ("framed", "unframed")
        for title, protocol in (("binary", "binary"), ("compact", "compact"), ("JSON", "json"))
    },
    "framed binary, not strict": "framed-binary-old",
    "unframed binary, not strict": "unframed-binary-old",
    "THeader, binary": "header-binary",
    "THeader, compact": "header-compact",
    "THeader, binary, zlib": "header-binary-zlib",
    "THeader, compact, zlib": "header-compact-zlib",
    "HTTP, binary": "http-binary",
    "HTTP, compact": "http-compact",
    "HTTP, JSON": "http-json",
}


def libraries() -> list[Library]:
    node = json.loads((ROOT / "tests" / "interop" / "node" / "package.json").read_text(encoding="utf-8"))
    header = Path("/usr/include/thrift/config.h")
    cpp = re.search(r'PACKAGE_VERSION "([\d.]+)"', header.read_text(encoding="utf-8")) if header.exists() else None
    return [
        Library("Apache Python", version("thrift"), dialects.APACHE),
        Library("Apache Node", node["dependencies"]["thrift"], dialects.NODE),
        Library("Apache C++", cpp[1] if cpp else "", dialects.CPP),
        Library("thriftpy2", version("thriftpy2"), dialects.THRIFTPY2),
    ]


def markdown() -> str:
    columns = libraries()
    lines = [
        " | ".join(("dialect", *(f"{each.name} {each.version}".strip() for each in columns))),
        " | ".join(("---", *("---" for _ in columns))),
    ]
    for title, name in ROWS.items():
        lines.append(" | ".join((title, *("✓" if name in each.spoken else "–" for each in columns))))  # noqa: RUF001
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    print(markdown())
