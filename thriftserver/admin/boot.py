"""The admin process from its fork to its exit code: sample the scoreboard, answer HTTP, leave.

It lives beside the workers and is never waited for by them. A reload ends it and starts another with the new program;
the listening sockets are the master's, so no request is refused in between.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thriftserver import lookups
from thriftserver.assignment import Program
from thriftserver.errors import ConfigError
from thriftserver.log import Logger
from thriftserver.rpc.binding import choose_service
from thriftserver.schema.model import Service
from thriftserver.scoreboard.board import Board

if TYPE_CHECKING:
    from gevent.event import Event

    from thriftserver.admin.history import History
    from thriftserver.admin.site import Site

#: Seconds that running requests are given when the process ends.
GRACE = 1.0


def require() -> None:
    """Raise ConfigError if what the admin process needs is not installed. Imports nothing."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise ConfigError("--admin needs prometheus_client; install it with: pip install 'thriftserver[admin]'")


@dataclass(frozen=True, slots=True)
class Equipment:
    """What the process is given.

    ``lifeline`` reads end-of-file when the master is gone. ``addresses`` are those of the Thrift service, for calls
    from the page; ``memory`` is a file in which one such process leaves its history to the next.
    """

    board: Board
    program: Program
    listeners: Sequence[socket.socket]
    lifeline: int
    addresses: Sequence[str]
    memory: int


def run(given: Equipment, become: Callable[[Iterable[str]], None]) -> int:
    """Serve until TERM, or until the master is gone; the exit code. Runs in a child process and never raises.

    ``become`` imports the modules that it is given and gives up root.
    """
    log = Logger().bind(role="admin", pid=os.getpid())
    try:
        from gevent import monkey

        monkey.patch_all()
        _serve(given, become, log)
    except BaseException as error:
        log.exception("admin_failed", error)
        return 1
    return 0


def served(program: Program) -> list[Service]:
    """The services that the workers answer, the first being the one of bare names."""
    return [choose_service(name, program.modules) for name in program.services]


def _serve(given: Equipment, become: Callable[[Iterable[str]], None], log: Logger) -> None:
    import gevent
    from gevent.socket import socket as cooperative

    from thriftserver.admin.door import Door
    from thriftserver.admin.history import History

    history = History.recall(given.memory)
    door = Door(_site(given, history, log))
    become(lookups.modules())
    over, watchers = _ends(given.lifeline)
    sampling = gevent.spawn(_sample, given.board, history, log)
    for listener in given.listeners:
        shared: Any = cooperative(fileno=os.dup(listener.fileno()))
        door.open(shared)
    log.debug("admin_ready")
    over.wait()
    for watcher in watchers:
        watcher.stop()
    sampling.kill()
    door.close(GRACE)
    history.leave(given.memory)


def _site(given: Equipment, history: History, log: Logger) -> Site:
    import gevent

    from thriftserver.admin.caller import Caller
    from thriftserver.admin.hosts import Hosts
    from thriftserver.admin.reading import Reading
    from thriftserver.admin.site import Site

    program, addresses = given.program, given.addresses
    services = served(program)
    settings = program.settings
    caller = Caller(services, addresses[0], settings.max_frame) if settings.admin_calls and addresses else None
    hosts = Hosts.of(settings)
    gevent.spawn(hosts.ask_for_own_name)
    return Site(
        lambda: Reading.of(given.board),
        history,
        program.modules,
        services,
        hosts,
        {
            "address": addresses[0] if addresses else "HOST:PORT",
            "files": settings.idl,
            "include": settings.include,
        },
        caller,
        lambda path, error, error_id: log.exception("admin_request_failed", error, path=path, error_id=error_id),
    )


def _ends(lifeline: int) -> tuple[Event, list[Any]]:
    """An event that is set when the process must leave, and the watchers that set it."""
    import signal

    from gevent import get_hub
    from gevent.event import Event

    over = Event()
    loop = get_hub().loop
    watchers = [loop.signal(signal.SIGTERM), loop.signal(signal.SIGQUIT), loop.io(lifeline, 1)]
    for watcher in watchers:
        watcher.start(over.set)
    return over, watchers


def _sample(board: Board, history: History, log: Logger) -> None:
    import gevent

    from thriftserver.admin.history import STEP
    from thriftserver.admin.reading import Reading

    while True:
        try:
            history.take(Reading.of(board))
        except Exception as error:
            log.exception("admin_sample_failed", error)
        gevent.sleep(STEP)
