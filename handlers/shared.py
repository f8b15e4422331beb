"""The part that services have in common: handlers inherit here as their services do in idl/shared.thrift."""

import os
import time
from pathlib import Path
from typing import Any

import thriftserver

api = thriftserver.load(Path(__file__).parent.parent / "idl" / "shared.thrift")


def now() -> int:
    """The time as a ``Timestamp``."""
    return time.time_ns() // 1_000_000


class Base:
    """Answers for every service that extends ``shared.Base``. A worker makes one instance, when it starts."""

    def __init__(self) -> None:
        self._started = now()

    def ping(self) -> None:
        """That it was called and answered is all there is to know."""

    def about(self) -> Any:
        return api.About(name=type(self).__name__, started=self._started, worker=os.getpid())
