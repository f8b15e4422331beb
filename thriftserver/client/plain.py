"""Arguments of a call given as plain JSON data, for people: by the command line and the admin page.

It checks and converts; it calls nothing.
"""

from __future__ import annotations

import json
from typing import Any

from thriftserver.client.methods import signature
from thriftserver.codec.plain import from_plain
from thriftserver.errors import ConfigError, EncodeError
from thriftserver.schema.model import Function


def read_arguments(function: Function, text: str) -> list[Any]:
    """Values in the order of the IDL from a JSON object or array; None for arguments left out.

    Raises ConfigError when the text is no JSON, or does not fit the method.
    """
    try:
        data = json.loads(text)
    except RecursionError:
        raise ConfigError("the arguments are nested too deep") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"the arguments are not JSON: {error}") from None
    except ValueError:  # JSON knows no limit, Python one of 4,300 digits
        raise ConfigError("the arguments do not fit: a number in them has thousands of digits") from None
    return arguments_of(function, data)


def arguments_of(function: Function, data: Any) -> list[Any]:
    """The same from JSON data that has been read."""
    if isinstance(data, list):
        if len(data) > len(function.args):
            raise ConfigError(f"{len(data)} arguments are too many: {signature(function)}")
        data = {arg.name: value for arg, value in zip(function.args, data, strict=False)}
    if not isinstance(data, dict):
        raise ConfigError(f"the arguments must be a JSON object or array: {signature(function)}")
    known = {arg.name for arg in function.args}
    for name in data:
        if name not in known:
            raise ConfigError(f"{function.name} has no argument {name!r}: {signature(function)}")
    try:
        return [
            from_plain(arg.type, data[arg.name], arg.name) if data.get(arg.name) is not None else None
            for arg in function.args
        ]
    except EncodeError as error:
        raise ConfigError(f"the arguments do not fit: {error}") from None
