"""Builds the native twins of the hot rooms; everything else about the package is in setup.cfg and pyproject.toml."""

import compileall
import os
from pathlib import Path
from shutil import copy

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

try:
    from Cython.Build import cythonize
except ImportError:  # a pure install: slower, otherwise the same
    cythonize = None

#: The protocols, and what of ``codec/walk`` each of them runs over its own seam.
PROTOCOLS = ["binary", "compact", "tjson"]
WALKERS = ["node", "container", "record", "scan", "message"]
#: Compiled module -> its source. Sources that also run as they are get a second name, so that they stay importable.
SOURCES = {
    "codec._memory": "codec/_memory.pyx",
    "codec._slots": "codec/_slots.pyx",
    "codec._header": "codec/_header.pyx",
    "codec._protocol": "codec/protocol.py",
    **{f"codec.{each}._seam": f"codec/{each}/_seam.pyx" for each in PROTOCOLS},
    **{f"codec.{each}._header": f"codec/{each}/header.py" for each in PROTOCOLS},
    "dialect._transport": "dialect/transport.py",
    "dialect._theader": "dialect/theader.py",
    "scoreboard._slot": "scoreboard/slot.py",
    "rpc._call": "rpc/call.py",
    "rpc._processor": "rpc/processor.py",
    "worker._pump": "worker/pump.py",
    "worker._stream": "worker/stream.py",
    "worker._connection": "worker/connection.py",
    "worker._outgoing": "worker/outgoing.py",
    "worker._parking": "worker/parking.py",
    "client._deadline": "client/deadline.py",
    "client._conversation": "client/conversation.py",
    "client._line": "client/line.py",
    "client._channel": "client/channel.py",
    "client._lending": "client/lending.py",
    "client._pooled": "client/pooled.py",
    "tls._ends": "tls/_ends.pyx",
    "tls._tunnel": "tls/tunnel.py",
}
#: Where each protocol has copies of the walkers for Cython, which names what it writes by its source.
COPIES = Path("build/walkers")
HOUSE = "thriftserver"

#: Aligned, because where a walker's loop happens to lie in memory makes up to a fifth of what a call of it costs.
FLAGS = ["-O3", "-falign-functions=64", "-falign-loops=32"]


DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "annotation_typing": False,
    "binding": False,
}


def extensions() -> list[Extension]:
    if cythonize is None:
        return []
    shared = sorted(str(path) for pattern in ("*.pxd", "*.pxi", "*.h") for path in Path("thriftserver").rglob(pattern))
    made = []
    walkers = {
        f"codec.{each}._{walker}": f"{COPIES}/thriftserver/codec/{each}/_{walker}.py"
        for each in PROTOCOLS
        for walker in WALKERS
    }
    for name, source in ({key: f"thriftserver/{path}" for key, path in SOURCES.items()} | walkers).items():
        folder = f"thriftserver/{name.rpartition('.')[0].replace('.', '/')}"
        made.append(
            Extension(
                f"thriftserver.{name}",
                [source],
                depends=shared,
                include_dirs=[folder, "thriftserver/codec", "thriftserver/client"],  # each protocol has a seam.h
                extra_compile_args=FLAGS,
                optional=True,  # no compiler: a pure install
            )
        )
    return made


class OptionalBuild(build_ext):
    """Setuptools forgives an optional extension a compiler that fails, but not one that is not there."""

    def initialize_options(self) -> None:
        """On all processors: on one it takes minutes."""
        super().initialize_options()
        self.parallel = True

    def run(self) -> None:
        """Cython's part is here, because pip reads this file several times before it builds.

        Byte-compile too, as pip does where it copies: an editable install may be run where Python writes nothing.
        """
        if self.extensions:
            self._write_c()
        super().run()
        if self.inplace:
            compileall.compile_dir("thriftserver", quiet=1)

    def _write_c(self) -> None:
        for protocol in PROTOCOLS:
            folder = COPIES / HOUSE / "codec" / protocol
            folder.mkdir(parents=True, exist_ok=True)
            for package in (folder, folder.parent, folder.parent.parent):
                (package / "__init__.py").touch()
            for walker in WALKERS:
                own = Path(HOUSE, "codec", protocol)
                room = own if (own / f"{walker}.py").exists() else own.parent / "walk"
                copy(room / f"{walker}.py", folder / f"_{walker}.py")
                types = (room / f"_{walker}.pxd").read_text()
                # Cython takes "." for the folder of the copy, where the seam is not.
                (folder / f"_{walker}.pxd").write_text(types.replace("from ._", f"from {HOUSE}.codec.{protocol}._"))
        # Forced, because Cython looks for what a module depends on under the source's name, and ours have two.
        options = {"build_dir": "build", "force": True, "include_path": [str(COPIES), "."]}
        options["nthreads"] = os.cpu_count() or 1
        written = {made.name: made for made in cythonize(self.extensions, compiler_directives=DIRECTIVES, **options)}
        for extension in self.extensions:
            extension.sources = written[extension.name].sources

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            raise CompileError(f"{ext.name} is not compiled: {error}") from error


setup(ext_modules=extensions(), cmdclass={"build_ext": OptionalBuild})
