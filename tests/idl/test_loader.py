"""The loader: which file an include means, what is the same object, what is forgotten, and what threads see."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from thriftserver.errors import IdlError
from thriftserver.idl.loader import MAX_DEPTH, Loader
from thriftserver.idl.source import MAX_SIZE
from thriftserver.schema.model import Module


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".thrift")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def errors(loader: Loader, path: str, **more: object) -> list[str]:
    module, found = loader.check(path, **more)  # type: ignore[arg-type]
    assert module is None
    return [diagnostic.message for diagnostic in found if diagnostic.severity == "error"]


def test_a_file_is_loaded_once_however_it_is_reached(tmp_path: Path) -> None:
    write(
        tmp_path,
        top='include "left.thrift"\ninclude "sub/../right.thrift"\nstruct T { 1: left.L l, 2: right.R r }',
        left='include "base.thrift"\nstruct L { 1: base.B b }',
        right='include "base.thrift"\nstruct R { 1: base.B b }',
        base="struct B { 1: i32 x }",
        sub__unused="",
    )
    (tmp_path / "alias.thrift").symlink_to(tmp_path / "base.thrift")
    loader = Loader()
    top = loader.load(str(tmp_path / "top.thrift"))
    left, right = top.includes
    assert left.includes[0] is right.includes[0]
    assert left.structs["L"].fields[0].type is right.structs["R"].fields[0].type
    assert loader.load(str(tmp_path / "base.thrift")) is left.includes[0]
    assert loader.load(str(tmp_path / "alias.thrift")) is left.includes[0]
    assert loader.load(os.path.relpath(tmp_path / "top.thrift")) is top
    assert [module.name for module in top.tree()] == ["base", "left", "right", "top"]
    assert Loader().load(str(tmp_path / "top.thrift")) is not top


def test_includes_are_found_beside_the_file_first_then_in_the_include_directories(tmp_path: Path) -> None:
    write(
        tmp_path,
        app__main='include "near.thrift"\ninclude "far.thrift"\nstruct M { 1: near.N n, 2: far.F f }',
        app__near="struct N { 1: i32 beside }",
        lib__near="struct N { 1: i32 elsewhere }",
        lib__far='include "deep/more.thrift"\nstruct F { 1: more.D d }',
        lib__deep__more="struct D {}",
    )
    module = Loader().load(str(tmp_path / "app" / "main.thrift"), [str(tmp_path / "lib")])
    assert module.includes[0].structs["N"].fields[0].name == "beside"
    assert module.includes[1].includes[0].name == "more"
    assert errors(Loader(), str(tmp_path / "app" / "main.thrift")) == ["cannot find `far.thrift`"]


def test_two_includes_of_one_basename(tmp_path: Path) -> None:
    write(
        tmp_path,
        main='include "a/types.thrift"\ninclude "b/types.thrift"\nstruct M { 1: types.A a, 2: types.B b }',
        a__types="struct A { 1: i32 x }",
        b__types="struct B { 1: i32 y }",
    )
    module = Loader().load(str(tmp_path / "main.thrift"))
    assert [included.name for included in module.includes] == ["types", "types"]
    assert [str(field.type) for field in module.structs["M"].fields] == ["types.A", "types.B"]


def test_names_of_an_includes_include_are_not_visible() -> None:
    files = {
        "top.thrift": 'include "mid.thrift"\nstruct T { 1: low.L l }',
        "mid.thrift": 'include "low.thrift"\nstruct M { 1: low.L l }',
        "low.thrift": "struct L {}",
    }
    assert errors(Loader(), "top.thrift", files=files) == ["no included file is called `low.thrift`"]


def test_files_in_memory_touch_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, shared="struct FromDisk {}")
    monkeypatch.chdir(tmp_path)
    files = {
        "api/main.thrift": 'include "../shared.thrift"\ninclude "lib.thrift"\nstruct A { 1: shared.B b, 2: lib.C c }',
        "./shared.thrift": "struct B {}",
        "libs/lib.thrift": "struct C {}",
    }
    loader = Loader()
    module = loader.load("api/main.thrift", ["libs"], files)
    assert [included.path for included in module.includes] == ["shared.thrift", "libs/lib.thrift"]
    assert module.structs["A"].where == ("api/main.thrift", 3, 8)
    assert errors(loader, "shared.thrift", files={}) == ["cannot read this file: it is not among the given files"]
    assert "FromDisk" in loader.load("shared.thrift").structs
    with_other_text = loader.load("api/main.thrift", ["libs"], files | {"shared.thrift": "struct B { 1: i32 x }"})
    assert with_other_text.structs["A"] is not module.structs["A"]


def test_errors_are_not_remembered(tmp_path: Path) -> None:
    write(tmp_path, main='include "part.thrift"\nstruct A { 1: part.P p }', part="struct P { 1: Nope n }", fine="")
    loader = Loader()
    with pytest.raises(IdlError) as caught:
        loader.load(str(tmp_path / "main.thrift"))
    assert [diagnostic.line for diagnostic in caught.value.diagnostics] == [1]
    assert "unknown type `Nope`" in str(caught.value)
    assert "main.thrift:1:9: note: included from here" in str(caught.value)
    write(tmp_path, part="struct P { 1: i32 n }")
    assert loader.load(str(tmp_path / "main.thrift")).structs["A"]


def test_warnings_are_kept_beside_the_module(tmp_path: Path) -> None:
    write(tmp_path, main="struct A { i32 x }")
    loader = Loader()
    first = loader.check(str(tmp_path / "main.thrift"))
    again = loader.check(str(tmp_path / "main.thrift"))
    assert first[0] is again[0]
    assert [str(diagnostic) for diagnostic in first[1]] == [str(diagnostic) for diagnostic in again[1]]
    assert first[1][0].severity == "warning"


@pytest.mark.parametrize("name", ["missing.thrift", "", "folder", "pipe", "a\0b", "x" * 5000])
def test_what_cannot_be_read_is_an_error_and_no_hang(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (found,) = errors(Loader(), str(tmp_path / name) if name else "")
    assert found.startswith("cannot read this file: ")
    included = errors(Loader(), "m.thrift", files={"m.thrift": f'include "{name}"\nstruct A {{ 1: x.Y y }}'})
    assert included


def test_absurdly_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.thrift").open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    message = [f"cannot read this file: it is larger than {MAX_SIZE:,} bytes"]
    assert errors(Loader(), str(tmp_path / "large.thrift")) == message
    assert errors(Loader(), "m.thrift", files={"m.thrift": " " * (MAX_SIZE + 1)}) == message


@pytest.mark.parametrize("name", ["folder", "pipe", "/dev/zero"])
def test_an_include_that_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path, main=f'include "{name}"\n')
    (found,) = errors(Loader(), str(tmp_path / "main.thrift"))
    assert found.startswith(f"cannot read `{name}`: ")


def test_includes_may_be_nested_deeply_but_not_without_end() -> None:
    def chain(length: int) -> dict[str, str]:
        files = {
            f"f{n}.thrift": f'include "f{n + 1}.thrift"\nstruct S{n} {{ 1: f{n + 1}.S{n + 1} s }}'
            for n in range(length)
        }
        return files | {f"f{length}.thrift": f"struct S{length} {{}}"}

    assert Loader().load("f0.thrift", files=chain(MAX_DEPTH - 1)).structs["S0"]
    assert errors(Loader(), "f0.thrift", files=chain(MAX_DEPTH)) == [
        f"includes are nested more than {MAX_DEPTH} deep here"
    ]


def test_many_threads_get_the_same_modules(tmp_path: Path) -> None:
    write(tmp_path, common="struct C { 1: i32 x }")
    for number in range(8):
        write(tmp_path, **{f"m{number}": f'include "common.thrift"\nstruct M{number} {{ 1: common.C c }}'})
    loader = Loader()
    start = threading.Barrier(8)
    loaded: list[Module] = []

    def load(offset: int) -> None:
        start.wait()
        loaded.extend(loader.load(str(tmp_path / f"m{(offset + step) % 8}.thrift")) for step in range(8))

    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 64
    assert len({id(module) for module in loaded}) == 8
    assert len({id(module.includes[0]) for module in loaded}) == 1


def test_nothing_is_written_into_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a="struct A { 1: i32 }")
    monkeypatch.chdir(tmp_path)
    Loader().check("a.thrift")
    assert [path.name for path in tmp_path.iterdir()] == ["a.thrift"]


def test_a_name_means_what_it_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "a.thrift").write_text(f"const i32 N = {number}")
    link = tmp_path / "current"
    link.symlink_to("1")
    monkeypatch.chdir(tmp_path / "1")
    loader = Loader()
    first = loader.load(str(link / "a.thrift"))
    assert loader.load("a.thrift") is first
    link.unlink()
    link.symlink_to("2")
    assert loader.load(str(link / "a.thrift")) is first
    assert Loader().load(str(link / "a.thrift")).consts["N"].value == 2
    monkeypatch.chdir(tmp_path / "2")
    assert loader.load("a.thrift").consts["N"].value == 2


def test_what_was_loaded_outlives_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    (folder / "a.thrift").write_text("const i32 N = 1")
    monkeypatch.chdir(folder)
    loader = Loader()
    first = loader.load("a.thrift")
    (folder / "a.thrift").unlink()
    folder.rmdir()
    assert loader.load("a.thrift") is first
    assert loader.load(str(folder / "a.thrift")) is first
    with pytest.raises(IdlError, match="cannot read this file: the current directory: no such file"):
        loader.load("b.thrift")
