"""What is mocked: the services of IDL files, or of what another server tells of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from thriftserver.idl.loader import Loader
from thriftserver.reflection.asking import Told, Untold
from thriftserver.rpc.binding import choose_service, outermost
from thriftserver.schema.model import Module, Service


def services(modules: Sequence[Module], names: Sequence[str] = ()) -> list[Service]:
    """Those of these names; without any, all that no other one extends. Raises HandlerError where there is none."""
    every = outermost(modules)
    if names or not every:
        return [choose_service(name, modules) for name in names or ("",)]
    return every


def unpack(told: Told, loader: Loader) -> tuple[Module, ...]:
    """The files that are served, as if they had been read from disk: a mock tells them in its turn.

    Raises Untold for files that have no place in a folder.
    """
    with TemporaryDirectory(prefix="thriftserver-") as folder:
        for name, text in told.files.items():
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\0" in name:
                raise Untold(f"{told.server or 'the server'} tells a file {name!r}, which is no name in a folder")
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tuple(loader.load(str(Path(folder, module.path))) for module in told.modules)
