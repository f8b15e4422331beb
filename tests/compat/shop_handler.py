"""The server that both projects call: a handler of ours, whose process may leave when it is told to."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import thriftserver

shop = thriftserver.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "shop.thrift"))


class Shop:
    visited_pages = 0

    def version(self) -> str:
        return "2.0"

    def price(self, name: str) -> Any:
        if name == "unicorn":
            raise shop.OutOfStock(name=name, wanted=1)
        if name == "sunday":
            raise shop.Closed()
        return shop.money.Price(cents=100 * len(name))

    def reserve(self, item: Any, days: int) -> Any:
        item.tags = [*(item.tags or ()), f"{days} days"]
        return item

    def stock(self) -> dict[str, Any]:
        return {"ink": shop.Item(name="ink", kind=shop.Kind.INK, count=4)}

    def kinds(self) -> list[Any]:
        return list(shop.Kind)

    def restock(self, counts: dict[Any, int]) -> None:
        if not counts:
            raise shop.Closed()

    def visited(self, page: str) -> None:
        Shop.visited_pages += 1

    def visits(self) -> int:
        return Shop.visited_pages

    def slow(self, milliseconds: int) -> str:
        time.sleep(milliseconds / 1000)
        return "at last"

    def leave(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def tenant(self) -> str:
        return thriftserver.current_call().headers.get("tenant", "")

    def crash(self) -> str:
        raise RuntimeError("a secret")


class Till:
    def sum(self, cents: list[int]) -> int:
        return sum(cents)
