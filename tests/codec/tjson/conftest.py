"""Runs the tests of the JSON protocol over its readable form and over the compiled one."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest

from tests.support import need


@pytest.fixture
def both() -> tuple[ModuleType, ModuleType]:
    """The readable codec and the compiled one, to be compared."""
    try:
        compiled = importlib.import_module("thriftserver.codec.tjson._message")
    except ImportError:
        compiled = None  # type: ignore[assignment]
    need(compiled, "the compiled codec (python setup.py build_ext --inplace)")
    return importlib.import_module("thriftserver.codec.tjson.message"), compiled


@pytest.fixture(params=["pure", "native"])
def codec(request: pytest.FixtureRequest, both: tuple[ModuleType, ModuleType]) -> ModuleType:
    return both[request.param == "native"]
