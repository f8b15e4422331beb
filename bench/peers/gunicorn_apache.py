"""Apache's processor as a WSGI application under gunicorn's gevent worker, one of them: PORT."""

import os
import sys

from gunicorn.app.base import BaseApplication

sys.path.insert(0, os.path.join(os.environ["BENCH_BUILD"], "gen-py"))

from bench_gen import Bench, ttypes
from bench_handler import handler_class
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TTransport import TMemoryBuffer

processor = Bench.Processor(handler_class(ttypes.User, ttypes.Address)())


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    out = TMemoryBuffer()
    processor.process(
        TBinaryProtocolAccelerated(TMemoryBuffer(body), fallback=False), TBinaryProtocolAccelerated(out, fallback=False)
    )
    answer = out.getvalue()
    start_response("200 OK", [("Content-Type", "application/x-thrift"), ("Content-Length", str(len(answer)))])
    return [answer]


class Server(BaseApplication):
    def load_config(self):
        self.cfg.set("bind", f"127.0.0.1:{sys.argv[1]}")
        self.cfg.set("worker_class", "gevent")
        self.cfg.set("workers", 1)
        self.cfg.set("keepalive", 60)
        self.cfg.set("worker_connections", 100_000)

    def load(self):
        return application


Server().run()
