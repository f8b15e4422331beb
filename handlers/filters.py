"""HBase's language of filters, as far as it can be answered from a row's cells: calls that AND joins.

PrefixFilter('user:') AND ValueFilter(=, 'binary:yes')
"""

import operator
import re
from collections.abc import Callable

from handlers.cells import Cell, Filter, Wrong

_CALL = re.compile(rb"\s*(\w+)\s*\(((?:[^()']|'[^']*')*)\)\s*")
_AND = re.compile(rb"AND\b")
_WORD = re.compile(rb"\s*(?:'((?:[^']|'')*+)'|([^\s,']+))\s*(?:,|$)")
_KNOWN = (
    "PrefixFilter, ColumnPrefixFilter, RowFilter, QualifierFilter, ValueFilter, KeyOnlyFilter and FirstKeyOnlyFilter"
)
_OPERATORS: dict[bytes, Callable[[bytes, bytes], bool]] = {
    b"=": operator.eq,
    b"!=": operator.ne,
    b"<": operator.lt,
    b"<=": operator.le,
    b">": operator.gt,
    b">=": operator.ge,
}


def parse(text: bytes) -> Filter:
    """Raises Wrong."""
    filters: list[Filter] = []
    place = 0
    while place < len(text) or not filters:
        if filters:
            joined = _AND.match(text, place)
            if joined is None:
                raise Wrong(f"filter: AND is expected at {place}; OR, SKIP and WHILE are not known here")
            place = joined.end()
        call = _CALL.match(text, place)
        if call is None:
            raise Wrong(f"filter: a call such as PrefixFilter('x') is expected at {place}")
        filters.append(_made(call[1].decode("utf-8", "replace"), _words(call[2])))
        place = call.end()

    def all_of_them(row: bytes, cells: list[Cell]) -> list[Cell]:
        for each in filters:
            cells = each(row, cells)
        return cells

    return all_of_them


def _words(text: bytes) -> list[bytes]:
    words, place = [], 0
    while place < len(text.rstrip()):
        found = _WORD.match(text, place)
        if found is None:
            raise Wrong("filter: arguments are 'strings' and operators, with commas between")
        words.append(found[2] if found[1] is None else found[1].replace(b"''", b"'"))
        place = found.end()
    return words


def _made(name: str, words: list[bytes]) -> Filter:
    match name, words:
        case "PrefixFilter", [prefix]:
            return lambda row, cells: cells if row.startswith(prefix) else []
        case "ColumnPrefixFilter", [prefix]:
            return lambda row, cells: [cell for cell in cells if _qualifier(cell).startswith(prefix)]
        case "FirstKeyOnlyFilter", []:
            return lambda row, cells: cells[:1]
        case "KeyOnlyFilter", []:
            return lambda row, cells: [cell._replace(value=b"") for cell in cells]
        case "RowFilter", [sign, comparator]:
            holds = _comparison(sign, comparator)
            return lambda row, cells: cells if holds(row) else []
        case "QualifierFilter", [sign, comparator]:
            holds = _comparison(sign, comparator)
            return lambda row, cells: [cell for cell in cells if holds(_qualifier(cell))]
        case "ValueFilter", [sign, comparator]:
            holds = _comparison(sign, comparator)
            return lambda row, cells: [cell for cell in cells if holds(cell.value)]
    known = (
        "PrefixFilter, ColumnPrefixFilter, FirstKeyOnlyFilter, KeyOnlyFilter, RowFilter, QualifierFilter, ValueFilter"
    )
    raise Wrong(f"filter: {name} with {len(words)} arguments is not known here; {known} are")


def _comparison(sign: bytes, comparator: bytes) -> Callable[[bytes], bool]:
    compare = _OPERATORS.get(sign)
    kind, _, wanted = comparator.partition(b":")
    if compare is None:
        raise Wrong("filter: operators are = != < <= > >=")
    if kind == b"binary":
        return lambda value: compare(value, wanted)
    if kind == b"binaryprefix":
        return lambda value: compare(value[: len(wanted)], wanted)
    if kind == b"substring" and sign in (b"=", b"!="):
        return lambda value: (wanted.lower() in value.lower()) == (sign == b"=")
    raise Wrong("filter: comparators are 'binary:...', 'binaryprefix:...' and, for = and !=, 'substring:...'")


def _qualifier(cell: Cell) -> bytes:
    return cell.column.partition(b":")[2]
