"""Apache's TThreadedServer with generated code and the accelerated protocol: PORT."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["BENCH_BUILD"], "gen-py"))
from bench_gen import Bench
from bench_gen.ttypes import Address, User
from bench_handler import handler_class
from thrift.protocol import fastbinary  # noqa: F401  an error if it is not accelerated
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAcceleratedFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TFramedTransportFactory

socket = TServerSocket("127.0.0.1", int(sys.argv[1]))
if hasattr(socket, "setBacklog"):
    socket.setBacklog(4096)
processor = Bench.Processor(handler_class(User, Address)())
TThreadedServer(processor, socket, TFramedTransportFactory(), TBinaryProtocolAcceleratedFactory(), daemon=True).serve()
