"""Scribe's collector of idl/scribe.thrift: a file for each category in the directory that ``SCRIBE_DIR`` names (logs).

Files are opened for every call, so logrotate may move them at any time, and nobody has to be told.
"""

import fcntl
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog

import thriftserver

api = thriftserver.load(Path(__file__).parent.parent / "idl" / "scribe.thrift")
log = structlog.get_logger()

#: Bytes of a category's name that its file's name has at most.
LONGEST = 200


class scribe:  # noqa: N801 - the IDL's name
    """One instance answers all calls of a worker. What has been answered OK is in the file, whichever worker dies."""

    def setup(self) -> None:
        self._directory = Path(os.environ.get("SCRIBE_DIR") or "logs")
        self._directory.mkdir(parents=True, exist_ok=True)

    def Log(self, messages: list[Any]) -> Any:
        lines: dict[bytes, bytearray] = {}
        for entry in messages or ():
            lines.setdefault(entry.category or b"", bytearray()).extend(_line(entry.message or b""))
        try:
            for category, text in lines.items():
                self._append(category, text)
        except OSError as error:
            log.error("not_kept", entries=len(messages), reason=str(error))
            return api.ResultCode.TRY_LATER
        return api.ResultCode.OK

    def _append(self, category: bytes, text: bytearray) -> None:
        """All of it or, if the disk is full, nothing."""
        path = self._directory / f"{quote(category, safe='')[:LONGEST] or 'default'}.log"
        with path.open("ab", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed; workers hold it while they write, and never wait
            end = os.fstat(file.fileno()).st_size
            try:
                if file.write(text) != len(text):
                    raise OSError(f"{path}: there is no more room")
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise


def _line(message: bytes) -> bytes:
    return message if message.endswith(b"\n") else message + b"\n"
