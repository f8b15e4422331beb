"""``thriftserver call``: one call from the command line, arguments and result as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from thriftserver import loading
from thriftserver.cli.options import setting_options
from thriftserver.cli.tls import tls_options
from thriftserver.client.plain import read_arguments
from thriftserver.client.sync import Client, client_class
from thriftserver.client.tls import Tls
from thriftserver.codec.plain import to_plain
from thriftserver.errors import ApplicationError, ConfigError, EncodeError, ThriftServerError
from thriftserver.idl.loader import Loader
from thriftserver.master.sockets import parse
from thriftserver.quantities import duration, size
from thriftserver.rpc.binding import choose_service
from thriftserver.schema.model import Function, Module, Service
from thriftserver.schema.special import ThriftException
from thriftserver.wire import MAX_FRAME, Application


@click.command()
@click.argument("address")
@click.argument("method")
@click.argument("arguments", default="{}")
@click.option("--idl", required=True, metavar="FILE", help="Thrift IDL file that defines the service.")
@setting_options("include")
@click.option(
    "--timeout",
    default="10s",
    show_default=True,
    metavar="DURATION",
    help="How long the whole call may take, from connecting to the end of the reply; 0: for ever.",
)
@click.option("--max-frame", default=str(MAX_FRAME), show_default=True, metavar="SIZE", help="Largest reply to accept.")
@click.option("--bare", is_flag=True, help="Call the method without its service's name in any case.")
@tls_options
def call(
    address: str,
    method: str,
    arguments: str,
    idl: str,
    include: tuple[str, ...],
    timeout: str,
    max_frame: str,
    bare: bool,
    tls: Tls | None,
) -> None:
    """Call METHOD (method, Service.method or Service:method) at ADDRESS (HOST:PORT or unix:/path) and print the result.

    ARGUMENTS is a JSON object by argument name, or an array in the order of the IDL; - reads it from standard input.

    \b
    thriftserver call 127.0.0.1:9090 Calculator.add '{"a": 1, "b": 2}' --idl idl/calculator.thrift

    Service:method is what a server of several services is called with (multiplexed). Service.method becomes that where
    another service of the IDL has a method of that name too, unless --bare is given; else the bare name is called.

    Exits with 0 after a result, 1 if the server answered with an exception or not at all, 2 if the call makes no sense.
    """
    loader = Loader()
    module = loader.load(idl, include)
    loading.use(loader)
    service, function, known_by = _find(method, module)
    host, port = _address(address)
    values = read_arguments(function, _standard_input() if arguments == "-" else arguments)
    seconds = _option("--timeout", duration, timeout) or None
    limit = _option("--max-frame", size, max_frame)
    known_by = "" if bare else known_by
    hint = f" (called as {known_by}:{function.name}; --bare calls {function.name})" if known_by else ""
    try:
        client = client_class(service)(host, port, timeout=seconds, max_frame=limit, service=known_by, tls=tls)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    with client:
        sys.exit(_show(client, function, values, hint))


def _find(text: str, module: Module) -> tuple[Service, Function, str]:
    """The service and the method that are meant, and the name to put before the method's: none for a bare one."""
    owner, mark, name = text.rpartition(":") if ":" in text else text.rpartition(".")
    having = [each for each in module.services.values() if _method(each, name)]
    service = having[0] if not owner and len(having) == 1 else choose_service(owner, [module])
    function = _method(service, name)
    if function is None:
        names = ", ".join(each.name for each in service.methods())
        raise ConfigError(f"{service.name} has no method {name!r}; there is {names}")
    shared = mark and any(not _akin(each, service) for each in having)
    return service, function, service.name if mark == ":" or shared else ""


def _method(service: Service, name: str) -> Function | None:
    return next((each for each in service.methods() if each.name == name), None)


def _akin(one: Service, other: Service) -> bool:
    """Does one extend the other? A server of the one then answers for both."""
    return one in other.lineage() or other in one.lineage()


def _option(flag: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}") from None


def _unknown(error: ThriftServerError) -> bool:
    return isinstance(error, ApplicationError) and error.type == Application.UNKNOWN_METHOD


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"standard input is not UTF-8: {error.reason} at byte {error.start}") from None


def _show(client: Client, function: Function, values: list[Any], hint: str) -> int:
    """Make the call and print what came of it, with a ``hint`` where the server knows no such method; the exit code."""
    try:
        result = getattr(client, function.name)(*values)
    except EncodeError as error:
        raise ConfigError(str(error)) from None
    except ThriftServerError as error:
        click.echo(f"Error: {error}{hint if _unknown(error) else ''}", err=True)
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
