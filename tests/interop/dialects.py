"""What the clients of other libraries speak, each under the name of the server's dialect and what varies in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import thriftpy2.http
import thriftpy2.rpc
from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
from thrift.protocol.TCompactProtocol import TCompactProtocol, TCompactProtocolAccelerated
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID, THeaderTransformID
from thrift.transport.THttpClient import THttpClient
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport, TFramedTransport
from thriftpy2.protocol import (
    TApacheJSONProtocolFactory,
    TCompactProtocolFactory,
    TCyBinaryProtocolFactory,
    TMultiplexedProtocolFactory,
    binary,
)
from thriftpy2.transport import TCyBufferedTransportFactory, TCyFramedTransportFactory, buffered, framed

#: Makes a client's protocol, whose connection is yet to be opened, of a host and a port.
Make = Callable[[str, int], Any]


def _framed(host: str, port: int) -> Any:
    return TFramedTransport(TSocket(host, port))


def _unframed(host: str, port: int) -> Any:
    return TBufferedTransport(TSocket(host, port))


def _http(host: str, port: int) -> Any:
    return TBufferedTransport(THttpClient(f"http://{host}:{port}/"))


_TRANSPORTS: dict[str, Make] = {"framed": _framed, "unframed": _unframed, "http": _http}
_PROTOCOLS: dict[str, Callable[[Any], Any]] = {
    "binary": TBinaryProtocol,
    "binary-accelerated": lambda trans: TBinaryProtocolAccelerated(trans, fallback=False),
    "binary-old": lambda trans: TBinaryProtocol(trans, strictRead=False, strictWrite=False),
    "compact": TCompactProtocol,
    "compact-accelerated": lambda trans: TCompactProtocolAccelerated(trans, fallback=False),
    "json": TJSONProtocol,
}


def _over(transport: str, protocol: str) -> Make:
    return lambda host, port: _PROTOCOLS[protocol](_TRANSPORTS[transport](host, port))


def _header(inside: int, *transforms: int) -> Make:
    def make(host: str, port: int) -> Any:
        protocol = THeaderProtocol(_unframed(host, port), (THeaderClientType.HEADERS,), inside)
        for each in transforms:
            protocol.add_transform(each)
        return protocol

    return make


#: PyPI's thrift.
APACHE: dict[str, Make] = {
    **{f"{each}-{protocol}": _over(each, protocol) for each in _TRANSPORTS for protocol in _PROTOCOLS},
    "header-binary": _header(THeaderSubprotocolID.BINARY),
    "header-compact": _header(THeaderSubprotocolID.COMPACT),
    "header-binary-zlib": _header(THeaderSubprotocolID.BINARY, THeaderTransformID.ZLIB),
    "header-compact-zlib": _header(THeaderSubprotocolID.COMPACT, THeaderTransformID.ZLIB),
}


#: Its compiled classes, which it uses unless it is told otherwise, and those in Python; they do not go with each other.
_COMPILED2: dict[str, Any] = {
    "binary": TCyBinaryProtocolFactory(),
    "binary-old": TCyBinaryProtocolFactory(strict_read=False, strict_write=False),
    "compact": TCompactProtocolFactory(),
    "json": TApacheJSONProtocolFactory(),
}
_PYTHON2: dict[str, Any] = {**_COMPILED2, "binary": binary.TBinaryProtocolFactory()}
del _PYTHON2["binary-old"]


def _client2(transport: Any) -> Callable[..., Any]:
    return partial(thriftpy2.rpc.make_client, trans_factory=transport)


_WAYS2: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "framed": (_client2(TCyFramedTransportFactory()), _COMPILED2),
    "framed-python": (_client2(framed.TFramedTransportFactory()), _PYTHON2),
    "unframed": (_client2(TCyBufferedTransportFactory()), _COMPILED2),
    "unframed-python": (_client2(buffered.TBufferedTransportFactory()), _PYTHON2),
    "http": (thriftpy2.http.make_client, _COMPILED2),
    "http-keep-alive": (partial(thriftpy2.http.make_client, keep_alive=True), _COMPILED2),
}


#: Makes a client of a service, a host, a port and what multiplexing puts before a method's name, or "".
Make2 = Callable[[Any, str, int, str], Any]


def _default2(service: Any, host: str, port: int, prefix: str) -> Any:
    options: Any = {"proto_factory": TMultiplexedProtocolFactory(_COMPILED2["binary"], prefix)} if prefix else {}
    return thriftpy2.rpc.make_client(service, host, port, **options)


def _over2(make_client: Callable[..., Any], factory: Any) -> Make2:
    def make(service: Any, host: str, port: int, prefix: str) -> Any:
        chosen = TMultiplexedProtocolFactory(factory, prefix) if prefix else factory
        return make_client(service, host, port, proto_factory=chosen, timeout=30_000)

    return make


#: PyPI's thriftpy2.
THRIFTPY2: dict[str, Make2] = {
    "default": _default2,
    **{
        f"{way}-{protocol}": _over2(make_client, factory)
        for way, (make_client, factories) in _WAYS2.items()
        for protocol, factory in factories.items()
    },
}


_PLAIN = tuple(
    f"{transport}-{protocol}"
    for transport in ("framed", "unframed", "http")
    for protocol in ("binary", "compact", "json")
)
#: npm's thrift (node/peer.js), whose header transport has no transforms.
NODE = (*_PLAIN, "header-binary", "header-compact")
#: libthrift (cpp/thrifttest.cpp).
CPP = (*NODE, "header-binary-zlib", "header-compact-zlib")
