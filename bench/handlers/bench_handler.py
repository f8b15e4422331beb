"""The service Bench as every Python server here answers it: same rules as workload.py.

``Impl`` is thriftserver's; the peers make theirs from ``handler_class`` with their own classes. This folder stands
alone on PYTHONPATH, so that nothing of bench/ can shadow a package under test.
"""

from __future__ import annotations

import os
import time
from typing import Any

AVATAR = b"\x89PNG\x0d\x0a\x1a\x0a" + bytes(range(24))


def handler_class(user_class: Any, address_class: Any) -> type:
    class Handler:
        def ping(self) -> None:
            return None

        def echo(self, text: str) -> str:
            return text

        def add(self, a: int, b: int) -> int:
            return a + b

        def get_user(self, id: int) -> Any:
            return user_class(
                id=id,
                name=f"User Number {id}",
                email=f"user{id}@example.org",
                role=1,
                active=True,
                score=id * 0.5,
                created_at=1700000000000 + id,
                avatar=AVATAR,
                address=address_class(
                    street=f"{id} Main Street", city="Z\u00fcrich", zip="8001", country=756, lat=47.3769, lon=8.5417
                ),
                tags=["alpha", "beta", "gamma"],
                counters={"likes": id, "logins": 42, "posts": 7},
                level=3,
                nickname=f"nick{id}" if id % 2 else None,
                flags=5,
            )

        def batch(self, users: list[Any]) -> list[Any]:
            return users

        def notify(self, code: int, text: str) -> None:
            return None

        def burn(self, microseconds: int) -> None:
            end = time.thread_time_ns() + microseconds * 1000
            while time.thread_time_ns() < end:
                pass

    return Handler


def __getattr__(name: str) -> Any:
    """On first use, for the peers need no thriftserver: ``Impl``, ``Async`` with the same as coroutines, and ``Relay``,
    which asks another server for users.
    """
    if name not in ("Impl", "Async", "Relay"):
        raise AttributeError(name)
    import thriftserver

    api: Any = thriftserver.load(os.environ["BENCH_IDL"])
    plain = handler_class(api.User, api.Address)
    if name == "Impl":
        return plain
    if name == "Relay":
        pool = api.Bench.Pool("127.0.0.1", int(os.environ["BENCH_BEHIND"]), size=100)
        return type(name, (plain,), {"get_user": lambda _self, id: pool.get_user(id)})
    return type(name, (), {key: _later(value) for key, value in vars(plain).items() if not key.startswith("_")})


def _later(function: Any) -> Any:
    async def later(*args: Any) -> Any:
        return function(*args)

    return later
