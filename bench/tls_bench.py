"""CPU time per request over TLS, of all processes that serve it: ours, and HAProxy in front of ours without TLS.

The client is Python's own ssl in this process, on the other core. ``handshake`` is a connection that is made, used for
one ping and closed; sessions are not resumed.

python -m bench.tls_bench [--methods NAME,...] [--conns N] [--scale X] [--idle N] [--rounds N]
                          [--update docs/performance.md]
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import ssl
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import bars, processes, report, workload
from bench.measuring import in_turns, ratio

OURS, PROXY, PLAIN = "thriftserver_tls", "haproxy", "thriftserver"
#: Calls of a sample: so many that those which are under way at its ends make no difference.
COUNTS = {"ping": 6000, "get_user": 4000, "batch": 1000, "handshake": 150}


class Contender:
    """What answers on ``port``, and the processes that work for that."""

    def __init__(self, servers: Sequence[processes.Server], tls: ssl.SSLContext | None) -> None:
        self.port = servers[-1].port
        self._servers = servers
        self._tls = tls

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), processes.PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(sock, server_hostname="localhost") if self._tls else sock

    def pids(self) -> list[int]:
        return [pid for server in self._servers for pid in server.pids()]

    def cpu_ns(self) -> int:
        return processes.cpu_ns(self.pids())


def frames(method: str) -> tuple[bytes, bytes]:
    asked, answered = workload.requests()[method]
    return workload.frame(asked[0]), workload.frame(answered[0])


def calls_us(contender: Contender, method: str, conns: int, calls: int) -> float:
    """CPU microseconds of the servers per call, every reply right."""
    request, reply = frames(method)
    socks = {sock.fileno(): sock for sock in (contender.connect() for _ in range(conns))}
    received = dict.fromkeys(socks, b"")
    epoll = select.epoll()
    for fd, sock in socks.items():
        epoll.register(fd, select.EPOLLIN)
        sock.sendall(request)
    begun, done, before = conns, -conns, 0  # the first call of each connection is not counted
    while done < calls:
        for fd, _ in epoll.poll(processes.PATIENCE):
            received[fd] += socks[fd].recv(1 << 20)
            if len(received[fd]) < len(reply):
                continue
            if received[fd] != reply:
                raise SystemExit(f"a wrong reply to {method}")
            received[fd] = b""
            done += 1
            if not done:
                before = contender.cpu_ns()
            if begun < calls + conns:
                begun += 1
                socks[fd].sendall(request)
    used = contender.cpu_ns() - before
    for sock in socks.values():
        sock.close()
    return used / 1e3 / calls


def handshakes_us(contender: Contender, count: int) -> float:
    """The same per connection with one ping."""
    request, reply = frames("ping")
    before = contender.cpu_ns()
    for _ in range(count):
        with contender.connect() as sock:
            sock.sendall(request)
            if sock.recv(len(reply)) != reply:
                raise SystemExit("a wrong reply to ping")
    return (contender.cpu_ns() - before) / 1e3 / count


def idle_kib(contender: Contender, count: int) -> float:
    """Memory of each connection that has made one call and says nothing more."""
    request, reply = frames("ping")
    before = processes.resident_kib(contender.pids())
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            sock = stack.enter_context(contender.connect())
            sock.sendall(request)
            if sock.recv(len(reply)) != reply:
                raise SystemExit("a wrong reply to ping")
        return (processes.resident_kib(contender.pids()) - before) / count


def certificate(folder: Path) -> Path:
    """A certificate and its key, in one file."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([*command.split(), "-keyout", "key", "-out", "cert"], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "cert").read_text() + (folder / "key").read_text())
    return both


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--methods", default=",".join(COUNTS))
    parser.add_argument("--conns", type=int, default=32, help="connections (default: 32)")
    parser.add_argument("--scale", type=float, default=1, help="multiplies the calls of a sample")
    parser.add_argument("--idle", type=int, default=5000, help="idle connections (default: 5000)")
    args = parser.parse_args()
    processes.prepare()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        both = certificate(folder)
        trust = ssl.create_default_context(cafile=str(both))
        plain = stack.enter_context(processes.Server(PLAIN))
        contenders = {
            PLAIN: Contender([plain], None),
            OURS: Contender([stack.enter_context(processes.Server(PLAIN, ("--certfile", str(both))))], trust),
        }
        if shutil.which(PROXY):
            os.environ["BENCH_BEHIND"] = str(plain.port)
            proxy = stack.enter_context(processes.Server(PROXY, (str(both),)))
            contenders[PROXY] = Contender([plain, proxy], trust)
        rows = []
        for method in args.methods.split(","):
            count = max(int(COUNTS[method] * args.scale), 10)

            def take(name: str, method: str = method, count: int = count) -> float:
                if method == "handshake":
                    return handshakes_us(contenders[name], count)
                return calls_us(contenders[name], method, args.conns, count)

            rows.append(row(method, in_turns(list(contenders), args.rounds, take)))
        idle = idle_table({name: idle_kib(contenders[name], args.idle) for name in (OURS, PROXY) if name in contenders})
    head = ["", *(f"{name}, CPU us" for name in (PLAIN, OURS, PROXY)), "share of HAProxy", "at most", ""]
    report.publish("tls", f"{report.table(head, rows)}\n\n{idle}", args.update)


def row(method: str, taken: dict[str, list[float]]) -> list[str]:
    cells = [method]
    for name in (PLAIN, OURS, PROXY):
        values = taken.get(name)
        cells.append(f"{statistics.median(values):.2f} / {min(values):.2f}" if values else "")
    if PROXY not in taken:
        return [*cells, "", "", ""]
    share, bar = ratio(taken[OURS], taken[PROXY]), bars.TLS[method]
    met = bars.verdict(share.median, share.minimum, at_most=bar)
    return [*cells, f"{share.median:.2f} / {share.minimum:.2f}", f"{bar:.2f}", met]


def idle_table(taken: dict[str, float]) -> str:
    limits = {OURS: bars.TLS_IDLE_KIB}
    rows = [[name, f"{kib:.1f}", bars.verdict(kib, at_most=limits.get(name))] for name, kib in taken.items()]
    return report.table(["idle connections", "KiB each", f"bar {bars.TLS_IDLE_KIB:.0f}"], rows)


if __name__ == "__main__":
    main()
