"""CPU time to load, beside thriftpy2 in the same run: a file of 5,000 lines, and a tree of 40 files.

As a program (``python -m tests.idl.test_speed``) it prints the numbers.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support import need
from thriftserver.idl.loader import Loader

DEFINITIONS = """
/** How things of kind {n} are. */
enum State{n} {{ NEW = 1, OLD = 2, GONE = 3 }}

/**
 * One thing of kind {n}.
 */
struct Thing{n} {{
  1: required i64 id,  // never 0
  2: optional string name = "thing {n}",
  3: list<string> tags,
  4: map<string, i32> counts = {{"a": 1, "b": 2}},
  5: optional State{n} state = State{n}.NEW,
  6: double ratio = 0.5,
  7: binary raw,
{more}
}}

const i32 LIMIT{n} = {n}

exception Gone{n} {{
  1: string message
  2: i32 code
}}

service Things{n} {{
  Thing{n} get(1: i64 id) throws (1: Gone{n} gone),
  void put(1: Thing{n} thing, 2: bool force),
  list<Thing{n}> find(1: string name, 2: i32 limit = 10),
  oneway void touch(1: i64 id)
}}
"""


class Ratio(NamedTuple):
    ours: list[float]
    theirs: list[float]

    @property
    def least(self) -> float:
        return min(self.ours) / min(self.theirs)

    @property
    def median(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)


def big_file(folder: Path) -> Path:
    path = folder / "big.thrift"
    path.write_text("\n".join(DEFINITIONS.format(n=n, more="") for n in range(160)))
    assert 5_000 <= path.read_text().count("\n") <= 5_500
    return path


def tree(folder: Path) -> Path:
    for n in range(40):
        included = sorted({m for m in ((n - 1) // 2, n - 1, n - 2) if 0 <= m < n})
        more = "\n".join(f"  {20 + m}: optional m{m}.Thing{m} other{m}" for m in included)
        header = "".join(f'include "m{m}.thrift"\n' for m in included)
        (folder / f"m{n}.thrift").write_text(header + DEFINITIONS.format(n=n, more=more))
    return folder / "m39.thrift"


def measure(path: Path, rounds: int) -> Ratio:
    """CPU seconds of both, taking turns; both start from nothing each time but with their code imported."""
    thriftpy2: Any = pytest.importorskip("thriftpy2")
    parser: Any = sys.modules["thriftpy2.parser.parser"]

    def theirs() -> None:
        parser._thrift_cache.clear()
        thriftpy2.load(str(path), module_name="speed_thrift")

    ratio = Ratio([], [])
    for _ in range(rounds):
        for load, times in ((lambda: Loader().load(str(path)), ratio.ours), (theirs, ratio.theirs)):
            gc.collect()
            start = time.process_time()
            load()
            times.append(time.process_time() - start)
    return ratio


@pytest.mark.filterwarnings("ignore")  # thriftpy2's own
@pytest.mark.parametrize(("make", "most"), [(big_file, 0.7), (tree, 0.5)])
def test_loading_is_faster_than_thriftpy2(tmp_path: Path, make: Callable[[Path], Path], most: float) -> None:
    need(_have_thriftpy2(), "thriftpy2 (pip install thriftpy2)")
    assert measure(make(tmp_path), 2).least <= most


def _have_thriftpy2() -> bool:
    try:
        import thriftpy2  # noqa: F401
    except ImportError:
        return False
    return True


def main() -> None:
    for make in (big_file, tree):
        with tempfile.TemporaryDirectory() as folder:
            ratio = measure(make(Path(folder)), 7)
        ours, theirs = (f"{min(times) * 1e3:.0f} ms" for times in ratio)
        print(f"{make.__name__}: {ours} of CPU, thriftpy2 {theirs}; ratio {ratio.least:.2f}, median {ratio.median:.2f}")


if __name__ == "__main__":
    main()
