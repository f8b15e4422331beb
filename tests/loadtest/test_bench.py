"""``thriftserver bench`` against real servers."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from thriftserver.codec.binary.message import encode_call

import thriftserver
from tests.client.peers import Peer
from tests.harness import Server, run
from tests.loadtest.conftest import ARGS, Bench
from tests.support import ROOT, need
from tests.tls.pki import Pki
from thriftserver.cli.bench import bench as command
from thriftserver.codec.plan import method_plan
from thriftserver.errors import ConfigError
from thriftserver.loadtest.conditions import FAILED

Found = Callable[..., dict[str, Any]]
Counter = Callable[[], int]


@pytest.fixture(scope="module")
def counter(folder: Path, server: Server) -> Iterator[Counter]:
    """How many oneway calls the server has executed."""
    with thriftserver.load(folder / "shop.thrift").Shop.Client("127.0.0.1", server.port) as client:
        yield client.noted


def begun(folder: Path, *words: str, stderr: int | None = None) -> subprocess.Popen[str]:
    """The command, while it runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "thriftserver", "bench", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def test_an_address_and_a_method_are_enough(bench: Bench, address: str) -> None:
    done = bench(address, "add", "-n", "200")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("200 calls in ")
    assert "  200 results\n" in done.stdout
    assert "█" * 40 in done.stdout


@pytest.mark.parametrize("processes", ["1", "3"])
def test_so_many_calls_are_made_and_no_more(
    result: Found, server: Server, address: str, counter: Counter, processes: str
) -> None:
    before = counter()
    data = result(address, "note", "-n", "1003", "-c", "7", "--processes", processes)
    assert (data["calls"], data["outcomes"]["result"]) == (1003, 1003)
    assert sum(each["calls"] for each in data["seconds"]) == 1003
    server.eventually(lambda: counter() >= before + 1003, "all calls")  # oneway ones may be on their way yet
    assert counter() == before + 1003


def test_the_warm_up_is_not_counted(result: Found, address: str) -> None:
    for words in (["-n", "50"], ["-n", "50", "--rate", "500"]):
        data = result(address, "add", *words, "--warmup", "200ms")
        assert data["calls"] == 50
        assert data["elapsed"] < 60


def test_for_so_long(result: Found, address: str) -> None:
    data = result(address, "add", "-z", "1.2s", "-c", "2")
    assert data["elapsed"] >= 1.2
    assert [each["second"] for each in data["seconds"]][:2] == [0, 1]
    assert data["rate"] == pytest.approx(data["calls"] / data["elapsed"], rel=0.01)


def test_methods_are_mixed_by_weight(result: Found, address: str) -> None:
    methods = result(address, "add=6", "Shop.large=3", "Other.hello", "-d", 'large={"size": 10}', "-n", "1000")[
        "methods"
    ]
    assert {name: each["calls"] for name, each in methods.items()} == {"add": 600, "large": 300, "hello": 100}
    assert all(each["outcomes"]["result"] == each["calls"] for each in methods.values())


def test_outcomes_are_told_apart(result: Found, address: str, folder: Path) -> None:
    (folder / "buys.jsonl").write_text('{"item": {"id": 1}, "sold": false}\n[{"id": 2}, true]\n')
    data = result(address, "buy", "crash", "-d", "buy=@buys.jsonl", "-d", 'crash=["oh"]', "-n", "40", "-c", "1")
    assert data["outcomes"] == {"result": 10, "exception": 10, "refused": 20, "unanswered": 0}
    assert data["methods"]["buy"]["errors"] == [{"outcome": "exception", "text": "Sold", "calls": 10}]
    assert data["methods"]["crash"]["errors"] == [{"outcome": "refused", "text": "INTERNAL_ERROR: oh", "calls": 20}]
    assert sum(each["errors"] for each in data["seconds"]) == 20


def test_calls_that_last_too_long_are_not_answered(bench: Bench, address: str) -> None:
    done = bench(address, "nap", "-d", "[3000]", "-n", "4", "--timeout", "100ms", "--json")
    data = json.loads(done.stdout)
    assert done.returncode == 7
    assert data["outcomes"]["unanswered"] == 4
    assert data["methods"]["nap"]["errors"] == [{"outcome": "unanswered", "text": "timed out after 0.1 s", "calls": 4}]
    assert data["latency"]["min"] >= 0.1


@pytest.mark.parametrize("dialect", ["framed-json", "unframed-compact", "header", "http-binary"])
def test_each_dialect_is_spoken(result: Found, address: str, dialect: str) -> None:
    data = result(
        address, "add", "note", "Other.hello", "large", "-d", "large=[200000]", "-n", "60", "--dialect", dialect
    )
    assert data["outcomes"]["result"] == 60


def test_unix_sockets(result: Found) -> None:
    assert result("unix:shop.sock", "add", "-n", "50")["outcomes"]["result"] == 50


def test_tls(bench: Bench, folder: Path) -> None:
    with Server(*ARGS, *Pki(folder).options(), "--http", cwd=folder) as server:
        for dialect in ("framed-binary", "http-json"):
            words = ("add", "large", "-d", "large=[300000]", "-n", "40", "--dialect", dialect, "--json")
            done = bench(f"localhost:{server.port}", *words, "--ca", "ca.pem")
            assert json.loads(done.stdout)["outcomes"]["result"] == 40, done.stderr
        done = bench(f"localhost:{server.port}", "add", "-n", "1", "--idl", "shop.thrift", "--tls")
        assert (done.returncode, done.stdout) == (7, "")
        assert "the server's certificate is refused" in done.stderr


def test_headers(bench: Bench, address: str) -> None:
    words = (address, "told", "-d", '["who"]', "-n", "3", "-H", "who: me")
    assert bench(*words, "--dialect", "header-binary").returncode == 0
    done = bench(*words)
    assert (done.returncode, "framed-binary has no place for headers" in done.stderr) == (2, True)


def test_a_server_that_stops_for_a_second_is_seen(folder: Path) -> None:
    """In an open loop by all calls that were due meanwhile; a closed one does not make them."""
    with Server(*ARGS, cwd=folder) as server:
        words = ("bench", f"127.0.0.1:{server.port}", "pause", "-n", "300", "--json")
        data = json.loads(run(folder, *words, "--rate", "100", "-c", "5").stdout)
    assert 0.9 < data["latency"]["p99"] <= data["latency"]["max"]
    assert data["latency"]["p75"] > 0.2
    with Server(*ARGS, cwd=folder) as server:
        words = ("bench", f"127.0.0.1:{server.port}", "pause", "-n", "300", "--json")
        data = json.loads(run(folder, *words, "-c", "1").stdout)
    assert data["latency"]["max"] >= 1 > data["latency"]["p99"]


def test_a_rate_is_kept(result: Found, address: str) -> None:
    data = result(address, "add", "-z", "2s", "--rate", "0..400", "--processes", "2")
    assert data["calls"] == 400
    assert data["load"]["rate"] == "0 to 400 calls/s within 2 s"
    assert data["rate"] == pytest.approx(200, rel=0.2)


def test_connections_are_made_again(folder: Path) -> None:
    """Workers are killed while there is load: what was under way is not answered, all that follows is."""
    with Server(*ARGS, "--access-log", "all", cwd=folder) as server:
        words = ("nap", "-d", "[50]", "-z", "3s", "-c", "4", "--json")
        load = begun(folder, f"127.0.0.1:{server.port}", *words)
        server.wait("call", 8, method="nap")
        os.kill(server.workers()[0], signal.SIGKILL)
        out, _ = load.communicate(timeout=60)
    data = json.loads(out)
    assert load.returncode == 0
    assert 1 <= data["outcomes"]["unanswered"] <= 4
    assert data["outcomes"]["result"] > 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped(folder: Path, address: str, number: signal.Signals) -> None:
    """In a terminal, which also sees the last second in one line."""
    ours, its = pty.openpty()
    load = begun(folder, address, "add", "-z", "1h", "--rate", "200", "--processes", "2", "--json", stderr=its)
    os.close(its)
    seen = b""
    while b"1 s of 3600 s" not in seen:
        seen += os.read(ours, 4096)
    load.send_signal(number)
    out, _ = load.communicate(timeout=60)
    os.close(ours)
    data = json.loads(out)
    assert load.returncode == 130
    assert data["generator"]["stopped"]
    assert data["notes"][0] == "the test was stopped before its end"
    assert data["calls"] >= data["seconds"][0]["calls"] > 0
    assert f"loading {address}".encode() in seen
    assert b" calls  " in seen


def test_a_process_that_dies_is_told(folder: Path, server: Server, address: str, counter: Counter) -> None:
    before = counter()
    load = begun(folder, address, "note", "-z", "3s", "--rate", "100", "--processes", "2", "--json")
    server.eventually(lambda: counter() > before, "calls")
    children = Path(f"/proc/{load.pid}/task/{load.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    out, _ = load.communicate(timeout=60)
    data = json.loads(out)
    assert data["generator"]["lost"] == 1
    assert data["calls"] > 0
    assert "1 of the test's processes died" in data["notes"][0]


def test_conditions(bench: Bench, address: str, folder: Path) -> None:
    done = bench(address, "crash", "-n", "20", "--fail-if", "p99>10s,errors>5%", "--fail-if", "unanswered>0, rate<1")
    assert done.returncode == FAILED
    assert done.stderr == "Failed: errors>5%: it is 20 of 20, 100.000%\n"
    assert bench(address, "add", "-n", "20", "--fail-if", "errors>0,p50>10s").returncode == 0


def test_a_comparison(bench: Bench, address: str, folder: Path) -> None:
    (folder / "old.json").write_text(bench(address, "nap", "-d", "[1]", "-n", "40", "--json").stdout)
    words = (address, "nap", "-d", "[100]", "-n", "40", "--compare", "old.json", "--fail-if", "p50>+50%")
    done = bench(*words)
    assert done.returncode == FAILED
    assert "Failed: p50>+50%: it is " in done.stderr
    (line,) = (each for each in done.stdout.splitlines() if each.startswith("  p50") and "->" in each)
    assert line.endswith("worse")
    assert "differs" not in done.stdout
    data = json.loads(bench(*words, "-c", "2", "--json").stdout)
    assert [each["name"] for each in data["compared"]][:3] == ["rate", "errors", "mean"]
    assert "differs: connections: 10 then, 2 now" in bench(*words, "-c", "2").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing parameter: methods"),
        (["nobody"], "Shop has no method 'nobody'"),
        (["add", "add"], "add is given twice"),
        (["add=0"], "a weight is a whole number"),
        (["add=1", "buy=1000000"], "weights are too fine"),
        (["add", "-d", "a=1"], "the arguments are not JSON"),
        (["add", "-d", "@none"], "cannot read none"),
        (["add", "-d", "@empty"], "empty has no call in it"),
        (["add", "-d", "@wrong"], "wrong, call 2: the arguments do not fit: a: expected i64"),
        (["add", "buy", "-d", "[1, 2]"], "with several methods, say whose arguments these are"),
        (["add", "-d", "crash=[1]"], "crash is not among the methods"),
        (["tie"], "no value of shop.Endless can be made up"),
        (["buy", "-d", '{"item": {"name": "x"}}'], "required field is missing"),
        (["add", "-n", "0"], "--calls: '0' is not a whole number of 1 or more"),
        (["add", "-z", "soon"], "--duration: 'soon' is not a duration"),
        (["add", "-z", "0"], "a test cannot take no time"),
        (["add", "--rate", "fast"], "--rate: 'fast' is no rate"),
        (["add", "--ramp", "1s"], "give --rate"),
        (["add", "--rate", "1..2", "-n", "5"], "say within what time it changes"),
        (["add", "--fail-if", "p99"], "'p99' is no condition"),
        (["add", "--fail-if", "p101>1s"], "nothing is called 'p101'"),
        (["add", "--fail-if", "eror>1"], "did you mean 'errors'?"),
        (["add", "--fail-if", "p99>fast"], "p99 is held against a time"),
        (["add", "--fail-if", "rate<10ms"], "rate is held against a number"),
        (["add", "--fail-if", "p99>+5%"], "give --compare FILE"),
        (["add", "--compare", "none"], "cannot read none"),
        (["add", "--compare", "wrong"], "is not JSON, as `thriftserver bench --json` prints it"),
        (["add", "--compare", "list"], "is not what `thriftserver bench --json` prints"),
        (["add", "--html", "no/such/place"], "cannot write no/such/place"),
        (["add", "--dialect", "smoke"], "dialect must be one of"),
    ],
)
def test_what_makes_no_sense_is_told(
    monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, words: list[str], said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").write_text(" \n")
    (folder / "wrong").write_text('[1, 2]\n["x", 2]\n')
    (folder / "list").write_text("[]")
    with pytest.raises((ConfigError, click.UsageError)) as raised:
        command.main([address, *words], standalone_mode=False)
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


def test_nobody_is_there(bench: Bench) -> None:
    done = bench("127.0.0.1:1", "add", "--idl", "shop.thrift", "-n", "1", "--processes", "2")
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr == "Error: cannot connect to 127.0.0.1:1: Connection refused\n"


@pytest.mark.slow
def test_figures_agree_with_a_load_generator_in_c(folder: Path, server: Server, result: Found, tmp_path: Path) -> None:
    """At the same load: calls that take so long that it does not matter who makes them."""
    need(shutil.which("cc"), "a C compiler (apt install gcc)")
    loadgen = tmp_path / "loadgen"
    subprocess.run(["cc", "-O1", "-o", loadgen, ROOT / "bench" / "loadgen.c", "-lm"], check=True)
    api = thriftserver.load(folder / "shop.thrift")
    nap = next(each for each in api.Shop.__thrift__.methods() if each.name == "nap")
    (tmp_path / "nap.req").write_bytes(encode_call(method_plan(nap), 1, [200]))
    words = ["--port", str(server.port), "--frames", tmp_path / "nap.req", "--conns", "8", "--requests", "64"]
    theirs = json.loads(subprocess.run([loadgen, *words], check=True, capture_output=True, text=True).stdout)
    ours = result(f"127.0.0.1:{server.port}", "nap", "-d", "[200]", "-c", "8", "-n", "64")
    assert ours["rate"] == pytest.approx(theirs["rps"], rel=0.05)
    for name in ("min", "p50", "p90", "mean"):
        assert ours["latency"][name] == pytest.approx(theirs["latency_us"][name] / 1e6, rel=0.05), name


def test_its_processes_do_not_outlive_it(folder: Path, server: Server, address: str, counter: Counter) -> None:
    before = counter()
    load = begun(folder, address, "note", "--warmup", "1h", "--rate", "100", "--processes", "2")
    server.eventually(lambda: counter() > before, "calls")
    children = Path(f"/proc/{load.pid}/task/{load.pid}/children").read_text().split()
    load.kill()
    load.communicate()
    server.eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "end of the processes")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (lambda sock: sock.recv(1), "the connection broke: Connection reset by peer|the server closed the connection"),
        (lambda sock: (sock.recv(99), sock.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), sock.recv(99)), "it seems to be http"),
        (lambda sock: (sock.recv(99), sock.sendall(b"\0\0\0\5hello"), sock.recv(99)), "cannot read the reply"),
        (lambda sock: (sock.recv(99), sock.sendall(b"\x7f\xff\xff\xff"), sock.recv(99)), "no length of a frame"),
        (lambda sock: (sock.recv(99), sock.sendall(b"\0\0\1\0h"), sock.recv(99)), "timed out after 0.2 s"),
        (lambda sock: (sock.sendall(b"\0\0\0\5hello"), sock.recv(99)), "cannot read the reply|nobody"),
    ],
    ids=["hangs up", "http", "nonsense", "endless", "silent", "talks first"],
)
def test_a_server_that_is_none(bench: Bench, script: Callable[[Any], Any], said: str) -> None:
    with Peer(script) as peer:
        words = ("add", "-n", "12", "-c", "3", "--idl", "shop.thrift", "--timeout", "200ms", "--json")
        done = bench(f"127.0.0.1:{peer.port}", *words)
    assert (done.returncode, done.stderr) == (7, "")
    data = json.loads(done.stdout)
    assert data["outcomes"]["unanswered"] == data["calls"] == 12
    texts = " ".join(each["text"] for each in data["methods"]["add"]["errors"])
    assert re.search(said, texts), texts
