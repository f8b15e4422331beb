"""``thriftserver tap`` and ``ctl tap``: calls of real servers as they happen."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.harness import Server, run
from tests.server.control import ctl
from tests.tools.overhearing import ARGS, HANDLER, IDL, Ear, client, tap, write_shop
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.errors import ApplicationError
from thriftserver.master.errands import LISTENERS
from thriftserver.schema.special import ThriftException


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_shop(tmp_path)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, "-w", "1", "--http", cwd=folder) as server:
        yield server


def test_arguments_and_what_came_of_them_in_every_dialect(server: Server, folder: Path) -> None:
    with tap(folder) as ear:
        for dialect in SPEAKABLE:
            with client(server, dialect=dialect) as shop:
                assert shop.add(1, 2) == 3
        calls = ear.calls(len(SPEAKABLE))
    assert [(call["service"], call["method"], call["outcome"]) for call in calls] == [("Shop", "add", "success")] * len(
        SPEAKABLE
    )
    assert all(call["arguments"] == {"a": 1, "b": 2} and call["result"] == 3 for call in calls)
    for call, dialect in zip(calls, SPEAKABLE, strict=True):
        assert dialect.startswith(call["dialect"])
        assert call["request_bytes"] > 10
        assert call["duration_ms"] >= call["queue_ms"] >= 0
        assert call["worker"] in server.workers()


def test_each_outcome_is_told(server: Server, folder: Path) -> None:
    with tap(folder) as ear, client(server) as shop:
        shop.items(1, 1)
        with pytest.raises(ThriftException):
            shop.items(1, 11)
        with pytest.raises(ApplicationError):
            shop.fail()
        shop.note("so")
        items, denied, failed, note = ear.calls(4)
    assert items["result"] == [{"id": 1, "price": 0.25, "tags": ["1", "a", "b"], "stock": {"here": 1, "there": 1}}]
    assert (denied["outcome"], denied["exception"]) == ("declared", "Denied")
    assert denied["value"] == {"why": "not 11", "hint": "[redacted]"}
    assert failed["outcome"] == "undeclared"
    assert failed["error"].startswith("INTERNAL_ERROR: internal error, id ")
    assert note["arguments"] == {"text": "so"}
    assert not {"result", "exception", "error"} & note.keys()


def test_what_must_not_be_shown_is_not(server: Server, folder: Path) -> None:
    api = thriftserver.load("shop.thrift", files={"shop.thrift": IDL})
    with tap(folder) as ear, client(server) as shop:
        shop.login(api.Login("me", "open sesame"))
        with pytest.raises(ThriftException):
            shop.login(api.Login("me", "hush"))
        first, second = ear.calls(2)
        assert first["arguments"] == {"login": {"user": "me", "password": "[redacted]"}}
        assert first["result"] == "[redacted]"
        assert second["value"] == {"why": "no", "hint": "[redacted]"}
        assert not any("sesame" in line or "hush" in line for line in ear.lines)


def test_filters(server: Server, folder: Path) -> None:
    with (
        tap(folder, "-m", "Shop.it*", "-m", "fail") as methods,
        tap(folder, "--outcome", "undeclared") as failures,
        tap(folder, "--slower", "30ms") as slow,
        tap(folder, "--peer", "127.0.0.1:1") as nobody,
        client(server) as shop,
    ):
        shop.add(1, 1)
        shop.items(1, 1)
        shop.nap(0.04)
        with pytest.raises(ApplicationError):
            shop.fail()
        with tap(folder, "-n", "1") as last:
            shop.add(2, 2)
            assert last.ended() == 0
        assert [call["method"] for call in methods.calls(2)] == ["items", "fail"]
        assert [call["method"] for call in failures.calls(1)] == ["fail"]
        assert [call["method"] for call in slow.calls(1)] == ["nap"]
        # ``last`` has heard of a call after all of them, so there is nothing on its way.
        assert (len(methods.lines), len(failures.lines), len(slow.lines), nobody.lines) == (2, 1, 1, [])


def test_samples_are_as_large_as_was_asked_for(server: Server, folder: Path) -> None:
    with tap(folder, "--sample", "10%") as some, tap(folder, "--sample", "50%") as half, client(server) as shop:
        for number in range(4000):
            shop.add(number, 0)
        with tap(folder, "-m", "note", "-n", "1") as last:
            shop.note("the end")
            last.ended()
        some.process.send_signal(signal.SIGINT)
        half.process.send_signal(signal.SIGINT)
        assert some.ended() == half.ended() == 0
        # Eight standard deviations: it would take longer than the world is old to be wrong.
        assert 250 < len(some.lines) < 550
        assert 1750 < len(half.lines) < 2250


def test_headers_where_they_are_asked_for(server: Server, folder: Path) -> None:
    with tap(folder) as without, tap(folder, "--headers") as ear, client(server, dialect="header-binary") as shop:
        with thriftserver.headers({"tenant": "acme"}):
            assert shop.headers()["tenant"] == "acme"
        assert ear.calls(1)[0]["headers"]["tenant"] == "acme"
        assert "headers" not in without.calls(1)[0]


def test_it_goes_on_through_reloads_upgrades_and_deaths(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server, tap(folder, workers=2) as ear:
        (folder / "shop.thrift").write_text(IDL.replace("i32 add(1: i32 a,", "i32 add(3: i32 c, 1: i32 a,"))
        (folder / "shop.py").write_text(HANDLER.replace("def add(self, a, b)", "def add(self, c, a, b)"))
        assert ctl(folder, "reload").returncode == 0
        ear.until(workers=4)
        with client(server) as shop:
            shop.add(1, 2)
        assert ear.calls(1)[0]["arguments"] == {"a": 1, "b": 2}, "it is read with the new IDL"
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        ear.until(workers=5)
        server.upgrade()
        ear.until(workers=7)
        with client(server) as shop:
            shop.add(3, 4)
        assert ear.calls(2)[1]["result"] == 7
        server.stop()
        assert ear.ended() == 3
        assert "the server has ended" in ear.notes[-1]


def test_a_worker_that_ends_keeps_no_call_to_itself(folder: Path) -> None:
    with Server(*ARGS, "-w", "1", cwd=folder) as server, tap(folder) as ear:
        with client(server) as shop:
            for number in range(20):
                shop.add(number, 0)
        server.stop()
        assert len(ear.calls(20)) == 20


def sockets(pid: int) -> int:
    """How many a process has open."""
    folder = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(each).startswith("socket:") for each in list(folder.iterdir()) if each.is_symlink())


def test_it_is_over_with_its_terminal(server: Server, folder: Path) -> None:
    (worker,) = server.workers()
    before = sockets(worker), sockets(server.pid)
    for end in (signal.SIGKILL, signal.SIGINT):
        with tap(folder) as ear:
            assert sockets(worker) == before[0] + 1
            ear.process.send_signal(end)
            ear.ended()
        server.eventually(lambda: (sockets(worker), sockets(server.pid)) == before, "end of the tap")


def test_who_does_not_keep_up_costs_the_server_nothing_more(server: Server, folder: Path) -> None:
    with tap(folder) as ear, client(server) as shop:
        ear.process.send_signal(signal.SIGSTOP)
        count, size = 400, 50_000
        for _ in range(count):
            assert len(shop.repeat("x" * 1000, size // 1000)) == size
        ear.process.send_signal(signal.SIGCONT)
        with tap(folder, "-m", "note", "-n", "1") as last:
            shop.note("the end")
            last.ended()
        ear.until(lines=50)
        server.eventually(lambda: len(ear.lines) + lost(ear) == count + 1, "all calls, shown or counted")
        assert lost(ear) > 100


def lost(ear: Ear) -> int:
    return sum(int(line.split()[1]) for line in ear.notes if "came too fast" in line)


def test_messages_larger_than_a_piece_come_whole(server: Server, folder: Path) -> None:
    with tap(folder) as ear, client(server) as shop:
        text = shop.repeat("ab", 500_000)
        assert ear.calls(1)[0]["result"] == text


def test_lines_for_people(server: Server, folder: Path) -> None:
    with Ear(folder, "tap") as ear, client(server) as shop:
        ear.until(workers=1)
        shop.add(1, 2)
        shop.repeat("x\x1b[2J", 1000)
        ear.until(lines=2)
        assert ear.lines[0].split()[1:4] == ["Shop.add", "success", ear.lines[0].split()[3]]
        assert ear.lines[0].endswith('{"a": 1, "b": 2} -> 3')
        assert ear.lines[1].endswith("...")
        assert "\x1b" not in ear.lines[1]


def test_as_a_command_of_ctl(server: Server, folder: Path) -> None:
    done = ctl(folder, "tap", "-z", "100ms")
    assert done.returncode == 0
    assert done.stderr == f"* listening to worker {server.workers()[0]}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outcome", "sucess"), "no outcome 'sucess'"),
        (("--sample", "0"), "the share must be more than 0"),
        (("--slower", "soon"), "--slower"),
    ],
)
def test_what_makes_no_sense(server: Server, folder: Path, words: tuple[str, ...], said: str) -> None:
    done = run(folder, "tap", "--control", "control", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_without_a_server_there_is_nothing_to_hear(folder: Path) -> None:
    assert run(folder, "tap", "--control", "control").returncode == 3
    assert run(folder, "tap").returncode == 2


def test_not_too_many_listen_at_once(server: Server, folder: Path) -> None:
    ears = [tap(folder) for _ in range(LISTENERS)]
    try:
        done = run(folder, "tap", "--control", "control")
        assert done.returncode == 1
        assert "listen already" in done.stderr
    finally:
        for ear in ears:
            ear.__exit__()
    with tap(folder, "-n", "1") as ear, client(server) as shop:
        shop.add(1, 1)
        assert ear.ended() == 0


def test_a_child_of_a_handler_says_nothing(folder: Path) -> None:
    fork = HANDLER.replace(
        "return a + b", "import os\n        child = os.fork()\n        return os.waitpid(child, 0)[1] if child else 0"
    )
    write_shop(folder, fork)
    with Server(*ARGS, "-w", "1", cwd=folder) as server, tap(folder) as ear, client(server) as shop:
        for _ in range(3):
            assert shop.add(1, 2) == 0
        shop.note("the end")
        assert [call["method"] for call in ear.calls(4)] == ["add"] * 3 + ["note"]
        assert {call["worker"] for call in map(json.loads, ear.lines)} == set(server.workers())
