"""A service with all kinds of methods, in a file of its own, and what is asked of it."""

from __future__ import annotations

from pathlib import Path

IDL = """\
include "stock.thrift"

exception Gone { 1: required i64 id, 2: string why }
exception Busy { 1: i32 seconds }

struct Item {
  1: required i64 id
  2: required string name
  3: optional stock.Place place
  4: set<string> tags
}

service Shop extends stock.Stock {
  Item get(1: i64 id, 2: bool full) throws (1: Gone gone, 2: Busy busy)
  list<Item> find(1: set<string> tags, 2: map<string, i32> limits)
  void touch(1: i64 id) throws (1: Gone gone)
  oneway void note(1: string text)
}
"""
STOCK = """\
struct Place { 1: required i32 shelf }
service Stock { i32 count(1: i64 id) }
"""
SECOND = "service Till { i64 total() }\n"


def write_shop(folder: Path) -> Path:
    """The IDL, in this folder."""
    for name, text in {"shop.thrift": IDL, "stock.thrift": STOCK, "till.thrift": SECOND}.items():
        (folder / name).write_text(text)
    return folder
