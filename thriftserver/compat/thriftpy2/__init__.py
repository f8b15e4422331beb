"""What a client of thriftpy2 imports of ``thriftpy2`` itself."""

from __future__ import annotations

from collections.abc import Sequence

from thriftserver.importing import install_import_hook, remove_import_hook
from thriftserver.loading import Api, PathLike
from thriftserver.loading import load as _load

__all__ = ["install_import_hook", "load", "remove_import_hook"]


def load(
    path: PathLike,
    module_name: str | None = None,
    include_dirs: Sequence[PathLike] | None = None,
    include_dir: PathLike | None = None,
    encoding: str = "utf-8",
) -> Api:
    """``thriftserver.load``. What values are pickled by is the path of the IDL, so that ``module_name`` is not needed.

    IDL files are UTF-8. Raises IdlError.
    """
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8", "ascii"):
        raise ValueError(f"IDL files are UTF-8, not {encoding}")
    dirs = [*(include_dirs or ()), *([] if include_dir is None else [include_dir])]
    return _load(path, dirs)
