"""How a report looks: carets, colours, cuts, order, and nothing in it that drives a terminal."""

from __future__ import annotations

from thriftserver.idl.diagnostics import SHOWN, WIDTH, Diagnostic, render
from thriftserver.idl.loader import Loader


def check(text: str, **files: str) -> list[Diagnostic]:
    return Loader().check("m.thrift", files={"m.thrift": text} | files)[1]


def test_a_report_reads_like_this() -> None:
    text = 'struct User { 1: i32 id }\nstruct A {\n  1: Usr u,\n  2: i32 n = "x"\n}\n'
    assert render(check(text)) == (
        "m.thrift:3:6: error: unknown type `Usr`; did you mean `User`?\n"
        "    3 |   1: Usr u,\n"
        "      |      ^^^\n"
        "\n"
        'm.thrift:4:14: error: expected i32, found string "x"\n'
        '    4 |   2: i32 n = "x"\n'
        "      |              ^^^\n"
        "\n"
        "2 errors"
    )


def test_colours_are_added_on_request_only() -> None:
    found = check("struct A { 1: Nope n }")
    assert "\x1b[" not in render(found)
    painted = render(found, color=True)
    assert "\x1b[1;31merror:\x1b[0m" in painted
    assert "\x1b[1;31m^^^^\x1b[0m" in painted


def test_carets_stand_under_wide_and_combining_characters() -> None:
    for before, columns in [("漢字", 4), ("e\u0301", 1), ("ab", 2), ("🙂", 2), ("a\u200bb", 3)]:
        (found,) = check(f'const string S = "{before}" const i32 X = "no"')
        line, marks = render([found]).splitlines()[1:3]
        written = line.index('"no"') - len(before)
        assert marks.index("^") == written + columns


def test_tabs_are_repeated_below_so_that_the_caret_fits() -> None:
    (found,) = check('struct A {\n\t1:\ti32\tx = "no"\n}')
    lines = render([found]).splitlines()
    assert lines[1] == '    2 | \t1:\ti32\tx = "no"'
    assert lines[2] == "      | \t  \t   \t    ^^^^"


def test_long_lines_are_cut_around_the_place() -> None:
    (found,) = check("struct A { " + "".join(f"{n}: i32 field{n}, " for n in range(1, 500)) + "500: Nope n }")
    line, marks = render([found]).splitlines()[1:3]
    assert len(line) <= WIDTH + 20
    assert line[marks.index("^") :].startswith("Nope")


def test_control_characters_do_not_reach_the_terminal() -> None:
    report = render(check('const i32 X = "\x1b[31m\x07"\nstruct \x1b]0;x\x07 {}\ninclude "\x1b[0m.thrift"\n'))
    assert all(char.isprintable() or char == "\n" for char in report)


def test_a_report_is_sorted_and_cut() -> None:
    found = check("\n".join(f"struct S{n} {{ i32 x, 2: Nope{n} u }}" for n in range(200)))
    report = render(found)
    lines = [diagnostic.line for diagnostic in found]
    assert lines == sorted(lines)
    assert report.count("error: ") == SHOWN
    assert "warning: " not in report
    assert report.endswith(f"... and {400 - SHOWN} more\n\n200 errors, 200 warnings")


def test_nothing_is_said_twice() -> None:
    found = check(
        'include "a.thrift"\ninclude "b.thrift"\nstruct T { 1: a.A a, 2: b.B b }',
        **{
            "a.thrift": 'include "c.thrift"\nstruct A { 1: c.C c }',
            "b.thrift": 'include "c.thrift"\nstruct B { 1: c.C c, 2: c.Missing m }',
            "c.thrift": "struct C { 1: Nope n }",
        },
    )
    assert [str(diagnostic) for diagnostic in found] == ["c.thrift:1:15: error: unknown type `Nope`"]


def test_a_syntax_error_brings_no_false_alarms() -> None:
    found = check(
        "struct A { 1: i32 x,, }\nstruct B { 1: A a, 2: Unwritten u }\nconst i32 X = A_CONSTANT\nenum E { A, A }"
    )
    assert [diagnostic.message for diagnostic in found] == [
        "expected a field or `}`, found `,`",
        "enum member `A` is defined twice",
    ]


def test_every_definition_that_can_be_read_is_looked_at() -> None:
    found = check("struct A { 1: i32 }\nstruct B { oops }\nenum C { = }\nstruct D { 1: i32 x = 'no' }\n")
    assert [diagnostic.line for diagnostic in found] == [1, 2, 3, 4]
