"""Makes the folder of a new project out of the texts in ``template/``; all of it or nothing.

It writes files; it starts nothing and asks nobody.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from string import Template
from tempfile import mkdtemp
from typing import Final, NamedTuple

import thriftserver
from thriftserver.errors import ConfigError, of_file
from thriftserver.idl.loader import Loader
from thriftserver.stubs.package import package, write

_TEMPLATES: Final = Path(__file__).with_name("template")
#: Where each template goes.
FILES: Final = {
    "README.md": "README.md",
    "idl/$package.thrift": "service.thrift",
    "app.py": "app.py",
    "tests/test_app.py": "test_app.py",
    "thriftserver.toml": "thriftserver.toml",
    "pyproject.toml": "pyproject.toml",
    "requirements.txt": "requirements.txt",
    "requirements-dev.txt": "requirements-dev.txt",
    "$name.service": "unit",
    "Dockerfile": "Dockerfile",
    ".dockerignore": "dockerignore",
    ".gitignore": "gitignore",
}
#: Modules of the project, and what its package would hide from it though no distribution is called so.
_TAKEN: Final = frozenset(("app", "tests", "thriftserver"))


class Names(NamedTuple):
    """What a project's things are called: its folder, its Python package and its service."""

    name: str
    package: str
    service: str

    @classmethod
    def of(cls, name: str) -> Names:
        """``my-orders``, ``my_orders``, ``MyOrdersService``. Raises ConfigError for a name that cannot be all three."""
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([-_][A-Za-z0-9]+)*", name):
            raise ConfigError(f"cannot call a project {name!r}: write letters and digits, with - or _ between them")
        words = re.split(r"[-_]", name)
        package = "_".join(words).lower()
        if keyword.iskeyword(package):
            raise ConfigError(f"cannot call a project {name!r}: that is a keyword of Python")
        if package in _TAKEN or package in sys.stdlib_module_names or package in packages_distributions():
            raise ConfigError(f"cannot call a project {name!r}: there is a Python module {package} already")
        service = "".join(word[0].upper() + word[1:] for word in words)
        return cls(name, package, service if service.endswith("Service") else f"{service}Service")


def make(folder: Path) -> list[str]:
    """Make the project in a folder that does not exist yet, or is empty; the paths of its files.

    Raises ConfigError for a name that cannot be, or a folder that has something in it.
    """
    names = Names.of(folder.name)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already; choose another name")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        _fill(made, names)
        made.chmod((made / "tests").stat().st_mode)  # as the umask has it, not a private one
        made.rename(folder)
    except BaseException as error:
        shutil.rmtree(made)
        if isinstance(error, OSError):  # the name that it may have is of a file that is gone now
            raise of_file(error, str(folder)) from None
        raise
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _fill(folder: Path, names: Names) -> None:
    for path, text in _texts(names):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    loader = Loader()
    idl = folder / "idl" / f"{names.package}.thrift"
    write([package(loader.load(str(idl)), loader)], folder)


def _texts(names: Names) -> Iterator[tuple[str, str]]:
    words = names._asdict() | _imports(names) | {"version": thriftserver.__version__}
    for path, template in FILES.items():
        text = (_TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
        yield Template(path).substitute(words), Template(text).substitute(words)


def _imports(names: Names) -> dict[str, str]:
    """Lines in the order in which linters want them, whatever the project is called."""

    def line(*imported: str) -> str:
        return f"from {names.package} import {', '.join(sorted(imported))}"

    of_test = sorted(["from app import Handler", line(names.service, "NobodyThere")])
    return {"imports": line(names.service, "Greeting", "NobodyThere"), "imports_of_test": "\n".join(of_test)}
