"""CPU time of a call in the client, beside peers and a bare loop that sends and receives canned bytes.

Each client waits in a process of its own, all of them on one core; they take turns. The server, on the other core, is
the same for all of them.

    python -m bench.client_bench [--clients NAME,...] [--methods NAME,...] [--rounds N] [--update FILE]
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys

from bench import bars, clients, processes, report
from bench.measuring import in_turns, ratio

OURS, POOL = "thriftserver", "thriftserver_pool"


class Client:
    """A client in its process."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.clients", name, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {processes.CLIENT_CORE}),
        )
        #: method -> how much more a call costs than one of the client that it is measured over, turn by turn.
        self.more: dict[str, list[float]] = {}
        if self._line() != "ready":
            raise SystemExit(f"the client {name} does not work; see above")

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def measure(self, method: str, calls: int) -> float:
        """Microseconds of one of so many calls, or of a few more, so that all connections make as many."""
        assert self.process.stdin is not None
        at_once = clients.CLIENTS[self.name].in_flight
        count = -(-calls // at_once) * at_once
        self.process.stdin.write(f"{method} {count}\n")
        self.process.stdin.flush()
        line = self._line()
        if not line:
            raise SystemExit(f"the client {self.name} has ended; see above")
        cost, *more = map(float, line.split())
        self.more.setdefault(method, []).extend(more)
        return cost

    def close(self) -> None:
        self.process.communicate()


def there() -> list[str]:
    """The clients that can be measured: of ours, those that this version has."""
    service = clients.api()
    return [name for name, row in clients.CLIENTS.items() if not row.needs or hasattr(service, row.needs)]


def verdicts(taken: dict[str, dict[str, list[float]]], more: dict[str, list[float]]) -> list[list[str]]:
    """One row for each bar whose clients were measured; ``more`` is what a pool costs more than a bare client."""
    rows = []
    for (method, ours, theirs), bar in bars.CLIENT.items():
        if {ours, theirs} <= taken.get(method, {}).keys():
            found = ratio(taken[method][ours], taken[method][theirs])
            met = bars.verdict(found.median, found.minimum, at_most=bar)
            rows.append(
                [f"{method}, {ours} of {theirs}", f"{found.median:.2f} / {found.minimum:.2f}", f"{bar:.2f}", met]
            )
    for method, bar in bars.POOL_US.items():
        if POOL in taken.get(method, {}):
            median, least = statistics.median(more[method]), min(more[method])
            met = bars.verdict(median, least, at_most=bar)
            rows.append([f"{method}, us that {POOL} adds", f"{median:.2f} / {least:.2f}", f"{bar:.2f}", met])
    return rows


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--clients", help="default: all that there are")
    parser.add_argument("--methods", default=",".join(clients.METHODS))
    parser.add_argument("--calls", type=int, default=10_000, help="calls of one turn (default: 10000)")
    parser.set_defaults(rounds=15)
    args = parser.parse_args()
    processes.prepare()
    names = args.clients.split(",") if args.clients else there()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(processes.Server("thriftserver"))
        running = {}
        for name in names:
            running[name] = Client(name, server.port)
            stack.callback(running[name].close)
        taken = {
            method: in_turns(names, args.rounds, lambda name, m=method: running[name].measure(m, args.calls))
            for method in args.methods.split(",")
        }
    rows = [
        [name, clients.CLIENTS[name].in_flight]
        + [f"{statistics.median(each[name]):.2f} / {min(each[name]):.2f}" for each in taken.values()]
        for name in names
    ]
    body = "CPU us of a call in the client's process, median / minimum:\n\n"
    body += report.table(["", "in flight", *taken], rows)
    if judged := verdicts(taken, running[POOL].more if POOL in running else {}):
        body += "\n\nThe bars:\n\n" + report.table(["", "median / minimum", "at most", ""], judged)
    report.publish("clients", body, args.update)


if __name__ == "__main__":
    main()
