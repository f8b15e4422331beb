"""An application with Jaeger's tracer for Python: ``python tests/hosted/tracers.py PORT PROCESS COUNT``.

Each of the tracers has a socket of its own, and sends two spans to an agent on that port.
"""

from __future__ import annotations

import sys
import time

from jaeger_client import ConstSampler, Tracer
from jaeger_client.local_agent_net import LocalAgentSender
from jaeger_client.reporter import Reporter


def main(port: int, process: str, count: int) -> None:
    for number in range(count):
        reporter = Reporter(LocalAgentSender("127.0.0.1", 0, port))
        tracer = Tracer(f"{process}{number}", reporter, ConstSampler(True), tags={"release": "7"})
        with (
            tracer.start_active_span("order", tags={"items": 3, "paid": True, "total": 9.5, "who": "Åsa"}),
            tracer.start_active_span("pay") as pay,
        ):
            pay.span.set_tag("failed", False)
        closed = tracer.close()
        while not closed.done():
            time.sleep(0.001)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
