"""``thriftserver run`` as a person runs it: it serves, survives, reloads, stops, and says what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from tests.server.services import ARGS, HANDLER, IDL, write_demo
from tests.support import ROOT
from thriftserver.errors import TransportError


def client(server: Server, folder: Path) -> Any:
    api = thriftserver.load(folder / "demo.thrift")
    return api.Demo.Client(server.host, server.port, timeout=PATIENCE)


def test_it_serves_with_several_workers(folder: Path) -> None:
    api = thriftserver.load(folder / "demo.thrift")
    with Server(*ARGS, "--workers", "2", cwd=folder) as server:
        assert len(server.workers()) == 2
        with client(server, folder) as demo:
            assert demo.add(1, 2) == 3
            assert demo.add(b=5, a=4) == 9
            point = api.Point(x=1, label="here", tags=["a", "b"])
            assert demo.echo(point) == point
            assert demo.echo(api.Point()).x == 3
            with pytest.raises(api.Oops, match="as you wish"):
                demo.echo(api.Point(label="oops"))
            assert demo.note("quiet") is None
            assert demo.pid() in server.workers()
            with pytest.raises(TypeError, match="lacks b"):
                demo.add(1)
        assert server.stop() == 0
    told = " ".join(line["event"] for line in server.events if line["level"] == "info")
    assert told == ("starting listening worker_ready worker_ready ready stopping worker_exit worker_exit stopped")


@pytest.mark.parametrize("how", ["value", "exit", "interrupt", "memory", "recursion"])
def test_no_exception_of_a_handler_ends_a_worker(folder: Path, how: str) -> None:
    with Server(*ARGS, cwd=folder) as server, client(server, folder) as demo:
        worker = demo.pid()
        with pytest.raises(
            thriftserver.ApplicationError, match=r"INTERNAL_ERROR: internal error, id [0-9a-f]{12}"
        ) as caught:
            demo.fail(how)
        assert caught.value.type == 6
        assert "failed by" not in str(caught.value)
        line = server.wait("handler_failed", method="fail", outcome="undeclared")
        assert line["error_id"] in str(caught.value)
        assert f"failed by {how}" in line["traceback"]
        assert demo.pid() == worker


def test_a_failed_oneway_is_logged_and_not_answered(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server, client(server, folder) as demo:
        demo.note("fail")
        assert demo.add(1, 1) == 2
        assert "oneway failed" in server.wait("handler_failed", method="note")["traceback"]


def test_a_waiting_handler_lets_others_run(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        sleepers = [client(server, folder) for _ in range(5)]
        threads = [threading.Thread(target=each.nap, args=(-1.0,)) for each in sleepers]
        for thread in threads:
            thread.start()
        server.wait("napping", count=5)
        with client(server, folder) as demo:
            assert [demo.add(n, n) for n in range(50)] == [2 * n for n in range(50)]
        assert all(thread.is_alive() for thread in threads)
        (folder / "wake").touch()
        for thread in threads:
            thread.join()
        for each in sleepers:
            each.close()


def test_kill_9_of_a_worker_under_load_leaves_the_service_answering(folder: Path) -> None:
    with Server(*ARGS, "--workers", "2", cwd=folder) as server:
        stop, answers, losses = threading.Event(), [0] * 4, [0] * 4

        def load(index: int) -> None:
            demo = client(server, folder)
            while not stop.is_set():
                try:
                    assert demo.add(index, 1) == index + 1
                    answers[index] += 1
                except TransportError:
                    losses[index] += 1
            demo.close()

        threads = [threading.Thread(target=load, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for round_ in range(1, 4):
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            server.wait("worker_exit", pid=victim, signal=9)
            server.wait("worker_ready", count=2 + round_)
            before = list(answers)
            while any(now < then + 20 for now, then in zip(answers, before, strict=True)):
                assert server.process.poll() is None
        stop.set()
        for thread in threads:
            thread.join()
        assert sum(losses) <= 4 * 3, "only the calls in the killed workers may be lost"
        assert len(server.workers()) == 2


def test_hup_loads_new_code_and_keeps_answering(folder: Path) -> None:
    with Server(*ARGS, "--workers", "2", cwd=folder) as server:
        with client(server, folder) as demo:
            assert demo.version() == "1"
        old = set(server.workers())
        write_demo(folder, HANDLER.replace('VERSION = "1"', 'VERSION = "2 (new)"'))
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit", count=2, code=0)
        with client(server, folder) as demo:
            assert demo.version() == "2 (new)"
        assert not old & set(server.workers())
        assert len(server.workers()) == 2


@pytest.mark.parametrize("broken", ["idl", "syntax", "import", "misfit"])
def test_a_reload_that_cannot_work_changes_nothing(folder: Path, broken: str) -> None:
    with Server(*ARGS, cwd=folder) as server, client(server, folder) as demo:
        worker = demo.pid()
        if broken == "idl":
            write_demo(folder, idl=IDL.replace("i32 x", "i33 x"))
        else:
            bad = {
                "syntax": "def f(:",
                "import": "import nothing_of_that_name",
                "misfit": HANDLER.replace("def add(self, a, b)", "def add(self, a)"),
            }
            write_demo(folder, bad[broken])
        server.signal(signal.SIGHUP)
        reason = server.wait("reload_rejected")["reason"]
        assert {"idl": "demo.thrift:3:", "syntax": "demo.py:1", "import": "nothing_of_that_name", "misfit": "demo.py:"}[
            broken
        ] in reason
        assert demo.pid() == worker
        write_demo(folder)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")


def test_a_reload_that_would_break_clients_needs_to_be_asked_for(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server, client(server, folder) as demo:
        worker = demo.pid()
        write_demo(folder, idl=IDL.replace("  i32 add(1: i32 a, 2: i32 b)", "  i32 add(1: i32 a, 2: i64 b)"))
        server.signal(signal.SIGHUP)
        reason = server.wait("reload_rejected")["reason"]
        assert "Demo.add(2: b)" in reason
        assert "demo.thrift:5" in reason
        assert demo.pid() == worker
    with Server(*ARGS, "--allow-breaking", cwd=folder) as server:
        write_demo(folder)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")


def test_term_finishes_what_runs(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        idle, busy = client(server, folder), client(server, folder)
        idle.add(1, 1)
        result: list[Any] = []
        thread = threading.Thread(target=lambda: result.append(busy.nap(-1.0)))
        thread.start()
        server.wait("napping")
        server.signal(signal.SIGTERM)
        server.wait("stopping")
        (folder / "wake").touch()
        assert server.exit_code() == 0
        thread.join()
        assert result == [None]
        idle.close()
        busy.close()
        assert not server.found("worker_killed")
        assert not server.found("calls_cut")


def test_setup_runs_before_the_first_call_and_teardown_after_the_last(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        worker = str(server.workers()[0])
        assert (folder / "setup").read_text() == worker
        assert not (folder / "teardown").exists()
    assert (folder / "teardown").read_text() == worker


def test_int_does_not_wait(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        busy = client(server, folder)
        failures: list[BaseException] = []

        def nap() -> None:
            try:
                busy.nap(-1.0)
            except TransportError as error:
                failures.append(error)

        thread = threading.Thread(target=nap)
        thread.start()
        server.wait("napping")
        server.signal(signal.SIGINT)
        assert server.exit_code() == 0
        thread.join()
        assert len(failures) == 1


def test_workers_leave_when_the_master_is_killed(folder: Path) -> None:
    with Server(*ARGS, "--workers", "2", cwd=folder) as server:
        port = server.port
        server.process.kill()
        server.exit_code()  # the log's pipe ends only when the last worker is gone
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))


def test_unix_and_several_addresses(folder: Path) -> None:
    api = thriftserver.load(folder / "demo.thrift")
    path = folder / "demo.sock"
    with Server(*ARGS, "--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--bind", "[::1]:0", cwd=folder) as server:
        assert server.addresses[1] == f"unix:{path}"
        for host, port in ((f"unix:{path}", 0), ("::1", int(server.addresses[2].rpartition(":")[2]))):
            with api.Demo.Client(host, port, timeout=PATIENCE) as demo:
                assert demo.add(2, 2) == 4
    assert not path.exists()


def test_configuration_file_and_environment(folder: Path) -> None:
    (folder / "t.toml").write_text('idl = "demo.thrift"\nhandler = "demo:Impl"\nworkers = 3\n')
    with Server("--config", "t.toml", cwd=folder, env={"THRIFTSERVER_WORKERS": "2"}) as server:
        assert len(server.workers()) == 2


BROKEN_HANDLERS = {
    "nothing:Impl": (4, "there is no module 'nothing'"),
    "demo:Imp": (4, "demo has no 'Imp'; did you mean 'Impl'?"),
    "demo:": (4, "write pkg.mod:Class"),
    "syntax:Impl": (4, "SyntaxError: invalid syntax (syntax.py:1)"),
    "importer:Impl": (4, "ModuleNotFoundError: No module named 'absent' (importer.py:1 in <module>)"),
    "raiser:Impl": (4, "raiser:Impl: Impl() raised ZeroDivisionError: division by zero (raiser.py:3 in __init__)"),
    "leaver:Impl": (4, "importing leaver failed: SystemExit: 9 (leaver.py:1 in <module>)"),
    "setupper:Impl": (4, "setup() raised OSError: no database (setupper.py:3 in setup)"),
    "misfit:Impl": (4, "demo.thrift:5: Demo.add is missing in misfit:Impl; is Add() at misfit.py:2 meant?"),
    "dier:Impl": (3, "a worker exited with code 7 while it started"),
}


def write_broken(folder: Path) -> None:
    (folder / "syntax.py").write_text("def f(:")
    (folder / "importer.py").write_text("import absent")
    (folder / "raiser.py").write_text("class Impl:\n    def __init__(self):\n        1 / 0\n")
    (folder / "leaver.py").write_text("raise SystemExit(9)")
    setup = "import demo\nclass Impl(demo.Impl):\n    def setup(self): raise OSError('no database')\n"
    (folder / "setupper.py").write_text(setup)
    (folder / "misfit.py").write_text("class Impl:\n    def Add(self, a, b): pass\n")
    (folder / "dier.py").write_text("import os; os._exit(7)")


@pytest.mark.parametrize("spec", BROKEN_HANDLERS)
def test_a_handler_that_cannot_load_is_one_message(folder: Path, spec: str) -> None:
    write_broken(folder)
    code, message = BROKEN_HANDLERS[spec]
    done = run(folder, "run", "--idl", "demo.thrift", "--handler", spec, "--workers", "2", "--bind", "127.0.0.1:0")
    assert done.returncode == code
    assert message in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert str(ROOT / "thriftserver") not in done.stderr, "frames are those of the handler alone"
    assert not [line for line in done.stderr.splitlines() if '"level":"error"' in line]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ((), 2, "no IDL to serve: give --idl FILE.thrift"),
        (("--idl", "demo.thrift"), 2, "no handler: give --handler pkg.mod:Class"),
        (("--idl", "broken.thrift", "--handler", "demo:Impl"), 4, "broken.thrift:1:15: error: "),
        (("--idl", "nowhere.thrift", "--handler", "demo:Impl"), 4, "nowhere.thrift"),
        ((*ARGS, "--service", "Dem"), 4, "the IDL defines no service 'Dem'; did you mean 'Demo'?"),
        ((*ARGS, "--bind", "localhost"), 2, "cannot listen on 'localhost': write HOST:PORT"),
        ((*ARGS, "--workers", "none"), 2, "--workers: 'none' is not a whole number"),
        ((*ARGS, "--wrokers", "2"), 2, "--workers"),
        ((*ARGS, "--config", "nowhere.toml"), 2, "cannot read configuration file nowhere.toml"),
        ((*ARGS, "--bind", "unix:/no/such/folder/x"), 5, "cannot listen on unix:/no/such/folder/x: No such file"),
    ],
)
def test_a_start_that_makes_no_sense_is_one_message(
    folder: Path, args: tuple[str, ...], code: int, message: str
) -> None:
    (folder / "broken.thrift").write_text("struct X { 1: i33 x }\n")
    done = run(folder, "run", *args)
    assert message in done.stderr
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_a_taken_port(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(folder, "run", *ARGS, "--bind", address)
    assert done.returncode == 5
    assert f"Error: cannot listen on {address}: the address is in use" in done.stderr


def test_check_lists_every_problem_with_both_places(folder: Path) -> None:
    (folder / "misfit.py").write_text(
        "class Impl:\n"
        "    def Add(self, a, b): pass\n"
        "    def echo(self): pass\n"
        "    async def pid(self): yield\n"
        "    version = 5\n"
        "    def nap(self, *args): pass\n"
        "    def note(self, text, more=None): pass\n"
        "    def surplus(self): pass\n"
    )
    done = run(folder, "check", "--idl", "demo.thrift", "--handler", "misfit:Impl")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "error: demo.thrift:5: Demo.add is missing in misfit:Impl; is Add() at misfit.py:2 meant?",
        "error: misfit.py:3: misfit:Impl.echo() cannot take 1 argument: too many positional arguments; "
        "the IDL says echo(1: demo.Point point) at demo.thrift:6",
        "error: misfit.py:4: misfit:Impl.pid is an async generator (it has a yield), which is not supported: "
        "return a list; the IDL says pid() at demo.thrift:7",
        "error: misfit.py:1: misfit:Impl.version is an int, not a method; the IDL says version() at demo.thrift:8",
        "error: demo.thrift:10: Demo.fail is missing in misfit:Impl",
        "warning: misfit.py:8: misfit:Impl has surplus(), which is no method of Demo (demo.thrift:4); "
        "call it _surplus if it is a helper",
    ]


def test_check_of_a_handler_that_fits(folder: Path) -> None:
    done = run(folder, "check", *ARGS)
    assert (done.returncode, done.stdout) == (0, "ok: demo:Impl answers every method of Demo (7)\n")


METHODS = ("add", "echo", "pid", "version", "nap", "fail", "note")


@pytest.mark.parametrize("kind", ["demo:Impl", "demo:instance", "demo:factory", "demo"])
def test_every_kind_of_handler(folder: Path, kind: str) -> None:
    functions = "\n".join(f"{name} = instance.{name}" for name in METHODS)
    more = "\ninstance = Impl()\ndef factory():\n    return Impl()\n" + (functions if kind == "demo" else "")
    write_demo(folder, HANDLER + more)
    with Server("--idl", "demo.thrift", "--handler", kind, cwd=folder) as server, client(server, folder) as demo:
        assert demo.add(20, 22) == 42


def test_several_services_and_multiplexed_names(folder: Path) -> None:
    write_demo(
        folder,
        HANDLER + "\nclass Other:\n    def hello(self): return 'other'\n",
        IDL + "service Other { string hello() }\n",
    )
    done = run(folder, "run", *ARGS)
    assert done.returncode == 4
    assert "defines 2 services (Demo, Other); choose one with --service" in done.stderr
    args = ("--idl", "demo.thrift", "--handler", "Demo=demo:Impl", "--handler", "Other=demo:Other")
    with Server(*args, cwd=folder) as server, client(server, folder) as demo:
        assert demo.add(1, 1) == 2
        with socket.create_connection((server.host, server.port)) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(bytes.fromhex("0000001880010001") + b"\0\0\0\x0bOther:hello" + b"\0\0\0\x07" + b"\0")
            reply = sock.recv(4096)
        assert reply[4:20] == bytes.fromhex("80010002") + b"\0\0\0\x05hello" + b"\0\0\0"


def test_call_prints_json(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        address = f"{server.host}:{server.port}"
        for arguments in ('{"point": {"label": "é", "tags": ["t"]}}', '[{"label": "é", "tags": ["t"]}]'):
            done = run(folder, "call", address, "Demo.echo", arguments, "--idl", "demo.thrift")
            assert done.stdout == '{\n  "x": 3,\n  "label": "é",\n  "tags": [\n    "t"\n  ]\n}\n'
            assert done.returncode == 0
        done = run(folder, "call", address, "echo", '{"point": {"label": "oops"}}', "--idl", "demo.thrift")
        assert (done.returncode, done.stderr) == (1, 'Oops: {"why": "as you wish"}\n')
        done = run(folder, "call", address, "add", '{"a": "one", "b": 2}', "--idl", "demo.thrift")
        assert done.returncode == 2
        assert "a: expected i32, got str 'one'" in done.stderr
        done = run(folder, "call", address, "ad", "--idl", "demo.thrift")
        assert done.returncode == 2
        assert "Demo has no method 'ad'" in done.stderr
    done = run(folder, "call", address, "add", "[1, 2]", "--idl", "demo.thrift")
    assert done.returncode == 7
    assert done.stderr == f"Error: cannot connect to {address}: Connection refused\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "::1:9090", "fd://3", ":9090", ":x"])
def test_call_refuses_an_address_that_is_none(folder: Path, address: str) -> None:
    done = run(folder, "call", address, "add", "[1, 2]", "--idl", "demo.thrift")
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: cannot call '{address}': ")


def test_version(folder: Path) -> None:
    assert run(folder, "--version").stdout == f"thriftserver {thriftserver.__version__}\n"
