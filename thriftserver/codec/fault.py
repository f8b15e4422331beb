"""What a walker raises before it is known where: the path is gathered while the stack unwinds, at no cost until then.

Nothing here knows bytes or rows; ``codec.walk`` turns a fault into the public ``WireError`` or ``EncodeError``.
"""

from __future__ import annotations


class Fault(Exception):
    """``steps`` holds the path from the innermost place outwards: ``[".id", "[3]", ".users"]``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.steps: list[str] = []

    def path(self, root: str) -> str:
        """Where it went wrong, below ``root``."""
        return root + "".join(reversed(self.steps))
