"""A service whose methods are coroutines: they wait for a file that a test makes, fail, block, leave things behind."""

from __future__ import annotations

from pathlib import Path

IDL = """
service Later {
  void ping()
  i32 add(1: i32 a, 2: i32 b)
  string wait(1: string name)
  string on_a_thread(1: string name)
  string stubborn(1: string name)
  string angry(1: string name)
  string plain(1: string name)
  string by_plain(1: string what)
  string with_asyncio(1: string what)
  string who(1: string text)
  string fail(1: string how)
  string leave(1: string how)
  string spin(1: string seconds)
  string fork(1: string how)
  oneway void note(1: string how)
}
"""

HANDLER = """
import asyncio, contextvars, functools, json, os, pathlib, signal, socket, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import gevent.lock
import structlog
import thriftserver

pool = ThreadPoolExecutor(3)
log = structlog.get_logger()
bound = contextvars.ContextVar("bound", default="nothing")


def tell(event, **facts):
    os.write(2, (json.dumps({"event": event, "level": "debug", **facts}) + "\\n").encode())


async def until(name):
    tell("waiting", name=name)
    while not pathlib.Path(name).exists():
        await asyncio.sleep(0.005)
    return name


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Impl:
    async def setup(self):
        self.loop = asyncio.get_running_loop()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.left = set()

    async def teardown(self):
        self.server.close()
        tell("torn down", same=asyncio.get_running_loop() is self.loop)

    async def _serve(self, reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    async def ping(self): pass
    async def add(self, a, b): return a + b

    async def wait(self, name):
        try:
            return await until(name)
        except asyncio.CancelledError:
            tell("cancelled", name=name, method=thriftserver.current_call().method)
            raise

    async def on_a_thread(self, name):
        def block():
            tell("waiting", name=name)
            while not pathlib.Path(name).exists():
                time.sleep(0.005)
            return thriftserver.current_call().method

        return await asyncio.to_thread(block)

    async def stubborn(self, name):
        while True:
            try:
                return await until(name)
            except asyncio.CancelledError:
                tell("cancelled", name=name)

    async def angry(self, name):
        try:
            return await until(name)
        except asyncio.CancelledError:
            raise ValueError("cancelled, in anger")

    def plain(self, name):
        tell("waiting", name=name)
        while not pathlib.Path(name).exists():
            time.sleep(0.005)
        return name

    def by_plain(self, what):
        return asyncio.run_coroutine_threadsafe(self.with_asyncio(what), self.loop).result()

    async def with_asyncio(self, what): return await getattr(self, f"_{what}")()

    async def _streams(self):
        reader, writer = await asyncio.open_connection("localhost", self.port)
        told = []
        for word in ("one", "two"):
            writer.write(f"{word}\\n".encode())
            told.append((await reader.readline()).decode().strip())
        writer.close()
        await writer.wait_closed()
        return " ".join(told)

    async def _threads(self):
        def work():
            time.sleep(0.01)
            return thriftserver.current_call().method

        executor = asyncio.get_running_loop().run_in_executor
        return " ".join(await asyncio.gather(asyncio.to_thread(work), executor(None, work)))

    async def _subprocess(self):
        code = "import sys; print(sys.stdin.read()[::-1], end=''); sys.exit(3)"
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
        out, _ = await child.communicate(b"abc")
        codes = [await (await asyncio.create_subprocess_exec("false")).wait() for _ in range(20)]
        other = await asyncio.create_subprocess_shell("exit 4")
        return f"{out.decode()} {child.returncode} {await other.wait()} {sum(codes)}"

    async def _processes(self):
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(1) as pool:
            return str(await asyncio.get_running_loop().run_in_executor(pool, abs, -7))

    async def _groups(self):
        async def number(n):
            await asyncio.sleep(0.001 * n)
            return f"{n} {thriftserver.current_call().method}"

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            tasks = [group.create_task(number(n)) for n in range(2)]
        queue = asyncio.Queue()
        async with asyncio.Lock():
            self.loop.call_soon(queue.put_nowait, "queued")
            told = [task.result() for task in tasks] + [await queue.get()]
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return " ".join([*told, "late"])

    async def _locks(self):
        kinds = gevent.lock.Semaphore, gevent.lock.RLock
        return " ".join(
            f"{name}.{key}" for name, module in list(sys.modules.items()) for key, value in list(vars(module).items())
            if isinstance(value, kinds)
        )

    async def _names(self):
        (_, _, _, _, address), *_ = await self.loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM)
        return f"{address[0]}:{address[1]}"

    async def who(self, text):
        before = bound.get()
        bound.set(text)
        structlog.contextvars.bind_contextvars(text=text)
        await asyncio.sleep(0.01)
        log.info("said", task=await asyncio.create_task(self._said()))
        return f"{before} {bound.get()}"

    async def _said(self): return bound.get()

    async def fail(self, how):
        await asyncio.sleep(0)
        match how:
            case "misfit": return 5
            case "coroutine": return self.ping()
            case "child": asyncio.current_task().cancel(); await asyncio.sleep(1)
        kinds = {"cancelled": asyncio.CancelledError, "exit": SystemExit, "interrupt": KeyboardInterrupt,
                 "generator": GeneratorExit, "silent": Silent, "stop": StopIteration, "base": BaseException}
        raise kinds.get(how, ValueError)("secret")

    async def leave(self, how):
        async def failing(): raise {"exit": SystemExit}.get(how, ValueError)("left behind")

        async def waiting():
            while True:
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    tell("left is cancelled", how=how)
                    if how != "stubborn":
                        raise

        async def generating():
            try:
                yield 1
            finally:
                tell("generator closed")

        if how == "generator":
            self.generator = generating()
            return str(await anext(self.generator))
        task = asyncio.create_task(failing() if how in ("failing", "exit") else waiting())
        if how not in ("failing", "exit"):
            self.left.add(task)
        return how

    async def spin(self, seconds):
        tell("spinning")
        time.sleep(float(seconds))
        return "spun"

    async def fork(self, how):
        pid = os.fork()
        if pid == 0:
            if how == "waits":
                await asyncio.sleep(0)
            if how == "fails":
                raise ValueError("in the child")
            return how
        return str(os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, pid, 0))[1]))

    async def note(self, how):
        tell("noted", how=how)
        raise ValueError(how)


def outer(call, proceed):
    token = bound.set("by middleware")
    call.args = [f"{each}!" for each in call.args]
    return proceed() + f" {bound.get()}"


def on_a_thread(call, proceed): return pool.submit(proceed).result()


async def later(call, proceed): return proceed()
"""

ARGS = ("--idl", "later.thrift", "--handler", "later:Impl")


def write_later(folder: Path, handler: str = HANDLER) -> Path:
    """``later.thrift`` and ``later.py`` in ``folder``, which is returned."""
    (folder / "later.thrift").write_text(IDL)
    (folder / "later.py").write_text(handler)
    return folder
