"""CPU time of a handler that gets a user from another server and passes it on: of ours through a Pool, beside peers.

The server behind is the same for all; it and the load generator share the other core. What is counted is the relay's
CPU time alone: a call served and a call out.

python -m bench.relay_bench [--relays NAME,...] [--rounds N] [--update docs/performance.md]
"""

from __future__ import annotations

import contextlib
import os
import statistics

from bench import bars, processes, report
from bench.measuring import in_turns, ratio, sample

CONNS, CALLS = 64, 3000
OURS = "thriftserver_relay"
RELAYS = (OURS, "thriftpy2_relay", "cpp_relay")
BEHIND = "thriftserver"


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--relays", default=",".join(RELAYS))
    args = parser.parse_args()
    processes.prepare()
    names = args.relays.split(",")
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(processes.Server(BEHIND, core=processes.CLIENT_CORE))
        os.environ["BENCH_BEHIND"] = str(behind.port)
        relays = {name: stack.enter_context(processes.Server(name)) for name in names}
        taken = in_turns(names, args.rounds, lambda name: sample(relays[name], "get_user", CONNS, CALLS).cpu_us)
    rows = []
    for name, values in taken.items():
        row = [name, f"{statistics.median(values):.2f} / {min(values):.2f}"]
        bar = bars.RELAY.get(name)
        if bar is not None and OURS in taken:
            found = ratio(taken[OURS], values)
            met = bars.verdict(found.median, found.minimum, at_most=bar)
            row += [f"{found.median:.2f} / {found.minimum:.2f}", f"{bar:.2f}", met]
        rows.append(row + [""] * (5 - len(row)))
    body = f"CPU us of a relay per get_user, and {OURS} as a share of it, median / minimum:\n\n"
    report.publish("relay", body + report.table(["", "CPU us", "share", "at most", ""], rows), args.update)


if __name__ == "__main__":
    main()
