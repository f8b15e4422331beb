"""A worker's life from its fork to its exit code: import the handler, serve, drain.

It runs in the child process. It knows the master only through its ``Assignment``.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import os
import random
import signal
import sys
from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from thriftserver import loading
from thriftserver.assignment import FAILED, READY, SPENT, Assignment, Report
from thriftserver.compiled import choose
from thriftserver.config import Settings
from thriftserver.errors import BootError, ThriftServerError
from thriftserver.foreign import class_name, text_of
from thriftserver.log import Logger, about, enter_worker, flush, put
from thriftserver.rpc.binding import (
    LIFECYCLE,
    Bound,
    bind,
    call_user,
    describe,
    import_code,
    load_middleware,
    require_fit,
)
from thriftserver.rpc.method import make_methods
from thriftserver.rpc.observe import access_log, identity, now_serving
from thriftserver.scoreboard import layout
from thriftserver.worker.infancy import Infancy
from thriftserver.worker.patch import patch

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call
    from thriftserver.scoreboard.slot import Slot
    from thriftserver.worker.lifetime import Lifetime
    from thriftserver.worker.loop import Loop


def run(assignment: Assignment, become: Callable[[], None]) -> int:
    """Serve until told to stop; the exit code. Never raises, and reports to the master before it serves or fails.

    ``become`` gives up root, between the import of the handlers' modules and the making of the handlers.
    """
    gc.freeze()  # what came from the master: to look at it would copy its pages
    try:
        enter_worker(assignment.number)
        infancy = Infancy(assignment.lifeline)
        if assignment.stacks >= 0:
            faulthandler.enable(assignment.stacks, all_threads=True)
        if assignment.program.settings.monkey_patch:
            patch()
        return _serve(assignment, infancy, become)
    except ThriftServerError as error:
        Report(FAILED, error.exit_code, str(error)).send(assignment.report)
        return error.exit_code
    except BaseException as error:  # noqa: BLE001 - the child's entry: whatever it is, the master must hear of it
        Logger().exception("worker_failed", error)
        Report(FAILED, BootError.exit_code, f"a worker failed: {describe(error)}").send(assignment.report)
        return BootError.exit_code
    finally:
        atexit._run_exitfuncs()  # os._exit follows: what a handler or an exporter of spans has registered runs here
        flush()


def _serve(assignment: Assignment, infancy: Infancy, become: Callable[[], None]) -> int:
    # Imported here because these rooms import gevent, which must not happen before the patch, nor in the master.
    from thriftserver.worker.accept import Fellows
    from thriftserver.worker.fb303 import provider
    from thriftserver.worker.lifetime import Lifetime
    from thriftserver.worker.loop import HEARTBEAT, Loop
    from thriftserver.worker.threads import Threads
    from thriftserver.worker.watch import Watch

    program, log = assignment.program, Logger().bind(worker=assignment.number, pid=os.getpid())
    settings = program.settings
    slot = choose("scoreboard.slot").Slot(assignment.board.slot_words(assignment.number), assignment.board.plan)
    about(now_serving)
    _tell_of_greenlets(log)
    loading.use(program.loader)
    # Python tells a module's old bytecode from a new one by second and size: too little for who saves often.
    sys.dont_write_bytecode |= settings.reload
    import_code(settings.handler, settings.middleware)
    become()
    told = provider(assignment.board, assignment.number, log)
    bound = bind(settings.handler, settings.service, program.modules, told)
    for each in bound:
        for problem in require_fit(each):
            log.warning("handler_problem", problem=str(problem))
    threads = Threads(settings.threads, slot)
    methods = make_methods(
        bound,
        [load_middleware(spec) for spec in settings.middleware],
        settings.request_timeout,
        dict(settings.method_timeout),
        threads,
    )
    slot.open(os.getpid(), assignment.generation, [(m.service, m.name, m.throws) for m in methods], monotonic_ns())
    processor = choose("rpc.processor").Processor(
        methods,
        slot,
        _failures(log, slot, [(m.service, m.name) for m in methods]),
        settings.max_frame,
        settings.queue_timeout,
        access_log(settings.access_log, settings.slow_call, settings.access_sample, put),
        on_broken=lambda observer, error: log.exception("observer_failed", error, observer=repr(observer)),
        debug=settings.debug,
    )
    _expire(processor, settings, assignment.report)
    fellows = Fellows(assignment.board, assignment.number)
    loop = Loop(assignment.listeners, assignment.handoff, fellows, processor, threads, log, settings)
    lifetime = Lifetime(assignment.lifeline, {signal.SIGWINCH: loop.dump})
    for each in bound:
        _lifecycle(each, "setup")
    gc.freeze()  # what is alive now stays: the collector need not look at it again
    infancy.over = True
    slot.put(layout.STATE, layout.SERVING)
    loop.start()
    Watch(slot, methods, log, HEARTBEAT).start()
    if settings.reload:
        from thriftserver.worker.imports import Imports

        Imports(program.loader, assignment.report).start()
    Report(READY).send(assignment.report)
    _drain(loop, lifetime, assignment, log)
    for each in reversed(bound):
        _lifecycle(each, "teardown")
    slot.put(layout.STATE, layout.GONE)
    return 0


def _tell_of_greenlets(log: Logger) -> None:
    """What a handler's own greenlet dies of is a line like any other; gevent would print it."""
    from gevent import get_hub

    def failed(context: object, _kind: object, error: object, _traceback: object) -> None:
        if isinstance(error, BaseException):
            log.exception("greenlet_failed", error, greenlet=repr(context))

    hub: Any = get_hub()
    hub.print_exception = failed


def _expire(processor: Any, settings: Settings, report: int) -> None:
    """Ask for a successor after so many calls."""
    if settings.max_requests:
        processor.spent_after = settings.max_requests + random.randint(0, settings.max_requests_jitter)
        processor.on_spent = lambda: Report(SPENT).send(report)


def _drain(loop: Loop, lifetime: Lifetime, assignment: Assignment, log: Logger) -> None:
    from thriftserver.worker.lifetime import End

    timeout = assignment.program.settings.graceful_timeout
    how = lifetime.wait()
    log.debug("worker_draining", why=how.value)

    def has_successors(how: End) -> bool:
        """In the middle of an upgrade, another master's workers take what the death of this one's leaves."""
        other = assignment.board.other
        return how is End.RETIRE or (how is End.ORPHAN and other > 0 and os.path.exists(f"/proc/{other}"))

    def again(how: End) -> None:
        if how is End.HURRY:
            loop.cut()
        elif not has_successors(how):
            loop.close_all()

    lifetime.then(again)
    left = loop.drain(0.0 if how is End.HURRY else timeout, hand_over=has_successors(how))
    if left:
        log.warning("calls_cut", connections=left, graceful_timeout=timeout)


def _lifecycle(bound: Bound, name: str) -> None:
    """Call ``setup`` or ``teardown`` of a handler, unless its service has a method of that name."""
    assert name in LIFECYCLE
    function: Callable[[], Any] | None = getattr(bound.target, name, None)
    if function is not None and all(name != each.name for each in bound.service.methods()):
        call_user(function, f"handler {bound.spec}: {name}()")


def _failures(log: Logger, slot: Slot, methods: list[tuple[str, str]]) -> Callable[[Call], None]:
    """What hears of a call that went wrong: the log gets all of it, the scoreboard a line."""
    places = {name: place for place, name in enumerate(methods)}

    def failed(call: Call) -> None:
        facts = identity(call) | {"outcome": call.outcome, "error_id": call.error_id}
        error = call.error
        assert error is not None
        try:
            place, outcome = places[call.service, call.method], layout.OUTCOMES.index(call.outcome)
            slot.note_error(place, outcome, call.error_id, describe(error), monotonic_ns())
        except BaseException as problem:  # noqa: BLE001 - the line is worth more than the note
            facts["unnoted"] = class_name(problem)
        try:
            if call.outcome == "bad_result":
                log.error("handler_failed", error=text_of(error), **facts)
            else:
                log.exception("handler_failed", error, **facts)
        except BaseException as problem:  # noqa: BLE001 - what was bound to the log, or the exception's own attributes
            put("error", "handler_failed", facts | {"error": class_name(error), "untold": class_name(problem)})

    return failed
