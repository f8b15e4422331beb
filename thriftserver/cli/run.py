"""``thriftserver run``: from settings to a running master."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import click

from thriftserver import log
from thriftserver.assignment import Assignment, Ground, Program
from thriftserver.cli.configuration import listing, verdict
from thriftserver.cli.options import config_option, setting_options
from thriftserver.compiled import NATIVE
from thriftserver.config import ENV_PREFIX, Settings
from thriftserver.dialect.table import require
from thriftserver.errors import ConfigError, ThriftServerError
from thriftserver.idl.loader import Loader
from thriftserver.master import identity, registering, systemd, terminal
from thriftserver.master.auxiliary import Auxiliary, Equipment
from thriftserver.master.changes import Changes
from thriftserver.master.fdstore import Store
from thriftserver.master.keeping import Keeper
from thriftserver.master.observer import Observer
from thriftserver.master.place import Place
from thriftserver.master.registering import Registrar
from thriftserver.master.sockets import Heirloom, Listeners, name
from thriftserver.master.succession import Succession
from thriftserver.master.supervisor import Supervisor
from thriftserver.master.upgrade import Origin, Predecessor
from thriftserver.origins import misspelt, resolve
from thriftserver.rpc.binding import choose_service, split_spec
from thriftserver.rpc.scopes import require_methods, require_scopes
from thriftserver.sans import split
from thriftserver.schema.model import Service
from thriftserver.scoreboard.board import Board
from thriftserver.tls import terms

#: Reads what there is to serve, anew at each call.
Make: TypeAlias = Callable[[Settings, Ground], Program]


@click.command()
@setting_options()
@config_option
@click.option("--check-config", is_flag=True, help="Read configuration and IDL, say what is wrong, serve nothing.")
@click.option("--print-config", is_flag=True, help="Print every option, as TOML, with where its value comes from.")
def run(config: str | None, check_config: bool, print_config: bool, **cli: Any) -> None:
    """Serve a Thrift IDL with a handler.

    \b
    thriftserver run --idl idl/calculator.thrift --handler handlers.calculator:Calculator

    Every option is also an environment variable (THRIFTSERVER_WORKERS) and a key of the configuration file (workers).
    HUP reloads configuration, IDL and handler; USR2 starts a new master from disk, which takes over, with every option
    anew; TERM finishes what runs and stops; INT stops at once.
    """
    if print_config:
        click.echo(listing(*resolve(cli, config)))
    if check_config:
        click.echo(verdict(settle(config, cli, Place(Origin.here().folder))[1]))
    if not print_config and not check_config:
        launch(config, cli, make_program)


def launch(config: str | None, cli: dict[str, Any], make: Make) -> None:
    """Serve what ``make`` makes of settings, anew at each reload, until it is over; the process ends with it.

    Raises ConfigError, IdlError, and others of ours for what does not start.
    """
    origin, predecessor = Origin.here(), Predecessor.of(os.environ)
    if predecessor is None:
        return _launch(config, cli, make, origin)
    try:
        _launch(config, cli, make, origin, predecessor)
    except ThriftServerError as error:
        if not predecessor.fail(str(error)):
            raise
        sys.exit(error.exit_code)  # the older master logs it: it is that one's upgrade that has failed


def _launch(
    config: str | None, cli: dict[str, Any], make: Make, origin: Origin, predecessor: Predecessor | None = None
) -> None:
    place = Place(origin.folder)
    config, program = settle(config, cli, place, make)
    settings = program.settings

    def load_program() -> Program:
        return place.anew(lambda: resolve(cli, config)[0], make)

    if predecessor and not settings.allow_breaking:
        predecessor.require_fit(program)
    if terminal.is_there():
        terminal.ignore()
    log.configure(settings.log_level, settings.log_file, settings.log_format)
    for variable, meant in misspelt():
        log.Logger().warning("variable_ignored", variable=variable, advice=f"is {meant} meant?")
    if not NATIVE and not os.environ.get("THRIFTSERVER_PURE"):
        advice = "install a C compiler and reinstall thriftserver; it works without, several times slower"
        log.Logger().warning("codec_not_compiled", advice=advice)
    chosen = resolve(cli, place.config(config) if config else None)[1]["bind"] != "default"
    changes = Changes([place.config(config)] if config else []) if settings.reload else None
    sys.exit(_serve(program, load_program, settings.bind if chosen else (), changes, origin, predecessor))


def _serve(
    program: Program,
    reload: Callable[[], Program],
    bind: Sequence[str],
    changes: Changes | None,
    origin: Origin,
    predecessor: Predecessor | None,
) -> int:
    """``bind`` is what somebody asked for; without it, the sockets that systemd passes come before the default."""
    settings = program.settings
    channel = systemd.Channel(os.environ)
    notifier, store = systemd.Notifier(channel, os.environ), Store.open(channel, os.environ)
    passed = predecessor.passed() if predecessor else systemd.listening(store.strangers)
    identity.entitle(settings.name, "master")
    pidfile = identity.Pidfile(settings.pidfile, predecessor.pid if predecessor else 0) if settings.pidfile else None
    try:
        account = identity.account(settings)
        owner = (account.uid, account.gid) if account else None
        addresses = bind or (() if passed else settings.bind)
        inherited = predecessor.listeners(settings) if predecessor else store.listeners
        tls = bool(settings.certfile)
        listeners = Listeners(addresses, settings.backlog, settings.unix_mode, owner, passed, inherited, tls)
        _drop(passed, listeners)
        store.follow(listeners, predecessor.estate.listeners if predecessor else ())
        store.warn(settings.workers * settings.max_connections)
        if predecessor is None:
            listeners.succeed()
            store.update()
        left = predecessor.estate.admin if predecessor and settings.admin else ()
        auxiliaries = [_admin(settings, listeners, left)] if settings.admin else []
        if tls:
            others = [sock for each in auxiliaries if each.listeners for sock in each.listeners.sockets]
            auxiliaries.append(Keeper(settings, listeners.secured, [*listeners.plain, *others]))
        auxiliaries.append(Registrar(settings, listeners))
        observers: list[Callable[[Board], Observer]] = [notifier.watch]
        if pidfile:
            observers.append(lambda _board: pidfile)
        succession = Succession(origin, lambda: notifier.environment() | store.environment(), predecessor)
        return Supervisor(program, listeners, reload, _work, succession, observers, auxiliaries, changes, store).run()
    finally:
        if pidfile:
            pidfile.close()
        log.flush()


def _drop(passed: Sequence[socket.socket], listeners: Listeners) -> None:
    """Close what systemd passed and no address asks for: its callers would wait for ever."""
    for sock in passed:
        if sock not in listeners.sockets:
            advice = "no --bind asks for this socket that systemd passed; without --bind all are used"
            log.Logger().warning("socket_unused", address=name(sock), advice=advice)
            sock.close()


def make_program(settings: Settings, ground: Ground) -> Program:
    """Read the IDL from disk, anew at each call. Raises ConfigError or IdlError."""
    if not settings.idl:
        raise ConfigError("no IDL to serve: give --idl FILE.thrift")
    if not settings.handler:
        raise ConfigError("no handler: give --handler pkg.mod:Class")
    loader = Loader()
    modules = tuple(loader.load(path, settings.include) for path in settings.idl)
    services = [choose_service(split_spec(spec)[0] or settings.service, modules) for spec in settings.handler]
    require_sense(settings, services)
    return Program(settings, loader, modules, tuple(service.name for service in services), ground)


def require_sense(settings: Settings, services: Sequence[Service]) -> None:
    """Raises ConfigError for what would not work in a worker, and can be known before any is touched."""
    require(settings.dialect, settings.http, settings.http_cors)
    terms.require(settings)
    registering.require(settings)
    identity.account(settings)
    require_methods(services, [name for name, _ in settings.method_timeout])
    require_scopes(services, [scope for scope, _ in map(split, settings.allow_san) if scope], "--allow-san")


def settle(
    config: str | None, cli: dict[str, Any], place: Place, make: Make = make_program
) -> tuple[str | None, Program]:
    """Take on directory and umask; the configuration file, and what there is to serve. Raises ConfigError, IdlError."""
    config = config or os.environ.get(f"{ENV_PREFIX}CONFIG")
    settings, _ = resolve(cli, config)
    ground = place.settle(settings, config)
    identity.settle(settings)
    return config, make(settings, ground)


def _admin(settings: Settings, served: Listeners, inherited: Sequence[Heirloom]) -> Auxiliary:
    """The process behind ``--admin``. The master owns its socket: a new process takes over without refusing anybody."""
    from thriftserver.admin import boot

    boot.require()
    listeners = Listeners((settings.admin,), settings.backlog, inherited=inherited)
    log.Logger().info("admin_listening", addresses=listeners.names())
    memory = os.memfd_create("thriftserver-history", os.MFD_CLOEXEC)
    addresses = [name(sock) for sock in (*served.plain, *served.secured)]
    if settings.admin_calls and not served.plain:
        advice = "give it an address of its own: --bind plain:127.0.0.1:PORT, or unix:PATH"
        raise ConfigError(f"--admin-calls: the page calls without TLS; {advice}")

    def run(given: Equipment) -> int:
        identity.entitle(given.program.settings.name, "admin")
        its = boot.Equipment(given.board, given.program, listeners.sockets, given.lifeline, addresses, memory)
        return boot.run(its, partial(identity.become, given.program.settings))

    return Auxiliary("admin", listeners, run)


def _work(assignment: Assignment) -> int:
    """What a forked worker does. Imported in the child only: these rooms bring gevent with them."""
    settings = assignment.program.settings
    identity.entitle(settings.name, f"worker {assignment.number}")
    assignment.program.ground.take()
    from thriftserver.worker import boot

    return boot.run(assignment, partial(identity.become, settings))
