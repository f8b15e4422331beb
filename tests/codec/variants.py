"""The codecs under test: each protocol's readable source, and what was compiled from it."""

from __future__ import annotations

from types import ModuleType

from tests.support import need
from thriftserver.compiled import variant

#: What parametrized tests call them.
FORMS = {"pure": False, "native": True}


def codec_of(protocol: str, form: str) -> ModuleType:
    """The module with a protocol's public functions."""
    try:
        found: ModuleType = variant(f"codec.{protocol}.message", FORMS[form])
    except ImportError:
        need(None, "the compiled codec (python setup.py build_ext --inplace)")
        raise
    return found


def both_of(protocol: str) -> tuple[ModuleType, ModuleType]:
    """The readable codec and the compiled one, to be compared."""
    return codec_of(protocol, "pure"), codec_of(protocol, "native")
