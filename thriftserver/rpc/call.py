"""What is known of one request, for handlers, middleware and observers; of the method it calls, and where it runs.

It decides and does nothing. This one source runs on plain CPython, and Cython compiles it, with ``_call.pxd``, into the
module ``_call``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thriftserver.compiled import PROTOCOLS

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.protocol import Codec, Protocol


if TYPE_CHECKING:
    from thriftserver.peers import Certificate, Credentials, Proxy


class Call:
    """One request from its frame's arrival to its reply.

    Times are monotonic nanoseconds, 0 for what has not happened. ``outcome`` is one of
    ``scoreboard.layout.OUTCOMES`` once the call is over, empty before; ``error`` is what the handler raised or why its
    value does not fit, and ``error_id`` what the peer was told in its place. ``args`` are the decoded arguments in the
    order of the IDL; middleware may change them. ``deadline`` 0 means none. ``dialect`` is the name of what it
    came in, one of ``wire.DIALECTS``.
    """

    __slots__ = (
        "_headers",
        "_reply_headers",
        "args",
        "deadline",
        "dialect",
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
        self._reply_headers: dict[str, str] | None = None
        self.dialect = ""
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
    def peer_certificate(self) -> Certificate | None:
        """The client certificate of a TLS peer, verified; None without one."""
        return getattr(self.peer, "certificate", None)

    @property
    def peer_credentials(self) -> Credentials | None:
        """Whose process has connected to a unix socket; None of other peers."""
        return getattr(self.peer, "credentials", None)

    @property
    def peer_proxy(self) -> Proxy | None:
        """What a proxy in front has said of its client, who is ``peer`` then; None of those who come directly."""
        return getattr(self.peer, "proxy", None)

    @property
    def headers(self) -> dict[str, str]:
        """What the peer sent beside the message: THeader's info headers, HTTP's header fields (lower case).

        Empty for dialects that have no place for any; middleware may put some here.
        """
        if self._headers is None:
            self._headers = {}
        return self._headers

    @property
    def reply_headers(self) -> dict[str, str]:
        """What is to be sent beside the reply, where the dialect of the request has a place for it."""
        if self._reply_headers is None:
            self._reply_headers = {}
        return self._reply_headers

    def __repr__(self) -> str:
        return f"<call {self.service}.{self.method} seqid={self.seqid} peer={self.peer}>"


class Entry:
    """A ``rpc.method.Method`` with what is looked at in every call."""

    __slots__ = (
        "binary",
        "chain",
        "codecs",
        "guard",
        "method",
        "name",
        "number",
        "oneway",
        "service",
        "target",
        "timeout",
        "void",
    )

    def __init__(self, method: Any, binary: Protocol) -> None:
        self.method = method
        self.name = method.name
        self.service = method.service
        self.number = method.number
        self.oneway = method.oneway
        self.void = method.void
        self.timeout = method.timeout
        self.target = method.target
        self.chain = method.chain
        self.guard = method.guard
        #: By the protocol's number; made when it is spoken for the first time.
        self.codecs: list[Any] = [None] * len(PROTOCOLS)
        self.binary: Codec = self.codec(binary)

    def codec(self, protocol: Protocol) -> Codec:
        """The method in this protocol."""
        found = self.codecs[protocol.number]
        if found is None:
            found = self.codecs[protocol.number] = protocol.codec_of(self.method.plan)
        return found  # type: ignore[no-any-return]


class Current:
    """What ``rpc.current.CURRENT`` is while a call runs: the call, None once it is over and nobody can ask any more."""

    __slots__ = ("call",)

    def __init__(self, call: Call | None = None) -> None:
        self.call = call


class Seat:
    """Where a call sits while it runs.

    ``fiber`` is what it runs in, and belongs to whoever made the seat. ``expired``: the deadline was raised in it.
    ``returned``: the handler is done, what still waits is a method of an object that it gave. ``left``: the caller is
    gone already. ``call`` is None when the message named no method. ``spoiled``: a handler has left something in the
    fiber that could reach the next call, so there must be none.
    """

    __slots__ = ("call", "context", "current", "expired", "fiber", "left", "returned", "spoiled", "variables")

    def __init__(self, fiber: Any = None) -> None:
        self.fiber = fiber
        self.call: Any = None  # Call
        self.expired = False
        self.returned = False
        self.left = False
        self.spoiled = False
        #: The compiled processor's own: the context of calls here, what it maps, and what ``CURRENT`` is in it.
        self.context: Any = None
        self.variables: Any = None
        self.current: Current | None = None
