"""Runs every test of the codec twice: over the readable source and over what was compiled from it."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from tests.support import need


def _compiled() -> ModuleType | None:
    try:
        return importlib.import_module("thriftserver.codec._message")
    except ImportError:
        return None


@pytest.fixture(params=["pure", "native"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    """The module with the public functions of the binary protocol."""
    if request.param == "pure":
        return importlib.import_module("thriftserver.codec.message")
    compiled = _compiled()
    need(compiled, "the compiled codec (python setup.py build_ext --inplace)")
    assert compiled is not None
    return compiled


@pytest.fixture
def both() -> tuple[ModuleType, ModuleType]:
    """The readable codec and the compiled one, to be compared."""
    compiled = _compiled()
    need(compiled, "the compiled codec (python setup.py build_ext --inplace)")
    assert compiled is not None
    return importlib.import_module("thriftserver.codec.message"), compiled
