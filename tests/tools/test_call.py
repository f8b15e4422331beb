"""``thriftserver call`` with an address alone: what is typed, what is printed, and how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.peers import Peer
from tests.harness import Server
from tests.reflection.bank import ONE
from tests.support import ROOT
from tests.tls.pki import Pki
from tests.tools.conftest import Command
from thriftserver.dialect.caller import SPEAKABLE


@pytest.mark.parametrize(
    ("method", "printed"),
    [
        ("count", "3"),
        ("Bank.count", "3"),
        ("Bank:count", "3"),
        ("Registry.count", "3"),
        ("strike", '{\n  "value": 2\n}'),
        ("Mint.strike", '{\n  "value": 2\n}'),
    ],
)
def test_services_of_a_server_are_found(command: Command, address: str, method: str, printed: str) -> None:
    done = command("call", address, method)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{printed}\n", "")


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("cuont", "Bank has no method 'cuont'; did you mean 'count'?"),
        ("Mnit.strike", "no service 'Mnit' is served there; did you mean 'Mint'?"),
        ("Mint.count", "Mint has no method 'count'"),
    ],
)
def test_what_is_not_there_is_told(command: Command, address: str, method: str, words: str) -> None:
    done = command("call", address, method)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_each_dialect_is_spoken(command: Command, address: str) -> None:
    for dialect in SPEAKABLE:
        done = command("call", address, "count", "--dialect", dialect)
        assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", ""), dialect


def test_pairs(command: Command, address: str) -> None:
    done = command(
        "call",
        address,
        "sorted",
        "everything.flag=true",
        "everything.number=-7",
        "everything.share=0.5",
        "everything.text=a=b",
        "everything.data=1234",
        "everything.colour=BLUE",
        "everything.names=one",
        "everything.names=two words",
        "everything.counts.a.b=1",
        "everything.person.name=5",
        "everything.numbers=[2, 1]",
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [
        "colour=<Colour.BLUE: 5>",
        "counts={'a.b': 1}",
        "data=b'\\xd7m\\xf8'",
        "flag=True",
        "names=['one', 'two words']",
        "number=-7",
        "numbers=[1, 2]",
        "person=Person(name='5')",
        "share=0.5",
        "text='a=b'",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["owner.nme=x"], "there is no 'nme' in Person; did you mean 'name'?"),
        (["onwer.name=x"], "did you mean 'owner'?"),
        (["owner.name.first=x"], "name is no struct, so it has no 'first'"),
        (["owner.name=x", "owner.name=y"], "name is given twice"),
        (['owner={"name": "x"}', "owner.name=y"], "name is given twice"),
        (["owner=x"], "owner: expected Person, got str 'x'"),
        (["owner.name=x", "name"], "'name' is neither JSON nor name=value: bank.Account open(1: people.Person owner)"),
        (["owner.name=x", "-d", "{}"], "give arguments, or -d, and not both"),
        (["{}", "-H", "tenant"], "-H: write NAME:VALUE"),
        (["{}", "-H", "tenant: a"], "framed-binary has no place for headers; use --dialect header-binary"),
        (["{}", "--repeat", "x"], "--repeat: "),
        (["{}", "--interval", "x"], "--interval: "),
        (["{}", "--dialect", "x"], "dialect must be one of"),
        (["-d", "@missing.json"], "cannot read missing.json: No such file"),
        (["-d", "nonsense"], "-d: the arguments are not JSON"),
        (["-d", "@app.py"], "app.py, call 1: the arguments are not JSON"),
    ],
)
def test_arguments_that_make_no_sense(command: Command, address: str, words: list[str], said: str) -> None:
    done = command("call", address, "open", *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_calls(command: Command, address: str, folder: Path) -> None:
    (folder / "calls.json").write_text('{"owner": {"name": "a"}}\n\n{"owner":\n  {"name": "gone"}} [{"name": "b"}]')
    done = command("call", address, "open", "-d", "@calls.json")
    account = '{"id": 1, "balance": {"cents": 100}, "secret": "hush"}\n'
    assert (done.stdout, done.stderr) == (account * 2, 'Closed: {"why": "for ever"}\n')
    assert done.returncode == 1


def test_a_stream_of_calls_is_answered_as_it_comes(folder: Path, address: str) -> None:
    words = [sys.executable, "-m", "thriftserver", "call", address, "open", "-d", "-", "--json"]
    with subprocess.Popen(
        words, cwd=folder, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name, outcome in (("a", "result"), ("gone", "exception"), ("b", "result")):
            process.stdin.write(f'{{"owner": {{"name": "{name}"}}}}\n\n')
            process.stdin.flush()
            told = json.loads(process.stdout.readline())  # before the next one is written
            assert (told["method"], told["outcome"]) == ("open", outcome)
            assert told["request_bytes"] > 20
            assert told["reply_bytes"] > 20
            assert told["seconds"] > 0
        process.stdin.write("nonsense\n")
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 2


def test_the_template_is_a_call(command: Command, address: str) -> None:
    template = command("call", address, "sorted", "--template")
    assert set(json.loads(template.stdout)["everything"]) >= {"flag", "colour", "person"}
    assert command("call", address, "sorted", template.stdout).returncode == 0


def test_repeated_calls(command: Command, address: str) -> None:
    done = command("call", address, "count", "--repeat", "3", "--interval", "1ms")
    assert (done.returncode, done.stdout) == (0, "3\n" * 3)


def test_headers_go_beside_calls(command: Command, address: str) -> None:
    words = ("-H", "tenant: acme", "-H", "trace:7:8", "--dialect", "header-compact")
    done = command("call", address, "told", *words, "--json")
    told = json.loads(done.stdout)
    assert told["value"].items() >= {"tenant": "acme", "trace": "7:8"}.items()
    assert told["headers"] == {"branch": "main"}


def test_verbose_and_hex(command: Command, address: str) -> None:
    done = command("call", address, "count", "-v", "--hex", "--dialect", "header-binary")
    assert done.stdout == "3\n"
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"* connected to {address} in ")
    assert [line[:1] for line in lines] == sorted((line[:1] for line in lines), key="*><".index)
    assert "> count in header-binary, " in lines[1]
    assert any("0f ff" in line for line in lines if line.startswith("> 0"))
    assert any(line.startswith("< result, ") and " bytes, after " in line for line in lines)


def test_exit_codes_tell_why(command: Command, address: str, folder: Path) -> None:
    declared = command("call", address, "open", "owner.name=gone")
    assert (declared.returncode, declared.stdout) == (1, "")
    assert declared.stderr == 'Closed: {"why": "for ever"}\n'
    (folder / "more.thrift").write_text("service Bank { void zzz() }")
    unknown = command("call", address, "zzz", "--idl", "more.thrift")
    assert (unknown.returncode, unknown.stderr) == (6, "Error: UNKNOWN_METHOD: no method 'zzz' in Bank\n")
    as_json = command("call", address, "zzz", "--idl", "more.thrift", "--json")
    assert as_json.returncode == 6
    assert json.loads(as_json.stdout)["outcome"] == "refused"
    with Peer(lambda sock: sock.recv(100)) as closing:
        gone = command("call", f"127.0.0.1:{closing.port}", "zzz", "--idl", "more.thrift")
    assert gone.returncode == 7
    assert "closed the connection" in gone.stderr
    assert command("call", "127.0.0.1:1", "zzz", "--idl", "more.thrift").returncode == 7
    nobody = command("call", "127.0.0.1:1", "zzz", "--idl", "more.thrift", "--json")
    assert (nobody.returncode, nobody.stderr) == (7, "")
    assert json.loads(nobody.stdout)["outcome"] == "unanswered"


def test_a_server_that_tells_nothing(command: Command, folder: Path) -> None:
    with Server(*ONE, "--reflection", "off", cwd=folder) as server:
        where = f"{server.host}:{server.port}"
        done = command("call", where, "count")
        assert (done.returncode, done.stdout) == (6, "")
        assert done.stderr.startswith(f"Error: {where} does not tell its IDL: start it with --reflection on")
        done = command("call", where, "count", "--idl", "bank.thrift", "-I", "inc")
        assert (done.returncode, done.stdout) == (0, "3\n")


def test_the_oneway_prints_nothing(command: Command, address: str) -> None:
    done = command("call", address, "audit", "note=x", "-v")
    assert (done.returncode, done.stdout) == (0, "")
    assert re.search(r"^< no answer, 0 bytes, after [0-9.]+ ms$", done.stderr, re.MULTILINE)


def test_over_a_unix_socket(command: Command, folder: Path) -> None:
    with Server(*ONE, "--bind", "unix:call.sock", cwd=folder):
        assert command("call", "unix:call.sock", "count").stdout == "3\n"


def test_over_tls(command: Command, folder: Path) -> None:
    pki = Pki(folder)
    pki.issue("tools", "tools.internal")
    with Server(*ONE, *pki.mutual(), cwd=folder) as server:
        where, tls = f"localhost:{server.port}", ("--ca", "ca.pem", "--cert", "tools.pem", "--key", "tools.key")
        for dialect in ("framed-binary", "http-json"):
            done = command("call", where, "count", *tls, "--dialect", dialect, "-v", "--hex")
            assert (done.returncode, done.stdout) == (0, "3\n")
            assert "count" in done.stderr  # what is encrypted, and not what it becomes
        assert "service Bank" in command("describe", where, "Bank", *tls).stdout
        assert command("idl", "diff", where, "bank.thrift", "-I", "inc", *tls).stdout == "no changes\n"
        assert command("doctor", where, *tls, "--idle", "0").returncode == 0
        assert command("call", where, "count", "--ca", "ca.pem").returncode == 7


def test_what_a_server_says_steers_no_terminal(command: Command, folder: Path) -> None:
    hostile = "\x1b[2J\x07"

    (folder / "steer.thrift").write_text("service Steer { void go() }")
    (folder / "steer.py").write_text(
        f"import thriftserver\nclass Steer:\n    def go(self): raise thriftserver.ApplicationError(5, {hostile!r})\n"
    )
    with Server("--idl", "steer.thrift", "--handler", "steer:Steer", cwd=folder) as server:
        done = command("call", f"{server.host}:{server.port}", "go")
    assert done.returncode == 6
    assert "\\x1b[2J\\x07" in done.stderr
    assert "\x1b" not in done.stderr
