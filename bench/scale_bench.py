"""Start-up until the first reply, and what thousands of idle connections cost.

python -m bench.scale_bench [--servers NAME,...] [--idle N] [--rounds N] [--update docs/performance.md]
"""

from __future__ import annotations

import statistics
import time

from bench import bars, processes, report
from bench.measuring import in_turns
from bench.processes import Load, Server, cpu_ns, resident_kib


def first_reply_ms(name: str) -> tuple[float, float]:
    """From the start of the process until a call is answered: milliseconds elapsed, and of CPU."""
    with Server(name) as server, Load(server.port, "ping", 1, 0) as load:
        load.ready()
        return (time.perf_counter() - server.started) * 1e3, cpu_ns(server.pids()) / 1e6


def startup(names: list[str], rounds: int) -> str:
    rows = []
    for name, taken in in_turns(names, rounds, first_reply_ms).items():
        values, cpu = zip(*taken, strict=True)
        ours = name.startswith("thriftserver")
        met = bars.verdict(statistics.median(values), at_most=bars.FIRST_REPLY_MS if ours else None)
        rows.append([name, f"{statistics.median(values):.0f} / {min(values):.0f}", f"{min(cpu):.0f}", met])
    return report.table(["server", "first reply, ms", "CPU ms", f"bar {bars.FIRST_REPLY_MS:.0f}"], rows)


def idle_cost(name: str, count: int, seconds: float) -> tuple[float, float]:
    """KiB of memory of each idle connection that has made a call, and CPU per cent of one core for all of them."""
    with Server(name) as server:
        with Load(server.port, "ping", 64, 2000) as warm:  # allocations that any traffic makes
            warm.ready()
            warm.run()
        pids = server.pids()
        before = resident_kib(pids)
        with Load(server.port, "ping", count, 0) as held:
            held.ready()
            grown = resident_kib(pids) - before
            time.sleep(1)  # the wake of the last call is not idleness
            used = cpu_ns(pids)
            time.sleep(seconds)
            return grown / count, (cpu_ns(pids) - used) / (seconds * 1e9) * 100


def idle(names: list[str], count: int, seconds: float) -> str:
    rows = []
    for name in names:
        kib, cpu = idle_cost(name, count, seconds)
        limits: tuple[float | None, float | None] = (None, None)
        if name.startswith("thriftserver"):
            limits = bars.IDLE_KIB, bars.IDLE_CPU_PERCENT
        row = [name, f"{kib:.2f}", bars.verdict(kib, at_most=limits[0])]
        rows.append([*row, f"{cpu:.2f}", bars.verdict(cpu, at_most=limits[1])])
    head = ["server", "KiB each", f"bar {bars.IDLE_KIB:.0f}", "CPU % of all", f"bar {bars.IDLE_CPU_PERCENT}"]
    return report.table(head, rows)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--servers", default="thriftserver,thriftpy2_gevent,apache_threaded,cpp_nonblocking,c_epoll")
    parser.add_argument("--idle", type=int, default=5000, help="idle connections (default: 5000)")
    parser.add_argument("--seconds", type=float, default=5, help="how long to watch them (default: 5)")
    args = parser.parse_args()
    processes.prepare()
    names = args.servers.split(",")
    body = "From process start to the first reply, median / minimum, and the least CPU time it took:\n\n"
    body += f"{startup(names, args.rounds)}\n\n"
    body += f"{args.idle} idle connections that have made one call each:\n\n{idle(names, args.idle, args.seconds)}"
    report.publish("scale", body, args.update)


if __name__ == "__main__":
    main()
