"""The half that asks: out of a server's answer become modules again, as if its IDL had been loaded here."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from thriftserver.client.sync import Client, client_class
from thriftserver.errors import ApplicationError, IdlError, ThriftServerError, WireError
from thriftserver.idl.loader import Loader
from thriftserver.loading import Api, api_of
from thriftserver.reflection.contract import SERVICE, contract
from thriftserver.schema.model import Module
from thriftserver.wire import Application

#: What includes all that is served; no file that a server tells of is called so.
_ROOT = "the server"
_ADVICE = "start it with --reflection on (local, the default, tells loopback and unix sockets), or give --idl FILE"


class Untold(ThriftServerError):
    """A server does not tell its IDL."""

    exit_code = ApplicationError.exit_code


class Told(NamedTuple):
    """``root`` includes the files that are served; ``services`` are the names of what is, the first one has bare names.

    ``files`` are the texts by their paths, ``server`` is what has answered.
    """

    root: Module
    services: tuple[str, ...]
    server: str
    files: dict[str, str]

    @property
    def modules(self) -> tuple[Module, ...]:
        """The files that are served."""
        return self.root.includes


def reflect(host: str | Sequence[str] = "localhost", port: int | None = None, **options: Any) -> Api:
    """What a server tells of its IDL, as ``load`` gives that of a file; of several files, each by its name.

    Arguments are those of ``Service.Client``. Raises Untold, and what a client raises.
    """
    where = host if isinstance(host, str) else ", ".join(host)
    told = ask(lambda kind, service: kind(host, port, service=service, **options), where)
    return api_of(told.modules[0] if len(told.modules) == 1 else told.root)


def ask(connect: Callable[..., Client], where: str) -> Told:
    """The IDL of the server that ``connect`` makes a client of, given a class of clients and the service's name.

    Raises Untold for one that tells none, and what a client raises.
    """
    try:
        with connect(client_class(contract().Reflection.__thrift__), service=SERVICE) as client:
            answer = client.schema()  # type: ignore[attr-defined]  # the contract's method
    except ApplicationError as error:
        if error.type == Application.UNKNOWN_METHOD:
            raise Untold(f"{where} does not tell its IDL: {_ADVICE}") from None
        raise Untold(f"{where} does not tell its IDL ({error}): {_ADVICE}") from None
    except WireError as error:
        raise Untold(f"{where} does not tell its IDL: {error}") from None
    try:
        return read(answer)
    except IdlError as error:
        raise Untold(f"the IDL that {where} tells cannot be read here:\n{error}") from None


def read(schema: Any) -> Told:
    """What a ``Schema`` stands for. Raises IdlError if its files do not fit together."""
    files = {posixpath.normpath(file.path): file.text for file in schema.files or ()}
    served = [posixpath.normpath(path) for path in schema.served or ()]
    lines = "".join(f'include "{path}"\n' for path in served if path in files)
    root = Loader().load(_ROOT, files=files | {_ROOT: lines})
    return Told(root, tuple(schema.services or ()), schema.server or "", files)
