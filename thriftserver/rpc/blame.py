"""The traceback of code that did not load, for whoever wrote it: their frames, without ours and the import machinery's.

It formats; it catches nothing and decides nothing.
"""

from __future__ import annotations

import os
from traceback import StackSummary, TracebackException

#: Characters that are kept of one traceback; what is too much is cut from its middle.
_SIZE = 8000
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_IMPORT = "<frozen importlib"
_GEVENT = f"{os.sep}gevent{os.sep}"
_IMPORTLIB = f"{os.sep}importlib{os.sep}__init__.py"


def excerpt(error: BaseException) -> str:
    """The traceback of an error and of those that led to it; empty when none of them has a frame of foreign code."""
    told = TracebackException.from_exception(error, compact=True)
    seen = False
    waiting: list[TracebackException | None] = [told]
    while waiting:
        each = waiting.pop()
        if each is not None:
            each.stack = StackSummary.from_list([frame for frame in each.stack if _foreign(frame.filename)])
            seen = seen or bool(each.stack) or isinstance(error, SyntaxError)
            waiting += [each.__cause__, each.__context__, *(each.exceptions or ())]
    text = "".join(told.format()).rstrip("\n")
    if len(text) > _SIZE:
        text = f"{text[: _SIZE // 2]}\n[...]\n{text[-_SIZE // 2 :]}"
    return text if seen else ""


def foreign_frames(error: BaseException) -> bool:
    """Did the error come out of foreign code, or of the attempt to find it?"""
    return any(_foreign(frame.filename) for frame in TracebackException.from_exception(error).stack)


def _foreign(filename: str) -> bool:
    if filename.startswith((_OURS, _IMPORT)) or filename.endswith(_IMPORTLIB):
        return False
    return _GEVENT not in filename
