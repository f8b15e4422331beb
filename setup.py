"""Builds the native walker; everything else about the package is in setup.cfg and pyproject.toml."""

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

try:
    from Cython.Build import cythonize
except ImportError:  # a pure install: slower, otherwise the same
    cythonize = None


def extensions() -> list[Extension]:
    """Sources that also run as they are get a second name, so that the readable ones stay importable beside them."""
    if cythonize is None:
        return []
    room = "thriftserver/codec"
    sources = {"_seam": "_seam.pyx", "_node": "node.py", "_walk": "walk.py", "_message": "message.py"}
    made = [
        Extension(
            f"thriftserver.codec.{name}",
            [f"{room}/{source}"],
            depends=[f"{room}/{name}" for name in ("seam.h", "_seam.pxd", "_node.pxd", "_walk.pxd", "_message.pxd")],
            include_dirs=[room],
            extra_compile_args=["-O3"],
        )
        for name, source in sources.items()
    ]
    directives = {
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
        "initializedcheck": False,
        "annotation_typing": False,
        "binding": False,
    }
    made = cythonize(made, compiler_directives=directives, build_dir="build")
    for extension in made:
        extension.optional = True  # no compiler: a pure install. Set here, because cythonize forgets it
    return made


class OptionalBuild(build_ext):
    """Setuptools forgives an optional extension a compiler that fails, but not one that is not there."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except OSError as error:
            raise CompileError(f"{ext.name} is not compiled: {error}") from error


setup(ext_modules=extensions(), cmdclass={"build_ext": OptionalBuild})
