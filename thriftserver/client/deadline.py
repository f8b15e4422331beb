"""When a call out must be over: its timeout, ``with thriftserver.deadline(...)`` around it, and the call being served.

One source: it runs on plain CPython, and Cython compiles it, with ``_deadline.pxd``, into the module ``_deadline``.
"""

from __future__ import annotations

from thriftserver import wire
from thriftserver.client.limit import LIMIT
from thriftserver.errors import HandshakeRefused, TransportError
from thriftserver.rpc.current import CURRENT

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.client.limit import value_of
    from thriftserver.rpc.within import clock

#: What a call is busy with, in this order.
PHASES = ("queueing", "resolving", "connecting", "handshaking", "sending", "waiting", "receiving")

#: More seconds than that are for ever.
_MOST = 1e9
_WORDS = {
    "queueing": "waiting for its turn",
    "handshaking": "waiting for the TLS handshake",
    "sending": "sending the request",
    "waiting": "waiting for the reply",
    "receiving": "receiving the reply",
}


def limit() -> float | None:
    """When calls that are made here must be over, in ``time.monotonic`` seconds; None for never.

    A handler's calls do not outlive the one that it answers.
    """
    end: float | None = value_of(LIMIT)
    current = value_of(CURRENT)
    call = None if current is None else current.call
    if call is not None and call.deadline:
        served: float = call.deadline / 1e9
        return served if end is None or served < end else end
    return end


class Deadline:
    """One call's: at most ``seconds`` from now, and no later than ``limit``.

    ``phase`` is what it is busy with; ``sent``: the server may have all of the request.
    """

    __slots__ = ("_end", "_ends", "_seconds", "_size", "phase", "sent")

    def __init__(self, seconds: float | None) -> None:
        self.phase = ""
        self.sent = False
        self._size = 0
        self._ends = False
        self._end = self._seconds = 0.0
        end = limit()
        if end is None and seconds is None:
            return
        now = clock() / 1e9
        if end is not None and (seconds is None or end - now < seconds):
            seconds = max(end - now, 0.0)
        assert seconds is not None
        self._ends = seconds < _MOST
        self._seconds = seconds
        self._end = now + seconds

    def enter(self, phase: str, size: int = 0) -> None:
        """What is done from now on, with a message of ``size`` bytes if it is known."""
        self.phase = phase
        self._size = size

    @property
    def doing(self) -> str:
        """The phase in words."""
        words = _WORDS.get(self.phase, self.phase)
        return f"{words} of {self._size} bytes" if self._size else words

    def left(self) -> float | None:
        """Seconds that are left, None for any number. Raises TransportError when there are none."""
        if not self._ends:
            return None
        left = self._end - clock() / 1e9
        if left <= 0:
            raise self.passed()
        return left

    def infos(self) -> dict[str, str]:
        """What a server is told of it, where the dialect has a place for that."""
        if not self._ends:
            return {}
        return {wire.TIMEOUT_HEADER: str(max(int((self._end - clock() / 1e9) * 1000), 1))}

    def passed(self) -> TransportError:
        """The error of a call whose time is over."""
        text = f"timed out after {self._seconds:.3g} s while {self.doing}"
        return TransportError(text, "", self.phase, self.sent)

    def failed(self, error: OSError) -> TransportError:
        """What an error of the connection says: that the time has passed, or that it broke."""
        if isinstance(error, TimeoutError) and not error.errno:  # else it is the kernel that has given up
            return self.passed()
        if isinstance(error, HandshakeRefused):
            self.enter("handshaking")
            self.sent = False
            return TransportError(f"the server refuses the TLS handshake: {error}")
        return TransportError(f"the connection broke while {self.doing}: {error.strerror or error}")

    def deserted(self, hint: str) -> TransportError:
        """The server has ended the connection; ``hint`` is what else is to be said of it."""
        return TransportError(f"the server closed the connection while {self.doing}{hint}")

    def told(self, called: str, peer: str, error: Exception) -> TransportError:
        """An error of the call to this method at this server, as its caller is to have it."""
        return TransportError(f"{called} at {peer}: {error}", peer, self.phase, self.sent)
