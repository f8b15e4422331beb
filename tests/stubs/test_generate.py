"""``thriftserver generate``: what it writes, when it writes nothing, and what it never overwrites."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.stubs.checkers import made
from thriftserver.cli.generate import generate
from thriftserver.idl.loader import Loader

IDLS = {
    "user.thrift": 'include "lib/shared.thrift"\nstruct User { 1: shared.Address home }\n',
    "lib/shared.thrift": 'include "../other/types.thrift"\nstruct Address { 1: types.T t }\n',
    "other/types.thrift": "struct T { 1: i32 x }\n",
    "bad.thrift": "struct A { 1: Nope n }\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(tmp_path / "idl", IDLS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(*args: str) -> Result:
    return CliRunner().invoke(generate, args)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_package_for_each_file(folder: Path) -> None:
    done = run("idl/user.thrift", "idl/other/types.thrift", "-o", "out")
    assert (done.exit_code, done.stdout) == (0, "out/user: 10 written\nout/types: 4 written\n")
    assert tree(folder / "out").keys() == {
        *(f"user/{stem}.{ext}" for stem in ("shared", "types") for ext in ("py", "pyi", "thrift")),
        *("user/__init__.py", "user/__init__.pyi", "user/user.thrift", "user/py.typed"),
        *("types/__init__.py", "types/__init__.pyi", "types/types.thrift", "types/py.typed"),
    }
    assert (folder / "out" / "user" / "__init__.py").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now


def test_into_the_current_directory(folder: Path) -> None:
    assert run("idl/user.thrift").exit_code == 0
    assert (folder / "user" / "__init__.py").exists()


def test_what_is_up_to_date_is_not_touched(folder: Path) -> None:
    run("idl/user.thrift")
    before = {path: path.stat().st_mtime_ns for path in (folder / "user").iterdir()}
    done = run("idl/user.thrift")
    assert (done.exit_code, done.stdout) == (0, "user: up to date\n")
    assert {path: path.stat().st_mtime_ns for path in (folder / "user").iterdir()} == before


def test_what_has_changed_is_written_and_what_is_left_over_removed(folder: Path) -> None:
    run("idl/user.thrift")
    (folder / "idl" / "user.thrift").write_text("struct User { 1: string name }\n")
    (folder / "user" / "mine.py").write_text("mine = True\n")
    (folder / "user" / "shared.thrift").unlink()
    check = run("idl/user.thrift", "--check")
    assert check.exit_code == 1
    assert check.stdout.splitlines() == [
        "user/__init__.py: out of date",
        "user/__init__.pyi: out of date",
        "user/user.thrift: out of date",
        *(f"user/{name}: left over" for name in ("shared.py", "shared.pyi", "types.py", "types.pyi", "types.thrift")),
    ]
    assert (folder / "user" / "types.py").exists(), "--check writes nothing"
    assert run("idl/user.thrift").stdout == "user: 3 written, 5 removed\n"
    assert {path.name for path in (folder / "user").iterdir()} == {
        *("__init__.py", "__init__.pyi", "user.thrift", "py.typed", "mine.py"),
    }
    assert run("idl/user.thrift", "--check").exit_code == 0


def test_packages_within_a_package_are_left_alone(folder: Path) -> None:
    run("idl/user.thrift")
    run("idl/other/types.thrift", "-o", "user/inner")
    assert run("idl/user.thrift").stdout == "user: up to date\n"


def test_check_of_what_is_not_there(folder: Path) -> None:
    done = run("idl/other/types.thrift", "--check")
    assert done.exit_code == 1
    assert "types/__init__.pyi: missing\n" in done.stdout
    assert not (folder / "types").exists()


@pytest.mark.parametrize("name", ["__init__.py", "shared.pyi", "shared.thrift", "py.typed"])
def test_what_was_not_generated_is_not_overwritten(folder: Path, name: str) -> None:
    write(folder / "user", {name: "mine\n"})
    done = run("idl/other/types.thrift", "idl/user.thrift")
    assert done.exit_code == 1
    assert str(done.exception) == f"user/{name} was not generated; --force overwrites it"
    assert tree(folder / "user") == {name: b"mine\n"}
    assert not (folder / "types").exists(), "all or nothing"
    assert run("idl/user.thrift", "--check").exit_code == 1
    assert run("idl/user.thrift", "--force").exit_code == 0
    assert run("idl/user.thrift", "--check").exit_code == 0


def test_the_idl_itself_is_never_overwritten(folder: Path) -> None:
    write(folder / "user", {"user.thrift": "struct User {}\n"})
    for options in ((), ("--force",)):
        done = run("user/user.thrift", *options)
        assert done.exit_code == 1
        assert str(done.exception) == "user/user.thrift is the IDL itself; choose another folder with -o"
    assert tree(folder / "user") == {"user.thrift": b"struct User {}\n"}


def test_of_the_idl_that_travels_in_a_package_the_package_is_the_same(folder: Path) -> None:
    run("idl/user.thrift", "-o", "one")
    run("one/user/user.thrift", "-o", "two")
    assert tree(folder / "one") == tree(folder / "two")
    assert run("one/user/user.thrift", "-o", "one").stdout == "one/user: up to date\n"


def test_an_error_is_told_as_idl_check_tells_it_and_nothing_is_written(folder: Path) -> None:
    done = run("idl/user.thrift", "idl/bad.thrift", "-o", "out")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "idl/bad.thrift:1:15: error: unknown type `Nope`" in done.stderr
    assert not (folder / "out").exists()


def test_two_files_of_one_name(folder: Path) -> None:
    write(folder, {"again/user.thrift": "struct Other {}\n"})
    done = run("idl/user.thrift", "again/user.thrift")
    assert done.exit_code == 2
    assert "two files would become the package user" in done.stderr
    assert run("idl/user.thrift", "idl/user.thrift").exit_code == 0


def test_the_same_idl_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    for place in ("here", "far/away"):
        write(tmp_path / place, IDLS)
    here, there = (made(tmp_path / place / "user.thrift") for place in ("here", "far/away"))
    assert here.files == there.files
    assert not [path for path, content in here.files.items() if str(tmp_path).encode() in content]


def loaded(folder: Path, name: str) -> list[str]:
    """The files that the IDL in a package is made of, relative to the package."""
    root = folder / name
    module = Loader().load(str(root / f"{name}.thrift"))
    return [os.path.relpath(each.path, os.path.realpath(root)) for each in module.tree()]


def test_includes_from_anywhere(folder: Path) -> None:
    """Above the root's folder, from a directory of -I, by an absolute path, through a link, and the standard ones."""
    write(folder, {"far/else.thrift": "struct E {}\n", "up.thrift": "struct U {}\n", "lib/inc.thrift": "struct I {}\n"})
    (folder / "deep").mkdir()
    (folder / "deep" / "link.thrift").symlink_to(folder / "far" / "else.thrift")
    root = f"""
        include "../up.thrift"
        include 'inc.thrift'
        include "{folder}/far/else.thrift"
        include "share/fb303/if/fb303.thrift"
        include "link.thrift"
        struct Root {{ 1: up.U u, 2: inc.I i, 3: else.E e }}
        service S extends fb303.FacebookService {{}}
    """
    write(folder, {"deep/root.thrift": root})
    assert run("deep/root.thrift", "-I", "lib").exit_code == 0
    assert loaded(folder, "root") == ["up.thrift", "inc.thrift", "else.thrift", "fb303.thrift", "root.thrift"]
    assert str(folder) not in (folder / "root" / "root.thrift").read_text()
    assert (folder / "root" / "else_.py").exists()


def test_files_of_one_name(folder: Path) -> None:
    files = {
        "root.thrift": 'include "a/types.thrift"\ninclude "b/mid.thrift"\ninclude "__init__.thrift"\n'
        "struct R { 1: types.A a, 2: mid.M m, 3: __init__.C c }\n",
        "a/types.thrift": "struct A { 1: i32 a }\n",
        "b/mid.thrift": 'include "types.thrift"\nstruct M { 1: types.B b }\n',
        "b/types.thrift": "struct B { 1: i32 b }\n",
        "__init__.thrift": "struct C {}\n",
    }
    write(folder, files)
    assert run("root.thrift").exit_code == 0
    assert loaded(folder, "root") == ["types.thrift", "2/types.thrift", "mid.thrift", "__init__.thrift", "root.thrift"]
    assert 'include "2/types.thrift"' in (folder / "root" / "mid.thrift").read_text()


def test_what_text_an_idl_may_have(folder: Path) -> None:
    """A byte order mark, other ends of lines, and bytes in a comment that are no UTF-8."""
    (folder / "odd.thrift").write_bytes(b"\xef\xbb\xbf/** caf\xe9 \x07 */\r\nstruct O { 1: i32 x }\r\n")
    assert run("odd.thrift").exit_code == 0
    copy = (folder / "odd" / "odd.thrift").read_bytes()
    assert copy.endswith(b"\n/** caf\xe9 \x07 */\r\nstruct O { 1: i32 x }\r\n")
    compile((folder / "odd" / "__init__.pyi").read_bytes(), "odd", "exec")
    assert run("odd.thrift", "--check").exit_code == 0


@pytest.mark.parametrize(
    ("file", "name"), [("my-service.thrift", "my_service"), ("class.thrift", "class_"), ("2.v1.thrift", "_2_v1")]
)
def test_the_name_of_a_package(folder: Path, file: str, name: str) -> None:
    write(folder, {file: "struct S {}\n"})
    assert run(file).exit_code == 0
    assert (folder / name / file).exists()


def test_a_large_idl(folder: Path) -> None:
    structs = "".join(f"struct S{n} {{ 1: list<map<string, S{n // 2}>> f }}\n" for n in range(3000))
    service = "".join(f"  S{n} m{n}(1: S{n} a),\n" for n in range(3000))
    nested = "list<" * 90 + "i32" + ">" * 90
    types = "".join(f"typedef map<T{n - 1}, T{n - 1}> T{n}\n" for n in range(1, 14))
    write(folder, {"big.thrift": f"typedef i32 T0\n{types}{structs}struct N {{ 1: {nested} n, 2: T13 t }}\n"})
    with (folder / "big.thrift").open("a") as file:
        file.write(f"service Big {{\n{service}}}\n")
    assert run("big.thrift").exit_code == 0
    compile((folder / "big" / "__init__.pyi").read_bytes(), "big", "exec")
