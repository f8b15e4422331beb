"""Encode and decode, in CPU nanoseconds of one operation.

Each codec waits in a process of its own, all of them on one core; they take turns every few milliseconds, so that
whatever else happens on the machine hits all alike.

    python -m bench.codec_bench [--protocol NAME] [--codecs NAME,...] [--cases NAME,...] [--rounds N] [--update FILE]
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys

from bench import bars, codecs, report, workload
from bench.measuring import in_turns, ratio
from bench.processes import SERVER_CORE

REFERENCE = "msgspec"


class Codec:
    """A codec in its process."""

    def __init__(self, name: str) -> None:
        self.name = name
        env = {**os.environ, "THRIFTSERVER_PURE": "1" if codecs.CODECS[name].pure else ""}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.codecs", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
        if self._line() != "ready":
            raise SystemExit(f"the codec {name} does not work; see above")

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def measure(self, case: str, what: str, count: int) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{case} {what} {count}\n")
        self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        self.process.communicate()


def measure(running: dict[str, Codec], case: str, what: str, rounds: int, slice_ms: float) -> dict[str, list[float]]:
    """Nanoseconds of each codec, round by round."""
    counts = {}
    for name, codec in running.items():
        once = min(codec.measure(case, what, 2) for _ in range(3))
        counts[name] = max(1, int(slice_ms * 1e6 / once))
        codec.measure(case, what, counts[name])
    return in_turns(list(running), rounds, lambda name: running[name].measure(case, what, counts[name]))


def judged(case: str, taken: dict[str, list[float]], protocol: str) -> list[str]:
    """The ratios that have a bar, and whether they keep it."""
    cells = []
    for name in barred(list(taken), protocol):
        found = ratio(taken[f"thriftserver_{protocol}"], taken[name])
        bar = bars.PROTOCOLS[protocol][name] if case in bars.PROTOCOL_CASES else None
        cells += [f"{found.median:.2f} / {found.minimum:.2f}", bars.verdict(found.median, found.minimum, at_most=bar)]
    if {"thriftserver", REFERENCE} <= taken.keys():
        found = ratio(taken["thriftserver"], taken[REFERENCE])
        cells += [f"{found.median:.2f} / {found.minimum:.2f}", f"{bars.CODEC[case]:.1f}"]
        cells += [bars.verdict(found.median, found.minimum, at_most=bars.CODEC[case])]
    if {"thriftserver_pure", "thriftpy2_pure"} <= taken.keys():
        found = ratio(taken["thriftpy2_pure"], taken["thriftserver_pure"])
        cells += [f"{found.median:.2f} / {found.minimum:.2f}"]
        cells += [bars.verdict(found.median, found.minimum, at_least=bars.PURE)]
    return cells


def barred(names: list[str], protocol: str) -> list[str]:
    """Those of the codecs that ours is held against in another protocol than the binary one."""
    peers = bars.PROTOCOLS.get(protocol, {}) if f"thriftserver_{protocol}" in names else {}
    return [name for name in peers if name in names]


def bars_head(names: list[str], protocol: str) -> list[str]:
    head = []
    for name in barred(names, protocol):
        bar = bars.PROTOCOLS[protocol][name]
        head += [f"of {name}'s", "" if bar is None else f"bar {bar}"]
    if {"thriftserver", REFERENCE} <= set(names):
        head += ["of msgspec's", "bar", ""]
    if {"thriftserver_pure", "thriftpy2_pure"} <= set(names):
        head += ["pure: times as fast as thriftpy2", f"bar {bars.PURE}"]
    return head


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--protocol", default="binary", help="what is compared (default: binary)")
    parser.add_argument("--codecs", help="default: all of the protocol, and ours of the binary one")
    parser.add_argument("--cases", default=",".join(workload.codec_cases()))
    parser.add_argument("--slice-ms", type=float, default=4, help="how long a turn takes (default: 4)")
    parser.set_defaults(rounds=60)
    args = parser.parse_args()
    spoken = [name for name, row in codecs.CODECS.items() if row.protocol == args.protocol or name == "thriftserver"]
    names = args.codecs.split(",") if args.codecs else spoken
    rows, verdicts = [], []
    with contextlib.ExitStack() as stack:
        running = {}
        for name in names:
            running[name] = Codec(name)
            stack.callback(running[name].close)
        for case in args.cases.split(","):
            for what in ("encode", "decode"):
                taken = measure(running, case, what, args.rounds, args.slice_ms)
                cells = [f"{statistics.median(taken[name]):.0f} / {min(taken[name]):.0f}" for name in names]
                rows.append([f"{case} {what}", *cells])
                verdicts.append([f"{case} {what}", *judged(case, taken, args.protocol)])
    body = "CPU ns of one operation, median / minimum:\n\n" + report.table(["", *names], rows)
    if bars_head(names, args.protocol):
        body += "\n\nThe bars, ratio of medians by round / of minima:\n\n"
        body += report.table(["", *bars_head(names, args.protocol)], verdicts)
    report.publish("codec" if args.protocol == "binary" else f"codec {args.protocol}", body, args.update)


if __name__ == "__main__":
    main()
