"""CPU time per request of thriftserver and its peers, one worker on one core, every reply checked.

python -m bench.run_server_bench [--servers NAME,...] [--conns N,...] [--clients N,...] [--rounds N]
    [--update docs/performance.md]
"""

from __future__ import annotations

import contextlib
import itertools
import statistics

from bench import bars, processes, report, servers
from bench.measuring import Sample, in_turns, ratios, sample

OURS = "thriftserver"

#: Calls of one sample: a fraction of a second.
COUNTS = {"ping": 5000, "echo": 5000, "add": 5000, "get_user": 4000, "batch": 250, "oneway": 8000}

#: Where the bars hold.
BARS_AT = 64


def measure(
    names: list[str], methods: list[str], conns: int, clients: int, rounds: int, scale: float
) -> dict[str, dict[str, list[Sample]]]:
    """method -> server -> samples; all servers are up at the same time."""
    with contextlib.ExitStack() as stack:
        running = {name: stack.enter_context(processes.Server(name)) for name in names}
        found = {}
        for method in methods:
            calls = max(int(COUNTS[method] * scale), conns)

            def take(name: str, method: str = method, calls: int = calls) -> Sample:
                return sample(running[name], method, conns, calls, clients)

            found[method] = in_turns(names, rounds, take)
        return found


def costs(found: dict[str, dict[str, list[Sample]]], names: list[str]) -> str:
    """One row per server: CPU of each method, then what the first method's latency was."""
    first = next(iter(found))

    def cell(samples: list[Sample]) -> str:
        values = [each.cpu_us for each in samples]
        return f"{statistics.median(values):.2f} / {min(values):.2f}"

    def latency(samples: list[Sample]) -> str:
        return " / ".join(f"{statistics.median(each.latency(q) for each in samples):.0f}" for q in ("p50", "p99"))

    head = ["server", *found, f"{first}: us p50 / p99"]
    return report.table(
        head, [[name, *[cell(found[m][name]) for m in found], latency(found[first][name])] for name in names]
    )


def verdicts(found: dict[str, dict[str, list[Sample]]]) -> str:
    """One row per method and peer: the ratio and its bar."""
    rows = []
    for method, taken in found.items():
        values = {name: [each.cpu_us for each in samples] for name, samples in taken.items()}
        for peer, share in ratios(values, OURS).items() if OURS in values else ():
            bar = bars.SERVER.get(peer, {}).get(method)
            if bar is not None:
                met = bars.verdict(share.median, share.minimum, at_most=bar)
                rows.append([f"{method}, of {peer}", f"{share.median:.2f} / {share.minimum:.2f}", f"{bar:.2f}", met])
    return report.table(["", "ratio: median / minimum", "at most", ""], rows)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--servers", default=",".join(servers.ALIKE))
    parser.add_argument("--methods", default="ping,echo,get_user,batch,oneway")
    parser.add_argument("--conns", default=str(BARS_AT), help=f"connections (default: {BARS_AT})")
    parser.add_argument("--clients", default="1,8", help="client processes that share them (default: 1,8)")
    parser.add_argument("--scale", type=float, default=1, help="multiplies the calls of a sample")
    args = parser.parse_args()
    processes.prepare()
    names = args.servers.split(",")
    parts = []
    for conns, clients in itertools.product(map(int, args.conns.split(",")), map(int, args.clients.split(","))):
        if clients > conns:
            continue
        found = measure(names, args.methods.split(","), conns, clients, args.rounds, args.scale)
        owners = "one client process" if clients == 1 else f"{clients} client processes, {conns // clients} each"
        parts.append(
            f"CPU us per request at {conns} connections of {owners}, median / minimum:\n\n{costs(found, names)}"
        )
        if conns == BARS_AT and OURS in names:
            parts.append(f"The bars, {OURS}'s share of a peer's:\n\n{verdicts(found)}")
    report.publish("servers", "\n\n".join(parts), args.update)


if __name__ == "__main__":
    main()
