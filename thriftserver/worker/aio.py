"""Coroutines of handlers, run as tasks of one asyncio loop in a native thread of the worker.

The fiber of a call waits until its task has ended, so whatever counts, limits or ends calls finds these too.
What the two threads hand each other are jobs in two queues, with a bell beside each that is rung once for many.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial, wraps
from inspect import isawaitable
from itertools import dropwhile
from time import monotonic_ns
from types import FrameType
from typing import TYPE_CHECKING, Any

from gevent import Timeout, get_hub
from gevent.hub import Waiter
from gevent.monkey import get_original, is_module_patched
from greenlet import getcurrent

from thriftserver.log import Logger
from thriftserver.rpc.current import running
from thriftserver.rpc.refusal import ended_with
from thriftserver.worker.forked import close
from thriftserver.worker.stacks import walk

if TYPE_CHECKING:
    import asyncio

    from thriftserver.rpc.call import Call

#: Seconds that cancelled tasks have to end in. The master waits a second longer than ``--graceful-timeout``.
FAREWELL = 0.3
#: Seconds between two heartbeats of the loop.
HEARTBEAT = 0.5


_FORKED = RuntimeError("the worker's asyncio loop does not go on in a forked child: it ends where its code awaits")


class Job:
    """A coroutine function to be called on the loop, and how that has ended. ``left``: nobody waits for it any more.

    ``deadline`` is the call's, 0 for none.
    """

    __slots__ = ("args", "context", "deadline", "error", "function", "left", "task", "value", "waiter")

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], context: Context, deadline: int) -> None:
        self.deadline = deadline
        self.function = function
        self.args = args
        self.context = context
        self.waiter: Any = Waiter()
        self.task: asyncio.Task[None] | None = None
        self.left = False
        self.value: Any = None
        self.error: BaseException | None = None


class Aio:
    """The loop and its thread, which start with the first method that needs them. Made in the thread that serves.

    ``end_child`` is called with None or an error when code of a call has ended; it returns only in this process.
    """

    def __init__(self, log: Logger, end_child: Callable[[BaseException | None], None]) -> None:
        self._log = log
        self._end_child = end_child
        self._loop: Any = None
        self._selector: Any = None
        self._ending = False
        #: When the loop went round last, in monotonic nanoseconds; 0 while there is none.
        self.beaten = 0
        self._thread: tuple[int, Any] = (0, None)
        self._asked: deque[Job] = deque()
        self._done: deque[Job] = deque()
        self._running: set[Job] = set()
        self._calls: dict[Call, Job] = {}
        self._bell = -1
        self._rung = False
        self._hub: Any = None
        self._home: Any = None

    # In the thread that serves.

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The coroutine function as a plain one, which waits for its end; the context of who calls it goes along."""
        self._start()

        @wraps(function)
        def on_loop(*args: Any) -> Any:
            call = running()
            job = Job(function, args, copy_context(), 0 if call is None else call.deadline)
            if call is not None:
                self._calls[call] = job
            self._ask(job)
            try:
                job.waiter.get()
            except BaseException:
                job.left = True
                self._ask(job)
                raise
            finally:
                if call is not None:
                    self._calls.pop(call, None)
            if job.error is not None:
                raise job.error
            return job.value

        return on_loop

    def perhaps(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A plain function that may return a coroutine, as one that waits for its end."""
        wait = self(_itself)

        @wraps(function)
        def on_loop(*args: Any) -> Any:
            result = function(*args)
            return wait(result) if isawaitable(result) else result

        return on_loop

    def stack(self, call: Call) -> list[FrameType] | None:
        """Where a call's coroutine waits, outermost frame first; None for a call that has none."""
        job = self._calls.get(call)
        task = None if job is None else job.task
        if task is None:
            return None
        found: list[FrameType] = []
        waits: Any = task.get_coro()
        if waits.cr_running:
            return self.running()
        while waits is not None:  # it may go on at any moment
            frame = getattr(waits, "cr_frame", None) or getattr(waits, "gi_frame", None)
            if frame is not None:
                found.append(frame)
            waits = getattr(waits, "cr_await", None) or getattr(waits, "gi_yieldfrom", None)
        return found

    def running(self) -> list[FrameType]:
        """What the loop's thread is doing, outermost frame first; where it runs a call, from there on."""
        ident, its = self._thread
        # Code that waits cooperatively, which blocks this loop like any other wait, is in a greenlet that rests.
        found = walk((its and its.gr_frame) or sys._current_frames().get(ident))
        return list(dropwhile(lambda each: each.f_code is not Aio._answer.__code__, found)) or found

    def cut(self) -> None:
        """Cancel what is left of calls, whose connections are closed: nothing more becomes of them."""
        jobs = list(self._calls.values())
        for job in jobs:
            job.left = True
        if jobs:
            self._within(FAREWELL, self._cancel, [job.task for job in jobs if job.task is not None])

    def stop(self) -> None:
        """Cancel what handlers have left running, and end the loop."""
        if self._loop is None:
            return
        left = self._within(FAREWELL, self._leave)
        if left is None or left:
            self._log.warning("tasks_left", tasks=left, advice="end them in teardown(), and let them be cancelled")
        self._ending = True
        self._loop.call_soon_threadsafe(self._loop.stop)

    def disown(self) -> None:
        """In a forked child, which has not got the thread: the loop's epoll set is the worker's."""
        if self._bell >= 0:
            close(self._bell)
            self._selector.close()

    def _within(self, seconds: float, function: Callable[..., Any], *args: Any) -> Any:
        """What the coroutine function gives; None if it takes longer, because something blocks the loop."""
        with Timeout(seconds + 0.1, False):  # type: ignore[arg-type]
            return self(function)(*args)

    def _start(self) -> None:
        if self._loop is not None:
            return
        import asyncio  # most services have no coroutine
        from asyncio import unix_events

        if is_module_patched("os"):  # children are awaited by the loop that serves: for asyncio a thread asks there
            unix_events.can_use_pidfd = lambda: False  # type: ignore[attr-defined, unused-ignore]
        self._hub = get_hub()
        self._home = self._hub.loop.async_()
        self._home.start(self._deliver)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = _selector(self._end_child)
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.set_exception_handler(self._failed)
        self._loop.add_reader(self._bell, self._take)
        get_original("_thread", "start_new_thread")(self._run, ())

    def _ask(self, job: Job) -> None:
        self._asked.append(job)
        if job.waiter.hub is not self._hub:  # middleware may proceed on a thread
            os.eventfd_write(self._bell, 1)
        elif not self._rung:  # once for all calls of this round of the hub's loop
            self._rung = True
            self._hub.loop.run_callback(os.eventfd_write, self._bell, 1)

    def _deliver(self) -> None:
        done = self._done
        while done:
            waiter = done.popleft().waiter
            if waiter.hub is self._hub:
                waiter.switch(None)
            else:
                waiter.hub.loop.run_callback_threadsafe(waiter.switch, None)

    # In the thread of the loop.

    def _run(self) -> None:
        import asyncio

        self._thread = (get_original("_thread", "get_ident")(), getcurrent())
        asyncio.set_event_loop(self._loop)
        self._beat()
        while not self._ending:
            try:
                self._loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - SystemExit of a task ends no loop
                self._log.exception("task_failed", error)
        self._loop.close()

    def _beat(self) -> None:
        self.beaten = monotonic_ns()
        self._loop.call_later(HEARTBEAT, self._beat)

    def _take(self) -> None:
        os.eventfd_read(self._bell)
        self._rung = False  # before the queue is looked at
        asked = self._asked
        while asked:
            job = asked.popleft()
            if not job.left:
                self._running.add(job)
                job.task = self._loop.create_task(self._answer(job), context=job.context)
                job.task.add_done_callback(partial(self._ended, job), context=job.context)
            elif job.task is not None:
                job.task.cancel()

    async def _answer(self, job: Job) -> None:
        if job.left:  # before it could begin
            return
        try:
            job.value = await job.function(*job.args)
        except BaseException as error:  # noqa: BLE001 - raised again where the call waits for it
            job.error = error
        self._end_child(job.error)

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        self._running.discard(job)
        job.task = None  # nobody need free it in the other thread
        if task.cancelled():  # before it began
            job.error = _cancelled()()
        if not job.left:
            self._done.append(job)
            self._home.send()
        elif job.error is None or isinstance(job.error, _cancelled()):
            pass
        elif not ended_with(job.error, job.deadline, monotonic_ns()):
            self._log.exception("task_failed", job.error)

    async def _cancel(self, tasks: list[asyncio.Task[Any]]) -> int:
        """How many do not end."""
        import asyncio

        for task in tasks:
            task.cancel()
        return len((await asyncio.wait(tasks, timeout=FAREWELL))[1]) if tasks else 0

    async def _leave(self) -> int:
        import asyncio

        left = await self._cancel([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])
        await self._loop.shutdown_asyncgens()
        return left

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio would print."""
        if self._ending:
            return
        what = context.get("task") or context.get("future") or context.get("handle")
        facts = {"said": context["message"], "task": repr(what)}
        error = context.get("exception")
        if error is not None:
            self._log.exception("task_failed", error, **facts)
        else:
            self._log.error("task_failed", **facts)


async def _itself(awaitable: Any) -> Any:
    return await awaitable


def _cancelled() -> type[BaseException]:
    from asyncio import CancelledError

    return CancelledError


def _selector(end_child: Callable[[BaseException | None], None]) -> Any:
    """What waits in the kernel, and not, as gevent's does, in a hub. A forked child that comes here ends."""
    import selectors  # noqa: F401 - so that there is an original

    class Selector(get_original("selectors", "EpollSelector")):  # type: ignore[misc]
        def select(self, timeout: float | None = None) -> Any:
            end_child(_FORKED)
            return super().select(timeout)

    return Selector()
