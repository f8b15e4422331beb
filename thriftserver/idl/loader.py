"""Files to modules: finds includes, reads each file once, keeps what was loaded, and puts the diagnostics together.

It leaves syntax to ``parser`` and meaning to ``resolve``.
"""

from __future__ import annotations

import os
import posixpath
import threading
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from thriftserver.errors import IdlError
from thriftserver.idl import ast, standard
from thriftserver.idl.diagnostics import Diagnostic, Note, Report, Span, in_order, render
from thriftserver.idl.lexer import scan, unquote
from thriftserver.idl.parser import parse
from thriftserver.idl.resolve import resolve
from thriftserver.idl.scope import Unit
from thriftserver.idl.source import MAX_SIZE, TOO_LARGE, Source, Unreadable, read
from thriftserver.idl.syntax import report_failures
from thriftserver.schema.model import Module

#: Files that may be open at once, each included by the one before.
MAX_DEPTH: Final = 100


class Link(NamedTuple):
    """The literal of an ``include``, by its place in the text of the file, and the real path it leads to."""

    start: int
    end: int
    path: str


class Loaded:
    """One file, loaded: its text and module, what was wrong with it, the files it includes and where it does so."""

    __slots__ = ("broken", "diagnostics", "includes", "links", "module", "text")
    broken: bool

    def __init__(
        self,
        module: Module,
        diagnostics: list[Diagnostic],
        includes: list[Loaded],
        links: list[Link],
        failed: bool,
        text: str,
    ) -> None:
        self.module = module
        self.text = text
        self.diagnostics = diagnostics
        self.includes = includes
        self.links = links
        #: It, or a file it includes, has errors.
        self.broken = failed or any(included.broken for included in includes)

    def tree(self) -> list[Loaded]:
        """This file, then all that it includes, each once."""
        found: dict[int, Loaded] = {}
        waiting = [self]
        while waiting:
            item = waiting.pop()
            if id(item) not in found:
                found[id(item)] = item
                waiting.extend(reversed(item.includes))
        return list(found.values())


class Loader:
    """Loads IDL files and remembers them: one file is one Module, however it is reached. May be used by many threads.

    A new Loader knows nothing yet; make one to read files again that may have changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, Loaded] = {}
        #: What names led to when they were loaded. A symlink that leads elsewhere now, or a current directory that was
        #: removed, changes nothing for who loads by the same name again: a worker, what its master has loaded.
        self._named: dict[str, Loaded] = {}

    def load(self, path: str, include_dirs: Iterable[str] = (), files: Mapping[str, str] | None = None) -> Module:
        """The module of an IDL file. Raises IdlError with the whole report when there are errors; warnings are dropped.

        An include is looked for beside the file that includes it, then in ``include_dirs``, as Apache's compiler does,
        and at last among the files that come with thriftserver. With ``files`` (path -> text) everything but those
        comes from there and nothing from disk.
        """
        module, diagnostics = self.check(path, include_dirs, files)
        if module is None:
            raise IdlError(render(diagnostics), diagnostics)
        return module

    def files(self) -> list[str]:
        """The real paths of all files that are loaded."""
        with self._lock:
            return list(self._loaded)

    def text(self, module: Module) -> str:
        """The text that a module was made of, whatever its file on disk says now."""
        with self._lock:
            return self._loaded[module.path].text

    def links(self, module: Module) -> list[Link]:
        """Every include of a module that was loaded from disk, in the order of its text."""
        with self._lock:
            return self._loaded[module.path].links

    def check(
        self, path: str, include_dirs: Iterable[str] = (), files: Mapping[str, str] | None = None
    ) -> tuple[Module | None, list[Diagnostic]]:
        """Like ``load``, with everything there is to say, warnings too; no module when there are errors."""
        path = os.fspath(path)
        storage: _Disk | _Memory
        with self._lock:
            if files is None:
                storage, known = _Disk(), self._loaded
            else:
                storage, known = _Memory(files), {}
            run = _Run(storage, [os.fspath(folder) for folder in include_dirs], known)
            name = _name(path) if files is None else ""
            try:
                root = self._named.get(name) or run.load_root(path)
            except Unreadable as problem:
                return None, [Diagnostic("error", f"cannot read this file: {problem}", path)]
            tree = root.tree()
            for loaded in tree:
                if loaded.broken:
                    known.pop(loaded.module.path, None)
            if files is None and not root.broken:
                self._named |= {name: root, path: root}
        diagnostics = in_order([found for loaded in tree for found in loaded.diagnostics])
        return (None if root.broken else root.module), diagnostics


def _name(path: str) -> str:
    """What a file on disk is remembered by, beside its real path: its absolute name; as it is if there is none."""
    try:
        return os.path.abspath(path)
    except (OSError, ValueError):  # the current directory is gone
        return path


class _Disk:
    """Files as the operating system has them; a file's identity is its real path."""

    def key(self, path: str) -> str:
        try:
            return os.path.realpath(path)
        except ValueError as error:  # a NUL in the path
            raise Unreadable(f"its name is impossible: {error}") from None
        except OSError as error:  # a relative path, and the current directory is gone
            raise Unreadable(f"the current directory: {(error.strerror or str(error)).lower()}") from None

    def absolute(self, folders: list[str]) -> tuple[str, ...]:
        try:
            return tuple(os.path.abspath(folder) for folder in folders)
        except (OSError, ValueError):  # as above; nothing was found there either
            return ()

    def find(self, folder: str, name: str) -> str | None:
        try:
            path = os.path.join(folder, name)
            return path if os.path.exists(path) else None
        except ValueError:
            return None

    def folder(self, key: str) -> str:
        return os.path.dirname(key)

    def read(self, key: str) -> str:
        return read(key)


class _Memory:
    """Files given as texts; a file's identity is its normalised name."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {posixpath.normpath(path): text for path, text in files.items()}

    def key(self, path: str) -> str:
        return posixpath.normpath(path)

    def absolute(self, folders: list[str]) -> tuple[str, ...]:
        return tuple(folders)

    def find(self, folder: str, name: str) -> str | None:
        path = posixpath.normpath(posixpath.join(folder, name))
        return path if path in self.files else None

    def folder(self, key: str) -> str:
        return posixpath.dirname(key)

    def read(self, key: str) -> str:
        if key not in self.files:
            raise Unreadable("it is not among the given files")
        if len(self.files[key]) > MAX_SIZE:
            raise Unreadable(TOO_LARGE)
        return self.files[key]


class _Run:
    """One call of ``check``."""

    def __init__(self, storage: _Disk | _Memory, include_dirs: list[str], known: dict[str, Loaded]) -> None:
        self.storage = storage
        self.include_dirs = include_dirs
        self.absolute = storage.absolute(include_dirs)
        self.known = known
        #: Keys of the files being loaded, the root first.
        self.open: dict[str, Span | None] = {}

    def load_root(self, path: str) -> Loaded:
        key = self.storage.key(path)
        return self.known.get(key) or self._load(path, key, self.storage.read(key), ())

    def _load(self, path: str, key: str, text: str, chain: tuple[Span, ...]) -> Loaded:
        source = Source(path, key, text, self.absolute)
        report = Report(source, chain)
        self.open[key] = None
        tokens = scan(source.text)
        document, failures = parse(tokens, source.text)
        if failures or "\\" in source.text or not source.text.isascii():
            report_failures(failures, tokens, report)
        units: list[Unit] = []
        includes: list[Loaded] = []
        links: list[Link] = []
        for item in document.items:
            if isinstance(item, ast.Include):
                target = self._include(item, report, units, includes)
                if target is not None:
                    links.append(Link(item.path.at, item.path.end, target.module.path))
        module = resolve(document, units, report, lenient=bool(failures))
        del self.open[key]
        loaded = self.known[key] = Loaded(module, report.diagnostics, includes, links, report.failed, source.text)
        return loaded

    def _include(self, node: ast.Include, report: Report, units: list[Unit], includes: list[Loaded]) -> Loaded | None:
        """The included file; None when there is none, and that is said."""
        name = unquote(node.path.text)
        place = report.span(node.path.at, node.path.end)
        basename = posixpath.basename(name)
        unit = Unit(basename.rpartition(".")[0] or basename, None, True, place)
        units.append(unit)
        storage, path = self._find(name, self.storage.folder(report.source.key))
        if path is None:
            unit.problem = f"cannot find `{name}`"
            if not name.startswith("/"):
                folders = [os.path.dirname(report.source.path) or ".", *self.include_dirs]
                unit.help = f"looked for it in {', '.join(f'`{folder}`' for folder in folders[:10])}"
            return None
        key = storage.key(path)
        if key in self.open:
            self._cycle(node, key, report)
            return None
        loaded = self.known.get(key)
        if loaded is None:
            if len(self.open) >= MAX_DEPTH:
                report.error(place.start, place.end, f"includes are nested more than {MAX_DEPTH} deep here")
                return None
            try:
                text = storage.read(key)
            except Unreadable as problem:
                report.error(place.start, place.end, f"cannot read `{name}`: {problem}")
                return None
            shown = path if os.path.isabs(name) else self._shown(report.source.path, name, path)
            self.open[report.source.key] = place
            loaded = self._load(shown, key, text, (place, *report.chain))
        if all(loaded is not other for other in includes):
            includes.append(loaded)
        else:
            units.pop()
            return loaded
        unit.name = loaded.module.name
        unit.module = loaded.module
        unit.broken = loaded.broken
        return loaded

    def _find(self, name: str, beside: str) -> tuple[_Disk | _Memory, str | None]:
        """Where the included file is, and by what path; None when there is none."""
        folders = [""] if name.startswith("/") else [beside, *self.include_dirs]
        for folder in folders:
            path = self.storage.find(folder, name)
            if path is not None:
                return self.storage, path
        return _Disk(), standard.find(name)

    def _shown(self, including: str, name: str, path: str) -> str:
        """The path that messages show: relative to the including file as that was given, when that is the same file."""
        relative = os.path.normpath(os.path.join(os.path.dirname(including), name))
        return relative if self.storage.key(relative) == self.storage.key(path) else os.path.normpath(path)

    def _cycle(self, node: ast.Include, key: str, report: Report) -> None:
        keys = list(self.open)
        cycle = keys[keys.index(key) :]
        self.open[report.source.key] = report.span(node.path.at, node.path.end)
        names = [posixpath.basename(item) for item in (*cycle, key)]
        message = "a file includes itself" if len(cycle) == 1 else f"files include each other: {' -> '.join(names)}"
        notes = []
        for item, target in zip(cycle[:-1], names[1:], strict=False):
            place = self.open[item]
            if place is not None:
                notes.append(Note(f"`{target}` is included here", place))
        report.error(node.path.at, node.path.end, message, *notes)
