"""What a walker raises before it is known where: the path is gathered while the stack unwinds, at no cost until then.

Nothing here knows bytes or rows; ``codec.message`` turns a fault into the public ``WireError`` or ``EncodeError``.
"""

from __future__ import annotations

#: The end of the step of a field whose values must not be shown; no name in an IDL has it.
HIDDEN = "*"


class Fault(Exception):
    """``steps`` holds the path from the innermost place outwards: ``[".id", "[3]", ".users"]``.

    ``discreet`` is the message without the value, where the message shows it.
    """

    def __init__(self, message: str, discreet: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.discreet = discreet or message
        self.steps: list[str] = []

    def told(self, root: str) -> tuple[str, str]:
        """What went wrong, and where below ``root``; below a field that must not be shown, nothing of its values."""
        path = root
        for step in reversed(self.steps):
            if step.endswith(HIDDEN):
                return self.discreet, path + step.removesuffix(HIDDEN)
            path += step
        return self.message, path


class Short(Fault):
    """The data ends too early: ``size`` more bytes were expected where ``left`` are."""

    def __init__(self, size: int, left: int) -> None:
        super().__init__(f"truncated: {size} more bytes expected, {left} left")
        self.size = size
        self.left = left
