"""How commands reach a server, and what IDL they take it to have: options that they share, and what becomes of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from thriftserver import loading
from thriftserver.calling.methods import Known
from thriftserver.cli.options import Command, offer, one_of, setting_options
from thriftserver.cli.tls import tls_options
from thriftserver.client.sync import Client
from thriftserver.client.tls import Tls
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.discovery.registries import shown
from thriftserver.discovery.resolvers import resolver_of
from thriftserver.errors import ConfigError
from thriftserver.idl.loader import Loader
from thriftserver.master.sockets import parse
from thriftserver.quantities import duration, size
from thriftserver.reflection.asking import Told, ask
from thriftserver.wire import MAX_FRAME

Made = TypeVar("Made", bound=Client)

_CONNECTING = (
    click.option(
        "--timeout",
        default="10s",
        show_default=True,
        metavar="DURATION",
        help="How long each call may take, from connecting to the end of the reply; 0: for ever.",
    ),
    click.option(
        "--max-frame", default=str(MAX_FRAME), show_default=True, metavar="SIZE", help="Largest reply to accept."
    ),
    click.option(
        "--dialect",
        default="framed-binary",
        show_default=True,
        metavar="NAME",
        shell_complete=one_of(*SPEAKABLE),
        help=f"What to speak: {', '.join(SPEAKABLE)}.",
    ),
    click.option("--path", default="/", show_default=True, help="What HTTP asks the server for."),
)
_IDL = click.option(
    "--idl",
    metavar="FILE",
    shell_complete=offer("files"),
    help="Thrift IDL file of the service; without it, the server is asked.",
)
#: Where included files are looked for, of commands that read an IDL file.
include_option = setting_options("include")


def connecting_options(command: Command) -> Command:
    """Decorate a command with what it takes to connect, TLS included; ``Target`` takes the values, by these names."""
    command = tls_options(command)
    for option in reversed(_CONNECTING):
        command = option(command)
    return command


def replaying_options(command: Command) -> Command:
    """The same without a dialect, of commands whose calls have theirs."""
    command = tls_options(command)
    for option in reversed(_CONNECTING[:2] + _CONNECTING[3:]):
        command = option(command)
    return command


def idl_options(command: Command) -> Command:
    """Decorate a command with ``--idl`` and ``--include``; ``known`` takes the values."""
    return _IDL(include_option(command))


class Target(NamedTuple):
    """A server to connect to. ``timeout`` is in seconds, None for ever."""

    text: str
    host: str
    port: int
    timeout: float | None
    max_frame: int
    dialect: str
    path: str
    tls: Tls | None

    @classmethod
    def of(cls, address: str, timeout: str, max_frame: str, dialect: str, path: str, tls: Tls | None) -> Target:
        """What the options say. Raises ConfigError."""
        host, port = reached(address)
        seconds = parsed("--timeout", duration, timeout) or None
        return cls(shown(address), host, port, seconds, parsed("--max-frame", size, max_frame), dialect, path, tls)

    def client(self, kind: type[Made], service: str = "") -> Made:
        """A connected client. Raises ConfigError for options that make no sense, and TransportError."""
        try:
            return kind(
                self.host,
                self.port,
                timeout=self.timeout,
                max_frame=self.max_frame,
                service=service,
                dialect=self.dialect,
                path=self.path,
                tls=self.tls,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def told(self) -> Told:
        """The IDL that the server tells of itself. Raises Untold."""
        return ask(self.client, self.text)

    def known(self, idl: str | None, include: Sequence[str]) -> Known:
        """The IDL of this file, or what the server tells."""
        if idl is None:
            told = self.told()
            return Known(told.modules, told.services)
        loader = Loader()
        module = loader.load(idl, include)
        loading.use(loader)
        return Known((module,))


def is_file(text: str) -> bool:
    """Is an IDL file meant, and no address?"""
    return text.endswith(".thrift") or os.path.isfile(text)


def is_address(text: str) -> bool:
    """Is it written like an address?"""
    try:
        reached(text)
    except ConfigError:
        return False
    return True


def parsed(flag: str, parse: Callable[[str], Any], text: str) -> Any:
    """The value of an option. Raises ConfigError that names it."""
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}") from None


def header(text: str) -> tuple[str, str]:
    """Name and value of what goes beside calls, as ``-H`` takes them. Raises ConfigError."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ConfigError(f"-H: write NAME:VALUE, got {text!r}")
    return name.strip(), value.strip()


def reached(text: str) -> tuple[str, int]:
    """Host and port as a Client takes them, of one server or of a name that stands for several."""
    scheme, mark, _ = text.partition("://")
    if not mark or scheme in ("unix", "fd"):
        return place(text)
    try:
        resolver_of(text)
    except ValueError as error:
        raise ConfigError(f"cannot call {error}") from None
    return text, 0


def place(text: str) -> tuple[str, int]:
    """Host and port of one server, as a Client takes them."""
    address = parse(text, "call")
    if address.kind == "fd" or not address.host:  # places to listen on, not to connect to
        raise ConfigError(f"cannot call {text!r}: write HOST:PORT, [::1]:PORT or unix:/path")
    try:
        address.kind == "tcp" and address.host.encode("idna")
    except UnicodeError:
        raise ConfigError(f"cannot call {text!r}: that is no name of a host") from None
    return (str(address), 0) if address.kind == "unix" else (address.host, address.port)
