"""The transports and protocols that clients of both libraries are put together of, and factories of them.

They carry nothing: each tells what it stands for, and a client speaks as the whole of them does.
"""

from __future__ import annotations

from typing import Any, ClassVar

from thriftserver.compat.link import Part
from thriftserver.wire import MAX_FRAME

#: Options of protocols that change nothing here: what is read is always checked, and what is written is strict.
_IDLE = frozenset(
    {
        "strictRead",
        "strictWrite",
        "strict_read",
        "strict_write",
        "strict_decode",
        "string_length_limit",
        "container_length_limit",
        "max_depth",
        "fallback",
    }
)


class TBufferedTransport(Part):
    """Nothing is put around a message."""

    def __init__(self, trans: Part, rbuf_size: int = 0) -> None:
        super().__init__(trans.link, trans.packing, trans.most)


class TFramedTransport(Part):
    """Each message has its length in front."""

    def __init__(self, trans: Part, max_frame_size: int = MAX_FRAME) -> None:
        super().__init__(trans.link, "framed", max_frame_size)


class _TransportFactory:
    made: ClassVar[type[Part]]

    def __init__(self, *options: Any) -> None:
        self._options = options

    def getTransport(self, trans: Part) -> Part:
        return self.made(trans, *self._options)  # type: ignore[arg-type]  # both take the part that they are around

    get_transport = getTransport


class TBufferedTransportFactory(_TransportFactory):
    """Makes a TBufferedTransport around another transport."""

    made = TBufferedTransport


class TFramedTransportFactory(_TransportFactory):
    """Makes a TFramedTransport around another transport."""

    made = TFramedTransport


class Protocol:
    """How the values of a message are written; ``way`` is what a client over it speaks."""

    inside: ClassVar[str]

    def __init__(self, trans: Part, *flags: object, **options: object) -> None:
        _check(options)
        self.trans = trans
        self.way = trans.way(self.inside)
        trans.link.expect(self.way)


class TBinaryProtocol(Protocol):
    """The binary protocol."""

    inside = "binary"


class TCompactProtocol(Protocol):
    """The compact protocol."""

    inside = "compact"


class TJSONProtocol(Protocol):
    """Apache's JSON protocol, which thriftpy2 calls TApacheJSONProtocol."""

    inside = "json"


class TMultiplexedProtocol:
    """Another protocol, for one service of a server that has several."""

    def __init__(self, protocol: Protocol, service_name: str) -> None:
        self.trans = protocol.trans
        self.way = protocol.trans.way(protocol.inside, service_name)
        self.trans.link.expect(self.way)


class _ProtocolFactory:
    made: ClassVar[type[Protocol]]

    def __init__(self, *flags: object, **options: object) -> None:
        _check(options)

    def getProtocol(self, trans: Part) -> Protocol:
        return self.made(trans)

    get_protocol = getProtocol


class TBinaryProtocolFactory(_ProtocolFactory):
    """Makes a TBinaryProtocol over a transport."""

    made = TBinaryProtocol


class TCompactProtocolFactory(_ProtocolFactory):
    """Makes a TCompactProtocol over a transport."""

    made = TCompactProtocol


class TJSONProtocolFactory(_ProtocolFactory):
    """Makes a TJSONProtocol over a transport."""

    made = TJSONProtocol


class TMultiplexedProtocolFactory:
    """Makes a TMultiplexedProtocol of what another factory makes."""

    def __init__(self, proto_factory: Any, service_name: str) -> None:
        self._proto_factory = proto_factory
        self._service_name = service_name

    def getProtocol(self, trans: Part) -> TMultiplexedProtocol:
        return TMultiplexedProtocol(self._proto_factory.get_protocol(trans), self._service_name)

    get_protocol = getProtocol


def _check(options: dict[str, object]) -> None:
    if not options.get("decode_response", True):
        raise ValueError("decode_response=False: a string of an IDL is always str here; `binary` is for bytes")
    for name in options:
        if name != "decode_response" and name not in _IDLE:
            raise TypeError(f"there is no option {name!r} here")
