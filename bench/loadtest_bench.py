"""``thriftserver bench`` beside ``loadgen.c``: what a call costs the process that makes it, and whether they agree.

Costs are CPU time of one process with many connections. Whether they agree is seen where the load is the same for both:
calls of a server that takes its time, so that it does not matter who makes them.

python -m bench.loadtest_bench [--conns N] [--calls N] [--rounds N] [--update docs/performance.md]
"""

from __future__ import annotations

import json
import os
import shlex
import socketserver
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from bench import bars, processes, report, servers, workload
from bench.measuring import in_turns, ratio

OURS, THEIRS = "thriftserver bench", "loadgen"
ARGUMENTS = {"ping": [], "echo": [workload.ECHO_TEXT], "get_user": [workload.USER_ID]}
#: How long a server takes that is asked by both, and how it is asked.
LATE_S, LATE_CONNS, LATE_CALLS = 0.1, 8, 120
#: Figures that must agree, in milliseconds and calls per second.
FIGURES = ("p50", "mean", "p99", "rate")

#: Makes calls of a method on so many connections; what was found.
Take = Callable[[str, int, int], dict[str, Any]]


class Late(socketserver.ThreadingTCPServer):
    """Answers each ping after ``LATE_S``, on a thread of this process for each connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ping)
        self.port: int = self.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()


class Ping(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked, answered = (workload.frame(messages[0]) for messages in workload.requests()["ping"])
        while len(request := self.rfile.read(len(asked))) == len(asked):
            time.sleep(LATE_S)
            self.wfile.write(answered[:16] + request[16:20] + answered[20:])  # its number is the request's


def ours(port: int) -> Take:
    command = shlex.split(os.environ.get("BENCH_THRIFTSERVER", f"{shlex.quote(sys.executable)} -m thriftserver"))

    def take(method: str, conns: int, calls: int) -> dict[str, Any]:
        words = [*command, "bench", f"127.0.0.1:{port}", method, "--idl", str(servers.IDL)]
        words += ["-d", json.dumps(ARGUMENTS[method]), "-c", str(conns), "-n", str(calls), "--json"]
        found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        if found["outcomes"]["result"] != calls:
            raise SystemExit(f"{method} is not answered as it should be: {found['outcomes']}")
        latency = {name: found["latency"][name] * 1e3 for name in ("p50", "mean", "p99")}
        return {"cpu_us": found["generator"]["cpu"] * found["elapsed"] / calls * 1e6, "rate": found["rate"]} | latency

    return take


def theirs(port: int) -> Take:
    def take(method: str, conns: int, calls: int) -> dict[str, Any]:
        with processes.Load(port, method, conns, calls) as load:
            load.ready()
            found = load.run()
        if found["errors"]:
            raise SystemExit(f"{method} is not answered as it should be: {found}")
        latency = {name: found["latency_us"][name] / 1e3 for name in ("p50", "mean", "p99")}
        return {"cpu_us": found["client_cpu_s"] / calls * 1e6, "rate": found["rps"]} | latency

    return take


def pair(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} / {min(values):.2f}"


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--conns", type=int, default=32, help="connections (default: 32)")
    parser.add_argument("--calls", type=int, default=30_000, help="calls of one turn (default: 30000)")
    args = parser.parse_args()
    processes.prepare()
    with processes.Server("thriftserver") as server:
        takes = {OURS: ours(server.port), THEIRS: theirs(server.port)}

        def turns(method: str, conns: int, calls: int) -> dict[str, list[dict[str, Any]]]:
            return in_turns([*takes], args.rounds, lambda name: takes[name](method, conns, calls))

        costs = {method: turns(method, args.conns, args.calls) for method in ("ping", "echo", "get_user")}
    with Late() as late:
        takes = {OURS: ours(late.port), THEIRS: theirs(late.port)}
        same = in_turns([*takes], args.rounds, lambda name: takes[name]("ping", LATE_CONNS, LATE_CALLS))
    rows = []
    for method, taken in costs.items():
        cpu = {name: [each["cpu_us"] for each in found] for name, found in taken.items()}
        found, bar = ratio(cpu[OURS], cpu[THEIRS]), bars.LOADTEST.get(method)
        met = bars.verdict(found.median, found.minimum, at_most=bar)
        share = f"{found.median:.2f} / {found.minimum:.2f}"
        rows.append([method, pair(cpu[THEIRS]), pair(cpu[OURS]), share, f"{bar:.2f}" if bar else "", met])
    body = f"CPU us of a call in the process that makes it, {args.conns} connections, median / minimum:\n\n"
    body += report.table(["", THEIRS, OURS, "ratio", "at most", ""], rows)
    rows = []
    for figure in FIGURES:
        values = {name: [each[figure] for each in found] for name, found in same.items()}
        share = statistics.median(a / b for a, b in zip(values[OURS], values[THEIRS], strict=True)) - 1
        met = bars.verdict(abs(share), at_most=bars.AGREEMENT) if figure != "p99" else ""
        middle = [f"{statistics.median(values[name]):.2f}" for name in (THEIRS, OURS)]
        rows.append([figure, *middle, f"{share:+.1%}", "" if figure == "p99" else f"{bars.AGREEMENT:.0%}", met])
    body += f"\n\nA server that takes {LATE_S * 1e3:g} ms, {LATE_CONNS} connections; ms, and calls per second:\n\n"
    body += report.table(["", THEIRS, OURS, "difference", "at most", ""], rows)
    report.publish("loadtest", body, args.update)


if __name__ == "__main__":
    main()
