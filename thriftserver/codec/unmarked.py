"""Where JSON has brackets and separators, and other protocols nothing: the ends of fields and containers, keys of maps.

``_unmarked.pxi`` has the C twins.
"""

from __future__ import annotations

from thriftserver.codec.memory import Sink, Source


def close_field(source: Source) -> None:
    pass


def close_list(source: Source) -> None:
    pass


def open_key(source: Source) -> None:
    pass


def close_key(source: Source) -> None:
    pass


def close_map(source: Source) -> None:
    pass


def end_field(sink: Sink) -> None:
    pass


def end_list(sink: Sink) -> None:
    pass


def begin_key(sink: Sink) -> None:
    pass


def end_key(sink: Sink) -> None:
    pass


def end_map(sink: Sink) -> None:
    pass
