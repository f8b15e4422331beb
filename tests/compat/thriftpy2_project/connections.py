"""How this project connects to the shop: every way that thriftpy2 has for a synchronous client."""

import contextlib

import thriftpy2
from thriftpy2 import http
from thriftpy2.http import THttpHeaderFactory
from thriftpy2.protocol import (
    TApacheJSONProtocolFactory,
    TBinaryProtocolFactory,
    TCompactProtocolFactory,
    TMultiplexedProtocolFactory,
)
from thriftpy2.rpc import client_context, make_client
from thriftpy2.thrift import TClient
from thriftpy2.transport import TBufferedTransportFactory, TFramedTransportFactory, TSocket

shop_thrift = thriftpy2.load("shop.thrift", module_name="shop_thrift")

PROTOCOLS = {
    "binary": TBinaryProtocolFactory(),
    "compact": TCompactProtocolFactory(),
    "json": TApacheJSONProtocolFactory(),
}
TRANSPORTS = {"buffered": TBufferedTransportFactory(), "framed": TFramedTransportFactory()}


def plain(port, **options):
    return make_client(shop_thrift.Shop, "127.0.0.1", port, **options)


def named(port, protocol, transport):
    return make_client(
        shop_thrift.Shop,
        host="127.0.0.1",
        port=port,
        proto_factory=PROTOCOLS[protocol],
        trans_factory=TRANSPORTS[transport],
        timeout=10_000,
    )


def context(port, **options):
    return client_context(shop_thrift.Shop, "127.0.0.1", port, **options)


def over_http(port):
    return http.client_context(
        shop_thrift.Shop, "127.0.0.1", port, "/shop", http_header_factory=THttpHeaderFactory({"tenant": "acme"})
    )


def till(port):
    return make_client(
        shop_thrift.Till,
        "127.0.0.1",
        port,
        proto_factory=TMultiplexedProtocolFactory(TBinaryProtocolFactory(), "Till"),
        trans_factory=TFramedTransportFactory(),
    )


@contextlib.contextmanager
def by_hand(port):
    sock = TSocket("127.0.0.1", port, socket_timeout=5_000, connect_timeout=1_000)
    transport = TFramedTransportFactory().get_transport(sock)
    protocol = TCompactProtocolFactory().get_protocol(transport)
    transport.open()
    try:
        assert transport.is_open()
        yield TClient(shop_thrift.Shop, protocol)
    finally:
        transport.close()
