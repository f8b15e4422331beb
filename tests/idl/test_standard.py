"""Includes that come with thriftserver: when the packaged file is meant, and that it says what Apache's says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import thriftserver
from tests.interop.counterparts import compile_idl
from thriftserver.cli.idl import idl
from thriftserver.errors import IdlError
from thriftserver.idl.loader import Loader

USER = 'include "{}"\nservice Mine extends fb303.FacebookService {{ fb303.fb_status ask() }}\n'


@pytest.mark.parametrize("name", ["fb303.thrift", "share/fb303/if/fb303.thrift", "../fb303.thrift", "/no/fb303.thrift"])
def test_an_include_that_leads_nowhere_means_the_packaged_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "mine.thrift"
    path.write_text(USER.format(name))
    for module in (Loader().load(str(path)), Loader().load("mine.thrift", files={"mine.thrift": USER.format(name)})):
        (included,) = module.includes
        assert os.path.dirname(included.path).startswith(os.path.dirname(thriftserver.__file__))
        assert len(list(module.services["Mine"].methods())) == 14


def test_it_is_one_module_however_it_is_reached(tmp_path: Path) -> None:
    (tmp_path / "a.thrift").write_text('include "fb303.thrift"\ninclude "b.thrift"\nservice A extends b.B {}')
    (tmp_path / "b.thrift").write_text('include "x/fb303.thrift"\nservice B extends fb303.FacebookService {}')
    module = Loader().load(str(tmp_path / "a.thrift"))
    fb303, b = module.includes
    assert b.includes == (fb303,)
    assert module.services["A"].extends is b.services["B"]


def test_a_file_of_the_users_own_wins(tmp_path: Path) -> None:
    own = "enum fb_status { FINE = 1 } service FacebookService {}"
    (tmp_path / "lib" / "share").mkdir(parents=True)
    (tmp_path / "mine.thrift").write_text(USER.format("share/fb303.thrift"))
    (tmp_path / "lib" / "share" / "fb303.thrift").write_text(own)
    path = str(tmp_path / "mine.thrift")
    assert len(list(Loader().load(path, [str(tmp_path / "lib")]).services["Mine"].methods())) == 1
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "fb303.thrift").write_text(own)
    assert len(list(Loader().load(path).services["Mine"].methods())) == 1
    files = {"mine.thrift": USER.format("share/fb303.thrift"), "share/fb303.thrift": own}
    assert len(list(Loader().load("mine.thrift", files=files).services["Mine"].methods())) == 1


@pytest.mark.parametrize("name", ["other.thrift", "fb303.thrift.txt", "xfb303.thrift", "fb303.thrift/", "fb303"])
def test_other_names_are_as_missing_as_before(name: str) -> None:
    with pytest.raises(IdlError, match="cannot find"):
        Loader().load("mine.thrift", files={"mine.thrift": f'include "{name}"\nstruct S {{ 1: fb303.fb_status x }}'})


def test_check_load_and_dump_know_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.thrift").write_text(USER.format("share/fb303/if/fb303.thrift"))
    assert CliRunner().invoke(idl, ["check", "mine.thrift"]).output == "ok: 1 file without errors\n"
    dumped = json.loads(CliRunner().invoke(idl, ["dump", "mine.thrift"]).output)
    assert dumped["services"]["Mine"]["extends"] == "fb303.FacebookService"
    api = thriftserver.load("mine.thrift")
    assert api.fb303.fb_status.WARNING == 5
    assert api.Mine.Client.getStatus


#: What a client of fb303 sends and expects, as Apache's contrib/fb303 has it.
METHODS = {
    "getName": ("string", []),
    "getVersion": ("string", []),
    "getStatus": ("fb303.fb_status", []),
    "getStatusDetails": ("string", []),
    "getCounters": ("map<string,i64>", []),
    "getCounter": ("i64", [(1, "string", "key")]),
    "setOption": ("void", [(1, "string", "key"), (2, "string", "value")]),
    "getOption": ("string", [(1, "string", "key")]),
    "getOptions": ("map<string,string>", []),
    "getCpuProfile": ("string", [(1, "i32", "profileDurationInSec")]),
    "aliveSince": ("i64", []),
    "reinitialize": ("oneway", []),
    "shutdown": ("oneway", []),
}


def test_it_is_what_clients_of_fb303_expect() -> None:
    (module,) = Loader().load("m.thrift", files={"m.thrift": 'include "fb303.thrift"'}).includes
    (service,) = module.services.values()
    found = {
        each.name: (
            "oneway" if each.oneway else str(each.returns or "void"),
            [(arg.id, str(arg.type), arg.name) for arg in each.args],
        )
        for each in service.methods()
    }
    assert found == METHODS
    assert not any(each.throws or arg.required for each in service.functions for arg in each.args)
    (status,) = module.enums.values()
    names = ["DEAD", "STARTING", "ALIVE", "STOPPING", "STOPPED", "WARNING"]
    assert (service.name, status.name) == ("FacebookService", "fb_status")
    assert [(member.name, member.value) for member in status.members] == list(zip(names, range(6), strict=True))


def test_apaches_compiler_accepts_it(tmp_path: Path) -> None:
    (module,) = Loader().load("m.thrift", files={"m.thrift": 'include "fb303.thrift"'}).includes
    shutil.copy(module.path, tmp_path)
    compile_idl("py", tmp_path / "fb303.thrift", tmp_path)
    assert (tmp_path / "fb303" / "FacebookService.py").exists()
