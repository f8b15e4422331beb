"""IDL files that come with thriftserver, for includes that lead nowhere.

A file of the same name that is found, beside the including file or in an include directory, always wins.
"""

from __future__ import annotations

import os
import posixpath
from typing import Final

_FOLDER: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "std")
_NAMES: Final = frozenset({"fb303.thrift"})


def find(name: str) -> str | None:
    """The packaged file that an include means, whatever directories stand in front of its name."""
    basename = posixpath.basename(name)
    return os.path.join(_FOLDER, basename) if basename in _NAMES else None
