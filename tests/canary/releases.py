"""A small shop, and releases of it: bad ones, each with what it is found out by, and harmless ones."""

from __future__ import annotations

from pathlib import Path

IDL = """
exception Missing { 1: string why }
service Shop {
  i32 price(1: i32 item) throws (1: Missing missing)
  string name(1: i32 item)
}
"""

GOOD = """
import os, pathlib, threading, time
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "shop.thrift")
WORK = 0.01


class Shop:
    def setup(self):
        pass

    def price(self, item):
        time.sleep(WORK)
        if item % 5 == 0:
            raise api.Missing("sold out")
        return item * 100

    def name(self, item):
        time.sleep(WORK)
        return f"item {item}"
"""

#: What a release has instead of the shop's own methods; and by what it is found out.
BAD = {
    "raises on one method": ("outcomes", "    def name(self, item):\n        raise RuntimeError('not today')\n"),
    "raises now and then": (
        "outcomes",
        "    def name(self, item):\n        time.sleep(WORK)\n        return 'item' if item % 4 else None.label\n",
    ),
    "is twice as slow": (
        "latency",
        "    def price(self, item):\n        time.sleep(2 * WORK)\n        return item * 100\n",
    ),
    "leaks": (
        "leak",
        "    kept = []\n    def name(self, item):\n        time.sleep(WORK)\n        self.kept.append(b'x' * 300_000)\n"
        "        return f'item {item}'\n",
    ),
    "crashes after a second": ("crash", "    def setup(self):\n        threading.Timer(1.0, os.abort).start()\n"),
    "returns what the IDL does not say": (
        "outcomes",
        "    def name(self, item):\n        time.sleep(WORK)\n        return item\n",
    ),
    "blocks the loop": (
        "latency",
        "    def price(self, item):\n        end = time.perf_counter() + 0.03\n"
        "        while time.perf_counter() < end:\n            pass\n        return item * 100\n",
    ),
    "declares exceptions": (
        "outcomes",
        "    def price(self, item):\n        time.sleep(WORK)\n        raise api.Missing('all is gone')\n",
    ),
    "is not done in time": (
        "outcomes",
        "    def name(self, item):\n        time.sleep(1)\n        return f'item {item}'\n",
    ),
    "needs more memory": ("memory", "    def setup(self):\n        self.kept = b'x' * (200 << 20)\n"),
    "never answers": ("latency", "    def price(self, item):\n        threading.Event().wait()\n"),
}

#: What differs in releases that are as good as the one before.
HARMLESS = (
    "",
    "    VERSION = 2\n",
    "    def setup(self):\n        self.cache = b'x' * (4 << 20)\n",
    "    def name(self, item):\n        time.sleep(WORK)\n        return f'product {item}'\n",
    "    def price(self, item):\n        time.sleep(WORK * 1.1)\n        if item % 5 == 1:\n"
    "            raise api.Missing('back soon')\n        return item * 101\n",
    "    def name(self, item):\n        time.sleep(WORK * 0.8)\n        return f'item {item}'\n",
)

#: Runs the shop with a short trial. ``price`` has no time limit, so what never ends is seen.
ARGS = ("--idl", "shop.thrift", "--handler", "shop:Shop", "-w", "2", "--method-timeout", "name=300ms")


def write(folder: Path, change: str = "") -> Path:
    """The shop with a change, in ``folder``, which is returned."""
    (folder / "shop.thrift").write_text(IDL)
    (folder / "shop.py").write_text(GOOD + change)
    return folder
