"""``thriftserver call``: one call from the command line, arguments and result as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from thriftserver import loading
from thriftserver.cli.options import setting_options
from thriftserver.client.plain import read_arguments
from thriftserver.client.sync import Client, client_class
from thriftserver.codec.plain import to_plain
from thriftserver.config import duration
from thriftserver.errors import ConfigError, EncodeError, ThriftServerError
from thriftserver.idl.loader import Loader
from thriftserver.master.sockets import parse
from thriftserver.rpc.binding import choose_service
from thriftserver.schema.model import Function
from thriftserver.schema.special import ThriftException


@click.command()
@click.argument("address")
@click.argument("method")
@click.argument("arguments", default="{}")
@click.option("--idl", required=True, metavar="FILE", help="Thrift IDL file that defines the service.")
@setting_options("include")
@click.option("--timeout", default="10s", show_default=True, metavar="DURATION", help="How long to wait for the reply.")
def call(address: str, method: str, arguments: str, idl: str, include: tuple[str, ...], timeout: str) -> None:
    """Call METHOD (method or Service.method) at ADDRESS (HOST:PORT or unix:/path) and print the result.

    ARGUMENTS is a JSON object by argument name, or an array in the order of the IDL; - reads it from standard input.

    \b
    thriftserver call 127.0.0.1:9090 Calculator.add '{"a": 1, "b": 2}' --idl idl/calculator.thrift

    Exits with 0 after a result, 1 if the server answered with an exception or not at all, 2 if the call makes no sense.
    """
    loader = Loader()
    module = loader.load(idl, include)
    loading.use(loader)
    service_name, _, name = method.rpartition(".")
    service = choose_service(service_name, [module])
    function = next((each for each in service.methods() if each.name == name), None)
    if function is None:
        names = ", ".join(each.name for each in service.methods())
        raise ConfigError(f"{service.name} has no method {name!r}; there is {names}")
    host, port = _address(address)
    values = read_arguments(function, _standard_input() if arguments == "-" else arguments)
    try:
        seconds = duration(timeout)
    except ValueError as error:
        raise ConfigError(f"--timeout: {error}") from None
    with client_class(service)(host, port, timeout=seconds) as client:
        sys.exit(_show(client, function, values))


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"standard input is not UTF-8: {error.reason} at byte {error.start}") from None


def _show(client: Client, function: Function, values: list[Any]) -> int:
    """Make the call and print what came of it; the exit code."""
    try:
        result = getattr(client, function.name)(*values)
    except EncodeError as error:
        raise ConfigError(str(error)) from None
    except ThriftServerError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    except ThriftException as error:
        definition = type(error).__thrift__
        click.echo(f"{definition.name}: {json.dumps(to_plain(definition, error), ensure_ascii=False)}", err=True)
        return 1
    if function.returns is not None:
        click.echo(json.dumps(to_plain(function.returns, result), ensure_ascii=False, indent=2))
    return 0


def _address(text: str) -> tuple[str, int]:
    """Host and port as a Client takes them."""
    address = parse(text, "call")
    if address.kind == "fd" or not address.host:  # places to listen on, not to connect to
        raise ConfigError(f"cannot call {text!r}: write HOST:PORT, [::1]:PORT or unix:/path")
    try:
        address.kind == "tcp" and address.host.encode("idna")
    except UnicodeError:
        raise ConfigError(f"cannot call {text!r}: that is no name of a host") from None
    return (str(address), 0) if address.kind == "unix" else (address.host, address.port)
