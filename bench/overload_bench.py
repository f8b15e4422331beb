"""What a client notices when a server is asked for too much, or beside clients that misbehave.

Overload: the capacity is what a closed loop of a CPU-bound method gets; then an open loop asks for three times that.
What is refused (LOADSHEDDING, TIMEOUT) is counted apart, with latencies of its own. Fairness: the p99 of a steady
client, alone and beside a crowd, in turns.

    python -m bench.overload_bench [--rounds N] [--seconds S] [--update docs/performance.md]
"""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

from bench import bars, processes, report, workload
from bench.crowd import Crowd
from bench.measuring import ratio
from bench.processes import Load, Server, cpu_ns

#: Types of TApplicationException: a call refused for load, and one that took too long.
SHED, TIMEOUT = "11", "12"

FACTOR = 3


def run(server: Server, method: str, conns: int, requests: int, rate: float = 0) -> dict[str, Any]:
    """One load, with ``cpu_s`` of the server; anything but right replies and refusals ends the benchmark."""
    with Load(server.port, method, conns, requests, rate=rate) as load:
        load.ready()
        pids = server.pids()
        before = cpu_ns(pids)
        result = load.run()
        result["cpu_s"] = (cpu_ns(pids) - before) / 1e9
    refused = sum(result["exceptions"].get(kind, {"count": 0})["count"] for kind in (SHED, TIMEOUT))
    if result["timed_out"] or result["errors"] > refused:
        raise SystemExit(f"{method}: something other than replies and refusals: {result}")
    return result


def overload(args: Any) -> str:
    """Capacity and overload in turns, on one server."""
    rows, shares, cpu_shares, latest = [], [], [], []
    with Server("thriftserver", ["--queue-timeout", args.queue_timeout]) as server:
        for _ in range(args.rounds):
            calls = int(args.seconds * 1e6 / workload.BURN_US)
            calm = run(server, "burn", 4, calls)
            capacity, rate = calm["rps"], calm["rps"] * FACTOR
            found = run(server, "burn", args.conns, int(rate * args.seconds), rate)
            goodput = found["ok"] / found["wall_s"]
            kinds = [found["exceptions"].get(kind) for kind in (SHED, TIMEOUT)]
            cells = ["none" if kind is None else _refusals(kind) for kind in kinds]
            shares.append(goodput / capacity)
            cpu_shares.append(found["ok"] / found["cpu_s"] / (calm["ok"] / calm["cpu_s"]))
            latest.append(refused_within_ms(found["exceptions"]))
            served = " / ".join(f"{found['latency_us'][q] / 1e3:.1f}" for q in ("p50", "p99"))
            rows.append([f"{capacity:.0f}", f"{goodput:.0f}", f"{goodput / capacity:.2f}", served, *cells])
    head = ["capacity 1/s", "goodput 1/s", "share", "served, ms p50 / p99"]
    head += [f"{name}: calls; ms p50 / p99 / max" for name in ("LOADSHEDDING", "TIMEOUT")]
    share, cpu_share, late = map(statistics.median, (shares, cpu_shares, latest))
    least = bars.GOODPUT
    verdicts = [
        ["goodput, share of capacity", f"{share:.2f}", least, bars.verdict(share, at_least=least)],
        ["the same per second of the server's CPU", f"{cpu_share:.2f}", least, bars.verdict(cpu_share, at_least=least)],
        ["refused within, ms (p99)", f"{late:.1f}", bars.REFUSED_MS, bars.verdict(late, at_most=bars.REFUSED_MS)],
    ]
    return f"{report.table(head, rows)}\n\n{report.table(['median', 'found', 'bar', ''], verdicts)}"


def refused_within_ms(exceptions: dict[str, Any]) -> float:
    """The p99 of the slower kind of refusal; endless if none came, for then the surplus was only kept waiting."""
    found = [exceptions[kind]["latency_us"]["p99"] / 1e3 for kind in (SHED, TIMEOUT) if kind in exceptions]
    return max(found, default=math.inf)


def _refusals(kind: dict[str, Any]) -> str:
    return f"{kind['count']}; " + " / ".join(f"{kind['latency_us'][q] / 1e3:.1f}" for q in ("p50", "p99", "max"))


def settle(server: Server) -> None:
    """Until what a new crowd has asked for is done: a stalled client is one whose buffers are full."""
    for _ in range(int(processes.PATIENCE / 0.1)):
        before = cpu_ns(server.pids())
        time.sleep(0.1)
        if cpu_ns(server.pids()) - before < 5e6:
            return


def fairness(args: Any) -> str:
    """The same steady client alone and beside the crowd, in turns, on one server."""
    alone, beside, left = [], [], {}
    with Server("thriftserver") as server:

        def steady() -> float:
            p99: float = run(server, "ping", 16, int(args.rate * args.seconds), args.rate)["latency_us"]["p99"]
            return p99

        for _ in range(args.rounds):
            alone.append(steady())
            with Crowd(server.port, slow=200, idle=1000, stalled=50) as crowd:
                settle(server)
                beside.append(steady())
                left = crowd.connected()
    found = ratio(beside, alone)
    met = bars.verdict(found.median, found.minimum, at_most=bars.CROWD)
    row = [f"{statistics.median(each):.0f} / {min(each):.0f}" for each in (alone, beside)]
    row += [f"{found.median:.2f} / {found.minimum:.2f}", str(bars.CROWD), met]
    crowd_left = ", ".join(f"{count} {kind}" for kind, count in left.items())
    head = ["p99 alone, us", "beside the crowd", "ratio: median / minimum", "at most", ""]
    return f"{report.table(head, [row])}\n\nStill connected at the end of the last round: {crowd_left}."


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of each load (default: 2)")
    parser.add_argument("--conns", type=int, default=256, help="connections under overload (default: 256)")
    parser.add_argument("--queue-timeout", default="25ms", help="the server's, under overload (default: 25ms)")
    parser.add_argument("--rate", type=float, default=1000, help="calls per second of the steady client")
    args = parser.parse_args()
    processes.prepare()
    body = f"Overload, {FACTOR} times the capacity of a method that takes {workload.BURN_US} us of CPU, "
    body += f"`--queue-timeout {args.queue_timeout}`, a row per round:\n\n{overload(args)}\n\n"
    body += f"Fairness, a steady client of {args.rate:.0f} calls a second, median / minimum of the rounds:\n\n"
    report.publish("overload", body + fairness(args), args.update)


if __name__ == "__main__":
    main()
