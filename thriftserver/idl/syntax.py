"""Words for syntax errors: what was found, what could have stood there, and what the author may have meant.

It reports, and neither parses nor resolves.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from thriftserver.idl.ast import Token
from thriftserver.idl.automaton import expected
from thriftserver.idl.diagnostics import Note, Report
from thriftserver.idl.hints import did_you_mean
from thriftserver.idl.lexer import END, KEYWORDS, OLD_NAMESPACES, Scan, describe_illegal, problems_in_literal
from thriftserver.idl.parser import Failure
from thriftserver.idl.recovery import OPENERS, starts_line

#: Syntax errors that are looked into; nobody reads more.
MAX_FAILURES: Final = 500

_CLOSERS: Final = {"{": "}", "(": ")", "[": "]", "<": ">"}
_UNDECODED = re.compile("[\ud800-\udfff]")

_CLOSING: Final = frozenset({"}", ")", "]"})
_TYPES: Final = frozenset({"BOOL", "I8", "I16", "I32", "I64", "DOUBLE", "STRING", "BINARY", "MAP", "SET", "LIST"})
_VALUES: Final = frozenset({"INTEGER", "REAL", "LITERAL", "IDENTIFIER", "[", "{"})
_NAMES: Final = frozenset({"IDENTIFIER", "BYTE", "ASYNC"})
#: What may always be left out, and so is not worth a word while something else is wanted.
_OPTIONAL: Final = frozenset("(,;&") | {
    "XSD_ALL",
    "XSD_OPTIONAL",
    "XSD_NILLABLE",
    "XSD_ATTRS",
    "CPP_TYPE",
    "THROWS",
    "EXTENDS",
}

#: What other dialects write at the top level, and how to say the same here.
_FOREIGN_DEFINITIONS: Final = {
    "package": ("`package` is fbthrift's, not Apache Thrift's", "remove it, or write `namespace * some.name`"),
    "interaction": ("interactions are fbthrift's, not Apache Thrift's", "write a `service`"),
    "senum": ("`senum` was removed from Thrift", "write an `enum`, or constants of type string"),
    "class": ("Thrift has no classes", "write a `struct`"),
    "interface": ("Thrift has no interfaces", "write a `service`"),
    "message": ("`message` is Protocol Buffers', not Thrift's", "write a `struct`"),
    "syntax": ("this looks like a Protocol Buffers file, not Thrift", ""),
    "rpc": ("`rpc` is Protocol Buffers', not Thrift's", "write a function within a `service`"),
    "option": ("`option` is Protocol Buffers', not Thrift's", ""),
    "import": ("Thrift has no `import`", 'write `include "file.thrift"`'),
    "using": ("Thrift has no `using`", "write a `typedef`"),
    "schema": ("`schema` is fbthrift's, not Apache Thrift's", ""),
}
_FOREIGN_TYPES: Final = {
    "stream": "streams (`stream<...>`) are fbthrift's, not Apache Thrift's",
    "sink": "sinks (`sink<...>`) are fbthrift's, not Apache Thrift's",
    "hash_map": "`hash_map` is fbthrift's, not Apache Thrift's",
    "hash_set": "`hash_set` is fbthrift's, not Apache Thrift's",
}
_FOREIGN_FUNCTIONS: Final = {
    "performs": "`performs` (interactions) is fbthrift's, not Apache Thrift's",
    "readonly": "`readonly` is fbthrift's, not Apache Thrift's",
    "idempotent": "`idempotent` is fbthrift's, not Apache Thrift's",
    "rpc": "`rpc` is Protocol Buffers', not Thrift's",
}


def report_failures(failures: list[Failure], scan: Scan, report: Report) -> None:
    """Says all that is wrong with the syntax of a file."""
    for failure in failures[:MAX_FAILURES]:
        _Explainer(failure, scan, report).explain()
    _check_literals(scan, report)


def _check_literals(scan: Scan, report: Report) -> None:
    text = report.source.text
    undecoded = None if text.isascii() else _UNDECODED.search(text)
    if "\\" in text or undecoded:
        for kind, token in zip(scan.kinds, scan.tokens, strict=True):
            if kind == "LITERAL":
                for start, end, message in problems_in_literal(token.text):
                    help = "known are \\n \\r \\t \\\\ \\\" \\'" if "escape" in message else ""
                    report.error(token.at + start, token.at + end, message, help=help)
    if undecoded:
        starts = [token.at for token in scan.tokens]
        index = bisect_right(starts, undecoded.start()) - 1
        if index < 0 or undecoded.start() >= scan.tokens[index].end:
            help = "save the file as UTF-8"
            report.warning(undecoded.start(), undecoded.end(), "comment is not valid UTF-8", help=help)


class _Explainer:
    """One syntax error."""

    def __init__(self, failure: Failure, scan: Scan, report: Report) -> None:
        self.failure = failure
        self.report = report
        self.kinds, self.tokens = scan.kinds, scan.tokens
        self.index = failure.at
        self.kind = scan.kinds[failure.at]
        self.found = scan.tokens[failure.at]
        self.wanted = expected(failure.states)
        self.starts_line = starts_line(self.found, report.source.text)

    def explain(self) -> None:
        if self.kind == "ILLEGAL":
            self._illegal()
        elif not (self._foreign() or self._special()):
            self._unexpected()

    def _error(self, token: Token, message: str, *notes: Note, help: str = "") -> None:
        self.report.error(token.at, token.end, message, *notes, help=help)

    def _illegal(self) -> None:
        token = self.found
        message, help = describe_illegal(token)
        previous = self.tokens[self.index - 1] if self.index else token
        if token.text in ("+", "-") and previous.end == token.at and previous.text[-1:].isalnum():
            message = f"a name cannot have a `{token.text}`"
        elif token.text in ("+", "-", "/") and self.kinds[self.index - 1] in ("INTEGER", "REAL", "LITERAL"):
            message, help = f"unexpected `{token.text}`", "Thrift has no expressions; write the value"
        if token.at == 0 and token.text in ("\udcff", "\udcfe"):
            message, help = "this file is UTF-16 text; an IDL must be UTF-8", "save the file as UTF-8"
        if token.text.startswith("/*"):
            token = Token("/*", token.at)
        elif token.text[0] in "\"'":
            token = Token(token.text.rstrip(), token.at)
        self._error(token, message, help=help)

    def _previous(self) -> Token | None:
        """The token before, if it belongs to the same definition."""
        return self.tokens[self.index - 1] if self.index > self.failure.opening else None

    def _foreign(self) -> bool:
        """Something that another dialect has."""
        if len(self.failure.states) <= 2:
            return self._foreign_definition()
        before = self._previous()
        if before is not None and self.found.text == "<" and before.text in _FOREIGN_TYPES:
            self._error(before, _FOREIGN_TYPES[before.text])
            return True
        if self.kinds[self.failure.opening] == "SERVICE":
            # At most a type and a name of it were read before something did not fit.
            for index in range(max(self.index - 2, self.failure.opening), self.index + 1):
                token = self.tokens[index]
                starts = self.kinds[index - 1] in ("{", "}", ")", ",", ";")
                if token.text in _FOREIGN_FUNCTIONS and starts and self.kinds[index + 1] != "(":
                    self._error(token, _FOREIGN_FUNCTIONS[token.text])
                    return True
        return False

    def _foreign_definition(self) -> bool:
        text = self.found.text
        if text in _FOREIGN_DEFINITIONS:
            message, help = _FOREIGN_DEFINITIONS[text]
        elif self.kind == "IDENTIFIER" and (hint := did_you_mean(text, [kind.lower() for kind in OPENERS])):
            message, help = f"no definition starts with `{text}`{hint}", ""
        else:
            return False
        self._error(self.found, message, help=help)
        return True

    def _special(self) -> bool:
        """Mistakes that deserve a message of their own."""
        if self._conflict() or self._digit_first() or self._keyword():
            return True
        before = self._previous()
        fields = self.kinds[self.failure.opening] != "ENUM"
        if self.found.text == ":" and before is not None and self.wanted >= _NAMES and fields:
            self._error(before, f"a field id must be an integer, found `{before.text}`")
            return True
        return False

    def _digit_first(self) -> bool:
        """Two tokens that were meant as one: ``0xZZ``, ``12L``, ``3d``."""
        index = self.index
        if self.kind == "INTEGER" and self.wanted >= _NAMES and self.kinds[index + 1] == "IDENTIFIER":
            index += 1
        if not index or self.kinds[index] != "IDENTIFIER":
            return False
        first, second = self.tokens[index - 1], self.tokens[index]
        if first.end != second.at or not first.text[-1:].isdigit():
            return False
        whole = Token(first.text + second.text, first.at)
        if first.text.lstrip("+-") == "0" and second.text[0] == "x":
            self._error(whole, f"`{whole.text}` is not a hexadecimal number")
        elif index > self.index:
            self._error(whole, f"a name cannot start with a digit: `{whole.text}`")
        else:
            self._error(whole, f"`{whole.text}` is neither a number nor a name; a name cannot start with a digit")
        return True

    def _keyword(self) -> bool:
        """A word of Thrift's own where a name or value should be."""
        text, wanted = self.found.text, self.wanted
        if text not in KEYWORDS or "IDENTIFIER" not in wanted:
            return False
        if self.kind in ("REQUIRED", "OPTIONAL", "ONEWAY", "ASYNC"):
            return False  # rather in a wrong place than a name
        if wanted & _TYPES and self.kind in ("INTEGER", "VOID", *OPENERS):
            return False
        if self.kind in OPENERS and self.starts_line:
            return False  # the next definition
        what = "name" if wanted >= _NAMES or wanted & _TYPES else "value"
        self._error(self.found, f"`{text}` is a reserved word and cannot be a {what}")
        return True

    def _conflict(self) -> bool:
        """The markers that a version control system leaves behind."""
        text = self.report.source.text
        for marker in ("<<<<<<<", "=======", ">>>>>>>"):
            line = text.rfind("\n", 0, self.found.at) + 1
            if text.startswith(marker, line):
                message = f"merge conflict marker `{marker}`"
                self.report.error(line, line + len(marker), message, help="resolve the conflict")
                return True
        return False

    def _unexpected(self) -> None:
        wanted = self.wanted
        names = describe_expected(wanted, self.kinds[self.failure.opening])
        opening = self._unclosed()
        before = self._previous()
        if self.kind == END:
            if opening is not None:
                self._error(opening, f"unclosed `{opening.text}`", help=f"add `{_CLOSERS[opening.text]}`")
            elif before is not None:
                self.report.error(before.end, before.end + 1, f"expected {names}, found the end of the file")
            else:
                self._error(self.found, f"expected {names}, found the end of the file")
            return
        message = f"expected {names}, found {self._shown()}"
        notes = []
        closer = self.found.text in _CLOSERS.values() and opening and self.found.text != _CLOSERS[opening.text]
        if opening is not None and (self.kind in OPENERS or closer):
            notes.append(Note(f"this `{opening.text}` is not closed", self.report.span(opening.at, opening.end)))
        help = self._help(wanted)
        if before is not None and self.starts_line and not wanted & _CLOSING:
            # The line before is not complete.
            self.report.error(before.end, before.end + 1, message, help=help)
        else:
            self._error(self.found, message, *notes, help=help)

    def _shown(self) -> str:
        text = self.found.text
        if len(text) > 60:
            text = text[:57] + "..."
        if self.kind == "LITERAL":
            return f"string {text}"
        if self.kind in ("INTEGER", "REAL") and text not in KEYWORDS:
            return f"number `{text}`"
        return f"`{text}`"

    def _unclosed(self) -> Token | None:
        """The innermost bracket of this definition that is still open."""
        stack: list[Token] = []
        for token in self.tokens[self.failure.opening : self.index]:
            if token.text in _CLOSERS:
                stack.append(token)
            elif stack and token.text == _CLOSERS[stack[-1].text]:
                stack.pop()
        return stack[-1] if stack else None

    def _help(self, wanted: set[str]) -> str:
        before = self._previous()
        text = self.found.text
        if text in (",", ";") and before is not None and before.text in (",", ";"):
            return "one separator is enough"
        if text in (",", ";") and len(self.failure.states) <= 2:
            return f"remove the `{text}`"
        if text == "void" and wanted >= _TYPES:
            return "only a function can return `void`"
        if text == "}" and len(self.failure.states) <= 2:
            return "there is no `{` that it could close"
        if wanted == {":"} and before is not None and self.kinds[self.failure.opening] != "CONST":
            return f"write `{before.text}:` if that is the field's id"
        if "LITERAL" in wanted and len(wanted) == 1 and self.kind == "IDENTIFIER":
            return f'write "{text}" with quotes'
        if text in OLD_NAMESPACES:
            return f"write `namespace {OLD_NAMESPACES[text]} ...`"
        if self.kind in ("REQUIRED", "OPTIONAL"):
            return f"`{text}` stands once, between the field's id and its type"
        if self.kind in ("ONEWAY", "ASYNC"):
            return f"`{text}` stands in front of the function, before `void`"
        if text == "=" and self.kinds[self.failure.opening] == "SERVICE":
            return "a function has no value"
        if text == ":" and self.kinds[self.failure.opening] == "ENUM":
            return "a member gets its value with `=`"
        if text == "*" and len(self.failure.states) <= 2:
            return "Thrift has no expressions; write the value"
        if text == "(" and "}" in wanted:
            return "functions belong into a `service`"
        return ""


_SPELLED: Final = {
    "IDENTIFIER": "a name",
    "INTEGER": "an integer",
    "LITERAL": "a string in quotes",
    END: "the end of the file",
}


def describe_expected(wanted: set[str], opening: str) -> str:
    """The set of possible tokens in words: "a field or `}`"."""
    rest = set(wanted)
    names: list[str] = []
    if rest >= OPENERS:
        rest -= OPENERS
        names.append("a definition (struct, enum, service, ...)")
        rest.discard(END)
    if opening == "SERVICE" and rest >= {"ONEWAY", "VOID"}:
        rest -= _TYPES | _NAMES | {"ONEWAY", "VOID"}
        names.append("a function")
    elif rest >= _TYPES | {"INTEGER", "REQUIRED"}:
        rest -= _TYPES | _NAMES | {"INTEGER", "REQUIRED", "OPTIONAL"}
        names.append("an argument" if opening == "SERVICE" else "a field")
    elif rest >= _TYPES:
        required = rest & {"REQUIRED", "OPTIONAL"}
        rest -= _TYPES | _NAMES | required
        names.append("a type")
    elif rest >= _VALUES:
        rest -= _VALUES
        names.append("a value")
    elif rest >= _NAMES:
        rest -= _NAMES
        names.append("a name")
    if names or "}" in rest:
        rest.discard("=")
    needed = rest - _OPTIONAL
    names += [_SPELLED.get(kind) or f"`{kind.lower()}`" for kind in sorted(needed or (() if names else rest))]
    names = list(dict.fromkeys(names))
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "something else"
