"""The configuration file: TOML, whose keys are options.

It reads and says what is wrong; what a value means is ``config``'s to know.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from thriftserver.closest import closest
from thriftserver.errors import ConfigError


def read(path: str, known: Set[str]) -> dict[str, Any]:
    """Its values by their options' names, of which all must be ``known``. Raises ConfigError, with the file's name."""
    import tomllib  # most servers are started without a file

    try:
        with open(path, "rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read configuration file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    except (ValueError, RecursionError) as error:  # what Python gives up on though TOML allows it
        what = "a number with too many digits" if isinstance(error, ValueError) else "values nested too deeply"
        raise ConfigError(f"{path}: it has {what}") from None
    for key in data:
        if key.replace("-", "_") not in known:
            close = closest(key.replace("-", "_"), known)
            raise ConfigError(f"{path}: unknown key {key!r}" + (f"; did you mean {close!r}?" if close else ""))
    return {key.replace("-", "_"): value for key, value in data.items()}
