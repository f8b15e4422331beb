"""What a client speaks: the dialects by the names that it knows them by, and what a server seems to speak instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thriftserver.codec.protocols import protocol
from thriftserver.dialect.detect import find, transport_of
from thriftserver.dialect.table import BY_NAME, Dialect
from thriftserver.errors import ConfigError

if TYPE_CHECKING:
    from thriftserver.dialect.transport import Transport

#: Protocols by their names in those of dialects.
_INSIDE: Final = {"binary": "binary", "compact": "compact", "json": "tjson"}


def _speakable() -> dict[str, tuple[Dialect, str]]:
    found = {each.name: (each, each.protocols[0]) for each in BY_NAME.values()}
    for name in ("header", "http"):
        found |= {f"{name}-{inside}": (BY_NAME[name], protocol) for inside, protocol in _INSIDE.items()}
    return found


#: name -> the dialect, and the protocol inside.
SPEAKABLE: Final = _speakable()


def require_path(dialect: str, path: str) -> None:
    """Raises ValueError for a dialect that is none, or where the path is none, or nothing is asked by paths."""
    if dialect not in SPEAKABLE:
        raise ValueError(f"dialect must be one of {', '.join(SPEAKABLE)}; got {dialect!r}")
    if path == "/":
        return
    if SPEAKABLE[dialect][0].transport != "http":
        raise ValueError(f"path={path!r} is for HTTP, and the dialect is {dialect}")
    if not path.startswith("/") or any(not "!" <= each <= "~" for each in path):
        raise ValueError(
            f"path must begin with / and have neither spaces nor other than ASCII characters; got {path!r}"
        )


def caller(name: str, max_frame: int, path: str = "/", peer: str = "") -> Transport:
    """The transport of one connection to a server at the address ``peer``; ``path`` is what HTTP asks it for.

    Raises ConfigError where HTTP cannot be spoken.
    """
    dialect, inside = SPEAKABLE[name]
    if dialect.transport != "http":
        return transport_of(dialect, inside, max_frame)
    try:
        from thriftserver.dialect.http_caller import HttpCaller
    except ModuleNotFoundError as error:
        if error.name != "h11":
            raise
        raise ConfigError("HTTP needs h11; install it with: pip install 'thriftserver[http]'") from None
    host = "localhost" if peer.startswith("unix:") else peer
    return HttpCaller(dialect.name, dialect.number, protocol(inside), max_frame, path, host)


def seems(start: bytes) -> str:
    """The name of the dialect in which an answer begins like this; empty if nobody knows."""
    if start.startswith(b"HTTP/"):
        return "http"
    found, _ = find(start, (1 << 31) - 1)
    return found.name if found is not None and found.transport != "http" else ""
