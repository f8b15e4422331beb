"""Where the values of options come from: which is in force, and who has said so.

Precedence: command line, then ``THRIFTSERVER_*``, then the configuration file, then the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from thriftserver.closest import closest
from thriftserver.config import ENV_PREFIX, OPTIONS, Option, Settings, flag
from thriftserver.configfile import read
from thriftserver.errors import ConfigError


def _text(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # a number in hexadecimal may have any length
        raise ValueError("a number has too many digits") from None
    except RecursionError:
        raise ValueError("values are nested too deeply") from None


def _parse(row: Option, value: Any, origin: str) -> Any:
    """A raw value (text, list of texts, or what TOML made of it) as the option's own type."""
    try:
        if row.repeatable:
            return tuple(row.parse(_text(item)) for item in ([value] if isinstance(value, str) else value))
        if isinstance(value, list | dict) or (isinstance(value, bool) and not isinstance(row.default, bool)):
            raise ValueError(f"{_text(value)} is not a single value")
        return row.parse(_text(value))
    except RecursionError:
        raise ConfigError(f"{origin}: values are nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{origin}: {error}") from None


def _from_env(row: Option, environ: Mapping[str, str]) -> tuple[Any, str] | None:
    for name in (ENV_PREFIX + row.name.upper(), row.env):
        if name and environ.get(name, "") != "":
            value = environ[name]
            return (value.split(",") if row.repeatable else value), f"environment variable {name}"
    return None


def misspelt(environ: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Variables that look like one of ours and are none: (name, the one that may be meant).

    Not errors: Kubernetes gives every container a THRIFTSERVER_PORT if there is a service called thriftserver.
    """
    known = {row.name.upper() for row in OPTIONS} | {"CONFIG", "PURE"}
    for name in environ:
        rest = name.removeprefix(ENV_PREFIX)
        if rest != name and rest not in known:
            meant = closest(rest, known, 0.75)
            if meant:
                yield name, ENV_PREFIX + meant


def resolve(
    cli: Mapping[str, Any], path: str | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings, dict[str, str]]:
    """The settings in force and, for each, where its value came from.

    ``cli`` holds what the command line gave (missing or empty: not given). Raises ConfigError naming the origin.
    """
    path = path or environ.get(ENV_PREFIX + "CONFIG") or None
    from_file = read(path, {row.name for row in OPTIONS}) if path else {}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for row in OPTIONS:
        given = cli.get(row.name)
        if given not in (None, ()):
            raw, origin = given, flag(row.name)
        elif (found := _from_env(row, environ)) is not None:
            raw, origin = found
        elif row.name in from_file:
            raw, origin = from_file[row.name], f"{path}: {row.name}"
        else:
            origins[row.name] = "default"
            continue
        values[row.name], origins[row.name] = _parse(row, raw, origin), origin
    return Settings(**values), origins
