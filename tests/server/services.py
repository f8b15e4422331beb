"""Small services for the tests of this folder, written where a test wants them."""

from __future__ import annotations

import sys
from pathlib import Path

IDL = """
exception Oops { 1: string why }
struct Point { 1: i32 x = 3, 2: optional string label, 3: list<string> tags }
service Demo {
  i32 add(1: i32 a, 2: i32 b)
  Point echo(1: Point point) throws (1: Oops oops)
  i32 pid()
  string version()
  void nap(1: double seconds)
  void fail(1: string how)
  oneway void note(1: string text)
}
"""

HANDLER = """
import json, mmap, os, pathlib, sys, time
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "demo.thrift")
VERSION = "1"


class Impl:
    def setup(self):
        pathlib.Path("setup").write_text(str(os.getpid()))

    def teardown(self):
        pathlib.Path("teardown").write_text(str(os.getpid()))

    def add(self, a, b):
        return a + b

    def echo(self, point):
        if point.label == "oops":
            raise api.Oops("as you wish")
        return point

    def pid(self):
        return os.getpid()

    def version(self):
        return VERSION

    def nap(self, seconds):
        # Until a test makes a file called wake, if the time is negative.
        print(json.dumps({"event": "napping", "level": "debug"}), file=sys.stderr, flush=True)
        time.sleep(max(seconds, 0))
        while seconds < 0 and not pathlib.Path("wake").exists():
            time.sleep(0.01)

    def fail(self, how):
        kinds = {"exit": SystemExit, "interrupt": KeyboardInterrupt, "memory": MemoryError, "recursion": RecursionError}
        raise kinds.get(how, ValueError)(f"failed by {how}")

    def note(self, text):
        if text == "fail":
            raise ValueError("oneway failed")
"""


#: In front of a handler: says that it is being imported, and waits for a file called go.
SLOW = """
import json, os, pathlib, sys, time
print(json.dumps({"event": "importing", "worker_pid": os.getpid(), "level": "debug"}), file=sys.stderr, flush=True)
while not pathlib.Path("go").exists():
    time.sleep(0.01)
"""
#: Ways to hang or die that the plain demo has not.
NASTY = """
    def note(self, text):
        if text == "spin":
            while True:
                pass
        if text == "abort":
            os.abort()
        if text == "leak":
            self.leaked = bytearray(200 << 20)
"""
#: Counts the calls of ``add`` it has executed, in a file that outlives its process.
COUNTING = """
    counter = open(f"executed-{os.getpid()}", "w+b")
    counter.truncate(8)
    executed = memoryview(mmap.mmap(counter.fileno(), 8)).cast("Q")

    def add(self, a, b):
        self.executed[0] += 1
        return a + b
"""


def write_demo(folder: Path, handler: str = HANDLER, idl: str = IDL) -> Path:
    """``demo.thrift`` and ``demo.py`` in ``folder``, which is returned."""
    (folder / "demo.thrift").write_text(idl)
    (folder / "demo.py").write_text(handler)
    return folder


ARGS = ("--idl", "demo.thrift", "--handler", "demo:Impl")


def executed(folder: Path) -> int:
    """Calls of ``add`` that all processes of a COUNTING handler have executed."""
    return sum(int.from_bytes(path.read_bytes(), sys.byteorder) for path in folder.glob("executed-*"))
