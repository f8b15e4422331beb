"""From ``pkg.mod:Class`` to an object that provably fits its service.

It imports handler code and compares it with the IDL; it calls no method of a handler and knows no bytes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, ModuleType
from typing import Any

from msgspec import Struct, field

from thriftserver.closest import closest
from thriftserver.errors import HandlerError
from thriftserver.foreign import class_name, text_of
from thriftserver.rpc import fb303
from thriftserver.rpc.blame import excerpt, foreign_frames
from thriftserver.rpc.parameters import is_async, kind_of, misplaced, torn
from thriftserver.rpc.strangers import cannot_call, needs, stranger, wrong_result, wrong_spec
from thriftserver.schema.model import Function, Module, Service
from thriftserver.schema.names import aliases, spellings

#: Names a handler may define beside the methods of its service; called around its life in a worker.
LIFECYCLE = ("setup", "teardown")


class Problem(Struct, frozen=True):
    """One thing wrong with a handler. ``fatal`` ones keep a server from starting; the others are worth a look."""

    fatal: bool
    text: str

    def __str__(self) -> str:
        return self.text


class Bound(Struct, frozen=True):
    """A service and the object that answers its calls; ``provider`` speaks for methods of fb303 that it lacks."""

    service: Service
    target: Any
    spec: str
    provider: fb303.Provider = field(default_factory=fb303.Provider)


def split_spec(spec: str) -> tuple[str, str]:
    """``Service=pkg:Impl`` as (``Service``, ``pkg:Impl``); ``pkg:Impl`` as (``""``, ``pkg:Impl``)."""
    name, equals, rest = spec.partition("=")
    return (name, rest) if equals else ("", spec)


def _blame(error: BaseException) -> str:
    """The innermost frame of foreign code, as `` (file.py:12 in connect)``: where a person should look first."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = os.path.dirname(os.path.dirname(__file__))
    for frame in reversed(frames):
        if not frame.filename.startswith((ours, "<frozen importlib")):
            return f" ({_short(frame.filename)}:{frame.lineno} in {frame.name})"
    return ""


def _short(path: str) -> str:
    try:
        relative = os.path.relpath(path)
    except OSError:  # the current directory is gone
        return path
    return path if relative.startswith("..") else relative


def place_of(function: Any) -> str:
    """A function of a handler for people: ``Users.get (users.py:12)``."""
    inner = inspect.unwrap(function) if callable(function) else function
    inner = getattr(inner, "func", inner)  # functools.partial
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    code = getattr(inner, "__code__", None)
    return f"{name} ({_short(code.co_filename)}:{code.co_firstlineno})" if isinstance(code, CodeType) else name


def describe(error: BaseException) -> str:
    """An exception of foreign code in one line, with its place. Whatever its methods raise, there is a line."""
    name = class_name(error)
    try:
        if isinstance(error, SyntaxError) and error.filename:
            return f"{name}: {error.msg} ({_short(error.filename)}:{error.lineno})"
        text = text_of(error)
        return f"{name}{': ' + text if text else ''}{_blame(error)}"
    except BaseException:  # noqa: BLE001 - attributes that are not what they should be: the name is enough
        return name


def _told(error: BaseException) -> str:
    """The same with the traceback below it, where there is one."""
    below = excerpt(error)
    return f"{describe(error)}\n{below}" if below else describe(error)


def import_module(name: str, what: str) -> ModuleType:
    """Import the module of ``what``; tells a missing module from one that fails while it is imported."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not foreign_frames(error):  # else the module is there, and imports one that is not
            where = f"looked in {_places()}"
            if "is not a package" in str(error):
                where = f"{name.rpartition('.')[0]} is a module and no package"
            raise HandlerError(f"{what}: there is no module {error.name!r}; {where}") from None
        raise HandlerError(f"{what}: importing {name} failed: {_told(error)}") from error
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a module may raise anything while it is imported, SystemExit too
        raise HandlerError(f"{what}: importing {name} failed: {_told(error)}") from error


def import_code(handlers: Sequence[str], middleware: Sequence[str], types: Sequence[str] = ()) -> None:
    """Import the modules that these name, and make nothing of them yet. Raises HandlerError.

    What cannot be the name of a module is left to whoever loads it.
    """
    named = [("handler", split_spec(spec)[1]) for spec in handlers] + [("middleware", spec) for spec in middleware]
    for kind, spec in named + [("types", spec) for spec in types]:
        if kind == "handler":
            _refuse(spec, wrong_spec(spec))
        name = spec.partition(":")[0]
        if all(part.isidentifier() for part in name.split(".")):
            import_module(name, f"{kind} {spec}")


def _places() -> str:
    try:
        return f"{os.getcwd()} and the Python path"
    except OSError:
        return "the Python path; the current directory is gone"


def load(spec: str) -> Any:
    """The object a handler specification names; classes and factories are called, once.

    ``pkg.mod:Class``, ``pkg.mod:instance``, ``pkg.mod:factory`` or ``pkg.mod`` (a module of functions). Raises
    HandlerError with one line that says what is missing and what there is instead.
    """
    module_name, colon, path = spec.partition(":")
    _refuse(spec, wrong_spec(spec))
    if not module_name or (colon and not path) or not all(part.isidentifier() for part in module_name.split(".")):
        raise HandlerError(f"handler {spec!r}: write pkg.mod:Class, pkg.mod:instance, pkg.mod:factory or pkg.mod")
    target = _find(f"handler {spec}", module_name, path)
    _refuse(spec, stranger(target))
    if colon and (inspect.isclass(target) or inspect.isroutine(target)):
        _refuse(spec, cannot_call(target, path))
        target = call_user(target, f"handler {spec}: {path}()")
        _refuse(spec, wrong_result(target, path) or stranger(target))
    return target


def _refuse(spec: str, why: str) -> None:
    if why:
        raise HandlerError(f"handler {spec}: {why}")


def load_middleware(spec: str) -> Callable[..., Any]:
    """The object behind ``--middleware``: a function, or a class, which is made once. Raises HandlerError."""
    module_name, _, path = spec.partition(":")
    if not module_name or not path:
        raise HandlerError(f"middleware {spec!r}: write pkg.mod:object")
    target = _find(f"middleware {spec}", module_name, path)
    if inspect.isclass(target):
        target = call_user(target, f"middleware {spec}: {path}()")
    if not callable(target):
        raise HandlerError(f"middleware {spec}: a {type(target).__name__} cannot be called with (call, proceed)")
    if kind := kind_of(target) or (is_async(target) and "is async: write a plain def, whose proceed() waits"):
        raise HandlerError(f"middleware {spec} {kind}")
    return target  # type: ignore[no-any-return]


def load_object(kind: str, spec: str) -> Any:
    """What ``pkg.mod`` or ``pkg.mod:name`` means, as it is. Raises HandlerError."""
    module_name, colon, path = spec.partition(":")
    if not module_name or (colon and not path) or not all(part.isidentifier() for part in module_name.split(".")):
        raise HandlerError(f"{kind} {spec!r}: write pkg.mod or pkg.mod:name")
    return _find(f"{kind} {spec}", module_name, path)


def _find(what: str, module_name: str, path: str) -> Any:
    """What a dotted path leads to in a module; the module itself without one."""
    target: Any = import_module(module_name, what)
    if not path:
        return target
    owner = module_name
    for name in path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            public = [known for known in dir(target) if not known.startswith("_")]
            close = closest(name, public)
            hint = f"; did you mean {close!r}?" if close else ""
            raise HandlerError(f"{what}: {owner} has no {name!r}{hint}") from None
        owner += f".{name}"
    return target


def call_user(function: Callable[[], Any], what: str) -> Any:
    """Call the user's code at boot; whatever it raises becomes a HandlerError that says ``what`` was called."""
    try:
        return function()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # user code at boot may raise anything, SystemExit too
        raise HandlerError(f"{what} raised {_told(error)}") from error


def choose_service(name: str, modules: Sequence[Module]) -> Service:
    """The service called ``name``, or, with an empty name, the only one there is, or the one that extends all others.

    Raises HandlerError that lists the services there are.
    """
    own = {service.name: service for module in modules for service in module.services.values()}
    if name:
        everywhere = {
            service.name: service for module in modules for each in module.tree() for service in each.services.values()
        } | own
        if name in everywhere:
            return everywhere[name]
        close = closest(name, everywhere)
        hint = f"; did you mean {close!r}?" if close else f"; there is {_listing(everywhere)}"
        raise HandlerError(f"the IDL defines no service {name!r}{hint}")
    last = outermost(modules)
    if len(last) == 1:  # it has the methods of all the others
        return last[0]
    files = ", ".join(_short(module.path) for module in modules)
    if not own:
        raise HandlerError(f"{files} defines no service")
    raise HandlerError(f"{files} defines {len(own)} services ({_listing(own)}); choose one with --service")


def outermost(modules: Sequence[Module]) -> list[Service]:
    """The services of these files that no other one in them extends."""
    own = [service for module in modules for service in module.services.values()]
    extended = {id(base) for service in own for base in service.lineage()[1:]}
    return [service for service in own if id(service) not in extended]


def _listing(names: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(names) if names else "none"


def bind(
    specs: Sequence[str], service: str, modules: Sequence[Module], provider: fb303.Provider | None = None
) -> list[Bound]:
    """Load each handler and choose its service; the first one answers unprefixed names. They share one ``provider``.

    Raises HandlerError when a handler cannot be loaded or a service is given twice.
    """
    bound: list[Bound] = []
    provider = provider or fb303.Provider()
    for spec in specs:
        name, path = split_spec(spec)
        chosen = choose_service(name or service, modules)
        if any(chosen is other.service for other in bound):
            raise HandlerError(
                f"two handlers for service {chosen.name}; with several services write Service=pkg.mod:Class"
            )
        bound.append(Bound(chosen, load(path), path, provider))
    return bound


def target_of(bound: Bound, function: Function) -> Any:
    """What answers a method: the handler's own, else the default there is for one of fb303; None for neither."""
    names = spellings(function.name, type(bound.target))
    own = next((found for name in names if (found := getattr(bound.target, name, None)) is not None), None)
    return fb303.default_of(function, bound.service.name, bound.provider) if own is None else own


def fit(bound: Bound) -> list[Problem]:
    """Everything about the handler that does not fit its service, in the order of the IDL."""
    functions = {function.name: function for function in bound.service.methods()}
    known = functions.keys() | aliases(functions.keys()).keys()
    extra = {name: value for name, value in _public(bound.target) if name not in known}
    problems = []
    for function in functions.values():
        try:
            method = target_of(bound, function)
        except Exception as error:  # noqa: BLE001 - a property or __getattr__ of foreign code
            text = (
                f"{_home(bound)}: reading {bound.spec}.{function.name} raised {describe(error)}; {_declared(function)}"
            )
            problems.append(Problem(True, text))
            continue
        if method is None:
            problems.append(_missing(function, extra, bound))
        else:
            problems.extend(_misfit(function, method, bound))
    for name, value in extra.items():
        if name in LIFECYCLE:
            kind = kind_of(value) or needs(value, "the method")
            if kind:
                problems.append(Problem(True, f"{_place(value)}: {bound.spec}.{name} {kind}"))
        else:
            problems.append(
                Problem(
                    False,
                    f"{_place(value)}: {bound.spec} has {name}(), which is no method of {bound.service.name} "
                    f"({_idl(bound.service)}); call it _{name} if it is a helper",
                )
            )
    return problems


def require_fit(bound: Bound) -> list[Problem]:
    """The harmless problems. Raises HandlerError listing all, if one of them is fatal."""
    problems = fit(bound)
    if any(problem.fatal for problem in problems):
        lines = [str(problem) for problem in problems]
        raise HandlerError(
            f"handler {bound.spec} does not fit service {bound.service.name}:\n  " + "\n  ".join(lines), lines
        )
    return problems


def _missing(function: Function, extra: dict[str, Any], bound: Bound) -> Problem:
    close = closest(function.name, extra, 0.7)
    by_case = [name for name in extra if name.lower().replace("_", "") == function.name.lower().replace("_", "")]
    text = f"{_idl(function)}: {bound.service.name}.{function.name} is missing in {bound.spec}"
    meant = by_case[0] if by_case else close
    if meant:
        text += f"; is {meant}() at {_place(extra.pop(meant))} meant?"
    return Problem(True, text)


def _misfit(function: Function, method: Any, bound: Bound) -> Iterator[Problem]:
    if not callable(method):
        head = f"{_home(bound)}: {bound.spec}.{function.name}"
        yield Problem(True, f"{head} is {_a(type(method).__name__)}, not a method; {_declared(function)}")
        return
    head = f"{_place(method)}: {bound.spec}.{function.name}"
    if kind := kind_of(method) or torn(function, method):
        yield Problem(True, f"{head} {kind}; {_declared(function)}")
        return
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # some builtins have none; they are called as they are
        return
    try:
        signature.bind(*function.args)
    except TypeError as error:
        count = len(function.args)
        takes = f"{count} argument{'' if count == 1 else 's'}"
        yield Problem(True, f"{head}{signature} cannot take {takes}: {error}; {_declared(function)}")
        return
    wrong = misplaced(signature, [arg.name for arg in function.args])
    if wrong:
        names = " and ".join(wrong)
        text = f"has {names} in another place, and arguments are given by position; {_declared(function)}"
        yield Problem(True, f"{head}{signature} {text}")


def _home(bound: Bound) -> str:
    """The place of a handler's class, or the file of its module."""
    cls = bound.target if isinstance(bound.target, ModuleType) else type(bound.target)
    try:
        line = "" if isinstance(cls, ModuleType) else f":{inspect.findsource(cls)[1] + 1}"
        return f"{_short(inspect.getfile(cls))}{line}"
    except (OSError, TypeError):  # of what was made at run time there is no source
        return cls.__name__


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeio' else 'a'} {name}"


def _declared(function: Function) -> str:
    args = ", ".join(f"{arg.id}: {arg.type} {arg.name}" for arg in function.args)
    return f"the IDL says {function.name}({args}) at {_idl(function)}"


def _idl(definition: Function | Service) -> str:
    return f"{_short(definition.where.path)}:{definition.where.line}"


def _public(target: Any) -> Iterator[tuple[str, Any]]:
    """Public callables of a handler; of a module only those it defines itself."""
    for name in dir(target):
        if name.startswith("_"):
            continue
        value = inspect.getattr_static(target, name, None)
        if isinstance(value, property):
            continue
        value = getattr(target, name, None)
        if isinstance(target, ModuleType) and (inspect.isclass(value) or _module_of(value) != target.__name__):
            continue
        if inspect.isroutine(value):
            yield name, value


def _module_of(value: Any) -> str | None:
    return getattr(value, "__module__", None)


def _place(value: Any) -> str:
    """``file.py:12`` of a function, of its class where it has no code of its own."""
    with contextlib.suppress(ValueError):  # a function that wraps itself
        value = inspect.unwrap(value)
    function = getattr(value, "__func__", value)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        return f"{_short(code.co_filename)}:{code.co_firstlineno}"
    try:
        return _short(inspect.getfile(type(value)))
    except TypeError:
        return type(value).__name__
