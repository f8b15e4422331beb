"""What people hand over as a handler that is none: says what it is, and what to write instead.

It looks at names and attributes alone, and imports none of the libraries that it knows.
"""

from __future__ import annotations

import inspect
import os
from types import ModuleType
from typing import Any

#: What the bases of a library's classes are called, and what such a class is.
_BASES = {
    "TProcessor": "a Thrift processor",
    "TMultiplexedProcessor": "a Thrift processor",
    "TBaseProcessor": "a Thrift processor",
    "TServer": "a Thrift server",
    "TClient": "a Thrift client",
}
_WRITE = "name what answers the calls itself: --handler pkg.mod:Class"


def wrong_spec(spec: str) -> str:
    """Why this cannot be meant as ``pkg.mod:Class``; empty if it can."""
    path, _, name = spec.partition(":")
    if path.endswith(".thrift"):
        return f"{path} is an IDL file, which --idl takes; {_WRITE}"
    if path.endswith(".py") or os.sep in path:
        module = os.path.relpath(path).removesuffix(".py").strip("./").replace(os.sep, ".")
        return f"write it as a module that can be imported: {module}{':' + name if name else ''}"
    return ""


def stranger(target: Any) -> str:
    """What is wrong with an object, class or module as a handler, before anything of it is called; empty if nothing."""
    if isinstance(target, ModuleType):
        return _module(target)
    names = {base.__name__ for base in (target if inspect.isclass(target) else type(target)).__mro__}
    kind = next((_BASES[name] for name in _BASES if name in names), "")
    if not kind and _speaks(target):
        kind = "a Thrift client"
    if kind:
        return f"this is {kind}, made for another library's server; {_WRITE}{_wrapped(target)}"
    if _has(target, "thrift_services") or type(target).__name__ == "ServiceApi":
        return f"this is a service of the IDL, which has no code; {_WRITE}"
    if inspect.isclass(target) and target.__name__ == "Iface" and _bare(target):
        return f"this is the interface that Apache's compiler generated, whose methods are empty; {_WRITE}"
    if not inspect.isclass(target) and not inspect.isroutine(target) and type(target).__module__ == "builtins":
        return f"this is {_article(target)}, which has no methods; {_WRITE}, an instance, a factory, or a module"
    return ""


def cannot_call(target: Any, path: str) -> str:
    """Why a class or factory cannot be called without arguments; empty if it can."""
    if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
        return f"{path} is async, which is not supported; write a plain function"
    if inspect.isgeneratorfunction(target):
        return f"{path} is a generator, which is not supported; write a function that returns a handler"
    return needs(target, path)


def needs(target: Any, path: str) -> str:
    """Which arguments it cannot be called without; empty if it can."""
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):  # some builtins have none
        return ""
    try:
        signature.bind()
    except TypeError:
        what = "class" if inspect.isclass(target) else "function"
        needs = [
            each.name
            for each in signature.parameters.values()
            if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        return (
            f"the {what} {path} needs arguments ({', '.join(needs)}) and is called with none; write a function that "
            "makes the handler, and name that: --handler pkg.mod:make_handler"
        )
    return ""


def wrong_result(made: Any, path: str) -> str:
    """What is wrong with what a factory has returned; empty if nothing."""
    if made is None:
        return f"{path}() returned None; a factory returns the handler"
    if inspect.isclass(made):
        return f"{path}() returned the class {made.__name__}; a factory returns an instance: {made.__name__}()"
    return ""


def _module(module: ModuleType) -> str:
    if hasattr(module, "__thrift_file__") or hasattr(module, "__thrift_meta__") or hasattr(module, "__thrift__"):
        return f"this is a loaded IDL, which has no code; {_WRITE}"
    if hasattr(module, "Iface") and hasattr(module, "Client") and hasattr(module, "Processor"):
        return f"this is a module that Apache's compiler generated; {_WRITE}"
    return ""


def _speaks(target: Any) -> bool:
    """Is it a client of ours, or one that Apache's compiler generated?"""
    line = target.__mro__ if inspect.isclass(target) else type(target).__mro__
    if any(base.__module__.startswith("thriftserver.client.") for base in line):
        return True
    sends = any(name.startswith("send_") and _has(target, f"recv_{name[5:]}") for name in dir(target))
    return sends and any(base.__name__ == "Client" for base in line)


def _bare(interface: type) -> bool:
    """Does an interface extend nothing but others?"""
    return all(base is object or base.__name__ == "Iface" for base in interface.__mro__)


def _has(target: Any, name: str) -> bool:
    """Is the attribute there in fact? A handler may answer for any name, in ``__getattr__``."""
    return inspect.getattr_static(target, name, None) is not None


def _wrapped(processor: Any) -> str:
    """What a processor wraps, as a specification, where it can be told."""
    inner = processor
    for name in ("processor", "_processor", "_handler", "handler"):  # a server has a processor, that one a handler
        inner = getattr(inner, name, None) or inner
    if inner is processor or inspect.isclass(processor):
        return ""
    cls = type(inner)
    if inspect.isclass(inner) or "<" in cls.__qualname__ or any(base.__name__ in _BASES for base in cls.__mro__):
        return ""
    return f" (is {cls.__module__}:{cls.__qualname__} meant?)"


def _article(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"
