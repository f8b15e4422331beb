"""Which of the two codecs the rest of the project gets."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from tests.support import ROOT, need
from thriftserver.compiled import PROTOCOLS, choose

_ASK = (
    "from thriftserver.codec.protocols import binary; from thriftserver.compiled import NATIVE; "
    "print(NATIVE, binary.encode_struct.__module__)"
)


def _ask(**environment: str) -> str:
    kept = {key: value for key, value in os.environ.items() if key != "THRIFTSERVER_PURE"}
    done = subprocess.run(
        [sys.executable, "-c", _ASK], env=kept | environment, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60
    )
    return done.stdout.decode().strip()


def test_pure_on_request() -> None:
    assert _ask(THRIFTSERVER_PURE="1") == "False thriftserver.codec.binary.message"


def test_native_where_it_was_built() -> None:
    try:
        import thriftserver.codec.binary._message  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        need(None, "the compiled codec (python setup.py build_ext --inplace)")
    assert _ask() == "True thriftserver.codec.binary._message"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_is_its_functions(protocol: str) -> None:
    package = importlib.import_module(f"thriftserver.codec.{protocol}")
    assert package.encode_call is choose(f"codec.{protocol}.message").encode_call
    with pytest.raises(AttributeError):
        _ = package.encode_nothing


def test_pure_does_not_need_cython() -> None:
    hidden = "import sys; sys.modules['cython'] = None; "
    code = hidden + "from thriftserver.codec.binary import message; print(message.cython.compiled)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout.strip() == b"False"


def test_nothing_but_the_rooms_below_is_imported() -> None:
    code = (
        "import sys; import thriftserver.codec.protocols, thriftserver.codec.plain; "
        "print([name for name in ('gevent', 'structlog', 'click', 'ply', 'socket') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout.strip() == b"[]"
