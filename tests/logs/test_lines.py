"""What a line looks like, whatever it is made of: one JSON object, one line on a terminal, never too long."""

from __future__ import annotations

import json
import re
import signal
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thriftserver.log import _layout
from thriftserver.log.line import Console, Head, fitting, json_line, with_priority
from thriftserver.log.values import plain, reason, trace

LIMIT = 4096
HEAD = Head()
#: Half surrogate pairs too: file names and bytes of a peer may hold them.
TEXTS = st.text(st.characters(codec=None), max_size=80) | st.sampled_from(
    [
        "\n",
        "\r\n",
        "\x1b[2J",
        "\x9b2J",
        "\x85",
        "\u2028\u2029",
        "\u202e",
        '"}',
        "\\",
        "\0",
        "\ud800",
        "\x7f",
        "é" * 3000,
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(TEXTS | st.integers(), inner, max_size=4)
        | inner.map(ValueError)
    ),
    max_leaves=12,
)
FACTS = st.dictionaries(TEXTS, VALUES, max_size=30)

#: Whatever ends a line or steers a terminal.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def strict(line: bytes) -> dict[str, Any]:
    """The object that a line is, for a parser that takes nothing but JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert line.endswith(b"\n")
    text = line.decode()
    assert len(text.splitlines()) == 1
    assert not re.search("[\x80-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    found = json.loads(text, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


@given(facts=FACTS)
def test_any_facts_are_one_json_object(facts: dict[str, Any]) -> None:
    line = fitting(json_line, LIMIT)(HEAD("info", "it", {"k": facts} | facts))
    assert len(line) <= LIMIT
    found = strict(line)
    if not {"level", "event"} & facts.keys():
        assert (found["level"], found["event"]) == ("info", "it")


@given(facts=FACTS, message=TEXTS)
def test_any_facts_are_one_harmless_line_for_people(facts: dict[str, Any], message: str) -> None:
    facts.pop("traceback", None)
    line = fitting(Console(_layout(False)), LIMIT)(HEAD("info", "it", facts | {"traceback": ValueError(message)}))
    first, *rest = line.decode().removesuffix("\n").split("\n")
    assert not CONTROL.search(first)
    assert rest
    for each in rest:
        assert each.startswith("    | ")
        assert not CONTROL.search(each)


def test_what_looks_like_facts_is_quoted_for_people() -> None:
    line = Console(_layout(False))(HEAD("info", "it", {"name": "x outcome=success", "method": "get"})).decode()
    assert line.rstrip().endswith('name="x outcome=success" method=get')


def test_journald_reads_the_priority_of_each_line() -> None:
    render = with_priority(Console(_layout(False)))
    lines = render(HEAD("error", "it", {"traceback": "one\ntwo"})).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(b"<3>") for line in lines)


class Strange:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        (10**5000, "<int>"),  # more digits than Python is willing to print
        (float("inf"), "inf"),
        (b"\xff", "b'\\xff'"),
        (signal.SIGTERM, 15),
        (Path("/x"), repr(Path("/x"))),
        (uuid.UUID(int=1), repr(uuid.UUID(int=1))),
        (ValueError("why"), "ValueError: why"),
        (Strange(), "<Strange>"),
        ("\ud800", "\\ud800"),
        (("a", {1: None}), ["a", {"1": None}]),
        ([[[[["deep"]]]]], [[[["['deep']"]]]]),
        (list(range(100)), [*range(20), "... 80 more"]),
    ],
    ids=lambda value: str(plain(value))[:30],
)
def test_values(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_a_long_text_keeps_both_ends() -> None:
    text = plain("a" + "x" * 10_000 + "b")
    assert len(text) < 1050
    assert text.startswith("ax")
    assert text.endswith("xb")
    assert "[... 9002 characters ...]" in text


def deep(levels: int) -> None:
    secret = "".join(["hid", "den"])
    if levels:
        deep(levels - 1)
    raise AssertionError(f"the end of {len(secret)}")


def test_a_traceback_fits_its_line_and_keeps_what_matters() -> None:
    def fail() -> None:
        try:
            deep(500)
        except AssertionError as error:
            raise ValueError("the last") from error

    with pytest.raises(ValueError, match="the last") as caught:
        fail()
    found = strict(fitting(json_line, LIMIT)(HEAD("error", "it", {"traceback": caught.value})))
    for part in ("AssertionError: the end", "direct cause", "ValueError: the last", "in fail"):
        assert part in found["traceback"]
    assert "hidden" not in found["traceback"]
    assert len(trace(caught.value, 600)) < 650


def test_the_reason_of_an_exception_that_cannot_be_printed() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert reason(Mute()) == "Mute: (its text cannot be had: RuntimeError)"


def test_a_line_with_hundreds_of_facts_is_reduced_to_its_head() -> None:
    found = strict(fitting(json_line, LIMIT)(HEAD("info", "it", {f"key{i}": "v" * 99 for i in range(500)})))
    assert found["event"] == "it"
    assert found["cut"] is True
