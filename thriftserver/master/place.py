"""Where a server works and imports from: names that somebody gave, looked up anew for each generation of workers.

It changes the directory of the process that asks it to; what is read there, and when, is the command line's to know.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from thriftserver.assignment import Ground
from thriftserver.config import Settings
from thriftserver.errors import ConfigError

T = TypeVar("T")


class Place:
    """``start`` is the directory in which the server was started, by its name, which may be that of a symlink.

    ``--config``, ``--chdir`` and ``--pythonpath`` keep the values that they had when ``settle`` was called.
    """

    def __init__(self, start: str) -> None:
        self._start = start
        self._config = self._chdir = ""
        self._pythonpath: tuple[str, ...] = ()
        self._path = list(sys.path)
        #: What stands in it because of the directory: -m puts that there, and PYTHONPATH may be relative to it.
        self._relative: dict[str, str] = {}
        with suppress(OSError):  # it is gone, and nothing can be relative to it
            here = os.getcwd()
            given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
            self._relative = {here: ""} | {
                os.path.normpath(os.path.join(here, each)): each for each in given if not os.path.isabs(each)
            }

    def config(self, path: str) -> str:
        """What a configuration file is called from everywhere."""
        return os.path.join(self._start, path)

    def settle(self, settings: Settings, config: str | None) -> Ground:
        """Be there, from the directory of the start. Raises ConfigError."""
        self._config, self._chdir, self._pythonpath = config or "", settings.chdir, settings.pythonpath
        return self._enter()

    def anew(self, read: Callable[[], Settings], make: Callable[[Settings, Ground], T]) -> T:
        """``make`` of the settings that ``read`` finds in the directory of the start, in the directory to work in.

        Raises ConfigError, and what the two raise; then this process is where it was.
        """
        try:
            before = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigError(f"cannot open the working directory: {error.strerror}") from None
        try:
            missing = self._begin()
            if missing and self._config and not os.path.isabs(self._config):
                raise ConfigError(missing)
            settings = read()
            if missing and self._needs_start(settings):
                raise ConfigError(missing)
            return make(settings, Ground("", self._found("")) if missing and not self._chdir else self._enter())
        except BaseException:
            with suppress(OSError):
                os.fchdir(before)
            raise
        finally:
            os.close(before)

    def _begin(self) -> str:
        """Go back to where it began, by name; why that cannot be."""
        try:
            os.chdir(self._start)
        except OSError as error:
            with suppress(OSError):
                os.chdir("/")  # not where the name led to before: what is relative is not to be found there
            return f"cannot enter the working directory {self._start}: {error.strerror}"
        return ""

    def _needs_start(self, settings: Settings) -> bool:
        if self._chdir:
            return not os.path.isabs(self._chdir)
        names = (*settings.idl, *settings.include, *self._pythonpath)
        return not all(map(os.path.isabs, names))

    def _enter(self) -> Ground:
        if self._chdir:
            try:
                os.chdir(self._chdir)
            except OSError as error:
                raise ConfigError(f"--chdir: cannot enter {self._chdir}: {error.strerror}") from None
        try:
            folder = os.getcwd()
        except OSError:  # it was removed under this process, which may need nothing of it
            folder = ""
        return Ground(folder, self._found(folder))

    def _found(self, folder: str) -> tuple[str, ...]:
        """The import path. Real names: a worker that is replaced later imports what its generation did."""
        start = os.path.realpath(self._start)
        rest = [
            each if (relative := self._relative.get(each)) is None else os.path.normpath(os.path.join(start, relative))
            for each in self._path
        ]
        own = [os.path.realpath(each) for each in self._pythonpath if folder or os.path.isabs(each)]
        return tuple(dict.fromkeys([*([folder] if folder else []), *own, *rest]))
