"""How this project connects to the shop: as Apache's tutorial does, and in the other ways that there are."""

from shop import Shop, Till
from thrift.protocol import TBinaryProtocol, TJSONProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol, TCompactProtocolAccelerated
from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol
from thrift.transport import THttpClient, TSocket, TTransport
from thrift.transport.TTransport import TFramedTransport

PROTOCOLS = {
    "binary": TBinaryProtocol.TBinaryProtocol,
    "accelerated": TBinaryProtocol.TBinaryProtocolAccelerated,
    "compact": TCompactProtocol,
    "compact-accelerated": TCompactProtocolAccelerated,
    "json": TJSONProtocol.TJSONProtocol,
}


class Connection:
    """``with Connection(port) as shop``."""

    def __init__(self, port, protocol="binary", framed=False, timeout=None, early=False):
        self.socket = TSocket.TSocket("127.0.0.1", port)
        if timeout is not None:
            self.socket.setTimeout(timeout)
        self.transport = TFramedTransport(self.socket) if framed else TTransport.TBufferedTransport(self.socket)
        if early:
            self.transport.open()
        self.protocol = PROTOCOLS[protocol](self.transport)

    def __enter__(self):
        if not self.transport.isOpen():
            self.transport.open()
        return Shop.Client(self.protocol)

    def __exit__(self, *_):
        self.transport.close()


def over_http(port):
    transport = THttpClient.THttpClient(f"http://127.0.0.1:{port}/shop")
    transport.setCustomHeaders({"tenant": "acme"})
    transport.open()
    return transport, Shop.Client(TCompactProtocol(transport))


def two_services(port):
    """Both over one transport, by their names."""
    transport = TTransport.TFramedTransportFactory().getTransport(TSocket.TSocket("127.0.0.1", port))
    protocol = TBinaryProtocol.TBinaryProtocolFactory().getProtocol(transport)
    shop = Shop.Client(TMultiplexedProtocol(protocol, "Shop"))
    till = Till.Client(TMultiplexedProtocol(protocol, "Till"))
    transport.open()
    return transport, shop, till
