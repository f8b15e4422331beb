"""What workers are asked to do besides serving, for a tool that looks into them: passed on, with the tool's descriptor.

The master never sees the answer: workers write it to the tool. Whoever listens to calls does so of workers that are
born later, too, until its end of the descriptor is closed.
"""

from __future__ import annotations

import json
import os
import select
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from thriftserver.master.children import Child
from thriftserver.passing import send

#: Tools that listen at once: each costs every call that is looked at.
LISTENERS = 8


class Listening(Struct):
    """Somebody who listens, and what every worker is told of that."""

    errand: bytes
    descriptor: int

    def is_over(self) -> bool:
        watch = select.poll()
        watch.register(self.descriptor, 0)
        return bool(watch.poll(0))  # with nothing to wait for, what is told is the end


class Errands:
    """Sends ``children``, by their pids, on errands. Descriptors that are given to it are its own."""

    def __init__(self, children: Mapping[int, Child]) -> None:
        self._children = children
        self._listening: list[Listening] = []

    def send(self, pid: int, errand: dict[str, Any], descriptor: int) -> bool:
        """Send one worker on one errand; False when it does not take it."""
        try:
            return _post(self._children[pid], json.dumps(errand).encode(), descriptor)
        finally:
            os.close(descriptor)

    def listen(self, errand: dict[str, Any], descriptor: int) -> int:
        """Have all workers do this, and those that are born later; how many there are. -1: too many listen."""
        self.look()
        if len(self._listening) >= LISTENERS:
            os.close(descriptor)
            return -1
        listening = Listening(json.dumps(errand).encode(), descriptor)
        self._listening.append(listening)
        return sum(_post(child, listening.errand, descriptor) for child in self._children.values())

    def welcome(self, child: Child) -> None:
        """A worker was born."""
        self.look()
        for each in self._listening:
            _post(child, each.errand, each.descriptor)

    def look(self) -> None:
        """Forget who does not listen any more."""
        for each in list(self._listening):
            if each.is_over():
                self._listening.remove(each)
                os.close(each.descriptor)

    def descriptors(self) -> list[int]:
        return [each.descriptor for each in self._listening]

    def close(self) -> None:
        for each in self._listening:
            os.close(each.descriptor)
        self._listening.clear()


def _post(child: Child, message: bytes, descriptor: int) -> bool:
    try:
        send(child.errands, message, [descriptor])
    except OSError:  # it takes nothing more, or is gone
        return False
    return True
