"""What a worker's sampler tells, in one JSON object: stacks and the CPU time that was spent in each."""

from __future__ import annotations

from collections import Counter

import msgspec
from msgspec import Struct

#: The outermost frame of what belongs to no call.
OUTSIDE = "(outside of calls)"
#: Stands for the code of ours around a handler: protocol, sockets, the loop; most of it has no frames.
OURS = "(thriftserver)"


class Frame(Struct, array_like=True, frozen=True):
    """A line of a function; line 0 and no file for what is none."""

    name: str
    file: str = ""
    line: int = 0


class Stack(Struct, array_like=True, frozen=True):
    """``frames`` are places in ``Profile.frames``, outermost first: the method comes first of all.

    ``cpu`` is in nanoseconds, found in so many ``samples``.
    """

    frames: tuple[int, ...]
    cpu: int
    samples: int


class Profile(Struct, frozen=True):
    """``seconds`` of a worker's life, looked at ``rate`` times a second at most. ``cpu`` is what its process has used.

    ``left_out`` are the nanoseconds in stacks beyond the number that is kept.
    """

    pid: int
    server: str
    seconds: float
    rate: float
    cpu: int
    samples: int
    frames: tuple[Frame, ...]
    stacks: tuple[Stack, ...]
    left_out: int = 0

    def written(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def parse(cls, data: bytes) -> Profile:
        """Raises ValueError for what no sampler of ours says: other code in a worker can write, too."""
        try:
            found = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ValueError(f"no profile: {error}") from None
        most = len(found.frames)
        for stack in found.stacks:
            if not stack.frames or not all(0 <= each < most for each in stack.frames) or stack.cpu < 0:
                raise ValueError("no profile: a stack of frames that there are not")
        return found

    @property
    def total(self) -> int:
        """CPU nanoseconds in all stacks."""
        return sum(stack.cpu for stack in self.stacks)

    def methods(self) -> list[tuple[str, int]]:
        """The outermost frames with their CPU time, the most expensive first."""
        found: Counter[str] = Counter()
        for stack in self.stacks:
            found[self.frames[stack.frames[0]].name] += stack.cpu
        return found.most_common()

    def lines(self) -> list[tuple[Frame, int]]:
        """The lines that were being executed, with the CPU time of each itself."""
        found: Counter[Frame] = Counter()
        for stack in self.stacks:
            found[self.frames[stack.frames[-1]]] += stack.cpu
        return found.most_common()
