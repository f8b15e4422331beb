"""A worker's life from its fork to its exit code: import the handler, serve, drain.

It runs in the child process. It knows the master only through its ``Assignment``.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import os
import random
import sys
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from thriftserver import loading, lookups
from thriftserver.assignment import FAILED, READY, SPENT, TELL, Assignment, Program, Report
from thriftserver.compiled import choose
from thriftserver.config import Settings
from thriftserver.errors import BootError, EncodeError, ThriftServerError
from thriftserver.foreign import class_name, text_of
from thriftserver.log import Logger, about, enter_worker, flush, lost, put
from thriftserver.rpc.binding import (
    LIFECYCLE,
    Bound,
    bind,
    call_user,
    choose_service,
    describe,
    import_code,
    load_middleware,
    place_of,
    require_fit,
)
from thriftserver.rpc.method import Method, Wrap, make_methods
from thriftserver.rpc.observe import access_log, identity, now_serving
from thriftserver.rpc.parameters import is_async
from thriftserver.rpc.permission import restrict
from thriftserver.rpc.types import load_types
from thriftserver.scoreboard import layout
from thriftserver.waiting import lines_from
from thriftserver.worker.infancy import Infancy
from thriftserver.worker.later import LATER
from thriftserver.worker.patch import patch

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call
    from thriftserver.rpc.fb303 import Provider
    from thriftserver.scoreboard.slot import Slot
    from thriftserver.worker.forked import Offspring
    from thriftserver.worker.lifetime import Lifetime
    from thriftserver.worker.loop import Loop
    from thriftserver.worker.outgoing import Outgoing

#: CPython's words, which has no exception of its own for it.
_NO_THREAD = "can't start new thread"
_NO_THREAD_ADVICE = (
    "the system gives a worker no threads; look at the limits of the user and the cgroup (ulimit -u, TasksMax=)"
)


def run(assignment: Assignment, become: Callable[[Iterable[str]], None]) -> int:
    """Serve until told to stop; the exit code. Never raises, and reports to the master before it serves or fails.

    ``become`` imports the modules that it is given and gives up root, between the import of the handlers' modules and
    the making of the handlers.
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
    except BaseException as error:  # noqa: BLE001 - the child's entry: whatever it is, the master must hear of it
        return _fail(assignment, error)
    finally:
        atexit._run_exitfuncs()  # os._exit follows: what a handler or an exporter of spans has registered runs here
        flush()


def _fail(assignment: Assignment, error: BaseException) -> int:
    """Report why this worker ends; its exit code."""
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        error = BootError(_NO_THREAD_ADVICE)
    if isinstance(error, ThriftServerError):
        Report(FAILED, error.exit_code, str(error)).send(assignment.report)
        return error.exit_code
    Logger().exception("worker_failed", error)
    Report(FAILED, BootError.exit_code, f"a worker failed: {describe(error)}").send(assignment.report)
    return BootError.exit_code


def _serve(assignment: Assignment, infancy: Infancy, become: Callable[[Iterable[str]], None]) -> int:
    # Imported here because these rooms import gevent, which must not happen before the patch, nor in the master.
    from thriftserver.worker.accept import Fellows
    from thriftserver.worker.aio import Aio
    from thriftserver.worker.contexts import inherit_contexts
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
    if settings.monkey_patch:
        from thriftserver.worker.bridge import Bridge
        from thriftserver.worker.locks import share_locks

        Bridge()
        share_locks()
    inherit_contexts()
    offspring = _offspring(assignment, log)
    loading.use(program.loader)
    # Python tells a module's old bytecode from a new one by second and size: too little for who saves often.
    sys.dont_write_bytecode |= settings.reload
    with offspring.kept_out():
        import_code(settings.handler, settings.middleware, settings.types)
    beyond = _telling(program)
    become(chain(LATER, lookups.modules()))
    told = provider(assignment.board, assignment.number, log)
    with offspring.kept_out():
        bound = _bound(program, told)
        middleware = [load_middleware(spec) for spec in settings.middleware]
    for each in bound:
        for problem in require_fit(each):
            log.warning("handler_problem", problem=str(problem))
    threads = Threads(settings.threads, slot, offspring.end_child)
    aio = Aio(log, offspring.end_child)
    offspring.without(aio.disown)
    methods = make_methods(
        bound,
        middleware,
        settings.request_timeout,
        dict(settings.method_timeout),
        threads,
        load_types(settings.types, bound),
        aio,
        aio.perhaps,
    )
    restrict(methods, settings.allow_san, partial(_forbidden, log))
    slot.open(os.getpid(), assignment.generation, [(m.service, m.name, m.throws) for m in methods], monotonic_ns())
    processor = choose("rpc.processor").Processor(
        methods,
        slot,
        _failures(log, slot, methods),
        settings.max_frame,
        settings.queue_timeout,
        access_log(settings.access_log, settings.slow_call, settings.access_sample, put),
        on_broken=lambda observer, error: log.exception("observer_failed", error, observer=repr(observer)),
        debug=settings.debug,
    )
    processor.on_expired = offspring.end_child
    processor.beyond = beyond
    _expire(processor, settings, assignment.report)
    fellows = Fellows(assignment.board, assignment.number, assignment.beside)
    loop = Loop(assignment.listeners, assignment.handoff, fellows, processor, [threads.stack, aio.stack], log, settings)
    offspring.without(loop.disown)
    lines_from(partial(_parking, loop.outgoing))
    lifetime = Lifetime(assignment.lifeline, {TELL: loop.dump})
    _errands(assignment, loop, methods, offspring, log)
    for each in bound:
        with offspring.kept_out():
            _lifecycle(each, "setup", aio)
    gc.freeze()  # what is alive now stays: the collector need not look at it again
    infancy.over = True
    slot.put(layout.STATE, layout.SERVING)
    loop.start()
    Watch(slot, methods, log, HEARTBEAT, aio).start()
    if settings.reload:
        from thriftserver.worker.imports import Imports

        Imports(program.loader, assignment.report).start()
    Report(READY).send(assignment.report)
    _drain(loop, lifetime, assignment, log)
    if loop.pump.tap is not None:
        loop.pump.tap.flush()
    aio.cut()
    for each in reversed(bound):
        with offspring.kept_out():
            _lifecycle(each, "teardown", aio)
    aio.stop()
    slot.put(layout.COUNTER["log_lines_lost"], lost())
    slot.put(layout.STATE, layout.GONE)
    return 0


def _bound(program: Program, told: Provider) -> list[Bound]:
    """The services with their handlers: imported ones, or those that the program makes."""
    settings, make = program.settings, program.handlers
    if make is None:
        return bind(settings.handler, settings.service, program.modules, told)
    services = [choose_service(name, program.modules) for name in program.services]
    return [Bound(service, make(service), "mock", told) for service in services]


def _offspring(assignment: Assignment, log: Logger) -> Offspring:
    """From now on children that handler code forks get nothing of what was assigned to this worker."""
    from thriftserver.worker.forked import Offspring

    offspring = Offspring(log)
    for sock in assignment.listeners:
        offspring.without(sock.close)
    offspring.without(assignment.handoff.close)
    for descriptor in (assignment.lifeline, assignment.report, assignment.stacks, assignment.board.descriptor):
        offspring.without_descriptor(descriptor)
    return offspring


def _errands(assignment: Assignment, loop: Loop, methods: list[Method], offspring: Offspring, log: Logger) -> None:
    """From now on the master may ask for more than serving."""
    from thriftserver.worker.errands import Errands, overhear, profile

    tasks = {
        "tap": overhear(loop.pump, assignment.program, offspring),
        "profile": profile(methods, loop.fibers),
    }
    errands = Errands(assignment.errands, tasks, log)
    offspring.without(errands.disown)
    errands.start()


def _parking(outgoing: Outgoing) -> Callable[[int], Any] | None:
    """What a connection that a handler makes is, if it is made where it can be waited for in the worker's loop."""
    if not outgoing.is_here():
        return None
    return partial(choose("worker.parking").Parking, outgoing)  # imported here: most handlers call nobody


def _tell_of_greenlets(log: Logger) -> None:
    """What a handler's own greenlet dies of is a line like any other; gevent would print it."""
    from gevent.hub import Hub

    def failed(_hub: Hub, context: object, _kind: object, error: object, _traceback: object) -> None:
        if isinstance(error, BaseException):
            log.exception("greenlet_failed", error, greenlet=repr(context))

    Hub.print_exception = failed  # type: ignore[assignment]  # of the hubs of threads too


def _telling(program: Program) -> Any:
    """What answers for the IDL; None where it is nobody's business."""
    settings = program.settings
    if settings.reflection == "off":
        return None
    from thriftserver.reflection.telling import Telling

    return Telling(settings.reflection, program.modules, program.services, program.loader, settings.max_frame)


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


def _lifecycle(bound: Bound, name: str, on_loop: Wrap) -> None:
    """Call ``setup`` or ``teardown`` of a handler, unless its service has a method of that name."""
    assert name in LIFECYCLE
    function: Callable[[], Any] | None = getattr(bound.target, name, None)
    if function is not None and all(name != each.name for each in bound.service.methods()):
        call_user(on_loop(function) if is_async(function) else function, f"handler {bound.spec}: {name}()")


def _forbidden(log: Logger, call: Call, reason: str) -> None:
    log.warning("call_forbidden", **identity(call), reason=reason)


def _failures(log: Logger, slot: Slot, methods: list[Method]) -> Callable[[Call], None]:
    """What hears of a call that went wrong: the log gets all of it, the scoreboard a line.

    A value that does not fit has come from the handler's code, which is left by the time it is found out: it is named.
    """
    numbers = {(method.service, method.name): number for number, method in enumerate(methods)}

    def failed(call: Call) -> None:
        facts = identity(call) | {"outcome": call.outcome, "error_id": call.error_id}
        error = call.error
        assert error is not None
        number, outcome = numbers[call.service, call.method], layout.OUTCOMES.index(call.outcome)
        ours = call.outcome == "bad_result" and isinstance(error, EncodeError)
        try:
            text = text_of(error) if ours else describe(error)
            if call.outcome == "bad_result":
                facts["handler"] = place_of(methods[number].target)
                text = f"{facts['handler']}: {text}"
            slot.note_error(number, outcome, call.error_id, text, monotonic_ns())
        except BaseException as problem:  # noqa: BLE001 - the line is worth more than the note
            facts["unnoted"] = class_name(problem)
        try:
            if ours:  # the traceback would show our encoder and nothing else
                log.error("handler_failed", error=text_of(error), **facts)
            else:
                log.exception("handler_failed", error, **facts)
        except BaseException as problem:  # noqa: BLE001 - what was bound to the log, or the exception's own attributes
            put("error", "handler_failed", facts | {"error": class_name(error), "untold": class_name(problem)})

    return failed
