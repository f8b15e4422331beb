"""thriftpy2_gevent whose get_user asks another server, through clients that are kept: PORT PORT_BEHIND."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
from collections import deque  # noqa: E402

import thriftpy2_gevent  # noqa: E402
from bench_handler import handler_class  # noqa: E402
from gevent.server import StreamServer  # noqa: E402
from thriftpy2.rpc import make_client  # noqa: E402
from thriftpy2.thrift import TProcessor  # noqa: E402

module = thriftpy2_gevent.module
idle = deque()


class Relay(handler_class(module.User, module.Address)):
    def get_user(self, id):
        try:
            client = idle.pop()
        except IndexError:
            client = make_client(
                module.Bench,
                "127.0.0.1",
                int(sys.argv[2]),
                proto_factory=thriftpy2_gevent.protocols,
                trans_factory=thriftpy2_gevent.transports,
            )
        user = client.get_user(id)
        idle.append(client)
        return user


thriftpy2_gevent.processor = TProcessor(module.Bench, Relay())
StreamServer(("127.0.0.1", int(sys.argv[1])), thriftpy2_gevent.serve, backlog=4096).serve_forever()
