"""``thriftserver call`` with what nobody could mean: one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

NINES = "9" * 5000


def call(*args: str | bytes, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "thriftserver", "call", *args, "--idl", "idl/calculator.thrift"]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, check=False)


@pytest.mark.parametrize(
    "args",
    [
        ("127.0.0.1:1", "add", '{"a": ' + NINES + "}"),
        ("127.0.0.1:1", "add", '{"a": 9e99, "b": 1}'),
        ("127.0.0.1:1", "add", "NaN"),
        ("127.0.0.1:1", "add", "[" * 100_000),
        ("127.0.0.1:1", "calculate", '{"work": {"left": 1, "right": 2, "operation": "' + NINES + '"}}'),
        ("127.0.0.1:1", "calculate", '{"work": {"left": 1, "right": 2, "operation": "--5"}}'),
        ("127.0.0.1:1", b"ad\xff", "{}"),
        (f"127.0.0.1:{NINES}", "add", "[1, 2]"),
        ("127.0.0.1:\u0662", "add", "[1, 2]"),
        ("a..b:80", "add", "[1, 2]"),
        ("a" * 70 + ".b:80", "add", "[1, 2]"),
        (b"a\xff:80", "add", "[1, 2]"),
        ("127.0.0.1:1", "add", "[1, 2]", "--timeout", NINES),
        ("127.0.0.1:1", "add", "[1, 2]", "--timeout", "99999999999"),
        ("127.0.0.1:1", "add", "[1, 2]", "--timeout", "\u0662"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(args: tuple[str | bytes, ...]) -> None:
    done = call(*args)
    assert done.returncode == 2, done.stderr[-300:]
    assert done.stderr.startswith(b"Error: ")
    assert b"Traceback" not in done.stderr


def test_standard_input_that_is_no_text_is_a_sentence() -> None:
    done = call("127.0.0.1:1", "add", "-", given=b'{"a": "\xff"}')
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"not UTF-8" in done.stderr
