"""Damages bytes and repeats round trips for as long as it is told to: values or ``WireError``, and flat memory.

``python -m tests.codec.soak 1000000 compact`` does it a million times with that protocol's compiled codec (the binary
one's if none is named); pytest runs smaller budgets.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.codec.schemas import ALL, TREE, all_values
from thriftserver.compiled import choose
from thriftserver.errors import WireError
from thriftserver.schema.classes import class_of

#: Bytes that a process may grow once it is warm; one lost object a round is far more over a million rounds.
SLACK = 6_000_000

_BYTES = (0, 1, 2, 8, 11, 12, 13, 14, 15, 16, 17, 127, 128, 255)
#: Of the binary and of the compact protocol: the largest, a negative or too large one, a small one.
_SIZES = (b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\x05", b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f")


def samples() -> list[tuple[type, Any]]:
    """Classes, and rich values of them."""
    tree = class_of(TREE)
    deep = tree(1)
    for level in range(20):
        deep = tree(level, deep if level % 2 else None, [deep] if level % 3 else None, {"x": tree(2)})
    return [(class_of(ALL), all_values()), (tree, deep)]


def damage(dice: random.Random, raw: bytes) -> bytes:
    """The same with a few bytes changed, lost, or added."""
    damaged = bytearray(raw)
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(damaged))
        kind = dice.randrange(4)
        if kind == 0:
            damaged[start] = dice.choice((*_BYTES, dice.randrange(256)))
        elif kind == 1:
            del damaged[start : start + dice.randint(1, 8)]
        elif kind == 2:
            damaged[start:start] = dice.randbytes(dice.randint(1, 8))
        else:
            damaged[start : start + 4] = dice.choice(_SIZES)
        damaged = damaged or bytearray(1)
    return bytes(damaged)


def mutants(codec: ModuleType, seed: int, count: int) -> Iterator[tuple[type, bytes]]:
    """Damaged forms of the samples, always the same for one seed."""
    dice = random.Random(seed)
    whole = [(cls, codec.encode_struct(value)) for cls, value in samples()]
    for _ in range(count):
        cls, raw = dice.choice(whole)
        yield cls, damage(dice, raw)


def survive(codec: ModuleType, seed: int, count: int) -> int:
    """How many mutants decoded; anything but a value or a ``WireError`` is raised."""
    decoded = 0
    for cls, damaged in mutants(codec, seed, count):
        try:
            codec.decode_struct(cls, damaged)
            decoded += 1
        except WireError:
            pass
    return decoded


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(work: Callable[[int], Any], rounds: int) -> int:
    """Bytes that ``work`` leaves behind, once a tenth of it has warmed everything up."""
    work(rounds // 10)
    before = resident()
    work(rounds)
    return resident() - before


def pairs(codec: ModuleType, count: int) -> None:
    """So many values are written and read again."""
    chosen = [(cls, value, codec.encode_struct(value)) for cls, value in samples()]
    for index in range(count):
        cls, value, raw = chosen[index % len(chosen)]
        back = codec.decode_struct(cls, codec.encode_struct(value))
        assert index % 1000 > 1 or (back == value and codec.encode_struct(back) == raw)


def main(count: int = 1_000_000, protocol: str = "binary") -> None:
    codec = choose(f"codec.{protocol}.message")  # the compiled one, where there is one
    for name, work in (("mutants", lambda n: survive(codec, n, n)), ("pairs", lambda n: pairs(codec, n))):
        grown = growth(work, count)
        print(f"{protocol}: {count} {name}: values or WireError, {grown} bytes more")
        assert os.environ.get("LD_PRELOAD") or grown < SLACK, f"{name} leave memory behind"  # a sanitizer hoards memory


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
