"""IDL names that are names of Python's or of ours, in every position, with a real server and real calls."""

from __future__ import annotations

import copy
import json
import keyword
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from thriftserver.errors import IdlError

OURS = [
    "self",
    "cls",
    "args",
    "kwargs",
    "values",
    "named",
    "type",
    "name",
    "value",
    "message",
    "code",
    "with_traceback",
    "add_note",
    "mro",
    "which",
    "copy",
    "close",
    "_close",
    "_call",
    "_read",
    "_channel",
    "_sock",
    "_connect",
    "_prefix",
    "_timeout",
    "_seqid",
    "_Client__channel",
    "setup",
    "teardown",
    "host",
    "port",
    "timeout",
    "max_frame",
    "Client",
    "load",
    "handler",
    "call",
    "request",
    "reply",
    "print",
    "exec",
    "async",
    "_",
    "__private",
    "_x",
]
KEYWORDS = [
    "class",
    "import",
    "from",
    "None",
    "True",
    "lambda",
    "def",
    "global",
    "is",
    "not",
    "pass",
    "yield",
    "await",
    "with",
]
NAMES = [*OURS, *KEYWORDS]


def written(name: str) -> str:
    """As Python can write it."""
    return f"{name}_" if keyword.iskeyword(name) else name


def idl() -> str:
    fields = " ".join(f"{number}: optional i32 {name}," for number, name in enumerate(NAMES, 1))
    members = " ".join(f"{name} = {number}," for number, name in enumerate(NAMES, 1))
    arguments = ", ".join(f"{number}: i32 {name}" for number, name in enumerate(NAMES, 1))
    methods = "\n".join(f"  i32 {name}(1: i32 {name})" for name in NAMES)
    failures = "\n".join(
        f"  void fail_{number}(1: string how) throws ({1}: Err {name})" for number, name in enumerate(NAMES)
    )
    return f"""
struct Rec {{ {fields} }}
union Uni {{ {fields} }}
exception Err {{ {fields} }}
enum En {{ {members} }}
service Svc {{
{methods}
{failures}
  Rec everything({arguments})
  list<Uni> unions(1: list<Uni> unions)
  list<En> members(1: list<En> members)
}}
"""


def handler() -> str:
    methods = "\n".join(f"    def {written(name)}(_self, value): return value + {n}" for n, name in enumerate(NAMES))
    failures = "\n".join(f"    def fail_{n}(_self, how): _fail(how)" for n in range(len(NAMES)))
    return f"""
import thriftserver
api = thriftserver.load("names.thrift")
names = [field.name for field in api.Rec.__thrift__.fields]

def _fail(how):
    raise api.Err(**{{name: number for number, name in enumerate(names)}})

class Impl:
{methods}
{failures}
    def everything(_self, *values): return api.Rec(*values)
    def unions(_self, unions): return unions
    def members(_self, members): return members
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("names")
    (path / "names.thrift").write_text(idl())
    (path / "impl.py").write_text(handler())
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server("--idl", "names.thrift", "--handler", "impl:Impl", cwd=folder) as running:
        yield running


@pytest.fixture(scope="module")
def api(folder: Path) -> Any:
    return thriftserver.load(folder / "names.thrift")


@pytest.fixture
def client(server: Server, api: Any) -> Iterator[Any]:
    with api.Svc.Client(server.host, server.port, timeout=PATIENCE) as made:
        yield made


def test_the_handler_fits(server: Server) -> None:
    assert not server.found("handler_problem")


def test_every_method_and_argument_is_called_by_its_name(client: Any) -> None:
    for number, name in enumerate(NAMES):
        method = getattr(client, name)
        assert method(5) == method(**{name: 5}) == 5 + number, name
        also = getattr(client, written(name))
        assert also(5) == also(**{written(name): 5}) == 5 + number, name


def test_all_of_them_at_once(client: Any, api: Any) -> None:
    values = {name: number for number, name in enumerate(NAMES)}
    assert client.everything(**values) == api.Rec(**values)
    assert client.everything(**{written(name): value for name, value in values.items()}) == api.Rec(**values)
    with pytest.raises(TypeError, match="'from' is given twice"):
        client.everything(**values, from_=1)


def test_declared_exceptions_of_every_name(client: Any, api: Any) -> None:
    for number in range(len(NAMES)):
        with pytest.raises(api.Err) as caught:
            getattr(client, f"fail_{number}")("")
        assert [getattr(caught.value, name) for name in NAMES] == list(range(len(NAMES)))


def test_union_members_and_enum_members(client: Any, api: Any) -> None:
    unions = [api.Uni(**{name: number}) for number, name in enumerate(NAMES)]
    back = client.unions(unions)
    assert back == unions
    assert [thriftserver.which(each) for each in back] == NAMES
    assert client.members(list(api.En)) == list(api.En)


@pytest.mark.parametrize("kind", ["Rec", "Err", "Uni"])
def test_values_of_each_kind(api: Any, kind: str) -> None:
    cls = getattr(api, kind)
    for name in NAMES:
        value = cls(**{name: 7})
        assert getattr(value, name) == 7
        assert value == cls(**{written(name): 7})
        assert getattr(value, written(name)) == 7
        setattr(value, written(name), 8)
        assert getattr(value, name) == 8
        for back in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert back == value
            assert type(back) is cls
        assert f"{name}=8" in repr(value)
    with pytest.raises(TypeError, match="twice"):
        cls(**{"from": 1, "from_": 2})

    class Derived(cls):  # type: ignore[misc]
        pass

    assert getattr(copy.deepcopy(Derived(from_=3)), "from") == 3


def test_a_raised_exception_keeps_python_at_work(api: Any) -> None:
    error = api.Err(args=1, with_traceback=2, add_note=3)
    with pytest.raises(api.Err) as caught:
        raise error from ValueError("why")
    assert caught.value is error
    assert (error.args, error.with_traceback, error.add_note) == (1, 2, 3)
    assert str(error).startswith("Err(")


def test_enum_members_are_reached(api: Any) -> None:
    for number, name in enumerate(NAMES, 1):
        assert api.En(number).value == number
        if name not in ("mro", "_"):
            assert api.En[name] == number
    assert api.En.from_ is api.En["from"]
    assert api.En.None_ == api.En["None"]


def test_definitions_of_every_name() -> None:
    kinds = [
        ("struct {} {{ 1: i32 x }}", lambda made: made(5).x == 5),
        ("union {} {{ 1: i32 x }}", lambda made: made(x=5).x == 5),
        ("exception {} {{ 1: i32 x }}", lambda made: made(5).x == 5),
        ("enum {} {{ A = 5 }}", lambda made: made.A == 5),
        ("const i32 {} = 5", lambda made: made == 5),
        ("service {} {{ i32 x() }}", lambda made: callable(made.Client.x)),
    ]
    for text, good in kinds:
        source = "\n".join(text.format(name) for name in NAMES)
        loaded = thriftserver.load("kinds.thrift", files={"kinds.thrift": source})
        for name in NAMES:
            assert good(getattr(loaded, name)), (text, name)
            assert good(getattr(loaded, written(name))), (text, name)


def test_the_command_line_calls_by_the_true_names(server: Server, folder: Path) -> None:
    values = {name: number for number, name in enumerate(NAMES)}
    address = f"{server.host}:{server.port}"
    done = run(folder, "call", address, "Svc.everything", json.dumps(values), "--idl", "names.thrift")
    assert json.loads(done.stdout) == values, done.stderr
    done = run(folder, "call", address, "_call", '{"_call": 1}', "--idl", "names.thrift")
    assert int(done.stdout) == 1 + NAMES.index("_call"), done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "struct S {{ 1: i32 {} }}",
        "exception S {{ 1: i32 {} }}",
        "struct {} {{ 1: i32 x }}",
        "const i32 {} = 1",
        "enum {} {{ A }}",
        "service {} {{ void f() }}",
        "service S {{ void {}() }}",
        "service S {{ void f(1: i32 {}) }}",
    ],
)
@pytest.mark.parametrize("name", ["__init__", "__class__", "__thrift__"])
def test_names_with_two_underscores_at_both_ends_are_refused(text: str, name: str) -> None:
    source = text.format(name)
    with pytest.raises(IdlError, match=f"a.thrift:1:{source.index(name) + 1}: error: `{name}` is reserved by Python"):
        thriftserver.load("a.thrift", files={"a.thrift": source})


def test_enum_members_that_python_has_no_room_for_get_another_name() -> None:
    text = "enum Role { __init__ = 1, _x_ = 2, mro = 3, _Role__y = 4, __z = 5 }"
    role = thriftserver.load("a.thrift", files={"a.thrift": text}).Role
    assert [member.name for member in role] == ["x__init__", "x_x_", "mro_", "x_Role__y", "__z"]
