"""Stands in for the ``cython`` module where that is not installed: says that the source is not compiled.

Nothing else is needed of it.
"""

from typing import Final

compiled: Final = False
