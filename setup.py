"""Builds the native walker; everything else about the package is in setup.cfg and pyproject.toml."""

from setuptools import Extension, setup

try:
    from Cython.Build import cythonize
except ImportError:  # a pure install: slower, otherwise the same
    cythonize = None


def extensions() -> list[Extension]:
    """One source, compiled under a second name, so that the readable one stays importable beside it."""
    if cythonize is None:
        return []
    room = "thriftserver/codec"
    made = [
        Extension(
            f"thriftserver.codec.{name}",
            [f"{room}/{source}"],
            depends=[f"{room}/seam.h", f"{room}/_seam.pxd", f"{room}/_walk.pxd", f"{room}/_message.pxd"],
            include_dirs=[room],
            extra_compile_args=["-O3"],
            optional=True,  # no compiler: a pure install
        )
        for name, source in (("_seam", "_seam.pyx"), ("_walk", "walk.py"), ("_message", "message.py"))
    ]
    directives = {
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
        "initializedcheck": False,
        "annotation_typing": False,
        "binding": False,
    }
    return cythonize(made, compiler_directives=directives, build_dir="build")  # type: ignore[no-any-return]


setup(ext_modules=extensions())
