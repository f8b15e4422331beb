"""``thriftserver capture`` and ``replay``: production-like traffic in a file, made again against real servers."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.disk import mounted
from tests.harness import Server, run
from tests.tools.overhearing import ARGS, HANDLER, IDL, Ear, client, write_shop
from thriftserver.capture.differences import Ignored, differences
from thriftserver.capture.file import MAGIC, read
from thriftserver.capture.records import Heard, Lost, Schema, written
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.errors import ApplicationError, ConfigError
from thriftserver.schema.special import ThriftException

SECRET = "open sesame"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, "-w", "2", "--http", cwd=folder) as server:
        yield server


def capture(folder: Path, *args: str, workers: int = 2) -> Ear:
    """A capture that listens to so many workers already."""
    ear = Ear(folder, "capture", *args)
    ear.until(workers=workers)
    return ear


def replay(folder: Path, server: Server, *args: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "replay", args[0], f"{server.host}:{server.port}", "--speed", "max", *args[1:])


def traffic(server: Server, dialect: str, count: int, seed: int) -> None:
    """What one client of a shop does."""
    chance = random.Random(seed)
    api = thriftserver.load("shop.thrift", files={"shop.thrift": IDL})
    with client(server, dialect=dialect) as shop:
        for number in range(count):
            match chance.randrange(8):
                case 0 | 1 | 2:
                    shop.add(number, seed)
                case 3:
                    shop.items(number, chance.randrange(5))
                case 4:
                    shop.repeat(chance.choice("äxyz") * chance.randrange(20), chance.randrange(30))
                case 5:
                    shop.note(f"note {number}")
                case 6:
                    with pytest.raises((ThriftException, ApplicationError)):
                        shop.items(number, 11) if number % 2 else shop.fail()
                case 7:
                    shop.login(api.Login(f"user {number}", SECRET))


def test_10000_calls_differ_nowhere_and_then_where_the_handler_does(server: Server, folder: Path) -> None:
    dialects = [name for name in SPEAKABLE if not name.startswith("http")]
    shares = [10_000 // len(dialects) + (place < 10_000 % len(dialects)) for place in range(len(dialects))]
    with capture(folder, "calls.gz", "-n", "10000") as ear:
        clients = [
            threading.Thread(target=traffic, args=(server, dialect, share, seed))
            for seed, (dialect, share) in enumerate(zip(dialects, shares, strict=True))
        ]
        for each in clients:
            each.start()
        for each in clients:
            each.join()
        assert ear.ended() == 0
        assert ear.notes[-1] == "* 10,000 calls in calls.gz"
    calls = [record for record in read(str(folder / "calls.gz")) if isinstance(record, Heard)]
    assert len(calls) == 10_000
    assert SECRET not in repr(calls)
    logins = sum(call.method == "login" for call in calls)
    same = replay(folder, server, "calls.gz")
    assert (same.returncode, same.stdout.splitlines()[-1].partition("s: ")[2]) == (
        0,
        f"{10_000 - logins:,} the same, {logins:,} unsent",
    ), same.stdout + same.stderr
    assert same.stdout.count("\n") == 1
    changed = HANDLER.replace("return a + b", "return a + b + (a == 40)").replace("n / 4", "n / 4 + (n % 10 == 0)")
    (folder / "shop.py").write_text(changed)
    assert run(folder, "ctl", "--control", "control", "reload").returncode == 0
    assert_differs(folder, server, calls)


def assert_differs(folder: Path, server: Server, calls: list[Heard]) -> None:
    """Exactly where that change of the handler shows."""
    adds = [call for call in calls if call.method == "add"]
    items = [call for call in calls if call.method == "items" and call.outcome == "success"]
    done = replay(folder, server, "calls.gz", "--json", "--show", "10000")
    assert done.returncode == 1, done.stderr
    *lines, last = map(json.loads, done.stdout.splitlines())
    assert last["summary"]["unanswered"] == last["summary"]["uncompared"] == 0
    found = [(line["call"]["method"], line["call"]["arguments"], line["differences"]) for line in lines]
    assert last["summary"]["different"] == len(found)
    added = [arguments for method, arguments, _ in found if method == "add"]
    assert {each["a"] for each in added} == {40}
    assert len(added) == sum(1 for call in adds if _shown(call)["a"] == 40)
    for method, arguments, differs in found:
        if method == "items":
            first, count = arguments["first"], arguments["count"]
            places = [n for n in range(first, first + count) if n % 10 == 0]
            assert [each["path"] for each in differs] == [f"result[{n - first}].price" for n in places]
            assert [each["new"] for each in differs] == [str(n / 4 + 1) for n in places]
        else:
            (differ,) = differs
            assert (differ["path"], int(differ["new"])) == ("result", int(differ["old"]) + 1)
    touched = sum(
        any(n % 10 == 0 for n in range(shown["first"], shown["first"] + shown["count"])) for shown in map(_shown, items)
    )
    assert sum(method == "items" for method, _, _ in found) == touched


def _shown(call: Heard) -> dict[str, Any]:
    from thriftserver.capture.reading import arguments

    service = thriftserver.load("shop.thrift", files={"shop.thrift": IDL}).Shop.__thrift__
    function = next(each for each in service.methods() if each.name == call.method)
    return arguments(function, call.protocol, call.request)


def test_over_http_and_with_what_comes_beside(server: Server, folder: Path) -> None:
    with capture(folder, "calls", "-n", "3", "--headers") as ear, client(server, dialect="http-compact") as shop:
        with thriftserver.headers({"tenant": "acme"}):
            assert shop.headers()["tenant"] == "acme"
        shop.add(1, 2)
        shop.note("so")
        assert ear.ended() == 0
    done = replay(folder, server, "calls", "--ignore", "result.user-agent", "--ignore", "result.client_timeout")
    assert (done.returncode, "3 the same" in done.stdout) == (0, True), done.stdout + done.stderr


def test_secrets_are_in_the_file_where_that_is_asked_for(server: Server, folder: Path) -> None:
    api = thriftserver.load("shop.thrift", files={"shop.thrift": IDL})
    with capture(folder, "calls", "--with-redacted", "-n", "2") as ear, client(server) as shop:
        shop.login(api.Login("me", SECRET))
        with pytest.raises(ThriftException):
            shop.login(api.Login("me", "hush"))
        assert ear.ended() == 0
        assert ear.notes[0].startswith("* warning: the file will hold what")
    assert SECRET.encode() in (folder / "calls").read_bytes()
    assert (folder / "calls").stat().st_mode & 0o777 == 0o600
    done = replay(folder, server, "calls")
    assert (done.returncode, "2 the same" in done.stdout) == (0, True), done.stdout + done.stderr
    (folder / "shop.py").write_text(HANDLER.replace('Denied("no"', 'Denied("maybe"').replace('"token-"', '"new-"'))
    assert run(folder, "ctl", "--control", "control", "reload").returncode == 0
    done = replay(folder, server, "calls")
    assert done.returncode == 1
    assert 'exception.why: "no" became "maybe"' in done.stdout
    assert "hush" not in done.stdout
    assert SECRET not in done.stdout
    assert "1 the same, 1 different" in done.stdout, "of what is hidden it does not tell whether it differs"
    assert replay(folder, server, "calls", "--ignore", "login:exception.w*").returncode == 0


def test_at_their_own_pace_and_faster(server: Server, folder: Path) -> None:
    with capture(folder, "calls", "-n", "3") as ear, client(server) as shop:
        for _ in range(3):
            shop.nap(0.3)
        assert ear.ended() == 0
    took = []
    for speed in ("1", "100"):
        began = time.monotonic()
        done = run(folder, "replay", "calls", f"{server.host}:{server.port}", "--speed", speed, "-c", "1")
        took.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
    assert took[0] >= 0.9
    assert "s late" in done.stderr, "a hundred times faster than the server answers cannot be"


def test_full_files_are_turned_over(server: Server, folder: Path) -> None:
    with capture(folder, "calls.gz", "--max-size", "20k", "--rotate", "2") as ear, client(server) as shop:
        for number in range(600):
            shop.add(number, 0)
        server.eventually(lambda: (folder / "calls.2.gz").exists(), "a second full file")
        ear.process.send_signal(signal.SIGTERM)
        assert ear.ended() == 0
    names = ["calls.2.gz", "calls.1.gz", "calls.gz"]
    kept = [record for name in names for record in read(str(folder / name))]
    calls = [record for record in kept if isinstance(record, Heard)]
    assert sum(isinstance(record, Schema) for record in kept) == 3, "each can be read by itself"
    assert len({call.at for call in calls}) == len(calls) > 100
    assert not (folder / "calls.3.gz").exists()
    done = run(folder, "replay", *names, f"{server.host}:{server.port}", "--speed", "max")
    assert f"{len(calls)} the same" in done.stdout, done.stderr


@pytest.mark.parametrize("name", ["calls", "calls.gz"])
def test_a_full_disk_ends_it_and_the_first_calls_can_be_replayed(server: Server, folder: Path, name: str) -> None:
    """What is left of it is copied before the disk, and whoever has it, is gone."""
    rescue = ("sh", "-c", f'"$@"; code=$?; cp disk/{name} {name}; exit $code', "sh")
    prefix = (*mounted(folder, "size=64k"), *rescue)
    with Ear(folder, "capture", f"disk/{name}", prefix=prefix) as ear, client(server) as shop:
        ear.until(workers=2)
        chance = random.Random(1)
        while ear.process.poll() is None:
            shop.repeat(chance.randbytes(300).hex(), 1)
        assert ear.ended() == 1
        assert ear.notes[-2].startswith("* of ")
        assert ear.notes[-2].endswith(f" calls the first are in disk/{name}, as far as there was room")
        assert ear.notes[-1].startswith(f"Error: disk/{name}: No space left on device: ")
    heard = [each for each in read(str(folder / name)) if isinstance(each, Heard)]
    assert 40 < len(heard) < int(ear.notes[-2].split()[2])
    assert f"{len(heard)} the same" in replay(folder, server, name).stdout


def test_a_full_file_without_others_is_the_end(server: Server, folder: Path) -> None:
    with capture(folder, "calls", "--max-size", "5k") as ear, client(server) as shop:
        for number in range(200):
            shop.add(number, 0)
        assert ear.ended() == 0
        assert ear.notes[-1].endswith("; the file is full")
    assert (folder / "calls").stat().st_size <= 5 << 10
    again = run(folder, "capture", "calls", "--control", "control")
    assert (again.returncode, "--force" in again.stderr) == (2, True)


def test_a_file_that_was_cut_off_is_read_to_there(server: Server, folder: Path) -> None:
    for name in ("calls", "calls.gz"):
        with capture(folder, name, "-n", "50") as ear, client(server) as shop:
            for number in range(50):
                shop.add(number, 0)
            ear.ended()
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: -len(whole) // 5])
        done = replay(folder, server, name)
        assert done.returncode == 0, done.stderr
        assert 0 < int(done.stdout.partition(" ")[0]) < 50


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no calls"),
        (b"thriftserver calls 2\n", "holds no calls"),
        (gzip.compress(b"something else", mtime=0), "holds no calls"),
        (b"\x1f\x8bnonsense", "cannot read"),
        (MAGIC + b"\0\0\0\x02\xc1\xc1", "no record of a call"),
        (MAGIC + b"\xff\xff\xff\xff", "a record of 4294967295 bytes"),
    ],
)
def test_other_files_are_refused(folder: Path, content: bytes, said: str) -> None:
    (folder / "calls").write_bytes(content)
    done = run(folder, "replay", "calls", "127.0.0.1:1")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_nobody_answers(folder: Path, server: Server) -> None:
    with capture(folder, "calls", "-n", "1") as ear, client(server) as shop:
        shop.add(1, 2)
        ear.ended()
    done = run(folder, "replay", "calls", "127.0.0.1:1", "--speed", "max")
    assert done.returncode == 7
    assert "1 unanswered" in done.stdout
    assert run(folder, "replay", "calls", "127.0.0.1:1", "--speed", "0").returncode == 2
    assert run(folder, "replay", "calls", "127.0.0.1:1", "--ignore", "add:").returncode == 2
    assert run(folder, "replay", "nothing", "127.0.0.1:1").returncode == 2


def test_what_a_stream_holds_is_not_believed(folder: Path) -> None:
    chance = random.Random(16)
    call = Heard("x", 1, 2, 3, 4, "S", "m", "p", "d", "binary", False, "success", 1, 1, b"\x80", b"\x80")
    whole = MAGIC + written(call) + written(Lost(1, 2))
    for _ in range(300):
        broken = bytearray(whole)
        broken[chance.randrange(len(MAGIC), len(whole))] = chance.randrange(256)
        (folder / "calls").write_bytes(broken)
        with contextlib.suppress(ConfigError):
            assert all(isinstance(record, Heard | Lost | Schema) or record for record in read(str(folder / "calls")))
    (folder / "calls").write_bytes(whole)
    done = run(folder, "replay", "calls", "127.0.0.1:1", "--speed", "max")
    assert (done.returncode, "1 unsent" in done.stdout) == (0, True), done.stdout + done.stderr


OLD = {"result": {"id": 1, "tags": ["a", "b"], "by": {"x": {"n": 1}}}}


@pytest.mark.parametrize(
    ("new", "paths"),
    [
        (OLD, []),
        ({"result": {"id": 2, "tags": ["a", "b"], "by": {"x": {"n": 1}}}}, ["result.id"]),
        ({"result": {"id": True, "tags": ["a"], "by": {"x": {"n": 1}}}}, ["result.id", "result.tags[1]"]),
        ({"result": {"id": 1, "tags": ["a", "b"], "by": {"y": {"n": 1}}}}, ["result.by.x", "result.by.y"]),
        ({"result": None}, ["result"]),
        ({"error": "no"}, ["outcome"]),
        ({"exception": "E", "value": {}}, ["outcome"]),
    ],
)
def test_differences(new: dict[str, Any], paths: list[str]) -> None:
    assert [each.path for each in differences(OLD, new)] == paths


def test_what_may_differ() -> None:
    ignored = Ignored(["result.items[*].at", "add:result", "S.get:exception.why", "result.by.*.n"])
    assert ignored("get", "result.items[31].at")
    assert ignored("get", "result.items[31].at.second")
    assert not ignored("get", "result.items[31].atom")
    assert ignored("add", "result[3]")
    assert not ignored("get", "result[3]")
    assert ignored("S.get", "exception.why")
    assert ignored("get", "result.by.x.n")
    assert not ignored("get", "result.by.x.y.n")
