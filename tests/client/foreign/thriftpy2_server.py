"""thriftpy2 as a server of ThriftTest: ``thriftpy2_server.py KIND DIALECT PORT``, beside an IDL that it can read.

It prints the port that it listens at. The kind ``tls`` is a threaded one with the certificate and key in ``both.pem``.
"""

from __future__ import annotations

import sys
from http.server import ThreadingHTTPServer

import thriftpy2
from thriftpy2 import protocol, transport
from thriftpy2.http import THttpServer
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor

from tests.client.foreign.answers import handlers

TRANSPORTS = {"framed": transport.TFramedTransportFactory, "unframed": transport.TBufferedTransportFactory}
PROTOCOLS = {
    "binary": protocol.TBinaryProtocolFactory,
    "compact": protocol.TCompactProtocolFactory,
    "json": protocol.TApacheJSONProtocolFactory,
}


class Told(transport.TServerSocket):
    def listen(self) -> None:
        super().listen()
        assert self.sock is not None
        print(self.sock.getsockname()[1], flush=True)


class ToldTls(transport.TSSLServerSocket):
    def listen(self) -> None:
        super().listen()
        assert self.sock is not None
        print(self.sock.getsockname()[1], flush=True)


def main(kind: str, dialect: str, port: str) -> None:
    types = thriftpy2.load("ThriftTest.thrift", module_name="ThriftTest_thrift")
    packing, inside = dialect.split("-")
    if packing == "http":
        address = ("127.0.0.1", int(port))
        factories = (transport.TBufferedTransportFactory(), PROTOCOLS[inside]())
        server = THttpServer(TProcessor(types.ThriftTest, handlers(types)[0]), address, *factories, ThreadingHTTPServer)
        server.httpd.RequestHandlerClass.log_message = lambda *_: None
        print(server.httpd.server_port, flush=True)
        server.serve()
    if kind == "tls":
        socket: transport.TServerSocket = ToldTls("127.0.0.1", int(port), client_timeout=0, certfile="both.pem")
    else:
        socket = Told("127.0.0.1", int(port), client_timeout=0)
    processor = TProcessor(types.ThriftTest, handlers(types)[0])
    factories = {"iprot_factory": PROTOCOLS[inside](), "itrans_factory": TRANSPORTS[packing]()}
    TThreadedServer(processor, socket, daemon=True, **factories).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
