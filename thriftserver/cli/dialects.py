"""The dialects in use in one line, for ``ctl status`` and ``top``."""

from __future__ import annotations

from collections.abc import Mapping


def in_use(dialects: Mapping[str, Mapping[str, int]]) -> str:
    """``framed-binary 12 connections, 3,401 calls; http 1, 20``: those that have any; empty when there are none."""
    parts: list[str] = []
    for name, counts in dialects.items():
        connections, calls = counts["connections"], counts["calls"]
        if connections or calls:
            units = ("", "") if parts else (_unit("connection", connections), _unit("call", calls))
            parts.append(f"{name} {connections:,}{units[0]}, {calls:,}{units[1]}")
    return "; ".join(parts)


def _unit(noun: str, count: int) -> str:
    return f" {noun}" if count == 1 else f" {noun}s"
