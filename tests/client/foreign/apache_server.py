"""Apache's Python library as a server of ThriftTest: ``apache_server.py KIND DIALECT PORT``, beside generated code.

It prints the port that it listens at. The kind ``tls`` is a threaded one with the certificate ``server.pem``.
"""

from __future__ import annotations

import logging
import ssl
import sys
from http.server import ThreadingHTTPServer
from typing import Any

from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.protocol.TCompactProtocol import TCompactProtocolFactory
from thrift.protocol.THeaderProtocol import THeaderProtocolFactory
from thrift.protocol.TJSONProtocol import TJSONProtocolFactory
from thrift.server.THttpServer import THttpServer
from thrift.server.TNonblockingServer import TNonblockingServer
from thrift.server.TServer import TThreadedServer
from thrift.TMultiplexedProcessor import TMultiplexedProcessor
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TSSLSocket import TSSLServerSocket
from thrift.transport.TTransport import TBufferedTransportFactory, TFramedTransportFactory

from tests.client.foreign.answers import handlers

PROTOCOLS = {
    "binary": TBinaryProtocolFactory,
    "compact": TCompactProtocolFactory,
    "json": TJSONProtocolFactory,
    "header": THeaderProtocolFactory,
}


class Told(TServerSocket):
    def listen(self) -> None:
        super().listen()
        print(self.handle.getsockname()[1], flush=True)


class ToldTls(TSSLServerSocket):
    def listen(self) -> None:
        super().listen()
        print(self.handle.getsockname()[1], flush=True)


def main(kind: str, dialect: str, port: str) -> None:
    from ThriftTest import SecondService, ThriftTest, ttypes  # type: ignore[import-not-found]

    logging.disable()
    first, second = handlers(ttypes)
    processor = TMultiplexedProcessor()
    processor.registerDefault(ThriftTest.Processor(first))
    processor.registerProcessor("ThriftTest", ThriftTest.Processor(first))
    processor.registerProcessor("SecondService", SecondService.Processor(second))
    files = {"cert_file": "server.pem", "key_file": "server.key"} if kind == "tls" else {}
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # the library would make one for clients
        context.load_cert_chain("server.pem", "server.key")
        socket: Any = ToldTls("127.0.0.1", int(port), ssl_context=context)
    else:
        socket = Told("127.0.0.1", int(port))
    packing, _, inside = dialect.partition("-")
    protocol: Any = PROTOCOLS[inside or packing]()
    if packing == "http":
        where = ("127.0.0.1", int(port))
        server = THttpServer(processor, where, protocol, server_class=ThreadingHTTPServer, **files)
        server.httpd.RequestHandlerClass.log_message = lambda *_: None
        print(server.httpd.server_port, flush=True)
        server.serve()
    if kind == "nonblocking":
        TNonblockingServer(processor, socket, protocol).serve()
    transport = TFramedTransportFactory() if packing == "framed" else TBufferedTransportFactory()
    TThreadedServer(processor, socket, transport, protocol, daemon=True).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
