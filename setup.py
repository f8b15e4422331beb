"""Builds the native twins of the hot rooms; everything else about the package is in setup.cfg and pyproject.toml."""

import compileall
import os
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

try:
    from Cython.Build import cythonize
except ImportError:  # a pure install: slower, otherwise the same
    cythonize = None

#: Compiled module -> its source. Sources that also run as they are get a second name, so that they stay importable.
SOURCES = {
    "codec._seam": "_seam.pyx",
    "codec._node": "node.py",
    "codec._container": "container.py",
    "codec._walk": "walk.py",
    "codec._message": "message.py",
    "scoreboard._slot": "slot.py",
    "rpc._call": "call.py",
    "rpc._processor": "processor.py",
    "worker._pump": "pump.py",
    "worker._stream": "stream.py",
    "worker._connection": "connection.py",
}

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
    shared = sorted(str(path) for pattern in ("*/*.pxd", "*/*.h") for path in Path("thriftserver").glob(pattern))
    made = []
    for name, source in SOURCES.items():
        room = f"thriftserver/{name.partition('.')[0]}"
        made.append(
            Extension(
                f"thriftserver.{name}",
                [f"{room}/{source}"],
                depends=shared,
                include_dirs=["thriftserver/codec"],
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
        # Forced, because Cython looks for what a module depends on under the source's name, and ours have two.
        options = {"build_dir": "build", "force": True, "nthreads": os.cpu_count() or 1}
        written = {made.name: made for made in cythonize(self.extensions, compiler_directives=DIRECTIVES, **options)}
        for extension in self.extensions:
            extension.sources = written[extension.name].sources

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            raise CompileError(f"{ext.name} is not compiled: {error}") from error


setup(ext_modules=extensions(), cmdclass={"build_ext": OptionalBuild})
