"""The primitives of the JSON protocol under the walkers: single values, and what stands around them.

``_seam.pxd`` has their C twins. Wire types are the binary protocol's everywhere above, and have names only here.
"""

from __future__ import annotations

from typing import Any

from thriftserver.codec.loops import kind_of as kind_of
from thriftserver.codec.loops import put_pairs as put_pairs
from thriftserver.codec.loops import put_run_from as put_run_from
from thriftserver.codec.loops import take_pairs as take_pairs
from thriftserver.codec.loops import take_run as take_run
from thriftserver.codec.memory import Sink, Source
from thriftserver.codec.tjson.grammar import LEAST
from thriftserver.codec.tjson.reading import (
    close_field,
    close_key,
    close_list,
    close_map,
    close_struct,
    demand,
    next_mark,
    open_key,
    open_list,
    open_map,
    open_struct,
    pass_value,
    past_gap,
    take_binary,
    take_bool,
    take_double,
    take_field,
    take_i8,
    take_i16,
    take_i32,
    take_i64,
    take_loose,
    take_name,
    take_short,
    take_text,
    take_uuid,
)
from thriftserver.codec.tjson.writing import (
    begin_key,
    begin_list,
    begin_map,
    begin_struct,
    close,
    end_field,
    end_key,
    end_list,
    end_map,
    end_struct,
    put_bool,
    put_bytes,
    put_double,
    put_field,
    put_i8,
    put_i16,
    put_i32,
    put_i64,
    put_text,
    put_uuid,
)

__all__ = [
    "begin_key",
    "begin_list",
    "begin_map",
    "begin_struct",
    "close",
    "close_field",
    "close_key",
    "close_list",
    "close_map",
    "close_struct",
    "demand",
    "end_field",
    "end_key",
    "end_list",
    "end_map",
    "end_struct",
    "kind_of",
    "least_of",
    "next_mark",
    "open_key",
    "open_list",
    "open_map",
    "open_struct",
    "pass_value",
    "pass_values",
    "past_gap",
    "put_bool",
    "put_bytes",
    "put_double",
    "put_double_run",
    "put_field",
    "put_i8",
    "put_i16",
    "put_i32",
    "put_i32_run",
    "put_i64",
    "put_i64_run",
    "put_pairs",
    "put_run_from",
    "put_text",
    "put_uuid",
    "take_binary",
    "take_bool",
    "take_double",
    "take_double_run",
    "take_field",
    "take_i8",
    "take_i16",
    "take_i32",
    "take_i32_run",
    "take_i64",
    "take_i64_run",
    "take_loose",
    "take_name",
    "take_pairs",
    "take_run",
    "take_short",
    "take_text",
    "take_uuid",
]


def least_of(code: int) -> int:
    return LEAST[code] if 0 <= code <= 16 else 0


def pass_values(source: Source, size: int, first: int, second: int) -> bool:
    """Nothing but its brackets says where a value ends."""
    return False


# No values are taken or put at once: none has a width, so that a loop over them would do what nodes do.


def take_i32_run(source: Source, size: int) -> list[int]:
    return []


def take_i64_run(source: Source, size: int) -> list[int]:
    return []


def take_double_run(source: Source, size: int) -> list[float]:
    return []


def put_i32_run(sink: Sink, items: Any) -> int:
    return -1


def put_i64_run(sink: Sink, items: Any) -> int:
    return -1


def put_double_run(sink: Sink, items: Any) -> int:
    return -1
