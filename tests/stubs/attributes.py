"""Holds generated packages against their stubs: ``python -m tests.stubs.attributes FOLDER PACKAGE...``.

Every name that a stub promises has to be there when the package is imported, with the fields and methods that it says,
and the other way round.
"""

from __future__ import annotations

import ast
import importlib
import keyword
import sys
from collections.abc import Iterator
from enum import EnumMeta
from pathlib import Path
from types import ModuleType
from typing import Any

from thriftserver.loading import Api, ServiceApi


def differences(folder: Path, package: str) -> Iterator[str]:
    for path in sorted((folder / package).glob("*.pyi")):
        name = package if path.stem == "__init__" else f"{package}.{path.stem}"
        module = importlib.import_module(name)
        stub = dict(_names(ast.parse(path.read_bytes()).body))
        real = {each for each in vars(module) if not each.startswith("__") and _writable(each, vars(module))}
        yield from (f"{name}.{each} is not in the stub" for each in real - stub.keys() if not _is_include(module, each))
        for each, node in stub.items():
            if not hasattr(module, each):
                if not each.startswith("_"):
                    yield f"{name}.{each} is only in the stub"
            elif isinstance(node, ast.ClassDef):
                yield from (f"{name}.{each}{text}" for text in _class(node, getattr(module, each)))


def _is_include(module: ModuleType, name: str) -> bool:
    """Modules come and go with imports of others, and two included files may have one name."""
    return isinstance(getattr(module, name), ModuleType | Api)


def _writable(name: str, others: Any) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _names(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name, node


def _class(node: ast.ClassDef, real: Any) -> Iterator[str]:
    stub = dict(_names(node.body))
    if isinstance(real, ServiceApi):
        yield from _service(stub, real)
    elif isinstance(real, EnumMeta):
        wanted = {name: member.value for name, member in vars(real).items() if isinstance(member, real)}
        wanted |= {name: member.value for name, member in real.__members__.items()}
        wanted = {name: value for name, value in wanted.items() if _writable(name, wanted)}
        found = {name: ast.literal_eval(each.value) for name, each in stub.items() if isinstance(each, ast.Assign)}
        if found != wanted:
            yield f": {found} is not {wanted}"
    else:
        fields = [field.name for field in real.__thrift__.fields]
        found = [
            name for name, each in stub.items() if isinstance(each, ast.AnnAssign) and not name.startswith("__which")
        ]
        if [name if name in fields else name[:-1] for name in found if not name.startswith("_") or name in fields] != [
            name for name in fields if not (keyword.iskeyword(name) and f"{name}_" in fields)
        ]:
            yield f": {found} is not {fields}"
        yield from (f" has no {name}" for name in found if not name.startswith("_") and not hasattr(real, name))


def _service(stub: dict[str, ast.stmt], real: ServiceApi) -> Iterator[str]:
    for kind, caller in (("_Calls", real.Client), ("_AsyncCalls", real.AsyncClient)):
        calls = stub[kind]
        assert isinstance(calls, ast.ClassDef)
        own = {function.name for function in real.__thrift__.functions}
        for name, node in _names(calls.body):
            if not hasattr(caller, name) and not name.startswith("_"):
                yield f".{caller.__name__} has no {name}"
            if isinstance(node, ast.AsyncFunctionDef) != (kind == "_AsyncCalls"):
                yield f".{kind}.{name} is of the other kind"
            own -= {name, name.removesuffix("_")}
        yield from (f".{kind} has no {name}" for name in own)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    found = [text for package in sys.argv[2:] for text in differences(Path(sys.argv[1]), package)]
    print(*found, sep="\n")
    sys.exit(1 if found else 0)
