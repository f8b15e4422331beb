"""Runs every test of the codec twice: over the readable source and over what was compiled from it."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.codec.variants import FORMS, both_of, codec_of
from thriftserver.compiled import PROTOCOLS


@pytest.fixture(params=FORMS)
def codec(request: pytest.FixtureRequest) -> ModuleType:
    """The module with the public functions of the binary protocol."""
    return codec_of("binary", request.param)


@pytest.fixture
def both() -> tuple[ModuleType, ModuleType]:
    """The readable codec and the compiled one, to be compared."""
    return both_of("binary")


@pytest.fixture(params=FORMS)
def compact(request: pytest.FixtureRequest) -> ModuleType:
    """The module with the public functions of the compact protocol."""
    return codec_of("compact", request.param)


@pytest.fixture(params=[f"{protocol}-{form}" for protocol in PROTOCOLS for form in FORMS])
def any_codec(request: pytest.FixtureRequest) -> ModuleType:
    """The same of every protocol."""
    return codec_of(*request.param.split("-"))


@pytest.fixture(params=PROTOCOLS)
def twins(request: pytest.FixtureRequest) -> tuple[ModuleType, ModuleType]:
    """The readable codec and the compiled one of every protocol."""
    return both_of(request.param)
