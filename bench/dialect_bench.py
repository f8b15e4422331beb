"""CPU time per request in each dialect, against framed binary; over HTTP, against Apache's processor under gunicorn.

One server answers all of them, one worker on one core; every reply is compared. The release before, if
BENCH_BEFORE is the command of its ``thriftserver``, answers framed binary beside it.

python -m bench.dialect_bench [--dialects NAME,...] [--methods NAME,...] [--rounds N] [--update docs/performance.md]
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Any, NamedTuple

from bench import bars, processes, report, servers, workload
from bench.measuring import in_turns, ratio, sample

CONNS = 64
COUNTS = {"ping": 12000, "get_user": 8000, "batch": 800}
#: dialect -> the protocol inside.
DIALECTS = {
    "framed-compact": "compact",
    "framed-json": "tjson",
    "unframed-binary": "binary",
    "unframed-compact": "compact",
    "unframed-json": "tjson",
    "header": "binary",
    "http": "binary",
}


def bodies(method: str, protocol: str) -> tuple[bytes, bytes]:
    """The call and the reply, without what is around them, with the number 0."""
    import thriftserver
    from thriftserver.codec.plan import method_plan
    from thriftserver.compiled import choose

    module: Any = thriftserver.load(str(servers.IDL))
    binary, other = choose("codec.binary.message"), choose(f"codec.{protocol}.message")
    function = next(each for each in module.Bench.__thrift__.methods() if each.name == method)
    plan = method_plan(function)
    (asked,), (answered,) = workload.requests()[method]
    args = binary.decode_args(plan, asked, binary.read_header(asked).body)
    result = binary.decode_reply(plan, answered, binary.read_header(answered))
    call = other.encode_call(plan, 0, args)
    return call[4:], other.encode_result(plan, other.new_header(method, 1, 0), result)[4:]


def wrapped(dialect: str, body: bytes) -> bytes:
    """A call as it goes over the wire."""
    if dialect.startswith("unframed"):
        return body
    if dialect == "header":
        body = b"\x0f\xff\0\0\0\0\0\0\0\x01" + bytes(4) + body
    if dialect == "http":
        fields = f"Host: x\r\nContent-Type: application/x-thrift\r\nContent-Length: {len(body)}\r\n"
        return f"POST / HTTP/1.1\r\n{fields}\r\n".encode() + body
    return workload.frame(body)


def answer(port: int, dialect: str, request: bytes, body: bytes) -> bytes:
    """What the server at this port answers in this dialect, once it has been seen to end with the reply expected."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(request)
        got = b""
        while not got.endswith(body):
            chunk = sock.recv(1 << 20)
            if not chunk:
                raise SystemExit(f"{dialect}: the server hung up after {got[:100]!r}")
            got += chunk
    return got


def prepare(port: int, dialect: str, method: str) -> str:
    """Write the messages for the load generator; the name that it knows them by."""
    call, reply = bodies(method, DIALECTS[dialect])
    request = wrapped(dialect, call)
    name = f"{dialect}-{port}/{method}"
    path = servers.BUILD / "frames" / name
    path.parent.mkdir(exist_ok=True)
    Path(f"{path}.req").write_bytes(workload.frame(request))
    Path(f"{path}.rep").write_bytes(workload.frame(answer(port, dialect, request, reply)))
    return name


class Take(NamedTuple):
    """One of the things that take turns."""

    server: processes.Server
    method: str
    calls: int

    def cpu_us(self) -> float:
        return sample(self.server, self.method, CONNS, self.calls).cpu_us


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--dialects", default=",".join(DIALECTS))
    parser.add_argument("--methods", default=",".join(COUNTS))
    args = parser.parse_args()
    processes.prepare()
    rows = []
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(processes.Server("thriftserver", ("--http",)))
        gunicorn = stack.enter_context(processes.Server("gunicorn_apache"))
        before = None
        if command := os.environ.get("BENCH_BEFORE"):
            os.environ["BENCH_THRIFTSERVER"] = command
            before = stack.enter_context(processes.Server("thriftserver"))
        for method in args.methods.split(","):
            takes = {"framed-binary": Take(ours, method, COUNTS[method])}
            if before is not None:
                takes["the release before"] = Take(before, method, COUNTS[method])
            for dialect in args.dialects.split(","):
                calls = COUNTS[method] // (8 if dialect == "http" else 1)
                takes[dialect] = Take(ours, prepare(ours.port, dialect, method), calls)
                if dialect == "http":
                    takes["gunicorn"] = Take(gunicorn, prepare(gunicorn.port, dialect, method), calls)
            rows += table(method, in_turns(list(takes), args.rounds, lambda name, all=takes: all[name].cpu_us()))
    body = "CPU us per request, and the ratio to framed binary (of framed binary to the release before, of HTTP to "
    body += "gunicorn), median / minimum:\n\n"
    body += report.table(["", "CPU us", "ratio", "at most", ""], rows)
    report.publish("dialects", body, args.update)


def table(method: str, taken: dict[str, list[float]]) -> list[list[str]]:
    rows = []
    for name, values in taken.items():
        reference = {"framed-binary": "the release before", "http": "gunicorn"}.get(name, "framed-binary")
        cells = [f"{method}, {name}", f"{sorted(values)[len(values) // 2]:.2f} / {min(values):.2f}"]
        bar = bars.DIALECTS.get((name, method))
        if reference in taken and name not in ("the release before", "gunicorn"):
            found = ratio(values, taken[reference])
            cells.append(f"{found.median:.2f} / {found.minimum:.2f}")
            if bar is not None:
                cells += [f"{bar:.2f}", bars.verdict(found.median, found.minimum, at_most=bar)]
        rows.append(cells + [""] * (5 - len(cells)))
    return rows


if __name__ == "__main__":
    main()
