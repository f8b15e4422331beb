"""Text to tokens: the token rules, written for ply, and a lean loop over the regular expression that ply makes of them.

It knows no grammar and reports nothing: what is no token of Thrift becomes one of kind ILLEGAL; ``describe_illegal``
says why.
"""

# ruff: noqa: N802 - ply wants these names

from __future__ import annotations

import re
import types
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from ply import lex

from thriftserver.idl.ast import Token

_Rule = TypeVar("_Rule", bound=Callable[..., Any])
TOKEN: Callable[[str], Callable[[_Rule], _Rule]] = lex.TOKEN

KEYWORDS: Final = {
    word: word.upper()
    for word in (
        *("namespace", "include", "cpp_include", "cpp_type", "xsd_all", "xsd_optional", "xsd_nillable", "xsd_attrs"),
        *("void", "bool", "byte", "i8", "i16", "i32", "i64", "double", "string", "binary", "map", "list", "set"),
        *(
            "typedef",
            "struct",
            "union",
            "exception",
            "service",
            "enum",
            "const",
            "extends",
            "throws",
            "oneway",
            "async",
        ),
        *("required", "optional"),
    )
} | {"true": "INTEGER", "false": "INTEGER"}

#: Headers of Thrift before 0.9 and what replaced them: ``py_module x`` is ``namespace py x``.
OLD_NAMESPACES: Final = {
    "cpp_namespace": "cpp",
    "csharp_namespace": "csharp",
    "delphi_namespace": "delphi",
    "java_package": "java",
    "perl_package": "perl",
    "php_namespace": "php",
    "py_module": "py",
    "ruby_namespace": "rb",
    "smalltalk_category": "st",
    "smalltalk_prefix": "st",
    "xsd_namespace": "xsd",
}
KEYWORDS.update(dict.fromkeys(OLD_NAMESPACES, "OLD_NAMESPACE"))

literals: Final = ":;,{}()=<>[]*&"
tokens: Final = ("IDENTIFIER", "INTEGER", "REAL", "LITERAL", "ILLEGAL", *sorted(set(KEYWORDS.values()) - {"INTEGER"}))


# The rules, in the order in which they are tried. ply compiles them into one expression; ``scan`` drives that itself,
# as ply's own loop makes an object and two calls of every token. So the bodies never run.
@TOKEN(r"[ \t\r\n]+|//[^\n]*|\#[^\n]*|/\*(?!\*)[\s\S]*?\*/|/\*\*+/")
def t_SKIP(t: Any) -> None:
    del t


@TOKEN(r"[A-Za-z_]\w*(?:\.\w+)*")
def t_WORD(t: Any) -> Any:
    return t


@TOKEN(r"[:;,{}()=<>\[\]*&]")
def t_SYMBOL(t: Any) -> Any:
    return t


@TOKEN(r"[+-]?(?:\d*\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)")
def t_REAL(t: Any) -> Any:
    return t


@TOKEN(r"[+-]?(?:0x[0-9A-Fa-f]+|\d+)")
def t_INTEGER(t: Any) -> Any:
    return t


@TOKEN(r'"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"' + r"|'[^'\\\n]*(?:\\[^\n][^'\\\n]*)*'")
def t_LITERAL(t: Any) -> Any:
    return t


@TOKEN(r"/\*\*[\s\S]*?\*/")
def t_DOC(t: Any) -> None:
    del t


# An unclosed comment swallows the rest of the file, an unclosed string the rest of its line.
@TOKEN(r"/\*[\s\S]*|[\"'][^\n]*|[\s\S]")
def t_ILLEGAL(t: Any) -> Any:
    return t


def t_error(t: Any) -> None:  # pragma: no cover  # ply wants it; t_ILLEGAL leaves nothing over
    del t


t_ignore = ""


def _rules() -> types.SimpleNamespace:
    """What ply looks at, in one object."""
    return types.SimpleNamespace(
        __file__=__file__,
        __module__=__name__,
        __package__="",
        tokens=(*tokens, "SKIP", "WORD", "SYMBOL", "DOC"),
        literals=literals,
        **{name: value for name, value in globals().items() if name.startswith("t_")},
    )


def _master() -> tuple[re.Pattern[str], tuple[str, ...]]:
    """ply's expression, and the name of the rule behind each of its groups."""
    # ``optimize``: ply does not check the rules at each start; a test does. ``lextab``: nor does it write a file.
    built = lex.lex(module=_rules(), reflags=int(re.ASCII), optimize=True, lextab="")
    [(expression, rules)] = built.lexre
    return expression, tuple(rule[1] if rule else "" for rule in rules)


_MASTER, _RULES = _master()
_SKIP = _RULES.index("SKIP")
_WORD = _RULES.index("WORD")
_SYMBOL = _RULES.index("SYMBOL")
_DOC = _RULES.index("DOC")
_token = partial(tuple.__new__, Token)

#: Kind of the token that ends every file.
END: Final = "$end"


class Scan:
    """The tokens of one file: ``kinds[i]`` and ``tokens[i]`` belong together, the last ones are the end of the file."""

    __slots__ = ("docs", "kinds", "tokens")

    def __init__(self, kinds: list[str], tokens: list[Token], docs: dict[int, tuple[int, int]]) -> None:
        self.kinds = kinds
        self.tokens = tokens
        #: Spans of doc comments, by the offset of the next token.
        self.docs = docs


def scan(text: str) -> Scan:
    """All tokens of ``text``. Never fails."""
    kinds: list[str] = []
    found: list[Token] = []
    comments: list[tuple[int, tuple[int, int]]] = []
    keyword = KEYWORDS.get
    add_kind, add = kinds.append, found.append
    for match in _MASTER.finditer(text):
        rule = match.lastindex
        if rule == _SKIP:
            continue
        word = match[0]
        if rule == _WORD:
            add_kind(keyword(word, "IDENTIFIER"))
        elif rule == _SYMBOL:
            add_kind(word)
        elif rule == _DOC:
            comments.append((len(found), match.span()))
            continue
        else:
            add_kind(_RULES[rule or 0])
        add(_token((word, match.start())))
    add_kind(END)
    add(Token("", len(text)))
    return Scan(kinds, found, {found[index].at: span for index, span in comments})


def describe_illegal(token: Token) -> tuple[str, str]:
    """Why an ILLEGAL token is none: a message, and a hint (which may be empty)."""
    first = token.text[0]
    if token.text.startswith("/*"):
        return "unterminated comment", "close it with `*/`"
    if first in "\"'":
        return _describe_string(token.text, first)
    if first == "/":
        return "a comment starts with `//`, not with a single `/`", ""
    if first in "+-":
        return f"`{first}` without a number behind it", ""
    if first == ".":
        return "a name or number cannot start here with `.`", ""
    if first == "@":
        message = "structured annotations (`@Name{...}`) are fbthrift's, not Apache Thrift's"
        return message, 'remove it, or write (name = "value") behind the definition'
    if first == "\ufeff":
        return "byte order mark (U+FEFF) in the middle of the file", "only the very start of a file may have one"
    if "\udc80" <= first <= "\udcff":
        return f"byte 0x{ord(first) - 0xDC00:02x} is not valid UTF-8", "save the file as UTF-8"
    if first == "`":
        return "unexpected character '`'", ""
    if first.isprintable():
        help = "names are made of ASCII letters, digits and `_`" if first.isalpha() else ""
        return f"unexpected character `{first}`" + ("" if first.isascii() else f" (U+{ord(first):04X})"), help
    named = unicodedata.name(first, "").lower()
    return f"unexpected invisible character U+{ord(first):04X}{f' ({named})' if named else ''}", "remove it"


def _describe_string(text: str, quote: str) -> tuple[str, str]:
    other = "'" if quote == '"' else '"'
    if text.rstrip().endswith(other):
        return "unterminated string", f"it starts with {quote} and so must end with {quote}"
    return "unterminated string", f"close it with {quote} on the same line"


_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: What a string may not hold: an escape that Thrift does not know, or a byte that was not UTF-8.
_BAD = re.compile("\\\\(?:[nrt\"'\\\\]|([\\s\\S]))|([\ud800-\udfff]+)")


def unquote(text: str) -> str:
    """The string that a literal, given with its quotes, stands for."""
    inner = text[1:-1]
    if "\\" not in inner:
        return inner
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), inner)


def problems_in_literal(text: str) -> list[tuple[int, int, str]]:
    """Start, end and message of everything wrong within a literal given with its quotes."""
    problems = []
    for match in _BAD.finditer(text):
        if match[1] is not None:
            problems.append((match.start(), match.end(), f"unknown escape `\\{match[1]}` in string"))
        elif match[2] is not None:
            code = ord(match[2][0])
            what = f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"surrogate U+{code:04X}"
            problems.append((match.start(), match.end(), f"{what} in string is not valid UTF-8"))
    return problems
