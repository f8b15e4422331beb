"""A worker's life from its fork to its exit code: import the handler, serve, drain.

It runs in the child process. It knows the master only through its ``Assignment``.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

from thriftserver import loading
from thriftserver.assignment import FAILED, READY, Assignment, Report
from thriftserver.errors import BootError, ThriftServerError
from thriftserver.log import Logger
from thriftserver.rpc.binding import LIFECYCLE, Bound, bind, call_user, describe, require_fit
from thriftserver.rpc.call import Failure


def run(assignment: Assignment) -> int:
    """Serve until told to stop; the exit code. Never raises, and reports to the master before it serves or fails."""
    try:
        _patch()
        return _serve(assignment)
    except ThriftServerError as error:
        Report(FAILED, error.exit_code, str(error)).send(assignment.report)
        return error.exit_code
    except BaseException as error:  # noqa: BLE001 - the child's entry: whatever it is, the master must hear of it
        Logger().exception("worker_failed", error)
        Report(FAILED, BootError.exit_code, f"a worker failed: {describe(error)}").send(assignment.report)
        return BootError.exit_code


def _patch() -> None:
    """Make the standard library cooperative, before any handler code is imported."""
    from gevent import monkey

    monkey.patch_all()


def _serve(assignment: Assignment) -> int:
    # Imported here because these rooms import gevent, which must not happen before the patch, nor in the master.
    from thriftserver.rpc.processor import Processor
    from thriftserver.worker.lifetime import Lifetime
    from thriftserver.worker.loop import Loop

    program, log = assignment.program, Logger().bind(worker=assignment.number, pid=os.getpid())
    settings = program.settings
    loading.use(program.loader)
    bound = bind(settings.handler, settings.service, program.modules)
    for each in bound:
        for problem in require_fit(each):
            log.warning("handler_problem", problem=str(problem))
    lifetime = Lifetime(assignment.lifeline)
    for each in bound:
        _lifecycle(each, "setup")
    processor = Processor(bound, _failure_log(log), settings.max_frame)
    loop = Loop(assignment.listeners, processor, log, settings.max_connections, settings.max_frame)
    gc.collect()
    gc.freeze()  # what is alive now stays: the collector need not look at it again
    loop.start()
    Report(READY).send(assignment.report)
    why = lifetime.wait()
    log.debug("worker_draining", why=why)
    left = loop.drain(0.0 if lifetime.hurry else settings.graceful_timeout)
    if left:
        log.warning("calls_cut", connections=left, graceful_timeout=settings.graceful_timeout)
    for each in reversed(bound):
        _lifecycle(each, "teardown")
    return 0


def _lifecycle(bound: Bound, name: str) -> None:
    """Call ``setup`` or ``teardown`` of a handler, unless its service has a method of that name."""
    assert name in LIFECYCLE
    function: Callable[[], Any] | None = getattr(bound.target, name, None)
    if function is not None and all(name != each.name for each in bound.service.methods()):
        call_user(function, f"handler {bound.spec}: {name}()")


def _failure_log(log: Logger) -> Callable[[Failure], None]:
    def failed(failure: Failure) -> None:
        facts = {
            "service": failure.service,
            "method": failure.method,
            "seqid": failure.seqid,
            "outcome": failure.outcome,
            "error_id": failure.error_id,
        }
        if failure.outcome == "bad_result":
            log.error("handler_failed", error=str(failure.error), **facts)
        else:
            log.exception("handler_failed", failure.error, **facts)

    return failed
