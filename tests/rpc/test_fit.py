"""What is said of a handler that is none, does not load, or takes the IDL's arguments for others."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import Server, run
from tests.interop.counterparts import compile_idl
from tests.support import ROOT
from thriftserver.errors import ConfigError, HandlerError
from thriftserver.rpc.binding import Bound, choose_service, fit, load, load_middleware
from thriftserver.rpc.method import make_methods
from thriftserver.rpc.scopes import require_methods

IDL = "service S { i32 sub(1: i32 userId, 2: i32 order), list<i32> all() }"
API: Any = thriftserver.load("/fit/s.thrift", files={"/fit/s.thrift": IDL})
SHOP = ROOT / "tests" / "interop" / "foreign" / "shop.thrift"
_numbers = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes a module of this text; its name."""

    def write(text: str) -> str:
        name = f"fitted_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    return write


def problems(spec: str) -> list[str]:
    return [str(each) for each in fit(Bound(API.S.__thrift__, load(spec), spec)) if each.fatal]


@pytest.mark.parametrize(
    "parameters",
    [
        "userId, order",
        "user_id, order",
        "user_id, order, extra=None",
        "a, b",
        "*args",
        "*args, **kwargs",
        "userid, *order",
        "x, y, *, z=1",
        "args, kwargs",
    ],
)
def test_arguments_in_their_place(module: Any, parameters: str) -> None:
    name = module(f"class Impl:\n    def sub(self, {parameters}): ...\n    def all(self): ...\n")
    assert problems(f"{name}:Impl") == []


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ("order, userId", "userId and order"),
        ("order, user_id", "userId and order"),
        ("order, other", "order"),
        ("other, user_id", "userId"),
        ("userId, extra=None, order=None", "order"),
        ("extra, userId, order=None", "userId and order"),
        ("userId, *rest, order=None", "order"),
    ],
)
@pytest.mark.parametrize("kind", ["", "@staticmethod", "@classmethod"])
def test_arguments_in_another_order_are_refused_with_both_places(
    module: Any, parameters: str, wrong: str, kind: str
) -> None:
    first = "" if kind == "@staticmethod" else "self, "
    name = module(f"class Impl:\n    {kind}\n    def sub({first}{parameters}): ...\n    def all(self): ...\n")
    (problem,) = problems(f"{name}:Impl")
    line = 3 if not kind else 2
    assert re.search(rf"{name}\.py:{line}: {name}:Impl\.sub\(.*\) has {wrong} in another place", problem)
    assert "the IDL says sub(1: i32 userId, 2: i32 order) at " in problem
    assert "s.thrift:1" in problem


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("all = 5", r"fitted_\d+\.py:2: fitted_\d+:Impl\.all is an int, not a method; the IDL says all\(\)"),
        ("all = [1]", "is a list, not a method"),
        ("all = property(lambda self: 1 / 0)", "reading .*Impl.all raised ZeroDivisionError: division by zero"),
        ("async def all(self): yield 1", r"Impl.all is an async generator \(it has a yield\), which is not supported"),
        (
            "@thriftserver.blocking\n    async def all(self): ...",
            "Impl.all is async and blocking: write a plain def, or",
        ),
        ("def all(self): yield 1", r"Impl.all is a generator \(it has a yield\), which is not supported yet: return a"),
        (
            "class Later:\n        async def __call__(self): yield 1\n    all = Later()",
            "Impl.all is an async generator",
        ),
        ("def all(self): ...\n    async def setup(self): yield 1", "Impl.setup is an async generator"),
        ("def all(self): ...\n    async def setup(self, db): ...", r"needs arguments \(db\)"),
        ("def all(self): ...\n    def teardown(self, db): ...", r"needs arguments \(db\)"),
    ],
)
def test_methods_that_cannot_be_called(module: Any, body: str, message: str) -> None:
    name = module(f"import thriftserver\nclass Impl:\n    def sub(self, a, b): ...\n    {body}\n")
    (problem,) = problems(f"{name}:Impl")
    assert re.search(message, problem)


ASYNC = {
    "method": "async def all(self): ...",
    "staticmethod": "@staticmethod\n    async def all(): ...",
    "partial": "async def _of(self, n): ...\n    all = staticmethod(functools.partial(_of, None, 5))",
    "callable": "class Later:\n        async def __call__(self): ...\n    all = Later()",
    "partial of a callable": (
        "class Later:\n        async def __call__(self, n): ...\n    all = staticmethod(functools.partial(Later(), 5))"
    ),
    "async wrapper": "@later\n    def all(self): ...",
}


@pytest.mark.parametrize("kind", ASYNC)
def test_coroutine_functions_of_all_kinds_are_found(module: Any, kind: str) -> None:
    name = module(
        "import functools\n"
        "def later(f):\n    @functools.wraps(f)\n    async def run(*args): return f(*args)\n    return run\n"
        f"class Impl:\n    async def setup(self): ...\n    def sub(self, a, b): ...\n    {ASYNC[kind]}\n"
    )
    assert problems(f"{name}:Impl") == []
    bound = Bound(API.S.__thrift__, load(f"{name}:Impl"), name)
    made = make_methods([bound], on_loop=lambda function: asyncio.run)
    assert [method.name for method in made if method.target is asyncio.run] == ["all"]


def test_a_plain_wrapper_around_something_async_is_plain(module: Any) -> None:
    name = module(
        "import asyncio, functools\n"
        "def plain(f):\n    @functools.wraps(f)\n    def run(*args): return asyncio.run(f(*args))\n    return run\n"
        "class Impl:\n    @plain\n    async def sub(self, userId, order): ...\n    def all(self): ...\n"
    )
    assert problems(f"{name}:Impl") == []


MISTAKES = """
import thriftserver, types
api = thriftserver.load("/fit/s.thrift", files={"/fit/s.thrift": "service S { void f() }"})
class Impl:
    def f(self): ...
class Needs:
    def __init__(self, db, *, cache, size=1): ...
def factory(db): ...
def none(): ...
def cls(): return Impl
async def later(): return Impl()
def yields(): yield Impl()
def add_client(): return Client()
class Client:
    def send_f(self): ...
    def recv_f(self): ...
config = {"a": 1}
number = 7
text = "pkg:Impl"
class TProcessor: ...
class Processor(TProcessor):
    def __init__(self, handler): self._handler = handler
class TServer: ...
class Threaded(TServer):
    def __init__(self): self.processor = processor
processor = Processor(Impl())
server = Threaded()
"""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "Needs",
            r"the class Needs needs arguments \(db, cache\) and is called with none; write a function that makes",
        ),
        ("factory", r"the function factory needs arguments \(db\)"),
        ("none", r"none\(\) returned None; a factory returns the handler"),
        ("cls", r"cls\(\) returned the class Impl; a factory returns an instance: Impl\(\)"),
        ("later", "later is async, which is not supported"),
        ("yields", "yields is a generator"),
        ("config", "this is a dict, which has no methods"),
        ("number", "this is an int, which has no methods"),
        ("text", "this is a str, which has no methods"),
        ("api", "this is a loaded IDL, which has no code"),
        ("api.S", "this is a service of the IDL, which has no code"),
        ("api.S.Client", "this is a Thrift client"),
        ("Client", "this is a Thrift client"),
        ("Processor", "this is a Thrift processor, made for another library's server; name what answers the calls"),
        ("processor", r"this is a Thrift processor.*\(is fitted_\d+:Impl meant\?\)"),
        ("server", r"this is a Thrift server.*\(is fitted_\d+:Impl meant\?\)"),
        ("add_client", "this is a Thrift client"),
    ],
)
def test_what_is_no_handler(module: Any, path: str, message: str) -> None:
    with pytest.raises(HandlerError, match=message):
        load(f"{module(MISTAKES)}:{path}")


HANDLERS = """
class Anything:
    def __getattr__(self, name): return lambda *args: name
class Chat:
    def send_line(self, line): ...
    def recv_line(self): ...
class Iface: ...
class Own(Iface): ...
"""


@pytest.mark.parametrize("name", ["Anything", "Chat", "Own"])
def test_what_looks_strange_and_is_a_handler(module: Any, name: str) -> None:
    assert type(load(f"{module(HANDLERS)}:{name}")).__name__ == name


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("svc.thrift", "svc.thrift is an IDL file, which --idl takes"),
        ("idl/svc.thrift:Impl", "is an IDL file"),
        ("app.py", "write it as a module that can be imported: app$"),
        ("pkg/app.py:Impl", "write it as a module that can be imported: pkg.app:Impl$"),
        ("./pkg/app:Impl", "write it as a module that can be imported: pkg.app:Impl$"),
    ],
)
def test_files_are_no_modules(spec: str, message: str) -> None:
    with pytest.raises(HandlerError, match=message):
        load(spec)


def test_other_libraries_processors_are_known(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_idl("py", SHOP, tmp_path)
    apache = "import shop.Shop\nclass Impl(shop.Shop.Iface): ...\nprocessor = shop.Shop.Processor(Impl())\n"
    thriftpy = (
        "import thriftpy2\nfrom thriftpy2.thrift import TProcessor, TMultiplexedProcessor\n"
        f"idl = thriftpy2.load({str(SHOP)!r}, module_name='fit_thrift')\nclass Impl: ...\n"
        "processor = TProcessor(idl.Shop, Impl())\nmany = TMultiplexedProcessor()\n"
        "def make(): return TProcessor(idl.Shop, Impl())\n"
    )
    names = module(apache), module(thriftpy)
    for spec, message in (
        ("shop.Shop", "a module that Apache's compiler generated"),
        ("shop.Shop:Processor", "a Thrift processor"),
        ("shop.Shop:Iface", "the interface that Apache's compiler generated"),
        ("shop.Shop:Client", "a Thrift client"),
        (f"{names[0]}:processor", rf"a Thrift processor.*\(is {names[0]}:Impl meant\?\)"),
        (f"{names[1]}:processor", rf"a Thrift processor.*\(is {names[1]}:Impl meant\?\)"),
        (f"{names[1]}:make", rf"a Thrift processor.*\(is {names[1]}:Impl meant\?\)"),
        (f"{names[1]}:many", "a Thrift processor"),
        (f"{names[1]}:idl", "a loaded IDL"),
        (f"{names[1]}:idl.Shop", "a service of the IDL"),
    ):
        with pytest.raises(HandlerError, match=message):
            load(spec)
    assert load(f"{names[0]}:Impl"), "a class that has the generated interface as its base is a handler"


def test_middleware_is_plain_too(module: Any) -> None:
    with pytest.raises(HandlerError, match="later is async"):
        load_middleware(f"{module('async def later(call, proceed): ...')}:later")


def services(text: str) -> Any:
    path = f"/fit/services-{next(_numbers)}.thrift"
    return thriftserver.load(path, files={path: text}).__thrift__


def test_the_service_that_extends_all_others_needs_no_name() -> None:
    chain = services("service A {}\nservice B extends A {}\nservice C extends B {}")
    assert choose_service("", [chain]).name == "C"
    assert choose_service("B", [chain]).name == "B"
    for text in ("service A {}\nservice B extends A {}\nservice C extends A {}", "service A {}\nservice B {}"):
        with pytest.raises(HandlerError, match="choose one with --service"):
            choose_service("", [services(text)])


def test_an_unknown_method_with_a_limit_is_named() -> None:
    served = [API.S.__thrift__]
    require_methods(served, ["sub", "S.sub", "all"])
    for name in ("subb", "S.subb", "T.sub"):
        with pytest.raises(ConfigError, match=rf"--method-timeout: there is no method '{name}'; did you mean"):
            require_methods(served, [name])


def test_a_limit_of_an_unknown_method_is_told_before_any_worker(tmp_path: Path) -> None:
    (tmp_path / "s.thrift").write_text(IDL)
    args = ("--idl", "s.thrift", "--handler", "nowhere:Impl", "--method-timeout", "nobody=1s")
    for more in (("--check-config",), ("--bind", "127.0.0.1:0")):
        done = run(tmp_path, "run", *args, *more)
        assert (done.returncode, done.stderr) == (2, "Error: --method-timeout: there is no method 'nobody'\n")


BROKEN = {
    "syntax": ("class Impl\n    pass\n", ["SyntaxError: expected ':'", "class Impl\n"], []),
    "inside": (
        "import helper\n",
        ['broken.py", line 1, in <module>', 'helper.py", line 2, in connect', "No module named 'not_there'"],
        ["there is no module"],
    ),
    "chained": (
        "class Impl:\n"
        "    def __init__(self):\n"
        "        try:\n            {}['x']\n"
        "        except KeyError as error:\n            raise ValueError('no config') from error\n",
        ["Impl() raised ValueError: no config", "KeyError: 'x'", "direct cause", "in __init__"],
        [],
    ),
    "exit": ("import sys\nsys.exit(3)\n", ["SystemExit: 3", 'broken.py", line 2'], []),
    "idl": ("import thriftserver\nthriftserver.load('no.thrift')\n", ["no.thrift", 'broken.py", line 2'], []),
    "factory": ("def Impl():\n    raise OSError('no database')\n", ["OSError: no database", "in Impl"], []),
    "setup": (
        "class Impl:\n    def setup(self): raise OSError('no database')\n"
        "    def sub(self, a, b): ...\n    def all(self): ...\n",
        ["setup() raised OSError: no database", "in setup"],
        [],
    ),
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("kind", BROKEN)
def test_a_handler_that_does_not_load_shows_its_own_frames(tmp_path: Path, kind: str, command: str) -> None:
    text, shown, hidden = BROKEN[kind]
    (tmp_path / "s.thrift").write_text(IDL)
    (tmp_path / "broken.py").write_text(text)
    (tmp_path / "helper.py").write_text("def connect():\n    import not_there\nconnect()\n")
    more = ("--bind", "127.0.0.1:0") if command == "run" else ()
    done = run(tmp_path, command, "--idl", "s.thrift", "--handler", "broken:Impl", *more)
    if (kind, command) == ("setup", "check"):
        assert done.returncode == 0, "check runs nothing of a handler but what makes it"
        return
    assert done.returncode == 4
    for part in shown:
        assert part in done.stderr
    for part in [*hidden, f"{ROOT}/thriftserver", "importlib", "gevent"]:
        assert part not in done.stderr


def test_a_reload_of_a_handler_that_does_not_load_tells_its_frames(tmp_path: Path) -> None:

    (tmp_path / "s.thrift").write_text(IDL)
    good = "class Impl:\n    def sub(self, a, b): return 1\n    def all(self): return []\n"
    (tmp_path / "broken.py").write_text(good)
    with Server("--idl", "s.thrift", "--handler", "broken:Impl", cwd=tmp_path) as server:
        (tmp_path / "broken.py").write_text("def connect():\n    raise OSError('no database, this time')\nconnect()\n")
        server.signal(signal.SIGHUP)
        told = str(server.wait("reload_rejected"))
        assert "no database, this time" in told
        assert "in connect" in told
