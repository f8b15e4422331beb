"""Definitions of an IDL as IDL text again, with their doc comments: what ``thriftserver describe`` shows.

Typedefs are resolved, and a redacted field has no default. How the parts look is up to whoever shows them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from thriftserver.describing.data import pieces
from thriftserver.schema.model import (
    ABSENT,
    REDACT,
    Const,
    Definition,
    Enum,
    Field,
    Function,
    List,
    Literal,
    Map,
    Module,
    Pairs,
    Service,
    Set,
    Struct,
    Type,
    Typedef,
)

#: What parts of a text are: doc comments, words of the language, names that are defined, types, warnings.
PARTS: Final = ("doc", "word", "name", "type", "alarm")
#: Gives a text of one of these parts the look of it.
Look = Callable[[str, str], str]

#: Characters of a line with arguments; longer ones are broken.
_WIDTH: Final = 110


def plainly(_part: str, text: str) -> str:
    """Without any look."""
    return text


class Text:
    """Writes definitions as seen from the file ``module``: names of others are written ``other.Name``."""

    def __init__(self, module: str, look: Look = plainly) -> None:
        self._module = module
        self._look = look

    def file(self, module: Module) -> Iterator[str]:
        """All that a file defines, in lines."""
        for included in module.includes:
            yield f"{self._look('word', 'include')} {json.dumps(f'{included.name}.thrift')}"
        kinds: Sequence[dict[str, Any]] = (
            module.consts,
            module.enums,
            module.typedefs,
            module.structs,
            module.services,
        )
        for kind in kinds:
            for definition in kind.values():
                yield ""
                yield from self.of(definition)

    def of(self, each: Definition) -> Iterator[str]:
        """One definition, in lines."""
        yield from self._doc(each.doc)
        match each:
            case Service():
                yield from self._service(each)
            case Function():
                yield from self._function(each)
            case Struct():
                head = f"{self._look('word', each.kind)} {self._look('name', each.name)}"
                fields = [self._field(field, each.kind == "union") for field in each.fields]
                yield from self._block(head, fields, each)
            case Enum():
                head = f"{self._look('word', 'enum')} {self._look('name', each.name)}"
                yield from self._block(head, [self._member(member) for member in each.members], each)
            case Typedef():
                notes = self._annotations(each)
                yield f"{self._look('word', 'typedef')} {self.type(each.type)} {self._look('name', each.name)}{notes}"
            case Const():
                head = f"{self._look('word', 'const')} {self.type(each.type)} {self._look('name', each.name)}"
                yield f"{head} = {_value(each.type, each.value)}"

    def type(self, type: Type | None) -> str:
        """A type's name; huge ones are cut."""
        return "".join(
            self._look("type", self._ref(each) if isinstance(each, Definition) else each) for each in pieces(type)
        )

    def _ref(self, each: Definition) -> str:
        return each.name if each.module == self._module else str(each)

    def _service(self, service: Service) -> Iterator[str]:
        head = f"{self._look('word', 'service')} {self._look('name', service.name)}"
        if service.extends is not None:
            head += f" {self._look('word', 'extends')} {self._look('type', self._ref(service.extends))}"
        yield from self._block(head, [list(self.of(each)) for each in service.functions], service)

    def _function(self, function: Function) -> Iterator[str]:
        oneway = f"{self._look('word', 'oneway')} " if function.oneway else ""
        returns = self.type(function.returns) if function.returns else self._look("word", "void")
        head = f"{oneway}{returns} {self._look('name', function.name)}"
        tail = self._annotations(function)
        args, throws = ([self._field(each) for each in fields] for fields in (function.args, function.throws))
        thrown = f" {self._look('word', 'throws')} ({', '.join(_flat(throws))})" if throws else ""
        plain = Text(self._module)
        short = [line for each in (*function.args, *function.throws) for line in plain._field(each)]
        if sum(map(len, short)) + len(function.name) < _WIDTH and not any(
            each.doc for each in (*function.args, *function.throws)
        ):
            yield f"{head}({', '.join(_flat(args))}){thrown}{tail}"
            return
        yield f"{head}("
        yield from (f"  {line}" for line in _separated(args))
        if throws:
            yield f") {self._look('word', 'throws')} ("
            yield from (f"  {line}" for line in _separated(throws))
        yield f"){tail}"

    def _block(self, head: str, members: Sequence[Sequence[str]], each: Definition) -> Iterator[str]:
        yield f"{head} {{"
        spread = any(len(member) > 1 for member in members)
        for number, member in enumerate(members):
            if number and spread:
                yield ""
            yield from (f"  {line}" for line in member)
        yield f"}}{self._annotations(each)}"

    def _field(self, field: Field, within_union: bool = False) -> list[str]:
        words = "" if field.required is None or within_union else "required " if field.required else "optional "
        line = f"{field.id}: {self._look('word', words.strip()) + ' ' if words else ''}{self.type(field.type)} "
        line += self._look("name", field.name)
        if field.default is not ABSENT and not field.redacted:
            line += f" = {_value(field.type, field.default)}"
        return [*self._doc(field.doc), line + self._annotations(field)]

    def _member(self, member: Any) -> list[str]:
        line = f"{self._look('name', member.name)} = {member.value}{self._annotations(member)}"
        return [*self._doc(member.doc), line]

    def _doc(self, text: str) -> Iterator[str]:
        lines = text.replace("*/", "* /").splitlines()
        if len(lines) == 1:
            yield self._look("doc", f"/** {lines[0]} */")
        elif lines:
            yield self._look("doc", "/**")
            yield from (self._look("doc", f" * {line}".rstrip()) for line in lines)
            yield self._look("doc", " */")

    def _annotations(self, each: Definition) -> str:
        notes = dict(each.annotations)
        if each.redacted:  # by its type, perhaps
            notes.setdefault(REDACT, "1")
        written = [name if value in ("", "1") else f"{name} = {json.dumps(value)}" for name, value in notes.items()]
        looks = ["alarm" if name == REDACT else "doc" for name in notes]
        joined = ", ".join(self._look(look, text) for look, text in zip(looks, written, strict=True))
        return f" ({joined})" if notes else ""


def _flat(fields: Sequence[Sequence[str]]) -> list[str]:
    return [line for lines in fields for line in lines]


def _separated(fields: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, lines in enumerate(fields, 1):
        yield from lines[:-1]
        yield lines[-1] + ("," if number < len(fields) else "")


def _value(type: Type, value: Any) -> str:
    """A constant as the IDL writes it."""
    match type:
        case List(element=element) | Set(element=element):
            return f"[{', '.join(_value(element, item) for item in value)}]"
        case Map(key=key, value=inner) if isinstance(value, Pairs):
            pairs = (f"{_value(key, name)}: {_value(inner, item)}" for name, item in value)
            return f"{{{', '.join(pairs)}}}"
        case Enum():
            name = next((member.name for member in type.members if member.value == value), None)
            return f"{type.name}.{name}" if name else str(value)
        case Struct() if isinstance(value, Literal):
            types = {field.name: field.type for field in type.fields}
            pairs = (f"{json.dumps(name)}: {_value(types[name], item)}" for name, item in value.items())
            return f"{{{', '.join(pairs)}}}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return json.dumps(text, ensure_ascii=False)
