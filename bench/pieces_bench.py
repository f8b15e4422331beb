"""The end of an unframed message of 16 MiB that arrives in 1,000 pieces, against the same in one piece.

What is timed is what a connection does with bytes before it has a call: keep them, look for the end of the message, and
read the arguments.

python -m bench.pieces_bench [--rounds N] [--update docs/performance.md]
"""

from __future__ import annotations

import time
from typing import Any

from bench import bars, dialect_bench, report, servers, workload
from bench.measuring import in_turns, ratio

SIZE, PIECES = 16 << 20, 1000


def message(protocol: str) -> tuple[Any, bytes]:
    """The plan of ``batch``, and a call of it with that many bytes."""
    import thriftserver
    from thriftserver.codec.plan import method_plan
    from thriftserver.compiled import choose

    module: Any = thriftserver.load(str(servers.IDL))
    binary, other = choose("codec.binary.message"), choose(f"codec.{protocol}.message")
    plan = method_plan(next(each for each in module.Bench.__thrift__.methods() if each.name == "batch"))
    ((asked,), _) = workload.requests()["batch"]
    (users,) = binary.decode_args(plan, asked, binary.read_header(asked).body)
    one = len(other.encode_call(plan, 0, [users])) / len(users)
    return plan, other.encode_call(plan, 0, [users * int(SIZE / one / len(users))])[4:]


def cost(dialect: str, plan: Any, data: bytes, pieces: int) -> float:
    """CPU milliseconds until the arguments are there."""
    from thriftserver.compiled import choose
    from thriftserver.dialect.detect import Ear

    step = -(-len(data) // pieces)
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    codec = choose(f"codec.{dialect_bench.DIALECTS[dialect]}.message")
    transport = Ear(1 << 30).resume(dialect)
    assert transport is not None
    start = time.thread_time_ns()
    held = bytearray()
    for part in parts:
        held += part
        length = transport.measure(held, False)
    whole = bytes(held[:length])
    codec.decode_args(plan, whole, transport.open(whole).body)
    return (time.thread_time_ns() - start) / 1e6


def main() -> None:
    args = report.parser(__doc__).parse_args()
    rows = []
    for dialect in ("unframed-binary", "unframed-compact", "unframed-json"):
        plan, data = message(dialect_bench.DIALECTS[dialect])
        taken = in_turns(["1", str(PIECES)], args.rounds, lambda n, d=dialect, p=plan, b=data: cost(d, p, b, int(n)))
        found = ratio(taken[str(PIECES)], taken["1"])
        cells = [f"{sorted(values)[len(values) // 2]:.1f} / {min(values):.1f}" for values in taken.values()]
        met = bars.verdict(found.median, found.minimum, at_most=bars.PIECES)
        rows.append([f"{dialect}, {len(data) >> 20} MiB", *cells, f"{found.median:.2f} / {found.minimum:.2f}"])
        rows[-1] += [f"{bars.PIECES:.2f}", met]
    body = "CPU ms until the arguments are read, median / minimum:\n\n"
    body += report.table(["", "one piece", f"{PIECES} pieces", "ratio", "at most", ""], rows)
    report.publish("pieces", body, args.update)


if __name__ == "__main__":
    main()
