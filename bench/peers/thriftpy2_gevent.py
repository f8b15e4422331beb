"""thriftpy2's processor over its Cython transport and protocol, a greenlet per connection: PORT."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402

import thriftpy2  # noqa: E402
from bench_handler import handler_class  # noqa: E402
from gevent.server import StreamServer  # noqa: E402
from thriftpy2.protocol import TCyBinaryProtocolFactory  # noqa: E402
from thriftpy2.thrift import TProcessor  # noqa: E402
from thriftpy2.transport import TCyFramedTransportFactory, TSocket, TTransportException  # noqa: E402

module = thriftpy2.load(os.environ["BENCH_IDL"], module_name="bench_thrift")
processor = TProcessor(module.Bench, handler_class(module.User, module.Address)())
transports, protocols = TCyFramedTransportFactory(), TCyBinaryProtocolFactory()


def serve(client, _address):
    socket = TSocket()
    socket.set_handle(client)
    incoming, outgoing = transports.get_transport(socket), transports.get_transport(socket)
    reader, writer = protocols.get_protocol(incoming), protocols.get_protocol(outgoing)
    try:
        while True:
            processor.process(reader, writer)
    except (TTransportException, OSError):
        pass
    finally:
        incoming.close()


if __name__ == "__main__":
    StreamServer(("127.0.0.1", int(sys.argv[1])), serve, backlog=4096).serve_forever()
