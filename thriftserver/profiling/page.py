"""A profile as one page of HTML, which loads nothing from anywhere: a flame graph, methods, lines."""

from __future__ import annotations

import json
import re
from html import escape
from importlib.resources import files

from thriftserver.profiling.profile import Profile

#: Lines in the table of the most expensive ones.
LINES = 40


def page(profile: Profile) -> str:
    """The whole page."""
    folder = files("thriftserver.profiling").joinpath("page")
    html, style, script = (folder.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css", "flame.js"))
    busy = profile.total / 1e9 / profile.seconds if profile.seconds else 0.0
    values = {
        "title": f"CPU of worker {profile.pid}",
        "about": f"{profile.seconds:.1f} s at {profile.rate:g} Hz, {profile.samples:,} samples, {profile.server}",
        "cpu": f"{profile.total / 1e9:.2f} s",
        "busy": f"{busy:.0%}",
        "style": style,
        "script": script,
        # Nothing in it ends the element that it stands in.
        "data": json.dumps(_data(profile)).replace("<", "\\u003c"),
    }
    raw = ("style", "script", "data")
    # In one go, so that nothing that a value says is taken for a place of another one.
    return re.sub(
        r"<!--(\w+)-->|/\*(\w+)\*/",
        lambda found: (name := found[1] or found[2]) and (values[name] if name in raw else escape(values[name])),
        html,
    )


def _data(profile: Profile) -> dict[str, object]:
    total = profile.total or 1
    return {
        "frames": [[frame.name, frame.file, frame.line] for frame in profile.frames],
        "stacks": [[stack.frames, stack.cpu] for stack in profile.stacks],
        "methods": [[name, cpu / total] for name, cpu in profile.methods()],
        "lines": [[frame.name, frame.file, frame.line, cpu / total] for frame, cpu in profile.lines()[:LINES]],
    }
