"""The options of TLS, of every command that connects to servers."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import click

from thriftserver.cli.options import Command, offer
from thriftserver.client.tls import Tls
from thriftserver.config import flag
from thriftserver.errors import ConfigError

#: How servers are met over TLS: a name of ``client.tls.Tls``, a metavar, and the help. Each of them turns it on.
TLS: Final = (
    ("tls", "", "Speak TLS, as the options below do by themselves; without --ca, the system says whom to trust."),
    ("ca", "FILE", "Certificates, in PEM, of who vouches for the server."),
    ("cert", "FILE", "Certificate to show to the server, in PEM."),
    ("key", "FILE", "Key of that certificate, if it is not in the same file."),
    ("server_name", "NAME", "Whose certificate the server has to show, if it is not that of the host in the address."),
    ("insecure", "", "Take any certificate: for a look, never for secrets."),
)


def tls_of(options: Mapping[str, Any]) -> Tls | None:
    """What these options say, whatever others are among them; None if none is given. Raises ConfigError."""
    given = {name: value for name, *_ in TLS if (value := options.get(name))}
    try:
        return Tls(**{name: value for name, value in given.items() if name != "tls"}) if given else None
    except ValueError as error:
        raise ConfigError(f"TLS: {error}") from None


def tls_options(command: Command) -> Command:
    """Decorate a command with the options of TLS; it gets ``tls``, None if none of them was given."""

    @functools.wraps(command)
    def decorated(*args: Any, **options: Any) -> Any:
        tls = tls_of({name: options.pop(name) for name, *_ in TLS})
        return command(*args, tls=tls, **options)

    for name, metavar, help in reversed(TLS):
        completed = offer("files") if metavar == "FILE" else None
        decorated = click.option(
            flag(name), name, metavar=metavar or None, is_flag=not metavar, help=help, shell_complete=completed
        )(decorated)
    return decorated
