"""What is known of one request, for handlers, middleware and observers. It decides and does nothing.

This one source runs on plain CPython, and Cython compiles it, with ``_call.pxd``, into the module ``_call``.
"""

from __future__ import annotations

from typing import Any


class Call:
    """One request from its frame's arrival to its reply.

    Times are monotonic nanoseconds, 0 for what has not happened. ``outcome`` is one of
    ``scoreboard.layout.OUTCOMES`` once the call is over, empty before; ``error`` is what the handler raised or why its
    value does not fit, and ``error_id`` what the peer was told in its place. ``args`` are the decoded arguments in the
    order of the IDL; middleware may change them. ``deadline`` 0 means none.
    """

    __slots__ = (
        "_headers",
        "args",
        "deadline",
        "ending",
        "entry",
        "error",
        "error_id",
        "finished",
        "kind",
        "method",
        "oneway",
        "outcome",
        "peer",
        "received",
        "record",
        "reply_bytes",
        "request_bytes",
        "seqid",
        "service",
        "started",
    )

    def __init__(self, service: str, method: str, seqid: int = 0, peer: str = "") -> None:
        self.service = service
        self.method = method
        self.seqid = seqid
        self.peer = peer
        self.oneway = False
        self.args: list[Any] = []
        self._headers: dict[str, str] | None = None
        self.received = 0
        self.started = 0
        self.finished = 0
        self.deadline = 0
        self.request_bytes = 0
        self.reply_bytes = 0
        self.outcome = ""
        self.error: BaseException | None = None
        self.error_id = ""
        #: The processor's own: the method's entry, the outcome's number, which declared exception, its place among
        #: the calls in flight (-2: none).
        self.entry: Any = None
        self.ending = 0
        self.kind = -1
        self.record = -2

    @property
    def headers(self) -> dict[str, str]:
        """What the peer sent beside the message. The binary protocol has no headers; middleware may put some here."""
        if self._headers is None:
            self._headers = {}
        return self._headers

    def __repr__(self) -> str:
        return f"<call {self.service}.{self.method} seqid={self.seqid} peer={self.peer}>"
