"""The servers that are compared: how each is started. Nothing here measures.

BENCH_THRIFTSERVER is the command to measure (default: this interpreter's ``-m thriftserver``), BENCH_THRIFTSERVER_ARGS
more options for it; BENCH_BUILD is where the Makefile put what it built.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
IDL = HERE / "bench.thrift"
BUILD = Path(os.environ.get("BENCH_BUILD", HERE / "build")).resolve()


def _thriftserver(port: int, options: Sequence[str], handler: str = "Impl") -> list[str]:
    command = os.environ.get("BENCH_THRIFTSERVER", f"{shlex.quote(sys.executable)} -m thriftserver")
    return [
        *shlex.split(command),
        *("run", "--idl", str(IDL), "--handler", f"bench_handler:{handler}", "--bind", f"127.0.0.1:{port}"),
        *("--workers", "1", "--max-connections", "100000", "--log-level", "warning"),
        *shlex.split(os.environ.get("BENCH_THRIFTSERVER_ARGS", "")),
        *options,
    ]


def _behind() -> str:
    """The port that a relay asks."""
    return os.environ["BENCH_BEHIND"]


def _python(name: str) -> Callable[[int, Sequence[str]], list[str]]:
    return lambda port, _options: [sys.executable, str(HERE / "peers" / f"{name}.py"), str(port)]


#: name -> (port, options) -> the command.
COMMANDS: dict[str, Callable[[int, Sequence[str]], list[str]]] = {
    "thriftserver": _thriftserver,
    "thriftserver_pure": _thriftserver,
    "thriftserver_async": lambda port, options: _thriftserver(port, options, "Async"),
    "thriftpy2_gevent": _python("thriftpy2_gevent"),
    "apache_threaded": _python("apache_threaded"),
    "gunicorn_apache": _python("gunicorn_apache"),
    "cpp_nonblocking": lambda port, _options: [str(BUILD / "cpp_nonblocking"), str(port)],
    "thriftserver_relay": lambda port, options: _thriftserver(port, options, "Relay"),
    "thriftpy2_relay": lambda port, _options: [*_python("thriftpy2_relay")(port, ()), _behind()],
    "cpp_relay": lambda port, _options: [str(BUILD / "cpp_relay"), str(port), _behind()],
    "haproxy": lambda port, options: [*_python("haproxy")(port, ()), _behind(), *options],
    "c_epoll": lambda port, _options: [str(BUILD / "c_epoll"), str(port), str(BUILD / "frames")],
}


#: Those that do the same in their ways: they serve the whole of bench.thrift themselves, in framed binary.
ALIKE = ("thriftserver", "thriftserver_pure", "thriftpy2_gevent", "apache_threaded", "cpp_nonblocking", "c_epoll")


def environment(name: str) -> dict[str, str]:
    """What a server is started with; on PYTHONPATH only the handlers, so that no file here shadows a package."""
    path = [str(HERE / "handlers"), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "BENCH_IDL": str(IDL), "BENCH_BUILD": str(BUILD), "PYTHONPATH": os.pathsep.join(path)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # else sources would be compiled at each start, which pip spares its users
    if name == "thriftserver_pure":
        env["THRIFTSERVER_PURE"] = "1"
    return env
